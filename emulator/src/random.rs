//! Random bytes, and the identifiers made of them.

use std::fmt::Write as _;

use crate::error::{ApiError, ApiResult};

pub(crate) fn fill(out: &mut [u8]) -> ApiResult<()> {
    aws_lc_rs::rand::fill(out).map_err(|_| ApiError::cryptography("Random generation"))
}

pub(crate) fn bytes<const N: usize>() -> ApiResult<[u8; N]> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> ApiResult<String> {
    let mut uuid: [u8; 16] = bytes()?;
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let mut text = hex(&uuid);
    for position in [20, 16, 12, 8] {
        text.insert(position, '-');
    }
    Ok(text)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })
}
