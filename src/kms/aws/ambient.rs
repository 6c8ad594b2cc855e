//! What this module itself reads of the AWS settings around it, because the SDK does not.

use aws_config::Region;

use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::settings::AwsSettings;

/// The environment's variables, and the settings of the profile that the token uses.
pub(super) struct Ambient {
    env: Env,
    profiles: Option<ProfileSet>,
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
        Self { env, profiles }
    }

    /// The value of a variable. An empty one counts as unset.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).ok().filter(|value| !value.is_empty())
    }

    /// A setting of the token's profile.
    pub(super) fn profile_setting(&self, key: &str) -> Option<&str> {
        self.profiles.as_ref()?.get(key)
    }

    /// The region that the variables name, else the profile.
    pub(super) fn region(&self) -> Option<Region> {
        ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .into_iter()
            .find_map(|name| self.variable(name))
            .or_else(|| self.profile_setting("region").map(str::to_owned))
            .map(Region::new)
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
