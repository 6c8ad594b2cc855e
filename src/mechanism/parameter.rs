//! Mechanism parameters as values: the structures of the specification, their pointers followed.

use pkcs11_sys::*;

use super::Mechanism;
use crate::error::{Error, Result};

/// The structure that a mechanism's parameter has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No parameter.
    None,
    /// CK_RSA_PKCS_PSS_PARAMS.
    Pss,
    /// CK_RSA_PKCS_OAEP_PARAMS.
    Oaep,
    /// CK_RSA_AES_KEY_WRAP_PARAMS.
    RsaAes,
    /// CK_EDDSA_PARAMS, or none.
    EdDsa,
    /// CK_SIGN_ADDITIONAL_CONTEXT, or none.
    SignContext,
    /// CK_HASH_SIGN_ADDITIONAL_CONTEXT.
    HashSignContext,
    /// CK_MAC_GENERAL_PARAMS: one CK_ULONG.
    Ulong,
    /// Bytes, such as an initialisation vector, or none.
    Bytes,
    /// CK_AES_CTR_PARAMS.
    AesCtr,
    /// CK_GCM_PARAMS.
    Gcm,
    /// CK_ECDH1_DERIVE_PARAMS.
    Ecdh,
    /// CK_HKDF_PARAMS.
    Hkdf,
    /// KMS_PKCS11_SYMMETRIC_PARAMS, or none.
    KmsSymmetric,
    /// KMS_PKCS11_REENCRYPT_PARAMS, or none.
    KmsReEncrypt,
}

/// A caller's parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter<'a> {
    None,
    Pss {
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        /// In bytes.
        salt_len: CK_ULONG,
    },
    Oaep {
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        source: CK_RSA_PKCS_OAEP_SOURCE_TYPE,
        label: &'a [u8],
    },
    RsaAes {
        aes_bits: CK_ULONG,
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        source: CK_RSA_PKCS_OAEP_SOURCE_TYPE,
        label: &'a [u8],
    },
    EdDsa {
        prehash: bool,
        context: &'a [u8],
    },
    SignContext {
        hedge: CK_ULONG,
        context: &'a [u8],
    },
    HashSignContext {
        hedge: CK_ULONG,
        context: &'a [u8],
        hash: CK_MECHANISM_TYPE,
    },
    Ulong(CK_ULONG),
    Bytes(&'a [u8]),
    AesCtr {
        counter_bits: CK_ULONG,
        block: [u8; 16],
    },
    Gcm {
        iv: &'a [u8],
        aad: &'a [u8],
        tag_bits: CK_ULONG,
    },
    Ecdh {
        kdf: CK_EC_KDF_TYPE,
        shared: &'a [u8],
        public: &'a [u8],
    },
    Hkdf {
        extract: bool,
        expand: bool,
        hash: CK_MECHANISM_TYPE,
        salt_type: CK_ULONG,
        salt: &'a [u8],
        salt_key: CK_OBJECT_HANDLE,
        info: &'a [u8],
    },
    KmsSymmetric {
        key: CK_OBJECT_HANDLE,
        /// `None` for a NULL pointer.
        context: Option<&'a [u8]>,
    },
    KmsReEncrypt {
        source_key: CK_OBJECT_HANDLE,
        /// `None` for a NULL pointer, as in the next one.
        source: Option<&'a [u8]>,
        destination: Option<&'a [u8]>,
    },
    /// Not the structure that the mechanism takes: bytes of this number, or with bad pointers.
    Malformed(usize),
}

impl Mechanism<'_> {
    /// Refuses a parameter where the mechanism takes none.
    pub(crate) fn check_no_parameter(self) -> Result<()> {
        match self.parameter {
            Parameter::None => Ok(()),
            _ => Err(Error::new(
                CKR_MECHANISM_PARAM_INVALID,
                format!("mechanism {:#x} takes no parameter", self.type_),
            )),
        }
    }

    /// The error for a parameter that the mechanism cannot use; `advice` tells what it takes.
    pub(crate) fn bad_parameter(self, advice: &str) -> Error {
        let what = match self.parameter {
            Parameter::None => "has no parameter".to_owned(),
            Parameter::Malformed(len) => {
                format!("has a parameter of {len} bytes that is not its structure")
            }
            _ => "has a parameter that cannot be served".to_owned(),
        };
        Error::new(
            CKR_MECHANISM_PARAM_INVALID,
            format!("mechanism {:#x} {what}: {advice}", self.type_),
        )
    }
}
