//! Starting a program without a trace in the host.
//!
//! `posix_spawn` runs none of the handlers that the host and its libraries have for forks, and gives the program a
//! signal mask of its own: the thread that starts it blocks every signal. The standard library offers the one
//! without the other.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{c_char, c_int, c_short, pid_t};

unsafe extern "C" {
    /// The variables of this process; every C library has them under this name.
    static environ: *const *mut c_char;
}

/// What is done to signals and session before the program runs. A session of its own has no terminal, and all that
/// the program starts in its turn is in one process group with it.
const FLAGS: c_int =
    libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSID as c_int;

/// Runs `sh -c COMMAND` with these as its standard streams, no signal blocked, and those at their default that a
/// program relies on to be; answers its process id, which is that of its session and process group, too.
///
/// The descriptors must be none of the standard streams' numbers, and closed on exec.
pub(crate) fn spawn_shell(command: &CStr, streams: [BorrowedFd<'_>; 3]) -> io::Result<pid_t> {
    let arguments = [
        c"sh".as_ptr().cast_mut(),
        c"-c".as_ptr().cast_mut(),
        command.as_ptr().cast_mut(),
        ptr::null_mut(),
    ];
    let mut attributes = Attributes::new()?;
    attributes.set()?;
    let mut actions = Actions::new()?;
    for (number, stream) in (0..).zip(streams) {
        actions.duplicate(stream.as_raw_fd(), number)?;
    }
    let mut pid = 0;
    // SAFETY: the name, the arguments and their strings are terminated and live until the call returns, which is
    // after the program was started; attributes and actions were initialised. Variables are read while they are
    // handed over: a host that changes them at the same time breaks the rule of `setenv(3)`, as it would with
    // any call of its own that starts a program.
    let error = unsafe {
        libc::posix_spawnp(
            &raw mut pid,
            c"sh".as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            arguments.as_ptr(),
            environ.cast(),
        )
    };
    succeeded(error)?;
    Ok(pid)
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: it initialises what it is given a pointer to, where it succeeds.
        succeeded(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it succeeded.
        Ok(Self(unsafe { attributes.assume_init() }))
    }

    fn set(&mut self) -> io::Result<()> {
        let (none, to_default) = (set_of(&[]), set_of(&[libc::SIGCHLD, libc::SIGPIPE]));
        let flags = c_short::try_from(FLAGS).map_err(io::Error::other)?;
        // SAFETY: the attributes were initialised, and both sets; each call copies what it is given.
        unsafe {
            succeeded(libc::posix_spawnattr_setsigmask(
                &raw mut self.0,
                &raw const none,
            ))?;
            // A program that waits for its own children would get none while SIGCHLD is ignored.
            succeeded(libc::posix_spawnattr_setsigdefault(
                &raw mut self.0,
                &raw const to_default,
            ))?;
            succeeded(libc::posix_spawnattr_setflags(&raw mut self.0, flags))
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: they were initialised, and nobody uses them after this.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Self> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: it initialises what it is given a pointer to, where it succeeds.
        succeeded(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: it succeeded.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn duplicate(&mut self, descriptor: c_int, number: c_int) -> io::Result<()> {
        // SAFETY: the actions were initialised; that the descriptor is open is not needed here.
        succeeded(unsafe {
            libc::posix_spawn_file_actions_adddup2(&raw mut self.0, descriptor, number)
        })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: they were initialised, and nobody uses them after this.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set that it is given, which sigaddset then changes.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// What these functions answer: an error's number, or 0.
fn succeeded(error: c_int) -> io::Result<()> {
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
