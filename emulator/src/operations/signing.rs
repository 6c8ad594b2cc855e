//! `Sign`, `Verify`.

use aws_lc_rs::digest::{self, SHA512, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, MESSAGE_LEN, stop_at_dry_run};
use crate::algorithm::MessageType::{Digest, ExternalMu, Raw};
use crate::algorithm::{
    MESSAGE_TYPES, MessageType, SIGNING_NAMES, Signable, SignatureScheme as Scheme,
    SigningAlgorithm,
};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::KeyCore;
use crate::service::Service;
use crate::spec::KeyUsage;

pub(super) fn sign(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = SignatureRequest::read(&mut input)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::SignVerify, "Sign")?;
    let algorithm = request.algorithm(&core)?;
    let message = request.signable(algorithm)?;
    stop_at_dry_run(dry_run)?;
    let signature = material.sign(algorithm, &message)?;
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
    let message = request.signable(algorithm)?;
    stop_at_dry_run(dry_run)?;
    if !material.verifies(algorithm, &message, &signature) {
        return Err(ApiError::bare("KMSInvalidSignatureException"));
    }
    Ok(json!({
        "KeyId": core.arn,
        "SignatureValid": true,
        "SigningAlgorithm": algorithm.name,
    }))
}

/// What both have in common.
#[derive(Debug)]
struct SignatureRequest {
    key_id: String,
    message: Vec<u8>,
    message_type: MessageType,
    algorithm: String,
}

impl SignatureRequest {
    fn read(input: &mut Input) -> ApiResult<Self> {
        let message_type = input.one_of("MessageType", &MESSAGE_TYPES)?;
        let message_type = message_type.as_deref().and_then(MessageType::by_name);
        Ok(Self {
            key_id: input.required_text("KeyId", KEY_ID_LEN)?,
            message: input.required_blob("Message", MESSAGE_LEN, Shown::No)?,
            // An unknown one was reported.
            message_type: message_type.unwrap_or(Raw),
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

    /// The message as the algorithm signs it, where it takes messages of this type and length.
    fn signable(&self, algorithm: &SigningAlgorithm) -> ApiResult<Signable<'_>> {
        let message = &*self.message;
        let signable = match (algorithm.scheme, self.message_type) {
            (Scheme::Rsa { digest: hash, .. } | Scheme::Ecdsa { digest: hash }, Raw) => {
                Some(Signable::Digest(digest(hash, message)))
            }
            (Scheme::Rsa { digest: hash, .. } | Scheme::Ecdsa { digest: hash }, Digest) => {
                import_digest(hash, message).map(Signable::Digest)
            }
            (Scheme::Ed25519 | Scheme::MlDsa, Raw) => Some(Signable::Message(message)),
            (Scheme::Ed25519Prehashed, Digest) => {
                import_digest(&SHA512, message).map(|_| Signable::Message(message))
            }
            (Scheme::MlDsa, ExternalMu) => message.try_into().ok().map(Signable::Mu),
            (Scheme::Ed25519 | Scheme::MlDsa, Digest)
            | (Scheme::Ed25519Prehashed, Raw)
            | (_, ExternalMu) => {
                let (name, kind) = (algorithm.name, self.message_type.name());
                return Err(ApiError::validation(format!(
                    "MessageType {kind} is not valid for algorithm {name}."
                )));
            }
        };
        signable.ok_or_else(|| {
            ApiError::validation(format!(
                "Digest is invalid length for algorithm {}.",
                algorithm.name
            ))
        })
    }
}

/// Nothing when the digest has another length.
fn import_digest(hash: &'static digest::Algorithm, digest: &[u8]) -> Option<digest::Digest> {
    digest::Digest::import_less_safe(digest, hash).ok()
}
