//! Saying once that something cannot be written.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};

use super::complain;

/// Whether a target that fails is known to fail.
#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    pub(super) fn lasts(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes how a write ended. The first failure after a success, or ever, is a line on standard
    /// error, with this name of the target and what becomes of its lines.
    pub(crate) fn note<T, E: Display>(
        &self,
        result: &Result<T, E>,
        target: &dyn Display,
        consequence: &str,
    ) {
        match result {
            Ok(_) if !self.0.load(Ordering::Relaxed) => {}
            Ok(_) => self.0.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.0.swap(true, Ordering::Relaxed) {
                    complain(&format!(
                        "{target} cannot be written: {error}; {consequence}"
                    ));
                }
            }
        }
    }
}
