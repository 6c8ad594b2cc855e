//! Certificates of a session (PKCS#11 3.2, 4.6).

use pkcs11_sys::*;

use super::creation::Kind;
use super::{Body, LocalObject};
use crate::error::{Error, Result};
use crate::object::certificate::{Certificate, Notes, attributes, creation};
use crate::object::template::Template;

/// The object that C_CreateObject is handed.
pub(super) fn created(template: &Template<'_>) -> Result<LocalObject> {
    let mut attributes = KIND.attributes(template)?;
    let (certificate, notes) = creation::read(template)?;
    for row in attributes::TABLE {
        if let Some(value) = certificate.attribute(row.type_, notes.category) {
            attributes.insert(row.type_, value.into_owned().into());
        }
    }
    Ok(LocalObject::new(attributes, Body::Attributes))
}

/// The certificate that C_CreateObject is to store in the token.
pub(crate) fn for_token(template: &Template<'_>) -> Result<(Certificate, Notes)> {
    let attributes = KIND.attributes(template)?;
    for type_ in [CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE] {
        if attributes
            .get(&type_)
            .is_none_or(|value| **value != [CK_TRUE])
        {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                format!(
                    "{}: certificates in the token have CK_TRUE",
                    crate::object::attributes::name(type_)
                ),
            ));
        }
    }
    creation::read(template)
}

const KIND: Kind = Kind {
    class: CKO_CERTIFICATE,
    key_type: None,
    created: true,
};
