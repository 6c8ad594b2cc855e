//! `DeriveSharedSecret`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{KEY_ID_LEN, stop_at_dry_run};
use crate::algorithm::AGREEMENT_NAMES;
use crate::error::{ApiError, ApiResult};
use crate::input::{Input, Shown};
use crate::service::Service;
use crate::spec::KeyUsage;

const PUBLIC_KEY_LEN: std::ops::RangeInclusive<usize> = 1..=8192;

pub(super) fn derive_shared_secret(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let algorithm = input.required_one_of("KeyAgreementAlgorithm", &AGREEMENT_NAMES)?;
    let peer = input.required_blob("PublicKey", PUBLIC_KEY_LEN, Shown::Yes)?;
    let dry_run = input.flag("DryRun")?;
    input.validated()?;
    let core = service.enabled_key(&key_id)?;
    let material = core.material_for(KeyUsage::KeyAgreement, "DeriveSharedSecret")?;
    let secret = material
        .agree(&peer)
        .ok_or_else(|| ApiError::bare("ValidationException"))?;
    stop_at_dry_run(dry_run)?;
    Ok(json!({
        "KeyAgreementAlgorithm": algorithm,
        "KeyId": core.arn,
        "KeyOrigin": core.origin.name(),
        "SharedSecret": BASE64_STANDARD.encode(secret),
    }))
}
