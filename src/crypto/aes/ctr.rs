//! AES-CTR, in as many parts as there are; encryption and decryption are the same.

use std::fmt;

use aws_lc_rs::cipher::{EncryptionContext, StreamingEncryptingKey};
use zeroize::Zeroizing;

use super::{AesKey, BLOCK_LEN, CipherError, Output};

/// A keystream and how far it is used.
pub(crate) struct Ctr {
    current: Keystream,
    /// What follows when the counter starts again at zero, below the bits it leaves alone.
    wrapped: Option<Keystream>,
}

struct Keystream {
    cipher: StreamingEncryptingKey,
    /// The bytes it has left.
    left: u128,
}

impl Ctr {
    /// `CK_AES_CTR_PARAMS`: the first counter block, and how many of its rightmost bits count, 1
    /// to 128.
    pub(crate) fn new(
        key: &AesKey,
        counter_block: &[u8],
        counter_bits: usize,
    ) -> Result<Self, CipherError> {
        let block: [u8; BLOCK_LEN] = counter_block
            .try_into()
            .map_err(|_| CipherError::IvLength(counter_block.len()))?;
        if !(1..=128).contains(&counter_bits) {
            return Err(CipherError::CounterBits(counter_bits));
        }
        let block = u128::from_be_bytes(block);
        let mask = u128::MAX >> (128 - counter_bits);
        let first = block & mask;
        // The cipher itself counts with all 128 bits, so it must stop before a carry leaves ours.
        let until_wrap = (mask - first).saturating_add(1);
        let wrapped = match first {
            0 => None,
            blocks => Some(Keystream::new(key, block & !mask, blocks)?),
        };
        Ok(Self {
            current: Keystream::new(key, block, until_wrap)?,
            wrapped,
        })
    }

    /// As many bytes as `data` has.
    ///
    /// [`CipherError::DataLength`], and nothing is used up, when a counter block would come twice.
    pub(crate) fn update(&mut self, data: &[u8]) -> Result<Output, CipherError> {
        let wrapped = self.wrapped.as_ref().map_or(0, |keystream| keystream.left);
        if data.len() as u128 > self.current.left.saturating_add(wrapped) {
            return Err(CipherError::DataLength);
        }
        // The cipher wants room for a block more than it fills.
        let mut out = Zeroizing::new(vec![0; data.len() + BLOCK_LEN]);
        let mut done = 0;
        while done < data.len() {
            if self.current.left == 0 {
                self.current = self.wrapped.take().ok_or(CipherError::DataLength)?;
            }
            done += self.current.apply(&data[done..], &mut out[done..])?;
        }
        out.truncate(data.len());
        Ok(out)
    }
}

impl fmt::Debug for Ctr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctr").finish_non_exhaustive()
    }
}

impl Keystream {
    fn new(key: &AesKey, counter_block: u128, blocks: u128) -> Result<Self, CipherError> {
        let context = EncryptionContext::Iv128(counter_block.to_be_bytes().into());
        Ok(Self {
            cipher: StreamingEncryptingKey::less_safe_ctr(key.unbound()?, context)?,
            left: blocks.saturating_mul(BLOCK_LEN as u128),
        })
    }

    /// Goes on with the leading bytes of `data`, as many as there is keystream for; answers how
    /// many those are.
    fn apply(&mut self, data: &[u8], out: &mut [u8]) -> Result<usize, CipherError> {
        // The cipher counts the bytes of a call in an i32.
        const MOST: usize = 1 << 30;
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let len = data.len().min(left).min(MOST);
        let written = self.cipher.update(&data[..len], out)?.written().len();
        if written != len {
            return Err(CipherError::Failed);
        }
        self.left -= len as u128;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;

    const BLOCK: [u8; 16] = [
        0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe,
        0xfd,
    ];

    fn key(len: usize) -> (AesKey, Vec<u8>) {
        let bytes: Vec<u8> = (1..).take(len).collect();
        (AesKey::new(&bytes).unwrap(), bytes)
    }

    fn in_parts(ctr: &mut Ctr, data: &[u8], part: usize) -> Result<Vec<u8>, CipherError> {
        let parts = data.chunks(part).map(|part| Ok(ctr.update(part)?.to_vec()));
        Ok(parts.collect::<Result<Vec<_>, CipherError>>()?.concat())
    }

    #[test]
    fn ciphertexts_are_those_of_openssl_however_the_data_is_cut() {
        let openssl = Openssl::new();
        let data: Vec<u8> = (0..=255).collect();
        for key_len in [16, 24, 32] {
            let (key, bytes) = key(key_len);
            let name = format!("-aes-{}-ctr", 8 * key_len);
            // The second carries through all 128 bits and starts again.
            for block in [BLOCK, [0xff; 16]] {
                for length in [1, 15, 16, 17, 255] {
                    let expected = openssl.encrypt(&name, &bytes, &block, &[], &data[..length]);
                    for part in [1, 7, 16, 100, 500] {
                        let mut ctr = Ctr::new(&key, &block, 128).unwrap();
                        assert_eq!(in_parts(&mut ctr, &data[..length], part).unwrap(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn the_counter_starts_again_without_touching_the_other_bits() {
        let openssl = Openssl::new();
        let (key, bytes) = key(32);
        let data: Vec<u8> = (0..=255).collect();
        for bits in [8, 9, 32, 64, 127] {
            // Three blocks before the end of the counter.
            let mask = u128::MAX >> (128 - bits);
            let prefix = u128::from_be_bytes(BLOCK) & !mask;
            let first = (prefix | (mask - 2)).to_be_bytes();
            let (before, after) = data.split_at(3 * BLOCK_LEN);
            let encrypt = |block: &[u8], data: &[u8]| {
                openssl.encrypt("-aes-256-ctr", &bytes, block, &[], data)
            };
            let expected = [
                encrypt(&first, before),
                encrypt(&prefix.to_be_bytes(), after),
            ];
            for part in [1, 16, 40, 500] {
                let mut ctr = Ctr::new(&key, &first, bits).unwrap();
                let ciphertext = in_parts(&mut ctr, &data, part).unwrap();
                assert_eq!(ciphertext, expected.concat(), "{bits} bits");
            }
        }
    }

    #[test]
    fn no_counter_block_comes_twice() {
        let (key, _) = key(16);
        for (bits, blocks) in [(1, 2), (2, 4), (8, 256)] {
            for first in [0x00, 0x01, 0xff] {
                let mut block = BLOCK;
                block[15] = first;
                let most = blocks * BLOCK_LEN;
                let mut ctr = Ctr::new(&key, &block, bits).unwrap();
                let refused = ctr.update(&vec![0; most + 1]).unwrap_err();
                assert_eq!(refused, CipherError::DataLength);
                // All the keystream is there still, and no two blocks of it are the same.
                let keystream = ctr.update(&vec![0; most]).unwrap();
                let mut different: Vec<_> = keystream.chunks(BLOCK_LEN).collect();
                different.sort_unstable();
                different.dedup();
                assert_eq!(different.len(), blocks, "{bits} bits from {first}");
                assert_eq!(ctr.update(&[0]).unwrap_err(), CipherError::DataLength);
                assert!(ctr.update(&[]).unwrap().is_empty());
            }
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let (key, _) = key(16);
        for bits in [0, 129, usize::MAX] {
            let refused = Ctr::new(&key, &BLOCK, bits).unwrap_err();
            assert_eq!(refused, CipherError::CounterBits(bits));
        }
        for length in [0, 12, 15, 17] {
            let refused = Ctr::new(&key, &vec![0; length], 128).unwrap_err();
            assert_eq!(refused, CipherError::IvLength(length));
        }
    }
}
