//! Ed25519: generation under both names of the curve, signatures that others verify, and what KMS cannot
//! sign.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use cryptoki_sys::*;
use raw::*;

const EDDSA: Mechanism = Mechanism::plain(CKM_EDDSA);

#[test]
fn messages_up_to_the_limit_of_kms_sign_in_one_part_and_in_many() {
    let (client, [key]) = Client::start([ED25519]);
    let lengths = [1, 2, 31, 32, 64, 127, 128, 1000, 4095, 4096];
    let mut outside = Outside::default();
    let calls = client.requests(|| {
        for len in lengths {
            let message = bytes(len, 1);
            let whole = client.signature(&EDDSA, key.private, &message);
            let (first, rest) = message.split_at(len / 3);
            let parts = [first, b"", rest];
            let parts = client.signature_of_parts(&EDDSA, key.private, parts);
            assert_eq!(whole, parts, "Ed25519 is deterministic");
            assert_eq!(whole.len(), 64);
            outside.add(&key.spki, Scheme::Ed25519, Claim::Raw(&message), &whole);
            assert_eq!(client.verdict(&EDDSA, key.public, &message, &whole), CKR_OK);
        }
    });
    assert_eq!((calls.of("Sign"), calls.total), (20, 20));
    outside.assert_valid(lengths.len());
}

#[test]
fn the_outside_verifier_refuses_another_message() {
    let (client, [key]) = Client::start([ED25519]);
    let signature = client.signature(&EDDSA, key.private, b"message");
    let mut outside = Outside::default();
    for message in [&b"message"[..], b"massage"] {
        outside.add(&key.spki, Scheme::Ed25519, Claim::Raw(message), &signature);
    }
    assert_eq!(outside.invalid(), [1]);
}

#[test]
fn what_kms_would_not_sign_is_refused_without_a_request() {
    let (client, [key]) = Client::start([ED25519]);
    let calls = client.requests(|| {
        for len in [0, 4097, 5000, 1 << 20] {
            let refused = client.try_signature(&EDDSA, key.private, &bytes(len, 1));
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len} bytes");
            let over = client.sign(b"message", Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
        }
        // The part that is too much ends the operation.
        assert_eq!(client.sign_init(&EDDSA, key.private), CKR_OK);
        assert_eq!(client.sign_update(&bytes(4096, 1)), CKR_OK);
        assert_eq!(client.sign_update(b""), CKR_OK);
        assert_eq!(client.sign_update(b"1"), CKR_DATA_LEN_RANGE);
        assert_eq!(
            client.sign_final(Room::Of(AMPLE)).rv,
            CKR_OPERATION_NOT_INITIALIZED
        );
        // Parts without anything in them are the empty message.
        assert_eq!(client.sign_init(&EDDSA, key.private), CKR_OK);
        assert_eq!(client.sign_update(b""), CKR_OK);
        assert_eq!(client.sign_final(Room::Of(AMPLE)).rv, CKR_DATA_LEN_RANGE);
    });
    assert_eq!(calls.total, 0);
    let log = client.log();
    assert!(
        log.contains("a message of 0 bytes: KMS hashes it itself"),
        "{log}"
    );
}

#[test]
fn a_message_that_kms_would_not_sign_can_be_verified() {
    let (client, [key]) = Client::start([ED25519]);
    let signature = client.signature(&EDDSA, key.private, b"message");
    let calls = client.requests(|| {
        for len in [0, 4097, 1 << 20] {
            let verdict = client.verdict(&EDDSA, key.public, &bytes(len, 1), &signature);
            assert_eq!(verdict, CKR_SIGNATURE_INVALID, "{len} bytes");
            assert_eq!(client.verify_init(&EDDSA, key.public), CKR_OK);
            for part in bytes(len, 1).chunks(4000) {
                assert_eq!(client.verify_update(part), CKR_OK);
            }
            assert_eq!(client.verify_final(&signature), CKR_SIGNATURE_INVALID);
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_changed_message_or_signature_does_not_verify() {
    let (client, [key, other]) = Client::start([ED25519, ED25519]);
    let signature = client.signature(&EDDSA, key.private, b"message");
    for position in 0..signature.len() {
        let mut changed = signature.clone();
        changed[position] ^= 1;
        let verdict = client.verdict(&EDDSA, key.public, b"message", &changed);
        assert_eq!(verdict, CKR_SIGNATURE_INVALID, "byte {position}");
    }
    for (object, message, length, rv) in [
        (key.public, &b"massage"[..], 64, CKR_SIGNATURE_INVALID),
        (other.public, b"message", 64, CKR_SIGNATURE_INVALID),
        (key.public, b"message", 63, CKR_SIGNATURE_LEN_RANGE),
        (key.public, b"message", 0, CKR_SIGNATURE_LEN_RANGE),
    ] {
        let verdict = client.verdict(&EDDSA, object, message, &signature[..length]);
        assert_eq!(verdict, rv, "{message:?}, {length} bytes");
    }
}

#[test]
fn prehashes_and_contexts_are_refused_at_init() {
    let (client, [key, ec]) = Client::start([ED25519, P256]);
    let calls = client.requests(|| {
        for mechanism in [
            Mechanism::eddsa_with(true, b""),
            Mechanism::eddsa_with(true, b"context"),
            Mechanism::eddsa_with(false, b"context"),
            Mechanism::hmac_general(CKM_EDDSA, 0),
            Mechanism::pss(CKM_EDDSA, &SHA_256),
        ] {
            for rv in [
                client.sign_init(&mechanism, key.private),
                client.verify_init(&mechanism, key.public),
            ] {
                assert_eq!(rv, CKR_MECHANISM_PARAM_INVALID, "{mechanism:?}");
            }
        }
        for (mechanism, key) in [
            (EDDSA, ec.private),
            (Mechanism::plain(CKM_ECDSA_SHA512), key.private),
        ] {
            let rv = client.sign_init(&mechanism, key);
            assert_eq!(rv, CKR_KEY_TYPE_INCONSISTENT, "{mechanism:?}");
        }
    });
    assert_eq!(calls.total, 0);
    // All that a parameter may say is what no parameter says.
    let pure = Mechanism::eddsa_with(false, b"");
    let signature = client.signature(&pure, key.private, b"message");
    assert_eq!(
        client.verdict(&EDDSA, key.public, b"message", &signature),
        CKR_OK
    );
}
