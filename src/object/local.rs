//! Objects that live in this process: public keys, secret keys and the like that belong to a
//! session.

use std::collections::BTreeMap;
use std::fmt;

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::value::{Value, mechanisms, mechanisms_in};
use crate::crypto::PublicKey;
use crate::mechanism;

/// What an object is made of, beside its attributes.
#[derive(Clone)]
pub(crate) enum Body {
    PublicKey(PublicKey),
    /// The key's bytes, wiped with the object.
    SecretKey(Zeroizing<Vec<u8>>),
    /// Nothing: its attributes say it all.
    Attributes,
}

/// An object with all of its attributes spelled out.
#[derive(Clone)]
pub(crate) struct LocalObject {
    attributes: BTreeMap<CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>>,
    body: Body,
}

impl LocalObject {
    /// The attributes of a secret key do not repeat its value: that is its body.
    pub(crate) fn new(
        attributes: BTreeMap<CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>>,
        body: Body,
    ) -> Self {
        Self { attributes, body }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    pub(crate) fn class(&self) -> CK_OBJECT_CLASS {
        self.ulong(CKA_CLASS).unwrap_or(CK_UNAVAILABLE_INFORMATION)
    }

    pub(crate) fn read(&self, type_: CK_ATTRIBUTE_TYPE) -> Value<'_> {
        if let Body::SecretKey(value) = &self.body
            && type_ == CKA_VALUE
        {
            return if self.flag(CKA_SENSITIVE) || !self.flag(CKA_EXTRACTABLE) {
                Value::Sensitive
            } else {
                Value::Known(value.as_slice().into())
            };
        }
        match self.attributes.get(&type_) {
            Some(value) => Value::Known(value.as_slice().into()),
            None if type_ == CKA_ALLOWED_MECHANISMS && self.is_key() => {
                Value::Known(mechanisms(mechanism::usable_by_local(self)).into())
            }
            None => Value::Absent,
        }
    }

    pub(crate) fn ulong(&self, type_: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        let value = self.attributes.get(&type_)?;
        value
            .as_slice()
            .try_into()
            .ok()
            .map(CK_ULONG::from_ne_bytes)
    }

    fn is_key(&self) -> bool {
        self.attributes.contains_key(&CKA_KEY_TYPE)
    }

    pub(crate) fn flag(&self, type_: CK_ATTRIBUTE_TYPE) -> bool {
        self.read(type_).is_true()
    }

    /// The mechanisms that whoever made the object restricted it to.
    pub(super) fn restriction(&self) -> Option<Vec<CK_MECHANISM_TYPE>> {
        self.attributes
            .get(&CKA_ALLOWED_MECHANISMS)
            .map(|value| mechanisms_in(value))
    }
}

/// Tells which object it is, and nothing of what may be secret.
impl fmt::Debug for LocalObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalObject")
            .field("class", &self.class())
            .field("key_type", &self.ulong(CKA_KEY_TYPE))
            .finish_non_exhaustive()
    }
}
