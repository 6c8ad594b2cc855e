//! What the tests of the folder share.

use std::fs;

use tracing::level_filters::LevelFilter;

use crate::config::{LogConfig, LogTarget};
use crate::log::Log;

/// What `run` answers, and the lines it adds to the log.
pub(super) fn logged<T>(run: impl FnOnce() -> T) -> (T, Vec<String>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = Log::new(&LogConfig {
        level: LevelFilter::WARN,
        target: LogTarget::File(file.path().to_owned()),
        ..LogConfig::default()
    });
    let answer = log.scope("test", run);
    let text = fs::read_to_string(file.path()).unwrap();
    (answer, text.lines().map(str::to_owned).collect())
}
