//! Many keys at once, for tests and benchmarks: settled, not logged, not subject to faults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::service::{Blueprint, Service};
use crate::spec::{KeySpec, KeyUsage};

/// Keys to create together.
///
/// In tag values and in the alias, `{n}` stands for the key's number, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKeys {
    pub count: usize,
    /// `ECC_NIST_P256`.
    pub key_spec: String,
    /// `SIGN_VERIFY`.
    pub key_usage: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// With its prefix: `alias/test-{n}`.
    #[serde(default)]
    pub alias: Option<String>,
    /// Whether AWS made them for a service of its own.
    #[serde(default)]
    pub managed_by_aws: bool,
    /// Whether they are primaries of multi-Region keys.
    #[serde(default)]
    pub multi_region: bool,
}

/// A key that was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreatedKey {
    pub key_id: String,
    pub arn: String,
}

/// The keys cannot be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewKeysError {
    #[error("no keys of spec {key_spec} and usage {key_usage}")]
    NoSuchKeys { key_spec: String, key_usage: String },
    #[error("{0}")]
    Failed(String),
}

impl NewKeys {
    /// So many keys without tags and aliases.
    pub fn new(count: usize, key_spec: impl Into<String>, key_usage: impl Into<String>) -> Self {
        Self {
            count,
            key_spec: key_spec.into(),
            key_usage: key_usage.into(),
            tags: BTreeMap::new(),
            alias: None,
            managed_by_aws: false,
            multi_region: false,
        }
    }

    /// With one more tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// With an alias for each key.
    #[must_use]
    pub fn alias(mut self, template: impl Into<String>) -> Self {
        self.alias = Some(template.into());
        self
    }

    /// As primaries of multi-Region keys.
    #[must_use]
    pub fn multi_region(mut self) -> Self {
        self.multi_region = true;
        self
    }

    /// As AWS makes them for a service of its own.
    #[must_use]
    pub fn managed_by_aws(mut self) -> Self {
        self.managed_by_aws = true;
        self
    }

    /// Creates the keys, with as many threads as the machine has processors.
    pub(crate) fn create_in(&self, service: &Service) -> Result<Vec<CreatedKey>, NewKeysError> {
        let usage = KeyUsage::by_name(&self.key_usage);
        let spec = KeySpec::by_name(&self.key_spec);
        let (Some(spec), Some(usage)) = (spec, usage) else {
            return Err(self.no_such_keys());
        };
        if spec.algorithm_names(usage).is_empty() {
            return Err(self.no_such_keys());
        }
        let keys = self.make(service, spec, usage)?;

        let mut store = service.store.lock();
        let mut created = Vec::with_capacity(self.count);
        for (n, key) in keys.into_iter().enumerate() {
            let key_id = key.core.id.clone();
            created.push(CreatedKey {
                key_id: key_id.clone(),
                arn: key.core.arn.clone(),
            });
            store.keys.insert(key_id.clone(), key);
            if let Some(alias) = &self.alias {
                store.point_alias(&numbered(alias, n), Some(key_id), 0);
            }
        }
        drop(store);
        service.persist()?;
        Ok(created)
    }

    fn make(
        &self,
        service: &Service,
        spec: &'static KeySpec,
        usage: KeyUsage,
    ) -> Result<Vec<crate::key::Key>, ApiError> {
        let blueprint = |n| Blueprint {
            spec,
            usage,
            description: String::new(),
            tags: self
                .tags
                .iter()
                .map(|(k, v)| (k.clone(), numbered(v, n)))
                .collect(),
            multi_region: self.multi_region,
            external: false,
            managed_by_aws: self.managed_by_aws,
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = self.count.div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.count)
                .step_by(share)
                .map(|start| {
                    let numbers = start..self.count.min(start + share);
                    let blueprint = &blueprint;
                    scope.spawn(move || {
                        numbers
                            .map(|n| service.make_key(blueprint(n)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect()
        })
    }

    fn no_such_keys(&self) -> NewKeysError {
        NewKeysError::NoSuchKeys {
            key_spec: self.key_spec.clone(),
            key_usage: self.key_usage.clone(),
        }
    }
}

impl From<ApiError> for NewKeysError {
    fn from(error: ApiError) -> Self {
        Self::Failed(format!(
            "{}: {}",
            error.code,
            error.message.unwrap_or_default()
        ))
    }
}

fn numbered(template: &str, n: usize) -> String {
    template.replace("{n}", &n.to_string())
}
