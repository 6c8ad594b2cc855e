//! HTTP, as much of it as a test needs to ask a server on loopback how it is.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any control request takes, shorter than a test's patience.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The status and body that `GET path` answers. `endpoint` is `http://127.0.0.1:PORT`.
pub fn get(endpoint: &str, path: &str) -> io::Result<(u16, String)> {
    request(endpoint, "GET", path)
}

/// The status and body that `DELETE path` answers.
pub fn delete(endpoint: &str, path: &str) -> io::Result<(u16, String)> {
    request(endpoint, "DELETE", path)
}

fn request(endpoint: &str, method: &str, path: &str) -> io::Result<(u16, String)> {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, answer.clone()))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
