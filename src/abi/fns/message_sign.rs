//! Message-based signing (PKCS#11 5.14).

use pkcs11_sys::*;

use super::super::memory::{Output, check_no_parameter, input, input_output, mechanism};
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
    session.message_sign_init(mechanism, key)
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn sign(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    check_no_parameter(parameter_len)?;
    // SAFETY: by this function's contract.
    let (data, out) = unsafe { input_output(data, data_len, signature, signature_len) }?;
    out.fill(|room| session.sign_message(data, room))
}

pub(in super::super) unsafe fn begin(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    check_no_parameter(parameter_len)?;
    session.sign_message_begin()
}

/// A NULL `signature_len` says that more parts are to come.
#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn next(
    module: &Module,
    session: CK_SESSION_HANDLE,
    _parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    part: CK_BYTE_PTR,
    part_len: CK_ULONG,
    signature: CK_BYTE_PTR,
    signature_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    let arguments = check_no_parameter(parameter_len).and_then(|()| {
        // SAFETY: by this function's contract.
        let part = unsafe { input(part.cast_const(), part_len) }?;
        if signature_len.is_null() {
            return Ok((part, None));
        }
        // SAFETY: by this function's contract.
        Ok((
            part,
            Some(unsafe { Output::new(signature, signature_len) }?),
        ))
    });
    match arguments.inspect_err(|_| session.abandon(Kind::SignMessage))? {
        (part, None) => session.sign_message_part(part),
        (part, Some(out)) => out.fill(|room| session.sign_message_last(part, room)),
    }
}

pub(in super::super) unsafe fn finish(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.message_sign_final()
}
