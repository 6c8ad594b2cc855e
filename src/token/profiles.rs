//! Profile objects: which profiles of "PKCS #11 Profiles", the companion of the specification, the
//! token conforms to.
//!
//! A find shows them when its template asks for them, by class or by CKA_PROFILE_ID, and else never,
//! as the specification has it for hardware features: clients that list all objects of a token
//! expect keys and certificates. The test cases of the profiles expect the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::locals::describes;
use crate::handle;
use crate::object::template::Template;
use crate::object::value::{flag, ulong};
use crate::object::{Body, LocalObject};

/// The profiles whose conditions are all met.
const MET: &[(CK_PROFILE_ID, &str)] = &[
    (CKP_BASELINE_PROVIDER, "Baseline Provider"),
    (CKP_EXTENDED_PROVIDER, "Extended Provider"),
    (CKP_AUTHENTICATION_TOKEN, "Authentication Token"),
];

/// The profile objects of a token, by handle.
pub(super) struct Profiles(BTreeMap<CK_OBJECT_HANDLE, Arc<LocalObject>>);

impl Profiles {
    pub(super) fn new() -> Self {
        let object =
            |(id, name): &(CK_PROFILE_ID, &str)| (handle::next(), Arc::new(profile(*id, name)));
        Self(MET.iter().map(object).collect())
    }

    pub(super) fn get(&self, handle: CK_OBJECT_HANDLE) -> Option<&Arc<LocalObject>> {
        self.0.get(&handle)
    }

    /// The profile objects that a template describes; `None` when it does not ask for any.
    pub(super) fn find(&self, template: &Template<'_>) -> Option<Vec<CK_OBJECT_HANDLE>> {
        let asked_for = template.get(CKA_CLASS) == Some(&CKO_PROFILE.to_ne_bytes())
            || template.get(CKA_PROFILE_ID).is_some();
        let objects = self.0.iter();
        let found = objects.filter(|(_, object)| describes(template, object));
        asked_for.then(|| found.map(|(handle, _)| *handle).collect())
    }
}

fn profile(id: CK_PROFILE_ID, name: &str) -> LocalObject {
    let attributes = [
        (CKA_CLASS, ulong(CKO_PROFILE)),
        (CKA_PROFILE_ID, ulong(id)),
        (CKA_UNIQUE_ID, format!("profile-{id}").into_bytes()),
        (CKA_LABEL, name.into()),
        (CKA_TOKEN, flag(true)),
        (CKA_PRIVATE, flag(false)),
        (CKA_MODIFIABLE, flag(false)),
        (CKA_COPYABLE, flag(false)),
        (CKA_DESTROYABLE, flag(false)),
    ];
    let attributes = attributes.map(|(type_, value)| (type_, Zeroizing::new(value)));
    LocalObject::of_token(attributes.into(), Body::Attributes)
}
