//! The same key in several regions: making replicas of a multi-Region key, and reaching them.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>.

use std::sync::Arc;

use aws_sdk_kms::types::KeyState;
use tokio::time::Instant;

use super::bulk;
use super::creation::passes;
use super::listing::{bad_answer, check_key};
use super::operations::wire_tags;
use super::regions::Regions;
use super::request::{Requests, persist};
use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind, NewKey};

const OPERATION: &str = "ReplicateKey";

/// What KMS says of a replica that is there already.
const ALREADY_THERE: &str = "AlreadyExistsException";

impl Regions {
    /// Makes a replica in each other region, side by side, and waits until KMS has created them.
    pub(super) async fn replicate(
        self: Arc<Self>,
        key: KeyEntry,
        request: NewKey,
        deadline: Instant,
    ) -> Result<Vec<KeyEntry>, KmsError> {
        let replicas = self.keys_elsewhere(&key);
        let concurrency = replicas.len();
        let make = move |replica: KeyEntry| {
            let (regions, key, request) = (Arc::clone(&self), key.clone(), request.clone());
            async move {
                let home = regions.home();
                home.replicate(&key, &replica, &request, deadline).await?;
                regions.of(&replica).await_replica(&replica, deadline).await
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
        deadline: Instant,
    ) -> Result<(), KmsError> {
        let deadline = deadline.min(Instant::now() + self.settings().deadline);
        let tags = wire_tags(OPERATION, Some(&key.arn), &request.tags)?;
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
}
