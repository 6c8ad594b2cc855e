//! Where lines go.

use std::borrow::Cow;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::outage::Outage;
use super::stderr;
use crate::abi::without_sigpipe;
use crate::config::LogTarget;

/// How long a line waits for a reader that is behind: only the first one does, while it stays behind.
pub(super) const PATIENCE: Duration = Duration::from_millis(20);

/// Of files that are made here: lines name keys, callers and addresses, which are not for everybody.
const MODE: u32 = 0o640;

/// A writer of lines that holds nothing between two of them: no lock that a fork could leave
/// locked, no descriptor that the host could close and reuse. A file that was rotated and a daemon
/// that was restarted are found anew.
pub(super) struct Target {
    place: Place,
    outage: Outage,
}

enum Place {
    Stderr,
    File(PathBuf),
    /// The daemon's datagram socket.
    Syslog(PathBuf),
}

impl Target {
    pub(super) fn of(target: &LogTarget, syslog_socket: &Path) -> Self {
        Self {
            place: match target {
                LogTarget::Stderr => Place::Stderr,
                LogTarget::File(path) => Place::File(path.clone()),
                LogTarget::Syslog => Place::Syslog(syslog_socket.to_owned()),
            },
            outage: Outage::none(),
        }
    }

    /// True of a target that adds time and severity to each line.
    pub(super) fn notes_time(&self) -> bool {
        matches!(self.place, Place::Syslog(_))
    }

    /// Writes a line; what cannot be written goes to standard error, where it is better than
    /// nowhere.
    fn write(&self, level: Level, line: &[u8]) {
        let result = match &self.place {
            Place::Stderr => return stderr::write(line),
            Place::File(path) => append(path, line),
            Place::Syslog(socket) => send(socket, level, line, !self.outage.lasts()),
        };
        self.outage
            .note(&result, &self.place, "its lines follow here");
        if result.is_err() {
            stderr::write(line);
        }
    }
}

impl<'a> MakeWriter<'a> for Target {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self, Level::INFO)
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Line(self, *event.level())
    }
}

/// The writer of one event, which is written at once.
pub(super) struct Line<'a>(&'a Target, Level);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Self(target, level) = self;
        target.write(*level, &one_line(bytes));
        // Whatever became of it: a line that is lost must not become the failure of a call.
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event in a line of its own: nothing that KMS or a proxy says can look like another one.
fn one_line(bytes: &[u8]) -> Cow<'_, [u8]> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if str::from_utf8(text).is_ok_and(|text| !text.contains(char::is_control)) {
        return Cow::Borrowed(bytes);
    }
    let mut line = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(text).chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii_control() => {
                line.extend(byte.escape_ascii().map(char::from));
            }
            // C1: in a string of JSON, too, which has its own way with those of ASCII.
            Ok(byte) if character.is_control() => line.extend(format!("\\u00{byte:02x}").chars()),
            _ => line.push(character),
        }
    }
    line.push('\n');
    Cow::Owned(line.into_bytes())
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(MODE)
        // A FIFO without a reader would be waited for.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    // At once, so that lines of several processes do not mix.
    let written = retried(|| without_sigpipe(|| file.write(line)))?;
    if written < line.len() {
        return Err(io::Error::new(
            io::ErrorKind::WriteZero,
            "there was room for a part of a line only",
        ));
    }
    Ok(())
}

/// A datagram as the daemons take it from local programs: severity, name and process of RFC 3164,
/// without its time, which they add.
fn send(socket: &Path, level: Level, line: &[u8], is_patient: bool) -> io::Result<()> {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let head = format!("<{}>kms-pkcs11[{}]: ", priority(level), process::id());
    let sender = UnixDatagram::unbound()?;
    if is_patient {
        sender.set_write_timeout(Some(PATIENCE))?;
    } else {
        sender.set_nonblocking(true)?;
    }
    let datagram = [head.as_bytes(), text].concat();
    retried(|| sender.send_to(&datagram, socket))?;
    Ok(())
}

/// Does it again when a signal of the host's came in between, for [`PATIENCE`] at most.
fn retried<T>(mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begun = Instant::now();
    loop {
        match write() {
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted && begun.elapsed() < PATIENCE => {}
            written => return written,
        }
    }
}

/// The facility `user` and the severity, by RFC 3164 4.1.1.
fn priority(level: Level) -> u8 {
    const USER: u8 = 1;
    let severity = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    USER * 8 + severity
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stderr => f.write_str("standard error"),
            Self::File(path) => write!(f, "log file {}", path.display()),
            Self::Syslog(socket) => write!(f, "log socket {}", socket.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_an_event_cannot_end_its_line() {
        let line = |text: &str| String::from_utf8(one_line(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(line("a \u{e9}\n"), "a \u{e9}\n");
        assert_eq!(line("a\nb\r\u{1b}[0m\0\n"), "a\\nb\\r\\x1b[0m\\x00\n");
        // The line's end and the beginning of a terminal's command, in one character each.
        let c1 = line("{\"a\": \"\u{e9}\u{85}\u{9b}0m\"}\n");
        assert_eq!(c1, "{\"a\": \"\u{e9}\\u0085\\u009b0m\"}\n");
        let json: serde_json::Value = serde_json::from_str(&c1).unwrap();
        assert_eq!(json["a"], "\u{e9}\u{85}\u{9b}0m");
    }

    #[test]
    fn severities_are_those_of_syslog_for_user_programs() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG];
        assert_eq!(levels.map(priority), [11, 12, 14, 15]);
        assert_eq!(priority(Level::TRACE), 15);
    }
}
