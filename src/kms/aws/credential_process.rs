//! `credential_process` of AWS profiles: programs that answer with credentials.
//!
//! The SDK would run them by way of tokio, which installs a handler of SIGCHLD in the host, and would hand the host's
//! standard input on to them. So that part of the SDK is left out. It goes through its profiles as ever, but finds a
//! `credential_source` of this module's, where it would have run a program.

mod answer;
mod program;

use std::fmt::{self, Write};
use std::time::Duration;

use aws_config::profile::credentials::Builder;
use aws_config::profile::{Profile, ProfileSet};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use zeroize::Zeroizing;

use self::program::Failure;
use crate::kms::KmsErrorKind;

/// Beside one of these in its profile, the SDK passes over a `credential_process`.
const PREFERRED: [&str; 8] = [
    "credential_source",
    "web_identity_token_file",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_start_url",
    "sso_session",
    "login_session",
];

/// The programs of all profiles.
pub(super) struct CredentialProcesses {
    /// A file of profiles that says where each of the programs is in place.
    overlay: String,
    /// By the names they have there.
    programs: Vec<(String, CredentialProcess)>,
}

impl CredentialProcesses {
    /// `limit` is for one answer of a program.
    pub(super) fn of(profiles: Option<&ProfileSet>, limit: Duration) -> Self {
        let mut found = Self {
            overlay: String::new(),
            programs: Vec::new(),
        };
        for profile in profiles.into_iter().flat_map(profiles_of) {
            found.add(profile, limit);
        }
        found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// Has these run in place of the SDK's.
    pub(super) fn in_place(self, mut provider: Builder) -> Builder {
        if self.is_empty() {
            return provider;
        }
        // The last file has the last word.
        let files = EnvConfigFiles::builder()
            .include_default_config_file(true)
            .include_default_credentials_file(true)
            .with_contents(EnvConfigFileKind::Config, self.overlay);
        provider = provider.profile_files(files.build());
        for (name, program) in self.programs {
            provider = provider.with_custom_provider(name, program);
        }
        provider
    }

    fn add(&mut self, profile: &Profile, limit: Duration) {
        let Some(command) = profile.get("credential_process") else {
            return;
        };
        if PREFERRED.iter().any(|key| profile.get(key).is_some()) {
            return;
        }
        let name = profile.name();
        // The SDK compares names of sources without regard to case, which names of profiles are not to be.
        let source = format!("kms-pkcs11-credential-process-{}", self.programs.len());
        let placed = match (profile.get("role_arn"), profile.get("source_profile")) {
            (None, _) => writeln!(
                self.overlay,
                "[profile {name}]\ncredential_source = {source}"
            ),
            // A role that is assumed with the credentials of its own profile, which must not have both.
            (Some(_), Some(itself)) if itself == name => writeln!(
                self.overlay,
                "[profile {name}]\nsource_profile = {source}\n\
                 [profile {source}]\ncredential_source = {source}"
            ),
            // Those of a role come from elsewhere.
            (Some(_), _) => return,
        };
        debug_assert!(placed.is_ok(), "a string takes everything");
        let program = CredentialProcess {
            profile: name.to_owned(),
            command: command.to_owned().into(),
            account: profile.get("aws_account_id").map(str::to_owned),
            limit,
        };
        self.programs.push((source, program));
    }
}

fn profiles_of(profiles: &ProfileSet) -> impl Iterator<Item = &Profile> {
    profiles
        .profiles()
        .filter_map(|name| profiles.get_profile(name))
}

/// One program, and whose it is.
struct CredentialProcess {
    profile: String,
    command: Zeroizing<String>,
    /// Whose credentials they are, if the program does not say so.
    account: Option<String>,
    limit: Duration,
}

impl CredentialProcess {
    async fn ask(&self) -> Result {
        let answered = program::run(&self.command, self.limit).await;
        answered
            .and_then(|output| self.understand(&output))
            .map_err(|failure| {
                let profile = self.profile.clone();
                CredentialsError::provider_error(Failed { profile, failure })
            })
    }

    fn understand(&self, output: &program::Output) -> std::result::Result<Credentials, Failure> {
        answer::credentials(&output.answer, self.account.as_deref()).map_err(|what| {
            Failure::Answer {
                what,
                said: output.said.clone(),
            }
        })
    }
}

impl ProvideCredentials for CredentialProcess {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }
}

/// Without the command: secrets may be among its arguments.
impl fmt::Debug for CredentialProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialProcess")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// Why a program gave no credentials.
#[derive(Debug, thiserror::Error)]
#[error("the credential_process of the AWS profile {profile} {failure}")]
pub(super) struct Failed {
    profile: String,
    failure: Failure,
}

impl Failed {
    pub(super) fn kind(&self) -> KmsErrorKind {
        self.failure.kind()
    }
}

#[cfg(test)]
mod tests {
    use aws_config::profile;
    use aws_config::profile::ProfileFileCredentialsProvider;
    use aws_config::provider_config::ProviderConfig;
    use aws_types::os_shim_internal::{Env, Fs};

    use super::*;

    fn profiles(text: &str) -> ProfileSet {
        let env = Env::from_slice(&[]);
        let fs = Fs::from_slice(&[]);
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, text);
        let files = files.build();
        let loaded = profile::load(&fs, &env, &files, None);
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(loaded)
            .unwrap()
    }

    fn of(text: &str) -> CredentialProcesses {
        CredentialProcesses::of(Some(&profiles(text)), Duration::from_secs(5))
    }

    #[test]
    fn a_program_is_put_in_place_where_the_sdk_would_run_it_and_nowhere_else() {
        let placed = of("[profile a]\ncredential_process = x");
        let source = "kms-pkcs11-credential-process-0";
        assert_eq!(
            placed.overlay,
            format!("[profile a]\ncredential_source = {source}\n")
        );
        let itself = of("[profile a]\nrole_arn = r\nsource_profile = a\ncredential_process = x");
        assert_eq!(
            itself.overlay,
            format!(
                "[profile a]\nsource_profile = {source}\n[profile {source}]\ncredential_source = {source}\n"
            )
        );
        for beside in [
            "role_arn = r\nsource_profile = b",
            "role_arn = r",
            "credential_source = Environment",
            "web_identity_token_file = f",
            "sso_session = s",
            "sso_start_url = u",
            "login_session = l",
        ] {
            let passed_over = of(&format!("[profile a]\ncredential_process = x\n{beside}"));
            assert!(passed_over.is_empty(), "{beside}");
        }
        assert!(of("[profile a]\naws_access_key_id = id").is_empty());
        assert!(CredentialProcesses::of(None, Duration::ZERO).is_empty());
    }

    #[test]
    fn what_is_shown_of_a_program_and_of_the_sdks_provider_has_no_command_in_it() {
        let found = of("[profile a]\ncredential_process = helper --password sesame");
        assert!(!format!("{:?}", found.programs).contains("sesame"));
        let builder = ProfileFileCredentialsProvider::builder();
        let builder = builder.configure(&ProviderConfig::empty());
        let shown = format!("{:?}", found.in_place(builder).build());
        assert!(!shown.contains("sesame"), "{shown}");
    }
}
