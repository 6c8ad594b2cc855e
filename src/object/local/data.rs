//! Data objects: an application's own bytes (PKCS#11 3.2, 4.5).

use pkcs11_sys::CKO_DATA;

use super::creation::Kind;
use super::{Body, LocalObject};
use crate::error::Result;
use crate::object::template::Template;

/// The object that C_CreateObject is handed.
pub(super) fn created(template: &Template<'_>) -> Result<LocalObject> {
    let kind = Kind {
        class: CKO_DATA,
        key_type: None,
        created: true,
    };
    Ok(LocalObject::new(
        kind.attributes(template)?,
        Body::Attributes,
    ))
}
