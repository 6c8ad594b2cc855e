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

use super::aes::wrap::SEMIBLOCK;
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
    fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
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

    /// Reads PKCS#8 that was wrapped: it may have zeros behind it that fill half an AES block. SoftHSM2
    /// fills also where the form of key wrap does that by itself.
    pub(crate) fn from_unwrapped(value: &[u8]) -> Result<Self, PrivateKeyError> {
        let whole = pkcs8::first_value(value).ok_or(PrivateKeyError::Malformed)?;
        let rest = &value[whole.len()..];
        if rest.len() < SEMIBLOCK && rest.iter().all(|byte| *byte == 0) {
            return Self::from_pkcs8(whole);
        }
        Err(PrivateKeyError::Malformed)
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

#[cfg(test)]
mod tests {
    use kms_pkcs11_testkit::{from_hex, openssl_ok};

    use super::*;
    use crate::crypto::public_key::SpkiError;

    /// A new key of openssl's, as PKCS#8 and its public half.
    fn key(options: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let pem = openssl_ok([&["genpkey"][..], options].concat(), &[]);
        let pkcs8 = openssl_ok(["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem);
        let spki = openssl_ok(
            ["pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
            &pkcs8,
        );
        (pkcs8, spki)
    }

    fn ec_options(curve: Curve) -> [&'static str; 4] {
        let name = match curve {
            Curve::P256 => "ec_paramgen_curve:P-256",
            Curve::P384 => "ec_paramgen_curve:P-384",
            Curve::P521 => "ec_paramgen_curve:P-521",
            Curve::Secp256k1 => "ec_paramgen_curve:secp256k1",
        };
        ["-algorithm", "EC", "-pkeyopt", name]
    }

    const RSA: [&str; 4] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

    #[test]
    fn keys_of_openssl_are_read_and_written_as_openssl_does() {
        let kinds = Curve::ALL.map(ec_options).into_iter().chain([RSA]);
        for options in kinds {
            let (pkcs8, spki) = key(&options);
            let read = PrivateKey::from_pkcs8(&pkcs8).unwrap();
            assert_eq!(read.pkcs8(), pkcs8, "{options:?}");
            assert_eq!(read.public().spki(), spki, "{options:?}");
            for end in [0, 1, 20, pkcs8.len() - 1] {
                let refused = PrivateKey::from_pkcs8(&pkcs8[..end]).unwrap_err();
                assert_eq!(refused, PrivateKeyError::Malformed, "{options:?}");
            }
            for (fill, taken) in [(&[0; 7][..], true), (&[0; 8], false), (&[0, 1], false)] {
                let filled = [&pkcs8[..], fill].concat();
                assert!(PrivateKey::from_pkcs8(&filled).is_err());
                assert_eq!(
                    PrivateKey::from_unwrapped(&filled).is_ok(),
                    taken,
                    "{fill:?}"
                );
            }
        }
    }

    #[test]
    fn every_number_of_an_rsa_key_must_belong_to_the_others() {
        let (pkcs8, _) = key(&RSA);
        let Unpacked::Rsa(numbers) = pkcs8::unpack(&pkcs8).unwrap() else {
            panic!("an RSA key");
        };
        assert!(PrivateKey::from_rsa(numbers).is_ok());
        let mut refused = 0;
        for index in 0..8 {
            let mut parts = [
                numbers.modulus,
                numbers.public_exponent,
                numbers.private_exponent,
                numbers.prime_1,
                numbers.prime_2,
                numbers.exponent_1,
                numbers.exponent_2,
                numbers.coefficient,
            ];
            let mut changed = parts[index].to_vec();
            changed[0] ^= 2;
            parts[index] = &changed;
            let [
                modulus,
                public_exponent,
                private_exponent,
                prime_1,
                prime_2,
                exponent_1,
                exponent_2,
                coefficient,
            ] = parts;
            let changed = PrivateKey::from_rsa(RsaNumbers {
                modulus,
                public_exponent,
                private_exponent,
                prime_1,
                prime_2,
                exponent_1,
                exponent_2,
                coefficient,
            });
            refused += usize::from(changed.is_err());
        }
        assert_eq!(refused, 8);
    }

    #[test]
    fn a_private_value_is_from_1_to_the_order_and_may_have_zeros_before_it() {
        for curve in Curve::ALL {
            let one = PrivateKey::from_ec(curve, &[1]).unwrap();
            let padded = [&[0; 70][..], &[1]].concat();
            assert_eq!(
                PrivateKey::from_ec(curve, &padded).unwrap().pkcs8(),
                one.pkcs8()
            );
            let largest = vec![0xff; curve.field_len()];
            let long = [&[1][..], &largest].concat();
            for value in [&[][..], &[0; 4], &largest, &long] {
                let refused = PrivateKey::from_ec(curve, value).unwrap_err();
                assert_eq!(refused, PrivateKeyError::Scalar, "{curve:?} {value:?}");
            }
        }
        let order = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
        let refused = PrivateKey::from_ec(Curve::P256, &order).unwrap_err();
        assert_eq!(refused, PrivateKeyError::Scalar);
        let last = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550");
        assert!(PrivateKey::from_ec(Curve::P256, &last).is_ok());
    }

    #[test]
    fn a_public_key_of_another_private_key_is_noticed() {
        let (pkcs8, _) = key(&ec_options(Curve::P256));
        let (other, _) = key(&ec_options(Curve::P256));
        // The point ends the encoding.
        let mixed = [&pkcs8[..pkcs8.len() - 64], &other[other.len() - 64..]].concat();
        let refused = PrivateKey::from_pkcs8(&mixed).unwrap_err();
        assert_eq!(refused, PrivateKeyError::OtherPublicKey);
    }

    #[test]
    fn what_kms_does_not_import_is_refused_with_the_reason() {
        let small = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
        let curve = [
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:brainpoolP256r1",
        ];
        for (options, error) in [
            (
                &["-algorithm", "ED25519"][..],
                PrivateKeyError::UnsupportedAlgorithm,
            ),
            (
                &["-algorithm", "X25519"],
                PrivateKeyError::UnsupportedAlgorithm,
            ),
            (&small, SpkiError::UnsupportedModulus(1024).into()),
            (&curve, SpkiError::UnsupportedCurve.into()),
        ] {
            let (pkcs8, _) = key(options);
            let refused = PrivateKey::from_pkcs8(&pkcs8).unwrap_err();
            assert_eq!(refused, error, "{options:?}");
        }
    }

    #[test]
    fn nothing_printed_tells_the_key() {
        let key = PrivateKey::from_ec(Curve::P256, &[0x7a; 32]).unwrap();
        let printed = format!("{key:?}");
        assert!(printed.contains("P256"), "{printed}");
        assert!(
            !printed.contains("122, 122") && !printed.contains("7a7a"),
            "{printed}"
        );
    }
}
