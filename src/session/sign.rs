//! C_Sign*: hashing here, one request at the end, whose answer is verified before it is handed out.

use pkcs11_sys::*;

use super::Session;
use super::keyed::Keyed;
use super::message::Message;
use crate::crypto::verify::{VerifyError, verify_digest};
use crate::crypto::{PublicKey, ecdsa};
use crate::error::{Error, Result};
use crate::mechanism::signature::{Prepared, SignatureScheme, signature_len};
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
        let answer = self.token.sign(&object.key, &prepared)?;
        let verifies = self.token.verifies_signatures();
        checked(public, &prepared, answer, verifies).map_err(|error| match error {
            OddSignature::Unverified(VerifyError::NoThread) => {
                Error::new(CKR_HOST_MEMORY, error.to_string())
            }
            _ => self.token.distrust(&object.key, &error),
        })
    }
}

/// What KMS answered is not handed out.
#[derive(Debug, thiserror::Error)]
enum OddSignature {
    #[error("a signature that is not one of ECDSA: {0}")]
    Encoding(ecdsa::SignatureError),
    #[error("a signature of {0} bytes")]
    Length(usize),
    #[error("a signature that does not verify: {0}")]
    Unverified(VerifyError),
}

/// The signature in PKCS#11's encoding, of the key's length and, if asked for, verified.
fn checked(
    public: &PublicKey,
    prepared: &Prepared,
    answer: Vec<u8>,
    verify: bool,
) -> std::result::Result<Vec<u8>, OddSignature> {
    let signature = match public {
        PublicKey::Ec(key) => {
            ecdsa::raw_from_der(key.curve(), &answer).map_err(OddSignature::Encoding)?
        }
        _ => answer,
    };
    if signature.len() != signature_len(public) {
        return Err(OddSignature::Length(signature.len()));
    }
    if verify {
        verify_digest(public, prepared.scheme, &prepared.message, &signature)
            .map_err(OddSignature::Unverified)?;
    }
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::openssl::{Openssl, PrivateKey, rsa_key};
    use crate::crypto::{Curve, Hash};
    use crate::mechanism::signature::{Input, Padding};

    fn prepared(scheme: &SignatureScheme, public: &PublicKey) -> Prepared {
        let digest = Hash::Sha256.digest(b"message");
        scheme.prepare(public, &digest).unwrap()
    }

    #[test]
    fn a_signature_by_another_key_is_handed_out_only_unverified() {
        let openssl = Openssl::new();
        let [ours, other] = [(); 2].map(|()| openssl.ec_key(Curve::P256));
        let public = PublicKey::from_spki(&openssl.spki(&ours)).unwrap();
        let prepared = prepared(&SignatureScheme::Ecdsa(Input::Digest), &public);
        let sign = |key: &PrivateKey| openssl.sign(key, Hash::Sha256, &[], b"message");
        assert_eq!(
            checked(&public, &prepared, sign(&ours), true)
                .unwrap()
                .len(),
            64
        );
        let answer = sign(&other);
        assert!(matches!(
            checked(&public, &prepared, answer.clone(), true),
            Err(OddSignature::Unverified(VerifyError::Invalid))
        ));
        assert_eq!(
            checked(&public, &prepared, answer, false).unwrap().len(),
            64
        );
    }

    #[test]
    fn a_signature_that_cannot_be_the_keys_is_never_handed_out() {
        let (openssl, scheme) = (
            Openssl::new(),
            SignatureScheme::Rsa(Padding::Pkcs1, Input::DigestOf(Hash::Sha256)),
        );
        let public = PublicKey::from_spki(&openssl.spki(rsa_key(2048))).unwrap();
        let prepared = prepared(&scheme, &public);
        for verify in [true, false] {
            let cut = checked(&public, &prepared, vec![1; 255], verify);
            assert!(matches!(cut, Err(OddSignature::Length(255))));
        }
        let curve = PublicKey::from_spki(&openssl.spki(&openssl.ec_key(Curve::P384))).unwrap();
        let odd = checked(&curve, &prepared, b"no DER".to_vec(), false);
        assert!(matches!(odd, Err(OddSignature::Encoding(_))));
    }
}
