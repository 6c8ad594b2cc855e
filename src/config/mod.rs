//! The configuration: which tokens there are, and how each of them talks to KMS.
//!
//! A file in TOML, described for its users in `docs/configuration.md`. What is read here is checked
//! here: every type of this module holds allowed values only, and every mistake in a file is an
//! error with its line, its column and what is allowed there.

mod caller;
mod error;
mod host;
mod locate;
mod log;
mod metrics;
pub(crate) mod names;
mod pin;
mod rates;
mod replicas;
mod role;
mod section;
pub(crate) mod selection;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) use caller::CallerRules;
pub(crate) use error::ConfigError;
pub(crate) use host::{CreateThreads, HostConfig};
pub(crate) use log::{Audit, LogConfig, LogFormat, LogTarget};
pub(crate) use metrics::MetricsConfig;
pub(crate) use names::Region;
pub(crate) use pin::PinMode;
pub(crate) use rates::Rates;
pub(crate) use replicas::Replica;
#[cfg(test)]
pub(crate) use replicas::Replicas;
pub(crate) use role::RoleConfig;
pub(crate) use selection::Selection;
#[cfg(test)]
pub(crate) use tests::read_token;
pub(crate) use token::{Discovery, OnDestroy, RandomSource, TokenConfig};

use section::Source;

/// Read when no other file is named or found.
const SYSTEM_FILE: &str = "/etc/kms-pkcs11/config.toml";

/// How to look up a variable of the environment.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The whole configuration of the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    /// The file it was read from; `None` when no file was found, and defaults hold.
    pub(crate) file: Option<PathBuf>,
    /// At least one, in the order of their slots; no two have the same label.
    pub(crate) tokens: Vec<TokenConfig>,
    pub(crate) log: LogConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) host: HostConfig,
}

impl Config {
    /// Finds and reads the configuration.
    ///
    /// The file is the first of: `config=/path` in `reserved` (the string that `C_Initialize` is
    /// given), the variable `KMS_PKCS11_CONFIG`, `$XDG_CONFIG_HOME/kms-pkcs11/config.toml`,
    /// `/etc/kms-pkcs11/config.toml`. A file named by one of the first two must exist; without any
    /// there is one token with default settings.
    pub(crate) fn load(reserved: Option<&str>, env: Env<'_>) -> Result<Self, ConfigError> {
        let mut config = match locate::find(reserved, env, Path::new(SYSTEM_FILE))? {
            Some(source) => Self::read(&source)?,
            None => Self::default(),
        };
        config.log.heed(env)?;
        Ok(config)
    }

    /// Reads a configuration that is in no file.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_bytes(contents: Vec<u8>) -> Result<Self, ConfigError> {
        Self::read(&Source::new("config.toml".into(), contents)?)
    }

    fn read(source: &Source) -> Result<Self, ConfigError> {
        let mut root = source.parse()?;
        let entries = root
            .get("token", |entry| entry.elements("[[token]], once for each"))?
            .unwrap_or_default();
        let log = root.get("log", LogConfig::read)?.unwrap_or_default();
        let metrics = root.get("metrics", MetricsConfig::read)?;
        let host = root.get("host", HostConfig::read)?;
        root.finish()?;

        let mut tokens: Vec<TokenConfig> = Vec::new();
        for entry in entries {
            let section = entry.section()?;
            let message = "label is another token's, too; allowed: one that is not";
            let duplicate = section.wrong("label", message);
            let token = TokenConfig::read(section)?;
            if tokens.iter().any(|other| other.label == token.label) {
                return Err(duplicate);
            }
            tokens.push(token);
        }
        if tokens.is_empty() {
            tokens.push(TokenConfig::default());
        }
        Ok(Self {
            file: Some(source.path().to_owned()),
            tokens,
            log,
            metrics: metrics.unwrap_or_default(),
            host: host.unwrap_or_default(),
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            tokens: vec![TokenConfig::default()],
            log: LogConfig::default(),
            metrics: MetricsConfig::default(),
            host: HostConfig::default(),
        }
    }
}
