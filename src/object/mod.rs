//! Objects: what PKCS#11 shows of KMS keys, and what lives in this process beside them.

pub(crate) mod attributes;
pub(crate) mod certificate;
pub(crate) mod kms;
pub(crate) mod local;
pub(crate) mod spec;
pub(crate) mod template;
pub(crate) mod value;

use std::fmt;
use std::sync::Arc;

use pkcs11_sys::*;

pub(crate) use kms::{Key, KeyMaterial, KmsObject, KmsView, Names, Part, Restrictions};
pub(crate) use local::{Body, LocalObject};
pub(crate) use value::Value;

use crate::crypto::PublicKey;
use crate::mechanism::Use;
use certificate::StoredCertificate;

/// One object whose attributes can all be read.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A part of a key in KMS.
    Kms(KmsObject),
    /// One that lives in this process: a session object.
    Local(Arc<LocalObject>),
    /// A certificate of the token.
    Certificate(Arc<StoredCertificate>),
}

impl Object {
    /// Reads an attribute.
    pub(crate) fn read(&self, type_: CK_ATTRIBUTE_TYPE) -> Value<'_> {
        match self {
            Self::Kms(object) => attributes::read_known(object.view(), type_),
            Self::Local(object) => object.read(type_),
            Self::Certificate(object) => object.read(type_),
        }
    }

    pub(crate) fn class(&self) -> CK_OBJECT_CLASS {
        match self {
            Self::Kms(object) => object.part.class(),
            Self::Local(object) => object.class(),
            Self::Certificate(_) => CKO_CERTIFICATE,
        }
    }

    /// CKA_KEY_TYPE of a key, `None` for other objects.
    pub(crate) fn key_type(&self) -> Option<CK_KEY_TYPE> {
        match self {
            Self::Kms(object) => Some(object.view().key_type()),
            Self::Local(object) => object.ulong(CKA_KEY_TYPE),
            Self::Certificate(_) => None,
        }
    }

    /// The public key that the object is.
    pub(crate) fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Kms(object) => object.public_key(),
            Self::Certificate(_) => None,
            Self::Local(object) => match object.body() {
                Body::PublicKey(key) => Some(key),
                _ => None,
            },
        }
    }

    /// The bytes of a secret key of this process.
    pub(crate) fn secret(&self) -> Option<&[u8]> {
        match self {
            Self::Local(object) => match object.body() {
                Body::SecretKey(value) => Some(value),
                _ => None,
            },
            Self::Kms(_) | Self::Certificate(_) => None,
        }
    }

    /// The bytes of all attributes that can be read, and of those of this process that cannot: the
    /// answer of C_GetObjectSize.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Kms(object) => attributes::all()
                .map(|type_| match attributes::read_known(object.view(), type_) {
                    Value::Known(value) => value.len(),
                    Value::Sensitive | Value::Absent | Value::NotFetched => 0,
                })
                .sum(),
            Self::Local(object) => object.size(),
            Self::Certificate(object) => object.size(),
        }
    }

    /// Whether the object's attributes allow it to be used so.
    pub(crate) fn permits(&self, use_: Use) -> bool {
        self.read(use_.attribute()).is_true()
    }

    /// The mechanisms that the object is restricted to, by the will of whoever made it.
    pub(crate) fn restriction(&self) -> Option<Vec<CK_MECHANISM_TYPE>> {
        match self {
            Self::Kms(object) => object.key.restrictions.of(object.part).map(<[_]>::to_vec),
            Self::Local(object) => object.restriction(),
            Self::Certificate(_) => None,
        }
    }
}

/// How the log names an object.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kms(object) => f.write_str(&object.key.entry.arn),
            Self::Local(_) => f.write_str("a session object"),
            Self::Certificate(object) => f.write_str(object.unique_id()),
        }
    }
}
