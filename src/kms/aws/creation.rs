//! Making keys, so that none is lost and none is made twice.
//!
//! KMS cannot tell a repeated `CreateKey` from a second one, so it is sent once, unless KMS answered that
//! it throttles, or that the request's date is wrong, and thereby that no key was made. When its answer is lost, the key may exist all the
//! same: it is then found by a tag that no other key has.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kms::config::Config;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::operation::create_key::CreateKeyOutput;
use aws_sdk_kms::types::{KeySpec as WireKeySpec, KeyUsageType, OriginType};
use tokio::time::Instant;

use super::listing::bad_answer;
use super::operations::wire_tags;
use super::request::{Requests, persist};
use crate::kms::{
    CREATED_TAG, Course, KeyAnswer, KeyEntry, KeySpec, KeyUsage, KmsError, KmsErrorKind as Kind,
    Known, NewKey, Search, Tags,
};

const OPERATION: &str = "CreateKey";

impl Requests {
    /// Makes a key.
    pub(super) async fn create_key(
        self: Arc<Self>,
        request: &NewKey,
        search: &Search,
    ) -> Result<KeyEntry, KmsError> {
        self.make(request, search, None).await
    }

    /// Makes a key that waits for its material.
    pub(super) async fn create_key_for_import(
        self: Arc<Self>,
        request: &NewKey,
        search: &Search,
    ) -> Result<KeyEntry, KmsError> {
        self.make(request, search, Some(OriginType::External)).await
    }

    /// Reads a key that was just made, as soon as it can be used.
    pub(super) async fn await_key(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        deadline: Instant,
    ) -> Result<KeyAnswer, KmsError> {
        // The key exists and costs money: a passing failure is no reason to lose it.
        let read = persist(deadline, passes, || self.read_new_key(key, spec, deadline));
        match read.await {
            Ok(answer) if answer.spec == spec && answer.usage == usage => Ok(answer),
            Ok(other) => {
                let what = format!("it has key spec {} and usage {}", other.spec, other.usage);
                Err(bad_answer(OPERATION, Some(&key.arn), what))
            }
            Err(error) => Err(not_ready(error, self.settings().key_ready_timeout)),
        }
    }

    async fn make(
        self: &Arc<Self>,
        request: &NewKey,
        search: &Search,
        origin: Option<OriginType>,
    ) -> Result<KeyEntry, KmsError> {
        let key = match self.create(request, origin).await {
            Err(error) if leaves_doubt(&error) => self.adopt(request, search, error).await?,
            created => created?,
        };
        self.fresh.remember(&key.key_id);
        Ok(key)
    }

    /// `CreateKey`, repeated while KMS throttles, and once where the clocks are apart: both say that no key was
    /// made. Until the deadline.
    async fn create(
        &self,
        request: &NewKey,
        origin: Option<OriginType>,
    ) -> Result<KeyEntry, KmsError> {
        let deadline = Instant::now() + self.settings().deadline;
        let mut clocks_were_apart = false;
        loop {
            // Throttling has put off the turn of the next request. Where that would come after the
            // deadline, it is told at once, and not by KMS.
            match self.create_once(request, origin.clone(), deadline).await {
                Err(error) if error.kind == Kind::Throttled && !error.code.is_empty() => {}
                // The SDK has the right time from that answer.
                Err(error) if error.is_of_clock() && !clocks_were_apart => clocks_were_apart = true,
                answered => return answered,
            }
        }
    }

    /// `CreateKey`, sent exactly once.
    async fn create_once(
        &self,
        request: &NewKey,
        origin: Option<OriginType>,
        deadline: Instant,
    ) -> Result<KeyEntry, KmsError> {
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
            .ask(OPERATION, None, deadline, |client| {
                client
                    .create_key()
                    .key_spec(WireKeySpec::from(request.spec.as_wire()))
                    .key_usage(KeyUsageType::from(request.usage.as_wire()))
                    .description(&request.description)
                    .set_origin(origin)
                    .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
                    .set_policy(request.policy.clone())
                    .set_multi_region(request.multi_region.then_some(true))
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
        Ok(KeyEntry {
            arn: arn.to_owned(),
            key_id: metadata.key_id().to_owned(),
        })
    }

    /// Looks for the key of a request whose answer was `lost`, for as long as one call may take, or two
    /// where the tagging API is asked first.
    async fn adopt(
        self: &Arc<Self>,
        request: &NewKey,
        search: &Search,
        lost: KmsError,
    ) -> Result<KeyEntry, KmsError> {
        let Some(mark) = request.tags.get(CREATED_TAG) else {
            return Err(lost);
        };
        let limit = self.settings().deadline;
        let began = Instant::now();
        let deadline = began + limit;
        let found = persist(deadline, passes, || {
            self.find_created(mark, search, deadline)
        });
        let found = match (found.await, search) {
            // The tagging API may show a key minutes after KMS does.
            (Err(error), Search::Tagging(known)) => self
                .find_listed(mark, known, Instant::now() + limit)
                .await
                .map_err(|_| error),
            (found, _) => found,
        };
        match found {
            Ok(key) => {
                tracing::warn!(
                    "{lost}; the key was created all the same: {}, known by its tag {CREATED_TAG} = {mark}",
                    key.arn
                );
                Ok(key)
            }
            Err(error) => {
                let message = format!(
                    "{}; within {:.1} s no new key with the tag {CREATED_TAG} = {mark} was found ({}), so \
                     probably none was created: should one show up later, nobody uses it",
                    lost.message,
                    began.elapsed().as_secs_f64(),
                    error.message
                );
                Err(KmsError { message, ..lost })
            }
        }
    }

    /// The key with this mark among the new ones.
    async fn find_created(
        self: &Arc<Self>,
        mark: &str,
        search: &Search,
        deadline: Instant,
    ) -> Result<KeyEntry, KmsError> {
        match search {
            Search::Tagging(_) => {
                let marked = Tags::from([(CREATED_TAG.to_owned(), mark.to_owned())]);
                let mut found = self.list_tagged(&marked, deadline).await?;
                found.pop().map(|(key, _)| key).ok_or_else(not_listed)
            }
            Search::Listing(known) => self.find_listed(mark, known, deadline).await,
        }
    }

    /// The key with this mark among the listed ones that are not known; tags are read of those alone.
    async fn find_listed(
        self: &Arc<Self>,
        mark: &str,
        known: &Known,
        deadline: Instant,
    ) -> Result<KeyEntry, KmsError> {
        let mut keys = self.list_keys(deadline).await?;
        keys.retain(|key| !known(key));
        let tags = Arc::clone(self).list_tags(keys.clone(), deadline).await;
        // Tags that cannot be read are those of others' keys, or are not there yet.
        let is_marked = |tags: Tags| tags.get(CREATED_TAG).is_some_and(|value| value == mark);
        let mut keys = keys.into_iter().zip(tags);
        keys.find_map(|(key, tags)| tags.is_ok_and(is_marked).then_some(key))
            .ok_or_else(not_listed)
    }
}

fn not_listed() -> KmsError {
    KmsError::local(Kind::NotFound, OPERATION, None, "no listing shows it")
}

/// Says of a new key what it is that it lacks. The error itself has its ARN and what to do.
fn not_ready(error: KmsError, timeout: Duration) -> KmsError {
    let what = if passes(&error) {
        format!("it could not be made usable within {} s", timeout.as_secs())
    } else {
        "it could not be read".to_owned()
    };
    let message = format!("{what}: {}", error.message);
    KmsError { message, ..error }
}

/// Whether a request that failed like this may have been carried out: its answer is what is missing.
fn leaves_doubt(error: &KmsError) -> bool {
    !matches!(error.course, Course::Unsent | Course::Unready)
        && matches!(
            error.kind,
            Kind::Timeout | Kind::Network | Kind::Unavailable | Kind::BadAnswer
        )
}

/// Whether what failed like this may succeed a little later, for a key that is new.
pub(super) fn passes(error: &KmsError) -> bool {
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
