//! AES-CTR, in as many parts as there are; encryption and decryption are the same.

use std::fmt;

use aws_lc_rs::cipher::{EncryptionContext, StreamingEncryptingKey};
use zeroize::Zeroizing;

use super::{AesKey, BLOCK_LEN, CipherError, Output};

/// A keystream and how far it is used.
pub(crate) struct Ctr {
    cipher: StreamingEncryptingKey,
    /// The bytes that the counter has numbers for.
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
        let mask = u128::MAX >> (128 - counter_bits);
        let first = u128::from_be_bytes(block) & mask;
        // The cipher itself counts with all 128 bits, so it must stop before a carry leaves ours.
        let blocks = (mask - first).saturating_add(1);
        let context = EncryptionContext::Iv128(block.into());
        Ok(Self {
            cipher: StreamingEncryptingKey::less_safe_ctr(key.unbound()?, context)?,
            left: blocks.saturating_mul(BLOCK_LEN as u128),
        })
    }

    /// As many bytes as `data` has.
    ///
    /// [`CipherError::DataLength`], and nothing is used up, when the counter would start again at
    /// zero.
    pub(crate) fn update(&mut self, data: &[u8]) -> Result<Output, CipherError> {
        // The cipher counts the bytes of a call in an i32.
        const MOST: usize = 1 << 30;
        let left = self.left.checked_sub(data.len() as u128);
        self.left = left.ok_or(CipherError::DataLength)?;
        // The cipher wants room for a block more than it fills.
        let mut out = Zeroizing::new(vec![0; data.len() + BLOCK_LEN]);
        let mut done = 0;
        for chunk in data.chunks(MOST) {
            let written = self.cipher.update(chunk, &mut out[done..])?.written().len();
            if written != chunk.len() {
                return Err(CipherError::Failed);
            }
            done += written;
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
            for length in [1, 15, 16, 17, 255] {
                let expected = openssl.encrypt(&name, &bytes, &BLOCK, &[], &data[..length]);
                for part in [1, 7, 16, 100, 500] {
                    let mut ctr = Ctr::new(&key, &BLOCK, 128).unwrap();
                    assert_eq!(in_parts(&mut ctr, &data[..length], part).unwrap(), expected);
                }
            }
        }
    }

    #[test]
    fn the_counter_goes_up_to_its_end_and_not_on_from_zero() {
        let openssl = Openssl::new();
        let (key, bytes) = key(32);
        for (bits, blocks) in [
            (1, 1),
            (2, 3),
            (8, 200),
            (9, 3),
            (64, 3),
            (127, 3),
            (128, 3),
        ] {
            let mask = u128::MAX >> (128 - bits);
            let prefix = u128::from_be_bytes(BLOCK) & !mask;
            let first = (prefix | (mask - (blocks - 1))).to_be_bytes();
            let data = vec![0x5a; usize::try_from(blocks).unwrap() * BLOCK_LEN];
            let expected = openssl.encrypt("-aes-256-ctr", &bytes, &first, &[], &data);
            for part in [1, 16, 40, 5000] {
                let mut ctr = Ctr::new(&key, &first, bits).unwrap();
                let refused = ctr.update(&vec![0; data.len() + 1]).unwrap_err();
                assert_eq!(refused, CipherError::DataLength);
                // All of the keystream is there still.
                let ciphertext = in_parts(&mut ctr, &data, part).unwrap();
                assert_eq!(ciphertext, expected, "{bits} bits");
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
