//! Objects of the application's sessions: made, changed, destroyed without any request.

use pkcs11_sys::*;

use super::Token;
use crate::error::Result;
use crate::object::LocalObject;
use crate::object::template::Template;

impl Token {
    /// Takes in an object of a session.
    pub(crate) fn add_object(
        &self,
        session: CK_SESSION_HANDLE,
        object: LocalObject,
    ) -> Result<CK_OBJECT_HANDLE> {
        let is_private = object.flag(CKA_PRIVATE);
        self.locals.add(session, object, || {
            if is_private {
                self.check_login()?;
                self.check_login_lasts()
            } else {
                Ok(())
            }
        })
    }

    /// Changes attributes of an object of a session.
    pub(crate) fn change_object(
        &self,
        handle: CK_OBJECT_HANDLE,
        template: &Template<'_>,
    ) -> Result<()> {
        self.locals
            .change(handle, |object| object.changed(template))
    }

    /// Takes an object of a session away; false when there is none.
    pub(crate) fn destroy_object(&self, handle: CK_OBJECT_HANDLE) -> Result<bool> {
        let Some(object) = self.locals.get(handle) else {
            return Ok(false);
        };
        object.check_allows(CKA_DESTROYABLE)?;
        Ok(self.locals.remove(handle))
    }

    /// Takes a session's objects away.
    pub(crate) fn end_session(&self, session: CK_SESSION_HANDLE) {
        self.locals.end_session(session);
    }
}
