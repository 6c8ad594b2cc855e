//! `[metrics]`.

use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::names::AbsolutePath;
use super::section::Entry;

/// Which counts are kept for a monitoring system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MetricsConfig {
    /// An absolute path, in which `{pid}` stands for the id of the process; nothing is counted
    /// without.
    pub(crate) file: Option<PathBuf>,
    /// From the first call that the file does not count yet to the next time it is written.
    pub(crate) interval: Duration,
}

impl MetricsConfig {
    pub(super) fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut metrics = Self::default();
        let mut section = entry.section()?;
        section.set("file", &mut metrics.file, |entry| {
            let AbsolutePath(path) = entry.parse()?;
            Ok(Some(path))
        })?;
        section.set("interval", &mut metrics.interval, Entry::seconds)?;
        section.finish()?;
        Ok(metrics)
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            file: None,
            interval: Duration::from_secs(15),
        }
    }
}
