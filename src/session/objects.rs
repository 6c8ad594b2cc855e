//! Making, copying, changing and destroying objects, by their kind. What lives in this process asks
//! nobody and can be done in read-only sessions too.

use pkcs11_sys::*;

use super::Session;
use crate::error::{Error, Result};
use crate::kms::Phase;
use crate::object::template::Template;
use crate::object::{LocalObject, Object, local};

impl Session {
    /// Takes in an object, which is gone when the session is: at once, if that was closed meanwhile.
    pub(crate) fn add_object(&self, object: LocalObject) -> Result<CK_OBJECT_HANDLE> {
        let closed = self.closed.lock();
        let handle = self.token.add_object(self.handle, object)?;
        if *closed {
            self.token.end_session(self.handle);
        }
        Ok(handle)
    }

    /// Takes the session's objects away, also those that calls under way will make.
    pub(super) fn end(&self) {
        *self.closed.lock() = true;
        self.token.end_session(self.handle);
    }

    /// C_CreateObject.
    pub(crate) fn create_object(&self, template: &Template<'_>) -> Result<CK_OBJECT_HANDLE> {
        if template.ulong(CKA_CLASS)? == Some(CKO_CERTIFICATE) {
            return self.create_certificate(template);
        }
        self.check_may_make(template)?;
        let to_token = template.flag(CKA_TOKEN)? == Some(true);
        match template.ulong(CKA_CLASS)? {
            Some(CKO_PRIVATE_KEY) if to_token => self.token.import_private(template),
            Some(CKO_SECRET_KEY) if to_token => self.token.import_secret(template),
            Some(CKO_PUBLIC_KEY) if to_token => self.token.stored_public(template),
            _ => self.add_object(local::create(template)?),
        }
    }

    /// C_CopyObject: a session object of what is one, or of a public key in KMS; a certificate anywhere.
    pub(crate) fn copy_object(
        &self,
        object: CK_OBJECT_HANDLE,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let original = self.token.object(object, Phase::Manage)?;
        let to_token = template.flag(CKA_TOKEN)? == Some(true);
        let copy = match original {
            Object::Certificate(_) => return self.copy_certificate(&original, template),
            Object::Local(_) if to_token && original.class() == CKO_CERTIFICATE => {
                return self.copy_certificate(&original, template);
            }
            Object::Local(object) => {
                self.check_may_make(template)?;
                object.copied(template)?
            }
            Object::Kms(object) => {
                let session_object = local::public::of_kms(&object).ok_or_else(|| {
                    Error::new(
                        CKR_ACTION_PROHIBITED,
                        "private and secret keys of KMS cannot be copied out of it",
                    )
                })?;
                self.check_may_make(template)?;
                if template.flag(CKA_TOKEN)? != Some(false) {
                    return Err(Error::new(
                        CKR_TEMPLATE_INCONSISTENT,
                        "KMS stores no copy of a public key; CKA_TOKEN = CK_FALSE makes one that lives as long \
                         as the session",
                    ));
                }
                session_object.copied(template)?
            }
        };
        self.add_object(copy)
    }

    /// C_SetAttributeValue.
    pub(crate) fn set_attributes(
        &self,
        object: CK_OBJECT_HANDLE,
        template: &Template<'_>,
    ) -> Result<()> {
        match self.token.object(object, Phase::SetAttribute)? {
            Object::Kms(object) => {
                self.check_read_write()?;
                self.token.set_attributes(&object, template)
            }
            Object::Certificate(certificate) => {
                self.check_read_write()?;
                self.token
                    .set_certificate_attributes(&certificate, template)
            }
            Object::Local(local) => {
                // Not all of them are a session's: profiles are the token's own.
                local.check_allows(CKA_MODIFIABLE)?;
                self.token.change_object(object, template)
            }
        }
    }

    /// C_DestroyObject.
    pub(crate) fn destroy_object(&self, object: CK_OBJECT_HANDLE) -> Result<()> {
        if self.token.destroy_object(object)? {
            return Ok(());
        }
        self.token.check_destroyable(object)?;
        self.check_read_write()?;
        self.token.destroy(object)
    }

    /// Refuses token objects in a read-only session.
    fn check_may_make(&self, template: &Template<'_>) -> Result<()> {
        if template.flag(CKA_TOKEN)? == Some(true) {
            self.check_read_write()?;
        }
        Ok(())
    }
}
