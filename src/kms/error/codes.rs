//! The one table from KMS's error codes to the classes of failure.
//!
//! Several of these codes are not in the service model (validation, permission, throttling and
//! everything about request signatures), so all of them are told by their string.

use super::KmsErrorKind as Kind;

/// The class of an error that was answered with this code, message and HTTP status.
pub(super) fn classify(code: &str, message: &str, status: u16) -> Kind {
    match CODES.iter().find(|(known, _)| *known == code) {
        Some((_, Kind::Validation)) if LENGTH.iter().any(|words| message.contains(words)) => {
            Kind::Length
        }
        Some((_, kind)) => *kind,
        None if status >= 500 => Kind::Unavailable,
        None if status == 429 => Kind::Throttled,
        None => Kind::Other,
    }
}

/// Whether KMS says that a signature is too old or from the future.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>.
pub(crate) fn is_of_clock(message: &str) -> bool {
    ["Signature expired: ", "Signature not yet current: "]
        .iter()
        .any(|words| message.contains(words))
}

/// How KMS says that a length is wrong. The bare word may also stand in a value that it quotes.
const LENGTH: [&str; 2] = ["invalid length", "must have length"];

const CODES: &[(&str, Kind)] = &[
    ("DisabledException", Kind::Disabled),
    ("KMSInvalidStateException", Kind::InvalidState),
    ("InvalidKeyUsageException", Kind::InvalidKeyUsage),
    ("NotFoundException", Kind::NotFound),
    // Permission.
    ("AccessDeniedException", Kind::AccessDenied),
    ("AccessDenied", Kind::AccessDenied),
    ("NotAuthorized", Kind::AccessDenied),
    ("InvalidGrantTokenException", Kind::AccessDenied),
    ("OptInRequired", Kind::AccessDenied),
    // Who is asking could not be established.
    ("UnrecognizedClientException", Kind::Credentials),
    ("InvalidClientTokenId", Kind::Credentials),
    ("ExpiredTokenException", Kind::Credentials),
    ("ExpiredToken", Kind::Credentials),
    ("RequestExpired", Kind::Credentials),
    ("InvalidSignatureException", Kind::Credentials),
    ("SignatureDoesNotMatch", Kind::Credentials),
    ("IncompleteSignature", Kind::Credentials),
    ("IncompleteSignatureException", Kind::Credentials),
    ("MissingAuthenticationToken", Kind::Credentials),
    ("MissingAuthenticationTokenException", Kind::Credentials),
    // What was sent.
    ("InvalidCiphertextException", Kind::InvalidCiphertext),
    ("IncorrectKeyException", Kind::InvalidCiphertext),
    ("KMSInvalidSignatureException", Kind::InvalidSignature),
    ("KMSInvalidMacException", Kind::InvalidSignature),
    ("IncorrectKeyMaterialException", Kind::KeyMaterial),
    ("ValidationException", Kind::Validation),
    ("ValidationError", Kind::Validation),
    ("SerializationException", Kind::Validation),
    ("InvalidMarkerException", Kind::Validation),
    ("InvalidParameterException", Kind::Validation),
    ("PaginationTokenExpiredException", Kind::Validation),
    ("TagException", Kind::InvalidAttribute),
    ("MalformedPolicyDocumentException", Kind::InvalidAttribute),
    ("InvalidArnException", Kind::InvalidAttribute),
    ("InvalidAliasNameException", Kind::InvalidAttribute),
    ("UnsupportedOperationException", Kind::Unsupported),
    ("UnknownOperationException", Kind::Unsupported),
    // Quotas.
    ("LimitExceededException", Kind::LimitExceeded),
    ("ThrottlingException", Kind::Throttled),
    ("Throttling", Kind::Throttled),
    ("ThrottledException", Kind::Throttled),
    ("RequestThrottledException", Kind::Throttled),
    ("TooManyRequestsException", Kind::Throttled),
    ("RequestLimitExceeded", Kind::Throttled),
    // The service.
    ("KeyUnavailableException", Kind::Unavailable),
    ("KMSInternalException", Kind::Unavailable),
    ("DependencyTimeoutException", Kind::Unavailable),
    ("ServiceUnavailable", Kind::Unavailable),
    ("ServiceUnavailableException", Kind::Unavailable),
    ("InternalFailure", Kind::Unavailable),
    ("InternalServiceException", Kind::Unavailable),
    ("RequestTimeout", Kind::Unavailable),
    ("RequestTimeoutException", Kind::Unavailable),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_in_the_table_once() {
        let distinct: std::collections::BTreeSet<_> = CODES.iter().map(|(code, _)| code).collect();
        assert_eq!(distinct.len(), CODES.len());
    }

    #[test]
    fn codes_outside_the_service_model_are_known() {
        for (code, kind) in [
            ("AccessDeniedException", Kind::AccessDenied),
            ("ThrottlingException", Kind::Throttled),
            ("UnrecognizedClientException", Kind::Credentials),
            ("ExpiredTokenException", Kind::Credentials),
            ("InvalidSignatureException", Kind::Credentials),
            ("IncompleteSignature", Kind::Credentials),
            ("InvalidClientTokenId", Kind::Credentials),
            ("SignatureDoesNotMatch", Kind::Credentials),
        ] {
            assert_eq!(classify(code, "", 400), kind, "{code}");
        }
    }

    #[test]
    fn a_validation_error_is_about_a_length_when_it_says_so() {
        for (message, kind) in [
            (
                "Digest is invalid length for algorithm ECDSA_SHA_256.",
                Kind::Length,
            ),
            (
                "1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length greater than or equal to 1",
                Kind::Length,
            ),
            (
                "1 validation error detected: Value 'length' at 'keySpec' failed to satisfy constraint",
                Kind::Validation,
            ),
            (
                "Algorithm RSASSA_PSS_SHA_256 is not compatible with key spec ECC_NIST_P256.",
                Kind::Validation,
            ),
        ] {
            assert_eq!(
                classify("ValidationException", message, 400),
                kind,
                "{message}"
            );
        }
    }

    #[test]
    fn words_about_the_date_of_a_signature_are_told_from_those_about_the_signature() {
        for (message, is_about_dates) in [
            (
                "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)",
                true,
            ),
            (
                "Signature not yet current: 20260101T001000Z is still later than 20260101T000500Z (20260101T000000Z + 5 min.)",
                true,
            ),
            (
                "The request signature we calculated does not match the signature you provided.",
                false,
            ),
        ] {
            assert_eq!(is_of_clock(message), is_about_dates, "{message}");
        }
    }

    #[test]
    fn an_unknown_code_is_told_by_its_http_status() {
        assert_eq!(classify("SomethingNew", "", 400), Kind::Other);
        assert_eq!(classify("SomethingNew", "", 503), Kind::Unavailable);
        assert_eq!(classify("", "", 429), Kind::Throttled);
    }
}
