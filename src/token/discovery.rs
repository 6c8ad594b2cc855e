//! Which keys a token shows: a listing, filtered by tags.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::inventory::{Inventory, Listed};
use super::names::has_label;
use crate::config::{Selection, TokenConfig};
use crate::kms::{KeyEntry, Kms, KmsError, KmsErrorKind, Tags};

/// How long a key that showed up after the first listing is looked at again when a find misses: its
/// tags may not be visible yet.
const YOUNG: Duration = Duration::from_mins(2);

/// The keys of a token, as KMS lists them.
pub(super) struct Discovery<'a> {
    pub(super) kms: &'a dyn Kms,
    pub(super) config: &'a TokenConfig,
}

/// Keys of the account that the token does not show, and since when they are known.
#[derive(Debug, Default)]
pub(super) struct Foreign(HashMap<String, Instant>);

/// What a listing found.
pub(super) struct Findings {
    pub(super) shown: Vec<Listed>,
    pub(super) foreign: Vec<KeyEntry>,
}

/// The keys whose tags the caller may not read.
struct Denied {
    count: usize,
    /// The first refusal that is news, or else the first.
    error: KmsError,
}

impl Denied {
    fn of(answers: &[Result<Tags, KmsError>]) -> Option<Self> {
        let errors = answers.iter().filter_map(|answer| answer.as_ref().err());
        let denied = errors.filter(|error| error.kind == KmsErrorKind::AccessDenied);
        let error = denied.clone().min_by_key(|error| error.is_told)?.clone();
        Some(Self {
            count: denied.count(),
            error,
        })
    }
}

impl Foreign {
    /// Takes the foreign keys of the first listing, of which nobody knows how old they are: all count as old.
    pub(super) fn begin(&mut self, keys: &[KeyEntry]) {
        if let Some(old) = Instant::now().checked_sub(YOUNG) {
            self.0 = keys.iter().map(|key| (key.arn.clone(), old)).collect();
        }
    }

    /// Replaces the foreign keys by those of a complete listing; what it shows for the first time is young.
    pub(super) fn replace(&mut self, keys: &[KeyEntry]) {
        let known = std::mem::take(&mut self.0);
        let now = Instant::now();
        let since = |key: &KeyEntry| known.get(&key.arn).copied().unwrap_or(now);
        self.0 = keys
            .iter()
            .map(|key| (key.arn.clone(), since(key)))
            .collect();
    }

    /// Adds foreign keys of a partial listing.
    pub(super) fn extend(&mut self, keys: &[KeyEntry]) {
        for key in keys {
            self.0.entry(key.arn.clone()).or_insert_with(Instant::now);
        }
    }

    fn is_settled(&self, key: &KeyEntry) -> bool {
        self.0
            .get(&key.arn)
            .is_some_and(|since| since.elapsed() >= YOUNG)
    }
}

impl Discovery<'_> {
    /// Lists all keys and reads all their tags. `known` are the findings of before, for keys whose
    /// tags cannot be read this time.
    pub(super) fn complete(&self, known: &HashMap<String, Listed>) -> Result<Findings, KmsError> {
        let entries = self.entries()?;
        self.examine(entries, known)
    }

    /// The keys that are new in the listing; tags are read of those alone.
    pub(super) fn news(
        &self,
        inventory: impl FnOnce(&[KeyEntry]) -> Vec<KeyEntry>,
    ) -> Result<Findings, KmsError> {
        let entries = self.entries()?;
        let unknown = inventory(&entries);
        self.examine(unknown, &HashMap::new())
    }

    fn entries(&self) -> Result<Vec<KeyEntry>, KmsError> {
        let Selection::Keys(keys) = &self.config.selection else {
            return self.kms.list_keys();
        };
        let mut entries: Vec<KeyEntry> = Vec::with_capacity(keys.len());
        let mut failure = None;
        for key in keys {
            match self.kms.describe_key(key.as_str()) {
                // Two names of one key.
                Ok(entry) if entries.contains(&entry) => {}
                Ok(entry) => entries.push(entry),
                // It is not this key's fault, and waiting for each of them would take long.
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    error.warn(format_args!("configured key {key} is hidden"));
                    failure = Some(error.once_told());
                }
            }
        }
        match failure {
            Some(error) if entries.is_empty() => Err(error),
            _ => Ok(entries),
        }
    }

    fn examine(
        &self,
        entries: Vec<KeyEntry>,
        known: &HashMap<String, Listed>,
    ) -> Result<Findings, KmsError> {
        let answers = self.kms.list_tags(&entries);
        let denied = Denied::of(&answers);
        let (mut shown, mut foreign, mut failure) = (Vec::new(), Vec::new(), None);
        for (entry, answer) in entries.into_iter().zip(answers) {
            match self.tags(&entry, answer, known) {
                Ok(Some(tags)) => shown.push(Listed {
                    entry,
                    tags,
                    alias: None,
                }),
                Ok(None) => foreign.push(entry),
                // Not known to be foreign: the next find that misses looks at it again.
                Err(error) => {
                    tracing::warn!("{} is hidden: its tags cannot be read: {error}", entry.arn);
                    failure = Some(error);
                }
            }
        }
        match failure {
            // Nothing could be read at all: that is not an empty token.
            Some(error) if shown.is_empty() && error.is_outage() => return Err(error),
            _ => self.add_aliases(&mut shown),
        }
        if let Some(denied) = denied {
            self.tell_of_denied_tags(&denied, shown.is_empty());
        }
        Ok(Findings { shown, foreign })
    }

    /// The tags of a key that the token shows, `None` for a foreign one.
    fn tags(
        &self,
        entry: &KeyEntry,
        answer: Result<Tags, KmsError>,
        known: &HashMap<String, Listed>,
    ) -> Result<Option<Tags>, KmsError> {
        let tags = match answer {
            Ok(tags) => tags,
            // With a filter by tags, permission usually hangs on the same tags: not readable is not
            // ours.
            Err(error) if error.kind == KmsErrorKind::AccessDenied => {
                tracing::debug!("{error}");
                return Ok(self.config.tags().is_empty().then(Tags::new));
            }
            // Deleted since it was listed.
            Err(error) if error.kind == KmsErrorKind::NotFound => return Ok(None),
            Err(error) => match known.get(&entry.arn) {
                Some(before) => before.tags.clone(),
                None => return Err(error),
            },
        };
        let matches = self
            .config
            .tags()
            .iter()
            .all(|(key, value)| tags.get(key) == Some(value));
        Ok(matches.then_some(tags))
    }

    /// Names keys without a label of their own by their aliases, as far as those may be listed.
    fn add_aliases(&self, keys: &mut [Listed]) {
        if keys.iter().all(|key| has_label(&key.tags)) {
            return;
        }
        match self.kms.list_aliases() {
            Ok(aliases) => {
                for alias in aliases {
                    let key = keys.iter_mut().find(|key| key.entry.key_id == alias.key_id);
                    if let Some(key) = key.filter(|key| key.alias.is_none()) {
                        let name = alias.name.strip_prefix("alias/").unwrap_or(&alias.name);
                        key.alias = Some(name.to_owned());
                    }
                }
            }
            Err(error) => error.warn(format_args!(
                "keys without a p11:label tag are labelled by their key ids"
            )),
        }
    }

    /// Tells what follows from tags that may not be read, in one line for all keys.
    fn tell_of_denied_tags(&self, denied: &Denied, shows_none: bool) {
        let (label, count) = (&self.config.label, denied.count);
        if self.config.tags().is_empty() {
            denied.error.warn(format_args!(
                "token {label}: {count} keys are shown without what their tags say"
            ));
        } else if shows_none && !denied.error.is_told {
            // As it should be for a token that has no keys yet, beside those of others.
            let error = &denied.error;
            tracing::info!(
                "token {label}: no keys are shown; the tags of {count} keys may not be read, so they \
                 are taken for those of others: {error}"
            );
        }
    }
}

/// The listed keys that neither the token nor its record of foreign keys knows well enough.
pub(super) fn unknown(
    entries: &[KeyEntry],
    inventory: &Inventory,
    foreign: &Foreign,
) -> Vec<KeyEntry> {
    entries
        .iter()
        .filter(|entry| !inventory.is_listed(entry) && !foreign.is_settled(entry))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> KeyEntry {
        KeyEntry {
            arn: format!("arn:aws:kms:us-east-1:111122223333:key/{id}"),
            key_id: id.to_owned(),
        }
    }

    #[test]
    fn a_foreign_key_is_young_unless_the_first_listing_showed_it() {
        let (old, new) = (key("old"), key("new"));
        let mut foreign = Foreign::default();
        foreign.begin(std::slice::from_ref(&old));
        foreign.replace(&[old.clone(), new.clone()]);
        assert!(foreign.is_settled(&old));
        assert!(!foreign.is_settled(&new), "its tags may come");
        foreign.replace(std::slice::from_ref(&new));
        assert!(!foreign.is_settled(&old), "it is gone");
    }
}
