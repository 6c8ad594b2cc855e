//! AWS clients that we did not write, pointed at a server on loopback.

use std::fmt;
use std::process::Command;

use crate::{Finished, run, venv_python};

/// The region of every client; servers on loopback serve all regions.
pub const REGION: &str = "us-east-1";

/// What a client signs its requests with.
#[derive(Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: String,
}

impl AccessKey {
    /// The key that stand-ins for AWS take for their owner's.
    pub fn test() -> Self {
        Self {
            id: "test".to_owned(),
            secret: "test".to_owned(),
        }
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The environment variables that point an AWS client at this server and nowhere else.
pub fn aws_environment(endpoint: &str, key: &AccessKey) -> [(&'static str, String); 6] {
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", key.id.clone()),
        ("AWS_SECRET_ACCESS_KEY", key.secret.clone()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// Runs a Python script whose `boto3.client(…)` are those of this server, signed with `key`.
#[track_caller]
pub fn boto3(endpoint: &str, key: &AccessKey, script: &str, args: &[&str]) -> Finished {
    run(Command::new(venv_python())
        .arg("-c")
        .arg(script)
        .args(args)
        .envs(aws_environment(endpoint, key)))
}
