//! A token that a PKCS#11 client, run as another process, is pointed at.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::{AccessKey, aws_environment, module, run, softhsm};

/// What a client keeps of this process's environment: where programs are, how a sanitizer that is in the client and the
/// module reports, and what it needs of the C library.
const KEPT: [&str; 5] = [
    "PATH",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "TSAN_OPTIONS",
    "GLIBC_TUNABLES",
];

const PATIENCE: &str = "KMS_PKCS11_TEST_PATIENCE";

/// A module, the environment that configures it, and a directory for the client's files.
#[derive(Debug)]
pub struct Token {
    pub module: PathBuf,
    pub label: String,
    pub pin: String,
    environment: Vec<(OsString, OsString)>,
    directory: TempDir,
}

impl Token {
    /// A fresh SoftHSM2 token.
    #[track_caller]
    pub fn softhsm() -> Self {
        let directory = new_directory();
        let tokens = directory.path().join("tokens");
        let config = directory.path().join("softhsm2.conf");
        fs::create_dir(&tokens).unwrap_or_else(|error| panic!("{}: {error}", tokens.display()));
        write(
            &config,
            &format!(
                "directories.tokendir = {}\nlog.level = ERROR\n",
                tokens.display()
            ),
        );
        let token = Self {
            module: softhsm(),
            label: "reference".to_owned(),
            pin: "1234".to_owned(),
            environment: vec![("SOFTHSM2_CONF".into(), config.into())],
            directory,
        };
        let _ = run(token.command("softhsm2-util").args([
            "--init-token",
            "--free",
            "--label",
            &token.label,
            "--pin",
            &token.pin,
            "--so-pin",
            &token.pin,
        ]))
        .ok();
        token
    }

    /// This module without a config file: everything it needs is in its environment.
    #[track_caller]
    pub fn kms(endpoint: &str, key: &AccessKey) -> Self {
        if env::var_os(PATIENCE).is_some() {
            return Self::kms_with_config(endpoint, key, "aws-kms", "");
        }
        Self::kms_with_environment(endpoint, key)
    }

    fn kms_with_environment(endpoint: &str, key: &AccessKey) -> Self {
        let environment = aws_environment(endpoint, key)
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            module: module(),
            label: "aws-kms".to_owned(),
            pin: "any".to_owned(),
            environment,
            directory: new_directory(),
        }
    }

    /// The same with a config file, whose token has this label.
    #[track_caller]
    pub fn kms_with_config(endpoint: &str, key: &AccessKey, label: &str, config: &str) -> Self {
        let mut token = Self::kms_with_environment(endpoint, key);
        let file = token.directory().join("config.toml");
        write(&file, &patient(config));
        token
            .environment
            .push(("KMS_PKCS11_CONFIG".into(), file.into()));
        label.clone_into(&mut token.label);
        token
    }

    /// A program that finds this token's configuration, and nothing else of ours, in its environment.
    /// It runs in [`Self::directory`].
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .current_dir(self.directory())
            .env_clear()
            .envs(
                KEPT.iter()
                    .filter_map(|name| Some((name, env::var_os(name)?))),
            )
            .env("HOME", self.directory())
            .envs(
                self.environment
                    .iter()
                    .map(|(name, value)| (name, value.as_os_str())),
            );
        command
    }

    /// Where the client's files are; it goes with the token.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// `config` with deadlines of as many seconds as `KMS_PKCS11_TEST_PATIENCE` says, which a module meets that a tool makes
/// many times slower; as it is without the variable, or with deadlines of its own.
pub fn patient(config: &str) -> String {
    const TOKEN: &str = "[[token]]\n";
    let Ok(seconds) = env::var(PATIENCE) else {
        return config.to_owned();
    };
    if config.contains("deadline") {
        return config.to_owned();
    }
    let deadlines = format!(
        "{TOKEN}connect_timeout = {seconds}\nattempt_timeout = {seconds}\ndeadline = {seconds}\n\
         listing_deadline = {seconds}\n"
    );
    if config.contains(TOKEN) {
        config.replace(TOKEN, &deadlines)
    } else {
        format!("{config}\n{deadlines}")
    }
}

fn new_directory() -> TempDir {
    TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"))
}

/// `fs::write`, readable by nobody else: the module refuses a config file that others can write.
fn write(path: &Path, text: &str) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
