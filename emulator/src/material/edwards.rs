//! Ed25519, pure and prehashed (RFC 8032).

use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ed25519_dalek::{Digest as _, Sha512, Signature, SigningKey};

use super::BadMaterial;

/// A key pair in the forms of two libraries, since the one that signs everything else has no Ed25519ph.
pub(super) struct EdwardsKey {
    pure: Ed25519KeyPair,
    prehashed: SigningKey,
}

impl EdwardsKey {
    pub(super) fn generate() -> Result<Self, BadMaterial> {
        Ed25519KeyPair::generate()
            .map_err(|_| BadMaterial)
            .and_then(Self::new)
    }

    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, BadMaterial> {
        // The form without public key, which `to_pkcs8` writes, leaves nothing to check.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8)
            .map_err(|_| BadMaterial)
            .and_then(Self::new)
    }

    /// PKCS#8 v1, the version that OpenSSL 3.0 reads.
    pub(super) fn to_pkcs8(&self) -> Result<Vec<u8>, BadMaterial> {
        let document = self.pure.to_pkcs8v1().map_err(|_| BadMaterial)?;
        Ok(document.as_ref().to_vec())
    }

    /// DER of the `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, BadMaterial> {
        let public: PublicKeyX509Der<'_> =
            self.pure.public_key().as_der().map_err(|_| BadMaterial)?;
        Ok(public.as_ref().to_vec())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signature = self.pure.try_sign(message).ok()?;
        Some(signature.as_ref().to_vec())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.pure.public_key())
            .verify(message, signature)
            .is_ok()
    }

    /// Ed25519ph without context. The message is hashed here, also when it is a digest.
    pub(super) fn sign_prehashed(&self, message: &[u8]) -> Option<Vec<u8>> {
        let hashed = Sha512::new().chain_update(message);
        let signature = self.prehashed.sign_prehashed(hashed, None).ok()?;
        Some(signature.to_vec())
    }

    pub(super) fn verifies_prehashed(&self, message: &[u8], signature: &[u8]) -> bool {
        let hashed = Sha512::new().chain_update(message);
        Signature::from_slice(signature).is_ok_and(|signature| {
            self.prehashed
                .verify_prehashed(hashed, None, &signature)
                .is_ok()
        })
    }

    fn new(pure: Ed25519KeyPair) -> Result<Self, BadMaterial> {
        let seed = pure.seed().map_err(|_| BadMaterial)?;
        let seed: Curve25519SeedBin<'_> = seed.as_be_bytes().map_err(|_| BadMaterial)?;
        let prehashed = SigningKey::try_from(seed.as_ref()).map_err(|_| BadMaterial)?;
        Ok(Self { pure, prehashed })
    }
}
