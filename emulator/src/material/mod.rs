//! Key material: the private half of a key, parsed once, and what it computes.

mod edwards;
mod ml_dsa;
mod ml_kem;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::agreement::{self, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{
    KeyPair as RsaKeyPair, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::{
    EcdsaKeyPair, EcdsaVerificationAlgorithm, KeyPair as _, UnparsedPublicKey,
};

use parking_lot::Mutex;

use self::edwards::EdwardsKey;
use self::ml_dsa::MlDsaKey;
pub(crate) use self::ml_dsa::{ML_DSA_44, ML_DSA_65, ML_DSA_87, MU_LEN, MlDsaParameters};
use self::ml_kem::MlKemKey;
pub(crate) use self::ml_kem::{Encapsulated, ML_KEM_512, ML_KEM_768, ML_KEM_1024, MlKemParameters};
use crate::algorithm::Signable::{Digest, Message, Mu};
use crate::algorithm::{MacAlgorithm, Signable, SignatureScheme as Scheme, SigningAlgorithm};
use crate::error::{ApiError, ApiResult};
use crate::random;
use crate::spec::{KeySpec, KeyUsage, MaterialKind};

/// The private half of a key and, for an asymmetric one, the DER of its public half.
#[derive(Debug)]
pub(crate) struct Material {
    private: Private,
    /// DER of a `SubjectPublicKeyInfo`.
    public: Option<Vec<u8>>,
}

enum Private {
    Rsa {
        sign: RsaKeyPair,
        decrypt: OaepPrivateDecryptingKey,
        encrypt: OaepPublicEncryptingKey,
    },
    Ec(EcdsaKeyPair),
    Agreement(PrivateKey),
    Edwards(Box<EdwardsKey>),
    MlDsa(Box<dyn MlDsaKey>),
    MlKem(MlKemKey),
    Secret(Vec<u8>),
}

/// The material or what was to be made of it is unusable.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the key material does not fit its key spec")]
pub(crate) struct BadMaterial;

impl Material {
    /// Makes new material. RSA takes from a tenth of a second to seconds.
    pub(crate) fn generate(spec: &KeySpec, usage: KeyUsage) -> ApiResult<Self> {
        let made = match spec.material {
            MaterialKind::Ec(_) if usage == KeyUsage::KeyAgreement => curve(spec)
                .and_then(|curve| PrivateKey::generate(curve).map_err(|_| BadMaterial))
                .and_then(Self::agreement),
            MaterialKind::Rsa(size) => PrivateDecryptingKey::generate(size)
                .map_err(|_| BadMaterial)
                .and_then(Self::rsa),
            MaterialKind::Ec(curve) => EcdsaKeyPair::generate(curve)
                .map_err(|_| BadMaterial)
                .and_then(Self::ec),
            MaterialKind::Edwards25519 => EdwardsKey::generate().and_then(Self::edwards),
            MaterialKind::MlDsa(parameters) => (parameters.generate)().and_then(Self::ml_dsa),
            MaterialKind::MlKem(parameters) => {
                MlKemKey::generate(parameters).and_then(Self::ml_kem)
            }
            MaterialKind::Secret { len } => {
                let mut secret = vec![0; len];
                random::fill(&mut secret)?;
                Ok(Self::secret(secret))
            }
        };
        made.map_err(|BadMaterial| ApiError::cryptography("Key generation"))
    }

    /// The same material for every key of a spec, made by the first.
    pub(crate) fn used_before(spec: &KeySpec, usage: KeyUsage) -> ApiResult<Arc<Self>> {
        static MADE: Mutex<BTreeMap<&str, Arc<Material>>> = Mutex::new(BTreeMap::new());
        let mut made = MADE.lock();
        if let Some(material) = made.get(spec.name) {
            return Ok(Arc::clone(material));
        }
        let material = Arc::new(Self::generate(spec, usage)?);
        made.insert(spec.name, Arc::clone(&material));
        Ok(material)
    }

    /// Reads what [`Material::to_bytes`] wrote.
    pub(crate) fn from_bytes(
        spec: &KeySpec,
        usage: KeyUsage,
        bytes: &[u8],
    ) -> Result<Self, BadMaterial> {
        match spec.material {
            MaterialKind::Ec(_) if usage == KeyUsage::KeyAgreement => {
                PrivateKey::from_private_key_der(curve(spec)?, bytes)
                    .map_err(|_| BadMaterial)
                    .and_then(Self::agreement)
            }
            MaterialKind::Rsa(size) => {
                let key = PrivateDecryptingKey::from_pkcs8(bytes).map_err(|_| BadMaterial)?;
                if key.key_size_bytes() != size.len() {
                    return Err(BadMaterial);
                }
                Self::rsa(key)
            }
            MaterialKind::Ec(curve) => EcdsaKeyPair::from_pkcs8(curve, bytes)
                .map_err(|_| BadMaterial)
                .and_then(Self::ec),
            MaterialKind::Edwards25519 => EdwardsKey::from_pkcs8(bytes).and_then(Self::edwards),
            MaterialKind::MlDsa(parameters) => {
                (parameters.from_pkcs8)(bytes).and_then(Self::ml_dsa)
            }
            MaterialKind::MlKem(parameters) => {
                MlKemKey::from_pkcs8(parameters, bytes).and_then(Self::ml_kem)
            }
            MaterialKind::Secret { len } if bytes.len() == len => Ok(Self::secret(bytes.to_vec())),
            MaterialKind::Secret { .. } => Err(BadMaterial),
        }
    }

    /// PKCS#8 of an asymmetric key, the bytes of a secret one.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, BadMaterial> {
        match &self.private {
            Private::Rsa { sign, .. } => {
                let der: Pkcs8V1Der<'_> = sign.as_der().map_err(|_| BadMaterial)?;
                Ok(der.as_ref().to_vec())
            }
            Private::Ec(key) => Ok(key.to_pkcs8v1().map_err(|_| BadMaterial)?.as_ref().to_vec()),
            Private::Agreement(key) => {
                let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| BadMaterial)?;
                Ok(der.as_ref().to_vec())
            }
            Private::Edwards(key) => key.to_pkcs8(),
            Private::MlDsa(key) => Ok(key.to_pkcs8()),
            Private::MlKem(key) => key.to_pkcs8(),
            Private::Secret(secret) => Ok(secret.clone()),
        }
    }

    /// DER of the `SubjectPublicKeyInfo`; nothing for a secret key.
    pub(crate) fn public_key(&self) -> Option<&[u8]> {
        self.public.as_deref()
    }

    /// Signs as KMS encodes it: RSA in the modulus' length, ECDSA as a DER SEQUENCE of r and s.
    pub(crate) fn sign(
        &self,
        algorithm: &SigningAlgorithm,
        message: &Signable<'_>,
    ) -> ApiResult<Vec<u8>> {
        let signature = match (&self.private, algorithm.scheme, message) {
            (Private::Rsa { sign, .. }, Scheme::Rsa { sign: encoding, .. }, Digest(digest)) => {
                let mut signature = vec![0; sign.public_modulus_len()];
                sign.sign_digest(encoding, digest, &mut signature)
                    .ok()
                    .map(|()| signature)
            }
            (Private::Ec(key), Scheme::Ecdsa { .. }, Digest(digest)) => key
                .sign_digest(digest)
                .ok()
                .map(|signature| signature.as_ref().to_vec()),
            (Private::Edwards(key), Scheme::Ed25519, Message(message)) => key.sign(message),
            (Private::Edwards(key), Scheme::Ed25519Prehashed, Message(message)) => {
                key.sign_prehashed(message)
            }
            (Private::MlDsa(key), Scheme::MlDsa, Message(message)) => {
                key.mu(message).and_then(|mu| key.sign(&mu))
            }
            (Private::MlDsa(key), Scheme::MlDsa, Mu(mu)) => key.sign(mu),
            _ => None,
        };
        signature.ok_or_else(|| ApiError::cryptography("Signing"))
    }

    pub(crate) fn verifies(
        &self,
        algorithm: &SigningAlgorithm,
        message: &Signable<'_>,
        signature: &[u8],
    ) -> bool {
        match (&self.private, algorithm.scheme, message) {
            (Private::Rsa { sign, .. }, Scheme::Rsa { verify, .. }, Digest(digest)) => {
                UnparsedPublicKey::new(verify, sign.public_key())
                    .verify_digest(digest, signature)
                    .is_ok()
            }
            (Private::Ec(key), Scheme::Ecdsa { .. }, Digest(digest)) => {
                let verify: &'static EcdsaVerificationAlgorithm = key.algorithm();
                UnparsedPublicKey::new(verify, key.public_key())
                    .verify_digest(digest, signature)
                    .is_ok()
            }
            (Private::Edwards(key), Scheme::Ed25519, Message(message)) => {
                key.verifies(message, signature)
            }
            (Private::Edwards(key), Scheme::Ed25519Prehashed, Message(message)) => {
                key.verifies_prehashed(message, signature)
            }
            (Private::MlDsa(key), Scheme::MlDsa, Message(message)) => key
                .mu(message)
                .is_some_and(|mu| key.verifies(&mu, signature)),
            (Private::MlDsa(key), Scheme::MlDsa, Mu(mu)) => key.verifies(mu, signature),
            _ => false,
        }
    }

    /// ECDH with a peer's public key in a `SubjectPublicKeyInfo`; nothing when that is not a point on this
    /// key's curve.
    pub(crate) fn agree(&self, peer: &[u8]) -> Option<Vec<u8>> {
        let Private::Agreement(key) = &self.private else {
            return None;
        };
        let peer = agreement::UnparsedPublicKey::new(key.algorithm(), peer);
        let peer = ParsedPublicKey::try_from(peer).ok()?;
        // A point without its curve would do for the library, not for KMS.
        if peer.format() != ParsedPublicKeyFormat::X509 {
            return None;
        }
        agreement::agree(key, peer, (), |secret| Ok(secret.to_vec())).ok()
    }

    pub(crate) fn encapsulate(&self) -> ApiResult<Encapsulated> {
        let encapsulated = match &self.private {
            Private::MlKem(key) => key.encapsulate(),
            _ => None,
        };
        encapsulated.ok_or_else(|| ApiError::cryptography("Encapsulation"))
    }

    /// The secret of a ciphertext; nothing when its length is wrong.
    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        match &self.private {
            Private::MlKem(key) => key.decapsulate(ciphertext),
            _ => None,
        }
    }

    pub(crate) fn mac(&self, algorithm: &MacAlgorithm, message: &[u8]) -> ApiResult<Vec<u8>> {
        let Private::Secret(secret) = &self.private else {
            return Err(ApiError::cryptography("The MAC"));
        };
        let key = hmac::Key::new(algorithm.hmac, secret);
        Ok(hmac::sign(&key, message).as_ref().to_vec())
    }

    pub(crate) fn verifies_mac(
        &self,
        algorithm: &MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> bool {
        let Private::Secret(secret) = &self.private else {
            return false;
        };
        let key = hmac::Key::new(algorithm.hmac, secret);
        hmac::verify(&key, message, mac).is_ok()
    }

    /// Bytes of the modulus of an RSA key.
    pub(crate) fn modulus_len(&self) -> Option<usize> {
        match &self.private {
            Private::Rsa { sign, .. } => Some(sign.public_modulus_len()),
            _ => None,
        }
    }

    pub(crate) fn encrypt_oaep(
        &self,
        algorithm: &'static OaepAlgorithm,
        plaintext: &[u8],
    ) -> ApiResult<Vec<u8>> {
        let Private::Rsa { encrypt, .. } = &self.private else {
            return Err(ApiError::cryptography("Encryption"));
        };
        let mut out = vec![0; encrypt.ciphertext_size()];
        let len = encrypt
            .encrypt(algorithm, plaintext, &mut out, None)
            .map_err(|_| ApiError::cryptography("Encryption"))?
            .len();
        out.truncate(len);
        Ok(out)
    }

    /// The plaintext; nothing when the ciphertext was not made for this key and algorithm.
    pub(crate) fn decrypt_oaep(
        &self,
        algorithm: &'static OaepAlgorithm,
        ciphertext: &[u8],
    ) -> Option<Vec<u8>> {
        let Private::Rsa { decrypt, .. } = &self.private else {
            return None;
        };
        let mut out = vec![0; decrypt.min_output_size()];
        let len = decrypt
            .decrypt(algorithm, ciphertext, &mut out, None)
            .ok()?
            .len();
        out.truncate(len);
        Some(out)
    }

    /// AES-256-GCM: nonce, ciphertext, tag.
    pub(crate) fn seal(&self, associated: &[u8], plaintext: &[u8]) -> ApiResult<Vec<u8>> {
        let Private::Secret(secret) = &self.private else {
            return Err(ApiError::cryptography("Encryption"));
        };
        let mut sealed = plaintext.to_vec();
        let nonce = RandomizedNonceKey::new(&AES_256_GCM, secret)
            .and_then(|key| key.seal_in_place_append_tag(Aad::from(associated), &mut sealed))
            .map_err(|_| ApiError::cryptography("Encryption"))?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// The plaintext of what [`Material::seal`] made with the same associated data.
    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let Private::Secret(secret) = &self.private else {
            return None;
        };
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok()?;
        let len = key
            .open_in_place(nonce, Aad::from(associated), &mut opened)
            .ok()?
            .len();
        opened.truncate(len);
        Some(opened)
    }

    fn rsa(key: PrivateDecryptingKey) -> Result<Self, BadMaterial> {
        let pkcs8: Pkcs8V1Der<'_> = key.as_der().map_err(|_| BadMaterial)?;
        let sign = RsaKeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| BadMaterial)?;
        let public: PublicKeyX509Der<'_> = sign.public_key().as_der().map_err(|_| BadMaterial)?;
        let public = Some(public.as_ref().to_vec());
        let encrypt = OaepPublicEncryptingKey::new(key.public_key()).map_err(|_| BadMaterial)?;
        let decrypt = OaepPrivateDecryptingKey::new(key).map_err(|_| BadMaterial)?;
        Ok(Self {
            private: Private::Rsa {
                sign,
                decrypt,
                encrypt,
            },
            public,
        })
    }

    fn ec(key: EcdsaKeyPair) -> Result<Self, BadMaterial> {
        let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| BadMaterial)?;
        let public = Some(public.as_ref().to_vec());
        Ok(Self {
            private: Private::Ec(key),
            public,
        })
    }

    fn agreement(key: PrivateKey) -> Result<Self, BadMaterial> {
        let public = key.compute_public_key().map_err(|_| BadMaterial)?;
        let public: PublicKeyX509Der<'_> = public.as_der().map_err(|_| BadMaterial)?;
        let public = Some(public.as_ref().to_vec());
        Ok(Self {
            private: Private::Agreement(key),
            public,
        })
    }

    fn edwards(key: EdwardsKey) -> Result<Self, BadMaterial> {
        Ok(Self {
            public: Some(key.public_key()?),
            private: Private::Edwards(Box::new(key)),
        })
    }

    fn ml_dsa(key: Box<dyn MlDsaKey>) -> Result<Self, BadMaterial> {
        Ok(Self {
            public: Some(key.public_key()?),
            private: Private::MlDsa(key),
        })
    }

    fn ml_kem(key: MlKemKey) -> Result<Self, BadMaterial> {
        Ok(Self {
            public: Some(key.public_key()?),
            private: Private::MlKem(key),
        })
    }

    fn secret(secret: Vec<u8>) -> Self {
        Self {
            private: Private::Secret(secret),
            public: None,
        }
    }
}

/// The curve of the keys of a spec that can agree.
fn curve(spec: &KeySpec) -> Result<&'static agreement::Algorithm, BadMaterial> {
    let first = spec.agreement.first().ok_or(BadMaterial)?;
    Ok(first.curve)
}

/// Never the material itself.
impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa { .. } => "Rsa",
            Self::Ec(_) => "Ec",
            Self::Agreement(_) => "Agreement",
            Self::Edwards(_) => "Edwards",
            Self::MlDsa(_) => "MlDsa",
            Self::MlKem(_) => "MlKem",
            Self::Secret(_) => "Secret",
        })
    }
}
