//! Public keys as KMS hands them out and as callers import them: a `SubjectPublicKeyInfo`, checked
//! once and taken apart.

mod ec;
mod ed25519;
mod ml_dsa;
mod ml_kem;
mod rsa;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::edwards::ED25519;
use super::{Curve, asn1};

pub(crate) use self::ec::EcPublicKey;
pub(crate) use self::ed25519::Ed25519PublicKey;
pub(crate) use self::ml_dsa::{MlDsaPublicKey, MlDsaSet};
pub(crate) use self::ml_kem::{MlKemPublicKey, MlKemSet};
pub(crate) use self::rsa::RsaPublicKey;

/// Why bytes are not a key this module can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SpkiError {
    #[error("not the DER encoding of a SubjectPublicKeyInfo")]
    Malformed,
    #[error("neither an RSA, EC, Ed25519, ML-DSA nor ML-KEM key")]
    UnsupportedAlgorithm,
    #[error("not on one of the curves P-256, P-384, P-521 and secp256k1")]
    UnsupportedCurve,
    #[error("an RSA modulus of {0} bits, not 2048, 3072 or 4096")]
    UnsupportedModulus(usize),
    /// Of a key whose algorithm has one length: Ed25519, ML-DSA, ML-KEM.
    #[error("a key of {0} bytes, which is not the length of its algorithm")]
    KeyLength(usize),
    /// An RSA exponent that is even or 1, a point that is not on its curve, an ML-KEM coefficient
    /// that is not reduced.
    #[error("the numbers of the key do not make a valid key")]
    Invalid,
}

/// The public half of a key pair of KMS, or one that could be.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    Ec(EcPublicKey),
    Ed25519(Ed25519PublicKey),
    MlDsa(MlDsaPublicKey),
    MlKem(MlKemPublicKey),
}

impl PublicKey {
    /// Parses strict DER, the whole input, of a key that KMS could have made.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, SpkiError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| SpkiError::Malformed)?;
        let key = info
            .subject_public_key
            .as_bytes()
            .ok_or(SpkiError::Malformed)?;
        let oid = info.algorithm.oid;
        let parameters = info.algorithm.parameters;
        match oid {
            RSA_ENCRYPTION => return RsaPublicKey::new(der, parameters, key).map(Self::Rsa),
            EC_PUBLIC_KEY => return EcPublicKey::new(der, parameters, key).map(Self::Ec),
            _ => {}
        }
        // The OIDs of all others name the parameters too.
        let without_parameters = || match parameters {
            None => Ok(()),
            Some(_) => Err(SpkiError::Malformed),
        };
        if oid == ED25519 {
            without_parameters()?;
            Ed25519PublicKey::new(der, key).map(Self::Ed25519)
        } else if let Some(set) = MlDsaSet::from_oid(oid) {
            without_parameters()?;
            MlDsaPublicKey::new(der, set, key).map(Self::MlDsa)
        } else if let Some(set) = MlKemSet::from_oid(oid) {
            without_parameters()?;
            MlKemPublicKey::new(der, set, key).map(Self::MlKem)
        } else {
            Err(SpkiError::UnsupportedAlgorithm)
        }
    }

    /// DER of the `SubjectPublicKeyInfo`: `CKA_PUBLIC_KEY_INFO`.
    pub(crate) fn spki(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => key.spki(),
            Self::Ec(key) => key.spki(),
            Self::Ed25519(key) => key.spki(),
            Self::MlDsa(key) => key.spki(),
            Self::MlKem(key) => key.spki(),
        }
    }
}

/// Keys made of their components, through the same checks as those of KMS.
impl PublicKey {
    /// `CKA_MODULUS` and `CKA_PUBLIC_EXPONENT`: big-endian, with or without leading zeros.
    pub(crate) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, SpkiError> {
        let key = asn1::encode_integer_pair(modulus, exponent).ok_or(SpkiError::Malformed)?;
        Self::from_parts(RSA_ENCRYPTION, Some(AnyRef::NULL), &key)
    }

    /// The uncompressed point, `04‖x‖y`, without the OCTET STRING of `CKA_EC_POINT`.
    pub(crate) fn from_ec(curve: Curve, point: &[u8]) -> Result<Self, SpkiError> {
        let parameters = AnyRef::from_der(curve.ec_params()).map_err(|_| SpkiError::Malformed)?;
        Self::from_parts(EC_PUBLIC_KEY, Some(parameters), point)
    }

    /// The 32 bytes of RFC 8032.
    pub(crate) fn from_ed25519(raw: &[u8]) -> Result<Self, SpkiError> {
        Self::from_parts(ED25519, None, raw)
    }

    /// The encoding `pk` of FIPS 204: `CKA_VALUE`.
    pub(crate) fn from_ml_dsa(set: MlDsaSet, raw: &[u8]) -> Result<Self, SpkiError> {
        Self::from_parts(set.oid(), None, raw)
    }

    /// The encoding `ek` of FIPS 203: `CKA_VALUE`.
    pub(crate) fn from_ml_kem(set: MlKemSet, raw: &[u8]) -> Result<Self, SpkiError> {
        Self::from_parts(set.oid(), None, raw)
    }

    fn from_parts(
        oid: ObjectIdentifier,
        parameters: Option<AnyRef<'_>>,
        key: &[u8],
    ) -> Result<Self, SpkiError> {
        let der = BitStringRef::from_bytes(key).and_then(|subject_public_key| {
            SubjectPublicKeyInfoRef {
                algorithm: AlgorithmIdentifierRef { oid, parameters },
                subject_public_key,
            }
            .to_der()
        });
        Self::from_spki(&der.map_err(|_| SpkiError::Malformed)?)
    }
}

/// `rsaEncryption`, RFC 8017.
pub(super) const RSA_ENCRYPTION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey`, RFC 5480.
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::{Openssl, rsa_key};

    fn ec_spki(curve: Curve) -> Vec<u8> {
        let openssl = Openssl::new();
        let key = openssl.ec_key(curve);
        openssl.spki(&key)
    }

    fn expect_rsa(spki: &[u8]) -> RsaPublicKey {
        match PublicKey::from_spki(spki) {
            Ok(PublicKey::Rsa(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    fn expect_ec(spki: &[u8]) -> EcPublicKey {
        match PublicKey::from_spki(spki) {
            Ok(PublicKey::Ec(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_rsa_key_has_the_modulus_and_exponent_that_openssl_prints() {
        let openssl = Openssl::new();
        for bits in [2048, 3072] {
            let spki = openssl.spki(rsa_key(bits));
            let key = expect_rsa(&spki);
            assert_eq!(key.modulus_bits(), bits);
            assert_eq!(key.modulus_len(), bits / 8);
            assert_eq!(key.modulus(), openssl.modulus(rsa_key(bits)));
            assert_eq!(key.exponent(), [1, 0, 1]);
            assert_eq!(PublicKey::Rsa(key).spki(), spki);
        }
    }

    #[test]
    fn an_ec_key_has_its_curve_and_its_point_as_an_octet_string() {
        for curve in Curve::ALL {
            let spki = ec_spki(curve);
            let key = expect_ec(&spki);
            let point_len = 1 + 2 * curve.field_len();
            assert_eq!(key.curve(), curve);
            // The point ends the SubjectPublicKeyInfo.
            assert_eq!(key.point(), &spki[spki.len() - point_len..]);

            let header: &[u8] = match curve {
                Curve::P256 | Curve::Secp256k1 => &[0x04, 65],
                Curve::P384 => &[0x04, 97],
                Curve::P521 => &[0x04, 0x81, 133],
            };
            assert_eq!(key.ec_point(), [header, key.point()].concat());
            assert_eq!(PublicKey::Ec(key).spki(), spki);
        }
    }

    #[test]
    fn a_truncated_or_extended_key_is_refused() {
        let openssl = Openssl::new();
        let rsa = openssl.spki(rsa_key(2048));
        for spki in [rsa, ec_spki(Curve::P256), ec_spki(Curve::P521)] {
            for end in 0..spki.len() {
                let error = PublicKey::from_spki(&spki[..end]).unwrap_err();
                assert_eq!(error, SpkiError::Malformed);
            }
            let extended = [&spki[..], &[0]].concat();
            let error = PublicKey::from_spki(&extended).unwrap_err();
            assert_eq!(error, SpkiError::Malformed);
        }
    }

    #[test]
    fn a_changed_byte_never_gives_the_same_key() {
        let spki = ec_spki(Curve::P256);
        let header_len = spki.len() - 65;
        for position in 0..spki.len() {
            for bit in 0..8 {
                let mut changed = spki.clone();
                changed[position] ^= 1 << bit;
                match PublicKey::from_spki(&changed) {
                    // A change of x or y leaves the curve, one of the header is no key at all.
                    Ok(key) => panic!("byte {position}, bit {bit}: {key:?}"),
                    Err(SpkiError::Invalid) => assert!(position > header_len),
                    Err(_) => assert!(position <= header_len),
                }
            }
        }
    }

    #[test]
    fn a_compressed_point_is_refused() {
        let openssl = Openssl::new();
        let key = openssl.ec_key(Curve::P256);
        let error = PublicKey::from_spki(&openssl.compressed_spki(&key)).unwrap_err();
        assert_eq!(error, SpkiError::Malformed);
    }

    #[test]
    fn keys_that_kms_does_not_have_are_told_apart() {
        let openssl = Openssl::new();
        for (options, error) in [
            (
                &["-algorithm", "ED448"][..],
                SpkiError::UnsupportedAlgorithm,
            ),
            (
                &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
                SpkiError::UnsupportedModulus(1024),
            ),
            (
                &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2056"],
                SpkiError::UnsupportedModulus(2056),
            ),
            (
                &[
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    "ec_paramgen_curve:secp224r1",
                ],
                SpkiError::UnsupportedCurve,
            ),
            (
                &[
                    "-algorithm",
                    "EC",
                    "-pkeyopt",
                    "ec_paramgen_curve:brainpoolP256r1",
                ],
                SpkiError::UnsupportedCurve,
            ),
        ] {
            let spki = openssl.spki(&openssl.generate(options));
            assert_eq!(
                PublicKey::from_spki(&spki).unwrap_err(),
                error,
                "{options:?}"
            );
        }
    }

    #[test]
    fn rsa_parameters_other_than_null_are_refused() {
        let openssl = Openssl::new();
        let spki = openssl.spki(rsa_key(2048));
        let null = spki.windows(2).position(|pair| pair == [5, 0]).unwrap();
        let mut changed = spki;
        changed[null] = 0x04;
        let error = PublicKey::from_spki(&changed).unwrap_err();
        assert_eq!(error, SpkiError::Malformed);
    }

    #[test]
    fn an_even_rsa_exponent_is_refused() {
        let openssl = Openssl::new();
        let mut spki = openssl.spki(rsa_key(2048));
        *spki.last_mut().unwrap() = 0;
        let error = PublicKey::from_spki(&spki).unwrap_err();
        assert_eq!(error, SpkiError::Invalid);
    }

    #[test]
    fn keys_made_of_components_are_those_that_openssl_writes() {
        let openssl = Openssl::new();
        let rsa = openssl.spki(rsa_key(2048));
        let modulus = openssl.modulus(rsa_key(2048));
        let with_zero = [&[0], &modulus[..]].concat();
        for (modulus, exponent) in [(&modulus, &[1, 0, 1][..]), (&with_zero, &[0, 1, 0, 1])] {
            let key = PublicKey::from_rsa(modulus, exponent).unwrap();
            assert_eq!(key.spki(), rsa);
        }
        for curve in Curve::ALL {
            let spki = ec_spki(curve);
            let point = &spki[spki.len() - 1 - 2 * curve.field_len()..];
            assert_eq!(PublicKey::from_ec(curve, point).unwrap().spki(), spki);
        }
    }

    #[test]
    fn components_go_through_the_same_checks() {
        let modulus = Openssl::new().modulus(rsa_key(2048));
        for (modulus, exponent, error) in [
            (&modulus[..], &[2][..], SpkiError::Invalid),
            (&modulus, &[1], SpkiError::Invalid),
            (&modulus, &[0], SpkiError::Invalid),
            (&[0xff; 255], &[3], SpkiError::UnsupportedModulus(2040)),
            (&[], &[3], SpkiError::Malformed),
            (&[0; 256], &[3], SpkiError::UnsupportedModulus(0)),
        ] {
            let refused = PublicKey::from_rsa(modulus, exponent).unwrap_err();
            assert_eq!(refused, error, "{} bytes, {exponent:?}", modulus.len());
        }
        for curve in Curve::ALL {
            let spki = ec_spki(curve);
            let point = &spki[spki.len() - 1 - 2 * curve.field_len()..];
            let mut elsewhere = point.to_vec();
            elsewhere[1 + curve.field_len()] ^= 1;
            let mut compressed = point[..=curve.field_len()].to_vec();
            compressed[0] = 2;
            for (point, error) in [
                (&elsewhere[..], SpkiError::Invalid),
                (&compressed, SpkiError::Malformed),
                (&point[1..], SpkiError::Malformed),
                (&[0], SpkiError::Malformed),
                (&[], SpkiError::Malformed),
            ] {
                let refused = PublicKey::from_ec(curve, point).unwrap_err();
                assert_eq!(refused, error, "{curve:?}");
            }
        }
    }
}
