//! The SDK's client of a token, and the connections that all tokens share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{FrameworkMetadata, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_http_client::pool;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use once_cell::sync::OnceCell;
use tokio::time::timeout;

use super::attempts::CountAttempts;
use super::retry::NeverOnLimitExceeded;
use super::settings::AwsSettings;
use crate::kms::{KmsError, KmsErrorKind};

/// How long an unused connection stays open.
const IDLE: Duration = Duration::from_secs(90);
/// The first pause before a retry; it doubles from there. The SDK's own second is longer than
/// most outages of a single KMS host.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The process's one connection pool, TLS and proxies included.
///
/// Clones share it. Connections are driven by the runtime of the first request, so a pool lives
/// and ends with one [`Runtime`](crate::kms::runtime::Runtime).
#[derive(Clone, Default)]
pub(crate) struct SharedHttp(Arc<OnceCell<SharedHttpClient>>);

impl SharedHttp {
    /// A pool without connections; trusted roots are read when the first client is built.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn client(&self) -> Result<SharedHttpClient, KmsError> {
        self.0.get_or_try_init(connection_pool).cloned()
    }
}

impl fmt::Debug for SharedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHttp").finish_non_exhaustive()
    }
}

fn connection_pool() -> Result<SharedHttpClient, KmsError> {
    let pool = pool::ConnectionPool::builder()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .proxy_config(ProxyConfig::from_env())
        .tcp_nodelay(true)
        .idle_timeout(IDLE)
        .build_https()
        .map_err(|error| unusable(&error))?;
    let client = pool::Client::new(&pool).map_err(|error| unusable(&error))?;
    Ok(SharedHttpClient::new(client))
}

/// Builds a token's client: region, credentials and endpoint from the settings, else from the
/// ordinary chain. Credentials are looked up by the first request.
pub(super) async fn build(settings: &AwsSettings, http: &SharedHttp) -> Result<Client, KmsError> {
    // The chain ends at the instance metadata service, which off EC2 may be a black hole.
    let load = timeout(
        chain_limit(settings),
        loader(settings, http.client()?)?.load(),
    );
    let config = Box::pin(load).await.map_err(|_| {
        unusable(&"no AWS region is set, and the instance metadata service does not answer")
    })?;
    if config.region().is_none() {
        return Err(unusable(&"no AWS region is set"));
    }
    Ok(Client::from_conf(kms_config(settings, &config)))
}

fn loader(settings: &AwsSettings, http: SharedHttpClient) -> Result<ConfigLoader, KmsError> {
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
        .identity_cache(
            IdentityCache::lazy()
                .load_timeout(chain_limit(settings))
                .build(),
        )
        // Answers are small, and every attempt has its time limit.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    #[cfg(test)]
    let loader = settings.surroundings.apply(loader);
    Ok(loader)
}

/// How long the chain may look for a region or for credentials: less than an attempt may take, so
/// that what is missing is said and not only that time passed.
fn chain_limit(settings: &AwsSettings) -> Duration {
    settings.attempt_timeout.mul_f64(0.8)
}

fn kms_config(settings: &AwsSettings, config: &SdkConfig) -> aws_sdk_kms::Config {
    let mut builder = aws_sdk_kms::config::Builder::from(config)
        .retry_classifier(NeverOnLimitExceeded)
        .interceptor(CountAttempts);
    // For KMS alone: the token service that credentials may come from keeps its own endpoint.
    if settings.endpoint.is_some() {
        builder.set_endpoint_url(settings.endpoint.clone());
    }
    builder.build()
}

fn unusable(reason: &dyn fmt::Display) -> KmsError {
    KmsError::local(
        KmsErrorKind::Configuration,
        "client",
        None,
        reason.to_string(),
    )
}
