//! `EnableKeyRotation`, `DisableKeyRotation`, `GetKeyRotationStatus`, `RotateKeyOnDemand`, `ListKeyRotations`.
//!
//! Automatic rotation is a setting that is shown: nobody waits 90 days for it here.

use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::{Value, json};

use super::KEY_ID_LEN;
use super::page::{Limits, Page};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::{AutomaticRotation, Key, KeyCore, Origin, Requires};
use crate::material::Material;
use crate::service::{Names, Service};
use crate::timestamp::Timestamp;

const PERIODS: RangeInclusive<u32> = 90..=2560;
const DEFAULT_PERIOD: u32 = 365;
const ON_DEMAND_ROTATIONS: usize = 25;

pub(super) fn enable_key_rotation(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let period = input.number("RotationPeriodInDays", PERIODS)?;
    input.validated()?;
    service
        .with_key(&key_id, Names::Key, Requires::Enabled, |key| {
            check_rotates(service, key)?;
            key.automatic_rotation = Some(AutomaticRotation {
                period_days: period.unwrap_or(DEFAULT_PERIOD),
                since: Timestamp::now(),
            });
            Ok(key.core.id.clone())
        })
        .map(|id| tell_replicas(service, &id))
}

pub(super) fn disable_key_rotation(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service
        .with_key(&key_id, Names::Key, Requires::Enabled, |key| {
            check_rotates(service, key)?;
            key.automatic_rotation = None;
            Ok(key.core.id.clone())
        })
        .map(|id| tell_replicas(service, &id))
}

pub(super) fn get_key_rotation_status(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::AnyState, |key| {
        check_symmetric(key)?;
        let mut answer = json!({
            "KeyId": key.core.id,
            "KeyRotationEnabled": key.automatic_rotation.is_some(),
        });
        if let Some(AutomaticRotation { period_days, since }) = key.automatic_rotation {
            answer["RotationPeriodInDays"] = period_days.into();
            answer["NextRotationDate"] = since.plus_days(period_days).seconds().into();
        }
        Ok(answer)
    })
}

/// The rotation is complete when this answers.
pub(super) fn rotate_key_on_demand(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::Enabled, |key| {
        check_rotates(service, key)?;
        if key.core.generation() >= ON_DEMAND_ROTATIONS {
            return Err(ApiError::limit_exceeded(format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand \
                 rotations can be performed for this key: {}",
                key.core.arn
            )));
        }
        let material = Material::generate(key.core.spec, key.core.usage)?;
        key.core = Arc::new(KeyCore::rotated(&key.core, material, Timestamp::now()));
        Ok(key.core.id.clone())
    })
    .map(|id| {
        tell_replicas(service, &id);
        json!({ "KeyId": id })
    })
}

/// The oldest first.
pub(super) fn list_key_rotations(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let limits = Limits {
        default: 100,
        max: 1000,
    };
    let page = Page::read(&mut input, limits)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::AnyState, |key| {
        check_symmetric(key)?;
        let current = key.core.generation();
        let mut rotations: Vec<(String, Value)> = key
            .core
            .generations()
            .filter_map(|core| Some((core, core.rotated?)))
            .map(|(core, date)| {
                let generation = core.generation();
                let state = if generation == current {
                    "CURRENT"
                } else {
                    "NON_CURRENT"
                };
                let entry = json!({
                    "KeyId": core.arn,
                    "KeyMaterialId": core.material_id(),
                    "KeyMaterialState": state,
                    "RotationDate": date.seconds(),
                    "RotationType": "ON_DEMAND",
                });
                (format!("{generation:04}"), entry)
            })
            .collect();
        rotations.reverse();
        let (after, _) = page.rest();
        let rest = rotations.into_iter().filter(move |(name, _)| match &after {
            std::ops::Bound::Excluded(last) => name > last,
            _ => true,
        });
        Ok(page.answer("Rotations", rest).0)
    })
}

/// A symmetric key whose material KMS made; of a multi-Region key, the primary.
fn check_rotates(service: &Service, key: &Key) -> ApiResult<()> {
    check_symmetric(key)?;
    let region = &service.site.region;
    if let Some(regions) = &key.regions
        && regions.primary != *region
    {
        return Err(ApiError::unsupported(format!(
            "{} is a multi-region replica key: its primary key rotates.",
            key.core.arn
        )));
    }
    let origin = &key.core.origin;
    if *origin == Origin::Kms {
        return Ok(());
    }
    Err(ApiError::unsupported(format!(
        "{} origin is {} which is not valid for this operation.",
        key.core.arn,
        origin.name()
    )))
}

/// Replicas rotate with their primary.
fn tell_replicas(service: &Service, id: &str) -> Value {
    service.tell_others(id, &[]);
    Value::Null
}

fn check_symmetric(key: &Key) -> ApiResult<()> {
    if key.core.spec.is_symmetric_encryption() {
        return Ok(());
    }
    Err(ApiError::bare("UnsupportedOperationException"))
}
