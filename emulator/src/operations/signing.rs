//! `Sign`, `Verify`.

use aws_lc_rs::digest::{Digest, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, MESSAGE_LEN, stop_at_dry_run};
use crate::algorithm::{SIGNING_NAMES, SigningAlgorithm};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::KeyCore;
use crate::service::Service;
use crate::spec::KeyUsage;

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

/// What both have in common.
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
