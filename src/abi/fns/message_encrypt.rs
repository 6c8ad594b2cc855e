//! Message-based encryption (PKCS#11 5.9).

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
    session.message_encrypt_init(mechanism, key)
}

#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn encrypt(
    module: &Module,
    session: CK_SESSION_HANDLE,
    parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    associated_data: CK_BYTE_PTR,
    associated_data_len: CK_ULONG,
    plaintext: CK_BYTE_PTR,
    plaintext_len: CK_ULONG,
    ciphertext: CK_BYTE_PTR,
    ciphertext_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let (parameter, aad, (plaintext, out)) = unsafe {
        (
            MessageParameter::read(parameter, parameter_len)?,
            input(associated_data.cast_const(), associated_data_len)?,
            input_output(plaintext, plaintext_len, ciphertext, ciphertext_len)?,
        )
    };
    let (iv, tag_len) = (parameter.new_iv()?, parameter.tag_len()?);
    let mut sealed = None;
    out.fill(|room| {
        let (reply, made) = session.encrypt_message(iv, tag_len, aad, plaintext, room)?;
        sealed = made;
        Ok(reply)
    })?;
    match sealed {
        Some(sealed) => {
            parameter.write_iv(sealed.iv);
            parameter.write_tag(&sealed.tag)
        }
        None => Ok(()),
    }
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
    let iv = session.encrypt_message_begin(parameter.new_iv()?, aad)?;
    parameter.write_iv(iv);
    Ok(())
}

/// Only the last part needs the parameter: the initialisation vector is known, and the tag comes at the end.
#[expect(clippy::too_many_arguments, reason = "the C function has them")]
pub(in super::super) unsafe fn next(
    module: &Module,
    session: CK_SESSION_HANDLE,
    parameter: CK_VOID_PTR,
    parameter_len: CK_ULONG,
    plaintext_part: CK_BYTE_PTR,
    plaintext_part_len: CK_ULONG,
    ciphertext_part: CK_BYTE_PTR,
    ciphertext_part_len: CK_ULONG_PTR,
    flags: CK_FLAGS,
) -> Result<()> {
    let session = module.session(session)?;
    let abandon = || session.abandon(Kind::EncryptMessage);
    // SAFETY: by this function's contract.
    let (part, out) = unsafe {
        input_output(
            plaintext_part,
            plaintext_part_len,
            ciphertext_part,
            ciphertext_part_len,
        )
    }
    .inspect_err(|_| abandon())?;
    if flags & CKF_END_OF_MESSAGE == 0 {
        return out.fill(|room| session.encrypt_message_part(part, room));
    }
    // SAFETY: by this function's contract.
    let parameter = unsafe { MessageParameter::read(parameter, parameter_len) };
    let parameter = parameter.inspect_err(|_| abandon())?;
    let tag_len = parameter.tag_len().inspect_err(|_| abandon())?;
    let mut sealed = None;
    out.fill(|room| {
        let (reply, made) = session.encrypt_message_last(tag_len, part, room)?;
        sealed = made;
        Ok(reply)
    })?;
    sealed.map_or(Ok(()), |sealed| parameter.write_tag(&sealed.tag))
}

pub(in super::super) unsafe fn finish(module: &Module, session: CK_SESSION_HANDLE) -> Result<()> {
    module.session(session)?.message_encrypt_final()
}
