//! C_MessageSign* and C_MessageVerify*: one key and mechanism for many messages (PKCS#11 3.0).
//!
//! A process goes on until its Final function, whatever becomes of a message: an error ends the
//! message under way and nothing else. No mechanism that signs has a parameter for single messages.

use pkcs11_sys::*;

use super::Session;
use super::keyed::Keyed;
use super::message::Message;
use super::slot::Slot;
use crate::error::{Error, Result};
use crate::mechanism::{Mechanism, Use};
use crate::reply::{Reply, Room};

/// A process for many messages.
#[derive(Debug)]
pub(super) struct Messages {
    keyed: Keyed,
    /// The message that is handed in part by part.
    begun: Option<Message>,
}

impl Session {
    pub(crate) fn message_sign_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.start_messages(&self.message_sign, mechanism, key, Use::Sign)
    }

    /// Signs a whole message: one request.
    pub(crate) fn sign_message(&self, data: &[u8], room: Room) -> Result<Reply> {
        self.message_sign.work(|process| {
            process.check_none_begun()?;
            if let Some(length) = room.refuse(process.keyed.signature_len()) {
                return Ok(length);
            }
            let message = process.keyed.message()?.whole(data)?;
            Ok(self.signature(&process.keyed, &message)?.into())
        })
    }

    pub(crate) fn sign_message_begin(&self) -> Result<()> {
        self.message_sign.work(Messages::begin)
    }

    pub(crate) fn sign_message_part(&self, part: &[u8]) -> Result<()> {
        self.message_sign.work(|process| process.add(part))
    }

    /// Signs with the last part. A query for the length takes no part: it comes again with the
    /// buffer.
    pub(crate) fn sign_message_last(&self, part: &[u8], room: Room) -> Result<Reply> {
        self.message_sign.work(|process| {
            process.check_begun()?;
            if let Some(length) = room.refuse(process.keyed.signature_len()) {
                return Ok(length);
            }
            let message = process.finish(part)?;
            Ok(self.signature(&process.keyed, &message)?.into())
        })
    }

    pub(crate) fn message_sign_final(&self) -> Result<()> {
        self.message_sign.step(|_| Ok((None, ())))
    }

    pub(crate) fn message_verify_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        self.start_messages(&self.message_verify, mechanism, key, Use::Verify)
    }

    /// Verifies the signature of a whole message.
    pub(crate) fn verify_message(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        self.message_verify.work(|process| {
            process.check_none_begun()?;
            let message = process.keyed.message()?.whole(data)?;
            self.check(&process.keyed, &message, signature)
        })
    }

    pub(crate) fn verify_message_begin(&self) -> Result<()> {
        self.message_verify.work(Messages::begin)
    }

    pub(crate) fn verify_message_part(&self, part: &[u8]) -> Result<()> {
        self.message_verify.work(|process| process.add(part))
    }

    /// Verifies with the last part.
    pub(crate) fn verify_message_last(&self, part: &[u8], signature: &[u8]) -> Result<()> {
        self.message_verify.work(|process| {
            let message = process.finish(part)?;
            self.check(&process.keyed, &message, signature)
        })
    }

    pub(crate) fn message_verify_final(&self) -> Result<()> {
        self.message_verify.step(|_| Ok((None, ())))
    }

    fn start_messages(
        &self,
        slot: &Slot<Messages>,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
        use_: Use,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return slot.cancel();
        };
        slot.start(|| {
            Ok(Messages {
                keyed: self.keyed(mechanism, key, use_)?,
                begun: None,
            })
        })
    }
}

impl Messages {
    /// Begins a message of many parts.
    fn begin(&mut self) -> Result<()> {
        self.check_none_begun()?;
        let message = self.keyed.message()?;
        message.check_multi_part()?;
        self.begun = Some(message);
        Ok(())
    }

    /// Takes a part of the message under way, which ends when it cannot be taken.
    fn add(&mut self, part: &[u8]) -> Result<()> {
        let mut message = self.take_begun()?;
        message.add(part)?;
        self.begun = Some(message);
        Ok(())
    }

    /// Ends the message under way with its last part; its digest or MAC, or all of it.
    fn finish(&mut self, part: &[u8]) -> Result<Vec<u8>> {
        let mut message = self.take_begun()?;
        message.add(part)?;
        message.finish()
    }

    fn take_begun(&mut self) -> Result<Message> {
        self.begun.take().ok_or_else(none_begun)
    }

    fn check_begun(&self) -> Result<()> {
        self.begun.as_ref().map(|_| ()).ok_or_else(none_begun)
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

fn none_begun() -> Error {
    Error::new(
        CKR_OPERATION_NOT_INITIALIZED,
        "no message of many parts is under way",
    )
}
