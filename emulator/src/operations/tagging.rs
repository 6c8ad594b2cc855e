//! `GetResources` of the resource groups tagging API, as far as it is about KMS keys.
//!
//! Source: <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.

use serde_json::{Value, json};

use super::page;
use crate::error::{ApiError, ApiResult};
use crate::input::Input;
use crate::key::Tags;
use crate::service::Service;

const RESOURCES_A_PAGE: std::ops::RangeInclusive<u32> = 1..=100;
const FILTERS: usize = 50;
const VALUES_A_FILTER: usize = 20;

pub(super) fn get_resources(service: &Service, mut input: Input) -> ApiResult<Value> {
    let filters = input.list("TagFilters")?.unwrap_or_default();
    let filters: Vec<Filter> = filters
        .into_iter()
        .map(Filter::read)
        .collect::<ApiResult<_>>()?;
    let types = input.texts("ResourceTypeFilters", 0..=256)?;
    let limit = input.number("ResourcesPerPage", RESOURCES_A_PAGE)?;
    let token = input.text("PaginationToken", 0..=2048)?;
    input.validated().map_err(invalid_parameter)?;
    if filters.len() > FILTERS {
        return Err(ApiError::invalid_parameter(format!(
            "There are more than {FILTERS} tag filters."
        )));
    }
    let limit = limit.unwrap_or(*RESOURCES_A_PAGE.end()) as usize;
    let after = token.filter(|token| !token.is_empty());
    let after = after.map(|token| page::decode(&token)).transpose();
    let after = after.map_err(invalid_parameter)?;

    let of_keys = types.is_empty() || types.iter().any(|name| name == "kms" || name == "kms:key");
    let mut store = service.store.lock();
    let mut shown: Vec<(&str, Value)> = Vec::new();
    let mut token = String::new();
    for (id, key) in store.keys.range_mut(page::after(after)) {
        if shown.len() == limit {
            // Another page is announced only where there is something for it.
            if of_keys && !key.unlisted.left() && is_wanted(key.tags.peek(), &filters) {
                token = shown
                    .last()
                    .map(|(last, _)| page::encode(last))
                    .unwrap_or_default();
                break;
            }
            continue;
        }
        let unlisted = key.unlisted.take();
        let tags = key.tags.read();
        if of_keys && !unlisted && is_wanted(tags, &filters) {
            shown.push((id, mapping(&key.core.arn, tags)));
        }
    }
    let shown: Vec<Value> = shown.into_iter().map(|(_, mapping)| mapping).collect();
    Ok(json!({ "ResourceTagMappingList": shown, "PaginationToken": token }))
}

/// A tag that a resource must have, with one of some values or with any.
struct Filter {
    key: String,
    values: Vec<String>,
}

impl Filter {
    fn read(value: Value) -> ApiResult<Self> {
        let mut input = Input::of(value)?;
        let key = input.required_text("Key", 1..=128)?;
        let values = input.texts("Values", 0..=256)?;
        input.validated().map_err(invalid_parameter)?;
        if values.len() > VALUES_A_FILTER {
            return Err(ApiError::invalid_parameter(format!(
                "There are more than {VALUES_A_FILTER} values for the tag {key}."
            )));
        }
        Ok(Self { key, values })
    }

    fn admits(&self, tags: &Tags) -> bool {
        tags.get(&self.key)
            .is_some_and(|value| self.values.is_empty() || self.values.contains(value))
    }
}

/// A resource that has no tags is not the tagging API's.
fn is_wanted(tags: &Tags, filters: &[Filter]) -> bool {
    !tags.is_empty() && filters.iter().all(|filter| filter.admits(tags))
}

fn mapping(arn: &str, tags: &Tags) -> Value {
    let tags: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    json!({ "ResourceARN": arn, "Tags": tags })
}

/// This service's name for a request that breaks a constraint.
fn invalid_parameter(error: ApiError) -> ApiError {
    ApiError::invalid_parameter(error.message.unwrap_or_default())
}
