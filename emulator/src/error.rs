//! KMS's errors: a code, a message, an HTTP status.

use std::borrow::Cow;

/// The answer of an operation that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: Cow<'static, str>,
    /// KMS leaves the message out of some errors, such as `KMSInvalidSignatureException`.
    pub(crate) message: Option<String>,
    pub(crate) status: u16,
}

/// One constructor for each code whose errors carry a message.
macro_rules! with_message {
    ($($name:ident = $code:literal),+ $(,)?) => {
        impl ApiError {
            $(pub(crate) fn $name(message: impl Into<String>) -> Self {
                Self { message: Some(message.into()), ..Self::bare($code) }
            })+
        }
    };
}

with_message! {
    already_exists = "AlreadyExistsException",
    disabled = "DisabledException",
    dry_run = "DryRunOperationException",
    expired_import_token = "ExpiredImportTokenException",
    incomplete_signature = "IncompleteSignatureException",
    incorrect_key = "IncorrectKeyException",
    incorrect_key_material = "IncorrectKeyMaterialException",
    internal = "KMSInternalException",
    invalid_alias_name = "InvalidAliasNameException",
    invalid_arn = "InvalidArnException",
    invalid_import_token = "InvalidImportTokenException",
    invalid_key_usage = "InvalidKeyUsageException",
    invalid_marker = "InvalidMarkerException",
    invalid_parameter = "InvalidParameterException",
    invalid_state = "KMSInvalidStateException",
    limit_exceeded = "LimitExceededException",
    malformed_policy = "MalformedPolicyDocumentException",
    missing_authentication = "MissingAuthenticationTokenException",
    not_found = "NotFoundException",
    serialization = "SerializationException",
    tag = "TagException",
    unsupported = "UnsupportedOperationException",
    validation = "ValidationException",
}

impl ApiError {
    /// An error of which KMS sends the code alone.
    pub(crate) fn bare(code: &'static str) -> Self {
        let status = if code == "KMSInternalException" {
            500
        } else {
            400
        };
        Self {
            code: Cow::Borrowed(code),
            message: None,
            status,
        }
    }

    /// The cryptography library refused something that was checked beforehand.
    pub(crate) fn cryptography(what: &str) -> Self {
        Self::internal(format!("{what} failed"))
    }
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;
