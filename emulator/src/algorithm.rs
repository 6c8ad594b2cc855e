//! KMS's algorithms by their wire names, each a row with what computes it.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm};
use aws_lc_rs::signature::{self, RsaEncoding, RsaParameters};

use crate::material::MU_LEN;
use aws_lc_rs::{agreement, digest, hmac};

/// A value of `SigningAlgorithm`.
#[derive(Debug)]
pub(crate) struct SigningAlgorithm {
    pub(crate) name: &'static str,
    pub(crate) scheme: SignatureScheme,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum SignatureScheme {
    /// PKCS#1 v1.5, or PSS with a salt of the digest's length and MGF1 with the same digest.
    Rsa {
        digest: &'static digest::Algorithm,
        sign: &'static dyn RsaEncoding,
        verify: &'static RsaParameters,
    },
    /// DER of r and s, on the curve of the key.
    Ecdsa {
        digest: &'static digest::Algorithm,
    },
    Ed25519,
    /// Ed25519ph, which hashes the digest that it is given once more.
    Ed25519Prehashed,
    MlDsa,
}

/// A value of `MessageType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageType {
    Raw,
    Digest,
    /// What ML-DSA hashes a message to.
    ExternalMu,
}

/// A message as a scheme signs it.
#[derive(Debug)]
pub(crate) enum Signable<'a> {
    Digest(digest::Digest),
    /// Of any length, hashed by the scheme.
    Message(&'a [u8]),
    Mu(&'a [u8; MU_LEN]),
}

impl MessageType {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        [Self::Raw, Self::Digest, Self::ExternalMu]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "RAW",
            Self::Digest => "DIGEST",
            Self::ExternalMu => "EXTERNAL_MU",
        }
    }
}

/// A value of `EncryptionAlgorithm`.
#[derive(Debug)]
pub(crate) struct EncryptionAlgorithm {
    pub(crate) name: &'static str,
    pub(crate) scheme: EncryptionScheme,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum EncryptionScheme {
    /// An empty label; MGF1 with the hash of the label.
    Oaep {
        algorithm: &'static OaepAlgorithm,
        hash_len: usize,
    },
    /// AES-256-GCM in a blob that names its key.
    Symmetric,
}

/// A value of `MacAlgorithm`.
#[derive(Debug)]
pub(crate) struct MacAlgorithm {
    pub(crate) name: &'static str,
    pub(crate) hmac: hmac::Algorithm,
}

/// A value of `KeyAgreementAlgorithm`, on the curve of a key.
#[derive(Debug)]
pub(crate) struct AgreementAlgorithm {
    pub(crate) name: &'static str,
    pub(crate) curve: &'static agreement::Algorithm,
}

macro_rules! rsa {
    ($name:literal, $digest:ident, $sign:ident, $verify:ident) => {
        SigningAlgorithm {
            name: $name,
            scheme: SignatureScheme::Rsa {
                digest: &digest::$digest,
                sign: &signature::$sign,
                verify: &signature::$verify,
            },
        }
    };
}

macro_rules! ecdsa {
    ($name:literal, $digest:ident) => {
        SigningAlgorithm {
            name: $name,
            scheme: SignatureScheme::Ecdsa {
                digest: &digest::$digest,
            },
        }
    };
}

/// In the order in which KMS lists them in a key's metadata.
pub(crate) static RSA_SIGNING: [SigningAlgorithm; 6] = [
    rsa!(
        "RSASSA_PKCS1_V1_5_SHA_256",
        SHA256,
        RSA_PKCS1_SHA256,
        RSA_PKCS1_2048_8192_SHA256
    ),
    rsa!(
        "RSASSA_PKCS1_V1_5_SHA_384",
        SHA384,
        RSA_PKCS1_SHA384,
        RSA_PKCS1_2048_8192_SHA384
    ),
    rsa!(
        "RSASSA_PKCS1_V1_5_SHA_512",
        SHA512,
        RSA_PKCS1_SHA512,
        RSA_PKCS1_2048_8192_SHA512
    ),
    rsa!(
        "RSASSA_PSS_SHA_256",
        SHA256,
        RSA_PSS_SHA256,
        RSA_PSS_2048_8192_SHA256
    ),
    rsa!(
        "RSASSA_PSS_SHA_384",
        SHA384,
        RSA_PSS_SHA384,
        RSA_PSS_2048_8192_SHA384
    ),
    rsa!(
        "RSASSA_PSS_SHA_512",
        SHA512,
        RSA_PSS_SHA512,
        RSA_PSS_2048_8192_SHA512
    ),
];

pub(crate) static ECDSA_SHA_256: [SigningAlgorithm; 1] = [ecdsa!("ECDSA_SHA_256", SHA256)];
pub(crate) static ECDSA_SHA_384: [SigningAlgorithm; 1] = [ecdsa!("ECDSA_SHA_384", SHA384)];
pub(crate) static ECDSA_SHA_512: [SigningAlgorithm; 1] = [ecdsa!("ECDSA_SHA_512", SHA512)];

pub(crate) static ED25519: [SigningAlgorithm; 2] = [
    SigningAlgorithm {
        name: "ED25519_SHA_512",
        scheme: SignatureScheme::Ed25519,
    },
    SigningAlgorithm {
        name: "ED25519_PH_SHA_512",
        scheme: SignatureScheme::Ed25519Prehashed,
    },
];

pub(crate) static ML_DSA: [SigningAlgorithm; 1] = [SigningAlgorithm {
    name: "ML_DSA_SHAKE_256",
    scheme: SignatureScheme::MlDsa,
}];

pub(crate) static RSA_ENCRYPTION: [EncryptionAlgorithm; 2] = [
    EncryptionAlgorithm {
        name: "RSAES_OAEP_SHA_1",
        scheme: EncryptionScheme::Oaep {
            algorithm: &OAEP_SHA1_MGF1SHA1,
            hash_len: 20,
        },
    },
    EncryptionAlgorithm {
        name: "RSAES_OAEP_SHA_256",
        scheme: EncryptionScheme::Oaep {
            algorithm: &OAEP_SHA256_MGF1SHA256,
            hash_len: 32,
        },
    },
];

pub(crate) static SYMMETRIC_ENCRYPTION: [EncryptionAlgorithm; 1] = [EncryptionAlgorithm {
    name: "SYMMETRIC_DEFAULT",
    scheme: EncryptionScheme::Symmetric,
}];

pub(crate) static HMAC_SHA_224: [MacAlgorithm; 1] = [mac("HMAC_SHA_224", hmac::HMAC_SHA224)];
pub(crate) static HMAC_SHA_256: [MacAlgorithm; 1] = [mac("HMAC_SHA_256", hmac::HMAC_SHA256)];
pub(crate) static HMAC_SHA_384: [MacAlgorithm; 1] = [mac("HMAC_SHA_384", hmac::HMAC_SHA384)];
pub(crate) static HMAC_SHA_512: [MacAlgorithm; 1] = [mac("HMAC_SHA_512", hmac::HMAC_SHA512)];

pub(crate) static ECDH_P256: [AgreementAlgorithm; 1] = [ecdh(&agreement::ECDH_P256)];
pub(crate) static ECDH_P384: [AgreementAlgorithm; 1] = [ecdh(&agreement::ECDH_P384)];
pub(crate) static ECDH_P521: [AgreementAlgorithm; 1] = [ecdh(&agreement::ECDH_P521)];

const fn ecdh(curve: &'static agreement::Algorithm) -> AgreementAlgorithm {
    AgreementAlgorithm { name: ECDH, curve }
}

const fn mac(name: &'static str, hmac: hmac::Algorithm) -> MacAlgorithm {
    MacAlgorithm { name, hmac }
}

/// The names a request may use, in the order of KMS's own error message.
pub(crate) static SIGNING_NAMES: [&str; 12] = [
    "RSASSA_PSS_SHA_512",
    "RSASSA_PKCS1_V1_5_SHA_256",
    "ECDSA_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "ECDSA_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PSS_SHA_384",
    "ECDSA_SHA_256",
    "ED25519_SHA_512",
    "ED25519_PH_SHA_512",
    "ML_DSA_SHAKE_256",
];

pub(crate) static MESSAGE_TYPES: [&str; 3] = ["RAW", "DIGEST", "EXTERNAL_MU"];

pub(crate) static ENCRYPTION_NAMES: [&str; 3] = [
    "SYMMETRIC_DEFAULT",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
];

const ECDH: &str = "ECDH";

pub(crate) static AGREEMENT_NAMES: [&str; 1] = [ECDH];

/// The only one, of ML-KEM keys of any size.
pub(crate) static ENCAPSULATION_NAMES: [&str; 1] = ["ML_KEM"];

pub(crate) static MAC_NAMES: [&str; 4] = [
    "HMAC_SHA_384",
    "HMAC_SHA_256",
    "HMAC_SHA_224",
    "HMAC_SHA_512",
];
