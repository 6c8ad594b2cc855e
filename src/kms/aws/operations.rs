//! What is done to keys: tagged, retired. And random bytes.

use std::sync::Arc;

use aws_sdk_kms::error::BuildError;
use aws_sdk_kms::types::Tag;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::bulk;
use super::listing::{bad_answer, check_key};
use super::regions::Regions;
use super::request::{Requests, persist};
use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind, Tags};

/// The most that `GenerateRandom` gives in one answer.
const RANDOM_BYTES: usize = 1024;

impl Regions {
    /// `length` random bytes, in as many requests as that takes: each of them finds a region for itself.
    ///
    /// They are asked for in rounds, so that a failure ends the matter after one.
    pub(super) async fn random(
        self: Arc<Self>,
        length: usize,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let concurrency = self.home().settings().concurrency.max(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        while bytes.len() < length {
            let round: Vec<usize> = (bytes.len()..length)
                .step_by(RANDOM_BYTES)
                .take(concurrency)
                .map(|start| RANDOM_BYTES.min(length - start))
                .collect();
            let regions = Arc::clone(&self);
            let ask = move |length| {
                let regions = Arc::clone(&regions);
                regions.ask(RANDOM, None, deadline, move |there, deadline| async move {
                    there.requests.random(length, deadline).await
                })
            };
            for part in bulk::each(round, concurrency, ask).await {
                let lost = || KmsError::local(Kind::Other, RANDOM, None, "the request was lost");
                bytes.extend_from_slice(&part.ok_or_else(lost)??);
            }
        }
        Ok(bytes)
    }
}

impl Requests {
    pub(super) async fn tag(
        &self,
        key: &KeyEntry,
        tags: &Tags,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        const OPERATION: &str = "TagResource";
        if tags.is_empty() {
            return Ok(());
        }
        let tags = wire_tags(OPERATION, Some(&key.arn), tags)?;
        self.ask_about(OPERATION, &key.arn, deadline, |client| {
            let request = client.tag_resource().key_id(&key.arn);
            request.set_tags(Some(tags.clone())).send()
        })
        .await
        .map(drop)
    }

    pub(super) async fn untag(
        &self,
        key: &KeyEntry,
        tag_keys: Vec<String>,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        if tag_keys.is_empty() {
            return Ok(());
        }
        self.ask_about("UntagResource", &key.arn, deadline, |client| {
            let request = client.untag_resource().key_id(&key.arn);
            request.set_tag_keys(Some(tag_keys.clone())).send()
        })
        .await
        .map(drop)
    }

    pub(super) async fn schedule_deletion(
        &self,
        key: &KeyEntry,
        window_days: u8,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        const OPERATION: &str = "ScheduleKeyDeletion";
        let passes = |error: &KmsError| self.fresh.will_pass(&key.arn, error);
        persist(deadline, passes, || async {
            let answer = self
                .ask(OPERATION, Some(&key.arn), deadline, |client| {
                    client
                        .schedule_key_deletion()
                        .key_id(&key.arn)
                        .pending_window_in_days(i32::from(window_days))
                        .send()
                })
                .await;
            match answer {
                Ok(answer) => check_key(OPERATION, key, answer.key_id()),
                // An earlier request has done it whose answer was lost, or somebody else has.
                Err(error) if error.kind == Kind::InvalidState => {
                    // Where that may not be asked, it is not known to be.
                    let is_done = self.is_pending_deletion(key, deadline).await;
                    if is_done.unwrap_or(false) {
                        Ok(())
                    } else {
                        Err(error)
                    }
                }
                Err(error) => Err(error),
            }
        })
        .await?;
        self.fresh.forget(&key.key_id);
        Ok(())
    }

    pub(super) async fn disable(&self, key: &KeyEntry, deadline: Instant) -> Result<(), KmsError> {
        self.ask_about("DisableKey", &key.arn, deadline, |client| {
            client.disable_key().key_id(&key.arn).send()
        })
        .await?;
        self.fresh.forget(&key.key_id);
        Ok(())
    }

    /// So many random bytes, at most 1024.
    async fn random(
        &self,
        length: usize,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let wanted = i32::try_from(length).unwrap_or(i32::MAX);
        let answer = self
            .ask(RANDOM, None, deadline, |client| {
                client.generate_random().number_of_bytes(wanted).send()
            })
            .await?;
        match answer
            .plaintext
            .map(|blob| Zeroizing::new(blob.into_inner()))
        {
            Some(bytes) if bytes.len() == length => Ok(bytes),
            _ => Err(bad_answer(RANDOM, None, "not as many bytes as asked for")),
        }
    }
}

pub(super) const RANDOM: &str = "GenerateRandom";

pub(super) fn wire_tags(
    operation: &'static str,
    key: Option<&str>,
    tags: &Tags,
) -> Result<Vec<Tag>, KmsError> {
    tags.iter()
        .map(|(name, value)| Tag::builder().tag_key(name).tag_value(value).build())
        .collect::<Result<_, BuildError>>()
        .map_err(|error| KmsError::local(Kind::InvalidAttribute, operation, key, error.to_string()))
}
