//! What is done to keys: made, tagged, retired. And random bytes.

use std::sync::Arc;

use aws_sdk_kms::config::Config;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::BuildError;
use aws_sdk_kms::operation::create_key::CreateKeyOutput;
use aws_sdk_kms::types::{KeySpec as WireKeySpec, KeyUsageType, OriginType, Tag};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::bulk;
use super::listing::{bad_answer, check_key};
use super::request::{Requests, persist};
use crate::kms::{
    KeyAnswer, KeyEntry, KeySpec, KeyUsage, KmsError, KmsErrorKind as Kind, NewKey, Tags,
};

/// The most that `GenerateRandom` gives in one answer.
const RANDOM_BYTES: usize = 1024;

impl Requests {
    /// Makes a key and waits until it can be used: two requests when KMS is consistent at once.
    pub(super) async fn create_key(
        &self,
        request: &NewKey,
    ) -> Result<(KeyEntry, KeyAnswer), KmsError> {
        let key = self.create(request, None).await?;
        let deadline = Instant::now() + self.settings().key_ready_timeout;
        let answer = self.await_key(&key, request.spec, request.usage, deadline);
        Ok((key.clone(), answer.await?))
    }

    /// Makes a key that waits for its material.
    pub(super) async fn create_key_for_import(
        &self,
        request: &NewKey,
    ) -> Result<KeyEntry, KmsError> {
        self.create(request, Some(OriginType::External)).await
    }

    /// Reads a key that was just made, as soon as it can be used.
    pub(super) async fn await_key(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        deadline: Instant,
    ) -> Result<KeyAnswer, KmsError> {
        let read = persist(deadline, passes_for_new_keys, || {
            self.read_new_key(key, spec, deadline)
        });
        match read.await {
            Ok(answer) if answer.spec == spec && answer.usage == usage => Ok(answer),
            Ok(other) => {
                let what = format!("it has key spec {} and usage {}", other.spec, other.usage);
                Err(bad_answer("CreateKey", Some(&key.arn), what))
            }
            Err(error) => {
                let message = format!(
                    "the key was created, but it could not be made usable within {} s: {}",
                    self.settings().key_ready_timeout.as_secs(),
                    error.message
                );
                Err(KmsError { message, ..error })
            }
        }
    }

    /// `CreateKey`, sent exactly once: KMS cannot tell a repetition from a second key.
    async fn create(
        &self,
        request: &NewKey,
        origin: Option<OriginType>,
    ) -> Result<KeyEntry, KmsError> {
        const OPERATION: &str = "CreateKey";
        let tags = wire_tags(OPERATION, None, &request.tags)?;
        let limit = self.settings().deadline;
        let once = Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(self.settings().connect_timeout)
                    .read_timeout(limit)
                    .operation_attempt_timeout(limit)
                    .operation_timeout(limit)
                    .build(),
            );
        let answer: CreateKeyOutput = self
            .ask(OPERATION, None, Instant::now() + limit, |client| {
                client
                    .create_key()
                    .key_spec(WireKeySpec::from(request.spec.as_wire()))
                    .key_usage(KeyUsageType::from(request.usage.as_wire()))
                    .description(&request.description)
                    .set_origin(origin)
                    .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
                    .customize()
                    .config_override(once)
                    .send()
            })
            .await?;
        let Some(metadata) = answer.key_metadata() else {
            return Err(bad_answer(OPERATION, None, "no key metadata"));
        };
        let Some(arn) = metadata.arn() else {
            return Err(bad_answer(OPERATION, Some(metadata.key_id()), "no key ARN"));
        };
        self.fresh.remember(metadata.key_id());
        Ok(KeyEntry {
            arn: arn.to_owned(),
            key_id: metadata.key_id().to_owned(),
        })
    }

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
        let answer = self
            .ask_about(OPERATION, &key.arn, deadline, |client| {
                client
                    .schedule_key_deletion()
                    .key_id(&key.arn)
                    .pending_window_in_days(i32::from(window_days))
                    .send()
            })
            .await?;
        self.fresh.forget(&key.key_id);
        check_key(OPERATION, key, answer.key_id())
    }

    pub(super) async fn disable(&self, key: &KeyEntry, deadline: Instant) -> Result<(), KmsError> {
        self.ask_about("DisableKey", &key.arn, deadline, |client| {
            client.disable_key().key_id(&key.arn).send()
        })
        .await?;
        self.fresh.forget(&key.key_id);
        Ok(())
    }

    /// `length` random bytes, in as many requests as that takes.
    ///
    /// They are asked for in rounds, so that a failure ends the matter after one.
    pub(super) async fn random(
        self: Arc<Self>,
        length: usize,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let concurrency = self.settings().concurrency.max(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        while bytes.len() < length {
            let round: Vec<usize> = (bytes.len()..length)
                .step_by(RANDOM_BYTES)
                .take(concurrency)
                .map(|start| RANDOM_BYTES.min(length - start))
                .collect();
            let requests = Arc::clone(&self);
            let ask = move |length| {
                let requests = Arc::clone(&requests);
                async move { requests.random_part(length, deadline).await }
            };
            for part in bulk::each(round, concurrency, ask).await {
                let lost = || KmsError::local(Kind::Other, RANDOM, None, "the request was lost");
                bytes.extend_from_slice(&part.ok_or_else(lost)??);
            }
        }
        Ok(bytes)
    }

    async fn random_part(
        &self,
        length: usize,
        deadline: Instant,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        // At most 1024.
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

/// A new key exists and costs money: a passing failure is no reason to lose it.
pub(super) fn passes_for_new_keys(error: &KmsError) -> bool {
    matches!(
        error.kind,
        Kind::NotFound
            | Kind::InvalidState
            | Kind::Throttled
            | Kind::Unavailable
            | Kind::Network
            | Kind::Timeout
    )
}

const RANDOM: &str = "GenerateRandom";

fn wire_tags(
    operation: &'static str,
    key: Option<&str>,
    tags: &Tags,
) -> Result<Vec<Tag>, KmsError> {
    tags.iter()
        .map(|(name, value)| Tag::builder().tag_key(name).tag_value(value).build())
        .collect::<Result<_, BuildError>>()
        .map_err(|error| KmsError::local(Kind::InvalidAttribute, operation, key, error.to_string()))
}
