//! The hard bound: no second, wherever it begins, in which KMS sees more requests than the rate.
//!
//! A plan of turns does not hold it. A process that gets no processor for a while, or whose packets are
//! held up, sends at once what was planned for a long time. So a request needs one of as many places as
//! requests are allowed in a second, and has it from before it is sent until a second after its answer.
//! KMS counts it somewhere in between: two that KMS counts within one second have different places,
//! however slow this machine and the way to KMS are.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Mutex as Gate, Notify};
use tokio::time::{Instant, sleep_until};

/// What a rate counts in.
const SECOND: Duration = Duration::from_secs(1);

/// The places of one quota.
#[derive(Debug)]
pub(super) struct Window {
    /// Whoever waits for a place holds it; the others line up behind in the order of arrival.
    gate: Gate<()>,
    /// A request has ended.
    ended: Notify,
    places: Mutex<Places>,
}

impl Window {
    pub(super) fn new(most: u32) -> Self {
        Self {
            gate: Gate::default(),
            ended: Notify::new(),
            places: Mutex::new(Places::new(most)),
        }
    }

    /// Waits for a place.
    pub(super) async fn enter(&self) -> Place<'_> {
        let _first = self.gate.lock().await;
        loop {
            let entered = self.places.lock().enter(Instant::now());
            match entered {
                Ok(()) => return Place(self),
                Err(Some(free)) => sleep_until(free).await,
                Err(None) => self.ended.notified().await,
            }
        }
    }

    /// Takes note that a request which has a place is sent once more.
    pub(super) fn repeat(&self) {
        self.places.lock().repeat(Instant::now());
    }
}

/// The place of a request. It is given up when the request is over, answered or not, and free a second later.
#[derive(Debug)]
pub(super) struct Place<'a>(&'a Window);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.places.lock().leave(Instant::now());
        self.0.ended.notify_one();
    }
}

#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    under_way: usize,
    /// When places were given up that are not free yet; the earliest first.
    left: VecDeque<Instant>,
}

impl Places {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: most.max(1) as usize,
            under_way: 0,
            left: VecDeque::new(),
        }
    }

    /// Takes a place, or tells when the next one will be free: `None`, after a request that has not ended.
    pub(super) fn enter(&mut self, now: Instant) -> Result<(), Option<Instant>> {
        while self.left.front().is_some_and(|left| *left + SECOND <= now) {
            self.left.pop_front();
        }
        if self.under_way + self.left.len() < self.most {
            self.under_way += 1;
            return Ok(());
        }
        Err(self.left.front().map(|left| *left + SECOND))
    }

    pub(super) fn leave(&mut self, now: Instant) {
        self.under_way -= 1;
        self.left.push_back(now);
    }

    /// The attempt before has ended; the next one keeps the place. It does not wait for a second one,
    /// but those that come later do.
    fn repeat(&mut self, now: Instant) {
        self.left.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::runtime;

    use super::*;

    #[test]
    fn a_place_is_free_a_second_after_its_request_has_ended() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut places = Places::new(2);
        assert_eq!(places.enter(begin), Ok(()));
        assert_eq!(places.enter(begin), Ok(()));
        assert_eq!(places.enter(after(5000)), Err(None), "neither has ended");
        places.leave(after(5000));
        places.leave(after(5400));
        assert_eq!(places.enter(after(5999)), Err(Some(after(6000))));
        assert_eq!(places.enter(after(6000)), Ok(()));
        assert_eq!(places.enter(after(6001)), Err(Some(after(6400))));
    }

    #[test]
    fn each_attempt_at_a_request_counts() {
        let begin = Instant::now();
        let mut places = Places::new(3);
        assert_eq!(places.enter(begin), Ok(()));
        places.repeat(begin);
        places.repeat(begin);
        assert_eq!(places.enter(begin), Err(Some(begin + SECOND)));
        assert_eq!(places.enter(begin + SECOND), Ok(()));
    }

    #[test]
    fn those_who_wait_are_let_in_one_after_the_other_whether_or_not_a_request_is_under_way() {
        let runtime = runtime::Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let window = Arc::new(Window::new(1));
            let begin = Instant::now();
            let first = window.enter().await;
            let waiting: Vec<_> = (0..2)
                .map(|_| {
                    let window = Arc::clone(&window);
                    tokio::spawn(async move {
                        drop(window.enter().await);
                        Instant::now()
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            drop(first);
            for (seconds, waiting) in (1..).zip(waiting) {
                assert!(waiting.await.unwrap() >= begin + seconds * SECOND);
            }
        });
    }
}
