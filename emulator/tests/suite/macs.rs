//! MACs, computed by OpenSSL too.

use std::fmt::Write as _;

use kms_pkcs11_testkit::openssl_ok;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::client::{Client, base64, bytes, start};

/// Key spec, algorithm, OpenSSL's digest.
const MACS: [(&str, &str, &str); 4] = [
    ("HMAC_224", "HMAC_SHA_224", "sha224"),
    ("HMAC_256", "HMAC_SHA_256", "sha256"),
    ("HMAC_384", "HMAC_SHA_384", "sha384"),
    ("HMAC_512", "HMAC_SHA_512", "sha512"),
];

#[test]
fn openssl_computes_the_same_macs_with_the_same_keys() {
    let (bench, mut client) = Bench::start();
    for (spec, algorithm, digest) in MACS {
        let (id, arn) = client.create_key(spec, "GENERATE_VERIFY_MAC");
        let mut option = "hexkey:".to_owned();
        for byte in bench.material(&id) {
            write!(option, "{byte:02x}").unwrap();
        }
        for len in [1, 20, 4096] {
            let message = vec![7; len];
            let answer = client.ok("GenerateMac", &request(&id, algorithm, &message));
            let theirs = openssl_ok(
                [
                    "dgst",
                    &format!("-{digest}"),
                    "-mac",
                    "HMAC",
                    "-macopt",
                    &option,
                    "-binary",
                ],
                &message,
            );
            let expected =
                json!({ "KeyId": arn, "Mac": base64(theirs), "MacAlgorithm": algorithm });
            assert_eq!(answer, expected, "{spec}");
        }
    }
}

/// The cases `generate_and_verify_mac`, `invalid_generate_mac` and `invalid_verify_mac` of the recording.
#[test]
fn macs_are_verified_and_wrong_ones_refused_as_recorded() {
    let (_emulator, mut client) = start();
    for (spec, algorithm, _) in MACS {
        let (id, arn) = client.create_key(spec, "GENERATE_VERIFY_MAC");
        let mac = client.ok("GenerateMac", &request(&id, algorithm, b"important"))["Mac"].take();
        let verify = |client: &mut Client, algorithm, message: &[u8], mac: &Value| {
            let mut request = request(&id, algorithm, message);
            request["Mac"] = mac.clone();
            client.call("VerifyMac", &request)
        };
        let answer = verify(&mut client, algorithm, b"important", &mac);
        let expected = json!({ "KeyId": arn, "MacAlgorithm": algorithm, "MacValid": true });
        assert_eq!(answer.json(), expected);

        let mut changed = bytes(&mac);
        changed[0] ^= 1;
        let cut = &bytes(&mac)[1..];
        for (message, mac) in [
            ("another", mac.clone()),
            ("important", base64(&changed).into()),
            ("important", base64(cut).into()),
        ] {
            let answer = verify(&mut client, algorithm, message.as_bytes(), &mac);
            assert_eq!(answer.json(), json!({ "__type": "KMSInvalidMacException" }));
        }

        let other = MACS.iter().find(|row| row.0 != spec).unwrap().1;
        let answer = verify(&mut client, other, b"important", &mac);
        assert_eq!(answer.code(), "InvalidKeyUsageException");
        let words = format!("Algorithm {other} is incompatible with key spec {spec}.");
        assert_eq!(answer.message(), Some(words));
    }
}

#[test]
fn a_dry_run_computes_no_mac() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("HMAC_256", "GENERATE_VERIFY_MAC");
    let mut request = request(&id, "HMAC_SHA_256", b"m");
    request["DryRun"] = json!(true);
    request["Mac"] = base64("not needed").into();
    for operation in ["GenerateMac", "VerifyMac"] {
        let refused = client.refused(operation, &request);
        assert_eq!(refused.0, "DryRunOperationException");
    }
}

fn request(id: &str, algorithm: &str, message: &[u8]) -> Value {
    json!({ "KeyId": id, "MacAlgorithm": algorithm, "Message": base64(message) })
}
