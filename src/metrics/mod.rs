//! Counts for a monitoring system, in a file of Prometheus' text format.
//!
//! Without such a file there is no [`Metrics`], and nothing is counted. With one, a call or request
//! takes a lock for as long as a number takes to be added to. In a forked child the counts are, with
//! the module, somebody else's: no function of the child reaches them, and the thread that would
//! write them is not there.

mod endpoint;
mod file;
mod histogram;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pkcs11_sys::CK_RV;

use crate::config::MetricsConfig;
use crate::kms::{KmsErrorKind, Runtime};
use crate::log::Outage;
use endpoint::OfEndpoint;
pub(crate) use endpoint::{EndpointEvent, EndpointName};
use histogram::Histogram;

/// Stands for the id of the process in the name of the file.
const PID: &str = "{pid}";

/// What was counted since C_Initialize, and where it is written.
pub(crate) struct Metrics {
    file: PathBuf,
    /// Put on every sample where each process has a file of its own.
    pid: Option<u32>,
    interval: Duration,
    counts: Mutex<Counts>,
    /// The file will be written, so what is counted meanwhile needs no plan of its own.
    is_planned: AtomicBool,
    /// Held while the file is written, by nobody who counts.
    writing: Mutex<()>,
    outage: Outage,
}

#[derive(Clone, Default)]
struct Counts {
    calls: BTreeMap<(&'static str, CK_RV), u64>,
    requests: BTreeMap<(&'static str, Outcome), u64>,
    operations: BTreeMap<&'static str, OfOperation>,
    endpoints: BTreeMap<EndpointName, OfEndpoint>,
}

/// Of all requests of one KMS operation.
#[derive(Clone, Default)]
struct OfOperation {
    latencies: Histogram,
    retries: u64,
    throttles: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Ok,
    Failed(KmsErrorKind),
    /// Nobody waited for its end.
    Cancelled,
}

impl Metrics {
    /// `None` where no file is configured.
    pub(crate) fn new(config: &MetricsConfig) -> Option<Arc<Self>> {
        let file = config.file.as_deref()?;
        let (file, pid) = of_process(file);
        Some(Arc::new(Self {
            file,
            pid,
            interval: config.interval,
            counts: Mutex::default(),
            is_planned: AtomicBool::new(false),
            writing: Mutex::new(()),
            outage: Outage::none(),
        }))
    }

    /// Counts a PKCS#11 call, and has the file written after the interval. Before the runtime has
    /// started, and so before the first request, only [`Metrics::write`] writes it.
    pub(crate) fn call(self: &Arc<Self>, function: &'static str, rv: CK_RV, runtime: &Runtime) {
        *self.counts.lock().calls.entry((function, rv)).or_default() += 1;
        if self.is_planned.load(Ordering::Relaxed) || self.is_planned.swap(true, Ordering::AcqRel) {
            return;
        }
        let metrics = Arc::clone(self);
        let is_planned = runtime.later(self.interval, move || {
            // What is counted from here on may miss this writing.
            metrics.is_planned.store(false, Ordering::Release);
            metrics.write();
        });
        if !is_planned {
            self.is_planned.store(false, Ordering::Release);
        }
    }

    /// Counts a request to KMS: one of the SDK's, whatever the number of its attempts.
    pub(crate) fn request(
        &self,
        operation: &'static str,
        outcome: Outcome,
        latency: Duration,
        retries: u32,
        throttles: u32,
    ) {
        let mut counts = self.counts.lock();
        *counts.requests.entry((operation, outcome)).or_default() += 1;
        let of_operation = counts.operations.entry(operation).or_default();
        of_operation.latencies.observe(latency);
        of_operation.retries += u64::from(retries);
        of_operation.throttles += u64::from(throttles);
    }

    /// Counts what happened at an endpoint.
    pub(crate) fn endpoint(&self, name: &EndpointName, event: EndpointEvent) {
        let mut counts = self.counts.lock();
        counts
            .endpoints
            .entry(name.clone())
            .or_default()
            .note(event);
    }

    /// Writes the file now, unless that is under way already.
    pub(crate) fn write(&self) {
        let Some(_writing) = self.writing.try_lock() else {
            return;
        };
        let counts = self.counts.lock().clone();
        let result = file::replace(&self.file, text::of(&counts, self.pid).as_bytes());
        self.outage.note(
            &result,
            &format_args!("metrics file {}", self.file.display()),
            "it is tried again after each interval",
        );
    }
}

/// The name of this process's file, and the process's id where it is part of it.
fn of_process(file: &Path) -> (PathBuf, Option<u32>) {
    match file.to_str() {
        Some(name) if name.contains(PID) => {
            let pid = process::id();
            (name.replace(PID, &pid.to_string()).into(), Some(pid))
        }
        _ => (file.to_owned(), None),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Failed(kind) => write!(f, "{kind:?}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
