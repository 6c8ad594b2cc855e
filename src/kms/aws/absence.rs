//! What a region cannot do with a key that elsewhere can be done: replicas have an existence, a state and a policy of
//! their own.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind};

/// For so long a region is not asked again.
pub(super) const ABSENCE: Duration = Duration::from_mins(1);
/// For so long the log is not told again.
const REMINDER: Duration = Duration::from_hours(1);

/// The one operation that has two keys.
const RE_ENCRYPT: &str = "ReEncrypt";

/// Of one region.
#[derive(Debug, Default)]
pub(super) struct Absences(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By the ids of keys.
    keys: HashMap<String, Vec<Absence>>,
    pruned: Option<Instant>,
}

#[derive(Debug)]
struct Absence {
    of: Extent,
    since: Instant,
    told: Instant,
}

/// What a region need not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    Operation(&'static str),
    /// Any operation with the key.
    Key,
}

impl Absences {
    /// Takes note of a failure that leads to another region, if it is a fact about the key; whether the log should be
    /// told.
    pub(super) fn note(
        &self,
        operation: &'static str,
        key: &KeyEntry,
        error: &KmsError,
        now: Instant,
    ) -> bool {
        let Some(of) = Extent::of(operation, key, error) else {
            return false;
        };
        let mut known = self.0.lock();
        known.prune(now);
        let of_key = known.keys.entry(key.key_id.clone()).or_default();
        let before = of_key.iter_mut().find(|one| one.of == of);
        if let Some(absence) = before {
            absence.since = now;
            return false;
        }
        of_key.push(Absence {
            of,
            since: now,
            told: now,
        });
        true
    }

    /// Whether the region need not be asked for this.
    pub(super) fn has(&self, operation: &'static str, key: &KeyEntry, now: Instant) -> bool {
        let known = self.0.lock();
        let of_key = known.keys.get(&key.key_id);
        of_key.is_some_and(|absences| {
            absences.iter().any(|absence| {
                [Extent::Key, Extent::Operation(operation)].contains(&absence.of)
                    && now.saturating_duration_since(absence.since) < ABSENCE
            })
        })
    }
}

impl Known {
    /// Forgets what was told long ago, from time to time: keys come and go.
    fn prune(&mut self, now: Instant) {
        if self.pruned.is_some_and(|pruned| now < pruned + ABSENCE) {
            return;
        }
        self.pruned = Some(now);
        self.keys.retain(|_, absences| {
            absences.retain(|absence| now < absence.told + REMINDER);
            !absences.is_empty()
        });
    }
}

impl Extent {
    /// What a failure keeps from being asked for, if it is a fact about the key.
    fn of(operation: &'static str, key: &KeyEntry, error: &KmsError) -> Option<Self> {
        if operation == RE_ENCRYPT && !error.message.contains(&key.key_id) {
            // It may be about the key that the ciphertext comes from.
            return None;
        }
        match error.kind {
            Kind::NotFound | Kind::Disabled | Kind::InvalidState => Some(Self::Key),
            Kind::AccessDenied | Kind::Unsupported => Some(Self::Operation(operation)),
            // Whoever asks, and how, is the same for every key.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> KeyEntry {
        let key_id = format!("mrk-{number:032x}");
        KeyEntry {
            arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
            key_id,
        }
    }

    fn error(kind: Kind, message: &str) -> KmsError {
        KmsError::local(kind, "Sign", None, message)
    }

    #[test]
    fn a_permission_is_of_an_operation_and_a_state_is_of_the_key() {
        let now = Instant::now();
        for (kind, sign, other) in [
            (Kind::NotFound, true, true),
            (Kind::Disabled, true, true),
            (Kind::InvalidState, true, true),
            (Kind::AccessDenied, true, false),
            (Kind::Unsupported, true, false),
            (Kind::Credentials, false, false),
            (Kind::Identity, false, false),
            (Kind::Configuration, false, false),
        ] {
            let absences = Absences::default();
            assert_eq!(
                absences.note("Sign", &key(1), &error(kind, ""), now),
                sign,
                "{kind:?}"
            );
            let has = |operation, number| absences.has(operation, &key(number), now);
            assert_eq!(
                [has("Sign", 1), has("GetPublicKey", 1), has("Sign", 2)],
                [sign, other, false],
                "{kind:?}"
            );
        }
    }

    #[test]
    fn of_two_keys_the_one_that_is_named_is_meant() {
        let now = Instant::now();
        for (named, is_absent) in [(1, true), (2, false)] {
            for kind in [Kind::NotFound, Kind::AccessDenied] {
                let absences = Absences::default();
                absences.note("ReEncrypt", &key(1), &error(kind, &key(named).arn), now);
                assert_eq!(absences.has("ReEncrypt", &key(1), now), is_absent);
            }
        }
    }

    #[test]
    fn it_is_known_for_a_minute_told_once_an_hour_and_then_forgotten() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let absences = Absences::default();
        let note = |number, seconds| {
            let absent = error(Kind::NotFound, "");
            absences.note("Sign", &key(number), &absent, at(seconds))
        };
        assert!(note(1, 0) && note(2, 0));
        assert!(absences.has("Sign", &key(1), at(59)));
        assert!(!absences.has("Sign", &key(1), at(60)));
        assert!(!note(1, 61));
        assert!(absences.has("Sign", &key(1), at(120)));
        assert_eq!(absences.0.lock().keys.len(), 2);
        assert!(note(1, 3600));
        assert_eq!(absences.0.lock().keys.len(), 1);
    }
}
