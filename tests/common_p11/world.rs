//! An emulator, a configuration that points at it, and the module in this process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, REGION, Token, run};
use serde_json::Value;
use tempfile::TempDir;

use super::Module;

/// KMS requests by operation.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The counts that a test expects.
pub(crate) fn calls<const N: usize>(expected: [(&str, u64); N]) -> Counts {
    expected
        .map(|(operation, count)| (operation.to_owned(), count))
        .into()
}

/// The initialised module over an emulator of its own.
pub(crate) struct World {
    pub(crate) module: Module,
    pub(crate) emulator: Emulator,
    pub(crate) directory: TempDir,
    config: String,
}

impl World {
    /// One token with default settings.
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// One token with more settings, as lines of its section.
    pub(crate) fn with(settings: &str) -> Self {
        Self::with_tokens(&[settings])
    }

    /// Tokens `test-0`, `test-1` and so on, each with these settings.
    pub(crate) fn with_tokens(settings: &[&str]) -> Self {
        Self::over(Emulator::start(Options::default()).unwrap(), settings)
    }

    /// The same over an emulator that has keys already.
    pub(crate) fn over(emulator: Emulator, settings: &[&str]) -> Self {
        let world = Self::not_initialized(emulator, settings);
        world.initialize();
        world
    }

    /// The same with an endpoint whose name has to be resolved.
    pub(crate) fn over_localhost(emulator: Emulator, settings: &[&str]) -> Self {
        let endpoint = emulator.endpoint().replace("127.0.0.1", "localhost");
        let world = Self::prepare(emulator, &endpoint, settings);
        world.initialize();
        world
    }

    /// Everything but C_Initialize.
    pub(crate) fn not_initialized(emulator: Emulator, settings: &[&str]) -> Self {
        let endpoint = emulator.endpoint();
        Self::prepare(emulator, &endpoint, settings)
    }

    fn prepare(emulator: Emulator, endpoint: &str, settings: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        set_environment(directory.path());
        let sections = settings.iter().enumerate().map(|(slot, settings)| {
            format!(
                "[[token]]\nlabel = \"test-{slot}\"\nregion = \"{REGION}\"\n\
                 endpoint = \"{endpoint}\"\n{settings}\n"
            )
        });
        let log = directory.path().join("log");
        let config = format!(
            "{}[log]\nlevel = \"debug\"\nfile = \"{}\"\n",
            sections.collect::<String>(),
            log.display()
        );
        let file = directory.path().join("config.toml");
        fs::write(&file, &config).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            module: Module::load(),
            emulator,
            directory,
            config,
        }
    }

    /// Puts these sections of the configuration file in the place of its `[log]`, before C_Initialize.
    pub(crate) fn configure_log(&self, sections: &str) {
        let (tokens, _) = self.config.split_once("[log]\n").unwrap();
        fs::write(self.config_file(), format!("{tokens}{sections}")).unwrap();
    }

    #[track_caller]
    pub(crate) fn initialize(&self) {
        self.module.initialize_reserved(&self.reserved()).unwrap();
    }

    /// C_Finalize and C_Initialize: nothing that was known before is known afterwards.
    #[track_caller]
    pub(crate) fn restart(&self) {
        self.module.finalize().unwrap();
        self.initialize();
    }

    /// The reserved string of C_Initialize that names the configuration.
    pub(crate) fn reserved(&self) -> String {
        format!("config={}", self.config_file().display())
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.directory.path().join("config.toml")
    }

    /// A path in the world's directory, as the configuration file has it.
    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.directory.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    /// Everything the module logged so far, at level debug.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Requests since the last time this was asked, by operation.
    pub(crate) fn take_calls(&self) -> Counts {
        let calls = self.emulator.calls().operations;
        self.emulator.reset_calls();
        calls
    }

    /// The next `count` requests of `operation` are answered with this error.
    pub(crate) fn fail(&self, operation: &str, code: &str, count: u32) {
        let effect = Effect::Error {
            code: code.to_owned(),
            message: "on purpose".to_owned(),
            status: 400,
        };
        self.emulator
            .fault(Fault::once(operation, effect).times(count));
    }

    /// Makes keys without the module; answers their key ids.
    pub(crate) fn create_keys(&self, keys: &NewKeys) -> Vec<String> {
        let created = self.emulator.create_keys(keys).unwrap();
        created.into_iter().map(|key| key.key_id).collect()
    }

    /// A request of somebody else's. It counts in [`Self::take_calls`].
    #[track_caller]
    pub(crate) fn ask(&self, operation: &str, body: &Value) -> Value {
        ask(&self.emulator, operation, body)
    }

    /// What pkcs11-tool, another process with the same configuration, prints.
    #[track_caller]
    pub(crate) fn pkcs11_tool(&self, arguments: &[&str]) -> String {
        let token = Token::kms_with_config(
            &self.emulator.endpoint(),
            &AccessKey::test(),
            "test-0",
            &self.config,
        );
        let module = token.module.clone();
        run(token
            .command("pkcs11-tool")
            .arg("--module")
            .arg(module)
            .args(["--token-label", "test-0", "--login", "--pin", "any"])
            .args(arguments))
        .ok()
        .stdout()
    }
}

/// A request of somebody else's to any emulator.
#[track_caller]
pub(crate) fn ask(emulator: &Emulator, operation: &str, body: &Value) -> Value {
    let (status, answer) = post(&emulator.endpoint(), operation, &body.to_string());
    assert_eq!(status, 200, "{operation} {body}: {answer}");
    if answer.is_empty() {
        return Value::Null;
    }
    serde_json::from_str(&answer).unwrap()
}

/// Makes this process's environment one without AWS and PKCS#11 settings, but for credentials.
pub(crate) fn set_environment(home: &Path) {
    let inherited: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    let of_others = inherited.iter().filter(|name| {
        let name = name.to_string_lossy();
        ["AWS_", "KMS_PKCS11_CONFIG", "KMS_PKCS11_LOG", "XDG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    // SAFETY: the test is alone in its process, and its emulator's threads do not look at the environment.
    unsafe {
        for name in of_others {
            std::env::remove_var(name);
        }
        std::env::set_var("HOME", home);
        std::env::set_var("AWS_ACCESS_KEY_ID", "test");
        std::env::set_var("AWS_SECRET_ACCESS_KEY", "test");
        std::env::set_var("AWS_EC2_METADATA_DISABLED", "true");
    }
}

/// A request of somebody else's: the status and body of its answer.
pub(crate) fn post(endpoint: &str, operation: &str, body: &str) -> (u16, String) {
    // The emulator demands a signature and does not verify it.
    let headers = format!(
        "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: TrentService.{operation}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test, SignedHeaders=host, Signature=test\r\n"
    );
    http(endpoint, "POST /", &headers, body)
}

/// The status and body of the answer to a request, which begins with method and path.
pub(crate) fn http(endpoint: &str, begin: &str, headers: &str, body: &str) -> (u16, String) {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{begin} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split_ascii_whitespace().nth(1).unwrap();
    (status.parse().unwrap(), body.to_owned())
}
