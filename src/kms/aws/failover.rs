//! Where the request of a key goes: to the token's region, and while that fails to another one that has a replica of
//! the key.
//!
//! Each region is asked once, those that are well before the others, and with a part of the time that leaves some for
//! the rest. A region that fails is left alone by the requests that follow; a copy of one of them asks it after a
//! while, and nobody waits for what that copy is answered. So callers notice one slower request, and the way back
//! not at all.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::breaker::Verdict;
use super::hedging::{Won, race};
use super::manner::Manner;
use super::regions::{Regions, There, is_absent, leads_on};
use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind, login};
use crate::log;
use crate::metrics::EndpointEvent;

/// For longer than this a request does not wait for its turn in one region when it can go to another.
const LONGEST_TURN: Duration = Duration::from_millis(250);
/// Before the regions are asked once more; doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// What an attempt in one region comes to.
enum Step<T> {
    Done(Result<T, KmsError>),
    /// Another region may do better.
    On(KmsError),
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
        if !self.may_leave_home(key.as_ref()) {
            return work(self.get(0).there(), deadline).await;
        }
        let work = Arc::new(work);
        // Held until the end: while no region answers, one request at a time finds out whether that is still so.
        let everywhere = match self.everywhere.admit(Instant::now()) {
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
        let begun = Instant::now();
        let request = Request {
            regions: &self,
            key: key.as_ref(),
            deadline,
            work: &work,
        };
        let mut failures = Failures::default();
        let mut backoff = FIRST_BACKOFF;
        let rounds = 1 + self.home().settings().retries;
        for round in 0..rounds {
            let (order, well) = self.order(key.as_ref(), Instant::now());
            if order.len() == 1 {
                // Nobody else has the key: as if there were no other region.
                return work(self.get(0).there(), deadline).await;
            }
            self.send_probes(&order[well..], well, &work);
            let hedged = round == 0 && well > 1;
            if let Some(done) = request.round(&order, hedged, &mut failures).await {
                everywhere.settle(Verdict::Up, None, Instant::now());
                return done;
            }
            let next = Instant::now() + backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            if next >= deadline || round + 1 == rounds {
                break;
            }
            sleep_until(next).await;
            backoff *= 2;
        }
        let error = failures.into_error(operation, key.as_ref(), begun.elapsed());
        let verdict = match error.kind {
            Kind::Throttled => Verdict::Unknown,
            _ => Verdict::Down,
        };
        everywhere.settle(verdict, Some(&error), Instant::now());
        Err(error)
    }

    /// Sends copies of a request to the regions that are ill and due for a look, in the background, if there is one
    /// that is well: else the request itself goes there.
    fn send_probes<T, W, F>(self: &Arc<Self>, ill: &[usize], well: usize, work: &Arc<W>)
    where
        T: Send + 'static,
        W: Fn(There, Instant) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        if well == 0 {
            return;
        }
        for &index in ill {
            let now = Instant::now();
            if !self.get(index).wants_probe(now) {
                continue;
            }
            let (regions, work) = (Arc::clone(self), Arc::clone(work));
            let probe = async move {
                let region = regions.get(index);
                let Some(pass) = region.probe(now) else {
                    return;
                };
                let until = now + region.requests.settings().attempt_timeout;
                let manner = Manner {
                    once: true,
                    anyway: true,
                    most_wait: Some(LONGEST_TURN),
                };
                let result = manner.of(work(region.there(), until)).await;
                region.note(Some(pass), &result);
            };
            tokio::spawn(log::carried(login::carried(probe)));
        }
    }
}

/// One request, wherever it goes.
struct Request<'a, W> {
    regions: &'a Arc<Regions>,
    key: Option<&'a KeyEntry>,
    deadline: Instant,
    work: &'a Arc<W>,
}

impl<W> Request<'_, W> {
    /// Asks each region once. `None`: none of them could help.
    async fn round<T, F>(
        &self,
        order: &[usize],
        hedged: bool,
        failures: &mut Failures,
    ) -> Option<Result<T, KmsError>>
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        let mut rest = order;
        if hedged && let [first, second, others @ ..] = order {
            match self.hedge(*first, *second, others.len()).await {
                (Step::Done(done), _) => return Some(done),
                (Step::On(error), None) => {
                    failures.note(self.regions, *first, error);
                    rest = &order[1..];
                }
                (Step::On(error), Some(other)) => {
                    failures.note(self.regions, *first, error);
                    failures.note(self.regions, *second, other);
                    rest = others;
                }
            }
        }
        while let [index, others @ ..] = rest {
            match self.attempt(*index, others.len()).await {
                Step::Done(done) => return Some(done),
                Step::On(error) => failures.note(self.regions, *index, error),
            }
            rest = others;
        }
        None
    }

    /// Asks one region; `others` come after it and need time, too.
    async fn attempt<T, F>(&self, index: usize, others: usize) -> Step<T>
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        let region = self.regions.get(index);
        let now = Instant::now();
        let left = self.deadline.saturating_duration_since(now);
        let settings = region.requests.settings();
        let (until, most_wait) = match u32::try_from(others) {
            Ok(0) | Err(_) => (self.deadline, None),
            Ok(others) => {
                let share = settings.attempt_timeout.min(left / (1 + others));
                (now + share, Some(LONGEST_TURN))
            }
        };
        let manner = Manner {
            once: true,
            anyway: true,
            most_wait,
        };
        let result = manner.of((self.work)(region.there(), until)).await;
        region.note(None, &result);
        match result {
            Err(error) if leads_on(&error) => Step::On(error),
            Err(error) if index > 0 && is_absent(&error) => {
                if let Some(key) = self.key {
                    region.note_absence(key, &error);
                }
                Step::On(error)
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
    ) -> (Step<T>, Option<KmsError>)
    where
        W: Fn(There, Instant) -> F,
        F: Future<Output = Result<T, KmsError>>,
    {
        let asked = self.attempt(first, 1 + others);
        let Some(hedging) = &self.regions.hedging else {
            return (asked.await, None);
        };
        let mut asked = Box::pin(asked);
        if let Ok(step) = timeout(hedging.after, &mut asked).await {
            if matches!(step, Step::Done(_)) {
                hedging.won(false);
            }
            return (step, None);
        }
        if !hedging.spend() {
            return (asked.await, None);
        }
        let (slow, other) = (self.regions.get(first), self.regions.get(second));
        other.count(EndpointEvent::Hedged);
        let is_good = |step: &Step<T>| matches!(step, Step::Done(_));
        match race(asked, Box::pin(self.attempt(second, others)), is_good).await {
            Won::First(step) => {
                hedging.won(false);
                (step, None)
            }
            Won::Second(step) => {
                other.count(EndpointEvent::HedgeWon);
                if hedging.won(true) {
                    slow.is_slow();
                }
                (step, None)
            }
            Won::Neither(step, Step::On(error)) => (step, Some(error)),
            Won::Neither(step, Step::Done(_)) => (step, None),
        }
    }
}

/// Why the regions could not help, as far as they were asked.
#[derive(Default)]
struct Failures {
    /// That of the token's own region.
    home: Option<KmsError>,
    /// By their names.
    others: Vec<(String, KmsError)>,
}

impl Failures {
    fn note(&mut self, regions: &Regions, index: usize, error: KmsError) {
        if index == 0 {
            self.home = Some(error);
            return;
        }
        let name = regions.get(index).name();
        self.others.retain(|(other, _)| other != name);
        self.others.push((name.to_owned(), error));
    }

    /// What the caller is told: what is wrong in the token's own region, and that no other helped.
    fn into_error(
        self,
        operation: &'static str,
        key: Option<&KeyEntry>,
        waited: Duration,
    ) -> KmsError {
        let others: Vec<String> = self
            .others
            .iter()
            .map(|(name, error)| {
                let code = Some(&error.code).filter(|code| !code.is_empty());
                format!("{name}: {}", code.unwrap_or(&error.message))
            })
            .collect();
        let key = key.map(|key| key.arn.as_str());
        let home = self.home.unwrap_or_else(|| {
            let waited = super::request::no_answer(waited);
            KmsError::local(Kind::Timeout, operation, key, waited)
        });
        let message = format!(
            "{}; nor could other regions help: {}",
            home.message,
            others.join("; ")
        );
        KmsError { message, ..home }
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
        is_unsent: true,
        ..last
    }
}
