//! C_MessageEncrypt* and C_MessageDecrypt*: AES-GCM with one key for many messages (PKCS#11 3.0).
//!
//! Initialisation vector, additional data and tag belong to the message. A process goes on until its Final
//! function, whatever becomes of a message: an error ends the message under way and nothing else. Nothing of
//! a message goes out before its end, no plaintext because its tag is not checked yet.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::cipher::{Direction, aes_key, extend};
use super::slot::Slot;
use crate::crypto::aes::gcm::{Gcm, IV_LEN};
use crate::crypto::aes::{AesKey, CipherError, Output};
use crate::crypto::random;
use crate::error::{Error, Result};
use crate::mechanism::message::{self, NewIv};
use crate::mechanism::{Mechanism, Use};
use crate::reply::{Reply, Room};

/// A process for many messages.
#[derive(Debug)]
pub(super) struct CipherMessages {
    key: AesKey,
    /// The message that is handed in part by part.
    begun: Option<Begun>,
}

struct Begun {
    iv: [u8; IV_LEN],
    aad: Vec<u8>,
    data: Zeroizing<Vec<u8>>,
}

/// What goes back beside a ciphertext.
pub(crate) struct Sealed {
    pub(crate) iv: [u8; IV_LEN],
    pub(crate) tag: Vec<u8>,
}

impl Session {
    pub(crate) fn message_encrypt_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.start_cipher_messages(&self.message_encrypt, mechanism, key, Use::Encrypt)
    }

    /// Encrypts a whole message. A query, or too little room, draws no initialisation vector.
    pub(crate) fn encrypt_message(
        &self,
        iv: NewIv,
        tag_len: usize,
        aad: &[u8],
        plaintext: &[u8],
        room: Room,
    ) -> Result<(Reply, Option<Sealed>)> {
        self.message_encrypt.work(|process| {
            process.check_none_begun()?;
            if let Some(length) = room.refuse(plaintext.len()) {
                return Ok((length, None));
            }
            let (ciphertext, sealed) = process.seal(draw(iv)?, tag_len, aad, plaintext)?;
            Ok((Reply::Bytes(ciphertext), Some(sealed)))
        })
    }

    /// Begins a message of many parts; its initialisation vector.
    pub(crate) fn encrypt_message_begin(&self, iv: NewIv, aad: &[u8]) -> Result<[u8; IV_LEN]> {
        self.message_encrypt.work(|process| {
            process.check_none_begun()?;
            let iv = draw(iv)?;
            process.begun = Some(Begun::new(iv, aad));
            Ok(iv)
        })
    }

    pub(crate) fn encrypt_message_part(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.message_encrypt.work(|process| process.add(part, room))
    }

    /// Encrypts with the last part. A query for the length takes no part: it comes again with the buffer.
    pub(crate) fn encrypt_message_last(
        &self,
        tag_len: usize,
        part: &[u8],
        room: Room,
    ) -> Result<(Reply, Option<Sealed>)> {
        self.message_encrypt.work(|process| {
            if let Some(length) = room.refuse(process.len_with(part)?) {
                return Ok((length, None));
            }
            let begun = process.finish(part)?;
            let (ciphertext, sealed) = process.seal(begun.iv, tag_len, &begun.aad, &begun.data)?;
            Ok((Reply::Bytes(ciphertext), Some(sealed)))
        })
    }

    pub(crate) fn message_encrypt_final(&self) -> Result<()> {
        self.message_encrypt.step(|_| Ok((None, ())))
    }

    pub(crate) fn message_decrypt_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.start_cipher_messages(&self.message_decrypt, mechanism, key, Use::Decrypt)
    }

    /// Decrypts a whole message.
    pub(crate) fn decrypt_message(
        &self,
        iv: [u8; IV_LEN],
        tag: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
        room: Room,
    ) -> Result<Reply> {
        self.message_decrypt.work(|process| {
            process.check_none_begun()?;
            if let Some(length) = room.refuse(ciphertext.len()) {
                return Ok(length);
            }
            let sealed = [ciphertext, tag].concat();
            process.open(iv, tag.len(), aad, &sealed).map(Reply::Bytes)
        })
    }

    pub(crate) fn decrypt_message_begin(&self, iv: [u8; IV_LEN], aad: &[u8]) -> Result<()> {
        self.message_decrypt.work(|process| {
            process.check_none_begun()?;
            process.begun = Some(Begun::new(iv, aad));
            Ok(())
        })
    }

    pub(crate) fn decrypt_message_part(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.message_decrypt.work(|process| process.add(part, room))
    }

    /// Decrypts with the last part, and the tag.
    pub(crate) fn decrypt_message_last(
        &self,
        tag: &[u8],
        part: &[u8],
        room: Room,
    ) -> Result<Reply> {
        self.message_decrypt.work(|process| {
            if let Some(length) = room.refuse(process.len_with(part)?) {
                return Ok(length);
            }
            let mut begun = process.finish(part)?;
            extend(&mut begun.data, tag);
            process
                .open(begun.iv, tag.len(), &begun.aad, &begun.data)
                .map(Reply::Bytes)
        })
    }

    pub(crate) fn message_decrypt_final(&self) -> Result<()> {
        self.message_decrypt.step(|_| Ok((None, ())))
    }

    fn start_cipher_messages(
        &self,
        slot: &Slot<CipherMessages>,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
        use_: Use,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return slot.cancel();
        };
        slot.start(|| {
            message::encryption(mechanism)?;
            let key = self.key(key, mechanism, use_)?;
            Ok(CipherMessages {
                key: aes_key(&key, use_)?,
                begun: None,
            })
        })
    }
}

impl CipherMessages {
    /// The ciphertext, and what goes with it.
    fn seal(
        &self,
        iv: [u8; IV_LEN],
        tag_len: usize,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<(Output, Sealed)> {
        let mut sealed = Gcm::new(&self.key, &iv, tag_len)
            .and_then(|gcm| gcm.seal(aad, plaintext))
            .map_err(|error| Direction::Encrypt.error(error))?;
        let tag = sealed.split_off(plaintext.len());
        Ok((sealed, Sealed { iv, tag }))
    }

    /// The plaintext of a ciphertext with its tag behind it.
    fn open(&self, iv: [u8; IV_LEN], tag_len: usize, aad: &[u8], sealed: &[u8]) -> Result<Output> {
        Gcm::new(&self.key, &iv, tag_len)
            .and_then(|gcm| gcm.open(aad, sealed))
            .map_err(|error| match error {
                CipherError::Invalid => Error::new(CKR_AEAD_DECRYPT_FAILED, error.to_string()),
                _ => Direction::Decrypt.error(error),
            })
    }

    /// Takes a part of the message under way, of which nothing goes out yet.
    fn add(&mut self, part: &[u8], room: Room) -> Result<Reply> {
        let begun = self.begun.as_mut().ok_or_else(none_begun)?;
        if let Some(length) = room.refuse(0) {
            return Ok(length);
        }
        extend(&mut begun.data, part);
        Ok(Reply::Bytes(Output::default()))
    }

    /// Ends the message under way with its last part.
    fn finish(&mut self, part: &[u8]) -> Result<Begun> {
        let mut begun = self.begun.take().ok_or_else(none_begun)?;
        extend(&mut begun.data, part);
        Ok(begun)
    }

    /// The bytes of the message under way when this is its last part.
    fn len_with(&self, part: &[u8]) -> Result<usize> {
        let begun = self.begun.as_ref().ok_or_else(none_begun)?;
        Ok(begun.data.len() + part.len())
    }

    fn check_none_begun(&self) -> Result<()> {
        match self.begun {
            None => Ok(()),
            Some(_) => Err(Error::new(
                CKR_OPERATION_ACTIVE,
                "a message of many parts is under way: its last part comes first",
            )),
        }
    }

    /// Ends the message under way, because a call of it could not even begin.
    pub(super) fn abandon_message(&mut self) {
        self.begun = None;
    }
}

impl Begun {
    fn new(iv: [u8; IV_LEN], aad: &[u8]) -> Self {
        Self {
            iv,
            aad: aad.to_vec(),
            data: Zeroizing::default(),
        }
    }
}

/// Tells nothing of a message, which is plaintext one way or the other.
impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

fn draw(iv: NewIv) -> Result<[u8; IV_LEN]> {
    match iv {
        NewIv::Given(iv) => Ok(iv),
        NewIv::Drawn => {
            let mut iv = [0; IV_LEN];
            random::fill(&mut iv)
                .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))?;
            Ok(iv)
        }
    }
}

fn none_begun() -> Error {
    Error::new(
        CKR_OPERATION_NOT_INITIALIZED,
        "no message of many parts is under way",
    )
}
