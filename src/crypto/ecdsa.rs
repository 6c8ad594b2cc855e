//! Between ECDSA as PKCS#11 has it and ECDSA as KMS has it.
//!
//! PKCS#11 signs digests of any length and writes a signature as r‖s; KMS signs digests of one
//! length per curve and writes DER of `SEQUENCE { r INTEGER, s INTEGER }`.

use super::{Curve, asn1};

/// Why a digest has no equivalent that KMS would sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DigestError {
    #[error("the digest is empty")]
    Empty,
    /// Only on P-521, whose order is longer than the longest digest KMS takes.
    #[error("the digest's leftmost 521 bits do not fit the 64 bytes that KMS signs")]
    TooWide,
}

/// Why bytes are no ECDSA signature of this curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SignatureError {
    #[error("not DER of two integers")]
    Malformed,
    /// r or s is zero, or has more bytes than the field.
    #[error("r or s is out of range")]
    OutOfRange,
    /// r‖s of no bytes, of an odd number, or of more than the curve has.
    #[error("the signature's length is not that of r and s")]
    Length,
}

/// The digest to send to KMS so that its signature is one of `digest`.
///
/// ECDSA reads a digest as an integer: its leftmost bits, as many as the order of the group has
/// (`bits2int`, FIPS 186-5, section 6.4.1). So longer digests are truncated and shorter ones padded
/// with zeros on the left to [`Curve::kms_digest_len`] bytes, and the integer remains the same.
pub(crate) fn fit_digest(curve: Curve, digest: &[u8]) -> Result<Vec<u8>, DigestError> {
    if digest.is_empty() {
        return Err(DigestError::Empty);
    }
    let leftmost = &digest[..digest.len().min(curve.field_len())];
    // Not zero for P-521 alone, where 66 bytes hold 7 bits more than the order.
    let excess_bits = (leftmost.len() * 8).saturating_sub(curve.bits());
    let integer = shift_right(leftmost, excess_bits);
    pad_left(&integer, curve.kms_digest_len()).ok_or(DigestError::TooWide)
}

/// r‖s, each padded to the field's length, of KMS's DER.
pub(crate) fn raw_from_der(curve: Curve, der: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let (r, s) = asn1::decode_integer_pair(der).ok_or(SignatureError::Malformed)?;
    if r == [0] || s == [0] {
        return Err(SignatureError::OutOfRange);
    }
    let n = curve.field_len();
    let mut raw = pad_left(r, n).ok_or(SignatureError::OutOfRange)?;
    raw.extend(pad_left(s, n).ok_or(SignatureError::OutOfRange)?);
    Ok(raw)
}

/// DER of a signature r‖s, whose halves may be shorter than the field.
///
/// Some callers drop leading zeros that r and s have in common, so every even length up to twice
/// the field's is accepted. Zero for r or s is encoded as such; no verifier accepts it.
pub(crate) fn der_from_raw(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, SignatureError> {
    if raw.is_empty() || !raw.len().is_multiple_of(2) || raw.len() > 2 * curve.field_len() {
        return Err(SignatureError::Length);
    }
    let (r, s) = raw.split_at(raw.len() / 2);
    asn1::encode_integer_pair(r, s).ok_or(SignatureError::Length)
}

/// A big-endian integer divided by `2^bits`, with less than 8 bits.
fn shift_right(integer: &[u8], bits: usize) -> Vec<u8> {
    let mut carry = 0u16;
    integer
        .iter()
        .map(|&byte| {
            let window = carry << 8 | u16::from(byte);
            carry = u16::from(byte);
            (window >> bits).to_le_bytes()[0]
        })
        .collect()
}

/// A big-endian integer in exactly `len` bytes, or `None` when it does not fit.
fn pad_left(integer: &[u8], len: usize) -> Option<Vec<u8>> {
    let significant = integer.iter().position(|byte| *byte != 0);
    let significant = &integer[significant.unwrap_or(integer.len())..];
    let mut padded = vec![0; len.checked_sub(significant.len())?];
    padded.extend_from_slice(significant);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Hash;
    use crate::crypto::openssl::Openssl;

    /// An integer of exactly `len` significant bytes, with the first byte given.
    fn integer(first: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0xa5; len];
        bytes[0] = first;
        bytes
    }

    /// DER of INTEGER, written without the code under test.
    fn der_integer(magnitude: &[u8]) -> Vec<u8> {
        let sign = usize::from(magnitude[0] >= 0x80);
        let header = [0x02, u8::try_from(magnitude.len() + sign).unwrap()];
        [&header, &[0][..sign], magnitude].concat()
    }

    fn der_sequence(contents: &[u8]) -> Vec<u8> {
        let len = u8::try_from(contents.len()).unwrap();
        let header = if len < 0x80 {
            vec![0x30, len]
        } else {
            vec![0x30, 0x81, len]
        };
        [&header, contents].concat()
    }

    #[test]
    fn integers_of_every_length_are_padded_to_the_field() {
        for curve in Curve::ALL {
            let n = curve.field_len();
            for r_len in 1..=n {
                for s_len in 1..=n {
                    for first in [0x01, 0x7f, 0x80, 0xff] {
                        let (r, s) = (integer(first, r_len), integer(0xff ^ first | 1, s_len));
                        let der = der_sequence(&[der_integer(&r), der_integer(&s)].concat());
                        let raw = raw_from_der(curve, &der).unwrap();

                        assert_eq!(raw.len(), 2 * n);
                        assert_eq!(raw[..n], [vec![0; n - r_len], r].concat());
                        assert_eq!(raw[n..], [vec![0; n - s_len], s].concat());
                        assert_eq!(der_from_raw(curve, &raw).unwrap(), der);
                    }
                }
            }
        }
    }

    #[test]
    fn a_raw_signature_of_any_even_length_is_two_integers() {
        for curve in Curve::ALL {
            let n = curve.field_len();
            for half in 1..=n {
                let (r, s) = (integer(0x80, half), integer(0x01, half));
                let der = der_from_raw(curve, &[r.clone(), s.clone()].concat()).unwrap();
                assert_eq!(
                    der,
                    der_sequence(&[der_integer(&r), der_integer(&s)].concat())
                );
            }
            for length in (1..2 * n)
                .step_by(2)
                .chain([0, 2 * n + 1, 2 * n + 2, 4 * n])
            {
                let refused = der_from_raw(curve, &vec![1; length]);
                assert_eq!(refused, Err(SignatureError::Length), "{length} bytes");
            }
        }
    }

    #[test]
    fn integers_longer_than_the_field_are_refused() {
        for curve in Curve::ALL {
            let short = der_integer(&[1]);
            for len in curve.field_len() + 1..curve.field_len() + 4 {
                let long = der_integer(&integer(0x01, len));
                for pair in [[&long, &short], [&short, &long]] {
                    let der = der_sequence(&pair.map(Vec::as_slice).concat());
                    assert_eq!(raw_from_der(curve, &der), Err(SignatureError::OutOfRange));
                }
            }
        }
    }

    #[test]
    fn what_is_not_strict_der_of_two_positive_integers_is_refused() {
        use SignatureError::{Malformed, OutOfRange};
        for (der, error, what) in [
            (&b""[..], Malformed, "nothing"),
            (b"\x30\x00", Malformed, "no integers"),
            (b"\x30\x03\x02\x01\x01", Malformed, "one integer"),
            (
                b"\x30\x09\x02\x01\x01\x02\x01\x01\x02\x01\x01",
                Malformed,
                "three",
            ),
            (b"\x30\x06\x02\x01\x00\x02\x01\x01", OutOfRange, "r is zero"),
            (b"\x30\x06\x02\x01\x01\x02\x01\x00", OutOfRange, "s is zero"),
            (
                b"\x30\x06\x02\x01\x80\x02\x01\x01",
                Malformed,
                "r is negative",
            ),
            (
                b"\x30\x06\x02\x01\x01\x02\x01\xff",
                Malformed,
                "s is negative",
            ),
            (
                b"\x30\x05\x02\x00\x02\x01\x01",
                Malformed,
                "r without octets",
            ),
            (
                b"\x30\x07\x02\x02\x00\x01\x02\x01\x01",
                Malformed,
                "a needless zero",
            ),
            (
                b"\x30\x07\x02\x01\x01\x02\x01\x01\x00",
                Malformed,
                "a byte behind s",
            ),
            (
                b"\x30\x06\x02\x01\x01\x02\x01\x01\x00",
                Malformed,
                "a byte behind",
            ),
            (
                b"\x30\x81\x06\x02\x01\x01\x02\x01\x01",
                Malformed,
                "a long length",
            ),
            (
                b"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00",
                Malformed,
                "indefinite",
            ),
            (b"\x31\x06\x02\x01\x01\x02\x01\x01", Malformed, "a SET"),
            (
                b"\x30\x06\x02\x01\x01\x04\x01\x01",
                Malformed,
                "an OCTET STRING",
            ),
        ] {
            assert_eq!(raw_from_der(Curve::P256, der), Err(error), "{what}");
        }
    }

    #[test]
    fn a_truncated_signature_is_refused() {
        for curve in Curve::ALL {
            let n = curve.field_len();
            let r = der_integer(&integer(0x7f, n));
            let der = der_sequence(&[&r[..], &r].concat());
            assert!(raw_from_der(curve, &der).is_ok());
            for end in 0..der.len() {
                assert_eq!(
                    raw_from_der(curve, &der[..end]),
                    Err(SignatureError::Malformed)
                );
            }
        }
    }

    #[test]
    fn a_fitted_digest_has_the_length_of_kms_and_the_integer_of_the_original() {
        for curve in Curve::ALL {
            for len in 1..=200 {
                // 9 leading zero bits make every length representable on P-521.
                let mut digest: Vec<u8> = (0..len).map(|i| 0xb7 ^ i).collect();
                digest[0] = 0;
                if let Some(second) = digest.get_mut(1) {
                    *second &= 0x7f;
                }
                let fitted = fit_digest(curve, &digest).unwrap();
                assert_eq!(fitted.len(), curve.kms_digest_len());
                assert_eq!(bits(&fitted), bits2int(curve, &digest), "{curve:?}, {len}");
            }
        }
    }

    #[test]
    fn an_empty_digest_is_refused() {
        for curve in Curve::ALL {
            assert_eq!(fit_digest(curve, &[]), Err(DigestError::Empty));
        }
    }

    #[test]
    fn on_p521_a_digest_whose_leftmost_bits_exceed_64_bytes_is_refused() {
        let fit = |digest: &[u8]| fit_digest(Curve::P521, digest);
        assert_eq!(fit(&[0xff; 64]).unwrap(), [0xff; 64]);

        // 65 bytes are below 521 bits: the whole integer counts.
        assert_eq!(fit(&[&[0][..], &[0xff; 64]].concat()).unwrap(), [0xff; 64]);
        assert_eq!(
            fit(&[&[1][..], &[0xff; 64]].concat()),
            Err(DigestError::TooWide)
        );

        // From 66 bytes on, the last 7 bits of the first 66 are cut off.
        let widest = [&[0x00, 0x7f][..], &[0xff; 64]].concat();
        assert_eq!(fit(&widest).unwrap(), [0xff; 64]);
        assert_eq!(
            fit(&[&widest[..], &[0xff; 9]].concat()).unwrap(),
            [0xff; 64]
        );
        let too_wide = [&[0x00, 0x80][..], &[0; 64]].concat();
        assert_eq!(fit(&too_wide), Err(DigestError::TooWide));
        assert_eq!(fit(&[0xff; 66]), Err(DigestError::TooWide));
        assert_eq!(fit(&[0xff; 128]), Err(DigestError::TooWide));
    }

    #[test]
    fn a_signature_of_the_fitted_digest_is_one_of_the_original_to_openssl() {
        let openssl = Openssl::new();
        for curve in Curve::ALL {
            let key = openssl.ec_key(curve);
            let hashes = Hash::ALL.map(|hash| hash.digest(b"message").to_vec());
            // No more than 64 bytes: openssl takes nothing longer for a digest.
            for digest in hashes
                .into_iter()
                .chain([vec![9], vec![0; 20], vec![0xff; 63]])
            {
                let fitted = fit_digest(curve, &digest).unwrap();
                let signature = openssl.sign_raw(&key, &fitted);
                let len = digest.len();
                assert!(
                    openssl.verify_raw(&key, &digest, &signature),
                    "{curve:?}, a digest of {len} bytes"
                );
            }
        }
    }

    /// `bits2int` by its definition, as bits without leading zeros.
    fn bits2int(curve: Curve, digest: &[u8]) -> Vec<u8> {
        significant(bits_of(digest).take(curve.bits()))
    }

    fn bits(integer: &[u8]) -> Vec<u8> {
        significant(bits_of(integer))
    }

    fn bits_of(bytes: &[u8]) -> impl Iterator<Item = u8> {
        bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |position| byte >> position & 1))
    }

    fn significant(bits: impl Iterator<Item = u8>) -> Vec<u8> {
        bits.skip_while(|bit| *bit == 0).collect()
    }
}
