//! The module of this process: set by C_Initialize, taken by C_Finalize, not inherited by a forked
//! child.

use std::mem;
use std::process;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use pkcs11_sys::*;

use crate::error::Result;
use crate::kms::first_use;
use crate::module::Module;

/// Lock-free, so that a child forked at any moment can read and replace it.
static CURRENT: ArcSwapOption<Instance> = ArcSwapOption::const_empty();

struct Instance {
    pid: u32,
    module: Arc<Module>,
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
pub(super) fn install(make: impl FnOnce() -> Result<Module>) -> Result<()> {
    let before = CURRENT.load_full();
    if before.as_ref().is_some_and(|instance| instance.is_own()) {
        return Err(CKR_CRYPTOKI_ALREADY_INITIALIZED.into());
    }
    watch_forks();
    let instance = Arc::new(Instance {
        pid: process::id(),
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

/// Has forks of this process wait for what a child must not inherit half done. The handlers stay for
/// good, and so does the library: it is linked `-z nodelete`.
fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    extern "C" fn before() {
        first_use::before_fork();
    }
    extern "C" fn in_parent() {
        first_use::after_fork_in_parent();
    }
    extern "C" fn in_child() {
        first_use::after_fork_in_child();
    }
    if !WATCHED.swap(true, Ordering::AcqRel) {
        // SAFETY: the handlers are functions without arguments that do not unwind, and use nothing but
        // atomics, the clock and sleep. Without memory for them, forks do not wait.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    }
}

impl Instance {
    fn is_own(&self) -> bool {
        self.pid == process::id()
    }
}
