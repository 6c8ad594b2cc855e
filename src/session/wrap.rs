//! C_WrapKey and C_UnwrapKey: the secret keys of sessions, under AES keys of sessions, under RSA keys or
//! under symmetric keys of KMS. The latter cost one request, Encrypt or Decrypt; RSA keys cost one Decrypt
//! to unwrap, and wrap here. A private key that is unwrapped goes into KMS, and so does a secret key that is to be on
//! the token.

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::Session;
use super::cipher::aes_key;
use super::decrypt::rsa_pair;
use super::encrypt::{encrypt_oaep, rsa_public_key};
use crate::crypto::aes::CipherError;
use crate::crypto::aes::wrap::{self, Form};
use crate::crypto::{Hash, RsaPublicKey, oaep, rsa_aes};
use crate::error::{Error, Result};
use crate::mechanism::{self, Mechanism, Use, Wrapping};
use crate::object::local::secret::{self, Origin};
use crate::object::template::Template;
use crate::object::{Body, Object};
use crate::reply::{Reply, Room};

impl Session {
    pub(crate) fn wrap_key(
        &self,
        mechanism: Mechanism<'_>,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        room: Room,
    ) -> Result<Reply> {
        let wrapping = mechanism::wrapping(mechanism)?;
        let wrapping_key = self.key(wrapping_key, mechanism, Use::Wrap)?;
        let key = self.token.object(key, Use::Wrap.phase());
        let key = key.map_err(|error| match error.rv() {
            CKR_OBJECT_HANDLE_INVALID => CKR_KEY_HANDLE_INVALID.into(),
            _ => error,
        })?;
        let value = wrappable(&key, &wrapping_key)?;
        match wrapping {
            Wrapping::Oaep(hash, _) => wrap_oaep(rsa_public_key(&wrapping_key)?, hash, value, room),
            Wrapping::Aes(form) => wrap_aes(form, &wrapping_key, value, room),
            Wrapping::Symmetric(context) => {
                self.wrap_in_kms(&wrapping_key, value, context.as_ref(), room)
            }
            Wrapping::RsaAes(aes_len, hash, _) => {
                wrap_rsa_aes(rsa_public_key(&wrapping_key)?, aes_len, hash, value, room)
            }
        }
    }

    pub(crate) fn unwrap_key(
        &self,
        mechanism: Mechanism<'_>,
        unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        let wrapping = mechanism::wrapping(mechanism)?;
        let unwrapping_key = self.key(unwrapping_key, mechanism, Use::Unwrap)?;
        if template.ulong(CKA_CLASS)? == Some(CKO_PRIVATE_KEY) {
            return self.unwrap_private(&wrapping, &unwrapping_key, wrapped, template);
        }
        let to_token = goes_into_kms(template)?;
        let wanted = if to_token {
            self.check_read_write()?;
            self.token.check_import_secret(template)?
        } else {
            secret::check(template, Origin::Unwrapped)?;
            secret::wanted_len(template)?
        };
        let value = self.unwrapped(&wrapping, &unwrapping_key, wrapped)?;
        let value = match wrapping {
            Wrapping::Aes(Form::Kw) => without_fill(value, wanted),
            _ => value,
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != value.len()) {
            let found = value.len();
            return Err(Error::new(
                CKR_WRAPPED_KEY_LEN_RANGE,
                format!("the wrapped key has {found} bytes, and one of this template has {wanted}"),
            ));
        }
        if to_token {
            return self.token.import_unwrapped_secret(template, &value);
        }
        self.add_object(secret::make(template, value, Origin::Unwrapped)?)
    }

    /// Imports the private key, which is wrapped as PKCS#8, into KMS.
    fn unwrap_private(
        &self,
        wrapping: &Wrapping,
        unwrapping_key: &Object,
        wrapped: &[u8],
        template: &Template<'_>,
    ) -> Result<CK_OBJECT_HANDLE> {
        self.check_read_write()?;
        self.token.check_import_private(template)?;
        let pkcs8 = self.unwrapped(wrapping, unwrapping_key, wrapped)?;
        self.token.import_unwrapped_private(template, &pkcs8)
    }

    /// What was wrapped, with the zeros that KW may have behind it.
    fn unwrapped(
        &self,
        wrapping: &Wrapping,
        unwrapping_key: &Object,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        match (wrapping, unwrapping_key) {
            (Wrapping::Aes(form), key) => {
                wrap::unwrap(&aes_key(key, Use::Unwrap)?, *form, wrapped).map_err(not_unwrapped)
            }
            (Wrapping::Oaep(_, algorithm), Object::Kms(key)) => {
                let modulus_len = rsa_pair(key)?.modulus_len();
                if wrapped.len() != modulus_len {
                    return Err(Error::new(
                        CKR_WRAPPED_KEY_LEN_RANGE,
                        format!(
                            "{} bytes; this key's ciphertexts have {modulus_len}",
                            wrapped.len()
                        ),
                    ));
                }
                self.token.unwrap(&key.key, *algorithm, wrapped)
            }
            (Wrapping::RsaAes(_, _, algorithm), Object::Kms(key)) => {
                let modulus_len = rsa_pair(key)?.modulus_len();
                let (aes_key, wrapped) =
                    wrapped.split_at_checked(modulus_len).ok_or_else(|| {
                        Error::new(
                            CKR_WRAPPED_KEY_LEN_RANGE,
                            format!(
                                "fewer than the {modulus_len} bytes of a ciphertext of this key"
                            ),
                        )
                    })?;
                // Before KMS is asked.
                if !Form::Kwp.is_wrapped_len(wrapped.len()) {
                    return Err(not_unwrapped(CipherError::DataLength));
                }
                let aes_key = self.token.unwrap(&key.key, *algorithm, aes_key)?;
                rsa_aes::unwrap(&aes_key, wrapped).map_err(not_unwrapped)
            }
            (Wrapping::Oaep(..) | Wrapping::RsaAes(..), _) => {
                Err(Use::Unwrap.bad_key_type("private keys are in KMS"))
            }
            (Wrapping::Symmetric(context), key) => {
                self.unwrap_in_kms(key, wrapped, context.as_ref())
            }
        }
    }
}

/// Whether a template is that of a secret key on the token. One of another class is for the session's own check to
/// refuse.
fn goes_into_kms(template: &Template<'_>) -> Result<bool> {
    let secret = matches!(template.ulong(CKA_CLASS)?, None | Some(CKO_SECRET_KEY));
    Ok(secret && template.flag(CKA_TOKEN)? == Some(true))
}

/// The bytes of a key that may leave the token under this wrapping key.
fn wrappable<'a>(key: &'a Object, wrapping_key: &Object) -> Result<&'a Zeroizing<Vec<u8>>> {
    let Object::Local(local) = key else {
        return Err(match key.key_type() {
            Some(_) if key.class() != CKO_PUBLIC_KEY => Error::new(
                CKR_KEY_UNEXTRACTABLE,
                format!("{key}: private and secret keys never leave KMS"),
            ),
            _ => not_wrappable(),
        });
    };
    let Body::SecretKey(value) = local.body() else {
        return Err(match key.key_type() {
            Some(_) => not_wrappable(),
            None => Error::new(CKR_KEY_HANDLE_INVALID, "the object is no key"),
        });
    };
    if !local.flag(CKA_EXTRACTABLE) {
        return Err(Error::new(
            CKR_KEY_UNEXTRACTABLE,
            "the key's CKA_EXTRACTABLE is CK_FALSE",
        ));
    }
    if local.flag(CKA_WRAP_WITH_TRUSTED) && !wrapping_key.read(CKA_TRUSTED).is_true() {
        return Err(Error::new(
            CKR_KEY_NOT_WRAPPABLE,
            "the key's CKA_WRAP_WITH_TRUSTED asks for a wrapping key with CKA_TRUSTED, which the token has not",
        ));
    }
    Ok(value)
}

fn not_wrappable() -> Error {
    Error::new(
        CKR_KEY_NOT_WRAPPABLE,
        "a public key is not secret: read its attributes",
    )
}

fn wrap_oaep(key: &RsaPublicKey, hash: Hash, value: &[u8], room: Room) -> Result<Reply> {
    let modulus_len = key.modulus_len();
    if value.len() > oaep::max_plaintext_len(modulus_len, hash) {
        return Err(bad_length(value.len()));
    }
    match room.refuse(modulus_len) {
        Some(length) => Ok(length),
        None => Ok(encrypt_oaep(key, hash, value)?.into()),
    }
}

fn wrap_rsa_aes(
    key: &RsaPublicKey,
    aes_len: usize,
    hash: Hash,
    value: &[u8],
    room: Room,
) -> Result<Reply> {
    let len = rsa_aes::wrapped_len(key.modulus_len(), value.len())
        .ok_or_else(|| bad_length(value.len()))?;
    if let Some(length) = room.refuse(len) {
        return Ok(length);
    }
    rsa_aes::wrap(key, hash, aes_len, value)
        .map(Reply::from)
        .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))
}

fn wrap_aes(form: Form, key: &Object, value: &[u8], room: Room) -> Result<Reply> {
    let len = form
        .wrapped_len(filled_len(form, value.len()))
        .ok_or_else(|| bad_length(value.len()))?;
    if let Some(length) = room.refuse(len) {
        return Ok(length);
    }
    let kek = aes_key(key, Use::Wrap)?;
    wrap::wrap(&kek, form, &filled(form, value))
        .map(Reply::Bytes)
        .map_err(|error| Error::new(CKR_FUNCTION_FAILED, error.to_string()))
}

fn bad_length(len: usize) -> Error {
    Error::new(
        CKR_KEY_SIZE_RANGE,
        format!("a key of {len} bytes is not of a length that the mechanism wraps"),
    )
}

/// The length of what is wrapped: KW counts in half blocks, and a key is filled up to whole ones.
fn filled_len(form: Form, len: usize) -> usize {
    match form {
        Form::Kw => len.next_multiple_of(wrap::SEMIBLOCK),
        Form::Kwp => len,
    }
}

/// The key with zeros behind it, for KW (PKCS#11 6.16.3).
fn filled(form: Form, value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut filled = Zeroizing::new(vec![0; filled_len(form, value.len())]);
    filled[..value.len()].copy_from_slice(value);
    filled
}

/// What KW wrapped, cut to the length that the template wants (PKCS#11 3.2, 6.16.3). KW does not tell
/// how many of the last bytes are filling: a template without a length takes them for the key's.
fn without_fill(value: Zeroizing<Vec<u8>>, wanted: Option<usize>) -> Zeroizing<Vec<u8>> {
    match wanted {
        Some(len) if filled_len(Form::Kw, len) == value.len() => {
            Zeroizing::new(value[..len].to_vec())
        }
        // A length that cannot be is for the caller to refuse.
        _ => value,
    }
}

fn not_unwrapped(error: CipherError) -> Error {
    let rv = match error {
        CipherError::DataLength => CKR_WRAPPED_KEY_LEN_RANGE,
        CipherError::Invalid | CipherError::KeyLength(_) => CKR_WRAPPED_KEY_INVALID,
        _ => CKR_FUNCTION_FAILED,
    };
    Error::new(rv, error.to_string())
}
