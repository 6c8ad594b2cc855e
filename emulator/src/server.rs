//! Connections and requests.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fmt, io};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::control;
use crate::door::Connected;
use crate::error::{ApiError, ApiResult};
use crate::fault::Effect;
use crate::input::Input;
use crate::operations::{Operation, SERVICES};
use crate::response::{self, AMZ_JSON, ReplyBody};
use crate::service::Service;
use crate::strike;

const BODY_LIMIT: usize = 1 << 20;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// Before something is tried again that should have worked.
const PAUSE: Duration = Duration::from_millis(10);

/// Accepts connections for as long as it is polled, where the door is open.
pub(crate) async fn serve(mut listener: TcpListener, service: Arc<Service>) {
    let Ok(address) = listener.local_addr() else {
        return;
    };
    let door = Arc::clone(&service.door);
    loop {
        door.set_listens(true);
        tokio::select! {
            () = accept(&listener, &service) => {}
            () = door.until(false) => {}
        }
        drop(listener);
        // Bound all the same, so that nobody else gets the port meanwhile.
        let reserved = persistently(|| reserve(address)).await;
        door.set_listens(false);
        door.until(true).await;
        drop(reserved);
        listener = persistently(|| reserve(address)?.listen(BACKLOG)).await;
    }
}

async fn accept(listener: &TcpListener, service: &Arc<Service>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connected = service.door.connected();
                tokio::spawn(serve_connection(stream, Arc::clone(service), connected));
            }
            // Out of file descriptors, or a connection that is gone already: others may follow.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn persistently<T>(attempt: impl Fn() -> io::Result<T>) -> T {
    loop {
        if let Ok(done) = attempt() {
            return done;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How a connection ends in place of an answer in HTTP.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It is reset.
    Reset,
    /// These bytes are sent, and then nothing until the client goes away.
    Sent(Bytes),
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Ending>> + Send>>;

async fn serve_connection(stream: TcpStream, service: Arc<Service>, _connected: Connected) {
    // Without it, small answers wait for the client's acknowledgements.
    let _ = stream.set_nodelay(true);
    let closed = service.door.until(false);
    let counted = Arc::new(AtomicBool::new(false));
    let answer = service_fn(move |request| -> Answer {
        Box::pin(answer(Arc::clone(&service), Arc::clone(&counted), request))
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), answer);
    let ended = tokio::select! {
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => ended,
        () = closed => {
            end(connection.into_parts().io.into_inner(), &Ending::Reset).await;
            return;
        }
    };
    let demanded = ended.as_ref().err().and_then(|error| error.source());
    if let Some(ending) = demanded.and_then(<dyn Error>::downcast_ref) {
        end(connection.into_parts().io.into_inner(), ending).await;
    }
}

async fn end(mut stream: TcpStream, ending: &Ending) {
    match ending {
        Ending::Reset => {
            let _ = stream.set_zero_linger();
        }
        Ending::Sent(bytes) => {
            // A client that has gone away already needs no more.
            let _ = stream.write_all(bytes).await;
            let gone =
                async { while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {} };
            let _ = tokio::time::timeout(Effect::HANG_LIMIT, gone).await;
        }
    }
}

async fn answer(
    service: Arc<Service>,
    counted: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Ending> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    // A client that stops in the middle of its request, or does not stop, gets no answer.
    let body = body.map_err(|_| Ending::Reset)?.to_bytes();
    if let Some(resource) = head.uri.path().strip_prefix("/_emulator/") {
        return Ok(control::answer(&service, &head.method, resource, body).await);
    }
    let first_on_connection = !counted.swap(true, Ordering::Relaxed);
    let _in_flight = service.calls.begin(
        operation_name(&head),
        text(&head, USER_AGENT),
        first_on_connection,
    );
    strike::answer(&service, &head, body).await
}

/// Processes a request, whatever fault its answer is going to meet.
pub(crate) async fn process(
    service: &Arc<Service>,
    head: &Parts,
    body: Bytes,
) -> Response<ReplyBody> {
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
pub(crate) fn operation_name(head: &Parts) -> &str {
    match target(head).split_once('.') {
        Some((service, name)) if SERVICES.contains(&service) => name,
        _ => "(none)",
    }
}

/// `TrentService.Sign`; empty when the request does not say.
fn target(head: &Parts) -> &str {
    text(head, HeaderName::from_static("x-amz-target")).unwrap_or_default()
}

pub(crate) fn text(head: &Parts, name: HeaderName) -> Option<&str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

impl Error for Ending {}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends on demand")
    }
}
