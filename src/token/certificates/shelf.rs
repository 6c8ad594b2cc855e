//! The certificates of a token at one moment, and what they are made from.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use pkcs11_sys::CK_OBJECT_HANDLE;

use super::{InFile, tags};
use crate::handle;
use crate::kms::{KeyEntry, Tags};
use crate::object::Key;
use crate::object::certificate::{Place, StoredCertificate};

/// The certificates of a snapshot.
#[derive(Debug, Default)]
pub(in crate::token) struct ShownCertificates {
    all: Vec<ShownCertificate>,
    by_handle: HashMap<CK_OBJECT_HANDLE, usize>,
    by_id: HashMap<Vec<u8>, Vec<usize>>,
    /// Those whose CKA_ID was not known when the snapshot was made.
    nameless: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(in crate::token) struct ShownCertificate {
    pub(in crate::token) object: Arc<StoredCertificate>,
    pub(in crate::token) handle: CK_OBJECT_HANDLE,
}

impl ShownCertificates {
    pub(in crate::token) fn all(&self) -> impl Iterator<Item = &ShownCertificate> {
        self.all.iter()
    }

    /// Those whose CKA_ID is or may turn out to be `id`.
    pub(in crate::token) fn by_id(&self, id: &[u8]) -> impl Iterator<Item = &ShownCertificate> {
        let known = self.by_id.get(id).map(Vec::as_slice).unwrap_or_default();
        let indices = known.iter().chain(&self.nameless);
        indices.filter_map(|index| self.all.get(*index))
    }

    pub(in crate::token) fn get(
        &self,
        handle: CK_OBJECT_HANDLE,
    ) -> Option<&Arc<StoredCertificate>> {
        let index = self.by_handle.get(&handle)?;
        self.all.get(*index).map(|shown| &shown.object)
    }

    /// True when a certificate has these names, as far as that is known; one whose key is not known
    /// counts as one without a key.
    pub(in crate::token) fn has_named(&self, id: Option<&[u8]>, label: Option<&[u8]>) -> bool {
        let is_named = |shown: &ShownCertificate| {
            let object = &shown.object;
            let has_id = |id| object.id().unwrap_or(object.keyless_id()) == id;
            let has_label = |label| object.label().unwrap_or(object.keyless_label()) == label;
            id.is_none_or(has_id) && label.is_none_or(has_label)
        };
        match id {
            Some(id) => self.by_id(id).any(is_named),
            None => self.all().any(is_named),
        }
    }

    pub(in crate::token) fn handle(&self, unique_id: &str) -> Option<CK_OBJECT_HANDLE> {
        let shown = self.all.iter();
        let mut named = shown.filter(|shown| shown.object.unique_id() == unique_id);
        named.next().map(|shown| shown.handle)
    }

    fn push(&mut self, object: Arc<StoredCertificate>, handle: CK_OBJECT_HANDLE) {
        let index = self.all.len();
        match object.id() {
            Some(id) => self.by_id.entry(id.to_vec()).or_default().push(index),
            None => self.nameless.push(index),
        }
        self.by_handle.insert(handle, index);
        self.all.push(ShownCertificate { object, handle });
    }
}

/// What the certificates of snapshots are made from. A certificate is parsed when it is first seen, not
/// with every snapshot.
#[derive(Debug, Default)]
pub(in crate::token) struct Shelf {
    /// By CKA_UNIQUE_ID.
    handles: HashMap<String, CK_OBJECT_HANDLE>,
    /// By the ARN of the key.
    in_tags: BTreeMap<String, OfKey>,
    files: Vec<(InFile, bool)>,
    in_files: Vec<Arc<StoredCertificate>>,
}

/// The certificates in the tags of one key.
#[derive(Debug)]
struct OfKey {
    key: Arc<Key>,
    /// Those tags alone that hold certificates.
    tags: Tags,
    certificates: Vec<Arc<StoredCertificate>>,
}

impl Shelf {
    /// Takes what the tags of a key hold.
    pub(in crate::token) fn take_tags(&mut self, key: &Arc<Key>, tags: &Tags) {
        let arn = &key.entry.arn;
        if tags::of_certificates(tags).next().is_none() {
            self.in_tags.remove(arn);
            return;
        }
        let before = self.in_tags.get(arn);
        let is_same = |before: &&OfKey| tags::of_certificates(tags).eq(&before.tags);
        if let Some(before) = before.filter(is_same) {
            if !Arc::ptr_eq(&before.key, key) {
                let again = |certificate: &Arc<StoredCertificate>| linked(certificate, Some(key));
                let certificates = before.certificates.iter().map(again).collect();
                let of_key = OfKey {
                    key: Arc::clone(key),
                    tags: before.tags.clone(),
                    certificates,
                };
                self.in_tags.insert(arn.clone(), of_key);
            }
            return;
        }
        self.in_tags.insert(arn.clone(), OfKey::read(key, tags));
    }

    /// Takes the certificates of all files, and which of them this module wrote; true when
    /// they are others than before.
    pub(in crate::token) fn replace_files(&mut self, files: Vec<(InFile, bool)>) -> bool {
        if files == self.files {
            return false;
        }
        self.files.clone_from(&files);
        let known = mem::take(&mut self.in_files);
        let keys: HashMap<&str, &Arc<Key>> = known
            .iter()
            .filter_map(|certificate| Some((certificate.unique_id(), certificate.key()?)))
            .collect();
        let mut seen = HashSet::new();
        for (InFile { path, noted }, own) in files {
            let place = Place::File { path, own };
            let certificate = StoredCertificate::new(noted.certificate, noted.notes, place);
            // A file may hold a certificate twice.
            if !seen.insert(certificate.unique_id().to_owned()) {
                continue;
            }
            if let Some(key) = keys.get(certificate.unique_id()) {
                certificate.link(Some(Arc::clone(key)));
            }
            self.in_files.push(Arc::new(certificate));
        }
        true
    }

    /// The certificates of a snapshot with these keys.
    pub(in crate::token) fn show(&mut self, keys: &HashMap<String, Arc<Key>>) -> ShownCertificates {
        self.in_tags.retain(|arn, _| keys.contains_key(arn));
        // What certifies a key does so for ever; what certifies none may certify one that is new.
        for certificate in &mut self.in_files {
            let key = certificate.key().and_then(|key| keys.get(&key.entry.arn));
            *certificate = linked(certificate, key);
        }
        let mut shown = ShownCertificates::default();
        let in_tags = self.in_tags.values().flat_map(|of| &of.certificates);
        for certificate in in_tags.chain(&self.in_files) {
            let unique_id = certificate.unique_id().to_owned();
            let handle = *self.handles.entry(unique_id).or_insert_with(handle::next);
            shown.push(Arc::clone(certificate), handle);
        }
        shown
    }

    /// Forgets the handle of a certificate: stored again, it is another object.
    pub(in crate::token) fn destroyed(&mut self, unique_id: &str) {
        self.handles.remove(unique_id);
    }

    /// Forgets what the tags of a key hold; answers the handles of the certificates among it.
    pub(in crate::token) fn key_destroyed(&mut self, entry: &KeyEntry) -> Vec<CK_OBJECT_HANDLE> {
        let of_key = self.in_tags.remove(&entry.arn);
        let certificates = of_key.map(|of| of.certificates).unwrap_or_default();
        let handle =
            |certificate: &Arc<StoredCertificate>| self.handles.remove(certificate.unique_id());
        certificates.iter().filter_map(handle).collect()
    }
}

impl OfKey {
    fn read(key: &Arc<Key>, tags: &Tags) -> Self {
        let reading = tags::read(tags);
        reading.warn(&key.entry);
        let stored = |tags::Stored { index, noted }| {
            let place = Place::Tags {
                entry: key.entry.clone(),
                index,
            };
            let certificate = StoredCertificate::new(noted.certificate, noted.notes, place);
            certificate.link(Some(Arc::clone(key)));
            Arc::new(certificate)
        };
        Self {
            key: Arc::clone(key),
            tags: tags::of_certificates(tags)
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            certificates: reading.certificates.into_iter().map(stored).collect(),
        }
    }
}

/// The same certificate, linked to this key or to none yet.
fn linked(certificate: &StoredCertificate, key: Option<&Arc<Key>>) -> Arc<StoredCertificate> {
    let again = certificate.unlinked();
    if let Some(key) = key {
        again.link(Some(Arc::clone(key)));
    }
    Arc::new(again)
}
