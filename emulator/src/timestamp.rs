//! Points in time as KMS's protocol writes them: seconds since the epoch, with a fraction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    pub(crate) fn now() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    /// A number of the JSON protocol; what is no point in time after 1970 is its beginning.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    pub(crate) fn of_seconds(seconds: f64) -> Self {
        Self((seconds * 1000.0) as u64)
    }

    pub(crate) fn plus_days(self, days: u32) -> Self {
        let window = Duration::from_hours(24) * days;
        Self(self.0 + u64::try_from(window.as_millis()).unwrap_or(u64::MAX))
    }

    /// Seconds since the epoch, the number of the JSON protocol.
    #[expect(
        clippy::cast_precision_loss,
        reason = "f64 holds milliseconds exactly for 280,000 years"
    )]
    pub(crate) fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}
