//! The KMS port over the AWS SDK.
//!
//! One [`AwsKms`] serves one token. Making one does no network or file work: the SDK's client is
//! built by the first call, on the runtime's threads.

mod absence;
mod acting;
mod ambient;
mod attempts;
mod audit;
mod breaker;
mod bulk;
mod caller;
mod client;
mod connections;
mod creation;
mod credential_process;
mod credentials;
mod cryptography;
mod denied;
mod endpoint;
mod failover;
mod failure;
mod fresh;
mod hedging;
mod import;
mod lending;
mod limiter;
mod listing;
mod manner;
mod operations;
mod places;
mod quota;
mod reading;
mod regions;
mod renewal;
mod replication;
mod request;
mod resolver;
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

use super::runtime::{RunError, Runtime};
use super::{
    Alias, DataKey, EncryptionAlgorithm, EncryptionContext, GRACE, Identity, ImportParameters,
    KeyAnswer, KeyEntry, KeySpec, KeyUsage, Kms, KmsError, KmsErrorKind, Logins, MacAlgorithm,
    MessageType, Move, NewKey, RotationCounts, RotationStatus, Search, Sent, SigningAlgorithm,
    Stage, Tags, WrappingAlgorithm,
};
use crate::metrics::Metrics;
use manner::Manner;
use places::Place;
use regions::{Regions, There};
use request::Requests;

/// Of the time that a listing has left, what the tags of all keys may take: their public halves and aliases come
/// after them.
const TAGS_SHARE: f64 = 0.9;

/// AWS KMS as one token sees it: an account and a region, through one identity.
pub(crate) struct AwsKms {
    regions: Arc<Regions>,
    runtime: Arc<Runtime>,
    /// Where keys are listed.
    place: Place,
}

impl AwsKms {
    /// Nothing is read, resolved or connected before the first call.
    pub(crate) fn new(
        settings: AwsSettings,
        runtime: Arc<Runtime>,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        Self {
            regions: Arc::new(Regions::new(settings, http, metrics)),
            runtime,
            place: Place::Home,
        }
    }

    /// Runs one operation on the runtime, within what its stage of the call has left, and waits for it.
    ///
    /// `work` gets the instant at which it must have answered.
    fn run<T, W, F>(&self, operation: &'static str, stage: Stage, work: W) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Instant) -> F + Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        self.run_within(operation, stage.left(self.time(stage)), work)
    }

    /// The same in the region that a key is in.
    fn run_at<T, W, F>(
        &self,
        key: &KeyEntry,
        operation: &'static str,
        stage: Stage,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: FnOnce(Arc<Requests>, Instant) -> F + Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let requests = Arc::clone(self.regions.of(key));
        let budget = stage.left(self.time(stage));
        self.wait(operation, budget, |deadline| work(requests, deadline))
    }

    /// The same with a time of its own.
    fn run_within<T, W, F>(
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
        let requests = Arc::clone(self.regions.home());
        self.wait(operation, budget, |deadline| work(requests, deadline))
    }

    /// The same for what lists keys, at the place of this.
    fn list<T, W, F>(
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
        let (regions, place) = (Arc::clone(&self.regions), self.place);
        self.wait(operation, budget, move |deadline| {
            place.list(regions, deadline, work)
        })
    }

    /// A key of the place of this as the token's own region names it.
    fn at_home(&self, key: KeyEntry) -> Option<KeyEntry> {
        self.place.at_home(&self.regions, key)
    }

    /// The same for what a key does, in whichever region: `work` gets the key as it is called there, and may be done
    /// more than once.
    fn run_anywhere<T, W, F>(
        &self,
        operation: &'static str,
        key: &KeyEntry,
        work: W,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        W: Fn(There, KeyEntry, Instant) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let (regions, key) = (Arc::clone(&self.regions), key.clone());
        let budget = Stage::Request.left(self.time(Stage::Request));
        self.wait(operation, budget, move |deadline| {
            let of_token = key.clone();
            regions.ask(operation, Some(key), deadline, move |there, deadline| {
                let key = there.own(&of_token);
                work(there, key, deadline)
            })
        })
    }

    /// Has work done on the runtime until its deadline, and waits for it.
    fn wait<T, F>(
        &self,
        operation: &'static str,
        budget: Duration,
        work: impl FnOnce(Instant) -> F + Send + 'static,
    ) -> Result<T, KmsError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, KmsError>> + Send + 'static,
    {
        let deadline = Instant::now() + budget;
        // Boxed on the worker: the SDK's futures are large, the caller's stack may be small.
        let login = self.logins().of_call();
        let boxed = login.of(async move { Box::pin(work(deadline)).await });
        self.runtime
            .run(boxed, budget + GRACE)
            .unwrap_or_else(|error| Err(interrupted(operation, budget, &error)))
    }

    /// The same for an operation on many keys, which answers per key whatever happens.
    fn run_each<T, W, F>(
        &self,
        operation: &'static str,
        keys: &[KeyEntry],
        budget: Duration,
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
        self.list(operation, budget, move |requests, deadline| async move {
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
        (1 + searches) * self.time(Stage::Request)
    }

    /// The whole time of a stage.
    fn time(&self, stage: Stage) -> Duration {
        let settings = self.regions.home().settings();
        match stage {
            Stage::Request => settings.deadline,
            Stage::Listing => settings.listing_deadline,
            Stage::Ready => settings.key_ready_timeout,
        }
    }
}

impl Kms for AwsKms {
    fn log_in(&self, identity: Identity) -> Result<(), KmsError> {
        // Whatever began before is none of this user's, but for this call itself.
        self.logins().change();
        self.logins().begin_call();
        let regions = Arc::clone(&self.regions);
        let budget = Stage::Request.left(self.time(Stage::Request));
        self.wait(caller::OPERATION, budget, |deadline| async move {
            regions.log_in(identity, deadline).await
        })
    }

    fn log_out(&self) {
        self.logins().change();
        self.regions.log_out();
    }

    fn places(&self) -> Vec<Box<dyn Kms>> {
        let places = Place::all(&self.regions).into_iter();
        let at = |place| -> Box<dyn Kms> {
            Box::new(Self {
                regions: Arc::clone(&self.regions),
                runtime: Arc::clone(&self.runtime),
                place,
            })
        };
        places.map(at).collect()
    }

    fn logins(&self) -> &Logins {
        self.regions.home().logins()
    }

    fn list_keys(&self) -> Result<Vec<KeyEntry>, KmsError> {
        let left = Stage::Listing.left(self.time(Stage::Listing));
        let keys = self.list("ListKeys", left, |requests, deadline| async move {
            requests.list_keys(deadline).await
        })?;
        Ok(keys
            .into_iter()
            .filter_map(|key| self.at_home(key))
            .collect())
    }

    fn list_tags(&self, keys: &[KeyEntry]) -> Vec<Result<Tags, KmsError>> {
        // What is found has to be read, too.
        let budget = Stage::Listing
            .left(self.time(Stage::Listing))
            .mul_f64(TAGS_SHARE);
        let own = |key| self.place.own(&self.regions, key);
        let keys: Vec<KeyEntry> = keys.iter().map(own).collect();
        self.run_each("ListResourceTags", &keys, budget, Requests::list_tags)
    }

    fn list_tagged(&self, tags: &Tags) -> Result<Vec<(KeyEntry, Tags)>, KmsError> {
        let tags = tags.clone();
        let left = Stage::Listing.left(self.time(Stage::Listing));
        // It may never answer here, and then keys have to be listed.
        let is_chosen = self.regions.home().settings().needs_tagging;
        let budget = if is_chosen { left } else { left / 2 };
        let keys = self.list(
            tagging::OPERATION,
            budget,
            |requests, deadline| async move { requests.list_tagged(&tags, deadline).await },
        )?;
        let at_home = |(key, tags)| self.at_home(key).map(|key| (key, tags));
        Ok(keys.into_iter().filter_map(at_home).collect())
    }

    fn list_aliases(&self) -> Result<Vec<Alias>, KmsError> {
        let left = Stage::Listing.left(self.time(Stage::Listing));
        self.list("ListAliases", left, |requests, deadline| async move {
            requests.list_aliases(deadline).await
        })
    }

    fn describe_key(&self, id: &str) -> Result<KeyEntry, KmsError> {
        const OPERATION: &str = "DescribeKey";
        let id = self.place.name(&self.regions, OPERATION, id.to_owned())?;
        let left = Stage::Listing.left(self.time(Stage::Listing));
        let key = self.list(OPERATION, left, |requests, deadline| async move {
            requests.describe_key(&id, deadline).await
        })?;
        Ok(self.at_home(key.clone()).unwrap_or(key))
    }

    fn read_keys(&self, keys: &[KeyEntry], stage: Stage) -> Vec<Result<KeyAnswer, KmsError>> {
        let budget = stage.left(self.time(stage));
        let regions = Arc::clone(&self.regions);
        self.run_each("GetPublicKey", keys, budget, |_, keys, deadline| {
            regions.read_keys(keys, deadline)
        })
    }

    fn create_key(&self, request: &NewKey, search: &Search) -> Result<KeyEntry, KmsError> {
        let (request, search) = (request.clone(), search.clone());
        let budget = self.creation_budget(&search);
        self.run_within("CreateKey", budget, |requests, _| async move {
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
        self.run_within("CreateKey", budget, |requests, _| async move {
            requests.create_key_for_import(&request, &search).await
        })
    }

    fn keys_elsewhere(&self, key: &KeyEntry) -> Vec<KeyEntry> {
        self.regions.keys_elsewhere(key)
    }

    fn replicate(&self, key: &KeyEntry, request: &NewKey) -> Result<Vec<KeyEntry>, KmsError> {
        if !request.multi_region || self.keys_elsewhere(key).is_empty() {
            return Ok(Vec::new());
        }
        let regions = Arc::clone(&self.regions);
        let (key, request) = (key.clone(), request.clone());
        let budget = Stage::Ready.left(self.time(Stage::Ready));
        self.wait("ReplicateKey", budget, |deadline| {
            regions.replicate(key, request, deadline)
        })
    }

    fn awaits_import(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        sent: Sent,
    ) -> Result<bool, KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "DescribeKey",
            Stage::Request,
            move |requests, deadline| async move {
                let work = requests.awaits_import(&own, spec, usage, deadline);
                Manner::from(sent).of(work).await
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
            Stage::Ready,
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
            Stage::Ready,
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
            Stage::Ready,
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
        let message = message.to_vec();
        self.run_anywhere("Sign", key, move |there, key, deadline| {
            let message = message.clone();
            async move {
                there
                    .requests
                    .sign(&key, algorithm, message_type, message, deadline)
                    .await
            }
        })
    }

    fn generate_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError> {
        let message = message.to_vec();
        self.run_anywhere("GenerateMac", key, move |there, key, deadline| {
            let message = message.clone();
            async move {
                there
                    .requests
                    .generate_mac(&key, algorithm, message, deadline)
                    .await
            }
        })
    }

    fn verify_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KmsError> {
        let (message, mac) = (message.to_vec(), mac.to_vec());
        self.run_anywhere("VerifyMac", key, move |there, key, deadline| {
            let (message, mac) = (message.clone(), mac.clone());
            async move {
                there
                    .requests
                    .verify_mac(&key, algorithm, message, mac, deadline)
                    .await
            }
        })
    }

    fn derive_shared_secret(
        &self,
        key: &KeyEntry,
        peer_spki: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let peer = peer_spki.to_vec();
        self.run_anywhere("DeriveSharedSecret", key, move |there, key, deadline| {
            let peer = peer.clone();
            async move {
                there
                    .requests
                    .derive_shared_secret(&key, peer, deadline)
                    .await
            }
        })
    }

    fn decapsulate(
        &self,
        key: &KeyEntry,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let ciphertext = ciphertext.to_vec();
        self.run_anywhere("Decapsulate", key, move |there, key, deadline| {
            let ciphertext = ciphertext.clone();
            async move { there.requests.decapsulate(&key, ciphertext, deadline).await }
        })
    }

    fn encrypt(
        &self,
        key: &KeyEntry,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError> {
        let context = context.clone();
        let plaintext = Arc::new(Zeroizing::new(plaintext.to_vec()));
        self.run_anywhere("Encrypt", key, move |there, key, deadline| {
            let (plaintext, context) = (Arc::clone(&plaintext), context.clone());
            async move {
                there
                    .requests
                    .encrypt(&key, &plaintext, context, deadline)
                    .await
            }
        })
    }

    fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        let (ciphertext, context) = (ciphertext.to_vec(), context.clone());
        self.run_anywhere("Decrypt", key, move |there, key, deadline| {
            let (ciphertext, context) = (ciphertext.clone(), context.clone());
            async move {
                there
                    .requests
                    .decrypt(&key, algorithm, ciphertext, context, deadline)
                    .await
            }
        })
    }

    fn generate_data_key(
        &self,
        key: &KeyEntry,
        len: usize,
        context: &EncryptionContext,
    ) -> Result<DataKey, KmsError> {
        let context = context.clone();
        self.run_anywhere("GenerateDataKey", key, move |there, key, deadline| {
            let context = context.clone();
            async move {
                there
                    .requests
                    .generate_data_key(&key, len, context, deadline)
                    .await
            }
        })
    }

    fn re_encrypt(&self, request: &Move) -> Result<Vec<u8>, KmsError> {
        const OPERATION: &str = "ReEncrypt";
        let request = request.clone();
        let source = request.source.as_ref();
        if !source.is_some_and(|source| self.regions.may_leave_home(Some(source))) {
            // What the ciphertext is of may be in the token's region alone.
            return self.run(OPERATION, Stage::Request, |requests, deadline| async move {
                requests.re_encrypt(request, deadline).await
            });
        }
        let destination = request.destination.clone();
        self.run_anywhere(OPERATION, &destination, move |there, key, deadline| {
            let moved = Move {
                source: request.source.as_ref().map(|source| there.own(source)),
                destination: key,
                ..request.clone()
            };
            async move { there.requests.re_encrypt(moved, deadline).await }
        })
    }

    fn rotation_status(&self, key: &KeyEntry) -> Result<RotationStatus, KmsError> {
        let key = key.clone();
        self.run(
            "GetKeyRotationStatus",
            Stage::Request,
            |requests, deadline| async move { requests.rotation_status(&key, deadline).await },
        )
    }

    fn rotation_counts(&self, key: &KeyEntry) -> Result<RotationCounts, KmsError> {
        let key = key.clone();
        self.run(
            "ListKeyRotations",
            Stage::Request,
            |requests, deadline| async move { requests.rotation_counts(&key, deadline).await },
        )
    }

    fn tag(&self, key: &KeyEntry, tags: &Tags) -> Result<(), KmsError> {
        let (own, tags) = (key.clone(), tags.clone());
        self.run_at(
            key,
            "TagResource",
            Stage::Request,
            |requests, deadline| async move { requests.tag(&own, &tags, deadline).await },
        )
    }

    fn untag(&self, key: &KeyEntry, tag_keys: &[String]) -> Result<(), KmsError> {
        let (own, tag_keys) = (key.clone(), tag_keys.to_vec());
        self.run_at(
            key,
            "UntagResource",
            Stage::Request,
            |requests, deadline| async move { requests.untag(&own, tag_keys, deadline).await },
        )
    }

    fn schedule_deletion(
        &self,
        key: &KeyEntry,
        window_days: u8,
        sent: Sent,
    ) -> Result<(), KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "ScheduleKeyDeletion",
            Stage::Request,
            move |requests, deadline| async move {
                let work = requests.schedule_deletion(&own, window_days, deadline);
                Manner::from(sent).of(work).await
            },
        )
    }

    fn is_pending_deletion(&self, key: &KeyEntry) -> Result<bool, KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "DescribeKey",
            Stage::Request,
            move |requests, deadline| async move {
                requests.is_pending_deletion(&own, deadline).await
            },
        )
    }

    fn disable(&self, key: &KeyEntry) -> Result<(), KmsError> {
        let own = key.clone();
        self.run_at(
            key,
            "DisableKey",
            Stage::Request,
            |requests, deadline| async move { requests.disable(&own, deadline).await },
        )
    }

    fn log_counts(&self) {
        self.regions.log_counts();
    }

    fn random(&self, out: &mut [u8]) -> Result<(), KmsError> {
        let length = out.len();
        let regions = Arc::clone(&self.regions);
        let budget = Stage::Request.left(self.time(Stage::Request));
        let bytes = self.wait(operations::RANDOM, budget, move |deadline| {
            regions.random(length, deadline)
        })?;
        // Of exactly this length: every part was checked against what it was asked for.
        out.copy_from_slice(&bytes);
        Ok(())
    }
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKms")
            .field("settings", self.regions.home().settings())
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
        RunError::Panicked(panic) => (
            KmsErrorKind::Other,
            format!("an internal error ended the call ({panic}); please report it"),
        ),
        RunError::NotStarted(error) => (
            KmsErrorKind::Exhausted,
            format!("the module's threads could not be started: {error}"),
        ),
    };
    KmsError::local(kind, operation, None, message)
}
