//! C_VerifySignature*: a verification whose signature is handed in first (PKCS#11 3.2).

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::keyed::Keyed;
use super::message::Message;
use crate::error::Result;
use crate::mechanism::{Mechanism, Use};

/// A verification under way, in a slot of its own beside that of C_Verify.
pub(super) struct VerifySignature {
    keyed: Keyed,
    message: Message,
    /// Wiped, since it may be a MAC that a forger could use.
    signature: Zeroizing<Vec<u8>>,
}

impl Session {
    pub(crate) fn verify_signature_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
        signature: &[u8],
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.verify_signature.cancel();
        };
        self.verify_signature.start(|| {
            let keyed = self.keyed(mechanism, key, Use::Verify)?;
            Ok(VerifySignature {
                message: keyed.message()?,
                keyed,
                signature: signature.to_vec().into(),
            })
        })
    }

    pub(crate) fn verify_signature(&self, data: &[u8]) -> Result<()> {
        self.verify_signature.step(|operation| {
            operation.message.check_one_part()?;
            let message = operation.message.whole(data)?;
            self.check(&operation.keyed, &message, &operation.signature)?;
            Ok((None, ()))
        })
    }

    pub(crate) fn verify_signature_update(&self, part: &[u8]) -> Result<()> {
        self.verify_signature.step(|mut operation| {
            operation.message.add(part)?;
            Ok((Some(operation), ()))
        })
    }

    pub(crate) fn verify_signature_final(&self) -> Result<()> {
        self.verify_signature.step(|operation| {
            let message = operation.message.finish()?;
            self.check(&operation.keyed, &message, &operation.signature)?;
            Ok((None, ()))
        })
    }
}
