//! Peak memory of a process that signs.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::direct::Direct;
use crate::emulator::Emulator;
use crate::key::{KEYS, Key};
use crate::load::{self, Sign};
use crate::module::Module;
use crate::{Child, Result, Who};

const THREADS: [usize; 3] = [1, 16, 64];
const LENGTH: Duration = Duration::from_secs(1);

/// `arn` is that of the first of [`KEYS`].
pub(crate) fn compare(emulator: &Emulator, arn: &str) -> Result<()> {
    let peak = |who: Who, threads: usize| -> Result<f64> {
        let args = ["memory", who.name(), arn, &threads.to_string()];
        let answer = Child::new(emulator, &args)?.answer()?;
        Ok(answer["peak_mib"].as_f64().ok_or("no peak")?)
    };
    println!(
        "\nPeak memory in MiB of a process that signs for {LENGTH:?} (a process without threads: {:.1})\n\n\
         {:>7} | {:>7} {:>7}",
        peak(Who::Module, 0)?,
        "threads",
        "module",
        "direct",
    );
    for threads in THREADS {
        println!(
            "{threads:>7} | {:>7.1} {:>7.1}",
            peak(Who::Module, threads)?,
            peak(Who::Direct, threads)?
        );
    }
    Ok(())
}

/// Signs on so many threads, without any on none, and prints the peak.
pub(crate) fn child(who: Who, arn: &str, threads: usize) -> Result<()> {
    let [key, ..] = &KEYS;
    if threads > 0 {
        match who {
            Who::Module => sign_by_module(key, threads)?,
            Who::Direct => sign_directly(key, arn, threads)?,
        }
    }
    println!("{}", json!({ "peak_mib": peak()? }));
    Ok(())
}

/// The most memory that this process has had resident (VmHWM), in MiB.
pub(crate) fn peak() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kib: f64 = kib.ok_or("no VmHWM")?.parse()?;
    Ok(kib / 1024.0)
}

fn sign_by_module(key: &Key, threads: usize) -> Result<()> {
    let module = Module::load()?;
    let signer = |_| Ok(Box::new(module.signer(key)?) as Box<dyn Sign>);
    sign((0..threads).map(signer).collect::<Result<_>>()?)
}

fn sign_directly(key: &Key, arn: &str, threads: usize) -> Result<()> {
    let direct = Direct::new()?;
    let signer = |_| Box::new(direct.signer(key, arn)) as Box<dyn Sign>;
    sign((0..threads).map(signer).collect())
}

fn sign(mut signers: Vec<Box<dyn Sign>>) -> Result<()> {
    load::round(&mut signers, LENGTH).map(drop)
}
