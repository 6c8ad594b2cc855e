//! `CreateAlias`, `UpdateAlias`, `DeleteAlias`, `ListAliases`.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::KEY_ID_LEN;
use super::page::{Limits, Page};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::Requires;
use crate::service::{Names, Service};

const ALIAS_LEN: RangeInclusive<usize> = 1..=256;
const ALIAS_PATTERN: &str = "^[a-zA-Z0-9:/_-]+$";

pub(super) fn create_alias(service: &Service, mut input: Input) -> ApiResult<Value> {
    let name = alias_name(&mut input)?;
    let target = input.required_text("TargetKeyId", KEY_ID_LEN)?;
    input.validated()?;
    check_alias_name(&name)?;
    check_target(&target)?;
    let mut store = service.store.lock();
    let key = service.find_key(&mut store, &target, Names::Key)?;
    key.require(Requires::NotPendingDeletion)?;
    let id = key.core.id.clone();
    if store.alias(&name).is_some() {
        let arn = service.site.alias_arn(&name);
        return Err(ApiError::already_exists(format!(
            "An alias with the name {arn} already exists"
        )));
    }
    store.point_alias(&name, Some(id), service.settings.stale_reads());
    Ok(Value::Null)
}

pub(super) fn update_alias(service: &Service, mut input: Input) -> ApiResult<Value> {
    let name = alias_name(&mut input)?;
    let target = input.required_text("TargetKeyId", KEY_ID_LEN)?;
    input.validated()?;
    check_alias_name(&name)?;
    check_target(&target)?;
    let mut store = service.store.lock();
    let Some(old_id) = store
        .alias(&name)
        .and_then(|alias| alias.target.current().clone())
    else {
        return Err(service.no_alias(&name));
    };
    let key = service.find_key(&mut store, &target, Names::Key)?;
    key.require(Requires::NotPendingDeletion)?;
    let new = std::sync::Arc::clone(&key.core);
    let kind = |core: &crate::key::KeyCore| (core.usage, core.spec.has_public_half());
    if store
        .keys
        .get(&old_id)
        .is_some_and(|old| kind(&old.core) != kind(&new))
    {
        return Err(ApiError::validation(format!(
            "Alias {} cannot move to a key of another type or usage.",
            service.site.alias_arn(&name)
        )));
    }
    store.point_alias(&name, Some(new.id.clone()), service.settings.stale_reads());
    Ok(Value::Null)
}

pub(super) fn delete_alias(service: &Service, mut input: Input) -> ApiResult<Value> {
    let name = alias_name(&mut input)?;
    input.validated()?;
    check_alias_name(&name)?;
    let mut store = service.store.lock();
    if store.alias(&name).is_none() {
        return Err(service.no_alias(&name));
    }
    store.point_alias(&name, None, service.settings.stale_reads());
    Ok(Value::Null)
}

pub(super) fn list_aliases(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.text("KeyId", KEY_ID_LEN)?;
    let page = Page::read(
        &mut input,
        Limits {
            default: 50,
            max: 100,
        },
    )?;
    input.validated()?;
    let mut store = service.store.lock();
    let wanted = match key_id {
        None => None,
        Some(key_id) => {
            let key = service.find_key(&mut store, &key_id, Names::Key)?;
            Some(key.core.id.clone())
        }
    };
    let listed = store
        .aliases
        .range(page.rest())
        .filter_map(|(name, alias)| {
            let target = alias.target.peek().as_deref()?;
            if wanted.as_deref().is_some_and(|wanted| wanted != target) {
                return None;
            }
            let entry = json!({
                "AliasArn": service.site.alias_arn(name),
                "AliasName": name,
                "CreationDate": alias.created.seconds(),
                "LastUpdatedDate": alias.updated.seconds(),
                "TargetKeyId": target,
            });
            Some((name.clone(), entry))
        });
    let (answer, covered) = page.answer("Aliases", listed);
    for (_, alias) in store.aliases.range_mut(covered) {
        alias.target.read();
    }
    Ok(answer)
}

fn alias_name(input: &mut Input) -> ApiResult<String> {
    let name = input.required_text("AliasName", ALIAS_LEN)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":/_-".contains(c);
    if !name.chars().all(allowed) {
        let constraint = format!("Member must satisfy regular expression pattern: {ALIAS_PATTERN}");
        input.violation(&format!("Value '{name}'"), "aliasName", &constraint);
    }
    Ok(name)
}

/// What the pattern leaves open.
fn check_alias_name(name: &str) -> ApiResult<()> {
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(ApiError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest.is_empty() || rest.contains(':') {
        return Err(ApiError::invalid_alias_name(format!(
            "{name} contains invalid characters for an alias"
        )));
    }
    if rest.starts_with("aws/") {
        return Err(ApiError::bare("NotAuthorizedException"));
    }
    Ok(())
}

fn check_target(target: &str) -> ApiResult<()> {
    if target.starts_with("alias/") || target.contains(":alias/") {
        return Err(ApiError::validation(
            "Aliases must refer to keys. Not aliases",
        ));
    }
    Ok(())
}
