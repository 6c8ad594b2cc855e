//! AES key wrap: KW (RFC 3394) and KWP (RFC 5649), with their standard initial values.

use aes_kw::{KeyInit, KwAes192, KwpAes192};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap, KeyWrapPadded};

use super::{AesKey, CipherError, Output, Size};

/// The length in bytes of what both count in: half a block.
pub(crate) const SEMIBLOCK: usize = 8;

/// The two forms of key wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// For 16 bytes or more, in multiples of 8.
    Kw,
    /// For 1 byte or more.
    Kwp,
}

impl Form {
    /// The length in bytes of what `len` bytes are wrapped into, or `None` when the form does not
    /// take that many.
    pub(crate) fn wrapped_len(self, len: usize) -> Option<usize> {
        let possible = match self {
            Self::Kw => len >= 2 * SEMIBLOCK && len.is_multiple_of(SEMIBLOCK),
            Self::Kwp => len > 0,
        };
        let wrapped = len.checked_next_multiple_of(SEMIBLOCK)? + SEMIBLOCK;
        possible.then_some(wrapped)
    }

    /// Whether something wrapped can have this length.
    pub(crate) fn is_wrapped_len(self, len: usize) -> bool {
        let least = match self {
            Self::Kw => 3 * SEMIBLOCK,
            Self::Kwp => 2 * SEMIBLOCK,
        };
        len >= least && len.is_multiple_of(SEMIBLOCK)
    }
}

/// `plaintext` wrapped, [`Form::wrapped_len`] bytes.
///
/// [`CipherError::DataLength`] for a length that the form does not take.
pub(crate) fn wrap(key: &AesKey, form: Form, plaintext: &[u8]) -> Result<Output, CipherError> {
    let len = form
        .wrapped_len(plaintext.len())
        .ok_or(CipherError::DataLength)?;
    let mut out = Output::new(vec![0; len]);
    let written = match (kek(key)?, form) {
        (Some(kek), Form::Kw) => kek.wrap(plaintext, &mut out)?.len(),
        (Some(kek), Form::Kwp) => kek.wrap_with_padding(plaintext, &mut out)?.len(),
        (None, Form::Kw) => kw_192(key)?
            .wrap_key(plaintext, &mut out)
            .map_err(|_| CipherError::Failed)?
            .len(),
        (None, Form::Kwp) => kwp_192(key)?
            .wrap_key(plaintext, &mut out)
            .map_err(|_| CipherError::Failed)?
            .len(),
    };
    out.truncate(written);
    Ok(out)
}

/// What was wrapped.
///
/// [`CipherError::DataLength`] for a length that nothing wrapped has.
pub(crate) fn unwrap(key: &AesKey, form: Form, wrapped: &[u8]) -> Result<Output, CipherError> {
    if !form.is_wrapped_len(wrapped.len()) {
        return Err(CipherError::DataLength);
    }
    let mut out = Output::new(vec![0; wrapped.len()]);
    let written = match (kek(key)?, form) {
        (Some(kek), Form::Kw) => kek.unwrap(wrapped, &mut out).ok().map(|key| key.len()),
        (Some(kek), Form::Kwp) => kek
            .unwrap_with_padding(wrapped, &mut out)
            .ok()
            .map(|key| key.len()),
        (None, Form::Kw) => kw_192(key)?
            .unwrap_key(wrapped, &mut out)
            .ok()
            .map(<[u8]>::len),
        (None, Form::Kwp) => kwp_192(key)?
            .unwrap_key(wrapped, &mut out)
            .ok()
            .map(<[u8]>::len),
    };
    out.truncate(written.ok_or(CipherError::Invalid)?);
    Ok(out)
}

/// The key as aws-lc-rs has it: not for 192 bits, which the `aes-kw` crate does.
fn kek(key: &AesKey) -> Result<Option<AesKek>, CipherError> {
    let cipher = match key.size {
        Size::Aes128 => &AES_128,
        Size::Aes192 => return Ok(None),
        Size::Aes256 => &AES_256,
    };
    Ok(Some(AesKek::new(cipher, &key.bytes)?))
}

fn kw_192(key: &AesKey) -> Result<KwAes192, CipherError> {
    KwAes192::new_from_slice(&key.bytes).map_err(|_| CipherError::Failed)
}

fn kwp_192(key: &AesKey) -> Result<KwpAes192, CipherError> {
    KwpAes192::new_from_slice(&key.bytes).map_err(|_| CipherError::Failed)
}

#[cfg(test)]
mod tests {
    use kms_pkcs11_testkit::{from_hex, hex};

    use super::*;
    use crate::crypto::python::python;

    const WRAP: &str = "
import sys
from cryptography.hazmat.primitives import keywrap
wrap = getattr(keywrap, sys.argv[1])
kek, *keys = map(bytes.fromhex, sys.argv[2:])
for key in keys:
    print(wrap(kek, key).hex())
";

    fn key(len: usize) -> (AesKey, Vec<u8>) {
        let bytes: Vec<u8> = (1..).take(len).collect();
        (AesKey::new(&bytes).unwrap(), bytes)
    }

    #[test]
    fn keys_are_wrapped_and_unwrapped_as_python_does() {
        let data: Vec<u8> = (0..=255).collect();
        for (form, function, lengths) in [
            (Form::Kw, "aes_key_wrap", &[16, 24, 32, 40, 64, 256][..]),
            (
                Form::Kwp,
                "aes_key_wrap_with_padding",
                &[1, 7, 8, 9, 15, 16, 17, 31, 32, 133, 256],
            ),
        ] {
            for key_len in [16, 24, 32] {
                let (kek, bytes) = key(key_len);
                let mut args = vec![function.to_owned(), hex(&bytes)];
                args.extend(lengths.iter().map(|len| hex(&data[..*len])));
                let args: Vec<&str> = args.iter().map(|arg| &arg[..]).collect();
                let expected = python(WRAP, &args);
                assert_eq!(expected.len(), lengths.len());
                for (&len, expected) in lengths.iter().zip(expected) {
                    let wrapped = wrap(&kek, form, &data[..len]).unwrap();
                    assert_eq!(*wrapped, expected, "{form:?}, {len} bytes");
                    assert_eq!(form.wrapped_len(len), Some(wrapped.len()));
                    assert_eq!(unwrap(&kek, form, &wrapped).unwrap()[..], data[..len]);
                }
            }
        }
    }

    /// RFC 3394, section 4.2 with a key of 192 bits, and RFC 5649, section 6.
    #[test]
    fn the_vectors_of_the_rfcs_are_met() {
        for (form, kek, plaintext, wrapped) in [
            (
                Form::Kw,
                "000102030405060708090a0b0c0d0e0f1011121314151617",
                "00112233445566778899aabbccddeeff",
                "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d",
            ),
            (
                Form::Kwp,
                "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
                "c37b7e6492584340bed12207808941155068f738",
                "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
            ),
            (
                Form::Kwp,
                "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
                "466f7250617369",
                "afbeb0f07dfbf5419200f2ccb50bb24f",
            ),
        ] {
            let kek = AesKey::new(&from_hex(kek)).unwrap();
            let (plaintext, wrapped) = (from_hex(plaintext), from_hex(wrapped));
            assert_eq!(*wrap(&kek, form, &plaintext).unwrap(), wrapped);
            assert_eq!(*unwrap(&kek, form, &wrapped).unwrap(), plaintext);
        }
    }

    #[test]
    fn a_change_of_what_was_wrapped_is_noticed() {
        for key_len in [16, 24, 32] {
            let (kek, _) = key(key_len);
            let (other, _) = key(48 - key_len);
            for form in [Form::Kw, Form::Kwp] {
                let wrapped = wrap(&kek, form, &[7; 32]).unwrap();
                for position in 0..wrapped.len() {
                    let mut changed = wrapped.clone();
                    changed[position] ^= 1 << (position % 8);
                    let refused = unwrap(&kek, form, &changed).unwrap_err();
                    assert_eq!(refused, CipherError::Invalid, "byte {position}");
                }
                let shorter = unwrap(&kek, form, &wrapped[..32]).unwrap_err();
                assert_eq!(shorter, CipherError::Invalid);
                if key_len != 24 {
                    let refused = unwrap(&other, form, &wrapped).unwrap_err();
                    assert_eq!(refused, CipherError::Invalid);
                }
            }
            let kw = wrap(&kek, Form::Kw, &[7; 32]).unwrap();
            let refused = unwrap(&kek, Form::Kwp, &kw).unwrap_err();
            assert_eq!(refused, CipherError::Invalid);
        }
    }

    #[test]
    fn lengths_that_the_form_does_not_take_are_told_apart() {
        for key_len in [16, 24, 32] {
            let (kek, _) = key(key_len);
            for (form, plain, wrapped) in [
                (
                    Form::Kw,
                    &[0, 1, 8, 15, 17, 31][..],
                    &[0, 8, 16, 23, 25][..],
                ),
                (Form::Kwp, &[0], &[0, 8, 15, 17, 23]),
            ] {
                for &len in plain {
                    let refused = wrap(&kek, form, &vec![7; len]).unwrap_err();
                    assert_eq!(refused, CipherError::DataLength, "{form:?}, {len} bytes");
                    assert_eq!(form.wrapped_len(len), None);
                }
                for &len in wrapped {
                    let refused = unwrap(&kek, form, &vec![7; len]).unwrap_err();
                    assert_eq!(refused, CipherError::DataLength, "{form:?}, {len} bytes");
                }
            }
        }
    }
}
