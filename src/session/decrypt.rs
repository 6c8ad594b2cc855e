//! C_Decrypt*: RSAES-OAEP with one Decrypt request, or AES with a session's secret key here, in one
//! part or in many.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::cipher::{Cipher, Direction};
use super::encrypt::one_part;
use crate::crypto::{Hash, PublicKey, RsaPublicKey, oaep};
use crate::error::{Error, Result};
use crate::kms::EncryptionAlgorithm;
use crate::mechanism::{self, Encryption, Mechanism, Use};
use crate::object::{KmsObject, Object};
use crate::reply::{Reply, Room};

/// A decryption under way.
pub(super) enum Decrypt {
    Oaep(Oaep),
    Cipher(Cipher),
}

/// A decryption in KMS.
pub(super) struct Oaep {
    key: KmsObject,
    hash: Hash,
    algorithm: EncryptionAlgorithm,
    /// The ciphertext and plaintext of a call whose buffer was too small, so that the next one
    /// costs no request.
    done: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
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
            match (encryption, key) {
                (Encryption::Oaep(hash, algorithm), Object::Kms(key)) => Ok(Decrypt::Oaep(Oaep {
                    key,
                    hash,
                    algorithm,
                    done: None,
                })),
                (Encryption::Oaep(..), _) => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
                (Encryption::Cipher(scheme), key) => Ok(Decrypt::Cipher(Cipher::new(
                    &key,
                    scheme,
                    Direction::Decrypt,
                )?)),
            }
        })
    }

    pub(crate) fn decrypt(&self, ciphertext: &[u8], room: Room) -> Result<Reply> {
        self.decrypt.step(|operation| match operation {
            Decrypt::Cipher(cipher) => {
                let (next, reply) = cipher.whole(ciphertext, room)?;
                Ok((next.map(Decrypt::Cipher), reply))
            }
            Decrypt::Oaep(oaep) => {
                let (next, reply) = self.decrypt_oaep(oaep, ciphertext, room)?;
                Ok((next.map(Decrypt::Oaep), reply))
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

    /// A query is answered with the longest plaintext that the key can hold: how long this one is,
    /// only the decryption tells.
    fn decrypt_oaep(
        &self,
        mut operation: Oaep,
        ciphertext: &[u8],
        room: Room,
    ) -> Result<(Option<Oaep>, Reply)> {
        let key = rsa_pair(&operation.key)?;
        let Room::Bytes(capacity) = room else {
            let most = oaep::max_plaintext_len(key.modulus_len(), operation.hash);
            return Ok((Some(operation), Reply::Length(most)));
        };
        if ciphertext.len() != key.modulus_len() {
            return Err(Error::new(
                CKR_ENCRYPTED_DATA_LEN_RANGE,
                format!(
                    "{} bytes of ciphertext; this key's have {}",
                    ciphertext.len(),
                    key.modulus_len()
                ),
            ));
        }
        let plaintext = match operation.done.take() {
            Some((same, plaintext)) if same == ciphertext => plaintext,
            _ => self
                .token
                .decrypt(&operation.key.key, operation.algorithm, ciphertext)?,
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
            Self::Oaep(_) => Err(one_part()),
        }
    }
}

/// The public half of the RSA pair whose private key an object is.
pub(super) fn rsa_pair(key: &KmsObject) -> Result<&RsaPublicKey> {
    match &key.material.public {
        Some(PublicKey::Rsa(key)) => Ok(key),
        _ => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
    }
}
