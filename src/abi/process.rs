//! The module of this process: set by C_Initialize, taken by C_Finalize, not inherited by a forked
//! child.

use std::mem;
use std::process;
use std::ptr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use pkcs11_sys::*;

use crate::error::Result;
use crate::kms::WithSignalsBlocked;
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

impl Instance {
    fn is_own(&self) -> bool {
        self.pid == process::id()
    }
}

/// Runs a closure with every signal blocked in this thread; threads that it starts inherit that.
pub(super) const WITH_SIGNALS_BLOCKED: WithSignalsBlocked = |run| {
    let mut all = mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the set that pthread_sigmask then reads, and pthread_sigmask
    // stores the old mask; both pointers are to locals of the right type.
    let blocked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    run();
    if blocked {
        // SAFETY: `before` was stored by the successful call above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
};
