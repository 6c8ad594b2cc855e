//! What key material is wrapped in on its way into KMS, and how it is unwrapped.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html>.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrapPadded as _};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use parking_lot::Mutex;

use crate::error::{ApiError, ApiResult};
use crate::spec::{KeySpec, MaterialKind};

/// A value of `WrappingAlgorithm`.
#[derive(Debug)]
pub(crate) struct Wrapping {
    pub(crate) name: &'static str,
    oaep: &'static OaepAlgorithm,
    /// Whether RSA carries an AES key, and that the material, by RFC 5649.
    with_aes: bool,
}

pub(crate) static WRAPPING_NAMES: [&str; 6] = [
    "RSAES_PKCS1_V1_5",
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
    "SM2PKE",
];

static WRAPPINGS: [Wrapping; 4] = [
    Wrapping {
        name: "RSAES_OAEP_SHA_1",
        oaep: &OAEP_SHA1_MGF1SHA1,
        with_aes: false,
    },
    Wrapping {
        name: "RSAES_OAEP_SHA_256",
        oaep: &OAEP_SHA256_MGF1SHA256,
        with_aes: false,
    },
    Wrapping {
        name: "RSA_AES_KEY_WRAP_SHA_1",
        oaep: &OAEP_SHA1_MGF1SHA1,
        with_aes: true,
    },
    Wrapping {
        name: "RSA_AES_KEY_WRAP_SHA_256",
        oaep: &OAEP_SHA256_MGF1SHA256,
        with_aes: true,
    },
];

impl Wrapping {
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        WRAPPINGS.iter().find(|row| row.name == name)
    }

    /// Whether material of this spec may be wrapped so, under an RSA key of this size.
    pub(crate) fn takes(&self, spec: &KeySpec, size: KeySize) -> bool {
        match spec.material {
            MaterialKind::Rsa(_) => self.with_aes,
            MaterialKind::Ec(_) if self.with_aes => true,
            MaterialKind::Ec(_) => spec.name != "ECC_NIST_P521" || size != KeySize::Rsa2048,
            MaterialKind::Secret { .. } => !self.with_aes,
            MaterialKind::Edwards25519 | MaterialKind::MlDsa(_) | MaterialKind::MlKem(_) => false,
        }
    }

    /// The material; nothing when it was not wrapped so, under this key.
    pub(crate) fn unwrap(&self, key: &WrappingKey, wrapped: &[u8]) -> Option<Vec<u8>> {
        if !self.with_aes {
            return key.decrypt(self.oaep, wrapped);
        }
        let (aes_key, wrapped) = wrapped.split_at_checked(key.size.len())?;
        let aes_key = key.decrypt(self.oaep, aes_key)?;
        let cipher = match aes_key.len() {
            16 => &AES_128,
            32 => &AES_256,
            _ => return None,
        };
        let mut material = vec![0; wrapped.len()];
        let len = AesKek::new(cipher, &aes_key)
            .and_then(|kek| Ok(kek.unwrap_with_padding(wrapped, &mut material)?.len()))
            .ok()?;
        material.truncate(len);
        Some(material)
    }
}

pub(crate) static WRAPPING_KEY_SPEC_NAMES: [&str; 4] = ["RSA_2048", "RSA_3072", "RSA_4096", "SM2"];

/// An RSA key that material is wrapped under.
pub(crate) struct WrappingKey {
    pub(crate) size: KeySize,
    private: OaepPrivateDecryptingKey,
    /// DER of a `SubjectPublicKeyInfo`.
    pub(crate) public: Vec<u8>,
}

impl WrappingKey {
    /// The wrapping key of a value of `WrappingKeySpec`; nothing where there is none.
    ///
    /// KMS makes one for each import. Here all imports of a process share one of each size, which are
    /// slow to make: the import token tells them apart all the same.
    pub(crate) fn by_spec(name: &str) -> ApiResult<Option<&'static Self>> {
        static MADE: Mutex<Vec<&'static WrappingKey>> = Mutex::new(Vec::new());
        let size = match name {
            "RSA_2048" => KeySize::Rsa2048,
            "RSA_3072" => KeySize::Rsa3072,
            "RSA_4096" => KeySize::Rsa4096,
            _ => return Ok(None),
        };
        let mut made = MADE.lock();
        if let Some(key) = made.iter().find(|key| key.size == size) {
            return Ok(Some(key));
        }
        let key = Self::generate(size).ok_or_else(|| ApiError::cryptography("Key generation"))?;
        let key: &'static Self = Box::leak(Box::new(key));
        made.push(key);
        Ok(Some(key))
    }

    fn generate(size: KeySize) -> Option<Self> {
        let key = PrivateDecryptingKey::generate(size).ok()?;
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
        Some(Self {
            size,
            public: public.as_ref().to_vec(),
            private: OaepPrivateDecryptingKey::new(key).ok()?,
        })
    }

    fn decrypt(&self, oaep: &'static OaepAlgorithm, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; self.private.min_output_size()];
        let decrypted = self.private.decrypt(oaep, ciphertext, &mut out, None);
        let len = decrypted.ok()?.len();
        out.truncate(len);
        Some(out)
    }
}

/// Never the key itself.
impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappingKey")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
