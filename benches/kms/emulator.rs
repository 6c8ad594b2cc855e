//! The emulator as a process, and its control API.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use kms_pkcs11_testkit::{Ready, Server, emulator_binary};
use serde_json::{Value, json};

use crate::Result;

/// An emulator that ends with this value.
pub(crate) struct Emulator {
    control: Control,
    _server: Server,
}

impl Emulator {
    pub(crate) fn start() -> Result<Self> {
        let mut command = Command::new(emulator_binary());
        command.arg("--exit-with-stdin");
        let (server, line) = Server::start(&mut command, &Ready::Line("listening on "))?;
        let endpoint = line.trim_start_matches("listening on ").trim();
        Ok(Self {
            control: Control::of(endpoint),
            _server: server,
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.control.endpoint
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Creates signing keys and answers their ARNs. `id` is their CKA_ID in hexadecimal, in which `{n}` stands
    /// for each key's number.
    pub(crate) fn create_keys(&self, count: usize, spec: &str, id: &str) -> Result<Vec<String>> {
        self.create_tagged_keys(count, spec, &json!({ "p11:id": id }))
    }

    /// The same with these tags, in whose values `{n}` stands for each key's number.
    pub(crate) fn create_tagged_keys(
        &self,
        count: usize,
        spec: &str,
        tags: &Value,
    ) -> Result<Vec<String>> {
        let keys = json!({
            "count": count,
            "key_spec": spec,
            "key_usage": "SIGN_VERIFY",
            "tags": tags,
        });
        let created = self.control.request("POST", "keys", Some(&keys))?;
        let created = created["keys"].as_array().ok_or("no keys were created")?;
        let arns = created.iter().filter_map(|key| key["arn"].as_str());
        Ok(arns.map(str::to_owned).collect())
    }
}

/// What is asked of a running emulator.
pub(crate) struct Control {
    endpoint: String,
}

impl Control {
    pub(crate) fn of(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
        }
    }

    /// Lets every request wait before it is processed.
    pub(crate) fn set_latency(&self, latency: Duration) -> Result<()> {
        let milliseconds = u64::try_from(latency.as_millis())?;
        let settings = json!({ "latency_ms": milliseconds });
        self.request("PUT", "settings", Some(&settings)).map(drop)
    }

    pub(crate) fn forget_calls(&self) -> Result<()> {
        self.request("DELETE", "calls", None).map(drop)
    }

    /// The requests since [`Control::forget_calls`].
    pub(crate) fn calls(&self) -> Result<Calls> {
        let calls = self.request("GET", "calls", None)?;
        let operations = calls["operations"].as_object().ok_or("no operations")?;
        let operations = operations
            .iter()
            .map(|(name, count)| format!("{count} {name}"));
        Ok(Calls {
            total: calls["total"].as_u64().ok_or("no total")?,
            sign: calls["operations"]["Sign"].as_u64().unwrap_or_default(),
            operations: operations.collect::<Vec<_>>().join(", "),
        })
    }

    fn request(&self, method: &str, resource: &str, body: Option<&Value>) -> Result<Value> {
        let address = self.endpoint.trim_start_matches("http://");
        let body = body.map(Value::to_string).unwrap_or_default();
        let length = body.len();
        let mut stream = TcpStream::connect(address)?;
        // HTTP/1.0: the answer is not chunked and ends with the connection.
        write!(
            stream,
            "{method} /_emulator/{resource} HTTP/1.0\r\nHost: {address}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.contains(" 200 ") => Ok(serde_json::from_str(body)?),
            _ => Err(format!("{method} {resource}: {answer}").into()),
        }
    }
}

pub(crate) struct Calls {
    pub(crate) total: u64,
    pub(crate) sign: u64,
    /// `1 ListKeys, 2 Sign`.
    pub(crate) operations: String,
}
