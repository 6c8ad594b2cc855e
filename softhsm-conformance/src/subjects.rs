//! The two modules that are compared: set up, run in child processes, their transcripts collected.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use std::{env, fs, io, thread};

use kms_emulator::{Emulator, Options};
use tempfile::TempDir;

use crate::child::Line;
use crate::ctx::PIN;
use crate::transcript::{Step, Transcript};

/// How long one scenario, or one call of a walk, may take, on a machine that is busy with other things.
pub(crate) const ANSWER_BOUND: Duration = Duration::from_mins(1);

/// SoftHSM2 with a token, and kms-pkcs11 with an emulated KMS.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) softhsm: Subject,
    pub(crate) module: Subject,
    // What the modules run on: as long as they are used.
    _token: SoftHsmToken,
    _emulator: Emulator,
}

impl Subjects {
    /// Sets both modules up.
    pub(crate) fn new(softhsm: &Path, module: &Path) -> io::Result<Self> {
        let token = SoftHsmToken::new()?;
        let emulator = Emulator::start(Options::default()).map_err(io::Error::other)?;
        let softhsm = Subject {
            module: softhsm.to_owned(),
            environment: vec![("SOFTHSM2_CONF", token.configuration().into_os_string())],
            may_crash: true,
        };
        let module = Subject {
            module: module.to_owned(),
            environment: kms_environment(&emulator),
            may_crash: false,
        };
        Ok(Self {
            softhsm,
            module,
            _token: token,
            _emulator: emulator,
        })
    }

    /// Runs the scenarios of these names on SoftHSM2 and on kms-pkcs11, both at the same time.
    pub(crate) fn transcripts(
        &self,
        names: &[&str],
    ) -> io::Result<(Vec<Transcript>, Vec<Transcript>)> {
        thread::scope(|scope| {
            let softhsm = scope.spawn(|| self.softhsm.transcripts(names));
            let module = self.module.transcripts(names)?;
            let softhsm = softhsm
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))??;
            Ok((softhsm, module))
        })
    }
}

fn kms_environment(emulator: &Emulator) -> Vec<(&'static str, OsString)> {
    vec![
        ("AWS_ENDPOINT_URL_KMS", emulator.endpoint().into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        // Refusals are what most scenarios are about: as warnings they would bury everything else.
        ("KMS_PKCS11_LOG", "error".into()),
    ]
}

/// An initialised token of SoftHSM2 in a directory of its own.
#[derive(Debug)]
struct SoftHsmToken {
    directory: TempDir,
}

impl SoftHsmToken {
    fn new() -> io::Result<Self> {
        let token = Self {
            directory: TempDir::new()?,
        };
        let tokens = token.directory.path().join("tokens");
        fs::create_dir(&tokens)?;
        fs::write(
            token.configuration(),
            format!(
                "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
                tokens.display()
            ),
        )?;
        let output = Command::new("softhsm2-util")
            .args([
                "--init-token",
                "--free",
                "--label",
                "aws-kms",
                "--so-pin",
                "12345678",
                "--pin",
            ])
            .arg(String::from_utf8_lossy(PIN).as_ref())
            .env("SOFTHSM2_CONF", token.configuration())
            .output()?;
        if output.status.success() {
            Ok(token)
        } else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(io::Error::other(format!("softhsm2-util: {said}")))
        }
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("softhsm2.conf")
    }
}

/// A module and the environment that sets it up.
#[derive(Debug)]
pub(crate) struct Subject {
    module: PathBuf,
    environment: Vec<(&'static str, OsString)>,
    /// Whether a crash is an answer, to be listed among the differences, rather than a failure.
    may_crash: bool,
}

impl Subject {
    /// One transcript per name, in this order. A scenario that ends its process costs only itself: the
    /// rest goes on in a new one.
    fn transcripts(&self, names: &[&str]) -> io::Result<Vec<Transcript>> {
        let mut transcripts = Vec::new();
        while transcripts.len() < names.len() {
            let before = transcripts.len();
            self.run(&names[before..], &mut transcripts)?;
            if transcripts.len() == before {
                return Err(io::Error::other(format!(
                    "{} ran no scenario at all",
                    self.module.display()
                )));
            }
        }
        Ok(transcripts)
    }

    /// Runs scenarios in one child process, as far as it comes.
    fn run(&self, names: &[&str], transcripts: &mut Vec<Transcript>) -> io::Result<()> {
        let mut child = Running(self.spawn(names)?);
        let Some(stdout) = child.0.stdout.take() else {
            return Err(io::Error::other("the child has no standard output"));
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // The receiver goes when it has seen enough.
            BufReader::new(stdout)
                .lines()
                .map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        let mut pending = VecDeque::from(names.to_vec());
        let mut faults = Vec::new();
        let mut begun = false;
        while let Some(name) = pending.front() {
            match lines.recv_timeout(ANSWER_BOUND).map(|line| parse(&line)) {
                Ok(Ok(Line::Begin(_))) => begun = true,
                Ok(Ok(Line::End(mut transcript))) => {
                    transcript.failures.append(&mut faults);
                    transcripts.push(transcript);
                    pending.pop_front();
                    begun = false;
                }
                Ok(Err(line)) => {
                    faults.push(format!("the module wrote to standard output: {line}"));
                }
                Err(error) => {
                    if begun {
                        let end = child.end(error)?;
                        transcripts.push(self.cut_short(name, end, faults));
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// The transcript of a scenario that ended the process or did not end itself.
    fn cut_short(&self, scenario: &str, end: String, mut failures: Vec<String>) -> Transcript {
        if !self.may_crash {
            failures.push(end.clone());
        }
        let step = Step {
            name: "the process".to_owned(),
            rv: end,
            details: Vec::new(),
        };
        Transcript {
            scenario: scenario.to_owned(),
            steps: vec![step],
            failures,
        }
    }

    fn spawn(&self, names: &[&str]) -> io::Result<Child> {
        let mut command = self.command("run")?;
        for name in names {
            command.arg("--only").arg(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    }

    /// This program, with a subcommand for the module.
    pub(crate) fn command(&self, subcommand: &str) -> io::Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.arg(subcommand).arg("--module").arg(&self.module);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_")
                || name.to_string_lossy().starts_with("KMS_PKCS11_")
            {
                command.env_remove(name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

fn parse(line: &str) -> Result<Line, String> {
    serde_json::from_str(line).map_err(|_| line.to_owned())
}

/// A child process that ends with its owner.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// How the child ended, or that it had to be ended.
    pub(crate) fn end(&mut self, error: RecvTimeoutError) -> io::Result<String> {
        match error {
            RecvTimeoutError::Disconnected => Ok(format!(
                "the process of the module ended: {}",
                self.0.wait()?
            )),
            RecvTimeoutError::Timeout => Ok(format!(
                "no answer within {} seconds",
                ANSWER_BOUND.as_secs()
            )),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when the child has ended by itself, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
