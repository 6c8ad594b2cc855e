//! A server that lives no longer than the test that wanted it.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Generous, because a busy machine starts a Python program slowly; nothing waits this long otherwise.
const START_LIMIT: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A child process, killed by its id and reaped when this is dropped.
pub struct Server {
    child: Child,
    output: Arc<Mutex<String>>,
}

/// How a server says that it can be asked.
pub enum Ready<'a> {
    /// It prints a line with this in it, to standard output or standard error.
    Line(&'a str),
    /// This answers true.
    Check(&'a dyn Fn() -> bool),
}

impl Server {
    /// Starts the server and waits until it is ready; answers it and the line it was waited for.
    ///
    /// The server's standard input is a pipe that closes when this process ends, however it ends.
    ///
    /// # Errors
    ///
    /// What the server printed, when it ended instead or is not ready within a minute.
    pub fn start(command: &mut Command, ready: &Ready<'_>) -> Result<(Self, String), String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{command:?} does not start: {error}"))?;
        let output = Arc::default();
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, &output, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, &output, sender);
        }
        let mut server = Self { child, output };
        let line = server
            .wait(&lines, ready)
            .map_err(|why| format!("{command:?} {why}:\n{}", server.output()))?;
        Ok((server, line))
    }

    fn wait(
        &mut self,
        lines: &mpsc::Receiver<String>,
        ready: &Ready<'_>,
    ) -> Result<String, String> {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT {
            match ready {
                Ready::Line(marker) => {
                    if let Ok(line) = lines.recv_timeout(POLL_INTERVAL)
                        && line.contains(marker)
                    {
                        return Ok(line);
                    }
                }
                Ready::Check(check) => {
                    if check() {
                        return Ok(String::new());
                    }
                    thread::sleep(POLL_INTERVAL);
                }
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("ended with {status}"));
            }
        }
        Err(format!("is not ready after {START_LIMIT:?}"))
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn output(&self) -> String {
        lock(&self.output).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only for a child that has ended and been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(marker) => f.debug_tuple("Line").field(marker).finish(),
            Self::Check(_) => f.write_str("Check"),
        }
    }
}

/// A port of 127.0.0.1 that nobody listens on now. Another process may take it before its user does.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port on loopback: {error}"))
        .port()
}

/// Reads a stream to its end, so that the server never waits for a reader.
fn collect(
    stream: impl std::io::Read + Send + 'static,
    output: &Arc<Mutex<String>>,
    lines: mpsc::Sender<String>,
) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = lock(&output);
            output.push_str(&line);
            output.push('\n');
            drop(output);
            // Nobody listens any more once the server is ready.
            let _ = lines.send(line);
        }
    });
}

fn lock(output: &Mutex<String>) -> MutexGuard<'_, String> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}
