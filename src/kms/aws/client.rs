//! The SDK's clients of a token, and the connections that all tokens share.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{FrameworkMetadata, SharedHttpClient, StalledStreamProtectionConfig};
use aws_sdk_resourcegroupstagging::Client as TaggingClient;
use aws_smithy_http_client::pool;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_types::service_config::ServiceConfigKey;
use tokio::time::timeout;

use super::ambient::Ambient;
use super::attempts::CountAttempts;
use super::caller::Guard;
use super::connections;
use super::credentials;
use super::lending::Loan;
use super::resolver::SystemResolver;
use super::retry::{NeverOnLimitExceeded, OnceMoreByTheRightClock};
use super::settings::AwsSettings;
use super::throttling::{InTurn, NoteThrottling};
use super::trust::{self, CaBundle};
use crate::kms::{Identity, KmsError, KmsErrorKind};
use parking_lot::Mutex;

/// How long an unused connection stays open.
const IDLE: Duration = Duration::from_secs(90);
/// The first pause before a retry; it doubles from there. The SDK's own second is longer than
/// most outages of a single KMS host.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The process's connection pools, TLS and proxies included: one for all tokens that trust the same
/// certificates.
///
/// Clones share them. Connections are driven by the runtime of the first request, so a pool lives
/// and ends with one [`Runtime`](crate::kms::runtime::Runtime).
#[derive(Clone, Default)]
pub(crate) struct SharedHttp(Arc<Mutex<Pools>>);

/// By the file of trusted certificates; `None` stands for the system's.
type Pools = HashMap<Option<PathBuf>, SharedHttpClient>;

impl SharedHttp {
    /// Pools without connections; trusted roots are read when the first client is built.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    async fn client(&self, bundle: Option<&CaBundle>) -> Result<SharedHttpClient, KmsError> {
        let path = bundle.map(|bundle| bundle.path.clone());
        let known = self.0.lock().get(&path).cloned();
        if let Some(client) = known {
            return Ok(client);
        }
        // No lock is held while files are read. Of two who do so at a time, the first one's pool is used by both.
        let client = connection_pool(bundle).await?;
        Ok(self.0.lock().entry(path).or_insert(client).clone())
    }
}

impl fmt::Debug for SharedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHttp").finish_non_exhaustive()
    }
}

async fn connection_pool(bundle: Option<&CaBundle>) -> Result<SharedHttpClient, KmsError> {
    let trust = match bundle {
        Some(bundle) => bundle.tls_context().await.map_err(|why| unusable(&why))?,
        None => trust::of_system().await?,
    };
    connections::log_key_exchanges();
    let pool = pool::ConnectionPool::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(trust)
        .proxy_config(ProxyConfig::from_env())
        .dns_resolver(SystemResolver)
        .tcp_nodelay(true)
        .idle_timeout(IDLE)
        .event_listener(connections::listener())
        .build_https()
        .map_err(|error| unusable(&error))?;
    let client = pool::Client::new(&pool).map_err(|error| unusable(&error))?;
    Ok(SharedHttpClient::new(client))
}

/// A token's clients.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) kms: Client,
    /// `None` where it would have to be reached at another place than KMS, and nobody said so.
    pub(super) tagging: Option<TaggingClient>,
}

/// Builds a token's clients: region, credentials and endpoints from the settings, else from the
/// ordinary chain. Credentials are looked up by the first request.
pub(super) async fn build(
    settings: &AwsSettings,
    http: &SharedHttp,
    identity: Option<&Identity>,
    guard: &Arc<Guard>,
    lending: &Loan,
    warned: &Mutex<BTreeSet<String>>,
) -> Result<(Clients, SdkConfig), KmsError> {
    let ambient = Ambient::load(settings).await;
    credentials::warn_of_ignored_settings(&ambient, identity, warned);
    let http = http
        .client(CaBundle::find(settings, &ambient).as_ref())
        .await?;
    // The chain ends at the instance metadata service, which off EC2 may be a black hole.
    let load = timeout(
        chain_limit(settings),
        loader(settings, identity, http.clone())?.load(),
    );
    let mut config = Box::pin(load).await.map_err(|_| {
        unusable(&"no AWS region is set, and the instance metadata service does not answer")
    })?;
    if config.region().is_none() {
        return Err(unusable(&"no AWS region is set"));
    }
    let source = credentials::Source {
        settings,
        identity,
        ambient: &ambient,
        limit: chain_limit(settings),
    };
    if let Some(provider) = source.provider(guard, &config, http, lending).await {
        config = config
            .into_builder()
            .credentials_provider(provider)
            // The provider keeps its credentials itself.
            .identity_cache(IdentityCache::no_cache())
            .build();
    }
    let clients = Clients {
        kms: Client::from_conf(kms_config(settings, &config)),
        tagging: has_tagging(settings, &config).then(|| tagging_client(&config)),
    };
    Ok((clients, config))
}

/// Whether the tagging API may be asked: where the settings demand it, where it has an endpoint, and
/// where it is found like KMS, by the region. A KMS with an endpoint of its own often is all that can
/// be reached.
fn has_tagging(settings: &AwsSettings, config: &SdkConfig) -> bool {
    let own_endpoint = |service_id| {
        let key = ServiceConfigKey::builder()
            .service_id(service_id)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        config.service_config()?.load_config(key)
    };
    settings.needs_tagging
        || config.endpoint_url().is_some()
        || own_endpoint("Resource Groups Tagging API").is_some()
        || (settings.endpoint.is_none() && own_endpoint("KMS").is_none())
}

fn loader(
    settings: &AwsSettings,
    identity: Option<&Identity>,
    http: SharedHttpClient,
) -> Result<ConfigLoader, KmsError> {
    let name = FrameworkMetadata::new(env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_VERSION")))
        .map_err(|error| unusable(&error))?;
    // An explicit retry configuration also keeps the loader from reading AWS_MAX_ATTEMPTS and
    // AWS_RETRY_MODE, on some values of which it panics.
    let retry = RetryConfig::standard()
        .with_max_attempts(settings.retries.saturating_add(1))
        .with_initial_backoff(FIRST_BACKOFF);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.attempt_timeout)
        .operation_attempt_timeout(settings.attempt_timeout)
        .operation_timeout(settings.deadline)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .framework_metadata(name)
        .retry_config(retry)
        .timeout_config(timeouts)
        // Answers are small, and every attempt has its time limit.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    // Else the loader would look for the ordinary chain's as well.
    if credentials::are_named(settings, identity) {
        loader = loader.no_credentials();
    }
    if let Some(fips) = settings.fips {
        loader = loader.use_fips(fips);
    }
    if let Some(dualstack) = settings.dualstack {
        loader = loader.use_dual_stack(dualstack);
    }
    #[cfg(test)]
    let loader = settings
        .surroundings
        .apply(loader, settings.endpoint.as_deref());
    Ok(loader)
}

/// How long the chain may look for a region or for credentials: less than an attempt or a call may take, so
/// that what is missing is said and not only that time passed.
fn chain_limit(settings: &AwsSettings) -> Duration {
    settings.attempt_timeout.min(settings.deadline).mul_f64(0.8)
}

fn kms_config(settings: &AwsSettings, config: &SdkConfig) -> aws_sdk_kms::Config {
    // One for each token, and without a price on throttling: the token's queue keeps repetitions apart
    // that the SDK would otherwise give up when many threads have them at a time.
    let budget = TokenBucket::builder().throttling_retry_cost(0).build();
    let partition = RetryPartition::custom(settings.token.clone()).token_bucket(budget);
    let mut builder = aws_sdk_kms::config::Builder::from(config)
        .retry_partition(partition.build())
        .retry_classifier(NeverOnLimitExceeded)
        .retry_classifier(OnceMoreByTheRightClock)
        .retry_classifier(InTurn)
        .interceptor(NoteThrottling)
        .interceptor(CountAttempts);
    // For KMS alone: the token service that credentials may come from keeps its own endpoint.
    if settings.endpoint.is_some() {
        builder.set_endpoint_url(settings.endpoint.clone());
    }
    builder.build()
}

fn tagging_client(config: &SdkConfig) -> TaggingClient {
    let builder = aws_sdk_resourcegroupstagging::config::Builder::from(config);
    let builder = builder
        .retry_classifier(OnceMoreByTheRightClock)
        .retry_classifier(InTurn)
        .interceptor(NoteThrottling)
        .interceptor(CountAttempts);
    TaggingClient::from_conf(builder.build())
}

pub(super) fn unusable(reason: &dyn fmt::Display) -> KmsError {
    KmsError::local(
        KmsErrorKind::Configuration,
        "client",
        None,
        reason.to_string(),
    )
}
