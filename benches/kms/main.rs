//! What the module costs beside direct calls of KMS, on one emulator: `make bench`.
//!
//! Signatures per second and their latency, requests and time from C_Initialize to the first signature, and
//! peak memory; what it takes to find keys among very many, and to verify a signature. docs/performance.md explains the numbers.
//! `cargo bench --bench kms -- --quick` takes a quarter of the time and means less; `-- discovery` and
//! `-- verification` measure the last two of it alone.
//!
//! Every measurement is made by a child process of this program, so that it begins with nothing loaded and
//! has a peak of memory of its own; the emulator is a process too.

#![expect(clippy::print_stdout, reason = "a benchmark is there to print")]

mod cold_start;
mod direct;
mod discovery;
mod emulator;
mod key;
mod load;
mod memory;
mod module;
mod signing;
mod verification;

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kms_pkcs11_testkit::{AccessKey, Token};

use crate::emulator::Emulator;
use crate::key::{KEYS, Key};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    rounds: usize,
    round: Duration,
    cold_starts: usize,
}

const FULL: Effort = Effort {
    rounds: 7,
    round: Duration::from_millis(700),
    cold_starts: 5,
};

const QUICK: Effort = Effort {
    rounds: 3,
    round: Duration::from_millis(300),
    cold_starts: 3,
};

fn main() -> Result<()> {
    // The first is the program itself.
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let effort = if words.contains(&"--quick") {
        QUICK
    } else {
        FULL
    };
    match words[..] {
        ["child", "signing", who, ref arns @ ..] => signing::child(who.parse()?, arns),
        ["child", "memory", who, arn, threads] => {
            memory::child(who.parse()?, arn, threads.parse()?)
        }
        ["child", "cold-start", who, arn] => cold_start::child(who.parse()?, arn),
        ["child", "discovery"] => discovery::child(),
        ["child", "verification"] => verification::child(),
        ["discovery", ..] => discovery::compare(),
        ["verification", ..] => verification::compare(),
        _ => compare(effort),
    }
}

fn compare(effort: Effort) -> Result<()> {
    let started = Instant::now();
    println!(
        "{}\n{} processors, load average {}\n",
        kms_pkcs11_testkit::module().display(),
        thread::available_parallelism()?,
        load_average()?
    );
    let emulator = Emulator::start()?;
    let create = |key: &Key| emulator.create_keys(1, key.spec, &format!("{:02x}", key.id));
    let arns = KEYS
        .iter()
        .map(create)
        .collect::<Result<Vec<_>>>()?
        .concat();
    let arn = arns.first().ok_or("no keys")?;
    signing::compare(&emulator, &arns, effort)?;
    memory::compare(&emulator, arn)?;
    cold_start::compare(effort)?;
    discovery::compare()?;
    verification::compare()?;
    println!(
        "\nMeasured in {:.0} s; load average {}",
        started.elapsed().as_secs_f64(),
        load_average()?
    );
    Ok(())
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// The module, through its C functions.
    Module,
    /// aws-sdk-kms.
    Direct,
}

impl Who {
    const BOTH: [Self; 2] = [Self::Module, Self::Direct];

    fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Direct => "direct",
        }
    }
}

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        Self::BOTH
            .into_iter()
            .find(|who| who.name() == name)
            .ok_or_else(|| format!("nobody is called {name}"))
    }
}

const UNHINDERED: &str = "[[token]]\nlabel = \"bench\"\n\
    verify_signatures = false\nrates = { rsa = 1000000, ecc = 1000000 }\n";

/// A child process of this program, whose surroundings name the emulator and nothing else.
struct Child {
    token: Token,
    command: Command,
}

impl Child {
    /// With more signatures a second than the machine can make: what they cost is measured, not quotas.
    fn new(emulator: &Emulator, args: &[&str]) -> Result<Self> {
        Self::with_config(emulator, args, UNHINDERED)
    }

    fn with_config(emulator: &Emulator, args: &[&str], config: &str) -> Result<Self> {
        let (endpoint, key) = (emulator.endpoint(), AccessKey::test());
        let token = Token::kms_with_config(endpoint, &key, "bench", config);
        let mut command = token.command(env::current_exe()?);
        command
            .arg("child")
            .args(args)
            .env("KMS_PKCS11_MODULE", &token.module)
            .env("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", endpoint);
        Ok(Self { token, command })
    }

    /// Starts it, to be asked one thing after the other.
    fn converse(mut self) -> Result<Conversation> {
        let mut process = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let questions = process.stdin.take().ok_or("no standard input")?;
        let answers = process.stdout.take().ok_or("no standard output")?;
        Ok(Conversation {
            questions: Some(questions),
            answers: BufReader::new(answers).lines(),
            process,
            _token: self.token,
        })
    }

    /// The JSON that it prints.
    fn answer(mut self) -> Result<serde_json::Value> {
        let output = self.command.stderr(Stdio::inherit()).output()?;
        drop(self.token);
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout)?)
        } else {
            Err(format!("a measurement ended with {}", output.status).into())
        }
    }
}

/// A child process that answers every line with JSON, and ends with this value.
struct Conversation {
    questions: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    process: process::Child,
    _token: Token,
}

impl Conversation {
    fn ask(&mut self, question: &str) -> Result<serde_json::Value> {
        let questions = self.questions.as_mut().ok_or("nobody listens")?;
        writeln!(questions, "{question}")?;
        let answer = self.answers.next().ok_or("a measurement ended early")??;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // The end of its standard input is the end of it; how it ended matters to nobody any more.
        self.questions.take();
        let _ = self.process.wait();
    }
}

/// The middle one; of an even number, the upper of the two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of the last minute, five and fifteen: this program's own load included.
fn load_average() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}
