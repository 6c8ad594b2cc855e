//! C_EncapsulateKey here, C_DecapsulateKey with one Decapsulate request.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use crate::crypto::{MlKemPublicKey, MlKemSet, PublicKey, ml_kem};
use crate::error::{Error, Result};
use crate::mechanism::{self, Mechanism, Use};
use crate::object::Object;
use crate::object::local::secret::{self, Origin};
use crate::object::template::Template;
use crate::reply::{Reply, Room};

/// What a call of C_EncapsulateKey answers: the handle of the new key, where one was made.
pub(crate) type Encapsulation = (Reply, Option<CK_OBJECT_HANDLE>);

impl Session {
    /// A query, or too little room for the ciphertext, makes no key.
    pub(crate) fn encapsulate_key(
        &self,
        mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        template: &Template<'_>,
        room: Room,
    ) -> Result<Encapsulation> {
        mechanism::encapsulation(mechanism)?;
        let key = self.key(key, mechanism, Use::Encapsulate)?;
        check(template, Origin::Encapsulated)?;
        let key = ml_kem_key(key.public_key(), Use::Encapsulate)?;
        if let Some(length) = room.refuse(key.set().ciphertext_len()) {
            return Ok((length, None));
        }
        let made = ml_kem::encapsulate(key)
            .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))?;
        let handle = self.add_shared(template, made.secret, Origin::Encapsulated)?;
        Ok((made.ciphertext.into(), Some(handle)))
    }

    pub(crate) fn decapsulate_key(
        &self,
        mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        template: &Template<'_>,
        ciphertext: &[u8],
    ) -> Result<CK_OBJECT_HANDLE> {
        mechanism::encapsulation(mechanism)?;
        let Object::Kms(key) = self.key(key, mechanism, Use::Decapsulate)? else {
            return Err(Use::Decapsulate.bad_key_type("private keys are in KMS"));
        };
        check(template, Origin::Decapsulated)?;
        let public = ml_kem_key(key.material.public.as_ref(), Use::Decapsulate)?;
        let expected = public.set().ciphertext_len();
        if ciphertext.len() != expected {
            return Err(Error::new(
                CKR_WRAPPED_KEY_LEN_RANGE,
                format!(
                    "{} bytes of ciphertext; this key's have {expected}",
                    ciphertext.len()
                ),
            ));
        }
        let shared = self.token.decapsulate(&key.key, ciphertext)?;
        self.add_shared(template, shared, Origin::Decapsulated)
    }

    fn add_shared(
        &self,
        template: &Template<'_>,
        shared: Zeroizing<Vec<u8>>,
        origin: Origin,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.add_object(secret::make(template, shared, origin)?)
    }
}

/// Checks the template of a key that will be the shared secret, whole.
fn check(template: &Template<'_>, origin: Origin) -> Result<()> {
    secret::check(template, origin)?;
    if secret::len_of(template, MlKemSet::SECRET_LEN)? == MlKemSet::SECRET_LEN {
        return Ok(());
    }
    Err(Error::new(
        CKR_TEMPLATE_INCONSISTENT,
        "CKA_VALUE_LEN: a secret that ML-KEM agrees on has 32 bytes, and all of them are the key",
    ))
}

fn ml_kem_key(key: Option<&PublicKey>, use_: Use) -> Result<&MlKemPublicKey> {
    match key {
        Some(PublicKey::MlKem(key)) => Ok(key),
        _ => Err(use_.bad_key_type("the key is none of ML-KEM")),
    }
}
