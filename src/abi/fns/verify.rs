//! Verifying (PKCS#11 5.15).

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
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let mechanism = unsafe { mechanism(mechanism_) }?;
    session.verify_init(mechanism, key)
}

pub(in super::super) unsafe fn verify(
    module: &Module,
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let arguments = unsafe {
        input(data.cast_const(), data_len)
            .and_then(|data| Ok((data, input(signature.cast_const(), signature_len)?)))
    };
    let (data, signature) = arguments.inspect_err(|_| session.abandon(Kind::Verify))?;
    session.verify(data, signature)
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
        .inspect_err(|_| session.abandon(Kind::Verify))?;
    session.verify_update(part)
}

pub(in super::super) unsafe fn finish(
    module: &Module,
    session: CK_SESSION_HANDLE,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let signature = unsafe { input(signature.cast_const(), signature_len) }
        .inspect_err(|_| session.abandon(Kind::Verify))?;
    session.verify_final(signature)
}
