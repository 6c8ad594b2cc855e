//! Whom a token acts as, from one login or logout to the next, and all that belongs to that.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::attempts::Summary;
use super::breaker::{Breaker, Change, Pass, Refusal, Verdict};
use super::caller::Guard;
use super::client::Clients;
use super::denied::Denied;
use super::lending::{Lending, Loan};
use super::settings::AwsSettings;
use crate::kms::{Course, Identity, KmsError, KmsErrorKind as Kind};

/// Clients are not given up earlier: their credentials would be no others.
const YOUNG: Duration = Duration::from_secs(1);
/// What is waited for longer is worth a pause before it is asked for again.
const LONG: Duration = Duration::from_secs(1);

/// It takes the place of another one as a whole: what is still at work for that one finds nothing of this one, and
/// leaves nothing in it.
pub(super) struct Acting {
    /// Who is logged in, where that matters.
    pub(super) identity: Option<Identity>,
    pub(super) guard: Arc<Guard>,
    pub(super) loan: Loan,
    pub(super) denied: Denied,
    /// Of the credentials, which may come from services that do not answer.
    pub(super) source: Source,
    /// Empty until they could be built, and again when their credentials were of no use: what a file or the
    /// environment's services say by then is looked at anew.
    clients: ArcSwapOption<Built>,
    /// Held while they are built.
    pub(super) building: Mutex<()>,
}

/// Clients, and since when there are any.
struct Built {
    clients: Clients,
    since: Instant,
}

impl Acting {
    pub(super) fn new(
        settings: &AwsSettings,
        lending: &Lending,
        identity: Option<Identity>,
    ) -> Self {
        Self {
            identity,
            guard: Guard::of(settings),
            loan: lending.of_login(),
            denied: Denied::default(),
            source: Source::new(settings),
            clients: ArcSwapOption::const_empty(),
            building: Mutex::new(()),
        }
    }

    /// The clients that there are.
    pub(super) fn clients(&self) -> Option<Clients> {
        let built = self.clients.load();
        built.as_ref().map(|built| built.clients.clone())
    }

    pub(super) fn keep(&self, clients: &Clients) {
        self.clients.store(Some(Arc::new(Built {
            clients: clients.clone(),
            since: Instant::now(),
        })));
    }

    /// Gives the clients up because AWS refused their credentials or there were none.
    pub(super) fn renew_clients(&self) {
        let clients = self.clients.load();
        if clients
            .as_ref()
            .is_some_and(|built| built.since.elapsed() >= YOUNG)
        {
            self.loan.give_up();
            self.clients.compare_and_swap(&clients, None);
        }
    }
}

/// Spares callers the wait for credentials that do not come.
///
/// What is missing at once costs nothing to ask for again; what was waited for in vain is asked for by one request at
/// a time, after a pause, while the others are told the cause.
#[derive(Debug)]
pub(super) struct Source {
    token: String,
    breaker: Breaker,
    /// Who waited for so long and longer waited too long: with many regions, each has but a part of a call's time.
    long: Duration,
}

impl Source {
    fn new(settings: &AwsSettings) -> Self {
        Self {
            token: settings.token.clone(),
            breaker: Breaker::new(1, settings.deadline),
            long: LONG.min(settings.attempt_timeout.min(settings.deadline) / 2),
        }
    }

    /// Fails where nobody would look for credentials now.
    pub(super) fn check(
        &self,
        operation: &'static str,
        key: Option<&str>,
        now: Instant,
    ) -> Result<(), KmsError> {
        self.breaker
            .refusal(now)
            .map_or(Ok(()), |refusal| Err(refuse(operation, key, refusal)))
    }

    /// Lets a request look for credentials; `anyway` in any case.
    pub(super) fn admit(
        &self,
        operation: &'static str,
        key: Option<&str>,
        anyway: bool,
        now: Instant,
    ) -> Result<Pass<'_>, KmsError> {
        if anyway {
            return Ok(self.breaker.pass_by());
        }
        self.breaker
            .admit(now)
            .map_err(|refusal| refuse(operation, key, refusal))
    }

    /// How far a request got of which nothing was sent, and which was begun at `since`.
    pub(super) fn course(&self, error: &KmsError, since: Instant) -> Course {
        match error.course {
            Course::Unsent => Course::Unsent,
            // It had little time, which says nothing.
            Course::CutShort { .. } if since.elapsed() < self.long => Course::Unsent,
            _ => Course::Unready,
        }
    }

    /// Takes note of how a request ended that was begun at `since`.
    pub(super) fn note<T>(
        &self,
        pass: Pass<'_>,
        result: &Result<T, KmsError>,
        attempts: Summary,
        since: Instant,
    ) {
        let now = Instant::now();
        let verdict = match result {
            Err(error) if attempts.sent == 0 => match error.kind {
                Kind::Timeout | Kind::Network | Kind::Unavailable | Kind::Throttled
                    if now.saturating_duration_since(since) >= self.long =>
                {
                    Verdict::Down
                }
                _ => Verdict::Unsent,
            },
            _ => Verdict::Up,
        };
        let token = &self.token;
        match pass.settle(verdict, result.as_ref().err(), now) {
            Some(Change::Opened { next }) => tracing::warn!(
                "token {token}: credentials do not come; they are looked for again in {:.1} s, and until they are \
                 there requests fail at once",
                next.as_secs_f64()
            ),
            Some(Change::StillOpen { since, .. }) => tracing::warn!(
                "token {token}: credentials still do not come, for {:.1} s",
                since.as_secs_f64()
            ),
            Some(Change::Closed { after }) => tracing::warn!(
                "token {token}: credentials are there again, after {:.1} s",
                after.as_secs_f64()
            ),
            None => {}
        }
    }
}

fn refuse(operation: &'static str, key: Option<&str>, refusal: Refusal) -> KmsError {
    let Refusal { error, since, next } = refusal;
    let next = match next {
        Some(next) => format!("they are looked for again in {:.1} s", next.as_secs_f64()),
        None => "they are being looked for".to_owned(),
    };
    let message = format!(
        "not sent: there have been no credentials for {:.1} s, {next}; lastly: {}",
        since.as_secs_f64(),
        error.message
    );
    KmsError {
        is_told: true,
        course: Course::Unsent,
        ..KmsError::local(error.kind, operation, key, message)
    }
}
