//! How one token reaches KMS.

use std::time::Duration;

/// Where KMS is, and how long to wait for it.
#[derive(Clone, Debug)]
pub(crate) struct AwsSettings {
    /// `eu-west-1`; without it the SDK's chain decides (`AWS_REGION`, profile, instance metadata).
    pub(crate) region: Option<String>,
    /// `https://…` or `http://…`; without it the SDK's chain decides (`AWS_ENDPOINT_URL_KMS`,
    /// `AWS_ENDPOINT_URL`, profile, the region's own).
    pub(crate) endpoint: Option<String>,
    /// For one call as a whole, retries included. Default 15 s.
    pub(crate) deadline: Duration,
    /// For name resolution, TCP and TLS of one connection. Default 2 s.
    pub(crate) connect_timeout: Duration,
    /// For one attempt of a request. Default 5 s.
    pub(crate) attempt_timeout: Duration,
    /// Attempts after the first of a request that may be repeated. Default 3.
    pub(crate) retries: u32,
    /// For a listing as a whole, or for the tags or public keys of all keys asked. Default 60 s.
    pub(crate) listing_deadline: Duration,
    /// For a new key to become usable. Default 120 s.
    pub(crate) key_ready_timeout: Duration,
    /// Requests of one call that are in flight together. Default 16.
    pub(crate) concurrency: usize,
    /// Stands in for the chain's credentials, environment and files.
    #[cfg(test)]
    pub(crate) surroundings: super::tests::Surroundings,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            deadline: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(5),
            retries: 3,
            listing_deadline: Duration::from_mins(1),
            key_ready_timeout: Duration::from_mins(2),
            concurrency: 16,
            #[cfg(test)]
            surroundings: super::tests::Surroundings::default(),
        }
    }
}
