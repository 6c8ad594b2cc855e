//! From a template to the attributes of a new object: what every kind of object has in common.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Attributes;
use super::table::{self, Given, Row};
use crate::error::{Error, Result};
use crate::object::attributes::{known_name, name};
use crate::object::template::Template;
use crate::object::value::ulong;

/// The kind of a new object, and how it comes to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) class: CK_OBJECT_CLASS,
    /// `None` for what is no key.
    pub(super) key_type: Option<CK_KEY_TYPE>,
    /// The template is C_CreateObject's, and all there is of the object.
    pub(super) created: bool,
}

impl Kind {
    /// The attributes of the new object: those of the template, each of which must be right, and the
    /// defaults of the others. What follows from the object's value is the caller's to add.
    pub(super) fn attributes(self, template: &Template<'_>) -> Result<Attributes> {
        template.check_no_contradiction()?;
        for attribute in template.iter() {
            self.check(attribute.type_, attribute.value)?;
        }
        let mut attributes = Attributes::new();
        for row in table::all(self.class, self.key_type) {
            let given = template.get(row.type_).map(<[u8]>::to_vec);
            if given.is_none() && self.created && row.given == Given::Required {
                return Err(missing(row.name));
            }
            if let Some(value) = given.or_else(|| row.default.value(self.key_type)) {
                attributes.insert(row.type_, Zeroizing::new(value));
            }
        }
        attributes.insert(CKA_CLASS, Zeroizing::new(ulong(self.class)));
        if let Some(key_type) = self.key_type {
            attributes.insert(CKA_KEY_TYPE, Zeroizing::new(ulong(key_type)));
        }
        Ok(attributes)
    }

    fn check(self, type_: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<()> {
        let Some(row) = table::find(type_, self.class, self.key_type) else {
            return Err(foreign(type_));
        };
        row.shape.check(type_, value)?;
        self.check_given(row, value)
    }

    fn check_given(self, row: &Row, value: &[u8]) -> Result<()> {
        let refused = |rv, reason: &str| Err(Error::new(rv, format!("{}: {reason}", row.name)));
        match row.given {
            Given::Required if !self.created => {
                refused(CKR_ATTRIBUTE_READ_ONLY, "it is what the function finds out")
            }
            Given::Made if self.created => {
                refused(CKR_ATTRIBUTE_READ_ONLY, "the key's value tells it")
            }
            Given::Never => refused(CKR_ATTRIBUTE_READ_ONLY, "the token sets it"),
            Given::Officer if value != [CK_FALSE] => refused(
                CKR_ATTRIBUTE_READ_ONLY,
                "no application can make a key a trusted one",
            ),
            Given::AsDefault if row.default.value(self.key_type).as_deref() != Some(value) => {
                refused(CKR_TEMPLATE_INCONSISTENT, self.why_fixed(row))
            }
            _ => Ok(()),
        }
    }

    fn why_fixed(self, row: &Row) -> &'static str {
        match (row.type_, self.class) {
            (CKA_TOKEN, CKO_SECRET_KEY) => {
                "KMS takes in no secret key this way; CK_FALSE makes one that lives as long as the session"
            }
            (CKA_PRIVATE, _) => "certificates are for everybody to read",
            (CKA_TOKEN, _) => {
                "KMS stores no such object; CK_FALSE makes one that lives as long as the session"
            }
            _ => "session objects have it empty",
        }
    }
}

/// The refusal of an attribute that the object does not have.
fn foreign(type_: CK_ATTRIBUTE_TYPE) -> Error {
    match known_name(type_) {
        Some(name) => Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("{name} does not belong to an object of this class and key type"),
        ),
        None => Error::new(
            CKR_ATTRIBUTE_TYPE_INVALID,
            format!("{} is unknown", name(type_)),
        ),
    }
}

pub(super) fn missing(attribute: &str) -> Error {
    Error::new(
        CKR_TEMPLATE_INCOMPLETE,
        format!("the template has no {attribute}"),
    )
}
