//! Saying once that something cannot be written.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::complain;

/// Seconds from a complaint to the next one about the same target: one that takes short lines and
/// not long ones, such as a disk that is nearly full, fails and recovers with every other line.
const SILENCE: u64 = 60;

/// Whether a target that fails is known to fail.
#[derive(Debug)]
pub(crate) struct Outage {
    lasts: AtomicBool,
    made: Instant,
    /// Seconds since it was made from which on a complaint may be made.
    silent_until: AtomicU64,
}

impl Outage {
    /// That of a target of which nothing is known.
    pub(crate) fn none() -> Self {
        Self {
            lasts: AtomicBool::new(false),
            made: Instant::now(),
            silent_until: AtomicU64::new(0),
        }
    }

    pub(super) fn lasts(&self) -> bool {
        self.lasts.load(Ordering::Relaxed)
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
            Ok(_) if !self.lasts() => {}
            Ok(_) => self.lasts.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.lasts.swap(true, Ordering::Relaxed) && self.may_complain() {
                    complain(&format!(
                        "{target} cannot be written: {error}; {consequence}"
                    ));
                }
            }
        }
    }

    fn may_complain(&self) -> bool {
        let now = self.made.elapsed().as_secs();
        let may = now >= self.silent_until.load(Ordering::Relaxed);
        if may {
            self.silent_until.store(now + SILENCE, Ordering::Relaxed);
        }
        may
    }
}
