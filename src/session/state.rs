//! C_GetOperationState and C_SetOperationState: a digest can be saved, what needs a key cannot.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::digest::Digest;
use crate::crypto::{Hash, Hasher, ResumableHasher};
use crate::error::{Error, Result};
use crate::reply::{Reply, Room};
use crate::token::Token;

/// A saved state begins with this, the last byte being the version of the format. After it come the
/// number of the hash function, whether parts were handed in, the state of the hash
/// function, and the check value.
const HEADER: &[u8; 8] = b"KMSP11\0\x01";
/// Of the check value, in bytes: a SHA-256 over the token's serial number and all that precedes it.
const CHECK_LEN: usize = Hash::Sha256.len();

/// Operations whose state cannot be saved: their keys, or what they do with them, stay where they are.
const WITH_KEY: CK_FLAGS = CKF_SIGN
    | CKF_VERIFY
    | CKF_ENCRYPT
    | CKF_DECRYPT
    | CKF_MESSAGE_SIGN
    | CKF_MESSAGE_VERIFY
    | CKF_MESSAGE_ENCRYPT
    | CKF_MESSAGE_DECRYPT;

impl Session {
    /// The state of the session's digest.
    pub(crate) fn operation_state(&self, room: Room) -> Result<Reply> {
        if self.is_active(WITH_KEY) {
            return Err(Error::new(
                CKR_STATE_UNSAVEABLE,
                "only a digest can be saved, and only while no operation with a key is active",
            ));
        }
        self.digest.step(|digest| {
            let saved = save(&digest, &self.token);
            let reply = room.refuse(saved.len()).unwrap_or(Reply::Bytes(saved));
            Ok((Some(digest), reply))
        })
    }

    /// Goes on with a digest that was saved, in place of all that is active in the session.
    pub(crate) fn restore_operation_state(
        &self,
        saved: &[u8],
        keys: [CK_OBJECT_HANDLE; 2],
    ) -> Result<()> {
        let digest = restore(saved, &self.token).ok_or_else(|| {
            Error::new(
                CKR_SAVED_STATE_INVALID,
                "not a state that this version of the module saved for this token",
            )
        })?;
        if keys != [CK_INVALID_HANDLE; 2] {
            return Err(Error::new(CKR_KEY_NOT_NEEDED, "a digest has no key"));
        }
        self.stop(CK_FLAGS::MAX)?;
        self.digest.start(|| Ok(digest))
    }
}

fn save(digest: &Digest, token: &Token) -> Zeroizing<Vec<u8>> {
    let state = digest.hasher.save();
    // The whole length at once: a buffer that grows leaves copies behind.
    let len = HEADER.len() + 2 + state.len() + CHECK_LEN;
    let mut saved = Zeroizing::new(Vec::with_capacity(len));
    saved.extend_from_slice(HEADER);
    saved.extend([digest.hasher.hash() as u8, u8::from(digest.in_parts)]);
    saved.extend_from_slice(&state);
    let check = check_value(&saved, token);
    saved.extend_from_slice(&check);
    saved
}

fn restore(saved: &[u8], token: &Token) -> Option<Digest> {
    let (content, check) = saved.split_last_chunk::<CHECK_LEN>()?;
    if check_value(content, token) != *check {
        return None;
    }
    let (&[hash, in_parts], state) = content.strip_prefix(HEADER)?.split_first_chunk()?;
    let hash = Hash::ALL.into_iter().find(|known| *known as u8 == hash)?;
    Some(Digest {
        hasher: ResumableHasher::resume(hash, state)?,
        in_parts: in_parts != 0,
    })
}

fn check_value(content: &[u8], token: &Token) -> [u8; CHECK_LEN] {
    let mut hasher = Hasher::new(Hash::Sha256);
    hasher.update(token.serial().as_bytes());
    hasher.update(content);
    let mut value = [0; CHECK_LEN];
    value.copy_from_slice(&hasher.finish());
    value
}
