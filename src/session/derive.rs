//! C_DeriveKey: ECDH with one DeriveSharedSecret request, HKDF here.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use crate::crypto::{EcPublicKey, Hash, PublicKey, curve, kdf};
use crate::error::{Error, Result};
use crate::mechanism::derivation::{Derivation, Salt};
use crate::mechanism::{self, Mechanism, Use};
use crate::object::Object;
use crate::object::local::secret::{self, Base, Origin};
use crate::object::template::Template;

/// What the new key is made of.
type Value = Zeroizing<Vec<u8>>;

impl Session {
    pub(crate) fn derive_key(
        &self,
        mechanism: Mechanism<'_>,
        base: CK_OBJECT_HANDLE,
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let derivation = mechanism::derivation(mechanism)?;
        let base = self.key(base, mechanism, Use::Derive)?;
        let origin = Origin::Derived(Base::of(&base));
        secret::check(template, origin)?;
        let value = match derivation {
            Derivation::Ecdh {
                kdf,
                shared_info,
                peer,
            } => {
                let peer = |own: &EcPublicKey| {
                    peer_key(own, peer).map_err(|reason| mechanism.bad_parameter(reason))
                };
                self.agree(&base, peer, kdf.map(|hash| (hash, shared_info)), template)
            }
            Derivation::Hkdf {
                hash,
                extract,
                expand,
            } => {
                let salt = extract.map(|salt| self.salt(mechanism, salt)).transpose()?;
                hkdf(
                    hash,
                    salt.as_deref().map(Vec::as_slice),
                    secret_of(&base)?,
                    expand,
                    template,
                )
            }
        }?;
        self.add_object(secret::make(template, value, origin)?)
    }

    /// ECDH with a private key in KMS, and what a key derivation function makes of it.
    ///
    /// Whatever can be refused is refused before KMS is asked.
    fn agree(
        &self,
        own: &Object,
        peer: impl FnOnce(&EcPublicKey) -> Result<PublicKey>,
        x963: Option<(Hash, &[u8])>,
        template: &Template<'_>,
    ) -> Result<Value> {
        let Object::Kms(own) = own else {
            return Err(CKR_KEY_TYPE_INCONSISTENT.into());
        };
        let Some(PublicKey::Ec(public)) = &own.material.public else {
            return Err(CKR_KEY_TYPE_INCONSISTENT.into());
        };
        let peer = peer(public)?;
        let field_len = public.curve().field_len();
        let len = match x963 {
            None => secret::len_of(template, field_len)?,
            Some(_) => required_len(template)?,
        };
        let shared = self
            .token
            .derive_shared_secret(own, peer.spki(), field_len)?;
        match x963 {
            // The leading end is what is cut off (PKCS#11 6.3.21).
            None => Ok(Zeroizing::new(shared[field_len - len..].to_vec())),
            Some((hash, shared_info)) => {
                kdf::x963(hash, &shared, shared_info, len).map_err(|error| refused_len(&error))
            }
        }
    }

    /// The bytes of the salt, wiped in the end: they may be a key's.
    fn salt(&self, mechanism: Mechanism<'_>, salt: Salt<'_>) -> Result<Value> {
        let bytes = match salt {
            Salt::Data(salt) => salt.to_vec(),
            Salt::Key(handle) => {
                let key = self.key(handle, mechanism, Use::Derive)?;
                secret_of(&key)?.to_vec()
            }
        };
        Ok(Zeroizing::new(bytes))
    }
}

fn hkdf(
    hash: Hash,
    salt: Option<&[u8]>,
    base: &[u8],
    expand: Option<&[u8]>,
    template: &Template<'_>,
) -> Result<Value> {
    let pseudorandom = match salt {
        Some(salt) => kdf::hkdf_extract(hash, salt, base),
        None => Zeroizing::new(base.to_vec()),
    };
    let Some(info) = expand else {
        return Ok(pseudorandom);
    };
    let len = required_len(template)?;
    kdf::hkdf_expand(hash, &pseudorandom, info, len).map_err(|error| match error {
        kdf::DeriveError::ShortKey { .. } => Error::new(CKR_KEY_SIZE_RANGE, error.to_string()),
        kdf::DeriveError::TooLong { .. } => refused_len(&error),
    })
}

/// The bytes of a secret key of this process.
fn secret_of(key: &Object) -> Result<&[u8]> {
    key.secret().ok_or_else(|| {
        Error::new(
            CKR_KEY_TYPE_INCONSISTENT,
            format!("{key}: keys are derived from secret keys of this process alone"),
        )
    })
}

/// The length that a template has to name, since the mechanism makes keys of any.
fn required_len(template: &Template<'_>) -> Result<usize> {
    secret::wanted_len(template)?.ok_or_else(|| {
        Error::new(
            CKR_TEMPLATE_INCOMPLETE,
            "CKA_VALUE_LEN: the mechanism makes keys of any length",
        )
    })
}

fn refused_len(error: &kdf::DeriveError) -> Error {
    Error::new(CKR_TEMPLATE_INCONSISTENT, format!("CKA_VALUE_LEN: {error}"))
}

/// The peer's key of an ECDH parameter: the uncompressed point as it is, or in the OCTET STRING of
/// CKA_EC_POINT.
fn peer_key(own: &EcPublicKey, encoded: &[u8]) -> std::result::Result<PublicKey, &'static str> {
    let curve = own.curve();
    let point = match encoded {
        [0x04, point @ ..] if point.len() == 2 * curve.field_len() => encoded,
        [0x02 | 0x03, x @ ..] if x.len() == curve.field_len() => {
            return Err("the module takes no compressed points: hand in 04, x and y");
        }
        _ => curve::point_in_octet_string(encoded)
            .ok_or("pPublicData is no uncompressed point on the key's curve")?,
    };
    PublicKey::from_ec(curve, point).map_err(|_| "pPublicData is no point on the key's curve")
}
