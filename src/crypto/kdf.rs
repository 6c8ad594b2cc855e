//! Key derivation from a secret at hand: X9.63 and HKDF.

use zeroize::Zeroizing;

use super::hmac::Hmac;
use super::{Hash, Hasher};

/// Key material derived from a secret.
pub(crate) type Derived = Zeroizing<Vec<u8>>;

/// Why nothing was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DeriveError {
    #[error("{len} bytes of key material; {max} are the most")]
    TooLong { len: usize, max: usize },
    /// HKDF expands only what is as long as the hash (RFC 5869, section 2.3).
    #[error("a pseudorandom key of {len} bytes is shorter than the hash, {min} bytes")]
    ShortKey { len: usize, min: usize },
}

/// The first `len` bytes of the X9.63 key derivation function (SEC 1, section 3.6.1):
/// `Hash(secret ‖ counter ‖ shared_info)` for a counter of 32 bits from 1 on.
pub(crate) fn x963(
    hash: Hash,
    secret: &[u8],
    shared_info: &[u8],
    len: usize,
) -> Result<Derived, DeriveError> {
    let mut begun = Hasher::new(hash);
    begun.update(secret);
    blocks(hash, len, u32::MAX, |counter, _| {
        let mut hasher = begun.clone();
        hasher.update(&counter.to_be_bytes());
        hasher.update(shared_info);
        Zeroizing::new(hasher.finish().to_vec())
    })
}

/// HKDF-Extract (RFC 5869, section 2.2): a pseudorandom key of the hash's length. An empty salt is
/// the same as none.
pub(crate) fn hkdf_extract(hash: Hash, salt: &[u8], secret: &[u8]) -> Derived {
    let mut hmac = Hmac::new(hash, salt);
    hmac.update(secret);
    Zeroizing::new(hmac.finish().as_ref().to_vec())
}

/// The first `len` bytes of HKDF-Expand (RFC 5869, section 2.3), at most 255 times the hash's.
pub(crate) fn hkdf_expand(
    hash: Hash,
    pseudorandom_key: &[u8],
    info: &[u8],
    len: usize,
) -> Result<Derived, DeriveError> {
    if pseudorandom_key.len() < hash.len() {
        return Err(DeriveError::ShortKey {
            len: pseudorandom_key.len(),
            min: hash.len(),
        });
    }
    let keyed = Hmac::new(hash, pseudorandom_key);
    blocks(hash, len, u8::MAX.into(), |counter, previous| {
        let [.., counter] = counter.to_be_bytes();
        let mut hmac = keyed.clone();
        hmac.update(previous);
        hmac.update(info);
        hmac.update(&[counter]);
        Zeroizing::new(hmac.finish().as_ref().to_vec())
    })
}

/// The first `len` bytes of blocks of the hash's length, at most `max_blocks`; each is made of its
/// number, from 1 on, and of the block before it, nothing at first.
fn blocks(
    hash: Hash,
    len: usize,
    max_blocks: u32,
    block: impl Fn(u32, &[u8]) -> Derived,
) -> Result<Derived, DeriveError> {
    let max = hash.len().saturating_mul(max_blocks as usize);
    if len > max {
        return Err(DeriveError::TooLong { len, max });
    }
    // Of its final size from the start: what a vector grows out of is not wiped.
    let mut derived = Zeroizing::new(vec![0; len]);
    let mut previous = Derived::default();
    for (counter, chunk) in (1..).zip(derived.chunks_mut(hash.len())) {
        previous = block(counter, &previous);
        chunk.copy_from_slice(&previous[..chunk.len()]);
    }
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use kms_pkcs11_testkit::{from_hex, hex};

    use super::*;
    use crate::crypto::python::python;

    const SECRET: &[u8] = b"a secret of ECDH, say, in thirty-two bytes and more";
    const DERIVE: &str = "
import sys
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf import hkdf, x963kdf
name, secret, info, salt = sys.argv[1], *map(bytes.fromhex, sys.argv[2:5])
algorithm = getattr(hashes, name)()
for length in map(int, sys.argv[5:]):
    print(x963kdf.X963KDF(algorithm, length, info).derive(secret).hex())
    print(hkdf.HKDF(algorithm, length, salt, info).derive(secret).hex())
";

    /// Both steps.
    fn hkdf(
        hash: Hash,
        salt: &[u8],
        secret: &[u8],
        info: &[u8],
        len: usize,
    ) -> Result<Derived, DeriveError> {
        hkdf_expand(hash, &hkdf_extract(hash, salt, secret), info, len)
    }

    fn python_name(hash: Hash) -> String {
        format!("{hash:?}").to_uppercase()
    }

    #[test]
    fn keys_equal_those_of_python() {
        let lengths = [1, 16, 20, 32, 33, 64, 65, 200];
        let texts = lengths.map(|length| length.to_string());
        for hash in Hash::ALL {
            for (info, salt) in [
                (&b""[..], &b""[..]),
                (b"info", b"salt"),
                (b"info", &[0xa5; 200]),
            ] {
                let name = python_name(hash);
                let (secret, info_hex, salt_hex) = (hex(SECRET), hex(info), hex(salt));
                let mut args = vec![&name[..], &secret, &info_hex, &salt_hex];
                args.extend(texts.iter().map(|text| &text[..]));
                let expected = python(DERIVE, &args);
                assert_eq!(expected.len(), 2 * lengths.len());
                for (length, expected) in lengths.into_iter().zip(expected.chunks(2)) {
                    let x963 = x963(hash, SECRET, info, length).unwrap();
                    let hkdf = hkdf(hash, salt, SECRET, info, length).unwrap();
                    assert_eq!(*x963, expected[0], "X9.63 {hash:?}, {length} bytes");
                    assert_eq!(*hkdf, expected[1], "HKDF {hash:?}, {length} bytes");
                }
            }
        }
    }

    /// RFC 5869, appendix A: cases 1 and 4, the steps apart.
    #[test]
    fn the_steps_of_hkdf_are_those_of_the_rfc() {
        for (hash, secret, prk, okm) in [
            (
                Hash::Sha256,
                vec![0x0b; 22],
                "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                Hash::Sha1,
                vec![0x0b; 11],
                "9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243",
                "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
            ),
        ] {
            let salt = from_hex("000102030405060708090a0b0c");
            let info = from_hex("f0f1f2f3f4f5f6f7f8f9");
            let extracted = hkdf_extract(hash, &salt, &secret);
            assert_eq!(*extracted, from_hex(prk));
            assert_eq!(
                *hkdf_expand(hash, &extracted, &info, 42).unwrap(),
                from_hex(okm)
            );
        }
    }

    #[test]
    fn no_salt_is_a_salt_of_zeros() {
        for hash in Hash::ALL {
            let none = hkdf_extract(hash, &[], SECRET);
            assert_eq!(none, hkdf_extract(hash, &vec![0; hash.len()], SECRET));
        }
    }

    #[test]
    fn hkdf_ends_after_255_blocks() {
        for hash in Hash::ALL {
            let prk = hkdf_extract(hash, b"salt", SECRET);
            let max = 255 * hash.len();
            assert_eq!(hkdf_expand(hash, &prk, b"", max).unwrap().len(), max);
            let refused = hkdf_expand(hash, &prk, b"", max + 1).unwrap_err();
            assert_eq!(refused, DeriveError::TooLong { len: max + 1, max });
        }
    }

    #[test]
    fn x963_ends_when_its_counter_would_wrap() {
        let max = 32 * u32::MAX as usize;
        let refused = x963(Hash::Sha256, SECRET, b"", max + 1).unwrap_err();
        assert_eq!(refused, DeriveError::TooLong { len: max + 1, max });
    }

    #[test]
    fn a_key_shorter_than_the_hash_is_not_expanded() {
        for hash in Hash::ALL {
            let (len, min) = (hash.len() - 1, hash.len());
            let refused = hkdf_expand(hash, &vec![1; len], b"", 16).unwrap_err();
            assert_eq!(refused, DeriveError::ShortKey { len, min });
        }
    }

    #[test]
    fn no_bytes_can_be_derived_too() {
        assert!(x963(Hash::Sha256, SECRET, b"", 0).unwrap().is_empty());
        assert!(hkdf(Hash::Sha256, b"", SECRET, b"", 0).unwrap().is_empty());
    }
}
