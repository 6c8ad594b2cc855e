//! MiniStack: a KMS, an IAM and an STS on loopback that we did not write.

use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    AccessKey, Console, Finished, Ready, Server, aws_environment, boto3, free_port, get,
    venv_python,
};

/// MiniStack on a free port of 127.0.0.1, with its state in a directory of its own.
#[derive(Debug)]
pub struct MiniStack {
    endpoint: String,
    server: Server,
    _directory: TempDir,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct MiniStackOptions {
    /// Verify signatures and enforce IAM policies.
    pub auth: bool,
}

impl MiniStack {
    /// Starts MiniStack and waits until it answers.
    pub fn start(options: MiniStackOptions) -> Self {
        // Somebody may take the free port first; MiniStack ends then, and the next port is tried.
        let mut failure = String::new();
        for _ in 0..3 {
            match Self::try_start(options) {
                Ok(ministack) => return ministack,
                Err(why) => failure = why,
            }
        }
        panic!("{failure}");
    }

    fn try_start(options: MiniStackOptions) -> Result<Self, String> {
        let directory =
            TempDir::new().map_err(|error| format!("no temporary directory: {error}"))?;
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(venv_python());
        command
            .args(["-c", include_str!("ministack.py")])
            .current_dir(directory.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("SERVICES", "kms,iam,sts,tagging")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            // It would remove containers that it takes for its own.
            .env("DOCKER_HOST", "unix:///nonexistent")
            .env("AUTH", if options.auth { "true" } else { "false" });
        let answers = || matches!(get(&endpoint, "/_ministack/ready"), Ok((200, _)));
        let (server, _) = Server::start(&mut command, &Ready::Check(&answers))?;
        Ok(Self {
            endpoint,
            server,
            _directory: directory,
        })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Everything the server has printed so far.
    pub fn log(&self) -> String {
        self.server.output()
    }

    /// The key of the account's root, which may do everything, whatever `auth` is.
    pub fn root(&self) -> AccessKey {
        AccessKey::test()
    }

    /// Creates an IAM user that may do what this policy document says, and no more.
    #[track_caller]
    pub fn create_user(&self, name: &str, policy: &Value) -> AccessKey {
        let script = include_str!("create_user.py");
        let printed = self
            .boto3(&self.root(), script, &[name, &policy.to_string()])
            .ok()
            .stdout();
        let mut lines = printed.lines().map(str::to_owned);
        match (lines.next(), lines.next()) {
            (Some(id), Some(secret)) => AccessKey { id, secret },
            _ => panic!("no access key in {printed:?}"),
        }
    }

    /// Creates an IAM role that those whom the trust policy names may assume, and that may do what the other
    /// policy says; answers its ARN.
    #[track_caller]
    pub fn create_role(&self, name: &str, trust: &Value, policy: &Value) -> String {
        let script = include_str!("create_role.py");
        let arguments = [name, &trust.to_string(), &policy.to_string()];
        let printed = self.boto3(&self.root(), script, &arguments).ok().stdout();
        printed.trim().to_owned()
    }

    /// Runs a Python script whose `boto3.client(…)` are this server's, signed with `key`.
    #[track_caller]
    pub fn boto3(&self, key: &AccessKey, script: &str, args: &[&str]) -> Finished {
        boto3(&self.endpoint, key, script, args)
    }

    /// Clients of this server that may do everything.
    #[track_caller]
    pub fn console(&self) -> Console {
        Console::start(&self.endpoint, &self.root())
    }

    /// The environment variables that point an AWS client at this server and nowhere else.
    pub fn environment(&self, key: &AccessKey) -> [(&'static str, String); 6] {
        aws_environment(&self.endpoint, key)
    }
}
