//! The openssl command line, as the tests' second opinion. A missing openssl fails the test.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use kms_pkcs11_testkit::hex;
use tempfile::TempDir;

use super::{Curve, Hash};

/// A directory of keys and messages, removed when dropped.
pub(crate) struct Openssl {
    directory: TempDir,
    files: Cell<u32>,
}

/// A private key in PEM.
pub(crate) struct PrivateKey(Vec<u8>);

/// The RSA key of this size that all tests of the process share, for its generation is slow.
pub(crate) fn rsa_key(bits: usize) -> &'static PrivateKey {
    static KEYS: [LazyLock<PrivateKey>; 3] = [
        LazyLock::new(|| new_rsa_key("rsa_keygen_bits:2048")),
        LazyLock::new(|| new_rsa_key("rsa_keygen_bits:3072")),
        LazyLock::new(|| new_rsa_key("rsa_keygen_bits:4096")),
    ];
    &KEYS[bits / 1024 - 2]
}

fn new_rsa_key(bits: &str) -> PrivateKey {
    Openssl::new().generate(&["-algorithm", "RSA", "-pkeyopt", bits])
}

impl Openssl {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            files: Cell::new(0),
        }
    }

    pub(crate) fn ec_key(&self, curve: Curve) -> PrivateKey {
        let option = format!("ec_paramgen_curve:{}", curve_name(curve));
        self.generate(&["-algorithm", "EC", "-pkeyopt", &option])
    }

    /// A key from `openssl genpkey` with these options.
    pub(crate) fn generate(&self, options: &[&str]) -> PrivateKey {
        let path = self.new_file(&[]);
        run(openssl("genpkey").arg("-out").arg(&path).args(options));
        PrivateKey(fs::read(path).unwrap())
    }

    pub(crate) fn spki(&self, key: &PrivateKey) -> Vec<u8> {
        self.pkey(key, &["-pubout", "-outform", "DER"])
    }

    pub(crate) fn compressed_spki(&self, key: &PrivateKey) -> Vec<u8> {
        let form = ["-pubout", "-outform", "DER", "-ec_conv_form", "compressed"];
        self.pkey(key, &form)
    }

    /// The modulus, big-endian.
    pub(crate) fn modulus(&self, key: &PrivateKey) -> Vec<u8> {
        let printed = run(openssl("rsa")
            .args(["-noout", "-modulus", "-in"])
            .arg(self.new_file(&key.0)));
        let printed = String::from_utf8(printed).unwrap();
        let hex = printed.trim().strip_prefix("Modulus=").unwrap();
        (0..hex.len())
            .step_by(2)
            .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).unwrap())
            .collect()
    }

    pub(crate) fn digest(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        run(openssl("dgst")
            .args(["-binary", hash_option(hash)])
            .arg(self.new_file(message)))
    }

    pub(crate) fn hmac(&self, hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
        run(openssl("dgst")
            .args(["-binary", hash_option(hash), "-mac", "HMAC", "-macopt"])
            .arg(format!("hexkey:{}", hex(key)))
            .arg(self.new_file(message)))
    }

    /// What `openssl enc` makes with this cipher (`-aes-128-cbc`), key and initialization vector.
    pub(crate) fn encrypt(
        &self,
        cipher: &str,
        key: &[u8],
        iv: &[u8],
        options: &[&str],
        plaintext: &[u8],
    ) -> Vec<u8> {
        run(openssl("enc")
            .args([cipher, "-K", &hex(key), "-iv", &hex(iv)])
            .args(options)
            .arg("-in")
            .arg(self.new_file(plaintext)))
    }

    /// A signature of the message's hash; EC signatures in DER.
    pub(crate) fn sign(
        &self,
        key: &PrivateKey,
        hash: Hash,
        options: &[&str],
        message: &[u8],
    ) -> Vec<u8> {
        run(openssl("dgst")
            .args([hash_option(hash), "-sign"])
            .arg(self.new_file(&key.0))
            .args(options.iter().flat_map(|option| ["-sigopt", option]))
            .arg(self.new_file(message)))
    }

    /// An Ed25519 signature.
    pub(crate) fn sign_message(&self, key: &PrivateKey, message: &[u8]) -> Vec<u8> {
        run(openssl("pkeyutl")
            .args(["-sign", "-rawin", "-inkey"])
            .arg(self.new_file(&key.0))
            .arg("-in")
            .arg(self.new_file(message)))
    }

    /// An EC signature, in DER, of a digest as it is.
    pub(crate) fn sign_raw(&self, key: &PrivateKey, digest: &[u8]) -> Vec<u8> {
        run(openssl("pkeyutl")
            .args(["-sign", "-inkey"])
            .arg(self.new_file(&key.0))
            .arg("-in")
            .arg(self.new_file(digest)))
    }

    /// Whether this is an EC signature, in DER, of a digest as it is.
    pub(crate) fn verify_raw(&self, key: &PrivateKey, digest: &[u8], signature: &[u8]) -> bool {
        let output = openssl("pkeyutl")
            .args(["-verify", "-inkey"])
            .arg(self.new_file(&key.0))
            .arg("-in")
            .arg(self.new_file(digest))
            .arg("-sigfile")
            .arg(self.new_file(signature))
            .output()
            .unwrap();
        output.status.success()
    }

    pub(crate) fn decrypt_oaep(&self, key: &PrivateKey, hash: Hash, ciphertext: &[u8]) -> Vec<u8> {
        let name = hash_option(hash).trim_start_matches('-');
        run(openssl("pkeyutl")
            .args(["-decrypt", "-inkey"])
            .arg(self.new_file(&key.0))
            .args(["-pkeyopt", "rsa_padding_mode:oaep"])
            .args(["-pkeyopt", &format!("rsa_oaep_md:{name}")])
            .args(["-pkeyopt", &format!("rsa_mgf1_md:{name}")])
            .arg("-in")
            .arg(self.new_file(ciphertext)))
    }

    fn pkey(&self, key: &PrivateKey, options: &[&str]) -> Vec<u8> {
        run(openssl("pkey")
            .args(["-in"])
            .arg(self.new_file(&key.0))
            .args(options))
    }

    fn new_file(&self, contents: &[u8]) -> PathBuf {
        let number = self.files.replace(self.files.get() + 1);
        let path = self.directory.path().join(number.to_string());
        fs::write(&path, contents).unwrap();
        path
    }
}

/// DER of the curve's OID.
pub(crate) fn ec_params(curve: Curve) -> Vec<u8> {
    run(openssl("ecparam").args(["-outform", "DER", "-name", curve_name(curve)]))
}

fn openssl(command: &str) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.arg(command);
    openssl
}

/// What a command that must succeed writes.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    output.stdout
}

fn curve_name(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "prime256v1",
        Curve::P384 => "secp384r1",
        Curve::P521 => "secp521r1",
        Curve::Secp256k1 => "secp256k1",
    }
}

fn hash_option(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "-sha1",
        Hash::Sha224 => "-sha224",
        Hash::Sha256 => "-sha256",
        Hash::Sha384 => "-sha384",
        Hash::Sha512 => "-sha512",
    }
}
