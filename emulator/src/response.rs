//! HTTP answers: whole, broken off, changed.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use crate::change::Change;
use crate::error::ApiError;
use crate::random;

/// The media type of KMS's protocol.
pub(crate) const AMZ_JSON: &str = "application/x-amz-json-1.1";

/// A body that is sent whole, or whose connection ends in its middle.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    /// What is still to be sent.
    rest: Bytes,
    /// What a client was told to expect beyond `rest`; more than nothing breaks off.
    withheld: u64,
    flushed: bool,
}

/// The body was broken off on demand.
#[derive(Debug)]
pub(crate) struct BrokenOff;

/// The answer of an operation; KMS sends an empty body for operations without output.
pub(crate) fn success(output: &Value) -> Response<ReplyBody> {
    let body = if output.is_null() {
        Vec::new()
    } else {
        output.to_string().into_bytes()
    };
    kms(200, body)
}

/// An error, where AWS SDKs look for it: the type in body and header, the message in the body.
pub(crate) fn failure(error: &ApiError) -> Response<ReplyBody> {
    let mut body = json!({ "__type": error.code });
    if let Some(message) = &error.message {
        body["message"] = message.as_str().into();
    }
    let mut response = kms(error.status, body.to_string().into_bytes());
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// An answer of the control API.
pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Response<ReplyBody> {
    // Only maps with keys other than strings fail to serialise, and there are none here.
    let body = serde_json::to_vec(body).unwrap_or_default();
    respond(status, "application/json", body)
}

/// The same answer, whose connection ends after half of its body.
pub(crate) fn truncated(response: Response<ReplyBody>) -> Response<ReplyBody> {
    response.map(|mut body| {
        let rest = body.rest.split_to(body.rest.len() / 2);
        // An answer with an empty body is announced longer than it is.
        let withheld = body.rest.len().max(1) as u64;
        ReplyBody {
            rest,
            withheld,
            flushed: false,
        }
    })
}

/// A page for people, as proxies and load balancers send it.
pub(crate) fn page(status: u16) -> Response<ReplyBody> {
    let mut response = respond(status, "text/html", Vec::new());
    let reason = response.status().canonical_reason().unwrap_or("Error");
    let title = format!("{status} {reason}");
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n"
    );
    response.body_mut().rest = page.into();
    response
}

/// The same answer with another body.
pub(crate) fn replaced(response: Response<ReplyBody>, body: String) -> Response<ReplyBody> {
    response.map(|old| ReplyBody {
        rest: body.into(),
        ..old
    })
}

/// The same answer with its JSON changed; an empty body is an object without members.
pub(crate) fn changed(response: Response<ReplyBody>, changes: &[Change]) -> Response<ReplyBody> {
    let body = &response.body().rest;
    let mut json = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
    for change in changes {
        change.apply(&mut json);
    }
    replaced(response, json.to_string())
}

/// The bytes of an answer whose Content-Length is off by so many.
pub(crate) fn with_content_length_off(response: &Response<ReplyBody>, by: i64) -> Bytes {
    let body = &response.body().rest;
    let announced = i64::try_from(body.len()).unwrap_or(i64::MAX) + by;
    let mut bytes = format!(
        "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
        response.status(),
        announced.max(0)
    )
    .into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes.into()
}

fn kms(status: u16, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = respond(status, AMZ_JSON, body);
    if let Some(id) = random::uuid()
        .ok()
        .and_then(|id| HeaderValue::from_str(&id).ok())
    {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

fn respond(status: u16, content_type: &'static str, body: Vec<u8>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody {
        rest: body.into(),
        withheld: 0,
        flushed: false,
    });
    *response.status_mut() = status.try_into().unwrap_or(hyper::StatusCode::BAD_REQUEST);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        if self.withheld == 0 {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // An error now would discard what has not been written yet: let the server flush.
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.withheld == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64 + self.withheld)
    }
}

impl std::error::Error for BrokenOff {}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken off by a fault")
    }
}
