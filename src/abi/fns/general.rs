//! General purpose functions (PKCS#11 5.4) and function management (5.20).

use std::ffi::CStr;
use std::ptr;
use std::time::Duration;

use pkcs11_sys::*;

use super::super::environment;
use super::super::exports::{LIST_2_40, LIST_3_0, LIST_3_2};
use super::super::memory::{check_pointer, write};
use super::super::process;
use super::super::signals::WITH_SIGNALS_BLOCKED;
use super::objects::write_list;
use crate::config::{Config, ConfigError, CreateThreads};
use crate::error::{Error, Result};
use crate::kms::Caller;
use crate::module::Module;
use crate::token::{MANUFACTURER, VERSION, pad};

/// The name of the standard interface, with its terminating NUL.
const INTERFACE_NAME: &CStr = c"PKCS 11";

/// The newest version of the standard that the module speaks.
const CRYPTOKI_VERSION: CK_VERSION = CK_VERSION { major: 3, minor: 2 };

/// How long C_Finalize waits for the module's threads.
const SHUTDOWN_BOUND: Duration = Duration::from_secs(5);

pub(in super::super) unsafe fn initialize(init_args: CK_VOID_PTR) -> Result<()> {
    // SAFETY: by this function's contract.
    let arguments = unsafe { check_arguments(init_args.cast()) }?;
    process::install(|| {
        let config = Config::load(arguments.reserved.as_deref(), &environment::variable).map_err(
            |error| {
                Error::new(
                    if matches!(error, ConfigError::Reserved(_)) {
                        CKR_ARGUMENTS_BAD
                    } else {
                        CKR_FUNCTION_FAILED
                    },
                    error.to_string(),
                )
            },
        )?;
        if arguments.rules_out_threads && config.host.create_threads == CreateThreads::IfAllowed {
            return Err(Error::new(
                CKR_NEED_TO_CREATE_THREADS,
                "the host rules threads out, on which requests to KMS run; create_threads = \"always\" in \
                 the section [host] of the configuration creates them nevertheless",
            ));
        }
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok());
        Ok(Module::new(config, region.as_deref(), WITH_SIGNALS_BLOCKED))
    })
}

pub(in super::super) unsafe fn finalize(reserved: CK_VOID_PTR) -> Result<()> {
    if !reserved.is_null() {
        return Err(CKR_ARGUMENTS_BAD.into());
    }
    let module = process::take()?;
    module
        .log()
        .scope("C_Finalize", || module.shut_down(SHUTDOWN_BOUND));
    Ok(())
}

pub(in super::super) unsafe fn info(_: &Module, info: CK_INFO_PTR) -> Result<()> {
    let answer = CK_INFO {
        cryptokiVersion: CRYPTOKI_VERSION,
        manufacturerID: pad(MANUFACTURER),
        flags: 0,
        libraryDescription: pad("PKCS#11 module for AWS KMS"),
        libraryVersion: VERSION,
    };
    // SAFETY: by this function's contract.
    unsafe { write(info, answer) }
}

pub(in super::super) unsafe fn function_list(
    function_list: CK_FUNCTION_LIST_PTR_PTR,
) -> Result<()> {
    // SAFETY: by this function's contract.
    unsafe { write(function_list, ptr::from_ref(&LIST_2_40).cast_mut()) }
}

pub(in super::super) unsafe fn interface_list(
    interfaces_list: CK_INTERFACE_PTR,
    count: CK_ULONG_PTR,
) -> Result<()> {
    let interfaces: Vec<CK_INTERFACE> = INTERFACES
        .iter()
        .map(|interface| {
            Caller::note(interface.version.0, interface.version.1);
            interface.raw
        })
        .collect();
    // SAFETY: by this function's contract.
    unsafe { write_list(&interfaces, interfaces_list, count) }
}

pub(in super::super) unsafe fn interface(
    interface_name: CK_UTF8CHAR_PTR,
    version: CK_VERSION_PTR,
    interface: CK_INTERFACE_PTR_PTR,
    flags: CK_FLAGS,
) -> Result<()> {
    check_pointer(interface)?;
    let named = interface_name.is_null() || {
        // SAFETY: not NULL, and a NUL-terminated string by this function's contract.
        unsafe { CStr::from_ptr(interface_name.cast_const().cast()) == INTERFACE_NAME }
    };
    let version = if version.is_null() {
        None
    } else {
        // SAFETY: not NULL, and valid for reading by this function's contract; CK_VERSION is two
        // bytes.
        let version = unsafe { *version };
        Some((version.major, version.minor))
    };
    let found = INTERFACES
        .iter()
        .filter(|_| named && flags == 0)
        .find(|offered| version.is_none_or(|version| offered.version == version))
        .ok_or_else(|| {
            Error::new(
                CKR_FUNCTION_FAILED,
                "no interface of this name, version and flags",
            )
            .into_routine()
        })?;
    Caller::note(found.version.0, found.version.1);
    // SAFETY: by this function's contract.
    unsafe { write(interface, ptr::from_ref(&found.raw).cast_mut()) }
}

/// C_GetFunctionStatus and C_CancelFunction: legacy functions with one answer.
pub(in super::super) unsafe fn not_parallel(
    module: &Module,
    session: CK_SESSION_HANDLE,
) -> Result<()> {
    module.session(session)?;
    Err(CKR_FUNCTION_NOT_PARALLEL.into())
}

/// What CK_C_INITIALIZE_ARGS ask for.
#[derive(Default)]
struct Arguments {
    rules_out_threads: bool,
    /// It may name the configuration file.
    reserved: Option<String>,
}

/// Checks CK_C_INITIALIZE_ARGS, which may be NULL.
unsafe fn check_arguments(args: *const CK_C_INITIALIZE_ARGS) -> Result<Arguments> {
    if args.is_null() {
        return Ok(Arguments::default());
    }
    check_pointer(args)?;
    // SAFETY: not NULL, aligned, valid for reading by the caller's contract.
    let args = unsafe { &*args };
    let mutexes = [
        args.CreateMutex.is_some(),
        args.DestroyMutex.is_some(),
        args.LockMutex.is_some(),
        args.UnlockMutex.is_some(),
    ];
    let all = mutexes.iter().all(|given| *given);
    if !all && mutexes.iter().any(|given| *given) {
        return Err(Error::new(
            CKR_ARGUMENTS_BAD,
            "give all four mutex functions, or none",
        ));
    }
    if all && args.flags & CKF_OS_LOCKING_OK == 0 {
        return Err(Error::new(
            CKR_CANT_LOCK,
            "the module locks with the operating system's primitives: set CKF_OS_LOCKING_OK",
        ));
    }
    let rules_out_threads = args.flags & CKF_LIBRARY_CANT_CREATE_OS_THREADS != 0;
    if args.pReserved.is_null() {
        return Ok(Arguments {
            rules_out_threads,
            reserved: None,
        });
    }
    // SAFETY: not NULL; the only thing that this module documents for the reserved field is a
    // NUL-terminated string.
    let reserved = unsafe { CStr::from_ptr(args.pReserved.cast_const().cast()) };
    match reserved.to_str() {
        Ok(parameters) => Ok(Arguments {
            rules_out_threads,
            reserved: Some(parameters.to_owned()),
        }),
        Err(_) => Err(CKR_ARGUMENTS_BAD.into()),
    }
}

/// An interface that the module offers.
struct Interface {
    version: (CK_BYTE, CK_BYTE),
    raw: CK_INTERFACE,
}

// SAFETY: the pointers are to statics that nobody writes.
unsafe impl Sync for Interface {}

const fn offer<T>(version: (CK_BYTE, CK_BYTE), list: &'static T) -> Interface {
    Interface {
        version,
        raw: CK_INTERFACE {
            pInterfaceName: INTERFACE_NAME.as_ptr().cast_mut().cast(),
            pFunctionList: ptr::from_ref(list).cast_mut().cast(),
            flags: 0,
        },
    }
}

/// The default comes first.
static INTERFACES: [Interface; 3] = [
    offer((3, 2), &LIST_3_2),
    offer((3, 0), &LIST_3_0),
    offer((2, 40), &LIST_2_40),
];
