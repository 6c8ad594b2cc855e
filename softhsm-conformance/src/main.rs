//! The `softhsm-conformance` command: one table of scenarios, run against kms-pkcs11 and against SoftHSM2 or,
//! where that has no answer, Kryoptic; answers compared step by step.
//!
//! Each module runs in processes of its own, so that a crash is a finding about a scenario and not the end
//! of the run. Where the modules may differ, `differences.rs` says so and why; any other difference fails,
//! and so does an entry of that table that is no longer true.

#![deny(unsafe_code)]
#![allow(
    clippy::wildcard_imports,
    reason = "the bindings have one flat space of names, prefixed as in C"
)]

mod arguments;
mod child;
mod compare;
mod cross;
mod ctx;
mod describe;
mod differences;
#[expect(unsafe_code, reason = "calling C functions is what it is for")]
mod driver;
mod guarded;
mod keys;
mod mechanisms;
mod names;
mod outside;
mod private_keys;
mod reference;
mod report;
mod scenarios;
mod secrets;
mod spki;
mod subjects;
mod transcript;
mod walk;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

use crate::report::Report;
use crate::scenarios::Scenario;
use crate::subjects::{Libraries, Subjects};
use crate::walk::Plan;

const USAGE: &str = "\
Usage: softhsm-conformance [compare] [LIBRARIES] [--only NAME]... [--verbose] [--report PATH]
       softhsm-conformance walk [LIBRARIES] [--seed N] [--steps N] [--rounds N]
       softhsm-conformance run --module PATH [--only NAME]...
       softhsm-conformance verify --module PATH --evidence PATH
       softhsm-conformance follow --module PATH
       softhsm-conformance list

compare  runs every scenario on kms-pkcs11 over kms-emulator and on its reference and compares (the default)
walk     makes random calls on kms-pkcs11 and SoftHSM2; prints what differs as a scenario, as short as it gets
run      runs scenarios on one module, set up by the environment, and prints a JSON line for each
verify   verifies the signatures of another module on one module, and prints a JSON line for each
follow   makes the calls of a walk on one module, told about in JSON lines
list     prints the names of the scenarios

LIBRARIES are any of:
--module PATH    the module to run or to compare (libkms_pkcs11.so beside this program)
--softhsm PATH   SoftHSM2's library (/usr/lib/softhsm/libsofthsm2.so)
--kryoptic PATH  Kryoptic's library (target/kryoptic/debug/libkryoptic.so)

--only NAME      only the scenario NAME, or those whose names begin with it; may be repeated
--verbose        print every step with both answers
--seed N         the seed of the first round (1); each round takes the next
--steps N        calls in a round (400)
--rounds N       rounds (20)
--report PATH    write what a run of all scenarios found to PATH, unless it failed
--evidence PATH  the signatures, in JSON
";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to be done when standard error is closed.
            let _ = writeln!(io::stderr(), "softhsm-conformance: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let options = Options::from_arguments()?;
    let scenarios = options.scenarios()?;
    let mut out = io::stdout();
    match options.command {
        Command::Help => write!(out, "{USAGE}")?,
        Command::List => {
            for scenario in scenarios {
                writeln!(out, "{}", scenario.name)?;
            }
        }
        Command::Run => {
            let module = options.module.ok_or("run needs --module")?;
            child::run(&module, &scenarios, &mut out)?;
        }
        Command::Verify => {
            let module = options.module.ok_or("verify needs --module")?;
            let evidence = options.evidence.ok_or("verify needs --evidence")?;
            cross::serve(&module, &evidence, &mut out)?;
        }
        Command::Follow => {
            let module = options.module.ok_or("follow needs --module")?;
            walk::serve(&module)?;
        }
        Command::Walk => {
            if !walk::walk(&options.subjects()?, options.plan, &mut out)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Compare => {
            let subjects = options.subjects()?;
            let mut pairs = subjects.pairs(&scenarios)?;
            let crossings = cross::verify(&subjects, &mut pairs)?;
            let comparison = compare::compare(&pairs, differences::all());
            comparison.print(&mut out, options.verbose)?;
            if !comparison.passed() {
                return Ok(ExitCode::FAILURE);
            }
            if let Some(path) = options.report {
                let report = Report {
                    comparison: &comparison,
                    crossings: &crossings,
                    differences: differences::CHAPTERS,
                };
                fs::write(path, report.to_string())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

enum Command {
    Compare,
    Walk,
    Run,
    Verify,
    Follow,
    List,
    Help,
}

struct Options {
    command: Command,
    softhsm: Option<PathBuf>,
    kryoptic: Option<PathBuf>,
    module: Option<PathBuf>,
    evidence: Option<PathBuf>,
    only: Vec<String>,
    verbose: bool,
    report: Option<PathBuf>,
    plan: Plan,
}

impl Options {
    fn from_arguments() -> Result<Self, Box<dyn std::error::Error>> {
        let mut options = Self {
            command: Command::Compare,
            softhsm: None,
            kryoptic: None,
            module: None,
            evidence: None,
            only: Vec::new(),
            verbose: false,
            report: None,
            plan: Plan {
                seed: 1,
                steps: 400,
                rounds: 20,
            },
        };
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            match argument {
                Value(command) if command == "compare" => options.command = Command::Compare,
                Value(command) if command == "walk" => options.command = Command::Walk,
                Value(command) if command == "follow" => options.command = Command::Follow,
                Value(command) if command == "run" => options.command = Command::Run,
                Value(command) if command == "verify" => options.command = Command::Verify,
                Value(command) if command == "list" => options.command = Command::List,
                Long("help") | Short('h') => options.command = Command::Help,
                Long("softhsm") => options.softhsm = Some(arguments.value()?.into()),
                Long("kryoptic") => options.kryoptic = Some(arguments.value()?.into()),
                Long("evidence") => options.evidence = Some(arguments.value()?.into()),
                Long("module") => options.module = Some(arguments.value()?.into()),
                Long("only") => options.only.push(arguments.value()?.string()?),
                Long("verbose") => options.verbose = true,
                Long("seed") => options.plan.seed = arguments.value()?.parse()?,
                Long("steps") => options.plan.steps = arguments.value()?.parse()?,
                Long("rounds") => options.plan.rounds = arguments.value()?.parse()?,
                Long("report") => options.report = Some(arguments.value()?.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.report.is_some() && !options.only.is_empty() {
            return Err("a report is about all scenarios: leave out --only".into());
        }
        Ok(options)
    }

    fn subjects(&self) -> io::Result<Subjects> {
        let or =
            |path: &Option<PathBuf>, default: fn() -> PathBuf| path.clone().unwrap_or_else(default);
        Subjects::new(Libraries {
            module: or(&self.module, kms_pkcs11_testkit::module),
            softhsm: or(&self.softhsm, kms_pkcs11_testkit::softhsm),
            kryoptic: or(&self.kryoptic, kms_pkcs11_testkit::kryoptic),
        })
    }

    fn scenarios(&self) -> Result<Vec<&'static Scenario>, String> {
        let is_name = |only: &String| scenarios::all().any(|scenario| scenario.name == only);
        let (names, beginnings): (Vec<&String>, Vec<&String>) =
            self.only.iter().partition(|only| is_name(only));
        let wanted = |scenario: &&Scenario| {
            self.only.is_empty()
                || names.iter().any(|name| scenario.name == **name)
                || beginnings
                    .iter()
                    .any(|beginning| scenario.name.starts_with(*beginning))
        };
        let scenarios: Vec<_> = scenarios::all().filter(wanted).collect();
        if scenarios.is_empty() {
            return Err("no scenario has such a name".to_owned());
        }
        Ok(scenarios)
    }
}
