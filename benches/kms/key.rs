//! The keys that sign, and what.

use aws_sdk_kms::types::SigningAlgorithmSpec;
use cryptoki::mechanism::Mechanism;

/// A SHA-256 digest, as far as a signer can tell.
pub(crate) const DIGEST: [u8; 32] = [0x5a; 32];

pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// KMS's name of it.
    pub(crate) spec: &'static str,
    /// CKA_ID, which the module keeps in hexadecimal in the tag `p11:id`.
    pub(crate) id: u8,
    pub(crate) algorithm: SigningAlgorithmSpec,
    /// Made where it is used, because a `Mechanism` cannot be sent to another thread.
    pub(crate) mechanism: fn() -> Mechanism<'static>,
    /// What the mechanism takes before the digest: CKM_RSA_PKCS a DigestInfo's head.
    pub(crate) head: &'static [u8],
}

pub(crate) const KEYS: [Key; 2] = [
    Key {
        name: "P-256",
        spec: "ECC_NIST_P256",
        id: 0xec,
        algorithm: SigningAlgorithmSpec::EcdsaSha256,
        mechanism: || Mechanism::Ecdsa,
        head: &[],
    },
    Key {
        name: "RSA-2048",
        spec: "RSA_2048",
        id: 0x25,
        algorithm: SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
        mechanism: || Mechanism::RsaPkcs,
        head: b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
    },
];
