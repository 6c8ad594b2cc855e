//! Signature schemes: how a caller's data becomes the digest that KMS signs.

use pkcs11_sys::*;

use crate::crypto::{Curve, Ed25519PublicKey, Hash, PublicKey, digest_info, ecdsa, verify};
use crate::error::{Error, Result};
use crate::kms::SigningAlgorithm;
use crate::object::KeyMaterial;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    Pkcs1,
    Pss,
    Ecdsa,
}

/// What the caller hands in to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A message of any length, in any number of parts, hashed here.
    Message(Hash),
    /// A DER DigestInfo, in one part.
    DigestInfo,
    /// A bare digest, in one part: any for ECDSA.
    Digest,
    /// A bare digest of this hash, in one part.
    DigestOf(Hash),
}

/// A signature mechanism with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignatureScheme {
    pub(crate) padding: Padding,
    pub(crate) input: Input,
}

/// A digest, ready for KMS or for the local verification.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) scheme: verify::Scheme,
    /// Of exactly the length that the algorithm takes.
    pub(crate) digest: Vec<u8>,
}

impl SignatureScheme {
    /// The scheme for a bare digest of `hash`; one for messages has its hash already.
    pub(super) fn with_hash(self, hash: Hash) -> Self {
        match self.input {
            Input::Message(_) => self,
            _ => Self {
                input: Input::DigestOf(hash),
                ..self
            },
        }
    }

    pub(crate) const fn key_type(self) -> CK_KEY_TYPE {
        match self.padding {
            Padding::Pkcs1 | Padding::Pss => CKK_RSA,
            Padding::Ecdsa => CKK_EC,
        }
    }

    /// The hash to run messages through, for schemes that take messages.
    pub(crate) fn message_hash(self) -> Option<Hash> {
        match self.input {
            Input::Message(hash) => Some(hash),
            _ => None,
        }
    }

    /// Makes the digest to sign from `data`: the message's digest, or what the caller handed in.
    pub(crate) fn prepare(self, material: &KeyMaterial, data: &[u8]) -> Result<Prepared> {
        match &material.public {
            PublicKey::Ec(key) => prepare_ecdsa(key.curve(), data),
            PublicKey::Rsa(key) => self.prepare_rsa(key.modulus_len(), data),
            _ => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
        }
    }

    fn prepare_rsa(self, modulus_len: usize, data: &[u8]) -> Result<Prepared> {
        // PKCS #1 v1.5 padding takes eleven bytes at least. A bad length goes before bad data
        // (PKCS#11 5.1.6).
        if matches!(self.input, Input::DigestInfo) && data.len() + 11 > modulus_len {
            return Err(Error::new(
                CKR_DATA_LEN_RANGE,
                format!(
                    "{} bytes do not fit into the padding of the key",
                    data.len()
                ),
            ));
        }
        let (hash, digest) = match self.input {
            Input::DigestInfo => digest_info::parse(data).map_err(|error| {
                Error::new(
                    CKR_DATA_INVALID,
                    format!("CKM_RSA_PKCS signs a DigestInfo: {error}"),
                )
            })?,
            Input::Message(hash) | Input::DigestOf(hash) => (hash, data),
            Input::Digest => {
                return Err(Error::new(
                    CKR_GENERAL_ERROR,
                    "an RSA scheme without a hash",
                ));
            }
        };
        if digest.len() != hash.len() {
            return Err(Error::new(
                CKR_DATA_LEN_RANGE,
                format!(
                    "a digest of {} bytes where the mechanism's has {}",
                    digest.len(),
                    hash.len()
                ),
            ));
        }
        let algorithm = rsa_algorithm(self.padding, hash).ok_or_else(|| {
            Error::new(
                CKR_DATA_INVALID,
                format!("KMS signs RSA with SHA-256, SHA-384 and SHA-512, not with {hash}"),
            )
        })?;
        let scheme = match self.padding {
            Padding::Pss => verify::Scheme::RsaPss(hash),
            Padding::Pkcs1 | Padding::Ecdsa => verify::Scheme::RsaPkcs1(hash),
        };
        Ok(Prepared {
            algorithm,
            scheme,
            digest: digest.to_vec(),
        })
    }
}

/// The bytes of a signature by this key.
pub(crate) fn signature_len(material: &KeyMaterial) -> usize {
    match &material.public {
        PublicKey::Rsa(key) => key.modulus_len(),
        PublicKey::Ec(key) => 2 * key.curve().field_len(),
        PublicKey::Ed25519(_) => Ed25519PublicKey::SIGNATURE_LEN,
        PublicKey::MlDsa(key) => key.set().signature_len(),
        PublicKey::MlKem(_) => 0,
    }
}

fn prepare_ecdsa(curve: Curve, data: &[u8]) -> Result<Prepared> {
    let digest = ecdsa::fit_digest(curve, data)
        .map_err(|error| Error::new(CKR_DATA_LEN_RANGE, error.to_string()))?;
    let algorithm = match curve {
        Curve::P256 | Curve::Secp256k1 => SigningAlgorithm::EcdsaSha256,
        Curve::P384 => SigningAlgorithm::EcdsaSha384,
        Curve::P521 => SigningAlgorithm::EcdsaSha512,
    };
    Ok(Prepared {
        algorithm,
        scheme: verify::Scheme::Ecdsa,
        digest,
    })
}

fn rsa_algorithm(padding: Padding, hash: Hash) -> Option<SigningAlgorithm> {
    RSA_ALGORITHMS
        .iter()
        .find(|row| (row.0, row.1) == (padding, hash))
        .map(|row| row.2)
}

const RSA_ALGORITHMS: &[(Padding, Hash, SigningAlgorithm)] = &[
    (
        Padding::Pkcs1,
        Hash::Sha256,
        SigningAlgorithm::RsaPkcs1Sha256,
    ),
    (
        Padding::Pkcs1,
        Hash::Sha384,
        SigningAlgorithm::RsaPkcs1Sha384,
    ),
    (
        Padding::Pkcs1,
        Hash::Sha512,
        SigningAlgorithm::RsaPkcs1Sha512,
    ),
    (Padding::Pss, Hash::Sha256, SigningAlgorithm::RsaPssSha256),
    (Padding::Pss, Hash::Sha384, SigningAlgorithm::RsaPssSha384),
    (Padding::Pss, Hash::Sha512, SigningAlgorithm::RsaPssSha512),
];
