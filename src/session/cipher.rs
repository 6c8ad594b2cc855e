//! AES with a secret key of this process, in one part or in many: the work of C_Encrypt* and
//! C_Decrypt* that needs no KMS.

use std::fmt;

use pkcs11_sys::*;
use zeroize::Zeroizing;

use crate::crypto::aes::cbc::Cbc;
use crate::crypto::aes::ctr::Ctr;
use crate::crypto::aes::gcm::Gcm;
use crate::crypto::aes::{AesKey, CipherError, Output};
use crate::error::{Error, Result};
use crate::mechanism::Use;
use crate::mechanism::cipher::CipherScheme;
use crate::object::{Body, Object};
use crate::reply::{Reply, Room};

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

/// An encryption or a decryption under way.
pub(super) struct Cipher {
    key: AesKey,
    scheme: CipherScheme,
    direction: Direction,
    stage: Stage,
}

/// How far an operation is.
enum Stage {
    /// No part was handed in. Holds the data of a one-part call whose buffer was too small, and the
    /// answer that did not fit: one of the two is plaintext.
    Fresh(Option<(Zeroizing<Vec<u8>>, Output)>),
    InParts(Stream),
    /// All parts are in, and this is the last of the answer, for which there was no room.
    Over(Output),
}

/// The data in parts.
enum Stream {
    Cbc(Box<Cbc>),
    Ctr(Ctr),
    /// Nothing goes out before the end: no plaintext before its tag is checked, and no ciphertext
    /// either, since the library makes it and its tag in one step.
    Gcm {
        gcm: Box<Gcm>,
        aad: Vec<u8>,
        tag_len: usize,
        data: Zeroizing<Vec<u8>>,
    },
}

impl Cipher {
    /// An operation with a key that the mechanism can be used with.
    pub(super) fn new(key: &Object, scheme: CipherScheme, direction: Direction) -> Result<Self> {
        let use_ = match direction {
            Direction::Encrypt => Use::Encrypt,
            Direction::Decrypt => Use::Decrypt,
        };
        let cipher = Self {
            key: aes_key(key, use_)?,
            scheme,
            direction,
            stage: Stage::Fresh(None),
        };
        // What the parameter has wrong, if anything, is for the Init function to say.
        cipher.stream()?;
        Ok(cipher)
    }

    /// All of the data in one part. The operation comes back when it goes on.
    pub(super) fn whole(mut self, data: &[u8], room: Room) -> Result<(Option<Self>, Reply)> {
        let Stage::Fresh(done) = &mut self.stage else {
            return Err(Error::new(
                CKR_OPERATION_ACTIVE,
                "parts were handed in: the operation ends with its Final function",
            ));
        };
        let done = done.take().filter(|(same, _)| **same == *data);
        let stream = self.stream()?;
        let most = stream.update_len(data.len()) + stream.finish_len(data.len(), self.direction);
        if room == Room::Query {
            return Ok((Some(self), Reply::Length(most)));
        }
        let out = match done {
            Some((_, out)) => out,
            None => stream.whole(data, self.direction)?,
        };
        if let Some(length) = room.refuse(out.len()) {
            self.stage = Stage::Fresh(Some((Zeroizing::new(data.to_vec()), out)));
            return Ok((Some(self), length));
        }
        Ok((None, Reply::Bytes(out)))
    }

    /// One part of several: the bytes that it completes.
    pub(super) fn update(mut self, part: &[u8], room: Room) -> Result<(Option<Self>, Reply)> {
        if let Some(length) = room.refuse(self.update_len(part.len())?) {
            return Ok((Some(self), length));
        }
        let mut stream = match self.stage {
            Stage::Fresh(_) => self.stream()?,
            Stage::InParts(stream) => stream,
            Stage::Over(_) => return Err(over()),
        };
        let out = stream.update(part, self.direction)?;
        self.stage = Stage::InParts(stream);
        Ok((Some(self), Reply::Bytes(out)))
    }

    /// What is left when all parts are in.
    pub(super) fn finish(mut self, room: Room) -> Result<(Option<Self>, Reply)> {
        if room == Room::Query {
            let most = self.finish_len()?;
            return Ok((Some(self), Reply::Length(most)));
        }
        let out = match self.stage {
            Stage::Over(out) => out,
            Stage::InParts(stream) => stream.finish(self.direction)?,
            Stage::Fresh(_) => self.stream()?.finish(self.direction)?,
        };
        match room.refuse(out.len()) {
            Some(length) => {
                self.stage = Stage::Over(out);
                Ok((Some(self), length))
            }
            None => Ok((None, Reply::Bytes(out))),
        }
    }

    /// The bytes that [`Self::update`] puts out for a part of `len` bytes. Asking changes nothing: a
    /// query does not make an operation one in parts.
    fn update_len(&self, len: usize) -> Result<usize> {
        match &self.stage {
            Stage::Fresh(_) => Ok(self.stream()?.update_len(len)),
            Stage::InParts(stream) => Ok(stream.update_len(len)),
            Stage::Over(_) => Err(over()),
        }
    }

    /// The most bytes that [`Self::finish`] puts out.
    fn finish_len(&self) -> Result<usize> {
        Ok(match &self.stage {
            Stage::Fresh(_) => self.stream()?.finish_len(0, self.direction),
            Stage::InParts(stream) => stream.finish_len(0, self.direction),
            Stage::Over(out) => out.len(),
        })
    }

    /// The data's way from its beginning.
    fn stream(&self) -> Result<Stream> {
        let stream = match &self.scheme {
            CipherScheme::Cbc { iv, padding } => match self.direction {
                Direction::Encrypt => Cbc::encryptor(&self.key, iv, *padding),
                Direction::Decrypt => Cbc::decryptor(&self.key, iv, *padding),
            }
            .map(|cbc| Stream::Cbc(Box::new(cbc))),
            CipherScheme::Ctr {
                block,
                counter_bits,
            } => Ctr::new(&self.key, block, *counter_bits).map(Stream::Ctr),
            CipherScheme::Gcm { iv, aad, tag_len } => {
                Gcm::new(&self.key, iv, *tag_len).map(|gcm| Stream::Gcm {
                    gcm: Box::new(gcm),
                    aad: aad.clone(),
                    tag_len: *tag_len,
                    data: Zeroizing::default(),
                })
            }
        };
        stream.map_err(|error| self.direction.error(error))
    }
}

impl Stream {
    /// The bytes that [`Self::update`] puts out for `len` bytes.
    fn update_len(&self, len: usize) -> usize {
        match self {
            Self::Cbc(cbc) => cbc.update_len(len),
            Self::Ctr(_) => len,
            Self::Gcm { .. } => 0,
        }
    }

    /// The most bytes that [`Self::finish`] puts out when `more` bytes were handed in before it.
    fn finish_len(&self, more: usize, direction: Direction) -> usize {
        match (self, direction) {
            (Self::Cbc(cbc), _) => cbc.finish_len(),
            (Self::Ctr(_), _) => 0,
            (Self::Gcm { tag_len, data, .. }, Direction::Encrypt) => data.len() + more + tag_len,
            (Self::Gcm { tag_len, data, .. }, Direction::Decrypt) => {
                (data.len() + more).saturating_sub(*tag_len)
            }
        }
    }

    fn update(&mut self, part: &[u8], direction: Direction) -> Result<Output> {
        match self {
            Self::Cbc(cbc) => cbc.update(part),
            Self::Ctr(ctr) => ctr.update(part),
            Self::Gcm { data, .. } => {
                extend(data, part);
                Ok(Output::default())
            }
        }
        .map_err(|error| direction.error(error))
    }

    fn finish(self, direction: Direction) -> Result<Output> {
        match (self, direction) {
            (Self::Cbc(cbc), _) => cbc.finish(),
            (Self::Ctr(_), _) => Ok(Output::default()),
            (Self::Gcm { gcm, aad, data, .. }, Direction::Encrypt) => gcm.seal(&aad, &data),
            (Self::Gcm { gcm, aad, data, .. }, Direction::Decrypt) => gcm.open(&aad, &data),
        }
        .map_err(|error| direction.error(error))
    }

    fn whole(mut self, data: &[u8], direction: Direction) -> Result<Output> {
        let mut out = self.update(data, direction)?;
        extend(&mut out, &self.finish(direction)?);
        Ok(out)
    }
}

impl Direction {
    /// The functions' word for what a cipher refuses.
    pub(super) fn error(self, error: CipherError) -> Error {
        let rv = match (error, self) {
            (CipherError::KeyLength(_), _) => CKR_KEY_SIZE_RANGE,
            (
                CipherError::IvLength(_) | CipherError::TagLength(_) | CipherError::CounterBits(_),
                _,
            ) => CKR_MECHANISM_PARAM_INVALID,
            (CipherError::DataLength, Self::Encrypt) => CKR_DATA_LEN_RANGE,
            (CipherError::DataLength, Self::Decrypt) => CKR_ENCRYPTED_DATA_LEN_RANGE,
            (CipherError::Invalid, Self::Decrypt) => CKR_ENCRYPTED_DATA_INVALID,
            (CipherError::Invalid | CipherError::Failed, _) => CKR_FUNCTION_FAILED,
        };
        Error::new(rv, error.to_string())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher")
            .field("scheme", &self.scheme)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

/// The AES key that an object of this process is.
pub(super) fn aes_key(key: &Object, use_: Use) -> Result<AesKey> {
    let Object::Local(object) = key else {
        return Err(use_.bad_key_type("a key in KMS is no AES key of this process"));
    };
    let Body::SecretKey(value) = object.body() else {
        return Err(use_.bad_key_type("a public key is no AES key"));
    };
    AesKey::new(value).map_err(|error| use_.bad_key_size(error.to_string()))
}

/// Appends to what is wiped in the end, and wipes what it outgrows.
pub(super) fn extend(buffer: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if buffer.capacity() - buffer.len() < more.len() {
        let wanted = buffer.len() + more.len();
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted.max(2 * buffer.len())));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(more);
}

fn over() -> Error {
    Error::new(
        CKR_OPERATION_ACTIVE,
        "all parts were handed in: the Final function is to be called again with more room",
    )
}
