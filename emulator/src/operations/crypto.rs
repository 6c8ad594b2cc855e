//! Sign, Verify, Encrypt, Decrypt.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, MESSAGE_LEN, stop_at_dry_run};
use crate::algorithm::{
    ENCRYPTION_NAMES, EncryptionAlgorithm, EncryptionScheme, SIGNING_NAMES, SigningAlgorithm,
};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::KeyCore;
use crate::service::Service;
use crate::spec::{KeyUsage, SYMMETRIC_DEFAULT};

const MESSAGE_TYPES: [&str; 2] = ["RAW", "DIGEST"];

pub(super) fn sign(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = SignatureRequest::read(&mut input)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::SignVerify, "Sign")?;
    let algorithm = request.algorithm(&core)?;
    let digest = request.digest(algorithm)?;
    stop_at_dry_run(dry_run)?;
    let signature = material.sign(algorithm, &digest)?;
    Ok(json!({
        "KeyId": core.arn,
        "Signature": BASE64_STANDARD.encode(signature),
        "SigningAlgorithm": algorithm.name,
    }))
}

pub(super) fn verify(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = SignatureRequest::read(&mut input)?;
    let signature = input.required_blob("Signature", CIPHERTEXT_LEN, Shown::Yes)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::SignVerify, "Verify")?;
    let algorithm = request.algorithm(&core)?;
    let digest = request.digest(algorithm)?;
    stop_at_dry_run(dry_run)?;
    if !material.verifies(core.spec, algorithm, &digest, &signature) {
        return Err(ApiError::bare("KMSInvalidSignatureException"));
    }
    Ok(json!({
        "KeyId": core.arn,
        "SignatureValid": true,
        "SigningAlgorithm": algorithm.name,
    }))
}

pub(super) fn encrypt(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let plaintext = input.required_blob("Plaintext", MESSAGE_LEN, Shown::No)?;
    let name = input.one_of("EncryptionAlgorithm", &ENCRYPTION_NAMES)?;
    let context = input.string_map("EncryptionContext")?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let core = service.enabled_key(&key_id)?;
    let material = core.material_for(KeyUsage::EncryptDecrypt, "Encrypt")?;
    let algorithm = encryption_algorithm(&core, name.as_deref())?;
    let ciphertext = match algorithm.scheme {
        EncryptionScheme::Symmetric => {
            stop_at_dry_run(dry_run)?;
            let header = Blob::header(&core.id);
            [
                &*header,
                &material.seal(&associated(&header, &context), &plaintext)?,
            ]
            .concat()
        }
        EncryptionScheme::Oaep {
            algorithm: oaep,
            hash_len,
        } => {
            let modulus_len = material.modulus_len().unwrap_or_default();
            let max = modulus_len.saturating_sub(2 * hash_len + 2);
            if plaintext.len() > max {
                let (name, spec) = (algorithm.name, core.spec.name);
                return Err(ApiError::validation(format!(
                    "Algorithm {name} and key spec {spec} cannot encrypt data larger than {max} bytes."
                )));
            }
            stop_at_dry_run(dry_run)?;
            material.encrypt_oaep(oaep, &plaintext)?
        }
    };
    Ok(json!({
        "CiphertextBlob": BASE64_STANDARD.encode(ciphertext),
        "EncryptionAlgorithm": algorithm.name,
        "KeyId": core.arn,
    }))
}

pub(super) fn decrypt(service: &Service, mut input: Input) -> ApiResult<Value> {
    let ciphertext = input.required_blob("CiphertextBlob", CIPHERTEXT_LEN, Shown::Yes)?;
    let key_id = input.text("KeyId", KEY_ID_LEN)?;
    let name = input.one_of("EncryptionAlgorithm", &ENCRYPTION_NAMES)?;
    let context = input.string_map("EncryptionContext")?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let request = DecryptRequest {
        ciphertext,
        key_id,
        context,
        dry_run,
    };
    match name.as_deref() {
        None | Some(SYMMETRIC_DEFAULT) => decrypt_symmetric(service, &request),
        Some(name) => decrypt_asymmetric(service, &request, name),
    }
}

/// What Sign and Verify have in common.
#[derive(Debug)]
struct SignatureRequest {
    key_id: String,
    message: Vec<u8>,
    is_digest: bool,
    algorithm: String,
}

impl SignatureRequest {
    fn read(input: &mut Input) -> ApiResult<Self> {
        Ok(Self {
            key_id: input.required_text("KeyId", KEY_ID_LEN)?,
            message: input.required_blob("Message", MESSAGE_LEN, Shown::No)?,
            is_digest: input.one_of("MessageType", &MESSAGE_TYPES)?.as_deref() == Some("DIGEST"),
            algorithm: input.required_one_of("SigningAlgorithm", &SIGNING_NAMES)?,
        })
    }

    fn algorithm(&self, core: &KeyCore) -> ApiResult<&'static SigningAlgorithm> {
        let found = core
            .spec
            .signing
            .iter()
            .find(|row| row.name == self.algorithm);
        found.ok_or_else(|| core.incompatible(&self.algorithm))
    }

    fn digest(&self, algorithm: &SigningAlgorithm) -> ApiResult<Digest> {
        if !self.is_digest {
            return Ok(digest(algorithm.digest, &self.message));
        }
        Digest::import_less_safe(&self.message, algorithm.digest).map_err(|_| {
            ApiError::validation(format!(
                "Digest is invalid length for algorithm {}.",
                algorithm.name
            ))
        })
    }
}

#[derive(Debug)]
struct DecryptRequest {
    ciphertext: Vec<u8>,
    key_id: Option<String>,
    context: BTreeMap<String, String>,
    dry_run: bool,
}

/// The key is the one that the blob names; a key in the request must be the same.
fn decrypt_symmetric(service: &Service, request: &DecryptRequest) -> ApiResult<Value> {
    let invalid = || ApiError::bare("InvalidCiphertextException");
    let named = request
        .key_id
        .as_deref()
        .map(|key_id| service.enabled_key(key_id))
        .transpose()?;
    let blob = Blob::read(&request.ciphertext).ok_or_else(invalid)?;
    if named.is_some_and(|named| named.id != blob.key_id) {
        return Err(ApiError::incorrect_key(
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ));
    }
    let core = service.enabled_key(blob.key_id)?;
    let material = core.material_for(KeyUsage::EncryptDecrypt, "Decrypt")?;
    let associated = associated(blob.header, &request.context);
    let plaintext = material
        .open(&associated, blob.sealed)
        .ok_or_else(invalid)?;
    stop_at_dry_run(request.dry_run)?;
    Ok(json!({
        "EncryptionAlgorithm": SYMMETRIC_DEFAULT,
        "KeyId": core.arn,
        "KeyMaterialId": core.material_id(),
        "Plaintext": BASE64_STANDARD.encode(plaintext),
    }))
}

fn decrypt_asymmetric(service: &Service, request: &DecryptRequest, name: &str) -> ApiResult<Value> {
    let Some(key_id) = &request.key_id else {
        return Err(ApiError::validation(
            "KeyId is required for asymmetric decryption.",
        ));
    };
    let core = service.enabled_key(key_id)?;
    let material = core.material_for(KeyUsage::EncryptDecrypt, "Decrypt")?;
    let algorithm = encryption_algorithm(&core, Some(name))?;
    let EncryptionScheme::Oaep {
        algorithm: oaep, ..
    } = algorithm.scheme
    else {
        return Err(core.incompatible(name));
    };
    let plaintext = material
        .decrypt_oaep(oaep, &request.ciphertext)
        .ok_or_else(|| ApiError::bare("InvalidCiphertextException"))?;
    stop_at_dry_run(request.dry_run)?;
    Ok(json!({
        "EncryptionAlgorithm": algorithm.name,
        "KeyId": core.arn,
        "Plaintext": BASE64_STANDARD.encode(plaintext),
    }))
}

fn encryption_algorithm(
    core: &KeyCore,
    name: Option<&str>,
) -> ApiResult<&'static EncryptionAlgorithm> {
    let name = name.unwrap_or(SYMMETRIC_DEFAULT);
    core.spec
        .encryption
        .iter()
        .find(|row| row.name == name)
        .ok_or_else(|| core.incompatible(name))
}

/// The ciphertext of a symmetric key: version, length of the key id, key id, sealed plaintext.
#[derive(Debug)]
struct Blob<'a> {
    header: &'a [u8],
    key_id: &'a str,
    sealed: &'a [u8],
}

impl<'a> Blob<'a> {
    const VERSION: u8 = 1;

    fn header(key_id: &str) -> Vec<u8> {
        // A key id is a UUID or `mrk-` and 32 digits: 36 characters either way.
        let len = u8::try_from(key_id.len()).unwrap_or(u8::MAX);
        [&[Self::VERSION, len], key_id.as_bytes()].concat()
    }

    fn read(blob: &'a [u8]) -> Option<Self> {
        let [Self::VERSION, len, ..] = blob else {
            return None;
        };
        let (header, sealed) = blob.split_at_checked(2 + usize::from(*len))?;
        let key_id = std::str::from_utf8(&header[2..]).ok()?;
        Some(Self {
            header,
            key_id,
            sealed,
        })
    }
}

/// What a symmetric ciphertext is bound to: its header and the encryption context.
fn associated(header: &[u8], context: &BTreeMap<String, String>) -> Vec<u8> {
    let pair = |(key, value): (&String, &String)| {
        [key, value]
            .into_iter()
            .flat_map(|part| {
                let len = part.len() as u64;
                len.to_be_bytes()
                    .into_iter()
                    .chain(part.bytes())
                    .collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    header
        .iter()
        .copied()
        .chain(context.iter().flat_map(pair))
        .collect()
}
