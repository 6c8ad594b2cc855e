//! Random number generation (PKCS#11 5.19).

use pkcs11_sys::*;

use zeroize::Zeroizing;

use super::super::memory::{check_buffer, input};
use crate::error::{Error, Result};
use crate::module::Module;

pub(in super::super) unsafe fn seed(
    module: &Module,
    session: CK_SESSION_HANDLE,
    seed: CK_BYTE_PTR,
    seed_len: CK_ULONG,
) -> Result<()> {
    module.session(session)?;
    // SAFETY: by this function's contract.
    unsafe { input(seed.cast_const(), seed_len) }?;
    Err(Error::new(
        CKR_RANDOM_SEED_NOT_SUPPORTED,
        "neither KMS nor the local generator takes a seed",
    ))
}

pub(in super::super) unsafe fn generate(
    module: &Module,
    session: CK_SESSION_HANDLE,
    random_data: CK_BYTE_PTR,
    random_len: CK_ULONG,
) -> Result<()> {
    let session = module.session(session)?;
    let len = check_buffer(random_data, random_len)?;
    let mut chunk = Zeroizing::new(vec![0; len.min(CHUNK)]);
    for start in (0..len).step_by(CHUNK) {
        let chunk_len = CHUNK.min(len - start);
        let chunk = &mut chunk[..chunk_len];
        session.token().random(chunk)?;
        // SAFETY: `random_data` is valid for writing `len` bytes by this function's contract, and
        // the chunk ends within them; `chunk` is the module's memory.
        unsafe {
            random_data
                .add(start)
                .copy_from_nonoverlapping(chunk.as_ptr(), chunk_len);
        }
    }
    Ok(())
}

/// Bytes drawn at a time, so that the caller's length does not decide what the module allocates.
const CHUNK: usize = 64 * 1024;
