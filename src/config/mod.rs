//! The configuration: which tokens there are, and how each of them talks to KMS.
//!
//! A file in TOML, described for its users in `docs/configuration.md`. What is read here is checked
//! here: every type of this module holds allowed values only, and every mistake in a file is an
//! error with its line, its column and what is allowed there.

mod error;
mod locate;
pub(crate) mod names;
mod rates;
mod section;
pub(crate) mod selection;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;

pub(crate) use error::ConfigError;
pub(crate) use names::Region;
pub(crate) use rates::Rates;
pub(crate) use selection::Selection;
pub(crate) use token::{Discovery, OnDestroy, RandomSource, TokenConfig};

use names::AbsolutePath;
use section::{Entry, Source, one_of};

/// Read when no other file is named or found.
const SYSTEM_FILE: &str = "/etc/kms-pkcs11/config.toml";
/// Overrides the level of the log.
const LOG_VARIABLE: &str = "KMS_PKCS11_LOG";

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
        if let Some(level) = env(LOG_VARIABLE).filter(|level| !level.is_empty()) {
            config.log.level = level_of_variable(&level)?;
        }
        Ok(config)
    }

    fn read(source: &Source) -> Result<Self, ConfigError> {
        let mut root = source.parse()?;
        let entries = root
            .get("token", |entry| entry.elements("[[token]], once for each"))?
            .unwrap_or_default();
        let log = root.get("log", LogConfig::read)?.unwrap_or_default();
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
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            tokens: vec![TokenConfig::default()],
            log: LogConfig::default(),
        }
    }
}

/// What is logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogConfig {
    pub(crate) level: LevelFilter,
    /// An absolute path; standard error without.
    pub(crate) file: Option<PathBuf>,
}

impl LogConfig {
    /// What holds while there is no configuration: the environment's word, where it has a valid
    /// one.
    pub(crate) fn of_environment(env: Env<'_>) -> Self {
        let level = env(LOG_VARIABLE).and_then(|level| level_of_variable(&level).ok());
        let default = Self::default();
        Self {
            level: level.unwrap_or(default.level),
            ..default
        }
    }

    fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut log = Self::default();
        let mut section = entry.section()?;
        section.set("level", &mut log.level, one_of(&LEVELS))?;
        section.set("file", &mut log.file, |entry| {
            let AbsolutePath(path) = entry.parse()?;
            Ok(Some(path))
        })?;
        section.finish()?;
        Ok(log)
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LevelFilter::WARN,
            file: None,
        }
    }
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// The level in the environment, where upper and lower case are the same.
fn level_of_variable(value: &OsStr) -> Result<LevelFilter, ConfigError> {
    let known = |(name, _): &&(&str, _)| value.eq_ignore_ascii_case(name);
    match LEVELS.iter().find(known) {
        Some((_, level)) => Ok(*level),
        None => Err(ConfigError::LogVariable {
            value: value.to_string_lossy().into_owned(),
        }),
    }
}
