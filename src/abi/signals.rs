//! Signals, which are the host's: none is handled here, and none that work of ours brings about gets to it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use crate::kms::WithSignalsBlocked;

/// Runs a closure with every signal blocked in this thread; threads that it starts inherit that.
pub(crate) const WITH_SIGNALS_BLOCKED: WithSignalsBlocked = |run| {
    let _mask = Mask::add(&every_signal());
    run();
};

/// Runs `write`, whose failure for want of a reader is an error and no SIGPIPE, which would end a host
/// that does not expect it.
pub(crate) fn without_sigpipe<T>(write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let sigpipe = only(libc::SIGPIPE);
    let _mask = Mask::add(&sigpipe);
    // One that waits already is the host's own.
    let is_hosts = is_pending(libc::SIGPIPE);
    let written = write();
    let is_broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if !is_hosts && written.as_ref().is_err_and(is_broken) {
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointers are to locals of the right types, and it may be told nothing of the signal.
        unsafe { libc::sigtimedwait(&raw const sigpipe, ptr::null_mut(), &raw const at_once) };
    }
    written
}

/// Some signals are blocked in this thread while this lives. A panic ends that too: the thread is the
/// host's.
struct Mask {
    /// `None` when nothing could be blocked.
    before: Option<libc::sigset_t>,
}

impl Mask {
    fn add(signals: &libc::sigset_t) -> Self {
        let mut before = MaybeUninit::uninit();
        // SAFETY: pthread_sigmask reads the one set and stores the old mask in the other; both pointers are
        // of the right type.
        let changed =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, signals, before.as_mut_ptr()) };
        // SAFETY: a call that succeeded stored the mask.
        let before = (changed == 0).then(|| unsafe { before.assume_init() });
        Self { before }
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // SAFETY: the pointer is to a mask that the constructor received.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
        }
    }
}

fn every_signal() -> libc::sigset_t {
    let mut all = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set that it is given.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        all.assume_init()
    }
}

fn only(signal: libc::c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given, which sigaddset then changes.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

fn is_pending(signal: libc::c_int) -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: sigpending stores a set where it succeeds, which sigismember then reads.
    unsafe {
        libc::sigpending(pending.as_mut_ptr()) == 0
            && libc::sigismember(pending.as_ptr(), signal) == 1
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
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

    #[test]
    fn a_pipe_without_a_reader_leaves_no_signal_behind_and_takes_none_of_the_hosts() {
        let write = || {
            let (reader, mut writer) = io::pipe().unwrap();
            drop(reader);
            without_sigpipe(|| writer.write(b"line"))
        };
        let kind = |written: io::Result<usize>| written.unwrap_err().kind();
        let _mask = Mask::add(&only(libc::SIGPIPE));
        assert_eq!(kind(write()), io::ErrorKind::BrokenPipe);
        assert!(!is_pending(libc::SIGPIPE));
        // SAFETY: the signal is blocked in this thread, to which it is sent.
        unsafe { libc::raise(libc::SIGPIPE) };
        assert_eq!(kind(write()), io::ErrorKind::BrokenPipe);
        assert!(is_pending(libc::SIGPIPE));
        let sigpipe = only(libc::SIGPIPE);
        let mut signal = 0;
        // SAFETY: the signal is pending, so it does not wait; the pointers are to locals.
        unsafe { libc::sigwait(&raw const sigpipe, &raw mut signal) };
        assert!(!is_pending(libc::SIGPIPE));
    }
}
