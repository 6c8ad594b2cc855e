//! C_Digest*: local.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::message::check_one_part;
use crate::crypto::ResumableHasher;
use crate::error::{Error, Result};
use crate::kms::Phase;
use crate::mechanism::{self, Mechanism};
use crate::object::Value;
use crate::reply::{Reply, Room};

/// A digest in the making.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) hasher: ResumableHasher,
    /// Parts were handed in, be it empty ones.
    pub(super) in_parts: bool,
}

impl Session {
    pub(crate) fn digest_init(&self, mechanism: Option<Mechanism<'_>>) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.digest.cancel();
        };
        self.digest.start(|| {
            let hash = mechanism::digest(mechanism)?;
            Ok(Digest {
                hasher: ResumableHasher::new(hash),
                in_parts: false,
            })
        })
    }

    pub(crate) fn digest(&self, data: &[u8], room: Room) -> Result<Reply> {
        self.digest.step(|mut operation| {
            check_one_part(operation.in_parts)?;
            if let Some(length) = room.refuse(operation.hasher.hash().len()) {
                return Ok((Some(operation), length));
            }
            operation.hasher.update(data);
            Ok((None, operation.hasher.finish().into()))
        })
    }

    pub(crate) fn digest_update(&self, part: &[u8]) -> Result<()> {
        self.digest.step(|mut operation| {
            operation.update(part);
            Ok((Some(operation), ()))
        })
    }

    /// Digests the value of a secret key. A key that is refused leaves the digest as it was.
    pub(crate) fn digest_key(&self, key: CK_OBJECT_HANDLE) -> Result<()> {
        self.digest.step(|mut operation| {
            let value = self.digestible(key);
            if let Ok(value) = &value {
                operation.update(value);
            }
            Ok((Some(operation), value.map(drop)))
        })?
    }

    pub(crate) fn digest_final(&self, room: Room) -> Result<Reply> {
        self.digest.step(|operation| {
            Ok(match room.refuse(operation.hasher.hash().len()) {
                Some(length) => (Some(operation), length),
                None => (None, operation.hasher.finish().into()),
            })
        })
    }

    /// The value of a key that may be digested: of a secret key whose value may be read. The digest
    /// of a value that may not would tell what it is, if it is short, and so would a saved state.
    fn digestible(&self, key: CK_OBJECT_HANDLE) -> Result<Zeroizing<Vec<u8>>> {
        let key = self.key_object(key, Phase::Init)?;
        if key.class() != CKO_SECRET_KEY {
            return Err(Error::new(
                CKR_KEY_INDIGESTIBLE,
                format!("{key}: not a secret key"),
            ));
        }
        match key.read(CKA_VALUE) {
            Value::Known(value) => Ok(Zeroizing::new(value.into_owned())),
            _ => Err(Error::new(
                CKR_KEY_INDIGESTIBLE,
                format!("{key}: its value stays in KMS, or is sensitive or not extractable"),
            )),
        }
    }
}

impl Digest {
    pub(super) fn update(&mut self, part: &[u8]) {
        self.in_parts = true;
        self.hasher.update(part);
    }
}
