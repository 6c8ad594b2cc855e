//! ML-KEM, agreed on with a library that the emulator does not use, and with Python's `cryptography`.

use kms_pkcs11_testkit::python;
use ml_kem::pkcs8::DecodePublicKey as _;
use ml_kem::{Decapsulate as _, Encapsulate as _, ml_kem_512, ml_kem_768, ml_kem_1024};
use serde_json::{Value, json};

use crate::bench::{Bench, path};
use crate::client::{base64, bytes, start};

/// A parameter set as the other library has it.
struct Peer {
    spec: &'static str,
    ciphertext_len: usize,
    /// From the DER of the public key.
    encapsulate: fn(&[u8]) -> Encapsulated,
    /// From PKCS#8 and ciphertext: the secret.
    decapsulate: fn(&[u8], &[u8]) -> Vec<u8>,
}

/// Ciphertext and secret.
type Encapsulated = (Vec<u8>, Vec<u8>);

macro_rules! peer {
    ($spec:literal, $library:ident, $ciphertext_len:literal, $private_len:literal) => {
        Peer {
            spec: $spec,
            ciphertext_len: $ciphertext_len,
            encapsulate: |public| {
                let key = $library::EncapsulationKey::from_public_key_der(public).unwrap();
                let (ciphertext, secret) = key.encapsulate();
                (ciphertext.to_vec(), secret.to_vec())
            },
            decapsulate: |pkcs8, ciphertext| {
                // The expanded key is the end of the PKCS#8.
                let expanded = pkcs8[pkcs8.len() - $private_len..].try_into().unwrap();
                #[expect(deprecated, reason = "the state file holds expanded keys")]
                let key = $library::DecapsulationKey::from_expanded(&expanded).unwrap();
                key.decapsulate_slice(ciphertext).unwrap().to_vec()
            },
        }
    };
}

const PEERS: [Peer; 3] = [
    peer!("ML_KEM_512", ml_kem_512, 768, 1632),
    peer!("ML_KEM_768", ml_kem_768, 1088, 2400),
    peer!("ML_KEM_1024", ml_kem_1024, 1568, 3168),
];

#[test]
fn another_library_and_kms_agree_on_secrets_both_ways() {
    let (bench, mut client) = Bench::start();
    for peer in PEERS {
        let (id, arn) = client.create_key(peer.spec, "ENCAPSULATE_DECAPSULATE");
        let mut answer = client.ok("GetPublicKey", &json!({ "KeyId": id }));
        let public = bytes(&answer["PublicKey"].take());
        let expected = json!({
            "CustomerMasterKeySpec": peer.spec, "EncapsulationAlgorithms": ["ML_KEM"],
            "KeyId": arn, "KeySpec": peer.spec, "KeyUsage": "ENCAPSULATE_DECAPSULATE",
            "PublicKey": null,
        });
        assert_eq!(answer, expected);

        let (ciphertext, secret) = (peer.encapsulate)(&public);
        let answer = client.ok("Decapsulate", &decapsulate(&id, &ciphertext));
        let expected = json!({
            "EncapsulationAlgorithm": "ML_KEM", "KeyId": arn, "SharedSecret": base64(&secret),
        });
        assert_eq!(answer, expected, "{}", peer.spec);

        let answer = client.ok("Encapsulate", &encapsulate(&id));
        let ciphertext = bytes(&answer["SharedSecretCiphertextBlob"]);
        assert_eq!(ciphertext.len(), peer.ciphertext_len);
        let secret = (peer.decapsulate)(&bench.material(&id), &ciphertext);
        assert_eq!(secret.len(), 32);
        let expected = json!({
            "EncapsulationAlgorithm": "ML_KEM", "KeyId": arn, "SharedSecret": base64(&secret),
            "SharedSecretCiphertextBlob": base64(&ciphertext),
        });
        assert_eq!(answer, expected, "{}", peer.spec);
    }
}

/// It has no ML-KEM-512.
#[test]
fn what_cryptography_encapsulates_is_decapsulated() {
    let (bench, mut client) = Bench::start();
    for spec in ["ML_KEM_768", "ML_KEM_1024"] {
        let (id, _) = client.create_key(spec, "ENCAPSULATE_DECAPSULATE");
        let public = client.ok("GetPublicKey", &json!({ "KeyId": id }))["PublicKey"].take();
        let public = bench.file("public.der", &bytes(&public));
        let secret = bench.file("secret", b"");
        let ciphertext = bench.file("ciphertext", b"");
        let script = r#"
import sys
from cryptography.hazmat.primitives.serialization import load_der_public_key
public, *outputs = sys.argv[1:]
for name, data in zip(outputs, load_der_public_key(open(public, "rb").read()).encapsulate()):
    open(name, "wb").write(data)
"#;
        let finished = python(script, [path(&public), path(&secret), path(&ciphertext)]);
        assert!(finished.success(), "{finished:?}");
        let ciphertext = std::fs::read(ciphertext).unwrap();
        let answer = client.ok("Decapsulate", &decapsulate(&id, &ciphertext));
        assert_eq!(
            bytes(&answer["SharedSecret"]),
            std::fs::read(secret).unwrap()
        );
    }
}

/// FIPS 203's implicit rejection: a ciphertext of the right length always has a secret.
#[test]
fn a_wrong_ciphertext_has_another_secret_and_one_of_wrong_length_none() {
    let (_emulator, mut client) = start();
    for peer in PEERS {
        let (id, _) = client.create_key(peer.spec, "ENCAPSULATE_DECAPSULATE");
        let made = client.ok("Encapsulate", &encapsulate(&id));
        let mut ciphertext = bytes(&made["SharedSecretCiphertextBlob"]);
        ciphertext[0] ^= 1;
        let answer = client.ok("Decapsulate", &decapsulate(&id, &ciphertext));
        assert_ne!(answer["SharedSecret"], made["SharedSecret"]);
        for len in [1, peer.ciphertext_len - 1, peer.ciphertext_len + 1] {
            let refused = client.refused("Decapsulate", &decapsulate(&id, &vec![7; len]));
            assert_eq!(refused, ("InvalidCiphertextException".to_owned(), None));
        }
    }
}

#[test]
fn keys_of_other_usages_and_dry_runs_encapsulate_nothing() {
    let (_emulator, mut client) = start();
    let (kem, _) = client.create_key("ML_KEM_768", "ENCAPSULATE_DECAPSULATE");
    let (signer, signer_arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    for (operation, request) in [
        ("Encapsulate", encapsulate as fn(&str) -> Value),
        ("Decapsulate", |id| decapsulate(id, &[7; 1088])),
    ] {
        let words =
            format!("{signer_arn} key usage is SIGN_VERIFY which is not valid for {operation}.");
        let expected = ("InvalidKeyUsageException".to_owned(), Some(words));
        assert_eq!(client.refused(operation, &request(&signer)), expected);

        let mut dry_run = request(&kem);
        dry_run["DryRun"] = json!(true);
        let refused = client.refused(operation, &dry_run);
        assert_eq!(refused.0, "DryRunOperationException");

        let mut unknown = request(&kem);
        unknown["EncapsulationAlgorithm"] = json!("KYBER");
        assert_eq!(client.refused(operation, &unknown).0, "ValidationException");
    }
    let sign = json!({ "KeySpec": "ML_KEM_768", "KeyUsage": "SIGN_VERIFY" });
    assert_eq!(client.refused("CreateKey", &sign).0, "ValidationException");
}

fn encapsulate(id: &str) -> Value {
    json!({ "KeyId": id, "EncapsulationAlgorithm": "ML_KEM" })
}

fn decapsulate(id: &str, ciphertext: &[u8]) -> Value {
    let mut request = encapsulate(id);
    request["SharedSecretCiphertextBlob"] = base64(ciphertext).into();
    request
}
