//! `GenerateMac`, `VerifyMac`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{CIPHERTEXT_LEN, KEY_ID_LEN, MESSAGE_LEN, stop_at_dry_run};
use crate::algorithm::{MAC_NAMES, MacAlgorithm};
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::key::KeyCore;
use crate::service::Service;
use crate::spec::KeyUsage;

pub(super) fn generate_mac(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = MacRequest::read(&mut input)?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::GenerateVerifyMac, "GenerateMac")?;
    let algorithm = request.algorithm(&core)?;
    stop_at_dry_run(request.dry_run)?;
    let mac = material.mac(algorithm, &request.message)?;
    Ok(json!({
        "KeyId": core.arn,
        "Mac": BASE64_STANDARD.encode(mac),
        "MacAlgorithm": algorithm.name,
    }))
}

pub(super) fn verify_mac(service: &Service, mut input: Input) -> ApiResult<Value> {
    let request = MacRequest::read(&mut input)?;
    let mac = input.required_blob("Mac", CIPHERTEXT_LEN, Shown::Yes)?;
    input.validated()?;
    let core = service.enabled_key(&request.key_id)?;
    let material = core.material_for(KeyUsage::GenerateVerifyMac, "VerifyMac")?;
    let algorithm = request.algorithm(&core)?;
    stop_at_dry_run(request.dry_run)?;
    if !material.verifies_mac(algorithm, &request.message, &mac) {
        return Err(ApiError::bare("KMSInvalidMacException"));
    }
    Ok(json!({ "KeyId": core.arn, "MacAlgorithm": algorithm.name, "MacValid": true }))
}

/// What both have in common.
#[derive(Debug)]
struct MacRequest {
    key_id: String,
    message: Vec<u8>,
    algorithm: String,
    dry_run: bool,
}

impl MacRequest {
    fn read(input: &mut Input) -> ApiResult<Self> {
        Ok(Self {
            key_id: input.required_text("KeyId", KEY_ID_LEN)?,
            message: input.required_blob("Message", MESSAGE_LEN, Shown::No)?,
            algorithm: input.required_one_of("MacAlgorithm", &MAC_NAMES)?,
            dry_run: input.flag("DryRun")?,
        })
    }

    fn algorithm(&self, core: &KeyCore) -> ApiResult<&'static MacAlgorithm> {
        let mut rows = core.spec.mac.iter();
        rows.find(|row| row.name == self.algorithm)
            .ok_or_else(|| core.incompatible(&self.algorithm))
    }
}
