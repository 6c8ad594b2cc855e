//! Initialisation, sessions and handles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::HashSet;
use std::ffi::c_void;
use std::fs;
use std::ptr;

use common_p11::attribute::{id, label, private_keys};
use common_p11::{Module, World, arguments, call, names};
use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};

const READ_ONLY: CK_FLAGS = CKF_SERIAL_SESSION;
const READ_WRITE: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;

/// What may be called before C_Initialize.
const FREE: [&str; 4] = [
    "C_Initialize",
    "C_GetFunctionList",
    "C_GetInterfaceList",
    "C_GetInterface",
];

#[test]
fn before_initialize_and_after_finalize_every_function_of_every_list_says_so() {
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    assert_all_refuse(&world.module);
    world.initialize();
    world.module.session();
    world.module.finalize().unwrap();
    assert_all_refuse(&world.module);
}

#[test]
fn initializing_twice_is_refused_and_changes_nothing() {
    let world = World::start();
    let session = world.module.session();
    let again = world.module.initialize();
    assert_eq!(again, Err(CKR_CRYPTOKI_ALREADY_INITIALIZED));
    session.info().unwrap();
    assert_eq!(world.module.token_label(0).as_deref(), Ok("test-0"));
    world.module.finalize().unwrap();
    assert_eq!(world.module.finalize(), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
}

#[test]
fn the_reserved_string_names_the_configuration() {
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    let module = &world.module;
    for (wrong, rv) in [
        ("config=/nonexistent", CKR_FUNCTION_FAILED),
        ("confg=/x", CKR_ARGUMENTS_BAD),
        ("config", CKR_ARGUMENTS_BAD),
        ("config=", CKR_ARGUMENTS_BAD),
    ] {
        assert_eq!(module.initialize_reserved(wrong), Err(rv), "{wrong}");
    }
    let mut not_text = arguments();
    let bytes = c"\xff\xfe";
    not_text.pReserved = bytes.as_ptr().cast_mut().cast();
    assert_eq!(
        module.initialize_with(&mut not_text),
        Err(CKR_ARGUMENTS_BAD)
    );

    module.initialize_reserved("").unwrap();
    assert_eq!(module.token_label(0).as_deref(), Ok("aws-kms"));
    module.finalize().unwrap();
    module.initialize_reserved(&world.reserved()).unwrap();
    assert_eq!(module.token_label(0).as_deref(), Ok("test-0"));
}

#[test]
fn initialize_checks_its_arguments() {
    unsafe extern "C" fn mutex(_: *mut c_void) -> CK_RV {
        CKR_OK
    }
    unsafe extern "C" fn create(_: *mut *mut c_void) -> CK_RV {
        CKR_OK
    }
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    let module = &world.module;
    let mutexes = |flags| CK_C_INITIALIZE_ARGS {
        CreateMutex: Some(create),
        DestroyMutex: Some(mutex),
        LockMutex: Some(mutex),
        UnlockMutex: Some(mutex),
        flags,
        pReserved: ptr::null_mut(),
    };
    let some_missing = CK_C_INITIALIZE_ARGS {
        LockMutex: None,
        ..mutexes(CKF_OS_LOCKING_OK)
    };
    let no_threads = CK_C_INITIALIZE_ARGS {
        flags: CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS,
        ..arguments()
    };
    let one_thread = CK_C_INITIALIZE_ARGS {
        flags: 0,
        ..arguments()
    };
    for (mut given, answer) in [
        (some_missing, Err(CKR_ARGUMENTS_BAD)),
        (no_threads, Err(CKR_NEED_TO_CREATE_THREADS)),
        (mutexes(0), Err(CKR_CANT_LOCK)),
        (mutexes(CKF_OS_LOCKING_OK), Ok(())),
        (one_thread, Ok(())),
    ] {
        assert_eq!(module.initialize_with(&mut given), answer);
        assert_eq!(module.finalize().is_ok(), answer.is_ok());
    }
    let mut something = 0u8;
    let something = ptr::from_mut(&mut something).cast();
    assert_eq!(call!(module, C_Initialize, ptr::null_mut()), CKR_OK);
    assert_eq!(call!(module, C_Finalize, something), CKR_ARGUMENTS_BAD);
    assert_eq!(call!(module, C_GetInfo, ptr::null_mut()), CKR_ARGUMENTS_BAD);
    assert_eq!(call!(module, C_Finalize, ptr::null_mut()), CKR_OK);
}

#[test]
fn opening_a_session_checks_its_arguments() {
    let world = World::start();
    let open = |slot, flags| world.module.open(slot, flags).map(|_| ());
    assert_eq!(
        open(0, CKF_RW_SESSION),
        Err(CKR_SESSION_PARALLEL_NOT_SUPPORTED)
    );
    assert_eq!(open(1, READ_WRITE), Err(CKR_SLOT_ID_INVALID));
    assert_eq!(open(CK_SLOT_ID::MAX, READ_WRITE), Err(CKR_SLOT_ID_INVALID));
    let nowhere = call!(
        world.module,
        C_OpenSession,
        0,
        READ_WRITE,
        ptr::null_mut(),
        None,
        ptr::null_mut()
    );
    assert_eq!(nowhere, CKR_ARGUMENTS_BAD);
    let info = world.module.token_info(0).unwrap();
    assert_eq!((info.ulSessionCount, info.ulMaxSessionCount), (0, 0));
}

#[test]
fn after_finalize_and_dlclose_the_module_can_be_loaded_and_used_again() {
    let world = World::start();
    world.module.session().generate_p256([1], "key").unwrap();
    world.module.finalize().unwrap();
    let reserved = world.reserved();
    let World {
        module,
        emulator,
        directory,
        ..
    } = world;
    module.close();
    for _ in 0..3 {
        let module = Module::load();
        module.initialize_reserved(&reserved).unwrap();
        let session = module.session();
        let key = session.find_one(&[private_keys(), id([1])]);
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
        module.finalize().unwrap();
        module.close();
    }
    drop((emulator, directory));
}

#[test]
fn closing_all_sessions_closes_those_of_the_slot_and_logs_out() {
    let world = World::with_tokens(&["", ""]);
    let of_slot = |slot| (0..3).map(move |_| slot);
    let open = |slot| world.module.open(slot, READ_WRITE).unwrap();
    let first: Vec<_> = of_slot(0).map(open).collect();
    let second: Vec<_> = of_slot(1).map(open).collect();
    first[0].login(CKU_USER, "any").unwrap();
    second[0].login(CKU_USER, "any").unwrap();

    world.module.close_all(0).unwrap();
    for session in &first {
        assert_eq!(session.info().map(drop), Err(CKR_SESSION_HANDLE_INVALID));
        assert_eq!(session.close(), Err(CKR_SESSION_HANDLE_INVALID));
    }
    for session in &second {
        assert_eq!(session.info().unwrap().state, CKS_RW_USER_FUNCTIONS);
    }
    assert_eq!(open(0).info().unwrap().state, CKS_RW_PUBLIC_SESSION);
    assert_eq!(world.module.token_info(1).unwrap().ulSessionCount, 3);
    assert_eq!(world.module.close_all(2), Err(CKR_SLOT_ID_INVALID));
}

#[test]
fn login_is_a_state_of_the_token_that_ends_with_its_last_session() {
    let world = World::start();
    let (session, other) = (world.module.session(), world.module.session());
    assert_eq!(session.logout(), Err(CKR_USER_NOT_LOGGED_IN));
    assert_eq!(session.login(CKU_SO, "any"), Err(CKR_USER_TYPE_INVALID));
    session.login(CKU_USER, "").unwrap();
    assert_eq!(other.login(CKU_USER, "x"), Err(CKR_USER_ALREADY_LOGGED_IN));
    assert_eq!(other.info().unwrap().state, CKS_RW_USER_FUNCTIONS);
    session.close().unwrap();
    assert_eq!(other.info().unwrap().state, CKS_RW_USER_FUNCTIONS);
    other.close().unwrap();
    let session = world.module.open(0, READ_ONLY).unwrap();
    assert_eq!(session.info().unwrap().state, CKS_RO_PUBLIC_SESSION);
    session.login(CKU_USER, "any").unwrap();
    assert_eq!(session.info().unwrap().state, CKS_RO_USER_FUNCTIONS);
    session.logout().unwrap();
    assert_eq!(session.info().unwrap().state, CKS_RO_PUBLIC_SESSION);
}

#[test]
fn every_token_has_a_serial_of_its_own_and_says_of_itself_what_is_so() {
    let world = World::with_tokens(&["", "", ""]);
    let mut serials = HashSet::new();
    for slot in 0..3 {
        let info = world.module.token_info(slot).unwrap();
        assert!(info.serialNumber.iter().all(u8::is_ascii_hexdigit));
        assert!(serials.insert(info.serialNumber));
        let expected =
            CKF_RNG | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED | CKF_RESTORE_KEY_NOT_NEEDED;
        assert_eq!(info.flags, expected, "no login is required");
        assert!(!info.manufacturerID.starts_with(b"Yubico"));
        let mut slot_info = CK_SLOT_INFO::default();
        let answer = call!(world.module, C_GetSlotInfo, slot, &raw mut slot_info);
        assert_eq!((answer, slot_info.flags), (CKR_OK, CKF_TOKEN_PRESENT));
    }
    let before = world.module.token_info(0).unwrap().serialNumber;
    world.restart();
    assert_eq!(world.module.token_info(0).unwrap().serialNumber, before);
}

#[test]
fn a_pin_is_never_in_the_log() {
    let world = World::start();
    let session = world.module.session();
    session.login(CKU_USER, "sesame-8214").unwrap();
    let again = session.login(CKU_USER, "sesame-8214");
    assert_eq!(again, Err(CKR_USER_ALREADY_LOGGED_IN));
    assert_eq!(
        session.login(CKU_SO, "sesame-8214"),
        Err(CKR_USER_TYPE_INVALID)
    );
    assert!(world.log().contains("C_Login"));
    assert!(!world.log().contains("sesame"), "{}", world.log());
}

#[test]
fn no_handle_is_ever_given_out_twice() {
    let world = World::start();
    let mut seen = HashSet::new();
    for n in 0..6u8 {
        for _ in 0..20 {
            let session = world.module.session();
            assert!(seen.insert(session.handle));
            session.close().unwrap();
        }
        let session = world.module.session();
        assert!(seen.insert(session.handle));
        for key in session.find(&[]).unwrap() {
            // Those of a key that lives on are the same until C_Finalize.
            assert!(n % 2 == 1 || seen.insert(key));
        }
        let (public, private) = session.generate_p256([n], "key").unwrap();
        assert!(seen.insert(public) && seen.insert(private));
        if n % 2 == 1 {
            session.destroy(private).unwrap();
            world.restart();
            assert_eq!(session.info().map(drop), Err(CKR_SESSION_HANDLE_INVALID));
        }
    }
}

#[test]
fn object_handles_are_good_in_every_session_of_their_token() {
    let world = World::start();
    let first = world.module.session();
    let (public, private) = first.generate_p256([1], "key").unwrap();
    first.close().unwrap();
    let session = world.module.open(0, READ_ONLY).unwrap();
    assert_eq!(session.find(&[]), Ok(vec![private, public]));
    let signature = session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
    let other = world.module.session();
    other
        .verify(CKM_ECDSA, public, &[7; 32], &signature)
        .unwrap();
    other.destroy(private).unwrap();
    assert_eq!(
        session.sign_init(CKM_ECDSA, private),
        Err(CKR_KEY_HANDLE_INVALID)
    );
}

#[test]
fn the_handles_of_one_token_mean_nothing_to_another() {
    let world = World::with_tokens(&["", ""]);
    let first = world.module.open(0, READ_WRITE).unwrap();
    let second = world.module.open(1, READ_WRITE).unwrap();
    let (public, private) = first.generate_p256([1], "key").unwrap();
    let its_own = second.find(&[]).unwrap();
    assert_eq!(its_own.len(), 2, "the tokens show the same key");
    assert!(!its_own.contains(&public) && !its_own.contains(&private));
    assert_eq!(
        second.sign_init(CKM_ECDSA, private),
        Err(CKR_KEY_HANDLE_INVALID)
    );
    assert_eq!(second.get(private, CKA_ID), Err(CKR_OBJECT_HANDLE_INVALID));
    assert_eq!(
        second.set(public, &[label("x")]),
        Err(CKR_OBJECT_HANDLE_INVALID)
    );
    assert_eq!(second.destroy(private), Err(CKR_OBJECT_HANDLE_INVALID));
    assert_eq!(first.find(&[id([1])]).unwrap().len(), 2);
}

#[test]
fn a_configuration_that_is_wrong_makes_initialize_fail_and_can_be_mended() {
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    let good = fs::read(world.config_file()).unwrap();
    fs::write(world.config_file(), "[[token]]\nlable = \"x\"\n").unwrap();
    let reserved = world.reserved();
    assert_eq!(
        world.module.initialize_reserved(&reserved),
        Err(CKR_FUNCTION_FAILED)
    );
    assert_eq!(world.module.finalize(), Err(CKR_CRYPTOKI_NOT_INITIALIZED));
    fs::write(world.config_file(), good).unwrap();
    world.module.initialize_reserved(&reserved).unwrap();
}

/// Calls every function of every list with nothing but zeros.
fn assert_all_refuse(module: &Module) {
    type Any = unsafe extern "C" fn(
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
        usize,
    ) -> CK_RV;
    let all = [&names::V2_40[..], &names::SINCE_3_0, &names::SINCE_3_2];
    for (versions, (major, minor)) in [(1, (2, 40)), (2, (3, 0)), (3, (3, 2))] {
        let names = all[..versions].concat();
        let list = module.interface(major, minor).unwrap().pFunctionList;
        // SAFETY: the list of this version is a CK_VERSION, padded to a pointer's size, and these functions.
        let (version, functions) = unsafe {
            let functions = list.cast::<Any>().add(1);
            (
                *list.cast::<CK_VERSION>(),
                std::slice::from_raw_parts(functions, names.len()),
            )
        };
        assert_eq!((version.major, version.minor), (major, minor));
        for (name, function) in names.iter().zip(functions) {
            if FREE.contains(name) {
                continue;
            }
            // SAFETY: no function has more arguments than these, and all zeros are NULL pointers and lengths.
            let rv = unsafe { function(0, 0, 0, 0, 0, 0, 0, 0, 0, 0) };
            assert_eq!(
                rv, CKR_CRYPTOKI_NOT_INITIALIZED,
                "{name} of {major}.{minor}"
            );
        }
    }
}
