//! One AWS client for many requests, because Python takes long to start.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::{AccessKey, aws_environment, venv_python};

/// A process with clients of boto3; it ends when this is dropped.
pub struct Console {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Console {
    /// Clients of this server, signed with `key`.
    #[track_caller]
    pub fn start(endpoint: &str, key: &AccessKey) -> Self {
        let mut child = Command::new(venv_python())
            .args(["-c", include_str!("console.py")])
            .envs(aws_environment(endpoint, key))
            // The test itself may act for a role meanwhile.
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("python does not start: {error}"));
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("python has no pipes");
        };
        Self {
            child,
            requests: Some(requests),
            answers: BufReader::new(answers),
        }
    }

    /// What the method `operation` of boto3's client of `service` answers.
    #[track_caller]
    pub fn ask(&mut self, service: &str, operation: &str, arguments: &Value) -> Value {
        self.try_ask(service, operation, arguments)
            .unwrap_or_else(|error| panic!("{service} {operation} {arguments}: {error}"))
    }

    /// The same where AWS may refuse.
    ///
    /// # Errors
    ///
    /// What boto3 raised, in its own words.
    #[track_caller]
    pub fn try_ask(
        &mut self,
        service: &str,
        operation: &str,
        arguments: &Value,
    ) -> Result<Value, String> {
        let request = json!({ "service": service, "operation": operation, "arguments": arguments });
        let mut answer = String::new();
        let asked = match &mut self.requests {
            Some(requests) => writeln!(requests, "{request}"),
            None => Ok(()),
        };
        asked
            .and_then(|()| self.answers.read_line(&mut answer))
            .unwrap_or_else(|error| panic!("{request}: {error}"));
        let answer: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{request}: {error} in {answer:?}"));
        match answer.get("error") {
            Some(error) => Err(error.to_string()),
            None => Ok(answer),
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // The end of its standard input ends it.
        self.requests = None;
        // It fails only for a process that was waited for already.
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console")
            .field("id", &self.child.id())
            .finish_non_exhaustive()
    }
}
