//! Encryption (PKCS#11 5.8).

use pkcs11_sys::*;

use super::super::memory::{Output, input_output, mechanism};
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
    session.encrypt_init(mechanism, key)
}

pub(in super::super) unsafe fn encrypt(
    module: &Module,
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    encrypted_data: CK_BYTE_PTR,
    encrypted_data_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let arguments = unsafe { input_output(data, data_len, encrypted_data, encrypted_data_len) };
    let (data, out) = arguments.inspect_err(|_| session.abandon(Kind::Encrypt))?;
    out.fill(|room| session.encrypt(data, room))
}

pub(in super::super) unsafe fn update(
    module: &Module,
    session: CK_SESSION_HANDLE,
    part: CK_BYTE_PTR,
    part_len: CK_ULONG,
    encrypted_part: CK_BYTE_PTR,
    encrypted_part_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let arguments = unsafe { input_output(part, part_len, encrypted_part, encrypted_part_len) };
    let (data, out) = arguments.inspect_err(|_| session.abandon(Kind::Encrypt))?;
    out.fill(|room| session.encrypt_update(data, room))
}

pub(in super::super) unsafe fn finish(
    module: &Module,
    session: CK_SESSION_HANDLE,
    last_encrypted_part: CK_BYTE_PTR,
    last_encrypted_part_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let out = unsafe { Output::new(last_encrypted_part, last_encrypted_part_len) };
    let out = out.inspect_err(|_| session.abandon(Kind::Encrypt))?;
    out.fill(|room| session.encrypt_final(room))
}
