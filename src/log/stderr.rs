//! Standard error, which is the host's: a pipe that nobody reads must neither hold up a call nor end
//! the process with SIGPIPE, and what is not standard error any more must get no lines.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, sockopt::socket_domain};
use rustix::stdio::stderr;

use super::target::PATIENCE;
use crate::abi::without_sigpipe;

/// What a pipe that polls as writable has room for, at the least.
const ROOM: usize = 4096;

/// The last bytes could not be written, so the next ones do not wait.
static IS_BEHIND: AtomicBool = AtomicBool::new(false);

/// What descriptor 2 was when the module last began: [`NOT_MET`], [`CLOSED`], or [`mark`] of it.
static MET: AtomicU64 = AtomicU64::new(NOT_MET);

const NOT_MET: u64 = 0;
const CLOSED: u64 = 1;

/// Looks at what standard error is, for C_Initialize.
pub(crate) fn meet() {
    let met = fstat(stderr()).map_or(CLOSED, |found| mark(&found));
    MET.store(met, Ordering::Relaxed);
}

/// Writes bytes, or loses them: there is nobody left to tell.
pub(super) fn write(bytes: &[u8]) {
    if !is_for_lines(MET.load(Ordering::Relaxed)) {
        return;
    }
    let is_behind = IS_BEHIND.load(Ordering::Relaxed);
    let patience = if is_behind { Duration::ZERO } else { PATIENCE };
    let written = bytes.chunks(ROOM).try_for_each(|part| {
        await_room(patience)?;
        without_sigpipe(|| Ok(retry_on_intr(|| rustix::io::write(stderr(), part))?))?;
        Ok::<_, io::Error>(())
    });
    IS_BEHIND.store(written.is_err(), Ordering::Relaxed);
}

/// Whether descriptor 2 is standard error. A host may have closed it, and the number may name a connection
/// or a database since then, of the host's or of ours.
fn is_for_lines(met: u64) -> bool {
    let Ok(found) = fstat(stderr()) else {
        return false;
    };
    let is_same = met == mark(&found);
    match FileType::from_raw_mode(found.st_mode) {
        // That of a supervisor, such as systemd's. What inetd connects is for the host's protocol.
        FileType::Socket => {
            (is_same || met == NOT_MET)
                && socket_domain(stderr()).is_ok_and(|family| family == AddressFamily::UNIX)
        }
        _ if is_same || met == NOT_MET => true,
        // Nothing that came there later was meant to be standard error.
        _ if met == CLOSED => false,
        // Led elsewhere: to a terminal, /dev/null, a program that collects lines, a file that is only written.
        FileType::CharacterDevice | FileType::Fifo => true,
        FileType::RegularFile => {
            fcntl_getfl(stderr()).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::WRONLY)
        }
        _ => false,
    }
}

/// Tells a file from others: neither [`NOT_MET`] nor [`CLOSED`].
fn mark(found: &Stat) -> u64 {
    let mut hasher = DefaultHasher::new();
    (found.st_dev, found.st_ino, found.st_rdev).hash(&mut hasher);
    hasher.finish().max(CLOSED + 1)
}

fn await_room(patience: Duration) -> io::Result<()> {
    let stderr = stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    let mut left = Timespec::try_from(patience).map_err(io::Error::other)?;
    let mut until = None;
    // A signal of the host's interrupts it.
    while poll(&mut polled, Some(&left)) == Err(Errno::INTR) {
        let until = *until.get_or_insert_with(|| Instant::now() + patience);
        let rest = until.saturating_duration_since(Instant::now());
        left = Timespec::try_from(rest).map_err(io::Error::other)?;
    }
    let events = polled[0].revents();
    if events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
        Err(ErrorKind::BrokenPipe.into())
    } else if events.contains(PollFlags::OUT) {
        Ok(())
    } else {
        Err(ErrorKind::WouldBlock.into())
    }
}
