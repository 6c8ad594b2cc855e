//! Faults on demand: what goes wrong, for which operation, how often.

use std::collections::BTreeSet;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;

use crate::change::Change;

/// A fault that a number of requests will meet.
///
/// A request meets the first fault in the order they were added that names its operation, is not
/// still skipping and has a count left.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation, as in the API reference: `Sign`; or `*` for any.
    #[serde(default = "any_operation")]
    pub operation: String,
    pub effect: Effect,
    /// How many requests meet it.
    #[serde(default = "once")]
    pub count: u32,
    /// How many requests pass untouched before that.
    #[serde(default)]
    pub skip: u32,
}

/// What happens to a request that meets a fault.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// Answered with this error and not processed.
    Error {
        /// `ThrottlingException`.
        code: String,
        #[serde(default)]
        message: String,
        /// The HTTP status; KMS sends 400 for all but its internal errors.
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// Processed after a delay.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// The connection is reset (TCP RST) before the request is processed.
    ResetBefore,
    /// The request is processed, then the connection is reset: the client cannot know.
    ResetAfter,
    /// Processed, but answered with this error: the client cannot know.
    ErrorAfter {
        /// `KMSInternalException`.
        code: String,
        #[serde(default)]
        message: String,
        #[serde(default = "internal_error")]
        status: u16,
    },
    /// Neither processed nor answered until the client gives up, or for [`Effect::HANG_LIMIT`].
    Hang,
    /// Processed, then not answered for as long.
    HangAfter,
    /// Processed, but the connection ends in the middle of the answer's body.
    TruncatedBody,
    /// Answered with a page of HTML, as a proxy or load balancer does that gets no answer itself.
    Page {
        status: u16,
        /// Whether the request was processed all the same.
        #[serde(default)]
        processed: bool,
    },
    /// Processed, but these words are the body of the answer.
    Body { text: String },
    /// Processed, and the answer is changed in these ways, one after the other.
    Changed(Vec<Change>),
    /// Processed, but the answer's Content-Length is off by so many bytes, and the connection stays open.
    ContentLength { by: i64 },
    /// Processed as if the key that the request names had other material: a signature, a public key or a
    /// plaintext of another key under the right name.
    AnotherKey,
    /// Met by a server whose clock is ahead by so many seconds, or behind by a negative number: a request
    /// whose signature is more than five minutes old or early by that clock is refused, and the answer has the
    /// clock's date.
    ClockSkew { seconds: i64 },
    /// Refused because the credentials expired, and with it every later request with the same access key.
    ExpiredCredentials,
}

impl Effect {
    /// How long a hanging request is held when the client does not give up.
    pub const HANG_LIMIT: Duration = Duration::from_mins(5);
}

impl Fault {
    /// A fault that the next request of `operation` (`*` for any) meets.
    pub fn once(operation: impl Into<String>, effect: Effect) -> Self {
        Self {
            operation: operation.into(),
            effect,
            count: 1,
            skip: 0,
        }
    }

    /// The same fault for `count` requests.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { count, ..self }
    }

    /// The same fault after `skip` requests have passed untouched.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    fn concerns(&self, operation: &str) -> bool {
        self.operation == "*" || self.operation == operation
    }
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Mutex<Vec<Fault>>,
    /// The access keys that [`Effect::ExpiredCredentials`] met.
    expired: Mutex<BTreeSet<String>>,
}

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.waiting.lock().push(fault);
    }

    /// Forgets those that have not struck, and that access keys expired.
    pub(crate) fn clear(&self) {
        self.waiting.lock().clear();
        self.expired.lock().clear();
    }

    pub(crate) fn expire(&self, access_key: &str) {
        self.expired.lock().insert(access_key.to_owned());
    }

    pub(crate) fn is_expired(&self, access_key: &str) -> bool {
        self.expired.lock().contains(access_key)
    }

    /// The effect that this request meets, if any; counts it.
    pub(crate) fn meet(&self, operation: &str) -> Option<Effect> {
        let mut faults = self.waiting.lock();
        faults.retain(|fault| fault.count > 0);
        for fault in faults.iter_mut().filter(|fault| fault.concerns(operation)) {
            if fault.skip == 0 {
                fault.count -= 1;
                return Some(fault.effect.clone());
            }
            fault.skip -= 1;
        }
        None
    }
}

fn any_operation() -> String {
    "*".to_owned()
}

fn once() -> u32 {
    1
}

fn bad_request() -> u16 {
    400
}

fn internal_error() -> u16 {
    500
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_then_strikes_then_is_spent() {
        let faults = Faults::default();
        faults.add(Fault::once("Sign", Effect::Hang).after(1).times(2));
        let met = ["Sign", "Verify", "Sign", "Sign", "Sign"].map(|name| faults.meet(name));
        assert_eq!(
            met,
            [None, None, Some(Effect::Hang), Some(Effect::Hang), None]
        );
    }

    #[test]
    fn a_star_strikes_any_operation_in_the_order_added() {
        let faults = Faults::default();
        faults.add(Fault::once("*", Effect::ResetBefore));
        faults.add(Fault::once("Sign", Effect::Hang));
        assert_eq!(faults.meet("Sign"), Some(Effect::ResetBefore));
        assert_eq!(faults.meet("Sign"), Some(Effect::Hang));
        assert_eq!(faults.meet("Sign"), None);
    }

    #[test]
    fn a_fault_is_read_from_json_with_its_defaults() {
        let json = r#"{"operation":"Sign","effect":{"error":{"code":"ThrottlingException"}}}"#;
        let error = Effect::Error {
            code: "ThrottlingException".to_owned(),
            message: String::new(),
            status: 400,
        };
        let fault: Option<Fault> = serde_json::from_str(json).ok();
        assert_eq!(fault, Some(Fault::once("Sign", error)));
    }
}
