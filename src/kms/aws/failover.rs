//! Where the request of a key goes: to the token's region, and while that fails to another one that has a replica of
//! the key.
//!
//! Each region is asked once, those that are well before the others, and with a part of the time that leaves some for
//! the rest. A region that fails is left alone by the requests that follow; a copy of one of them asks it after a
//! while, and nobody waits for what that copy is answered. So callers notice one slower request, and the way back
//! not at all.
//!
//! A region that is merely short of requests is none that fails: where no other one is well, its turn is waited for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::breaker::Verdict;
use super::hedging::{Won, race};
use super::manner::Manner;
use super::regions::{Look, Order, Regions, There, is_absent, leads_on};
use crate::kms::login;
use crate::kms::{Course, KeyEntry, KmsError, KmsErrorKind as Kind};
use crate::log;
use crate::metrics::EndpointEvent;

/// For longer than this a request does not wait for its turn in one region when it can go to another.
const LONGEST_TURN: Duration = Duration::from_millis(250);
/// Before the regions are asked once more; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// What an attempt in one region comes to.
enum Step<T> {
    Done(Result<T, KmsError>),
    /// Another region may do better.
    On(Failure),
    /// The same, and this one is of no use for the key.
    OfNoUse(Failure),
}

/// Why a region could not help.
struct Failure {
    region: usize,
    error: KmsError,
    /// What that says of the region.
    verdict: Verdict,
}

/// What asking each region comes to.
enum Round<T> {
    Done(Result<T, KmsError>),
    Failed,
    /// Those that do not fail are short of requests.
    Short,
    /// The same, and none of them has a turn before the deadline.
    Full,
    /// Only the token's own region is left.
    HomeAlone,
}

impl Regions {
    /// Has the regions do something with a key, or without any, until one of them has done it.
    pub(super) async fn ask<T, W, F>(
        self: Arc<Self>,
        operation: &'static str,
        key: Option<KeyEntry>,
        deadline: Instant,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: Fn(There, Instant) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let at_home = || work(self.get(0).there(), deadline);
        if !self.may_leave_home(key.as_ref()) {
            return at_home().await;
        }
        let begun = Instant::now();
        let order =
            |of_no_use: &[usize]| self.order(operation, key.as_ref(), of_no_use, Instant::now());
        let candidates = order(&[]).all;
        if candidates.len() == 1 {
            // Nobody else has the key: as if there were no other region.
            return at_home().await;
        }
        let silence = self.silence_of(&candidates);
        // Held until the end: while none of them answers, one request at a time finds out whether that is still so.
        let pass = match silence.admit(begun) {
            Ok(pass) => pass,
            Err(refusal) => {
                return Err(unsent(
                    operation,
                    key.as_ref(),
                    *refusal.error,
                    refusal.next,
                ));
            }
        };
        if let Some(hedging) = &self.hedging {
            hedging.earn();
        }
        let work = Arc::new(work);
        let mut request = Request {
            regions: &self,
            operation,
            key: key.as_ref(),
            deadline,
            work: &work,
            failures: Failures::default(),
            of_no_use: Vec::new(),
            is_patient: false,
        };
        let mut backoff = FIRST_BACKOFF;
        let mut rounds = 1 + self.home().settings().retries;
        let mut is_first = true;
        loop {
            let order = order(&request.of_no_use);
            self.send_probes(&order, &work);
            match request.round(&order, is_first).await {
                Round::Done(done) => {
                    pass.settle(Verdict::Up, None, Instant::now());
                    return done;
                }
                Round::HomeAlone => return work(self.get(0).there(), deadline).await,
                Round::Failed if rounds <= 1 => break,
                Round::Failed => rounds -= 1,
                // However often: their turn comes.
                Round::Short => request.is_patient = true,
                Round::Full => break,
            }
            is_first = false;
            let next = Instant::now() + backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            if next >= deadline {
                break;
            }
            sleep_until(next).await;
            backoff = (2 * backoff).min(LONGEST_BACKOFF);
        }
        let failures = request.failures;
        let verdict = failures.verdict(&candidates);
        let error = failures.into_error(&self, operation, key.as_ref(), begun.elapsed());
        pass.settle(verdict, Some(&error), Instant::now());
        Err(error)
    }

    /// Sends copies of a request to the regions that are not well and due for a look, in the background, if there is
    /// one that is well: else the request itself goes there.
    fn send_probes<T, W, F>(self: &Arc<Self>, order: &Order, work: &Arc<W>)
    where
        T: Send + 'static,
        W: Fn(There, Instant) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        if order.well == 0 {
            return;
        }
        for &index in &order.all[order.well..] {
            let now = Instant::now();
            if !self.get(index).wants_probe(now) {
                continue;
            }
            let (regions, work) = (Arc::clone(self), Arc::clone(work));
            let probe = async move {
                let region = regions.get(index);
                let Some(look) = region.probe(now) else {
                    return;
                };
                let until = now + region.requests.settings().attempt_timeout;
                let manner = Manner {
                    once: true,
                    anyway: true,
                    most_wait: Some(LONGEST_TURN),
                    ..Manner::default()
                };
                let result = manner.of(work(region.there(), until)).await;
                region.note(look, &result, now.elapsed());
            };
            tokio::spawn(log::carried(login::carried(probe)));
        }
    }
}

/// One request, wherever it goes.
struct Request<'a, W> {
    regions: &'a Arc<Regions>,
    operation: &'static str,
    key: Option<&'a KeyEntry>,
    deadline: Instant,
    work: &'a Arc<W>,
    failures: Failures,
    /// The regions that have said so.
    of_no_use: Vec<usize>,
    /// Whether it waits for its turn in any region.
    is_patient: bool,
}

/// What the regions of one round have said so far.
#[derive(Default)]
struct Said {
    is_short: bool,
    /// One of them may have a turn before the deadline, or was not asked for one.
    may_have_turn: bool,
}

impl<W> Request<'_, W> {
    /// Asks each region once.
    async fn round<T, F>(&mut self, order: &Order, may_hedge: bool) -> Round<T>
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        if order.all == [0] {
            return Round::HomeAlone;
        }
        let (usable, failing) = order.all.split_at(order.usable);
        let mut said = Said::default();
        let mut asked = 0;
        if may_hedge && let [first, second, ..] = *usable {
            let others = order.all.len() - 2;
            let (step, other) = self.hedge(first, second, others).await;
            asked = 1 + usize::from(other.is_some());
            for step in [Some(step), other].into_iter().flatten() {
                if let Some(done) = self.take(step, false, &mut said) {
                    return Round::Done(done);
                }
            }
        }
        for (position, index) in usable.iter().enumerate().skip(asked) {
            let is_patient = self.is_patient || position + 1 == usable.len();
            let others = order.all.len() - 1 - position;
            let step = self.attempt(*index, others, is_patient).await;
            if let Some(done) = self.take(step, is_patient, &mut said) {
                return Round::Done(done);
            }
        }
        if said.is_short {
            // Those that fail are looked at by copies.
            return if said.may_have_turn {
                Round::Short
            } else {
                Round::Full
            };
        }
        if failing == [0] && usable.iter().all(|index| self.of_no_use.contains(index)) {
            return Round::HomeAlone;
        }
        for (position, index) in failing.iter().enumerate() {
            let others = failing.len() - 1 - position;
            let is_patient = self.is_patient || others == 0;
            let step = self.attempt(*index, others, is_patient).await;
            if let Some(done) = self.take(step, is_patient, &mut said) {
                return Round::Done(done);
            }
        }
        if said.is_short {
            Round::Short
        } else {
            Round::Failed
        }
    }

    /// Takes note of a step; answers what was done, if it was.
    fn take<T>(
        &mut self,
        step: Step<T>,
        is_patient: bool,
        said: &mut Said,
    ) -> Option<Result<T, KmsError>> {
        match step {
            Step::Done(done) => return Some(done),
            Step::On(failure) => {
                let is_short = failure.error.kind == Kind::Throttled;
                let is_refused = is_short && failure.verdict == Verdict::Unsent;
                said.is_short |= is_short;
                said.may_have_turn |= !(is_patient && is_refused);
                self.failures.note(failure);
            }
            Step::OfNoUse(failure) => {
                self.of_no_use.push(failure.region);
                self.failures.note(failure);
            }
        }
        None
    }

    /// Asks one region; `others` come after it and need time, too. Whoever `is_patient` waits for a turn as long as it
    /// takes.
    async fn attempt<T, F>(&self, index: usize, others: usize, is_patient: bool) -> Step<T>
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        let region = self.regions.get(index);
        let begun = Instant::now();
        let left = self.deadline.saturating_duration_since(begun);
        let share = match u32::try_from(others) {
            Ok(0) | Err(_) => left,
            Ok(others) => region
                .requests
                .settings()
                .attempt_timeout
                .min(left / (1 + others)),
        };
        let (until, most_wait) = if is_patient {
            (self.deadline, None)
        } else {
            (begun + share, Some(LONGEST_TURN))
        };
        let manner = Manner {
            once: true,
            anyway: true,
            most_wait,
            most_time: Some(share),
            ..Manner::default()
        };
        let mut result = manner.of((self.work)(region.there(), until)).await;
        if matches!(&result, Err(error) if error.is_of_clock()) {
            // By the answer the client knows the right time.
            result = manner.of((self.work)(region.there(), until)).await;
        }
        let verdict = region.note(Look::default(), &result, begun.elapsed());
        let failure = |error| Failure {
            region: index,
            error,
            verdict,
        };
        match result {
            Err(error) if leads_on(&error) => Step::On(failure(error)),
            Err(error) if index > 0 && is_absent(&error) => {
                if let Some(key) = self.key {
                    region.note_absence(self.operation, key, &error);
                }
                Step::OfNoUse(failure(error))
            }
            done => Step::Done(done),
        }
    }

    /// Asks one region, and a second one when the first takes long. The failure of the second is told where it was
    /// asked.
    async fn hedge<T, F>(
        &self,
        first: usize,
        second: usize,
        others: usize,
    ) -> (Step<T>, Option<Step<T>>)
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        let asked = self.attempt(first, 1 + others, false);
        let Some(hedging) = &self.regions.hedging else {
            return (asked.await, None);
        };
        let slow = self.regions.get(first);
        let mut asked = Box::pin(asked);
        if let Ok(step) = timeout(hedging.after, &mut asked).await {
            if matches!(step, Step::Done(_)) {
                slow.raced(true);
            }
            return (step, None);
        }
        if !hedging.spend() {
            return (asked.await, None);
        }
        let other = self.regions.get(second);
        other.count(EndpointEvent::Hedged);
        let is_good = |step: &Step<T>| matches!(step, Step::Done(_));
        match race(
            asked,
            Box::pin(self.attempt(second, others, false)),
            is_good,
        )
        .await
        {
            Won::First(step) => {
                slow.raced(true);
                (step, None)
            }
            Won::Second(step) => {
                other.count(EndpointEvent::HedgeWon);
                slow.raced(false);
                (step, None)
            }
            Won::Neither(step, other) => (step, Some(other)),
        }
    }
}

/// Why the regions could not help, as far as they were asked.
#[derive(Default)]
struct Failures(Vec<Failure>);

impl Failures {
    fn note(&mut self, failure: Failure) {
        let before = self.0.iter_mut().find(|one| one.region == failure.region);
        match before {
            None => self.0.push(failure),
            // That time was over says less than what was answered before.
            Some(_)
                if failure.error.kind == Kind::Timeout && failure.error.course != Course::Ended => {
            }
            Some(before) => *before = failure,
        }
    }

    /// What it says of these regions together.
    fn verdict(&self, regions: &[usize]) -> Verdict {
        let of = |region: &usize| {
            let failure = self.0.iter().find(|one| one.region == *region);
            failure.map_or(Verdict::Unsent, |failure| failure.verdict)
        };
        let verdicts: Vec<Verdict> = regions.iter().map(of).collect();
        let is = |verdict| move |one: &Verdict| *one == verdict;
        if verdicts.iter().any(is(Verdict::Up)) {
            Verdict::Up
        } else if verdicts.iter().all(is(Verdict::Down)) {
            Verdict::Down
        } else if verdicts.iter().all(is(Verdict::Unsent)) {
            Verdict::Unsent
        } else {
            Verdict::Unknown
        }
    }

    /// What the caller is told: what is wrong in the token's own region, or that there are too many requests for one
    /// that does not fail; and that no other helped.
    fn into_error(
        mut self,
        regions: &Regions,
        operation: &'static str,
        key: Option<&KeyEntry>,
        waited: Duration,
    ) -> KmsError {
        self.0.sort_by_key(|failure| failure.region);
        let is_short = |failure: &Failure| failure.error.kind == Kind::Throttled;
        let first = self.0.iter().position(is_short);
        let first = first.or_else(|| self.0.iter().position(|failure| failure.region == 0));
        let first = first.map(|first| self.0.remove(first).error);
        let others = self.0.iter().map(|Failure { region, error, .. }| {
            let code = Some(&error.code).filter(|code| !code.is_empty());
            let why = code.unwrap_or(&error.message);
            format!("{}: {why}", regions.get(*region).name())
        });
        let others = others.collect::<Vec<_>>().join("; ");
        let first = first.unwrap_or_else(|| {
            let key = key.map(|key| key.arn.as_str());
            let waited = super::request::no_answer(waited);
            KmsError::local(Kind::Timeout, operation, key, waited)
        });
        let message = format!("{}; nor could other regions help: {others}", first.message);
        KmsError { message, ..first }
    }
}

fn unsent(
    operation: &'static str,
    key: Option<&KeyEntry>,
    last: KmsError,
    next: Option<Duration>,
) -> KmsError {
    let next = match next {
        Some(next) => format!("they are tried again in {:.1} s", next.as_secs_f64()),
        None => "they are being tried".to_owned(),
    };
    KmsError {
        operation,
        key: key.map(|key| key.arn.clone()),
        message: format!(
            "not sent: no region answers, {next}; lastly: {}",
            last.message
        ),
        is_told: true,
        course: Course::Unsent,
        ..last
    }
}
