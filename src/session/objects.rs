//! C_SetAttributeValue, by the kind of object.

use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::object::template::Template;
use crate::object::{LocalObject, Object};

impl Session {
    /// Takes in an object, which is gone when the session is.
    pub(crate) fn add_object(&self, object: LocalObject) -> CK_OBJECT_HANDLE {
        self.token.add_object(self.handle, object)
    }

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
