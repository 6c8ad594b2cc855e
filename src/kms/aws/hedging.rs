//! A second request where the first one takes long, and how many of them there may be.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

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
    /// How often in a row the second request won.
    losses: AtomicU32,
}

impl Hedging {
    pub(super) fn new(after: Duration) -> Self {
        Self {
            after,
            credit: AtomicU32::new(RESERVE * SHARE),
            losses: AtomicU32::new(0),
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

    /// Takes note of who won; true when the first request's region has lost too often to be asked first.
    pub(super) fn won(&self, second: bool) -> bool {
        if !second {
            self.losses.store(0, Ordering::Relaxed);
            return false;
        }
        self.losses.fetch_add(1, Ordering::Relaxed) + 1 >= LOSSES
    }
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

    #[test]
    fn a_region_that_loses_three_times_in_a_row_is_asked_first_no_more() {
        let hedging = Hedging::new(Duration::from_millis(200));
        let lost = [true, true, false, true, true, true].map(|second| hedging.won(second));
        assert_eq!(lost, [false, false, false, false, false, true]);
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
