//! Mechanisms with their parameters, and hashes under the names that they have there.

use std::ffi::c_void;
use std::ptr;

use cryptoki_sys::*;

/// A hash under all of its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hash {
    /// Python's.
    pub(crate) name: &'static str,
    /// Bytes of a digest.
    pub(crate) len: usize,
    pub(crate) mechanism: CK_MECHANISM_TYPE,
    pub(crate) mgf: CK_RSA_PKCS_MGF_TYPE,
    /// The contents of its OBJECT IDENTIFIER in DER.
    oid: &'static [u8],
}

pub(crate) const SHA_1: Hash = Hash {
    name: "sha1",
    len: 20,
    mechanism: CKM_SHA_1,
    mgf: CKG_MGF1_SHA1,
    oid: b"\x2b\x0e\x03\x02\x1a",
};

pub(crate) const SHA_224: Hash = Hash {
    name: "sha224",
    len: 28,
    mechanism: CKM_SHA224,
    mgf: CKG_MGF1_SHA224,
    oid: b"\x60\x86\x48\x01\x65\x03\x04\x02\x04",
};

pub(crate) const SHA_256: Hash = Hash {
    name: "sha256",
    len: 32,
    mechanism: CKM_SHA256,
    mgf: CKG_MGF1_SHA256,
    oid: b"\x60\x86\x48\x01\x65\x03\x04\x02\x01",
};

pub(crate) const SHA_384: Hash = Hash {
    name: "sha384",
    len: 48,
    mechanism: CKM_SHA384,
    mgf: CKG_MGF1_SHA384,
    oid: b"\x60\x86\x48\x01\x65\x03\x04\x02\x02",
};

pub(crate) const SHA_512: Hash = Hash {
    name: "sha512",
    len: 64,
    mechanism: CKM_SHA512,
    mgf: CKG_MGF1_SHA512,
    oid: b"\x60\x86\x48\x01\x65\x03\x04\x02\x03",
};

/// A hash that KMS does not sign with, though its digests are as long as those of SHA-256.
pub(crate) const SHA3_256: Hash = Hash {
    name: "sha3_256",
    len: 32,
    mechanism: CKM_SHA3_256,
    mgf: CKG_MGF1_SHA3_256,
    oid: b"\x60\x86\x48\x01\x65\x03\x04\x02\x08",
};

impl Hash {
    /// The DigestInfo of this hash over whatever is given as its digest, up to 64 bytes.
    pub(crate) fn digest_info(&self, digest: &[u8]) -> Vec<u8> {
        let algorithm = der(0x30, &[der(0x06, self.oid), der(0x05, &[])].concat());
        der(0x30, &[algorithm, der(0x04, digest)].concat())
    }
}

/// One DER element of up to 127 bytes.
pub(crate) fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let len = u8::try_from(contents.len()).unwrap();
    assert!(len < 0x80, "the long form of lengths is not needed here");
    [&[tag, len], contents].concat()
}

/// A mechanism with its parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mechanism {
    pub(crate) type_: CK_MECHANISM_TYPE,
    parameter: Parameter,
}

#[derive(Clone, Copy, Debug)]
enum Parameter {
    None,
    Pss(CK_RSA_PKCS_PSS_PARAMS),
    Oaep(CK_RSA_PKCS_OAEP_PARAMS),
    /// Bytes that are never freed: a test's process is short.
    Leaked(&'static [u8]),
    EdDsa(CK_EDDSA_PARAMS),
    Sign(CK_SIGN_ADDITIONAL_CONTEXT),
    HashSign(CK_HASH_SIGN_ADDITIONAL_CONTEXT),
    MacLen(CK_MAC_GENERAL_PARAMS),
}

impl Mechanism {
    /// A mechanism without a parameter.
    pub(crate) const fn plain(type_: CK_MECHANISM_TYPE) -> Self {
        Self {
            type_,
            parameter: Parameter::None,
        }
    }

    /// RSASSA-PSS, as KMS has it: one hash for all, and a salt of its length.
    pub(crate) fn pss(type_: CK_MECHANISM_TYPE, hash: &Hash) -> Self {
        Self::pss_with(type_, hash.mechanism, hash.mgf, hash.len)
    }

    /// RSASSA-PSS with any parameters.
    pub(crate) fn pss_with(
        type_: CK_MECHANISM_TYPE,
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        salt_len: usize,
    ) -> Self {
        Self {
            type_,
            parameter: Parameter::Pss(CK_RSA_PKCS_PSS_PARAMS {
                hashAlg: hash,
                mgf,
                sLen: salt_len as CK_ULONG,
            }),
        }
    }

    /// RSAES-OAEP, as KMS has it: one hash for all, and no label.
    pub(crate) fn oaep(hash: &Hash) -> Self {
        Self::oaep_with(hash.mechanism, hash.mgf, &[])
    }

    /// RSAES-OAEP with any parameters.
    pub(crate) fn oaep_with(
        hash: CK_MECHANISM_TYPE,
        mgf: CK_RSA_PKCS_MGF_TYPE,
        label: &'static [u8],
    ) -> Self {
        Self {
            type_: CKM_RSA_PKCS_OAEP,
            parameter: Parameter::Oaep(CK_RSA_PKCS_OAEP_PARAMS {
                hashAlg: hash,
                mgf,
                source: CKZ_DATA_SPECIFIED,
                pSourceData: start(label).cast(),
                ulSourceDataLen: label.len() as CK_ULONG,
            }),
        }
    }

    /// RSA AES key wrap, as KMS can undo it: one hash for all of RSAES-OAEP, and no label.
    pub(crate) fn rsa_aes(aes_bits: CK_ULONG, hash: &Hash) -> Self {
        let oaep = Box::leak(Box::new(CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: hash.mechanism,
            mgf: hash.mgf,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: ptr::null_mut(),
            ulSourceDataLen: 0,
        }));
        Self::with_structure(
            CKM_RSA_AES_KEY_WRAP,
            CK_RSA_AES_KEY_WRAP_PARAMS {
                ulAESKeyBits: aes_bits,
                pOAEPParams: oaep,
            },
        )
    }

    /// A mechanism whose parameter is these bytes.
    pub(crate) fn with_bytes(type_: CK_MECHANISM_TYPE, bytes: &[u8]) -> Self {
        Self {
            type_,
            parameter: Parameter::Leaked(leaked(bytes)),
        }
    }

    /// A mechanism whose parameter is this structure of integers, and of pointers to leaked bytes.
    pub(super) fn with_structure<T: Copy>(type_: CK_MECHANISM_TYPE, structure: T) -> Self {
        let structure = Box::leak(Box::new(structure));
        let start = ptr::from_ref(structure).cast::<u8>();
        // SAFETY: the structures of PKCS#11 have no padding that these tests' target would leave
        // unwritten, and this one is never freed.
        let bytes = unsafe { std::slice::from_raw_parts(start, size_of::<T>()) };
        Self {
            type_,
            parameter: Parameter::Leaked(bytes),
        }
    }

    /// CKM_EDDSA with a parameter.
    pub(crate) fn eddsa_with(prehash: bool, context: &'static [u8]) -> Self {
        Self {
            type_: CKM_EDDSA,
            parameter: Parameter::EdDsa(CK_EDDSA_PARAMS {
                phFlag: prehash.into(),
                ulContextDataLen: context.len() as CK_ULONG,
                pContextData: start(context),
            }),
        }
    }

    /// ML-DSA or HashML-DSA of a message with its parameter.
    pub(crate) fn ml_dsa_with(
        type_: CK_MECHANISM_TYPE,
        hedge: CK_ULONG,
        context: &'static [u8],
    ) -> Self {
        Self {
            type_,
            parameter: Parameter::Sign(CK_SIGN_ADDITIONAL_CONTEXT {
                hedgeVariant: hedge,
                pContext: start(context),
                ulContextLen: context.len() as CK_ULONG,
            }),
        }
    }

    /// HashML-DSA of a digest.
    pub(crate) fn hash_ml_dsa(hash: CK_MECHANISM_TYPE, context: &'static [u8]) -> Self {
        Self {
            type_: CKM_HASH_ML_DSA,
            parameter: Parameter::HashSign(CK_HASH_SIGN_ADDITIONAL_CONTEXT {
                hedgeVariant: CKH_HEDGE_PREFERRED,
                pContext: start(context),
                ulContextLen: context.len() as CK_ULONG,
                hash,
            }),
        }
    }

    /// HMAC of which so many bytes are wanted.
    pub(crate) const fn hmac_general(type_: CK_MECHANISM_TYPE, len: CK_ULONG) -> Self {
        Self {
            type_,
            parameter: Parameter::MacLen(len),
        }
    }

    /// The same parameter under another mechanism's type.
    pub(crate) const fn typed(self, type_: CK_MECHANISM_TYPE) -> Self {
        Self { type_, ..self }
    }

    /// In C's form, which borrows from this.
    pub(super) fn as_c(&self) -> CK_MECHANISM {
        let (parameter, len) = match &self.parameter {
            Parameter::None => (ptr::null::<c_void>(), 0),
            Parameter::Pss(pss) => (ptr::from_ref(pss).cast(), size_of_val(pss)),
            Parameter::Oaep(oaep) => (ptr::from_ref(oaep).cast(), size_of_val(oaep)),
            Parameter::Leaked(bytes) => (bytes.as_ptr().cast(), bytes.len()),
            Parameter::EdDsa(eddsa) => (ptr::from_ref(eddsa).cast(), size_of_val(eddsa)),
            Parameter::Sign(sign) => (ptr::from_ref(sign).cast(), size_of_val(sign)),
            Parameter::HashSign(sign) => (ptr::from_ref(sign).cast(), size_of_val(sign)),
            Parameter::MacLen(len) => (ptr::from_ref(len).cast(), size_of_val(len)),
        };
        CK_MECHANISM {
            mechanism: self.type_,
            pParameter: parameter.cast_mut(),
            ulParameterLen: len as CK_ULONG,
        }
    }
}

/// A copy of bytes that is never freed.
pub(super) fn leaked(bytes: &[u8]) -> &'static [u8] {
    bytes.to_vec().leak()
}

/// NULL for no bytes.
fn start(bytes: &'static [u8]) -> CK_BYTE_PTR {
    if bytes.is_empty() {
        ptr::null_mut()
    } else {
        bytes.as_ptr().cast_mut()
    }
}
