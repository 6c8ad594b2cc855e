//! ML-DSA, verified by Python's `cryptography`.

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::python;
use serde_json::json;

use crate::bench::{Bench, path};
use crate::client::{base64, start};
use crate::sdk::boto3;

const SPECS: [&str; 3] = ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"];
const ALGORITHM: &str = "ML_DSA_SHAKE_256";

#[test]
fn cryptography_verifies_signatures_of_messages_and_of_their_mu() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let finished = boto3(&emulator, include_str!("ml_dsa.py"));
    assert!(finished.success(), "{finished:?}");
}

#[test]
fn a_signature_of_cryptography_with_the_same_key_verifies() {
    let (bench, mut client) = Bench::start();
    for spec in SPECS {
        let (id, _) = client.create_key(spec, "SIGN_VERIFY");
        let private = bench.file("private.der", &bench.material(&id));
        let signature = bench.file("signature", b"");
        let script = r#"
import sys
from cryptography.hazmat.primitives.serialization import load_der_private_key
private = load_der_private_key(open(sys.argv[1], "rb").read(), None)
open(sys.argv[2], "wb").write(private.sign(b"signed by cryptography"))
"#;
        let finished = python(script, [path(&private), path(&signature)]);
        assert!(finished.success(), "{finished:?}");
        let verify = json!({
            "KeyId": id, "Message": base64("signed by cryptography"), "SigningAlgorithm": ALGORITHM,
            "Signature": base64(std::fs::read(signature).unwrap()),
        });
        assert_eq!(
            client.ok("Verify", &verify)["SignatureValid"],
            true,
            "{spec}"
        );
    }
}

#[test]
fn mu_has_64_bytes_and_digests_are_not_signed() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ML_DSA_44", "SIGN_VERIFY");
    let (other, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    for (id, algorithm, kind, len) in [
        (&id, ALGORITHM, "EXTERNAL_MU", 63),
        (&id, ALGORITHM, "EXTERNAL_MU", 65),
        (&id, ALGORITHM, "DIGEST", 64),
        (&id, ALGORITHM, "RAW", 4097),
        (&other, "ECDSA_SHA_256", "EXTERNAL_MU", 64),
    ] {
        let request = json!({
            "KeyId": id, "Message": base64(vec![7; len]), "MessageType": kind,
            "SigningAlgorithm": algorithm,
        });
        let refused = client.refused("Sign", &request);
        assert_eq!(refused.0, "ValidationException", "{request}");
    }
}
