//! `SEQUENCE { INTEGER, INTEGER }`: the shape of an ECDSA signature and of an RSA public key.

use der::{Decode, Encode, asn1::UintRef};

/// The magnitudes of two non-negative integers, big-endian and without leading zeros.
///
/// Strict DER, the whole input: `None` for anything else. Zero is the single byte `00`.
pub(super) fn decode_integer_pair(der: &[u8]) -> Option<(&[u8], &[u8])> {
    match *Vec::<UintRef<'_>>::from_der(der).ok()? {
        [first, second] => Some((first.as_bytes(), second.as_bytes())),
        _ => None,
    }
}

/// The encoding of two non-negative integers, given big-endian with or without leading zeros.
///
/// `None` only beyond DER's 256 MiB.
pub(super) fn encode_integer_pair(first: &[u8], second: &[u8]) -> Option<Vec<u8>> {
    let pair = [UintRef::new(first).ok()?, UintRef::new(second).ok()?];
    pair.to_der().ok()
}
