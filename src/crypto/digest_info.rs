//! PKCS#1's `DigestInfo`: what a caller of `CKM_RSA_PKCS` hands over to be signed.
//!
//! KMS takes the digest alone and writes the `DigestInfo` itself, so the one given here must be,
//! byte for byte, the one that KMS is going to write: otherwise the signature would be over other
//! bytes.
//!
//! Source: RFC 8017, section 9.2 and appendix B.1.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, DecodeValue, Encode, EncodeValue, Header, Length, Reader, Sequence, Writer};
use spki::AlgorithmIdentifierRef;

use super::Hash;

/// Why bytes are not a `DigestInfo` that KMS would write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DigestInfoError {
    /// Not DER of a `DigestInfo`, not all of it, or not the canonical form with NULL parameters.
    #[error("the data is not the DER encoding of a DigestInfo")]
    NotDigestInfo,
    /// A `DigestInfo` of SHA-3, MD5 or another hash that is not SHA-1 or SHA-2.
    #[error("the DigestInfo names a hash other than SHA-1, SHA-224, SHA-256, SHA-384, SHA-512")]
    UnsupportedHash,
    #[error("the digest in the DigestInfo does not have its hash's length")]
    WrongLength,
}

/// The hash and the digest of a `DigestInfo` that fills the whole input.
///
/// Absent parameters are refused though RFC 8017 lets a verifier accept them: KMS signs the form
/// with NULL, which is another message.
pub(crate) fn parse(der: &[u8]) -> Result<(Hash, &[u8]), DigestInfoError> {
    let info = DigestInfo::from_der(der).map_err(|_| DigestInfoError::NotDigestInfo)?;
    let hash = Hash::ALL
        .into_iter()
        .find(|hash| oid(*hash) == info.algorithm.oid)
        .ok_or(DigestInfoError::UnsupportedHash)?;
    let digest = info.digest.as_bytes();
    if digest.len() != hash.len() {
        return Err(DigestInfoError::WrongLength);
    }
    if encode(hash, digest) != der {
        return Err(DigestInfoError::NotDigestInfo);
    }
    Ok((hash, digest))
}

/// DER of the `DigestInfo` of this digest, with NULL parameters.
///
/// # Panics
/// If `digest` is longer than the 256 MiB that DER lengths reach here; digests have 64 bytes at
/// most.
pub(crate) fn encode(hash: Hash, digest: &[u8]) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "only lengths beyond 256 MiB fail to encode"
    )]
    OctetStringRef::new(digest)
        .and_then(|digest| {
            let algorithm = AlgorithmIdentifierRef {
                oid: oid(hash),
                parameters: Some(AnyRef::NULL),
            };
            DigestInfo { algorithm, digest }.to_der()
        })
        .expect("a digest is short")
}

/// The object identifier of a hash.
pub(super) const fn oid(hash: Hash) -> ObjectIdentifier {
    const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
    const SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4");
    const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
    const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
    const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
    match hash {
        Hash::Sha1 => SHA1,
        Hash::Sha224 => SHA224,
        Hash::Sha256 => SHA256,
        Hash::Sha384 => SHA384,
        Hash::Sha512 => SHA512,
    }
}

/// `DigestInfo ::= SEQUENCE { digestAlgorithm AlgorithmIdentifier, digest OCTET STRING }`
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    digest: &'a OctetStringRef,
}

impl<'a> DecodeValue<'a> for DigestInfo<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> der::Result<Self> {
        Ok(Self {
            algorithm: reader.decode()?,
            digest: reader.decode()?,
        })
    }
}

impl EncodeValue for DigestInfo<'_> {
    fn value_len(&self) -> der::Result<Length> {
        self.algorithm.encoded_len()? + self.digest.encoded_len()?
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        self.algorithm.encode(writer)?;
        self.digest.encode(writer)
    }
}

impl<'a> Sequence<'a> for DigestInfo<'a> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The prefixes printed in RFC 8017, section 9.2, note 1.
    const PREFIXES: [(Hash, &[u8]); 5] = [
        (
            Hash::Sha1,
            b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
        ),
        (
            Hash::Sha224,
            b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
        ),
        (
            Hash::Sha256,
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
        ),
        (
            Hash::Sha384,
            b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
        ),
        (
            Hash::Sha512,
            b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        ),
    ];

    fn samples() -> impl Iterator<Item = (Hash, Vec<u8>)> {
        PREFIXES
            .into_iter()
            .map(|(hash, prefix)| (hash, [prefix, &*hash.digest(b"message")].concat()))
    }

    #[test]
    fn the_encodings_of_the_standard_are_written_and_read() {
        for (hash, der) in samples() {
            let digest = hash.digest(b"message");
            assert_eq!(encode(hash, &digest), der);
            assert_eq!(parse(&der), Ok((hash, &*digest)));
        }
    }

    #[test]
    fn a_changed_byte_outside_the_digest_is_refused() {
        for (hash, der) in samples() {
            let prefix_len = der.len() - hash.len();
            for position in 0..prefix_len {
                for mask in 1..=255 {
                    let mut changed = der.clone();
                    changed[position] ^= mask;
                    // One hash's OID turned into another's: refused for its length.
                    assert!(parse(&changed).is_err(), "byte {position} of {hash:?}");
                }
            }
        }
    }

    #[test]
    fn a_changed_byte_of_the_digest_is_another_digest() {
        for (hash, der) in samples() {
            for position in der.len() - hash.len()..der.len() {
                let mut changed = der.clone();
                changed[position] ^= 0xff;
                let expected = &changed[der.len() - hash.len()..];
                assert_eq!(parse(&changed), Ok((hash, expected)));
            }
        }
    }

    #[test]
    fn a_truncated_or_extended_encoding_is_refused() {
        for (_, der) in samples() {
            for end in 0..der.len() {
                assert_eq!(parse(&der[..end]), Err(DigestInfoError::NotDigestInfo));
            }
            for extra in [&[0][..], &[5, 0], &der] {
                let extended = [&der, extra].concat();
                assert_eq!(parse(&extended), Err(DigestInfoError::NotDigestInfo));
            }
        }
    }

    #[test]
    fn a_sha3_256_digest_info_is_not_taken_for_sha_256() {
        let der = [
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x08\x05\x00\x04\x20",
            &[7; 32][..],
        ]
        .concat();
        assert_eq!(parse(&der), Err(DigestInfoError::UnsupportedHash));
    }

    #[test]
    fn an_md5_digest_info_names_an_unsupported_hash() {
        let der = [
            b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
            &[7; 16][..],
        ]
        .concat();
        assert_eq!(parse(&der), Err(DigestInfoError::UnsupportedHash));
    }

    #[test]
    fn absent_or_other_parameters_are_refused() {
        let absent = [
            b"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20",
            &[7; 32][..],
        ]
        .concat();
        assert_eq!(parse(&absent), Err(DigestInfoError::NotDigestInfo));
        let octets = [
            b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x00\x04\x20",
            &[7; 32][..],
        ]
        .concat();
        assert_eq!(parse(&octets), Err(DigestInfoError::NotDigestInfo));
    }

    #[test]
    fn a_digest_of_another_length_is_told_apart() {
        for (hash, _) in samples() {
            for length in (0..=70).filter(|length| *length != hash.len()) {
                let der = encode(hash, &vec![7; length]);
                assert_eq!(parse(&der), Err(DigestInfoError::WrongLength));
            }
        }
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_refused() {
        let (_, der) = samples().nth(2).unwrap();
        let long_form = [&[0x30, 0x81, 0x31], &der[2..]].concat();
        assert_eq!(parse(&long_form), Err(DigestInfoError::NotDigestInfo));
        let indefinite = [&[0x30, 0x80], &der[2..], &[0, 0]].concat();
        assert_eq!(parse(&indefinite), Err(DigestInfoError::NotDigestInfo));
    }
}
