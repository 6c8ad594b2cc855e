//! Verification of signatures, without asking KMS.

use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
};
use once_cell::sync::OnceCell;

use super::{Curve, EcPublicKey, Ed25519PublicKey, Hash, PublicKey, RsaPublicKey, ecdsa, ml_dsa};

/// A signature scheme, over what becomes of a message before it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSASSA-PKCS1-v1_5 with SHA-256, SHA-384 or SHA-512.
    RsaPkcs1(Hash),
    /// RSASSA-PSS with SHA-256, SHA-384 or SHA-512, MGF1 with the same, and a salt of its length.
    RsaPss(Hash),
    /// ECDSA over a digest of any hash.
    Ecdsa,
    /// Pure Ed25519, over the message itself.
    Ed25519,
    /// ML-DSA over mu, see [`ml_dsa::Mu`].
    MlDsa,
}

/// Why a signature was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum VerifyError {
    /// It is not one of this digest by this key.
    #[error("the signature is not valid")]
    Invalid,
    /// No signature by this key has this length.
    #[error("the signature's length does not belong to the key")]
    LengthRange,
    /// The digest's length is not the hash's, or too long for the curve, or mu's is not 64 bytes.
    #[error("the digest's length does not belong to the scheme")]
    DigestLength,
    /// The scheme is for another type of key, or KMS does not have it.
    #[error("the key does not sign under this scheme")]
    Unsupported,
    /// The process may have no more threads, or no memory for one.
    #[error("there is no thread to verify on")]
    NoThread,
}

/// Checks `signature` over `digest`: a digest, a message or mu, as the scheme has it.
///
/// RSA signatures have the modulus' length. ECDSA signatures are r‖s of any even length up to twice
/// the field's; their digests may have any length, see [`ecdsa::fit_digest`]. Those of Ed25519 and
/// ML-DSA have one length.
pub(crate) fn verify_digest(
    key: &PublicKey,
    scheme: Scheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    match (key, scheme) {
        (PublicKey::Rsa(key), Scheme::RsaPkcs1(hash) | Scheme::RsaPss(hash)) => {
            let digest = import(hash, digest)?;
            verify_rsa(key, scheme, &digest, signature)
        }
        (PublicKey::Ec(key), Scheme::Ecdsa) => verify_ecdsa(key, digest, signature),
        (PublicKey::Ed25519(key), Scheme::Ed25519) => verify_ed25519(key, digest, signature),
        (PublicKey::MlDsa(key), Scheme::MlDsa) => {
            let mu = digest.try_into().map_err(|_| VerifyError::DigestLength)?;
            ml_dsa::verify_mu(key, mu, signature)
        }
        _ => Err(VerifyError::Unsupported),
    }
}

fn verify_rsa(
    key: &RsaPublicKey,
    scheme: Scheme,
    digest: &digest::Digest,
    signature: &[u8],
) -> Result<(), VerifyError> {
    let verifier = key
        .verifiers()
        .get(key, scheme)
        .ok_or(VerifyError::Unsupported)?;
    if signature.len() != key.modulus_len() {
        return Err(VerifyError::LengthRange);
    }
    verifier
        .verify_digest_sig(digest, signature)
        .map_err(|_| VerifyError::Invalid)
}

fn verify_ecdsa(key: &EcPublicKey, digest: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    let curve = key.curve();
    let fitted = ecdsa::fit_digest(curve, digest).map_err(|_| VerifyError::DigestLength)?;
    let digest = import(curve.kms_hash(), &fitted)?;
    let der = ecdsa::der_from_raw(curve, signature).map_err(|_| VerifyError::LengthRange)?;
    key.verifier()
        .verify_digest_sig(&digest, &der)
        .map_err(|_| VerifyError::Invalid)
}

fn verify_ed25519(
    key: &Ed25519PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    if signature.len() != Ed25519PublicKey::SIGNATURE_LEN {
        return Err(VerifyError::LengthRange);
    }
    key.verifier()
        .verify_sig(message, signature)
        .map_err(|_| VerifyError::Invalid)
}

fn import(hash: Hash, digest: &[u8]) -> Result<digest::Digest, VerifyError> {
    digest::Digest::import_less_safe(digest, hash.algorithm())
        .map_err(|_| VerifyError::DigestLength)
}

/// An RSA key parsed for each of [`RSA_SCHEMES`], once it is needed; clones share what is parsed.
#[derive(Clone, Default)]
pub(super) struct RsaVerifiers(Arc<[OnceCell<ParsedPublicKey>; RSA_SCHEMES.len()]>);

impl RsaVerifiers {
    /// The parsed form of `key`, whose verifiers these are.
    fn get(&self, key: &RsaPublicKey, scheme: Scheme) -> Option<&ParsedPublicKey> {
        let index = RSA_SCHEMES.iter().position(|(known, _)| *known == scheme)?;
        let (_, algorithm) = RSA_SCHEMES[index];
        let components = RsaPublicKeyComponents {
            n: key.modulus(),
            e: key.exponent(),
        };
        self.0[index]
            .get_or_try_init(|| components.to_parsed_public_key(algorithm))
            .ok()
    }
}

const RSA_SCHEMES: [(Scheme, &RsaParameters); 6] = {
    use Hash::{Sha256, Sha384, Sha512};
    use Scheme::{RsaPkcs1, RsaPss};
    [
        (RsaPkcs1(Sha256), &signature::RSA_PKCS1_2048_8192_SHA256),
        (RsaPkcs1(Sha384), &signature::RSA_PKCS1_2048_8192_SHA384),
        (RsaPkcs1(Sha512), &signature::RSA_PKCS1_2048_8192_SHA512),
        (RsaPss(Sha256), &signature::RSA_PSS_2048_8192_SHA256),
        (RsaPss(Sha384), &signature::RSA_PSS_2048_8192_SHA384),
        (RsaPss(Sha512), &signature::RSA_PSS_2048_8192_SHA512),
    ]
};

/// The algorithm over digests of [`Curve::kms_hash`], the length that every digest is fitted to.
pub(super) fn ecdsa_algorithm(curve: Curve) -> &'static EcdsaVerificationAlgorithm {
    match curve {
        Curve::P256 => &signature::ECDSA_P256_SHA256_ASN1,
        Curve::P384 => &signature::ECDSA_P384_SHA384_ASN1,
        Curve::P521 => &signature::ECDSA_P521_SHA512_ASN1,
        Curve::Secp256k1 => &signature::ECDSA_P256K1_SHA256_ASN1,
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use kms_pkcs11_testkit::from_hex;

    use super::*;
    use crate::crypto::MlDsaSet;
    use crate::crypto::openssl::{Openssl, rsa_key};
    const KMS_HASHES: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    #[test]
    fn ecdsa_signatures_of_openssl_verify_for_every_curve_and_hash() {
        let openssl = Openssl::new();
        for curve in Curve::ALL {
            let private = openssl.ec_key(curve);
            let key = PublicKey::from_spki(&openssl.spki(&private)).unwrap();
            for hash in Hash::ALL {
                let der = openssl.sign(&private, hash, &[], b"message");
                let raw = ecdsa::raw_from_der(curve, &der).unwrap();
                let verify = |digest: &[u8], signature: &[u8]| {
                    verify_digest(&key, Scheme::Ecdsa, digest, signature)
                };
                let digest = hash.digest(b"message");
                assert_eq!(verify(&digest, &raw), Ok(()), "{curve:?} {hash:?}");
                assert_eq!(
                    verify(&hash.digest(b"other"), &raw),
                    Err(VerifyError::Invalid)
                );
                assert_all_changes_are_refused(&raw, |changed| verify(&digest, changed));
            }
        }
    }

    #[test]
    fn ecdsa_signatures_of_openssl_verify_for_digests_of_any_length() {
        let openssl = Openssl::new();
        for curve in Curve::ALL {
            let private = openssl.ec_key(curve);
            let key = PublicKey::from_spki(&openssl.spki(&private)).unwrap();
            for length in [1, 2, 16, 31, 33, 47, 49, 63] {
                let digest = vec![0xa5; length];
                let der = openssl.sign_raw(&private, &digest);
                let raw = ecdsa::raw_from_der(curve, &der).unwrap();
                let verified = verify_digest(&key, Scheme::Ecdsa, &digest, &raw);
                assert_eq!(verified, Ok(()), "{curve:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn an_ecdsa_signature_without_shared_leading_zeros_verifies() {
        let openssl = Openssl::new();
        let private = openssl.ec_key(Curve::P521);
        let key = PublicKey::from_spki(&openssl.spki(&private)).unwrap();
        let digest = Hash::Sha512.digest(b"message");
        // The highest byte of a P-521 integer is 0 every other time: it takes about 4 signatures.
        let raw = iter::repeat_with(|| openssl.sign(&private, Hash::Sha512, &[], b"message"))
            .take(1000)
            .map(|der| ecdsa::raw_from_der(Curve::P521, &der).unwrap())
            .find(|raw| raw[0] == 0 && raw[66] == 0)
            .unwrap();
        let short = [&raw[1..66], &raw[67..]].concat();
        assert_eq!(verify_digest(&key, Scheme::Ecdsa, &digest, &raw), Ok(()));
        assert_eq!(verify_digest(&key, Scheme::Ecdsa, &digest, &short), Ok(()));
    }

    #[test]
    fn ecdsa_lengths_out_of_range_are_told_apart() {
        let openssl = Openssl::new();
        for curve in Curve::ALL {
            let spki = openssl.spki(&openssl.ec_key(curve));
            let key = PublicKey::from_spki(&spki).unwrap();
            let n = curve.field_len();
            let verify = |digest: &[u8], signature: &[u8]| {
                verify_digest(&key, Scheme::Ecdsa, digest, signature)
            };
            for length in [0, 1, 2 * n - 1, 2 * n + 1, 2 * n + 2] {
                let refused = verify(&[7; 32], &vec![1; length]);
                assert_eq!(refused, Err(VerifyError::LengthRange));
            }
            for length in [2, 2 * n - 2, 2 * n] {
                let refused = verify(&[7; 32], &vec![0; length]);
                assert_eq!(refused, Err(VerifyError::Invalid), "zeros");
            }
            assert_eq!(verify(&[], &[1; 64]), Err(VerifyError::DigestLength));
        }
    }

    #[test]
    fn rsa_signatures_of_openssl_verify_for_every_size_padding_and_hash() {
        let openssl = Openssl::new();
        for bits in [2048, 3072, 4096] {
            let private = rsa_key(bits);
            let key = PublicKey::from_spki(&openssl.spki(private)).unwrap();
            for hash in KMS_HASHES {
                for (scheme, options) in rsa_schemes(hash) {
                    let signature = openssl.sign(private, hash, options, b"message");
                    let verify = |digest: &[u8], signature: &[u8]| {
                        verify_digest(&key, scheme, digest, signature)
                    };
                    let digest = hash.digest(b"message");
                    // Twice: parsed, and from what was kept.
                    assert_eq!(verify(&digest, &signature), Ok(()), "{bits} {scheme:?}");
                    assert_eq!(verify(&digest, &signature), Ok(()), "{bits} {scheme:?}");
                    assert_eq!(
                        verify(&hash.digest(b"other"), &signature),
                        Err(VerifyError::Invalid)
                    );
                    assert_eq!(
                        verify(&digest[1..], &signature),
                        Err(VerifyError::DigestLength)
                    );
                    for length in [0, bits / 8 - 1, bits / 8 + 1] {
                        let refused = verify(&digest, &vec![1; length]);
                        assert_eq!(refused, Err(VerifyError::LengthRange));
                    }
                    for (other, _) in rsa_schemes(hash) {
                        let valid = verify_digest(&key, other, &digest, &signature).is_ok();
                        assert_eq!(valid, other == scheme);
                    }
                }
            }
        }
    }

    #[test]
    fn a_changed_rsa_signature_is_invalid() {
        let openssl = Openssl::new();
        let key = PublicKey::from_spki(&openssl.spki(rsa_key(2048))).unwrap();
        let digest = Hash::Sha256.digest(b"message");
        for (scheme, options) in rsa_schemes(Hash::Sha256) {
            let signature = openssl.sign(rsa_key(2048), Hash::Sha256, options, b"message");
            assert_all_changes_are_refused(&signature, |changed| {
                verify_digest(&key, scheme, &digest, changed)
            });
        }
    }

    #[test]
    fn a_pss_salt_of_another_length_is_invalid() {
        let openssl = Openssl::new();
        let key = PublicKey::from_spki(&openssl.spki(rsa_key(2048))).unwrap();
        let options = ["rsa_padding_mode:pss", "rsa_pss_saltlen:20"];
        let signature = openssl.sign(rsa_key(2048), Hash::Sha256, &options, b"message");
        let digest = Hash::Sha256.digest(b"message");
        let refused = verify_digest(&key, Scheme::RsaPss(Hash::Sha256), &digest, &signature);
        assert_eq!(refused, Err(VerifyError::Invalid));
    }

    #[test]
    fn ed25519_signatures_of_openssl_verify() {
        let openssl = Openssl::new();
        let private = openssl.generate(&["-algorithm", "ED25519"]);
        let key = PublicKey::from_spki(&openssl.spki(&private)).unwrap();
        for message in [&b"message"[..], b"x", &[0xa5; 5000]] {
            let signature = openssl.sign_message(&private, message);
            let verify = |message: &[u8], signature: &[u8]| {
                verify_digest(&key, Scheme::Ed25519, message, signature)
            };
            assert_eq!(verify(message, &signature), Ok(()));
            assert_eq!(verify(b"other", &signature), Err(VerifyError::Invalid));
            assert_all_changes_are_refused(&signature, |changed| verify(message, changed));
            for length in [0, 32, 63, 65] {
                let refused = verify(message, &vec![1; length]);
                assert_eq!(refused, Err(VerifyError::LengthRange));
            }
        }
    }

    /// RFC 8032, section 5.1.7: s is below the order of the group, so that a signature cannot be
    /// changed into another one.
    #[test]
    fn an_ed25519_signature_with_a_larger_s_is_invalid() {
        const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de14 00000000000000000000000000000010";
        let openssl = Openssl::new();
        let private = openssl.generate(&["-algorithm", "ED25519"]);
        let key = PublicKey::from_spki(&openssl.spki(&private)).unwrap();
        let mut signature = openssl.sign_message(&private, b"message");
        let mut carry = 0;
        for (byte, order) in signature[32..].iter_mut().zip(from_hex(ORDER)) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        let refused = verify_digest(&key, Scheme::Ed25519, b"message", &signature);
        assert_eq!(refused, Err(VerifyError::Invalid));
    }

    #[test]
    fn a_key_that_is_no_point_verifies_nothing() {
        // RFC 8032: y = 2 has no x.
        let mut raw = [0; 32];
        raw[0] = 2;
        let key = PublicKey::from_ed25519(&raw).unwrap();
        let refused = verify_digest(&key, Scheme::Ed25519, b"message", &[0; 64]);
        assert_eq!(refused, Err(VerifyError::Invalid));
    }

    #[test]
    fn mu_of_another_length_is_told_apart() {
        let raw = vec![7; MlDsaSet::MlDsa44.public_key_len()];
        let key = PublicKey::from_ml_dsa(MlDsaSet::MlDsa44, &raw).unwrap();
        for length in [0, 32, 63, 65] {
            let refused = verify_digest(&key, Scheme::MlDsa, &vec![0; length], &[0; 2420]);
            assert_eq!(refused, Err(VerifyError::DigestLength));
        }
        let refused = verify_digest(&key, Scheme::MlDsa, &[0; 64], &[0; 2420]);
        assert_eq!(refused, Err(VerifyError::Invalid));
    }

    #[test]
    fn schemes_that_the_key_does_not_have_are_unsupported() {
        let openssl = Openssl::new();
        let rsa = PublicKey::from_spki(&openssl.spki(rsa_key(2048))).unwrap();
        let ec = PublicKey::from_spki(&openssl.spki(&openssl.ec_key(Curve::P256))).unwrap();
        let ed25519 = PublicKey::from_ed25519(&[1; 32]).unwrap();
        let digest = Hash::Sha256.digest(b"message");
        for (key, scheme) in [
            (&rsa, Scheme::Ecdsa),
            (&ec, Scheme::RsaPkcs1(Hash::Sha256)),
            (&ec, Scheme::RsaPss(Hash::Sha256)),
            (&ec, Scheme::Ed25519),
            (&rsa, Scheme::MlDsa),
            (&ed25519, Scheme::Ecdsa),
            (&ed25519, Scheme::MlDsa),
        ] {
            let refused = verify_digest(key, scheme, &digest, &[1; 64]);
            assert_eq!(refused, Err(VerifyError::Unsupported), "{scheme:?}");
        }
        for hash in [Hash::Sha1, Hash::Sha224] {
            for scheme in [Scheme::RsaPkcs1(hash), Scheme::RsaPss(hash)] {
                let refused = verify_digest(&rsa, scheme, &hash.digest(b""), &[1; 256]);
                assert_eq!(refused, Err(VerifyError::Unsupported), "{scheme:?}");
            }
        }
    }

    /// The RSA schemes with `hash`, each with what makes `openssl dgst -sign` use it.
    fn rsa_schemes(hash: Hash) -> [(Scheme, &'static [&'static str]); 2] {
        [
            (Scheme::RsaPkcs1(hash), &["rsa_padding_mode:pkcs1"]),
            (
                Scheme::RsaPss(hash),
                &["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"],
            ),
        ]
    }

    fn assert_all_changes_are_refused(
        signature: &[u8],
        verify: impl Fn(&[u8]) -> Result<(), VerifyError>,
    ) {
        for position in 0..signature.len() {
            let mut changed = signature.to_vec();
            changed[position] ^= 1 << (position % 8);
            assert_eq!(
                verify(&changed),
                Err(VerifyError::Invalid),
                "byte {position}"
            );
        }
    }
}
