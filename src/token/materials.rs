//! Public keys, fetched when something needs them: in parallel, once, and not again for a while
//! when that failed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::kms::{GRACE, KeyAnswer, KeyEntry, Kms, KmsError, KmsErrorKind, Stage};
use crate::object::{Key, KeyMaterial};
use crate::sync::{Condvar, Mutex};

/// How long a failed fetch is taken for an answer.
const FAILURE_LASTS: Duration = Duration::from_secs(5);
/// From so many failures on, those are forgotten that are this old: each find of a key that is there has a newer one.
const MANY: usize = 1024;
const OLD: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct Materials {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    in_flight: HashSet<String>,
    failed: HashMap<String, Failure>,
    /// How often all failures were forgotten: one of before is not noted after.
    epoch: u32,
}

#[derive(Clone, Debug)]
struct Failure {
    error: KmsError,
    at: Instant,
}

impl Failure {
    /// What this module has no use for stays so; what KMS said, that it cannot do something, may pass.
    fn holds(&self) -> bool {
        let is_of_key = self.error.kind == KmsErrorKind::Unsupported && self.error.code.is_empty();
        is_of_key || self.at.elapsed() < FAILURE_LASTS
    }
}

impl State {
    /// Forgets why keys could not be read that may be gone since.
    fn forget_old(&mut self) {
        // Not with every failure: when there are twice as many as the last time.
        if self.failed.len() >= MANY && self.failed.len().is_power_of_two() {
            self.failed.retain(|_, failure| failure.at.elapsed() < OLD);
        }
    }
}

impl Materials {
    /// Makes sure that the public half of each key is there, or known to be out of reach, within what this stage
    /// of the call has left of `most`.
    pub(super) fn fetch(&self, kms: &dyn Kms, keys: &[&Arc<Key>], within: Stage, most: Duration) {
        loop {
            let (epoch, mine, theirs) = self.claim(keys);
            self.fetch_claimed(kms, epoch, &mine, within);
            if theirs.is_empty() {
                return;
            }
            let state = self.state.lock();
            let others_are_at_it =
                |state: &mut State| theirs.iter().any(|arn| state.in_flight.contains(arn));
            let until = Instant::now() + within.left(most) + GRACE;
            let (state, is_late) =
                self.landed
                    .wait_while_until(&self.state, state, others_are_at_it, until);
            drop(state);
            if is_late {
                return;
            }
            // The others may have fetched for a key that was forgotten since: what is missing still is claimed
            // now.
        }
    }

    /// Why the public half of a key is not there.
    pub(super) fn failure(&self, key: &Key) -> Option<KmsError> {
        self.state
            .lock()
            .failed
            .get(&key.entry.arn)
            .map(|failure| failure.error.clone())
    }

    /// Forgets that a fetch failed.
    pub(super) fn forget_failure(&self, entry: &KeyEntry) {
        self.state.lock().failed.remove(&entry.arn);
    }

    /// Forgets all of them: another caller may read other keys.
    pub(super) fn forget_failures(&self) {
        let mut state = self.state.lock();
        state.failed.clear();
        state.epoch = state.epoch.wrapping_add(1);
    }

    /// Splits off the keys that this thread is to fetch in this epoch, and names those that others are
    /// fetching.
    fn claim<'a>(&self, keys: &[&'a Arc<Key>]) -> (u32, Vec<&'a Arc<Key>>, Vec<String>) {
        let mut state = self.state.lock();
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for key in keys.iter().filter(|key| key.material.get().is_none()) {
            let arn = &key.entry.arn;
            if state.in_flight.contains(arn) {
                theirs.push(arn.clone());
            } else if !state.failed.get(arn).is_some_and(Failure::holds) {
                state.in_flight.insert(arn.clone());
                mine.push(*key);
            }
        }
        (state.epoch, mine, theirs)
    }

    fn fetch_claimed(&self, kms: &dyn Kms, epoch: u32, mine: &[&Arc<Key>], stage: Stage) {
        let _landing = Landing {
            materials: self,
            keys: mine,
        };
        let entries: Vec<KeyEntry> = mine.iter().map(|key| key.entry.clone()).collect();
        for (key, answer) in mine.iter().zip(kms.read_keys(&entries, stage)) {
            let result = answer.and_then(|answer| material(key, &answer));
            if matches!(&result, Err(error) if error.kind == KmsErrorKind::LoggedOut) {
                // It says nothing to the calls of the next login, who may know the same key.
                continue;
            }
            self.settle(epoch, key, result);
        }
    }

    fn settle(&self, epoch: u32, key: &Key, result: Result<KeyMaterial, KmsError>) {
        let mut state = self.state.lock();
        match result {
            Ok(material) => {
                state.failed.remove(&key.entry.arn);
                // Empty until now: a key in flight is claimed by one thread.
                key.material.get_or_init(|| Arc::new(material));
            }
            Err(_) if state.epoch != epoch => {}
            Err(error) => {
                let failure = Failure {
                    // By the line below, or by the one before.
                    error: error.clone().once_told(),
                    at: Instant::now(),
                };
                let before = state.failed.insert(key.entry.arn.clone(), failure);
                state.forget_old();
                if before.is_none_or(|before| before.error.kind != error.kind) {
                    log_hidden(key, &error);
                }
            }
        }
    }
}

/// Ends the flight of keys, also when the fetch panics.
struct Landing<'a> {
    materials: &'a Materials,
    keys: &'a [&'a Arc<Key>],
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.materials.state.lock();
        for key in self.keys {
            state.in_flight.remove(&key.entry.arn);
        }
        self.materials.landed.notify_all();
    }
}

fn material(key: &Key, answer: &KeyAnswer) -> Result<KeyMaterial, KmsError> {
    KeyMaterial::new(answer).map_err(|error| {
        let arn = Some(key.entry.arn.as_str());
        KmsError::local(
            KmsErrorKind::BadAnswer,
            "GetPublicKey",
            arn,
            error.to_string(),
        )
    })
}

fn log_hidden(key: &Key, error: &KmsError) {
    let arn = &key.entry.arn;
    match error.kind {
        KmsErrorKind::Unsupported => tracing::debug!("{arn} is not shown: {error}"),
        // Somebody wanted it so, and a key stays pending deletion for weeks.
        KmsErrorKind::Disabled | KmsErrorKind::InvalidState | KmsErrorKind::NotFound => {
            tracing::info!("{arn} is hidden for now: {error}");
        }
        _ => error.warn(format_args!("{arn} is hidden for now")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_failures_the_old_ones_are_forgotten() {
        let error = KmsError::local(KmsErrorKind::AccessDenied, "GetPublicKey", None, "");
        let now = Instant::now();
        let before = now.checked_sub(OLD).unwrap();
        let mut state = State::default();
        for number in 0..MANY {
            let at = if number % 2 == 0 { now } else { before };
            let error = error.clone();
            state
                .failed
                .insert(number.to_string(), Failure { error, at });
            state.forget_old();
        }
        assert_eq!(state.failed.len(), MANY / 2);
        assert!(state.failed.values().all(|failure| failure.at == now));
    }
}
