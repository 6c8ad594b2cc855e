//! Connections and requests.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::control;
use crate::error::{ApiError, ApiResult};
use crate::fault::Effect;
use crate::input::Input;
use crate::operations::{Operation, SERVICES};
use crate::response::{self, AMZ_JSON, ReplyBody};
use crate::service::Service;

const BODY_LIMIT: usize = 1 << 20;

/// Accepts connections for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, service: Arc<Service>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, Arc::clone(&service)));
            }
            // Out of file descriptors, or a connection that is gone already: others may follow.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The connection is to be reset instead of answered.
#[derive(Debug)]
struct Reset;

type Answer = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Reset>> + Send>>;

async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // Without it, small answers wait for the client's acknowledgements.
    let _ = stream.set_nodelay(true);
    let counted = Arc::new(AtomicBool::new(false));
    let answer = service_fn(move |request| -> Answer {
        Box::pin(answer(Arc::clone(&service), Arc::clone(&counted), request))
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), answer);
    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let demanded = |error: hyper::Error| error.source().is_some_and(<dyn Error>::is::<Reset>);
    if ended.is_err_and(demanded) {
        let stream = connection.into_parts().io.into_inner();
        let _ = stream.set_zero_linger();
    }
}

async fn answer(
    service: Arc<Service>,
    counted: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Reset> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    // A client that stops in the middle of its request, or does not stop, gets no answer.
    let body = body.map_err(|_| Reset)?.to_bytes();
    if let Some(resource) = head.uri.path().strip_prefix("/_emulator/") {
        return Ok(control::answer(&service, &head.method, resource, body).await);
    }
    let first_on_connection = !counted.swap(true, Ordering::Relaxed);
    let _in_flight = service.calls.begin(
        operation_name(&head),
        text(&head, USER_AGENT),
        first_on_connection,
    );
    answer_call(&service, &head, body).await
}

/// Answers a call of KMS, through the fault that it meets.
async fn answer_call(
    service: &Arc<Service>,
    head: &Parts,
    body: Bytes,
) -> Result<Response<ReplyBody>, Reset> {
    if !service.quotas.admit(operation_name(head)) {
        let message = "You have exceeded the rate at which you may call KMS.".to_owned();
        return Ok(refusal("ThrottlingException".to_owned(), message, 400));
    }
    let effect = service.faults.meet(operation_name(head));
    let latency = match &effect {
        Some(Effect::Latency { ms }) => Duration::from_millis(*ms),
        _ => service.settings.latency(),
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match effect {
        None | Some(Effect::Latency { .. }) => Ok(process(service, head, body).await),
        Some(Effect::Error {
            code,
            message,
            status,
        }) => Ok(refusal(code, message, status)),
        Some(Effect::ErrorAfter {
            code,
            message,
            status,
        }) => {
            process(service, head, body).await;
            Ok(refusal(code, message, status))
        }
        Some(Effect::ResetBefore) => Err(Reset),
        Some(Effect::ResetAfter) => {
            process(service, head, body).await;
            Err(Reset)
        }
        Some(Effect::Hang) => {
            tokio::time::sleep(Effect::HANG_LIMIT).await;
            Err(Reset)
        }
        Some(Effect::HangAfter) => {
            process(service, head, body).await;
            tokio::time::sleep(Effect::HANG_LIMIT).await;
            Err(Reset)
        }
        Some(Effect::TruncatedBody) => Ok(response::truncated(process(service, head, body).await)),
    }
}

/// The error that a fault demands.
fn refusal(code: String, message: String, status: u16) -> Response<ReplyBody> {
    response::failure(&ApiError {
        code: code.into(),
        message: Some(message),
        status,
    })
}

async fn process(service: &Arc<Service>, head: &Parts, body: Bytes) -> Response<ReplyBody> {
    let output = match operation(head) {
        Ok(operation) => run(service, operation, body).await,
        Err(error) => Err(error),
    };
    match output {
        Ok(output) => response::success(&output),
        Err(error) => response::failure(&error),
    }
}

async fn run(
    service: &Arc<Service>,
    operation: &'static Operation,
    body: Bytes,
) -> ApiResult<Value> {
    let service = Arc::clone(service);
    let writes_file = operation.changes && service.state_file.is_some();
    let run = move || {
        let output = (operation.run)(&service, Input::parse(&body)?)?;
        if writes_file {
            service.persist()?;
        }
        Ok(output)
    };
    if !operation.slow && !writes_file {
        return run();
    }
    let joined = tokio::task::spawn_blocking(run).await;
    joined.unwrap_or_else(|_| Err(ApiError::internal("The operation panicked")))
}

/// The operation that a well-formed request calls; its signature is demanded, but not verified.
fn operation(head: &Parts) -> ApiResult<&'static Operation> {
    let is_call = head.method == Method::POST
        && head.uri.path() == "/"
        && text(head, CONTENT_TYPE) == Some(AMZ_JSON);
    let unknown = || ApiError::bare("UnknownOperationException");
    let operation = Operation::by_target(target(head)).filter(|_| is_call);
    let operation = operation.ok_or_else(unknown)?;
    let Some(authorization) = text(head, AUTHORIZATION) else {
        return Err(ApiError::missing_authentication(
            "Missing Authentication Token",
        ));
    };
    let missing: Vec<String> = ["Credential", "Signature", "SignedHeaders"]
        .iter()
        .filter(|part| !authorization.contains(&format!("{part}=")))
        .map(|part| format!("Authorization header requires '{part}' parameter."))
        .collect();
    if !authorization.starts_with("AWS4-HMAC-SHA256 ") {
        return Err(ApiError::incomplete_signature(format!(
            "Unsupported AWS 'algorithm': '{}'.",
            authorization.split(' ').next().unwrap_or_default()
        )));
    }
    if !missing.is_empty() {
        return Err(ApiError::incomplete_signature(missing.join(" ")));
    }
    Ok(operation)
}

/// What the request calls, as its header says; the call log has it even when it does not exist.
fn operation_name(head: &Parts) -> &str {
    match target(head).split_once('.') {
        Some((service, name)) if SERVICES.contains(&service) => name,
        _ => "(none)",
    }
}

/// `TrentService.Sign`; empty when the request does not say.
fn target(head: &Parts) -> &str {
    text(head, HeaderName::from_static("x-amz-target")).unwrap_or_default()
}

fn text(head: &Parts, name: HeaderName) -> Option<&str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

impl Error for Reset {}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is reset")
    }
}
