//! The error of the safe core: a `CK_RV` and the sentence that goes to the log.

use std::borrow::Cow;
use std::fmt;

use pkcs11_sys::*;

use crate::v3_2::*;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a PKCS#11 function did not answer `CKR_OK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    rv: CK_RV,
    reason: Cow<'static, str>,
    /// Clients ask for such answers on purpose while they probe.
    is_routine: bool,
}

impl Error {
    /// An error whose `reason` tells a person what to change.
    pub(crate) fn new(rv: CK_RV, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            rv,
            reason: reason.into(),
            is_routine: ROUTINE.contains(&rv),
        }
    }

    /// A failure that KMS answered, or the lack of an answer: never routine, though it may share its return
    /// value with answers that are (expired credentials are `CKR_USER_NOT_LOGGED_IN`).
    pub(crate) fn of_kms(rv: CK_RV, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            is_routine: false,
            ..Self::new(rv, reason)
        }
    }

    pub(crate) fn rv(&self) -> CK_RV {
        self.rv
    }

    /// The same error as an answer that clients ask for on purpose.
    pub(crate) fn into_routine(self) -> Self {
        Self {
            is_routine: true,
            ..self
        }
    }

    /// True for what is logged at debug level only.
    pub(crate) fn is_routine(&self) -> bool {
        self.is_routine
    }
}

/// An answer whose name says everything.
impl From<CK_RV> for Error {
    fn from(rv: CK_RV) -> Self {
        Self::new(rv, "")
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_of(self.rv))?;
        if self.reason.is_empty() {
            return Ok(());
        }
        write!(f, ": {}", self.reason)
    }
}

const ROUTINE: &[CK_RV] = &[
    CKR_ATTRIBUTE_SENSITIVE,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_BUFFER_TOO_SMALL,
    CKR_CRYPTOKI_ALREADY_INITIALIZED,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_FUNCTION_NOT_PARALLEL,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_MECHANISM_INVALID,
    CKR_NO_EVENT,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_RANDOM_SEED_NOT_SUPPORTED,
    CKR_SIGNATURE_INVALID,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_NOT_LOGGED_IN,
];

/// The specification's name of a return value that this module gives.
pub(crate) fn name_of(rv: CK_RV) -> Cow<'static, str> {
    match NAMES.iter().find(|(value, _)| *value == rv) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("CK_RV {rv:#x}")),
    }
}

macro_rules! names {
    ($($name:ident)+) => { &[$(($name, stringify!($name))),+] };
}

const NAMES: &[(CK_RV, &str)] = names! {
    CKR_ACTION_PROHIBITED
    CKR_AEAD_DECRYPT_FAILED
    CKR_ARGUMENTS_BAD
    CKR_ATTRIBUTE_READ_ONLY
    CKR_ATTRIBUTE_SENSITIVE
    CKR_ATTRIBUTE_TYPE_INVALID
    CKR_ATTRIBUTE_VALUE_INVALID
    CKR_BUFFER_TOO_SMALL
    CKR_CANT_LOCK
    CKR_CRYPTOKI_ALREADY_INITIALIZED
    CKR_CRYPTOKI_NOT_INITIALIZED
    CKR_CURVE_NOT_SUPPORTED
    CKR_DATA_INVALID
    CKR_DATA_LEN_RANGE
    CKR_DEVICE_ERROR
    CKR_DEVICE_MEMORY
    CKR_ENCRYPTED_DATA_INVALID
    CKR_ENCRYPTED_DATA_LEN_RANGE
    CKR_FUNCTION_FAILED
    CKR_FUNCTION_NOT_PARALLEL
    CKR_FUNCTION_NOT_SUPPORTED
    CKR_FUNCTION_REJECTED
    CKR_GENERAL_ERROR
    CKR_HOST_MEMORY
    CKR_KEY_FUNCTION_NOT_PERMITTED
    CKR_KEY_HANDLE_INVALID
    CKR_KEY_INDIGESTIBLE
    CKR_KEY_NOT_NEEDED
    CKR_KEY_NOT_WRAPPABLE
    CKR_KEY_SIZE_RANGE
    CKR_KEY_TYPE_INCONSISTENT
    CKR_KEY_UNEXTRACTABLE
    CKR_MECHANISM_INVALID
    CKR_MECHANISM_PARAM_INVALID
    CKR_NEED_TO_CREATE_THREADS
    CKR_NO_EVENT
    CKR_OBJECT_HANDLE_INVALID
    CKR_OK
    CKR_OPERATION_ACTIVE
    CKR_OPERATION_CANCEL_FAILED
    CKR_OPERATION_NOT_INITIALIZED
    CKR_PARAMETER_SET_NOT_SUPPORTED
    CKR_PIN_INCORRECT
    CKR_RANDOM_SEED_NOT_SUPPORTED
    CKR_SAVED_STATE_INVALID
    CKR_SESSION_CLOSED
    CKR_SESSION_HANDLE_INVALID
    CKR_SESSION_PARALLEL_NOT_SUPPORTED
    CKR_SESSION_READ_ONLY
    CKR_SIGNATURE_INVALID
    CKR_SIGNATURE_LEN_RANGE
    CKR_SLOT_ID_INVALID
    CKR_STATE_UNSAVEABLE
    CKR_TEMPLATE_INCOMPLETE
    CKR_TEMPLATE_INCONSISTENT
    CKR_TOKEN_NOT_PRESENT
    CKR_TOKEN_RESOURCE_EXCEEDED
    CKR_TOKEN_WRITE_PROTECTED
    CKR_UNWRAPPING_KEY_HANDLE_INVALID
    CKR_UNWRAPPING_KEY_SIZE_RANGE
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT
    CKR_USER_ALREADY_LOGGED_IN
    CKR_USER_NOT_LOGGED_IN
    CKR_USER_TYPE_INVALID
    CKR_WRAPPED_KEY_INVALID
    CKR_WRAPPED_KEY_LEN_RANGE
    CKR_WRAPPING_KEY_HANDLE_INVALID
    CKR_WRAPPING_KEY_SIZE_RANGE
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_its_name_and_its_reason() {
        assert_eq!(
            Error::from(CKR_ARGUMENTS_BAD).to_string(),
            "CKR_ARGUMENTS_BAD"
        );
        assert_eq!(
            Error::new(CKR_DATA_INVALID, "not a DigestInfo").to_string(),
            "CKR_DATA_INVALID: not a DigestInfo"
        );
        assert_eq!(Error::from(0x8000_1234).to_string(), "CK_RV 0x80001234");
    }

    #[test]
    fn a_failure_of_kms_is_never_routine() {
        let rv = CKR_USER_NOT_LOGGED_IN;
        assert!(Error::from(rv).is_routine());
        assert!(!Error::of_kms(rv, "the credentials have expired").is_routine());
    }
}
