//! A request to another emulator's control API, from a thread that may wait.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

/// A region that hangs keeps nobody longer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks, and answers the HTTP status with the JSON beside it.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    resource: &str,
    body: &impl Serialize,
) -> io::Result<(u16, Value)> {
    let body = serde_json::to_vec(body)?;
    let head = format!(
        "{method} /_emulator/{resource} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::other("the peer's answer is none of an emulator"))
}

fn read(answer: &[u8]) -> Option<(u16, Value)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_slice(&answer[end + 4..]).ok()?))
}
