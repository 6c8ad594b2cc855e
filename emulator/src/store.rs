//! All keys and aliases of the account and region.

use std::collections::BTreeMap;

use crate::consistency::Eventual;
use crate::key::Key;
use crate::timestamp::Timestamp;

/// Ordered by id and name, so that a page goes on where the last one ended whatever was added since.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) aliases: BTreeMap<String, Alias>,
}

#[derive(Debug)]
pub(crate) struct Alias {
    /// The id of the key it points to; nothing once deleted.
    pub(crate) target: Eventual<Option<String>>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

impl Store {
    /// The key as a client sees it: a new one may not be visible yet.
    pub(crate) fn visible_key(&mut self, id: &str) -> Option<&mut Key> {
        let key = self.keys.get_mut(id)?;
        if key.unseen.take() {
            return None;
        }
        key.is_creating = key.creating.take();
        Some(key)
    }

    /// The id that an alias points to, as a client sees it.
    pub(crate) fn visible_alias_target(&mut self, name: &str) -> Option<String> {
        self.aliases.get_mut(name)?.target.read().clone()
    }

    /// The alias, unless it has been deleted.
    pub(crate) fn alias(&mut self, name: &str) -> Option<&mut Alias> {
        self.aliases
            .get_mut(name)
            .filter(|alias| alias.target.current().is_some())
    }

    /// Points an alias to a key, or to none.
    pub(crate) fn point_alias(&mut self, name: &str, target: Option<String>, stale_reads: u32) {
        let now = Timestamp::now();
        let alias = self
            .aliases
            .entry(name.to_owned())
            .or_insert_with(|| Alias {
                target: Eventual::settled(None),
                created: now,
                updated: now,
            });
        if alias.target.current().is_none() {
            alias.created = now;
        }
        alias.updated = now;
        alias.target.set(target, stale_reads);
    }
}
