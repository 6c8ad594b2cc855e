//! How one token reaches KMS.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{self, CallerRules, Discovery, PinMode, Rates, RoleConfig, TokenConfig};

/// Where KMS is, and how long to wait for it.
#[derive(Clone, Debug)]
pub(crate) struct AwsSettings {
    /// `eu-west-1`; without it the SDK's chain decides (`AWS_REGION`, profile, instance metadata).
    pub(crate) region: Option<String>,
    /// `https://…` or `http://…`; without it the SDK's chain decides (`AWS_ENDPOINT_URL_KMS`,
    /// `AWS_ENDPOINT_URL`, profile, the region's own).
    pub(crate) endpoint: Option<String>,
    /// The other regions that have replicas of the token's keys, in the order of preference.
    pub(crate) replicas: Vec<Replica>,
    /// Whether a replica signs while the token's region fails.
    pub(crate) failover: bool,
    /// How long an answer of the token's region is waited for before a replica is asked, too.
    pub(crate) hedge_after: Option<Duration>,
    /// The profile of the shared AWS files; without it `AWS_PROFILE`, else `default`, where the chain gets
    /// to it.
    pub(crate) profile: Option<String>,
    /// The endpoints that are validated by FIPS 140; without it the chain decides.
    pub(crate) fips: Option<bool>,
    /// The endpoints that IPv6 reaches, too; without it the chain decides.
    pub(crate) dualstack: Option<bool>,
    /// The trusted certificates, PEM; without it the surroundings decide.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Assumed one after the other, the first with the credentials of the chain.
    pub(crate) roles: Vec<RoleConfig>,
    /// Whom the token may act as.
    pub(crate) caller: CallerRules,
    /// Whether there are credentials only while somebody is logged in.
    pub(crate) needs_identity: bool,
    /// The tagging API is asked however KMS is reached.
    pub(crate) needs_tagging: bool,
    /// For one call as a whole, retries included.
    pub(crate) deadline: Duration,
    /// For name resolution, TCP and TLS of one connection.
    pub(crate) connect_timeout: Duration,
    /// For one attempt of a request.
    pub(crate) attempt_timeout: Duration,
    /// Attempts after the first of a request that may be repeated.
    pub(crate) retries: u32,
    /// For a listing as a whole, or for the tags or public keys of all keys asked.
    pub(crate) listing_deadline: Duration,
    /// For a new key to become usable.
    pub(crate) key_ready_timeout: Duration,
    /// The token's label, for the log.
    pub(crate) token: String,
    /// Requests a second.
    pub(crate) rates: Rates,
    /// Requests of one call that are in flight together.
    pub(crate) concurrency: usize,
    /// Stands in for the chain's credentials, environment and files.
    #[cfg(test)]
    pub(crate) surroundings: super::tests::Surroundings,
}

/// Another region, and where KMS is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    /// `eu-west-1`.
    pub(crate) region: String,
    /// `https://…` or `http://…`; without it the SDK's chain decides.
    pub(crate) endpoint: Option<String>,
}

impl Replica {
    fn of(replica: &config::Replica) -> Self {
        Self {
            region: replica.region.as_str().to_owned(),
            endpoint: replica.endpoint.as_ref().map(|url| url.as_str().to_owned()),
        }
    }
}

impl AwsSettings {
    /// How the other regions are reached, each as if it were the token's own.
    pub(super) fn of_replicas(&self) -> Vec<Self> {
        let settings = |replica: &Replica| Self {
            region: Some(replica.region.clone()),
            endpoint: replica.endpoint.clone(),
            replicas: Vec::new(),
            ..self.clone()
        };
        self.replicas.iter().map(settings).collect()
    }
}

impl From<&TokenConfig> for AwsSettings {
    fn from(config: &TokenConfig) -> Self {
        Self {
            region: config
                .region
                .as_ref()
                .map(|region| region.as_str().to_owned()),
            endpoint: config.endpoint.as_ref().map(|url| url.as_str().to_owned()),
            replicas: config.replicas.regions.iter().map(Replica::of).collect(),
            failover: config.replicas.failover,
            hedge_after: config.replicas.hedge_after,
            profile: config.profile.as_ref().map(|name| name.as_str().to_owned()),
            fips: config.fips,
            dualstack: config.dualstack,
            ca_bundle: config.ca_bundle.clone(),
            roles: config.roles.clone(),
            caller: config.caller.clone(),
            needs_identity: config.pin == PinMode::Credentials,
            needs_tagging: config.discovery == Discovery::TaggingApi,
            deadline: config.deadline,
            connect_timeout: config.connect_timeout,
            attempt_timeout: config.attempt_timeout,
            retries: config.retries,
            listing_deadline: config.listing_deadline,
            key_ready_timeout: config.key_ready_timeout,
            token: config.label.as_str().to_owned(),
            rates: config.rates,
            concurrency: config.concurrency,
            #[cfg(test)]
            surroundings: super::tests::Surroundings::default(),
        }
    }
}

#[cfg(test)]
impl Default for AwsSettings {
    fn default() -> Self {
        Self::from(&TokenConfig::default())
    }
}
