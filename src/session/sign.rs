//! C_Sign*: hashing here, one request at the end.

use pkcs11_sys::*;

use super::Session;
use super::keyed::Keyed;
use super::message::Message;
use crate::crypto::{PublicKey, ecdsa};
use crate::error::{Error, Result};
use crate::mechanism::signature::{SignatureScheme, signature_len};
use crate::mechanism::{Mechanism, Use};
use crate::object::Object;
use crate::reply::{Reply, Room};

/// A signature in the making.
#[derive(Debug)]
pub(super) struct Sign {
    keyed: Keyed,
    pub(super) message: Message,
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
            let keyed = self.keyed(mechanism, key, Use::Sign)?;
            let message = keyed.message()?;
            Ok(Sign { keyed, message })
        })
    }

    pub(crate) fn sign(&self, data: &[u8], room: Room) -> Result<Reply> {
        self.sign.step(|operation| {
            operation.message.check_one_part()?;
            if let Some(length) = room.refuse(operation.keyed.signature_len()) {
                return Ok((Some(operation), length));
            }
            let message = operation.message.whole(data)?;
            let signature = self.signature(&operation.keyed, &message)?;
            Ok((None, signature.into()))
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
            operation.message.check_multi_part()?;
            if let Some(length) = room.refuse(operation.keyed.signature_len()) {
                return Ok((Some(operation), length));
            }
            let message = operation.message.finish()?;
            let signature = self.signature(&operation.keyed, &message)?;
            Ok((None, signature.into()))
        })
    }

    /// Signs what a message became.
    pub(super) fn signature(&self, keyed: &Keyed, data: &[u8]) -> Result<Vec<u8>> {
        match keyed.scheme {
            SignatureScheme::Hmac { len, .. } => {
                let mut mac = self.mac(&keyed.key, data)?;
                mac.truncate(len);
                Ok(mac)
            }
            _ => self.request_signature(keyed, data),
        }
    }

    /// The MAC over a message: KMS's answer for a key in KMS; for one of this process the message
    /// became its MAC on the way.
    pub(super) fn mac(&self, key: &Object, data: &[u8]) -> Result<Vec<u8>> {
        match key {
            Object::Kms(key) => self.token.generate_mac(key, data),
            Object::Local(_) => Ok(data.to_vec()),
            Object::Certificate(_) => Err(CKR_KEY_TYPE_INCONSISTENT.into()),
        }
    }

    fn request_signature(&self, keyed: &Keyed, data: &[u8]) -> Result<Vec<u8>> {
        let (Object::Kms(object), Some(public)) = (&keyed.key, keyed.public()) else {
            return Err(CKR_KEY_TYPE_INCONSISTENT.into());
        };
        let prepared = keyed.scheme.prepare(public, data)?;
        let signature = self.token.sign(&object.key, &prepared)?;
        let signature = match public {
            PublicKey::Ec(key) => {
                ecdsa::raw_from_der(key.curve(), &signature).map_err(|error| {
                    Error::new(CKR_DEVICE_ERROR, format!("KMS signed oddly: {error}"))
                })?
            }
            _ => signature,
        };
        if signature.len() != signature_len(public) {
            return Err(Error::new(
                CKR_DEVICE_ERROR,
                format!("KMS answered a signature of {} bytes", signature.len()),
            ));
        }
        Ok(signature)
    }
}
