//! Mechanism parameters from C: structures become values, and their pointers slices.

use std::ptr;

use pkcs11_sys::*;

use super::memory::input;
use super::v3_2::{CK_HASH_SIGN_ADDITIONAL_CONTEXT, CK_SIGN_ADDITIONAL_CONTEXT};
use crate::error::Result;
use crate::mechanism::parameter::{Parameter, Shape};
use crate::mechanism::{Mechanism, parameter_shape};
use crate::vendor::{KMS_PKCS11_REENCRYPT_PARAMS, KMS_PKCS11_SYMMETRIC_PARAMS};

/// The mechanism with its parameter, as its type has it. A parameter that is not the structure it should be
/// stays a fact for the mechanism to refuse: what a function checks first is its own business.
///
/// # Safety
///
/// The parameter is NULL or valid for reading its length; where it is the structure that the specification
/// has for the mechanism, so are the structure's pointers, all for `'a`.
pub(super) unsafe fn mechanism<'a>(mechanism: &CK_MECHANISM) -> Mechanism<'a> {
    let type_ = mechanism.mechanism;
    // SAFETY: by this function's contract.
    let parameter = unsafe { read(mechanism, parameter_shape(type_)) };
    Mechanism { type_, parameter }
}

/// # Safety
///
/// As of [`mechanism`].
unsafe fn read<'a>(mechanism: &CK_MECHANISM, shape: Shape) -> Parameter<'a> {
    let len = usize::try_from(mechanism.ulParameterLen).unwrap_or(usize::MAX);
    // SAFETY: by this function's contract.
    let bytes = unsafe {
        input(
            mechanism.pParameter.cast::<u8>().cast_const(),
            mechanism.ulParameterLen,
        )
    };
    match bytes {
        Ok([]) => Parameter::None,
        // SAFETY: by this function's contract.
        Ok(bytes) => unsafe { parse(bytes, shape) }.unwrap_or(Parameter::Malformed(len)),
        Err(_) => Parameter::Malformed(len),
    }
}

/// `None` for what is not the structure.
///
/// # Safety
///
/// Where `bytes` are the structure of this shape, its pointers are NULL or valid for `'a`.
unsafe fn parse<'a>(bytes: &'a [u8], shape: Shape) -> Option<Parameter<'a>> {
    let slice = |pointer: CK_BYTE_PTR, len: CK_ULONG| -> Result<&'a [u8]> {
        // SAFETY: by this function's contract.
        unsafe { input(pointer.cast_const(), len) }
    };
    Some(match shape {
        Shape::None => return None,
        Shape::Bytes => Parameter::Bytes(bytes),
        Shape::Ulong => Parameter::Ulong(structure(bytes)?),
        Shape::Pss => {
            let params: CK_RSA_PKCS_PSS_PARAMS = structure(bytes)?;
            Parameter::Pss {
                hash: params.hashAlg,
                mgf: params.mgf,
                salt_len: params.sLen,
            }
        }
        Shape::Oaep => {
            let params: CK_RSA_PKCS_OAEP_PARAMS = structure(bytes)?;
            Parameter::Oaep {
                hash: params.hashAlg,
                mgf: params.mgf,
                source: params.source,
                label: slice(params.pSourceData.cast(), params.ulSourceDataLen).ok()?,
            }
        }
        Shape::RsaAes => {
            let params: CK_RSA_AES_KEY_WRAP_PARAMS = structure(bytes)?;
            let len = size_of::<CK_RSA_PKCS_OAEP_PARAMS>() as CK_ULONG;
            let oaep: CK_RSA_PKCS_OAEP_PARAMS =
                structure(slice(params.pOAEPParams.cast(), len).ok()?)?;
            Parameter::RsaAes {
                aes_bits: params.ulAESKeyBits,
                hash: oaep.hashAlg,
                mgf: oaep.mgf,
                source: oaep.source,
                label: slice(oaep.pSourceData.cast(), oaep.ulSourceDataLen).ok()?,
            }
        }
        Shape::EdDsa => {
            let params: CK_EDDSA_PARAMS = structure(bytes)?;
            Parameter::EdDsa {
                prehash: params.phFlag != CK_FALSE,
                context: slice(params.pContextData, params.ulContextDataLen).ok()?,
            }
        }
        Shape::SignContext => {
            let params: CK_SIGN_ADDITIONAL_CONTEXT = structure(bytes)?;
            Parameter::SignContext {
                hedge: params.hedgeVariant,
                context: slice(params.pContext, params.ulContextLen).ok()?,
            }
        }
        Shape::HashSignContext => {
            let params: CK_HASH_SIGN_ADDITIONAL_CONTEXT = structure(bytes)?;
            Parameter::HashSignContext {
                hedge: params.hedgeVariant,
                context: slice(params.pContext, params.ulContextLen).ok()?,
                hash: params.hash,
            }
        }
        Shape::AesCtr => {
            let params: CK_AES_CTR_PARAMS = structure(bytes)?;
            Parameter::AesCtr {
                counter_bits: params.ulCounterBits,
                block: params.cb,
            }
        }
        Shape::Gcm => {
            let params: CK_GCM_PARAMS = structure(bytes)?;
            Parameter::Gcm {
                iv: slice(params.pIv, params.ulIvLen).ok()?,
                aad: slice(params.pAAD, params.ulAADLen).ok()?,
                tag_bits: params.ulTagBits,
            }
        }
        Shape::Ecdh => {
            let params: CK_ECDH1_DERIVE_PARAMS = structure(bytes)?;
            Parameter::Ecdh {
                kdf: params.kdf,
                shared: slice(params.pSharedData, params.ulSharedDataLen).ok()?,
                public: slice(params.pPublicData, params.ulPublicDataLen).ok()?,
            }
        }
        Shape::Hkdf => {
            let params: CK_HKDF_PARAMS = structure(bytes)?;
            Parameter::Hkdf {
                extract: params.bExtract != CK_FALSE,
                expand: params.bExpand != CK_FALSE,
                hash: params.prfHashMechanism,
                salt_type: params.ulSaltType,
                salt: slice(params.pSalt, params.ulSaltLen).ok()?,
                salt_key: params.hSaltKey,
                info: slice(params.pInfo, params.ulInfoLen).ok()?,
            }
        }
        // SAFETY: by this function's contract.
        Shape::KmsSymmetric | Shape::KmsReEncrypt => unsafe { parse_vendor(bytes, shape) }?,
    })
}

/// The same for the structures of the module's own, in which a NULL pointer says something else than no bytes.
///
/// # Safety
///
/// As of [`parse`].
unsafe fn parse_vendor<'a>(bytes: &'a [u8], shape: Shape) -> Option<Parameter<'a>> {
    let context = |pointer: CK_BYTE_PTR, len: CK_ULONG| -> Option<Option<&'a [u8]>> {
        // SAFETY: by this function's contract.
        let bytes = unsafe { input(pointer.cast_const(), len) }.ok()?;
        Some((!pointer.is_null()).then_some(bytes))
    };
    match shape {
        Shape::KmsSymmetric => {
            let params: KMS_PKCS11_SYMMETRIC_PARAMS = structure(bytes)?;
            Some(Parameter::KmsSymmetric {
                key: params.hKey,
                context: context(params.pContext, params.ulContextLen)?,
            })
        }
        Shape::KmsReEncrypt => {
            let params: KMS_PKCS11_REENCRYPT_PARAMS = structure(bytes)?;
            Some(Parameter::KmsReEncrypt {
                source_key: params.hSourceKey,
                source: context(params.pSourceContext, params.ulSourceContextLen)?,
                destination: context(params.pContext, params.ulContextLen)?,
            })
        }
        _ => None,
    }
}

/// A type that any bytes of its size are a value of.
///
/// # Safety
///
/// Every bit pattern is valid for the type: integers, pointers, and structures of these alone.
pub(super) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type_:ty)+) => {
        $(
            // SAFETY: integers, pointers, or a C structure of these.
            unsafe impl Plain for $type_ {}
        )+
    };
}

plain! {
    CK_ULONG CK_RSA_PKCS_PSS_PARAMS CK_RSA_PKCS_OAEP_PARAMS CK_RSA_AES_KEY_WRAP_PARAMS CK_EDDSA_PARAMS
    CK_SIGN_ADDITIONAL_CONTEXT CK_HASH_SIGN_ADDITIONAL_CONTEXT CK_AES_CTR_PARAMS CK_GCM_PARAMS
    CK_GCM_MESSAGE_PARAMS CK_ECDH1_DERIVE_PARAMS CK_HKDF_PARAMS
    KMS_PKCS11_SYMMETRIC_PARAMS KMS_PKCS11_REENCRYPT_PARAMS
}

/// The structure that the bytes are, wherever they lie.
pub(super) fn structure<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() != size_of::<T>() {
        return None;
    }
    // SAFETY: `bytes` are as many as a `T` has, and any of them make one.
    Some(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}
