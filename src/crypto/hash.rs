//! The hash functions this module computes: SHA-1 and SHA-2.

use std::fmt;
use std::ops::Deref;

use aws_lc_rs::digest;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Hash {
    /// For digests, and for ECDSA and OAEP callers that ask for it; KMS signs nothing under its
    /// name.
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) const ALL: [Self; 5] = [
        Self::Sha1,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The length of a digest in bytes.
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) fn digest(self, data: &[u8]) -> Digest {
        Digest(digest::digest(self.algorithm(), data))
    }

    pub(super) fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// A digest in progress. A clone goes on from the same state.
#[derive(Clone)]
pub(crate) struct Hasher(digest::Context);

impl Hasher {
    pub(crate) fn new(hash: Hash) -> Self {
        Self(digest::Context::new(hash.algorithm()))
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finish())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hasher").field(self.0.algorithm()).finish()
    }
}

/// A finished digest, kept in place rather than on the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(digest::Digest);

impl Deref for Digest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;

    #[test]
    fn digests_equal_those_of_openssl() {
        let openssl = Openssl::new();
        let message: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for hash in Hash::ALL {
            for length in [0, 1, 55, 56, 63, 64, 111, 112, 127, 128, 1000] {
                let message = &message[..length];
                let digest = hash.digest(message);
                assert_eq!(digest.len(), hash.len());
                assert_eq!(
                    *digest,
                    openssl.digest(hash, message),
                    "{hash:?} of {length} bytes"
                );
            }
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_how_the_message_is_cut() {
        let message: Vec<u8> = (0..=255).cycle().take(300).collect();
        for hash in Hash::ALL {
            for cut in 0..=message.len() {
                let mut hasher = Hasher::new(hash);
                hasher.update(&message[..cut]);
                let mut copy = hasher.clone();
                hasher.update(&message[cut..]);
                copy.update(b"another end");
                assert_eq!(*hasher.finish(), *hash.digest(&message));
                assert_ne!(*copy.finish(), *hash.digest(&message));
            }
        }
    }
}
