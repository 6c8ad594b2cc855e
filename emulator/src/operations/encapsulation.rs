//! `Encapsulate`, `Decapsulate`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, stop_at_dry_run};
use crate::algorithm::ENCAPSULATION_NAMES;
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::service::Service;
use crate::spec::KeyUsage;

pub(super) fn encapsulate(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = KemRequest::read(&mut input)?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::EncapsulateDecapsulate, "Encapsulate")?;
    stop_at_dry_run(request.dry_run)?;
    let made = material.encapsulate()?;
    Ok(json!({
        "EncapsulationAlgorithm": request.algorithm,
        "KeyId": core.arn,
        "SharedSecret": BASE64_STANDARD.encode(made.secret),
        "SharedSecretCiphertextBlob": BASE64_STANDARD.encode(made.ciphertext),
    }))
}

pub(super) fn decapsulate(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = KemRequest::read(&mut input)?;
    let ciphertext =
        input.required_blob("SharedSecretCiphertextBlob", CIPHERTEXT_LEN, Shown::Yes)?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::EncapsulateDecapsulate, "Decapsulate")?;
    let secret = material
        .decapsulate(&ciphertext)
        .ok_or_else(|| ApiError::bare("InvalidCiphertextException"))?;
    stop_at_dry_run(request.dry_run)?;
    Ok(json!({
        "EncapsulationAlgorithm": request.algorithm,
        "KeyId": core.arn,
        "SharedSecret": BASE64_STANDARD.encode(secret),
    }))
}

/// What both have in common. The algorithm is the only one, which all keys of the usage have.
#[derive(Debug)]
struct KemRequest {
    key_id: String,
    algorithm: String,
    dry_run: bool,
}

impl KemRequest {
    fn read(input: &mut Input) -> ApiResult<Self> {
        Ok(Self {
            key_id: input.required_text("KeyId", KEY_ID_LEN)?,
            algorithm: input.required_one_of("EncapsulationAlgorithm", &ENCAPSULATION_NAMES)?,
            dry_run: input.flag("DryRun")?,
        })
    }
}
