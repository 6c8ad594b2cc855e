//! One thread does the work, the others that want it wait for its outcome.

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

/// A piece of work that many threads may ask for at once and that must run once.
#[derive(Debug, Default)]
pub(super) struct Flight {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    landings: u64,
    outcome: Option<Error>,
}

impl Flight {
    /// Runs `work`, or waits for the thread that is at it and shares its outcome.
    pub(super) fn join(&self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.join_if(|| true, work)
    }

    /// The same, but work that nobody is at is begun only when it is `due`; when it is not, its
    /// last outcome still holds. No other thread can begin it between the two.
    pub(super) fn join_if(
        &self,
        due: impl FnOnce() -> bool,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut state = self.state.lock();
        if state.running {
            let landings = state.landings;
            self.landed
                .wait_while(&mut state, |state| state.landings == landings);
            return state.last_outcome();
        }
        if !due() {
            return state.last_outcome();
        }
        state.running = true;
        drop(state);
        let landing = Landing {
            flight: self,
            outcome: None,
        };
        landing.settle(work())
    }
}

impl State {
    fn last_outcome(&self) -> Result<()> {
        self.outcome.clone().map_or(Ok(()), Err)
    }
}

/// Ends the flight, also when the work panics.
struct Landing<'a> {
    flight: &'a Flight,
    outcome: Option<Result<()>>,
}

impl Landing<'_> {
    fn settle(mut self, outcome: Result<()>) -> Result<()> {
        self.outcome = Some(outcome.clone());
        outcome
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(Error::new(
                pkcs11_sys::CKR_GENERAL_ERROR,
                "the thread that did the work panicked",
            ))
        });
        let mut state = self.flight.state.lock();
        state.running = false;
        state.landings += 1;
        state.outcome = outcome.err();
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn many_threads_share_one_run() {
        let (flight, runs, start) = (Flight::default(), AtomicU32::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    flight
                        .join(|| {
                            std::thread::sleep(Duration::from_millis(200));
                            runs.fetch_add(1, Ordering::Relaxed);
                            Ok(())
                        })
                        .unwrap();
                });
            }
        });
        assert_eq!(runs.into_inner(), 1);
    }

    #[test]
    fn work_that_is_not_due_again_has_its_last_outcome() {
        let flight = Flight::default();
        let failure = Error::from(pkcs11_sys::CKR_DEVICE_ERROR);
        let not_due = |flight: &Flight| flight.join_if(|| false, || panic!("it is not due"));
        assert_eq!(not_due(&flight), Ok(()));
        assert_eq!(flight.join(|| Err(failure.clone())), Err(failure.clone()));
        assert_eq!(not_due(&flight), Err(failure));
        assert_eq!(flight.join(|| Ok(())), Ok(()));
        assert_eq!(not_due(&flight), Ok(()));
    }

    #[test]
    fn a_panic_does_not_leave_the_others_waiting() {
        let flight = Flight::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            flight.join(|| panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(flight.join(|| Ok(())), Ok(()));
    }
}
