//! What exists: keys, tags, aliases.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::bulk;
use super::request::Requests;
use crate::kms::{Alias, KeyEntry, KmsError, KmsErrorKind, Tags};

/// The largest pages KMS gives.
const KEYS_A_PAGE: i32 = 1000;
const ALIASES_A_PAGE: i32 = 100;
const TAGS_A_PAGE: i32 = 50;

impl Requests {
    pub(super) async fn list_keys(&self, deadline: Instant) -> Result<Vec<KeyEntry>, KmsError> {
        const OPERATION: &str = "ListKeys";
        let mut keys = Vec::new();
        let mut pages = Pages::of(OPERATION, None);
        loop {
            let page = self
                .ask(OPERATION, None, deadline, |client| {
                    let page = client.list_keys().limit(KEYS_A_PAGE);
                    page.set_marker(pages.next()).send()
                })
                .await?;
            let entries = page.keys.as_ref().ok_or_else(|| no_list(OPERATION, None))?;
            for entry in entries {
                let (Some(arn), Some(key_id)) = (entry.key_arn(), entry.key_id()) else {
                    return Err(bad_answer(OPERATION, None, "an entry lacks its ARN or id"));
                };
                keys.push(KeyEntry {
                    arn: arn.to_owned(),
                    key_id: key_id.to_owned(),
                });
            }
            if !pages.turn(page.truncated(), page.next_marker())? {
                return Ok(keys);
            }
        }
    }

    pub(super) async fn list_aliases(&self, deadline: Instant) -> Result<Vec<Alias>, KmsError> {
        const OPERATION: &str = "ListAliases";
        let mut aliases = Vec::new();
        let mut pages = Pages::of(OPERATION, None);
        loop {
            let page = self
                .ask(OPERATION, None, deadline, |client| {
                    let page = client.list_aliases().limit(ALIASES_A_PAGE);
                    page.set_marker(pages.next()).send()
                })
                .await?;
            // AWS reserves names that point to no key yet.
            let listed = page.aliases.as_ref();
            let listed = listed.ok_or_else(|| no_list(OPERATION, None))?.iter();
            aliases.extend(listed.filter_map(|alias| {
                Some(Alias {
                    name: alias.alias_name()?.to_owned(),
                    key_id: alias.target_key_id()?.to_owned(),
                })
            }));
            if !pages.turn(page.truncated(), page.next_marker())? {
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

    async fn tags_of(&self, key: &KeyEntry, deadline: Instant) -> Result<Tags, KmsError> {
        const OPERATION: &str = "ListResourceTags";
        let mut tags = Tags::new();
        let mut pages = Pages::of(OPERATION, Some(&key.arn));
        loop {
            let page = self
                .ask_about(OPERATION, &key.arn, deadline, |client| {
                    let page = client.list_resource_tags().key_id(&key.arn);
                    page.limit(TAGS_A_PAGE).set_marker(pages.next()).send()
                })
                .await?;
            let read = page.tags.as_ref();
            for tag in read.ok_or_else(|| no_list(OPERATION, Some(&key.arn)))? {
                tags.insert(tag.tag_key().to_owned(), tag.tag_value().to_owned());
            }
            if !pages.turn(page.truncated(), page.next_marker())? {
                return Ok(tags);
            }
        }
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

/// No list in an answer is not an empty list, which KMS sends as one.
pub(super) fn no_list(operation: &'static str, key: Option<&str>) -> KmsError {
    bad_answer(operation, key, "no list")
}

/// The way through an answer of many pages.
pub(super) struct Pages<'k> {
    operation: &'static str,
    key: Option<&'k str>,
    next: Option<String>,
    /// Where pages began so far.
    before: HashSet<String>,
}

impl<'k> Pages<'k> {
    pub(super) fn of(operation: &'static str, key: Option<&'k str>) -> Self {
        Self {
            operation,
            key,
            next: None,
            before: HashSet::new(),
        }
    }

    /// Where the page begins that is to be asked for; `None` for the first.
    pub(super) fn next(&self) -> Option<String> {
        self.next.clone()
    }

    /// Whether there is another page. Where one begins that was read before, there would be no end.
    pub(super) fn turn(
        &mut self,
        is_truncated: bool,
        next: Option<&str>,
    ) -> Result<bool, KmsError> {
        let operation = self.operation;
        if is_truncated && next.is_none() {
            tracing::warn!(
                operation,
                "the listing is cut short: more is promised, but no marker given"
            );
        }
        self.next = next.filter(|_| is_truncated).map(str::to_owned);
        let Some(next) = &self.next else {
            return Ok(false);
        };
        if self.before.insert(next.clone()) {
            return Ok(true);
        }
        let what = "its next page is one that was read already";
        Err(bad_answer(operation, self.key, what))
    }
}

/// Pairs each key with its answer; a task that panicked leaves its key without one.
pub(super) fn answered<T>(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_there_are_no_more_or_where_one_comes_again() {
        let mut pages = Pages::of("ListKeys", None);
        assert_eq!(pages.next(), None);
        for marker in ["a", "b", "c"] {
            assert!(pages.turn(true, Some(marker)).unwrap());
            assert_eq!(pages.next().as_deref(), Some(marker));
        }
        let again = pages.turn(true, Some("b")).unwrap_err();
        assert_eq!(again.kind, KmsErrorKind::BadAnswer);
        for (is_truncated, marker) in [(false, Some("d")), (false, None), (true, None)] {
            assert!(!pages.turn(is_truncated, marker).unwrap());
        }
    }
}
