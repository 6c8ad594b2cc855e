//! The server's clock, when it is off, and the dates of signatures by it.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::HeaderValue;

use crate::error::ApiError;

/// How far a signature's date may be off.
const TOLERANCE: i64 = 5 * 60;
const DAY: i64 = 24 * 60 * 60;

/// Seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Clock(i64);

impl Clock {
    /// A clock that is ahead by so many seconds.
    pub(crate) fn ahead_by(seconds: i64) -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX) + seconds)
    }

    /// Refuses a signature of this `X-Amz-Date` (`20260101T000000Z`) when it is too old or from the future.
    pub(crate) fn check(self, signed: &str) -> Result<(), ApiError> {
        let now = self.amz_date();
        let at = |seconds| Self(self.0 + seconds).amz_date();
        let message = match Self::of_amz_date(signed) {
            None => format!("Date must be in ISO-8601 'basic format'. Got '{signed}'."),
            Some(Self(date)) if date < self.0 - TOLERANCE => format!(
                "Signature expired: {signed} is now earlier than {} ({now} - 5 min.)",
                at(-TOLERANCE)
            ),
            Some(Self(date)) if date > self.0 + TOLERANCE => format!(
                "Signature not yet current: {signed} is still later than {} ({now} + 5 min.)",
                at(TOLERANCE)
            ),
            Some(_) => return Ok(()),
        };
        Err(ApiError {
            message: Some(message),
            ..ApiError::bare("InvalidSignatureException")
        })
    }

    /// The value of a `Date` header.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        let since_epoch = Duration::from_secs(u64::try_from(self.0).ok()?);
        HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH + since_epoch)).ok()
    }

    fn amz_date(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let seconds = self.0.rem_euclid(DAY);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }

    fn of_amz_date(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let is_formed = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
        let days = days(number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let seconds = number(9, 11)? * 3600 + number(11, 13)? * 60 + number(13, 15)?;
        is_formed.then_some(Self(days * DAY + seconds))
    }
}

/// Days from the epoch to a date of the Gregorian calendar, whose years are taken to begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let days_before_month = (153 * ((month + 9) % 12) + 2) / 5;
    year * 365 + year / 4 - year / 100 + year / 400 + days_before_month + day - 1 - 719_468
}

/// The year, month and day of so many days after the epoch.
fn civil(days_since_epoch: i64) -> (i64, i64, i64) {
    // Off by less than a month: the estimate is mended by the exact function.
    let mut year = 1970 + days_since_epoch / 366;
    while days(year + 1, 1, 1) <= days_since_epoch {
        year += 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days(year, *month, 1) <= days_since_epoch);
    let month = month.unwrap_or(1);
    (year, month, days_since_epoch - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_signatures_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_767_225_599, "20251231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
        ] {
            assert_eq!(Clock(seconds).amz_date(), date);
            assert_eq!(Clock::of_amz_date(date), Some(Clock(seconds)), "{date}");
        }
        assert_eq!(Clock::of_amz_date("2024-02-29 23:59"), None);
    }

    #[test]
    fn a_signature_is_good_for_five_minutes_in_both_directions() {
        let clock = Clock(1_767_225_600);
        for (signed, refused_with) in [
            ("20251231T235500Z", None),
            ("20260101T000500Z", None),
            (
                "20251231T235459Z",
                Some("Signature expired: 20251231T235459Z"),
            ),
            (
                "20260101T000501Z",
                Some("Signature not yet current: 20260101T000501Z"),
            ),
            ("now", Some("Date must be in ISO-8601")),
        ] {
            let message = clock.check(signed).err().and_then(|error| error.message);
            let begins = message.as_deref().zip(refused_with);
            assert_eq!(message.is_some(), refused_with.is_some(), "{signed}");
            assert!(
                begins.is_none_or(|(message, words)| message.starts_with(words)),
                "{message:?}"
            );
        }
    }
}
