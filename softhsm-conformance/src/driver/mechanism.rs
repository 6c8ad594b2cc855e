//! Mechanisms in the form in which C wants them, alive as long as the call.

use std::ffi::c_void;
use std::ptr;

use cryptoki_sys::*;

use crate::arguments::{Mechanism, Parameter};

/// A `CK_MECHANISM` with its parameter, or NULL.
pub(super) struct RawMechanism {
    raw: Option<CK_MECHANISM>,
    parameter: RawParameter,
}

enum RawParameter {
    Elsewhere(*mut c_void, CK_ULONG),
    Pss(CK_RSA_PKCS_PSS_PARAMS),
    Oaep(CK_RSA_PKCS_OAEP_PARAMS),
    Number(CK_ULONG),
    Gcm(CK_GCM_PARAMS),
    Ctr(CK_AES_CTR_PARAMS),
    Ecdh(CK_ECDH1_DERIVE_PARAMS),
    Hkdf(CK_HKDF_PARAMS),
    EdDsa(CK_EDDSA_PARAMS),
    SignContext(CK_SIGN_ADDITIONAL_CONTEXT),
}

impl RawMechanism {
    pub(super) fn new(mechanism: Option<Mechanism>) -> Self {
        let raw = mechanism.map(|mechanism| CK_MECHANISM {
            mechanism: mechanism.kind,
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        });
        let parameter = mechanism.map_or(Parameter::None, |mechanism| mechanism.parameter);
        Self {
            raw,
            parameter: RawParameter::new(parameter),
        }
    }

    /// The mechanism, pointing to its parameter where that is now.
    pub(super) fn pointer(&mut self) -> *mut CK_MECHANISM {
        let Some(raw) = &mut self.raw else {
            return ptr::null_mut();
        };
        (raw.pParameter, raw.ulParameterLen) = self.parameter.parts();
        raw
    }
}

impl RawParameter {
    fn new(parameter: Parameter) -> Self {
        match parameter {
            Parameter::None => Self::Elsewhere(ptr::null_mut(), 0),
            Parameter::Null(length) => Self::Elsewhere(ptr::null_mut(), length),
            Parameter::Bytes(bytes) => {
                Self::Elsewhere(bytes.as_ptr().cast_mut().cast(), bytes.len() as CK_ULONG)
            }
            Parameter::Pss { hash, mgf, salt } => Self::Pss(CK_RSA_PKCS_PSS_PARAMS {
                hashAlg: hash,
                mgf,
                sLen: salt,
            }),
            Parameter::Oaep {
                hash,
                mgf,
                source,
                label,
            } => {
                let (data, length) = label.parts();
                Self::Oaep(CK_RSA_PKCS_OAEP_PARAMS {
                    hashAlg: hash,
                    mgf,
                    source,
                    pSourceData: data.cast(),
                    ulSourceDataLen: length,
                })
            }
            Parameter::Number(number) => Self::Number(number),
            Parameter::Gcm { iv, aad, tag_bits } => Self::Gcm(CK_GCM_PARAMS {
                pIv: pointer(iv),
                ulIvLen: iv.len() as CK_ULONG,
                ulIvBits: 8 * iv.len() as CK_ULONG,
                pAAD: pointer(aad),
                ulAADLen: aad.len() as CK_ULONG,
                ulTagBits: tag_bits,
            }),
            Parameter::Ctr { bits, block } => Self::Ctr(CK_AES_CTR_PARAMS {
                ulCounterBits: bits,
                cb: block,
            }),
            Parameter::Ecdh {
                kdf,
                shared,
                public,
            } => Self::Ecdh(CK_ECDH1_DERIVE_PARAMS {
                kdf,
                ulSharedDataLen: shared.len() as CK_ULONG,
                pSharedData: pointer(shared),
                ulPublicDataLen: public.len() as CK_ULONG,
                pPublicData: pointer(public),
            }),
            Parameter::Hkdf { hash, salt, info } => Self::Hkdf(CK_HKDF_PARAMS {
                bExtract: CK_TRUE,
                bExpand: CK_TRUE,
                prfHashMechanism: hash,
                ulSaltType: CKF_HKDF_SALT_DATA,
                pSalt: pointer(salt),
                ulSaltLen: salt.len() as CK_ULONG,
                hSaltKey: CK_INVALID_HANDLE,
                pInfo: pointer(info),
                ulInfoLen: info.len() as CK_ULONG,
            }),
            Parameter::EdDsa { prehash, context } => Self::EdDsa(CK_EDDSA_PARAMS {
                phFlag: CK_BBOOL::from(prehash),
                ulContextDataLen: context.len() as CK_ULONG,
                pContextData: pointer(context),
            }),
            Parameter::SignContext { hedge, context } => {
                Self::SignContext(CK_SIGN_ADDITIONAL_CONTEXT {
                    hedgeVariant: hedge,
                    pContext: pointer(context),
                    ulContextLen: context.len() as CK_ULONG,
                })
            }
        }
    }

    fn parts(&mut self) -> (*mut c_void, CK_ULONG) {
        match self {
            Self::Elsewhere(pointer, length) => (*pointer, *length),
            Self::Pss(raw) => structure(raw),
            Self::Oaep(raw) => structure(raw),
            Self::Number(raw) => structure(raw),
            Self::Gcm(raw) => structure(raw),
            Self::Ctr(raw) => structure(raw),
            Self::Ecdh(raw) => structure(raw),
            Self::Hkdf(raw) => structure(raw),
            Self::EdDsa(raw) => structure(raw),
            Self::SignContext(raw) => structure(raw),
        }
    }
}

fn structure<T>(raw: &mut T) -> (*mut c_void, CK_ULONG) {
    (ptr::from_mut(raw).cast(), size_of::<T>() as CK_ULONG)
}

/// Where bytes are: nowhere when there are none.
fn pointer(bytes: &'static [u8]) -> *mut u8 {
    match bytes {
        [] => ptr::null_mut(),
        _ => bytes.as_ptr().cast_mut(),
    }
}
