//! Finding objects: in memory, with requests only for what was never fetched or has never been
//! seen.

use std::sync::Arc;

use pkcs11_sys::*;

use super::Token;
use super::inventory::{Shown, Snapshot};
use crate::error::{Error, Result};
use crate::kms::{Phase, Stage};
use crate::object::template::Template;
use crate::object::{Key, KeyMaterial, KmsObject, Object, Part, attributes};

impl Token {
    /// The handles of all objects that match a template.
    pub(crate) fn find(&self, template: &Template<'_>) -> Result<Vec<CK_OBJECT_HANDLE>> {
        if let Some(profiles) = self.profiles.find(template) {
            return Ok(profiles);
        }
        if template.get(CKA_TOKEN) == Some(&[CK_FALSE]) || !self.has_identity() {
            // What is in KMS is of no interest or hidden, so KMS is not asked.
            return Ok(self.locals.find(template));
        }
        let mut snapshot = self.view.snapshot()?;
        if names_unknown_key(&snapshot, template) {
            snapshot = self.view.look_again()?;
        }
        let shows_private = self.shows_private();
        let is_candidate = |shown: &Shown<'_>| {
            (shows_private || shown.part == Part::Public) && may_match(shown, template)
        };
        let candidates: Vec<Shown<'_>> = match template.get(CKA_ID) {
            Some(id) => snapshot.objects_by_id(id).filter(is_candidate).collect(),
            None => snapshot.objects().filter(is_candidate).collect(),
        };
        self.fetch_materials(&candidates)?;
        // Else keys that it could not read any more would seem not to be there.
        self.view.check_call()?;
        let mut found: Vec<_> = candidates
            .iter()
            .filter(|shown| matches(shown, template))
            .map(|shown| shown.handle)
            .collect();
        found.extend(self.find_certificates(&snapshot, template)?);
        found.extend(self.locals.find(template));
        Ok(found)
    }

    /// The object behind a handle, its public half fetched.
    pub(crate) fn object(&self, handle: CK_OBJECT_HANDLE, phase: Phase) -> Result<Object> {
        if let Some(object) = self.locals.get(handle) {
            return Ok(Object::Local(object));
        }
        if let Some(profile) = self.profiles.get(handle) {
            return Ok(Object::Local(Arc::clone(profile)));
        }
        let snapshot = self.view.latest();
        if let Some(certificate) = self.certificate(&snapshot, handle)? {
            return Ok(Object::Certificate(certificate));
        }
        let (key, part) = snapshot.object(handle).ok_or(CKR_OBJECT_HANDLE_INVALID)?;
        if part != Part::Public {
            self.check_login()?;
        }
        if key.material.get().is_none() {
            let most = self.config.deadline;
            self.materials
                .fetch(&*self.kms, &[key], Stage::Request, most);
        }
        match key.material.get() {
            Some(material) if material.has(part) => Ok(Object::Kms(KmsObject {
                key: Arc::clone(key),
                material: Arc::clone(material),
                part,
            })),
            Some(_) => Err(CKR_OBJECT_HANDLE_INVALID.into()),
            None => {
                self.view.check_call()?;
                Err(self.why_hidden(key, phase))
            }
        }
    }

    /// Fetches what the candidates lack. Keys that cannot be read are left out, unless nothing
    /// could be read because KMS cannot be reached: then "no such object" would be a lie.
    fn fetch_materials(&self, candidates: &[Shown<'_>]) -> Result<()> {
        let missing: Vec<&Arc<Key>> = candidates
            .iter()
            .filter(|shown| shown.key.material.get().is_none())
            .map(|shown| shown.key)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let most = self.config.listing_deadline;
        self.materials
            .fetch(&*self.kms, &missing, Stage::Listing, most);
        if candidates
            .iter()
            .any(|shown| shown.key.material.get().is_some())
        {
            return Ok(());
        }
        let outage = missing.iter().find_map(|key| {
            self.materials
                .failure(key)
                .filter(crate::kms::KmsError::is_outage)
        });
        outage.map_or(Ok(()), |error| Err(error.into_error(Phase::Find)))
    }

    fn why_hidden(&self, key: &Key, phase: Phase) -> Error {
        match self.materials.failure(key) {
            Some(error) => error.into_error(phase),
            None => Error::new(
                CKR_DEVICE_ERROR,
                format!("{}: no public key", key.entry.arn),
            ),
        }
    }
}

/// True when a template names a key, by id or label, that the snapshot does not know under these
/// names, neither it nor a certificate: it may have been made elsewhere since. What else the template says is of no matter, so
/// that a search for the certificate of a known key asks nobody.
fn names_unknown_key(snapshot: &Snapshot, template: &Template<'_>) -> bool {
    let (id, label) = (template.get(CKA_ID), template.get(CKA_LABEL));
    if id.unwrap_or_default().is_empty() && label.unwrap_or_default().is_empty() {
        return false;
    }
    let named = |shown: Shown<'_>| {
        let names = shown.key.names(shown.part);
        id.is_none_or(|id| names.id == id) && label.is_none_or(|label| names.label == label)
    };
    let known = match id {
        Some(id) => snapshot.objects_by_id(id).any(named),
        None => snapshot.objects().any(named),
    };
    !(known || snapshot.certificates.has_named(id, label))
}

/// False when what is known of the object without its public half rules it out.
fn may_match(shown: &Shown<'_>, template: &Template<'_>) -> bool {
    agrees(
        shown.key,
        shown.key.material.get().map(|m| &**m),
        shown.part,
        template,
        true,
    )
}

fn matches(shown: &Shown<'_>, template: &Template<'_>) -> bool {
    match shown.key.material.get() {
        Some(material) => {
            material.has(shown.part)
                && agrees(shown.key, Some(material), shown.part, template, false)
        }
        None => false,
    }
}

fn agrees(
    key: &Key,
    material: Option<&KeyMaterial>,
    part: Part,
    template: &Template<'_>,
    when_not_fetched: bool,
) -> bool {
    template.iter().all(|attribute| {
        attributes::read(key, material, part, attribute.type_)
            .matches(attribute.value, when_not_fetched)
    })
}
