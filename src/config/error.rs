//! Why there is no configuration, in words for the person who can change it.

use std::path::PathBuf;

use super::log::{LEVELS, LOG_VARIABLE};
use crate::files::FileError;

/// A configuration that cannot be used. Its `Display` says where the mistake is and what is
/// allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ConfigError {
    /// The string given to `C_Initialize` is not `config=/path`.
    #[error("C_Initialize's reserved string: {0}; allowed: config=/path/of/config.toml")]
    Reserved(String),

    #[error("configuration file {}: {error}", path.display())]
    File { path: PathBuf, error: FileError },

    /// A mistake in the file. Line and column count from 1, columns in characters.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
    },

    #[error(
        "environment variable {LOG_VARIABLE} is {value:?}; allowed, with commas between: {}, text, json, \
         stderr, syslog, an absolute path",
        LEVELS.map(|(name, _)| name).join(", ")
    )]
    LogVariable { value: String },
}
