//! Signatures as they leave the module, verified by Python's `cryptography`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::iter;

use cryptoki_sys::*;
use raw::*;

/// Signatures of one curve, at least.
const MANY: usize = 1000;
/// Those of them whose r or s has leading zeros, at least.
const SHORT: usize = 3;
/// A P-256 signature is short once in 128 times: this many without three short ones never happen.
const TOO_MANY: usize = 10_000;

const CURVES: [KeyKind; 4] = [P256, P384, P521, SECP256K1];
const RSA_SIZES: [KeyKind; 3] = [RSA_2048, RSA_3072, RSA_4096];
/// The hashes of KMS's RSA signatures.
const RSA_HASHES: [Hash; 3] = [SHA_256, SHA_384, SHA_512];

#[test]
fn every_p256_signature_has_64_bytes_and_verifies() {
    assert_many_signatures(P256, &SHA_256, 64);
}

#[test]
fn every_p384_signature_has_96_bytes_and_verifies() {
    assert_many_signatures(P384, &SHA_384, 96);
}

#[test]
fn every_p521_signature_has_132_bytes_and_verifies_and_three_of_four_are_short() {
    let short = assert_many_signatures(P521, &SHA_512, 132);
    assert!(short > MANY / 2, "{short} of {MANY}");
}

#[test]
fn every_secp256k1_signature_has_64_bytes_and_verifies() {
    assert_many_signatures(SECP256K1, &SHA_256, 64);
}

#[test]
fn the_outside_verifier_refuses_what_is_not_signed() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048]);
    let (ec_signature, rsa_signature) = (
        client.signature(&Mechanism::plain(CKM_ECDSA), ec.private, &[7; 32]),
        client.signature(
            &Mechanism::plain(CKM_SHA256_RSA_PKCS),
            rsa.private,
            b"message",
        ),
    );
    let mut outside = Outside::default();
    let digest = Claim::Digest(&SHA_256, &[7; 32]);
    let other_digest = Claim::Digest(&SHA_256, &[8; 32]);
    let message = Claim::Message(&SHA_256, b"message");
    outside.add(&ec.spki, Scheme::Ecdsa, digest, &ec_signature);
    outside.add(&ec.spki, Scheme::Ecdsa, other_digest, &ec_signature);
    outside.add(&ec.spki, Scheme::Ecdsa, digest, &ec_signature[1..]);
    outside.add(&rsa.spki, Scheme::Pkcs1, message, &rsa_signature);
    outside.add(&rsa.spki, Scheme::Pss, message, &rsa_signature);
    outside.add(&rsa.spki, Scheme::Pkcs1, digest, &rsa_signature);
    assert_eq!(outside.invalid(), [1, 2, 4, 5]);
}

#[test]
fn a_signature_costs_one_sign_request_and_nothing_else() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048]);
    let calls = client.requests(|| {
        for n in 0..10 {
            let message = bytes(100, n);
            let _ = client.signature(&Mechanism::plain(CKM_ECDSA_SHA256), ec.private, &message);
            let _ = client.signature_of_parts(
                &Mechanism::plain(CKM_SHA256_RSA_PKCS),
                rsa.private,
                message.chunks(30),
            );
        }
    });
    assert_eq!((calls.of("Sign"), calls.total), (20, 20));
    assert_eq!(calls.connections, 0, "the connection was open already");
}

#[test]
fn rsa_pkcs1_signatures_of_a_digest_info_and_of_a_message_verify() {
    let (client, keys) = Client::start(RSA_SIZES);
    let mut outside = Outside::default();
    for key in &keys {
        for (n, hash) in RSA_HASHES.iter().enumerate() {
            let digest = bytes(hash.len, 1);
            let raw = Mechanism::plain(CKM_RSA_PKCS);
            let signature = client.signature(&raw, key.private, &hash.digest_info(&digest));
            let claim = Claim::Digest(hash, &digest);
            outside.add(&key.spki, Scheme::Pkcs1, claim, &signature);

            let message = bytes(1000, 2);
            let hashed = Mechanism::plain(RSA_PKCS1_OF_MESSAGES[n]);
            let signature = client.signature(&hashed, key.private, &message);
            let claim = Claim::Message(hash, &message);
            outside.add(&key.spki, Scheme::Pkcs1, claim, &signature);
        }
    }
    outside.assert_valid(18);
}

#[test]
fn rsa_pss_signatures_of_a_digest_and_of_a_message_verify() {
    let (client, keys) = Client::start(RSA_SIZES);
    let mut outside = Outside::default();
    for key in &keys {
        for (n, hash) in RSA_HASHES.iter().enumerate() {
            let digest = bytes(hash.len, 1);
            let raw = Mechanism::pss(CKM_RSA_PKCS_PSS, hash);
            let signature = client.signature(&raw, key.private, &digest);
            let claim = Claim::Digest(hash, &digest);
            outside.add(&key.spki, Scheme::Pss, claim, &signature);

            let message = bytes(1000, 2);
            let hashed = Mechanism::pss(RSA_PSS_OF_MESSAGES[n], hash);
            let signature = client.signature(&hashed, key.private, &message);
            let claim = Claim::Message(hash, &message);
            outside.add(&key.spki, Scheme::Pss, claim, &signature);
        }
    }
    outside.assert_valid(18);
}

#[test]
fn messages_of_any_length_sign_in_one_part_and_in_many() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048]);
    let ecdsa = Mechanism::plain(CKM_ECDSA_SHA256);
    let pkcs1 = Mechanism::plain(CKM_SHA512_RSA_PKCS);
    let pss = Mechanism::pss(CKM_SHA384_RSA_PKCS_PSS, &SHA_384);
    let rows = [
        (&ec, Scheme::Ecdsa, ecdsa, &SHA_256),
        (&rsa, Scheme::Pkcs1, pkcs1, &SHA_512),
        (&rsa, Scheme::Pss, pss, &SHA_384),
    ];
    // Around the blocks of the hashes, around KMS's limit for messages, and far beyond it.
    let lengths = [0, 1, 63, 64, 65, 127, 128, 4095, 4096, 4097, 3 << 20];
    let mut outside = Outside::default();
    let calls = client.requests(|| {
        for len in lengths {
            let message = bytes(len, 3);
            for (key, scheme, mechanism, hash) in &rows {
                let whole = client.signature(mechanism, key.private, &message);
                // Parts of different lengths, the first of them empty.
                let (first, rest) = message.split_at(len / 3);
                let parts = iter::once(&b""[..])
                    .chain(first.chunks(1000))
                    .chain(rest.chunks(1 << 20));
                let parts = client.signature_of_parts(mechanism, key.private, parts);
                for signature in [whole, parts] {
                    let claim = Claim::Message(hash, &message);
                    outside.add(&key.spki, *scheme, claim, &signature);
                }
            }
        }
    });
    assert_eq!(calls.total, 66);
    assert_eq!(calls.of("Sign"), 66);
    outside.assert_valid(66);
}

#[test]
fn no_parts_at_all_are_the_empty_message() {
    let (client, [key]) = Client::start([P256]);
    let mechanism = Mechanism::plain(CKM_ECDSA_SHA256);
    let signature = client.signature_of_parts(&mechanism, key.private, []);
    let mut outside = Outside::default();
    let claim = Claim::Message(&SHA_256, b"");
    outside.add(&key.spki, Scheme::Ecdsa, claim, &signature);
    outside.assert_valid(1);
}

#[test]
fn ecdsa_signatures_of_digests_of_any_length_verify_for_the_original_digest() {
    let (client, keys) = Client::start(CURVES);
    let ecdsa = Mechanism::plain(CKM_ECDSA);
    let mut outside = Outside::default();
    let mut sign = |key: &Key, digest: &[u8]| {
        let signature = client.signature(&ecdsa, key.private, digest);
        let claim = Claim::AnyDigest(digest);
        outside.add(&key.spki, Scheme::Ecdsa, claim, &signature);
    };
    for key in &keys {
        for len in [1, 19, 20, 28, 31, 32, 33, 47, 48, 49, 63, 64] {
            for first in [0x00, 0x01, 0x80, 0xff] {
                let mut digest = bytes(len, 4);
                digest[0] = first;
                sign(key, &digest);
            }
        }
    }
    // Longer than every hash: P-521 takes 521 bits of them, of which KMS can take 512.
    let [p256, p384, p521, secp256k1] = &keys;
    for len in [65, 66, 100] {
        for key in [p256, p384, secp256k1] {
            sign(key, &bytes(len, 5));
        }
    }
    sign(p521, &[&[0][..], &bytes(64, 6)].concat());
    sign(p521, &[&[0, 0x7f][..], &bytes(64, 7)].concat());
    outside.assert_valid(4 * 12 * 4 + 3 * 3 + 2);
}

#[test]
fn a_digest_that_kms_cannot_sign_on_p521_is_refused_without_a_request() {
    let (client, [key]) = Client::start([P521]);
    let ecdsa = Mechanism::plain(CKM_ECDSA);
    let calls = client.requests(|| {
        for digest in [&[][..], &[1; 65], &[0xff; 66], &[0xff; 100]] {
            let refused = client.try_signature(&ecdsa, key.private, digest);
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{} bytes", digest.len());
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn ecdsa_with_every_hash_on_every_curve_verifies() {
    let (client, keys) = Client::start(CURVES);
    let mut outside = Outside::default();
    for key in &keys {
        for (type_, hash) in ECDSA_OF_MESSAGES {
            for seed in 0..5 {
                let message = bytes(200, seed);
                let signature = client.signature(&Mechanism::plain(type_), key.private, &message);
                let claim = Claim::Message(&hash, &message);
                outside.add(&key.spki, Scheme::Ecdsa, claim, &signature);
            }
        }
    }
    outside.assert_valid(4 * 5 * 5);
}

/// Signs digests and messages in turns until there are [`MANY`] signatures, [`SHORT`] of them with leading
/// zeros; answers how many of the first [`MANY`] have those.
#[track_caller]
fn assert_many_signatures(kind: KeyKind, hash: &Hash, len: usize) -> usize {
    let (client, [key]) = Client::start([kind]);
    let digesting = ECDSA_OF_MESSAGES
        .iter()
        .find(|(_, of)| of == hash)
        .map(|(type_, _)| Mechanism::plain(*type_))
        .unwrap();
    let mut outside = Outside::default();
    let (mut count, mut short, mut short_of_many) = (0, 0, 0);
    while count < MANY || short < SHORT {
        assert!(count < TOO_MANY, "{short} short signatures of {count}");
        let data = bytes(hash.len, count as u64);
        let (mechanism, claim) = if count.is_multiple_of(2) {
            (Mechanism::plain(CKM_ECDSA), Claim::Digest(hash, &data))
        } else {
            (digesting, Claim::Message(hash, &data))
        };
        let signature = client.signature(&mechanism, key.private, &data);
        assert_eq!(signature.len(), len);
        outside.add(&key.spki, Scheme::Ecdsa, claim, &signature);
        count += 1;
        short += usize::from(is_short(&signature));
        if count == MANY {
            short_of_many = short;
        }
    }
    outside.assert_valid(count);
    short_of_many
}

/// True when the DER of r or of s has fewer bytes than the field.
fn is_short(signature: &[u8]) -> bool {
    let (r, s) = signature.split_at(signature.len() / 2);
    r[0] == 0 || s[0] == 0
}

/// In the order of [`RSA_HASHES`].
const RSA_PKCS1_OF_MESSAGES: [CK_MECHANISM_TYPE; 3] = [
    CKM_SHA256_RSA_PKCS,
    CKM_SHA384_RSA_PKCS,
    CKM_SHA512_RSA_PKCS,
];

/// In the order of [`RSA_HASHES`].
const RSA_PSS_OF_MESSAGES: [CK_MECHANISM_TYPE; 3] = [
    CKM_SHA256_RSA_PKCS_PSS,
    CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA512_RSA_PKCS_PSS,
];

const ECDSA_OF_MESSAGES: [(CK_MECHANISM_TYPE, Hash); 5] = [
    (CKM_ECDSA_SHA1, SHA_1),
    (CKM_ECDSA_SHA224, SHA_224),
    (CKM_ECDSA_SHA256, SHA_256),
    (CKM_ECDSA_SHA384, SHA_384),
    (CKM_ECDSA_SHA512, SHA_512),
];
