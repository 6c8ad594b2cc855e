//! From C_Initialize to the first signature, in a token of many keys.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::direct::Direct;
use crate::emulator::Emulator;
use crate::key::{KEYS, Key};
use crate::load::Sign;
use crate::module::Module;
use crate::{Child, Effort, Result, Who, median, memory};

const KEY_COUNTS: [usize; 3] = [10, 100, 1000];
/// In milliseconds.
const LATENCIES: [u32; 2] = [0, 5];

/// A key's CKA_ID is its number, twice: always an even number of hexadecimal digits.
const ID: &str = "{n}{n}";
/// The number of the key that is looked for, and its id.
const NUMBER: usize = 7;
const NUMBERED_ID: u8 = 0x77;

pub(crate) fn compare(effort: Effort) -> Result<()> {
    println!(
        "\nCold start, from C_Initialize to the first signature with a P-256 key found by its id: medians of\n\
         {} processes, in ms. Direct: a client is made and signs with a key whose ARN is known.\n\n\
         {:>5} {:>7} | {:^31} | {:>6} | {:>8} |\n\
         {:>5} {:>7} | {:>7} {:>7} {:>7} {:>7} | {:>6} | {:>8} | the module's requests",
        effort.cold_starts,
        "",
        "service",
        "module",
        "",
        "module's",
        "keys",
        "ms",
        "init",
        "find",
        "sign",
        "all",
        "direct",
        "peak MiB",
    );
    let [key, ..] = &KEYS;
    for count in KEY_COUNTS {
        let emulator = Emulator::start()?;
        let arns = emulator.create_keys(count, key.spec, ID)?;
        let arn = arns.get(NUMBER).ok_or("too few keys")?;
        for latency in LATENCIES {
            let service = Duration::from_millis(latency.into());
            emulator.control().set_latency(service)?;
            let module = starts(&emulator, Who::Module, arn, effort)?;
            let requests = emulator.control().calls()?.operations;
            let direct = starts(&emulator, Who::Direct, arn, effort)?;
            let of = |who: &[Value], what: &str| {
                median(
                    who.iter()
                        .filter_map(|start| start[what].as_f64())
                        .collect(),
                )
            };
            println!(
                "{count:>5} {latency:>7} | {:>7.1} {:>7.1} {:>7.1} {:>7.1} | {:>6.1} | {:>8.1} | {requests}",
                of(&module, "initialize"),
                of(&module, "find"),
                of(&module, "sign"),
                of(&module, "all"),
                of(&direct, "all"),
                of(&module, "peak_mib"),
            );
        }
    }
    Ok(())
}

/// What every one of some processes says; the emulator remembers the requests of the last.
fn starts(emulator: &Emulator, who: Who, arn: &str, effort: Effort) -> Result<Vec<Value>> {
    (0..effort.cold_starts)
        .map(|_| {
            emulator.control().forget_calls()?;
            Child::new(emulator, &["cold-start", who.name(), arn])?.answer()
        })
        .collect()
}

/// Starts once and prints how long everything took.
pub(crate) fn child(who: Who, arn: &str) -> Result<()> {
    let [key, ..] = &KEYS;
    let times = match who {
        Who::Module => module(key)?,
        Who::Direct => direct(key, arn)?,
    };
    println!("{times}");
    Ok(())
}

fn module(key: &Key) -> Result<Value> {
    let started = Instant::now();
    let module = Module::load()?;
    let initialized = Instant::now();
    let signer = module.signer_by_id(key, NUMBERED_ID)?;
    let found = Instant::now();
    signer.sign()?;
    let done = Instant::now();
    Ok(json!({
        "initialize": milliseconds(initialized - started),
        "find": milliseconds(found - initialized),
        "sign": milliseconds(done - found),
        "all": milliseconds(done - started),
        "peak_mib": memory::peak()?,
    }))
}

fn direct(key: &Key, arn: &str) -> Result<Value> {
    let started = Instant::now();
    Direct::new()?.signer(key, arn).sign()?;
    Ok(json!({ "all": milliseconds(started.elapsed()) }))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
