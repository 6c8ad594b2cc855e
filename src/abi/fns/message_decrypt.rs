//! Message-based decryption (PKCS#11 5.11).

use pkcs11_sys::*;

use super::super::memory::{bare_mechanism, input, input_output};
use super::super::message_parameter::MessageParameter;
use crate::error::Result;
use crate::module::Module;
use crate::session::Kind;

pub(in super::super) unsafe fn init(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism: CK_MECHANISM_PTR,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let mechanism = unsafe { bare_mechanism(mechanism) }?;
    session.message_decrypt_init(mechanism, key)
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn decrypt(
    module: &Module,
    session: CK_SESSION_HANDLE,
    parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    associated_data: CK_BYTE_PTR,
    associated_data_len: CK_ULONG,
    ciphertext: CK_BYTE_PTR,
    ciphertext_len: CK_ULONG,
    plaintext: CK_BYTE_PTR,
    plaintext_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let (parameter, aad, (ciphertext, out)) = unsafe {
        (
            MessageParameter::read(parameter, parameter_len)?,
            input(associated_data.cast_const(), associated_data_len)?,
            input_output(ciphertext, ciphertext_len, plaintext, plaintext_len)?,
        )
    };
    let (iv, tag) = (parameter.iv(), parameter.tag()?);
    out.fill(|room| session.decrypt_message(iv, &tag, aad, ciphertext, room))
}

pub(in super::super) unsafe fn begin(
    module: &Module,
    session: CK_SESSION_HANDLE,
    parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    associated_data: CK_BYTE_PTR,
    associated_data_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let (parameter, aad) = unsafe {
        (
            MessageParameter::read(parameter, parameter_len)?,
            input(associated_data.cast_const(), associated_data_len)?,
        )
    };
    session.decrypt_message_begin(parameter.iv(), aad)
}

/// Only the last part needs the parameter: it has the tag.
#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn next(
    module: &Module,
    session: CK_SESSION_HANDLE,
    parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    ciphertext_part: CK_BYTE_PTR,
    ciphertext_part_len: CK_ULONG,
    plaintext_part: CK_BYTE_PTR,
    plaintext_part_len: CK_ULONG_PTR,
    flags: CK_FLAGS,
) -> Result<()> {
    let session = module.session(session)?;
    let abandon = || session.abandon(Kind::DecryptMessage);
    // SAFETY: by this function's contract.
    let (part, out) = unsafe {
        input_output(
            ciphertext_part,
            ciphertext_part_len,
            plaintext_part,
            plaintext_part_len,
        )
    }
    .inspect_err(|_| abandon())?;
    if flags & CKF_END_OF_MESSAGE == 0 {
        return out.fill(|room| session.decrypt_message_part(part, room));
    }
    // SAFETY: by this function's contract.
    let parameter = unsafe { MessageParameter::read(parameter, parameter_len) };
    let tag = parameter.and_then(|parameter| parameter.tag());
    let tag = tag.inspect_err(|_| abandon())?;
    out.fill(|room| session.decrypt_message_last(&tag, part, room))
}

pub(in super::super) unsafe fn finish(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.message_decrypt_final()
}
