//! C_Verify*: local, with the public key.

use pkcs11_sys::*;

use super::Session;
use super::message::Message;
use super::sign::check_use;
use crate::crypto::verify::{VerifyError, verify_digest};
use crate::error::{Error, Result};
use crate::mechanism::signature::SignatureScheme;
use crate::mechanism::{self, Mechanism};
use crate::object::{Half, Object};

/// A verification under way.
#[derive(Debug)]
pub(super) struct Verify {
    key: Object,
    scheme: SignatureScheme,
    message: Message,
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
            let scheme = mechanism::signature(mechanism)?;
            let key = self.key(key, Half::Public)?;
            check_use(mechanism, scheme, &key)?;
            Ok(Verify {
                key,
                scheme,
                message: Message::new(scheme.message_hash()),
            })
        })
    }

    pub(crate) fn verify(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        self.verify.step(|operation| {
            operation.message.check_one_part()?;
            check(
                &operation.key,
                operation.scheme,
                &operation.message.whole(data),
                signature,
            )?;
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
            let digest = operation.message.finish()?;
            check(&operation.key, operation.scheme, &digest, signature)?;
            Ok((None, ()))
        })
    }
}

fn check(key: &Object, scheme: SignatureScheme, digest: &[u8], signature: &[u8]) -> Result<()> {
    let prepared = scheme.prepare(&key.material, digest)?;
    verify_digest(
        &key.material.public,
        prepared.scheme,
        &prepared.digest,
        signature,
    )
    .map_err(|error| {
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
