//! `TagResource`, `UntagResource`, `ListResourceTags`, and the rules for tags.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::KEY_ID_LEN;
use super::page::{Limits, Page};
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::{Requires, Tags};
use crate::service::{Names, Service};

const TAGS_PER_KEY: usize = 50;

pub(super) fn tag_resource(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let tags = input.tags()?;
    let tags = input.required("Tags", tags);
    input.validated()?;
    let added = checked(tags)?;
    service.with_key(&key_id, Names::Key, Requires::NotPendingDeletion, |key| {
        let mut tags = key.tags.current().clone();
        tags.extend(added);
        if tags.len() > TAGS_PER_KEY {
            return Err(too_many());
        }
        key.tags.set(tags, service.settings.stale_reads());
        Ok(Value::Null)
    })
}

pub(super) fn untag_resource(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let removed = input.required_texts("TagKeys", 1..=128)?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::NotPendingDeletion, |key| {
        let mut tags = key.tags.current().clone();
        tags.retain(|tag, _| !removed.contains(tag));
        key.tags.set(tags, service.settings.stale_reads());
        Ok(Value::Null)
    })
}

pub(super) fn list_resource_tags(service: &Service, mut input: Input) -> ApiResult<Value> {
    let key_id = input.required_text("KeyId", KEY_ID_LEN)?;
    let page = Page::read(
        &mut input,
        Limits {
            default: 50,
            max: 50,
        },
    )?;
    input.validated()?;
    service.with_key(&key_id, Names::Key, Requires::AnyState, |key| {
        let listed = key.tags.read().range(page.rest());
        let listed =
            listed.map(|(key, value)| (key.clone(), json!({ "TagKey": key, "TagValue": value })));
        Ok(page.answer("Tags", listed).0)
    })
}

/// The tags of one request, when they keep KMS's rules.
pub(super) fn checked(tags: Vec<(String, String)>) -> ApiResult<Tags> {
    let keys: BTreeSet<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
    if keys.len() < tags.len() {
        return Err(ApiError::tag("Duplicate tag keys"));
    }
    if tags.len() > TAGS_PER_KEY {
        return Err(too_many());
    }
    for (key, value) in &tags {
        if key
            .get(..4)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
        {
            return Err(ApiError::tag("Tags beginning with aws: are reserved"));
        }
        if !key.chars().chain(value.chars()).all(is_tag_char) {
            return Err(ApiError::tag(
                "Tag keys and values contain invalid characters",
            ));
        }
    }
    Ok(tags.into_iter().collect())
}

fn is_tag_char(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

fn too_many() -> ApiError {
    ApiError::tag("Too many tags")
}
