//! An HTTP listener with prepared answers, for what an honest KMS would never say.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};

/// One answer.
pub(super) enum Reply {
    Json(u16, Value),
    /// As the token service answers.
    Xml(u16, String),
    /// JSON, after which the connection is closed unannounced.
    Last(u16, Value),
    /// The connection is closed without a word.
    Close,
    /// Nothing is said for longer than any test waits.
    Hang,
}

impl Reply {
    pub(super) fn error(code: &str) -> Self {
        Self::Json(
            400,
            json!({ "__type": code, "message": format!("test {code}") }),
        )
    }
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) operation: String,
    pub(super) user_agent: String,
    pub(super) body: Value,
}

/// A listener on a port of its own; its threads end with the test's process.
pub(super) struct Canned {
    endpoint: String,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    requests: Vec<Request>,
}

type Answer = dyn Fn(&Request, usize) -> Reply + Send + Sync;

impl Canned {
    /// `answer` gets each request and how many came before it.
    pub(super) fn new(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Log::default()));
        let (answer, shared): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&log));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                shared.lock().connections += 1;
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&shared));
                // A broken connection is the client's to notice.
                thread::spawn(move || drop(serve(&stream, &*answer, &log)));
            }
        });
        Self { endpoint, log }
    }

    /// Answers every Sign as asked, with a signature of 70 bytes.
    pub(super) fn signing() -> Self {
        Self::new(|request, _| Reply::Json(200, signature(&request.body)))
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.log.lock().requests.clone()
    }

    pub(super) fn count(&self, operation: &str) -> usize {
        let log = self.log.lock();
        log.requests
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }

    pub(super) fn connections(&self) -> usize {
        self.log.lock().connections
    }
}

/// What KMS answers to a Sign request: key and algorithm as asked.
pub(super) fn signature(request: &Value) -> Value {
    json!({
        "KeyId": request["KeyId"],
        "SigningAlgorithm": request["SigningAlgorithm"],
        // 70 bytes.
        "Signature": "A".repeat(92) + "AA==",
    })
}

fn serve(stream: &TcpStream, answer: &Answer, log: &Mutex<Log>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let before = {
            let mut log = log.lock();
            log.requests.push(request.clone());
            log.requests.len() - 1
        };
        let reply = answer(&request, before);
        let last = matches!(reply, Reply::Last(..));
        match reply {
            Reply::Close => return Ok(()),
            Reply::Hang => {
                thread::sleep(Duration::from_mins(1));
                return Ok(());
            }
            Reply::Json(status, body) | Reply::Last(status, body) => {
                write(stream, before, status, "x-amz-json-1.1", &body.to_string())?;
            }
            Reply::Xml(status, body) => write(stream, before, status, "xml", &body)?,
        }
        if last {
            return Ok(());
        }
    }
    Ok(())
}

fn write(
    mut stream: &TcpStream,
    before: usize,
    status: u16,
    form: &str,
    body: &str,
) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Test\r\nContent-Type: application/{form}\r\n\
         x-amzn-RequestId: request-{before}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let (mut operation, mut user_agent, mut length) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value
                .trim_start_matches("TrentService.")
                .clone_into(&mut operation),
            "user-agent" => value.clone_into(&mut user_agent),
            "content-length" => length = value.parse().map_err(io::Error::other)?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if let Some(form) = body.strip_prefix(b"Action=") {
        // To the token service, whose parameters are of no interest here.
        let end = form.iter().position(|&byte| byte == b'&');
        operation = String::from_utf8_lossy(&form[..end.unwrap_or(form.len())]).into_owned();
        body = b"null".to_vec();
    }
    Ok(Some(Request {
        operation,
        user_agent,
        body: serde_json::from_slice(&body)?,
    }))
}
