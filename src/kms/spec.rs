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
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $name { $($variant),+ }

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
    }
}

wire_names! {
    /// `KeyUsage`: the one thing a KMS key can do, fixed at creation.
    KeyUsage {
        SignVerify = "SIGN_VERIFY",
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        KeyAgreement = "KEY_AGREEMENT",
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
    }
}

wire_names! {
    /// `EncryptionAlgorithm` of the Decrypt operation.
    EncryptionAlgorithm {
        RsaOaepSha1 = "RSAES_OAEP_SHA_1",
        RsaOaepSha256 = "RSAES_OAEP_SHA_256",
    }
}
