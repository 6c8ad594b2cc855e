//! The data of a signature, a verification or a digest: in one part, or in many.

use std::borrow::Cow;

use pkcs11_sys::{CKR_OPERATION_ACTIVE, CKR_OPERATION_NOT_INITIALIZED};

use crate::crypto::{Hash, Hasher};
use crate::error::{Error, Result};

/// Data on its way to becoming what is signed, verified or answered.
#[derive(Debug)]
pub(super) struct Message {
    /// `None` for mechanisms that take their data as it is, in one part.
    hash: Option<Hash>,
    parts: Option<Hasher>,
}

impl Message {
    pub(super) fn new(hash: Option<Hash>) -> Self {
        Self { hash, parts: None }
    }

    /// Takes one part of several.
    pub(super) fn add(&mut self, part: &[u8]) -> Result<()> {
        let hash = self.multi_part_hash()?;
        self.parts
            .get_or_insert_with(|| Hasher::new(hash))
            .update(part);
        Ok(())
    }

    /// All of the data in one part: its digest, or for mechanisms without a hash the data itself.
    pub(super) fn whole<'a>(&self, data: &'a [u8]) -> Cow<'a, [u8]> {
        match self.hash {
            Some(hash) => hash.digest(data).to_vec().into(),
            None => data.into(),
        }
    }

    /// The digest of all parts; of the empty message when there were none.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        let hash = self.multi_part_hash()?;
        Ok(self
            .parts
            .unwrap_or_else(|| Hasher::new(hash))
            .finish()
            .to_vec())
    }

    /// Refuses a one-part call after parts were handed in.
    pub(super) fn check_one_part(&self) -> Result<()> {
        if self.parts.is_none() {
            return Ok(());
        }
        Err(Error::new(
            CKR_OPERATION_ACTIVE,
            "parts were handed in: the operation ends with its Final function",
        ))
    }

    /// The hash of a multiple-part operation; refuses mechanisms that take their data in one part.
    pub(super) fn multi_part_hash(&self) -> Result<Hash> {
        self.hash.ok_or_else(|| {
            Error::new(
                CKR_OPERATION_NOT_INITIALIZED,
                "the mechanism takes its data in one part: there is no multiple-part operation",
            )
        })
    }
}
