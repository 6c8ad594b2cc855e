//! What a token knows of its keys, and the immutable snapshot that finds and signatures read.
//!
//! KMS is eventually consistent: a listing may miss a key or a tag of seconds ago. What this
//! process wrote itself is therefore kept in an overlay and wins over listings for a while.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use pkcs11_sys::CK_OBJECT_HANDLE;

use super::certificates::InFile;
use super::certificates::shelf::{Shelf, ShownCertificates};
use super::certificates::tags;
use super::names::{PairNames, warn_of_bad_ids};
use super::restrictions;
use crate::error::Result;
use crate::handle;
use crate::kms::{CREATED_TAG, KeyEntry, Tags};
use crate::object::certificate::{Certificate, Notes};
use crate::object::{Key, KeyMaterial, Part, Restrictions};

/// How long the overlay wins; KMS says changes are visible within minutes at most.
const OVERLAY: Duration = Duration::from_mins(15);

/// A key as the last listing showed it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) entry: KeyEntry,
    pub(super) tags: Tags,
    pub(super) alias: Option<String>,
}

/// What the tags of a key say that its objects show.
struct TagFacts {
    names: PairNames,
    restrictions: Restrictions,
}

impl TagFacts {
    fn of_key(entry: &KeyEntry, tags: &Tags, alias: Option<&str>) -> Self {
        Self {
            names: PairNames::of_key(entry, tags, alias),
            restrictions: restrictions::in_tags(tags),
        }
    }

    fn are_of(&self, key: &Key) -> bool {
        key.names == self.names.private
            && key.public_names == self.names.public
            && key.restrictions == self.restrictions
    }
}

/// The keys of a token at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    keys: Vec<(Arc<Key>, [CK_OBJECT_HANDLE; Part::ALL.len()])>,
    by_handle: HashMap<CK_OBJECT_HANDLE, (usize, Part)>,
    by_id: HashMap<Vec<u8>, Vec<usize>>,
    /// Public objects that were destroyed without their private halves.
    without_public: HashSet<usize>,
    pub(super) certificates: ShownCertificates,
}

impl Snapshot {
    /// Every object, private half first. A key that KMS was not asked about may turn out to be a
    /// pair or a secret key: it shows all of its possible objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = Shown<'_>> {
        (0..self.keys.len()).flat_map(|index| self.parts(index))
    }

    /// The objects whose CKA_ID is `id` (and perhaps others of the same pairs).
    pub(super) fn objects_by_id(&self, id: &[u8]) -> impl Iterator<Item = Shown<'_>> {
        let indices = self.by_id.get(id).map(Vec::as_slice).unwrap_or_default();
        indices.iter().flat_map(|index| self.parts(*index))
    }

    pub(super) fn object(&self, handle: CK_OBJECT_HANDLE) -> Option<(&Arc<Key>, Part)> {
        let (index, part) = *self.by_handle.get(&handle)?;
        self.keys.get(index).map(|(key, _)| (key, part))
    }

    /// The private objects: each has the names of its pair, and stands for it.
    pub(super) fn pairs(&self) -> impl Iterator<Item = Shown<'_>> {
        self.objects().filter(|shown| shown.part == Part::Private)
    }

    fn parts(&self, index: usize) -> impl Iterator<Item = Shown<'_>> {
        let parts = self.keys.get(index).map(|(key, handles)| {
            let material = key.material.get();
            let without_public = self.without_public.contains(&index);
            Part::ALL
                .into_iter()
                .zip(*handles)
                .filter(move |(part, _)| material.is_none_or(|material| material.has(*part)))
                .filter(move |(part, _)| !(without_public && *part == Part::Public))
                .map(move |(part, handle)| Shown { key, part, handle })
        });
        parts.into_iter().flatten()
    }
}

/// An object of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub(super) key: &'a Arc<Key>,
    pub(super) part: Part,
    pub(super) handle: CK_OBJECT_HANDLE,
}

/// Everything a snapshot is made from. Lives under a lock that is never held across a request.
#[derive(Debug)]
pub(super) struct Inventory {
    destroyable: bool,
    assigned: HashMap<(String, Part), CK_OBJECT_HANDLE>,
    /// Keys with handles that the last listings did not show, and since when.
    gone: HashMap<String, Instant>,
    listed: BTreeMap<String, Listed>,
    written: HashMap<String, Written>,
    destroyed: HashMap<String, Instant>,
    without_public: HashSet<String>,
    /// Handles of public objects and certificates whose pair was destroyed: each may still be destroyed once.
    orphans: HashSet<CK_OBJECT_HANDLE>,
    keys: HashMap<String, Arc<Key>>,
    shelf: Shelf,
    /// Tags that are being written, by ARN: two certificates stored at a time take different ones.
    reserved: Vec<(String, Tags)>,
}

/// What this process wrote and listings may not show yet.
#[derive(Clone, Debug)]
struct Written {
    entry: KeyEntry,
    tags: Tags,
    removed: BTreeSet<String>,
    created: bool,
    at: Instant,
}

impl Written {
    /// Lays what was written over what a listing showed.
    fn cover(&self, tags: &mut Tags) {
        tags.retain(|key, _| !self.removed.contains(key));
        tags.extend(self.tags.clone());
    }
}

impl Inventory {
    pub(super) fn new(destroyable: bool) -> Self {
        Self {
            destroyable,
            assigned: HashMap::new(),
            gone: HashMap::new(),
            listed: BTreeMap::new(),
            written: HashMap::new(),
            destroyed: HashMap::new(),
            without_public: HashSet::new(),
            orphans: HashSet::new(),
            keys: HashMap::new(),
            shelf: Shelf::default(),
            reserved: Vec::new(),
        }
    }

    /// Takes a complete listing.
    pub(super) fn replace_listing(&mut self, listed: Vec<Listed>) {
        self.listed = listed
            .into_iter()
            .map(|key| (key.entry.arn.clone(), key))
            .collect();
        self.written
            .retain(|_, written| written.at.elapsed() < OVERLAY);
        self.destroyed.retain(|_, at| at.elapsed() < OVERLAY);
        self.forget_gone(Instant::now());
    }

    /// Forgets the handles of keys that were deleted elsewhere. One that a listing misses, as it may miss a key for
    /// minutes, has the same ones when it is back.
    fn forget_gone(&mut self, now: Instant) {
        let (listed, written) = (&self.listed, &self.written);
        let is_known = |arn: &String| listed.contains_key(arn) || written.contains_key(arn);
        self.gone.retain(|arn, _| !is_known(arn));
        for (arn, _) in self.assigned.keys() {
            if !is_known(arn) && !self.gone.contains_key(arn) {
                self.gone.insert(arn.clone(), now);
            }
        }
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= OVERLAY;
        let over = self.gone.extract_if(|_, since| is_over(since));
        let over: HashSet<String> = over.map(|(arn, _)| arn).collect();
        if !over.is_empty() {
            self.assigned.retain(|(arn, _), _| !over.contains(arn));
            self.without_public.retain(|arn| !over.contains(arn));
        }
    }

    /// Takes keys that a listing showed for the first time.
    pub(super) fn extend_listing(&mut self, listed: Vec<Listed>) {
        self.listed
            .extend(listed.into_iter().map(|key| (key.entry.arn.clone(), key)));
    }

    /// Takes a key that this process created, with its public half.
    pub(super) fn created(&mut self, entry: KeyEntry, tags: Tags, material: Arc<KeyMaterial>) {
        let facts = TagFacts::of_key(&entry, &tags, None);
        let key = self.make_key(
            entry.clone(),
            facts,
            Arc::new(OnceCell::with_value(material)),
        );
        self.keys.insert(entry.arn.clone(), key);
        let written = Written {
            entry: entry.clone(),
            tags,
            removed: BTreeSet::new(),
            created: true,
            at: Instant::now(),
        };
        self.written.insert(entry.arn, written);
    }

    /// Takes tags that this process wrote.
    pub(super) fn tagged(&mut self, entry: &KeyEntry, tags: Tags) {
        let written = self.written(entry);
        written.removed.retain(|key| !tags.contains_key(key));
        written.tags.extend(tags);
    }

    /// Takes the keys of tags that this process removed.
    pub(super) fn untagged(&mut self, entry: &KeyEntry, keys: Vec<String>) {
        let written = self.written(entry);
        written.tags.retain(|key, _| !keys.contains(key));
        written.removed.extend(keys);
    }

    /// The keys that carry all of these tags, whether they can be used or not.
    pub(super) fn with_tags(&self, wanted: &Tags) -> Vec<KeyEntry> {
        self.merged()
            .into_iter()
            .filter(|key| {
                wanted
                    .iter()
                    .all(|(name, value)| key.tags.get(name) == Some(value))
            })
            .map(|key| key.entry)
            .collect()
    }

    /// The tags of a key as they are now.
    pub(super) fn tags_of(&self, entry: &KeyEntry) -> Tags {
        let listed = self.listed.get(&entry.arn);
        let mut tags = listed.map(|key| key.tags.clone()).unwrap_or_default();
        if let Some(written) = self.written.get(&entry.arn) {
            written.cover(&mut tags);
        }
        tags
    }

    /// Chooses the tags for a certificate of a key, and keeps others from choosing them until they are
    /// released. Answers the certificate's number, too.
    pub(super) fn reserve(
        &mut self,
        entry: &KeyEntry,
        certificate: &Certificate,
        notes: &Notes,
    ) -> Result<(u8, Tags)> {
        let mut present = self.tags_of(entry);
        for (arn, tags) in &self.reserved {
            if *arn == entry.arn {
                present.extend(tags.clone());
            }
        }
        let (index, tags) = tags::to_tags(&present, certificate, notes)?;
        self.reserved.push((entry.arn.clone(), tags.clone()));
        Ok((index, tags))
    }

    /// Ends a reservation: the tags are written, or will not be.
    pub(super) fn release(&mut self, entry: &KeyEntry, tags: &Tags) {
        self.reserved
            .retain(|(arn, reserved)| *arn != entry.arn || reserved != tags);
    }

    /// Takes the certificates of all files; true when they are others than before.
    pub(super) fn replace_files(&mut self, files: Vec<(InFile, bool)>) -> bool {
        self.shelf.replace_files(files)
    }

    fn written(&mut self, entry: &KeyEntry) -> &mut Written {
        let written = self
            .written
            .entry(entry.arn.clone())
            .or_insert_with(|| Written {
                entry: entry.clone(),
                tags: Tags::new(),
                removed: BTreeSet::new(),
                created: false,
                at: Instant::now(),
            });
        written.at = Instant::now();
        written
    }

    /// Forgets a key that this process destroyed; the handles of its public object and of its
    /// certificates may still be destroyed once.
    pub(super) fn destroyed(&mut self, entry: &KeyEntry) {
        self.destroyed.insert(entry.arn.clone(), Instant::now());
        self.written.remove(&entry.arn);
        for part in [Part::Private, Part::Secret] {
            self.assigned.remove(&(entry.arn.clone(), part));
        }
        if let Some(handle) = self.assigned.remove(&(entry.arn.clone(), Part::Public))
            && !self.without_public.remove(&entry.arn)
        {
            self.orphans.insert(handle);
        }
        self.orphans.extend(self.shelf.key_destroyed(entry));
    }

    /// Hides the public object of a key, which lives on in KMS.
    pub(super) fn public_destroyed(&mut self, entry: &KeyEntry) {
        self.without_public.insert(entry.arn.clone());
    }

    /// Forgets the handle of a certificate that this process destroyed.
    pub(super) fn certificate_destroyed(&mut self, unique_id: &str) {
        self.shelf.destroyed(unique_id);
    }

    pub(super) fn is_orphan(&self, handle: CK_OBJECT_HANDLE) -> bool {
        self.orphans.contains(&handle)
    }

    /// Takes the handle of a public object or certificate whose pair is gone; true when there was one.
    pub(super) fn take_orphan(&mut self, handle: CK_OBJECT_HANDLE) -> bool {
        self.orphans.remove(&handle)
    }

    /// Forgets what was fetched of a key, because KMS says that its state changed.
    pub(super) fn forget_material(&mut self, entry: &KeyEntry) {
        if let Some(key) = self.keys.get(&entry.arn) {
            let facts = TagFacts {
                names: PairNames {
                    private: key.names.clone(),
                    public: key.public_names.clone(),
                },
                restrictions: key.restrictions.clone(),
            };
            let key = self.make_key(entry.clone(), facts, Arc::default());
            self.keys.insert(entry.arn.clone(), key);
        }
    }

    pub(super) fn is_listed(&self, entry: &KeyEntry) -> bool {
        self.listed.contains_key(&entry.arn)
    }

    /// Whether the last listing showed it, and not as the key that was created with this mark.
    pub(super) fn is_listed_without(&self, entry: &KeyEntry, mark: &str) -> bool {
        self.listed
            .get(&entry.arn)
            .is_some_and(|key| key.tags.get(CREATED_TAG).is_none_or(|other| other != mark))
    }

    /// What the last listing said, by ARN.
    pub(super) fn all_listed(&self) -> HashMap<String, Listed> {
        self.listed
            .iter()
            .map(|(arn, key)| (arn.clone(), key.clone()))
            .collect()
    }

    /// Makes the snapshot of this moment; keys whose names did not change keep what was fetched of
    /// them.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        let shown = self.merged();
        let mut keys = HashMap::with_capacity(shown.len());
        let mut snapshot = Snapshot::default();
        for Listed { entry, tags, alias } in shown {
            // Once, not with every snapshot.
            if !self.keys.contains_key(&entry.arn) {
                warn_of_bad_ids(&entry, &tags);
            }
            let facts = TagFacts::of_key(&entry, &tags, alias.as_deref());
            let key = self.key(entry, facts);
            self.shelf.take_tags(&key, &tags);
            let handles = Part::ALL.map(|part| self.handle(&key.entry, part));
            let index = snapshot.keys.len();
            let without_public = self.without_public.contains(&key.entry.arn);
            if without_public {
                snapshot.without_public.insert(index);
            }
            for (part, handle) in Part::ALL.into_iter().zip(handles) {
                if !(without_public && part == Part::Public) {
                    snapshot.by_handle.insert(handle, (index, part));
                }
            }
            snapshot
                .by_id
                .entry(key.names.id.clone())
                .or_default()
                .push(index);
            if key.public_names.id != key.names.id {
                snapshot
                    .by_id
                    .entry(key.public_names.id.clone())
                    .or_default()
                    .push(index);
            }
            keys.insert(key.entry.arn.clone(), Arc::clone(&key));
            snapshot.keys.push((key, handles));
        }
        snapshot.certificates = self.shelf.show(&keys);
        self.keys = keys;
        snapshot
    }

    /// The listing with the overlay on it.
    fn merged(&self) -> Vec<Listed> {
        let mut merged = self.listed.clone();
        for (arn, written) in &self.written {
            if !merged.contains_key(arn) && !written.created {
                continue;
            }
            let key = merged.entry(arn.clone()).or_insert_with(|| Listed {
                entry: written.entry.clone(),
                tags: Tags::new(),
                alias: None,
            });
            written.cover(&mut key.tags);
        }
        merged
            .into_values()
            .filter(|key| !self.destroyed.contains_key(&key.entry.arn))
            .collect()
    }

    fn key(&self, entry: KeyEntry, facts: TagFacts) -> Arc<Key> {
        match self.keys.get(&entry.arn) {
            Some(key) if facts.are_of(key) => Arc::clone(key),
            Some(key) => self.make_key(entry, facts, Arc::clone(&key.material)),
            None => self.make_key(entry, facts, Arc::default()),
        }
    }

    fn make_key(
        &self,
        entry: KeyEntry,
        facts: TagFacts,
        material: Arc<OnceCell<Arc<KeyMaterial>>>,
    ) -> Arc<Key> {
        Arc::new(Key {
            entry,
            names: facts.names.private,
            public_names: facts.names.public,
            restrictions: facts.restrictions,
            destroyable: self.destroyable,
            material,
        })
    }

    fn handle(&mut self, entry: &KeyEntry, part: Part) -> CK_OBJECT_HANDLE {
        *self
            .assigned
            .entry((entry.arn.clone(), part))
            .or_insert_with(handle::next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(number: u32) -> Listed {
        let key_id = format!("00000000-0000-4000-8000-{number:012}");
        Listed {
            entry: KeyEntry {
                arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
                key_id,
            },
            tags: Tags::new(),
            alias: None,
        }
    }

    fn handles(inventory: &mut Inventory) -> Vec<CK_OBJECT_HANDLE> {
        let snapshot = inventory.snapshot();
        snapshot.objects().map(|shown| shown.handle).collect()
    }

    #[test]
    fn handles_of_a_key_outlive_a_listing_that_misses_it_and_not_the_key() {
        let mut inventory = Inventory::new(true);
        inventory.replace_listing(vec![listed(1), listed(2)]);
        let both = handles(&mut inventory);
        inventory.replace_listing(vec![listed(1)]);
        let first = handles(&mut inventory);
        inventory.replace_listing(vec![listed(1), listed(2)]);
        assert_eq!(handles(&mut inventory), both);

        inventory.public_destroyed(&listed(2).entry);
        inventory.replace_listing(vec![listed(1)]);
        inventory.forget_gone(Instant::now() + OVERLAY);
        assert_eq!(inventory.assigned.len(), Part::ALL.len());
        assert!(inventory.gone.is_empty() && inventory.without_public.is_empty());
        assert_eq!(handles(&mut inventory), first);
    }
}
