//! AES with a key at hand: the modes of PKCS#11 that session keys are used with.

pub(crate) mod cbc;
pub(crate) mod ctr;
pub(crate) mod gcm;
pub(crate) mod wrap;

use std::fmt;

use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use zeroize::Zeroizing;

/// The length of a block in bytes.
pub(crate) const BLOCK_LEN: usize = 16;

/// What a cipher puts out, wiped when dropped: one way or the other it is plaintext.
pub(crate) type Output = Zeroizing<Vec<u8>>;

/// An AES key of 128, 192 or 256 bits.
#[derive(Clone)]
pub(crate) struct AesKey {
    size: Size,
    bytes: Zeroizing<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Aes128,
    Aes192,
    Aes256,
}

impl AesKey {
    /// A key of 16, 24 or 32 bytes.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, CipherError> {
        let size = match bytes.len() {
            16 => Size::Aes128,
            24 => Size::Aes192,
            32 => Size::Aes256,
            len => return Err(CipherError::KeyLength(len)),
        };
        Ok(Self {
            size,
            bytes: Zeroizing::new(bytes.to_vec()),
        })
    }

    fn unbound(&self) -> Result<UnboundCipherKey, CipherError> {
        let algorithm = match self.size {
            Size::Aes128 => &AES_128,
            Size::Aes192 => &AES_192,
            Size::Aes256 => &AES_256,
        };
        Ok(UnboundCipherKey::new(algorithm, &self.bytes)?)
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AesKey")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Why nothing was encrypted, decrypted, wrapped or unwrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CipherError {
    #[error("an AES key of {0} bytes, not 16, 24 or 32")]
    KeyLength(usize),
    #[error("an initialization vector of {0} bytes, which is not the mode's length")]
    IvLength(usize),
    #[error("a tag of {0} bytes; 12 to 16 are possible")]
    TagLength(usize),
    #[error("a counter of {0} bits; 1 to 128 are possible")]
    CounterBits(usize),
    /// Not whole blocks where the mode has nothing else, or more than it has numbers for, or less
    /// than the least.
    #[error("the data's length is not one that the mode takes")]
    DataLength,
    /// The tag, the padding or the integrity check does not belong to the data.
    #[error("the data is not what the key made")]
    Invalid,
    /// The library failed for no reason of ours.
    #[error("the cipher failed")]
    Failed,
}

impl From<Unspecified> for CipherError {
    fn from(_: Unspecified) -> Self {
        Self::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_lengths_are_refused() {
        for len in [0, 8, 15, 17, 23, 25, 31, 33, 64] {
            let refused = AesKey::new(&vec![1; len]).unwrap_err();
            assert_eq!(refused, CipherError::KeyLength(len));
        }
    }

    #[test]
    fn nothing_printed_tells_the_key() {
        let printed = format!("{:?}", AesKey::new(&[0x7a; 24]).unwrap());
        assert_eq!(printed, "AesKey { size: Aes192, .. }");
    }
}
