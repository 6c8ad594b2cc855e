//! A second request where the first one takes long, how many of them there may be, and what becomes of a region that
//! is slower than others.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::{Breaker, Change, Pass, Verdict};
use crate::kms::{KmsError, KmsErrorKind};

/// Of so many requests one may be hedged.
const SHARE: u32 = 10;
/// So many may be hedged beyond that, so that those who ask seldom can hedge at all.
const RESERVE: u32 = 10;
/// So often in a row the second request has to win until the first one's region is left alone.
const LOSSES: u32 = 3;

/// When requests of a token are hedged.
#[derive(Debug)]
pub(super) struct Hedging {
    /// How long an answer is waited for before the second request is sent.
    pub(super) after: Duration,
    /// What is left to spend: a hedge costs [`SHARE`], a request earns 1.
    credit: AtomicU32,
}

impl Hedging {
    pub(super) fn new(after: Duration) -> Self {
        Self {
            after,
            credit: AtomicU32::new(RESERVE * SHARE),
        }
    }

    /// Takes note of a request.
    pub(super) fn earn(&self) {
        let more = |credit: u32| (credit < RESERVE * SHARE).then_some(credit + 1);
        // Full: nothing is to be changed.
        let _ = self
            .credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Whether one more request may be hedged.
    pub(super) fn spend(&self) -> bool {
        let less = |credit: u32| credit.checked_sub(SHARE);
        self.credit
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// Whether a region keeps up with the others, where requests are hedged.
#[derive(Debug)]
pub(super) struct Pace {
    /// A region that was too slow is used as before when it answers within this time.
    after: Duration,
    /// How often in a row another region was first.
    losses: AtomicU32,
    breaker: Breaker,
}

impl Pace {
    pub(super) fn new(after: Duration, patience: Duration) -> Self {
        Self {
            after,
            losses: AtomicU32::new(0),
            breaker: Breaker::new(1, patience),
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.breaker.is_closed()
    }

    /// Whether the region is slow, and a look at it is due.
    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        !self.is_good() && self.breaker.refusal(now).is_none()
    }

    /// Lets a request pass as such a look, if one is due.
    pub(super) fn probe(&self, now: Instant) -> Option<Pass<'_>> {
        self.breaker.admit(now).ok().filter(Pass::is_probe)
    }

    /// Takes note that the region was first.
    pub(super) fn won(&self) {
        self.losses.store(0, Ordering::Relaxed);
    }

    /// Takes note that another region was first.
    pub(super) fn lost(&self, now: Instant) -> Option<Change> {
        if self.losses.fetch_add(1, Ordering::Relaxed) + 1 < LOSSES {
            return None;
        }
        self.losses.store(0, Ordering::Relaxed);
        self.breaker
            .pass_by()
            .settle(Verdict::Down, Some(&slow()), now)
    }

    /// Takes note that the region did what it was asked for, and how long that took; or that it did not.
    pub(super) fn answered(
        &self,
        probe: Option<Pass<'_>>,
        took: Option<Duration>,
        now: Instant,
    ) -> Option<Change> {
        let verdict = match took {
            Some(took) if took <= self.after => Verdict::Up,
            // Whether a region is slow is for other regions to show; that it is so still, for looks at it.
            Some(_) if probe.is_some() => Verdict::Down,
            _ => Verdict::Unknown,
        };
        let pass = probe.unwrap_or_else(|| self.breaker.pass_by());
        pass.settle(verdict, Some(&slow()), now)
    }
}

fn slow() -> KmsError {
    let message = "other regions answer first";
    KmsError::local(KmsErrorKind::Timeout, "hedging", None, message)
}

/// Of two answers, the first one that `is_good`; without one, both.
pub(super) async fn race<T>(
    first: impl Future<Output = T>,
    second: impl Future<Output = T>,
    is_good: impl Fn(&T) -> bool,
) -> Won<T> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut answers = (None, None);
    poll_fn(|context| {
        if answers.0.is_none()
            && let Poll::Ready(answer) = first.as_mut().poll(context)
        {
            if is_good(&answer) {
                return Poll::Ready(Won::First(answer));
            }
            answers.0 = Some(answer);
        }
        if answers.1.is_none()
            && let Poll::Ready(answer) = second.as_mut().poll(context)
        {
            if is_good(&answer) {
                return Poll::Ready(Won::Second(answer));
            }
            answers.1 = Some(answer);
        }
        match (answers.0.take(), answers.1.take()) {
            (Some(first), Some(second)) => Poll::Ready(Won::Neither(first, second)),
            rest => {
                answers = rest;
                Poll::Pending
            }
        }
    })
    .await
}

/// How a race ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Won<T> {
    First(T),
    Second(T),
    Neither(T, T),
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn ended<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(work)
    }

    #[test]
    fn at_most_one_in_ten_is_hedged_beyond_the_reserve() {
        let hedging = Hedging::new(Duration::from_millis(200));
        let hedged = (0..RESERVE + 5).filter(|_| hedging.spend()).count();
        assert_eq!(hedged, RESERVE as usize);
        let hedged = (0..1000).filter(|_| {
            hedging.earn();
            hedging.spend()
        });
        assert_eq!(hedged.count(), 100);
        (0..1000).for_each(|_| hedging.earn());
        let hedged = (0..1000).filter(|_| hedging.spend()).count();
        assert_eq!(hedged, RESERVE as usize, "the reserve does not grow");
    }

    const AFTER: Duration = Duration::from_millis(200);
    const SLOW: Duration = Duration::from_millis(300);

    fn pace() -> Pace {
        Pace::new(AFTER, Duration::from_secs(15))
    }

    #[test]
    fn a_region_that_loses_three_times_in_a_row_is_slow() {
        let (pace, now) = (pace(), Instant::now());
        assert_eq!((pace.lost(now), pace.lost(now)), (None, None));
        pace.won();
        assert_eq!((pace.lost(now), pace.lost(now)), (None, None));
        assert!(pace.is_good());
        assert!(matches!(pace.lost(now), Some(Change::Opened { .. })));
        assert!(!pace.is_good());
        // One that was slow and is not any more has to lose as often again.
        assert!(pace.answered(None, Some(AFTER), now).is_some());
        assert_eq!((pace.lost(now), pace.lost(now)), (None, None));
        assert!(pace.is_good());
    }

    #[test]
    fn it_is_slow_until_it_answers_in_time_and_looked_at_ever_more_seldom() {
        let (pace, begin) = (pace(), Instant::now());
        let mut now = begin;
        let opened = [(); 3].map(|()| pace.lost(now))[2];
        assert!(matches!(opened, Some(Change::Opened { .. })));
        for millis in [500, 1000, 2000, 4000, 7500, 7500] {
            now += Duration::from_millis(millis - 1);
            assert!(!pace.wants_probe(now), "{millis}");
            now += Duration::from_millis(1);
            assert!(pace.wants_probe(now), "{millis}");
            let probe = pace.probe(now);
            assert!(probe.is_some() && pace.probe(now).is_none());
            assert_eq!(pace.answered(probe, Some(SLOW), now), None);
            // Neither does what was asked of it before.
            assert_eq!(pace.answered(None, Some(SLOW), now), None);
            assert!(!pace.is_good());
        }
        // One that fails shows nothing of its pace.
        now += Duration::from_millis(7500);
        assert_eq!(pace.answered(pace.probe(now), None, now), None);
        now += Duration::from_millis(7499);
        assert!(!pace.wants_probe(now));
        now += Duration::from_millis(1);
        let closed = pace.answered(pace.probe(now), Some(AFTER), now);
        let after = now - begin;
        assert_eq!(closed, Some(Change::Closed { after }));
        assert!(pace.is_good());
    }

    #[test]
    fn the_first_good_answer_wins_and_a_bad_one_waits_for_the_other() {
        let good = |answer: &i32| *answer > 0;
        assert_eq!(ended(race(ready(1), ready(2), good)), Won::First(1));
        assert_eq!(ended(race(ready(-1), ready(2), good)), Won::Second(2));
        assert_eq!(ended(race(pending(), ready(2), good)), Won::Second(2));
        assert_eq!(ended(race(ready(1), pending(), good)), Won::First(1));
        let later = async {
            tokio::task::yield_now().await;
            3
        };
        assert_eq!(ended(race(later, ready(-2), good)), Won::First(3));
        let neither = ended(race(ready(-1), ready(-2), good));
        assert_eq!(neither, Won::Neither(-1, -2));
    }
}
