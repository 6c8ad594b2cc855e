//! C_Digest*: local.

use super::Session;
use super::message::Message;
use crate::error::Result;
use crate::mechanism::{self, Mechanism};
use crate::reply::{Reply, Room};

impl Session {
    pub(crate) fn digest_init(&self, mechanism: Option<Mechanism<'_>>) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.digest.cancel();
        };
        self.digest
            .start(|| mechanism::digest(mechanism).map(Message::to_digest))
    }

    pub(crate) fn digest(&self, data: &[u8], room: Room) -> Result<Reply> {
        self.digest.step(|message| {
            message.check_one_part()?;
            Ok(match room.refuse(message.digest_len()) {
                Some(length) => (Some(message), length),
                None => (None, message.whole(data)?.into_owned().into()),
            })
        })
    }

    pub(crate) fn digest_update(&self, part: &[u8]) -> Result<()> {
        self.digest.step(|mut message| {
            message.add(part)?;
            Ok((Some(message), ()))
        })
    }

    pub(crate) fn digest_final(&self, room: Room) -> Result<Reply> {
        self.digest.step(|message| {
            Ok(match room.refuse(message.digest_len()) {
                Some(length) => (Some(message), length),
                None => (None, message.finish()?.into()),
            })
        })
    }
}
