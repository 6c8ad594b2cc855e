//! Signatures verified by neither module: by OpenSSL's command line, or by Python where that is too old.

mod openssl;
mod python;

use cryptoki_sys::*;

use crate::arguments::Mechanism;

pub(crate) use self::openssl::{agreed, x963};

/// What a session has been given to sign.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) mechanism: Mechanism,
    pub(crate) key: CK_OBJECT_HANDLE,
    pub(crate) data: Vec<u8>,
}

impl Signed {
    pub(crate) fn nothing(mechanism: Mechanism, key: CK_OBJECT_HANDLE) -> Self {
        Self {
            mechanism,
            key,
            data: Vec::new(),
        }
    }
}

/// Verifies a signature under a `SubjectPublicKeyInfo`; says what was said when it does not verify.
pub(crate) fn verify(spki: &[u8], signed: &Signed, signature: &[u8]) -> Result<(), String> {
    match signed.mechanism.kind {
        CKM_ML_DSA => python::verify(spki, signed, signature),
        _ => openssl::verify(spki, signed, signature),
    }
}
