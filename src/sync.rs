//! Locks of the standard library that do not poison.
//!
//! They live in their own memory alone, which matters in a forked child: `parking_lot` queues the threads
//! that wait for any lock of a process in one table, so a child would inherit queues of threads that it has
//! not, on stacks that it uses anew.

pub(crate) use std::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};
use std::sync::{PoisonError, TryLockError};

use crate::fork;

/// What it guards is whole even after a panic: the module's state changes by whole replacement.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

/// As [`Mutex`].
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(std::sync::RwLock<T>);

#[derive(Debug, Default)]
pub(crate) struct Condvar(std::sync::Condvar);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when a thread has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Condvar::new())
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
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

    use super::*;

    #[test]
    fn a_lock_outlives_a_panic_of_the_thread_that_had_it() {
        let (mutex, lock) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::default()));
        let (of_mutex, of_lock) = (Arc::clone(&mutex), Arc::clone(&lock));
        let panicked = thread::spawn(move || {
            let (_guard, mut written) = (of_mutex.lock(), of_lock.write());
            *written = 2;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*mutex.lock(), 1);
        assert_eq!(mutex.try_lock().as_deref(), Some(&1));
        assert_eq!(*lock.read(), 2);
        let held = mutex.lock();
        assert!(mutex.try_lock().is_none());
        drop(held);
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
}
