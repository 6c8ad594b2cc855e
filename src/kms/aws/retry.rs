//! What is repeated, and after which pause.

use std::time::Duration;

use aws_sdk_kms::config::interceptors::InterceptorContext;
use aws_sdk_kms::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_kms::operation::create_key::CreateKeyError;
use aws_sdk_kms::operation::replicate_key::ReplicateKeyError;
use aws_sdk_kms::operation::tag_resource::TagResourceError;

/// The pauses while a new key becomes visible: the first up to half a second, doubled up to four.
///
/// Each is shortened by a random part, up to its half, so that many callers do not come back
/// together.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(4);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (self.0 * 2).min(LONGEST);
        pause
    }
}

/// Keeps the SDK from repeating a request that met a resource limit, which it takes for throttling.
///
/// The operations are those of this module that may answer `LimitExceededException`.
#[derive(Debug)]
pub(super) struct NeverOnLimitExceeded;

impl ClassifyRetry for NeverOnLimitExceeded {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = match context.output_or_error() {
            Some(Err(error)) => error.as_operation_error(),
            Some(Ok(_)) | None => None,
        };
        let limit_exceeded = error.is_some_and(|error| {
            error
                .downcast_ref::<CreateKeyError>()
                .is_some_and(CreateKeyError::is_limit_exceeded_exception)
                || error
                    .downcast_ref::<ReplicateKeyError>()
                    .is_some_and(ReplicateKeyError::is_limit_exceeded_exception)
                || error
                    .downcast_ref::<TagResourceError>()
                    .is_some_and(TagResourceError::is_limit_exceeded_exception)
        });
        if limit_exceeded {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "no retry on LimitExceededException"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_quarter_second_to_four_seconds() {
        for _ in 0..100 {
            let mut backoff = Backoff::new();
            for longest in [500, 1000, 2000, 4000, 4000, 4000] {
                let pause = backoff.next().as_millis();
                assert!(
                    (longest / 2..=longest).contains(&pause),
                    "{pause} of {longest}"
                );
            }
        }
    }
}
