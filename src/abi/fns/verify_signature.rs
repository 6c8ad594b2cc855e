//! Verifying a signature that is handed in first (PKCS#11 5.15).

use pkcs11_sys::*;

use super::super::memory::{input, mechanism};
use crate::error::Result;
use crate::module::Module;
use crate::session::Kind;

pub(in super::super) unsafe fn init(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
    key: CK_OBJECT_HANDLE,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let mechanism = unsafe { mechanism(mechanism_) }?;
    if mechanism.is_none() {
        // Cancels, for which no signature is needed.
        return session.verify_signature_init(None, key, &[]);
    }
    // SAFETY: by this function's contract.
    let signature = unsafe { input(signature.cast_const(), signature_len) }?;
    session.verify_signature_init(mechanism, key, signature)
}

pub(in super::super) unsafe fn verify(
    module: &Module,
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let data = unsafe { input(data.cast_const(), data_len) }
        .inspect_err(|_| session.abandon(Kind::VerifySignature))?;
    session.verify_signature(data)
}

pub(in super::super) unsafe fn update(
    module: &Module,
    session: CK_SESSION_HANDLE,
    part: CK_BYTE_PTR,
    part_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let part = unsafe { input(part.cast_const(), part_len) }
        .inspect_err(|_| session.abandon(Kind::VerifySignature))?;
    session.verify_signature_update(part)
}

pub(in super::super) unsafe fn finish(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.verify_signature_final()
}
