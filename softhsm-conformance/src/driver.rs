//! The C functions of one module as methods of [`Ctx`], callable with any argument, hostile ones included.
//!
//! The only module with `unsafe`. Every call goes through the C function list, is recorded as one step,
//! and writes into [`Guarded`] memory only: a module that writes outside of what it was given is found out.

use std::path::Path;
use std::ptr;

use cryptoki_sys::*;
use libloading::Library;

use crate::arguments::{Input, Mechanism, Output, Place};
use crate::ctx::Ctx;
use crate::describe::{self, Describe};
use crate::driver::mechanism::RawMechanism;
use crate::driver::raw::Room;
use crate::guarded::Guarded;
use crate::transcript::ABSENT;

pub(crate) use crate::driver::raw::Answer;

type GetFunctionList = unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV;
type GetInterfaceList = unsafe extern "C" fn(*mut CK_INTERFACE, *mut CK_ULONG) -> CK_RV;
type GetInterface = unsafe extern "C" fn(
    *mut CK_UTF8CHAR,
    *mut CK_VERSION,
    *mut *mut CK_INTERFACE,
    CK_FLAGS,
) -> CK_RV;

/// A loaded module and its function lists.
#[derive(Debug)]
pub(crate) struct Module {
    library: &'static Library,
    /// Of version 2.40.
    functions: &'static CK_FUNCTION_LIST,
    /// Of version 3.2, if the module has come so far.
    newest: Option<&'static CK_FUNCTION_LIST_3_2>,
}

impl Module {
    /// Loads a module for the rest of this process' life.
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        // SAFETY: loading runs the library's constructors. This process exists to run exactly this
        // library, and its parent survives whatever the constructors do.
        let library = unsafe { Library::new(path) }.map_err(|error| error.to_string())?;
        // Never unloaded, so that the function list outlives every call.
        let library: &'static Library = Box::leak(Box::new(library));
        // SAFETY: PKCS#11 defines the signature of the symbol of this name.
        let get = unsafe { library.get::<GetFunctionList>(b"C_GetFunctionList") }
            .map_err(|error| error.to_string())?;
        let mut list = ptr::null_mut();
        // SAFETY: `list` lives across the call, which only writes one pointer to it.
        let rv = unsafe { get(&raw mut list) };
        // SAFETY: a module answers a pointer to its constant list, valid while it is loaded: for ever.
        match unsafe { list.as_ref() } {
            Some(functions) if rv == CKR_OK => Ok(Self {
                library,
                functions,
                newest: newest(library),
            }),
            _ => Err(format!("C_GetFunctionList answered {rv:#x}")),
        }
    }

    /// A function that is exported beside the list.
    ///
    /// # Safety
    ///
    /// `T` is the type that PKCS#11 defines for the function of this name.
    unsafe fn symbol<T: Copy>(&self, name: &[u8]) -> Option<T> {
        // SAFETY: by this function's contract.
        unsafe { self.library.get::<T>(name) }.ok().map(|it| *it)
    }
}

/// The function list of version 3.2.
fn newest(library: &Library) -> Option<&'static CK_FUNCTION_LIST_3_2> {
    // SAFETY: PKCS#11 3.0 defines the signature of the symbol of this name.
    let get = unsafe { library.get::<GetInterface>(b"C_GetInterface") }.ok()?;
    let mut name = *b"PKCS 11\0";
    let mut version = CK_VERSION { major: 3, minor: 2 };
    let mut interface = ptr::null_mut();
    // SAFETY: the name is terminated, and all pointers live across the call.
    let rv = unsafe { get(name.as_mut_ptr(), &raw mut version, &raw mut interface, 0) };
    // SAFETY: NULL, or one of the module's interfaces, which are constant and valid while it is loaded.
    let interface = unsafe { interface.as_ref() }.filter(|_| rv == CKR_OK)?;
    // SAFETY: the list of an interface of this name and version has this type.
    unsafe {
        interface
            .pFunctionList
            .cast::<CK_FUNCTION_LIST_3_2>()
            .as_ref()
    }
}

/// Calls one function of the list; one that the list leaves out answers [`ABSENT`].
macro_rules! call {
    ($ctx:expr, $function:ident $(, $argument:expr)* $(,)?) => {
        match $ctx.module.functions.$function {
            // SAFETY: the function list types the function. Every pointer handed over is NULL, whose
            // refusal the specification asks of the module, or points to memory that the calling
            // method keeps alive and that holds at least as much as the length beside it says.
            Some(function) => unsafe { function($($argument),*) },
            None => ABSENT,
        }
    };
}

/// Calls one function of the list of version 3.2; a module without it answers [`ABSENT`].
macro_rules! call_newest {
    ($ctx:expr, $function:ident $(, $argument:expr)* $(,)?) => {
        match $ctx.module.newest.and_then(|list| list.$function) {
            // SAFETY: as in `call`.
            Some(function) => unsafe { function($($argument),*) },
            None => ABSENT,
        }
    };
}

mod cryptography;
mod mechanism;
mod messages;
mod newer;
mod object;
mod raw;
mod token;

/// Functions whose arguments are all handles and numbers.
macro_rules! numbers {
    ($($method:ident = $function:ident($($argument:ident: $kind:ty),*);)*) => {
        impl Ctx {$(
            pub(crate) fn $method(&mut self, $($argument: $kind),*) -> CK_RV {
                let rv = call!(self, $function, $($argument),*);
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

numbers! {
    close_session = C_CloseSession(session: CK_SESSION_HANDLE);
    close_all_sessions = C_CloseAllSessions(slot: CK_SLOT_ID);
    logout = C_Logout(session: CK_SESSION_HANDLE);
    destroy_object = C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE);
    find_objects_final = C_FindObjectsFinal(session: CK_SESSION_HANDLE);
    digest_key = C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE);
    get_function_status = C_GetFunctionStatus(session: CK_SESSION_HANDLE);
    cancel_function = C_CancelFunction(session: CK_SESSION_HANDLE);
}

/// Functions that fill one structure.
macro_rules! structures {
    ($($method:ident = $function:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl Ctx {$(
            pub(crate) fn $method(&mut self, $($argument: $kind,)* place: Place) -> Option<$answer> {
                let mut memory = Guarded::<CK_ULONG>::new(size_of::<$answer>() / size_of::<CK_ULONG>());
                let rv = call!(self, $function, $($argument,)* memory.pointer_if(place).cast::<$answer>());
                self.watch(&memory);
                // SAFETY: the memory holds a whole, aligned value (a structure with CK_ULONG members
                // is a multiple of them long), and its members are integers, valid with any bits.
                let answer = unsafe { memory.pointer().cast::<$answer>().read() };
                let details = if rv == CKR_OK { answer.describe() } else { Vec::new() };
                (self.record(stringify!($function), rv, details) == CKR_OK).then_some(answer)
            }
        )*}
    };
}

structures! {
    get_info = C_GetInfo() -> CK_INFO;
    get_slot_info = C_GetSlotInfo(slot: CK_SLOT_ID) -> CK_SLOT_INFO;
    get_token_info = C_GetTokenInfo(slot: CK_SLOT_ID) -> CK_TOKEN_INFO;
    get_mechanism_info = C_GetMechanismInfo(slot: CK_SLOT_ID, mechanism: CK_MECHANISM_TYPE) -> CK_MECHANISM_INFO;
    get_session_info = C_GetSessionInfo(session: CK_SESSION_HANDLE) -> CK_SESSION_INFO;
}

/// Functions that start an operation with a key.
macro_rules! keyed_inits {
    ($($method:ident = $function:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method(
                &mut self,
                session: CK_SESSION_HANDLE,
                mechanism: impl Into<Option<Mechanism>>,
                key: CK_OBJECT_HANDLE,
            ) -> CK_RV {
                let mut mechanism = RawMechanism::new(mechanism.into());
                let rv = call!(self, $function, session, mechanism.pointer(), key);
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

keyed_inits! {
    encrypt_init = C_EncryptInit;
    decrypt_init = C_DecryptInit;
    raw_sign_init = C_SignInit;
    sign_recover_init = C_SignRecoverInit;
    verify_init = C_VerifyInit;
    verify_recover_init = C_VerifyRecoverInit;
}

/// Functions that take bytes and answer nothing.
macro_rules! inputs {
    ($($method:ident = $function:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method<'a>(
                &mut self,
                session: CK_SESSION_HANDLE,
                data: impl Into<Input<'a>>,
            ) -> CK_RV {
                let (data, length) = data.into().parts();
                let rv = call!(self, $function, session, data, length);
                self.record(stringify!($function), rv, Vec::new())
            }
        )*}
    };
}

inputs! {
    digest_update = C_DigestUpdate;
    raw_sign_update = C_SignUpdate;
    verify_update = C_VerifyUpdate;
    verify_final = C_VerifyFinal;
    seed_random = C_SeedRandom;
}

/// Functions that answer bytes: `value` when both modules must answer the same, `length` when only as many.
macro_rules! outputs {
    ($($method:ident = $function:ident, $compared:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method(&mut self, session: CK_SESSION_HANDLE, output: Output) -> Answer {
                let mut room = Room::new(output);
                let (pointer, length) = room.pointers();
                let rv = call!(self, $function, session, pointer, length);
                self.answer(stringify!($function), rv, &room, describe::$compared)
            }
        )*}
    };
}

outputs! {
    digest_final = C_DigestFinal, value;
    raw_sign_final = C_SignFinal, length;
    encrypt_final = C_EncryptFinal, length;
    decrypt_final = C_DecryptFinal, value;
    get_operation_state = C_GetOperationState, length;
}

/// Functions that take bytes and answer bytes.
macro_rules! transforms {
    ($($method:ident = $function:ident, $compared:ident;)*) => {
        impl Ctx {$(
            pub(crate) fn $method<'a>(
                &mut self,
                session: CK_SESSION_HANDLE,
                data: impl Into<Input<'a>>,
                output: Output,
            ) -> Answer {
                let (data, data_length) = data.into().parts();
                let mut room = Room::new(output);
                let (pointer, length) = room.pointers();
                let rv = call!(self, $function, session, data, data_length, pointer, length);
                self.answer(stringify!($function), rv, &room, describe::$compared)
            }
        )*}
    };
}

transforms! {
    encrypt = C_Encrypt, length;
    encrypt_update = C_EncryptUpdate, length;
    decrypt = C_Decrypt, value;
    decrypt_update = C_DecryptUpdate, value;
    digest = C_Digest, value;
    raw_sign = C_Sign, length;
    sign_recover = C_SignRecover, length;
    verify_recover = C_VerifyRecover, value;
    digest_encrypt_update = C_DigestEncryptUpdate, length;
    decrypt_digest_update = C_DecryptDigestUpdate, value;
    sign_encrypt_update = C_SignEncryptUpdate, length;
    decrypt_verify_update = C_DecryptVerifyUpdate, value;
}
