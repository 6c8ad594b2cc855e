//! Running a program for its output, in a host that may do with its children what it likes.
//!
//! The host hears SIGCHLD as it would of any child, but nothing is done about its handler, mask or standard streams.
//! Whether the program has ended is looked at now and then, by its process id alone: there is no other way that takes
//! no signal, and works on every kernel. The host may take that away, by ignoring SIGCHLD or by waiting for all
//! children; then the output is all that is known.

use std::ffi::CString;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::{
    Gid, Pid, Signal, Uid, WaitOptions, WaitStatus, getegid, geteuid, getgid, getuid,
    kill_process_group, waitpid,
};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use crate::abi::spawn_shell;
use crate::fork;
use crate::kms::KmsErrorKind;
use crate::kms::aws::failure::is_exhaustion;

/// Bytes of standard output. Session tokens have some thousand.
const MOST: usize = 64 << 10;
/// Bytes that are kept of standard error; what follows is read and dropped.
const MOST_SAID: usize = 1 << 10;
/// Reads of a pipe before somebody else has a turn: it may write faster than this reads.
const AT_A_TIME: u32 = 64;
/// Between two looks at the program: the first, and, doubling, the longest.
const PAUSE: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
/// How long a program that was killed is waited for. It takes a millisecond, unless the kernel holds it.
const REAPING: Duration = Duration::from_millis(500);
/// Standard streams have the numbers below.
const FIRST_OTHER: i32 = 3;
/// What is longer and looks like base64 is not repeated.
const LONGEST_WORD: usize = 32;

/// What a program that ended well wrote.
pub(super) struct Output {
    pub(super) answer: Zeroizing<Vec<u8>>,
    /// On standard error, fit for the log.
    pub(super) said: Said,
}

/// A program's last words, behind a colon, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said(String);

#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("is not run: this program has more rights than whoever started it")]
    Privileged,
    #[error("cannot be run: there is a zero byte in it")]
    ZeroByte,
    #[error("cannot be started (sh -c): {0}")]
    NotStarted(io::Error),
    #[error(
        "did not end within {:.1} s and was killed; a longer attempt_timeout gives it more time{said}",
        limit.as_secs_f64()
    )]
    TimedOut { limit: Duration, said: Said },
    #[error("answered more than {MOST} bytes and was killed")]
    TooMuch,
    #[error("failed: it ended with {how}{said}")]
    Ended { how: String, said: Said },
    #[error("failed: its answer {what}{said}")]
    Answer { what: String, said: Said },
}

impl Failure {
    pub(super) fn kind(&self) -> KmsErrorKind {
        match self {
            Self::NotStarted(error)
                if is_exhaustion(error) || error.kind() == ErrorKind::WouldBlock =>
            {
                KmsErrorKind::Exhausted
            }
            Self::TimedOut { .. } => KmsErrorKind::Timeout,
            _ => KmsErrorKind::Credentials,
        }
    }
}

/// Runs `sh -c COMMAND`, as the SDK would, for `limit` at most. When this is dropped before it has an output, the
/// program is killed, with all that it has started.
pub(super) async fn run(command: &str, limit: Duration) -> Result<Output, Failure> {
    let (user, group) = ((getuid(), geteuid()), (getgid(), getegid()));
    if is_lent(user, group) {
        return Err(Failure::Privileged);
    }
    let command = CString::new(command).map_err(|_| Failure::ZeroByte)?;
    let mut program = Program::start(&command).map_err(Failure::NotStarted)?;
    let Ok(end) = timeout(limit, program.end()).await else {
        let said = program.said.words();
        return Err(Failure::TimedOut { limit, said });
    };
    let end = end?;
    let said = program.said.words();
    match end.failure() {
        Some(how) => Err(Failure::Ended { how, said }),
        None => Ok(Output {
            answer: program.answer.bytes,
            said,
        }),
    }
}

/// Whether this process has the rights of another user than the one who started it, and who is not root. The
/// environment is theirs, and with it the profile that names the program.
fn is_lent(user: (Uid, Uid), group: (Gid, Gid)) -> bool {
    !user.0.is_root() && (user.0 != user.1 || group.0 != group.1)
}

struct Program {
    child: Child,
    answer: Stream,
    said: Stream,
}

impl Program {
    /// A fork of the host's waits until this is done, or its child would hold the ends of the pipes that are the
    /// program's.
    fn start(command: &CString) -> io::Result<Self> {
        let nothing = OpenOptions::new().read(true).open("/dev/null")?;
        let nothing = fcntl_dupfd_cloexec(nothing, FIRST_OTHER)?;
        let (answer, its_output) = stream(MOST)?;
        let (said, its_error) = stream(MOST_SAID)?;
        let streams = [nothing.as_fd(), its_output.as_fd(), its_error.as_fd()];
        let pid = spawn_shell(command, streams)?;
        Ok(Self {
            child: Child::of(pid)?,
            answer,
            said,
        })
    }

    /// Reads what it writes until it ends. What it has left running may write on, and is not waited for.
    async fn end(&mut self) -> Result<End, Failure> {
        let mut pause = PAUSE[0];
        loop {
            // First, so that all it wrote is there to be read when it has ended.
            let end = self.child.end();
            self.said.read();
            self.answer.read();
            if self.answer.is_more {
                return Err(Failure::TooMuch);
            }
            if let Some(end) = end {
                return Ok(end);
            }
            sleep(pause).await;
            pause = (2 * pause).min(PAUSE[1]);
        }
    }
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Code(i32),
    Signal(i32),
    /// The host has taken that away.
    Unknown,
}

impl End {
    fn of(status: WaitStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }

    fn failure(self) -> Option<String> {
        match self {
            Self::Code(0) | Self::Unknown => None,
            Self::Code(code) => Some(format!("exit code {code}")),
            Self::Signal(signal) => Some(format!("signal {signal}")),
        }
    }
}

/// A child of the host's that is ours to wait for; killed when it is dropped before its end.
struct Child {
    pid: Pid,
    end: Option<End>,
}

impl Child {
    fn of(pid: i32) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or(ErrorKind::InvalidData)?;
        Ok(Self { pid, end: None })
    }

    /// Its end, if it has come.
    fn end(&mut self) -> Option<End> {
        if self.end.is_none() {
            self.end = match waitpid(Some(self.pid), WaitOptions::NOHANG) {
                Ok(Some((_, status))) => Some(End::of(status)),
                Ok(None) | Err(Errno::INTR) => None,
                Err(_) => Some(End::Unknown),
            };
        }
        self.end
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.end().is_some() {
            return;
        }
        // It has not been waited for, so its number is still its own.
        kill_process_group(self.pid, Signal::KILL).ok();
        let begun = Instant::now();
        while self.end().is_none() && begun.elapsed() < REAPING {
            fork::waiting(|| thread::sleep(PAUSE[0]));
        }
    }
}

/// What a program writes.
struct Stream {
    pipe: PipeReader,
    /// As much as is kept. It never grows, so no copy is left behind.
    bytes: Zeroizing<Vec<u8>>,
    /// There was more.
    is_more: bool,
}

/// A pipe: our end, and the program's.
fn stream(most: usize) -> io::Result<(Stream, OwnedFd)> {
    let (pipe, writer): (_, PipeWriter) = io::pipe()?;
    ioctl_fionbio(&pipe, true)?;
    // A host without standard streams has their numbers to give.
    let writer = fcntl_dupfd_cloexec(writer, FIRST_OTHER)?;
    let stream = Stream {
        pipe,
        bytes: Zeroizing::new(Vec::with_capacity(most)),
        is_more: false,
    };
    Ok((stream, writer))
}

impl Stream {
    /// Takes what is there.
    fn read(&mut self) {
        let mut chunk = Zeroizing::new([0; 4096]);
        for _ in 0..AT_A_TIME {
            match self.pipe.read(&mut *chunk) {
                Ok(0) => return,
                Ok(count) => {
                    let room = self.bytes.capacity() - self.bytes.len();
                    self.is_more |= count > room;
                    self.bytes.extend_from_slice(&chunk[..count.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// The last line that says something, without what may be a secret.
    fn words(&self) -> Said {
        let text = String::from_utf8_lossy(&self.bytes);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        Said(last.map(without_secrets).unwrap_or_default())
    }
}

/// Programs are told not to write secrets to standard error, and some do so all the same, with `set -x` for one.
fn without_secrets(line: &str) -> String {
    let is_of_word =
        |character: char| character.is_ascii_alphanumeric() || "+/=_-".contains(character);
    let mut told = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest
            .find(|character| !is_of_word(character))
            .unwrap_or(rest.len());
        let (word, others) = rest.split_at(end);
        // Paths are long, too.
        told.push_str(if word.len() < LONGEST_WORD || word.starts_with('/') {
            word
        } else {
            "[…]"
        });
        let next = others.find(is_of_word).unwrap_or(others.len());
        told.push_str(&others[..next]);
        rest = &others[next..];
    }
    told
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            "" => Ok(()),
            words => write!(f, ": {words}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn running(command: &str, limit: Duration) -> Result<(Vec<u8>, String), String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let output = runtime.unwrap().block_on(run(command, limit));
        output
            .map(|output| (output.answer.to_vec(), output.said.to_string()))
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn what_a_program_writes_is_its_answer_and_how_it_fails_is_said() {
        let answer = running("printf 'the answer'; echo a remark >&2", LIMIT).unwrap();
        assert_eq!(answer, (b"the answer".to_vec(), ": a remark".to_owned()));
        for (command, failure) in [
            (
                "echo one >&2; echo two >&2; exit 3",
                "failed: it ended with exit code 3: two",
            ),
            ("kill -9 $$", "failed: it ended with signal 9"),
            ("no-such-program", "failed: it ended with exit code 127: "),
            (
                "head -c 70000 /dev/zero",
                "answered more than 65536 bytes and was killed",
            ),
            ("a\0b", "cannot be run: there is a zero byte in it"),
        ] {
            let said = running(command, LIMIT).unwrap_err();
            assert!(said.starts_with(failure), "{command}: {said}");
        }
        let full = running(
            "head -c 65536 /dev/zero; head -c 1000000 /dev/zero >&2",
            LIMIT,
        );
        assert_eq!(full.unwrap().0, vec![0; 65536]);
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_with_what_it_has_started_and_waited_for() {
        let begun = Instant::now();
        let (pids, mut report) = (tempfile::NamedTempFile::new().unwrap(), String::new());
        let command = format!(
            "sleep 600 & echo $! $$ > '{}'; echo asking >&2; wait",
            pids.path().display()
        );
        let said = running(&command, Duration::from_millis(700)).unwrap_err();
        assert!(
            said.starts_with("did not end within 0.7 s and was killed"),
            "{said}"
        );
        assert!(said.ends_with(": asking"), "{said}");
        pids.as_file().read_to_string(&mut report).unwrap();
        for pid in report.split_whitespace() {
            let is_there = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
            // The one that it started is waited for by whoever adopted it.
            while is_there().is_ok_and(|stat| !stat.contains(") Z ")) {
                assert!(begun.elapsed() < LIMIT, "{pid} lives");
                thread::sleep(PAUSE[1]);
            }
        }
        let own = report.split_whitespace().nth(1).unwrap();
        assert!(!std::path::Path::new(&format!("/proc/{own}")).exists());
    }

    #[test]
    fn what_it_has_left_running_is_not_waited_for() {
        let begun = Instant::now();
        let answer = running("sleep 5 & echo answer", LIMIT).unwrap();
        assert_eq!(answer.0, b"answer\n");
        assert!(begun.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_program_is_not_run_with_rights_that_are_lent() {
        let (user, group) = (Uid::from_raw, Gid::from_raw);
        let (root, nobody) = (user(0), user(65534));
        let (staff, wheel) = (group(50), group(0));
        for (users, groups, expected) in [
            ((nobody, nobody), (staff, staff), false),
            ((nobody, root), (staff, staff), true),
            ((nobody, nobody), (staff, wheel), true),
            // A daemon that acts as one of its users for a while.
            ((root, nobody), (wheel, staff), false),
        ] {
            assert_eq!(is_lent(users, groups), expected);
        }
    }

    #[test]
    fn words_of_a_program_are_told_without_what_may_be_a_secret() {
        for (line, told) in [
            ("the vault is sealed", "the vault is sealed"),
            (
                "/usr/lib/a/very/long/path/of/some/helper: not found",
                "/usr/lib/a/very/long/path/of/some/helper: not found",
            ),
            (
                "+ AWS_SECRET=0123456789abcdefghijABCDEFGHIJ0123456789",
                "+ […]",
            ),
            (
                "token 'IQoJb3JpZ2luX2VjEXAMPLEEXAMPLEEXAMPLE//w='",
                "token '[…]'",
            ),
            ("\u{e9}\u{2026}", "\u{e9}\u{2026}"),
        ] {
            assert_eq!(without_secrets(line), told);
        }
    }
}
