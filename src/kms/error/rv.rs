//! From a failed KMS operation to the `CK_RV` of the PKCS#11 function that needed it.
//!
//! The values are those that the function's section of the specification lists (PKCS #11 3.2,
//! chapter 5), with three exceptions, which section 5.1 leaves room for and which are made because
//! every listed value would hide what a caller has to mend:
//!
//! - `CKR_FUNCTION_REJECTED` (listed for signing) also tells of a missing permission, of an identity
//!   that the configuration does not allow, or of a key that is switched off, in other functions that
//!   use or make a key or look for keys;
//! - `CKR_USER_NOT_LOGGED_IN` also tells of missing or refused credentials in `C_Verify*`, `C_Encrypt`,
//!   `C_DestroyObject` and `C_FindObjects*`;
//! - `CKR_TOKEN_RESOURCE_EXCEEDED` (listed for signing and verifying) tells callers of 3.1 and
//!   later of throttling in every function that works with objects.

use std::sync::atomic::{AtomicBool, Ordering};

use pkcs11_sys::{
    CK_RV, CKR_ACTION_PROHIBITED, CKR_ATTRIBUTE_VALUE_INVALID, CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE, CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_FUNCTION_FAILED, CKR_FUNCTION_REJECTED, CKR_HOST_MEMORY,
    CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID, CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
    CKR_OBJECT_HANDLE_INVALID, CKR_PIN_INCORRECT, CKR_SIGNATURE_INVALID, CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_RESOURCE_EXCEEDED, CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, CKR_USER_NOT_LOGGED_IN, CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE, CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
};

use super::{KmsError, KmsErrorKind as Kind};
use crate::error::Error;

/// What the application was doing when KMS was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// `C_SignInit`, `C_DecryptInit` and their like.
    Init,
    /// `C_CreateObject`, `C_CopyObject`.
    Manage,
    /// `C_DestroyObject`.
    Destroy,
    /// `C_SetAttributeValue`.
    SetAttribute,
    /// `C_GenerateKey`, `C_GenerateKeyPair`, and the import of `C_CreateObject` and `C_UnwrapKey`.
    Generate,
    /// `C_FindObjects*`, `C_GetAttributeValue`.
    Find,
    /// `C_Sign*`.
    Sign,
    /// `C_Verify*`, where KMS verifies.
    Verify,
    /// `C_Decrypt*`.
    Decrypt,
    /// `C_Encrypt`, where KMS encrypts.
    Encrypt,
    /// `C_WrapKey`, and `C_GenerateKey` where it makes a data key under a wrapping key.
    Wrap,
    /// `C_DeriveKey`, `C_EncapsulateKey`, which are Init and operation in one.
    Derive,
    /// `C_UnwrapKey`, `C_DecapsulateKey`, for which the specification lists the same values.
    Unwrap,
    /// `C_GenerateRandom`.
    Random,
    /// `C_Login`.
    Login,
    /// `C_GetTokenInfo`, `C_OpenSession`.
    Probe,
}

/// True once an interface of 3.1 or later was handed out.
static NEWER_INTERFACE: AtomicBool = AtomicBool::new(false);

/// Which version of the interface the application uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Caller {
    /// 2.40 and 3.0.
    V240,
    /// 3.1 and later.
    V31,
}

impl Caller {
    /// Remembers that the application asked for an interface of this version.
    pub(crate) fn note(major: u8, minor: u8) {
        if (major, minor) >= (3, 1) {
            NEWER_INTERFACE.store(true, Ordering::Relaxed);
        }
    }

    fn current() -> Self {
        if NEWER_INTERFACE.load(Ordering::Relaxed) {
            Self::V31
        } else {
            Self::V240
        }
    }
}

impl KmsError {
    /// The error of the PKCS#11 function that needed the operation.
    pub(crate) fn into_error(self, phase: Phase) -> Error {
        let error = Error::of_kms(self.rv(phase, Caller::current()), self.to_string());
        if self.is_told {
            return error.into_routine();
        }
        error
    }

    /// The return value of a function in `phase` that cannot go on because of this error.
    pub(crate) fn rv(&self, phase: Phase, caller: Caller) -> CK_RV {
        let Row(otherwise, exceptions) = row(self.kind, caller);
        exceptions
            .iter()
            .find(|(phases, _)| phases.contains(&phase))
            .map_or(otherwise, |(_, rv)| *rv)
    }
}

/// The value of a kind in most phases, and the phases that have another.
struct Row(CK_RV, Exceptions);

type Exceptions = &'static [(&'static [Phase], CK_RV)];

const OF_LENGTHS: Exceptions = &[
    // At Derive it is the peer's public key.
    (&[Phase::Init, Phase::Derive], CKR_MECHANISM_PARAM_INVALID),
    // The only texts of free length in these requests are tags and descriptions.
    (
        &[Phase::Manage, Phase::SetAttribute, Phase::Generate],
        CKR_ATTRIBUTE_VALUE_INVALID,
    ),
    (
        &[Phase::Sign, Phase::Verify, Phase::Encrypt],
        CKR_DATA_LEN_RANGE,
    ),
    (&[Phase::Wrap], CKR_KEY_SIZE_RANGE),
    (&[Phase::Decrypt], CKR_ENCRYPTED_DATA_LEN_RANGE),
    (&[Phase::Unwrap], CKR_WRAPPED_KEY_LEN_RANGE),
];

fn row(kind: Kind, caller: Caller) -> Row {
    use Phase::{
        Decrypt, Derive, Destroy, Encrypt, Generate, Init, Login, Manage, Probe, SetAttribute,
        Sign, Unwrap, Verify, Wrap,
    };
    match (kind, caller) {
        (Kind::Disabled | Kind::InvalidState, _) => Row(
            CKR_FUNCTION_FAILED,
            &[
                (&[Init], CKR_KEY_FUNCTION_NOT_PERMITTED),
                (&[Destroy, SetAttribute], CKR_ACTION_PROHIBITED),
                (
                    &[Sign, Verify, Encrypt, Decrypt, Derive, Wrap, Unwrap],
                    CKR_FUNCTION_REJECTED,
                ),
                // A new key that does not become usable is the token's failure, not the caller's.
                (&[Generate], CKR_DEVICE_ERROR),
            ],
        ),
        (Kind::InvalidKeyUsage, _) => Row(
            CKR_FUNCTION_FAILED,
            &[
                (&[Init], CKR_KEY_FUNCTION_NOT_PERMITTED),
                (&[Derive], CKR_KEY_TYPE_INCONSISTENT),
                (&[Wrap], CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
                (&[Unwrap], CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
            ],
        ),
        (Kind::NotFound, _) => Row(
            CKR_DEVICE_ERROR,
            &[
                (&[Init, Derive], CKR_KEY_HANDLE_INVALID),
                (&[Wrap], CKR_WRAPPING_KEY_HANDLE_INVALID),
                (&[Unwrap], CKR_UNWRAPPING_KEY_HANDLE_INVALID),
                (&[Manage, Destroy, SetAttribute], CKR_OBJECT_HANDLE_INVALID),
            ],
        ),
        (Kind::AccessDenied | Kind::Identity, _) => Row(
            CKR_FUNCTION_REJECTED,
            &[
                (&[Destroy, SetAttribute], CKR_ACTION_PROHIBITED),
                // There, the PIN gave the credentials.
                (&[Login], CKR_PIN_INCORRECT),
                (&[Probe], CKR_FUNCTION_FAILED),
            ],
        ),
        (Kind::Credentials | Kind::LoggedOut, _) => Row(
            CKR_USER_NOT_LOGGED_IN,
            &[(&[Login], CKR_PIN_INCORRECT), (&[Probe], CKR_DEVICE_ERROR)],
        ),
        (Kind::InvalidCiphertext, _) => Row(
            CKR_FUNCTION_FAILED,
            &[
                // What is encrypted anew is data to `C_Encrypt`.
                (&[Encrypt], CKR_DATA_INVALID),
                (&[Decrypt], CKR_ENCRYPTED_DATA_INVALID),
                (&[Unwrap], CKR_WRAPPED_KEY_INVALID),
            ],
        ),
        (Kind::InvalidSignature, _) => {
            Row(CKR_FUNCTION_FAILED, &[(&[Verify], CKR_SIGNATURE_INVALID)])
        }
        (Kind::KeyMaterial, _) => Row(
            CKR_FUNCTION_FAILED,
            &[(&[Generate], CKR_ATTRIBUTE_VALUE_INVALID)],
        ),
        (Kind::Length, _) => Row(CKR_FUNCTION_FAILED, OF_LENGTHS),
        (Kind::Validation | Kind::InvalidAttribute, _) => Row(
            CKR_FUNCTION_FAILED,
            &[
                (
                    &[Manage, SetAttribute, Generate],
                    CKR_ATTRIBUTE_VALUE_INVALID,
                ),
                // KMS has no other words for a public key that is not on the key's curve.
                (&[Derive], CKR_MECHANISM_PARAM_INVALID),
            ],
        ),
        (Kind::Unsupported, _) => Row(
            CKR_FUNCTION_FAILED,
            &[
                (&[Init, Derive, Wrap, Unwrap], CKR_MECHANISM_INVALID),
                (&[Manage, SetAttribute, Generate], CKR_TEMPLATE_INCONSISTENT),
            ],
        ),
        (Kind::LimitExceeded, _) => Row(CKR_DEVICE_MEMORY, &[]),
        (Kind::Throttled, Caller::V31) => Row(
            CKR_TOKEN_RESOURCE_EXCEEDED,
            &[(&[Login, Probe], CKR_DEVICE_ERROR)],
        ),
        (Kind::Throttled, Caller::V240) | (Kind::BadAnswer, _) => Row(CKR_DEVICE_ERROR, &[]),
        (Kind::Unavailable | Kind::Timeout | Kind::Network | Kind::Configuration, _) => {
            Row(CKR_DEVICE_ERROR, &[(&[Probe], CKR_TOKEN_NOT_PRESENT)])
        }
        (Kind::Exhausted, _) => Row(CKR_HOST_MEMORY, &[]),
        (Kind::Other, _) => Row(CKR_FUNCTION_FAILED, &[]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PHASES: [Phase; 16] = [
        Phase::Init,
        Phase::Manage,
        Phase::Destroy,
        Phase::SetAttribute,
        Phase::Generate,
        Phase::Find,
        Phase::Sign,
        Phase::Verify,
        Phase::Encrypt,
        Phase::Decrypt,
        Phase::Derive,
        Phase::Wrap,
        Phase::Unwrap,
        Phase::Random,
        Phase::Login,
        Phase::Probe,
    ];

    /// The listed return values of a phase's functions, without those that speak of arguments,
    /// sessions and templates that KMS never sees. Three are listed everywhere.
    fn listed(phase: Phase) -> &'static [CK_RV] {
        match phase {
            Phase::Init => &[
                CKR_KEY_FUNCTION_NOT_PERMITTED,
                CKR_KEY_HANDLE_INVALID,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Manage => &[
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_OBJECT_HANDLE_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Destroy => &[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID],
            Phase::SetAttribute => &[
                CKR_ACTION_PROHIBITED,
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_OBJECT_HANDLE_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Generate => &[
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Find => &[],
            Phase::Sign => &[
                CKR_DATA_LEN_RANGE,
                CKR_FUNCTION_REJECTED,
                CKR_TOKEN_RESOURCE_EXCEEDED,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Verify => &[
                CKR_DATA_LEN_RANGE,
                CKR_SIGNATURE_INVALID,
                CKR_TOKEN_RESOURCE_EXCEEDED,
            ],
            Phase::Derive => &[
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_KEY_HANDLE_INVALID,
                CKR_KEY_TYPE_INCONSISTENT,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Unwrap => &[
                CKR_ATTRIBUTE_VALUE_INVALID,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_TEMPLATE_INCONSISTENT,
                CKR_UNWRAPPING_KEY_HANDLE_INVALID,
                CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
                CKR_USER_NOT_LOGGED_IN,
                CKR_WRAPPED_KEY_INVALID,
                CKR_WRAPPED_KEY_LEN_RANGE,
            ],
            Phase::Encrypt => &[CKR_DATA_INVALID, CKR_DATA_LEN_RANGE],
            Phase::Wrap => &[
                CKR_KEY_SIZE_RANGE,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_USER_NOT_LOGGED_IN,
                CKR_WRAPPING_KEY_HANDLE_INVALID,
                CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            ],
            Phase::Decrypt => &[
                CKR_ENCRYPTED_DATA_INVALID,
                CKR_ENCRYPTED_DATA_LEN_RANGE,
                CKR_USER_NOT_LOGGED_IN,
            ],
            Phase::Random => &[CKR_USER_NOT_LOGGED_IN],
            Phase::Login => &[CKR_PIN_INCORRECT],
            Phase::Probe => &[CKR_TOKEN_NOT_PRESENT],
        }
    }

    const LISTED_EVERYWHERE: [CK_RV; 4] = [
        CKR_DEVICE_ERROR,
        CKR_DEVICE_MEMORY,
        CKR_FUNCTION_FAILED,
        CKR_HOST_MEMORY,
    ];

    /// The exceptions of the module's documentation, spelled out.
    const BEYOND_THE_LISTS: [(CK_RV, &[Phase]); 3] = [
        (
            CKR_FUNCTION_REJECTED,
            &[
                Phase::Init,
                Phase::Manage,
                Phase::Generate,
                Phase::Find,
                Phase::Verify,
                Phase::Encrypt,
                Phase::Decrypt,
                Phase::Derive,
                Phase::Wrap,
                Phase::Unwrap,
                Phase::Random,
            ],
        ),
        (
            CKR_USER_NOT_LOGGED_IN,
            &[Phase::Verify, Phase::Encrypt, Phase::Destroy, Phase::Find],
        ),
        (
            CKR_TOKEN_RESOURCE_EXCEEDED,
            &[
                Phase::Init,
                Phase::Manage,
                Phase::Destroy,
                Phase::SetAttribute,
                Phase::Generate,
                Phase::Find,
                Phase::Encrypt,
                Phase::Decrypt,
                Phase::Derive,
                Phase::Wrap,
                Phase::Unwrap,
                Phase::Random,
            ],
        ),
    ];

    fn rv(kind: Kind, phase: Phase, caller: Caller) -> CK_RV {
        KmsError::local(kind, "Sign", None, "").rv(phase, caller)
    }

    fn all() -> impl Iterator<Item = (Kind, Phase, Caller)> {
        Kind::ALL.into_iter().flat_map(|kind| {
            PHASES.into_iter().flat_map(move |phase| {
                [Caller::V240, Caller::V31].map(|caller| (kind, phase, caller))
            })
        })
    }

    #[test]
    fn every_value_is_listed_for_its_functions_or_is_a_documented_exception() {
        for (kind, phase, caller) in all() {
            let value = rv(kind, phase, caller);
            let known = LISTED_EVERYWHERE.contains(&value)
                || listed(phase).contains(&value)
                || BEYOND_THE_LISTS
                    .iter()
                    .any(|(rv, phases)| *rv == value && phases.contains(&phase));
            assert!(known, "{kind:?} at {phase:?} for {caller:?} is {value:#x}");
        }
    }

    #[test]
    fn every_documented_exception_is_used() {
        let used: HashSet<_> = all()
            .map(|(kind, phase, caller)| (rv(kind, phase, caller), phase))
            .collect();
        for (value, phases) in BEYOND_THE_LISTS {
            for phase in phases {
                assert!(used.contains(&(value, *phase)), "{value:#x} at {phase:?}");
                assert!(!listed(*phase).contains(&value), "{value:#x} at {phase:?}");
            }
        }
    }

    #[test]
    fn a_caller_of_2_40_never_sees_a_value_that_2_40_does_not_define() {
        for (kind, phase, _) in all() {
            assert_ne!(rv(kind, phase, Caller::V240), CKR_TOKEN_RESOURCE_EXCEEDED);
        }
    }

    #[test]
    fn only_throttling_depends_on_the_caller() {
        for (kind, phase, _) in all().filter(|(kind, ..)| *kind != Kind::Throttled) {
            assert_eq!(rv(kind, phase, Caller::V240), rv(kind, phase, Caller::V31));
        }
        assert_eq!(
            rv(Kind::Throttled, Phase::Sign, Caller::V240),
            CKR_DEVICE_ERROR
        );
        assert_eq!(
            rv(Kind::Throttled, Phase::Sign, Caller::V31),
            CKR_TOKEN_RESOURCE_EXCEEDED
        );
    }

    #[test]
    fn what_an_application_can_act_on_is_told_apart() {
        for (kind, phase, value) in [
            (Kind::Disabled, Phase::Init, CKR_KEY_FUNCTION_NOT_PERMITTED),
            (Kind::InvalidState, Phase::Sign, CKR_FUNCTION_REJECTED),
            (Kind::InvalidKeyUsage, Phase::Sign, CKR_FUNCTION_FAILED),
            (Kind::NotFound, Phase::Init, CKR_KEY_HANDLE_INVALID),
            (Kind::NotFound, Phase::Destroy, CKR_OBJECT_HANDLE_INVALID),
            (Kind::NotFound, Phase::Sign, CKR_DEVICE_ERROR),
            (Kind::AccessDenied, Phase::Destroy, CKR_ACTION_PROHIBITED),
            (
                Kind::AccessDenied,
                Phase::SetAttribute,
                CKR_ACTION_PROHIBITED,
            ),
            (Kind::AccessDenied, Phase::Sign, CKR_FUNCTION_REJECTED),
            (Kind::Credentials, Phase::Sign, CKR_USER_NOT_LOGGED_IN),
            (Kind::LoggedOut, Phase::Generate, CKR_USER_NOT_LOGGED_IN),
            (Kind::Credentials, Phase::Login, CKR_PIN_INCORRECT),
            (
                Kind::InvalidCiphertext,
                Phase::Decrypt,
                CKR_ENCRYPTED_DATA_INVALID,
            ),
            (Kind::Length, Phase::Sign, CKR_DATA_LEN_RANGE),
            (Kind::Length, Phase::Decrypt, CKR_ENCRYPTED_DATA_LEN_RANGE),
            (
                Kind::InvalidAttribute,
                Phase::SetAttribute,
                CKR_ATTRIBUTE_VALUE_INVALID,
            ),
            (
                Kind::Unsupported,
                Phase::Generate,
                CKR_TEMPLATE_INCONSISTENT,
            ),
            (Kind::InvalidSignature, Phase::Verify, CKR_SIGNATURE_INVALID),
            (Kind::Length, Phase::Verify, CKR_DATA_LEN_RANGE),
            (Kind::Disabled, Phase::Derive, CKR_FUNCTION_REJECTED),
            (Kind::NotFound, Phase::Derive, CKR_KEY_HANDLE_INVALID),
            (Kind::Validation, Phase::Derive, CKR_MECHANISM_PARAM_INVALID),
            (
                Kind::InvalidKeyUsage,
                Phase::Derive,
                CKR_KEY_TYPE_INCONSISTENT,
            ),
            (
                Kind::NotFound,
                Phase::Unwrap,
                CKR_UNWRAPPING_KEY_HANDLE_INVALID,
            ),
            (
                Kind::InvalidCiphertext,
                Phase::Unwrap,
                CKR_WRAPPED_KEY_INVALID,
            ),
            (Kind::Length, Phase::Unwrap, CKR_WRAPPED_KEY_LEN_RANGE),
            (Kind::LimitExceeded, Phase::Generate, CKR_DEVICE_MEMORY),
            (Kind::Timeout, Phase::Sign, CKR_DEVICE_ERROR),
            (Kind::Network, Phase::Probe, CKR_TOKEN_NOT_PRESENT),
        ] {
            assert_eq!(
                rv(kind, phase, Caller::V240),
                value,
                "{kind:?} at {phase:?}"
            );
        }
    }
}
