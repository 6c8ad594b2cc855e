//! As much of HTTP as loopback needs: a server that answers from a list, and a client.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// What is sent for one request: the status, and the body. `None` for a connection that is closed instead.
pub(super) type Reply = Option<(u16, Vec<u8>)>;

/// A server of prepared replies; its threads end with the process.
pub(super) struct Server {
    address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
}

impl Server {
    pub(super) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let replies = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&replies);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let replies = Arc::clone(&shared);
                // A connection that breaks is the client's to notice.
                thread::spawn(move || serve(&stream, &replies).ok());
            }
        });
        Ok(Self { address, replies })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What is answered from now on, one after the other; after the last, access is denied.
    pub(super) fn prepare(&self, replies: Vec<Reply>) {
        *self.replies.lock() = replies.into();
    }
}

fn serve(stream: &TcpStream, replies: &Mutex<VecDeque<Reply>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while read_message(&mut reader)?.is_some() {
        let next = replies.lock().pop_front();
        let denied = br#"{"__type":"AccessDeniedException"}"#;
        let reply = next.unwrap_or_else(|| Some((400, denied.to_vec())));
        let Some((status, body)) = reply else {
            break;
        };
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        (&mut &*stream).write_all(&[head.as_bytes(), &body].concat())?;
    }
    Ok(())
}

/// A connection that is kept.
pub(super) struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    /// Of a server at `http://127.0.0.1:PORT`.
    pub(super) fn of(endpoint: &str) -> Self {
        Self {
            address: endpoint.trim_start_matches("http://").to_owned(),
            stream: None,
        }
    }

    /// The status and the body of the answer to a POST with these headers.
    pub(super) fn post(&mut self, headers: &str, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
        let mut reader = match self.stream.take() {
            Some(reader) => reader,
            None => BufReader::new(TcpStream::connect(&self.address)?),
        };
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        reader.get_ref().set_nodelay(true)?;
        reader
            .get_mut()
            .write_all(&[head.as_bytes(), body].concat())?;
        let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (first, body) = read_message(&mut reader)?.ok_or_else(ended)?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        self.stream = Some(reader);
        Ok((status.ok_or_else(ended)?, body))
    }
}

/// The first line and the body of a message with a Content-Length; `None` where the connection ended before.
fn read_message(reader: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut len = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            len = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body)?;
    Ok(Some((first, body)))
}
