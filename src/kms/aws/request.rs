//! One request to KMS: its client, its deadline, its patience with new keys, its record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_resourcegroupstagging::Client as TaggingClient;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::attempts;
use super::audit::Record;
use super::caller::{self, Guard};
use super::client::{self, Clients, SharedHttp};
use super::denied::Denied;
use super::endpoint::Endpoint;
use super::failure;
use super::fresh::FreshKeys;
use super::lending::Lending;
use super::limiter::Limiter;
use super::manner::Manner;
use super::quota::Call;
use super::retry::Backoff;
use super::settings::AwsSettings;
use super::throttling;
use crate::kms::permissions;
use crate::kms::{Course, IDENTITY_FORMS, Identity, KmsError, KmsErrorKind};
use crate::metrics::Metrics;

/// Clients, and since when there are any.
struct Built {
    clients: Clients,
    since: Instant,
}

/// Clients are not given up earlier: their credentials would be no others.
const YOUNG: Duration = Duration::from_secs(1);

/// A token's requests, as asynchronous functions.
pub(super) struct Requests {
    settings: AwsSettings,
    http: SharedHttp,
    lending: Lending,
    /// Empty until they could be built, and again when their credentials were of no use: what a file or the
    /// environment's services say by then is looked at anew.
    clients: ArcSwapOption<Built>,
    /// Held while they are built.
    building: Mutex<()>,
    /// Who is logged in, where that matters.
    identity: ArcSwapOption<Identity>,
    /// Another one for each login: what was found of the credentials of one says nothing of the next.
    guard: ArcSwap<Guard>,
    /// The warnings about settings that were given.
    warned: parking_lot::Mutex<BTreeSet<String>>,
    limiter: Arc<Limiter>,
    kms: Endpoint,
    tagging: Endpoint,
    pub(super) fresh: FreshKeys,
    denied: Denied,
    metrics: Option<Arc<Metrics>>,
}

impl Requests {
    pub(super) fn new(
        settings: AwsSettings,
        http: SharedHttp,
        metrics: Option<Arc<Metrics>>,
        lending: Lending,
    ) -> Self {
        let name = match &settings.region {
            Some(region) if lending.is_replica() => format!("{} in {region}", settings.token),
            _ => settings.token.clone(),
        };
        Self {
            guard: ArcSwap::from(Guard::of(&settings)),
            limiter: Arc::new(Limiter::new(name, settings.rates)),
            lending,
            kms: Endpoint::new("KMS", &settings, metrics.as_ref()).announced(),
            tagging: Endpoint::new("the tagging API", &settings, metrics.as_ref()),
            identity: ArcSwapOption::const_empty(),
            settings,
            http,
            clients: ArcSwapOption::const_empty(),
            building: Mutex::new(()),
            warned: parking_lot::Mutex::default(),
            fresh: FreshKeys::default(),
            denied: Denied::default(),
            metrics,
        }
    }

    pub(super) fn settings(&self) -> &AwsSettings {
        &self.settings
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// Sends a request about a key, again and again while the key is so new that the failure will
    /// pass, until the deadline.
    pub(super) async fn ask_about<T, E, S, F>(
        &self,
        call: impl Into<Call>,
        key: &str,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: Fn(Client) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call.into();
        let passes = |error: &KmsError| self.fresh.will_pass(key, error);
        persist(deadline, passes, || {
            self.ask(call, Some(key), deadline, &send)
        })
        .await
    }

    /// Sends one request; the SDK repeats it where that is safe and likely to help.
    pub(super) async fn ask<T, E, S, F>(
        &self,
        call: impl Into<Call>,
        key: Option<&str>,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: FnOnce(Client) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let call = call.into();
        let answer = async {
            let client = self.clients(call.operation).await?.kms;
            Ok(Box::pin(send(client)).await)
        };
        self.bounded(&self.kms, call, key, deadline, answer).await
    }

    /// The same for a request to the resource groups tagging API.
    pub(super) async fn ask_tagging<T, E, S, F>(
        &self,
        operation: &'static str,
        deadline: Instant,
        send: S,
    ) -> Result<T, KmsError>
    where
        S: FnOnce(TaggingClient) -> F,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let answer = async {
            let client = self.clients(operation).await?.tagging;
            let client = client.ok_or_else(|| {
                let message = "KMS has an endpoint of its own, and the tagging API has none";
                KmsError::local(KmsErrorKind::Unsupported, operation, None, message)
            })?;
            Ok(Box::pin(send(client)).await)
        };
        self.bounded(&self.tagging, operation.into(), None, deadline, answer)
            .await
    }

    /// Waits for the turn of one request and for its answer until its deadline, and records the latter.
    async fn bounded<T, E>(
        &self,
        endpoint: &Endpoint,
        call: Call,
        key: Option<&str>,
        deadline: Instant,
        answer: impl Future<Output = Result<Result<T, SdkError<E, HttpResponse>>, KmsError>>,
    ) -> Result<T, KmsError>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let operation = call.operation;
        debug_assert!(permissions::has(operation), "no permission of {operation}");
        let manner = Manner::current();
        let started = Instant::now();
        // Past its deadline a request must not even be sent.
        let late = |deadline: Instant| {
            let waited = deadline.saturating_duration_since(started);
            KmsError::local(KmsErrorKind::Timeout, operation, key, no_answer(waited))
        };
        let deadline = manner
            .longest
            .map_or(deadline, |longest| deadline.min(started + longest));
        let unsent = |error| KmsError {
            course: Course::Unsent,
            ..error
        };
        if started >= deadline {
            return Err(unsent(late(deadline)));
        }
        if !manner.anyway {
            // Nobody waits for the turn of a request that would not be sent.
            endpoint.check(operation, key, started).map_err(unsent)?;
        }
        let turn_by = manner
            .most_wait
            .map_or(deadline, |most| deadline.min(started + most));
        let turn = self.limiter.turn(call, turn_by).await;
        let _place = turn.map_err(unsent)?;
        let sent = Instant::now();
        let pass = endpoint
            .admit(operation, key, manner.anyway, sent)
            .map_err(unsent)?;
        let deadline = manner
            .most_time
            .map_or(deadline, |most| deadline.min(sent + most));
        let deadline = if pass.is_probe() {
            deadline.min(endpoint.end_of_probe(sent))
        } else {
            deadline
        };
        let once = manner.once || pass.is_probe();
        let work = async {
            let answer = throttling::heeded::<E, _>(&self.limiter, call, once, answer).await?;
            answer.map_err(|error| {
                if failure::lacks_credentials(&error) {
                    self.renew_clients();
                }
                failure::describe(operation, key, &error)
            })
        };
        let told = async {
            let record = Record::begin(operation, key, self.metrics.as_deref(), sent);
            let ended = timeout_at(deadline, work).await;
            let attempts = attempts::so_far();
            let result = ended.unwrap_or_else(|_| {
                Err(KmsError {
                    course: Course::CutShort(sent.elapsed()),
                    ..late(deadline)
                })
            });
            let result = self.denied.note(operation, key, result);
            record.end(&result);
            endpoint.note(pass, manner.anyway, &result, attempts);
            if let Err(error) = &result
                && matches!(
                    error.kind,
                    KmsErrorKind::Credentials | KmsErrorKind::Identity
                )
                // The client knows the right time now, and would forget it.
                && !error.is_of_clock()
            {
                self.renew_clients();
            }
            result
        };
        attempts::counted::<E, _>(told).await
    }

    async fn clients(&self, operation: &'static str) -> Result<Clients, KmsError> {
        if let Some(built) = &*self.clients.load() {
            return Ok(built.clients.clone());
        }
        let _turn = self.building.lock().await;
        if let Some(built) = &*self.clients.load() {
            return Ok(built.clients.clone());
        }
        let identity = self.identity.load_full();
        if self.settings.needs_identity && identity.is_none() {
            let message =
                format!("nobody is logged in, and the PIN gives the credentials: {IDENTITY_FORMS}");
            return Err(KmsError::local(
                KmsErrorKind::Credentials,
                operation,
                None,
                message,
            ));
        }
        let guard = self.guard.load_full();
        let (clients, _) = self.build(operation, identity.as_deref(), &guard).await?;
        self.keep(&clients);
        let is_same = match (&identity, &*self.identity.load()) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => true,
            _ => false,
        };
        if !is_same {
            // Its user logged out while they were built.
            self.clients.store(None);
        }
        Ok(clients)
    }

    async fn build(
        &self,
        operation: &'static str,
        identity: Option<&Identity>,
        guard: &Arc<Guard>,
    ) -> Result<(Clients, SdkConfig), KmsError> {
        Box::pin(client::build(
            &self.settings,
            &self.http,
            identity,
            guard,
            &self.lending,
            &self.warned,
        ))
        .await
        .map_err(|error| KmsError { operation, ..error })
    }

    fn keep(&self, clients: &Clients) {
        self.clients.store(Some(Arc::new(Built {
            clients: clients.clone(),
            since: Instant::now(),
        })));
    }

    /// Takes an identity's credentials for what follows, if AWS knows them and the rules allow it.
    pub(super) async fn log_in(
        &self,
        identity: Identity,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        let work = async {
            let _turn = self.building.lock().await;
            let guard = Guard::of(&self.settings);
            let (clients, config) = self
                .build(caller::OPERATION, Some(&identity), &guard)
                .await?;
            if let Some(provider) = config.credentials_provider() {
                // The guard asks AWS whose they are.
                let answer = provider.provide_credentials().await;
                answer.map_err(|error| {
                    self.lending.forget();
                    failure::of_credentials(caller::OPERATION, &error)
                })?;
            }
            self.identity.store(Some(Arc::new(identity)));
            self.guard.store(guard);
            self.keep(&clients);
            Ok(())
        };
        timeout_at(deadline, work).await.unwrap_or_else(|_| {
            let message = no_answer(self.settings.deadline);
            Err(KmsError::local(
                KmsErrorKind::Timeout,
                caller::OPERATION,
                None,
                message,
            ))
        })
    }

    /// Forgets who is logged in, what AWS said of it and did not permit, and the credentials with the clients.
    pub(super) fn log_out(&self) {
        self.identity.store(None);
        self.guard.store(Guard::of(&self.settings));
        self.denied.forget();
        self.lending.forget();
        self.clients.store(None);
    }

    /// Sends what follows as an identity of which another region has made sure.
    pub(super) fn act_as(&self, identity: &Identity) {
        self.guard.store(Guard::of(&self.settings));
        self.denied.forget();
        self.identity.store(Some(Arc::new(identity.clone())));
        self.clients.store(None);
    }

    /// Gives the clients up because AWS refused their credentials or there were none.
    fn renew_clients(&self) {
        let clients = self.clients.load();
        if clients
            .as_ref()
            .is_some_and(|built| built.since.elapsed() >= YOUNG)
        {
            self.lending.forget();
            self.clients.compare_and_swap(&clients, None);
        }
    }
}

/// Repeats `attempt` after growing pauses while `passes` says that its failure will pass and the
/// pause ends before the deadline; the last failure is the answer. An attempt that the deadline cut
/// short says less than the failure before it.
pub(super) async fn persist<T, A, F>(
    deadline: Instant,
    passes: impl Fn(&KmsError) -> bool,
    attempt: A,
) -> Result<T, KmsError>
where
    A: Fn() -> F,
    F: Future<Output = Result<T, KmsError>>,
{
    let mut backoff = Backoff::new();
    let mut before = None;
    loop {
        let error = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let next = Instant::now() + backoff.next();
        if !passes(&error) || next >= deadline {
            let cut_short = error.kind == KmsErrorKind::Timeout;
            return Err(before.filter(|_| cut_short).unwrap_or(error));
        }
        sleep_until(next).await;
        before = Some(error);
    }
}

pub(super) fn no_answer(waited: Duration) -> String {
    format!("no answer within {:.1} s", waited.as_secs_f64())
}
