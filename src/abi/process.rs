//! The module of this process: set by C_Initialize, taken by C_Finalize or when the process exits, not
//! inherited by a forked child.

use std::arch::global_asm;
use std::mem;
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use pkcs11_sys::*;

use crate::error::{Error, Result};
use crate::fork;
use crate::module::Module;
use crate::panics::caught;

/// Lock-free, so that a child forked at any moment can read and replace it.
static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();

struct Instance {
    process: Process,
    module: Arc<Module>,
}

/// A process id alone is not enough: the first process of a namespace has the id 1 like its parent.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Process {
    id: u32,
    generation: u64,
}

/// The module, if this process initialised it.
pub(super) fn current() -> Result<Arc<Module>> {
    CURRENT
        .load()
        .as_ref()
        .filter(|instance| instance.is_own())
        .map(|instance| Arc::clone(&instance.module))
        .ok_or_else(|| CKR_CRYPTOKI_NOT_INITIALIZED.into())
}

/// Makes `make`'s module the one of this process, unless there is one.
pub(crate) fn install(make: impl FnOnce() -> Result<Module>) -> Result<()> {
    if fork::has_ended() {
        let why = "the process exits, and took down what the module needs";
        return Err(Error::new(CKR_FUNCTION_FAILED, why));
    }
    let before = CURRENT.load_full();
    if before.as_ref().is_some_and(|instance| instance.is_own()) {
        return Err(CKR_CRYPTOKI_ALREADY_INITIALIZED.into());
    }
    watch_forks();
    let instance = Arc::new(Instance {
        process: Process::current(),
        module: Arc::new(make()?),
    });
    let found = CURRENT.compare_and_swap(&before, Some(instance));
    let found: Option<&Arc<Instance>> = found.as_ref();
    if found.map_or(ptr::null(), Arc::as_ptr) != before.as_ref().map_or(ptr::null(), Arc::as_ptr) {
        return Err(CKR_CRYPTOKI_ALREADY_INITIALIZED.into());
    }
    // The parent's module is left alone: its locks may be held and its threads do not exist here.
    mem::forget(before);
    Ok(())
}

/// Takes the module away; calls that are under way hold on to it until they end.
pub(super) fn take() -> Result<Arc<Module>> {
    current()?;
    let taken = CURRENT.swap(None).filter(|instance| instance.is_own());
    taken
        .map(|instance| Arc::clone(&instance.module))
        .ok_or_else(|| CKR_CRYPTOKI_NOT_INITIALIZED.into())
}

/// Has forks of this process wait for work. The handlers stay for good, and so does the library: it is
/// linked `-z nodelete`.
fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn before() {
        fork::before();
    }
    extern "C" fn in_parent() {
        fork::after_in_parent();
    }
    extern "C" fn in_child() {
        fork::after_in_child();
    }
    if !WATCHED.swap(true, Ordering::AcqRel) {
        // SAFETY: the handlers are functions without arguments that do not unwind, and use nothing but
        // atomics, a thread-local without a destructor, the clock and sleep. Without memory for them, forks
        // do not wait.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    }
}

// Where `last.c` finds what to call: under a name that the linker knows and the library does not export.
global_asm!(
    ".pushsection .data.rel.ro.kms_pkcs11_at_exit,\"aw\",%progbits",
    ".balign 16",
    ".globl kms_pkcs11_at_exit",
    ".hidden kms_pkcs11_at_exit",
    ".type kms_pkcs11_at_exit, %object",
    "kms_pkcs11_at_exit:",
    ".dc.a {at_exit}",
    ".size kms_pkcs11_at_exit, . - kms_pkcs11_at_exit",
    ".popsection",
    at_exit = sym at_exit,
);

/// Ends the module when the process exits, after the host's handlers and before the destructors of what the
/// module is made of. Those of aws-lc take its random generators away: a thread that asks them for a number
/// from then on is stopped for good, or aborts the process.
extern "C" fn at_exit() {
    // Nothing is left to do better where it panics.
    caught(|| {
        fork::end_for_good();
        mem::forget(CURRENT.swap(None));
    })
    .ok();
}

impl Instance {
    fn is_own(&self) -> bool {
        self.process == Process::current()
    }
}

impl Process {
    fn current() -> Self {
        Self {
            id: process::id(),
            generation: fork::generation(),
        }
    }
}
