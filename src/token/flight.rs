//! One thread does the work, the others that want it wait for its outcome.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::sync::{Condvar, Mutex};

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
    /// Of the work that landed last.
    age: u32,
    outcome: Option<Error>,
}

impl Flight {
    /// Runs `work`, or waits for the thread that is at it, for `patience` at most, and shares its outcome. Work of
    /// another age is waited for as well, but its outcome is none for this thread, which begins anew then.
    pub(super) fn join(
        &self,
        age: u32,
        patience: Duration,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.join_if(age, patience, || true, work)
    }

    /// The same, but work that nobody is at is begun only when it is `due`; when it is not, its
    /// last outcome still holds. No other thread can begin it between the two.
    pub(super) fn join_if(
        &self,
        age: u32,
        patience: Duration,
        due: impl FnOnce() -> bool,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        while state.running {
            let landings = state.landings;
            let is_in_the_air = |state: &mut State| state.landings == landings;
            let is_late;
            (state, is_late) =
                self.landed
                    .wait_while_until(&self.state, state, is_in_the_air, until);
            if is_late {
                return Err(Error::new(
                    pkcs11_sys::CKR_DEVICE_ERROR,
                    "another thread lists the keys and has not ended within the deadline",
                ));
            }
            if let Some(outcome) = state.last_outcome(age) {
                return outcome;
            }
        }
        if !due() {
            return state.last_outcome(age).unwrap_or(Ok(()));
        }
        state.running = true;
        drop(state);
        let landing = Landing {
            flight: self,
            age,
            outcome: None,
        };
        landing.settle(work())
    }
}

impl State {
    /// `None` when the work was of another age.
    fn last_outcome(&self, age: u32) -> Option<Result<()>> {
        (self.age == age).then(|| self.outcome.clone().map_or(Ok(()), Err))
    }
}

/// Ends the flight, also when the work panics.
struct Landing<'a> {
    flight: &'a Flight,
    age: u32,
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
        state.age = self.age;
        state.outcome = outcome.err();
        self.flight.landed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn nobody_waits_longer_for_others_than_it_has_time() {
        let (flight, start) = (Flight::default(), Barrier::new(2));
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| {
                flight.join(0, LONG, || {
                    start.wait();
                    start.wait();
                    Ok(())
                })
            });
            start.wait();
            let waited = flight.join(0, Duration::from_millis(50), || panic!("one is at it"));
            assert_eq!(waited.unwrap_err().rv(), pkcs11_sys::CKR_DEVICE_ERROR);
            start.wait();
            slow.join().unwrap().unwrap();
        });
    }

    #[test]
    fn many_threads_share_one_run() {
        let (flight, runs, start) = (Flight::default(), AtomicU32::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    flight
                        .join(0, LONG, || {
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
        let not_due =
            |flight: &Flight| flight.join_if(0, LONG, || false, || panic!("it is not due"));
        assert_eq!(not_due(&flight), Ok(()));
        assert_eq!(
            flight.join(0, LONG, || Err(failure.clone())),
            Err(failure.clone())
        );
        assert_eq!(not_due(&flight), Err(failure));
        assert_eq!(flight.join(0, LONG, || Ok(())), Ok(()));
        assert_eq!(not_due(&flight), Ok(()));
    }

    #[test]
    fn an_outcome_of_another_age_is_waited_for_and_not_shared() {
        let (flight, begun) = (Flight::default(), Barrier::new(2));
        let failure = Error::from(pkcs11_sys::CKR_USER_NOT_LOGGED_IN);
        let landed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let outcome = flight.join(1, LONG, || {
                    begun.wait();
                    std::thread::sleep(Duration::from_millis(200));
                    landed.fetch_add(1, Ordering::Relaxed);
                    Err(failure.clone())
                });
                assert_eq!(outcome, Err(failure.clone()));
            });
            begun.wait();
            let outcome = flight.join(2, LONG, || {
                assert_eq!(landed.fetch_add(1, Ordering::Relaxed), 1, "two at a time");
                Ok(())
            });
            assert_eq!(outcome, Ok(()));
        });
        assert_eq!(landed.into_inner(), 2);
        // What the work of before came to says nothing of this age.
        assert_eq!(flight.join(2, LONG, || Err(failure.clone())), Err(failure));
        assert_eq!(
            flight.join_if(3, LONG, || false, || panic!("it is not due")),
            Ok(())
        );
    }

    #[test]
    fn a_panic_does_not_leave_the_others_waiting() {
        let flight = Flight::default();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            flight.join(0, LONG, || panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(flight.join(0, LONG, || Ok(())), Ok(()));
    }
}
