//! AES-GCM (NIST SP 800-38D), in one part: no plaintext comes out before its tag is checked.

use std::fmt;

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::ctr::Ctr;
use super::{AesKey, CipherError, Output, Size};

/// The length of an initialization vector in bytes.
pub(crate) const IV_LEN: usize = NONCE_LEN;

/// The length in bytes of a tag that is not cut short.
const FULL_TAG_LEN: usize = 16;

/// A key with an initialization vector, for one message, and the length of its tag.
pub(crate) struct Gcm {
    key: AesKey,
    sealer: LessSafeKey,
    iv: [u8; IV_LEN],
    tag_len: usize,
}

impl Gcm {
    /// An initialization vector of [`IV_LEN`] bytes, and a tag of 12 to 16.
    pub(crate) fn new(key: &AesKey, iv: &[u8], tag_len: usize) -> Result<Self, CipherError> {
        let algorithm = match key.size {
            Size::Aes128 => &AES_128_GCM,
            Size::Aes192 => &AES_192_GCM,
            Size::Aes256 => &AES_256_GCM,
        };
        let iv = iv.try_into().map_err(|_| CipherError::IvLength(iv.len()))?;
        if !(12..=FULL_TAG_LEN).contains(&tag_len) {
            return Err(CipherError::TagLength(tag_len));
        }
        Ok(Self {
            key: key.clone(),
            sealer: LessSafeKey::new(UnboundKey::new(algorithm, &key.bytes)?),
            iv,
            tag_len,
        })
    }

    /// The ciphertext, as long as `plaintext`, and the tag behind it.
    pub(crate) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Output, CipherError> {
        let mut sealed = Output::new(Vec::with_capacity(plaintext.len() + FULL_TAG_LEN));
        sealed.extend_from_slice(plaintext);
        self.sealer
            .seal_in_place_append_tag(self.nonce(), Aad::from(aad), &mut *sealed)?;
        sealed.truncate(plaintext.len() + self.tag_len);
        Ok(sealed)
    }

    /// The plaintext of a ciphertext with its tag behind it.
    ///
    /// [`CipherError::DataLength`] for what is shorter than a tag.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Output, CipherError> {
        let len = sealed
            .len()
            .checked_sub(self.tag_len)
            .ok_or(CipherError::DataLength)?;
        if self.tag_len < FULL_TAG_LEN {
            return self.open_short(aad, sealed.split_at(len));
        }
        let mut plaintext = Output::new(sealed.to_vec());
        self.sealer
            .open_in_place(self.nonce(), Aad::from(aad), &mut plaintext)
            .map_err(|_| CipherError::Invalid)?;
        plaintext.truncate(len);
        Ok(plaintext)
    }

    /// Makes the whole tag, for the library checks no other, and compares as much of it as is there.
    fn open_short(&self, aad: &[u8], sealed: (&[u8], &[u8])) -> Result<Output, CipherError> {
        let (ciphertext, tag) = sealed;
        let plaintext = self.keystream()?.update(ciphertext)?;
        let again = self.seal(aad, &plaintext)?;
        verify_slices_are_equal(&again[ciphertext.len()..], tag)
            .map_err(|_| CipherError::Invalid)?;
        Ok(plaintext)
    }

    /// GCTR of SP 800-38D: a counter of 32 bits behind the initialization vector. It is 1 for the
    /// tag and starts with 2 for the data.
    fn keystream(&self) -> Result<Ctr, CipherError> {
        const FIRST: [u8; 4] = [0, 0, 0, 2];
        Ctr::new(&self.key, &[&self.iv[..], &FIRST].concat(), 32)
    }

    fn nonce(&self) -> Nonce {
        Nonce::assume_unique_for_key(self.iv)
    }
}

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gcm")
            .field("key", &self.key)
            .field("tag_len", &self.tag_len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use kms_pkcs11_testkit::hex;

    use super::*;
    use crate::crypto::python::python;

    const IV: [u8; IV_LEN] = [0x1c; IV_LEN];
    const SEAL: &str = "
import sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
key, iv, *messages = map(bytes.fromhex, sys.argv[1:])
for aad, plaintext in zip(messages[::2], messages[1::2]):
    print(AESGCM(key).encrypt(iv, plaintext, aad).hex())
";

    #[test]
    fn messages_are_sealed_as_python_does_and_opened_with_every_tag_length() {
        let data: Vec<u8> = (0..=255).collect();
        let messages: Vec<(&[u8], &[u8])> = [(0, 0), (0, 1), (1, 0), (20, 16), (7, 33), (64, 256)]
            .map(|(aad, len)| (&data[..aad], &data[..len]))
            .to_vec();
        for key_len in [16, 24, 32] {
            let key = AesKey::new(&data[..key_len]).unwrap();
            let mut args = vec![hex(&data[..key_len]), hex(&IV)];
            for (aad, plaintext) in &messages {
                args.extend([hex(aad), hex(plaintext)]);
            }
            let args: Vec<&str> = args.iter().map(|arg| &arg[..]).collect();
            let sealed = python(SEAL, &args);
            assert_eq!(sealed.len(), messages.len());
            for (&(aad, plaintext), sealed) in messages.iter().zip(&sealed) {
                for tag_len in 12..=16 {
                    let gcm = Gcm::new(&key, &IV, tag_len).unwrap();
                    let expected = &sealed[..plaintext.len() + tag_len];
                    assert_eq!(gcm.seal(aad, plaintext).unwrap()[..], *expected);
                    assert_eq!(gcm.open(aad, expected).unwrap()[..], *plaintext);
                }
            }
        }
    }

    #[test]
    fn a_change_of_anything_is_noticed() {
        let key = AesKey::new(&[7; 32]).unwrap();
        for tag_len in 12..=16 {
            let gcm = Gcm::new(&key, &IV, tag_len).unwrap();
            let sealed = gcm.seal(b"header", b"a plaintext").unwrap();
            for position in 0..sealed.len() {
                let mut changed = sealed.to_vec();
                changed[position] ^= 1 << (position % 8);
                let refused = gcm.open(b"header", &changed).unwrap_err();
                assert_eq!(refused, CipherError::Invalid, "byte {position}");
            }
            let refused = gcm.open(b"headeR", &sealed).unwrap_err();
            assert_eq!(refused, CipherError::Invalid);
            let other = Gcm::new(&key, &[0x1d; IV_LEN], tag_len).unwrap();
            assert_eq!(
                other.open(b"header", &sealed).unwrap_err(),
                CipherError::Invalid
            );
            let refused = gcm.open(b"header", &sealed[1..]).unwrap_err();
            assert_eq!(refused, CipherError::Invalid);
        }
    }

    #[test]
    fn what_is_shorter_than_a_tag_is_told_apart() {
        let key = AesKey::new(&[7; 16]).unwrap();
        for tag_len in 12..=16 {
            let gcm = Gcm::new(&key, &IV, tag_len).unwrap();
            for length in [0, 1, tag_len - 1] {
                let refused = gcm.open(b"", &vec![0; length]).unwrap_err();
                assert_eq!(refused, CipherError::DataLength);
            }
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let key = AesKey::new(&[7; 16]).unwrap();
        for length in [0, 1, 11, 13, 16] {
            let refused = Gcm::new(&key, &vec![0; length], 16).unwrap_err();
            assert_eq!(refused, CipherError::IvLength(length));
        }
        for tag_len in [0, 4, 8, 11, 17, 96, 128] {
            let refused = Gcm::new(&key, &IV, tag_len).unwrap_err();
            assert_eq!(refused, CipherError::TagLength(tag_len));
        }
    }
}
