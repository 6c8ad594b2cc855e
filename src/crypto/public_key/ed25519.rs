//! Ed25519 keys (RFC 8032, RFC 8410).

use std::fmt;

use aws_lc_rs::signature::{ED25519, ParsedPublicKey};

use super::SpkiError;

/// An Ed25519 public key.
///
/// That its 32 bytes are a point is not checked here: if they are not, no signature verifies.
#[derive(Clone)]
pub(crate) struct Ed25519PublicKey {
    /// Ends with the raw key.
    spki: Vec<u8>,
    verifier: ParsedPublicKey,
}

impl Ed25519PublicKey {
    /// The length of a raw key in bytes.
    pub(crate) const LEN: usize = 32;
    /// The length of a signature in bytes.
    pub(crate) const SIGNATURE_LEN: usize = 64;

    pub(super) fn new(spki: &[u8], key: &[u8]) -> Result<Self, SpkiError> {
        if key.len() != Self::LEN {
            return Err(SpkiError::KeyLength(key.len()));
        }
        let verifier = ParsedPublicKey::new(&ED25519, key).map_err(|_| SpkiError::Invalid)?;
        Ok(Self {
            spki: spki.to_vec(),
            verifier,
        })
    }

    /// The key as RFC 8032 encodes it.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.spki[self.spki.len() - Self::LEN..]
    }

    /// `CKA_EC_POINT`: DER of an OCTET STRING around the raw key.
    ///
    /// PKCS#11 3.0 has the DER encoding of the key here, 3.1 and later the raw key. Every client that was
    /// looked at reads the OCTET STRING: OpenSSH, libp11, crypto11, and pkcs11-provider and pkcs11-tool,
    /// which before 1.0 and 0.27 read nothing else. It is what SoftHSM2 shows, too. Clients that read raw
    /// keys as well tell the two by their lengths, or try DER first, and then misread some raw keys. The
    /// raw key, as 3.2 has it, ends this value, and that of `CKA_PUBLIC_KEY_INFO`.
    pub(crate) fn ec_point(&self) -> Vec<u8> {
        [&[0x04, 32], self.raw()].concat()
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(in crate::crypto) fn verifier(&self) -> &ParsedPublicKey {
        &self.verifier
    }
}

impl fmt::Debug for Ed25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519PublicKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::openssl::Openssl;

    #[test]
    fn a_key_is_read_from_its_spki_and_made_of_its_bytes() {
        let openssl = Openssl::new();
        let spki = openssl.spki(&openssl.generate(&["-algorithm", "ED25519"]));
        let Ok(PublicKey::Ed25519(key)) = PublicKey::from_spki(&spki) else {
            panic!("not an Ed25519 key");
        };
        assert_eq!(key.raw(), &spki[spki.len() - 32..]);
        assert_eq!(key.ec_point(), [&[0x04, 0x20], key.raw()].concat());
        let made = PublicKey::from_ed25519(key.raw()).unwrap();
        assert_eq!(made.spki(), spki);
    }

    #[test]
    fn other_lengths_and_encodings_are_refused() {
        for length in [0, 31, 33, 34, 57] {
            let error = PublicKey::from_ed25519(&vec![1; length]).unwrap_err();
            assert_eq!(error, SpkiError::KeyLength(length));
        }
        let openssl = Openssl::new();
        let spki = openssl.spki(&openssl.generate(&["-algorithm", "ED25519"]));
        for end in 0..spki.len() {
            let error = PublicKey::from_spki(&spki[..end]).unwrap_err();
            assert_eq!(error, SpkiError::Malformed);
        }
        // NULL for parameters, in the two SEQUENCEs around it too.
        let mut with_null = [&spki[..9], &[0x05, 0x00], &spki[9..]].concat();
        with_null[1] += 2;
        with_null[3] += 2;
        let error = PublicKey::from_spki(&with_null).unwrap_err();
        assert_eq!(error, SpkiError::Malformed);
    }
}
