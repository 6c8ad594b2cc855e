//! One request to KMS: its client, its deadline, its patience with new keys, its record.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempts;
use super::audit::Record;
use super::client::{self, SharedHttp};
use super::failure;
use super::fresh::FreshKeys;
use super::retry::Backoff;
use super::settings::AwsSettings;
use crate::kms::{KmsError, KmsErrorKind};
use crate::metrics::Metrics;

/// A token's requests, as asynchronous functions.
pub(super) struct Requests {
    settings: AwsSettings,
    http: SharedHttp,
    /// Empty until a client could be built: a failure is not kept.
    client: OnceCell<Client>,
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
            settings,
            http,
            client: OnceCell::new(),
            fresh: FreshKeys::default(),
            metrics,
        }
    }

    pub(super) fn settings(&self) -> &AwsSettings {
        &self.settings
    }

    /// Sends a request about a key, again and again while the key is so new that the failure will
    /// pass, until the deadline.
    pub(super) async fn ask_about<T, E, S, F>(
        &self,
        operation: &'static str,
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
        let passes = |error: &KmsError| self.fresh.will_pass(key, error);
        persist(deadline, passes, || {
            self.ask(operation, Some(key), deadline, &send)
        })
        .await
    }

    /// Sends one request; the SDK repeats it where that is safe and likely to help.
    pub(super) async fn ask<T, E, S, F>(
        &self,
        operation: &'static str,
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
            let client = self.client(operation).await?;
            let answer = Box::pin(send(client)).await;
            answer.map_err(|error| failure::describe(operation, key, &error))
        };
        let told = async {
            let record = Record::begin(operation, key, self.metrics.as_deref(), started);
            let ended = timeout_at(deadline, work).await;
            let result = ended.unwrap_or_else(|_| Err(late()));
            record.end(&result);
            result
        };
        attempts::counted::<E, _>(told).await
    }

    async fn client(&self, operation: &'static str) -> Result<Client, KmsError> {
        self.client
            .get_or_try_init(|| client::build(&self.settings, &self.http))
            .await
            .cloned()
            .map_err(|error| KmsError { operation, ..error })
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
