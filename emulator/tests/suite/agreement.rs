//! Shared secrets, derived by OpenSSL too.

use kms_pkcs11_testkit::openssl_ok;
use serde_json::{Value, json};

use crate::bench::{Bench, path};
use crate::client::{base64, bytes, start, text};

/// Key spec, OpenSSL's name of the curve, bytes of the secret.
const CURVES: [(&str, &str, usize); 3] = [
    ("ECC_NIST_P256", "P-256", 32),
    ("ECC_NIST_P384", "P-384", 48),
    ("ECC_NIST_P521", "P-521", 66),
];

/// The cases `derive_shared_secret` and `derive_shared_secret_matches_openssl` of the recording.
#[test]
fn openssl_derives_the_same_secret_from_the_other_halves() {
    let (bench, mut client) = Bench::start();
    for (spec, curve, secret_len) in CURVES {
        let (id, arn) = client.create_key(spec, "KEY_AGREEMENT");
        let ours = bench.public_key(&id);
        let theirs = bench.file("peer.pem", &ec_key(curve));
        let their_public = public_half(path(&theirs));
        let answer = client.ok("DeriveSharedSecret", &request(&id, &their_public));
        let args = ["pkeyutl", "-derive", "-inkey", path(&theirs), "-peerkey"];
        let expected = openssl_ok(args.into_iter().chain([path(&ours)]), b"");
        assert_eq!(expected.len(), secret_len, "{spec}");
        let expected = json!({
            "KeyAgreementAlgorithm": "ECDH", "KeyId": arn, "KeyOrigin": "AWS_KMS",
            "SharedSecret": base64(expected),
        });
        assert_eq!(answer, expected, "{spec}");
    }
}

#[test]
fn two_keys_agree_with_each_other() {
    let (_emulator, mut client) = start();
    for (spec, ..) in CURVES {
        let (one, _) = client.create_key(spec, "KEY_AGREEMENT");
        let (other, _) = client.create_key(spec, "KEY_AGREEMENT");
        let mut derived = |id: &str, peer: &str| {
            let peer = client.ok("GetPublicKey", &json!({ "KeyId": peer }))["PublicKey"].take();
            text(&client.ok("DeriveSharedSecret", &request(id, &bytes(&peer)))["SharedSecret"])
        };
        assert_eq!(derived(&one, &other), derived(&other, &one));
        assert_ne!(derived(&one, &one), derived(&one, &other));
    }
}

#[test]
fn only_a_public_key_of_the_same_curve_in_its_der_is_a_peer() {
    let (bench, mut client) = Bench::start();
    let (id, _) = client.create_key("ECC_NIST_P256", "KEY_AGREEMENT");
    let key_file = bench.file("peer.pem", &ec_key("P-256"));
    let public = public_half(path(&key_file));
    // SEC 1's uncompressed point is the end of the SubjectPublicKeyInfo.
    let point = &public[public.len() - 65..];
    let mut off_curve = public.clone();
    *off_curve.last_mut().unwrap() ^= 1;
    let other_file = bench.file("other.pem", &ec_key("P-384"));
    let other_curve = public_half(path(&other_file));
    let secp256k1_file = bench.file("k1.pem", &ec_key("secp256k1"));
    let secp256k1 = public_half(path(&secp256k1_file));
    for bad in [
        b"InvalidPublicKey",
        point,
        &off_curve,
        &other_curve,
        &secp256k1,
        &public[..public.len() - 1],
    ] {
        let refused = client.refused("DeriveSharedSecret", &request(&id, bad));
        assert_eq!(
            refused,
            ("ValidationException".to_owned(), None),
            "{bad:x?}"
        );
    }
    client.ok("DeriveSharedSecret", &request(&id, &public));
}

#[test]
fn a_key_agreement_key_neither_signs_nor_derives_in_a_dry_run() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P256", "KEY_AGREEMENT");
    let sign = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let words = format!("{arn} key usage is KEY_AGREEMENT which is not valid for Sign.");
    let expected = ("InvalidKeyUsageException".to_owned(), Some(words));
    assert_eq!(client.refused("Sign", &sign), expected);

    let public = client.ok("GetPublicKey", &json!({ "KeyId": id }))["PublicKey"].take();
    let mut derive = request(&id, &bytes(&public));
    derive["DryRun"] = json!(true);
    let refused = client.refused("DeriveSharedSecret", &derive);
    assert_eq!(refused.0, "DryRunOperationException");
}

fn request(id: &str, peer: &[u8]) -> Value {
    json!({ "KeyAgreementAlgorithm": "ECDH", "KeyId": id, "PublicKey": base64(peer) })
}

/// A private key in PEM.
fn ec_key(curve: &str) -> Vec<u8> {
    let curve = format!("ec_paramgen_curve:{curve}");
    openssl_ok(["genpkey", "-algorithm", "EC", "-pkeyopt", &curve], b"")
}

/// DER of the `SubjectPublicKeyInfo`.
fn public_half(private: &str) -> Vec<u8> {
    openssl_ok(["pkey", "-in", private, "-pubout", "-outform", "DER"], b"")
}
