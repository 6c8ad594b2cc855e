//! What exists: keys, tags, aliases, public keys.

use std::sync::Arc;

use aws_sdk_kms::operation::describe_key::DescribeKeyOutput;
use aws_sdk_kms::operation::get_public_key::GetPublicKeyOutput;
use tokio::time::Instant;

use super::bulk;
use super::fresh::key_id;
use super::request::Requests;
use crate::kms::{Alias, KeyEntry, KmsError, KmsErrorKind, PublicKeyAnswer, Tags};

/// The largest pages KMS gives.
const KEYS_A_PAGE: i32 = 1000;
const ALIASES_A_PAGE: i32 = 100;
const TAGS_A_PAGE: i32 = 50;

impl Requests {
    pub(super) async fn list_keys(&self, deadline: Instant) -> Result<Vec<KeyEntry>, KmsError> {
        const OPERATION: &str = "ListKeys";
        let mut keys = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .ask(OPERATION, None, deadline, |client| {
                    let page = client.list_keys().limit(KEYS_A_PAGE);
                    page.set_marker(marker.clone()).send()
                })
                .await?;
            for entry in page.keys() {
                let (Some(arn), Some(key_id)) = (entry.key_arn(), entry.key_id()) else {
                    return Err(bad_answer(OPERATION, None, "an entry lacks its ARN or id"));
                };
                keys.push(KeyEntry {
                    arn: arn.to_owned(),
                    key_id: key_id.to_owned(),
                });
            }
            marker = next_marker(OPERATION, page.truncated(), page.next_marker());
            if marker.is_none() {
                return Ok(keys);
            }
        }
    }

    pub(super) async fn list_aliases(&self, deadline: Instant) -> Result<Vec<Alias>, KmsError> {
        const OPERATION: &str = "ListAliases";
        let mut aliases = Vec::new();
        let mut marker = None;
        loop {
            let page = self
                .ask(OPERATION, None, deadline, |client| {
                    let page = client.list_aliases().limit(ALIASES_A_PAGE);
                    page.set_marker(marker.clone()).send()
                })
                .await?;
            // AWS reserves names that point to no key yet.
            aliases.extend(page.aliases().iter().filter_map(|alias| {
                Some(Alias {
                    name: alias.alias_name()?.to_owned(),
                    key_id: alias.target_key_id()?.to_owned(),
                })
            }));
            marker = next_marker(OPERATION, page.truncated(), page.next_marker());
            if marker.is_none() {
                return Ok(aliases);
            }
        }
    }

    pub(super) async fn list_tags(
        self: Arc<Self>,
        keys: Vec<KeyEntry>,
        deadline: Instant,
    ) -> Vec<Result<Tags, KmsError>> {
        let concurrency = self.settings().concurrency;
        let ask = move |key: KeyEntry| {
            let requests = Arc::clone(&self);
            async move { requests.tags_of(&key, deadline).await }
        };
        answered(
            "ListResourceTags",
            &keys,
            bulk::each(keys.clone(), concurrency, ask).await,
        )
    }

    pub(super) async fn public_keys(
        self: Arc<Self>,
        keys: Vec<KeyEntry>,
        deadline: Instant,
    ) -> Vec<Result<PublicKeyAnswer, KmsError>> {
        let concurrency = self.settings().concurrency;
        let ask = move |key: KeyEntry| {
            let requests = Arc::clone(&self);
            async move { requests.public_key_of(&key, deadline).await }
        };
        answered(
            "GetPublicKey",
            &keys,
            bulk::each(keys.clone(), concurrency, ask).await,
        )
    }

    pub(super) async fn describe_key(
        &self,
        id: &str,
        deadline: Instant,
    ) -> Result<KeyEntry, KmsError> {
        const OPERATION: &str = "DescribeKey";
        let answer: DescribeKeyOutput = self
            .ask_about(OPERATION, id, deadline, |client| {
                client.describe_key().key_id(id).send()
            })
            .await?;
        let Some(metadata) = answer.key_metadata() else {
            return Err(bad_answer(OPERATION, Some(id), "no key metadata"));
        };
        let Some(arn) = metadata.arn() else {
            return Err(bad_answer(OPERATION, Some(id), "no key ARN"));
        };
        let is_alias = id.starts_with("alias/") || id.contains(":alias/");
        if !is_alias && metadata.key_id() != key_id(id) {
            return Err(bad_answer(OPERATION, Some(id), "it is about another key"));
        }
        Ok(KeyEntry {
            arn: arn.to_owned(),
            key_id: metadata.key_id().to_owned(),
        })
    }

    async fn tags_of(&self, key: &KeyEntry, deadline: Instant) -> Result<Tags, KmsError> {
        const OPERATION: &str = "ListResourceTags";
        let mut tags = Tags::new();
        let mut marker = None;
        loop {
            let page = self
                .ask_about(OPERATION, &key.arn, deadline, |client| {
                    let page = client.list_resource_tags().key_id(&key.arn);
                    page.limit(TAGS_A_PAGE).set_marker(marker.clone()).send()
                })
                .await?;
            for tag in page.tags() {
                tags.insert(tag.tag_key().to_owned(), tag.tag_value().to_owned());
            }
            marker = next_marker(OPERATION, page.truncated(), page.next_marker());
            if marker.is_none() {
                return Ok(tags);
            }
        }
    }

    async fn public_key_of(
        &self,
        key: &KeyEntry,
        deadline: Instant,
    ) -> Result<PublicKeyAnswer, KmsError> {
        let answer = self
            .ask_about(GET_PUBLIC_KEY, &key.arn, deadline, |client| {
                client.get_public_key().key_id(&key.arn).send()
            })
            .await?;
        public_key(key, answer)
    }
}

pub(super) const GET_PUBLIC_KEY: &str = "GetPublicKey";

/// Checks an answer of `GetPublicKey` for this key.
pub(super) fn public_key(
    key: &KeyEntry,
    answer: GetPublicKeyOutput,
) -> Result<PublicKeyAnswer, KmsError> {
    check_key(GET_PUBLIC_KEY, key, answer.key_id())?;
    let unsupported = |what: &str, name: &str| {
        let message = format!("this module has no use for the {what} {name}");
        KmsError::local(
            KmsErrorKind::Unsupported,
            GET_PUBLIC_KEY,
            Some(&key.arn),
            message,
        )
    };
    let (Some(spec), Some(usage)) = (answer.key_spec(), answer.key_usage()) else {
        return Err(bad_answer(
            GET_PUBLIC_KEY,
            Some(&key.arn),
            "no key spec or key usage",
        ));
    };
    let spec = spec
        .as_str()
        .parse()
        .map_err(|_| unsupported("key spec", spec.as_str()))?;
    let usage = usage
        .as_str()
        .parse()
        .map_err(|_| unsupported("key usage", usage.as_str()))?;
    match answer.public_key {
        Some(spki) if !spki.as_ref().is_empty() => Ok(PublicKeyAnswer {
            spec,
            usage,
            spki: spki.into_inner(),
        }),
        _ => Err(bad_answer(GET_PUBLIC_KEY, Some(&key.arn), "no public key")),
    }
}

/// The answer must be about the key that was asked for; KMS names it by its ARN.
pub(super) fn check_key(
    operation: &'static str,
    key: &KeyEntry,
    answered: Option<&str>,
) -> Result<(), KmsError> {
    match answered {
        Some(answered) if answered == key.arn || answered == key.key_id => Ok(()),
        Some(other) => {
            let message = format!("it is about another key, {other}");
            Err(bad_answer(operation, Some(&key.arn), message))
        }
        None => Err(bad_answer(operation, Some(&key.arn), "no key id")),
    }
}

pub(super) fn bad_answer(
    operation: &'static str,
    key: Option<&str>,
    what: impl std::fmt::Display,
) -> KmsError {
    let message = format!("the answer does not fit the request: {what}");
    KmsError::local(KmsErrorKind::BadAnswer, operation, key, message)
}

fn next_marker(operation: &str, truncated: bool, next: Option<&str>) -> Option<String> {
    if truncated && next.is_none() {
        tracing::warn!(
            operation,
            "the listing is cut short: more is promised, but no marker given"
        );
    }
    next.filter(|_| truncated).map(str::to_owned)
}

/// Pairs each key with its answer; a task that panicked leaves its key without one.
fn answered<T>(
    operation: &'static str,
    keys: &[KeyEntry],
    answers: Vec<Option<Result<T, KmsError>>>,
) -> Vec<Result<T, KmsError>> {
    let lost = |key: &KeyEntry| {
        Err(KmsError::local(
            KmsErrorKind::Other,
            operation,
            Some(&key.arn),
            "the request was lost",
        ))
    };
    keys.iter()
        .zip(answers)
        .map(|(key, answer)| answer.unwrap_or_else(|| lost(key)))
        .collect()
}
