//! Destroying objects: what happens to the KMS key behind them.

use pkcs11_sys::*;

use super::Token;
use crate::config::OnDestroy;
use crate::error::{Error, Result};
use crate::kms::{KeyEntry, Phase, Sent};
use crate::object::Part;

impl Token {
    /// Destroys an object. The private one takes the KMS key with it, as configured; the public one
    /// alone is only forgotten by this process.
    pub(crate) fn destroy(&self, handle: CK_OBJECT_HANDLE) -> Result<()> {
        self.check_login()?;
        if self.view.ask(|inventory| inventory.take_orphan(handle)) {
            return Ok(());
        }
        let snapshot = self.view.latest();
        if let Some(certificate) = snapshot.certificates.get(handle) {
            return self.destroy_certificate(certificate);
        }
        let (key, part) = snapshot.object(handle).ok_or(CKR_OBJECT_HANDLE_INVALID)?;
        match part {
            Part::Public => {
                self.view
                    .change(|inventory| inventory.public_destroyed(&key.entry));
            }
            Part::Private | Part::Secret => {
                self.destroy_key(&key.entry)?;
                self.view
                    .change(|inventory| inventory.destroyed(&key.entry));
            }
        }
        Ok(())
    }

    /// Refuses handles that are no object's, and objects that stay.
    pub(crate) fn check_destroyable(&self, handle: CK_OBJECT_HANDLE) -> Result<()> {
        if self.profiles.get(handle).is_some() {
            return Err(Error::new(
                CKR_ACTION_PROHIBITED,
                "a profile object is part of the token",
            ));
        }
        let snapshot = self.view.latest();
        if snapshot.object(handle).is_some()
            || snapshot.certificates.get(handle).is_some()
            || self.view.ask(|inventory| inventory.is_orphan(handle))
        {
            return Ok(());
        }
        Err(CKR_OBJECT_HANDLE_INVALID.into())
    }

    fn destroy_key(&self, key: &KeyEntry) -> Result<()> {
        let result = match self.config.on_destroy {
            // The replicas first: KMS keeps a primary until they have ended, and a key that is still there somewhere
            // should be found.
            OnDestroy::Schedule => {
                let schedule = |key: &KeyEntry| {
                    let window_days = self.config.deletion_window_days;
                    self.kms.schedule_deletion(key, window_days, Sent::WhenUp)
                };
                self.elsewhere(key, schedule).and_then(|()| schedule(key))
            }
            OnDestroy::Disable => self
                .elsewhere(key, |replica| self.kms.disable(replica))
                .and_then(|()| self.kms.disable(key)),
            OnDestroy::Refuse => {
                return Err(Error::new(
                    CKR_ACTION_PROHIBITED,
                    format!(
                        "{}: the token's configuration says on_destroy = \"refuse\"",
                        key.arn
                    ),
                ));
            }
        };
        result.map_err(|error| self.failed(key, error, Phase::Destroy))?;
        tracing::info!("{}: destroyed ({:?})", key.arn, self.config.on_destroy);
        Ok(())
    }
}
