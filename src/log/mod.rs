//! The log: to stderr, a file or the syslog daemon, never to stdout, and never through a subscriber
//! that the host would share.
//!
//! The audit, a line about each KMS request, is an event like the others with a target of its own;
//! which of the module's writers takes it is the configuration's choice.

mod context;
mod outage;
mod stderr;
mod target;

use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, fmt};

pub(crate) use context::{BACKGROUND, carried, function, within};
pub(crate) use outage::Outage;
pub(crate) use stderr::meet as meet_stderr;
use target::Target;

use crate::config::{Audit, Env, LogConfig, LogFormat, LogTarget};
use crate::error::Error;
use crate::panics::Panic;

/// Shown with what the functions answer, so that the host's reader knows whose line it is.
const TARGET: &str = "kms_pkcs11";

/// The events that make up the audit, all of level info.
pub(crate) const AUDIT: &str = "kms_pkcs11::audit";

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
        let mut writers = Vec::new();
        if config.level != LevelFilter::OFF {
            let of_audit = config.audit == Audit::Log;
            let wanted =
                filter_fn(move |event| (of_audit || !is_audit(event)) && is_without_secrets(event));
            let target = Target::of(&config.target, &config.syslog_socket);
            writers.push(
                writer(config.format, target)
                    .with_filter(wanted.with_max_level_hint(config.level))
                    .with_filter(config.level)
                    .boxed(),
            );
        }
        if let Audit::File(path) = &config.audit {
            let wanted = filter_fn(is_audit).with_max_level_hint(LevelFilter::INFO);
            let target = Target::of(&LogTarget::File(path.clone()), &config.syslog_socket);
            writers.push(writer(config.format, target).with_filter(wanted).boxed());
        }
        Self {
            dispatch: if writers.is_empty() {
                Dispatch::none()
            } else {
                Dispatch::new(Registry::default().with(writers))
            },
            _second: Dispatch::new(NoSubscriber::default()),
        }
    }

    /// The log of calls that are made before there is a configuration.
    pub(crate) fn before_initialisation(env: Env<'_>) -> Self {
        Self::new(&LogConfig::of_environment(env))
    }

    /// Runs `run`, the work of this PKCS#11 function, with its events going to this log.
    pub(crate) fn scope<T>(&self, function: &'static str, run: impl FnOnce() -> T) -> T {
        with_default(&self.dispatch, || within(function, run))
    }
}

/// At level trace, the SDK logs the settings of AWS profiles with their secret keys, and where variables of
/// the environment say so (`LOG_SIGNABLE_BODY`, `LOG_SENSITIVE_BODIES`) the bodies of requests and
/// answers. So trace is heard of this module alone.
fn is_without_secrets(event: &Metadata<'_>) -> bool {
    *event.level() <= Level::DEBUG || event.target().starts_with(TARGET)
}

fn is_audit(event: &Metadata<'_>) -> bool {
    event.target() == AUDIT
}

/// What makes lines of events: with the time, unless the target is one that notes it itself.
fn writer(format: LogFormat, target: Target) -> Box<dyn Layer<Registry> + Send + Sync> {
    let notes_time = target.notes_time();
    let lines = fmt::layer().with_ansi(false).with_writer(target);
    match format {
        LogFormat::Text if notes_time => lines.without_time().with_level(false).boxed(),
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Notes that a function did not answer CKR_OK.
pub(crate) fn refusal(function: &str, error: &Error) {
    if error.is_routine() {
        tracing::debug!(target: TARGET, "{function}: {error}");
    } else {
        tracing::warn!(target: TARGET, "{function}: {error}");
    }
}

/// Notes a panic that a function of PKCS#11 caught.
pub(crate) fn internal_error(function: &str, panic: &Panic) {
    tracing::error!(target: TARGET, "{}", panicked(function, panic));
}

/// What there is to say of such a panic.
pub(crate) fn panicked(function: &str, panic: &Panic) -> String {
    format!("{function}: internal error ({panic}), answered CKR_GENERAL_ERROR; please report it")
}

/// A line on standard error, about what keeps lines from where they belong.
pub(crate) fn complain(what: &str) {
    stderr::write(format!("kms-pkcs11: {what}\n").as_bytes());
}
