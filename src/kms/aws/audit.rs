//! What is told of each request: a line of the audit, and counts.

use tokio::time::Instant;
use tracing::Dispatch;
use tracing::dispatcher::{get_default, with_default};

use aws_sdk_kms::operation::RequestId;

use super::attempts;
use crate::kms::KmsError;
use crate::log::{self, AUDIT};
use crate::metrics::{Metrics, Outcome};

/// A request under way, within [`attempts::counted`]. It is told of once: when it has ended, or when
/// it is dropped before that, because its caller's deadline passed or C_Finalize did not wait. KMS
/// may have done it even so.
pub(super) struct Record<'a> {
    function: &'static str,
    operation: &'static str,
    key: Option<&'a str>,
    metrics: Option<&'a Metrics>,
    started: Instant,
    /// A task that is aborted is dropped outside of its subscriber.
    dispatch: Dispatch,
    is_told: bool,
}

impl<'a> Record<'a> {
    pub(super) fn begin(
        operation: &'static str,
        key: Option<&'a str>,
        metrics: Option<&'a Metrics>,
        started: Instant,
    ) -> Self {
        Self {
            function: log::function(),
            operation,
            key,
            metrics,
            started,
            dispatch: get_default(Clone::clone),
            is_told: false,
        }
    }

    pub(super) fn end<T: RequestId>(mut self, result: &Result<T, KmsError>) {
        self.is_told = true;
        match result {
            Ok(answer) => self.tell(Outcome::Ok, "ok", answer.request_id()),
            Err(error) => {
                let kind = format!("{:?}", error.kind);
                let code = Some(error.code.as_str()).filter(|code| !code.is_empty());
                self.tell(
                    Outcome::Failed(error.kind),
                    code.unwrap_or(&kind),
                    error.request_id.as_deref(),
                );
            }
        }
    }

    fn tell(&self, outcome: Outcome, code: &str, request_id: Option<&str>) {
        let latency = self.started.elapsed();
        let attempts = attempts::so_far();
        if let Some(metrics) = self.metrics {
            let retries = attempts.sent.saturating_sub(1);
            metrics.request(
                self.operation,
                outcome,
                latency,
                retries,
                attempts.throttled,
            );
        }
        tracing::info!(
            target: AUDIT,
            function = self.function,
            operation = self.operation,
            key = self.key,
            outcome = code,
            status = attempts.status,
            request_id,
            latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            attempts = attempts.sent,
            "KMS request"
        );
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            with_default(&self.dispatch, || {
                self.tell(Outcome::Cancelled, "cancelled", None);
            });
        }
    }
}
