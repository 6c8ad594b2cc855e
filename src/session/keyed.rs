//! What signing and verifying have in common: a key, and a scheme to use it with.

use pkcs11_sys::*;

use super::Session;
use super::message::Message;
use crate::crypto::PublicKey;
use crate::error::Result;
use crate::mechanism::signature::{SignatureScheme, signature_len};
use crate::mechanism::{self, Mechanism, Use};
use crate::object::Object;

/// A key and a scheme that fits it: what an `*Init` settles, for one message or for many.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) key: Object,
    pub(super) scheme: SignatureScheme,
    use_: Use,
}

impl Session {
    /// The key to sign or verify with, unless the mechanism or its parameter does not fit it.
    pub(super) fn keyed(
        &self,
        mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        use_: Use,
    ) -> Result<Keyed> {
        let scheme = mechanism::signature(mechanism, use_)?;
        let key = self.key(key, mechanism, use_)?;
        Ok(Keyed { key, scheme, use_ })
    }
}

impl Keyed {
    /// A message of which nothing was handed in yet.
    pub(super) fn message(&self) -> Result<Message> {
        Message::of(&self.scheme, &self.key, self.public(), self.use_)
    }

    /// The public key of the pair, be the key itself this half or the other.
    pub(super) fn public(&self) -> Option<&PublicKey> {
        match &self.key {
            Object::Kms(object) => object.material.public.as_ref(),
            Object::Local(_) | Object::Certificate(_) => self.key.public_key(),
        }
    }

    /// The bytes of a signature or MAC.
    pub(super) fn signature_len(&self) -> usize {
        match (&self.scheme, self.public()) {
            (SignatureScheme::Hmac { len, .. }, _) => *len,
            (_, Some(public)) => signature_len(public),
            (_, None) => 0,
        }
    }
}
