//! Keys of the account that the token does not show, and how often their tags are looked at.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::kms::KeyEntry;

/// How long a key that showed up after the first listing is looked at again when a find misses: its
/// tags may not be visible yet.
const YOUNG: Duration = Duration::from_mins(2);
/// Of how many older ones a complete listing reads the tags again. Somebody may have tagged one, but an
/// account may have 100,000 of them.
const LOOKED_AT_AGAIN: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Foreign(HashMap<String, Record>);

#[derive(Clone, Copy, Debug)]
struct Record {
    /// Since when it is known. `None` for those of the first listing, of which nobody knows how old
    /// they are: they count as old.
    since: Option<Instant>,
    /// When its tags were read last.
    read: Instant,
}

/// The keys whose tags a complete listing reads, and those that are foreign as before.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) read: Vec<KeyEntry>,
    pub(super) spared: Vec<KeyEntry>,
}

impl Foreign {
    /// Splits what was listed. Read are all keys that are not known to be foreign, those that have been
    /// for a short time, and of the others the ones that were read longest ago.
    pub(super) fn choose(&self, entries: Vec<KeyEntry>) -> Choice {
        let (mut old, mut read): (Vec<_>, Vec<_>) = entries
            .into_iter()
            .partition(|entry| self.is_settled(entry));
        if old.len() > LOOKED_AT_AGAIN {
            old.sort_by_cached_key(|entry| self.0.get(&entry.arn).map(|record| record.read));
        }
        let spared = old.split_off(old.len().min(LOOKED_AT_AGAIN));
        read.append(&mut old);
        Choice { read, spared }
    }

    /// Takes the foreign keys of a listing before which there was none.
    pub(super) fn begin(&mut self, keys: &[KeyEntry]) {
        let read = Instant::now();
        self.0.extend(
            keys.iter()
                .map(|key| (key.arn.clone(), Record { since: None, read })),
        );
    }

    /// Replaces the foreign keys by those of a complete listing, whose tags were `read` or `spared`; what
    /// it shows for the first time is young.
    pub(super) fn replace(&mut self, read: &[KeyEntry], spared: &[KeyEntry]) {
        let known = std::mem::take(&mut self.0);
        let now = Instant::now();
        let before = |key: &KeyEntry| known.get(&key.arn).copied();
        let spared = spared.iter().map(|key| (key, before(key)));
        let read = read.iter().map(|key| {
            let since = before(key).map_or(Some(now), |record| record.since);
            (key, Some(Record { since, read: now }))
        });
        self.0 = spared
            .chain(read)
            .filter_map(|(key, record)| Some((key.arn.clone(), record?)))
            .collect();
    }

    /// Adds foreign keys of a partial listing.
    pub(super) fn extend(&mut self, keys: &[KeyEntry]) {
        let now = Instant::now();
        for key in keys {
            let record = self.0.entry(key.arn.clone()).or_insert(Record {
                since: Some(now),
                read: now,
            });
            record.read = now;
        }
    }

    /// Whether it was foreign for so long that its tags will not come any more.
    pub(super) fn is_settled(&self, key: &KeyEntry) -> bool {
        self.0
            .get(&key.arn)
            .is_some_and(|record| record.since.is_none_or(|since| since.elapsed() >= YOUNG))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: usize) -> KeyEntry {
        KeyEntry {
            arn: format!("arn:aws:kms:us-east-1:111122223333:key/{id}"),
            key_id: id.to_string(),
        }
    }

    #[test]
    fn a_foreign_key_is_young_unless_the_first_listing_showed_it() {
        let (old, new) = (key(0), key(1));
        let mut foreign = Foreign::default();
        foreign.begin(std::slice::from_ref(&old));
        foreign.replace(&[old.clone(), new.clone()], &[]);
        assert!(foreign.is_settled(&old));
        assert!(!foreign.is_settled(&new), "its tags may come");
        foreign.replace(std::slice::from_ref(&new), &[]);
        assert!(!foreign.is_settled(&old), "it is gone");
    }

    #[test]
    fn of_many_foreign_keys_each_listing_reads_those_that_were_not_read_for_longest() {
        let keys: Vec<KeyEntry> = (0..2500).map(key).collect();
        let mut foreign = Foreign::default();
        foreign.begin(&keys);
        let mut listed = keys.clone();
        listed.push(key(2500));
        let mut seen = std::collections::HashSet::new();
        for expected in [1001, 1001, 1001] {
            let Choice { read, spared } = foreign.choose(listed.clone());
            assert_eq!((read.len(), spared.len()), (expected, 2501 - expected));
            assert!(read.contains(&key(2500)), "a new key is always read");
            foreign.replace(&read[1..], &spared);
            seen.extend(read);
        }
        assert_eq!(seen.len(), 2501);
    }
}
