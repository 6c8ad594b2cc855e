//! What happened on the way to an answer: the SDK repeats requests on its own, and tells interceptors
//! alone.

use std::cell::Cell;
use std::error::Error;

use aws_sdk_kms::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata};
use aws_smithy_runtime_api::client::interceptors::context::Error as ErasedError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use tokio::task_local;

use crate::kms::{KmsError, KmsErrorKind};

task_local! {
    static ATTEMPTS: Attempts;
}

/// The attempts at one request so far.
struct Attempts {
    summary: Cell<Summary>,
    /// The code in an error of the operation, whose type the SDK hides from interceptors.
    code: fn(&ErasedError) -> Option<&str>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Summary {
    /// Attempts that went to the connection: none when credentials are missing, for example.
    pub(super) sent: u32,
    /// Those of them that KMS throttled.
    pub(super) throttled: u32,
    /// The HTTP status of the last one's answer, if there was any.
    pub(super) status: Option<u16>,
}

/// Does `work`, a request whose error is `E`, within which [`so_far`] tells of its attempts.
pub(super) fn counted<E, F>(work: F) -> impl Future<Output = F::Output>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    F: Future,
{
    let attempts = Attempts {
        summary: Cell::default(),
        code: |error| error.downcast_ref::<E>()?.code(),
    };
    ATTEMPTS.scope(attempts, work)
}

/// The attempts at the request that is under way, or that is being dropped.
pub(super) fn so_far() -> Summary {
    ATTEMPTS
        .try_with(|attempts| attempts.summary.get())
        .unwrap_or_default()
}

/// Counts the attempts of the requests that are sent within [`counted`].
#[derive(Debug)]
pub(super) struct CountAttempts;

#[dyn_dispatch_hint]
impl Intercept for CountAttempts {
    fn name(&self) -> &'static str {
        "count of attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        update(|_, summary| Summary {
            sent: summary.sent + 1,
            status: None,
            ..summary
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        update(|attempts, summary| {
            let status = context.response().map(|answer| answer.status().as_u16());
            let error = context.output_or_error().and_then(Result::err);
            let code = error
                .and_then(|error| error.as_operation_error())
                .and_then(attempts.code);
            let throttled = code.is_some_and(|code| {
                let status = status.unwrap_or_default();
                KmsError::answered("", None, code, "", status).kind == KmsErrorKind::Throttled
            });
            Summary {
                throttled: summary.throttled + u32::from(throttled),
                status,
                ..summary
            }
        });
        Ok(())
    }
}

fn update(change: impl FnOnce(&Attempts, Summary) -> Summary) {
    // A request that nobody counts is none of `Requests::ask`.
    let _ = ATTEMPTS.try_with(|attempts| {
        attempts
            .summary
            .set(change(attempts, attempts.summary.get()));
    });
}
