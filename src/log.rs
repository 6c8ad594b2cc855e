//! The log: to stderr or a file, never to stdout, and never through a subscriber that the host
//! would share.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::LogConfig;
use crate::error::Error;

/// The module's own subscriber, in force only while one of its functions runs.
pub(crate) struct Log {
    dispatch: Dispatch,
    /// Never in force. With a single subscriber in the process, `tracing` decides once for each
    /// event's place in the code whether it is of interest, on the thread that comes by first: on
    /// one outside of [`Log::scope`] the answer would be no, for good. With two it asks each time.
    _second: Dispatch,
}

impl Log {
    pub(crate) fn new(config: &LogConfig) -> Self {
        let level = config.level;
        if level == LevelFilter::OFF {
            return Self::of(Dispatch::none());
        }
        let target = config.file.clone().map_or(Target::Stderr, Target::File);
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(level)
            .with_writer(target)
            .finish()
            .with(heard(level));
        Self::of(Dispatch::new(subscriber))
    }

    fn of(dispatch: Dispatch) -> Self {
        Self {
            dispatch,
            _second: Dispatch::new(NoSubscriber::default()),
        }
    }

    /// The log of calls that are made before there is a configuration.
    pub(crate) fn before_initialisation() -> Self {
        Self::new(&LogConfig::of_environment(&|name| std::env::var_os(name)))
    }

    /// Runs `run` with its events going to this log.
    pub(crate) fn scope<T>(&self, run: impl FnOnce() -> T) -> T {
        with_default(&self.dispatch, run)
    }
}

/// Shown with what the functions answer, so that the host's reader knows whose line it is.
const TARGET: &str = "kms_pkcs11";

/// Notes that a function did not answer CKR_OK.
pub(crate) fn refusal(function: &str, error: &Error) {
    if error.is_routine() {
        tracing::debug!(target: TARGET, "{function}: {error}");
    } else {
        tracing::warn!(target: TARGET, "{function}: {error}");
    }
}

/// Notes a panic that was caught; works without an initialised module.
pub(crate) fn panicked(function: &str) {
    let line = format!(
        "kms-pkcs11: {function}: internal error, answered CKR_GENERAL_ERROR; please report it\n"
    );
    // There is nobody left to tell when stderr cannot be written.
    drop(Line(Target::Stderr).write_all(line.as_bytes()));
}

/// What is heard of others: at level trace the SDK prints whole AWS profiles, secret keys included, and
/// what is sent and answered.
fn heard(level: LevelFilter) -> Targets {
    Targets::new()
        .with_target(TARGET, level)
        .with_default(level.min(LevelFilter::DEBUG))
}

#[derive(Clone)]
enum Target {
    Stderr,
    File(PathBuf),
}

impl<'a> MakeWriter<'a> for Target {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.clone())
    }
}

/// Writes each event at once and holds nothing in between: no lock that a fork could leave locked,
/// no descriptor that the host could close and reuse, and a rotated file is found anew.
struct Line(Target);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Target::Stderr => to_stderr(bytes),
            // Better in the wrong place than nowhere.
            Target::File(path) => append(path, bytes).or_else(|_| to_stderr(bytes)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<usize> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?
        .write(bytes)
}

fn to_stderr(bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(rustix::stdio::stderr(), bytes)?)
}
