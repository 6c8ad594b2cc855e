//! KMS key specs and what PKCS#11 knows them by: key types, modulus lengths, curves, parameter sets
//! and hashes.

use pkcs11_sys::*;

use crate::crypto::{Curve, Hash, MlDsaSet, MlKemSet, PublicKey};
use crate::kms::{KeySpec, MacAlgorithm};
use crate::v3_2::*;

/// What PKCS#11 calls a key of a KMS spec.
struct Facts {
    spec: KeySpec,
    key_type: CK_KEY_TYPE,
    generated_by: CK_MECHANISM_TYPE,
}

macro_rules! facts {
    ($($spec:ident $key_type:ident $generated_by:ident;)+) => {
        &[$(Facts {
            spec: KeySpec::$spec,
            key_type: $key_type,
            generated_by: $generated_by,
        }),+]
    };
}

const TABLE: &[Facts] = facts! {
    Rsa2048             CKK_RSA            CKM_RSA_PKCS_KEY_PAIR_GEN;
    Rsa3072             CKK_RSA            CKM_RSA_PKCS_KEY_PAIR_GEN;
    Rsa4096             CKK_RSA            CKM_RSA_PKCS_KEY_PAIR_GEN;
    EccNistP256         CKK_EC             CKM_EC_KEY_PAIR_GEN;
    EccNistP384         CKK_EC             CKM_EC_KEY_PAIR_GEN;
    EccNistP521         CKK_EC             CKM_EC_KEY_PAIR_GEN;
    EccSecgP256k1       CKK_EC             CKM_EC_KEY_PAIR_GEN;
    EccNistEdwards25519 CKK_EC_EDWARDS     CKM_EC_EDWARDS_KEY_PAIR_GEN;
    MlDsa44             CKK_ML_DSA         CKM_ML_DSA_KEY_PAIR_GEN;
    MlDsa65             CKK_ML_DSA         CKM_ML_DSA_KEY_PAIR_GEN;
    MlDsa87             CKK_ML_DSA         CKM_ML_DSA_KEY_PAIR_GEN;
    MlKem512            CKK_ML_KEM         CKM_ML_KEM_KEY_PAIR_GEN;
    MlKem768            CKK_ML_KEM         CKM_ML_KEM_KEY_PAIR_GEN;
    MlKem1024           CKK_ML_KEM         CKM_ML_KEM_KEY_PAIR_GEN;
    Hmac224             CKK_GENERIC_SECRET CKM_GENERIC_SECRET_KEY_GEN;
    Hmac256             CKK_GENERIC_SECRET CKM_GENERIC_SECRET_KEY_GEN;
    Hmac384             CKK_GENERIC_SECRET CKM_GENERIC_SECRET_KEY_GEN;
    Hmac512             CKK_GENERIC_SECRET CKM_GENERIC_SECRET_KEY_GEN;
    SymmetricDefault    CKK_AES            CKM_AES_KEY_GEN;
};

fn facts(spec: KeySpec) -> Option<&'static Facts> {
    TABLE.iter().find(|facts| facts.spec == spec)
}

/// CKA_KEY_TYPE of keys of a spec; an HMAC key may have been made with the type of its hash.
pub(crate) fn key_type(spec: KeySpec) -> CK_KEY_TYPE {
    facts(spec).map_or(CK_UNAVAILABLE_INFORMATION, |facts| facts.key_type)
}

/// CKA_KEY_GEN_MECHANISM of keys of a spec.
pub(crate) fn generated_by(spec: KeySpec) -> CK_MECHANISM_TYPE {
    facts(spec).map_or(CK_UNAVAILABLE_INFORMATION, |facts| facts.generated_by)
}

/// An HMAC spec: its hash, KMS's algorithm for it, and the names that PKCS#11 has for such keys.
pub(crate) struct HmacFacts {
    pub(crate) spec: KeySpec,
    pub(crate) hash: Hash,
    pub(crate) algorithm: MacAlgorithm,
    pub(crate) key_type: CK_KEY_TYPE,
    /// As the tag `p11:key-type` names it.
    pub(crate) key_type_name: &'static str,
    pub(crate) generated_by: CK_MECHANISM_TYPE,
}

macro_rules! hmac_facts {
    ($($spec:ident $hash:ident $algorithm:ident $key_type:ident $name:literal $generated_by:ident;)+) => {
        &[$(HmacFacts {
            spec: KeySpec::$spec,
            hash: Hash::$hash,
            algorithm: MacAlgorithm::$algorithm,
            key_type: $key_type,
            key_type_name: $name,
            generated_by: $generated_by,
        }),+]
    };
}

/// Bytes of every symmetric key: AES-256.
pub(crate) const SYMMETRIC_KEY_LEN: usize = 32;

pub(crate) const HMACS: &[HmacFacts] = hmac_facts! {
    Hmac224 Sha224 HmacSha224 CKK_SHA224_HMAC "SHA224_HMAC" CKM_SHA224_KEY_GEN;
    Hmac256 Sha256 HmacSha256 CKK_SHA256_HMAC "SHA256_HMAC" CKM_SHA256_KEY_GEN;
    Hmac384 Sha384 HmacSha384 CKK_SHA384_HMAC "SHA384_HMAC" CKM_SHA384_KEY_GEN;
    Hmac512 Sha512 HmacSha512 CKK_SHA512_HMAC "SHA512_HMAC" CKM_SHA512_KEY_GEN;
};

impl HmacFacts {
    pub(crate) fn of_spec(spec: KeySpec) -> Option<&'static Self> {
        HMACS.iter().find(|facts| facts.spec == spec)
    }

    /// The length of the key, in bytes: that of the hash.
    pub(crate) fn key_len(&self) -> usize {
        self.hash.len()
    }
}

/// The spec of RSA keys of this modulus length in bits.
pub(crate) fn of_rsa(bits: usize) -> Option<KeySpec> {
    match bits {
        2048 => Some(KeySpec::Rsa2048),
        3072 => Some(KeySpec::Rsa3072),
        4096 => Some(KeySpec::Rsa4096),
        _ => None,
    }
}

/// The spec of keys on this curve.
pub(crate) fn of_curve(curve: Curve) -> KeySpec {
    match curve {
        Curve::P256 => KeySpec::EccNistP256,
        Curve::P384 => KeySpec::EccNistP384,
        Curve::P521 => KeySpec::EccNistP521,
        Curve::Secp256k1 => KeySpec::EccSecgP256k1,
    }
}

/// The parameter sets of ML-DSA, by the numbers of CKA_PARAMETER_SET.
pub(crate) const ML_DSA_SETS: &[(CK_ULONG, MlDsaSet, KeySpec)] = &[
    (CKP_ML_DSA_44, MlDsaSet::MlDsa44, KeySpec::MlDsa44),
    (CKP_ML_DSA_65, MlDsaSet::MlDsa65, KeySpec::MlDsa65),
    (CKP_ML_DSA_87, MlDsaSet::MlDsa87, KeySpec::MlDsa87),
];

/// The parameter sets of ML-KEM, by the numbers of CKA_PARAMETER_SET.
pub(crate) const ML_KEM_SETS: &[(CK_ULONG, MlKemSet, KeySpec)] = &[
    (CKP_ML_KEM_512, MlKemSet::MlKem512, KeySpec::MlKem512),
    (CKP_ML_KEM_768, MlKemSet::MlKem768, KeySpec::MlKem768),
    (CKP_ML_KEM_1024, MlKemSet::MlKem1024, KeySpec::MlKem1024),
];

/// CKA_PARAMETER_SET of a public key, where its type has parameter sets.
pub(crate) fn parameter_set(key: &PublicKey) -> Option<CK_ULONG> {
    match key {
        PublicKey::MlDsa(key) => ML_DSA_SETS
            .iter()
            .find(|row| row.1 == key.set())
            .map(|row| row.0),
        PublicKey::MlKem(key) => ML_KEM_SETS
            .iter()
            .find(|row| row.1 == key.set())
            .map(|row| row.0),
        PublicKey::Rsa(_) | PublicKey::Ec(_) | PublicKey::Ed25519(_) => None,
    }
}

/// The spec of a public key.
pub(crate) fn of_key(key: &PublicKey) -> Option<KeySpec> {
    match key {
        PublicKey::Rsa(key) => of_rsa(key.modulus_bits()),
        PublicKey::Ec(key) => Some(of_curve(key.curve())),
        PublicKey::Ed25519(_) => Some(KeySpec::EccNistEdwards25519),
        PublicKey::MlDsa(key) => ML_DSA_SETS
            .iter()
            .find(|row| row.1 == key.set())
            .map(|row| row.2),
        PublicKey::MlKem(key) => ML_KEM_SETS
            .iter()
            .find(|row| row.1 == key.set())
            .map(|row| row.2),
    }
}
