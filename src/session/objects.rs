//! C_SetAttributeValue, by the kind of object.

use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::object::Object;
use crate::object::template::Template;

impl Session {
    /// Changes attributes of an object.
    pub(crate) fn set_attributes(&self, object: &Object, template: &Template<'_>) -> Result<()> {
        match object {
            Object::Kms(object) => {
                self.check_read_write()?;
                self.token.set_attributes(object, template)
            }
            Object::Local(_) => Err(Error::new(
                CKR_ACTION_PROHIBITED,
                "session objects do not change",
            )),
        }
    }
}
