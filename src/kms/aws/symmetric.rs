//! What KMS encrypts and decrypts. Each operation is safe to repeat.

use std::collections::HashMap;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::EncryptionAlgorithmSpec;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::cryptography::{check_algorithm, secret};
use super::listing::{bad_answer, check_key};
use super::quota::Call;
use super::request::Requests;
use crate::kms::{DataKey, EncryptionAlgorithm, EncryptionContext, KeyEntry, KmsError, Move};

impl Requests {
    pub(super) async fn encrypt(
        &self,
        key: &KeyEntry,
        plaintext: &[u8],
        context: EncryptionContext,
        deadline: Instant,
    ) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "Encrypt";
        let asked = EncryptionAlgorithmSpec::SymmetricDefault;
        let context = wire_context(context);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .encrypt()
                    .key_id(&key.arn)
                    .encryption_algorithm(asked.clone())
                    .set_encryption_context(context.clone())
                    .plaintext(Blob::new(plaintext))
                    .send()
            })
            .await?;
        check_key(OPERATION, key, answer.key_id())?;
        check_algorithm(OPERATION, key, &asked, answer.encryption_algorithm())?;
        ciphertext(OPERATION, key, answer.ciphertext_blob)
    }

    pub(super) async fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: Vec<u8>,
        context: EncryptionContext,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        const OPERATION: &str = "Decrypt";
        let asked = EncryptionAlgorithmSpec::from(algorithm.as_wire());
        let ciphertext = Blob::new(ciphertext);
        let context = wire_context(context);
        let answer = self
            .ask_about(Call::decrypt(algorithm), &key.arn, deadline, |client| {
                client
                    .decrypt()
                    .key_id(&key.arn)
                    .encryption_algorithm(asked.clone())
                    .set_encryption_context(context.clone())
                    .ciphertext_blob(ciphertext.clone())
                    .send()
            })
            .await?;
        let (key_id, used) = (answer.key_id, answer.encryption_algorithm);
        // An empty plaintext is one.
        let plaintext = answer.plaintext.map(secret);
        check_key(OPERATION, key, key_id.as_deref())?;
        check_algorithm(OPERATION, key, &asked, used.as_ref())?;
        plaintext.ok_or_else(|| bad_answer(OPERATION, Some(&key.arn), "no plaintext"))
    }

    pub(super) async fn generate_data_key(
        &self,
        key: &KeyEntry,
        len: usize,
        context: EncryptionContext,
        deadline: Instant,
    ) -> Result<DataKey, KmsError> {
        const OPERATION: &str = "GenerateDataKey";
        // At most 1024.
        let wanted = i32::try_from(len).unwrap_or(i32::MAX);
        let context = wire_context(context);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .generate_data_key()
                    .key_id(&key.arn)
                    .number_of_bytes(wanted)
                    .set_encryption_context(context.clone())
                    .send()
            })
            .await?;
        let (key_id, encrypted) = (answer.key_id, answer.ciphertext_blob);
        let plaintext = answer.plaintext.map(secret);
        check_key(OPERATION, key, key_id.as_deref())?;
        let plaintext = plaintext
            .filter(|plaintext| plaintext.len() == len)
            .ok_or_else(|| {
                bad_answer(OPERATION, Some(&key.arn), "not as many bytes as asked for")
            })?;
        Ok(DataKey {
            plaintext,
            ciphertext: ciphertext(OPERATION, key, encrypted)?,
        })
    }

    pub(super) async fn re_encrypt(
        &self,
        request: Move,
        deadline: Instant,
    ) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "ReEncrypt";
        let asked = EncryptionAlgorithmSpec::SymmetricDefault;
        let key = &request.destination;
        let source = request.source.as_ref();
        let blob = Blob::new(request.ciphertext);
        let source_context = wire_context(request.source_context);
        let context = wire_context(request.context);
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .re_encrypt()
                    .ciphertext_blob(blob.clone())
                    .set_source_key_id(source.map(|source| source.arn.clone()))
                    .source_encryption_algorithm(asked.clone())
                    .set_source_encryption_context(source_context.clone())
                    .destination_key_id(&key.arn)
                    .destination_encryption_algorithm(asked.clone())
                    .set_destination_encryption_context(context.clone())
                    .send()
            })
            .await?;
        check_key(OPERATION, key, answer.key_id())?;
        if let Some(source) = source {
            check_key(OPERATION, source, answer.source_key_id())?;
        }
        let used = answer.destination_encryption_algorithm();
        check_algorithm(OPERATION, key, &asked, used)?;
        ciphertext(OPERATION, key, answer.ciphertext_blob)
    }
}

/// No context is left out of the request.
fn wire_context(context: EncryptionContext) -> Option<HashMap<String, String>> {
    Some(context)
        .filter(|context| !context.is_empty())
        .map(|context| context.into_iter().collect())
}

fn ciphertext(
    operation: &'static str,
    key: &KeyEntry,
    answered: Option<Blob>,
) -> Result<Vec<u8>, KmsError> {
    match answered {
        Some(blob) if !blob.as_ref().is_empty() => Ok(blob.into_inner()),
        _ => Err(bad_answer(operation, Some(&key.arn), "no ciphertext")),
    }
}
