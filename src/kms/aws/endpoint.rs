//! An endpoint of a token, and what becomes of requests while it is down.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::Summary;
use super::breaker::{Breaker, Change, Pass, Refusal, Verdict};
use super::settings::AwsSettings;
use crate::kms::{Course, KmsError, KmsErrorKind as Kind};
use crate::metrics::{EndpointEvent, EndpointName, Metrics};

/// Requests in a row that fail, each with all its attempts, before the endpoint is deemed down.
const FAILURES: u32 = 3;

/// Codes by which KMS itself says that it cannot serve: the endpoint answers, so that the next request may succeed.
const OF_KMS: [&str; 3] = [
    "KMSInternalException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
];

/// Where requests of one service are sent.
#[derive(Debug)]
pub(super) struct Endpoint {
    name: EndpointName,
    breaker: Breaker,
    /// For one attempt at a request, or for all where that is less: what waited for so long and longer was not
    /// answered.
    attempt: Duration,
    metrics: Option<Arc<Metrics>>,
}

impl Endpoint {
    /// `service` is `KMS` or another that the token needs.
    pub(super) fn new(
        service: &'static str,
        settings: &AwsSettings,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let name = EndpointName {
            token: settings.token.clone(),
            region: settings.region.clone().unwrap_or_default(),
            service,
        };
        Self {
            name,
            breaker: Breaker::new(FAILURES, settings.deadline),
            attempt: settings.attempt_timeout.min(settings.deadline),
            metrics: metrics.cloned(),
        }
    }

    /// Has the metrics show it before anything happens.
    pub(super) fn announced(self) -> Self {
        self.count(EndpointEvent::Known);
        self
    }

    /// Fails where nothing would be sent now.
    pub(super) fn check(
        &self,
        operation: &'static str,
        key: Option<&str>,
        now: Instant,
    ) -> Result<(), KmsError> {
        self.breaker
            .refusal(now)
            .map_or(Ok(()), |refusal| Err(self.refuse(operation, key, refusal)))
    }

    /// Lets a request be sent, if only as a probe; `anyway` in any case.
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
            .map_err(|refusal| self.refuse(operation, key, refusal))
    }

    /// Until when a probe may take: its caller waits no longer than for one attempt.
    pub(super) fn end_of_probe(&self, now: Instant) -> Instant {
        now + self.attempt
    }

    /// Takes note of how a request ended, within `attempts`. That one failed which was sent `anyway`, once and not as
    /// often as others, says nothing.
    pub(super) fn note<T>(
        &self,
        pass: Pass<'_>,
        anyway: bool,
        result: &Result<T, KmsError>,
        attempts: Summary,
    ) {
        let now = Instant::now();
        let verdict = match result {
            Ok(_) => Verdict::Up,
            Err(_) if attempts.sent == 0 => Verdict::Unsent,
            Err(error) => match verdict(error, self.attempt) {
                Verdict::Down if anyway => Verdict::Unknown,
                verdict => verdict,
            },
        };
        if let Some(change) = pass.settle(verdict, result.as_ref().err(), now) {
            self.tell(change, result.as_ref().err());
        }
    }

    fn refuse(&self, operation: &'static str, key: Option<&str>, refusal: Refusal) -> KmsError {
        self.count(EndpointEvent::Refused);
        let Refusal { error, since, next } = refusal;
        let next = match next {
            Some(next) => format!("it is tried again in {:.1} s", next.as_secs_f64()),
            None => "it is being tried".to_owned(),
        };
        let message = format!(
            "not sent: the endpoint is deemed down for {:.1} s, {next}; lastly: {}",
            since.as_secs_f64(),
            error.message
        );
        KmsError {
            code: error.code,
            is_told: true,
            course: Course::Unsent,
            ..KmsError::local(error.kind, operation, key, message)
        }
    }

    fn tell(&self, change: Change, error: Option<&KmsError>) {
        let lastly = error.map(ToString::to_string).unwrap_or_default();
        let EndpointName { token, service, .. } = &self.name;
        let place = self.name.place();
        match change {
            Change::Opened { next } => {
                self.count(EndpointEvent::Down);
                tracing::warn!(
                    "token {token}: the endpoint of {service}{place} is deemed down after {FAILURES} requests in a \
                     row that failed; it is tried again in {:.1} s, and until it answers requests fail at once; \
                     lastly: {lastly}",
                    next.as_secs_f64()
                );
            }
            Change::StillOpen { since, next } => tracing::warn!(
                "token {token}: the endpoint of {service}{place} is still down, for {:.1} s; it is tried again in \
                 {:.1} s; lastly: {lastly}",
                since.as_secs_f64(),
                next.as_secs_f64()
            ),
            Change::Closed { after } => {
                self.count(EndpointEvent::Up);
                tracing::warn!(
                    "token {token}: the endpoint of {service}{place} answers again, {:.1} s after it was deemed down",
                    after.as_secs_f64()
                );
            }
        }
    }

    fn count(&self, event: EndpointEvent) {
        if let Some(metrics) = &self.metrics {
            metrics.endpoint(&self.name, event);
        }
    }
}

/// Whether the failure of a request says nothing of an endpoint that has so long for an attempt: it was cut short, or
/// was not sent.
pub(super) fn says_nothing(error: &KmsError, attempt: Duration) -> Option<Verdict> {
    match error.course {
        Course::Unsent => Some(Verdict::Unsent),
        Course::CutShort { millis } if Duration::from_millis(millis.into()) < attempt / 2 => {
            Some(Verdict::Unknown)
        }
        Course::CutShort { .. } | Course::Unready | Course::Ended => None,
    }
}

/// What the failure of a request that was sent says of its endpoint, which has so long for an attempt.
fn verdict(error: &KmsError, attempt: Duration) -> Verdict {
    if let Some(verdict) = says_nothing(error, attempt) {
        return verdict;
    }
    match error.kind {
        Kind::Network | Kind::Timeout => Verdict::Down,
        Kind::Unavailable if !OF_KMS.contains(&error.code.as_str()) => Verdict::Down,
        // An answer of KMS has a code; others are of what stands between.
        _ if error.code.is_empty() => Verdict::Unknown,
        _ => Verdict::Up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_at_fault_when_nothing_or_nobody_of_kms_answers() {
        let local = |kind| KmsError::local(kind, "Sign", None, "");
        let answered = |code, status| KmsError::answered("Sign", None, code, "", status);
        let attempt = Duration::from_secs(4);
        let cut_short = |millis| KmsError {
            course: Course::CutShort { millis },
            ..local(Kind::Timeout)
        };
        let unsent = |kind| KmsError {
            course: Course::Unsent,
            ..local(kind)
        };
        for (error, expected) in [
            (local(Kind::Network), Verdict::Down),
            (local(Kind::Timeout), Verdict::Down),
            (cut_short(2000), Verdict::Down),
            (cut_short(1999), Verdict::Unknown),
            (unsent(Kind::Timeout), Verdict::Unsent),
            (unsent(Kind::Throttled), Verdict::Unsent),
            (local(Kind::Unavailable), Verdict::Down),
            (answered("", 502), Verdict::Down),
            (answered("ServiceUnavailable", 503), Verdict::Down),
            (answered("InternalFailure", 500), Verdict::Down),
            (answered("KMSInternalException", 500), Verdict::Up),
            (answered("DependencyTimeoutException", 500), Verdict::Up),
            (answered("KeyUnavailableException", 500), Verdict::Up),
            (answered("ThrottlingException", 400), Verdict::Up),
            (answered("AccessDeniedException", 400), Verdict::Up),
            (answered("NotFoundException", 400), Verdict::Up),
            (answered("ExpiredTokenException", 400), Verdict::Up),
            (answered("", 403), Verdict::Unknown),
            (local(Kind::Credentials), Verdict::Unknown),
            (local(Kind::Configuration), Verdict::Unknown),
        ] {
            assert_eq!(verdict(&error, attempt), expected, "{error}");
        }
    }
}
