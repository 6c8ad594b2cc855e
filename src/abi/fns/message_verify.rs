//! Message-based verification (PKCS#11 5.16).

use pkcs11_sys::*;

use super::super::memory::{check_no_parameter, input, mechanism};
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
    session.message_verify_init(mechanism, key)
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn verify(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    check_no_parameter(parameter_len)?;
    // SAFETY: by this function's contract.
    let (data, signature) = unsafe {
        (
            input(data.cast_const(), data_len)?,
            input(signature.cast_const(), signature_len)?,
        )
    };
    session.verify_message(data, signature)
}

pub(in super::super) unsafe fn begin(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    check_no_parameter(parameter_len)?;
    session.verify_message_begin()
}

/// A NULL `signature` says that more parts are to come.
#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn next(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    part: CK_BYTE_PTR,
    part_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    let arguments = check_no_parameter(parameter_len).and_then(|()| {
        // SAFETY: by this function's contract.
        unsafe {
            Ok((
                input(part.cast_const(), part_len)?,
                input(signature.cast_const(), signature_len)?,
            ))
        }
    });
    let (part, bytes) = arguments.inspect_err(|_| session.abandon(Kind::VerifyMessage))?;
    if signature.is_null() {
        session.verify_message_part(part)
    } else {
        session.verify_message_last(part, bytes)
    }
}

pub(in super::super) unsafe fn finish(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.message_verify_final()
}
