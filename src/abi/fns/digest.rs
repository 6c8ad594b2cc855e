//! Message digesting (PKCS#11 5.12).

use pkcs11_sys::*;

use super::super::memory::{Output, input, input_output, mechanism};
use crate::error::Result;
use crate::module::Module;
use crate::session::Kind;

pub(in super::super) unsafe fn init(
    module: &Module,
    session: CK_SESSION_HANDLE,
    mechanism_: CK_MECHANISM_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    session.digest_init(unsafe { mechanism(mechanism_) }?)
}

pub(in super::super) unsafe fn digest(
    module: &Module,
    session: CK_SESSION_HANDLE,
    data: CK_BYTE_PTR,
    data_len: CK_ULONG,
    digest: CK_BYTE_PTR,
    digest_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let arguments = unsafe { input_output(data, data_len, digest, digest_len) };
    let (data, out) = arguments.inspect_err(|_| session.abandon(Kind::Digest))?;
    out.fill(|room| session.digest(data, room))
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
        .inspect_err(|_| session.abandon(Kind::Digest))?;
    session.digest_update(part)
}

pub(in super::super) unsafe fn key(
    module: &Module,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    module.session(session)?.digest_key(key)
}

pub(in super::super) unsafe fn finish(
    module: &Module,
    session: CK_SESSION_HANDLE,
    digest: CK_BYTE_PTR,
    digest_len: CK_ULONG_PTR,
) -> Result<()> {
    let session = module.session(session)?;
    // SAFETY: by this function's contract.
    let out = unsafe { Output::new(digest, digest_len) }
        .inspect_err(|_| session.abandon(Kind::Digest))?;
    out.fill(|room| session.digest_final(room))
}
