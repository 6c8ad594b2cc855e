//! C_Encrypt: RSAES-OAEP, local, with the public key.

use pkcs11_sys::*;

use super::Session;
use crate::crypto::{Hash, PublicKey, oaep};
use crate::error::{Error, Result};
use crate::mechanism::{self, Mechanism, Use};
use crate::object::Object;
use crate::reply::{Reply, Room};

/// An encryption under way.
#[derive(Debug)]
pub(super) struct Encrypt {
    key: Object,
    hash: Hash,
}

impl Session {
    pub(crate) fn encrypt_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.encrypt.cancel();
        };
        self.encrypt.start(|| {
            let (hash, _) = mechanism::oaep(mechanism)?;
            Ok(Encrypt {
                key: self.key(key, mechanism, Use::Encrypt)?,
                hash,
            })
        })
    }

    pub(crate) fn encrypt(&self, plaintext: &[u8], room: Room) -> Result<Reply> {
        self.encrypt.step(|operation| {
            let Some(PublicKey::Rsa(key)) = operation.key.public_key() else {
                return Err(CKR_KEY_TYPE_INCONSISTENT.into());
            };
            if let Some(length) = room.refuse(key.modulus_len()) {
                return Ok((Some(operation), length));
            }
            let most = oaep::max_plaintext_len(key.modulus_len(), operation.hash);
            if plaintext.len() > most {
                return Err(Error::new(
                    CKR_DATA_LEN_RANGE,
                    format!(
                        "{} bytes of plaintext; this key takes {most}",
                        plaintext.len()
                    ),
                ));
            }
            let ciphertext = oaep::encrypt(key, operation.hash, plaintext)
                .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))?;
            Ok((None, ciphertext.into()))
        })
    }
}
