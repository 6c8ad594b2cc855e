//! Operations in sessions: what begins them, what ends them, what they leave alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, label, private_keys, public_keys};
use common_p11::{Mechanism, Rv, Session, World, call, calls, ok};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};

#[test]
fn init_refuses_a_mechanism_that_does_not_fit_the_key() {
    let world = World::start();
    for (n, (spec, usage)) in [
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
    ]
    .into_iter()
    .enumerate()
    {
        world.create_keys(&NewKeys::new(1, spec, usage).tag("p11:id", format!("0{n}")));
    }
    let session = world.module.session();
    let [ec, rsa, rsa_decrypts] = [0, 1, 2].map(|n| session.find_one(&[private_keys(), id([n])]));
    let ec_public = session.find_one(&[public_keys(), id([0])]);
    let oaep = Mechanism::oaep_sha256;
    let cases: [(&str, Rv<()>, CK_RV); 12] = [
        (
            "RSA mechanism, EC key",
            session.sign_init(CKM_SHA256_RSA_PKCS, ec),
            CKR_KEY_TYPE_INCONSISTENT,
        ),
        (
            "EC mechanism, RSA key",
            session.sign_init(CKM_ECDSA, rsa),
            CKR_KEY_TYPE_INCONSISTENT,
        ),
        (
            "a key that decrypts",
            session.sign_init(CKM_RSA_PKCS, rsa_decrypts),
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
        (
            "the public half",
            session.sign_init(CKM_ECDSA, ec_public),
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
        (
            "not listed",
            session.sign_init(CKM_MD5_RSA_PKCS, rsa),
            CKR_MECHANISM_INVALID,
        ),
        (
            "no mechanism that signs",
            session.sign_init(CKM_SHA256, ec),
            CKR_MECHANISM_INVALID,
        ),
        (
            "a parameter too many",
            session.sign_init(Mechanism(CKM_ECDSA, vec![1]), ec),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (
            "a parameter missing",
            session.sign_init(CKM_RSA_PKCS_PSS, rsa),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (
            "no key",
            session.sign_init(CKM_ECDSA, 0),
            CKR_KEY_HANDLE_INVALID,
        ),
        (
            "a key that signs",
            session.decrypt_init(oaep(), rsa),
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
        (
            "OAEP, EC key",
            session.decrypt_init(oaep(), ec),
            CKR_KEY_TYPE_INCONSISTENT,
        ),
        (
            "OAEP, EC key",
            session.encrypt_init(oaep(), ec_public),
            CKR_KEY_TYPE_INCONSISTENT,
        ),
    ];
    for (case, found, expected) in cases {
        assert_eq!(found, Err(expected), "{case}");
    }
    // None of them left anything active.
    session.sign_init(CKM_ECDSA, ec).unwrap();
    session.decrypt_init(oaep(), rsa_decrypts).unwrap();
}

#[test]
fn a_second_signature_needs_a_new_init() {
    let (world, key) = world_with_key();
    let session = world.module.session();
    session.sign_init(CKM_ECDSA, key).unwrap();
    assert_eq!(session.sign_init(CKM_ECDSA, key), Err(CKR_OPERATION_ACTIVE));
    session.sign_into(&[7; 32], 64).unwrap();
    assert_eq!(
        session.sign_into(&[7; 32], 64),
        Err(CKR_OPERATION_NOT_INITIALIZED)
    );
    assert_eq!(
        session.sign_len(&[7; 32]),
        Err(CKR_OPERATION_NOT_INITIALIZED)
    );
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

#[test]
fn every_kind_of_operation_has_a_place_of_its_own_in_a_session() {
    let (world, key) = world_with_key();
    let session = world.module.session();
    session.find_init(&[private_keys()]).unwrap();
    assert_eq!(session.find_init(&[]), Err(CKR_OPERATION_ACTIVE));
    let signature = session.sign(CKM_ECDSA_SHA256, key, b"text").unwrap();
    session.sign_init(CKM_ECDSA, key).unwrap();
    session.digest(CKM_SHA256, b"text").unwrap();
    let public = world.module.session().find_one(&[public_keys()]);
    session
        .verify(CKM_ECDSA_SHA256, public, b"text", &signature)
        .unwrap();
    assert_eq!(session.find_next(10), Ok(vec![key]));
    assert_eq!(session.find_next(10), Ok(vec![]));
    session.find_final().unwrap();
    assert_eq!(session.find_final(), Err(CKR_OPERATION_NOT_INITIALIZED));
    assert_eq!(session.find_next(10), Err(CKR_OPERATION_NOT_INITIALIZED));
    session.sign_into(&[7; 32], 64).unwrap();
}

#[test]
fn null_data_of_length_zero_is_data() {
    let (world, key) = world_with_key();
    let session = world.module.session();
    let public = session.find_one(&[public_keys()]);
    let (mut signature, mut len) = ([0u8; 64], 64);
    session.sign_init(CKM_ECDSA_SHA256, key).unwrap();
    let null: *mut u8 = ptr::null_mut();
    let handle = session.handle;
    let module = session.module;
    ok(call!(
        module,
        C_Sign,
        handle,
        null,
        0,
        signature.as_mut_ptr(),
        &raw mut len
    ))
    .unwrap();
    session
        .verify(CKM_ECDSA_SHA256, public, b"", &signature)
        .unwrap();

    session.sign_init(CKM_ECDSA_SHA256, key).unwrap();
    ok(call!(module, C_SignUpdate, handle, null, 0)).unwrap();
    ok(call!(
        module,
        C_SignFinal,
        handle,
        signature.as_mut_ptr(),
        &raw mut len
    ))
    .unwrap();
    session
        .verify(CKM_ECDSA_SHA256, public, b"", &signature)
        .unwrap();

    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_SHA256,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    };
    ok(call!(module, C_DigestInit, handle, &raw mut mechanism)).unwrap();
    let mut digest_len = 64;
    ok(call!(
        module,
        C_Digest,
        handle,
        null,
        0,
        signature.as_mut_ptr(),
        &raw mut digest_len
    ))
    .unwrap();
    // The digest of nothing.
    assert_eq!(
        (digest_len, &signature[..4]),
        (32, &[0xe3, 0xb0, 0xc4, 0x42][..])
    );
}

#[test]
fn a_read_only_session_signs_and_changes_nothing() {
    let (world, key) = world_with_key();
    let public = world.module.session().find_one(&[public_keys()]);
    let session = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    let signature = session.sign(CKM_ECDSA_SHA256, key, b"text").unwrap();
    session
        .verify(CKM_ECDSA_SHA256, public, b"text", &signature)
        .unwrap();
    world.take_calls();
    let refused = CKR_SESSION_READ_ONLY;
    assert_eq!(session.generate_p256([9], "new"), Err(refused));
    assert_eq!(session.set(key, &[label("new")]), Err(refused));
    assert_eq!(session.destroy(key), Err(refused));
    assert_eq!(session.destroy(public), Err(refused));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_failed_operation_leaves_nothing_active() {
    let (world, key) = world_with_key();
    let session = world.module.session();
    let public = session.find_one(&[public_keys()]);
    let (module, handle) = (session.module, session.handle);
    let null = ptr::null_mut();
    let mut len = 64;
    let not_active = |session: Session<'_>| {
        let idle = Err(CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(session.sign_len(&[0; 32]), idle);
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    };

    world.fail("Sign", "AccessDeniedException", 1);
    let denied = session.sign(CKM_ECDSA, key, &[7; 32]);
    assert_eq!(denied, Err(CKR_FUNCTION_REJECTED));
    not_active(session);

    session.sign_init(CKM_ECDSA, key).unwrap();
    let no_length = call!(module, C_Sign, handle, null, 0, null, ptr::null_mut());
    assert_eq!(no_length, CKR_ARGUMENTS_BAD);
    not_active(session);

    session.sign_init(CKM_ECDSA, key).unwrap();
    let no_data = call!(module, C_Sign, handle, null, 32, null, &raw mut len);
    assert_eq!(no_data, CKR_ARGUMENTS_BAD);
    not_active(session);

    session.sign_init(CKM_ECDSA, key).unwrap();
    let part = call!(module, C_SignUpdate, handle, [0u8; 4].as_mut_ptr(), 4);
    assert_eq!(part, CKR_OPERATION_NOT_INITIALIZED, "one part only");
    not_active(session);

    let forged = session.verify(CKM_ECDSA, public, &[7; 32], &[1; 64]);
    assert_eq!(forged, Err(CKR_SIGNATURE_INVALID));
    let mut signature = [1u8; 64];
    let again = call!(
        module,
        C_Verify,
        handle,
        [7u8; 32].as_mut_ptr(),
        32,
        signature.as_mut_ptr(),
        64
    );
    assert_eq!(again, CKR_OPERATION_NOT_INITIALIZED);

    world.emulator.clear_faults();
    world.restart();
    let session = world.module.session();
    world.fail("ListKeys", "AccessDeniedException", 1);
    assert_eq!(session.find_init(&[]), Err(CKR_FUNCTION_REJECTED));
    assert_eq!(session.find(&[]).unwrap().len(), 2);
}

#[test]
fn a_buffer_that_is_too_small_leaves_the_operation_active() {
    let (world, key) = world_with_key();
    let session = world.module.session();
    session.sign_init(CKM_ECDSA, key).unwrap();
    for room in [0, 1, 63] {
        assert_eq!(session.sign_into(&[7; 32], room), Err(CKR_BUFFER_TOO_SMALL));
    }
    assert_eq!(
        session
            .sign_into(&[7; 32], 100)
            .map(|signature| signature.len()),
        Ok(64)
    );
}

#[test]
fn a_signature_that_kms_does_not_answer_ends_at_the_deadline() {
    let world = World::with("deadline = 1\nattempt_timeout = 0.4");
    let session = world.module.session();
    let (_, key) = session.generate_p256([1], "key").unwrap();
    world
        .emulator
        .fault(Fault::once("Sign", Effect::Hang).times(20));
    session.sign_init(CKM_ECDSA, key).unwrap();
    let start = Instant::now();
    assert_eq!(session.sign_into(&[7; 32], 64), Err(CKR_DEVICE_ERROR));
    let took = start.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    world.emulator.clear_faults();
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

#[test]
fn threads_sign_side_by_side() {
    const THREADS: u32 = 8;
    let (world, key) = world_with_key();
    let latency = Duration::from_millis(300);
    world.emulator.set_latency(latency);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                world
                    .module
                    .session()
                    .sign(CKM_ECDSA, key, &[7; 32])
                    .unwrap()
            });
        }
    });
    let took = start.elapsed();
    assert!(took < latency * (THREADS - 1), "{took:?}");
}

/// A token with one P-256 pair; answers the handle of its private half.
fn world_with_key() -> (World, CK_OBJECT_HANDLE) {
    let world = World::start();
    let (_, key) = world.module.session().generate_p256([1], "key").unwrap();
    (world, key)
}
