//! C_Decrypt: RSAES-OAEP, one Decrypt request.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use crate::crypto::{Hash, PublicKey, oaep};
use crate::error::{Error, Result};
use crate::kms::EncryptionAlgorithm;
use crate::mechanism::{self, Mechanism, Use};
use crate::object::{KmsObject, Object};
use crate::reply::{Reply, Room};

/// A decryption under way.
pub(super) struct Decrypt {
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
            let (hash, algorithm) = mechanism::oaep(mechanism)?;
            let Object::Kms(key) = self.key(key, mechanism, Use::Decrypt)? else {
                return Err(CKR_KEY_TYPE_INCONSISTENT.into());
            };
            Ok(Decrypt {
                key,
                hash,
                algorithm,
                done: None,
            })
        })
    }

    /// A query is answered with the longest plaintext that the key can hold: how long this one is,
    /// only the decryption tells.
    pub(crate) fn decrypt(&self, ciphertext: &[u8], room: Room) -> Result<Reply> {
        self.decrypt.step(|mut operation| {
            let Some(PublicKey::Rsa(key)) = &operation.key.material.public else {
                return Err(CKR_KEY_TYPE_INCONSISTENT.into());
            };
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
        })
    }
}
