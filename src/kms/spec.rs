//! KMS's names for keys, their usage and their algorithms.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>.

use std::fmt;
use std::str::FromStr;

/// A name that KMS has and this module has no use for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownName;

/// Declares an enum whose variants are KMS wire names, with both directions from one list.
macro_rules! wire_names {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $wire:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            pub(crate) fn as_wire(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name { $($wire => Ok(Self::$variant),)+ _ => Err(UnknownName) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_wire())
            }
        }
    };
}

wire_names! {
    /// `KeySpec`: type and size of a key, fixed at creation.
    KeySpec {
        Rsa2048 = "RSA_2048",
        Rsa3072 = "RSA_3072",
        Rsa4096 = "RSA_4096",
        EccNistP256 = "ECC_NIST_P256",
        EccNistP384 = "ECC_NIST_P384",
        EccNistP521 = "ECC_NIST_P521",
        EccSecgP256k1 = "ECC_SECG_P256K1",
        EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
        MlDsa44 = "ML_DSA_44",
        MlDsa65 = "ML_DSA_65",
        MlDsa87 = "ML_DSA_87",
        MlKem512 = "ML_KEM_512",
        MlKem768 = "ML_KEM_768",
        MlKem1024 = "ML_KEM_1024",
        Hmac224 = "HMAC_224",
        Hmac256 = "HMAC_256",
        Hmac384 = "HMAC_384",
        Hmac512 = "HMAC_512",
        SymmetricDefault = "SYMMETRIC_DEFAULT",
    }
}

impl KeySpec {
    /// True for a key that is one secret and has no public half.
    pub(crate) fn is_symmetric(self) -> bool {
        matches!(
            self,
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 | Self::SymmetricDefault
        )
    }
}

wire_names! {
    /// `KeyUsage`: the one thing a KMS key can do, fixed at creation.
    KeyUsage {
        SignVerify = "SIGN_VERIFY",
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        KeyAgreement = "KEY_AGREEMENT",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
    }
}

wire_names! {
    /// `SigningAlgorithm` of the Sign operation.
    SigningAlgorithm {
        RsaPkcs1Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
        RsaPkcs1Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
        RsaPkcs1Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
        RsaPssSha256 = "RSASSA_PSS_SHA_256",
        RsaPssSha384 = "RSASSA_PSS_SHA_384",
        RsaPssSha512 = "RSASSA_PSS_SHA_512",
        EcdsaSha256 = "ECDSA_SHA_256",
        EcdsaSha384 = "ECDSA_SHA_384",
        EcdsaSha512 = "ECDSA_SHA_512",
        Ed25519 = "ED25519_SHA_512",
        MlDsa = "ML_DSA_SHAKE_256",
    }
}

wire_names! {
    /// `MessageType` of the Sign operation: what is made of the bytes that are sent.
    MessageType {
        /// The message itself, 1 to 4096 bytes.
        Raw = "RAW",
        /// A digest of exactly the algorithm's length.
        Digest = "DIGEST",
        /// The 64 bytes of mu, which stand for the message in ML-DSA (FIPS 204, algorithm 7).
        ExternalMu = "EXTERNAL_MU",
    }
}

wire_names! {
    /// `EncryptionAlgorithm` of the Encrypt, Decrypt and `ReEncrypt` operations.
    EncryptionAlgorithm {
        RsaOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaOaepSha256 = "RSAES_OAEP_SHA_256",
        SymmetricDefault = "SYMMETRIC_DEFAULT",
    }
}

wire_names! {
    /// `WrappingAlgorithm` of the `GetParametersForImport` operation.
    WrappingAlgorithm {
        /// An AES key under RSAES-OAEP, and the material under that with KWP: for private keys.
        RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
        /// The one way for secret keys, which are short enough.
        RsaOaepSha256 = "RSAES_OAEP_SHA_256",
    }
}

wire_names! {
    /// `MacAlgorithm` of the `GenerateMac` and `VerifyMac` operations; a key has exactly one.
    MacAlgorithm {
        HmacSha224 = "HMAC_SHA_224",
        HmacSha256 = "HMAC_SHA_256",
        HmacSha384 = "HMAC_SHA_384",
        HmacSha512 = "HMAC_SHA_512",
    }
}

impl MacAlgorithm {
    /// Bytes of a MAC.
    pub(crate) fn mac_len(self) -> usize {
        match self {
            Self::HmacSha224 => 28,
            Self::HmacSha256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacSha512 => 64,
        }
    }
}
