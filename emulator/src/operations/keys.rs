//! `CreateKey`, `DescribeKey`, `GetPublicKey`, `ListKeys`, `UpdateKeyDescription`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::page::{Limits, Page};
use super::{KEY_ID_LEN, tags};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::{Key, Requires};
use crate::service::{Blueprint, Names, Service};
use crate::spec::{KEY_SPEC_NAMES, KeySpec, KeyUsage, SYMMETRIC_DEFAULT, USAGE_NAMES};

pub(super) const DESCRIPTION_LEN: std::ops::RangeInclusive<usize> = 0..=8192;
pub(super) const POLICY_LEN: std::ops::RangeInclusive<usize> = 1..=131_072;
const ORIGINS: [&str; 4] = ["EXTERNAL", "AWS_CLOUDHSM", "AWS_KMS", "EXTERNAL_KEY_STORE"];

pub(super) fn create_key(service: &Service, mut input: Input) -> ApiResult<Value> {
    let description = input
        .text("Description", DESCRIPTION_LEN)?
        .unwrap_or_default();
    let spec = input.one_of("KeySpec", &KEY_SPEC_NAMES)?;
    // The name of the member until 2021; still accepted alone.
    let old_spec = input.one_of("CustomerMasterKeySpec", &KEY_SPEC_NAMES)?;
    let usage = input.one_of("KeyUsage", &USAGE_NAMES)?;
    let origin = input.one_of("Origin", &ORIGINS)?;
    let multi_region = input.flag("MultiRegion")?;
    let tags = input.tags()?.unwrap_or_default();
    let policy = input.text("Policy", POLICY_LEN)?;
    input.validated()?;

    check_policy(policy.as_deref())?;
    if spec.is_some() && old_spec.is_some() {
        return Err(ApiError::validation(
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
             CustomerMasterKeySpec is deprecated.",
        ));
    }
    let (spec, usage) = spec_and_usage(spec.or(old_spec).as_deref(), usage.as_deref())?;
    let external = match origin.as_deref() {
        None | Some("AWS_KMS") => false,
        Some("EXTERNAL") => true,
        Some(origin) => {
            return Err(ApiError::unsupported(format!(
                "Origin {origin} is not supported."
            )));
        }
    };
    let tags = tags::checked(tags)?;
    let blueprint = Blueprint {
        spec,
        usage,
        description,
        tags,
        multi_region,
        external,
        managed_by_aws: false,
    };
    let key = service.make_key(blueprint)?;
    let metadata = key.metadata(&service.site);
    service.publish(key);
    Ok(json!({ "KeyMetadata": metadata }))
}

pub(super) fn describe_key(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::KeyOrAlias, Requires::AnyState, |key| {
        Ok(json!({ "KeyMetadata": key.metadata(&service.site) }))
    })
}

pub(super) fn get_public_key(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    input.validated()?;
    let core = service.with_key(&key_id, Names::KeyOrAlias, Requires::AnyState, |key| {
        // A key without a public half is told so in whatever state it is.
        let (arn, spec) = (&key.core.arn, key.core.spec);
        if !spec.has_public_half() {
            return Err(ApiError::unsupported(format!(
                "{arn} key spec is {} which is not valid for GetPublicKey.",
                spec.name
            )));
        }
        key.require(Requires::Enabled)?;
        Ok(std::sync::Arc::clone(&key.core))
    })?;
    let public_key = core.material_for(core.usage, "GetPublicKey")?.public_key();
    Ok(json!({
        "CustomerMasterKeySpec": core.spec.name,
        "KeyId": core.arn,
        "KeySpec": core.spec.name,
        "KeyUsage": core.usage.name(),
        "PublicKey": BASE64_STANDARD.encode(public_key.unwrap_or_default()),
        core.usage.algorithms_member(): core.spec.algorithm_names(core.usage),
    }))
}

pub(super) fn list_keys(service: &Service, mut input: Input) -> ApiResult<Value> {
    let page = Page::read(
        &mut input,
        Limits {
            default: 100,
            max: 1000,
        },
    )?;
    input.validated()?;
    let mut store = service.store.lock();
    let listed = store
        .keys
        .range(page.rest())
        .filter(|(_, key)| !key.unlisted.left());
    let (answer, covered) = page.answer("Keys", listed.map(|(id, key)| (id.clone(), entry(key))));
    for (_, key) in store.keys.range_mut(covered) {
        key.unlisted.take();
    }
    Ok(answer)
}

pub(super) fn update_key_description(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let description = input.required_text("Description", DESCRIPTION_LEN)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::NotPendingDeletion, |key| {
        key.description = description;
        Ok(Value::Null)
    })
}

/// As far as it matters here: nothing is allowed or denied by it.
pub(super) fn check_policy(policy: Option<&str>) -> ApiResult<()> {
    match policy.map(serde_json::from_str::<serde_json::Map<String, Value>>) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(_)) => Err(ApiError::malformed_policy(
            "The policy is not a JSON document.",
        )),
    }
}

fn entry(key: &Key) -> Value {
    json!({ "KeyArn": key.core.arn, "KeyId": key.core.id })
}

/// Both are optional for symmetric encryption keys; others need a usage that their spec allows.
fn spec_and_usage(
    spec: Option<&str>,
    usage: Option<&str>,
) -> ApiResult<(&'static KeySpec, KeyUsage)> {
    let spec = spec.unwrap_or(SYMMETRIC_DEFAULT);
    let unknown = || ApiError::validation("Unknown KeySpec or KeyUsage");
    let spec = KeySpec::by_name(spec).ok_or_else(unknown)?;
    let usage = match usage {
        Some(usage) => KeyUsage::by_name(usage).ok_or_else(unknown)?,
        None if spec.is_symmetric_encryption() => KeyUsage::EncryptDecrypt,
        None => {
            return Err(ApiError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric \
                 encryption keys.",
            ));
        }
    };
    if spec.algorithm_names(usage).is_empty() {
        let (usage, spec) = (usage.name(), spec.name);
        return Err(ApiError::validation(format!(
            "KeyUsage {usage} is not compatible with KeySpec {spec}"
        )));
    }
    Ok((spec, usage))
}
