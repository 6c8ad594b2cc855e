//! Key specs and usages: one row says all about a kind of key.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>.

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaSigningAlgorithm,
};

use crate::algorithm::{
    AgreementAlgorithm, ECDH_P256, ECDH_P384, ECDH_P521, ECDSA_SHA_256, ECDSA_SHA_384,
    ECDSA_SHA_512, ED25519, ENCAPSULATION_NAMES, EncryptionAlgorithm, HMAC_SHA_224, HMAC_SHA_256,
    HMAC_SHA_384, HMAC_SHA_512, ML_DSA, MacAlgorithm, RSA_ENCRYPTION, RSA_SIGNING,
    SYMMETRIC_ENCRYPTION, SigningAlgorithm,
};
use crate::material::{
    ML_DSA_44, ML_DSA_65, ML_DSA_87, ML_KEM_512, ML_KEM_768, ML_KEM_1024, MlDsaParameters,
    MlKemParameters,
};

/// A value of `KeySpec`, and what keys of it are made of and do.
///
/// A usage is allowed when it has algorithms.
#[derive(Debug)]
pub(crate) struct KeySpec {
    pub(crate) name: &'static str,
    pub(crate) material: MaterialKind,
    pub(crate) signing: &'static [SigningAlgorithm],
    pub(crate) encryption: &'static [EncryptionAlgorithm],
    pub(crate) agreement: &'static [AgreementAlgorithm],
    pub(crate) mac: &'static [MacAlgorithm],
    pub(crate) encapsulation: &'static [&'static str],
}

/// What the private half of a key is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MaterialKind {
    Rsa(KeySize),
    Ec(&'static EcdsaSigningAlgorithm),
    Edwards25519,
    MlDsa(&'static MlDsaParameters),
    MlKem(&'static MlKemParameters),
    /// So many random bytes, without a public half.
    Secret {
        len: usize,
    },
}

/// A value of `KeyUsage`, fixed at creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUsage {
    EncryptDecrypt,
    SignVerify,
    GenerateVerifyMac,
    KeyAgreement,
    EncapsulateDecapsulate,
}

impl KeySpec {
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        KEY_SPECS.iter().find(|spec| spec.name == name)
    }

    /// The algorithms of a usage by name; none when keys of this spec cannot have it.
    pub(crate) fn algorithm_names(&self, usage: KeyUsage) -> Vec<&'static str> {
        match usage {
            KeyUsage::EncryptDecrypt => self.encryption.iter().map(|row| row.name).collect(),
            KeyUsage::SignVerify => self.signing.iter().map(|row| row.name).collect(),
            KeyUsage::GenerateVerifyMac => self.mac.iter().map(|row| row.name).collect(),
            KeyUsage::EncapsulateDecapsulate => self.encapsulation.to_vec(),
            KeyUsage::KeyAgreement => self.agreement.iter().map(|row| row.name).collect(),
        }
    }

    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.material, MaterialKind::Rsa(_))
    }

    pub(crate) fn is_symmetric_encryption(&self) -> bool {
        self.name == SYMMETRIC_DEFAULT
    }

    pub(crate) fn has_public_half(&self) -> bool {
        !matches!(self.material, MaterialKind::Secret { .. })
    }
}

impl KeyUsage {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        USAGES.iter().find(|usage| usage.name() == name).copied()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "ENCRYPT_DECRYPT",
            Self::SignVerify => "SIGN_VERIFY",
            Self::GenerateVerifyMac => "GENERATE_VERIFY_MAC",
            Self::KeyAgreement => "KEY_AGREEMENT",
            Self::EncapsulateDecapsulate => "ENCAPSULATE_DECAPSULATE",
        }
    }

    /// The member of a key's metadata that lists its algorithms.
    pub(crate) fn algorithms_member(self) -> &'static str {
        match self {
            Self::EncryptDecrypt => "EncryptionAlgorithms",
            Self::SignVerify => "SigningAlgorithms",
            Self::GenerateVerifyMac => "MacAlgorithms",
            Self::KeyAgreement => "KeyAgreementAlgorithms",
            Self::EncapsulateDecapsulate => "EncapsulationAlgorithms",
        }
    }
}

pub(crate) const SYMMETRIC_DEFAULT: &str = "SYMMETRIC_DEFAULT";

/// In the order of KMS's own error message, like the names of key specs in [`KEY_SPECS`].
static USAGES: [KeyUsage; 5] = [
    KeyUsage::EncryptDecrypt,
    KeyUsage::SignVerify,
    KeyUsage::GenerateVerifyMac,
    KeyUsage::KeyAgreement,
    KeyUsage::EncapsulateDecapsulate,
];

pub(crate) static USAGE_NAMES: [&str; 5] = [
    "ENCRYPT_DECRYPT",
    "SIGN_VERIFY",
    "GENERATE_VERIFY_MAC",
    "KEY_AGREEMENT",
    "ENCAPSULATE_DECAPSULATE",
];

pub(crate) static KEY_SPEC_NAMES: [&str; 19] = [
    "RSA_2048",
    "ECC_NIST_P384",
    "ECC_NIST_P256",
    "ECC_NIST_P521",
    "HMAC_384",
    "RSA_3072",
    "ECC_SECG_P256K1",
    "RSA_4096",
    SYMMETRIC_DEFAULT,
    "HMAC_256",
    "HMAC_224",
    "HMAC_512",
    "ECC_NIST_EDWARDS25519",
    "ML_DSA_44",
    "ML_DSA_65",
    "ML_DSA_87",
    "ML_KEM_512",
    "ML_KEM_768",
    "ML_KEM_1024",
];

static KEY_SPECS: [KeySpec; 19] = [
    rsa("RSA_2048", KeySize::Rsa2048),
    rsa("RSA_3072", KeySize::Rsa3072),
    rsa("RSA_4096", KeySize::Rsa4096),
    KeySpec {
        signing: &ECDSA_SHA_256,
        agreement: &ECDH_P256,
        ..ec("ECC_NIST_P256", &ECDSA_P256_SHA256_ASN1_SIGNING)
    },
    KeySpec {
        signing: &ECDSA_SHA_384,
        agreement: &ECDH_P384,
        ..ec("ECC_NIST_P384", &ECDSA_P384_SHA384_ASN1_SIGNING)
    },
    KeySpec {
        signing: &ECDSA_SHA_512,
        agreement: &ECDH_P521,
        ..ec("ECC_NIST_P521", &ECDSA_P521_SHA512_ASN1_SIGNING)
    },
    KeySpec {
        signing: &ECDSA_SHA_256,
        ..ec("ECC_SECG_P256K1", &ECDSA_P256K1_SHA256_ASN1_SIGNING)
    },
    KeySpec {
        signing: &ED25519,
        ..without_algorithms("ECC_NIST_EDWARDS25519", MaterialKind::Edwards25519)
    },
    ml_dsa("ML_DSA_44", &ML_DSA_44),
    ml_dsa("ML_DSA_65", &ML_DSA_65),
    ml_dsa("ML_DSA_87", &ML_DSA_87),
    ml_kem("ML_KEM_512", &ML_KEM_512),
    ml_kem("ML_KEM_768", &ML_KEM_768),
    ml_kem("ML_KEM_1024", &ML_KEM_1024),
    KeySpec {
        encryption: &SYMMETRIC_ENCRYPTION,
        ..secret(SYMMETRIC_DEFAULT, 32)
    },
    KeySpec {
        mac: &HMAC_SHA_224,
        ..secret("HMAC_224", 28)
    },
    KeySpec {
        mac: &HMAC_SHA_256,
        ..secret("HMAC_256", 32)
    },
    KeySpec {
        mac: &HMAC_SHA_384,
        ..secret("HMAC_384", 48)
    },
    KeySpec {
        mac: &HMAC_SHA_512,
        ..secret("HMAC_512", 64)
    },
];

const fn rsa(name: &'static str, size: KeySize) -> KeySpec {
    KeySpec {
        signing: &RSA_SIGNING,
        encryption: &RSA_ENCRYPTION,
        ..without_algorithms(name, MaterialKind::Rsa(size))
    }
}

const fn ec(name: &'static str, curve: &'static EcdsaSigningAlgorithm) -> KeySpec {
    without_algorithms(name, MaterialKind::Ec(curve))
}

const fn ml_dsa(name: &'static str, parameters: &'static MlDsaParameters) -> KeySpec {
    KeySpec {
        signing: &ML_DSA,
        ..without_algorithms(name, MaterialKind::MlDsa(parameters))
    }
}

const fn ml_kem(name: &'static str, parameters: &'static MlKemParameters) -> KeySpec {
    KeySpec {
        encapsulation: &ENCAPSULATION_NAMES,
        ..without_algorithms(name, MaterialKind::MlKem(parameters))
    }
}

const fn secret(name: &'static str, len: usize) -> KeySpec {
    without_algorithms(name, MaterialKind::Secret { len })
}

const fn without_algorithms(name: &'static str, material: MaterialKind) -> KeySpec {
    KeySpec {
        name,
        material,
        signing: &[],
        encryption: &[],
        agreement: &[],
        mac: &[],
        encapsulation: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_error_messages_are_those_of_the_tables() {
        for name in KEY_SPEC_NAMES {
            assert!(KeySpec::by_name(name).is_some(), "{name}");
        }
        for name in USAGE_NAMES {
            assert_eq!(KeyUsage::by_name(name).map(KeyUsage::name), Some(name));
        }
        assert_eq!(KEY_SPEC_NAMES.len(), KEY_SPECS.len());
    }

    #[test]
    fn every_key_spec_has_a_usage() {
        for spec in &KEY_SPECS {
            assert!(
                USAGES
                    .iter()
                    .any(|&usage| !spec.algorithm_names(usage).is_empty()),
                "{spec:?}"
            );
        }
    }
}
