//! C_SessionCancel, and what else ends operations of any kind.

use pkcs11_sys::*;

use super::Session;
use super::slot::AnySlot;
use crate::error::{Error, Result};

impl Session {
    /// Ends the active operations that the flags name (PKCS#11 3.2, 5.6). Flags of operations that
    /// are not active are of no matter, as are those that no operation has.
    pub(crate) fn cancel(&self, flags: CK_FLAGS) -> Result<()> {
        self.stop(flags).map_err(|_| {
            Error::new(
                CKR_OPERATION_CANCEL_FAILED,
                "another thread is at work on an operation of the session",
            )
        })
    }

    /// Ends the operations that the flags name, all that can be ended.
    pub(super) fn stop(&self, flags: CK_FLAGS) -> Result<()> {
        let mut outcome = Ok(());
        for (flag, slot) in self.slots() {
            if flags & flag != 0 {
                outcome = outcome.and(slot.stop());
            }
        }
        outcome
    }

    /// Whether one of the operations that the flags name is active.
    pub(super) fn is_active(&self, flags: CK_FLAGS) -> bool {
        let mut named = self
            .slots()
            .into_iter()
            .filter(|(flag, _)| flags & flag != 0);
        named.any(|(_, slot)| slot.is_active())
    }

    /// Every slot, with the flag that names its operations.
    fn slots(&self) -> [(CK_FLAGS, &dyn AnySlot); 11] {
        [
            (CKF_FIND_OBJECTS, &self.find),
            (CKF_SIGN, &self.sign),
            (CKF_VERIFY, &self.verify),
            (CKF_ENCRYPT, &self.encrypt),
            (CKF_DECRYPT, &self.decrypt),
            (CKF_DIGEST, &self.digest),
            (CKF_VERIFY, &self.verify_signature),
            (CKF_MESSAGE_SIGN, &self.message_sign),
            (CKF_MESSAGE_VERIFY, &self.message_verify),
            (CKF_MESSAGE_ENCRYPT, &self.message_encrypt),
            (CKF_MESSAGE_DECRYPT, &self.message_decrypt),
        ]
    }
}
