//! Signatures per second and their latency, the module beside direct calls.

use std::env;
use std::time::Duration;

use crate::direct::Direct;
use crate::emulator::{Control, Emulator};
use crate::key::{KEYS, Key};
use crate::load::{self, Round, Sign};
use crate::module::Module;
use crate::{Child, Effort, Result, median};

const THREADS: [usize; 4] = [1, 4, 16, 64];
/// In milliseconds.
const LATENCIES: [u32; 2] = [0, 5];

/// The p50 of C_Sign at 5 ms is to be at most this many times that of a direct call.
const P50_LIMIT: f64 = 1.10;
/// The throughput of 16 threads is to be at least this many times that of direct calls.
const RATE_LIMIT: f64 = 0.95;

/// `arns` are those of [`KEYS`].
pub(crate) fn compare(emulator: &Emulator, arns: &[String], effort: Effort) -> Result<()> {
    println!(
        "Signatures by the module (C_SignInit, C_Sign for the length, C_Sign) and by direct calls:\n\
         medians of {} rounds of {:?}, both in turn. Latencies in ms, ratios are module / direct.\n\n\
         {:<8} {:>7} {:>7} | {:^23} | {:^21} | {:^21}\n\
         {:<8} {:>7} {:>7} | {:>7} {:>7} {:>7} | {:>7} {:>6} {:>6} | {:>7} {:>6} {:>6}",
        effort.rounds,
        effort.round,
        "",
        "service",
        "",
        "signatures per second",
        "p50",
        "p99",
        "key",
        "ms",
        "threads",
        "module",
        "direct",
        "ratio",
        "module",
        "direct",
        "ratio",
        "module",
        "direct",
        "ratio",
    );
    let words = ["signing", effort.flag].into_iter();
    let words: Vec<&str> = words.chain(arns.iter().map(String::as_str)).collect();
    Child::new(emulator, &words)?.run()
}

/// Measures everything and prints it.
pub(crate) fn child(effort: Effort, arns: &[&str]) -> Result<()> {
    let control = Control::of(&env::var("AWS_ENDPOINT_URL")?);
    let (module, direct) = (Module::load()?, Direct::new()?);
    let mut rows = Vec::new();
    for latency in LATENCIES {
        control.set_latency(Duration::from_millis(latency.into()))?;
        for (key, arn) in KEYS.iter().zip(arns) {
            for threads in THREADS {
                let pair = Pair::new(&module, &direct, key, arn, threads)?;
                let (module, direct) = pair.measure(&control, effort)?;
                let row = Row {
                    key: key.name,
                    latency,
                    threads,
                    module,
                    direct,
                };
                row.print();
                rows.push(row);
            }
        }
    }
    verdict(&rows);
    Ok(())
}

/// The same work for both.
struct Pair {
    module: Vec<Box<dyn Sign>>,
    direct: Vec<Box<dyn Sign>>,
}

impl Pair {
    fn new(module: &Module, direct: &Direct, key: &Key, arn: &str, threads: usize) -> Result<Self> {
        let mut pair = Self {
            module: Vec::new(),
            direct: Vec::new(),
        };
        for _ in 0..threads {
            pair.module.push(Box::new(module.signer(key)?));
            pair.direct.push(Box::new(direct.signer(key, arn)));
        }
        Ok(pair)
    }

    /// Rounds in turn, the first of each not counted: it makes the connections.
    fn measure(mut self, control: &Control, effort: Effort) -> Result<(Medians, Medians)> {
        let (mut module, mut direct) = (Vec::new(), Vec::new());
        for n in 0..=effort.rounds {
            let length = if n == 0 {
                effort.round / 4
            } else {
                effort.round
            };
            let run = |signers: &mut [Box<dyn Sign>], rounds: &mut Vec<Round>| {
                control.forget_calls()?;
                let round = load::round(signers, length)?;
                let calls = control.calls()?;
                if calls.total != round.signatures || calls.sign != round.signatures {
                    let count = round.signatures;
                    return Err(format!("{count} signatures cost {}", calls.operations).into());
                }
                if n > 0 {
                    rounds.push(round);
                }
                Result::Ok(())
            };
            // Neither is always the one that comes after the other.
            if n % 2 == 0 {
                run(&mut self.module, &mut module)?;
                run(&mut self.direct, &mut direct)?;
            } else {
                run(&mut self.direct, &mut direct)?;
                run(&mut self.module, &mut module)?;
            }
        }
        Ok((Medians::of(&module), Medians::of(&direct)))
    }
}

struct Medians {
    rate: f64,
    p50: f64,
    p99: f64,
}

impl Medians {
    fn of(rounds: &[Round]) -> Self {
        let of = |what: fn(&Round) -> f64| median(rounds.iter().map(what).collect());
        Self {
            rate: of(|round| round.rate),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
        }
    }
}

struct Row {
    key: &'static str,
    latency: u32,
    threads: usize,
    module: Medians,
    direct: Medians,
}

impl Row {
    fn print(&self) {
        let Self { module, direct, .. } = self;
        println!(
            "{:<8} {:>7} {:>7} | {:>7.0} {:>7.0} {:>7.2} | {:>7.2} {:>6.2} {:>6.2} | {:>7.2} {:>6.2} {:>6.2}",
            self.key,
            self.latency,
            self.threads,
            module.rate,
            direct.rate,
            self.rate_ratio(),
            module.p50,
            direct.p50,
            self.p50_ratio(),
            module.p99,
            direct.p99,
            module.p99 / direct.p99,
        );
    }

    fn rate_ratio(&self) -> f64 {
        self.module.rate / self.direct.rate
    }

    fn p50_ratio(&self) -> f64 {
        self.module.p50 / self.direct.p50
    }
}

/// Every signature of every round cost one request, or the measurement would have failed.
fn verdict(rows: &[Row]) {
    let p50 = rows.iter().filter(|row| row.latency == 5);
    let p50 = p50.map(Row::p50_ratio).fold(0.0, f64::max);
    let rate = rows.iter().filter(|row| row.threads == 16);
    let rate = rate.map(Row::rate_ratio).fold(f64::INFINITY, f64::min);
    let met = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "\nOne Sign request per signature, and no other request, in every round.\n\
         p50 at 5 ms, highest ratio: {p50:.2} (at most {P50_LIMIT:.2}: {})\n\
         throughput of 16 threads, lowest ratio: {rate:.2} (at least {RATE_LIMIT:.2}: {})",
        met(p50 <= P50_LIMIT),
        met(rate >= RATE_LIMIT),
    );
}
