//! The modules that are compared: set up, run in child processes, their transcripts collected.

mod tokens;

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use std::{env, thread};

use kms_emulator::{Emulator, Options};
use tempfile::{NamedTempFile, TempDir};

use crate::child::Line;
use crate::compare::Pair;
use crate::cross::{Evidence, Finding};
use crate::reference::Reference;
use crate::scenarios::Scenario;
use crate::transcript::{Step, Transcript};

/// How long one scenario, or one call of a walk, may take, on a machine that is busy with other things.
pub(crate) const ANSWER_BOUND: Duration = Duration::from_mins(1);

/// kms-pkcs11 with an emulated KMS, and the references with a token each.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) module: Subject,
    pub(crate) softhsm: Subject,
    kryoptic: Subject,
    // What the modules run on: as long as they are used.
    _tokens: [TempDir; 2],
    _emulator: Emulator,
}

/// Where the modules are.
#[derive(Debug)]
pub(crate) struct Libraries {
    pub(crate) module: PathBuf,
    pub(crate) softhsm: PathBuf,
    pub(crate) kryoptic: PathBuf,
}

impl Subjects {
    /// Sets the modules up.
    pub(crate) fn new(libraries: Libraries) -> io::Result<Self> {
        let emulator = Emulator::start(Options::default()).map_err(io::Error::other)?;
        let module = Subject {
            name: "kms-pkcs11".to_owned(),
            module: libraries.module,
            environment: kms_environment(&emulator),
            may_crash: false,
        };
        let (softhsm_token, softhsm) = tokens::softhsm()?;
        let (kryoptic_token, kryoptic) = tokens::kryoptic(&libraries.kryoptic)?;
        let reference = |which: Reference, module, environment| Subject {
            name: which.to_string(),
            module,
            environment: vec![environment],
            may_crash: true,
        };
        Ok(Self {
            module,
            softhsm: reference(Reference::SoftHsm, libraries.softhsm, softhsm),
            kryoptic: reference(Reference::Kryoptic, libraries.kryoptic, kryoptic),
            _tokens: [softhsm_token, kryoptic_token],
            _emulator: emulator,
        })
    }

    pub(crate) fn of(&self, reference: Reference) -> &Subject {
        match reference {
            Reference::SoftHsm => &self.softhsm,
            Reference::Kryoptic => &self.kryoptic,
        }
    }

    /// Runs scenarios on kms-pkcs11 and each on its reference, all at the same time.
    pub(crate) fn pairs(&self, scenarios: &[&Scenario]) -> io::Result<Vec<Pair>> {
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
        thread::scope(|scope| {
            let theirs = Reference::ALL.map(|reference| {
                let names = scenarios.iter().filter(|it| it.reference == reference);
                let names: Vec<&str> = names.map(|scenario| scenario.name).collect();
                scope.spawn(move || self.of(reference).transcripts(&names))
            });
            let ours = self.module.transcripts(&names)?;
            let mut theirs_by_name = HashMap::new();
            for thread in theirs {
                let panicked = |_| io::Error::other("a thread panicked");
                let transcripts = thread.join().map_err(panicked)??;
                let by_name = transcripts.into_iter().map(|it| (it.scenario.clone(), it));
                theirs_by_name.extend(by_name);
            }
            let pairs = scenarios.iter().zip(ours).map(|(scenario, ours)| Pair {
                reference: scenario.reference,
                theirs: theirs_by_name.remove(scenario.name).unwrap_or_default(),
                ours,
            });
            Ok(pairs.collect())
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

/// A module and the environment that sets it up.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
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

    /// Has signatures verified in one child process: one finding for each, in the same order.
    pub(crate) fn verify(&self, evidence: &[&Evidence]) -> io::Result<Vec<Finding>> {
        let mut file = NamedTempFile::new()?;
        serde_json::to_writer(&mut file, evidence)?;
        file.flush()?;
        let mut command = self.command("verify")?;
        command.arg("--evidence").arg(file.path());
        let (mut child, lines) = Running::start(command)?;
        let finding = |_: &&Evidence| match lines.recv_timeout(ANSWER_BOUND) {
            Ok(line) => Ok(serde_json::from_str(&line)?),
            Err(error) => Err(io::Error::other(child.end(error)?)),
        };
        evidence.iter().map(finding).collect()
    }

    /// Runs scenarios in one child process, as far as it comes.
    fn run(&self, names: &[&str], transcripts: &mut Vec<Transcript>) -> io::Result<()> {
        let mut command = self.command("run")?;
        for name in names {
            command.arg("--only").arg(name);
        }
        let (mut child, lines) = Running::start(command)?;
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
            ..Transcript::default()
        }
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
    /// Starts a child; answers the lines of its standard output too.
    fn start(mut command: Command) -> io::Result<(Self, Receiver<String>)> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = Self(command.spawn()?);
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
        Ok((child, lines))
    }

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
