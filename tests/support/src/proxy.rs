//! A forward proxy, as companies put them between their hosts and AWS.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::relay::{Notes, Relay};

/// A proxy for `CONNECT` on a free port of 127.0.0.1. Whatever host it is asked for, it connects to one
/// server: with a certificate of a CA of its own that is what an intercepting proxy does.
#[derive(Debug)]
pub struct ForwardProxy {
    relay: Relay,
    requests: Notes,
}

impl ForwardProxy {
    /// With `user:password` only for clients that say so.
    #[track_caller]
    pub fn start(target: SocketAddr, user_and_password: Option<&str>) -> Self {
        let expected = user_and_password.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        let requests = Notes::default();
        let notes = requests.clone();
        let relay = Relay::start(move |client| {
            let (expected, notes) = (expected.clone(), notes.clone());
            async move { serve(client, target, expected.as_deref(), &notes).await }
        });
        Self { relay, requests }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.relay.address())
    }

    /// The same with user and password, as they are written in `HTTPS_PROXY`.
    pub fn url_with(&self, user_and_password: &str) -> String {
        format!("http://{user_and_password}@{}", self.relay.address())
    }

    /// The requests since the last time this was asked: `HOST:PORT STATUS`.
    pub fn take_requests(&self) -> Vec<String> {
        self.requests.take()
    }
}

/// Serves one connection; the client may go away at any time.
async fn serve(
    mut client: TcpStream,
    target: SocketAddr,
    authorization: Option<&str>,
    notes: &Notes,
) {
    let Some(head) = read_head(&mut client).await else {
        return;
    };
    let (host, status) = judge(&head, authorization);
    notes.add(format!("{host} {status}"));
    let answer = format!("HTTP/1.1 {status} -\r\nProxy-Authenticate: Basic\r\n\r\n");
    let answer = match status {
        200 => "HTTP/1.1 200 -\r\n\r\n",
        _ => &answer,
    };
    if client.write_all(answer.as_bytes()).await.is_err() || status != 200 {
        return;
    }
    if let Ok(mut server) = TcpStream::connect(target).await {
        drop(copy_bidirectional(&mut client, &mut server).await);
    }
}

/// The host that is asked for, and the status of the answer.
fn judge<'h>(head: &'h str, authorization: Option<&str>) -> (&'h str, u16) {
    let mut words = head.split(' ');
    let (Some("CONNECT"), Some(host)) = (words.next(), words.next()) else {
        return ("-", 405);
    };
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    let said = headers
        .find(|(name, _)| name.eq_ignore_ascii_case("Proxy-Authorization"))
        .map(|(_, value)| value);
    let status = match authorization {
        Some(_) if said != authorization => 407,
        _ => 200,
    };
    (host, status)
}

async fn read_head(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
