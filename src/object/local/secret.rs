//! Secret keys whose bytes are in this process: created, derived, unwrapped, agreed on.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::creation::{Kind, missing};
use super::{Body, LocalObject};
use crate::crypto::Hash;
use crate::crypto::aes::cbc::{Cbc, Padding};
use crate::crypto::aes::{AesKey, BLOCK_LEN, CipherError};
use crate::error::{Error, Result};
use crate::object::Object;
use crate::object::template::Template;
use crate::object::value::{flag, ulong};

/// Where the bytes of a key come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The caller handed them in: C_CreateObject.
    Created,
    Derived(Base),
    Unwrapped,
    Encapsulated,
    Decapsulated,
}

/// What a derived key inherits of the key that it was derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) always_sensitive: bool,
    pub(crate) never_extractable: bool,
}

impl Base {
    pub(crate) fn of(key: &Object) -> Self {
        Self {
            always_sensitive: key.read(CKA_ALWAYS_SENSITIVE).is_true(),
            never_extractable: key.read(CKA_NEVER_EXTRACTABLE).is_true(),
        }
    }
}

/// Makes a session's secret key of `value`.
///
/// The template is checked whole; what it may leave out depends on the origin: C_CreateObject needs
/// the class and the key type, C_UnwrapKey the key type, and what is derived or agreed on without a
/// key type is a generic secret.
pub(crate) fn make(
    template: &Template<'_>,
    value: Zeroizing<Vec<u8>>,
    origin: Origin,
) -> Result<LocalObject> {
    let type_ = SecretType::of(template, origin)?;
    if !type_.takes(value.len()) {
        return Err(Error::new(
            origin.bad_length(),
            format!("a key of {} bytes; {}", value.len(), type_.advice),
        ));
    }
    let kind = Kind {
        class: CKO_SECRET_KEY,
        key_type: Some(type_.key_type),
        created: origin == Origin::Created,
    };
    let mut attributes = kind.attributes(template)?;
    // The body is the value.
    attributes.remove(&CKA_VALUE);
    let mut key = LocalObject::new(attributes, Body::SecretKey(value));
    key.set_len(template)?;
    key.set_check_value(template, type_)?;
    if let Origin::Derived(base) = origin {
        let always_sensitive = base.always_sensitive && key.flag(CKA_SENSITIVE);
        let never_extractable = base.never_extractable && !key.flag(CKA_EXTRACTABLE);
        key.put(CKA_ALWAYS_SENSITIVE, flag(always_sensitive));
        key.put(CKA_NEVER_EXTRACTABLE, flag(never_extractable));
    }
    Ok(key)
}

/// Checks all that can be checked of a template before the key's bytes are there.
pub(crate) fn check(template: &Template<'_>, origin: Origin) -> Result<()> {
    let kind = Kind {
        class: CKO_SECRET_KEY,
        key_type: Some(SecretType::of(template, origin)?.key_type),
        created: origin == Origin::Created,
    };
    kind.attributes(template)?;
    if origin != Origin::Created {
        wanted_len(template)?;
    }
    Ok(())
}

/// The length in bytes that a template wants of its key, one that the key type has; `None` where it
/// leaves that to the mechanism.
pub(crate) fn wanted_len(template: &Template<'_>) -> Result<Option<usize>> {
    let type_ = SecretType::find(template.ulong(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET))?;
    let Some(given) = template.ulong(CKA_VALUE_LEN)? else {
        return Ok(None);
    };
    usize::try_from(given)
        .ok()
        .filter(|len| type_.takes(*len))
        .map(Some)
        .ok_or_else(|| {
            Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                format!("CKA_VALUE_LEN = {given}; {}", type_.advice),
            )
        })
}

/// The length in bytes of the key that a template wants made of `most` bytes: all of them, where it
/// names no length and the key type has that one.
pub(crate) fn len_of(template: &Template<'_>, most: usize) -> Result<usize> {
    let type_ = SecretType::find(template.ulong(CKA_KEY_TYPE)?.unwrap_or(CKK_GENERIC_SECRET))?;
    match wanted_len(template)? {
        Some(len) if len <= most => Ok(len),
        Some(len) => Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("CKA_VALUE_LEN = {len}; the mechanism makes {most} bytes"),
        )),
        None if type_.takes(most) => Ok(most),
        None => Err(Error::new(
            CKR_TEMPLATE_INCOMPLETE,
            format!(
                "CKA_VALUE_LEN: the mechanism makes {most} bytes, and {}",
                type_.advice
            ),
        )),
    }
}

/// The key that C_CreateObject is handed.
pub(super) fn created(template: &Template<'_>) -> Result<LocalObject> {
    let value = template
        .get(CKA_VALUE)
        .ok_or_else(|| missing("CKA_VALUE"))?;
    make(template, Zeroizing::new(value.to_vec()), Origin::Created)
}

impl Origin {
    /// The answer to a value of a length that the key type has not.
    fn bad_length(self) -> CK_RV {
        match self {
            Self::Created => CKR_ATTRIBUTE_VALUE_INVALID,
            Self::Unwrapped => CKR_WRAPPED_KEY_LEN_RANGE,
            Self::Derived(_) | Self::Encapsulated | Self::Decapsulated => CKR_TEMPLATE_INCONSISTENT,
        }
    }

    fn needs_key_type(self) -> bool {
        matches!(self, Self::Created | Self::Unwrapped)
    }
}

/// A type of secret keys.
struct SecretType {
    key_type: CK_KEY_TYPE,
    /// The lengths of its keys in bytes; none named means all but 0.
    lengths: &'static [usize],
    advice: &'static str,
}

const AES_LENGTHS: &[usize] = &[16, 24, 32];
const ONE_BYTE: &str = "it has one byte at least";

macro_rules! types {
    ($($key_type:ident $lengths:expr, $advice:expr;)+) => {
        &[$(SecretType { key_type: $key_type, lengths: $lengths, advice: $advice }),+]
    };
}

const TYPES: &[SecretType] = types! {
    CKK_GENERIC_SECRET &[], ONE_BYTE;
    CKK_AES            AES_LENGTHS, "an AES key has 16, 24 or 32 bytes";
    CKK_SHA_1_HMAC     &[], ONE_BYTE;
    CKK_SHA224_HMAC    &[], ONE_BYTE;
    CKK_SHA256_HMAC    &[], ONE_BYTE;
    CKK_SHA384_HMAC    &[], ONE_BYTE;
    CKK_SHA512_HMAC    &[], ONE_BYTE;
    CKK_HKDF           &[], ONE_BYTE;
};

impl SecretType {
    fn of(template: &Template<'_>, origin: Origin) -> Result<&'static Self> {
        match template.ulong(CKA_CLASS)? {
            Some(CKO_SECRET_KEY) => {}
            None if origin != Origin::Created => {}
            None => return Err(missing("CKA_CLASS")),
            Some(_) => {
                return Err(Error::new(
                    CKR_TEMPLATE_INCONSISTENT,
                    "CKA_CLASS: the function makes a CKO_SECRET_KEY",
                ));
            }
        }
        match template.ulong(CKA_KEY_TYPE)? {
            Some(key_type) => Self::find(key_type),
            None if origin.needs_key_type() => Err(missing("CKA_KEY_TYPE")),
            None => Self::find(CKK_GENERIC_SECRET),
        }
    }

    fn find(key_type: CK_KEY_TYPE) -> Result<&'static Self> {
        let row = TYPES.iter().find(|row| row.key_type == key_type);
        row.ok_or_else(|| {
            Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                format!(
                    "CKA_KEY_TYPE {key_type:#x}: secret keys of a session are CKK_GENERIC_SECRET, CKK_AES, \
                     CKK_HKDF or of an HMAC"
                ),
            )
        })
    }

    fn takes(&self, len: usize) -> bool {
        len > 0 && (self.lengths.is_empty() || self.lengths.contains(&len))
    }

    /// CKA_CHECK_VALUE: three bytes of a block of zeros encrypted, or of the value's SHA-1.
    fn check_value(&self, value: &[u8]) -> Result<Vec<u8>> {
        let mut bytes = match self.key_type {
            CKK_AES => encrypted_zeros(value)
                .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))?,
            _ => Hash::Sha1.digest(value).to_vec(),
        };
        bytes.truncate(3);
        Ok(bytes)
    }
}

fn encrypted_zeros(key: &[u8]) -> std::result::Result<Vec<u8>, CipherError> {
    // One block of CBC with zeros before it is one of ECB.
    let zeros = [0; BLOCK_LEN];
    let mut cipher = Cbc::encryptor(&AesKey::new(key)?, &zeros, Padding::None)?;
    let block = cipher.update(&zeros)?;
    Ok([&block[..], &cipher.finish()?].concat())
}

impl LocalObject {
    fn set_len(&mut self, template: &Template<'_>) -> Result<()> {
        let len = self.secret().len() as CK_ULONG;
        if template
            .ulong(CKA_VALUE_LEN)?
            .is_some_and(|given| given != len)
        {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                format!("CKA_VALUE_LEN: the key has {len} bytes"),
            ));
        }
        self.put(CKA_VALUE_LEN, ulong(len));
        Ok(())
    }

    /// An empty value in the template keeps the key from having one.
    fn set_check_value(&mut self, template: &Template<'_>, type_: &SecretType) -> Result<()> {
        let value = type_.check_value(self.secret())?;
        match template.get(CKA_CHECK_VALUE) {
            Some([]) => Ok(()),
            Some(given) if given != value => Err(Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                "CKA_CHECK_VALUE is not that of the key",
            )),
            _ => {
                self.put(CKA_CHECK_VALUE, value);
                Ok(())
            }
        }
    }
}
