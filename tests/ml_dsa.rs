//! ML-DSA and HashML-DSA: signatures over mu, which the module computes, verified by implementations of
//! others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::iter;

use cryptoki_sys::*;
use raw::*;

const SETS: [(KeyKind, usize); 3] = [(ML_DSA_44, 2420), (ML_DSA_65, 3309), (ML_DSA_87, 4627)];
const ML_DSA: Mechanism = Mechanism::plain(CKM_ML_DSA);
const LONGEST: &[u8] = &[0xc5; 255];
const TOO_LONG: &[u8] = &[0xc5; 256];

/// Mechanisms that hash the message, and what with.
const HASHING: [(CK_MECHANISM_TYPE, Hash); 4] = [
    (CKM_HASH_ML_DSA_SHA224, SHA_224),
    (CKM_HASH_ML_DSA_SHA256, SHA_256),
    (CKM_HASH_ML_DSA_SHA384, SHA_384),
    (CKM_HASH_ML_DSA_SHA512, SHA_512),
];

#[test]
fn messages_of_any_length_sign_in_one_part_and_in_many_for_one_request_each() {
    let (client, keys) = Client::start(SETS.map(|(kind, _)| kind));
    let lengths = [0, 1, 135, 136, 137, 4096, 4097, 300_000];
    let mut outside = Outside::default();
    let calls = client.requests(|| {
        for (key, (_, signature_len)) in keys.iter().zip(SETS) {
            for len in lengths {
                let message = bytes(len, 1);
                let whole = client.signature(&ML_DSA, key.private, &message);
                let (first, rest) = message.split_at(len / 3);
                let parts = iter::once(&b""[..])
                    .chain(first.chunks(1000))
                    .chain(rest.chunks(1 << 20));
                let parts = client.signature_of_parts(&ML_DSA, key.private, parts);
                for signature in [whole, parts] {
                    assert_eq!(signature.len(), signature_len);
                    let claim = Claim::Raw(&message);
                    outside.add(&key.spki, Scheme::MlDsa(b""), claim, &signature);
                    let verdict = client.verdict(&ML_DSA, key.public, &message, &signature);
                    assert_eq!(verdict, CKR_OK, "{len} bytes");
                }
            }
        }
    });
    assert_eq!((calls.of("Sign"), calls.total), (48, 48));
    outside.assert_valid(48);
}

#[test]
fn a_signature_in_a_context_verifies_in_that_context_alone() {
    let (client, keys) = Client::start(SETS.map(|(kind, _)| kind));
    let in_context = |context| Mechanism::ml_dsa_with(CKM_ML_DSA, CKH_HEDGE_PREFERRED, context);
    let contexts: [&[u8]; 4] = [b"", b"c", b"context", LONGEST];
    let mut outside = Outside::default();
    for key in &keys {
        for context in contexts {
            let mechanism = in_context(context);
            let signature = client.signature(&mechanism, key.private, b"message");
            outside.add(
                &key.spki,
                Scheme::MlDsa(context),
                Claim::Raw(b"message"),
                &signature,
            );
            for other in contexts {
                let verdict =
                    client.verdict(&in_context(other), key.public, b"message", &signature);
                let expected = if other == context {
                    CKR_OK
                } else {
                    CKR_SIGNATURE_INVALID
                };
                assert_eq!(verdict, expected, "{context:?} {other:?}");
            }
        }
    }
    outside.assert_valid(12);
}

#[test]
fn hash_ml_dsa_of_a_message_and_of_its_digest_verifies() {
    let (client, keys) = Client::start(SETS.map(|(kind, _)| kind));
    let context = b"context";
    let mut outside = Outside::default();
    let calls = client.requests(|| {
        for key in &keys {
            for (type_, hash) in HASHING {
                let message = bytes(5000, 1);
                let hashing = Mechanism::ml_dsa_with(type_, CKH_HEDGE_PREFERRED, context);
                let hashed = Mechanism::hash_ml_dsa(hash.mechanism, context);
                assert_eq!(
                    client.digest_init(&Mechanism::plain(hash.mechanism)),
                    CKR_OK
                );
                let digest = client.digest(&message, Room::Of(AMPLE)).ok();
                for (data, mechanism) in [(&message, &hashing), (&digest, &hashed)] {
                    let signature = client.signature(mechanism, key.private, data);
                    let claim = Claim::Message(&hash, &message);
                    outside.add(&key.spki, Scheme::HashMlDsa(context), claim, &signature);
                    for (data, mechanism) in [(&message, &hashing), (&digest, &hashed)] {
                        let verdict = client.verdict(mechanism, key.public, data, &signature);
                        assert_eq!(verdict, CKR_OK, "{mechanism:?}");
                    }
                }
            }
        }
    });
    assert_eq!((calls.of("Sign"), calls.total), (24, 24));
    outside.assert_valid(24);
}

#[test]
fn hash_ml_dsa_takes_a_message_in_parts_and_a_digest_of_its_length_in_one() {
    let (client, [key]) = Client::start([ML_DSA_44]);
    let hashing = Mechanism::plain(CKM_HASH_ML_DSA_SHA512);
    let message = bytes(100_000, 1);
    let signature = client.signature_of_parts(&hashing, key.private, message.chunks(999));
    let mut outside = Outside::default();
    let claim = Claim::Message(&SHA_512, &message);
    outside.add(&key.spki, Scheme::HashMlDsa(b""), claim, &signature);
    outside.assert_valid(1);

    let hashed = Mechanism::hash_ml_dsa(CKM_SHA512, b"");
    let calls = client.requests(|| {
        for len in [0, 32, 63, 65] {
            let refused = client.try_signature(&hashed, key.private, &bytes(len, 1));
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len} bytes");
        }
        assert_eq!(client.sign_init(&hashed, key.private), CKR_OK);
        assert_eq!(client.sign_update(&[1; 64]), CKR_OPERATION_NOT_INITIALIZED);
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn the_outside_verifier_tells_the_kinds_and_their_contexts_apart() {
    let (client, [key]) = Client::start([ML_DSA_44]);
    let pure = client.signature(&ML_DSA, key.private, b"message");
    let hashing = Mechanism::plain(CKM_HASH_ML_DSA_SHA384);
    let prehashed = client.signature(&hashing, key.private, b"message");
    let message = Claim::Raw(b"message");
    let sha384 = Claim::Message(&SHA_384, b"message");
    let sha512 = Claim::Message(&SHA_512, b"message");
    let mut outside = Outside::default();
    outside.add(&key.spki, Scheme::MlDsa(b""), message, &pure);
    outside.add(&key.spki, Scheme::MlDsa(b"c"), message, &pure);
    outside.add(&key.spki, Scheme::HashMlDsa(b""), sha384, &pure);
    outside.add(&key.spki, Scheme::MlDsa(b""), message, &prehashed);
    outside.add(&key.spki, Scheme::HashMlDsa(b""), sha384, &prehashed);
    outside.add(&key.spki, Scheme::HashMlDsa(b"c"), sha384, &prehashed);
    outside.add(&key.spki, Scheme::HashMlDsa(b""), sha512, &prehashed);
    assert_eq!(outside.invalid(), [1, 2, 3, 5, 6]);
    assert_eq!(
        client.verdict(&hashing, key.public, b"message", &pure),
        CKR_SIGNATURE_INVALID
    );
}

#[test]
fn parameters_that_kms_cannot_promise_are_refused_at_init() {
    let (client, [key, ed25519]) = Client::start([ML_DSA_44, ED25519]);
    let with = |hedge, context| Mechanism::ml_dsa_with(CKM_ML_DSA, hedge, context);
    let hashing = CKM_HASH_ML_DSA_SHA256;
    let calls = client.requests(|| {
        // Neither to sign nor to verify.
        for mechanism in [
            with(CKH_HEDGE_PREFERRED, TOO_LONG),
            Mechanism::ml_dsa_with(hashing, CKH_HEDGE_PREFERRED, TOO_LONG),
            Mechanism::hash_ml_dsa(CKM_SHA256, TOO_LONG),
            Mechanism::hash_ml_dsa(CKM_SHA_1, b""),
            Mechanism::hash_ml_dsa(CKM_SHA3_256, b""),
            Mechanism::hash_ml_dsa(CKM_SHA256, b"").typed(CKM_ML_DSA),
            Mechanism::hash_ml_dsa(CKM_SHA256, b"").typed(hashing),
            Mechanism::plain(CKM_HASH_ML_DSA),
            with(CKH_HEDGE_PREFERRED, b"").typed(CKM_HASH_ML_DSA),
            Mechanism::hmac_general(CKM_ML_DSA, 1),
        ] {
            for rv in [
                client.sign_init(&mechanism, key.private),
                client.verify_init(&mechanism, key.public),
            ] {
                assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{mechanism:?}");
            }
        }
        assert_eq!(
            client.sign_init(&ML_DSA, ed25519.private),
            CKR_KEY_TYPE_INCONSISTENT
        );
    });
    assert_eq!(calls.total, 0);

    let signature = client.signature(&ML_DSA, key.private, b"message");
    for hedge in [CKH_HEDGE_REQUIRED, CKH_DETERMINISTIC_REQUIRED] {
        let mechanism = with(hedge, b"");
        let refused = client.sign_init(&mechanism, key.private);
        assert_eq!(refused, CKR_MECHANISM_PARAM_INVALID);
        // Whoever verifies does not care.
        let verdict = client.verdict(&mechanism, key.public, b"message", &signature);
        assert_eq!(verdict, CKR_OK);
    }
}

#[test]
fn signatures_of_another_length_message_or_key_do_not_verify() {
    let (client, [key, other]) = Client::start([ML_DSA_44, ML_DSA_44]);
    let signature = client.signature(&ML_DSA, key.private, b"message");
    let mut changed = signature.clone();
    changed[1000] ^= 1;
    for (object, message, signature, rv) in [
        (
            key.public,
            &b"massage"[..],
            &signature[..],
            CKR_SIGNATURE_INVALID,
        ),
        (other.public, b"message", &signature, CKR_SIGNATURE_INVALID),
        (key.public, b"message", &changed, CKR_SIGNATURE_INVALID),
        (
            key.public,
            b"message",
            &signature[1..],
            CKR_SIGNATURE_LEN_RANGE,
        ),
        (key.public, b"message", b"", CKR_SIGNATURE_LEN_RANGE),
    ] {
        assert_eq!(client.verdict(&ML_DSA, object, message, signature), rv);
    }
}
