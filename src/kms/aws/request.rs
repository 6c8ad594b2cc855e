//! One request to KMS: its client, its deadline, its patience with new keys, its record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_resourcegroupstagging::Client as TaggingClient;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::acting::Acting;
use super::attempts;
use super::audit::Record;
use super::caller;
use super::client::{self, Clients, SharedHttp};
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
use crate::kms::{Course, IDENTITY_FORMS, Identity, KmsError, KmsErrorKind, Login, Logins};
use crate::metrics::Metrics;

/// A token's requests, as asynchronous functions.
pub(super) struct Requests {
    settings: AwsSettings,
    http: SharedHttp,
    lending: Lending,
    /// Another one after each login and each logout.
    acting: ArcSwap<Acting>,
    /// The warnings about settings that were given.
    warned: parking_lot::Mutex<BTreeSet<String>>,
    limiter: Arc<Limiter>,
    kms: Endpoint,
    tagging: Endpoint,
    pub(super) fresh: FreshKeys,
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
            acting: ArcSwap::from_pointee(Acting::new(&settings, &lending, None)),
            limiter: Arc::new(Limiter::new(name, settings.rates)),
            lending,
            kms: Endpoint::new("KMS", &settings, metrics.as_ref()).announced(),
            tagging: Endpoint::new("the tagging API", &settings, metrics.as_ref()),
            settings,
            http,
            warned: parking_lot::Mutex::default(),
            fresh: FreshKeys::default(),
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
        let sender = self.sender(call.operation, key)?;
        let answer = async {
            let client = self.clients(&sender.acting, call.operation).await?.kms;
            self.check_login(&sender, call.operation, key)?;
            Ok(Box::pin(send(client)).await)
        };
        self.bounded(&self.kms, &sender, call, key, deadline, answer)
            .await
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
        let sender = self.sender(operation, None)?;
        let answer = async {
            let client = self.clients(&sender.acting, operation).await?.tagging;
            let client = client.ok_or_else(|| {
                let message = "KMS has an endpoint of its own, and the tagging API has none";
                KmsError::local(KmsErrorKind::Unsupported, operation, None, message)
            })?;
            self.check_login(&sender, operation, None)?;
            Ok(Box::pin(send(client)).await)
        };
        let call = operation.into();
        self.bounded(&self.tagging, &sender, call, None, deadline, answer)
            .await
    }

    /// Waits for the turn of one request and for its answer until its deadline, and records the latter.
    async fn bounded<T, E>(
        &self,
        endpoint: &Endpoint,
        sender: &Sender,
        call: Call,
        key: Option<&str>,
        deadline: Instant,
        answer: impl Future<Output = Result<Result<T, SdkError<E, HttpResponse>>, KmsError>>,
    ) -> Result<T, KmsError>
    where
        T: RequestId,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let (operation, acting) = (call.operation, &sender.acting);
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
            let source = acting.source.check(operation, key, started);
            source.map_err(unsent)?;
        }
        let turn_by = manner
            .most_wait
            .map_or(deadline, |most| deadline.min(started + most));
        let turn = self.limiter.turn(call, turn_by).await;
        let _place = turn.map_err(unsent)?;
        self.check_login(sender, operation, key)?;
        let sent = Instant::now();
        let looking = acting.source.admit(operation, key, manner.anyway, sent);
        let looking = looking.map_err(unsent)?;
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
                    acting.renew_clients();
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
                    course: cut_short(sent.elapsed()),
                    ..late(deadline)
                })
            });
            let result = acting.denied.note(operation, key, result);
            let result = result.map_err(|error| match attempts.sent {
                0 => KmsError {
                    course: acting.source.course(&error, sent),
                    ..error
                },
                _ => error,
            });
            record.end(&result);
            acting.source.note(looking, &result, attempts, sent);
            endpoint.note(pass, manner.anyway, &result, attempts);
            if let Err(error) = &result
                && matches!(
                    error.kind,
                    KmsErrorKind::Credentials | KmsErrorKind::Identity
                )
                // The client knows the right time now, and would forget it.
                && !error.is_of_clock()
            {
                acting.renew_clients();
            }
            result
        };
        attempts::counted::<E, _>(told).await
    }

    /// As whom a request is sent that is made now, if the login of its call lasts.
    fn sender(&self, operation: &'static str, key: Option<&str>) -> Result<Sender, KmsError> {
        let login = self.logins().of_work();
        let acting = self.acting.load_full();
        let sender = Sender { login, acting };
        // After it was loaded: what takes its place ends the login first.
        self.check_login(&sender, operation, key)?;
        Ok(sender)
    }

    /// Refuses to send anything for a call that began under another login: it would be done by somebody who did not
    /// ask for it, or for somebody who has left.
    fn check_login(
        &self,
        sender: &Sender,
        operation: &'static str,
        key: Option<&str>,
    ) -> Result<(), KmsError> {
        if !self.settings.needs_identity || !self.logins().is_over(sender.login) {
            return Ok(());
        }
        let message = "not sent: the login that the call began under has ended";
        Err(KmsError {
            course: Course::Unsent,
            ..KmsError::local(KmsErrorKind::LoggedOut, operation, key, message)
        })
    }

    async fn clients(&self, acting: &Acting, operation: &'static str) -> Result<Clients, KmsError> {
        if let Some(clients) = acting.clients() {
            return Ok(clients);
        }
        let _turn = acting.building.lock().await;
        if let Some(clients) = acting.clients() {
            return Ok(clients);
        }
        if self.settings.needs_identity && acting.identity.is_none() {
            let message =
                format!("nobody is logged in, and the PIN gives the credentials: {IDENTITY_FORMS}");
            return Err(KmsError::local(
                KmsErrorKind::Credentials,
                operation,
                None,
                message,
            ));
        }
        let (clients, _) = self.build(acting, operation).await?;
        acting.keep(&clients);
        Ok(clients)
    }

    async fn build(
        &self,
        acting: &Acting,
        operation: &'static str,
    ) -> Result<(Clients, SdkConfig), KmsError> {
        Box::pin(client::build(
            &self.settings,
            &self.http,
            acting.identity.as_ref(),
            &acting.guard,
            &acting.loan,
            &self.warned,
        ))
        .await
        .map_err(|error| KmsError { operation, ..error })
    }

    /// Takes an identity's credentials for what follows, if AWS knows them and the rules allow it.
    pub(super) async fn log_in(
        &self,
        identity: Identity,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        let before = self.acting.load_full();
        let acting = Acting::new(&self.settings, &self.lending, Some(identity));
        let work = async {
            let (clients, config) = self.build(&acting, caller::OPERATION).await?;
            if let Some(provider) = config.credentials_provider() {
                // The guard asks AWS whose they are.
                let answer = provider.provide_credentials().await;
                answer.map_err(|error| {
                    acting.loan.give_up();
                    failure::of_credentials(caller::OPERATION, &error)
                })?;
            }
            acting.keep(&clients);
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
        })?;
        self.act(&before, acting);
        Ok(())
    }

    /// Forgets who is logged in, what AWS said of it and did not permit, and the credentials with the clients.
    pub(super) fn log_out(&self) {
        self.lending.end_login();
        self.acting
            .store(Arc::new(Acting::new(&self.settings, &self.lending, None)));
    }

    /// Sends what follows as an identity of which another region has made sure.
    pub(super) fn act_as(&self, identity: &Identity) {
        let before = self.acting.load_full();
        let identity = Some(identity.clone());
        self.act(
            &before,
            Acting::new(&self.settings, &self.lending, identity),
        );
    }

    /// Puts somebody in the place of who was there `before`, unless the login was given up meanwhile.
    fn act(&self, before: &Arc<Acting>, acting: Acting) {
        if !self.logins().is_over(self.logins().of_work()) {
            self.acting.compare_and_swap(before, Arc::new(acting));
        }
    }

    /// Those of the token.
    pub(super) fn logins(&self) -> &Logins {
        self.lending.logins()
    }
}

/// As whom a request is sent, and for which login.
struct Sender {
    login: Login,
    acting: Arc<Acting>,
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

fn cut_short(waited: Duration) -> Course {
    let millis = u32::try_from(waited.as_millis()).unwrap_or(u32::MAX);
    Course::CutShort { millis }
}

pub(super) fn no_answer(waited: Duration) -> String {
    format!("no answer within {:.1} s", waited.as_secs_f64())
}
