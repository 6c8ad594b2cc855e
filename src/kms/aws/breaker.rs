//! Spares callers the wait for an endpoint that is down.
//!
//! A breaker is closed while the endpoint answers. Some failures in a row open it: from then on nothing is sent,
//! but for one probe at a time, the first after a pause. Each probe that fails doubles the pause; whatever the
//! endpoint answers closes the breaker.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::kms::KmsError;

/// From the opening to the first probe.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the log is reminded of an outage that goes on.
const REMINDER: Duration = Duration::from_mins(1);

/// In place of a count of failures: the breaker is open.
const OPEN: u32 = u32::MAX;

/// Of one endpoint. A request through one that is closed costs two loads of an atomic.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Failures in a row that open it.
    most: u32,
    longest_pause: Duration,
    /// Failures in a row, or [`OPEN`]; written under the lock of `outage` alone.
    failures: AtomicU32,
    outage: Mutex<Option<Outage>>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    /// The last failure.
    error: KmsError,
    pause: Duration,
    /// When the next probe may be sent.
    next: Instant,
    is_probed: bool,
    /// When the log was told last.
    told: Instant,
}

/// What a request says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered, whatever that was.
    Up,
    Down,
    /// Nothing: the request was given up early, or it is not the endpoint that answered.
    Unknown,
    /// Nothing: the request did not get as far.
    Unsent,
}

/// What the log should be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened {
        next: Duration,
    },
    /// A reminder.
    StillOpen {
        since: Duration,
        next: Duration,
    },
    Closed {
        after: Duration,
    },
}

/// Why a request is not sent.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The failure that opened the breaker, or that of the last probe.
    pub(super) error: Box<KmsError>,
    pub(super) since: Duration,
    /// Until the next probe; `None` while one is under way.
    pub(super) next: Option<Duration>,
}

impl Breaker {
    /// One that is closed. A pause is never longer than half of `patience`, so that whoever goes on asking for so
    /// long comes to a probe.
    pub(super) fn new(most: u32, patience: Duration) -> Self {
        Self {
            most,
            longest_pause: LONGEST_PAUSE.min(patience / 2),
            failures: AtomicU32::new(0),
            outage: Mutex::new(None),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.failures.load(Ordering::Acquire) != OPEN
    }

    /// Why a request would not be sent now.
    pub(super) fn refusal(&self, now: Instant) -> Option<Refusal> {
        if self.is_closed() {
            return None;
        }
        let outage = self.outage.lock();
        let outage = outage.as_ref()?;
        (outage.is_probed || now < outage.next).then(|| outage.refusal(now))
    }

    /// Lets a request pass, as a probe where the breaker is open.
    pub(super) fn admit(&self, now: Instant) -> Result<Pass<'_>, Refusal> {
        if self.is_closed() {
            return Ok(self.pass(false));
        }
        match &mut *self.outage.lock() {
            None => Ok(self.pass(false)),
            Some(outage) if outage.is_probed || now < outage.next => Err(outage.refusal(now)),
            Some(outage) => {
                outage.is_probed = true;
                Ok(self.pass(true))
            }
        }
    }

    /// Lets a request pass that is sent whatever the state is, and is no probe of this breaker.
    pub(super) fn pass_by(&self) -> Pass<'_> {
        self.pass(false)
    }

    fn pass(&self, is_probe: bool) -> Pass<'_> {
        Pass {
            breaker: self,
            is_probe,
        }
    }

    fn up(&self, now: Instant) -> Option<Change> {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut outage = self.outage.lock();
        self.failures.store(0, Ordering::Release);
        let ended = outage.take()?;
        Some(Change::Closed {
            after: now.saturating_duration_since(ended.since),
        })
    }

    fn down(&self, now: Instant, was_probe: bool, error: &KmsError) -> Option<Change> {
        let mut state = self.outage.lock();
        match &mut *state {
            Some(outage) if was_probe => outage.again(now, self.longest_pause, error),
            // It was sent before the breaker opened.
            Some(_) => None,
            None => {
                let failures = self.failures.load(Ordering::Relaxed) + 1;
                if failures < self.most {
                    self.failures.store(failures, Ordering::Release);
                    return None;
                }
                let pause = FIRST_PAUSE.min(self.longest_pause);
                *state = Some(Outage {
                    since: now,
                    error: error.clone(),
                    pause,
                    next: now + pause,
                    is_probed: false,
                    told: now,
                });
                self.failures.store(OPEN, Ordering::Release);
                Some(Change::Opened { next: pause })
            }
        }
    }

    /// A probe was sent and shows nothing: the next one is not due at once.
    fn no_wiser(&self, now: Instant) {
        if let Some(outage) = &mut *self.outage.lock() {
            outage.is_probed = false;
            outage.next = now + outage.pause;
        }
    }
}

impl Outage {
    /// A probe failed.
    fn again(&mut self, now: Instant, longest_pause: Duration, error: &KmsError) -> Option<Change> {
        self.is_probed = false;
        self.error = error.clone();
        self.pause = (2 * self.pause).min(longest_pause);
        self.next = now + self.pause;
        if now < self.told + REMINDER {
            return None;
        }
        self.told = now;
        Some(Change::StillOpen {
            since: now.saturating_duration_since(self.since),
            next: self.pause,
        })
    }

    fn refusal(&self, now: Instant) -> Refusal {
        Refusal {
            error: Box::new(self.error.clone()),
            since: now.saturating_duration_since(self.since),
            next: (!self.is_probed).then(|| self.next.saturating_duration_since(now)),
        }
    }
}

/// The leave to send one request. A probe that is dropped unsettled, because nobody waited for its end, leaves the
/// next one to another request.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Pass<'_> {
    pub(super) fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Takes note of what the request says of the endpoint. `error` is its failure, if it failed.
    pub(super) fn settle(
        mut self,
        verdict: Verdict,
        error: Option<&KmsError>,
        now: Instant,
    ) -> Option<Change> {
        match (verdict, error) {
            (Verdict::Up, _) => self.breaker.up(now),
            (Verdict::Down, Some(error)) => {
                let was_probe = std::mem::take(&mut self.is_probe);
                self.breaker.down(now, was_probe, error)
            }
            (Verdict::Unknown, _) if std::mem::take(&mut self.is_probe) => {
                self.breaker.no_wiser(now);
                None
            }
            _ => None,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe
            && let Some(outage) = &mut *self.breaker.outage.lock()
        {
            outage.is_probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::kms::KmsErrorKind;

    /// A breaker, and a clock that a test moves.
    struct World {
        breaker: Breaker,
        now: Cell<Instant>,
    }

    impl World {
        fn new(most: u32) -> Self {
            Self {
                breaker: Breaker::new(most, Duration::from_secs(15)),
                now: Cell::new(Instant::now()),
            }
        }

        fn now(&self) -> Instant {
            self.now.get()
        }

        fn wait(&self, millis: u64) {
            self.now.set(self.now() + Duration::from_millis(millis));
        }

        /// A request that ends like this; `None` when it was not sent, else whether it was a probe.
        fn request(&self, verdict: Verdict) -> (Option<bool>, Option<Change>) {
            match self.breaker.admit(self.now()) {
                Err(_) => (None, None),
                Ok(pass) => {
                    let is_probe = pass.is_probe();
                    let change = pass.settle(verdict, Some(&error()), self.now());
                    (Some(is_probe), change)
                }
            }
        }
    }

    fn error() -> KmsError {
        KmsError::local(KmsErrorKind::Network, "Sign", None, "connection refused")
    }

    const ORDINARY: Option<bool> = Some(false);
    const PROBE: Option<bool> = Some(true);
    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn so_many_failures_in_a_row_open_it_and_a_success_between_them_counts_anew() {
        use Verdict::{Down, Unknown, Up};
        let world = World::new(3);
        for verdict in [Down, Down, Up, Down, Unknown, Down] {
            assert_eq!(world.request(verdict), (ORDINARY, None));
        }
        let opened = Some(Change::Opened { next: HALF });
        assert_eq!(world.request(Down), (ORDINARY, opened));
        assert_eq!(world.request(Down), (None, None));
        let refusal = world.breaker.refusal(world.now()).unwrap();
        assert_eq!((refusal.since, refusal.next), (Duration::ZERO, Some(HALF)));
        assert_eq!(refusal.error.message, "connection refused");
    }

    #[test]
    fn probes_come_after_pauses_that_double_up_to_half_of_a_callers_patience() {
        let world = World::new(1);
        world.request(Verdict::Down);
        for millis in [500, 1000, 2000, 4000, 7500, 7500] {
            world.wait(millis - 1);
            assert_eq!(world.request(Verdict::Up), (None, None), "{millis} ms");
            world.wait(1);
            assert_eq!(world.request(Verdict::Down).0, PROBE, "{millis} ms");
        }
        world.wait(7500);
        // 0.5 + 1 + 2 + 4 + 3 × 7.5
        let after = Duration::from_secs(30);
        let closed = Some(Change::Closed { after });
        assert_eq!(world.request(Verdict::Up), (PROBE, closed));
        // As if nothing had been.
        assert_eq!(world.request(Verdict::Up), (ORDINARY, None));
        let opened = Some(Change::Opened { next: HALF });
        assert_eq!(world.request(Verdict::Down), (ORDINARY, opened));
    }

    #[test]
    fn one_probe_is_under_way_at_a_time_and_one_that_hangs_holds_up_nobody() {
        let world = World::new(1);
        world.request(Verdict::Down);
        world.wait(500);
        let probe = world.breaker.admit(world.now()).unwrap();
        for _ in 0..3 {
            world.wait(3000);
            let refusal = world.breaker.admit(world.now()).unwrap_err();
            assert_eq!(refusal.next, None, "another one is under way");
        }
        drop(probe);
        assert_eq!(world.request(Verdict::Unsent), (PROBE, None));
        assert_eq!(world.request(Verdict::Up).0, PROBE, "nobody knew more");
    }

    #[test]
    fn a_probe_that_shows_nothing_is_followed_by_another_after_the_same_pause() {
        let world = World::new(1);
        world.request(Verdict::Down);
        for _ in 0..3 {
            world.wait(499);
            assert_eq!(world.request(Verdict::Up), (None, None));
            world.wait(1);
            assert_eq!(world.request(Verdict::Unknown), (PROBE, None));
        }
        assert_eq!(world.request(Verdict::Unknown), (None, None));
    }

    #[test]
    fn what_was_sent_before_it_opened_closes_it_and_does_not_prolong_it() {
        let world = World::new(1);
        let early = [(); 3].map(|()| world.breaker.admit(world.now()).unwrap());
        world.request(Verdict::Down);
        let [first, second, third] = early;
        world.wait(400);
        let late = first.settle(Verdict::Down, Some(&error()), world.now());
        assert_eq!(late, None);
        drop(second);
        let refusal = world.breaker.refusal(world.now()).unwrap();
        assert_eq!(refusal.next, Some(Duration::from_millis(100)));
        let after = Duration::from_millis(400);
        let closed = third.settle(Verdict::Up, None, world.now());
        assert_eq!(closed, Some(Change::Closed { after }));
    }

    #[test]
    fn the_log_is_reminded_once_a_minute() {
        let world = World::new(1);
        world.request(Verdict::Down);
        let mut told = Vec::new();
        for second in 1..=150 {
            world.wait(1000);
            if world.request(Verdict::Down).1.is_some() {
                told.push(second);
            }
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0] >= 60 && told[1] >= told[0] + 60, "{told:?}");
    }

    #[test]
    fn of_threads_that_come_together_one_probes() {
        use std::sync::Barrier;
        use std::thread;

        const THREADS: usize = 8;
        let world = World::new(1);
        world.request(Verdict::Down);
        world.wait(500);
        let (breaker, now) = (&world.breaker, world.now());
        let together = &Barrier::new(THREADS);
        let passes = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(move || {
                        together.wait();
                        breaker.admit(now)
                    })
                })
                .collect();
            let passes = threads.into_iter().map(|thread| thread.join().unwrap());
            passes.collect::<Vec<_>>()
        });
        let probes = passes.iter().flatten().filter(|pass| pass.is_probe());
        assert_eq!(probes.count(), 1);
        assert_eq!(passes.iter().filter(|pass| pass.is_err()).count(), 7);
    }
}
