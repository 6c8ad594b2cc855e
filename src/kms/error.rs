//! What can go wrong when KMS is asked for something, and what a person can do about it.

use std::fmt;

/// The classes of failure that PKCS#11 callers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub(crate) enum KmsErrorKind {
    /// The key is disabled (`DisabledException`).
    Disabled,
    /// The key's state does not allow the operation (`KMSInvalidStateException`).
    InvalidState,
    /// The key cannot do this (`InvalidKeyUsageException`).
    InvalidKeyUsage,
    /// No such key, or not visible yet (`NotFoundException`).
    NotFound,
    /// The caller may not do this (`AccessDeniedException`, `InvalidGrantTokenException`, `OptInRequired`).
    AccessDenied,
    /// No credentials, expired or unknown ones, or a signature KMS does not accept.
    Credentials,
    /// `InvalidCiphertextException`, `IncorrectKeyException`.
    InvalidCiphertext,
    /// `KMSInvalidSignatureException`, `KMSInvalidMacException`.
    InvalidSignature,
    /// A `ValidationException` that speaks of a length.
    Length,
    /// Any other `ValidationException`.
    Validation,
    /// `TagException`, `MalformedPolicyDocumentException`, `InvalidArnException`, `InvalidAliasNameException`.
    InvalidAttribute,
    /// `UnsupportedOperationException`.
    Unsupported,
    /// `LimitExceededException`.
    LimitExceeded,
    /// Throttled, after all retries.
    Throttled,
    /// `KeyUnavailableException`, `KMSInternalException`, `DependencyTimeoutException`, HTTP 5xx.
    Unavailable,
    /// The deadline of the call passed.
    Timeout,
    /// Name resolution, connection, TLS or a broken answer.
    Network,
    /// The module is set up so that no request can be sent (no region, unusable endpoint).
    Configuration,
    /// An answer that contradicts the request (another key id, another algorithm, a missing field).
    BadAnswer,
    /// A code this module has never heard of.
    Other,
}

/// A failed KMS operation: which, on which key, what KMS said, and what to check.
///
/// Its `Display` is the sentence for the log: operation, key, code and message of KMS, request id, advice.
#[derive(Clone, Debug)]
pub(crate) struct KmsError {
    pub(crate) kind: KmsErrorKind,
    /// The KMS operation, as in the API reference: `Sign`.
    pub(crate) operation: &'static str,
    /// The key's ARN or id, where the operation had one.
    pub(crate) key: Option<String>,
    /// The error code KMS answered: `AccessDeniedException`; empty when nothing was answered.
    pub(crate) code: String,
    /// KMS's own words, or the transport's.
    pub(crate) message: String,
    /// For a support case with AWS.
    pub(crate) request_id: Option<String>,
}

impl std::error::Error for KmsError {}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KMS {}", self.operation)
    }
}
