//! C_Decrypt*: with one Decrypt request (RSAES-OAEP, or a symmetric key of KMS), or AES with a session's
//! secret key here, in one part or in many.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::cipher::{Cipher, Direction};
use super::encrypt::one_part;
use super::symmetric::{MAX_PLAINTEXT, bad_len, in_kms, is_ciphertext_len};
use crate::crypto::{Hash, PublicKey, RsaPublicKey, oaep};
use crate::error::{Error, Result};
use crate::kms::{EncryptionAlgorithm, EncryptionContext, Phase};
use crate::mechanism::{self, Encryption, Mechanism, Use};
use crate::object::KmsObject;
use crate::reply::{Reply, Room};

/// A decryption under way.
pub(super) enum Decrypt {
    Kms(KmsDecrypt),
    Cipher(Cipher),
}

/// A decryption in KMS.
pub(super) struct KmsDecrypt {
    key: KmsObject,
    scheme: Scheme,
    /// The ciphertext and plaintext of a call whose buffer was too small, so that the next one
    /// costs no request.
    done: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
}

/// What KMS decrypts.
enum Scheme {
    Oaep(Hash, EncryptionAlgorithm),
    /// No context is the token's.
    Symmetric(Option<EncryptionContext>),
}

impl Session {
    pub(crate) fn decrypt_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.decrypt.cancel();
        };
        self.decrypt.start(|| {
            let encryption = mechanism::encryption(mechanism)?;
            let key = self.key(key, mechanism, Use::Decrypt)?;
            let scheme = match encryption {
                Encryption::Cipher(scheme) => {
                    return Cipher::new(&key, scheme, Direction::Decrypt).map(Decrypt::Cipher);
                }
                Encryption::Oaep(hash, algorithm) => Scheme::Oaep(hash, algorithm),
                Encryption::Symmetric(context) => Scheme::Symmetric(context),
            };
            Ok(Decrypt::Kms(KmsDecrypt {
                key: in_kms(key, Use::Decrypt)?,
                scheme,
                done: None,
            }))
        })
    }

    pub(crate) fn decrypt(&self, ciphertext: &[u8], room: Room) -> Result<Reply> {
        self.decrypt.step(|operation| match operation {
            Decrypt::Cipher(cipher) => {
                let (next, reply) = cipher.whole(ciphertext, room)?;
                Ok((next.map(Decrypt::Cipher), reply))
            }
            Decrypt::Kms(operation) => {
                let (next, reply) = self.decrypt_in_kms(operation, ciphertext, room)?;
                Ok((next.map(Decrypt::Kms), reply))
            }
        })
    }

    pub(crate) fn decrypt_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.decrypt.step(|operation| {
            let (next, reply) = operation.into_cipher()?.update(part, room)?;
            Ok((next.map(Decrypt::Cipher), reply))
        })
    }

    pub(crate) fn decrypt_final(&self, room: Room) -> Result<Reply> {
        self.decrypt.step(|operation| {
            let (next, reply) = operation.into_cipher()?.finish(room)?;
            Ok((next.map(Decrypt::Cipher), reply))
        })
    }

    /// A query is answered with the longest plaintext that there can be: how long this one is, only the
    /// decryption tells.
    fn decrypt_in_kms(
        &self,
        mut operation: KmsDecrypt,
        ciphertext: &[u8],
        room: Room,
    ) -> Result<(Option<KmsDecrypt>, Reply)> {
        let Room::Bytes(capacity) = room else {
            let most = operation.plaintext_len(ciphertext.len())?;
            return Ok((Some(operation), Reply::Length(most)));
        };
        operation.check_len(ciphertext.len())?;
        let plaintext = match operation.done.take() {
            Some((same, plaintext)) if same == ciphertext => plaintext,
            _ => match &operation.scheme {
                Scheme::Oaep(_, algorithm) => {
                    self.token
                        .decrypt(&operation.key.key, *algorithm, ciphertext)?
                }
                Scheme::Symmetric(context) => self.token.decrypt_symmetric(
                    &operation.key,
                    ciphertext,
                    context.as_ref(),
                    Phase::Decrypt,
                )?,
            },
        };
        if plaintext.len() > capacity {
            let length = Reply::Length(plaintext.len());
            operation.done = Some((ciphertext.to_vec(), plaintext));
            return Ok((Some(operation), length));
        }
        Ok((None, Reply::Bytes(plaintext)))
    }
}

impl Decrypt {
    /// The operation, where it takes its data in parts.
    fn into_cipher(self) -> Result<Cipher> {
        match self {
            Self::Cipher(cipher) => Ok(cipher),
            Self::Kms(_) => Err(one_part()),
        }
    }
}

impl KmsDecrypt {
    /// The longest plaintext of a ciphertext of this many bytes.
    fn plaintext_len(&self, ciphertext: usize) -> Result<usize> {
        match self.scheme {
            Scheme::Oaep(hash, _) => {
                let modulus_len = rsa_pair(&self.key)?.modulus_len();
                Ok(oaep::max_plaintext_len(modulus_len, hash))
            }
            Scheme::Symmetric(_) => Ok(ciphertext.min(MAX_PLAINTEXT)),
        }
    }

    /// Refuses a ciphertext that has the length of none.
    fn check_len(&self, len: usize) -> Result<()> {
        let reason = match self.scheme {
            Scheme::Symmetric(_) if is_ciphertext_len(len) => return Ok(()),
            Scheme::Symmetric(_) => bad_len(len),
            Scheme::Oaep(..) => {
                let modulus_len = rsa_pair(&self.key)?.modulus_len();
                if len == modulus_len {
                    return Ok(());
                }
                format!("{len} bytes of ciphertext; this key's have {modulus_len}")
            }
        };
        Err(Error::new(CKR_ENCRYPTED_DATA_LEN_RANGE, reason))
    }
}

/// The public half of the RSA pair whose private key an object is.
pub(super) fn rsa_pair(key: &KmsObject) -> Result<&RsaPublicKey> {
    match &key.material.public {
        Some(PublicKey::Rsa(key)) => Ok(key),
        _ => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
    }
}
