//! How often an operation may be called: what goes beyond is throttled.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const SECOND: Duration = Duration::from_secs(1);

/// The operations that have a quota here; the others have none.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<String, Quota>>);

#[derive(Debug, Default)]
struct Quota {
    a_second: usize,
    /// When requests were admitted within the last second.
    admitted: VecDeque<Instant>,
    refused: u64,
}

impl Quotas {
    pub(crate) fn set(&self, operation: String, a_second: usize) {
        let quota = Quota {
            a_second,
            ..Quota::default()
        };
        self.0.lock().insert(operation, quota);
    }

    /// Whether a request is admitted: no second has more of them than the quota.
    pub(crate) fn admit(&self, operation: &str) -> bool {
        let mut quotas = self.0.lock();
        let Some(quota) = quotas.get_mut(operation) else {
            return true;
        };
        let now = Instant::now();
        while quota
            .admitted
            .front()
            .is_some_and(|at| now.duration_since(*at) >= SECOND)
        {
            quota.admitted.pop_front();
        }
        let is_admitted = quota.admitted.len() < quota.a_second;
        if is_admitted {
            quota.admitted.push_back(now);
        } else {
            quota.refused += 1;
        }
        is_admitted
    }

    /// How many requests were throttled.
    pub(crate) fn refused(&self, operation: &str) -> u64 {
        self.0
            .lock()
            .get(operation)
            .map_or(0, |quota| quota.refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_above_the_quota_of_a_second_is_refused_and_counted() {
        let quotas = Quotas::default();
        quotas.set("Sign".to_owned(), 3);
        let admitted: Vec<bool> = (0..5).map(|_| quotas.admit("Sign")).collect();
        assert_eq!(admitted, [true, true, true, false, false]);
        assert_eq!(quotas.refused("Sign"), 2);
        assert!(quotas.admit("Verify"));
        std::thread::sleep(SECOND);
        assert!(quotas.admit("Sign"));
    }
}
