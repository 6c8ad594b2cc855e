//! Templates: the attributes that a caller hands in.

use std::fmt;

use pkcs11_sys::*;

use super::attributes;
use super::value::Shape;
use crate::error::{Error, Result};

/// One attribute of a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) type_: CK_ATTRIBUTE_TYPE,
    pub(crate) value: &'a [u8],
}

/// Tells which attribute it is, and nothing of its value, which may be a key.
impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} bytes)",
            attributes::name(self.type_),
            self.value.len()
        )
    }
}

/// A caller's template, in the caller's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template<'a>(Vec<Attribute<'a>>);

impl<'a> Template<'a> {
    pub(crate) fn new(attributes: Vec<Attribute<'a>>) -> Self {
        Self(attributes)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Attribute<'a>> {
        self.0.iter()
    }

    /// The raw value of an attribute, where the template has it.
    pub(crate) fn get(&self, type_: CK_ATTRIBUTE_TYPE) -> Option<&'a [u8]> {
        self.0
            .iter()
            .find(|attribute| attribute.type_ == type_)
            .map(|attribute| attribute.value)
    }

    /// A CK_BBOOL attribute.
    pub(crate) fn flag(&self, type_: CK_ATTRIBUTE_TYPE) -> Result<Option<bool>> {
        self.get(type_)
            .map(|value| Shape::Flag.check(type_, value).map(|()| value != [0]))
            .transpose()
    }

    /// A CK_ULONG attribute.
    pub(crate) fn ulong(&self, type_: CK_ATTRIBUTE_TYPE) -> Result<Option<CK_ULONG>> {
        self.get(type_)
            .map(|value| {
                value.try_into().map(CK_ULONG::from_ne_bytes).map_err(|_| {
                    Error::new(
                        CKR_ATTRIBUTE_VALUE_INVALID,
                        format!("{} is not a CK_ULONG", attributes::name(type_)),
                    )
                })
            })
            .transpose()
    }

    /// Refuses a template that gives one attribute two values.
    pub(crate) fn check_no_contradiction(&self) -> Result<()> {
        for (index, attribute) in self.0.iter().enumerate() {
            let earlier = self
                .0
                .iter()
                .take(index)
                .find(|other| other.type_ == attribute.type_);
            if earlier.is_some_and(|earlier| earlier.value != attribute.value) {
                return Err(Error::new(
                    CKR_TEMPLATE_INCONSISTENT,
                    format!(
                        "{} is given twice, with two values",
                        attributes::name(attribute.type_)
                    ),
                ));
            }
        }
        Ok(())
    }
}
