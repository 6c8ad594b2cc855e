//! RSA AES key wrap: an AES key made for it alone under RSAES-OAEP, and the key to wrap under that with
//! KWP.
//!
//! Source: PKCS#11 3.2, 6.1.22 (`CKM_RSA_AES_KEY_WRAP`); it is what KMS calls `RSA_AES_KEY_WRAP_SHA_256`.

use zeroize::Zeroizing;

use super::aes::wrap::{self, Form};
use super::aes::{AesKey, CipherError, Output};
use super::oaep::{self, EncryptError};
use super::{Hash, RsaPublicKey, random};

/// The bytes of the AES key where nobody asks for another length.
pub(crate) const AES_KEY_LEN: usize = 32;

/// Why a key was not wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WrapError {
    #[error(transparent)]
    Aes(#[from] CipherError),
    #[error(transparent)]
    Rsa(#[from] EncryptError),
    #[error("the local random generator failed")]
    Random,
}

/// The key wrapped under an AES key of `aes_len` bytes: [`wrapped_len`] bytes.
pub(crate) fn wrap(
    key: &RsaPublicKey,
    hash: Hash,
    aes_len: usize,
    plaintext: &[u8],
) -> Result<Vec<u8>, WrapError> {
    let mut aes_key = Zeroizing::new(vec![0; aes_len]);
    random::fill(&mut aes_key).map_err(|_| WrapError::Random)?;
    let wrapped = wrap::wrap(&AesKey::new(&aes_key)?, Form::Kwp, plaintext)?;
    Ok([oaep::encrypt(key, hash, &aes_key)?, wrapped.to_vec()].concat())
}

/// The length of `len` bytes wrapped; `None` for a length that is not wrapped.
pub(crate) fn wrapped_len(modulus_len: usize, len: usize) -> Option<usize> {
    Form::Kwp.wrapped_len(len).map(|len| modulus_len + len)
}

/// What was wrapped under the AES key that was under RSA.
pub(crate) fn unwrap(aes_key: &[u8], wrapped: &[u8]) -> Result<Output, CipherError> {
    wrap::unwrap(&AesKey::new(aes_key)?, Form::Kwp, wrapped)
}
