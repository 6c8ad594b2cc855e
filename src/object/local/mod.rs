//! Objects that live in this process: public keys, secret keys and the like that belong to a
//! session.

pub(crate) mod certificate;
mod change;
mod creation;
mod data;
pub(crate) mod public;
pub(crate) mod secret;
mod table;

use std::collections::BTreeMap;
use std::fmt;

use pkcs11_sys::*;
use zeroize::Zeroizing;

pub(super) use table::name;

use super::template::Template;
use super::value::{Value, mechanisms, mechanisms_in};
use crate::crypto::PublicKey;
use crate::error::{Error, Result};
use crate::{handle, mechanism};

/// The values of an object's attributes, wiped when dropped.
type Attributes = BTreeMap<CK_ATTRIBUTE_TYPE, Zeroizing<Vec<u8>>>;

/// Makes the session object that C_CreateObject asks for, by its class.
pub(crate) fn create(template: &Template<'_>) -> Result<LocalObject> {
    match template.ulong(CKA_CLASS)? {
        Some(CKO_PUBLIC_KEY) => public::created(template),
        Some(CKO_SECRET_KEY) => secret::created(template),
        Some(CKO_DATA) => data::created(template),
        Some(CKO_CERTIFICATE) => certificate::created(template),
        Some(CKO_PRIVATE_KEY) => Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "CKA_CLASS: private keys live in KMS, and this process holds none; CKA_TOKEN = CK_TRUE imports one",
        )),
        Some(class) => Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "CKA_CLASS {class:#x}: objects that can be created are CKO_PUBLIC_KEY, CKO_SECRET_KEY, \
                 CKO_CERTIFICATE and CKO_DATA"
            ),
        )),
        None => Err(creation::missing("CKA_CLASS")),
    }
}

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
    attributes: Attributes,
    body: Body,
}

impl LocalObject {
    /// An object of the token, whose attributes are all given.
    pub(crate) fn of_token(attributes: Attributes, body: Body) -> Self {
        Self { attributes, body }
    }

    /// A new object of a session, with a CKA_UNIQUE_ID of its own. The attributes of a secret key do not
    /// repeat its value: that is its body.
    fn new(attributes: Attributes, body: Body) -> Self {
        let mut object = Self::of_token(attributes, body);
        let unique_id = format!("session-object-{:016x}", handle::next());
        object.put(CKA_UNIQUE_ID, unique_id.into_bytes());
        object
    }

    fn put(&mut self, type_: CK_ATTRIBUTE_TYPE, value: Vec<u8>) {
        self.attributes.insert(type_, Zeroizing::new(value));
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

    /// The bytes of all attributes, and of a secret key's value.
    pub(super) fn size(&self) -> usize {
        let attributes: usize = self.attributes.values().map(|value| value.len()).sum();
        attributes + self.secret().len()
    }

    /// The bytes of a secret key; none of other objects.
    fn secret(&self) -> &[u8] {
        match &self.body {
            Body::SecretKey(value) => value,
            Body::PublicKey(_) | Body::Attributes => &[],
        }
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
