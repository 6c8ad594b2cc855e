//! What this module itself reads of the AWS settings around it, because the SDK does not.

use aws_config::profile::{self, Profile, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::settings::AwsSettings;
use crate::kms::Identity;

/// The environment's variables, and the settings of the profile that the token uses.
pub(super) struct Ambient {
    env: Env,
    profiles: Option<ProfileSet>,
    /// The configuration names the profile.
    profile_is_named: bool,
}

impl Ambient {
    /// Reads the shared configuration files. Ones that cannot be read count as empty: the SDK reads
    /// them as well, and has its own words for that.
    pub(super) async fn load(settings: &AwsSettings) -> Self {
        let (env, fs) = surroundings(settings);
        let profile = settings.profile.clone().map(Into::into);
        let profiles = profile::load(&fs, &env, &EnvConfigFiles::default(), profile)
            .await
            .inspect_err(|error| tracing::debug!("the AWS profiles are not read: {error}"))
            .ok();
        Self {
            env,
            profiles,
            profile_is_named: settings.profile.is_some(),
        }
    }

    /// The value of a variable. An empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.is_empty())
    }

    /// A setting of the token's profile.
    pub(super) fn profile_setting(&self, key: &str) -> Option<&str> {
        self.profiles.as_ref()?.get(key)
    }

    /// All profiles, the token's selected.
    pub(super) fn profiles(&self) -> Option<&ProfileSet> {
        self.profiles.as_ref()
    }

    /// The profiles whose roles the chain assumes, the token's own first. None when the PIN or the environment has
    /// credentials that the chain takes before it looks at profiles.
    pub(super) fn profiles_of_roles(&self, identity: Option<&Identity>) -> Vec<&Profile> {
        let mut found: Vec<&Profile> = Vec::new();
        let Some(profiles) = &self.profiles else {
            return found;
        };
        let mut name = match identity {
            Some(Identity::Profile(name)) => name,
            None if self.profile_is_named || self.variable("AWS_ACCESS_KEY_ID").is_none() => {
                profiles.selected_profile()
            }
            Some(Identity::Keys { .. }) | None => return found,
        };
        while let Some(profile) = profiles.get_profile(name)
            && profile.get("role_arn").is_some()
            && !found.iter().any(|before| before.name() == name)
        {
            found.push(profile);
            name = profile.get("source_profile").unwrap_or_default();
        }
        found
    }
}

#[cfg(not(test))]
fn surroundings(_: &AwsSettings) -> (Env, Fs) {
    (Env::real(), Fs::real())
}

#[cfg(test)]
fn surroundings(settings: &AwsSettings) -> (Env, Fs) {
    settings.surroundings.shims()
}
