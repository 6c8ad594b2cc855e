//! What the module costs beside direct calls of KMS, on one emulator: `make bench`.
//!
//! Signatures per second and their latency, requests and time from C_Initialize to the first signature, and
//! peak memory. docs/performance.md explains the numbers. `cargo bench --bench kms -- --quick` takes a
//! quarter of the time and means less.
//!
//! Every measurement is made by a child process of this program, so that it begins with nothing loaded and
//! has a peak of memory of its own; the emulator is a process too.

#![expect(clippy::print_stdout, reason = "a benchmark is there to print")]

mod cold_start;
mod direct;
mod emulator;
mod key;
mod load;
mod memory;
mod module;
mod signing;

use std::env;
use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
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
    /// The argument that asks for it.
    flag: &'static str,
}

const FULL: Effort = Effort {
    rounds: 7,
    round: Duration::from_millis(700),
    cold_starts: 5,
    flag: "--full",
};

const QUICK: Effort = Effort {
    rounds: 3,
    round: Duration::from_millis(300),
    cold_starts: 3,
    flag: "--quick",
};

fn main() -> Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let effort = if words.contains(&QUICK.flag) {
        QUICK
    } else {
        FULL
    };
    match words[..] {
        ["child", "signing", _, ref arns @ ..] => signing::child(effort, arns),
        ["child", "memory", who, arn, threads] => {
            memory::child(who.parse()?, arn, threads.parse()?)
        }
        ["child", "cold-start", who, arn] => cold_start::child(who.parse()?, arn),
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

/// A child process of this program, whose surroundings name the emulator and nothing else.
struct Child {
    token: Token,
    command: Command,
}

impl Child {
    fn new(emulator: &Emulator, args: &[&str]) -> Result<Self> {
        let token = Token::kms(emulator.endpoint(), &AccessKey::test());
        let mut command = token.command(env::current_exe()?);
        command
            .arg("child")
            .args(args)
            .env("KMS_PKCS11_MODULE", &token.module);
        Ok(Self { token, command })
    }

    /// Lets it print for itself.
    fn run(mut self) -> Result<()> {
        let status = self.command.status()?;
        drop(self.token);
        if status.success() {
            Ok(())
        } else {
            Err(format!("a measurement ended with {status}").into())
        }
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
