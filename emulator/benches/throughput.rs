//! Requests a second, over keep-alive connections: `cargo bench -p kms-emulator`.
//!
//! Server and load share this machine's processors, so the numbers are a floor of what a client on
//! the same machine can draw from the emulator.

#![expect(
    clippy::expect_used,
    reason = "a measurement that cannot go on has to stop"
)]

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kms_emulator::{Emulator, NewKeys, Options};

const DURATION: Duration = Duration::from_secs(3);
const CONNECTIONS: [usize; 3] = [1, 4, 16];

/// 32 bytes in base64.
const DIGEST: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

fn main() -> io::Result<()> {
    // `cargo test --benches` runs this too, to see that it works.
    let duration = if std::env::args().any(|argument| argument == "--bench") {
        DURATION
    } else {
        Duration::from_millis(50)
    };
    let emulator = Emulator::start(Options::default()).expect("the emulator starts");
    let key = |spec, usage| {
        let keys = emulator
            .create_keys(&NewKeys::new(1, spec, usage))
            .expect("a key is created");
        keys[0].key_id.clone()
    };
    let sign = |spec, algorithm| {
        let id = key(spec, "SIGN_VERIFY");
        format!(
            r#"{{"KeyId":"{id}","MessageType":"DIGEST","Message":"{DIGEST}","SigningAlgorithm":"{algorithm}"}}"#
        )
    };
    let loads = [
        (
            "Sign",
            "ECC_NIST_P256",
            sign("ECC_NIST_P256", "ECDSA_SHA_256"),
        ),
        (
            "Sign",
            "RSA_2048",
            sign("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
        ),
        (
            "GenerateRandom",
            "32 bytes",
            r#"{"NumberOfBytes":32}"#.to_owned(),
        ),
    ];
    let mut out = io::stdout();
    writeln!(
        out,
        "{:<16}{:<16}{:>12}{:>14}",
        "operation", "key", "connections", "requests/s"
    )?;
    for (operation, key, body) in &loads {
        for connections in CONNECTIONS {
            let rate = measure(&emulator.endpoint(), operation, body, connections, duration);
            writeln!(out, "{operation:<16}{key:<16}{connections:>12}{rate:>14.0}")?;
        }
    }
    Ok(())
}

/// Requests a second, each connection asking again as soon as it was answered.
fn measure(
    endpoint: &str,
    operation: &str,
    body: &str,
    connections: usize,
    duration: Duration,
) -> f64 {
    let host = endpoint.trim_start_matches("http://");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, \
         SignedHeaders=host, Signature=0000\r\nX-Amz-Target: TrentService.{operation}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answered = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let stream = TcpStream::connect(host).expect("the emulator accepts connections");
                stream.set_nodelay(true).expect("the socket takes options");
                let mut stream = BufReader::new(stream);
                while !stop.load(Ordering::Relaxed) {
                    let written = stream.get_mut().write_all(request.as_bytes());
                    written
                        .and_then(|()| read_success(&mut stream))
                        .expect("it answers with 200");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
    });
    let answered = u32::try_from(answered.into_inner()).unwrap_or(u32::MAX);
    f64::from(answered) / begin.elapsed().as_secs_f64()
}

fn read_success(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200") {
        return Err(io::Error::other(line));
    }
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim_end().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut stream.take(length), &mut io::sink())?;
    Ok(())
}
