//! C_Encrypt*: here, with a public key (RSAES-OAEP, in one part) or with a session's secret key
//! (AES, in one part or in many); in KMS with a symmetric key, in one part.

use pkcs11_sys::*;

use super::Session;
use super::cipher::{Cipher, Direction};
use super::symmetric::KmsEncrypt;
use crate::crypto::{Hash, PublicKey, RsaPublicKey, oaep};
use crate::error::{Error, Result};
use crate::mechanism::{self, Encryption, Mechanism, Use};
use crate::object::Object;
use crate::reply::{Reply, Room};

/// An encryption under way.
#[derive(Debug)]
pub(super) enum Encrypt {
    Oaep { key: Object, hash: Hash },
    Cipher(Cipher),
    Kms(KmsEncrypt),
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
            if let Some(wanted) = mechanism::reencryption(mechanism)? {
                return self
                    .reencrypt_init(mechanism, wanted, key)
                    .map(Encrypt::Kms);
            }
            let encryption = mechanism::encryption(mechanism)?;
            let key = self.key(key, mechanism, Use::Encrypt)?;
            Ok(match encryption {
                Encryption::Oaep(hash, _) => Encrypt::Oaep { key, hash },
                Encryption::Cipher(scheme) => {
                    Encrypt::Cipher(Cipher::new(&key, scheme, Direction::Encrypt)?)
                }
                Encryption::Symmetric(context) => Encrypt::Kms(KmsEncrypt::with(key, context)?),
            })
        })
    }

    pub(crate) fn encrypt(&self, plaintext: &[u8], room: Room) -> Result<Reply> {
        self.encrypt.step(|operation| match operation {
            Encrypt::Cipher(cipher) => {
                let (next, reply) = cipher.whole(plaintext, room)?;
                Ok((next.map(Encrypt::Cipher), reply))
            }
            Encrypt::Kms(operation) => {
                let (next, reply) = self.encrypt_in_kms(operation, plaintext, room)?;
                Ok((next.map(Encrypt::Kms), reply))
            }
            Encrypt::Oaep { key, hash } => {
                let public = rsa_public_key(&key)?;
                if let Some(length) = room.refuse(public.modulus_len()) {
                    return Ok((Some(Encrypt::Oaep { key, hash }), length));
                }
                let most = oaep::max_plaintext_len(public.modulus_len(), hash);
                if plaintext.len() > most {
                    return Err(Error::new(
                        CKR_DATA_LEN_RANGE,
                        format!(
                            "{} bytes of plaintext; this key takes {most}",
                            plaintext.len()
                        ),
                    ));
                }
                Ok((None, encrypt_oaep(public, hash, plaintext)?.into()))
            }
        })
    }

    pub(crate) fn encrypt_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.encrypt.step(|operation| {
            let (next, reply) = operation.into_cipher()?.update(part, room)?;
            Ok((next.map(Encrypt::Cipher), reply))
        })
    }

    pub(crate) fn encrypt_final(&self, room: Room) -> Result<Reply> {
        self.encrypt.step(|operation| {
            let (next, reply) = operation.into_cipher()?.finish(room)?;
            Ok((next.map(Encrypt::Cipher), reply))
        })
    }
}

impl Encrypt {
    /// The operation, where it takes its data in parts.
    fn into_cipher(self) -> Result<Cipher> {
        match self {
            Self::Cipher(cipher) => Ok(cipher),
            Self::Oaep { .. } | Self::Kms(_) => Err(one_part()),
        }
    }
}

/// The RSA key that the object of a public key is.
pub(super) fn rsa_public_key(key: &Object) -> Result<&RsaPublicKey> {
    match key.public_key() {
        Some(PublicKey::Rsa(key)) => Ok(key),
        _ => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
    }
}

/// RSAES-OAEP of data that is short enough.
pub(super) fn encrypt_oaep(key: &RsaPublicKey, hash: Hash, plaintext: &[u8]) -> Result<Vec<u8>> {
    oaep::encrypt(key, hash, plaintext)
        .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))
}

/// The refusal of a part where the mechanism takes its data whole.
pub(super) fn one_part() -> Error {
    Error::new(
        CKR_OPERATION_NOT_INITIALIZED,
        "the mechanism takes its data in one part: there is no multiple-part operation",
    )
}
