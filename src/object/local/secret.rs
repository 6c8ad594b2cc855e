//! Secret keys whose bytes are in this process: created, derived, unwrapped, agreed on.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::creation::{Kind, missing};
use super::{Body, LocalObject};
use crate::crypto::Hash;
use crate::crypto::aes::cbc::{Cbc, Padding};
use crate::crypto::aes::{AesKey, BLOCK_LEN, CipherError};
use crate::error::{Error, Result};
use crate::kms::DataKey;
use crate::object::Object;
use crate::object::template::Template;
use crate::object::value::{flag, ulong};
use crate::vendor::{CKA_KMS_CIPHERTEXT, CKM_KMS_SYMMETRIC};

/// Where the bytes of a key come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The caller handed them in: C_CreateObject.
    Created,
    Derived(Base),
    Unwrapped,
    Encapsulated,
    Decapsulated,
    /// KMS made it, beside a copy that it encrypted.
    DataKey,
}

/// What a derived key inherits of the key that it was derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) always_sensitive: bool,
    pub(crate) never_extractable: bool,
}

impl Base {
    /// Of a key that was made as it is: nobody had it before.
    const NONE: Self = Self {
        always_sensitive: true,
        never_extractable: true,
    };

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
/// the class and the key type, C_UnwrapKey and a data key the key type, and what is derived or agreed on without a
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
    let base = match origin {
        Origin::Derived(base) => Some(base),
        Origin::DataKey => Some(Base::NONE),
        Origin::Created | Origin::Unwrapped | Origin::Encapsulated | Origin::Decapsulated => None,
    };
    if let Some(base) = base {
        let always_sensitive = base.always_sensitive && key.flag(CKA_SENSITIVE);
        let never_extractable = base.never_extractable && !key.flag(CKA_EXTRACTABLE);
        key.put(CKA_ALWAYS_SENSITIVE, flag(always_sensitive));
        key.put(CKA_NEVER_EXTRACTABLE, flag(never_extractable));
    }
    Ok(key)
}

/// Makes a session's secret key of what KMS made for it.
pub(crate) fn of_data_key(template: &Template<'_>, made: DataKey) -> Result<LocalObject> {
    let mut key = make(template, made.plaintext, Origin::DataKey)?;
    key.put(CKA_LOCAL, flag(true));
    key.put(CKA_KEY_GEN_MECHANISM, ulong(CKM_KMS_SYMMETRIC));
    key.put(CKA_KMS_CIPHERTEXT, made.ciphertext);
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
            Self::Derived(_) | Self::Encapsulated | Self::Decapsulated | Self::DataKey => {
                CKR_TEMPLATE_INCONSISTENT
            }
        }
    }

    fn needs_key_type(self) -> bool {
        matches!(self, Self::Created | Self::Unwrapped | Self::DataKey)
    }
}

/// A type of secret keys.
struct SecretType {
    key_type: CK_KEY_TYPE,
    /// The lengths of its keys in bytes; none named means all from 1 to [`MAX_LEN`].
    lengths: &'static [usize],
    advice: &'static str,
}

/// The most bytes of a secret key, which C_GetMechanismInfo tells too. Without a limit, a template would
/// decide how much of the host's memory a derived key takes.
const MAX_LEN: usize = 4096;

const AES_LENGTHS: &[usize] = &[16, 24, 32];
const ANY_LENGTH: &str = "it has 1 to 4096 bytes";

macro_rules! types {
    ($($key_type:ident $lengths:expr, $advice:expr;)+) => {
        &[$(SecretType { key_type: $key_type, lengths: $lengths, advice: $advice }),+]
    };
}

const TYPES: &[SecretType] = types! {
    CKK_GENERIC_SECRET &[], ANY_LENGTH;
    CKK_AES            AES_LENGTHS, "an AES key has 16, 24 or 32 bytes";
    CKK_SHA_1_HMAC     &[], ANY_LENGTH;
    CKK_SHA224_HMAC    &[], ANY_LENGTH;
    CKK_SHA256_HMAC    &[], ANY_LENGTH;
    CKK_SHA384_HMAC    &[], ANY_LENGTH;
    CKK_SHA512_HMAC    &[], ANY_LENGTH;
    CKK_HKDF           &[], ANY_LENGTH;
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
        (1..=MAX_LEN).contains(&len) && (self.lengths.is_empty() || self.lengths.contains(&len))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::object::template::Attribute;

    const TRUE: &[u8] = &[CK_TRUE];
    const FALSE: &[u8] = &[CK_FALSE];

    type Given<'a> = (CK_ATTRIBUTE_TYPE, &'a [u8]);

    fn template<'a>(attributes: &[Given<'a>]) -> Template<'a> {
        let attribute = |&(type_, value): &Given<'a>| Attribute { type_, value };
        Template::new(attributes.iter().map(attribute).collect())
    }

    fn made(attributes: &[Given<'_>], len: usize, origin: Origin) -> Result<LocalObject> {
        make(
            &template(attributes),
            Zeroizing::new(vec![0x7a; len]),
            origin,
        )
    }

    fn rv<T>(result: Result<T>) -> CK_RV {
        result.map_or_else(|error| error.rv(), |_| CKR_OK)
    }

    #[test]
    fn a_derived_key_is_kept_as_well_as_its_base_was_and_no_better() {
        for (always_sensitive, never_extractable) in [(true, true), (true, false), (false, true)] {
            let base = Base {
                always_sensitive,
                never_extractable,
            };
            let well_kept = [(CKA_SENSITIVE, TRUE), (CKA_EXTRACTABLE, FALSE)];
            let key = made(&well_kept, 32, Origin::Derived(base)).unwrap();
            assert_eq!(key.flag(CKA_ALWAYS_SENSITIVE), always_sensitive);
            assert_eq!(key.flag(CKA_NEVER_EXTRACTABLE), never_extractable);

            assert_eq!(Base::of(&Object::Local(Arc::new(key))), base);

            let open = made(&[], 32, Origin::Derived(base)).unwrap();
            assert!(!open.flag(CKA_ALWAYS_SENSITIVE));
            assert!(!open.flag(CKA_NEVER_EXTRACTABLE));
        }
    }

    #[test]
    fn a_key_that_came_from_outside_was_not_always_kept() {
        let key_type = CKK_AES.to_ne_bytes();
        let attributes = [
            (CKA_KEY_TYPE, &key_type[..]),
            (CKA_SENSITIVE, TRUE),
            (CKA_EXTRACTABLE, FALSE),
        ];
        for origin in [
            Origin::Unwrapped,
            Origin::Encapsulated,
            Origin::Decapsulated,
        ] {
            let key = made(&attributes, 32, origin).unwrap();
            assert!(!key.flag(CKA_ALWAYS_SENSITIVE), "{origin:?}");
            assert!(!key.flag(CKA_NEVER_EXTRACTABLE), "{origin:?}");
            assert!(!key.flag(CKA_LOCAL), "{origin:?}");
            let mechanism = key.ulong(CKA_KEY_GEN_MECHANISM);
            assert_eq!(mechanism, Some(CK_UNAVAILABLE_INFORMATION));
            assert_eq!(key.ulong(CKA_VALUE_LEN), Some(32));
        }
    }

    #[test]
    fn what_a_template_may_leave_out_depends_on_the_origin() {
        let key = made(&[], 20, Origin::Decapsulated).unwrap();
        assert_eq!(key.ulong(CKA_KEY_TYPE), Some(CKK_GENERIC_SECRET));
        assert_eq!(key.class(), CKO_SECRET_KEY);
        let unwrapped = made(&[], 20, Origin::Unwrapped);
        assert_eq!(rv(unwrapped), CKR_TEMPLATE_INCOMPLETE);
        let created = made(&[], 20, Origin::Created);
        assert_eq!(rv(created), CKR_TEMPLATE_INCOMPLETE);
        let public = CKO_PUBLIC_KEY.to_ne_bytes();
        let other_class = check(&template(&[(CKA_CLASS, &public)]), Origin::Decapsulated);
        assert_eq!(rv(other_class), CKR_TEMPLATE_INCONSISTENT);
        let value = check(&template(&[(CKA_VALUE, b"1")]), Origin::Decapsulated);
        assert_eq!(rv(value), CKR_ATTRIBUTE_READ_ONLY);
    }

    #[test]
    fn the_length_is_one_that_the_key_type_has() {
        let aes = CKK_AES.to_ne_bytes();
        let wanted = |key_type: &[u8], len: CK_ULONG| {
            let len = len.to_ne_bytes();
            wanted_len(&template(&[
                (CKA_KEY_TYPE, key_type),
                (CKA_VALUE_LEN, &len),
            ]))
        };
        assert_eq!(wanted(&aes, 24), Ok(Some(24)));
        assert_eq!(rv(wanted(&aes, 20)), CKR_ATTRIBUTE_VALUE_INVALID);
        assert_eq!(wanted(&CKK_HKDF.to_ne_bytes(), 20), Ok(Some(20)));
        assert_eq!(
            rv(wanted(&CKK_HKDF.to_ne_bytes(), 0)),
            CKR_ATTRIBUTE_VALUE_INVALID
        );
        assert_eq!(
            rv(wanted(&CKK_DES3.to_ne_bytes(), 24)),
            CKR_ATTRIBUTE_VALUE_INVALID
        );
        assert_eq!(wanted_len(&template(&[(CKA_KEY_TYPE, &aes)])), Ok(None));

        let of_type = [(CKA_KEY_TYPE, &aes[..])];
        let short = made(&of_type, 20, Origin::Unwrapped);
        assert_eq!(rv(short), CKR_WRAPPED_KEY_LEN_RANGE);
        let short = made(&of_type, 20, Origin::Decapsulated);
        assert_eq!(rv(short), CKR_TEMPLATE_INCONSISTENT);
        let len = (16 as CK_ULONG).to_ne_bytes();
        let other = made(&[(CKA_VALUE_LEN, &len)], 32, Origin::Decapsulated);
        assert_eq!(rv(other), CKR_TEMPLATE_INCONSISTENT);
    }

    #[test]
    fn a_key_is_as_long_as_the_mechanisms_take_and_no_longer() {
        for mechanism in [CKM_SHA256_HMAC, CKM_HKDF_DERIVE] {
            let info = crate::mechanism::info(mechanism).unwrap();
            assert_eq!(info.ulMaxKeySize, MAX_LEN as CK_ULONG);
        }
        let wanted = |len: CK_ULONG| {
            let len = len.to_ne_bytes();
            wanted_len(&template(&[(CKA_VALUE_LEN, &len)]))
        };
        assert_eq!(wanted(4096), Ok(Some(4096)));
        for len in [4097, 1 << 36, CK_ULONG::MAX] {
            assert_eq!(rv(wanted(len)), CKR_ATTRIBUTE_VALUE_INVALID);
        }
        let long = made(&[], MAX_LEN + 1, Origin::Decapsulated);
        assert_eq!(rv(long), CKR_TEMPLATE_INCONSISTENT);
    }

    #[test]
    fn nothing_printed_tells_the_key() {
        let value = b"a secret value";
        let (class, key_type) = (CKO_SECRET_KEY.to_ne_bytes(), CKK_HKDF.to_ne_bytes());
        let template = template(&[
            (CKA_CLASS, &class),
            (CKA_KEY_TYPE, &key_type),
            (CKA_VALUE, value),
        ]);
        let key = created(&template).unwrap();
        let printed = format!("{key:?} {template:?}");
        assert!(printed.contains("CKA_VALUE (14 bytes)"), "{printed}");
        assert!(!printed.contains("secret value"), "{printed}");
        assert!(!printed.contains("97, 32, 115"), "{printed}");
    }
}
