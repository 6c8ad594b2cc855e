//! Certificates that an application makes in the token.

use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::object::template::{Attribute, Template};
use crate::object::{Object, attributes, local};

/// What a copy of a certificate takes from the original, unless its own template says otherwise.
const COPIED: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_CLASS,
    CKA_CERTIFICATE_TYPE,
    CKA_SUBJECT,
    CKA_VALUE,
    CKA_CERTIFICATE_CATEGORY,
    CKA_TOKEN,
    CKA_ID,
    CKA_LABEL,
];

/// What the template of a copy may say.
const COPY_MAY_SAY: [CK_ATTRIBUTE_TYPE; 7] = [
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_ID,
    CKA_LABEL,
];

impl Session {
    /// C_CreateObject of a certificate.
    pub(super) fn create_certificate(&self, template: &Template<'_>) -> Result<CK_OBJECT_HANDLE> {
        if template.flag(CKA_TOKEN)? != Some(true) {
            let object = local::create(template)?;
            return self.add_object(object);
        }
        self.check_read_write()?;
        let (certificate, notes) = local::certificate::for_token(template)?;
        self.token.store_certificate(&certificate, &notes)
    }

    /// C_CopyObject of a certificate, from the token or to it: the same as creating it once more.
    pub(super) fn copy_certificate(
        &self,
        original: &Object,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        if !original.read(CKA_COPYABLE).is_true() {
            return Err(Error::new(
                CKR_ACTION_PROHIBITED,
                "the object's CKA_COPYABLE is CK_FALSE",
            ));
        }
        let mut said = template.iter();
        if let Some(other) = said.find(|said| !COPY_MAY_SAY.contains(&said.type_)) {
            return Err(Error::new(
                CKR_ATTRIBUTE_READ_ONLY,
                format!(
                    "{} does not change in a copy",
                    attributes::name(other.type_)
                ),
            ));
        }
        let of_original: Vec<_> = COPIED
            .into_iter()
            .filter(|type_| template.get(*type_).is_none())
            .filter_map(|type_| Some((type_, original.read(type_).into_known()?)))
            .collect();
        let of_original = of_original.iter().map(|(type_, value)| Attribute {
            type_: *type_,
            value,
        });
        let all = of_original.chain(template.iter().copied()).collect();
        self.create_certificate(&Template::new(all))
    }
}
