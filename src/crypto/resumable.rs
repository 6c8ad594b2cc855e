//! Digests whose state can be taken out as bytes, and taken up again: those of C_Digest*, which
//! C_GetOperationState saves.
//!
//! aws-lc-rs keeps the state of its digests to itself, so these are RustCrypto's, which use the
//! processor's instructions for SHA as well. They are wiped when they are dropped.

use std::fmt;

use sha1::Sha1;
use sha2::digest::Digest;
use sha2::digest::common::hazmat::{DeserializeStateError, SerializableState, SerializedState};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::Hash;

/// A digest in progress.
pub(crate) struct ResumableHasher {
    hash: Hash,
    state: State,
}

enum State {
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

/// Does the same with the state of whichever hash function it is.
macro_rules! with_state {
    ($state:expr, $hasher:ident => $work:expr) => {
        match $state {
            State::Sha1($hasher) => $work,
            State::Sha224($hasher) => $work,
            State::Sha256($hasher) => $work,
            State::Sha384($hasher) => $work,
            State::Sha512($hasher) => $work,
        }
    };
}

impl ResumableHasher {
    pub(crate) fn new(hash: Hash) -> Self {
        let state = match hash {
            Hash::Sha1 => State::Sha1(Sha1::new()),
            Hash::Sha224 => State::Sha224(Sha224::new()),
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha384 => State::Sha384(Sha384::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
        };
        Self { hash, state }
    }

    /// Takes up what [`Self::save`] of this hash answered; `None` for what it cannot have answered.
    pub(crate) fn resume(hash: Hash, saved: &[u8]) -> Option<Self> {
        let state = match hash {
            Hash::Sha1 => deserialize(saved).map(State::Sha1),
            Hash::Sha224 => deserialize(saved).map(State::Sha224),
            Hash::Sha256 => deserialize(saved).map(State::Sha256),
            Hash::Sha384 => deserialize(saved).map(State::Sha384),
            Hash::Sha512 => deserialize(saved).map(State::Sha512),
        };
        state.ok().map(|state| Self { hash, state })
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        with_state!(&mut self.state, hasher => hasher.update(data));
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        with_state!(self.state, hasher => hasher.finalize().to_vec())
    }

    /// The state as bytes, as many for every state of a hash function. Among them are the last bytes
    /// of the message.
    pub(crate) fn save(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(with_state!(&self.state, hasher => hasher.serialize().to_vec()))
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }
}

fn deserialize<T: SerializableState>(saved: &[u8]) -> Result<T, DeserializeStateError> {
    let saved = <&SerializedState<T>>::try_from(saved).map_err(|_| DeserializeStateError)?;
    T::deserialize(saved)
}

impl fmt::Debug for ResumableHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResumableHasher").field(&self.hash).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;

    #[test]
    fn digests_equal_those_of_openssl_wherever_they_were_interrupted() {
        let openssl = Openssl::new();
        let message: Vec<u8> = (0..=255).cycle().take(300).collect();
        for hash in Hash::ALL {
            let expected = openssl.digest(hash, &message);
            for cut in 0..=message.len() {
                let mut first = ResumableHasher::new(hash);
                first.update(&message[..cut]);
                let mut second = ResumableHasher::resume(hash, &first.save()).unwrap();
                for hasher in [&mut first, &mut second] {
                    hasher.update(&message[cut..]);
                }
                assert_eq!(first.finish(), expected, "{hash} in two parts, at {cut}");
                assert_eq!(second.finish(), expected, "{hash} taken up at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_state_of_the_hash_is_not_taken_up() {
        for hash in Hash::ALL {
            let saved = ResumableHasher::new(hash).save();
            assert!(ResumableHasher::resume(hash, &saved[1..]).is_none());
            assert!(ResumableHasher::resume(hash, &[]).is_none());
            // Its last part says how many bytes of a block are waiting: there cannot be a whole one.
            assert!(ResumableHasher::resume(hash, &vec![0xff; saved.len()]).is_none());
        }
    }
}
