//! Finding certificates, and the keys that they certify.
//!
//! The certificates in a key's tags come with the key. Of those in files only the public keys of the
//! token tell which key they certify, and so their CKA_ID and CKA_LABEL where nobody noted them: public
//! keys are fetched for that once, and only when somebody asks for these attributes.

use std::collections::HashMap;
use std::sync::Arc;

use pkcs11_sys::*;

use super::shelf::ShownCertificate;
use crate::error::Result;
use crate::kms::{KmsError, Phase, Stage};
use crate::object::certificate::{Certificate, Notes, StoredCertificate};
use crate::object::template::Template;
use crate::object::{Key, Value};
use crate::token::Token;
use crate::token::inventory::Snapshot;

impl Token {
    /// The handles of all certificates that match a template.
    pub(in crate::token) fn find_certificates(
        &self,
        snapshot: &Snapshot,
        template: &Template<'_>,
    ) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let may_match = |shown: &&ShownCertificate| shown.object.matches(template, true);
        let candidates: Vec<&ShownCertificate> = match template.get(CKA_ID) {
            Some(id) => {
                let shown = snapshot.certificates.by_id(id);
                shown.filter(may_match).collect()
            }
            None => snapshot.certificates.all().filter(may_match).collect(),
        };
        let nameless: Vec<&StoredCertificate> = candidates
            .iter()
            .map(|shown| &*shown.object)
            .filter(|certificate| hangs_on_key(certificate, template))
            .collect();
        if !nameless.is_empty() {
            self.link_for(snapshot, template, &nameless)?;
        }
        let matching = candidates
            .iter()
            .filter(|shown| shown.object.matches(template, false));
        Ok(matching.map(|shown| shown.handle).collect())
    }

    /// A certificate of the snapshot with all of its attributes.
    pub(in crate::token) fn certificate(
        &self,
        snapshot: &Snapshot,
        handle: CK_OBJECT_HANDLE,
    ) -> Result<Option<Arc<StoredCertificate>>> {
        let Some(certificate) = snapshot.certificates.get(handle) else {
            return Ok(None);
        };
        if certificate.id().is_none() || certificate.label().is_none() {
            self.link_all(snapshot)?;
        }
        Ok(Some(Arc::clone(certificate)))
    }

    /// The key that a certificate certifies: among those whose public keys are known, then those with
    /// this CKA_ID, then all.
    pub(super) fn key_certified_by(
        &self,
        snapshot: &Snapshot,
        certificate: &Certificate,
        id: Option<&[u8]>,
    ) -> Result<Option<Arc<Key>>> {
        let pairs: Vec<&Arc<Key>> = snapshot.pairs().map(|shown| shown.key).collect();
        let certified = |keys: &[&Arc<Key>]| {
            let mut keys = keys.iter();
            let key = keys.find(|key| key.spki() == Some(certificate.spki()));
            key.map(|key| Arc::clone(key))
        };
        if let Some(key) = certified(&pairs) {
            return Ok(Some(key));
        }
        let named = pairs.iter().filter(|key| Some(&*key.names.id) == id);
        let named: Vec<&Arc<Key>> = named.copied().collect();
        for keys in [named, pairs] {
            let fetched = self.fetch_public_keys(&keys);
            if let Some(key) = certified(&keys) {
                return Ok(Some(key));
            }
            fetched?;
        }
        Ok(None)
    }

    /// Finds out which of these certificates, whose names hang on their keys, have the names that a
    /// template asks for. Usually the keys with these names tell.
    fn link_for(
        &self,
        snapshot: &Snapshot,
        template: &Template<'_>,
        certificates: &[&StoredCertificate],
    ) -> Result<()> {
        let (id, label) = (template.get(CKA_ID), template.get(CKA_LABEL));
        // A name that was noted says nothing of the key's.
        let of_keys = |name: fn(&Notes) -> &Option<Vec<u8>>| {
            certificates
                .iter()
                .all(|certificate| name(&certificate.notes).is_none())
        };
        let key_id = id.filter(|_| of_keys(|notes| &notes.id));
        let key_label = label.filter(|_| of_keys(|notes| &notes.label));
        let is_named = |key: &&Arc<Key>| {
            key_id.is_none_or(|id| key.names.id == id)
                && key_label.is_none_or(|label| key.names.label == label)
        };
        let pairs = snapshot.pairs().map(|shown| shown.key);
        let named: Vec<&Arc<Key>> = pairs.filter(is_named).collect();
        self.fetch_public_keys(&named)?;
        for certificate in certificates {
            if let Some(key) = named.iter().find(|key| certificate.certifies(key)) {
                certificate.link(Some(Arc::clone(key)));
            }
        }
        // Their names are those that a template asks for if they have no key at all.
        let is_open = |certificate: &&StoredCertificate| {
            hangs_on_key(certificate, template)
                && id.is_none_or(|id| certificate.keyless_id() == id)
                && label.is_none_or(|label| certificate.keyless_label() == label)
        };
        if certificates
            .iter()
            .copied()
            .any(|certificate| is_open(&certificate))
        {
            self.link_all(snapshot)?;
        }
        Ok(())
    }

    /// Finds the key of every certificate of a snapshot, or that it has none: once for a snapshot.
    fn link_all(&self, snapshot: &Snapshot) -> Result<()> {
        let pairs: Vec<&Arc<Key>> = snapshot.pairs().map(|shown| shown.key).collect();
        self.fetch_public_keys(&pairs)?;
        let keys: HashMap<&[u8], &Arc<Key>> = pairs
            .into_iter()
            .filter_map(|key| Some((key.spki()?, key)))
            .collect();
        for shown in snapshot.certificates.all() {
            let key = keys.get(shown.object.certificate.spki());
            shown.object.link(key.map(|key| Arc::clone(key)));
        }
        Ok(())
    }

    /// Fetches the public halves that are missing. One that KMS refuses is no certificate's; but while
    /// KMS cannot be reached nobody knows.
    fn fetch_public_keys(&self, keys: &[&Arc<Key>]) -> Result<()> {
        let missing = |key: &&Arc<Key>| key.material.get().is_none();
        let missing: Vec<&Arc<Key>> = keys.iter().copied().filter(missing).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let most = self.config.listing_deadline;
        self.materials
            .fetch(&*self.kms, &missing, Stage::Listing, most);
        let outage = missing
            .iter()
            .filter(|key| key.material.get().is_none())
            .find_map(|key| self.materials.failure(key).filter(KmsError::is_outage));
        outage.map_or(Ok(()), |error| Err(error.into_error(Phase::Find)))
    }
}

/// True for a certificate of which a template asks for a name that only its key tells.
fn hangs_on_key(certificate: &StoredCertificate, template: &Template<'_>) -> bool {
    template
        .iter()
        .any(|attribute| certificate.read(attribute.type_) == Value::NotFetched)
}
