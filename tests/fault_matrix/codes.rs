//! The error codes of KMS: those of its model, and those that are in none.

use super::expectations::Class;

/// A code, the HTTP status it comes with, and what it means to a caller.
pub(crate) struct Code {
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) class: Class,
    /// Another code stands for it where time counts.
    pub(crate) is_rare: bool,
}

const fn code(code: &'static str, class: Class) -> Code {
    Code {
        name: code,
        status: 400,
        class,
        is_rare: false,
    }
}

const fn rare(code: &'static str, class: Class) -> Code {
    Code {
        name: code,
        status: 400,
        class,
        is_rare: true,
    }
}

const fn server(code: &'static str) -> Code {
    Code {
        name: code,
        status: 500,
        class: Class::Unavailable,
        is_rare: false,
    }
}

pub(crate) const CODES: &[Code] = &[
    code("DisabledException", Class::Disabled),
    code("KMSInvalidStateException", Class::InvalidState),
    code("InvalidKeyUsageException", Class::InvalidKeyUsage),
    code("NotFoundException", Class::NotFound),
    code("AccessDeniedException", Class::Denied),
    code("InvalidGrantTokenException", Class::Denied),
    rare("OptInRequired", Class::Denied),
    rare("NotAuthorized", Class::Denied),
    code("UnrecognizedClientException", Class::Credentials),
    rare("InvalidClientTokenId", Class::Credentials),
    code("ExpiredTokenException", Class::Credentials),
    rare("RequestExpired", Class::Credentials),
    code("InvalidSignatureException", Class::Credentials),
    rare("SignatureDoesNotMatch", Class::Credentials),
    rare("IncompleteSignature", Class::Credentials),
    rare("MissingAuthenticationTokenException", Class::Credentials),
    code("InvalidCiphertextException", Class::InvalidCiphertext),
    rare("IncorrectKeyException", Class::InvalidCiphertext),
    code("KMSInvalidSignatureException", Class::InvalidSignature),
    rare("KMSInvalidMacException", Class::InvalidSignature),
    code("IncorrectKeyMaterialException", Class::KeyMaterial),
    code("ValidationException", Class::Validation),
    rare("SerializationException", Class::Validation),
    rare("InvalidMarkerException", Class::Validation),
    code("TagException", Class::Attribute),
    rare("MalformedPolicyDocumentException", Class::Attribute),
    rare("InvalidArnException", Class::Attribute),
    rare("InvalidAliasNameException", Class::Attribute),
    code("UnsupportedOperationException", Class::Unsupported),
    rare("UnknownOperationException", Class::Unsupported),
    code("LimitExceededException", Class::Limit),
    code("ThrottlingException", Class::Throttled),
    rare("TooManyRequestsException", Class::Throttled),
    rare("RequestLimitExceeded", Class::Throttled),
    server("KeyUnavailableException"),
    server("KMSInternalException"),
    server("DependencyTimeoutException"),
    server("ServiceUnavailableException"),
    server("InternalFailure"),
    // Of operations that the module does not use, and of key stores that it cannot tell from others.
    rare("AlreadyExistsException", Class::Exists),
    rare("ConflictException", Class::Unknown),
    rare(
        "CloudHsmClusterInvalidConfigurationException",
        Class::Unknown,
    ),
    rare("CustomKeyStoreInvalidStateException", Class::Unknown),
    code("DryRunOperationException", Class::Unknown),
    rare("ExpiredImportTokenException", Class::Unknown),
    rare("InvalidImportTokenException", Class::Unknown),
    rare("XksKeyNotFoundException", Class::Unknown),
    code("SomethingNewException", Class::Unknown),
];
