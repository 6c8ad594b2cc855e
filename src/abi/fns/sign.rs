//! Signing (PKCS#11 5.13).

use pkcs11_sys::*;

use super::super::memory::{Output, input, input_output, mechanism};
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
    session.sign_init(mechanism, key)
}

pub(in super::super) unsafe fn sign(
    module: &Module,
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let arguments = unsafe { input_output(data, data_len, signature, signature_len) };
    let (data, out) = arguments.inspect_err(|_| session.abandon(Kind::Sign))?;
    out.fill(|room| session.sign(data, room))
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
        .inspect_err(|_| session.abandon(Kind::Sign))?;
    session.sign_update(part)
}

pub(in super::super) unsafe fn finish(
    module: &Module,
    session: CK_SESSION_HANDLE,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let out = unsafe { Output::new(signature, signature_len) }
        .inspect_err(|_| session.abandon(Kind::Sign))?;
    out.fill(|room| session.sign_final(room))
}
