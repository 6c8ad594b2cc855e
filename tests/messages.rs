//! Message-based signing and verification, and verification with the signature first: the functions that
//! 3.0 and 3.2 add for all that signs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;

use common_p11::attribute::{bytes, flag, id, private_keys, public_keys, ulong};
use common_p11::{Mechanism, Rv, Session, World, calls, ok};
use cryptoki_sys::*;
use kms_emulator::NewKeys;

/// A key of each family, with a mechanism that takes messages, and whether KMS verifies too.
const FAMILIES: [(&str, &str, CK_MECHANISM_TYPE, bool); 5] = [
    ("ECC_NIST_P256", "SIGN_VERIFY", CKM_ECDSA_SHA256, false),
    ("RSA_2048", "SIGN_VERIFY", CKM_SHA512_RSA_PKCS, false),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", CKM_EDDSA, false),
    ("ML_DSA_44", "SIGN_VERIFY", CKM_ML_DSA, false),
    ("HMAC_256", "GENERATE_VERIFY_MAC", CKM_SHA256_HMAC, true),
];

#[test]
fn one_process_signs_many_messages_for_one_request_each() {
    let world = World::start();
    for (n, (spec, usage, mechanism, _)) in (0..).zip(FAMILIES) {
        let (session, signs, verifies) = key(&world, n, spec, usage);
        message_sign_init(session, mechanism, signs).unwrap();
        for message in [&b"first"[..], b"second"] {
            world.take_calls();
            let len = sign_message_len(session, message).unwrap();
            assert_eq!(
                sign_message(session, message, len - 1),
                Err(CKR_BUFFER_TOO_SMALL)
            );
            assert_eq!(world.take_calls(), calls([]));
            let signature = sign_message(session, message, len).unwrap();
            let request = if usage == "SIGN_VERIFY" {
                "Sign"
            } else {
                "GenerateMac"
            };
            assert_eq!(world.take_calls(), calls([(request, 1)]));
            // The same as of the functions for single messages.
            assert_eq!(
                session.verify(mechanism, verifies, message, &signature),
                Ok(())
            );

            world.take_calls();
            sign_message_begin(session).unwrap();
            let (first, last) = message.split_at(2);
            sign_message_part(session, first).unwrap();
            let len = sign_message_last_len(session, last).unwrap();
            let signature = sign_message_last(session, last, len).unwrap();
            assert_eq!(world.take_calls(), calls([(request, 1)]));
            assert_eq!(
                session.verify(mechanism, verifies, message, &signature),
                Ok(())
            );
        }
        message_sign_final(session).unwrap();
        assert_eq!(
            message_sign_final(session),
            Err(CKR_OPERATION_NOT_INITIALIZED)
        );
    }
}

#[test]
fn one_process_verifies_many_messages() {
    let world = World::start();
    for (n, (spec, usage, mechanism, asks)) in (0..).zip(FAMILIES) {
        let (session, signs, verifies) = key(&world, n, spec, usage);
        let signature = session.sign(mechanism, signs, b"message").unwrap();
        world.take_calls();
        message_verify_init(session, mechanism, verifies).unwrap();
        for (message, expected) in [
            (&b"message"[..], Ok(())),
            (b"massage", Err(CKR_SIGNATURE_INVALID)),
            (b"message", Ok(())),
        ] {
            let whole = verify_message(session, message, &signature);
            assert_eq!(whole, expected, "{spec}");
            verify_message_begin(session).unwrap();
            let (first, last) = message.split_at(3);
            verify_message_next(session, first, None).unwrap();
            let parts = verify_message_next(session, last, Some(&signature));
            assert_eq!(parts, expected, "{spec}");
        }
        let short = verify_message(session, b"message", &signature[1..]);
        assert_eq!(short, Err(CKR_SIGNATURE_LEN_RANGE), "{spec}");
        message_verify_final(session).unwrap();
        let requests = if asks {
            calls([("VerifyMac", 6)])
        } else {
            calls([])
        };
        assert_eq!(world.take_calls(), requests, "{spec}");
    }
}

#[test]
fn a_signature_that_comes_first_is_verified_in_one_part_and_in_many() {
    let world = World::start();
    for (n, (spec, usage, mechanism, asks)) in (0..).zip(FAMILIES) {
        let (session, signs, verifies) = key(&world, n, spec, usage);
        let signature = session.sign(mechanism, signs, b"message").unwrap();
        world.take_calls();
        for (message, signature, expected) in [
            (&b"message"[..], &signature[..], Ok(())),
            (b"massage", &signature, Err(CKR_SIGNATURE_INVALID)),
            (b"message", &signature[1..], Err(CKR_SIGNATURE_LEN_RANGE)),
        ] {
            verify_signature_init(session, mechanism, verifies, signature).unwrap();
            let whole = verify_signature(session, message);
            assert_eq!(whole, expected, "{spec}");
            let over = verify_signature(session, message);
            assert_eq!(over, Err(CKR_OPERATION_NOT_INITIALIZED));

            verify_signature_init(session, mechanism, verifies, signature).unwrap();
            for part in [&message[..3], b"", &message[3..]] {
                verify_signature_update(session, part).unwrap();
            }
            assert_eq!(verify_signature_final(session), expected, "{spec}");
            let over = verify_signature_final(session);
            assert_eq!(over, Err(CKR_OPERATION_NOT_INITIALIZED));
        }
        let requests = if asks {
            calls([("VerifyMac", 4)])
        } else {
            calls([])
        };
        assert_eq!(world.take_calls(), requests, "{spec}");
    }
}

#[test]
fn the_states_of_a_verification_with_the_signature_first() {
    let world = World::start();
    let (session, signs, verifies) = key(&world, 1, "ECC_NIST_P256", "SIGN_VERIFY");
    let signature = session.sign(CKM_ECDSA_SHA256, signs, b"message").unwrap();
    let init = |mechanism| verify_signature_init(session, mechanism, verifies, &signature);
    let not_initialized = Err(CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(verify_signature(session, b"message"), not_initialized);
    assert_eq!(
        verify_signature_update(session, b"message"),
        not_initialized
    );
    assert_eq!(verify_signature_final(session), not_initialized);

    // The private half, and a key that is none.
    for (key, rv) in [
        (signs, CKR_KEY_FUNCTION_NOT_PERMITTED),
        (verifies + 1000, CKR_KEY_HANDLE_INVALID),
    ] {
        let refused = verify_signature_init(session, CKM_ECDSA_SHA256, key, &signature);
        assert_eq!(refused, Err(rv));
    }
    // Twice.
    init(CKM_ECDSA_SHA256).unwrap();
    assert_eq!(init(CKM_ECDSA_SHA256), Err(CKR_OPERATION_ACTIVE));
    // Beside another verification, which has its own state.
    assert_eq!(
        session.verify(CKM_ECDSA_SHA256, verifies, b"message", &signature),
        Ok(())
    );
    assert_eq!(verify_signature(session, b"message"), Ok(()));
    // A one-part call after parts is an error, and ends it.
    init(CKM_ECDSA_SHA256).unwrap();
    verify_signature_update(session, b"mess").unwrap();
    assert_eq!(verify_signature(session, b"age"), Err(CKR_OPERATION_ACTIVE));
    assert_eq!(verify_signature_final(session), not_initialized);
    // NULL for the mechanism cancels.
    init(CKM_ECDSA_SHA256).unwrap();
    let cancel = || {
        ok(common_p11::call!(
            session.module,
            C_VerifySignatureInit,
            session.handle,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            0
        ))
    };
    assert_eq!(cancel(), Ok(()));
    assert_eq!(verify_signature(session, b"message"), not_initialized);
    assert_eq!(cancel(), Err(CKR_ARGUMENTS_BAD));
    // A mechanism for digests takes no parts.
    init(CKM_ECDSA).unwrap();
    assert_eq!(verify_signature_update(session, &[7; 32]), not_initialized);
    // NULL for the signature is an empty one.
    verify_signature_init(session, CKM_ECDSA_SHA256, verifies, b"").unwrap();
    let empty = verify_signature(session, b"message");
    assert_eq!(empty, Err(CKR_SIGNATURE_LEN_RANGE));
}

#[test]
fn the_states_of_a_message_based_signature() {
    let world = World::start();
    let (session, signs, _) = key(&world, 1, "ECC_NIST_P256", "SIGN_VERIFY");
    let not_initialized = Err(CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(
        sign_message(session, b"message", 64),
        Err(CKR_OPERATION_NOT_INITIALIZED)
    );
    assert_eq!(sign_message_begin(session), not_initialized);
    assert_eq!(sign_message_part(session, b"message"), not_initialized);
    assert_eq!(message_sign_final(session), not_initialized);

    let init = |mechanism| message_sign_init(session, mechanism, signs);
    init(CKM_ECDSA_SHA256).unwrap();
    assert_eq!(init(CKM_ECDSA_SHA256), Err(CKR_OPERATION_ACTIVE));
    // Beside C_Sign, which has its own state.
    assert!(session.sign(CKM_ECDSA_SHA256, signs, b"message").is_ok());
    // Parts only after Begin.
    assert_eq!(sign_message_part(session, b"message"), not_initialized);
    let no_message = sign_message_last(session, b"message", 64);
    assert_eq!(no_message, Err(CKR_OPERATION_NOT_INITIALIZED));
    // No other message before the last part of the one that is under way, which stays as it is.
    sign_message_begin(session).unwrap();
    sign_message_part(session, b"message").unwrap();
    assert_eq!(sign_message_begin(session), Err(CKR_OPERATION_ACTIVE));
    assert_eq!(
        sign_message(session, b"other", 64),
        Err(CKR_OPERATION_ACTIVE)
    );
    let signature = sign_message_last(session, b"", 64).unwrap();
    let public = session.find_one(&[public_keys(), id([1])]);
    assert_eq!(
        session.verify(CKM_ECDSA_SHA256, public, b"message", &signature),
        Ok(())
    );
    // A part that cannot be read ends its message, and the process goes on.
    sign_message_begin(session).unwrap();
    assert_eq!(unreadable_part(session), Err(CKR_ARGUMENTS_BAD));
    assert_eq!(sign_message_part(session, b"message"), not_initialized);
    // A parameter where there is none.
    assert_eq!(with_parameter(session), Err(CKR_MECHANISM_PARAM_INVALID));
    assert!(sign_message(session, b"message", 64).is_ok());
    // So does a failure of KMS.
    world.fail("Sign", "KMSInternalException", 20);
    assert_eq!(sign_message(session, b"message", 64), Err(CKR_DEVICE_ERROR));
    world.emulator.clear_faults();
    assert!(sign_message(session, b"message", 64).is_ok());
    // The end takes a message that is under way with it.
    sign_message_begin(session).unwrap();
    message_sign_final(session).unwrap();
    assert_eq!(sign_message_part(session, b"message"), not_initialized);
    // NULL for the mechanism cancels.
    init(CKM_ECDSA_SHA256).unwrap();
    assert_eq!(cancel_message_sign(session), Ok(()));
    assert_eq!(message_sign_final(session), not_initialized);
    // A mechanism for digests takes them in one part.
    init(CKM_ECDSA).unwrap();
    assert_eq!(sign_message_begin(session), not_initialized);
    assert_eq!(sign_message(session, &[7; 32], 64).unwrap().len(), 64);
    message_sign_final(session).unwrap();
}

#[test]
fn the_states_of_a_message_based_verification() {
    let world = World::start();
    let (session, signs, verifies) = key(&world, 1, "HMAC_256", "GENERATE_VERIFY_MAC");
    let mechanism = CKM_SHA256_HMAC;
    let mac = session.sign(mechanism, signs, b"message").unwrap();
    let not_initialized = Err(CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(verify_message(session, b"message", &mac), not_initialized);
    assert_eq!(verify_message_begin(session), not_initialized);
    assert_eq!(message_verify_final(session), not_initialized);

    message_verify_init(session, mechanism, verifies).unwrap();
    let twice = message_verify_init(session, mechanism, verifies);
    assert_eq!(twice, Err(CKR_OPERATION_ACTIVE));
    assert_eq!(
        verify_message_next(session, b"message", None),
        not_initialized
    );
    verify_message_begin(session).unwrap();
    assert_eq!(verify_message_begin(session), Err(CKR_OPERATION_ACTIVE));
    let other = verify_message(session, b"other", &mac);
    assert_eq!(other, Err(CKR_OPERATION_ACTIVE));
    assert_eq!(verify_message_next(session, b"message", Some(&mac)), Ok(()));
    // A part too many ends its message alone.
    verify_message_begin(session).unwrap();
    let too_long = verify_message_next(session, &[1; 4097], None);
    assert_eq!(too_long, Err(CKR_DATA_LEN_RANGE));
    assert_eq!(
        verify_message_next(session, b"", Some(&mac)),
        not_initialized
    );
    assert_eq!(verify_message(session, b"message", &mac), Ok(()));
    message_verify_final(session).unwrap();
}

#[test]
fn a_key_or_mechanism_that_does_not_sign_begins_no_process() {
    let world = World::start();
    let (session, signs, verifies) = key(&world, 1, "ECC_NIST_P256", "SIGN_VERIFY");
    for (mechanism, key, rv) in [
        (CKM_ECDSA_SHA256, verifies, CKR_KEY_FUNCTION_NOT_PERMITTED),
        (CKM_SHA256_RSA_PKCS, signs, CKR_KEY_TYPE_INCONSISTENT),
        (CKM_SHA256, signs, CKR_MECHANISM_INVALID),
        (CKM_ECDSA_SHA256, 0, CKR_KEY_HANDLE_INVALID),
    ] {
        assert_eq!(message_sign_init(session, mechanism, key), Err(rv));
        assert_eq!(
            message_sign_final(session),
            Err(CKR_OPERATION_NOT_INITIALIZED)
        );
    }
    let restricted = session
        .generate_key(
            CKM_SHA256_KEY_GEN,
            &[
                flag(CKA_TOKEN, true),
                bytes(
                    CKA_ALLOWED_MECHANISMS,
                    CKM_SHA256_HMAC_GENERAL.to_ne_bytes(),
                ),
            ],
        )
        .unwrap();
    for refused in [
        message_sign_init(session, CKM_SHA256_HMAC, restricted),
        message_verify_init(session, CKM_SHA256_HMAC, restricted),
        verify_signature_init(session, CKM_SHA256_HMAC, restricted, &[1; 32]),
    ] {
        assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
    }
}

/// A key made elsewhere, with this CKA_ID: the object that signs and the one that verifies.
fn key<'w>(
    world: &'w World,
    n: u8,
    spec: &str,
    usage: &str,
) -> (Session<'w>, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let keys = NewKeys::new(1, spec, usage).tag("p11:id", format!("{n:02x}"));
    world.create_keys(&keys);
    world.restart();
    let session = world.module.session();
    if usage == "GENERATE_VERIFY_MAC" {
        let key = session.find_one(&[ulong(CKA_CLASS, CKO_SECRET_KEY), id([n])]);
        return (session, key, key);
    }
    let [signs, verifies] =
        [private_keys(), public_keys()].map(|class| session.find_one(&[class, id([n])]));
    (session, signs, verifies)
}

macro_rules! call {
    ($session:expr, $name:ident $(, $argument:expr)* $(,)?) => {
        ok(common_p11::call!($session.module, $name, $session.handle $(, $argument)*))
    };
}

fn message_sign_init(
    session: Session<'_>,
    mechanism: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
) -> Rv<()> {
    let mut mechanism = Mechanism::from(mechanism).raw();
    call!(session, C_MessageSignInit, &raw mut mechanism, key)
}

fn cancel_message_sign(session: Session<'_>) -> Rv<()> {
    call!(session, C_MessageSignInit, ptr::null_mut(), 0)
}

fn sign_message_len(session: Session<'_>, data: &[u8]) -> Rv<usize> {
    let mut len = 0;
    call!(
        session,
        C_SignMessage,
        ptr::null_mut(),
        0,
        data.as_ptr().cast_mut(),
        data.len() as CK_ULONG,
        ptr::null_mut(),
        &raw mut len
    )?;
    Ok(usize::try_from(len).unwrap())
}

fn sign_message(session: Session<'_>, data: &[u8], room: usize) -> Rv<Vec<u8>> {
    let mut signature = vec![0; room];
    let mut len = room as CK_ULONG;
    call!(
        session,
        C_SignMessage,
        ptr::null_mut(),
        0,
        data.as_ptr().cast_mut(),
        data.len() as CK_ULONG,
        signature.as_mut_ptr(),
        &raw mut len
    )?;
    signature.truncate(usize::try_from(len).unwrap());
    Ok(signature)
}

fn with_parameter(session: Session<'_>) -> Rv<()> {
    let mut parameter = 1u8;
    let mut len = 0;
    call!(
        session,
        C_SignMessage,
        (&raw mut parameter).cast(),
        1,
        ptr::null_mut(),
        0,
        ptr::null_mut(),
        &raw mut len
    )
}

fn sign_message_begin(session: Session<'_>) -> Rv<()> {
    call!(session, C_SignMessageBegin, ptr::null_mut(), 0)
}

fn sign_message_part(session: Session<'_>, part: &[u8]) -> Rv<()> {
    call!(
        session,
        C_SignMessageNext,
        ptr::null_mut(),
        0,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG,
        ptr::null_mut(),
        ptr::null_mut()
    )
}

/// A part of one byte at NULL.
fn unreadable_part(session: Session<'_>) -> Rv<()> {
    call!(
        session,
        C_SignMessageNext,
        ptr::null_mut(),
        0,
        ptr::null_mut(),
        1,
        ptr::null_mut(),
        ptr::null_mut()
    )
}

fn sign_message_last_len(session: Session<'_>, part: &[u8]) -> Rv<usize> {
    let mut len = 0;
    call!(
        session,
        C_SignMessageNext,
        ptr::null_mut(),
        0,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG,
        ptr::null_mut(),
        &raw mut len
    )?;
    Ok(usize::try_from(len).unwrap())
}

fn sign_message_last(session: Session<'_>, part: &[u8], room: usize) -> Rv<Vec<u8>> {
    let mut signature = vec![0; room];
    let mut len = room as CK_ULONG;
    call!(
        session,
        C_SignMessageNext,
        ptr::null_mut(),
        0,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG,
        signature.as_mut_ptr(),
        &raw mut len
    )?;
    signature.truncate(usize::try_from(len).unwrap());
    Ok(signature)
}

fn message_sign_final(session: Session<'_>) -> Rv<()> {
    call!(session, C_MessageSignFinal)
}

fn message_verify_init(
    session: Session<'_>,
    mechanism: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
) -> Rv<()> {
    let mut mechanism = Mechanism::from(mechanism).raw();
    call!(session, C_MessageVerifyInit, &raw mut mechanism, key)
}

fn verify_message(session: Session<'_>, data: &[u8], signature: &[u8]) -> Rv<()> {
    call!(
        session,
        C_VerifyMessage,
        ptr::null_mut(),
        0,
        data.as_ptr().cast_mut(),
        data.len() as CK_ULONG,
        signature.as_ptr().cast_mut(),
        signature.len() as CK_ULONG
    )
}

fn verify_message_begin(session: Session<'_>) -> Rv<()> {
    call!(session, C_VerifyMessageBegin, ptr::null_mut(), 0)
}

fn verify_message_next(session: Session<'_>, part: &[u8], signature: Option<&[u8]>) -> Rv<()> {
    let (pointer, len) = match signature {
        Some(signature) => (signature.as_ptr().cast_mut(), signature.len()),
        None => (ptr::null_mut(), 0),
    };
    call!(
        session,
        C_VerifyMessageNext,
        ptr::null_mut(),
        0,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG,
        pointer,
        len as CK_ULONG
    )
}

fn message_verify_final(session: Session<'_>) -> Rv<()> {
    call!(session, C_MessageVerifyFinal)
}

fn verify_signature_init(
    session: Session<'_>,
    mechanism: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
    signature: &[u8],
) -> Rv<()> {
    let mut mechanism = Mechanism::from(mechanism).raw();
    call!(
        session,
        C_VerifySignatureInit,
        &raw mut mechanism,
        key,
        signature.as_ptr().cast_mut(),
        signature.len() as CK_ULONG
    )
}

fn verify_signature(session: Session<'_>, data: &[u8]) -> Rv<()> {
    call!(
        session,
        C_VerifySignature,
        data.as_ptr().cast_mut(),
        data.len() as CK_ULONG
    )
}

fn verify_signature_update(session: Session<'_>, part: &[u8]) -> Rv<()> {
    call!(
        session,
        C_VerifySignatureUpdate,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG
    )
}

fn verify_signature_final(session: Session<'_>) -> Rv<()> {
    call!(session, C_VerifySignatureFinal)
}
