//! What the emulator computes, verified by OpenSSL.

use kms_pkcs11_testkit::openssl_ok;
use serde_json::json;

use crate::bench::{Bench, path};
use crate::client::{base64, bytes, start};

const MESSAGE: &[u8] = b"signed in KMS, verified by OpenSSL";

/// Key spec, algorithm, OpenSSL's digest, its padding.
#[rustfmt::skip]
const SIGNATURES: &[(&str, &str, &str, &[&str])] = &[
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", "sha256", &[]),
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_384", "sha384", &[]),
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512", "sha512", &[]),
    ("RSA_2048", "RSASSA_PSS_SHA_256", "sha256", PSS),
    ("RSA_2048", "RSASSA_PSS_SHA_384", "sha384", PSS),
    ("RSA_2048", "RSASSA_PSS_SHA_512", "sha512", PSS),
    ("RSA_3072", "RSASSA_PKCS1_V1_5_SHA_256", "sha256", &[]),
    ("RSA_3072", "RSASSA_PSS_SHA_512", "sha512", PSS),
    ("RSA_4096", "RSASSA_PKCS1_V1_5_SHA_512", "sha512", &[]),
    ("RSA_4096", "RSASSA_PSS_SHA_384", "sha384", PSS),
    ("ECC_NIST_P256", "ECDSA_SHA_256", "sha256", &[]),
    ("ECC_NIST_P384", "ECDSA_SHA_384", "sha384", &[]),
    ("ECC_NIST_P521", "ECDSA_SHA_512", "sha512", &[]),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256", "sha256", &[]),
];

/// The salt has to be as long as the digest, not merely found.
const PSS: &[&str] = &[
    "-sigopt",
    "rsa_padding_mode:pss",
    "-sigopt",
    "rsa_pss_saltlen:digest",
];

const OAEP: &[(&str, &str)] = &[
    ("RSAES_OAEP_SHA_1", "sha1"),
    ("RSAES_OAEP_SHA_256", "sha256"),
];

#[test]
fn openssl_verifies_the_signatures_of_every_key_spec_and_algorithm() {
    let (bench, mut client) = Bench::start();
    for (spec, algorithm, digest, padding) in SIGNATURES {
        let (id, _) = client.create_key(spec, "SIGN_VERIFY");
        let public = bench.public_key(&id);
        let hashed = openssl_ok(["dgst", &format!("-{digest}"), "-binary"], MESSAGE);
        for (kind, message) in [("RAW", MESSAGE), ("DIGEST", &hashed)] {
            let signed = client.ok(
                "Sign",
                &json!({ "KeyId": id, "MessageType": kind, "Message": base64(message),
                         "SigningAlgorithm": algorithm }),
            );
            let signature = bench.file("signature", &bytes(&signed["Signature"]));
            let digest = format!("-{digest}");
            let mut args = vec!["dgst", &digest, "-verify", path(&public)];
            args.extend(["-signature", path(&signature)]);
            args.extend(*padding);
            let verdict = openssl_ok(args, MESSAGE);
            assert_eq!(verdict, b"Verified OK\n", "{spec} {algorithm} {kind}");
        }
    }
}

#[test]
fn signatures_of_openssl_verify() {
    let (bench, mut client) = Bench::start();
    let (id, _) = client.create_key("ECC_NIST_P384", "SIGN_VERIFY");
    let private = bench.private_key(&id);
    let signature = openssl_ok(["dgst", "-sha384", "-sign", path(&private)], MESSAGE);
    let request = json!({
        "KeyId": id, "Message": base64(MESSAGE), "SigningAlgorithm": "ECDSA_SHA_384",
        "Signature": base64(signature),
    });
    assert_eq!(client.ok("Verify", &request)["SignatureValid"], true);
}

#[test]
fn what_openssl_encrypts_is_decrypted_and_the_reverse() {
    let (bench, mut client) = Bench::start();
    for spec in ["RSA_2048", "RSA_3072", "RSA_4096"] {
        let (id, arn) = client.create_key(spec, "ENCRYPT_DECRYPT");
        let public = bench.public_key(&id);
        let private = bench.private_key(&id);
        for (algorithm, hash) in OAEP {
            let oaep = [
                "-pkeyopt".to_owned(),
                "rsa_padding_mode:oaep".to_owned(),
                "-pkeyopt".to_owned(),
                format!("rsa_oaep_md:{hash}"),
                "-pkeyopt".to_owned(),
                format!("rsa_mgf1_md:{hash}"),
            ];
            let pkeyutl = |args: &[&str], input: &[u8]| {
                let args = args.iter().copied().chain(oaep.iter().map(String::as_str));
                openssl_ok(["pkeyutl"].into_iter().chain(args), input)
            };
            let theirs = pkeyutl(&["-encrypt", "-pubin", "-inkey", path(&public)], b"to KMS");
            let decrypted = client.ok(
                "Decrypt",
                &json!({ "KeyId": id, "CiphertextBlob": base64(theirs),
                         "EncryptionAlgorithm": algorithm }),
            );
            let expected = json!({
                "EncryptionAlgorithm": algorithm, "KeyId": arn, "Plaintext": base64("to KMS"),
            });
            assert_eq!(decrypted, expected, "{spec}");

            let ours = client.ok(
                "Encrypt",
                &json!({ "KeyId": id, "Plaintext": base64("from KMS"),
                         "EncryptionAlgorithm": algorithm }),
            );
            let ours = bytes(&ours["CiphertextBlob"]);
            let opened = pkeyutl(&["-decrypt", "-inkey", path(&private)], &ours);
            assert_eq!(opened, b"from KMS", "{spec} {algorithm}");
        }
    }
}

#[test]
fn the_longest_plaintext_that_oaep_holds_is_encrypted_and_decrypted() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("RSA_2048", "ENCRYPT_DECRYPT");
    for (algorithm, longest) in [("RSAES_OAEP_SHA_1", 214), ("RSAES_OAEP_SHA_256", 190)] {
        let plaintext = base64(vec![7; longest]);
        let encrypted = client.ok(
            "Encrypt",
            &json!({ "KeyId": id, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm }),
        );
        let decrypted = client.ok(
            "Decrypt",
            &json!({ "KeyId": id, "CiphertextBlob": encrypted["CiphertextBlob"],
                     "EncryptionAlgorithm": algorithm }),
        );
        assert_eq!(decrypted["Plaintext"], plaintext);
    }
}

#[test]
fn a_key_agreement_key_has_a_public_half_on_its_curve() {
    let (bench, mut client) = Bench::start();
    for (spec, curve) in [
        ("ECC_NIST_P256", "prime256v1"),
        ("ECC_NIST_P384", "secp384r1"),
        ("ECC_NIST_P521", "secp521r1"),
    ] {
        let (id, _) = client.create_key(spec, "KEY_AGREEMENT");
        let public = bench.public_key(&id);
        let printed = openssl_ok(
            ["pkey", "-pubin", "-noout", "-text", "-in", path(&public)],
            b"",
        );
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains(&format!("ASN1 OID: {curve}")), "{printed}");
    }
}
