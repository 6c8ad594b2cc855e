//! The services that hand out AWS credentials inside of AWS, on loopback.

use std::process::Command;

use serde_json::Value;

use crate::{Ready, Server, venv_python};

/// Containers (ECS, EKS Pod Identity), instances (IMDSv2) and IAM Identity Center.
#[derive(Debug)]
pub struct CredentialSources {
    endpoint: String,
    _server: Server,
}

impl CredentialSources {
    /// `credentials` has, by source, what STS answers: `AccessKeyId`, `SecretAccessKey`, `SessionToken`. The sources
    /// are `imds`, `sso`, and any others as `/container/NAME`; each wants the bearer token `token of NAME`.
    #[track_caller]
    pub fn start(credentials: &Value) -> Self {
        let mut command = Command::new(venv_python());
        command
            .args(["-c", include_str!("sources.py")])
            .arg(credentials.to_string());
        let (server, endpoint) = Server::start(&mut command, &Ready::Line("http://"))
            .unwrap_or_else(|why| panic!("{why}"));
        Self {
            endpoint: endpoint.trim().to_owned(),
            _server: server,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}
