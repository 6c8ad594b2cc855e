//! The keys this process made lately, which KMS may not show everywhere yet.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::kms::{KmsError, KmsErrorKind};

/// How long a new key may still be unknown to some host of KMS.
const FRESH: Duration = Duration::from_mins(5);

#[derive(Debug, Default)]
pub(super) struct FreshKeys(Mutex<HashMap<String, Instant>>);

impl FreshKeys {
    pub(super) fn remember(&self, key_id: &str) {
        let now = Instant::now();
        let mut keys = self.0.lock();
        keys.retain(|_, made| now.duration_since(*made) < FRESH);
        keys.insert(key_id.to_owned(), now);
    }

    /// For a key that is meant to stop working: its state is no delay of KMS's.
    pub(super) fn forget(&self, key_id: &str) {
        self.0.lock().remove(key_id);
    }

    /// Whether this failure on this key (id or ARN) is one that passes by itself.
    pub(super) fn will_pass(&self, key: &str, error: &KmsError) -> bool {
        matches!(
            error.kind,
            KmsErrorKind::NotFound | KmsErrorKind::InvalidState
        ) && self
            .0
            .lock()
            .get(key_id(key))
            .is_some_and(|made| made.elapsed() < FRESH)
    }
}

/// The last part of an ARN, or the id itself.
pub(super) fn key_id(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, id)| id)
}
