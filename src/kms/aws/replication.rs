//! The same key in several regions: making replicas of a multi-Region key, and reaching them.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>.

use std::sync::Arc;

use aws_sdk_kms::types::KeyState;
use tokio::time::Instant;

use super::bulk;
use super::client::SharedHttp;
use super::creation::passes;
use super::listing::{bad_answer, check_key};
use super::operations::wire_tags;
use super::request::{Requests, persist};
use super::settings::AwsSettings;
use crate::kms::{Identity, KeyEntry, KmsError, KmsErrorKind as Kind, NewKey};
use crate::metrics::Metrics;

const OPERATION: &str = "ReplicateKey";

/// What KMS says of a replica that is there already.
const ALREADY_THERE: &str = "AlreadyExistsException";

/// The token's other regions, the preferred first. Each has its own quotas; connections and settings are those of
/// the token.
pub(super) struct Elsewhere(Vec<Arc<Requests>>);

impl Elsewhere {
    pub(super) fn new(
        settings: &AwsSettings,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let requests = |settings| Requests::new(settings, http.clone(), metrics.cloned());
        let replicas = settings.of_replicas().into_iter();
        Self(replicas.map(requests).map(Arc::new).collect())
    }

    /// The region that a key is in, if it is one of these.
    pub(super) fn region_of(&self, key: &KeyEntry) -> Option<&Arc<Requests>> {
        let named = key.region()?;
        self.0.iter().find(|region| region.region() == Some(named))
    }

    /// The keys that a multi-Region key may have in these regions; none of another key.
    pub(super) fn keys(&self, key: &KeyEntry) -> Vec<KeyEntry> {
        if !key.is_multi_region() {
            return Vec::new();
        }
        let regions = self.0.iter().filter_map(|region| region.region());
        regions.map(|region| key.in_region(region)).collect()
    }

    /// Sends what follows as an identity of which the token's own region has made sure.
    pub(super) fn act_as(&self, identity: &Identity) {
        self.0.iter().for_each(|region| region.act_as(identity));
    }

    pub(super) fn log_out(&self) {
        self.0.iter().for_each(|region| region.log_out());
    }

    pub(super) fn log_counts(&self) {
        let limiters = self.0.iter().map(|region| region.limiter());
        limiters.for_each(super::limiter::Limiter::log_counts);
    }
}

/// Makes a replica in each of these regions, side by side, and waits until KMS has created them.
pub(super) async fn replicate(
    home: Arc<Requests>,
    elsewhere: Arc<Elsewhere>,
    key: KeyEntry,
    request: NewKey,
    deadline: Instant,
) -> Result<Vec<KeyEntry>, KmsError> {
    let replicas = elsewhere.keys(&key);
    let concurrency = replicas.len();
    let make = move |replica: KeyEntry| {
        let (home, elsewhere) = (Arc::clone(&home), Arc::clone(&elsewhere));
        let (key, request) = (key.clone(), request.clone());
        async move {
            home.replicate(&key, &replica, &request).await?;
            match elsewhere.region_of(&replica) {
                Some(region) => region.await_replica(&replica, deadline).await,
                None => Ok(()),
            }
        }
    };
    let answers = bulk::each(replicas.clone(), concurrency, make).await;
    for (answer, replica) in answers.into_iter().zip(&replicas) {
        let lost = || KmsError::local(Kind::Other, OPERATION, None, "the request was lost");
        answer.unwrap_or_else(|| Err(lost())).map_err(|error| {
            let message = format!("no replica {}: {}", replica.arn, error.message);
            KmsError { message, ..error }
        })?;
    }
    Ok(replicas)
}

impl Requests {
    /// `ReplicateKey`, which the primary is asked for.
    ///
    /// It may be repeated: whoever finds the replica there already has made it before, since nobody else knows
    /// the new key.
    async fn replicate(
        &self,
        key: &KeyEntry,
        replica: &KeyEntry,
        request: &NewKey,
    ) -> Result<(), KmsError> {
        let tags = wire_tags(OPERATION, Some(&key.arn), &request.tags)?;
        let deadline = Instant::now() + self.settings().deadline;
        let made = persist(deadline, passes, || {
            self.ask(OPERATION, Some(&key.arn), deadline, |client| {
                client
                    .replicate_key()
                    .key_id(&key.arn)
                    .set_replica_region(replica.region().map(str::to_owned))
                    .description(&request.description)
                    .set_tags(Some(tags.clone()).filter(|tags| !tags.is_empty()))
                    .set_policy(request.policy.clone())
                    .send()
            })
        });
        match made.await {
            Ok(answer) => {
                let metadata = answer.replica_key_metadata();
                check_key(OPERATION, replica, metadata.and_then(|made| made.arn()))
            }
            Err(error) if error.code == ALREADY_THERE => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until a new replica of this region is no longer being created.
    async fn await_replica(&self, replica: &KeyEntry, deadline: Instant) -> Result<(), KmsError> {
        self.fresh.remember(&replica.key_id);
        persist(deadline, passes, || self.check_created(replica, deadline)).await
    }

    async fn check_created(&self, replica: &KeyEntry, deadline: Instant) -> Result<(), KmsError> {
        const OPERATION: &str = "DescribeKey";
        let arn = &replica.arn;
        let answer = self
            .ask(OPERATION, Some(arn), deadline, |client| {
                client.describe_key().key_id(arn).send()
            })
            .await?;
        let metadata = answer
            .key_metadata
            .ok_or_else(|| bad_answer(OPERATION, Some(arn), "no key metadata"))?;
        check_key(OPERATION, replica, Some(metadata.key_id()))?;
        match metadata.key_state() {
            Some(KeyState::Creating) => {
                let message = "the replica is still being created";
                Err(KmsError::local(
                    Kind::InvalidState,
                    OPERATION,
                    Some(arn),
                    message,
                ))
            }
            _ => Ok(()),
        }
    }

    fn region(&self) -> Option<&str> {
        self.settings().region.as_deref()
    }
}
