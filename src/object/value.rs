//! Attribute values: their encodings, and how much is known of them.

use std::borrow::Cow;

use pkcs11_sys::*;

use super::attributes;
use crate::error::{Error, Result};

/// The encoding of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// CK_BBOOL: one byte, 0 or 1.
    Flag,
    /// CK_ULONG in the host's byte order.
    Ulong,
    /// Bytes of any length.
    Bytes,
    /// CK_MECHANISM_TYPE, any number of them.
    Mechanisms,
    /// CK_DATE: 8 bytes, or none.
    Date,
}

impl Shape {
    /// Refuses a value that is not of this shape.
    pub(crate) fn check(self, type_: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<()> {
        let fits = match self {
            Self::Flag => matches!(value, [CK_FALSE | CK_TRUE]),
            Self::Ulong => value.len() == size_of::<CK_ULONG>(),
            Self::Mechanisms => value.len().is_multiple_of(size_of::<CK_MECHANISM_TYPE>()),
            Self::Bytes => true,
            Self::Date => value.is_empty() || value.len() == size_of::<CK_DATE>(),
        };
        if fits {
            return Ok(());
        }
        Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "{} has {} bytes, which is no {self:?}",
                attributes::name(type_),
                value.len()
            ),
        ))
    }
}

/// An attribute of an object, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Known(Cow<'a, [u8]>),
    /// The object has it and will not show it.
    Sensitive,
    /// The object has no such attribute.
    Absent,
    /// Not known before KMS was asked about the key.
    NotFetched,
}

impl Value<'_> {
    /// True for a CK_BBOOL that is CK_TRUE.
    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Self::Known(value) if **value == [CK_TRUE])
    }

    /// The value, where it is known and may be seen.
    pub(crate) fn into_known(self) -> Option<Vec<u8>> {
        match self {
            Self::Known(value) => Some(value.into_owned()),
            Self::Sensitive | Self::Absent | Self::NotFetched => None,
        }
    }

    /// Whether a template's attribute of this value describes the object; `when_not_fetched` where nobody
    /// can tell yet.
    pub(crate) fn matches(&self, wanted: &[u8], when_not_fetched: bool) -> bool {
        match self {
            Self::Known(value) => **value == *wanted,
            Self::NotFetched => when_not_fetched,
            Self::Sensitive | Self::Absent => false,
        }
    }
}

pub(crate) fn flag(value: bool) -> Vec<u8> {
    vec![CK_BBOOL::from(value)]
}

pub(crate) fn ulong(value: CK_ULONG) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

/// The value of CKA_ALLOWED_MECHANISMS.
pub(crate) fn mechanisms(list: impl IntoIterator<Item = CK_MECHANISM_TYPE>) -> Vec<u8> {
    list.into_iter().flat_map(CK_ULONG::to_ne_bytes).collect()
}

/// The mechanisms in a value of CKA_ALLOWED_MECHANISMS.
pub(crate) fn mechanisms_in(value: &[u8]) -> Vec<CK_MECHANISM_TYPE> {
    let (words, _) = value.as_chunks();
    words.iter().copied().map(CK_ULONG::from_ne_bytes).collect()
}
