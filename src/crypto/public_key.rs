//! Public keys as KMS hands them out: a `SubjectPublicKeyInfo`, checked once and taken apart.

use std::fmt;

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::ParsedPublicKey;
use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;

use super::verify::{self, RsaVerifiers};
use super::{Curve, asn1};

/// Why a `SubjectPublicKeyInfo` is not a key this module can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SpkiError {
    #[error("not the DER encoding of a SubjectPublicKeyInfo")]
    Malformed,
    #[error("neither an RSA nor an EC key")]
    UnsupportedAlgorithm,
    #[error("not on one of the curves P-256, P-384, P-521 and secp256k1")]
    UnsupportedCurve,
    #[error("an RSA modulus of {0} bits, not 2048, 3072 or 4096")]
    UnsupportedModulus(usize),
    /// An RSA exponent that is even or 1, or a point that is not on its curve.
    #[error("the numbers of the key do not make a valid key")]
    Invalid,
}

/// The public half of a KMS key pair.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    Ec(EcPublicKey),
}

impl PublicKey {
    /// Parses strict DER, the whole input, of a key that KMS could have made.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, SpkiError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| SpkiError::Malformed)?;
        let key = info
            .subject_public_key
            .as_bytes()
            .ok_or(SpkiError::Malformed)?;
        let parameters = info.algorithm.parameters;
        match info.algorithm.oid {
            RSA_ENCRYPTION => RsaPublicKey::new(der, parameters, key).map(Self::Rsa),
            EC_PUBLIC_KEY => EcPublicKey::new(der, parameters, key).map(Self::Ec),
            _ => Err(SpkiError::UnsupportedAlgorithm),
        }
    }

    /// DER of the `SubjectPublicKeyInfo`: `CKA_PUBLIC_KEY_INFO`.
    pub(crate) fn spki(&self) -> &[u8] {
        match self {
            Self::Rsa(key) => &key.spki,
            Self::Ec(key) => &key.spki,
        }
    }
}

/// An RSA public key of 2048, 3072 or 4096 bits.
#[derive(Clone)]
pub(crate) struct RsaPublicKey {
    spki: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    encrypter: PublicEncryptingKey,
    verifiers: RsaVerifiers,
}

impl RsaPublicKey {
    fn new(spki: &[u8], parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Self, SpkiError> {
        if parameters != Some(AnyRef::NULL) {
            return Err(SpkiError::Malformed);
        }
        let (modulus, exponent) = asn1::decode_integer_pair(key).ok_or(SpkiError::Malformed)?;
        let bits = bit_len(modulus);
        if !matches!(bits, 2048 | 3072 | 4096) {
            return Err(SpkiError::UnsupportedModulus(bits));
        }
        let encrypter = PublicEncryptingKey::from_der(spki).map_err(|_| SpkiError::Invalid)?;
        Ok(Self {
            spki: spki.to_vec(),
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
            encrypter,
            verifiers: RsaVerifiers::default(),
        })
    }

    /// `CKA_MODULUS`: big-endian, without leading zeros.
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// `CKA_PUBLIC_EXPONENT`: big-endian, without leading zeros.
    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// The length in bytes of the modulus, of a signature and of a ciphertext.
    pub(crate) fn modulus_len(&self) -> usize {
        self.modulus.len()
    }

    pub(crate) fn modulus_bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    pub(super) fn encrypter(&self) -> &PublicEncryptingKey {
        &self.encrypter
    }

    pub(super) fn verifiers(&self) -> &RsaVerifiers {
        &self.verifiers
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey")
            .field("modulus_bits", &self.modulus_bits())
            .finish_non_exhaustive()
    }
}

/// A point on a named curve.
#[derive(Clone)]
pub(crate) struct EcPublicKey {
    spki: Vec<u8>,
    curve: Curve,
    point: Vec<u8>,
    verifier: ParsedPublicKey,
}

impl EcPublicKey {
    fn new(spki: &[u8], parameters: Option<AnyRef<'_>>, key: &[u8]) -> Result<Self, SpkiError> {
        let curve = parameters
            .ok_or(SpkiError::Malformed)?
            .decode_as()
            .ok()
            .and_then(Curve::from_oid)
            .ok_or(SpkiError::UnsupportedCurve)?;
        let uncompressed = key.first() == Some(&0x04) && key.len() == 1 + 2 * curve.field_len();
        if !uncompressed {
            return Err(SpkiError::Malformed);
        }
        let verifier = ParsedPublicKey::new(verify::ecdsa_algorithm(curve), key)
            .map_err(|_| SpkiError::Invalid)?;
        Ok(Self {
            spki: spki.to_vec(),
            curve,
            point: key.to_vec(),
            verifier,
        })
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    /// The uncompressed point: `04‖x‖y`.
    #[cfg(test)]
    pub(crate) fn point(&self) -> &[u8] {
        &self.point
    }

    /// `CKA_EC_POINT`: DER of an OCTET STRING around the uncompressed point, `04‖x‖y`.
    pub(crate) fn ec_point(&self) -> Vec<u8> {
        #[expect(
            clippy::expect_used,
            reason = "only lengths beyond 256 MiB fail to encode; a point has 133 bytes at most"
        )]
        OctetStringRef::new(&self.point)
            .and_then(|point| point.to_der())
            .expect("a point is short")
    }

    pub(super) fn verifier(&self) -> &ParsedPublicKey {
        &self.verifier
    }
}

impl fmt::Debug for EcPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcPublicKey")
            .field("curve", &self.curve)
            .finish_non_exhaustive()
    }
}

/// `rsaEncryption`, RFC 8017.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey`, RFC 5480.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The bits of a big-endian integer without leading zero bytes.
fn bit_len(integer: &[u8]) -> usize {
    let leading_zeros = integer.first().map_or(0, |byte| byte.leading_zeros());
    integer.len() * 8 - leading_zeros as usize
}

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
                &["-algorithm", "ED25519"][..],
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
}
