//! What a token asks KMS to do with a key, and the tags it writes.

use std::sync::Arc;

use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::{Renaming, Token};
use crate::config::RandomSource;
use crate::crypto::random;
use crate::error::{Error, Result};
use crate::kms::{
    EncryptionAlgorithm, EncryptionContext, KeyEntry, KmsError, KmsErrorKind, MacAlgorithm, Phase,
    Tags,
};
use crate::mechanism::signature::Prepared;
use crate::object::spec::HmacFacts;
use crate::object::template::Template;
use crate::object::{Key, KmsObject, attributes};

impl Token {
    /// Signs; the answer is in KMS's encoding.
    pub(crate) fn sign(&self, key: &Arc<Key>, prepared: &Prepared) -> Result<Vec<u8>> {
        self.kms
            .sign(
                &key.entry,
                prepared.algorithm,
                prepared.message_type,
                &prepared.message,
            )
            .map_err(|error| self.failed(&key.entry, error, Phase::Sign))
    }

    /// The MAC of a message under an HMAC key.
    pub(crate) fn generate_mac(&self, key: &KmsObject, message: &[u8]) -> Result<Vec<u8>> {
        let entry = &key.key.entry;
        self.kms
            .generate_mac(entry, mac_algorithm(key)?, message)
            .map_err(|error| self.failed(entry, error, Phase::Sign))
    }

    /// Has KMS compare a whole MAC.
    pub(crate) fn verify_mac(&self, key: &KmsObject, message: &[u8], mac: &[u8]) -> Result<()> {
        let entry = &key.key.entry;
        self.kms
            .verify_mac(entry, mac_algorithm(key)?, message, mac)
            .map_err(|error| self.failed(entry, error, Phase::Verify))
    }

    /// Decrypts an RSAES-OAEP ciphertext.
    pub(crate) fn decrypt(
        &self,
        key: &Arc<Key>,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.kms
            .decrypt(&key.entry, algorithm, ciphertext, &EncryptionContext::new())
            .map_err(|error| self.failed(&key.entry, error, Phase::Decrypt))
    }

    /// Decrypts a secret key that was wrapped with RSAES-OAEP.
    pub(crate) fn unwrap(
        &self,
        key: &Arc<Key>,
        algorithm: EncryptionAlgorithm,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.kms
            .decrypt(&key.entry, algorithm, wrapped, &EncryptionContext::new())
            .map_err(|error| self.failed(&key.entry, error, Phase::Unwrap))
    }

    /// The x coordinate that a private key and a peer's public key, DER of its
    /// `SubjectPublicKeyInfo`, agree on; `len` bytes, which is the length of the curve's field.
    pub(crate) fn derive_shared_secret(
        &self,
        key: &KmsObject,
        peer_spki: &[u8],
        len: usize,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let entry = &key.key.entry;
        let shared = self
            .kms
            .derive_shared_secret(entry, peer_spki)
            .map_err(|error| self.failed(entry, error, Phase::Derive))?;
        if shared.len() != len {
            return Err(Error::new(
                CKR_DEVICE_ERROR,
                format!("KMS answered a shared secret of {} bytes", shared.len()),
            ));
        }
        Ok(shared)
    }

    /// The secret in an ML-KEM ciphertext.
    pub(crate) fn decapsulate(
        &self,
        key: &Arc<Key>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        self.kms
            .decapsulate(&key.entry, ciphertext)
            .map_err(|error| self.failed(&key.entry, error, Phase::Unwrap))
    }

    /// Fills `out` from the source that the configuration names.
    pub(crate) fn random(&self, out: &mut [u8]) -> Result<()> {
        match self.config.random {
            RandomSource::Kms => self
                .kms
                .random(out)
                .map_err(|error| error.into_error(Phase::Random)),
            RandomSource::Local => random::fill(out)
                .map_err(|_| Error::new(CKR_FUNCTION_FAILED, "the local random generator failed")),
        }
    }

    /// Rewrites an object's CKA_ID and CKA_LABEL: the only attributes of a KMS key that can change.
    pub(crate) fn set_attributes(&self, object: &KmsObject, template: &Template<'_>) -> Result<()> {
        let mut renaming = Renaming::default();
        for attribute in template.iter() {
            match attribute.type_ {
                CKA_ID => renaming.id = Some(attribute.value.to_vec()),
                CKA_LABEL => renaming.label = Some(attribute.value.to_vec()),
                other if attributes::exists(other, object.part) => {
                    return Err(Error::new(
                        CKR_ATTRIBUTE_READ_ONLY,
                        format!("{} of a KMS key cannot be changed", attributes::name(other)),
                    ));
                }
                other => {
                    return Err(Error::new(
                        CKR_ATTRIBUTE_TYPE_INVALID,
                        format!("the object has no {}", attributes::name(other)),
                    ));
                }
            }
        }
        let tags = renaming.to_tags(object.part)?;
        template.check_no_contradiction()?;
        if tags.is_empty() {
            return Ok(());
        }
        self.write_tags(&object.key.entry, tags, Phase::SetAttribute)
    }

    /// Sets tags of a key.
    pub(super) fn write_tags(&self, key: &KeyEntry, tags: Tags, phase: Phase) -> Result<()> {
        self.check_login()?;
        self.try_write_tags(key, tags)
            .map_err(|error| self.failed(key, error, phase))
    }

    /// The same, for a caller that can do without.
    pub(super) fn try_write_tags(
        &self,
        key: &KeyEntry,
        mut tags: Tags,
    ) -> std::result::Result<(), KmsError> {
        // Written again as they are, since a policy may allow only requests that carry them.
        tags.extend(self.config.tags().clone());
        self.elsewhere(key, |replica| self.kms.tag(replica, &tags))?;
        self.kms.tag(key, &tags)?;
        self.view.change(|inventory| inventory.tagged(key, tags));
        Ok(())
    }

    /// Whether signatures of KMS are verified before they are handed out.
    pub(crate) fn verifies_signatures(&self) -> bool {
        self.config.verify_signatures
    }

    /// Takes notice of an answer that does not fit what is known of the key, which may be what is wrong: it is
    /// read anew by the next use.
    pub(crate) fn distrust(&self, key: &Key, answer: &dyn std::fmt::Display) -> Error {
        let entry = &key.entry;
        self.view
            .change(|inventory| inventory.forget_material(entry));
        Error::new(
            CKR_DEVICE_ERROR,
            format!(
                "KMS answered {answer}; it is not handed out (key {})",
                entry.arn
            ),
        )
    }

    /// Takes notice of a failure that says something about the key's state.
    pub(super) fn failed(&self, key: &KeyEntry, error: KmsError, phase: Phase) -> Error {
        if matches!(
            error.kind,
            KmsErrorKind::Disabled | KmsErrorKind::InvalidState | KmsErrorKind::NotFound
        ) {
            self.materials.forget_failure(key);
            self.view.change(|inventory| inventory.forget_material(key));
        }
        error.into_error(phase)
    }
}

/// The one algorithm of an HMAC key.
fn mac_algorithm(key: &KmsObject) -> Result<MacAlgorithm> {
    HmacFacts::of_spec(key.material.spec)
        .map(|facts| facts.algorithm)
        .ok_or_else(|| CKR_KEY_TYPE_INCONSISTENT.into())
}
