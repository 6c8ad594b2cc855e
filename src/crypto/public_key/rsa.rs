//! RSA keys, of the sizes that KMS has.

use std::fmt;

use aws_lc_rs::rsa::PublicEncryptingKey;
use der::asn1::AnyRef;

use super::SpkiError;
use crate::crypto::asn1;
use crate::crypto::verify::RsaVerifiers;

/// An RSA public key of 2048, 3072 or 4096 bits.
#[derive(Clone)]
pub(crate) struct RsaPublicKey {
    spki: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    encrypter: PublicEncryptingKey,
    verifiers: RsaVerifiers,
}

impl RsaPublicKey {
    pub(super) fn new(
        spki: &[u8],
        parameters: Option<AnyRef<'_>>,
        key: &[u8],
    ) -> Result<Self, SpkiError> {
        if parameters != Some(AnyRef::NULL) {
            return Err(SpkiError::Malformed);
        }
        let (modulus, exponent) = asn1::decode_integer_pair(key).ok_or(SpkiError::Malformed)?;
        let bits = bit_len(modulus);
        if !matches!(bits, 2048 | 3072 | 4096) {
            return Err(SpkiError::UnsupportedModulus(bits));
        }
        let encrypter = PublicEncryptingKey::from_der(spki).map_err(|_| SpkiError::Invalid)?;
        Ok(Self {
            spki: spki.to_vec(),
            modulus: modulus.to_vec(),
            exponent: exponent.to_vec(),
            encrypter,
            verifiers: RsaVerifiers::default(),
        })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// `CKA_MODULUS`: big-endian, without leading zeros.
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// `CKA_PUBLIC_EXPONENT`: big-endian, without leading zeros.
    pub(crate) fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// The length in bytes of the modulus, of a signature and of a ciphertext.
    pub(crate) fn modulus_len(&self) -> usize {
        self.modulus.len()
    }

    pub(crate) fn modulus_bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    pub(in crate::crypto) fn encrypter(&self) -> &PublicEncryptingKey {
        &self.encrypter
    }

    pub(in crate::crypto) fn verifiers(&self) -> &RsaVerifiers {
        &self.verifiers
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey")
            .field("modulus_bits", &self.modulus_bits())
            .finish_non_exhaustive()
    }
}

/// The bits of a big-endian integer without leading zero bytes.
fn bit_len(integer: &[u8]) -> usize {
    let leading_zeros = integer.first().map_or(0, |byte| byte.leading_zeros());
    integer.len() * 8 - leading_zeros as usize
}
