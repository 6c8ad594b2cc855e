//! Standard error, which is the host's: a pipe that nobody reads must neither hold up a call nor end
//! the process with SIGPIPE.

use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stderr;

use super::target::PATIENCE;

/// What a pipe that polls as writable has room for, at the least.
const ROOM: usize = 4096;

/// The last bytes could not be written, so the next ones do not wait.
static IS_BEHIND: AtomicBool = AtomicBool::new(false);

/// Writes bytes, or loses them: there is nobody left to tell.
pub(super) fn write(bytes: &[u8]) {
    let is_behind = IS_BEHIND.load(Ordering::Relaxed);
    let patience = if is_behind { Duration::ZERO } else { PATIENCE };
    let written = bytes.chunks(ROOM).try_for_each(|part| {
        await_room(patience)?;
        rustix::io::write(stderr(), part)?;
        Ok::<_, io::Error>(())
    });
    IS_BEHIND.store(written.is_err(), Ordering::Relaxed);
}

fn await_room(patience: Duration) -> io::Result<()> {
    let stderr = stderr();
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    poll(&mut polled, Some(&patience))?;
    let events = polled[0].revents();
    if events.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
        Err(ErrorKind::BrokenPipe.into())
    } else if events.contains(PollFlags::OUT) {
        Ok(())
    } else {
        Err(ErrorKind::WouldBlock.into())
    }
}
