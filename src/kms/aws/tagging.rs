//! Keys by their tags: `GetResources` of the resource groups tagging API.
//!
//! Source: <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>.

use aws_sdk_resourcegroupstagging::types::{ResourceTagMapping, TagFilter};
use tokio::time::Instant;

use super::fresh::key_id;
use super::listing::{Pages, bad_answer, no_list};
use super::request::Requests;
use crate::kms::{KeyEntry, KmsError, Tags};

pub(super) const OPERATION: &str = "GetResources";
/// The only resources that are of interest.
const KEYS: &str = "kms:key";
/// The largest page there is.
const KEYS_A_PAGE: i32 = 100;

impl Requests {
    pub(super) async fn list_tagged(
        &self,
        tags: &Tags,
        deadline: Instant,
    ) -> Result<Vec<(KeyEntry, Tags)>, KmsError> {
        let filters: Vec<TagFilter> = tags.iter().map(filter).collect();
        let mut keys = Vec::new();
        let mut pages = Pages::of(OPERATION, None);
        loop {
            let page = self
                .ask_tagging(OPERATION, deadline, |client| {
                    client
                        .get_resources()
                        .resource_type_filters(KEYS)
                        .set_tag_filters(Some(filters.clone()))
                        .resources_per_page(KEYS_A_PAGE)
                        .set_pagination_token(pages.next())
                        .send()
                })
                .await?;
            let resources = page.resource_tag_mapping_list.as_ref();
            for resource in resources.ok_or_else(|| no_list(OPERATION, None))? {
                keys.push(key(resource)?);
            }
            let token = page.pagination_token.filter(|token| !token.is_empty());
            if !pages.turn(token.is_some(), token.as_deref())? {
                // A filter may say less than is asked for.
                let has_all = |of_key: &Tags| {
                    let mut tags = tags.iter();
                    tags.all(|(name, value)| of_key.get(name) == Some(value))
                };
                keys.retain(|(_, of_key)| has_all(of_key));
                return Ok(keys);
            }
        }
    }
}

/// The filter for a tag. Without a value, any value passes: the reference does not say whether an
/// empty one is a value to it.
fn filter((name, value): (&String, &String)) -> TagFilter {
    let values = Some(vec![value.clone()]).filter(|_| !value.is_empty());
    TagFilter::builder().key(name).set_values(values).build()
}

fn key(resource: &ResourceTagMapping) -> Result<(KeyEntry, Tags), KmsError> {
    let arn = resource.resource_arn().unwrap_or_default();
    if !arn.contains(":key/") {
        return Err(bad_answer(OPERATION, Some(arn), "it is no key"));
    }
    let tags = resource.tags().iter();
    let tags = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
    let entry = KeyEntry {
        arn: arn.to_owned(),
        key_id: key_id(arn).to_owned(),
    };
    Ok((entry, tags.collect()))
}
