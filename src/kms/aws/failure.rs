//! From the SDK's errors to the port's.

use std::error::Error;
use std::io;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ConnectorError, ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;

use super::credential_process::Failed;
use crate::kms::{KmsError, KmsErrorKind as Kind};

/// What it says of an endpoint that is not a URL, followed by the whole request in debug form.
const BAD_ENDPOINT: &str = "failed to apply endpoint";
const REQUEST_DUMP: &str = " to request ";
/// How every TLS failure is introduced; the types behind it are private too.
const TLS: &str = "tls handshake";
/// How every failure of a proxy to connect is introduced.
const PROXY: &str = "tunnel error";
/// How the SDK says that an operation had its time, whatever the operation.
const TIMED_OUT: &str = "request has timed out";
/// Why credentials that were configured nowhere may end in a time limit.
const METADATA: &str = "where none are configured, the instance metadata service is asked for them, which \
                        does not answer everywhere";

/// The port's error for a failed request: its class, KMS's or the transport's words, the ids.
pub(super) fn describe<E>(
    operation: &'static str,
    key: Option<&str>,
    error: &SdkError<E, HttpResponse>,
) -> KmsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let local = |kind, message: String| KmsError::local(kind, operation, key, message);
    let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
    if let Some(error) = of_module(error) {
        return error.clone();
    }
    let described = match error {
        SdkError::ServiceError(context) => {
            let (code, message) = (context.err().code(), context.err().message());
            match code.unwrap_or_default() {
                // An error of KMS's has its code. Without one it comes from something between, or was none
                // before something between changed it.
                "" => local(
                    of_status(status),
                    format!(
                        "no answer of KMS's (HTTP status {status}): {}",
                        words(error)
                    ),
                ),
                code => {
                    KmsError::answered(operation, key, code, message.unwrap_or_default(), status)
                }
            }
        }
        _ if lacks_credentials(error) => without_credentials(local, error),
        SdkError::TimeoutError(_) => local(Kind::Timeout, words(error)),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(connector) => transport(local, connector),
            None => local(Kind::Network, words(error)),
        },
        SdkError::ResponseError(_) if status >= 500 => local(
            Kind::Unavailable,
            format!("HTTP status {status}: {}", words(error)),
        ),
        SdkError::ResponseError(_) => {
            local(Kind::Network, format!("broken answer: {}", words(error)))
        }
        // Everything that fails before a request is sent is a matter of how the client is set up.
        _ => local(Kind::Configuration, words(error)),
    };
    KmsError {
        request_id: error.request_id().map(Box::from),
        ..described
    }
}

/// What an answer without a code of KMS's says.
fn of_status(status: u16) -> Kind {
    match status {
        429 => Kind::Throttled,
        500.. => Kind::Unavailable,
        _ => Kind::BadAnswer,
    }
}

fn transport(local: impl Fn(Kind, String) -> KmsError, error: &ConnectorError) -> KmsError {
    if error.is_timeout() {
        return local(Kind::Timeout, words(error));
    }
    if error.is_user() || chain(error).any(|cause| starts_with(cause, BAD_ENDPOINT)) {
        return local(Kind::Configuration, words(error));
    }
    if chain(error).any(|cause| cause.downcast_ref().is_some_and(is_exhaustion)) {
        return local(Kind::Exhausted, words(error));
    }
    let step = if chain(error).any(<dyn Error>::is::<ResolveDnsError>) {
        "name resolution failed"
    } else if chain(error).any(|cause| starts_with(cause, TLS)) {
        "TLS failed"
    } else if chain(error).any(|cause| starts_with(cause, PROXY)) {
        "the proxy did not connect"
    } else {
        "connection failed"
    };
    local(Kind::Network, format!("{step}: {}", words(error)))
}

/// Whether the operating system had no descriptor or no memory.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code.is_some_and(|code| {
        [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS].contains(&code)
    })
}

/// The port's error for credentials that could not be had.
pub(super) fn of_credentials(operation: &'static str, error: &CredentialsError) -> KmsError {
    of_module(error).cloned().unwrap_or_else(|| {
        without_credentials(
            |kind, message| KmsError::local(kind, operation, None, message),
            error,
        )
    })
}

/// The error for credentials that could not be had. Where the network or the service that issues them is at
/// fault, that says nothing about the credentials.
fn without_credentials(
    local: impl Fn(Kind, String) -> KmsError,
    error: &(dyn Error + 'static),
) -> KmsError {
    let issuing = |kind, message| local(kind, format!("no credentials: {message}"));
    if let Some(failed) = chain(error).find_map(|cause| cause.downcast_ref::<Failed>()) {
        return issuing(failed.kind(), failed.to_string());
    }
    let mut last = error;
    for cause in chain(error) {
        match cause.downcast_ref() {
            // The chain has tried all its sources by then: that one of them does not answer where it is not
            // offered is no outage.
            Some(
                CredentialsError::CredentialsNotLoaded(_)
                | CredentialsError::InvalidConfiguration(_),
            ) => return local(Kind::Credentials, words(error)),
            Some(CredentialsError::ProviderTimedOut(_)) => {
                return issuing(Kind::Timeout, format!("{}; {METADATA}", words(cause)));
            }
            Some(_) => last = cause,
            None => {}
        }
    }
    // The error above it says as well that something went wrong on the way to KMS.
    for cause in chain(last).skip(1) {
        if let Some(connector) = cause.downcast_ref() {
            return transport(issuing, connector);
        }
        if starts_with(cause, TIMED_OUT) {
            return issuing(Kind::Timeout, words(last));
        }
        if let Some(kind) = outage(cause) {
            return issuing(kind, words(last));
        }
    }
    local(Kind::Credentials, words(error))
}

/// Whether a service that issues credentials answered so because it could not serve anybody.
fn outage(cause: &(dyn Error + 'static)) -> Option<Kind> {
    let text = cause.to_string();
    let code = match cause.downcast_ref::<ErrorMetadata>() {
        Some(answer) => answer.code().unwrap_or_default(),
        // Errors of a service's model begin with their code.
        None => text.split(':').next().unwrap_or_default(),
    };
    let status = status_of::<AssumeRoleError>(cause)
        .or_else(|| status_of::<AssumeRoleWithWebIdentityError>(cause));
    let answered = KmsError::answered("", None, code, "", status.unwrap_or_default());
    Some(answered.kind).filter(|kind| matches!(kind, Kind::Throttled | Kind::Unavailable))
}

fn status_of<E: Error + 'static>(cause: &(dyn Error + 'static)) -> Option<u16> {
    let error = cause.downcast_ref::<SdkError<E, HttpResponse>>()?;
    Some(error.raw_response()?.status().as_u16())
}

/// The error behind another that this module's own provider of credentials gave.
fn of_module<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e KmsError> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// Whether a request could not even be signed.
pub(super) fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(<dyn Error>::is::<CredentialsError>)
}

/// The causes of an error in one line, the first being the outermost.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in chain(error) {
        let mut text = cause.to_string();
        if text.starts_with(BAD_ENDPOINT)
            && let Some(end) = text.find(REQUEST_DUMP)
        {
            // A request holds what must not be printed.
            text.truncate(end);
        }
        // Wrappers often repeat what they wrap.
        if !line.ends_with(&text) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&text);
        }
    }
    line
}

fn starts_with(cause: &(dyn Error + 'static), beginning: &str) -> bool {
    cause
        .to_string()
        .to_ascii_lowercase()
        .starts_with(beginning)
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}
