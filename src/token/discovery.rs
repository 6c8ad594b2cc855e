//! Which keys a token shows: a listing, filtered by tags.

use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;

use super::foreign::{Choice, Foreign};
use super::inventory::{Inventory, Listed};
use super::names::has_label;
use crate::config::{Discovery as Configured, Selection, TokenConfig};
use crate::kms::{Alias, KeyEntry, Kms, KmsError, KmsErrorKind, Tags};

/// How many keys that cannot be read are told of one by one after a listing.
const TOLD: usize = 20;

/// The keys of a token, as KMS lists them.
pub(super) struct Discovery<'a> {
    pub(super) kms: &'a dyn Kms,
    pub(super) config: &'a TokenConfig,
    pub(super) way: &'a Way,
}

/// How the keys are found, as far as that is decided.
#[derive(Debug)]
pub(super) struct Way(Mutex<Option<Chosen>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chosen {
    TaggingApi,
    ListKeys,
}

impl Way {
    pub(super) fn new(config: &TokenConfig) -> Self {
        Self(Mutex::new(Chosen::by_config(config)))
    }

    pub(super) fn is_tagging_api(&self) -> bool {
        self.get() == Some(Chosen::TaggingApi)
    }

    /// The same as far as it is decided, for a listing that may come to nothing.
    pub(super) fn copy(&self) -> Self {
        Self(Mutex::new(self.get()))
    }

    /// Decides as that listing did.
    pub(super) fn adopt(&self, other: &Self) {
        *self.0.lock() = other.get();
    }

    fn get(&self) -> Option<Chosen> {
        *self.0.lock()
    }

    fn choose(&self, chosen: Chosen) {
        *self.0.lock() = Some(chosen);
    }
}

impl Chosen {
    fn by_config(config: &TokenConfig) -> Option<Self> {
        match (config.discovery, &config.selection) {
            (Configured::TaggingApi, _) => Some(Self::TaggingApi),
            (Configured::Auto, Selection::Tags(_)) => None,
            _ => Some(Self::ListKeys),
        }
    }
}

/// What a listing found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) shown: Vec<Listed>,
    /// Keys that the token does not show, as their tags say.
    pub(super) foreign: Vec<KeyEntry>,
    /// Those whose tags were not read again.
    pub(super) still_foreign: Vec<KeyEntry>,
    /// Why some keys are in neither list, if it is not their own fault.
    pub(super) outage: Option<KmsError>,
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

impl Discovery<'_> {
    /// Finds all keys, with their tags. `known` are the findings of before, for keys whose tags cannot
    /// be read this time; `choose` says of which keys they are read.
    pub(super) fn complete(
        &self,
        known: &HashMap<String, Listed>,
        choose: impl FnOnce(Vec<KeyEntry>) -> Choice,
    ) -> Result<Findings, KmsError> {
        if let Some(keys) = self.tagged()? {
            return Ok(self.shown(keys));
        }
        let Choice { read, spared } = choose(self.entries()?);
        Ok(Findings {
            still_foreign: spared,
            ..self.examine(read, known)
        })
    }

    /// The keys that are new in the listing; tags are read of those alone.
    pub(super) fn news(
        &self,
        inventory: impl FnOnce(&[KeyEntry]) -> Vec<KeyEntry>,
    ) -> Result<Findings, KmsError> {
        if let Some(mut keys) = self.tagged()? {
            let entries: Vec<KeyEntry> = keys.iter().map(|(entry, _)| entry.clone()).collect();
            let unknown: HashSet<KeyEntry> = inventory(&entries).into_iter().collect();
            keys.retain(|(entry, _)| unknown.contains(entry));
            return Ok(self.shown(keys));
        }
        let entries = self.entries()?;
        let unknown = inventory(&entries);
        Ok(self.examine(unknown, &HashMap::new()))
    }

    /// The keys with the token's tags; `None` where all keys have to be listed.
    fn tagged(&self) -> Result<Option<Vec<(KeyEntry, Tags)>>, KmsError> {
        let way = self.way.get();
        if way == Some(Chosen::ListKeys) {
            return Ok(None);
        }
        match self.kms.list_tagged(self.config.tags()) {
            Ok(keys) => {
                self.way.choose(Chosen::TaggingApi);
                Ok(Some(keys))
            }
            Err(error) if self.config.discovery == Configured::Auto && gives_way(way, &error) => {
                self.way.choose(Chosen::ListKeys);
                log_detour(self.config, &error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn shown(&self, keys: Vec<(KeyEntry, Tags)>) -> Findings {
        let listed = |(entry, tags)| Listed {
            entry,
            tags,
            alias: None,
        };
        let mut shown: Vec<Listed> = keys.into_iter().map(listed).collect();
        self.add_aliases(&mut shown);
        Findings {
            shown,
            ..Findings::default()
        }
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

    fn examine(&self, entries: Vec<KeyEntry>, known: &HashMap<String, Listed>) -> Findings {
        let answers = self.kms.list_tags(&entries);
        let denied = Denied::of(&answers);
        let mut findings = Findings::default();
        let mut hidden = Vec::new();
        for (entry, answer) in entries.into_iter().zip(answers) {
            match self.tags(&entry, answer, known) {
                Ok(Some(tags)) => findings.shown.push(Listed {
                    entry,
                    tags,
                    alias: None,
                }),
                Ok(None) => findings.foreign.push(entry),
                // Not known to be foreign: the next find that misses looks at it again.
                Err(error) => hidden.push((entry, error)),
            }
        }
        log_hidden(&hidden);
        let mut errors = hidden.into_iter().map(|(_, error)| error);
        findings.outage = errors.find(KmsError::is_outage);
        // Nothing could be read at all: what has no name yet is asked for the next time.
        if findings.outage.is_none() || !findings.shown.is_empty() {
            self.add_aliases(&mut findings.shown);
        }
        if let Some(denied) = denied {
            self.tell_of_denied_tags(&denied, findings.shown.is_empty());
        }
        findings
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
            Ok(aliases) => name_by_aliases(keys, aliases),
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

/// Gives each key the name of its first alias. There may be 10,000s of both.
fn name_by_aliases(keys: &mut [Listed], aliases: Vec<Alias>) {
    let mut names: HashMap<String, String> = HashMap::with_capacity(aliases.len());
    for Alias { name, key_id } in aliases {
        names.entry(key_id).or_insert(name);
    }
    for key in keys {
        if let Some(name) = names.get(&key.entry.key_id) {
            let name = name.strip_prefix("alias/").unwrap_or(name);
            key.alias = Some(name.to_owned());
        }
    }
}

/// Tells which keys are hidden because their tags cannot be read.
fn log_hidden(hidden: &[(KeyEntry, KmsError)]) {
    for (entry, error) in hidden.iter().take(TOLD) {
        tracing::warn!("{} is hidden: its tags cannot be read: {error}", entry.arn);
    }
    if let Some((_, last)) = hidden.last().filter(|_| hidden.len() > TOLD) {
        let more = hidden.len() - TOLD;
        tracing::warn!("{more} more keys are hidden: their tags cannot be read, lastly: {last}");
    }
}

/// Whether this failure of the tagging API, used in this way before, is one to do without it.
fn gives_way(way: Option<Chosen>, error: &KmsError) -> bool {
    match error.kind {
        KmsErrorKind::AccessDenied | KmsErrorKind::Unsupported => true,
        // Listing keys would fail as well, or make matters worse.
        KmsErrorKind::Credentials
        | KmsErrorKind::LoggedOut
        | KmsErrorKind::Identity
        | KmsErrorKind::Throttled => false,
        // It may never answer here. One that has answered will again.
        _ => way.is_none(),
    }
}

/// Tells, once, why keys are listed and what that costs.
fn log_detour(config: &TokenConfig, error: &KmsError) {
    let label = &config.label;
    let cost = "all keys are listed, and the tags of each are read with a request of its own";
    if error.kind == KmsErrorKind::Unsupported {
        tracing::info!("token {label}: {cost}: {}", error.message);
    } else {
        error.warn(format_args!("token {label}: {cost}"));
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
    use std::time::{Duration, Instant};

    use super::*;

    fn listed(number: usize) -> Listed {
        let key_id = format!("00000000-0000-4000-8000-{number:012}");
        let entry = KeyEntry {
            arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
            key_id,
        };
        Listed {
            entry,
            tags: Tags::new(),
            alias: None,
        }
    }

    fn alias(name: &str, key: usize) -> Alias {
        Alias {
            name: format!("alias/{name}"),
            key_id: listed(key).entry.key_id,
        }
    }

    #[test]
    fn a_key_has_the_name_of_the_first_of_its_aliases() {
        let mut keys = [listed(0), listed(1), listed(2)];
        let aliases = vec![alias("a", 2), alias("b", 0), alias("c", 2), alias("d", 9)];
        name_by_aliases(&mut keys, aliases);
        let names = keys.each_ref().map(|key| key.alias.as_deref());
        assert_eq!(names, [Some("b"), None, Some("a")]);
    }

    #[test]
    fn tens_of_thousands_of_keys_are_named_by_as_many_aliases_in_no_time() {
        const COUNT: usize = 40_000;
        let mut keys: Vec<Listed> = (0..COUNT).map(listed).collect();
        let aliases = (0..COUNT).rev().map(|key| alias("any", key)).collect();
        let started = Instant::now();
        name_by_aliases(&mut keys, aliases);
        // Each with each would take ten times as long, and longer.
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(keys.iter().all(|key| key.alias.is_some()));
    }
}
