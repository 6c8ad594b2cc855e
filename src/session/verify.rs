//! C_Verify*: local, with the public key; a MAC by KMS, which alone has the key.

use pkcs11_sys::*;

use super::Session;
use super::keyed::Keyed;
use super::message::Message;
use crate::crypto::hmac::constant_time_eq;
use crate::crypto::verify::{VerifyError, verify_digest};
use crate::error::{Error, Result};
use crate::mechanism::signature::SignatureScheme;
use crate::mechanism::{Mechanism, Use};
use crate::object::Object;

/// A verification under way.
#[derive(Debug)]
pub(super) struct Verify {
    keyed: Keyed,
    pub(super) message: Message,
}

impl Session {
    pub(crate) fn verify_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.verify.cancel();
        };
        self.verify.start(|| {
            let keyed = self.keyed(mechanism, key, Use::Verify)?;
            let message = keyed.message()?;
            Ok(Verify { keyed, message })
        })
    }

    pub(crate) fn verify(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        self.verify.step(|operation| {
            operation.message.check_one_part()?;
            let message = operation.message.whole(data)?;
            self.check(&operation.keyed, &message, signature)?;
            Ok((None, ()))
        })
    }

    pub(crate) fn verify_update(&self, part: &[u8]) -> Result<()> {
        self.verify.step(|mut operation| {
            operation.message.add(part)?;
            Ok((Some(operation), ()))
        })
    }

    pub(crate) fn verify_final(&self, signature: &[u8]) -> Result<()> {
        self.verify.step(|operation| {
            let message = operation.message.finish()?;
            self.check(&operation.keyed, &message, signature)?;
            Ok((None, ()))
        })
    }

    /// Checks the signature over what a message became.
    pub(super) fn check(&self, keyed: &Keyed, data: &[u8], signature: &[u8]) -> Result<()> {
        if let SignatureScheme::Hmac { hash, len } = &keyed.scheme {
            return self.check_mac(&keyed.key, data, signature, *len, hash.len());
        }
        let public = keyed.public().ok_or(CKR_KEY_TYPE_INCONSISTENT)?;
        let prepared = keyed.scheme.prepare(public, data)?;
        verify_digest(public, prepared.scheme, &prepared.message, signature).map_err(|error| {
            let rv = match error {
                VerifyError::Invalid => CKR_SIGNATURE_INVALID,
                VerifyError::LengthRange => CKR_SIGNATURE_LEN_RANGE,
                VerifyError::DigestLength => CKR_DATA_LEN_RANGE,
                VerifyError::Unsupported => CKR_FUNCTION_FAILED,
                VerifyError::NoThread => CKR_HOST_MEMORY,
            };
            Error::new(rv, error.to_string())
        })
    }

    /// KMS compares whole MACs; one that was cut off is compared here with the one that KMS makes.
    fn check_mac(
        &self,
        key: &Object,
        data: &[u8],
        mac: &[u8],
        len: usize,
        full: usize,
    ) -> Result<()> {
        if mac.len() != len {
            return Err(Error::new(
                CKR_SIGNATURE_LEN_RANGE,
                format!("a MAC of {} bytes; the mechanism's has {len}", mac.len()),
            ));
        }
        match key {
            Object::Kms(key) if len == full => self.token.verify_mac(key, data, mac),
            _ => {
                let expected = self.mac(key, data)?;
                if constant_time_eq(expected.get(..len).unwrap_or_default(), mac) {
                    return Ok(());
                }
                Err(CKR_SIGNATURE_INVALID.into())
            }
        }
    }
}
