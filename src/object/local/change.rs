//! What becomes of an object that is there: C_SetAttributeValue and C_CopyObject.

use pkcs11_sys::*;

use super::LocalObject;
use super::table::{self, Later, Row};
use crate::error::{Error, Result};
use crate::object::attributes::name;
use crate::object::template::Template;

impl LocalObject {
    /// The object as C_SetAttributeValue asks for it: with all of the changes, or none.
    pub(crate) fn changed(&self, template: &Template<'_>) -> Result<Self> {
        self.check_allows(CKA_MODIFIABLE)?;
        self.with(template, Change::InPlace)
    }

    /// A copy with a CKA_UNIQUE_ID of its own. The template may change what C_SetAttributeValue may,
    /// and a little more.
    pub(crate) fn copied(&self, template: &Template<'_>) -> Result<Self> {
        self.check_allows(CKA_COPYABLE)?;
        let copy = self.with(template, Change::Copy)?;
        Ok(Self::new(copy.attributes, copy.body))
    }

    /// Refuses what one of CKA_MODIFIABLE, CKA_COPYABLE and CKA_DESTROYABLE forbids.
    pub(crate) fn check_allows(&self, type_: CK_ATTRIBUTE_TYPE) -> Result<()> {
        if self.flag(type_) {
            return Ok(());
        }
        Err(Error::new(
            CKR_ACTION_PROHIBITED,
            format!("the object's {} is CK_FALSE", name(type_)),
        ))
    }

    fn with(&self, template: &Template<'_>, change: Change) -> Result<Self> {
        template.check_no_contradiction()?;
        let mut object = self.clone();
        for attribute in template.iter() {
            let row = self.row(attribute.type_)?;
            row.shape.check(row.type_, attribute.value)?;
            let present = self.attributes.get(&row.type_).map(|value| &value[..]);
            if !change.allows(row, present, attribute.value) {
                return Err(refusal(row, change));
            }
            object.put(row.type_, attribute.value.to_vec());
        }
        Ok(object)
    }

    fn row(&self, type_: CK_ATTRIBUTE_TYPE) -> Result<&'static Row> {
        table::find(type_, self.class(), self.ulong(CKA_KEY_TYPE)).ok_or_else(|| {
            Error::new(
                CKR_ATTRIBUTE_TYPE_INVALID,
                format!("the object has no {}", name(type_)),
            )
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    InPlace,
    Copy,
}

impl Change {
    fn allows(self, row: &Row, present: Option<&[u8]>, value: &[u8]) -> bool {
        let same = present == Some(value);
        match row.later {
            Later::Free => true,
            Later::ToTrue => same || value == [CK_TRUE],
            Later::ToFalse => same || value == [CK_FALSE],
            Later::ToEmpty => same || value.is_empty(),
            Later::InCopy => self == Self::Copy,
            Later::Fixed => self == Self::Copy && same,
        }
    }
}

fn refusal(row: &Row, change: Change) -> Error {
    if row.type_ == CKA_TOKEN && change == Change::Copy {
        return Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "CKA_TOKEN: KMS stores no such object; CK_FALSE makes a copy that lives as long as the session",
        );
    }
    let rule = match row.later {
        Later::ToTrue => "stays CK_TRUE",
        Later::ToFalse => "stays CK_FALSE",
        Later::ToEmpty => "can only be emptied",
        Later::InCopy => "can only be changed in a copy",
        Later::Free | Later::Fixed => "does not change",
    };
    Error::new(CKR_ATTRIBUTE_READ_ONLY, format!("{} {rule}", row.name))
}
