//! The KMS port over the AWS SDK.
//!
//! One [`AwsKms`] serves one token. Making one does no network or file work: the SDK's client is
//! built by the first call, on the runtime's threads.

mod ambient;
mod attempts;
mod audit;
mod bulk;
mod caller;
mod client;
mod connections;
mod creation;
mod credentials;
mod cryptography;
mod denied;
mod failure;
mod fresh;
mod import;
mod limiter;
mod listing;
mod operations;
mod quota;
mod reading;
mod renewal;
mod replication;
mod request;
mod retry;
mod rotation;
mod settings;
mod symmetric;
mod tagging;
#[cfg(test)]
mod tests;
mod throttling;
mod trust;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

pub(crate) use client::SharedHttp;
pub(crate) use settings::AwsSettings;

use super::first_use;
use super::runtime::{RunError, Runtime};
use super::{
    Alias, DataKey, EncryptionAlgorithm, EncryptionContext, Identity, ImportParameters, KeyAnswer,
    KeyEntry, KeySpec, KeyUsage, Kms, KmsError, KmsErrorKind, MacAlgorithm, MessageType, Move,
    NewKey, RotationCounts, RotationStatus, Search, SigningAlgorithm, Tags, WrappingAlgorithm,
};
use crate::metrics::Metrics;
use replication::Elsewhere;
use request::Requests;

/// How long after a deadline the runtime's own answer is awaited: it says more about what happened
/// than the passing of time does.
const GRACE: Duration = Duration::from_millis(250);

/// AWS KMS as one token sees it: an account and a region, through one identity.
pub(crate) struct AwsKms {
    requests: Arc<Requests>,
    elsewhere: Arc<Elsewhere>,
    runtime: Arc<Runtime>,
}

impl AwsKms {
    /// Nothing is read, resolved or connected before the first call.
    pub(crate) fn new(
        settings: AwsSettings,
        runtime: Arc<Runtime>,
        http: SharedHttp,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let elsewhere = Elsewhere::new(&settings, &http, metrics.as_ref());
        Self {
            elsewhere: Arc::new(elsewhere),
            requests: Arc::new(Requests::new(settings, http, metrics)),
            runtime,
        }
    }

    /// Runs one operation on the runtime, within `budget`, and waits for it.
    ///
    /// `work` gets the instant at which it must have answered.
    fn run<T, W, F>(
        &self,
        operation: &'static str,
        budget: Duration,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Instant) -> F + Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        self.run_on(Arc::clone(&self.requests), operation, budget, work)
    }

    /// The same in the region that a key is in.
    fn run_at<T, W, F>(
        &self,
        key: &KeyEntry,
        operation: &'static str,
        budget: Duration,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Instant) -> F + Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let requests = self.elsewhere.region_of(key).unwrap_or(&self.requests);
        self.run_on(Arc::clone(requests), operation, budget, work)
    }

    fn run_on<T, W, F>(
        &self,
        requests: Arc<Requests>,
        operation: &'static str,
        budget: Duration,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Instant) -> F + Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let deadline = Instant::now() + budget;
        // Boxed on the worker: the SDK's futures are large, the caller's stack may be small.
        let boxed = async move { Box::pin(work(requests, deadline)).await };
        first_use::guarded(|| self.runtime.run(boxed, budget + GRACE))
            .unwrap_or_else(|error| Err(interrupted(operation, budget, &error)))
    }

    /// The same for an operation on many keys, which answers per key whatever happens.
    fn run_each<T, W, F>(
        &self,
        operation: &'static str,
        keys: &[KeyEntry],
        work: W,
    ) -> Vec<Result<T, KmsError>>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Vec<KeyEntry>, Instant) -> F + Send + 'static,
        F: Future<Output = Vec<Result<T, KmsError>>> + Send + 'static,
    {
        if keys.is_empty() {
            return Vec::new();
        }
        let owned = keys.to_vec();
        let budget = self.requests.settings().listing_deadline;
        self.run(operation, budget, move |requests, deadline| async move {
            Ok(work(requests, owned, deadline).await)
        })
        .unwrap_or_else(|error| {
            let failed = |key: &KeyEntry| KmsError {
                key: Some(key.arn.clone()),
                ..error.clone()
            };
            keys.iter().map(|key| Err(failed(key))).collect()
        })
    }

    /// To ask for a key, and to look for it in one way or two where the answer was lost.
    fn creation_budget(&self, search: &Search) -> Duration {
        let searches = match search {
            Search::Listing(_) => 1,
            Search::Tagging(_) => 2,
        };
        (1 + searches) * self.deadline()
    }

    fn deadline(&self) -> Duration {
        self.requests.settings().deadline
    }

    /// For what waits for a new key.
    fn ready_timeout(&self) -> Duration {
        self.requests.settings().key_ready_timeout
    }

    fn listing_deadline(&self) -> Duration {
        self.requests.settings().listing_deadline
    }
}

impl Kms for AwsKms {
    fn log_in(&self, identity: Identity) -> Result<(), KmsError> {
        let of_others = identity.clone();
        self.run(
            caller::OPERATION,
            self.deadline(),
            |requests, deadline| async move { requests.log_in(identity, deadline).await },
        )?;
        self.elsewhere.act_as(&of_others);
        Ok(())
    }

    fn log_out(&self) {
        self.requests.log_out();
        self.elsewhere.log_out();
    }

    fn list_keys(&self) -> Result<Vec<KeyEntry>, KmsError> {
        self.run(
            "ListKeys",
            self.listing_deadline(),
            |requests, deadline| async move { requests.list_keys(deadline).await },
        )
    }

    fn list_tags(&self, keys: &[KeyEntry]) -> Vec<Result<Tags, KmsError>> {
        self.run_each("ListResourceTags", keys, Requests::list_tags)
    }

    fn list_tagged(&self, tags: &Tags) -> Result<Vec<(KeyEntry, Tags)>, KmsError> {
        let tags = tags.clone();
        self.run(
            tagging::OPERATION,
            self.listing_deadline(),
            |requests, deadline| async move { requests.list_tagged(&tags, deadline).await },
        )
    }

    fn list_aliases(&self) -> Result<Vec<Alias>, KmsError> {
        self.run(
            "ListAliases",
            self.listing_deadline(),
            |requests, deadline| async move { requests.list_aliases(deadline).await },
        )
    }

    fn describe_key(&self, id: &str) -> Result<KeyEntry, KmsError> {
        let id = id.to_owned();
        self.run(
            "DescribeKey",
            self.deadline(),
            |requests, deadline| async move { requests.describe_key(&id, deadline).await },
        )
    }

    fn read_keys(&self, keys: &[KeyEntry]) -> Vec<Result<KeyAnswer, KmsError>> {
        self.run_each("GetPublicKey", keys, Requests::read_keys)
    }

    fn create_key(
        &self,
        request: &NewKey,
        search: &Search,
    ) -> Result<(KeyEntry, KeyAnswer), KmsError> {
        let (request, search) = (request.clone(), search.clone());
        // To wait for it, too.
        let budget = self.creation_budget(&search) + self.ready_timeout();
        self.run("CreateKey", budget, |requests, _| async move {
            requests.create_key(&request, &search).await
        })
    }

    fn create_key_for_import(
        &self,
        request: &NewKey,
        search: &Search,
    ) -> Result<KeyEntry, KmsError> {
        let (request, search) = (request.clone(), search.clone());
        let budget = self.creation_budget(&search);
        self.run("CreateKey", budget, |requests, _| async move {
            requests.create_key_for_import(&request, &search).await
        })
    }

    fn keys_elsewhere(&self, key: &KeyEntry) -> Vec<KeyEntry> {
        self.elsewhere.keys(key)
    }

    fn replicate(&self, key: &KeyEntry, request: &NewKey) -> Result<Vec<KeyEntry>, KmsError> {
        if !request.multi_region || self.keys_elsewhere(key).is_empty() {
            return Ok(Vec::new());
        }
        let elsewhere = Arc::clone(&self.elsewhere);
        let (key, request) = (key.clone(), request.clone());
        // To be asked for the replicas, too.
        let budget = self.deadline() + self.ready_timeout();
        self.run("ReplicateKey", budget, |home, deadline| {
            replication::replicate(home, elsewhere, key, request, deadline)
        })
    }

    fn awaits_import(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
    ) -> Result<bool, KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "DescribeKey",
            self.deadline(),
            move |requests, deadline| async move {
                requests.awaits_import(&own, spec, usage, deadline).await
            },
        )
    }

    fn import_parameters(
        &self,
        key: &KeyEntry,
        wrapping: WrappingAlgorithm,
    ) -> Result<ImportParameters, KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "GetParametersForImport",
            self.ready_timeout(),
            move |requests, deadline| async move {
                requests.import_parameters(&own, wrapping, deadline).await
            },
        )
    }

    fn import_material(
        &self,
        key: &KeyEntry,
        token: &[u8],
        wrapped: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), KmsError> {
        let (own, token, wrapped) = (key.clone(), token.to_vec(), wrapped.to_vec());
        self.run_at(
            key,
            "ImportKeyMaterial",
            self.ready_timeout(),
            move |requests, deadline| async move {
                requests
                    .import_material(&own, token, wrapped, lifetime, deadline)
                    .await
            },
        )
    }

    fn await_key(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
    ) -> Result<KeyAnswer, KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "GetPublicKey",
            self.ready_timeout(),
            move |requests, deadline| async move {
                requests.await_key(&own, spec, usage, deadline).await
            },
        )
    }

    fn sign(
        &self,
        key: &KeyEntry,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let (key, message) = (key.clone(), message.to_vec());
        self.run(
            "Sign",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .sign(&key, algorithm, message_type, message, deadline)
                    .await
            },
        )
    }

    fn generate_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let (key, message) = (key.clone(), message.to_vec());
        self.run(
            "GenerateMac",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .generate_mac(&key, algorithm, message, deadline)
                    .await
            },
        )
    }

    fn verify_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KmsError> {
        let (key, message, mac) = (key.clone(), message.to_vec(), mac.to_vec());
        self.run(
            "VerifyMac",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .verify_mac(&key, algorithm, message, mac, deadline)
                    .await
            },
        )
    }

    fn derive_shared_secret(
        &self,
        key: &KeyEntry,
        peer_spki: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (key, peer) = (key.clone(), peer_spki.to_vec());
        self.run(
            "DeriveSharedSecret",
            self.deadline(),
            move |requests, deadline| async move {
                requests.derive_shared_secret(&key, peer, deadline).await
            },
        )
    }

    fn decapsulate(
        &self,
        key: &KeyEntry,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (key, ciphertext) = (key.clone(), ciphertext.to_vec());
        self.run(
            "Decapsulate",
            self.deadline(),
            move |requests, deadline| async move {
                requests.decapsulate(&key, ciphertext, deadline).await
            },
        )
    }

    fn encrypt(
        &self,
        key: &KeyEntry,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        let (key, context) = (key.clone(), context.clone());
        let plaintext = Zeroizing::new(plaintext.to_vec());
        self.run(
            "Encrypt",
            self.deadline(),
            move |requests, deadline| async move {
                requests.encrypt(&key, &plaintext, context, deadline).await
            },
        )
    }

    fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (key, ciphertext, context) = (key.clone(), ciphertext.to_vec(), context.clone());
        self.run(
            "Decrypt",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .decrypt(&key, algorithm, ciphertext, context, deadline)
                    .await
            },
        )
    }

    fn generate_data_key(
        &self,
        key: &KeyEntry,
        len: usize,
        context: &EncryptionContext,
    ) -> Result<DataKey, KmsError> {
        let (key, context) = (key.clone(), context.clone());
        self.run(
            "GenerateDataKey",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .generate_data_key(&key, len, context, deadline)
                    .await
            },
        )
    }

    fn re_encrypt(&self, request: &Move) -> Result<Vec<u8>, KmsError> {
        let request = request.clone();
        self.run(
            "ReEncrypt",
            self.deadline(),
            |requests, deadline| async move { requests.re_encrypt(request, deadline).await },
        )
    }

    fn rotation_status(&self, key: &KeyEntry) -> Result<RotationStatus, KmsError> {
        let key = key.clone();
        self.run(
            "GetKeyRotationStatus",
            self.deadline(),
            |requests, deadline| async move { requests.rotation_status(&key, deadline).await },
        )
    }

    fn rotation_counts(&self, key: &KeyEntry) -> Result<RotationCounts, KmsError> {
        let key = key.clone();
        self.run(
            "ListKeyRotations",
            self.deadline(),
            |requests, deadline| async move { requests.rotation_counts(&key, deadline).await },
        )
    }

    fn tag(&self, key: &KeyEntry, tags: &Tags) -> Result<(), KmsError> {
        let (own, tags) = (key.clone(), tags.clone());
        self.run_at(
            key,
            "TagResource",
            self.deadline(),
            |requests, deadline| async move { requests.tag(&own, &tags, deadline).await },
        )
    }

    fn untag(&self, key: &KeyEntry, tag_keys: &[String]) -> Result<(), KmsError> {
        let (own, tag_keys) = (key.clone(), tag_keys.to_vec());
        self.run_at(
            key,
            "UntagResource",
            self.deadline(),
            |requests, deadline| async move { requests.untag(&own, tag_keys, deadline).await },
        )
    }

    fn schedule_deletion(&self, key: &KeyEntry, window_days: u8) -> Result<(), KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "ScheduleKeyDeletion",
            self.deadline(),
            move |requests, deadline| async move {
                requests
                    .schedule_deletion(&own, window_days, deadline)
                    .await
            },
        )
    }

    fn disable(&self, key: &KeyEntry) -> Result<(), KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "DisableKey",
            self.deadline(),
            |requests, deadline| async move { requests.disable(&own, deadline).await },
        )
    }

    fn log_counts(&self) {
        self.requests.limiter().log_counts();
        self.elsewhere.log_counts();
    }

    fn random(&self, out: &mut [u8]) -> Result<(), KmsError> {
        let length = out.len();
        let bytes = self.run(
            "GenerateRandom",
            self.deadline(),
            move |requests, deadline| requests.random(length, deadline),
        )?;
        // Of exactly this length: every part was checked against what it was asked for.
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKms")
            .field("settings", self.requests.settings())
            .finish_non_exhaustive()
    }
}

fn interrupted(operation: &'static str, budget: Duration, error: &RunError) -> KmsError {
    let (kind, message) = match error {
        RunError::Elapsed => (KmsErrorKind::Timeout, request::no_answer(budget)),
        RunError::Stopped => (
            KmsErrorKind::Unavailable,
            "the module was finalized during the call".to_owned(),
        ),
        RunError::Panicked => (
            KmsErrorKind::Other,
            "an internal error ended the call".to_owned(),
        ),
        RunError::NotStarted(error) => (
            KmsErrorKind::Unavailable,
            format!("the module's threads could not be started: {error}"),
        ),
    };
    KmsError::local(kind, operation, None, message)
}
