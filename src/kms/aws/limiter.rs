//! Keeps a token's requests within the quotas of KMS.
//!
//! Each quota has a queue. A request reserves its turn when it comes, and waits until then: whoever
//! came first goes first, whatever thread of the host it is for, and no two wake for the same turn.
//! Turns are given for at most so many requests a second; requests that come slower do not wait. A turn
//! says when a request may be sent, not when that happens: [`Window`] sees to what KMS counts.
//!
//! When KMS throttles in spite of that, because others use the same quota, the whole queue pauses, and
//! goes on at half the rate: the requests that were throttled line up in it with the others instead
//! of coming back together. With every second without throttling the rate doubles, up to what it was.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::quota::{Call, Line, QUOTAS, Quota};
use super::window::{Place, Window};
use crate::config::Rates;
use crate::kms::{KmsError, KmsErrorKind};

/// Half of the pause after the first throttling; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(50);
/// How often rate and pause are halved and doubled: down to a sixteenth, up to 0.8 s.
const SLOWEST: u32 = 4;
/// For so long nothing may be throttled until the rate is raised.
const CALM: Duration = Duration::from_secs(1);
/// Requests that are held back for less are nobody's concern.
const LONG: Duration = Duration::from_secs(1);
/// How often the log tells of those that are held back for longer.
const REMINDER: Duration = Duration::from_mins(1);

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
            queues: Quota::all(rates).map(Queue::new),
        }
    }

    /// Waits until a request of this call may be sent. What it answers is to be kept until the request is over.
    ///
    /// [`KmsErrorKind::Throttled`] when that is after the deadline: at once, where it can be foreseen.
    pub(super) async fn turn(
        &self,
        call: Call,
        deadline: Instant,
    ) -> Result<Option<Place<'_>>, KmsError> {
        let Some(queue) = self.queue(call) else {
            return Ok(None);
        };
        let now = Instant::now();
        let late = |rate: u32| {
            let message = format!(
                "more requests wait already than the token sends before the deadline, {rate} of {} a second",
                queue.name
            );
            KmsError::local(KmsErrorKind::Throttled, call.operation, None, message)
        };
        let turn = queue.reserve(now, deadline).map_err(late)?;
        self.tell_of_waiting(queue, now, turn);
        if turn > now {
            sleep_until(turn).await;
        }
        // A process that stood still until now has not been held back.
        let now = Instant::now();
        let place = timeout_at(deadline, queue.window.enter()).await;
        let place = place.map_err(|_| late(queue.rate))?;
        self.tell_of_waiting(queue, now, Instant::now());
        Ok(Some(place))
    }

    /// Takes note that the SDK sends a request of this call once more.
    pub(super) fn repeated(&self, call: Call) {
        if let Some(queue) = self.queue(call) {
            queue.window.repeat();
        }
    }

    /// Leaves in the log that a request is held back from `now` until `sent`, if that is long and news.
    fn tell_of_waiting(&self, queue: &Queue, now: Instant, sent: Instant) {
        if !queue.is_news(now, sent) {
            return;
        }
        let advice = queue.setting.map_or_else(
            || "which KMS admits and no setting raises".to_owned(),
            |setting| format!("raise `{setting}` of the token's configuration if the account's quota of KMS is higher"),
        );
        tracing::warn!(
            "token {}: requests are held back for more than {} s: more than {} of {} a second are asked \
             for; {advice}",
            self.token,
            LONG.as_secs(),
            queue.rate,
            queue.name
        );
    }

    /// Takes note that KMS throttled a request of this call, and answers when it may be repeated, which gives away a
    /// turn if it `comes_back`.
    pub(super) fn throttled(&self, call: Call, comes_back: bool) -> Option<Duration> {
        let queue = self.queue(call)?;
        let Retreat { wait, slowed_to } = queue.retreat(Instant::now(), comes_back);
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

    fn queue(&self, call: Call) -> Option<&Queue> {
        self.queues.get(call.quota? as usize)
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
    /// What to raise in the configuration.
    setting: Option<&'static str>,
    /// Requests a second.
    rate: u32,
    /// Between two requests that are sent steadily.
    interval: Duration,
    /// How far ahead of that requests may be, so that a few at a time do not wait.
    slack: Duration,
    state: Mutex<State>,
    window: Window,
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
    /// When the log told last that requests are held back.
    told: Option<Instant>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    requests: u64,
    waited: u64,
    throttled: u64,
}

struct Retreat {
    /// Until the throttled request may be repeated.
    wait: Duration,
    /// The new rate, where it was changed.
    slowed_to: Option<u32>,
}

impl Queue {
    fn new(line: Line) -> Self {
        let Line {
            quota,
            name,
            setting,
            rate,
        } = line;
        let now = Instant::now();
        let (burst, steady) = quota.burst_and_steady(rate);
        let interval = Duration::from_secs(1) / steady.max(1);
        Self {
            name,
            setting,
            rate,
            interval,
            slack: interval * burst.saturating_sub(1),
            state: Mutex::new(State {
                due: now,
                slowed: 0,
                changed: now,
                paused_until: now,
                told: None,
                counts: Counts::default(),
            }),
            window: Window::new(rate),
        }
    }

    /// The turn of a request that comes now. One whose turn would be after the deadline gets none;
    /// it is told the rate.
    fn reserve(&self, now: Instant, deadline: Instant) -> Result<Instant, u32> {
        let mut state = self.state.lock();
        state.recover(now);
        let at = state.next(now, self.slack);
        if at > deadline {
            return Err(self.rate >> state.slowed);
        }
        state.take(now, self.interval);
        let waits = at > now;
        state.counts.requests += 1;
        state.counts.waited += u64::from(waits);
        Ok(at)
    }

    /// Whether the log should tell of a request that is held back from `now` until `sent`. Of what waits
    /// because KMS throttles, other lines tell.
    fn is_news(&self, now: Instant, sent: Instant) -> bool {
        if sent.saturating_duration_since(now) < LONG {
            return false;
        }
        let mut state = self.state.lock();
        let is_told = state.told.is_some_and(|told| now < told + REMINDER);
        if is_told || state.slowed > 0 {
            return false;
        }
        state.told = Some(now);
        true
    }

    fn retreat(&self, now: Instant, comes_back: bool) -> Retreat {
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
        if comes_back {
            state.take(now, self.interval);
        }
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
    use super::super::window::Places;
    use super::*;

    const FAR: Duration = Duration::from_hours(1);

    fn queue(quota: Quota, rate: u32) -> Queue {
        Queue::new(Line {
            quota,
            name: "ecc",
            setting: Some("rates.ecc"),
            rate,
        })
    }

    /// After how long each of so many requests that come now may be sent.
    fn turns(queue: &Queue, now: Instant, requests: u32) -> Vec<Duration> {
        let turn = |_| queue.reserve(now, now + FAR).unwrap() - now;
        (0..requests).map(turn).collect()
    }

    #[test]
    fn requests_below_the_rate_do_not_wait() {
        let queue = queue(Quota::Ecc, 1000);
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
            let queue = queue(quota, rate);
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
        let queue = queue(Quota::CreateKey, 5);
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
        let queue = queue(Quota::Ecc, 1000);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..64).map(|_| queue.retreat(now, true).wait).collect();
        assert!(waits[0] >= PAUSE && waits[0] <= 2 * PAUSE, "{waits:?}");
        for (n, wait) in (0..).zip(&waits) {
            assert_eq!(*wait, waits[0] + 2 * queue.interval * n);
        }
        assert_eq!(queue.counts().throttled, 64);
        // Those that were not throttled come after them.
        assert!(turns(&queue, now, 1)[0] > waits[63]);
    }

    #[test]
    fn what_is_throttled_and_given_up_leaves_its_turn_to_others() {
        let queue = queue(Quota::Ecc, 1000);
        let now = Instant::now();
        let waits: Vec<Duration> = (0..64).map(|_| queue.retreat(now, false).wait).collect();
        assert_eq!(waits, [waits[0]; 64]);
        assert_eq!(turns(&queue, now, 1), [waits[0]]);
    }

    #[test]
    fn each_throttling_halves_the_rate_down_to_a_sixteenth_and_each_calm_second_doubles_it() {
        let queue = queue(Quota::Ecc, 1000);
        let mut now = Instant::now();
        let mut rates = Vec::new();
        for _ in 0..6 {
            rates.push(queue.retreat(now, true).slowed_to);
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

    #[test]
    fn requests_that_are_held_back_for_a_second_are_told_of_once_a_minute() {
        let queue = queue(Quota::Ecc, 1);
        let begin = Instant::now();
        let is_news = |seconds: u64, wait: Duration| {
            let now = begin + Duration::from_secs(seconds);
            queue.is_news(now, now + wait)
        };
        assert!(!is_news(0, Duration::from_millis(999)));
        assert!(is_news(1, LONG));
        assert!(!is_news(2, LONG));
        assert!(!is_news(60, 10 * LONG));
        assert!(is_news(61, LONG));
        queue.retreat(begin + Duration::from_mins(3), true);
        assert!(!is_news(180, LONG), "KMS throttles, which is told of");
    }

    /// Threads that send request after request, from a process that runs at moments alone.
    struct Machine {
        threads: usize,
        /// How long it stands still at most.
        stall: Duration,
        /// How long a request, and an answer, is under way at most.
        way: Duration,
        places: Places,
    }

    /// How KMS sees it, since the start.
    struct Seen {
        /// When each request arrived.
        at: Vec<Duration>,
        /// How many were of each thread.
        shares: Vec<u32>,
    }

    impl Machine {
        fn run(mut self, queue: &Queue, time: Duration) -> Seen {
            let mut dice = fastrand::Rng::with_seed(7);
            let mut up_to = |most: Duration| most.mul_f64(dice.f64());
            let begin = Instant::now();
            let mut now = begin;
            let mut seen = Seen {
                at: Vec::new(),
                shares: vec![0; self.threads],
            };
            let mut idle: Vec<usize> = (0..self.threads).collect();
            let mut planned = Vec::new();
            let mut sent: Vec<(Instant, usize)> = Vec::new();
            while now < begin + time {
                sent.retain(|(answered, thread)| {
                    let is_under_way = *answered > now;
                    if !is_under_way {
                        self.places.leave(now);
                        idle.push(*thread);
                    }
                    is_under_way
                });
                for thread in idle.drain(..) {
                    planned.push((queue.reserve(now, now + FAR).unwrap(), thread));
                }
                while let Some((turn, thread)) = planned.first().copied()
                    && turn <= now
                    && self.places.enter(now).is_ok()
                {
                    planned.remove(0);
                    let arrived = now + up_to(self.way);
                    seen.at.push(arrived - begin);
                    seen.shares[thread] += 1;
                    sent.push((arrived + up_to(self.way), thread));
                }
                now += Duration::from_millis(1) + up_to(self.stall);
            }
            seen.at.sort_unstable();
            seen
        }
    }

    impl Seen {
        /// The most requests in a second, wherever it begins.
        fn most(&self) -> usize {
            let second = |first: usize| {
                let end = self.at[first] + Duration::from_secs(1);
                self.at.partition_point(|at| *at < end) - first
            };
            (0..self.at.len()).map(second).max().unwrap()
        }
    }

    const RATES: [(Quota, u32, usize); 5] = [
        (Quota::Ecc, 1000, 64),
        (Quota::Ecc, 60, 16),
        (Quota::ListResourceTags, 20, 16),
        (Quota::CreateKey, 5, 16),
        (Quota::Rsa, 1, 4),
    ];

    #[test]
    fn no_second_of_kms_has_more_than_the_rate_however_slow_the_machine_and_the_way_are() {
        let mut most_without_places = 0;
        for (quota, rate, threads) in RATES {
            for (stall, way) in [(0, 5), (0, 700), (300, 5), (3000, 5), (3000, 700)] {
                let seen = |places| {
                    let machine = Machine {
                        threads,
                        stall: Duration::from_millis(stall),
                        way: Duration::from_millis(way),
                        places: Places::new(places),
                    };
                    machine.run(&queue(quota, rate), Duration::from_secs(30))
                };
                let most = seen(rate).most();
                assert!(
                    most <= rate as usize,
                    "{rate}, {stall} ms, {way} ms: {most}"
                );
                most_without_places =
                    most_without_places.max(seen(u32::MAX).most() / rate as usize);
            }
        }
        assert!(most_without_places > 1, "it would prove nothing");
    }

    #[test]
    fn threads_share_the_rate_evenly_and_use_it_up() {
        for (quota, rate, threads) in RATES {
            let machine = Machine {
                threads,
                stall: Duration::ZERO,
                way: Duration::from_millis(10),
                places: Places::new(rate),
            };
            let seen = machine.run(&queue(quota, rate), Duration::from_secs(30));
            let (least, most) = (seen.shares.iter().min(), seen.shares.iter().max());
            let (least, most) = (*least.unwrap(), *most.unwrap());
            assert!(most - least <= 1 + least / 50, "{rate}: {:?}", seen.shares);
            let (all, expected) = (seen.at.len(), 30 * rate as usize);
            assert!(expected * 9 / 10 <= all && all <= expected, "{rate}: {all}");
        }
    }
}
