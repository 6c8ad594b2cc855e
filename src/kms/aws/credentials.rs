//! Whose credentials a token's requests carry: those of the chain or of a profile, or of a role that is
//! assumed with them, through as many roles as the configuration lists.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use parking_lot::Mutex;

use super::ambient::Ambient;
use super::caller::Guard;
use super::lending::Loan;
use super::renewal::Renewing;
use super::settings::AwsSettings;
use crate::config::RoleConfig;
use crate::kms::Identity;

/// How the sessions of roles are called in CloudTrail and in the ARN of the caller, unless configured.
const SESSION_NAME: &str = env!("CARGO_PKG_NAME");

/// Settings of a profile's role that the SDK does not know, and what holds in their place.
const IGNORED: [(&str, &str); 2] = [
    (
        "mfa_serial",
        "the role is assumed without a second factor, which its trust policy may refuse",
    ),
    ("duration_seconds", "its sessions last an hour"),
];

/// The credentials of a token, judged by the rules for its caller, and kept fresh. `limit` is for one answer of each source.
pub(super) async fn provider(
    settings: &AwsSettings,
    guard: &Arc<Guard>,
    config: &SdkConfig,
    lending: &Loan,
    limit: Duration,
) -> Option<SharedCredentialsProvider> {
    let mut provider = config.credentials_provider()?;
    for role in &settings.roles {
        let link = AssumeRoleProvider::builder(role.arn.as_str()).configure(config);
        let link = configured(link, role).build_from_provider(provider).await;
        provider = SharedCredentialsProvider::new(link);
    }
    let watched = guard.watch(provider, config);
    Some(lending.provider(Renewing::new(watched, limit)))
}

/// The credentials that a PIN is, unless it names others.
pub(super) fn of_pin(identity: &Identity) -> Option<Credentials> {
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
