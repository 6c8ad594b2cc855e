//! Signature schemes: how a caller's data becomes what KMS signs.

use std::ops::RangeInclusive;

use crate::crypto::{
    Curve, Ed25519PublicKey, Hash, MlDsaPublicKey, PublicKey, digest_info, ecdsa, ml_dsa, verify,
};
use crate::error::{Error, Result};
use crate::kms::{MessageType, SigningAlgorithm};
use pkcs11_sys::*;

/// The lengths in bytes of the messages that KMS hashes itself: it refuses empty ones.
pub(crate) const RAW_MESSAGE_LENS: RangeInclusive<usize> = 1..=4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    Pkcs1,
    Pss,
}

/// What the caller hands in to be signed with a mechanism that signs digests.
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

/// What a signing mechanism does, before its parameter was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    Rsa(Padding, Input),
    Ecdsa(Input),
    EdDsa,
    MlDsa,
    HashMlDsa(Input),
    Hmac { hash: Hash },
}

impl Signing {
    /// Whether the data may be handed in part by part: a digest may not.
    pub(super) fn takes_parts(self) -> bool {
        match self {
            Self::Rsa(_, input) | Self::Ecdsa(input) | Self::HashMlDsa(input) => {
                matches!(input, Input::Message(_))
            }
            Self::EdDsa | Self::MlDsa | Self::Hmac { .. } => true,
        }
    }
}

/// A signing mechanism with its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SignatureScheme {
    Rsa(Padding, Input),
    Ecdsa(Input),
    /// Over the message as it is, of [`RAW_MESSAGE_LENS`] bytes.
    Ed25519,
    /// Over mu, which is computed here from a message of any length.
    MlDsa {
        context: Vec<u8>,
    },
    /// Over the mu of a digest, be it made here or by the caller.
    HashMlDsa {
        context: Vec<u8>,
        input: Input,
    },
    /// The first `len` bytes of the MAC.
    Hmac {
        hash: Hash,
        len: usize,
    },
}

/// What goes to KMS, or to the local verification.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) algorithm: SigningAlgorithm,
    pub(crate) message_type: MessageType,
    pub(crate) scheme: verify::Scheme,
    /// A digest of exactly the length that the algorithm takes, or the message itself.
    pub(crate) message: Vec<u8>,
}

impl SignatureScheme {
    /// Makes what is signed by the pair of `public` from `data`: the message's digest, or what the
    /// caller handed in.
    pub(crate) fn prepare(&self, public: &PublicKey, data: &[u8]) -> Result<Prepared> {
        match (self, public) {
            (Self::Rsa(padding, input), PublicKey::Rsa(key)) => {
                prepare_rsa(*padding, *input, key.modulus_len(), data)
            }
            (Self::Ecdsa(_), PublicKey::Ec(key)) => prepare_ecdsa(key.curve(), data),
            (Self::Ed25519, PublicKey::Ed25519(_)) => Ok(Prepared {
                algorithm: SigningAlgorithm::Ed25519,
                message_type: MessageType::Raw,
                scheme: verify::Scheme::Ed25519,
                message: data.to_vec(),
            }),
            (Self::MlDsa { .. }, PublicKey::MlDsa(_)) => Ok(Prepared {
                algorithm: SigningAlgorithm::MlDsa,
                message_type: MessageType::ExternalMu,
                scheme: verify::Scheme::MlDsa,
                message: data.to_vec(),
            }),
            (Self::HashMlDsa { context, input }, PublicKey::MlDsa(key)) => {
                prepare_hash_ml_dsa(key, context, *input, data)
            }
            _ => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
        }
    }
}

/// The bytes of a signature by the pair of this key.
pub(crate) fn signature_len(key: &PublicKey) -> usize {
    match key {
        PublicKey::Rsa(key) => key.modulus_len(),
        PublicKey::Ec(key) => 2 * key.curve().field_len(),
        PublicKey::Ed25519(_) => Ed25519PublicKey::SIGNATURE_LEN,
        PublicKey::MlDsa(key) => key.set().signature_len(),
        PublicKey::MlKem(_) => 0,
    }
}

fn prepare_rsa(
    padding: Padding,
    input: Input,
    modulus_len: usize,
    data: &[u8],
) -> Result<Prepared> {
    // PKCS #1 v1.5 padding takes eleven bytes at least. A bad length goes before bad data
    // (PKCS#11 5.1.6).
    if matches!(input, Input::DigestInfo) && data.len() + 11 > modulus_len {
        return Err(Error::new(
            CKR_DATA_LEN_RANGE,
            format!(
                "{} bytes do not fit into the padding of the key",
                data.len()
            ),
        ));
    }
    let (hash, digest) = match input {
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
    check_digest(hash, digest)?;
    let algorithm = rsa_algorithm(padding, hash).ok_or_else(|| {
        Error::new(
            CKR_DATA_INVALID,
            format!("KMS signs RSA with SHA-256, SHA-384 and SHA-512, not with {hash}"),
        )
    })?;
    let scheme = match padding {
        Padding::Pss => verify::Scheme::RsaPss(hash),
        Padding::Pkcs1 => verify::Scheme::RsaPkcs1(hash),
    };
    Ok(Prepared {
        algorithm,
        message_type: MessageType::Digest,
        scheme,
        message: digest.to_vec(),
    })
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
        message_type: MessageType::Digest,
        scheme: verify::Scheme::Ecdsa,
        message: digest,
    })
}

/// KMS signs whatever mu it is given, so also that of HashML-DSA: what sets it apart from ML-DSA is in
/// mu alone (FIPS 204, algorithm 4).
fn prepare_hash_ml_dsa(
    key: &MlDsaPublicKey,
    context: &[u8],
    input: Input,
    digest: &[u8],
) -> Result<Prepared> {
    let (Input::Message(hash) | Input::DigestOf(hash)) = input else {
        return Err(Error::new(
            CKR_GENERAL_ERROR,
            "a HashML-DSA scheme without a hash",
        ));
    };
    check_digest(hash, digest)?;
    let mu = ml_dsa::mu_of_digest(key, context, hash, digest)
        .map_err(|error| Error::new(CKR_MECHANISM_PARAM_INVALID, error.to_string()))?;
    Ok(Prepared {
        algorithm: SigningAlgorithm::MlDsa,
        message_type: MessageType::ExternalMu,
        scheme: verify::Scheme::MlDsa,
        message: mu.to_vec(),
    })
}

fn check_digest(hash: Hash, digest: &[u8]) -> Result<()> {
    if digest.len() == hash.len() {
        return Ok(());
    }
    Err(Error::new(
        CKR_DATA_LEN_RANGE,
        format!(
            "a digest of {} bytes where the mechanism's has {}",
            digest.len(),
            hash.len()
        ),
    ))
}

fn rsa_algorithm(padding: Padding, hash: Hash) -> Option<SigningAlgorithm> {
    RSA_ALGORITHMS
        .iter()
        .find(|row| (row.0, row.1) == (padding, hash))
        .map(|row| row.2)
}

const RSA_ALGORITHMS: &[(Padding, Hash, SigningAlgorithm)] = {
    use Hash::{Sha256, Sha384, Sha512};
    use Padding::{Pkcs1, Pss};
    &[
        (Pkcs1, Sha256, SigningAlgorithm::RsaPkcs1Sha256),
        (Pkcs1, Sha384, SigningAlgorithm::RsaPkcs1Sha384),
        (Pkcs1, Sha512, SigningAlgorithm::RsaPkcs1Sha512),
        (Pss, Sha256, SigningAlgorithm::RsaPssSha256),
        (Pss, Sha384, SigningAlgorithm::RsaPssSha384),
        (Pss, Sha512, SigningAlgorithm::RsaPssSha512),
    ]
};
