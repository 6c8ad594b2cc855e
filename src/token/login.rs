//! Login: a state of the token in this process. Any PIN is accepted, and none is needed.

use parking_lot::Mutex;
use pkcs11_sys::*;

use crate::error::{Error, Result};

/// Whether the application logged in to a token.
#[derive(Debug, Default)]
pub(crate) struct Login(Mutex<bool>);

impl Login {
    pub(crate) fn log_in(&self, user: CK_USER_TYPE) -> Result<()> {
        match user {
            CKU_USER => {}
            CKU_CONTEXT_SPECIFIC => return Err(CKR_OPERATION_NOT_INITIALIZED.into()),
            _ => {
                return Err(Error::new(
                    CKR_USER_TYPE_INVALID,
                    "a KMS token has no security officer: IAM decides who may do what",
                ));
            }
        }
        let mut logged_in = self.0.lock();
        if *logged_in {
            return Err(CKR_USER_ALREADY_LOGGED_IN.into());
        }
        *logged_in = true;
        Ok(())
    }

    pub(crate) fn log_out(&self) -> Result<()> {
        if std::mem::take(&mut *self.0.lock()) {
            Ok(())
        } else {
            Err(CKR_USER_NOT_LOGGED_IN.into())
        }
    }

    /// Ends the login with the application's last session.
    pub(crate) fn end(&self) {
        *self.0.lock() = false;
    }

    pub(crate) fn is_user(&self) -> bool {
        *self.0.lock()
    }
}
