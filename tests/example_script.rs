//! The example for OpenSSL and pkcs11-tool: what it encrypts it decrypts, with one request, and so does Python. And
//! what these tools cannot do, which the documentation says of them: each command is run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::PathBuf;

use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, boto3, root, run};

/// An emulator with an RSA key `archive` and a symmetric key `recordings`, and a token over it.
struct Bench {
    emulator: Emulator,
    token: Token,
}

impl Bench {
    fn start() -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let rsa = NewKeys::new(1, "RSA_2048", "ENCRYPT_DECRYPT").tag("p11:label", "archive");
        let symmetric = NewKeys::new(1, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
            .tag("p11:label", "recordings")
            .tag("p11:id", "01");
        for keys in [rsa, symmetric] {
            emulator.create_keys(&keys).unwrap();
        }
        let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
        Self { emulator, token }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.token.directory().join(name)
    }

    fn script(&self, arguments: &str) -> Finished {
        let module = self.token.module.display().to_string();
        let arguments = arguments
            .replace("KEY", &format!("{module} aws-kms archive"))
            .replace("OTHER", &format!("{module} aws-kms nothing"));
        let mut script = self.token.command(root().join("examples/encrypt_file.sh"));
        run(script.args(arguments.split_whitespace()))
    }

    fn pkcs11_tool(&self, arguments: &str) -> Finished {
        let mut tool = self.token.command("pkcs11-tool");
        run(tool
            .arg("--module")
            .arg(&self.token.module)
            .args(["--login", "--pin", "any"])
            .args(arguments.split_whitespace()))
    }

    fn openssl(&self, arguments: &str) -> Finished {
        let mut openssl = self.token.command("openssl");
        run(openssl.args(arguments.split_whitespace()))
    }
}

fn contents(len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(len as u64);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

/// Opens the container with KMS's own Decrypt and an AES-GCM that is not OpenSSL's command: the DER is walked by hand.
const IN_PYTHON: &str = "import boto3, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
data = open(sys.argv[1], 'rb').read()
def read(at):
    tag, length, start = data[at], data[at + 1], at + 2
    if length == 0x80:
        return tag, start, None
    if length > 0x80:
        start += length - 0x80
        length = int.from_bytes(data[at + 2:start], 'big')
    return tag, start, start + length
def children(start, end):
    found = []
    at = start
    while (at < end if end is not None else data[at:at + 2] != bytes(2)):
        tag, inner, stop = read(at)
        if stop is None:
            inside, stop = children(inner, None)
            stop += 2
        else:
            inside = children(inner, stop)[0] if tag & 0x20 else None
        found.append((tag, data[inner:stop], inside))
        at = stop
    return found, at
(content,), _ = children(0, len(data))
enveloped = content[2][1][2][0][2]
recipients, encrypted, mac = enveloped[1], enveloped[2], enveloped[-1]
wrapped = recipients[2][0][2][3][1]
nonce = encrypted[2][1][2][1][2][0][1]
_, body, pieces = encrypted[2][2]
sealed = b''.join(piece[1] for piece in pieces) if pieces else body
kms = boto3.client('kms')
key_id = next(key['KeyId'] for key in kms.list_keys()['Keys']
              if kms.describe_key(KeyId=key['KeyId'])['KeyMetadata']['KeySpec'] == 'RSA_2048')
key = kms.decrypt(KeyId=key_id, CiphertextBlob=wrapped, EncryptionAlgorithm='RSAES_OAEP_SHA_256')['Plaintext']
assert len(key) == 32
open(sys.argv[2], 'wb').write(AESGCM(key).decrypt(nonce, sealed + mac[1], None))
";

#[test]
fn files_go_there_and_back_with_one_request_and_python_opens_them_too() {
    let bench = Bench::start();
    let _ = bench.script("recipient KEY archive.crt").ok();
    for len in [1, 65_537, 3_000_000] {
        let plain = contents(len);
        fs::write(bench.path("plain"), &plain).unwrap();
        bench.emulator.reset_calls();
        let _ = bench.script("encrypt archive.crt plain encrypted").ok();
        assert_eq!(
            bench.emulator.calls().operations.len(),
            0,
            "KMS is not asked"
        );
        let _ = bench
            .script("decrypt KEY archive.crt encrypted decrypted")
            .ok();
        assert_eq!(bench.emulator.calls().of("Decrypt"), 1);
        assert_eq!(fs::read(bench.path("decrypted")).unwrap(), plain, "{len}");

        let [input, output] = ["encrypted", "in-python"].map(|name| bench.path(name));
        let arguments = [input.to_str().unwrap(), output.to_str().unwrap()];
        let endpoint = bench.emulator.endpoint();
        let _ = boto3(&endpoint, &AccessKey::test(), IN_PYTHON, &arguments).ok();
        assert_eq!(fs::read(output).unwrap(), plain, "{len}");
    }
}

#[test]
fn what_was_tampered_with_is_refused_and_leaves_nothing_behind() {
    let bench = Bench::start();
    let _ = bench.script("recipient KEY archive.crt").ok();
    fs::write(bench.path("plain"), contents(200_000)).unwrap();
    let _ = bench.script("encrypt archive.crt plain encrypted").ok();
    let whole = fs::read(bench.path("encrypted")).unwrap();
    let flipped = |at: usize| {
        let mut other = whole.clone();
        other[at] ^= 1;
        other
    };
    for (what, tampered) in [
        ("a byte of the data", flipped(whole.len() / 2)),
        ("the last byte", flipped(whole.len() - 1)),
        ("a byte of the wrapped key", flipped(300)),
        ("cut", whole[..whole.len() - 1000].to_vec()),
        ("nothing", Vec::new()),
    ] {
        fs::write(bench.path("tampered"), tampered).unwrap();
        let refused = bench.script("decrypt KEY archive.crt tampered out");
        assert!(!refused.success(), "{what}: {refused:?}");
        for name in ["out", "out.partial"] {
            assert!(!bench.path(name).exists(), "{what}: {name}");
        }
    }
    assert!(
        !bench
            .script("decrypt OTHER archive.crt encrypted out")
            .success()
    );
    assert!(!bench.script("encrypt nothing.crt plain out").success());
    assert!(!bench.path("out").exists());
    let usage = bench.script("encrypt");
    assert!(
        usage.stderr().contains("encrypt_file.sh recipient"),
        "{usage:?}"
    );
}

#[test]
fn what_these_tools_cannot_do_they_refuse() {
    let bench = Bench::start();
    fs::write(bench.path("key.bin"), contents(32)).unwrap();
    // pkcs11-tool lists the mechanism and makes its keys, and does not encrypt or decrypt with it.
    let mechanisms = bench.pkcs11_tool("--list-mechanisms").ok().stdout();
    assert!(mechanisms.contains("0xCB4D0001"), "{mechanisms}");
    for direction in ["--encrypt", "--decrypt"] {
        let refused = bench.pkcs11_tool(&format!(
            "{direction} --mechanism 0xCB4D0001 --id 01 --input-file key.bin --output-file out"
        ));
        assert!(!refused.success(), "{refused:?}");
        assert!(
            refused.stderr().contains("illegal or not supported"),
            "{refused:?}"
        );
    }
    // What it generates is a key of the token: data keys, which are a session's, it does not make.
    let refused = bench.pkcs11_tool("--keygen --mechanism 0xCB4D0001 --key-type AES:32");
    assert!(!refused.success(), "{refused:?}");
    // It wraps keys of the token alone, which do not leave KMS.
    let refused = bench
        .pkcs11_tool("--wrap --mechanism 0xCB4D0001 --id 01 --application-id 01 --output-file out");
    assert!(
        refused.stderr().contains("CKR_KEY_UNEXTRACTABLE"),
        "{refused:?}"
    );
    // OpenSSL's command for ciphers has none that authenticates.
    let refused = bench.openssl("enc -aes-256-gcm -K 00 -iv 00 -in key.bin -out out");
    assert!(
        refused.stderr().contains("AEAD ciphers not supported"),
        "{refused:?}"
    );
    assert_eq!(bench.emulator.calls().of("Encrypt"), 0);
    assert_eq!(bench.emulator.calls().of("GenerateDataKey"), 0);
}
