//! Programs we did not write, asked to verify what ours made.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;

use crate::venv_python;

/// A program that ended, with everything it printed.
#[derive(Clone)]
pub struct Finished {
    command: String,
    pub output: Output,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.output.status.success()
    }

    /// This, when the program succeeded; a panic with all it printed otherwise.
    #[must_use]
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.success(), "{self:?}");
        self
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n{}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.output.status,
            self.stdout(),
            self.stderr()
        )
    }
}

/// Runs a program to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    run_with_input(command, &[])
}

/// Runs a program to its end with this as its standard input.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}; try `make setup`"));
    let stdin = child.stdin.take();
    // Written beside the reading: a program may print before it has read all of its input.
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            // A program that does not want its input closes the pipe.
            stdin.map(|mut stdin| stdin.write_all(input))
        });
        child.wait_with_output()
    })
    .unwrap_or_else(|error| panic!("{command:?} cannot be waited for: {error}"));
    Finished {
        command: format!("{command:?}"),
        output,
    }
}

/// Runs `openssl` with these arguments and this standard input.
#[track_caller]
pub fn openssl<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Output {
    run_with_input(Command::new("openssl").args(args), input).output
}

/// Runs `openssl`, which has to succeed; answers its standard output.
#[track_caller]
pub fn openssl_ok<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>, input: &[u8]) -> Vec<u8> {
    run_with_input(Command::new("openssl").args(args), input)
        .ok()
        .output
        .stdout
}

/// Runs a Python script in the environment of `tests/requirements.txt`, so with `cryptography` and
/// `boto3` at hand. The script sees `args` as `sys.argv[1:]`.
#[track_caller]
pub fn python<A: AsRef<OsStr>>(script: &str, args: impl IntoIterator<Item = A>) -> Finished {
    run(Command::new(venv_python()).arg("-c").arg(script).args(args))
}
