//! One request to KMS: its client, its deadline, its patience with new keys, its record.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_resourcegroupstagging::Client as TaggingClient;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempts;
use super::audit::Record;
use super::client::{self, Clients, SharedHttp};
use super::failure;
use super::fresh::FreshKeys;
use super::limiter::Limiter;
use super::quota::Call;
use super::retry::Backoff;
use super::settings::AwsSettings;
use super::throttling;
use crate::kms::{KmsError, KmsErrorKind};
use crate::metrics::Metrics;

/// A token's requests, as asynchronous functions.
pub(super) struct Requests {
    settings: AwsSettings,
    http: SharedHttp,
    /// Empty until they could be built: a failure is not kept.
    clients: OnceCell<Clients>,
    limiter: Arc<Limiter>,
    pub(super) fresh: FreshKeys,
    metrics: Option<Arc<Metrics>>,
}

impl Requests {
    pub(super) fn new(
        settings: AwsSettings,
        http: SharedHttp,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        Self {
            limiter: Arc::new(Limiter::new(settings.token.clone(), settings.rates)),
            settings,
            http,
            clients: OnceCell::new(),
            fresh: FreshKeys::default(),
            metrics,
        }
    }

    pub(super) fn settings(&self) -> &AwsSettings {
        &self.settings
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Sends a request about a key, again and again while the key is so new that the failure will
    /// pass, until the deadline.
    pub(super) async fn ask_about<T, E, S, F>(
        &self,
        call: impl Into<Call>,
        key: &str,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: Fn(Client) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call.into();
        let passes = |error: &KmsError| self.fresh.will_pass(key, error);
        persist(deadline, passes, || {
            self.ask(call, Some(key), deadline, &send)
        })
        .await
    }

    /// Sends one request; the SDK repeats it where that is safe and likely to help.
    pub(super) async fn ask<T, E, S, F>(
        &self,
        call: impl Into<Call>,
        key: Option<&str>,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: FnOnce(Client) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call.into();
        let answer = async {
            let client = self.clients(call.operation).await?.kms.clone();
            Ok(Box::pin(send(client)).await)
        };
        self.bounded(call, key, deadline, answer).await
    }

    /// The same for a request to the resource groups tagging API.
    pub(super) async fn ask_tagging<T, E, S, F>(
        &self,
        operation: &'static str,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: FnOnce(TaggingClient) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let answer = async {
            let client = self.clients(operation).await?.tagging.clone();
            let client = client.ok_or_else(|| {
                let message = "KMS has an endpoint of its own, and the tagging API has none";
                KmsError::local(KmsErrorKind::Unsupported, operation, None, message)
            })?;
            Ok(Box::pin(send(client)).await)
        };
        self.bounded(operation.into(), None, deadline, answer).await
    }

    async fn clients(&self, operation: &'static str) -> Result<&Clients, KmsError> {
        self.clients
            .get_or_try_init(|| client::build(&self.settings, &self.http))
            .await
            .map_err(|error| KmsError { operation, ..error })
    }

    /// Waits for the turn of one request and for its answer until its deadline, and records the latter.
    async fn bounded<T, E>(
        &self,
        call: Call,
        key: Option<&str>,
        deadline: Instant,
        answer: impl Future<Output = Result<Result<T, SdkError<E, HttpResponse>>, KmsError>>,
    ) -> Result<T, KmsError>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let operation = call.operation;
        let started = Instant::now();
        // Past its deadline a request must not even be sent.
        let late = || {
            let waited = deadline.saturating_duration_since(started);
            KmsError::local(KmsErrorKind::Timeout, operation, key, no_answer(waited))
        };
        if started >= deadline {
            return Err(late());
        }
        let work = async {
            let answer = throttling::heeded::<E, _>(&self.limiter, call, answer).await?;
            answer.map_err(|error| failure::describe(operation, key, &error))
        };
        self.limiter.turn(call, deadline).await?;
        let told = async {
            let record = Record::begin(operation, key, self.metrics.as_deref(), Instant::now());
            let ended = timeout_at(deadline, work).await;
            let result = ended.unwrap_or_else(|_| Err(late()));
            record.end(&result);
            result
        };
        attempts::counted::<E, _>(told).await
    }
}

/// Repeats `attempt` after growing pauses while `passes` says that its failure will pass and the
/// pause ends before the deadline; the last failure is the answer. An attempt that the deadline cut
/// short says less than the failure before it.
pub(super) async fn persist<T, A, F>(
    deadline: Instant,
    passes: impl Fn(&KmsError) -> bool,
    attempt: A,
) -> Result<T, KmsError>
where
    A: Fn() -> F,
    F: Future<Output = Result<T, KmsError>>,
{
    let mut backoff = Backoff::new();
    let mut before = None;
    loop {
        let error = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let next = Instant::now() + backoff.next();
        if !passes(&error) || next >= deadline {
            let cut_short = error.kind == KmsErrorKind::Timeout;
            return Err(before.filter(|_| cut_short).unwrap_or(error));
        }
        sleep_until(next).await;
        before = Some(error);
    }
}

pub(super) fn no_answer(waited: Duration) -> String {
    format!("no answer within {:.1} s", waited.as_secs_f64())
}
