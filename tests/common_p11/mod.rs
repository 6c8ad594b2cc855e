//! The module as its host sees it: loaded with dlopen, called through its function list, over an emulator.
//!
//! Thin on purpose: every method is one function of PKCS#11 (or one plain sequence of them) and answers its
//! CK_RV, so that a test says what it expects. A module is initialised once per process, and nextest runs
//! every test in a process of its own.

#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each suite uses a part of it; a test that cannot go on has failed"
)]

pub(crate) mod attribute;
mod cloud;
pub(crate) mod cluster;
pub(crate) mod issuers;
pub(crate) mod kms;
pub(crate) mod names;
pub(crate) mod outside;
mod session;
pub(crate) mod walk;
mod world;

use std::env;
use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use cryptoki_sys::*;
use kms_pkcs11_testkit::run;
use libloading::Library;

pub(crate) use attribute::Attr;
pub(crate) use cloud::Cloud;
pub(crate) use session::{Mechanism, Session};
pub(crate) use world::{Counts, World, ask, calls, set_environment};

/// What a function of PKCS#11 answers when it is not CKR_OK.
pub(crate) type Rv<T> = Result<T, CK_RV>;

/// The loaded module.
pub(crate) struct Module {
    list: *const CK_FUNCTION_LIST_3_2,
    library: Library,
}

// SAFETY: the list is a constant of the library, which lives as long; its functions may be called from any
// thread.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

/// Calls a function of the module's 3.2 list, of which it answers the CK_RV.
macro_rules! call {
    ($module:expr, $name:ident $(, $argument:expr)* $(,)?) => {{
        let function = $module.list().$name.unwrap();
        // SAFETY: every pointer handed over here is NULL or to memory of the caller's that outlives the call
        // and has the length it is handed over with.
        unsafe { function($($argument),*) }
    }};
}
pub(crate) use call;

/// `Ok` for CKR_OK.
pub(crate) fn ok(rv: CK_RV) -> Rv<()> {
    if rv == CKR_OK { Ok(()) } else { Err(rv) }
}

impl Module {
    /// Loads the built module; nothing else.
    pub(crate) fn load() -> Self {
        Self::load_from(&kms_pkcs11_testkit::module())
    }

    pub(crate) fn load_from(path: &Path) -> Self {
        // SAFETY: loading the library runs no code of ours but its constructors, of which it has none.
        let library = unsafe { Library::new(path) }.unwrap();
        let interface = interface(&library, 3, 2).unwrap();
        Self {
            list: interface.pFunctionList.cast_const().cast(),
            library,
        }
    }

    /// dlclose.
    pub(crate) fn close(self) {
        self.library.close().unwrap();
    }

    pub(crate) fn list(&self) -> &CK_FUNCTION_LIST_3_2 {
        // SAFETY: the list is a constant of the loaded library.
        unsafe { &*self.list }
    }

    /// What C_GetInterface answers for a version of the standard interface.
    pub(crate) fn interface(&self, major: u8, minor: u8) -> Rv<CK_INTERFACE> {
        interface(&self.library, major, minor)
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// C_Initialize as most clients call it.
    pub(crate) fn initialize(&self) -> Rv<()> {
        self.initialize_with(&mut arguments())
    }

    /// C_Initialize with a reserved string.
    pub(crate) fn initialize_reserved(&self, reserved: &str) -> Rv<()> {
        let reserved = CString::new(reserved).unwrap();
        self.initialize_with(&mut CK_C_INITIALIZE_ARGS {
            pReserved: reserved.as_ptr().cast_mut().cast(),
            ..arguments()
        })
    }

    pub(crate) fn initialize_with(&self, arguments: &mut CK_C_INITIALIZE_ARGS) -> Rv<()> {
        ok(call!(
            self,
            C_Initialize,
            ptr::from_mut(arguments).cast::<c_void>()
        ))
    }

    pub(crate) fn finalize(&self) -> Rv<()> {
        ok(call!(self, C_Finalize, ptr::null_mut()))
    }

    /// A read-write session with the first token.
    pub(crate) fn session(&self) -> Session<'_> {
        self.open(0, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap()
    }

    pub(crate) fn open(&self, slot: CK_SLOT_ID, flags: CK_FLAGS) -> Rv<Session<'_>> {
        let mut handle = 0;
        ok(call!(
            self,
            C_OpenSession,
            slot,
            flags,
            ptr::null_mut(),
            None,
            &raw mut handle
        ))?;
        Ok(Session {
            module: self,
            handle,
        })
    }

    pub(crate) fn close_all(&self, slot: CK_SLOT_ID) -> Rv<()> {
        ok(call!(self, C_CloseAllSessions, slot))
    }

    pub(crate) fn token_info(&self, slot: CK_SLOT_ID) -> Rv<CK_TOKEN_INFO> {
        let mut info = CK_TOKEN_INFO::default();
        ok(call!(self, C_GetTokenInfo, slot, &raw mut info))?;
        Ok(info)
    }

    /// A token's label without its padding.
    pub(crate) fn token_label(&self, slot: CK_SLOT_ID) -> Rv<String> {
        let label = self.token_info(slot)?.label;
        Ok(String::from_utf8_lossy(&label).trim_end().to_owned())
    }
}

/// CKF_OS_LOCKING_OK and nothing else.
pub(crate) fn arguments() -> CK_C_INITIALIZE_ARGS {
    CK_C_INITIALIZE_ARGS {
        CreateMutex: None,
        DestroyMutex: None,
        LockMutex: None,
        UnlockMutex: None,
        flags: CKF_OS_LOCKING_OK,
        pReserved: ptr::null_mut(),
    }
}

fn interface(library: &Library, major: u8, minor: u8) -> Rv<CK_INTERFACE> {
    type GetInterface = unsafe extern "C" fn(
        *mut CK_UTF8CHAR,
        *mut CK_VERSION,
        *mut *mut CK_INTERFACE,
        CK_FLAGS,
    ) -> CK_RV;
    let mut version = CK_VERSION { major, minor };
    let mut found: *mut CK_INTERFACE = ptr::null_mut();
    // SAFETY: the symbol has this type (PKCS#11 3.2, 5.4); the name is NUL-terminated, the others are locals.
    ok(unsafe {
        let get = library.get::<GetInterface>(b"C_GetInterface\0").unwrap();
        let name = c"PKCS 11".as_ptr().cast_mut().cast();
        get(name, &raw mut version, &raw mut found, 0)
    })?;
    // SAFETY: CKR_OK was answered, so `found` is to an interface that the library keeps.
    Ok(unsafe { *found })
}

/// Compiles `tests/c/NAME.c` beside p11-kit's pkcs11.h, without a single warning; answers the program.
pub(crate) fn c_program(directory: &Path, name: &str) -> PathBuf {
    compile(directory, name, name, &[], &[])
}

/// The same with more libraries, such as `-lcrypto`.
pub(crate) fn c_program_with(directory: &Path, name: &str, libraries: &[&str]) -> PathBuf {
    compile(directory, name, name, &[], libraries)
}

/// The same, but `NAME.so`, a library.
pub(crate) fn c_library(directory: &Path, name: &str) -> PathBuf {
    compile(
        directory,
        name,
        &format!("{name}.so"),
        &["-shared", "-fPIC"],
        &[],
    )
}

/// `KMS_PKCS11_TEST_CC` names another compiler than gcc, or a program that calls one as `make sanitize` needs it.
fn compile(
    directory: &Path,
    name: &str,
    output: &str,
    options: &[&str],
    libraries: &[&str],
) -> PathBuf {
    let (root, output) = (kms_pkcs11_testkit::root(), directory.join(output));
    let source = root.join(format!("tests/c/{name}.c"));
    let compiler = env::var_os("KMS_PKCS11_TEST_CC").unwrap_or_else(|| "gcc".into());
    let _ = run(Command::new(compiler)
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pthread", "-g"])
        .args(options)
        .args(["-isystem", "/usr/include/p11-kit-1"])
        .arg("-I")
        .arg(root.join("include"))
        .arg("-o")
        .arg(&output)
        .arg(source)
        .args(libraries)
        .arg("-lm"))
    .ok();
    output
}
