//! The mechanism table: the single truth about what the token can do.
//!
//! C_GetMechanismList, C_GetMechanismInfo, CKA_ALLOWED_MECHANISMS and every `C_*Init` read it.

mod params;
pub(crate) mod signature;

use pkcs11_sys::*;

use crate::crypto::Hash;
use crate::error::{Error, Result};
use crate::kms::{EncryptionAlgorithm, KeyUsage};
use crate::object::{Half, KeyMaterial};
use signature::{Input, Padding, SignatureScheme};

/// A caller's mechanism: its type and its parameter's bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism<'a> {
    pub(crate) type_: CK_MECHANISM_TYPE,
    pub(crate) parameter: &'a [u8],
}

/// What a mechanism does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    GenerateRsaPair,
    GenerateEcPair,
    Sign(SignatureScheme),
    EncryptOaep,
    Digest(Hash),
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) type_: CK_MECHANISM_TYPE,
    pub(crate) work: Work,
    /// Smallest and largest key, in bits; 0 for a mechanism without a key.
    sizes: (CK_ULONG, CK_ULONG),
    flags: CK_FLAGS,
}

const RSA_BITS: (CK_ULONG, CK_ULONG) = (2048, 4096);
const EC_BITS: (CK_ULONG, CK_ULONG) = (256, 521);
const NO_KEY: (CK_ULONG, CK_ULONG) = (0, 0);

/// Curves over a prime field, by OID or name, with uncompressed points.
const EC_FLAGS: CK_FLAGS = CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
const SIGN_FLAGS: CK_FLAGS = CKF_SIGN | CKF_VERIFY;

/// Only generating a pair happens in KMS as a whole (CKF_HW): verifying, encrypting and hashing are
/// local.
const fn row(type_: CK_MECHANISM_TYPE, work: Work) -> Row {
    let (sizes, flags) = match work {
        Work::GenerateRsaPair => (RSA_BITS, CKF_HW | CKF_GENERATE_KEY_PAIR),
        Work::GenerateEcPair => (EC_BITS, CKF_HW | CKF_GENERATE_KEY_PAIR | EC_FLAGS),
        Work::Sign(SignatureScheme {
            padding: Padding::Ecdsa,
            ..
        }) => (EC_BITS, SIGN_FLAGS | EC_FLAGS),
        Work::Sign(_) => (RSA_BITS, SIGN_FLAGS),
        Work::EncryptOaep => (RSA_BITS, CKF_ENCRYPT | CKF_DECRYPT),
        Work::Digest(_) => (NO_KEY, CKF_DIGEST),
    };
    Row {
        type_,
        work,
        sizes,
        flags,
    }
}

const fn sign(type_: CK_MECHANISM_TYPE, padding: Padding, input: Input) -> Row {
    row(type_, Work::Sign(SignatureScheme { padding, input }))
}

const fn sign_message(type_: CK_MECHANISM_TYPE, padding: Padding, hash: Hash) -> Row {
    sign(type_, padding, Input::Message(hash))
}

static TABLE: &[Row] = &[
    row(CKM_RSA_PKCS_KEY_PAIR_GEN, Work::GenerateRsaPair),
    row(CKM_EC_KEY_PAIR_GEN, Work::GenerateEcPair),
    sign(CKM_RSA_PKCS, Padding::Pkcs1, Input::DigestInfo),
    sign_message(CKM_SHA256_RSA_PKCS, Padding::Pkcs1, Hash::Sha256),
    sign_message(CKM_SHA384_RSA_PKCS, Padding::Pkcs1, Hash::Sha384),
    sign_message(CKM_SHA512_RSA_PKCS, Padding::Pkcs1, Hash::Sha512),
    sign(CKM_RSA_PKCS_PSS, Padding::Pss, Input::Digest),
    sign_message(CKM_SHA256_RSA_PKCS_PSS, Padding::Pss, Hash::Sha256),
    sign_message(CKM_SHA384_RSA_PKCS_PSS, Padding::Pss, Hash::Sha384),
    sign_message(CKM_SHA512_RSA_PKCS_PSS, Padding::Pss, Hash::Sha512),
    row(CKM_RSA_PKCS_OAEP, Work::EncryptOaep),
    sign(CKM_ECDSA, Padding::Ecdsa, Input::Digest),
    sign_message(CKM_ECDSA_SHA1, Padding::Ecdsa, Hash::Sha1),
    sign_message(CKM_ECDSA_SHA224, Padding::Ecdsa, Hash::Sha224),
    sign_message(CKM_ECDSA_SHA256, Padding::Ecdsa, Hash::Sha256),
    sign_message(CKM_ECDSA_SHA384, Padding::Ecdsa, Hash::Sha384),
    sign_message(CKM_ECDSA_SHA512, Padding::Ecdsa, Hash::Sha512),
    row(CKM_SHA_1, Work::Digest(Hash::Sha1)),
    row(CKM_SHA224, Work::Digest(Hash::Sha224)),
    row(CKM_SHA256, Work::Digest(Hash::Sha256)),
    row(CKM_SHA384, Work::Digest(Hash::Sha384)),
    row(CKM_SHA512, Work::Digest(Hash::Sha512)),
];

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
        flags: row.flags,
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

/// The mechanisms that one half of a key can be used with.
pub(crate) fn usable_by(
    material: &KeyMaterial,
    half: Half,
) -> impl Iterator<Item = CK_MECHANISM_TYPE> {
    let (usage, key_type) = (material.usage, material.key_type());
    TABLE
        .iter()
        .filter(move |row| match row.work {
            Work::Sign(scheme) => usage == KeyUsage::SignVerify && scheme.key_type() == key_type,
            Work::EncryptOaep => usage == KeyUsage::EncryptDecrypt && key_type == CKK_RSA,
            Work::GenerateRsaPair | Work::GenerateEcPair | Work::Digest(_) => false,
        })
        .filter(move |row| match half {
            Half::Private => row.flags & (CKF_SIGN | CKF_DECRYPT) != 0,
            Half::Public => row.flags & (CKF_VERIFY | CKF_ENCRYPT) != 0,
        })
        .map(|row| row.type_)
}

/// The signature scheme that a mechanism and its parameter ask for.
pub(crate) fn signature(mechanism: Mechanism<'_>) -> Result<SignatureScheme> {
    let Work::Sign(scheme) = find(mechanism.type_)?.work else {
        return Err(unsuited(mechanism, "signs"));
    };
    match scheme.padding {
        Padding::Pss => {
            params::check_pss(mechanism, scheme.input).map(|hash| scheme.with_hash(hash))
        }
        Padding::Pkcs1 | Padding::Ecdsa => no_parameter(mechanism).map(|()| scheme),
    }
}

/// The hash of RSAES-OAEP that a mechanism and its parameter ask for.
pub(crate) fn oaep(mechanism: Mechanism<'_>) -> Result<(Hash, EncryptionAlgorithm)> {
    match find(mechanism.type_)?.work {
        Work::EncryptOaep => params::check_oaep(mechanism),
        _ => Err(unsuited(mechanism, "encrypts")),
    }
}

/// The hash of a digesting mechanism.
pub(crate) fn digest(mechanism: Mechanism<'_>) -> Result<Hash> {
    match find(mechanism.type_)?.work {
        Work::Digest(hash) => no_parameter(mechanism).map(|()| hash),
        _ => Err(unsuited(mechanism, "digests")),
    }
}

/// Refuses a parameter where the mechanism takes none.
pub(crate) fn no_parameter(mechanism: Mechanism<'_>) -> Result<()> {
    if mechanism.parameter.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        CKR_MECHANISM_PARAM_INVALID,
        format!("mechanism {:#x} takes no parameter", mechanism.type_),
    ))
}

fn unsuited(mechanism: Mechanism<'_>, verb: &str) -> Error {
    Error::new(
        CKR_MECHANISM_INVALID,
        format!("mechanism {:#x} is none that {verb}", mechanism.type_),
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
