//! Whose credentials a token's requests carry: those of the chain or of a profile, or of a role that is
//! assumed with them, through as many roles as the configuration lists.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_kms::config::SharedHttpClient;
use parking_lot::Mutex;

use super::ambient::Ambient;
use super::caller::Guard;
use super::credential_process::CredentialProcesses;
use super::lending::Loan;
use super::renewal::Renewing;
use super::settings::AwsSettings;
use crate::config::RoleConfig;
use crate::kms::Identity;

/// How the sessions of roles are called in CloudTrail and in the ARN of the caller, unless configured.
const SESSION_NAME: &str = env!("CARGO_PKG_NAME");

/// Of the time of a source, what a `credential_process` has: where it takes all of that, it is to be named.
const PART_OF_PROGRAM: f64 = 0.9;

/// Settings of a profile's role that the SDK does not know, and what holds in their place.
const IGNORED: [(&str, &str); 2] = [
    (
        "mfa_serial",
        "the role is assumed without a second factor, which its trust policy may refuse",
    ),
    ("duration_seconds", "its sessions last an hour"),
];

/// What the credentials of a token depend on.
pub(super) struct Source<'a> {
    pub(super) settings: &'a AwsSettings,
    pub(super) identity: Option<&'a Identity>,
    pub(super) ambient: &'a Ambient,
    /// For one answer of each source.
    pub(super) limit: Duration,
}

impl Source<'_> {
    /// The credentials, judged by the rules for the token's caller, and kept fresh.
    pub(super) async fn provider(
        &self,
        guard: &Arc<Guard>,
        config: &SdkConfig,
        http: SharedHttpClient,
        loan: &Loan,
    ) -> Option<SharedCredentialsProvider> {
        let mut provider = self.first(config, http)?;
        for role in &self.settings.roles {
            let link = AssumeRoleProvider::builder(role.arn.as_str()).configure(config);
            let link = configured(link, role).build_from_provider(provider).await;
            provider = SharedCredentialsProvider::new(link);
        }
        let watched = guard.watch(provider, config);
        Some(loan.provider(Renewing::new(watched, self.limit)))
    }

    /// The credentials that the roles are assumed with: of the PIN, of a profile, or what the ordinary chain has.
    fn first(
        &self,
        config: &SdkConfig,
        http: SharedHttpClient,
    ) -> Option<SharedCredentialsProvider> {
        if let Some(keys) = self.identity.and_then(of_pin) {
            return Some(SharedCredentialsProvider::new(keys));
        }
        let processes =
            CredentialProcesses::of(self.ambient.profiles(), self.limit.mul_f64(PART_OF_PROGRAM));
        let name = named_profile(self.settings, self.identity);
        let chain = config.credentials_provider();
        if name.is_none() && processes.is_empty() {
            return chain;
        }
        // STS, where the profile's roles are assumed, is reached as KMS is.
        let reached = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_use_fips(config.use_fips())
            .with_use_dual_stack(config.use_dual_stack())
            .with_http_client(http);
        let mut profile = ProfileFileCredentialsProvider::builder().configure(&reached);
        if let Some(name) = name {
            profile = profile.profile_name(name);
        }
        let profile = processes.in_place(profile).build();
        if name.is_some() {
            // The chain would ask the environment first, whoever it speaks of.
            return Some(SharedCredentialsProvider::new(profile));
        }
        // The first two of the chain, and then the chain, in which they have nothing by then.
        let variables = EnvironmentVariableCredentialsProvider::new();
        let mut first = CredentialsProviderChain::first_try("Environment", variables)
            .or_else("Profile", profile);
        if let Some(chain) = chain {
            first = first.or_else("Others", chain);
        }
        Some(SharedCredentialsProvider::new(first))
    }
}

/// Whether it is said whose credentials they are, so that the ordinary chain is not asked.
pub(super) fn are_named(settings: &AwsSettings, identity: Option<&Identity>) -> bool {
    identity.is_some() || settings.profile.is_some()
}

/// The profile that the PIN names, or else the configuration.
fn named_profile<'a>(
    settings: &'a AwsSettings,
    identity: Option<&'a Identity>,
) -> Option<&'a String> {
    match identity {
        Some(Identity::Profile(name)) => Some(name),
        Some(Identity::Keys { .. }) => None,
        None => settings.profile.as_ref(),
    }
}

/// The credentials that a PIN is, unless it names others.
fn of_pin(identity: &Identity) -> Option<Credentials> {
    match identity {
        Identity::Profile(_) => None,
        Identity::Keys {
            id,
            secret,
            session_token,
        } => {
            let token = session_token.as_deref().cloned();
            Some(Credentials::new(id, secret.as_str(), token, None, "PIN"))
        }
    }
}

type Link = aws_config::sts::AssumeRoleProviderBuilder;

fn configured(mut link: Link, role: &RoleConfig) -> Link {
    let name = role.session_name.as_ref();
    link = link.session_name(name.map_or(SESSION_NAME, |name| name.as_str()));
    if let Some(id) = &role.external_id {
        link = link.external_id(id.as_str());
    }
    if let Some(duration) = role.duration {
        link = link.session_length(duration);
    }
    if let Some(region) = &role.region {
        link = link.region(Region::new(region.as_str().to_owned()));
    }
    if let Some(policy) = &role.policy {
        link = link.policy(policy.as_str());
    }
    link
}

/// Warns, once for each, of what the profiles say about their roles and the SDK passes over.
pub(super) fn warn_of_ignored_settings(
    ambient: &Ambient,
    identity: Option<&Identity>,
    warned: &Mutex<BTreeSet<String>>,
) {
    for profile in ambient.profiles_of_roles(identity) {
        for (key, instead) in IGNORED {
            let said = format!("{} {key}", profile.name());
            if profile.get(key).is_some() && warned.lock().insert(said) {
                tracing::warn!(
                    "the AWS profile {} has {key}, which is ignored: {instead}",
                    profile.name()
                );
            }
        }
    }
}
