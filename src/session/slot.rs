//! The state of one kind of operation in a session.

use parking_lot::Mutex;
use pkcs11_sys::{
    CKR_ARGUMENTS_BAD, CKR_OPERATION_ACTIVE, CKR_OPERATION_CANCEL_FAILED,
    CKR_OPERATION_NOT_INITIALIZED,
};

use crate::error::{Error, Result};

/// Where an operation of type `T` stands.
#[derive(Debug)]
enum State<T> {
    Idle,
    Active(T),
    /// Taken by a call that is at work on it.
    Busy,
}

/// A slot for one operation at a time.
#[derive(Debug)]
pub(super) struct Slot<T>(Mutex<State<T>>);

/// What can be asked of a slot whatever its operations are.
pub(super) trait AnySlot {
    /// Whether an operation is active.
    fn is_active(&self) -> bool;

    /// Ends the active operation, if there is one; refuses while another thread is at work on it.
    fn stop(&self) -> Result<()>;
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(Mutex::new(State::Idle))
    }
}

impl<T> Slot<T> {
    /// Starts an operation, which `make` prepares unless one is active already.
    pub(super) fn start(&self, make: impl FnOnce() -> Result<T>) -> Result<()> {
        {
            let mut state = self.0.lock();
            if !matches!(*state, State::Idle) {
                return Err(CKR_OPERATION_ACTIVE.into());
            }
            *state = State::Busy;
        }
        let mut call = Call {
            slot: self,
            next: State::Idle,
        };
        call.next = State::Active(make()?);
        Ok(())
    }

    /// Runs one call of the active operation, without a lock. The operation goes on with what
    /// `work` hands back; with nothing handed back, an error or a panic, it is over.
    pub(super) fn step<R>(&self, work: impl FnOnce(T) -> Result<(Option<T>, R)>) -> Result<R> {
        let operation = self.take()?;
        let mut call = Call {
            slot: self,
            next: State::Idle,
        };
        let (next, result) = work(operation)?;
        call.next = next.map_or(State::Idle, State::Active);
        Ok(result)
    }

    /// Runs one call of the active operation, which goes on whatever the call answers; a panic ends it.
    pub(super) fn work<R>(&self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<R> {
        self.step(|mut operation| {
            let result = work(&mut operation);
            Ok((Some(operation), result))
        })?
    }

    /// Ends the active operation: what an `*Init` with a NULL mechanism asks for (PKCS#11 3.0 and
    /// later).
    pub(super) fn cancel(&self) -> Result<()> {
        self.step(|_| Ok((None, ())))
            .map_err(|error| match error.rv() {
                CKR_OPERATION_NOT_INITIALIZED => Error::new(
                    CKR_ARGUMENTS_BAD,
                    "a NULL mechanism, and no operation to cancel",
                ),
                _ => Error::new(
                    CKR_OPERATION_CANCEL_FAILED,
                    "another thread is at work on the operation",
                ),
            })
    }

    /// Ends the active operation, if there is one, because a call of it could not even begin.
    pub(super) fn abandon(&self) {
        // What another thread is at work on is that thread's to end.
        let _ = self.stop();
    }

    /// Changes the active operation, if there is one, because a call of it could not even begin.
    pub(super) fn touch(&self, change: impl FnOnce(&mut T)) {
        if let State::Active(operation) = &mut *self.0.lock() {
            change(operation);
        }
    }

    fn take(&self) -> Result<T> {
        let mut state = self.0.lock();
        match std::mem::replace(&mut *state, State::Busy) {
            State::Active(operation) => Ok(operation),
            State::Idle => {
                *state = State::Idle;
                Err(CKR_OPERATION_NOT_INITIALIZED.into())
            }
            State::Busy => Err(busy()),
        }
    }
}

impl<T> AnySlot for Slot<T> {
    fn is_active(&self) -> bool {
        !matches!(*self.0.lock(), State::Idle)
    }

    fn stop(&self) -> Result<()> {
        let mut state = self.0.lock();
        if matches!(*state, State::Busy) {
            return Err(busy());
        }
        *state = State::Idle;
        Ok(())
    }
}

/// A call at work on a slot's operation; leaves the next state behind, also when it panics.
struct Call<'a, T> {
    slot: &'a Slot<T>,
    next: State<T>,
}

impl<T> Drop for Call<'_, T> {
    fn drop(&mut self) {
        *self.slot.0.lock() = std::mem::replace(&mut self.next, State::Idle);
    }
}

fn busy() -> Error {
    Error::new(
        CKR_OPERATION_ACTIVE,
        "another thread is at work on this operation: a session is for one thread at a time",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rv<T>(result: Result<T>) -> Option<pkcs11_sys::CK_RV> {
        result.err().map(|error| error.rv())
    }

    #[test]
    fn an_operation_goes_on_only_when_a_call_hands_it_back() {
        let slot = Slot::default();
        slot.start(|| Ok(1)).unwrap();
        assert_eq!(rv(slot.start(|| Ok(2))), Some(CKR_OPERATION_ACTIVE));
        assert_eq!(slot.step(|n| Ok((Some(n + 1), n))), Ok(1));
        assert_eq!(slot.step(|n| Ok((None, n))), Ok(2));
        assert_eq!(
            rv(slot.step(|n| Ok((Some(n), ())))),
            Some(CKR_OPERATION_NOT_INITIALIZED)
        );
    }

    #[test]
    fn an_error_or_a_panic_ends_the_operation() {
        let slot = Slot::default();
        slot.start(|| Ok(())).unwrap();
        assert_eq!(
            rv(slot.step(|()| -> Result<(Option<()>, ())> { Err(CKR_ARGUMENTS_BAD.into()) })),
            Some(CKR_ARGUMENTS_BAD)
        );
        slot.start(|| Ok(())).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            slot.step(|()| -> Result<(Option<()>, ())> { panic!("on purpose") })
        }));
        assert!(panicked.is_err());
        assert_eq!(slot.start(|| Ok(())), Ok(()));
    }

    #[test]
    fn an_operation_that_could_not_start_leaves_the_slot_free() {
        let slot: Slot<()> = Slot::default();
        assert_eq!(
            rv(slot.start(|| Err(CKR_ARGUMENTS_BAD.into()))),
            Some(CKR_ARGUMENTS_BAD)
        );
        assert_eq!(slot.start(|| Ok(())), Ok(()));
    }

    #[test]
    fn a_second_thread_finds_a_busy_slot_active() {
        let slot = Slot::default();
        slot.start(|| Ok(())).unwrap();
        let inner = slot.step(|()| Ok((None, rv(slot.step(|()| Ok((None, ())))))));
        assert_eq!(inner, Ok(Some(CKR_OPERATION_ACTIVE)));
    }

    #[test]
    fn work_that_fails_leaves_the_operation_active() {
        let slot = Slot::default();
        slot.start(|| Ok(1)).unwrap();
        let failed = slot.work(|n| {
            *n += 1;
            Err::<(), _>(CKR_ARGUMENTS_BAD.into())
        });
        assert_eq!(rv(failed), Some(CKR_ARGUMENTS_BAD));
        assert_eq!(slot.work(|n| Ok(*n)), Ok(2));
        slot.cancel().unwrap();
        assert_eq!(
            rv(slot.work(|n| Ok(*n))),
            Some(CKR_OPERATION_NOT_INITIALIZED)
        );
    }

    #[test]
    fn cancelling_needs_something_to_cancel() {
        let slot = Slot::default();
        assert_eq!(rv(slot.cancel()), Some(CKR_ARGUMENTS_BAD));
        slot.start(|| Ok(())).unwrap();
        assert_eq!(slot.cancel(), Ok(()));
        assert_eq!(
            rv(slot.step(|()| Ok((None, ())))),
            Some(CKR_OPERATION_NOT_INITIALIZED)
        );
    }

    #[test]
    fn what_another_thread_is_at_work_on_cannot_be_cancelled() {
        let slot = Slot::default();
        slot.start(|| Ok(())).unwrap();
        let inner = slot.step(|()| Ok((Some(()), rv(slot.cancel()))));
        assert_eq!(inner, Ok(Some(CKR_OPERATION_CANCEL_FAILED)));
        assert_eq!(slot.cancel(), Ok(()));
    }

    #[test]
    fn stopping_ends_what_is_active_but_not_what_another_thread_is_at_work_on() {
        let slot = Slot::default();
        assert_eq!((slot.is_active(), slot.stop()), (false, Ok(())));
        slot.start(|| Ok(())).unwrap();
        let at_work = slot.step(|()| Ok((Some(()), (slot.is_active(), rv(slot.stop())))));
        assert_eq!(at_work, Ok((true, Some(CKR_OPERATION_ACTIVE))));
        assert_eq!((slot.is_active(), slot.stop()), (true, Ok(())));
        assert!(!slot.is_active());
    }
}
