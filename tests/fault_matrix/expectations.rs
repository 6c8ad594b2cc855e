//! What a call is to answer: by the class of the fault and the chapter of PKCS#11, with exceptions per operation.
//!
//! The values are of the specification's lists of what each function may return (PKCS #11 3.2, chapter 5); they
//! are written down here a second time on purpose.

use cryptoki_sys::*;

use super::operations::Operation;

/// What a fault comes to for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    // What KMS says.
    Disabled,
    InvalidState,
    InvalidKeyUsage,
    NotFound,
    Denied,
    Credentials,
    InvalidCiphertext,
    InvalidSignature,
    KeyMaterial,
    Length,
    Validation,
    Attribute,
    Unsupported,
    Limit,
    Throttled,
    /// An error of the service, which did nothing.
    Unavailable,
    Unknown,
    /// What is to be made is there already.
    Exists,
    // What else comes back, or does not.
    /// Nobody listens, whatever is asked.
    Unreachable,
    /// No answer, and nothing was done.
    NothingDone,
    /// No answer, or one that nobody can read, but the work was done.
    Done,
    /// An answer that does not fit the question.
    Misfit,
    /// The request is tried again, and then it goes well.
    Heals,
    /// The same, where the first attempt did nothing that anybody knows of.
    HealsUndone,
}

/// The functions that answer alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Sign,
    Verify,
    Encrypt,
    Decrypt,
    Wrap,
    /// `C_UnwrapKey`, `C_DecapsulateKey`.
    Unwrap,
    Derive,
    Random,
    Find,
    /// `C_GenerateKey`, `C_GenerateKeyPair`, and `C_CreateObject` of a key that is imported.
    Make,
    /// `C_CreateObject` of something else.
    Create,
    SetAttribute,
    Destroy,
}

/// An outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// CKR_OK, and what was asked for.
    Works,
    /// CKR_OK without objects.
    NoObject,
    Fails(CK_RV),
}

/// The outcome of a class, and the functions that have another.
type Row = (Class, CK_RV, &'static [(&'static [Function], CK_RV)]);

use Function::{
    Create, Decrypt, Derive, Destroy, Encrypt, Make, SetAttribute, Sign, Unwrap, Verify, Wrap,
};

const USING_A_KEY: &[Function] = &[Sign, Verify, Encrypt, Decrypt, Derive, Wrap, Unwrap];

const TABLE: &[Row] = &[
    (
        Class::Disabled,
        CKR_FUNCTION_FAILED,
        &[
            (USING_A_KEY, CKR_FUNCTION_REJECTED),
            (&[Destroy, SetAttribute], CKR_ACTION_PROHIBITED),
            (&[Make], CKR_DEVICE_ERROR),
        ],
    ),
    (
        Class::InvalidState,
        CKR_FUNCTION_FAILED,
        &[
            (USING_A_KEY, CKR_FUNCTION_REJECTED),
            (&[Destroy, SetAttribute], CKR_ACTION_PROHIBITED),
            (&[Make], CKR_DEVICE_ERROR),
        ],
    ),
    (
        Class::InvalidKeyUsage,
        CKR_FUNCTION_FAILED,
        &[
            (&[Derive], CKR_KEY_TYPE_INCONSISTENT),
            (&[Wrap], CKR_WRAPPING_KEY_TYPE_INCONSISTENT),
            (&[Unwrap], CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT),
        ],
    ),
    (
        Class::NotFound,
        CKR_DEVICE_ERROR,
        &[
            (&[Derive], CKR_KEY_HANDLE_INVALID),
            (&[Wrap], CKR_WRAPPING_KEY_HANDLE_INVALID),
            (&[Unwrap], CKR_UNWRAPPING_KEY_HANDLE_INVALID),
            (&[Create, Destroy, SetAttribute], CKR_OBJECT_HANDLE_INVALID),
        ],
    ),
    (
        Class::Denied,
        CKR_FUNCTION_REJECTED,
        &[(&[Destroy, SetAttribute], CKR_ACTION_PROHIBITED)],
    ),
    (Class::Credentials, CKR_USER_NOT_LOGGED_IN, &[]),
    (
        Class::InvalidCiphertext,
        CKR_FUNCTION_FAILED,
        &[
            (&[Encrypt], CKR_DATA_INVALID),
            (&[Decrypt], CKR_ENCRYPTED_DATA_INVALID),
            (&[Unwrap], CKR_WRAPPED_KEY_INVALID),
        ],
    ),
    (
        Class::InvalidSignature,
        CKR_FUNCTION_FAILED,
        &[(&[Verify], CKR_SIGNATURE_INVALID)],
    ),
    (
        Class::KeyMaterial,
        CKR_FUNCTION_FAILED,
        &[(&[Make], CKR_ATTRIBUTE_VALUE_INVALID)],
    ),
    (
        Class::Length,
        CKR_FUNCTION_FAILED,
        &[
            (&[Derive], CKR_MECHANISM_PARAM_INVALID),
            (&[Create, SetAttribute, Make], CKR_ATTRIBUTE_VALUE_INVALID),
            (&[Sign, Verify, Encrypt], CKR_DATA_LEN_RANGE),
            (&[Wrap], CKR_KEY_SIZE_RANGE),
            (&[Decrypt], CKR_ENCRYPTED_DATA_LEN_RANGE),
            (&[Unwrap], CKR_WRAPPED_KEY_LEN_RANGE),
        ],
    ),
    (
        Class::Validation,
        CKR_FUNCTION_FAILED,
        &[
            (&[Create, SetAttribute, Make], CKR_ATTRIBUTE_VALUE_INVALID),
            (&[Derive], CKR_MECHANISM_PARAM_INVALID),
        ],
    ),
    (
        Class::Attribute,
        CKR_FUNCTION_FAILED,
        &[
            (&[Create, SetAttribute, Make], CKR_ATTRIBUTE_VALUE_INVALID),
            (&[Derive], CKR_MECHANISM_PARAM_INVALID),
        ],
    ),
    (
        Class::Unsupported,
        CKR_FUNCTION_FAILED,
        &[
            (&[Derive, Wrap, Unwrap], CKR_MECHANISM_INVALID),
            (&[Create, SetAttribute, Make], CKR_TEMPLATE_INCONSISTENT),
        ],
    ),
    (Class::Limit, CKR_DEVICE_MEMORY, &[]),
    // The suite uses the interface 3.2; one of 2.40 is answered CKR_DEVICE_ERROR (`tests/faults.rs`).
    (Class::Throttled, CKR_TOKEN_RESOURCE_EXCEEDED, &[]),
    (Class::Unavailable, CKR_DEVICE_ERROR, &[]),
    (Class::Unknown, CKR_FUNCTION_FAILED, &[]),
    (Class::Exists, CKR_FUNCTION_FAILED, &[]),
    (Class::Unreachable, CKR_DEVICE_ERROR, &[]),
    (Class::NothingDone, CKR_DEVICE_ERROR, &[]),
    (Class::Done, CKR_DEVICE_ERROR, &[]),
    (Class::Misfit, CKR_DEVICE_ERROR, &[]),
];

/// What the table says, unless the operation has an exception.
pub(crate) fn expected(operation: &Operation, class: Class) -> Outcome {
    let exceptions = operation.exceptions.iter();
    if let Some((_, outcome)) = exceptions.copied().find(|(of, _)| *of == class) {
        return outcome;
    }
    let Some((_, otherwise, others)) = TABLE.iter().find(|(of, ..)| *of == class) else {
        return Outcome::Works;
    };
    if operation.is_optional && class != Class::Unreachable {
        return Outcome::NoObject;
    }
    let other = others
        .iter()
        .find(|(functions, _)| functions.contains(&operation.function));
    Outcome::Fails(other.map_or(*otherwise, |(_, rv)| *rv))
}
