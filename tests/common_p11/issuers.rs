//! Services on loopback that say whose credentials are, or have some, or do not answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// What a service answers to a request, whose head this is: a media type and a body.
type Answer = fn(&str) -> (&'static str, String);

/// One service. Its threads end with the test's process.
pub(crate) struct Issuer {
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    hangs: AtomicBool,
    requests: AtomicU32,
}

impl Issuer {
    /// STS: everybody whose credentials sign a request is a user, of the name that is their access key id.
    pub(crate) fn sts() -> Self {
        Self::start(|head| {
            let id = head.split_once("Credential=").map_or("", |(_, rest)| rest);
            let id = id.split('/').next().unwrap_or_default();
            let body = format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/{id}</Arn><UserId>{id}</UserId>\
                 <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            ("text/xml", body)
        })
    }

    /// The credentials of a container.
    pub(crate) fn container() -> Self {
        Self::start(|_| {
            let body = "{\"AccessKeyId\":\"AKIDCONTAINER\",\"SecretAccessKey\":\"secret\",\"Token\":\"token\",\
                        \"Expiration\":\"2099-01-01T00:00:00Z\"}";
            ("application/json", body.to_owned())
        })
    }

    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_thread);
                // A broken connection is the client's to notice.
                thread::spawn(move || drop(serve(&stream, answer, &shared)));
            }
        });
        Self { endpoint, shared }
    }

    /// Whether requests are accepted and not answered, those under way as well.
    pub(crate) fn hang(&self, hangs: bool) {
        self.shared.hangs.store(hangs, Ordering::SeqCst);
    }

    /// How many it got.
    pub(crate) fn requests(&self) -> u32 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

fn serve(stream: &TcpStream, answer: Answer, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let begin = head.len();
        if reader.read_line(&mut head)? == 0 || head[begin..].trim_end().is_empty() {
            break;
        }
        let line = head[begin..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    shared.requests.fetch_add(1, Ordering::SeqCst);
    while shared.hangs.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(10));
    }
    let (media, body) = answer(&head);
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
