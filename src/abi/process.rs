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
use crate::kms::{WithSignalsBlocked, first_use};
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
pub(crate) fn install(make: impl FnOnce() -> Result<Module>) -> Result<()> {
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

/// Runs a closure with every signal blocked in this thread; threads that it starts inherit that.
pub(super) const WITH_SIGNALS_BLOCKED: WithSignalsBlocked = |run| {
    let _mask = BlockedSignals::new();
    run();
};

/// Every signal is blocked in this thread while this lives. A panic ends that too: the thread is
/// the host's.
struct BlockedSignals {
    /// `None` when nothing could be blocked.
    before: Option<libc::sigset_t>,
}

impl BlockedSignals {
    fn new() -> Self {
        let mut all = mem::MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set that pthread_sigmask then reads, and
        // pthread_sigmask stores the old mask; both pointers are to locals of the right type.
        let blocked = unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
        };
        // SAFETY: a call that succeeded stored the mask.
        let before = blocked.then(|| unsafe { before.assume_init() });
        Self { before }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the pointer is to a mask that the constructor received.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut mask = mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: with a NULL set, pthread_sigmask only stores the mask, which sigismember reads.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn signals_are_blocked_during_the_closure_and_as_before_after_it_even_when_it_panics() {
        assert!(!is_blocked(libc::SIGTERM));
        WITH_SIGNALS_BLOCKED(&mut || assert!(is_blocked(libc::SIGTERM)));
        assert!(!is_blocked(libc::SIGTERM));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            WITH_SIGNALS_BLOCKED(&mut || panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert!(!is_blocked(libc::SIGTERM));
    }
}
