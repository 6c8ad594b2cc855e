//! AES-CBC, with the padding of PKCS #7 or without any, in as many parts as there are.

use std::{fmt, mem};

use aws_lc_rs::cipher::{DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use zeroize::Zeroizing;

use super::{AesKey, BLOCK_LEN, CipherError, Output};

/// How the last block is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// The data is whole blocks: `CKM_AES_CBC`.
    None,
    /// 1 to 16 bytes, each of them their number: `CKM_AES_CBC_PAD`.
    Pkcs7,
}

/// An encryption or a decryption in progress.
pub(crate) struct Cbc {
    cipher: Cipher,
    padding: Padding,
    /// The last block of ciphertext, the initialization vector at first.
    chain: [u8; BLOCK_LEN],
    /// What came in and is not yet out: a block at most.
    pending: Zeroizing<Vec<u8>>,
}

enum Cipher {
    Encrypt(EncryptingKey),
    Decrypt(DecryptingKey),
}

impl Cbc {
    pub(crate) fn encryptor(
        key: &AesKey,
        iv: &[u8],
        padding: Padding,
    ) -> Result<Self, CipherError> {
        let cipher = Cipher::Encrypt(EncryptingKey::cbc(key.unbound()?)?);
        Self::new(cipher, iv, padding)
    }

    pub(crate) fn decryptor(
        key: &AesKey,
        iv: &[u8],
        padding: Padding,
    ) -> Result<Self, CipherError> {
        let cipher = Cipher::Decrypt(DecryptingKey::cbc(key.unbound()?)?);
        Self::new(cipher, iv, padding)
    }

    fn new(cipher: Cipher, iv: &[u8], padding: Padding) -> Result<Self, CipherError> {
        Ok(Self {
            cipher,
            padding,
            chain: iv.try_into().map_err(|_| CipherError::IvLength(iv.len()))?,
            pending: Zeroizing::default(),
        })
    }

    /// The blocks that `data` completes, [`Self::update_len`] bytes.
    pub(crate) fn update(&mut self, data: &[u8]) -> Result<Output, CipherError> {
        let ready = self.update_len(data.len());
        let mut blocks = Zeroizing::new(Vec::with_capacity(self.pending.len() + data.len()));
        blocks.extend_from_slice(&self.pending);
        blocks.extend_from_slice(data);
        self.pending = Zeroizing::new(blocks[ready..].to_vec());
        blocks.truncate(ready);
        self.process(&mut blocks)?;
        Ok(blocks)
    }

    /// The last block: none, or that of the padding. A decryption's is shorter than the
    /// [`Self::finish_len`] by the padding.
    pub(crate) fn finish(mut self) -> Result<Output, CipherError> {
        let mut block = mem::take(&mut self.pending);
        match (&self.cipher, self.padding) {
            (_, Padding::None) if block.is_empty() => Ok(block),
            (_, Padding::None) => Err(CipherError::DataLength),
            (Cipher::Encrypt(_), Padding::Pkcs7) => {
                let mut padded = pad(&block);
                self.process(&mut padded)?;
                Ok(padded)
            }
            (Cipher::Decrypt(_), Padding::Pkcs7) if block.len() != BLOCK_LEN => {
                Err(CipherError::DataLength)
            }
            (Cipher::Decrypt(_), Padding::Pkcs7) => {
                self.process(&mut block)?;
                let len = unpadded_len(&block).ok_or(CipherError::Invalid)?;
                block.truncate(len);
                Ok(block)
            }
        }
    }

    /// The bytes that [`Self::update`] puts out for `data_len` bytes.
    pub(crate) fn update_len(&self, data_len: usize) -> usize {
        let total = self.pending.len() + data_len;
        let held_back = match (&self.cipher, self.padding) {
            // The last block may be padding, so it waits for one that follows or for the end.
            (Cipher::Decrypt(_), Padding::Pkcs7) => total.min(1),
            _ => 0,
        };
        (total - held_back) / BLOCK_LEN * BLOCK_LEN
    }

    /// The most bytes that [`Self::finish`] puts out.
    pub(crate) fn finish_len(&self) -> usize {
        match self.padding {
            Padding::None => 0,
            Padding::Pkcs7 => BLOCK_LEN,
        }
    }

    /// Encrypts or decrypts whole blocks in place.
    fn process(&mut self, blocks: &mut [u8]) -> Result<(), CipherError> {
        let last = |blocks: &[u8]| blocks.last_chunk().copied();
        let chain = self.chain.into();
        let next = match &self.cipher {
            Cipher::Encrypt(key) => {
                key.less_safe_encrypt(blocks, EncryptionContext::Iv128(chain))?;
                last(blocks)
            }
            Cipher::Decrypt(key) => {
                let next = last(blocks);
                key.decrypt(blocks, DecryptionContext::Iv128(chain))?;
                next
            }
        };
        self.chain = next.unwrap_or(self.chain);
        Ok(())
    }
}

impl fmt::Debug for Cbc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cbc")
            .field("padding", &self.padding)
            .finish_non_exhaustive()
    }
}

/// A whole block of less than one.
fn pad(rest: &[u8]) -> Zeroizing<Vec<u8>> {
    let fill = BLOCK_LEN - rest.len();
    let mut block = Zeroizing::new(Vec::with_capacity(BLOCK_LEN));
    block.extend_from_slice(rest);
    // At most the length of a block.
    block.resize(BLOCK_LEN, fill.to_le_bytes()[0]);
    block
}

/// The length without padding of a last block, or `None` when its padding is none.
///
/// Callers see the difference by the answer, as PKCS#11 has it; by the time it takes they learn no
/// more than that.
fn unpadded_len(block: &[u8]) -> Option<usize> {
    let fill = *block.last()?;
    let len = block.len().checked_sub(fill.into())?;
    let padding = &block[len..];
    let expected = [fill; BLOCK_LEN];
    let valid = fill != 0 && verify_slices_are_equal(padding, &expected[..padding.len()]).is_ok();
    valid.then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::Openssl;

    const IV: [u8; 16] = [0x1c; 16];

    fn key(len: usize) -> (AesKey, Vec<u8>) {
        let bytes: Vec<u8> = (1..).take(len).collect();
        (AesKey::new(&bytes).unwrap(), bytes)
    }

    fn in_parts(mut cbc: Cbc, data: &[u8], part: usize) -> Result<Vec<u8>, CipherError> {
        let mut out = Vec::new();
        for part in data.chunks(part) {
            let expected = cbc.update_len(part.len());
            let written = cbc.update(part)?;
            assert_eq!(written.len(), expected);
            out.extend_from_slice(&written);
        }
        let most = cbc.finish_len();
        let last = cbc.finish()?;
        assert!(last.len() <= most);
        out.extend_from_slice(&last);
        Ok(out)
    }

    #[test]
    fn ciphertexts_are_those_of_openssl_however_the_data_is_cut() {
        let openssl = Openssl::new();
        let data: Vec<u8> = (0..=255).collect();
        for key_len in [16, 24, 32] {
            let (key, bytes) = key(key_len);
            let name = format!("-aes-{}-cbc", 8 * key_len);
            for (padding, options, lengths) in [
                (Padding::Pkcs7, &[][..], [0, 1, 15, 16, 17, 31, 32, 250]),
                (Padding::None, &["-nopad"], [0, 16, 32, 48, 64, 80, 96, 256]),
            ] {
                for length in lengths {
                    let plain = &data[..length];
                    let expected = openssl.encrypt(&name, &bytes, &IV, options, plain);
                    for part in [1, 7, 15, 16, 17, 33, 500] {
                        let encryptor = Cbc::encryptor(&key, &IV, padding).unwrap();
                        let decryptor = Cbc::decryptor(&key, &IV, padding).unwrap();
                        assert_eq!(in_parts(encryptor, plain, part).unwrap(), expected);
                        assert_eq!(in_parts(decryptor, &expected, part).unwrap(), plain);
                    }
                }
            }
        }
    }

    #[test]
    fn data_that_is_no_whole_blocks_needs_padding() {
        let (key, _) = key(16);
        for length in [1, 15, 17, 33] {
            let encryptor = Cbc::encryptor(&key, &IV, Padding::None).unwrap();
            let refused = in_parts(encryptor, &vec![0; length], 16);
            assert_eq!(refused, Err(CipherError::DataLength));
            for padding in [Padding::None, Padding::Pkcs7] {
                let decryptor = Cbc::decryptor(&key, &IV, padding).unwrap();
                let refused = in_parts(decryptor, &vec![0; length], 16);
                assert_eq!(refused, Err(CipherError::DataLength));
            }
        }
        let decryptor = Cbc::decryptor(&key, &IV, Padding::Pkcs7).unwrap();
        assert_eq!(in_parts(decryptor, &[], 1), Err(CipherError::DataLength));
    }

    #[test]
    fn a_padding_that_is_none_is_invalid() {
        let (key, _) = key(32);
        let endings: [&[u8]; 6] = [&[0], &[17], &[0xff], &[1, 2], &[3, 4, 4, 4], &[9; 8]];
        for ending in endings {
            let mut block = vec![0xa5; BLOCK_LEN - ending.len()];
            block.extend_from_slice(ending);
            let encryptor = Cbc::encryptor(&key, &IV, Padding::None).unwrap();
            let ciphertext = in_parts(encryptor, &block, 16).unwrap();
            let decryptor = Cbc::decryptor(&key, &IV, Padding::Pkcs7).unwrap();
            let refused = in_parts(decryptor, &ciphertext, 16);
            assert_eq!(refused, Err(CipherError::Invalid), "{ending:?}");
        }
    }

    #[test]
    fn an_iv_of_another_length_is_refused() {
        let (key, _) = key(16);
        for length in [0, 8, 12, 15, 17] {
            let refused = Cbc::encryptor(&key, &vec![0; length], Padding::None).unwrap_err();
            assert_eq!(refused, CipherError::IvLength(length));
            let refused = Cbc::decryptor(&key, &vec![0; length], Padding::Pkcs7).unwrap_err();
            assert_eq!(refused, CipherError::IvLength(length));
        }
    }
}
