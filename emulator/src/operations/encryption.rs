//! `Encrypt`, `Decrypt`, `ReEncrypt`.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, MESSAGE_LEN, stop_at_dry_run};
use crate::algorithm::{ENCRYPTION_NAMES, EncryptionAlgorithm, EncryptionScheme};
use crate::ciphertext::{self, Blob, Context};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::KeyCore;
use crate::service::Service;
use crate::spec::{KeyUsage, SYMMETRIC_DEFAULT};

pub(super) fn encrypt(service: &Service, mut input: Input) -> ApiResult<Value> {
    let destination = Destination::read(&mut input, "")?;
    let plaintext = input.required_blob("Plaintext", MESSAGE_LEN, Shown::No)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let encrypted = destination.encrypt(service, "Encrypt", &plaintext)?;
    stop_at_dry_run(dry_run)?;
    Ok(json!({
        "CiphertextBlob": BASE64_STANDARD.encode(encrypted.ciphertext),
        "EncryptionAlgorithm": encrypted.algorithm,
        "KeyId": encrypted.core.arn,
    }))
}

pub(super) fn decrypt(service: &Service, mut input: Input) -> ApiResult<Value> {
    let source = Source::read(&mut input, "")?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let decrypted = source.decrypt(service, "Decrypt")?;
    stop_at_dry_run(dry_run)?;
    let mut answer = json!({
        "EncryptionAlgorithm": decrypted.algorithm,
        "KeyId": decrypted.core.arn,
        "Plaintext": BASE64_STANDARD.encode(decrypted.plaintext),
    });
    name_material(&mut answer, "KeyMaterialId", &decrypted.core);
    Ok(answer)
}

pub(super) fn re_encrypt(service: &Service, mut input: Input) -> ApiResult<Value> {
    let source = Source::read(&mut input, "Source")?;
    let destination = Destination::read(&mut input, "Destination")?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let decrypted = source.decrypt(service, "ReEncrypt")?;
    let encrypted = destination.encrypt(service, "ReEncrypt", &decrypted.plaintext)?;
    stop_at_dry_run(dry_run)?;
    let mut answer = json!({
        "CiphertextBlob": BASE64_STANDARD.encode(encrypted.ciphertext),
        "DestinationEncryptionAlgorithm": encrypted.algorithm,
        "KeyId": encrypted.core.arn,
        "SourceEncryptionAlgorithm": decrypted.algorithm,
        "SourceKeyId": decrypted.core.arn,
    });
    name_material(&mut answer, "SourceKeyMaterialId", &decrypted.core);
    name_material(&mut answer, "DestinationKeyMaterialId", &encrypted.core);
    Ok(answer)
}

/// What is to be decrypted, and how.
#[derive(Debug)]
struct Source {
    ciphertext: Vec<u8>,
    key_id: Option<String>,
    algorithm: Option<String>,
    context: Context,
}

#[derive(Debug)]
struct Decrypted {
    core: Arc<KeyCore>,
    algorithm: &'static str,
    plaintext: Vec<u8>,
}

impl Source {
    /// The members that begin with `prefix`, and the ciphertext.
    fn read(input: &mut Input, prefix: &str) -> ApiResult<Self> {
        Ok(Self {
            ciphertext: input.required_blob("CiphertextBlob", CIPHERTEXT_LEN, Shown::Yes)?,
            key_id: input.text(&format!("{prefix}KeyId"), KEY_ID_LEN)?,
            algorithm: input.one_of(&format!("{prefix}EncryptionAlgorithm"), &ENCRYPTION_NAMES)?,
            context: input.string_map(&format!("{prefix}EncryptionContext"))?,
        })
    }

    fn decrypt(&self, service: &Service, operation: &str) -> ApiResult<Decrypted> {
        match self.algorithm.as_deref() {
            None | Some(SYMMETRIC_DEFAULT) => self.decrypt_symmetric(service, operation),
            Some(name) => self.decrypt_asymmetric(service, operation, name),
        }
    }

    /// The key is the one that the blob names; a key in the request must be the same.
    fn decrypt_symmetric(&self, service: &Service, operation: &str) -> ApiResult<Decrypted> {
        let named = self
            .key_id
            .as_deref()
            .map(|key_id| service.enabled_key(key_id))
            .transpose()?;
        let blob = Blob::read(&self.ciphertext).ok_or_else(invalid_ciphertext)?;
        if named.is_some_and(|named| named.id != blob.key_id) {
            return Err(ApiError::incorrect_key(
                "The key ID in the request does not identify a CMK that can perform this operation.",
            ));
        }
        let core = service.enabled_key(blob.key_id)?;
        core.material_for(KeyUsage::EncryptDecrypt, operation)?;
        let plaintext = core
            .generations()
            .filter_map(|core| core.material.as_ref())
            .find_map(|material| blob.open(material, &self.context))
            .ok_or_else(invalid_ciphertext)?;
        Ok(Decrypted {
            core,
            algorithm: SYMMETRIC_DEFAULT,
            plaintext,
        })
    }

    fn decrypt_asymmetric(
        &self,
        service: &Service,
        operation: &str,
        name: &str,
    ) -> ApiResult<Decrypted> {
        let Some(key_id) = &self.key_id else {
            return Err(ApiError::validation(
                "KeyId is required for asymmetric decryption.",
            ));
        };
        let core = service.enabled_key(key_id)?;
        let material = core.material_for(KeyUsage::EncryptDecrypt, operation)?;
        let algorithm = encryption_algorithm(&core, name)?;
        let EncryptionScheme::Oaep {
            algorithm: oaep, ..
        } = algorithm.scheme
        else {
            return Err(core.incompatible(name));
        };
        let plaintext = material
            .decrypt_oaep(oaep, &self.ciphertext)
            .ok_or_else(invalid_ciphertext)?;
        Ok(Decrypted {
            core,
            algorithm: algorithm.name,
            plaintext,
        })
    }
}

/// What encrypts a plaintext.
#[derive(Debug)]
struct Destination {
    key_id: String,
    algorithm: Option<String>,
    context: Context,
}

#[derive(Debug)]
struct Encrypted {
    core: Arc<KeyCore>,
    algorithm: &'static str,
    ciphertext: Vec<u8>,
}

impl Destination {
    /// The members that begin with `prefix`.
    fn read(input: &mut Input, prefix: &str) -> ApiResult<Self> {
        Ok(Self {
            key_id: input.required_text(&format!("{prefix}KeyId"), KEY_ID_LEN)?,
            algorithm: input.one_of(&format!("{prefix}EncryptionAlgorithm"), &ENCRYPTION_NAMES)?,
            context: input.string_map(&format!("{prefix}EncryptionContext"))?,
        })
    }

    fn encrypt(
        &self,
        service: &Service,
        operation: &str,
        plaintext: &[u8],
    ) -> ApiResult<Encrypted> {
        let core = service.enabled_key(&self.key_id)?;
        let material = core.material_for(KeyUsage::EncryptDecrypt, operation)?;
        let name = self.algorithm.as_deref().unwrap_or(SYMMETRIC_DEFAULT);
        let algorithm = encryption_algorithm(&core, name)?;
        let ciphertext = match algorithm.scheme {
            EncryptionScheme::Symmetric => {
                ciphertext::seal(&core, material, &self.context, plaintext)?
            }
            EncryptionScheme::Oaep {
                algorithm: oaep,
                hash_len,
            } => {
                let modulus_len = material.modulus_len().unwrap_or_default();
                let max = modulus_len.saturating_sub(2 * hash_len + 2);
                if plaintext.len() > max {
                    let spec = core.spec.name;
                    return Err(ApiError::validation(format!(
                        "Algorithm {name} and key spec {spec} cannot encrypt data larger than {max} bytes."
                    )));
                }
                material.encrypt_oaep(oaep, plaintext)?
            }
        };
        Ok(Encrypted {
            core,
            algorithm: algorithm.name,
            ciphertext,
        })
    }
}

fn encryption_algorithm(core: &KeyCore, name: &str) -> ApiResult<&'static EncryptionAlgorithm> {
    let mut rows = core.spec.encryption.iter();
    rows.find(|row| row.name == name)
        .ok_or_else(|| core.incompatible(name))
}

/// Adds the id of the key's material, where the key has one.
fn name_material(answer: &mut Value, member: &str, core: &KeyCore) {
    if let Some(id) = core.material_id() {
        answer[member] = id.into();
    }
}

fn invalid_ciphertext() -> ApiError {
    ApiError::bare("InvalidCiphertextException")
}
