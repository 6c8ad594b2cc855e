//! The dual-function functions: a part of a message goes through two operations of the session.
//!
//! What a cipher puts out and what the other operation takes go together: without room for the
//! output, or after an error, the other one takes nothing. An error ends the operation that made it
//! and leaves the other one as it was.

use super::Session;
use super::digest::Digest;
use super::sign::Sign;
use super::slot::Slot;
use super::verify::Verify;
use crate::error::Result;
use crate::reply::{Reply, Room};

impl Session {
    pub(crate) fn digest_encrypt_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.encrypt_and_feed(&self.digest, part, room)
    }

    pub(crate) fn sign_encrypt_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.encrypt_and_feed(&self.sign, part, room)
    }

    pub(crate) fn decrypt_digest_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.decrypt_and_feed(&self.digest, part, room)
    }

    pub(crate) fn decrypt_verify_update(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.decrypt_and_feed(&self.verify, part, room)
    }

    fn encrypt_and_feed<T: TakesParts>(
        &self,
        slot: &Slot<T>,
        part: &[u8],
        room: Room,
    ) -> Result<Reply> {
        slot.step(|mut operation| {
            operation.check_part(part.len())?;
            let reply = self.encrypt_update(part, room);
            if let Ok(Reply::Bytes(_)) = &reply {
                operation.add(part)?;
            }
            Ok((Some(operation), reply))
        })?
    }

    fn decrypt_and_feed<T: TakesParts>(
        &self,
        slot: &Slot<T>,
        part: &[u8],
        room: Room,
    ) -> Result<Reply> {
        let len = self.decrypt_update(part, Room::Query)?.len();
        slot.step(|mut operation| {
            operation.check_part(len)?;
            let reply = self.decrypt_update(part, room);
            if let Ok(Reply::Bytes(plaintext)) = &reply {
                operation.add(plaintext)?;
            }
            Ok((Some(operation), reply))
        })?
    }
}

/// An operation that takes a message in parts, and that a cipher's plaintext can go to.
trait TakesParts {
    /// Refuses what [`Self::add`] would, of a part of this many bytes.
    fn check_part(&self, len: usize) -> Result<()>;

    fn add(&mut self, part: &[u8]) -> Result<()>;
}

impl TakesParts for Digest {
    fn check_part(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn add(&mut self, part: &[u8]) -> Result<()> {
        self.update(part);
        Ok(())
    }
}

impl TakesParts for Sign {
    fn check_part(&self, len: usize) -> Result<()> {
        self.message.check_part(len)
    }

    fn add(&mut self, part: &[u8]) -> Result<()> {
        self.message.add(part)
    }
}

impl TakesParts for Verify {
    fn check_part(&self, len: usize) -> Result<()> {
        self.message.check_part(len)
    }

    fn add(&mut self, part: &[u8]) -> Result<()> {
        self.message.add(part)
    }
}
