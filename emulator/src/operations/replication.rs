//! `ReplicateKey`, `UpdatePrimaryRegion`.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_ReplicateKey.html>.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::KEY_ID_LEN;
use super::keys::{DESCRIPTION_LEN, POLICY_LEN, check_policy};
use super::tags;
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::{Key, Requires};
use crate::members::{ReplicaPart, already_there};
use crate::regions::Regions;
use crate::service::{Names, Service};

const REGION_LEN: RangeInclusive<usize> = 1..=32;

/// The replica is `Creating` when this answers.
pub(super) fn replicate_key(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let region = input.required_text("ReplicaRegion", REGION_LEN)?;
    let policy = input.text("Policy", POLICY_LEN)?;
    input.flag("BypassPolicyLockoutSafetyCheck")?;
    let description = input.text("Description", DESCRIPTION_LEN)?;
    let given_tags = input.tags()?.unwrap_or_default();
    input.validated()?;
    check_policy(policy.as_deref())?;
    let listed_tags: Value = given_tags
        .iter()
        .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
        .collect();
    let tags = tags::checked(given_tags)?;
    let id = service.with_key(&key_id, Names::Key, Requires::EnabledOrDisabled, |key| {
        let regions = primary_regions(service, key)?;
        let id = key.core.id.clone();
        if regions.contains(&region) {
            return Err(already_there(&id, &region));
        }
        Ok(id)
    })?;
    let part = ReplicaPart {
        description: description.unwrap_or_default(),
        tags,
    };
    let metadata = service.hand_over(&id, &region, part)?;
    let mut answer = json!({
        "ReplicaKeyMetadata": metadata,
        "ReplicaPolicy": policy.unwrap_or_else(|| default_policy(&service.site.account)),
    });
    if listed_tags != json!([]) {
        answer["ReplicaTags"] = listed_tags;
    }
    Ok(answer)
}

/// The change is complete when this answers: no key is `Updating` for a while.
pub(super) fn update_primary_region(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let region = input.required_text("PrimaryRegion", REGION_LEN)?;
    input.validated()?;
    let id = service.with_key(&key_id, Names::Key, Requires::EnabledOrDisabled, |key| {
        let regions = primary_regions(service, key)?;
        if !regions.replicas.contains(&region) {
            return Err(ApiError::not_found(format!(
                "Key {} has no replica in region {region}.",
                key.core.arn
            )));
        }
        Ok(key.core.id.clone())
    })?;
    service.move_primary(&id, &region)?;
    Ok(Value::Null)
}

/// The regions of a key that is the primary of a multi-Region key.
fn primary_regions<'a>(service: &Service, key: &'a Key) -> ApiResult<&'a Regions> {
    let regions = key.regions.as_ref();
    let primary = regions.filter(|regions| regions.primary == service.site.region);
    primary.ok_or_else(|| {
        ApiError::unsupported(format!(
            "{} is not a multi-region primary key.",
            key.core.arn
        ))
    })
}

fn default_policy(account: &str) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": "kms:*",
            "Resource": "*",
        }],
    });
    policy.to_string()
}
