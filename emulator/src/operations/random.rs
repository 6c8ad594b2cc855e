//! `GenerateRandom`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::random;
use crate::service::Service;

pub(super) fn generate_random(_: &Service, mut input: Input) -> ApiResult<Value> {
    let count = input.number("NumberOfBytes", 1..=1024)?;
    input.validated()?;
    // The one required member that KMS misses in words of its own.
    let count = count.ok_or_else(|| ApiError::validation("NumberOfBytes is required."))?;
    let mut bytes = vec![0; count as usize];
    random::fill(&mut bytes)?;
    Ok(json!({ "Plaintext": BASE64_STANDARD.encode(bytes) }))
}
