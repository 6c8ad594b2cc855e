//! Keeps a token's requests within the quotas of KMS.
//!
//! Each quota has a queue. A request reserves its turn when it comes, and waits until then: whoever
//! came first goes first, whatever thread of the host it is for, and no two wake for the same turn.
//! Turns are given for at most so many requests a second; requests that come slower do not wait.
//!
//! When KMS throttles in spite of that, because others use the same quota, the whole queue pauses, and
//! goes on at half the rate: the requests that were throttled line up in it with the others instead
//! of coming back together. With every second without throttling the rate doubles, up to what it was.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::quota::{Call, QUOTAS, Quota};
use crate::config::Rates;
use crate::kms::{KmsError, KmsErrorKind};

/// Half of the pause after the first throttling; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(50);
/// How often rate and pause are halved and doubled: down to a sixteenth, up to 0.8 s.
const SLOWEST: u32 = 4;
/// For so long nothing may be throttled until the rate is raised.
const CALM: Duration = Duration::from_secs(1);

/// The queues of a token.
#[derive(Debug)]
pub(super) struct Limiter {
    token: String,
    queues: [Queue; QUOTAS],
}

impl Limiter {
    pub(super) fn new(token: String, rates: Rates) -> Self {
        Self {
            token,
            queues: Quota::all(rates).map(|(quota, name, rate)| Queue::new(quota, name, rate)),
        }
    }

    /// Waits until a request of this call may be sent.
    ///
    /// [`KmsErrorKind::Throttled`], at once, when that is after the deadline.
    pub(super) async fn turn(&self, call: Call, deadline: Instant) -> Result<(), KmsError> {
        let Some((quota, queue)) = self.queue(call) else {
            return Ok(());
        };
        let now = Instant::now();
        let turn = queue.reserve(now, deadline).map_err(|rate| {
            let message = format!(
                "more requests wait already than the token sends before the deadline, {rate} of {} a second",
                queue.name
            );
            KmsError::local(KmsErrorKind::Throttled, call.operation, None, message)
        })?;
        if turn.is_first_to_wait && quota.is_of_use() {
            tracing::warn!(
                "token {}: requests wait for their turn: more than {} of {} a second are asked for; raise \
                 rates in the configuration where the account's quota is higher",
                self.token,
                queue.rate,
                queue.name
            );
        }
        if turn.at > now {
            sleep_until(turn.at).await;
        }
        Ok(())
    }

    /// Takes note that KMS throttled a request of this call, and answers when it may be repeated.
    pub(super) fn throttled(&self, call: Call) -> Option<Duration> {
        let (_, queue) = self.queue(call)?;
        let Retreat { wait, slowed_to } = queue.retreat(Instant::now());
        if let Some(rate) = slowed_to {
            let Counts {
                requests,
                waited,
                throttled,
            } = queue.counts();
            tracing::warn!(
                "token {}: KMS throttles; at most {rate} of {} a second are sent now (so far {requests} \
                 requests, of which {waited} waited, and {throttled} answers that throttle)",
                self.token,
                queue.name,
            );
        }
        Some(wait)
    }

    fn queue(&self, call: Call) -> Option<(Quota, &Queue)> {
        let quota = call.quota?;
        Some((quota, self.queues.get(quota as usize)?))
    }

    /// Leaves in the log what was sent.
    pub(super) fn log_counts(&self) {
        for queue in &self.queues {
            let Counts {
                requests,
                waited,
                throttled,
            } = queue.counts();
            if requests > 0 {
                tracing::info!(
                    "token {}: {requests} requests of {}, {waited} of them waited for their turn, {throttled} \
                     answers throttled",
                    self.token,
                    queue.name
                );
            }
        }
    }
}

#[derive(Debug)]
struct Queue {
    name: &'static str,
    /// Requests a second.
    rate: u32,
    /// Between two requests that are sent steadily.
    interval: Duration,
    /// How far ahead of that requests may be, so that a few at a time do not wait.
    slack: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next request is due at the rate; it may be sent `slack` before that.
    due: Instant,
    /// How often the rate is halved now.
    slowed: u32,
    /// When that was changed last.
    changed: Instant,
    /// Until then throttling is the echo of what was noted already.
    paused_until: Instant,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    waited: u64,
    throttled: u64,
}

struct Turn {
    at: Instant,
    is_first_to_wait: bool,
}

struct Retreat {
    /// Until the throttled request may be repeated.
    wait: Duration,
    /// The new rate, where it was changed.
    slowed_to: Option<u32>,
}

impl Queue {
    fn new(quota: Quota, name: &'static str, rate: u32) -> Self {
        let now = Instant::now();
        let (burst, steady) = quota.burst_and_steady(rate);
        let interval = Duration::from_secs(1) / steady.max(1);
        Self {
            name,
            rate,
            interval,
            slack: interval * burst.saturating_sub(1),
            state: Mutex::new(State {
                due: now,
                slowed: 0,
                changed: now,
                paused_until: now,
                counts: Counts::default(),
            }),
        }
    }

    /// The turn of a request that comes now. One whose turn would be after the deadline gets none;
    /// it is told the rate.
    fn reserve(&self, now: Instant, deadline: Instant) -> Result<Turn, u32> {
        let mut state = self.state.lock();
        state.recover(now);
        let at = state.next(now, self.slack);
        if at > deadline {
            return Err(self.rate >> state.slowed);
        }
        state.take(now, self.interval);
        let waits = at > now;
        let is_first_to_wait = waits && state.counts.waited == 0 && state.slowed == 0;
        state.counts.requests += 1;
        state.counts.waited += u64::from(waits);
        Ok(Turn {
            at,
            is_first_to_wait,
        })
    }

    fn retreat(&self, now: Instant) -> Retreat {
        let mut state = self.state.lock();
        state.counts.throttled += 1;
        let mut slowed_to = None;
        if now >= state.paused_until {
            if state.slowed < SLOWEST {
                state.slowed += 1;
                slowed_to = Some((self.rate >> state.slowed).max(1));
            }
            state.changed = now;
            // Shortened by up to a half, so that hosts which were throttled together do not come back
            // together.
            let pause = PAUSE * (1 << state.slowed);
            let pause = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
            state.paused_until = now + pause;
            state.due = state.due.max(state.paused_until + self.slack);
        }
        let at = state.next(now, self.slack);
        state.take(now, self.interval);
        Retreat {
            wait: at.saturating_duration_since(now),
            slowed_to,
        }
    }

    fn counts(&self) -> Counts {
        self.state.lock().counts
    }
}

impl State {
    /// Doubles the rate for every second that passed without throttling.
    fn recover(&mut self, now: Instant) {
        while self.slowed > 0 && now.duration_since(self.changed) >= CALM {
            self.slowed -= 1;
            self.changed += CALM;
        }
    }

    /// When the next request may be sent: now, or later.
    fn next(&self, now: Instant, slack: Duration) -> Instant {
        self.due.checked_sub(slack).map_or(now, |at| at.max(now))
    }

    /// Gives away the next turn.
    fn take(&mut self, now: Instant, interval: Duration) {
        self.due = self.due.max(now) + interval * (1 << self.slowed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_hours(1);

    /// After how long each of so many requests that come now may be sent.
    fn turns(queue: &Queue, now: Instant, requests: u32) -> Vec<Duration> {
        let turn = |_| queue.reserve(now, now + FAR).unwrap().at - now;
        (0..requests).map(turn).collect()
    }

    #[test]
    fn requests_below_the_rate_do_not_wait() {
        let queue = Queue::new(Quota::Ecc, "ecc", 1000);
        let begin = Instant::now();
        for n in 0..5000 {
            let now = begin + Duration::from_micros(1100) * n;
            assert_eq!(turns(&queue, now, 1), [Duration::ZERO]);
        }
        let counts = Counts {
            requests: 5000,
            ..Counts::default()
        };
        assert_eq!(queue.counts(), counts);
    }

    #[test]
    fn no_second_has_more_than_its_burst_and_its_rate_and_turns_are_in_the_order_of_arrival() {
        for (quota, rate, burst, steady) in [
            (Quota::Ecc, 1000, 50, 950),
            (Quota::ListKeys, 250, 125, 250),
            (Quota::CreateKey, 5, 5, 5),
            (Quota::Rsa, 1, 1, 1),
        ] {
            let queue = Queue::new(quota, "ecc", rate);
            let waits = turns(&queue, Instant::now(), 5 * rate);
            assert!(waits.is_sorted(), "{rate}: {waits:?}");
            let at_once = waits.iter().filter(|wait| wait.is_zero()).count();
            assert_eq!(at_once, burst as usize, "{rate}");
            for first in &waits {
                let second = *first..*first + Duration::from_secs(1);
                let sent = waits.iter().filter(|wait| second.contains(*wait)).count();
                assert!(sent <= (burst + steady) as usize, "{rate}: {sent}");
            }
            let last = waits.last().unwrap().as_secs_f64();
            let expected = f64::from(5 * rate - burst) / f64::from(steady);
            assert!((last - expected).abs() < 0.01, "{rate}: {last}");
        }
    }

    #[test]
    fn a_turn_after_the_deadline_is_not_given_and_not_taken_from_others() {
        let queue = Queue::new(Quota::CreateKey, "CreateKey", 5);
        let now = Instant::now();
        turns(&queue, now, 5);
        let soon = now + Duration::from_millis(100);
        for _ in 0..10 {
            assert!(queue.reserve(now, soon).is_err());
        }
        assert_eq!(turns(&queue, now, 1), [Duration::from_millis(200)]);
    }

    #[test]
    fn what_is_throttled_together_pauses_once_and_comes_back_one_after_the_other() {
        let queue = Queue::new(Quota::Ecc, "ecc", 1000);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..64).map(|_| queue.retreat(now).wait).collect();
        assert!(waits[0] >= PAUSE && waits[0] <= 2 * PAUSE, "{waits:?}");
        for (n, wait) in (0..).zip(&waits) {
            assert_eq!(*wait, waits[0] + 2 * queue.interval * n);
        }
        assert_eq!(queue.counts().throttled, 64);
        // Those that were not throttled come after them.
        assert!(turns(&queue, now, 1)[0] > waits[63]);
    }

    #[test]
    fn each_throttling_halves_the_rate_down_to_a_sixteenth_and_each_calm_second_doubles_it() {
        let queue = Queue::new(Quota::Ecc, "ecc", 1000);
        let mut now = Instant::now();
        let mut rates = Vec::new();
        for _ in 0..6 {
            rates.push(queue.retreat(now).slowed_to);
            now += Duration::from_millis(900);
        }
        let expected = [Some(500), Some(250), Some(125), Some(62), None, None];
        assert_eq!(rates, expected);
        for factor in [8, 4, 2, 1, 1] {
            now += CALM;
            let waits = turns(&queue, now, 300);
            assert_eq!(waits[299], waits[298] + queue.interval * factor);
        }
    }
}
