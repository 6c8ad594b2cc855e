//! Refused permissions: each is news once, until the request is allowed again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;

use crate::kms::permissions::denied_action;
use crate::kms::{KmsError, KmsErrorKind};

/// Refusals that are remembered. One more, and all are news again.
const MOST: usize = 10_000;

/// The requests that the caller may not make, as far as it tried.
///
/// A service does not stop signing because it may not, and other people's keys may be many: what is
/// kept of each is a few bytes, and of no more than [`MOST`].
#[derive(Debug, Default)]
pub(super) struct Denied {
    /// For each request, by the hash of its operation and key, the hash of the action that it lacks.
    missing: Mutex<HashMap<u64, u64>>,
    hasher: RandomState,
}

impl Denied {
    /// Takes notice of an outcome, and marks a refusal that was met before.
    pub(super) fn note<T>(
        &self,
        operation: &'static str,
        key: Option<&str>,
        result: Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let request = self.hasher.hash_one((operation, key));
        match result {
            Err(error) if error.kind == KmsErrorKind::AccessDenied => {
                let action = denied_action(operation, &error.message);
                let action = self.hasher.hash_one(action);
                let mut missing = self.missing.lock();
                if missing.len() >= MOST && !missing.contains_key(&request) {
                    missing.clear();
                }
                let before = missing.insert(request, action);
                Err(KmsError {
                    is_told: before == Some(action),
                    ..error
                })
            }
            Ok(answer) => {
                self.missing.lock().remove(&request);
                Ok(answer)
            }
            // It says nothing about permissions.
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATION: &str = "CreateKey";

    fn refused(denied: &Denied, key: Option<&str>, message: &str) -> bool {
        let error = KmsError::local(KmsErrorKind::AccessDenied, OPERATION, key, message);
        let noted = denied.note::<()>(OPERATION, key, Err(error));
        noted.unwrap_err().is_told
    }

    #[test]
    fn a_refusal_is_news_once_for_each_key_and_action_and_again_after_a_success() {
        let denied = Denied::default();
        assert!(!refused(&denied, Some("one"), ""));
        assert!(refused(&denied, Some("one"), ""));
        assert!(!refused(&denied, Some("two"), ""));
        assert!(!refused(&denied, None, ""));
        let tags = "not authorized to perform: kms:TagResource";
        assert!(!refused(&denied, Some("one"), tags), "another action");
        assert!(refused(&denied, Some("one"), tags));
        let outage = KmsError::local(KmsErrorKind::Network, OPERATION, Some("one"), "");
        assert!(
            denied
                .note::<()>(OPERATION, Some("one"), Err(outage))
                .is_err()
        );
        assert!(
            refused(&denied, Some("one"), tags),
            "an outage allows nothing"
        );
        assert!(denied.note(OPERATION, Some("one"), Ok(())).is_ok());
        assert!(!refused(&denied, Some("one"), tags));
        assert!(refused(&denied, Some("one"), tags));
    }

    #[test]
    fn no_more_refusals_are_remembered_than_there_is_room_for() {
        let denied = Denied::default();
        for number in 0..=MOST {
            assert!(!refused(&denied, Some(&number.to_string()), ""));
            assert!(denied.missing.lock().len() <= MOST);
        }
        assert!(refused(&denied, Some(&MOST.to_string()), ""));
    }
}
