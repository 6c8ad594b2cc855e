//! What can go wrong when KMS is asked for something, and what a person can do about it.

mod codes;
mod rv;

use std::borrow::Cow;
use std::fmt;

pub(crate) use codes::is_of_clock;
pub(crate) use rv::{Caller, Phase};

use super::permissions;

/// The classes of failure that PKCS#11 callers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The caller may not do this (`AccessDeniedException`, `InvalidGrantTokenException`,
    /// `OptInRequired`).
    AccessDenied,
    /// The configuration does not let the token act as the identity that the credentials belong to.
    Identity,
    /// No credentials, expired or unknown ones, or a signature KMS does not accept.
    Credentials,
    /// The login that the call began under has ended, so that nothing more is sent for it.
    LoggedOut,
    /// `InvalidCiphertextException`, `IncorrectKeyException`.
    InvalidCiphertext,
    /// `KMSInvalidSignatureException`, `KMSInvalidMacException`.
    InvalidSignature,
    /// Imported material that is none of the key's spec, or other than the key had before
    /// (`IncorrectKeyMaterialException`).
    KeyMaterial,
    /// A `ValidationException` that speaks of a length.
    Length,
    /// Any other `ValidationException`.
    Validation,
    /// `TagException`, `MalformedPolicyDocumentException`, `InvalidArnException`,
    /// `InvalidAliasNameException`.
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
    /// This process has no threads, descriptors or memory left, so that nothing was sent.
    Exhausted,
    /// An answer that contradicts the request (another key id, another algorithm, a missing field), or that is none
    /// of KMS's.
    BadAnswer,
    /// A code this module has never heard of.
    Other,
}

/// A failed KMS operation: which, on which key, what KMS said, and what to check.
///
/// Its `Display` is the sentence for the log: operation, key, code and message of KMS, request id,
/// advice.
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
    pub(crate) request_id: Option<Box<str>>,
    /// Whether the log says so already, and nothing has changed since.
    pub(crate) is_told: bool,
    pub(crate) course: Course,
}

/// How far a request got that failed, which is what its failure says of its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Course {
    /// To its end: what failed it is its endpoint, or the way there.
    #[default]
    Ended,
    /// Nothing was sent: its endpoint is deemed down, it was not its turn in time, or there was nobody to ask as.
    Unsent,
    /// Nothing was sent, since what it needs first, such as credentials, failed or did not come: that is not of its
    /// endpoint, and yet of the place, which another one may be better than.
    Unready,
    /// The time of its call was over so long after it had been sent.
    CutShort { millis: u32 },
}

impl KmsError {
    /// A failure that this side of the connection found, so without a code and a request id.
    pub(crate) fn local(
        kind: KmsErrorKind,
        operation: &'static str,
        key: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            key: key.map(str::to_owned),
            code: String::new(),
            message: message.into(),
            request_id: None,
            is_told: false,
            course: Course::Ended,
        }
    }

    /// The same as a failure that the log tells of elsewhere, where it is one that lasts.
    pub(crate) fn once_told(self) -> Self {
        Self {
            is_told: self.is_told || self.kind == KmsErrorKind::AccessDenied,
            ..self
        }
    }

    /// Logs what follows from this failure: as a warning, unless the log has it already.
    pub(crate) fn warn(&self, consequence: fmt::Arguments<'_>) {
        if self.is_told {
            tracing::debug!("{consequence}: {self}");
        } else {
            tracing::warn!("{consequence}: {self}");
        }
    }

    /// True when the endpoint did not serve: one of another region may.
    pub(crate) fn is_down(&self) -> bool {
        matches!(
            self.kind,
            KmsErrorKind::Unavailable | KmsErrorKind::Timeout | KmsErrorKind::Network
        )
    }

    /// True when KMS could not be reached, would not serve anybody, whatever the key, or is not what answered.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(
            self.kind,
            KmsErrorKind::Identity
                | KmsErrorKind::Credentials
                | KmsErrorKind::LoggedOut
                | KmsErrorKind::Throttled
                | KmsErrorKind::Unavailable
                | KmsErrorKind::Timeout
                | KmsErrorKind::Network
                | KmsErrorKind::Configuration
                | KmsErrorKind::BadAnswer
                | KmsErrorKind::Exhausted
        )
    }

    /// True when KMS refused the date of a request's signature: the clocks are apart, and nothing else is wrong.
    pub(crate) fn is_of_clock(&self) -> bool {
        self.kind == KmsErrorKind::Credentials && is_of_clock(&self.message)
    }

    /// A failure that KMS answered, classified by its code.
    ///
    /// `status` is the HTTP status, which tells server faults whose code is not known.
    pub(crate) fn answered(
        operation: &'static str,
        key: Option<&str>,
        code: &str,
        message: &str,
        status: u16,
    ) -> Self {
        Self {
            code: code.to_owned(),
            ..Self::local(
                codes::classify(code, message, status),
                operation,
                key,
                message,
            )
        }
    }

    /// What a person should check, as a clause without capital and full stop.
    fn advice(&self) -> Cow<'static, str> {
        use KmsErrorKind as Kind;
        Cow::Borrowed(match self.kind {
            Kind::AccessDenied => {
                return Cow::Owned(permissions::advice(self.operation, &self.message));
            }
            Kind::Disabled => "enable the key",
            Kind::InvalidState => {
                "look at the key's state: it may be pending deletion, pending import, or just created"
            }
            Kind::InvalidKeyUsage => "use a key whose key usage and key spec allow this operation",
            Kind::NotFound => {
                "check the key id, the account and the region; a key made elsewhere seconds ago may not be visible yet"
            }
            Kind::Identity => {
                "use the credentials of an identity that account and allow in the token's configuration describe"
            }
            Kind::Credentials => {
                "check that AWS credentials are configured for this process, valid, not expired, and that the clock is right"
            }
            Kind::LoggedOut => "log in, and call again",
            Kind::InvalidCiphertext => {
                "check that the ciphertext was made for this key with the same algorithm"
            }
            Kind::InvalidSignature => {
                "check that the signature or MAC was made by this key over this data"
            }
            Kind::KeyMaterial => {
                "the key takes the material that it had before and no other; give other material a key of its own"
            }
            Kind::Length => "check the length of the data against what the algorithm takes",
            Kind::Validation => "check the parameters of the request",
            Kind::InvalidAttribute => "check the tags, alias and policy against the rules of KMS",
            Kind::Unsupported => "use a key spec and an operation that KMS offers in this region",
            Kind::LimitExceeded => "delete unused resources, or have the AWS quota raised",
            Kind::Throttled => "send fewer requests a second, or have the AWS request quota raised",
            Kind::Unavailable => "try again; see the AWS service health page if it persists",
            Kind::Timeout => {
                "check the endpoint and the network, or raise the deadline in the configuration"
            }
            Kind::Network => {
                "check the endpoint, name resolution, proxy settings (HTTPS_PROXY, NO_PROXY), trusted certificates (ca_bundle, AWS_CA_BUNDLE) and firewall"
            }
            Kind::Configuration => {
                "set the region (AWS_REGION, a profile, or the configuration file), a well-formed endpoint URL and a readable file of CA certificates, if any"
            }
            Kind::Exhausted => {
                "raise the limits of this process on open files (RLIMIT_NOFILE), threads (RLIMIT_NPROC, pids.max of its cgroup) and memory"
            }
            Kind::BadAnswer => "check what stands between this process and KMS: endpoint and proxy",
            Kind::Other => "look the code up in the AWS KMS API reference",
        })
    }
}

impl std::error::Error for KmsError {}

impl fmt::Display for KmsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", service(self.operation), self.operation)?;
        if let Some(key) = &self.key {
            write!(f, " of {key}")?;
        }
        f.write_str(" failed: ")?;
        if !self.code.is_empty() {
            write!(f, "{}: ", self.code)?;
        }
        f.write_str(if self.message.is_empty() {
            "no message"
        } else {
            &self.message
        })?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        write!(f, "; {}", self.advice())
    }
}

/// Whose operation it is.
fn service(operation: &str) -> &'static str {
    match operation {
        "GetCallerIdentity" => "STS",
        _ => "KMS",
    }
}

#[cfg(test)]
impl KmsErrorKind {
    /// Every kind, in the order of declaration.
    pub(crate) const ALL: [Self; Self::Other as usize + 1] = [
        Self::Disabled,
        Self::InvalidState,
        Self::InvalidKeyUsage,
        Self::NotFound,
        Self::AccessDenied,
        Self::Identity,
        Self::Credentials,
        Self::LoggedOut,
        Self::InvalidCiphertext,
        Self::InvalidSignature,
        Self::KeyMaterial,
        Self::Length,
        Self::Validation,
        Self::InvalidAttribute,
        Self::Unsupported,
        Self::LimitExceeded,
        Self::Throttled,
        Self::Unavailable,
        Self::Timeout,
        Self::Network,
        Self::Configuration,
        Self::Exhausted,
        Self::BadAnswer,
        Self::Other,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_operation_key_code_message_request_and_the_missing_iam_action() {
        let mut error = KmsError::answered(
            "Sign",
            Some("arn:aws:kms:eu-west-1:111122223333:key/1234"),
            "AccessDeniedException",
            "User: test is not authorized",
            400,
        );
        error.request_id = Some("0000-request".into());
        assert_eq!(
            error.to_string(),
            "KMS Sign of arn:aws:kms:eu-west-1:111122223333:key/1234 failed: \
             AccessDeniedException: User: test is not authorized (request 0000-request); \
             without kms:Sign nothing is signed (C_Sign*; nothing else fails): \
             allow the action kms:Sign to the caller in its IAM policy and in the key policy"
        );
    }

    #[test]
    fn an_error_without_an_answer_has_no_empty_parts() {
        let error = KmsError::local(KmsErrorKind::Timeout, "ListKeys", None, "no answer in 15 s");
        assert_eq!(
            error.to_string(),
            "KMS ListKeys failed: no answer in 15 s; \
             check the endpoint and the network, or raise the deadline in the configuration"
        );
    }

    #[test]
    fn every_kind_comes_with_its_own_advice() {
        let advice: std::collections::BTreeSet<_> = KmsErrorKind::ALL
            .iter()
            .map(|kind| {
                KmsError::local(*kind, "Sign", None, "")
                    .advice()
                    .into_owned()
            })
            .collect();
        assert_eq!(advice.len(), KmsErrorKind::ALL.len());
    }
}
