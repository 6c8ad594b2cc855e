//! Which keys of the account a token shows.

use super::ConfigError;
use super::names::{KeyName, TagKey, TagValue};
use super::section::{Entry, Section};
use crate::kms::Tags;

/// The keys of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Every customer-managed key of the account and region.
    All,
    /// The keys that carry all of these tags, which created keys get too. At least one.
    Tags(Tags),
    /// These keys. At least one.
    Keys(Vec<KeyName>),
}

/// KMS allows 50 tags on a key; the others are for what the module notes on it.
pub(super) const MOST_TAGS: usize = 40;

impl Selection {
    /// Reads `tags` and `keys`, which exclude each other: of a token with both it could be thought
    /// that it shows the keys of the list, those of them that carry the tags, or both sets.
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        let both = section.wrong("keys", "keys beside tags; allowed: one of the two");
        let tags = section.get("tags", |entry| read_tags(entry, MOST_TAGS))?;
        let keys = section.get("keys", read_keys)?;
        match (tags, keys) {
            (None, None) => Ok(Self::All),
            (Some(tags), None) => Ok(Self::Tags(tags)),
            (None, Some(keys)) => Ok(Self::Keys(keys)),
            (Some(_), Some(_)) => Err(both),
        }
    }
}

/// Reads a table of at least one and at most so many tags.
pub(super) fn read_tags(entry: Entry<'_>, most: usize) -> Result<Tags, ConfigError> {
    let allowed = format!("a table of 1 to {most} tags, such as {{ Team = \"payments\" }}");
    entry
        .pairs(1..=most, &allowed)?
        .into_iter()
        .map(|(key, value)| {
            let key: TagKey = key.parse()?;
            let value: TagValue = value.parse()?;
            Ok((key.as_str().to_owned(), value.as_str().to_owned()))
        })
        .collect()
}

fn read_keys(entry: Entry<'_>) -> Result<Vec<KeyName>, ConfigError> {
    entry
        .elements("an array of at least one key id, alias or ARN")?
        .into_iter()
        .map(Entry::parse)
        .collect()
}
