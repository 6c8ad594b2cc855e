//! C_Sign*: hashing here, one Sign request at the end.

use pkcs11_sys::*;

use super::Session;
use super::message::Message;
use crate::crypto::{PublicKey, ecdsa};
use crate::error::{Error, Result};
use crate::mechanism::signature::{SignatureScheme, signature_len};
use crate::mechanism::{self, Mechanism};
use crate::object::{Half, Object};
use crate::reply::{Reply, Room};

/// A signature in the making.
#[derive(Debug)]
pub(super) struct Sign {
    key: Object,
    scheme: SignatureScheme,
    message: Message,
}

impl Session {
    pub(crate) fn sign_init(
        &self,
        mechanism: Option<Mechanism<'_>>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let Some(mechanism) = mechanism else {
            return self.sign.cancel();
        };
        self.sign.start(|| {
            let scheme = mechanism::signature(mechanism)?;
            let key = self.key(key, Half::Private)?;
            check_use(mechanism, scheme, &key)?;
            Ok(Sign {
                key,
                scheme,
                message: Message::new(scheme.message_hash()),
            })
        })
    }

    pub(crate) fn sign(&self, data: &[u8], room: Room) -> Result<Reply> {
        self.sign.step(|operation| {
            operation.message.check_one_part()?;
            if let Some(length) = room.refuse(signature_len(&operation.key.material)) {
                return Ok((Some(operation), length));
            }
            let digest = operation.message.whole(data);
            Ok((
                None,
                self.request_signature(&operation.key, operation.scheme, &digest)?,
            ))
        })
    }

    pub(crate) fn sign_update(&self, part: &[u8]) -> Result<()> {
        self.sign.step(|mut operation| {
            operation.message.add(part)?;
            Ok((Some(operation), ()))
        })
    }

    pub(crate) fn sign_final(&self, room: Room) -> Result<Reply> {
        self.sign.step(|operation| {
            operation.message.multi_part_hash()?;
            if let Some(length) = room.refuse(signature_len(&operation.key.material)) {
                return Ok((Some(operation), length));
            }
            let digest = operation.message.finish()?;
            Ok((
                None,
                self.request_signature(&operation.key, operation.scheme, &digest)?,
            ))
        })
    }

    fn request_signature(
        &self,
        key: &Object,
        scheme: SignatureScheme,
        digest: &[u8],
    ) -> Result<Reply> {
        let material = &key.material;
        let prepared = scheme.prepare(material, digest)?;
        let signature = self.token.sign(&key.key, &prepared)?;
        let signature = match &material.public {
            PublicKey::Ec(key) => {
                ecdsa::raw_from_der(key.curve(), &signature).map_err(|error| {
                    Error::new(CKR_DEVICE_ERROR, format!("KMS signed oddly: {error}"))
                })?
            }
            _ => signature,
        };
        if signature.len() != signature_len(material) {
            return Err(Error::new(
                CKR_DEVICE_ERROR,
                format!("KMS answered a signature of {} bytes", signature.len()),
            ));
        }
        Ok(signature.into())
    }
}

/// Refuses a key that the mechanism cannot be used with.
pub(super) fn check_use(
    mechanism: Mechanism<'_>,
    scheme: SignatureScheme,
    key: &Object,
) -> Result<()> {
    let arn = &key.key.entry.arn;
    if scheme.key_type() != key.material.key_type() {
        return Err(Error::new(
            CKR_KEY_TYPE_INCONSISTENT,
            format!(
                "{arn}: a {} key does not fit mechanism {:#x}",
                key.material.spec, mechanism.type_
            ),
        ));
    }
    if !mechanism::usable_by(&key.material, key.half).any(|usable| usable == mechanism.type_) {
        return Err(Error::new(
            CKR_KEY_FUNCTION_NOT_PERMITTED,
            format!("{arn}: the key's usage in KMS is {}", key.material.usage),
        ));
    }
    Ok(())
}
