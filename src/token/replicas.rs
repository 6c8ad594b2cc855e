//! The same key in the token's other regions: made, changed and retired with it.
//!
//! KMS shares the id and the material of the keys of one multi-Region key, and neither tags nor deletion.

use super::Token;
use crate::error::Result;
use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind, NewKey, Phase, Sent, Stage};

/// The days after which a key is deleted that its program was never told of: the fewest that KMS has.
pub(super) const ORPHAN_WINDOW_DAYS: u8 = 7;

impl Token {
    /// Replicates a new key to the token's other regions. One that cannot be everywhere is kept nowhere: its
    /// program is told of a failure and will not use it.
    pub(super) fn replicate(&self, key: &KeyEntry, request: &NewKey) -> Result<Vec<KeyEntry>> {
        self.kms.replicate(key, request).map_err(|error| {
            self.withdraw(key);
            error.into_error(Phase::Generate)
        })
    }

    /// Has a new key deleted in every region, or says where it stays.
    pub(super) fn withdraw(&self, key: &KeyEntry) {
        let primary = key;
        let mut keys = self.kms.keys_elsewhere(primary);
        keys.push(primary.clone());
        for key in keys {
            // Whatever the call has used up, and other regions did.
            Stage::Request.anew();
            match self
                .kms
                .schedule_deletion(&key, ORPHAN_WINDOW_DAYS, Sent::Anyway)
            {
                Ok(()) => tracing::warn!(
                    "{}: made for a key that could not be made in all regions; it is deleted in \
                     {ORPHAN_WINDOW_DAYS} days",
                    key.arn
                ),
                // The primary was made, whether it can be seen or not.
                Err(error) if error.kind == Kind::NotFound && key != *primary => {
                    tracing::debug!("{}: not made", key.arn);
                }
                Err(error) => tracing::error!(
                    "{}: made for a key that could not be made in all regions, and it may not have been \
                     deleted: if it is there, it stays until somebody deletes it: {error}",
                    key.arn
                ),
            }
        }
    }

    /// Does something with the same key in each other region. Where it is not, or is about to be deleted, there
    /// is nothing to do.
    pub(super) fn elsewhere(
        &self,
        key: &KeyEntry,
        work: impl Fn(&KeyEntry) -> std::result::Result<(), KmsError>,
    ) -> std::result::Result<(), KmsError> {
        for replica in self.kms.keys_elsewhere(key) {
            match work(&replica) {
                Ok(()) => {}
                Err(error) if self.is_no_more(&replica, &error)? => {
                    tracing::debug!("{}: left as it is: {error}", replica.arn);
                }
                Err(error) => return Err(nothing_changed(error)),
            }
        }
        Ok(())
    }

    /// Whether a replica to which nothing could be done is not there, or is about to be deleted. One in another state,
    /// such as that of being made, stays if it is left alone.
    fn is_no_more(
        &self,
        replica: &KeyEntry,
        error: &KmsError,
    ) -> std::result::Result<bool, KmsError> {
        match error.kind {
            Kind::NotFound => return Ok(true),
            Kind::InvalidState => {}
            _ => return Ok(false),
        }
        match self.kms.is_pending_deletion(replica) {
            Err(denied) if denied.kind == Kind::AccessDenied => {
                tracing::warn!(
                    "{}: left as it is, and may stay when the key in the token's own region is gone: {error}; \
                     whether it is about to be deleted cannot be told: {denied}",
                    replica.arn
                );
                Ok(true)
            }
            answer => answer.map_err(nothing_changed),
        }
    }
}

fn nothing_changed(error: KmsError) -> KmsError {
    let message = format!(
        "nothing was changed in the token's own region, since a replica could not be: {}",
        error.message
    );
    KmsError { message, ..error }
}
