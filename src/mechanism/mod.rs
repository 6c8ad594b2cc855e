//! The mechanism table: the single truth about what the token can do.
//!
//! C_GetMechanismList, C_GetMechanismInfo, CKA_ALLOWED_MECHANISMS, every `C_*Init` and the matrix in
//! the documentation read it.

pub(crate) mod cipher;
pub(crate) mod derivation;
pub(crate) mod message;
pub(crate) mod parameter;
mod params;
pub(crate) mod signature;
pub(crate) mod symmetric;
mod usage;

use std::fmt;

use pkcs11_sys::*;

use crate::crypto::Hash;
use crate::crypto::aes::cbc;
use crate::crypto::aes::wrap::Form;
use crate::error::{Error, Result};
use crate::kms::{EncryptionAlgorithm, EncryptionContext};
use crate::v3_2::*;
use crate::vendor::{CKM_KMS_REENCRYPT, CKM_KMS_SYMMETRIC};
use cipher::{CipherScheme, Mode};
use derivation::Derivation;
use parameter::{Parameter, Shape};
use signature::{Input, Padding, SignatureScheme, Signing};
use symmetric::{ReEncryption, Symmetric};

pub(crate) use usage::{Use, check, usable_by_kms, usable_by_local};

/// A caller's mechanism: its type and its parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism<'a> {
    pub(crate) type_: CK_MECHANISM_TYPE,
    pub(crate) parameter: Parameter<'a>,
}

/// How the log names a mechanism.
impl fmt::Display for Mechanism<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match find(self.type_) {
            Ok(row) => f.write_str(row.name),
            Err(_) => write!(f, "mechanism {:#x}", self.type_),
        }
    }
}

/// What a mechanism does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Makes a pair of the row's key type.
    GeneratePair,
    /// Makes a secret key for HMAC with this hash, or with the hash of its length.
    GenerateSecret(Option<Hash>),
    /// Makes a symmetric key.
    GenerateSymmetric,
    Sign(Signing),
    EncryptOaep,
    /// Encrypts and decrypts with an AES key of a session.
    Encrypt(Mode),
    /// Wraps and unwraps with an AES key of a session.
    WrapKey(Form),
    /// Wraps and unwraps with an AES key that is under RSAES-OAEP.
    WrapRsaAes,
    /// Encrypts, decrypts, wraps, unwraps and makes data keys with a symmetric key, in KMS.
    KmsSymmetric,
    /// Turns a ciphertext into one of another symmetric key, in KMS.
    KmsReEncrypt,
    DeriveEcdh,
    DeriveHkdf,
    Encapsulate,
    Digest(Hash),
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) type_: CK_MECHANISM_TYPE,
    pub(crate) name: &'static str,
    pub(crate) work: Work,
    /// The types of keys that the mechanism makes or uses.
    pub(crate) key_types: &'static [CK_KEY_TYPE],
    /// Smallest and largest key, in the unit that the specification has for the mechanism: bits of
    /// RSA moduli, of the fields of curves and of generic secrets; bytes of HMAC keys, and of the
    /// public keys of ML-DSA and ML-KEM; 0 for a mechanism without a key.
    pub(crate) sizes: (CK_ULONG, CK_ULONG),
    pub(crate) flags: CK_FLAGS,
    pub(crate) parameter: Shape,
}

impl Row {
    /// The flags of the message-based functions, which work with what the others do.
    fn message_flags(&self) -> CK_FLAGS {
        match self.work {
            Work::Sign(signing) if signing.takes_parts() => {
                CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE
            }
            Work::Sign(_) => CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY,
            Work::Encrypt(Mode::Gcm) => {
                CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE
            }
            _ => 0,
        }
    }
}

/// What the mechanisms of one family have in common.
#[derive(Clone, Copy)]
struct Family {
    key_types: &'static [CK_KEY_TYPE],
    sizes: (CK_ULONG, CK_ULONG),
    flags: CK_FLAGS,
    parameter: Shape,
}

/// Curves over a prime field, by OID or name, with uncompressed points.
const EC_FLAGS: CK_FLAGS = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
/// KMS makes the key. With the symmetric keys of KMS, this is the kind of work that happens there as a
/// whole: verifying, encrypting with a public key and hashing are local.
const GENERATE_PAIR: CK_FLAGS = CKF_HW | CKF_GENERATE_KEY_PAIR;
const SIGN_VERIFY: CK_FLAGS = CKF_SIGN | CKF_VERIFY;
const ENCRYPT_DECRYPT: CK_FLAGS = CKF_ENCRYPT | CKF_DECRYPT;
const WRAP_UNWRAP: CK_FLAGS = CKF_WRAP | CKF_UNWRAP;
const ENCAPSULATE_DECAPSULATE: CK_FLAGS = CKF_ENCAPSULATE | CKF_DECAPSULATE;

macro_rules! families {
    ($($name:ident = $key_types:expr, $min:literal..=$max:literal, $flags:expr, $shape:ident;)+) => {
        $(const $name: Family = Family {
            key_types: &$key_types,
            sizes: ($min, $max),
            flags: $flags,
            parameter: Shape::$shape,
        };)+
    };
}

families! {
    RSA_GEN     = [CKK_RSA], 2048..=4096, GENERATE_PAIR, None;
    RSA_PKCS    = [CKK_RSA], 2048..=4096, SIGN_VERIFY, None;
    RSA_PSS     = [CKK_RSA], 2048..=4096, SIGN_VERIFY, Pss;
    RSA_OAEP    = [CKK_RSA], 2048..=4096, ENCRYPT_DECRYPT | WRAP_UNWRAP, Oaep;
    RSA_AES     = [CKK_RSA], 2048..=4096, WRAP_UNWRAP, RsaAes;
    EC_GEN      = [CKK_EC], 256..=521, GENERATE_PAIR | EC_FLAGS, None;
    ECDSA       = [CKK_EC], 256..=521, SIGN_VERIFY | EC_FLAGS, None;
    EDWARDS_GEN = [CKK_EC_EDWARDS], 255..=255, GENERATE_PAIR | CKF_EC_NAMEDCURVE, None;
    EDDSA       = [CKK_EC_EDWARDS], 255..=255, SIGN_VERIFY | CKF_EC_NAMEDCURVE, EdDsa;
    ML_DSA_GEN  = [CKK_ML_DSA], 1312..=2592, GENERATE_PAIR, None;
    ML_DSA      = [CKK_ML_DSA], 1312..=2592, SIGN_VERIFY, SignContext;
    ML_KEM_GEN  = [CKK_ML_KEM], 800..=1568, GENERATE_PAIR, None;
    SECRET_GEN  = [CKK_GENERIC_SECRET], 224..=512, CKF_HW | CKF_GENERATE, None;
    SHA224_GEN  = [CKK_SHA224_HMAC], 28..=28, CKF_HW | CKF_GENERATE, None;
    SHA256_GEN  = [CKK_SHA256_HMAC], 32..=32, CKF_HW | CKF_GENERATE, None;
    SHA384_GEN  = [CKK_SHA384_HMAC], 48..=48, CKF_HW | CKF_GENERATE, None;
    SHA512_GEN  = [CKK_SHA512_HMAC], 64..=64, CKF_HW | CKF_GENERATE, None;
    SHA224_MAC  = [CKK_GENERIC_SECRET, CKK_SHA224_HMAC], 1..=4096, SIGN_VERIFY, None;
    SHA256_MAC  = [CKK_GENERIC_SECRET, CKK_SHA256_HMAC], 1..=4096, SIGN_VERIFY, None;
    SHA384_MAC  = [CKK_GENERIC_SECRET, CKK_SHA384_HMAC], 1..=4096, SIGN_VERIFY, None;
    SHA512_MAC  = [CKK_GENERIC_SECRET, CKK_SHA512_HMAC], 1..=4096, SIGN_VERIFY, None;
    AES_GEN     = [CKK_AES], 32..=32, CKF_HW | CKF_GENERATE, None;
    ECDH        = [CKK_EC], 256..=521, CKF_DERIVE | EC_FLAGS, Ecdh;
    HKDF        = [CKK_GENERIC_SECRET, CKK_HKDF], 1..=4096, CKF_DERIVE, Hkdf;
    ML_KEM      = [CKK_ML_KEM], 800..=1568, ENCAPSULATE_DECAPSULATE, None;
    AES         = [CKK_AES], 16..=32, ENCRYPT_DECRYPT, Bytes;
    AES_WRAP    = [CKK_AES], 16..=32, WRAP_UNWRAP, Bytes;
    KMS_SYMMETRIC = [CKK_AES], 32..=32, CKF_HW | CKF_GENERATE | ENCRYPT_DECRYPT | WRAP_UNWRAP, KmsSymmetric;
    KMS_REENCRYPT = [CKK_AES], 32..=32, CKF_HW | CKF_ENCRYPT, KmsReEncrypt;
    DIGEST      = [], 0..=0, CKF_DIGEST, None;
}

/// The same family with a parameter.
const fn with(family: Family, parameter: Shape) -> Family {
    Family {
        parameter,
        ..family
    }
}

const fn rsa(padding: Padding, input: Input) -> Work {
    Work::Sign(Signing::Rsa(padding, input))
}

const fn ecdsa(hash: Hash) -> Work {
    Work::Sign(Signing::Ecdsa(Message(hash)))
}

const fn hash_ml_dsa(hash: Hash) -> Work {
    Work::Sign(Signing::HashMlDsa(Message(hash)))
}

const fn hmac(hash: Hash) -> Work {
    Work::Sign(Signing::Hmac { hash })
}

macro_rules! rows {
    ($($type_:ident $family:expr, $work:expr;)+) => {
        &[$({
            let family = $family;
            Row {
                type_: $type_,
                name: stringify!($type_),
                work: $work,
                key_types: family.key_types,
                sizes: family.sizes,
                flags: family.flags,
                parameter: family.parameter,
            }
        }),+]
    };
}

use Hash::{Sha1, Sha224, Sha256, Sha384, Sha512};
use Input::{Digest, DigestInfo, Message};
use Padding::{Pkcs1, Pss};

static TABLE: &[Row] = rows! {
    CKM_RSA_PKCS_KEY_PAIR_GEN   RSA_GEN, Work::GeneratePair;
    CKM_EC_KEY_PAIR_GEN         EC_GEN, Work::GeneratePair;
    CKM_EC_EDWARDS_KEY_PAIR_GEN EDWARDS_GEN, Work::GeneratePair;
    CKM_ML_DSA_KEY_PAIR_GEN     ML_DSA_GEN, Work::GeneratePair;
    CKM_ML_KEM_KEY_PAIR_GEN     ML_KEM_GEN, Work::GeneratePair;
    CKM_GENERIC_SECRET_KEY_GEN  SECRET_GEN, Work::GenerateSecret(None);
    CKM_SHA224_KEY_GEN          SHA224_GEN, Work::GenerateSecret(Some(Sha224));
    CKM_SHA256_KEY_GEN          SHA256_GEN, Work::GenerateSecret(Some(Sha256));
    CKM_SHA384_KEY_GEN          SHA384_GEN, Work::GenerateSecret(Some(Sha384));
    CKM_SHA512_KEY_GEN          SHA512_GEN, Work::GenerateSecret(Some(Sha512));
    CKM_AES_KEY_GEN             AES_GEN, Work::GenerateSymmetric;

    CKM_RSA_PKCS                RSA_PKCS, rsa(Pkcs1, DigestInfo);
    CKM_SHA256_RSA_PKCS         RSA_PKCS, rsa(Pkcs1, Message(Sha256));
    CKM_SHA384_RSA_PKCS         RSA_PKCS, rsa(Pkcs1, Message(Sha384));
    CKM_SHA512_RSA_PKCS         RSA_PKCS, rsa(Pkcs1, Message(Sha512));
    CKM_RSA_PKCS_PSS            RSA_PSS, rsa(Pss, Digest);
    CKM_SHA256_RSA_PKCS_PSS     RSA_PSS, rsa(Pss, Message(Sha256));
    CKM_SHA384_RSA_PKCS_PSS     RSA_PSS, rsa(Pss, Message(Sha384));
    CKM_SHA512_RSA_PKCS_PSS     RSA_PSS, rsa(Pss, Message(Sha512));
    CKM_ECDSA                   ECDSA, Work::Sign(Signing::Ecdsa(Digest));
    CKM_ECDSA_SHA1              ECDSA, ecdsa(Sha1);
    CKM_ECDSA_SHA224            ECDSA, ecdsa(Sha224);
    CKM_ECDSA_SHA256            ECDSA, ecdsa(Sha256);
    CKM_ECDSA_SHA384            ECDSA, ecdsa(Sha384);
    CKM_ECDSA_SHA512            ECDSA, ecdsa(Sha512);
    CKM_EDDSA                   EDDSA, Work::Sign(Signing::EdDsa);
    CKM_ML_DSA                  ML_DSA, Work::Sign(Signing::MlDsa);
    CKM_HASH_ML_DSA             with(ML_DSA, Shape::HashSignContext), Work::Sign(Signing::HashMlDsa(Digest));
    CKM_HASH_ML_DSA_SHA224      ML_DSA, hash_ml_dsa(Sha224);
    CKM_HASH_ML_DSA_SHA256      ML_DSA, hash_ml_dsa(Sha256);
    CKM_HASH_ML_DSA_SHA384      ML_DSA, hash_ml_dsa(Sha384);
    CKM_HASH_ML_DSA_SHA512      ML_DSA, hash_ml_dsa(Sha512);
    CKM_SHA224_HMAC             SHA224_MAC, hmac(Sha224);
    CKM_SHA256_HMAC             SHA256_MAC, hmac(Sha256);
    CKM_SHA384_HMAC             SHA384_MAC, hmac(Sha384);
    CKM_SHA512_HMAC             SHA512_MAC, hmac(Sha512);
    CKM_SHA224_HMAC_GENERAL     with(SHA224_MAC, Shape::Ulong), hmac(Sha224);
    CKM_SHA256_HMAC_GENERAL     with(SHA256_MAC, Shape::Ulong), hmac(Sha256);
    CKM_SHA384_HMAC_GENERAL     with(SHA384_MAC, Shape::Ulong), hmac(Sha384);
    CKM_SHA512_HMAC_GENERAL     with(SHA512_MAC, Shape::Ulong), hmac(Sha512);

    CKM_RSA_PKCS_OAEP           RSA_OAEP, Work::EncryptOaep;
    CKM_RSA_AES_KEY_WRAP        RSA_AES, Work::WrapRsaAes;
    CKM_AES_CBC                 AES, Work::Encrypt(Mode::Cbc(cbc::Padding::None));
    CKM_AES_CBC_PAD             AES, Work::Encrypt(Mode::Cbc(cbc::Padding::Pkcs7));
    CKM_AES_CTR                 with(AES, Shape::AesCtr), Work::Encrypt(Mode::Ctr);
    CKM_AES_GCM                 with(AES, Shape::Gcm), Work::Encrypt(Mode::Gcm);
    CKM_AES_KEY_WRAP            AES_WRAP, Work::WrapKey(Form::Kw);
    CKM_AES_KEY_WRAP_KWP        AES_WRAP, Work::WrapKey(Form::Kwp);

    CKM_KMS_SYMMETRIC           KMS_SYMMETRIC, Work::KmsSymmetric;
    CKM_KMS_REENCRYPT           KMS_REENCRYPT, Work::KmsReEncrypt;

    CKM_ECDH1_DERIVE            ECDH, Work::DeriveEcdh;
    CKM_ECDH1_COFACTOR_DERIVE   ECDH, Work::DeriveEcdh;
    CKM_HKDF_DERIVE             HKDF, Work::DeriveHkdf;
    CKM_ML_KEM                  ML_KEM, Work::Encapsulate;

    CKM_SHA_1                   DIGEST, Work::Digest(Sha1);
    CKM_SHA224                  DIGEST, Work::Digest(Sha224);
    CKM_SHA256                  DIGEST, Work::Digest(Sha256);
    CKM_SHA384                  DIGEST, Work::Digest(Sha384);
    CKM_SHA512                  DIGEST, Work::Digest(Sha512);
};

/// The table, for the documentation.
#[cfg(test)]
pub(crate) fn table() -> &'static [Row] {
    TABLE
}

/// Every mechanism type, in the table's order.
pub(crate) fn list() -> Vec<CK_MECHANISM_TYPE> {
    TABLE.iter().map(|row| row.type_).collect()
}

/// The answer of C_GetMechanismInfo.
pub(crate) fn info(type_: CK_MECHANISM_TYPE) -> Result<CK_MECHANISM_INFO> {
    let row = find(type_)?;
    let (min, max) = row.sizes;
    Ok(CK_MECHANISM_INFO {
        ulMinKeySize: min,
        ulMaxKeySize: max,
        flags: row.flags | row.message_flags(),
    })
}

/// The table's row of a mechanism.
pub(crate) fn find(type_: CK_MECHANISM_TYPE) -> Result<&'static Row> {
    TABLE.iter().find(|row| row.type_ == type_).ok_or_else(|| {
        Error::new(
            CKR_MECHANISM_INVALID,
            format!("mechanism {type_:#x} is not in the token's list"),
        )
    })
}

/// The structure of a mechanism's parameter; that of an unknown mechanism is of no interest.
pub(crate) fn parameter_shape(type_: CK_MECHANISM_TYPE) -> Shape {
    find(type_).map_or(Shape::None, |row| row.parameter)
}

/// The signature scheme that a mechanism and its parameter ask for, to sign or to verify.
pub(crate) fn signature(mechanism: Mechanism<'_>, use_: Use) -> Result<SignatureScheme> {
    let Work::Sign(signing) = find(mechanism.type_)?.work else {
        return Err(unsuited(mechanism, "signs"));
    };
    match signing {
        Signing::Rsa(Pss, input) => params::check_pss(mechanism, input),
        Signing::Rsa(Pkcs1, input) => {
            mechanism.check_no_parameter()?;
            Ok(SignatureScheme::Rsa(Pkcs1, input))
        }
        Signing::Ecdsa(input) => {
            mechanism.check_no_parameter()?;
            Ok(SignatureScheme::Ecdsa(input))
        }
        Signing::EdDsa => params::check_eddsa(mechanism),
        Signing::MlDsa => params::check_ml_dsa(mechanism, use_),
        Signing::HashMlDsa(input) => params::check_hash_ml_dsa(mechanism, use_, input),
        Signing::Hmac { hash } => params::check_hmac(mechanism, hash),
    }
}

/// How a mechanism encrypts and decrypts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// RSAES-OAEP: here with the public key, in KMS with the private one.
    Oaep(Hash, EncryptionAlgorithm),
    /// Here, with a secret key of a session.
    Cipher(CipherScheme),
    /// In KMS, with a symmetric key; no context is the token's.
    Symmetric(Option<EncryptionContext>),
}

/// How a mechanism wraps and unwraps keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping {
    Oaep(Hash, EncryptionAlgorithm),
    Aes(Form),
    /// Under an AES key of so many bytes, and that under RSAES-OAEP.
    RsaAes(usize, Hash, EncryptionAlgorithm),
    /// In KMS, with a symmetric key; no context is the token's.
    Symmetric(Option<EncryptionContext>),
}

/// The encryption that a mechanism and its parameter ask for.
pub(crate) fn encryption(mechanism: Mechanism<'_>) -> Result<Encryption> {
    match find(mechanism.type_)?.work {
        Work::EncryptOaep => {
            params::check_oaep(mechanism).map(|(hash, algorithm)| Encryption::Oaep(hash, algorithm))
        }
        Work::Encrypt(mode) => cipher::check_cipher(mechanism, mode).map(Encryption::Cipher),
        Work::KmsSymmetric => symmetric::check_context_alone(mechanism).map(Encryption::Symmetric),
        _ => Err(unsuited(mechanism, "encrypts")),
    }
}

/// The wrapping that a mechanism and its parameter ask for.
pub(crate) fn wrapping(mechanism: Mechanism<'_>) -> Result<Wrapping> {
    match find(mechanism.type_)?.work {
        Work::EncryptOaep => {
            params::check_oaep(mechanism).map(|(hash, algorithm)| Wrapping::Oaep(hash, algorithm))
        }
        Work::WrapKey(form) => {
            cipher::check_key_wrap(mechanism, form).map(|()| Wrapping::Aes(form))
        }
        Work::WrapRsaAes => params::check_rsa_aes(mechanism)
            .map(|(aes_len, hash, algorithm)| Wrapping::RsaAes(aes_len, hash, algorithm)),
        Work::KmsSymmetric => symmetric::check_context_alone(mechanism).map(Wrapping::Symmetric),
        _ => Err(unsuited(mechanism, "wraps")),
    }
}

/// What a mechanism that encrypts anew under another key asks for; `None` for any other mechanism.
pub(crate) fn reencryption(mechanism: Mechanism<'_>) -> Result<Option<ReEncryption>> {
    match find(mechanism.type_)?.work {
        Work::KmsReEncrypt => symmetric::check_reencryption(mechanism).map(Some),
        _ => Ok(None),
    }
}

/// What a mechanism that makes data keys asks for; `None` for any other mechanism.
pub(crate) fn data_key(mechanism: Mechanism<'_>) -> Result<Option<Symmetric>> {
    match find(mechanism.type_)?.work {
        Work::KmsSymmetric => symmetric::check_symmetric(mechanism).map(Some),
        _ => Ok(None),
    }
}

/// The derivation that a mechanism and its parameter ask for.
pub(crate) fn derivation(mechanism: Mechanism<'_>) -> Result<Derivation<'_>> {
    match find(mechanism.type_)?.work {
        Work::DeriveEcdh => derivation::check_ecdh(mechanism),
        Work::DeriveHkdf => derivation::check_hkdf(mechanism),
        _ => Err(unsuited(mechanism, "derives")),
    }
}

/// Refuses a mechanism that does not encapsulate.
pub(crate) fn encapsulation(mechanism: Mechanism<'_>) -> Result<()> {
    match find(mechanism.type_)?.work {
        Work::Encapsulate => mechanism.check_no_parameter(),
        _ => Err(unsuited(mechanism, "encapsulates")),
    }
}

/// The hash of a digesting mechanism.
pub(crate) fn digest(mechanism: Mechanism<'_>) -> Result<Hash> {
    match find(mechanism.type_)?.work {
        Work::Digest(hash) => mechanism.check_no_parameter().map(|()| hash),
        _ => Err(unsuited(mechanism, "digests")),
    }
}

fn unsuited(mechanism: Mechanism<'_>, verb: &str) -> Error {
    Error::new(
        CKR_MECHANISM_INVALID,
        format!("{mechanism} is none that {verb}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_no_duplicates_and_every_entry_has_info() {
        let list = list();
        for (index, type_) in list.iter().enumerate() {
            assert!(!list[..index].contains(type_), "{type_:#x} twice");
            assert!(info(*type_).is_ok(), "{type_:#x}");
        }
    }

    #[test]
    fn a_mechanism_outside_the_list_is_invalid() {
        assert_eq!(
            info(CKM_MD5_RSA_PKCS).map_err(|e| e.rv()).err(),
            Some(CKR_MECHANISM_INVALID)
        );
    }
}
