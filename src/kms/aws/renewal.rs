//! Credentials that are there when a request needs them.
//!
//! The SDK's own cache looks for new credentials when the old ones have seconds left, while a request waits.
//! Here they are renewed by a task well before that, for as long as the token is used or not. Only the first
//! request waits, and one that comes when renewing has failed until the end.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, Result, SharedCredentialsProvider, future,
};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::instrument::WithSubscriber;

/// Credentials are not used in their last moments: the request is on its way then.
const TOO_LATE: Duration = Duration::from_secs(10);
/// Renewal begins when a quarter of the lifetime is left, but never earlier than this before the end.
const EARLIEST: Duration = Duration::from_mins(15);
/// Between attempts at a renewal that is due.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(1)];
/// How often the source of credentials without an end is asked whether it has others.
const LONG_LIVED: Duration = Duration::from_mins(15);

/// Keeps credentials of `source` ready.
#[derive(Clone, Debug)]
pub(super) struct Renewing(Arc<Owner>);

/// Whose credentials are of use to nobody any more when it is dropped.
#[derive(Debug)]
struct Owner(Arc<Keeper>);

impl Drop for Owner {
    /// Ends the renewals, also one that is under way: what it waits for, such as a program that it started, may be of
    /// somebody who has logged out.
    fn drop(&mut self) {
        if let Some(renewals) = self.0.renewals.lock().take() {
            renewals.abort();
        }
    }
}

#[derive(Debug)]
struct Keeper {
    source: SharedCredentialsProvider,
    /// For one answer of the source.
    limit: Duration,
    current: ArcSwapOption<Held>,
    /// Held while the source is asked, so that it is asked once for all who wait. Whether a task renews what it
    /// answers.
    asking: Mutex<bool>,
    /// When the source failed a request that waited, and why.
    failed: parking_lot::Mutex<Option<(Instant, Failure)>>,
    /// The task that renews, once there was one.
    renewals: parking_lot::Mutex<Option<AbortHandle>>,
}

/// Credentials, and when they came. Its `Debug` shows no secret, as that of [`Credentials`].
#[derive(Debug)]
struct Held {
    credentials: Credentials,
    since: SystemTime,
}

impl Renewing {
    /// Nothing is asked for before the first request.
    pub(super) fn new(source: SharedCredentialsProvider, limit: Duration) -> Self {
        Self(Arc::new(Owner(Arc::new(Keeper {
            source,
            limit,
            current: ArcSwapOption::const_empty(),
            asking: Mutex::new(false),
            failed: parking_lot::Mutex::default(),
            renewals: parking_lot::Mutex::default(),
        }))))
    }

    /// Those that are at hand, if they are good.
    pub(super) fn ready(&self) -> Option<Credentials> {
        self.0.0.ready()
    }
}

impl ProvideCredentials for Renewing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.0.0.ready() {
            Some(credentials) => future::ProvideCredentials::ready(Ok(credentials)),
            None => future::ProvideCredentials::new(self.0.0.first()),
        }
    }
}

impl Keeper {
    fn ready(&self) -> Option<Credentials> {
        let held = self.current.load();
        let held = held.as_ref()?;
        held.is_usable(SystemTime::now())
            .then(|| held.credentials.clone())
    }

    /// Credentials for a request that has to wait for them.
    async fn first(self: &Arc<Self>) -> Result {
        let begun = Instant::now();
        let mut is_renewed = self.asking.lock().await;
        if let Some(credentials) = self.ready() {
            return Ok(credentials);
        }
        // Whoever was asked for all who wait has failed all of them: one after the other, none would get an answer
        // in its time.
        let failed = self.failed.lock().clone();
        if let Some((_, failure)) = failed.filter(|(at, _)| *at >= begun) {
            return Err(failure.into());
        }
        let credentials = self.ask().await.map_err(|error| {
            let failure = Failure(Arc::new(error));
            *self.failed.lock() = Some((Instant::now(), failure.clone()));
            failure
        })?;
        if !*is_renewed {
            let renewals = keep_renewing(Arc::downgrade(self));
            let task = tokio::spawn(renewals.with_current_subscriber());
            *self.renewals.lock() = Some(task.abort_handle());
            *is_renewed = true;
        }
        Ok(credentials)
    }

    async fn ask(&self) -> Result {
        let answer = timeout(self.limit, self.source.provide_credentials()).await;
        let credentials =
            answer.map_err(|_| CredentialsError::provider_timed_out(self.limit))??;
        self.current.store(Some(Arc::new(Held {
            credentials: credentials.clone(),
            since: SystemTime::now(),
        })));
        Ok(credentials)
    }

    /// How long until the credentials of this moment are to be renewed; `None` when they are at their end, and
    /// with them the task that renews.
    async fn pause(&self) -> Option<(Duration, SystemTime)> {
        let mut is_renewed = self.asking.lock().await;
        let held = self.current.load_full();
        let next = held.and_then(|held| Some((held.next_renewal(SystemTime::now())?, held.since)));
        *is_renewed = next.is_some();
        next
    }

    /// Renews the credentials of `since`, unless a request could not wait and has others already.
    async fn renew(&self, since: SystemTime) {
        let _turn = self.asking.lock().await;
        let held = self.current.load_full();
        if held.is_some_and(|held| held.since != since) {
            return;
        }
        match self.ask().await {
            Ok(_) => tracing::debug!("credentials were renewed in the background"),
            Err(error) => {
                let source = Error::source(&error);
                tracing::warn!(
                    "credentials could not be renewed, the present ones are used as long as they last: {error}{}",
                    source.map(|cause| format!(": {cause}")).unwrap_or_default()
                );
            }
        }
    }
}

/// Why a source has no credentials, for all who want to know.
#[derive(Clone, Debug)]
struct Failure(Arc<CredentialsError>);

impl From<Failure> for CredentialsError {
    fn from(failure: Failure) -> Self {
        Self::provider_error(failure)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Renews until the keeper is gone, or nothing usable is left: then the next request asks and begins anew.
async fn keep_renewing(keeper: Weak<Keeper>) {
    while let Some(present) = keeper.upgrade() {
        let Some((wait, since)) = present.pause().await else {
            return;
        };
        drop(present);
        sleep(wait).await;
        if let Some(keeper) = keeper.upgrade() {
            keeper.renew(since).await;
        }
    }
}

impl Held {
    fn is_usable(&self, now: SystemTime) -> bool {
        let end = match self.credentials.expiry() {
            Some(expiry) => expiry.checked_sub(TOO_LATE.min(self.lifetime() / 8)),
            None => None,
        };
        end.is_none_or(|end| now < end)
    }

    /// How long to wait before the source is asked for the successors; `None` for credentials that are at
    /// their end.
    fn next_renewal(&self, now: SystemTime) -> Option<Duration> {
        let Some(expiry) = self.credentials.expiry() else {
            let age = now.duration_since(self.since).unwrap_or_default();
            return Some(LONG_LIVED.saturating_sub(age).max(PAUSE[1]));
        };
        let left = expiry.duration_since(now).ok()?;
        let due = (self.lifetime() / 4).min(EARLIEST);
        // A source may answer the same credentials until theirs is over.
        let again = (left / 4).clamp(PAUSE[0], PAUSE[1]);
        Some(
            left.checked_sub(due)
                .map_or(again, |wait| wait.max(PAUSE[0])),
        )
    }

    fn lifetime(&self) -> Duration {
        self.credentials
            .expiry()
            .and_then(|expiry| expiry.duration_since(self.since).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// Answers numbered credentials of this lifetime, each after a pause; in `fails` an error.
    #[derive(Debug, Clone)]
    struct Source {
        asked: Arc<AtomicU32>,
        lifetime: Option<Duration>,
        pause: Duration,
        fails: Range<u32>,
    }

    impl Source {
        fn new(lifetime: Option<Duration>) -> Self {
            Self {
                asked: Arc::default(),
                lifetime,
                pause: Duration::from_millis(100),
                fails: 0..0,
            }
        }

        fn renewing(&self) -> Renewing {
            Renewing::new(SharedCredentialsProvider::new(self.clone()), LIMIT)
        }

        fn asked(&self) -> u32 {
            self.asked.load(Ordering::Relaxed)
        }
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                sleep(self.pause).await;
                let number = self.asked.fetch_add(1, Ordering::Relaxed);
                if self.fails.contains(&number) {
                    return Err(CredentialsError::not_loaded("on purpose"));
                }
                let expiry = self.lifetime.map(|lifetime| SystemTime::now() + lifetime);
                let id = number.to_string();
                Ok(Credentials::new(id, "secret", None, expiry, "test"))
            })
        }
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(work)
    }

    fn held(lifetime: u64) -> (Held, SystemTime) {
        let since = SystemTime::now();
        let expiry = since + Duration::from_secs(lifetime);
        let credentials = Credentials::new("id", "secret", None, Some(expiry), "test");
        (Held { credentials, since }, since)
    }

    #[test]
    fn renewal_is_due_with_a_quarter_of_the_lifetime_left_or_a_quarter_of_an_hour() {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        for (lifetime, due) in [(60 * 60, 45), (12 * 60 * 60, 12 * 60 - 15), (16 * 60, 12)] {
            let (held, since) = held(lifetime);
            assert_eq!(held.next_renewal(since), Some(minutes(due)));
        }
        let (held, since) = held(60 * 60);
        // Overdue: again and again, more often towards the end, and not beyond.
        assert_eq!(held.next_renewal(since + minutes(46)), Some(minutes(1)));
        let late = held.next_renewal(since + minutes(58));
        assert_eq!(late, Some(Duration::from_secs(30)));
        assert_eq!(held.next_renewal(since + minutes(61)), None);
        assert!(held.is_usable(since + minutes(59)));
        assert!(!held.is_usable(since + minutes(60)));
    }

    #[test]
    fn the_first_request_waits_and_those_that_come_meanwhile_share_its_answer() {
        let source = Source::new(Some(Duration::from_hours(1)));
        let renewing = source.renewing();
        block_on(async {
            let (first, second) = tokio::join!(
                renewing.provide_credentials(),
                renewing.provide_credentials()
            );
            assert_eq!(first.unwrap(), second.unwrap());
        });
        assert_eq!(source.asked(), 1);
    }

    #[test]
    fn credentials_are_renewed_without_a_request_and_no_request_waits_for_it() {
        let source = Source::new(Some(Duration::from_secs(2)));
        let renewing = source.renewing();
        block_on(async {
            renewing.provide_credentials().await.unwrap();
            let started = Instant::now();
            let mut seen = 0;
            while started.elapsed() < Duration::from_secs(4) {
                let asked = Instant::now();
                let credentials = renewing.provide_credentials().await.unwrap();
                assert!(asked.elapsed() < source.pause / 2, "a request waited");
                assert!(credentials.expiry().unwrap() > SystemTime::now());
                seen = credentials.access_key_id().parse().unwrap();
                sleep(Duration::from_millis(20)).await;
            }
            assert!(seen >= 2, "{seen} renewals");
        });
    }

    #[test]
    fn a_renewal_that_fails_leaves_the_credentials_in_use_until_they_end() {
        let mut source = Source::new(Some(Duration::from_secs(3)));
        source.fails = 1..u32::MAX;
        let renewing = source.renewing();
        block_on(async {
            renewing.provide_credentials().await.unwrap();
            sleep(Duration::from_millis(2400)).await;
            assert!(source.asked() >= 2, "nobody tried");
            assert!(renewing.provide_credentials().await.is_ok());
            sleep(Duration::from_millis(700)).await;
            assert!(renewing.provide_credentials().await.is_err());
        });
    }

    #[test]
    fn a_request_that_could_not_wait_for_the_renewal_leaves_one_task_that_renews() {
        let mut source = Source::new(Some(Duration::from_secs(2)));
        source.fails = 1..2;
        let renewing = source.renewing();
        block_on(async {
            renewing.provide_credentials().await.unwrap();
            // The renewal after 1.5 s has failed, and the next is a second later.
            sleep(Duration::from_millis(2100)).await;
            assert_eq!(source.asked(), 2);
            renewing.provide_credentials().await.unwrap();
            assert_eq!(Arc::weak_count(&renewing.0.0), 1);
            // It wakes up meanwhile, to credentials that are not due yet.
            sleep(Duration::from_millis(900)).await;
            assert_eq!(source.asked(), 3);
            assert_eq!(Arc::weak_count(&renewing.0.0), 1);
        });
    }

    #[test]
    fn credentials_without_an_end_are_asked_for_once_and_a_failure_is_not_kept() {
        let source = Source::new(None);
        let renewing = source.renewing();
        block_on(async {
            for _ in 0..3 {
                renewing.provide_credentials().await.unwrap();
            }
        });
        assert_eq!(source.asked(), 1);

        let mut source = Source::new(None);
        source.fails = 0..u32::MAX;
        let renewing = source.renewing();
        block_on(async {
            for _ in 0..3 {
                renewing.provide_credentials().await.unwrap_err();
            }
        });
        assert_eq!(source.asked(), 3);
    }

    #[test]
    fn those_who_wait_for_a_source_that_fails_are_told_so_with_the_first_of_them() {
        let mut source = Source::new(None);
        source.fails = 0..1;
        let renewing = source.renewing();
        block_on(async {
            let (first, second) = tokio::join!(
                renewing.provide_credentials(),
                renewing.provide_credentials()
            );
            for error in [first, second].map(std::result::Result::unwrap_err) {
                let causes = std::iter::successors(error.source(), |&cause| cause.source());
                let words: Vec<String> = causes.map(ToString::to_string).collect();
                assert_eq!(words.last().map(String::as_str), Some("on purpose"));
            }
            assert_eq!(source.asked(), 1);
            // Who comes later asks.
            renewing.provide_credentials().await.unwrap();
        });
    }

    #[test]
    fn a_renewal_under_way_ends_with_the_last_who_could_use_it() {
        let mut source = Source::new(Some(Duration::from_secs(2)));
        source.pause = Duration::from_millis(500);
        let renewing = source.renewing();
        let other = renewing.clone();
        block_on(async {
            renewing.provide_credentials().await.unwrap();
            drop(renewing);
            // The renewal begins a second and a half later.
            sleep(Duration::from_millis(1700)).await;
            drop(other);
            sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(source.asked(), 1);
    }

    #[test]
    fn a_source_that_does_not_answer_is_given_up() {
        let mut source = Source::new(None);
        source.pause = Duration::from_hours(1);
        let provider = SharedCredentialsProvider::new(source);
        let renewing = Renewing::new(provider, Duration::from_millis(50));
        let answer = block_on(async { renewing.provide_credentials().await });
        let error = answer.unwrap_err();
        let cause = error.source().and_then(Error::source);
        let cause = cause.and_then(|cause| cause.downcast_ref());
        assert!(matches!(cause, Some(CredentialsError::ProviderTimedOut(_))));
    }
}
