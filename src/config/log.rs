//! `[log]`, and the variable of the environment that overrides parts of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

use super::names::AbsolutePath;
use super::section::{Entry, Section, one_of};
use super::{ConfigError, Env};

/// Overrides level, target and format of the log.
pub(super) const LOG_VARIABLE: &str = "KMS_PKCS11_LOG";

/// What is logged, where to, and how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogConfig {
    pub(crate) level: LevelFilter,
    pub(crate) target: LogTarget,
    pub(crate) format: LogFormat,
    /// Of the syslog daemon: a datagram socket.
    pub(crate) syslog_socket: PathBuf,
    pub(crate) audit: Audit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    Stderr,
    /// An absolute path.
    File(PathBuf),
    Syslog,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where the line about each KMS request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Audit {
    Off,
    /// Into the log, at level info.
    Log,
    /// Into a file of its own, whatever the level of the log. An absolute path.
    File(PathBuf),
}

pub(super) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

impl LogConfig {
    /// What holds while there is no configuration: the environment's word, where it has a valid
    /// one.
    pub(crate) fn of_environment(env: Env<'_>) -> Self {
        let mut log = Self::default();
        match log.heed(env) {
            Ok(()) => log,
            Err(_) => Self::default(),
        }
    }

    /// Takes over what the environment says.
    pub(super) fn heed(&mut self, env: Env<'_>) -> Result<(), ConfigError> {
        match env(LOG_VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => self.heed_words(&value).ok_or(ConfigError::LogVariable {
                value: value.to_string_lossy().into_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Words between commas: a level, a format, a target. Upper and lower case are the same.
    fn heed_words(&mut self, value: &OsStr) -> Option<()> {
        for word in value.to_str()?.split(',') {
            let word = word.trim();
            if let Some(level) = named(&LEVELS, word) {
                self.level = level;
            } else if let Some(format) = named(&FORMATS, word) {
                self.format = format;
            } else {
                self.target = target_of(word)?;
            }
        }
        Some(())
    }

    pub(super) fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut log = Self::default();
        let mut section = entry.section()?;
        section.set("level", &mut log.level, one_of(&LEVELS))?;
        log.target = LogTarget::read(&mut section)?;
        section.set("format", &mut log.format, one_of(&FORMATS))?;
        section.set("syslog_socket", &mut log.syslog_socket, absolute_path)?;
        section.set("audit", &mut log.audit, Entry::parse)?;
        section.finish()?;
        Ok(log)
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: LevelFilter::WARN,
            target: LogTarget::Stderr,
            format: LogFormat::Text,
            syslog_socket: "/dev/log".into(),
            audit: Audit::Log,
        }
    }
}

impl LogTarget {
    /// Reads `target` and `file`: a file that the log does not go to would be waited for in vain.
    fn read(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        const NAMES: [&str; 3] = ["stderr", "file", "syslog"];
        let without = section.wrong(
            "target",
            "target is \"file\" and there is no file; allowed: both of them",
        );
        let beside = section.wrong(
            "file",
            "file beside another target; allowed: target = \"file\", or none",
        );
        let target = section.get("target", one_of(&NAMES.map(|name| (name, name))))?;
        let file = section.get("file", absolute_path)?;
        match (target, file) {
            (None | Some("file"), Some(file)) => Ok(Self::File(file)),
            (Some("file"), None) => Err(without),
            (Some(_), Some(_)) => Err(beside),
            (Some("syslog"), None) => Ok(Self::Syslog),
            (_, None) => Ok(Self::Stderr),
        }
    }
}

impl FromStr for Audit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "log" => Ok(Self::Log),
            path if Path::new(path).is_absolute() => Ok(Self::File(path.into())),
            _ => Err("\"off\", \"log\", an absolute path"),
        }
    }
}

fn absolute_path(entry: Entry<'_>) -> Result<PathBuf, ConfigError> {
    let AbsolutePath(path) = entry.parse()?;
    Ok(path)
}

fn named<T: Copy>(values: &[(&str, T)], word: &str) -> Option<T> {
    let found = values
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value)
}

fn target_of(word: &str) -> Option<LogTarget> {
    if Path::new(word).is_absolute() {
        Some(LogTarget::File(word.into()))
    } else if word.eq_ignore_ascii_case("stderr") {
        Some(LogTarget::Stderr)
    } else if word.eq_ignore_ascii_case("syslog") {
        Some(LogTarget::Syslog)
    } else {
        None
    }
}
