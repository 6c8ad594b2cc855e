//! The `kms-emulator` command.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use kms_emulator::{Emulator, Options};
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
AWS KMS on loopback, with real cryptography and programmable faults.

Usage: kms-emulator [OPTIONS]

Options:
      --listen ADDRESS:PORT  Loopback address to listen on [default: 127.0.0.1:0, any free port]
      --region REGION        [default: us-east-1]
      --account ACCOUNT      Twelve digits [default: 111122223333]
      --state FILE           Keep keys and aliases in FILE across restarts
      --latency-ms N         Wait N milliseconds before every request is processed [default: 0]
      --peer REGION=URL      Where the emulator of another region is; once for each
      --exit-with-stdin      Stop when standard input ends
  -h, --help                 Print this help
  -V, --version              Print the version

The first line on standard output is `listening on http://ADDRESS:PORT`.
SIGTERM and SIGINT stop it.
";

fn main() -> ExitCode {
    match command() {
        Ok(Command::Print(text)) => report(io::stdout().write_all(text.as_bytes())),
        Ok(Command::Serve {
            options,
            exit_with_stdin,
        }) => serve(options, exit_with_stdin),
        Err(error) => fail(&format!("{error}\nTry 'kms-emulator --help'.")),
    }
}

enum Command {
    Print(String),
    Serve {
        options: Options,
        exit_with_stdin: bool,
    },
}

fn command() -> Result<Command, lexopt::Error> {
    use lexopt::prelude::*;

    let mut options = Options::default();
    let mut exit_with_stdin = false;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("listen") => options.listen = arguments.value()?.parse()?,
            Long("region") => options.region = arguments.value()?.string()?,
            Long("account") => options.account = arguments.value()?.string()?,
            Long("state") => options.state = Some(OsString::into(arguments.value()?)),
            Long("latency-ms") => {
                options.latency = Duration::from_millis(arguments.value()?.parse()?);
            }
            Long("peer") => options.peers.push(peer(&arguments.value()?.string()?)?),
            Long("exit-with-stdin") => exit_with_stdin = true,
            Short('h') | Long("help") => return Ok(Command::Print(HELP.to_owned())),
            Short('V') | Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Command::Print(format!("kms-emulator {version}\n")));
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Serve {
        options,
        exit_with_stdin,
    })
}

/// Splits `REGION=URL`.
fn peer(text: &str) -> Result<(String, String), lexopt::Error> {
    let parts = text
        .split_once('=')
        .filter(|(region, _)| !region.is_empty());
    let (region, url) = parts.ok_or("--peer takes REGION=URL")?;
    Ok((region.to_owned(), url.to_owned()))
}

fn serve(options: Options, exit_with_stdin: bool) -> ExitCode {
    let emulator = match Emulator::start(options) {
        Ok(emulator) => emulator,
        Err(error) => return fail(&error.to_string()),
    };
    // A parent that is gone before it read the line has no use for the emulator either.
    let line = format!("listening on {}\n", emulator.endpoint());
    let mut stdout = io::stdout();
    if let Err(error) = stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush())
    {
        return report(Err(error));
    }
    report(wait_for_the_end(exit_with_stdin))
}

/// Returns at SIGTERM, at SIGINT and, when asked, at the end of standard input.
fn wait_for_the_end(exit_with_stdin: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = end_of_stdin(), if exit_with_stdin => {}
        }
        io::Result::Ok(())
    })?;
    // The thread that reads standard input cannot be stopped: it ends with the process.
    runtime.shutdown_background();
    Ok(())
}

async fn end_of_stdin() {
    let read_on = || while matches!(io::stdin().read(&mut [0; 512]), Ok(1..)) {};
    // It cannot panic; if it did, the end would have come as well.
    let _ = tokio::task::spawn_blocking(read_on).await;
}

fn report(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    // Nothing is left to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "kms-emulator: {message}");
    ExitCode::FAILURE
}
