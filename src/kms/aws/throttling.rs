//! What the SDK does when KMS throttles: it repeats the request when the token's queue says so, not
//! when its own dice do.

use std::cell::Cell;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_sdk_kms::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata};
use aws_smithy_runtime_api::client::interceptors::context::Error as ErasedError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::retries::ErrorKind;
use aws_smithy_runtime_api::client::retries::classifiers::RetryReason;
use tokio::task_local;

use super::limiter::Limiter;
use super::quota::Call;
use crate::kms::{KmsError, KmsErrorKind};

task_local! {
    static REQUEST: Request;
}

/// The request that is under way.
struct Request {
    limiter: Arc<Limiter>,
    call: Call,
    /// Whether it is given up with its first failure.
    is_once: bool,
    /// The code in an error of the operation, whose type the SDK hides from interceptors.
    code: fn(&ErasedError) -> Option<&str>,
    /// Whether there was an attempt already.
    is_sent: Cell<bool>,
    /// After its last attempt was throttled: until it may be repeated.
    wait: Cell<Option<Duration>>,
}

/// Does `work`, a request of this call whose error is `E`, and tells the limiter when it is throttled. What is
/// asked `once` is not repeated, whatever happens.
pub(super) fn heeded<E, F>(
    limiter: &Arc<Limiter>,
    call: Call,
    once: bool,
    work: F,
) -> impl Future<Output = F::Output>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    F: Future,
{
    let request = Request {
        limiter: Arc::clone(limiter),
        call,
        is_once: once,
        code: |error| error.downcast_ref::<E>()?.code(),
        is_sent: Cell::default(),
        wait: Cell::default(),
    };
    REQUEST.scope(request, work)
}

/// Takes note of each attempt after the first, and of each that was throttled; the SDK may ask about one
/// more than once.
#[derive(Debug)]
pub(super) struct NoteThrottling;

#[dyn_dispatch_hint]
impl Intercept for NoteThrottling {
    fn name(&self) -> &'static str {
        "note of throttling"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let _ = REQUEST.try_with(|request| {
            if request.is_sent.replace(true) {
                request.limiter.repeated(request.call);
            }
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Requests for credentials are not a token's, and have no queue.
        let _ = REQUEST.try_with(|request| {
            let error = context.output_or_error().and_then(Result::err);
            let error = error.and_then(|error| error.as_operation_error());
            let wait = error
                .filter(|error| {
                    let code = (request.code)(error).unwrap_or_default();
                    let status = context
                        .response()
                        .map_or(0, |answer| answer.status().as_u16());
                    let error = KmsError::answered("", None, code, "", status);
                    error.kind == KmsErrorKind::Throttled
                })
                .and_then(|_| request.limiter.throttled(request.call, !request.is_once));
            request.wait.set(wait);
        });
        Ok(())
    }
}

/// Has an attempt that was throttled repeated when its turn comes, and one that is to be the only one never.
#[derive(Debug)]
pub(super) struct InTurn;

impl ClassifyRetry for InTurn {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        let request = REQUEST.try_with(|request| (request.is_once, request.wait.get()));
        match request.unwrap_or_default() {
            (true, _) => RetryAction::RetryForbidden,
            (false, Some(wait)) => RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                retry_after: Some(wait),
            }),
            (false, None) => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "turn of a throttled request"
    }
}
