//! A KMS client of a few lines: JSON over HTTP/1.1 on one connection, every byte in the test's hands.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kms_emulator::{Emulator, Options};
use serde_json::{Value, json};

/// The form of a signature; neither server of these tests verifies it.
pub(crate) const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
     Credential=test/20260101/us-east-1/kms/aws4_request, \
     SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=0000";

/// Longer than the slowest key generation.
const TIMEOUT: Duration = Duration::from_mins(1);

/// One connection to one server.
pub(crate) struct Client {
    host: String,
    stream: BufReader<TcpStream>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// An emulator, and a client of it.
pub(crate) fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let client = Client::connect(&emulator.endpoint());
    (emulator, client)
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(endpoint: &str) -> Self {
        let host = endpoint.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).expect("the server accepts connections");
        stream
            .set_read_timeout(Some(TIMEOUT))
            .expect("a timeout can be set");
        Self {
            host,
            stream: BufReader::new(stream),
        }
    }

    /// Waits no longer than this for an answer.
    #[track_caller]
    pub(crate) fn set_patience(&self, patience: Duration) {
        let stream = self.stream.get_ref();
        stream
            .set_read_timeout(Some(patience))
            .expect("a timeout can be set");
    }

    /// The bytes that come without being asked for.
    #[track_caller]
    pub(crate) fn rest(&mut self, len: usize) -> Vec<u8> {
        let mut rest = vec![0; len];
        self.stream
            .read_exact(&mut rest)
            .expect("so many bytes come");
        rest
    }

    /// Calls an operation of KMS and takes whatever it answers.
    #[track_caller]
    pub(crate) fn call(&mut self, operation: &str, request: &Value) -> Answer {
        self.try_call(operation, request)
            .expect("the server answers")
    }

    /// Calls an operation that has to succeed.
    #[track_caller]
    pub(crate) fn ok(&mut self, operation: &str, request: &Value) -> Value {
        let answer = self.call(operation, request);
        assert_eq!(answer.status, 200, "{operation} {request}: {answer:?}");
        answer.json()
    }

    /// The code and message of an operation that has to fail.
    #[track_caller]
    pub(crate) fn refused(&mut self, operation: &str, request: &Value) -> (String, Option<String>) {
        let answer = self.call(operation, request);
        assert_eq!(answer.status, 400, "{operation} {request}: {answer:?}");
        (answer.code(), answer.message())
    }

    pub(crate) fn try_call(&mut self, operation: &str, request: &Value) -> io::Result<Answer> {
        let service = match operation {
            "GetResources" => "ResourceGroupsTaggingAPI_20170126",
            _ => "TrentService",
        };
        let target = format!("{service}.{operation}");
        let headers = [
            ("Authorization", AUTHORIZATION),
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Date", "20260101T000000Z"),
            ("X-Amz-Target", &target),
        ];
        self.request("POST", "/", &headers, request.to_string().as_bytes())
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(&[request.as_bytes(), body].concat())?;
        self.answer()
    }

    /// Asks the control API, which answers JSON.
    #[track_caller]
    pub(crate) fn control(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let path = format!("/_emulator/{path}");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.request(method, &path, &[], body.as_bytes());
        let answer = answer.expect("the control API answers");
        (answer.status, answer.json())
    }

    /// Creates a key and answers its id and ARN.
    #[track_caller]
    pub(crate) fn create_key(&mut self, spec: &str, usage: &str) -> (String, String) {
        let metadata = self.ok("CreateKey", &json!({ "KeySpec": spec, "KeyUsage": usage }));
        let member = |name| text(&metadata["KeyMetadata"][name]);
        (member("KeyId"), member("Arn"))
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(status_line.clone()))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body; null when it is empty, as after operations without output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The error's code, without the namespace that some servers write before it.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = body["__type"]
            .as_str()
            .unwrap_or_else(|| panic!("no error code in {body}"));
        code.rsplit('#').next().unwrap_or(code).to_owned()
    }

    #[track_caller]
    pub(crate) fn message(&self) -> Option<String> {
        let body = self.json();
        let message = body.get("message").or_else(|| body.get("Message"))?;
        message.as_str().map(str::to_owned)
    }
}

#[track_caller]
pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not a string"))
        .to_owned()
}

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

#[track_caller]
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD
        .decode(text(value))
        .expect("the member is base64")
}
