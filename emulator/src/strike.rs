//! A request and the fault that it meets.

use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, DATE, HeaderName};
use hyper::http::request::Parts;
use serde_json::Value;

use crate::clock::Clock;
use crate::error::{ApiError, ApiResult};
use crate::fault::Effect;
use crate::response::{self, ReplyBody};
use crate::server::{Ending, operation_name, process, text};
use crate::service::Service;

/// Answers a call of KMS, through the fault that it meets.
pub(crate) async fn answer(
    service: &Arc<Service>,
    head: &Parts,
    body: Bytes,
) -> Result<Response<ReplyBody>, Ending> {
    if !service.quotas.admit(operation_name(head)) {
        let message = "You have exceeded the rate at which you may call KMS.".to_owned();
        return Ok(refusal("ThrottlingException".to_owned(), message, 400));
    }
    let access_key = access_key(head);
    if access_key.is_some_and(|key| service.faults.is_expired(key)) {
        return Ok(expired());
    }
    let effect = service.faults.meet(operation_name(head));
    let latency = match &effect {
        Some(Effect::Latency { ms }) => Duration::from_millis(*ms),
        _ => service.settings.latency(),
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let processed = || process(service, head, body.clone());
    Ok(match effect {
        None | Some(Effect::Latency { .. }) => processed().await,
        Some(Effect::Error {
            code,
            message,
            status,
        }) => refusal(code, message, status),
        Some(Effect::ErrorAfter {
            code,
            message,
            status,
        }) => {
            processed().await;
            refusal(code, message, status)
        }
        Some(Effect::ResetBefore) => return Err(Ending::Reset),
        Some(Effect::ResetAfter) => {
            processed().await;
            return Err(Ending::Reset);
        }
        Some(Effect::Hang) => return Err(hang().await),
        Some(Effect::HangAfter) => {
            processed().await;
            return Err(hang().await);
        }
        Some(Effect::TruncatedBody) => response::truncated(processed().await),
        Some(Effect::Page {
            status,
            processed: is_processed,
        }) => {
            if is_processed {
                processed().await;
            }
            response::page(status)
        }
        Some(Effect::Body { text }) => response::replaced(processed().await, text),
        Some(Effect::Changed(changes)) => response::changed(processed().await, &changes),
        Some(Effect::ContentLength { by }) => {
            let answer = response::with_content_length_off(&processed().await, by);
            return Err(Ending::Sent(answer));
        }
        Some(Effect::AnotherKey) => match another_key(service, &body).await {
            Ok(another) => process(&another, head, body).await,
            Err(error) => response::failure(&error),
        },
        Some(Effect::ClockSkew { seconds }) => {
            let clock = Clock::ahead_by(seconds);
            let signed = text(head, HeaderName::from_static("x-amz-date")).unwrap_or_default();
            let mut answer = match clock.check(signed) {
                Ok(()) => processed().await,
                Err(error) => response::failure(&error),
            };
            if let Some(date) = clock.header() {
                answer.headers_mut().insert(DATE, date);
            }
            answer
        }
        Some(Effect::ExpiredCredentials) => {
            if let Some(key) = access_key {
                service.faults.expire(key);
            }
            expired()
        }
    })
}

async fn hang() -> Ending {
    tokio::time::sleep(Effect::HANG_LIMIT).await;
    Ending::Reset
}

/// The service with other material in the place of that of the key which the request names.
async fn another_key(service: &Arc<Service>, body: &[u8]) -> ApiResult<Arc<Service>> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let reference = request["KeyId"].as_str().unwrap_or_default().to_owned();
    let service = Arc::clone(service);
    // New RSA keys take their time.
    let made = tokio::task::spawn_blocking(move || service.with_another_key(&reference)).await;
    let made = made.unwrap_or_else(|_| Err(ApiError::internal("The operation panicked")));
    made.map(Arc::new)
}

/// Whose request it is: `Credential=ACCESS_KEY/20260101/us-east-1/kms/aws4_request`.
fn access_key(head: &Parts) -> Option<&str> {
    let (_, credential) = text(head, AUTHORIZATION)?.split_once("Credential=")?;
    credential.split('/').next()
}

fn expired() -> Response<ReplyBody> {
    let message = "The security token included in the request is expired".to_owned();
    refusal("ExpiredTokenException".to_owned(), message, 400)
}

/// The error that a fault demands.
fn refusal(code: String, message: String, status: u16) -> Response<ReplyBody> {
    response::failure(&ApiError {
        code: code.into(),
        message: Some(message),
        status,
    })
}
