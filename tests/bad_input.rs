//! Arguments that no well-meaning caller gives: each has its answer, and none harms the host.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::BTreeSet;
use std::env;
use std::process::Command;
use std::ptr;
use std::thread;

use common_p11::walk::Walk;
use common_p11::{World, call, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::run;

/// Set in a child process to the seed of its walk.
const SEED: &str = "WALK_SEED";
const SEEDS: [u64; 3] = [1, 2, 3];
const THREADS: u64 = 4;
const STEPS: usize = 4000;
/// In seconds.
const TIME_LIMIT: &str = "60";

/// Everything that the module may answer. CKR_GENERAL_ERROR is not among it: that is a panic that was caught.
const KNOWN: &[CK_RV] = &[
    CKR_OK,
    CKR_ACTION_PROHIBITED,
    CKR_ARGUMENTS_BAD,
    CKR_ATTRIBUTE_READ_ONLY,
    CKR_ATTRIBUTE_SENSITIVE,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_BUFFER_TOO_SMALL,
    CKR_CURVE_NOT_SUPPORTED,
    CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE,
    CKR_FUNCTION_FAILED,
    CKR_FUNCTION_NOT_PARALLEL,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_FUNCTION_REJECTED,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_RANDOM_SEED_NOT_SUPPORTED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_PARALLEL_NOT_SUPPORTED,
    CKR_SESSION_READ_ONLY,
    CKR_SIGNATURE_INVALID,
    CKR_SIGNATURE_LEN_RANGE,
    CKR_SLOT_ID_INVALID,
    CKR_TEMPLATE_INCOMPLETE,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_TYPE_INVALID,
];

#[test]
fn a_random_walk_over_all_functions_never_crashes_hangs_or_answers_the_unknown() {
    if let Ok(seed) = env::var(SEED) {
        walk(seed.parse().unwrap());
        return;
    }
    for seed in SEEDS {
        // `timeout` ends a walk that hangs, and says so with 124.
        let walk = run(Command::new("timeout")
            .arg(TIME_LIMIT)
            .arg(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(thread::current().name().unwrap())
            .env(SEED, seed.to_string()));
        let printed = walk.stderr();
        let end: Vec<&str> = printed.lines().rev().take(30).collect();
        assert!(
            walk.success(),
            "seed {seed}: {}\n{end:#?}",
            walk.output.status
        );
        assert!(!printed.contains("internal error"), "{printed}");
    }
}

/// Four walkers that share the module, and in the end the module is as good as new.
fn walk(seed: u64) {
    let world = World::with_tokens(&["tags = { Walk = \"1\" }", ""]);
    for usage in ["SIGN_VERIFY", "ENCRYPT_DECRYPT"] {
        world.create_keys(&NewKeys::new(2, "RSA_2048", usage));
    }
    let answers: Vec<BTreeSet<(&str, CK_RV)>> = thread::scope(|scope| {
        let walkers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let module = &world.module;
                scope.spawn(move || {
                    let mut walk = Walk::new(module, seed * THREADS + thread);
                    (0..STEPS).map(|_| walk.step()).collect()
                })
            })
            .collect();
        walkers
            .into_iter()
            .map(|walker| walker.join().unwrap())
            .collect()
    });
    let answers: BTreeSet<(&str, CK_RV)> = answers.into_iter().flatten().collect();
    for (name, rv) in &answers {
        assert!(KNOWN.contains(rv), "{name} answered {rv:#x}");
    }
    // The walk got somewhere: most functions that are built succeeded at least once.
    let succeeded = answers.iter().filter(|(_, rv)| *rv == CKR_OK).count();
    assert!(
        succeeded > 25,
        "{succeeded} functions ever succeeded: {answers:x?}"
    );

    world.restart();
    let session = world.module.session();
    let (_, key) = session.generate_p256([1, 2, 3], "after").unwrap();
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

#[test]
fn pointers_and_lengths_that_cannot_be_are_bad_arguments() {
    let world = World::start();
    let (_, key) = world.module.session().generate_p256([1], "key").unwrap();
    let session = world.module.session();
    let (module, handle) = (&world.module, session.handle);
    let mut memory = [0u64; 64];
    let bytes = memory.as_mut_ptr().cast::<u8>();
    let odd = bytes.wrapping_add(1);
    let huge = [CK_ULONG::MAX, 1 << 63, CK_ULONG::MAX / 2 + 1];
    let null: *mut u8 = ptr::null_mut();
    world.take_calls();

    let mut refused = Vec::new();
    for len in huge {
        refused.extend([
            call!(module, C_FindObjectsInit, handle, bytes.cast(), len),
            call!(
                module,
                C_FindObjects,
                handle,
                bytes.cast(),
                len,
                bytes.cast()
            ),
            call!(module, C_GetAttributeValue, handle, key, bytes.cast(), len),
            call!(module, C_SetAttributeValue, handle, key, bytes.cast(), len),
            call!(module, C_GenerateRandom, handle, bytes, len),
            call!(module, C_SeedRandom, handle, bytes, len),
            call!(module, C_Login, handle, CKU_USER, bytes, len),
        ]);
    }
    refused.extend([
        call!(module, C_FindObjectsInit, handle, ptr::null_mut(), 1),
        call!(module, C_FindObjectsInit, handle, odd.cast(), 1),
        call!(module, C_GetAttributeValue, handle, key, ptr::null_mut(), 1),
        call!(module, C_GetAttributeValue, handle, key, odd.cast(), 1),
        call!(module, C_SetAttributeValue, handle, key, ptr::null_mut(), 1),
        call!(module, C_GenerateRandom, handle, null, 1),
        call!(module, C_SeedRandom, handle, null, 1),
        call!(module, C_Login, handle, CKU_USER, null, 1),
        call!(module, C_SignInit, handle, odd.cast(), key),
        call!(module, C_DigestInit, handle, ptr::null_mut()),
        call!(module, C_SignInit, handle, ptr::null_mut(), key),
        call!(module, C_GetInfo, ptr::null_mut()),
        call!(module, C_GetInfo, ptr::null_mut()),
        call!(module, C_GetSlotList, 1, ptr::null_mut(), ptr::null_mut()),
        call!(module, C_GetSlotList, 1, ptr::null_mut(), odd.cast()),
        call!(module, C_GetSlotInfo, 0, ptr::null_mut()),
        call!(module, C_GetTokenInfo, 0, odd.cast()),
        call!(
            module,
            C_GetMechanismList,
            0,
            ptr::null_mut(),
            ptr::null_mut()
        ),
        call!(module, C_GetMechanismInfo, 0, CKM_ECDSA, ptr::null_mut()),
        call!(module, C_GetSessionInfo, handle, odd.cast()),
        call!(module, C_GetFunctionList, ptr::null_mut()),
        call!(module, C_GetInterfaceList, ptr::null_mut(), ptr::null_mut()),
        call!(
            module,
            C_GetInterface,
            null,
            ptr::null_mut(),
            ptr::null_mut(),
            0
        ),
    ]);
    for (index, rv) in refused.iter().enumerate() {
        assert_eq!(*rv, CKR_ARGUMENTS_BAD, "the {index}th");
    }
    assert_eq!(call!(module, C_GenerateRandom, handle, null, 0), CKR_OK);
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn attributes_and_parameters_with_a_length_but_no_value_are_invalid() {
    let world = World::start();
    let (_, key) = world.module.session().generate_p256([1], "key").unwrap();
    let session = world.module.session();
    let (module, handle) = (&world.module, session.handle);
    let mut byte = 0u8;
    for (value, len) in [
        (ptr::null_mut(), 4),
        (ptr::from_mut(&mut byte), CK_ULONG::MAX),
    ] {
        let mut attribute = CK_ATTRIBUTE {
            type_: CKA_LABEL,
            pValue: value.cast(),
            ulValueLen: len,
        };
        let attribute = &raw mut attribute;
        let found = call!(module, C_FindObjectsInit, handle, attribute, 1);
        assert_eq!(found, CKR_ATTRIBUTE_VALUE_INVALID);
        let set = call!(module, C_SetAttributeValue, handle, key, attribute, 1);
        assert_eq!(set, CKR_ATTRIBUTE_VALUE_INVALID);

        let mut mechanism = CK_MECHANISM {
            mechanism: CKM_RSA_PKCS_PSS,
            pParameter: value.cast(),
            ulParameterLen: len,
        };
        let signs = call!(module, C_SignInit, handle, &raw mut mechanism, key);
        assert_eq!(signs, CKR_MECHANISM_PARAM_INVALID);
    }
    // Nothing was begun.
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    assert_eq!(session.find(&[]).unwrap().len(), 2);
}

#[test]
fn a_pair_whose_handles_have_nowhere_to_go_is_not_made() {
    let world = World::start();
    let session = world.module.session();
    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_EC_KEY_PAIR_GEN,
        pParameter: ptr::null_mut(),
        ulParameterLen: 0,
    };
    let mut object = 0;
    let object = &raw mut object;
    for (public, private) in [(ptr::null_mut(), object), (object, ptr::null_mut())] {
        let made = call!(
            world.module,
            C_GenerateKeyPair,
            session.handle,
            &raw mut mechanism,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            0,
            public,
            private
        );
        assert_eq!(made, CKR_ARGUMENTS_BAD);
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn functions_that_are_not_built_say_so_whatever_they_are_given() {
    let world = World::start();
    let (module, anything) = (&world.module, 0x1234 as *mut u8);
    for rv in [
        call!(module, C_InitToken, 77, anything, 3, anything),
        call!(module, C_SetPIN, 1, anything, CK_ULONG::MAX, anything, 3),
        call!(
            module,
            C_VerifyRecover,
            1,
            anything,
            CK_ULONG::MAX,
            anything,
            anything.cast()
        ),
        call!(module, C_AsyncGetID, 1, anything, anything.cast()),
    ] {
        assert_eq!(rv, CKR_FUNCTION_NOT_SUPPORTED);
    }
}
