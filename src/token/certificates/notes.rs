//! The notes beside a certificate as short texts, the same in tags and in PEM files.

use pkcs11_sys::CK_ULONG;

use crate::hex;
use crate::object::certificate::{Category, Notes};
use crate::token::names::{decode_label, escape_label};

/// One note: how it is named, written and read.
pub(super) struct Field {
    /// After the number of the certificate in a tag's key.
    pub(super) tag: &'static str,
    /// Before the colon, in a line above the certificate; the name of the attribute.
    pub(super) line: &'static str,
    /// Text of the tag alphabet, if the note is set.
    pub(super) write: fn(&Notes) -> Option<String>,
    /// Sets the note; `None` for text that is none of `write`'s.
    pub(super) read: fn(&mut Notes, &str) -> Option<()>,
}

pub(super) const FIELDS: [Field; 3] = [
    Field {
        tag: "label",
        line: "CKA_LABEL",
        write: |notes| notes.label.as_deref().map(escape_label),
        read: |notes, text| {
            notes.label = Some(decode_label(text));
            Some(())
        },
    },
    Field {
        tag: "id",
        line: "CKA_ID",
        write: |notes| notes.id.as_deref().map(hex::encode),
        read: |notes, text| {
            notes.id = Some(hex::decode(text)?);
            Some(())
        },
    },
    Field {
        tag: "category",
        line: "CKA_CERTIFICATE_CATEGORY",
        write: |notes| {
            let is_set = notes.category != Category::Unspecified;
            is_set.then(|| notes.category.number().to_string())
        },
        read: |notes, text| {
            notes.category = Category::from_number(text.parse::<CK_ULONG>().ok()?)?;
            Some(())
        },
    },
];
