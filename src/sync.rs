//! Waiting for what another thread does, be it for long.
//!
//! These are of the standard library and live in their own memory alone, which matters in a forked child:
//! `parking_lot` queues the threads that wait for any lock of a process in one table, so a child would inherit
//! queues of threads that it has not, on stacks that it uses anew. Its locks are for what a thread at work holds
//! for moments, which a fork waits for.

pub(crate) use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::fork;

/// Does not poison: what it guards is whole even after a panic, since the module's state changes by whole replacement.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// As [`Condvar::wait_while`], until an instant at most; whether it came.
    pub(crate) fn wait_while_until<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
        until: Instant,
    ) -> (MutexGuard<'a, T>, bool) {
        while condition(&mut guard) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return (guard, true);
            }
            fork::waiting(|| {
                let ended = self.0.wait_timeout(guard, left);
                drop(ended.unwrap_or_else(PoisonError::into_inner));
            });
            guard = mutex.lock();
        }
        (guard, false)
    }

    /// Waits, without holding up a fork, as long as `condition` holds of what `mutex` guards.
    pub(crate) fn wait_while<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            fork::waiting(|| {
                // Back at work, it may wait for a fork: without the lock, for which a thread at work may wait.
                drop(self.0.wait(guard).unwrap_or_else(PoisonError::into_inner));
            });
            guard = mutex.lock();
        }
        guard
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lock_outlives_a_panic_of_the_thread_that_had_it() {
        let mutex = Arc::new(Mutex::new(1));
        let of_thread = Arc::clone(&mutex);
        let panicked = thread::spawn(move || {
            *of_thread.lock() = 2;
            let _guard = of_thread.lock();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*mutex.lock(), 2);
    }

    #[test]
    fn a_thread_waits_until_the_condition_is_over() {
        let (mutex, changed) = (Mutex::new(0), Condvar::new());
        thread::scope(|scope| {
            let waits = scope.spawn(|| *changed.wait_while(&mutex, mutex.lock(), |n| *n < 3));
            for n in 1..=3 {
                *mutex.lock() = n;
                changed.notify_all();
            }
            assert_eq!(waits.join().unwrap(), 3);
        });
    }

    #[test]
    fn a_thread_waits_no_longer_than_it_may() {
        let (mutex, changed) = (Mutex::new(0), Condvar::new());
        let soon = Instant::now() + Duration::from_millis(20);
        let (guard, is_late) = changed.wait_while_until(&mutex, mutex.lock(), |_| true, soon);
        assert!(is_late && Instant::now() >= soon);
        let (_guard, is_late) = changed.wait_while_until(&mutex, guard, |_| false, soon);
        assert!(!is_late);
    }
}
