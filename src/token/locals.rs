//! The objects of a token that live in this process: each belongs to the session that made it, every
//! session of the application sees it, and it goes with its session.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use pkcs11_sys::*;

use crate::error::Result;
use crate::handle;
use crate::object::LocalObject;
use crate::object::template::Template;

/// Session objects by handle.
#[derive(Debug, Default)]
pub(super) struct Locals(RwLock<BTreeMap<CK_OBJECT_HANDLE, Entry>>);

#[derive(Debug)]
struct Entry {
    owner: CK_SESSION_HANDLE,
    object: Arc<LocalObject>,
}

impl Locals {
    /// Takes in an object, if `check` admits it: no logout takes objects away between the two.
    pub(super) fn add(
        &self,
        owner: CK_SESSION_HANDLE,
        object: LocalObject,
        check: impl FnOnce() -> Result<()>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let handle = handle::next();
        let object = Arc::new(object);
        let mut objects = self.0.write();
        check()?;
        objects.insert(handle, Entry { owner, object });
        Ok(handle)
    }

    pub(super) fn get(&self, handle: CK_OBJECT_HANDLE) -> Option<Arc<LocalObject>> {
        let objects = self.0.read();
        objects.get(&handle).map(|entry| Arc::clone(&entry.object))
    }

    /// Puts a changed object in an object's place.
    pub(super) fn change(
        &self,
        handle: CK_OBJECT_HANDLE,
        change: impl FnOnce(&LocalObject) -> Result<LocalObject>,
    ) -> Result<()> {
        let mut objects = self.0.write();
        let entry = objects.get_mut(&handle).ok_or(CKR_OBJECT_HANDLE_INVALID)?;
        entry.object = Arc::new(change(&entry.object)?);
        Ok(())
    }

    /// Takes an object away; false when there is none.
    pub(super) fn remove(&self, handle: CK_OBJECT_HANDLE) -> bool {
        self.0.write().remove(&handle).is_some()
    }

    /// The session is closed.
    pub(super) fn end_session(&self, owner: CK_SESSION_HANDLE) {
        self.0.write().retain(|_, entry| entry.owner != owner);
    }

    /// The user has logged out: private objects go.
    pub(super) fn end_login(&self) {
        self.0
            .write()
            .retain(|_, entry| !entry.object.flag(CKA_PRIVATE));
    }

    /// The objects that a template describes, oldest first.
    pub(super) fn find(&self, template: &Template<'_>) -> Vec<CK_OBJECT_HANDLE> {
        let objects = self.0.read();
        objects
            .iter()
            .filter(|(_, entry)| describes(template, &entry.object))
            .map(|(handle, _)| *handle)
            .collect()
    }
}

/// Whether a template describes an object.
pub(super) fn describes(template: &Template<'_>, object: &LocalObject) -> bool {
    template
        .iter()
        .all(|attribute| object.read(attribute.type_).matches(attribute.value, false))
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::error::Error;
    use crate::object::local;
    use crate::object::template::Attribute;

    fn private_data() -> LocalObject {
        let class = CKO_DATA.to_ne_bytes();
        let attributes = [
            (CKA_CLASS, &class[..]),
            (CKA_TOKEN, &[CK_FALSE]),
            (CKA_PRIVATE, &[CK_TRUE]),
        ];
        let attributes = attributes.map(|(type_, value)| Attribute { type_, value });
        local::create(&Template::new(attributes.into())).unwrap()
    }

    #[test]
    fn a_private_object_that_is_made_during_a_logout_goes_with_it() {
        let locals = Locals::default();
        let handle = thread::scope(|scope| {
            let check = || {
                // Logged in when asked, and logged out before the answer is used.
                scope.spawn(|| locals.end_login());
                thread::sleep(Duration::from_millis(100));
                Ok(())
            };
            locals.add(1, private_data(), check).unwrap()
        });
        assert!(locals.get(handle).is_none());
    }

    #[test]
    fn an_object_that_is_not_admitted_is_not_there() {
        let locals = Locals::default();
        let refuse = || Err(Error::from(CKR_USER_NOT_LOGGED_IN));
        assert!(locals.add(1, private_data(), refuse).is_err());
        assert!(locals.find(&Template::new(Vec::new())).is_empty());
    }
}
