//! What a token asks KMS to do with a symmetric key. A context that the caller leaves out is the one of the
//! token's configuration.

use zeroize::Zeroizing;

use super::Token;
use crate::error::Result;
use crate::kms::{DataKey, EncryptionAlgorithm, EncryptionContext, Move, Phase};
use crate::object::KmsObject;

/// What a ciphertext is bound to by whoever made or asks for it; `None` is the token's own context.
type Given<'a> = Option<&'a EncryptionContext>;

/// From which key to which a ciphertext goes.
#[derive(Clone, Debug)]
pub(crate) struct ReEncrypt {
    /// `None`: the key that the ciphertext names.
    pub(crate) source: Option<KmsObject>,
    pub(crate) source_context: Option<EncryptionContext>,
    pub(crate) destination: KmsObject,
    pub(crate) context: Option<EncryptionContext>,
}

impl Token {
    /// Encrypts 1 to 4096 bytes.
    pub(crate) fn encrypt(
        &self,
        key: &KmsObject,
        plaintext: &[u8],
        context: Given<'_>,
        phase: Phase,
    ) -> Result<Vec<u8>> {
        let entry = &key.key.entry;
        self.kms
            .encrypt(entry, plaintext, self.context(context))
            .map_err(|error| self.failed(entry, error, phase))
    }

    /// Decrypts what a symmetric key encrypted.
    pub(crate) fn decrypt_symmetric(
        &self,
        key: &KmsObject,
        ciphertext: &[u8],
        context: Given<'_>,
        phase: Phase,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let entry = &key.key.entry;
        let algorithm = EncryptionAlgorithm::SymmetricDefault;
        self.kms
            .decrypt(entry, algorithm, ciphertext, self.context(context))
            .map_err(|error| self.failed(entry, error, phase))
    }

    /// Makes a data key of 1 to 1024 bytes.
    pub(crate) fn generate_data_key(
        &self,
        key: &KmsObject,
        len: usize,
        context: Given<'_>,
    ) -> Result<DataKey> {
        let entry = &key.key.entry;
        self.kms
            .generate_data_key(entry, len, self.context(context))
            .map_err(|error| self.failed(entry, error, Phase::Wrap))
    }

    /// Encrypts anew what another key, or the same one with another context, encrypted.
    pub(crate) fn re_encrypt(&self, work: &ReEncrypt, ciphertext: &[u8]) -> Result<Vec<u8>> {
        let destination = &work.destination.key.entry;
        let request = Move {
            ciphertext: ciphertext.to_vec(),
            source: work.source.as_ref().map(|key| key.key.entry.clone()),
            source_context: self.context(work.source_context.as_ref()).clone(),
            destination: destination.clone(),
            context: self.context(work.context.as_ref()).clone(),
        };
        self.kms
            .re_encrypt(&request)
            .map_err(|error| self.failed(destination, error, Phase::Encrypt))
    }

    fn context<'a>(&'a self, given: Given<'a>) -> &'a EncryptionContext {
        given.unwrap_or(&self.config.encryption_context)
    }
}
