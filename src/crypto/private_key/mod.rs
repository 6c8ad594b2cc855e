//! Private keys on their way into KMS: handed in by an application, checked, encoded as PKCS#8 and
//! wiped. None of them is ever used here.

mod pkcs8;

use std::fmt;

use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, KeyPair as _,
};
use zeroize::Zeroizing;

use super::public_key::SpkiError;
use super::{Curve, PublicKey};
use pkcs8::{EcPrivateKey, RsaPrivateKey, Unpacked};

/// A private key that KMS may take, and its public half.
pub(crate) struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

/// The numbers of an RSA key, big-endian, with or without leading zeros.
#[derive(Clone, Copy)]
pub(crate) struct RsaNumbers<'a> {
    pub(crate) modulus: &'a [u8],
    pub(crate) public_exponent: &'a [u8],
    pub(crate) private_exponent: &'a [u8],
    pub(crate) prime_1: &'a [u8],
    pub(crate) prime_2: &'a [u8],
    pub(crate) exponent_1: &'a [u8],
    pub(crate) exponent_2: &'a [u8],
    pub(crate) coefficient: &'a [u8],
}

/// Why something is no private key that KMS imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PrivateKeyError {
    #[error("not the DER encoding of a PKCS#8 PrivateKeyInfo")]
    Malformed,
    #[error("KMS imports RSA and EC private keys: no Ed25519, ML-DSA or ML-KEM keys, nor others")]
    UnsupportedAlgorithm,
    #[error(transparent)]
    Public(#[from] SpkiError),
    /// The modulus is not the product of the primes, or an exponent or the coefficient is not theirs.
    #[error("the numbers do not make an RSA key together")]
    Inconsistent,
    #[error("the private value is not one of the curve's: from 1 to its order")]
    Scalar,
    #[error("the public key is not that of the private key")]
    OtherPublicKey,
}

impl PrivateKey {
    /// A key of all its numbers, which must make one together.
    pub(crate) fn from_rsa(numbers: RsaNumbers<'_>) -> Result<Self, PrivateKeyError> {
        let public = PublicKey::from_rsa(numbers.modulus, numbers.public_exponent)?;
        let pkcs8 = RsaPrivateKey::new(numbers)
            .and_then(|key| key.to_pkcs8())
            .map_err(|_| PrivateKeyError::Malformed)?;
        // This reading checks the numbers against each other.
        RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_| PrivateKeyError::Inconsistent)?;
        Ok(Self { pkcs8, public })
    }

    /// A key on a curve: its private value, big-endian, with or without leading zeros.
    pub(crate) fn from_ec(curve: Curve, value: &[u8]) -> Result<Self, PrivateKeyError> {
        let scalar = padded(value, curve.field_len()).ok_or(PrivateKeyError::Scalar)?;
        let malformed = |_| PrivateKeyError::Malformed;
        let without_public = EcPrivateKey::new(curve, &scalar, None).map_err(malformed)?;
        let without_public = without_public.to_pkcs8().map_err(malformed)?;
        // This reading checks the range of the private value.
        let pair = EcdsaKeyPair::from_pkcs8(signing_algorithm(curve), &without_public)
            .map_err(|_| PrivateKeyError::Scalar)?;
        let point = pair.public_key().as_ref();
        let whole = EcPrivateKey::new(curve, &scalar, Some(point)).map_err(malformed)?;
        Ok(Self {
            pkcs8: whole.to_pkcs8().map_err(malformed)?,
            public: PublicKey::from_ec(curve, point)?,
        })
    }

    /// Reads PKCS#8 (RFC 5208, RFC 5958), strict DER and the whole input; attributes are left behind.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        match pkcs8::unpack(der)? {
            Unpacked::Rsa(numbers) => Self::from_rsa(numbers),
            Unpacked::Ec {
                curve,
                value,
                public,
            } => {
                let key = Self::from_ec(curve, value)?;
                match (public, &key.public) {
                    (Some(given), PublicKey::Ec(own)) if given != own.point() => {
                        Err(PrivateKeyError::OtherPublicKey)
                    }
                    _ => Ok(key),
                }
            }
        }
    }

    /// DER of the PKCS#8 `PrivateKeyInfo`, version 1, without attributes; in an EC key with the public
    /// half (RFC 5915).
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// Tells whose key it is, and nothing of it.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// A number in `len` bytes; `None` when it does not fit.
fn padded(number: &[u8], len: usize) -> Option<Zeroizing<Vec<u8>>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let significant = &number[zeros..];
    let mut padded = Zeroizing::new(vec![0; len]);
    let start = len.checked_sub(significant.len())?;
    padded[start..].copy_from_slice(significant);
    Some(padded)
}

fn signing_algorithm(curve: Curve) -> &'static EcdsaSigningAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
        Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        Curve::Secp256k1 => &ECDSA_P256K1_SHA256_ASN1_SIGNING,
    }
}
