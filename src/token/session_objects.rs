//! Objects of the application's sessions: made, changed, destroyed without any request.

use pkcs11_sys::*;

use super::Token;
use crate::object::LocalObject;

impl Token {
    /// Takes in an object of a session.
    pub(crate) fn add_object(
        &self,
        session: CK_SESSION_HANDLE,
        object: LocalObject,
    ) -> CK_OBJECT_HANDLE {
        self.locals.add(session, object)
    }

    /// Takes a session's objects away.
    pub(crate) fn end_session(&self, session: CK_SESSION_HANDLE) {
        self.locals.end_session(session);
    }

    /// Takes all sessions' objects away.
    pub(crate) fn end_sessions(&self) {
        self.locals.clear();
    }
}
