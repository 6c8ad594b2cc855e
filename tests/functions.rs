//! Functions beside the operations: cancelling them, saving their state, logging in by name, waiting for
//! events, profiles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{bytes, flag, label, private_keys, public_keys, ulong};
use common_p11::{Attr, Mechanism, Rv, Session, World, call, calls, ok};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::openssl_ok;

/// Every hash function by its mechanism, and what openssl calls it.
const HASHES: [(CK_MECHANISM_TYPE, &str); 5] = [
    (CKM_SHA_1, "-sha1"),
    (CKM_SHA224, "-sha224"),
    (CKM_SHA256, "-sha256"),
    (CKM_SHA384, "-sha384"),
    (CKM_SHA512, "-sha512"),
];

#[test]
fn a_session_cancels_the_operations_that_it_is_told_to_and_no_other() {
    let world = world_with_pairs();
    let session = world.module.session();
    for (cancelled, (flag, _)) in operations(session).iter().enumerate() {
        for (_, init) in &operations(session) {
            init().unwrap();
        }
        cancel(session, *flag).unwrap();
        for (other, (_, init)) in operations(session).iter().enumerate() {
            let still_active = Err(CKR_OPERATION_ACTIVE);
            let expected = if other == cancelled {
                Ok(())
            } else {
                still_active
            };
            assert_eq!(init(), expected, "{other} after {flag:#x}");
        }
        cancel(session, CK_FLAGS::MAX).unwrap();
    }
}

#[test]
fn flags_of_nothing_that_is_active_are_of_no_matter() {
    let world = world_with_pairs();
    let session = world.module.session();
    let (key, _) = keys(session);
    session.sign_init(CKM_ECDSA, key).unwrap();
    let others = !CKF_SIGN;
    for flags in [
        0,
        others,
        CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER,
        CKF_GENERATE,
    ] {
        cancel(session, flags).unwrap();
    }
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    cancel(read_only, CKF_SIGN).unwrap();
    assert_eq!(session.sign_into(&[7; 32], 64).unwrap().len(), 64);
    cancel(session, CKF_SIGN).unwrap();
    session.close().unwrap();
    assert_eq!(cancel(session, CKF_SIGN), Err(CKR_SESSION_HANDLE_INVALID));
}

#[test]
fn an_operation_that_another_thread_is_at_work_on_cannot_be_cancelled() {
    let world = world_with_pairs();
    let session = world.module.session();
    let (key, _) = keys(session);
    session.sign_init(CKM_ECDSA, key).unwrap();
    digest_init(session, CKM_SHA256).unwrap();
    world.emulator.set_latency(Duration::from_secs(2));
    thread::scope(|scope| {
        let signature = scope.spawn(|| session.sign_into(&[7; 32], 64));
        let patience = Instant::now() + Duration::from_secs(10);
        let both = CKF_SIGN | CKF_DIGEST;
        while world.emulator.calls().of("Sign") == 0 {
            assert!(Instant::now() < patience);
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(cancel(session, both), Err(CKR_OPERATION_CANCEL_FAILED));
        assert_eq!(signature.join().unwrap().unwrap().len(), 64);
    });
    world.emulator.set_latency(Duration::ZERO);
    let gone = digest_update(session, b"part");
    assert_eq!(gone, Err(CKR_OPERATION_NOT_INITIALIZED), "was cancelled");
    cancel(session, CKF_SIGN).unwrap();
}

#[test]
fn a_digest_that_was_saved_goes_on_in_any_session() {
    let world = World::start();
    let session = world.module.session();
    let message: Vec<u8> = (0..=255).cycle().take(1000).collect();
    for (mechanism, name) in HASHES {
        let expected = openssl_ok(["dgst", name, "-binary"], &message);
        for cut in [0, 1, 63, 64, 127, 128, 129, 1000] {
            digest_init(session, mechanism).unwrap();
            digest_update(session, &message[..cut]).unwrap();
            let saved = save(session).unwrap();
            digest_update(session, b"something else").unwrap();
            let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
            for resumed in [session, read_only] {
                restore(resumed, &saved).unwrap();
                digest_update(resumed, &message[cut..]).unwrap();
                assert_eq!(
                    digest_final(resumed).as_ref(),
                    Ok(&expected),
                    "{name} at {cut}"
                );
            }
            read_only.close().unwrap();
        }
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_digest_that_has_no_part_yet_is_saved_as_such() {
    let world = World::start();
    let session = world.module.session();
    digest_init(session, CKM_SHA256).unwrap();
    let fresh = save(session).unwrap();
    digest_update(session, b"").unwrap();
    let begun = save(session).unwrap();
    assert_eq!(digest_one_part(session, b"x"), Err(CKR_OPERATION_ACTIVE));
    restore(session, &fresh).unwrap();
    let expected = openssl_ok(["dgst", "-sha256", "-binary"], b"x");
    assert_eq!(digest_one_part(session, b"x"), Ok(expected));
    restore(session, &begun).unwrap();
    assert_eq!(digest_one_part(session, b"x"), Err(CKR_OPERATION_ACTIVE));
}

#[test]
fn saving_asks_for_the_room_it_needs_and_leaves_the_digest_as_it_is() {
    let world = World::start();
    let session = world.module.session();
    assert_eq!(save(session), Err(CKR_OPERATION_NOT_INITIALIZED));
    digest_init(session, CKM_SHA512).unwrap();
    digest_update(session, b"abc").unwrap();
    let saved = save(session).unwrap();
    for room in [0, 1, saved.len() - 1] {
        let (rv, needed, _) = save_into(session, room);
        assert_eq!((rv, needed), (CKR_BUFFER_TOO_SMALL, saved.len()));
    }
    let (rv, length, buffer) = save_into(session, saved.len() + 7);
    assert_eq!((rv, length), (CKR_OK, saved.len()));
    assert_eq!(buffer, [&saved[..], &[0xee; 7]].concat());
    let expected = openssl_ok(["dgst", "-sha512", "-binary"], b"abc");
    assert_eq!(digest_final(session), Ok(expected));
}

#[test]
fn what_is_no_saved_state_of_the_token_is_not_restored() {
    let world = World::with_tokens(&["", ""]);
    let session = world.module.session();
    digest_init(session, CKM_SHA256).unwrap();
    digest_update(session, b"abc").unwrap();
    let saved = save(session).unwrap();
    for index in 0..saved.len() {
        let mut wrong = saved.clone();
        wrong[index] ^= 1;
        assert_eq!(restore(session, &wrong), Err(CKR_SAVED_STATE_INVALID));
        let short = restore(session, &saved[..index]);
        assert_eq!(short, Err(CKR_SAVED_STATE_INVALID));
    }
    let long = [&saved[..], &[0]].concat();
    assert_eq!(restore(session, &long), Err(CKR_SAVED_STATE_INVALID));
    let other_token = world.module.open(1, CKF_SERIAL_SESSION).unwrap();
    assert_eq!(restore(other_token, &saved), Err(CKR_SAVED_STATE_INVALID));
    for keys in [(1, 0), (0, 1)] {
        let refused = restore_with_keys(session, &saved, keys);
        assert_eq!(refused, Err(CKR_KEY_NOT_NEEDED));
    }
    // None of it touched the digest that is active.
    let expected = openssl_ok(["dgst", "-sha256", "-binary"], b"abc");
    assert_eq!(digest_final(session), Ok(expected));
}

#[test]
fn what_needs_a_key_cannot_be_saved_and_ends_when_a_state_is_restored() {
    let world = world_with_pairs();
    let session = world.module.session();
    digest_init(session, CKM_SHA256).unwrap();
    let saved = save(session).unwrap();
    for (flag, init) in operations(session) {
        if [CKF_DIGEST, CKF_FIND_OBJECTS].contains(&flag) {
            continue;
        }
        init().unwrap();
        assert_eq!(save(session), Err(CKR_STATE_UNSAVEABLE), "beside a digest");
        cancel(session, CKF_DIGEST).unwrap();
        assert_eq!(save(session), Err(CKR_STATE_UNSAVEABLE), "alone");
        assert_eq!(init(), Err(CKR_OPERATION_ACTIVE));
        restore(session, &saved).unwrap();
        assert_eq!(init(), Ok(()), "it was ended");
        cancel(session, flag).unwrap();
    }
    session.find_init(&[]).unwrap();
    assert_eq!(save(session).as_ref(), Ok(&saved), "a search is no matter");
    restore(session, &saved).unwrap();
    assert_eq!(session.find_next(1), Err(CKR_OPERATION_NOT_INITIALIZED));
}

#[test]
fn keys_in_kms_cannot_be_digested_and_the_digest_goes_on() {
    let world = world_with_pairs();
    world.create_keys(&NewKeys::new(1, "HMAC_256", "GENERATE_VERIFY_MAC"));
    let session = world.module.session();
    let secret = session.find_one(&[ulong(CKA_CLASS, CKO_SECRET_KEY)]);
    let (private, public) = keys(session);
    let digest_key = |key| ok(call!(world.module, C_DigestKey, session.handle, key));
    assert_eq!(digest_key(secret), Err(CKR_OPERATION_NOT_INITIALIZED));
    digest_init(session, CKM_SHA256).unwrap();
    digest_update(session, b"ab").unwrap();
    for key in [secret, private, public] {
        assert_eq!(digest_key(key), Err(CKR_KEY_INDIGESTIBLE));
    }
    assert_eq!(digest_key(0), Err(CKR_KEY_HANDLE_INVALID));
    digest_update(session, b"c").unwrap();
    let expected = openssl_ok(["dgst", "-sha256", "-binary"], b"abc");
    assert_eq!(digest_final(session), Ok(expected));
}

#[test]
fn a_secret_key_of_a_session_is_digested_if_its_value_may_be_read() {
    let world = World::start();
    let session = world.module.session();
    let key = |more: &[Attr]| {
        let secret = [
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            bytes(CKA_VALUE, b"a secret"),
        ];
        session.create(&[&secret[..], more].concat()).unwrap()
    };
    let readable = [flag(CKA_SENSITIVE, false), flag(CKA_EXTRACTABLE, true)];
    let sensitive = [flag(CKA_SENSITIVE, true), flag(CKA_EXTRACTABLE, true)];
    let stays = [flag(CKA_SENSITIVE, false), flag(CKA_EXTRACTABLE, false)];
    let digest_key = |key| ok(call!(world.module, C_DigestKey, session.handle, key));
    digest_init(session, CKM_SHA384).unwrap();
    digest_update(session, b"before ").unwrap();
    digest_key(key(&readable)).unwrap();
    for refused in [sensitive, stays] {
        assert_eq!(digest_key(key(&refused)), Err(CKR_KEY_INDIGESTIBLE));
    }
    digest_update(session, b" after").unwrap();
    let expected = openssl_ok(["dgst", "-sha384", "-binary"], b"before a secret after");
    assert_eq!(digest_final(session), Ok(expected));
    // A key alone makes a digest in parts.
    digest_init(session, CKM_SHA384).unwrap();
    digest_key(key(&readable)).unwrap();
    assert_eq!(digest_one_part(session, b"x"), Err(CKR_OPERATION_ACTIVE));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_login_by_name_is_a_login() {
    let world = World::start();
    let session = world.module.session();
    for name in ["", "alice", "Zo\u{eb}"] {
        login_user(session, CKU_USER, "sesame-8214", name).unwrap();
        assert_eq!(session.info().unwrap().state, CKS_RW_USER_FUNCTIONS);
        let again = Err(CKR_USER_ALREADY_LOGGED_IN);
        assert_eq!(login_user(session, CKU_USER, "", "bob"), again);
        assert_eq!(session.login(CKU_USER, ""), again);
        session.logout().unwrap();
    }
    let so = login_user(session, CKU_SO, "sesame-8214", "root");
    assert_eq!(so, Err(CKR_USER_TYPE_INVALID));
    let context = login_user(session, CKU_CONTEXT_SPECIFIC, "sesame-8214", "");
    assert_eq!(context, Err(CKR_OPERATION_NOT_INITIALIZED));
    let (module, handle, null) = (&world.module, session.handle, ptr::null_mut());
    let no_name = call!(module, C_LoginUser, handle, CKU_USER, null, 0, null, 3);
    assert_eq!(no_name, CKR_ARGUMENTS_BAD);
    assert_eq!(session.info().unwrap().state, CKS_RW_PUBLIC_SESSION);
    assert!(!world.log().contains("sesame"));
}

#[test]
fn no_session_has_a_validation_flag() {
    let world = World::start();
    let session = world.module.session();
    let ask = |kind, flags| {
        ok(call!(
            world.module,
            C_GetSessionValidationFlags,
            session.handle,
            kind,
            flags
        ))
    };
    let mut flags = CK_FLAGS::MAX;
    assert_eq!(ask(CKS_LAST_VALIDATION_OK, &raw mut flags), Ok(()));
    assert_eq!(flags, 0);
    assert_eq!(ask(77, &raw mut flags), Err(CKR_ARGUMENTS_BAD));
    let nowhere = ask(CKS_LAST_VALIDATION_OK, ptr::null_mut());
    assert_eq!(nowhere, Err(CKR_ARGUMENTS_BAD));
    session.close().unwrap();
    let closed = ask(CKS_LAST_VALIDATION_OK, &raw mut flags);
    assert_eq!(closed, Err(CKR_SESSION_HANDLE_INVALID));
}

#[test]
fn there_is_no_slot_event_and_whoever_waits_for_one_waits_until_finalize() {
    let world = World::start();
    let wait =
        |flags, slot, reserved| call!(world.module, C_WaitForSlotEvent, flags, slot, reserved);
    let null = ptr::null_mut();
    let mut slot = 77;
    assert_eq!(wait(CKF_DONT_BLOCK, &raw mut slot, null), CKR_NO_EVENT);
    for flags in [0, CKF_DONT_BLOCK] {
        let reserved = ptr::from_mut(&mut [0u8; 8]).cast();
        assert_eq!(wait(flags, ptr::null_mut(), null), CKR_ARGUMENTS_BAD);
        assert_eq!(wait(flags, &raw mut slot, reserved), CKR_ARGUMENTS_BAD);
    }
    for _ in 0..2 {
        thread::scope(|scope| {
            let waiting = [(); 3].map(|()| {
                scope.spawn(|| {
                    let mut slot = 77;
                    wait(0, &raw mut slot, ptr::null_mut())
                })
            });
            thread::sleep(Duration::from_millis(200));
            assert!(waiting.iter().all(|thread| !thread.is_finished()));
            world.module.session().close().unwrap();
            world.module.finalize().unwrap();
            for thread in waiting {
                assert_eq!(thread.join().unwrap(), CKR_CRYPTOKI_NOT_INITIALIZED);
            }
        });
        world.initialize();
    }
}

#[test]
fn profile_objects_are_found_by_whoever_asks_for_them_and_by_nobody_else() {
    let world = world_with_pairs();
    let session = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    world.take_calls();
    let profiles = session.find(&[ulong(CKA_CLASS, CKO_PROFILE)]).unwrap();
    let ids = [
        CKP_BASELINE_PROVIDER,
        CKP_EXTENDED_PROVIDER,
        CKP_AUTHENTICATION_TOKEN,
    ];
    assert_eq!(profiles.len(), ids.len());
    for id in ids {
        let found = session.find_one(&[ulong(CKA_PROFILE_ID, id)]);
        assert!(profiles.contains(&found));
        let unique = session.get(found, CKA_UNIQUE_ID).unwrap();
        let same = session.find_one(&[
            ulong(CKA_CLASS, CKO_PROFILE),
            bytes(CKA_UNIQUE_ID, unique),
            flag(CKA_TOKEN, true),
            flag(CKA_PRIVATE, false),
        ]);
        assert_eq!(same, found);
        for (type_, value) in [
            (CKA_TOKEN, true),
            (CKA_PRIVATE, false),
            (CKA_MODIFIABLE, false),
        ] {
            assert_eq!(session.get(found, type_), Ok(vec![u8::from(value)]));
        }
    }
    let none = [
        ulong(CKA_CLASS, CKO_PROFILE),
        ulong(CKA_PROFILE_ID, CKP_INVALID_ID),
    ];
    assert_eq!(session.find(&none), Ok(vec![]));
    assert_eq!(world.take_calls(), calls([]));

    for everything in [
        vec![],
        vec![flag(CKA_TOKEN, true)],
        vec![flag(CKA_PRIVATE, false)],
    ] {
        let found = session.find(&everything).unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|handle| !profiles.contains(handle)));
    }
    let private_profile = [
        ulong(CKA_CLASS, CKO_PRIVATE_KEY),
        ulong(CKA_PROFILE_ID, ids[0]),
    ];
    assert_eq!(session.find(&private_profile), Ok(vec![]));
}

#[test]
fn profile_objects_stay_as_they_are() {
    let world = World::start();
    let session = world.module.session();
    let profile = session.find_one(&[ulong(CKA_PROFILE_ID, CKP_BASELINE_PROVIDER)]);
    assert_eq!(session.destroy(profile), Err(CKR_ACTION_PROHIBITED));
    let renamed = session.set(profile, &[label("mine")]);
    assert_eq!(renamed, Err(CKR_ACTION_PROHIBITED));
    let copied = session.copy(profile, &[flag(CKA_TOKEN, false)]);
    assert_eq!(copied, Err(CKR_ACTION_PROHIBITED));
    let signed = session.sign_init(CKM_ECDSA, profile);
    assert_eq!(signed, Err(CKR_KEY_HANDLE_INVALID));
    session.find_one(&[ulong(CKA_PROFILE_ID, CKP_BASELINE_PROVIDER)]);
    world.restart();
    let stale = world.module.session().get(profile, CKA_PROFILE_ID);
    assert_eq!(stale, Err(CKR_OBJECT_HANDLE_INVALID));
}

#[test]
fn the_mandatory_test_case_of_an_authentication_token_succeeds() {
    let world = World::start();
    for usage in ["SIGN_VERIFY", "ENCRYPT_DECRYPT"] {
        let key = NewKeys::new(1, "RSA_2048", usage);
        world.create_keys(
            &key.tag("p11:label", usage)
                .tag("p11:public-label", "testrsa-pub"),
        );
    }
    let session = world.module.session();
    session.login(CKU_USER, "1234").unwrap();
    let named = |class, name| [flag(CKA_TOKEN, true), label(name), class];
    let public = session.find(&named(public_keys(), "testrsa-pub")).unwrap()[0];
    assert_eq!(session.get(public, CKA_MODULUS).unwrap().len(), 256);
    assert_eq!(session.get(public, CKA_PUBLIC_EXPONENT), Ok(vec![1, 0, 1]));
    let private = session.find_one(&named(private_keys(), "SIGN_VERIFY"));
    session.sign_init(CKM_SHA256_RSA_PKCS, private).unwrap();
    assert_eq!(session.sign_into(b"request", 256).unwrap().len(), 256);
    session.logout().unwrap();
    session.close().unwrap();
    world.module.close_all(0).unwrap();
    world.module.finalize().unwrap();
}

/// A token with a P-256 pair that signs and an RSA pair that decrypts.
fn world_with_pairs() -> World {
    let world = World::start();
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"));
    world.create_keys(&NewKeys::new(1, "RSA_2048", "ENCRYPT_DECRYPT"));
    world
}

/// The private and the public key of the P-256 pair.
fn keys(session: Session<'_>) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let of = |class| session.find_one(&[class, ulong(CKA_KEY_TYPE, CKK_EC)]);
    (of(private_keys()), of(public_keys()))
}

/// Begins an operation.
type Init<'m> = Box<dyn Fn() -> Rv<()> + 'm>;

/// What begins each kind of operation, beside the flag that names it.
fn operations(session: Session<'_>) -> Vec<(CK_FLAGS, Init<'_>)> {
    let of = |class, type_| {
        let found = session.module.session();
        let key = found.find_one(&[class, ulong(CKA_KEY_TYPE, type_)]);
        found.close().unwrap();
        key
    };
    let (private, public) = (of(private_keys(), CKK_EC), of(public_keys(), CKK_EC));
    let (decrypts, encrypts) = (of(private_keys(), CKK_RSA), of(public_keys(), CKK_RSA));
    vec![
        (CKF_FIND_OBJECTS, Box::new(move || session.find_init(&[]))),
        (
            CKF_SIGN,
            Box::new(move || session.sign_init(CKM_ECDSA, private)),
        ),
        (CKF_VERIFY, Box::new(move || verify_init(session, public))),
        (
            CKF_ENCRYPT,
            Box::new(move || session.encrypt_init(Mechanism::oaep_sha256(), encrypts)),
        ),
        (
            CKF_DECRYPT,
            Box::new(move || session.decrypt_init(Mechanism::oaep_sha256(), decrypts)),
        ),
        (
            CKF_DIGEST,
            Box::new(move || digest_init(session, CKM_SHA256)),
        ),
        (
            CKF_MESSAGE_SIGN,
            Box::new(move || message_sign_init(session, private)),
        ),
    ]
}

fn cancel(session: Session<'_>, flags: CK_FLAGS) -> Rv<()> {
    ok(call!(
        session.module,
        C_SessionCancel,
        session.handle,
        flags
    ))
}

fn verify_init(session: Session<'_>, key: CK_OBJECT_HANDLE) -> Rv<()> {
    let mut mechanism = mechanism(CKM_ECDSA);
    ok(call!(
        session.module,
        C_VerifyInit,
        session.handle,
        &raw mut mechanism,
        key
    ))
}

fn message_sign_init(session: Session<'_>, key: CK_OBJECT_HANDLE) -> Rv<()> {
    let mut mechanism = mechanism(CKM_ECDSA);
    ok(call!(
        session.module,
        C_MessageSignInit,
        session.handle,
        &raw mut mechanism,
        key
    ))
}

fn digest_init(session: Session<'_>, type_: CK_MECHANISM_TYPE) -> Rv<()> {
    let mut mechanism = mechanism(type_);
    ok(call!(
        session.module,
        C_DigestInit,
        session.handle,
        &raw mut mechanism
    ))
}

fn mechanism(type_: CK_MECHANISM_TYPE) -> CK_MECHANISM {
    CK_MECHANISM {
        mechanism: type_,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    }
}

fn digest_update(session: Session<'_>, part: &[u8]) -> Rv<()> {
    let (part, len) = (part.as_ptr().cast_mut(), part.len() as CK_ULONG);
    ok(call!(
        session.module,
        C_DigestUpdate,
        session.handle,
        part,
        len
    ))
}

fn digest_final(session: Session<'_>) -> Rv<Vec<u8>> {
    let (mut digest, mut len) = ([0; 64], 64);
    let answer = digest.as_mut_ptr();
    ok(call!(
        session.module,
        C_DigestFinal,
        session.handle,
        answer,
        &raw mut len
    ))?;
    Ok(digest[..usize::try_from(len).unwrap()].to_vec())
}

fn digest_one_part(session: Session<'_>, data: &[u8]) -> Rv<Vec<u8>> {
    let (mut digest, mut len) = ([0; 64], 64);
    ok(call!(
        session.module,
        C_Digest,
        session.handle,
        data.as_ptr().cast_mut(),
        data.len() as CK_ULONG,
        digest.as_mut_ptr(),
        &raw mut len
    ))?;
    Ok(digest[..usize::try_from(len).unwrap()].to_vec())
}

/// C_GetOperationState: the length first, then the state.
fn save(session: Session<'_>) -> Rv<Vec<u8>> {
    let mut len = 0;
    let null = ptr::null_mut();
    ok(call!(
        session.module,
        C_GetOperationState,
        session.handle,
        null,
        &raw mut len
    ))?;
    let (rv, _, state) = save_into(session, usize::try_from(len).unwrap());
    ok(rv).map(|()| state)
}

/// C_GetOperationState into a buffer of 0xee bytes; answers the length and the buffer too.
fn save_into(session: Session<'_>, room: usize) -> (CK_RV, usize, Vec<u8>) {
    let (mut buffer, mut len) = (vec![0xee; room], room as CK_ULONG);
    let state = buffer.as_mut_ptr();
    let rv = call!(
        session.module,
        C_GetOperationState,
        session.handle,
        state,
        &raw mut len
    );
    (rv, usize::try_from(len).unwrap(), buffer)
}

fn restore(session: Session<'_>, state: &[u8]) -> Rv<()> {
    restore_with_keys(session, state, (0, 0))
}

fn restore_with_keys(
    session: Session<'_>,
    state: &[u8],
    (encryption, authentication): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
) -> Rv<()> {
    ok(call!(
        session.module,
        C_SetOperationState,
        session.handle,
        state.as_ptr().cast_mut(),
        state.len() as CK_ULONG,
        encryption,
        authentication
    ))
}

fn login_user(session: Session<'_>, user: CK_USER_TYPE, pin: &str, name: &str) -> Rv<()> {
    ok(call!(
        session.module,
        C_LoginUser,
        session.handle,
        user,
        pin.as_ptr().cast_mut(),
        pin.len() as CK_ULONG,
        name.as_ptr().cast_mut(),
        name.len() as CK_ULONG
    ))
}
