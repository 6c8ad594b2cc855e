//! The module as a program runs it under one identity, with a token of one cluster.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use kms_pkcs11_testkit::{AccessKey, REGION};
use tempfile::TempDir;

use crate::common_p11::{Module, Session};

/// What requests are signed with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
    /// Of a role that was assumed.
    pub(crate) token: Option<String>,
}

impl From<AccessKey> for Credentials {
    fn from(key: AccessKey) -> Self {
        Self {
            id: key.id,
            secret: key.secret,
            token: None,
        }
    }
}

/// The initialised module; it is finalised when this is dropped.
pub(crate) struct Tenant {
    module: Module,
    directory: TempDir,
}

impl Tenant {
    /// A token with this selection of keys and these further settings, lines of its section.
    pub(crate) fn start(endpoint: &str, credentials: &Credentials, settings: &str) -> Self {
        set_environment(credentials, None);
        Self::initialize(endpoint, settings)
    }

    /// The same where the endpoint is that of all services: the tagging API is there, too.
    pub(crate) fn start_with_tagging(
        endpoint: &str,
        credentials: &Credentials,
        settings: &str,
    ) -> Self {
        set_environment(credentials, Some(endpoint));
        Self::initialize(endpoint, settings)
    }

    fn initialize(endpoint: &str, settings: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let config = directory.path().join("config.toml");
        let text = format!(
            "[[token]]\nregion = \"{REGION}\"\nendpoint = \"{endpoint}\"\n{settings}\n\
             [log]\nlevel = \"info\"\nfile = \"{}\"\n",
            directory.path().join("log").display()
        );
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
        let module = Module::load();
        let reserved = format!("config={}", config.display());
        module.initialize_reserved(&reserved).unwrap();
        Self { module, directory }
    }

    pub(crate) fn session(&self) -> Session<'_> {
        self.module.session()
    }

    /// The lines that were logged so far at this level: `WARN`.
    pub(crate) fn logged(&self, level: &str) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let level = format!(" {level} ");
        let lines = log.lines().filter(|line| line.contains(&level));
        lines.map(str::to_owned).collect()
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.module.finalize().unwrap();
    }
}

fn set_environment(credentials: &Credentials, endpoint: Option<&str>) {
    let set = |name: &str, value: Option<&str>| {
        // SAFETY: a test is alone in its process, and neither its servers' threads nor the module, which is
        // not initialised, look at the environment now.
        unsafe {
            match value {
                Some(value) => std::env::set_var(name, value),
                None => std::env::remove_var(name),
            }
        }
    };
    set("AWS_ACCESS_KEY_ID", Some(&credentials.id));
    set("AWS_SECRET_ACCESS_KEY", Some(&credentials.secret));
    set("AWS_SESSION_TOKEN", credentials.token.as_deref());
    set("AWS_EC2_METADATA_DISABLED", Some("true"));
    set("AWS_ENDPOINT_URL", endpoint);
    for name in ["AWS_PROFILE", "KMS_PKCS11_LOG"] {
        set(name, None);
    }
}
