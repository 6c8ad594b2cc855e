//! Signatures per second and their latency, the module beside direct calls.

use std::time::Duration;

use serde_json::json;

use crate::direct::Direct;
use crate::emulator::{Control, Emulator};
use crate::key::KEYS;
use crate::load::{self, Round, Sign};
use crate::module::Module;
use crate::{Child, Conversation, Effort, Result, Who, median};

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
    let start = |who| Signers::start(emulator, who, arns);
    let mut pair = [start(Who::Module)?, start(Who::Direct)?];
    // The module lists its keys once, which is not what is counted here.
    for index in 0..KEYS.len() {
        pair[0].round(index, 1, Duration::from_millis(1))?;
    }
    let mut rows = Vec::new();
    for latency in LATENCIES {
        let service = Duration::from_millis(latency.into());
        emulator.control().set_latency(service)?;
        for (index, key) in KEYS.iter().enumerate() {
            for threads in THREADS {
                let medians = rounds(&mut pair, emulator.control(), index, threads, effort)?;
                let [module, direct] = medians;
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
    // What follows is measured without it.
    emulator.control().set_latency(Duration::ZERO)?;
    verdict(&rows);
    Ok(())
}

/// A process that signs when it is told to.
struct Signers {
    child: Conversation,
}

impl Signers {
    fn start(emulator: &Emulator, who: Who, arns: &[String]) -> Result<Self> {
        let words = ["signing", who.name()].into_iter();
        let words: Vec<&str> = words.chain(arns.iter().map(String::as_str)).collect();
        let child = Child::new(emulator, &words)?.converse()?;
        Ok(Self { child })
    }

    /// Has the key with this index in [`KEYS`] sign for so long on so many threads.
    fn round(&mut self, key: usize, threads: usize, length: Duration) -> Result<Round> {
        let milliseconds = length.as_millis();
        let answer = self.child.ask(&format!("{key} {threads} {milliseconds}"))?;
        let number = |name: &str| answer[name].as_f64().ok_or("an incomplete answer");
        Ok(Round {
            signatures: answer["signatures"].as_u64().ok_or("no signatures")?,
            rate: number("rate")?,
            p50: number("p50")?,
            p99: number("p99")?,
        })
    }
}

/// Signs as standard input says, line by line, until it ends.
pub(crate) fn child(who: Who, arns: &[&str]) -> Result<()> {
    let module = (who == Who::Module).then(Module::load).transpose()?;
    let direct = (who == Who::Direct).then(Direct::new).transpose()?;
    let signer = |key: usize| -> Result<Box<dyn Sign>> {
        let (key, arn) = (&KEYS[key], arns[key]);
        Ok(match (&module, &direct) {
            (Some(module), _) => Box::new(module.signer(key)?),
            (None, Some(direct)) => Box::new(direct.signer(key, arn)),
            (None, None) => return Err("nobody signs".into()),
        })
    };
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let &[key, threads, milliseconds] = words.as_slice() else {
            return Err(format!("what is meant by {line}?").into());
        };
        let (key, threads): (usize, usize) = (key.parse()?, threads.parse()?);
        let mut signers = (0..threads)
            .map(|_| signer(key))
            .collect::<Result<Vec<_>>>()?;
        let round = load::round(&mut signers, Duration::from_millis(milliseconds.parse()?))?;
        println!(
            "{}",
            json!({
                "signatures": round.signatures,
                "rate": round.rate,
                "p50": round.p50,
                "p99": round.p99,
            })
        );
    }
    Ok(())
}

/// Rounds of both in turn, the first of each not counted: it makes the connections.
fn rounds(
    pair: &mut [Signers; 2],
    control: &Control,
    key: usize,
    threads: usize,
    effort: Effort,
) -> Result<[Medians; 2]> {
    let mut rounds = [Vec::new(), Vec::new()];
    for n in 0..=effort.rounds {
        // Neither is always the one that comes after the other.
        for who in if n % 2 == 0 { [0, 1] } else { [1, 0] } {
            let length = if n == 0 {
                effort.round / 4
            } else {
                effort.round
            };
            control.forget_calls()?;
            let round = pair[who].round(key, threads, length)?;
            let calls = control.calls()?;
            if calls.total != round.signatures || calls.sign != round.signatures {
                let count = round.signatures;
                return Err(format!("{count} signatures cost {}", calls.operations).into());
            }
            if n > 0 {
                rounds[who].push(round);
            }
        }
    }
    Ok(rounds.map(|rounds| Medians::of(&rounds)))
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
    println!("\nOne Sign request per signature, and no other request, in every round.");
    let p50 = rows.iter().filter(|row| row.latency == 5);
    let p50 = p50.map(Row::p50_ratio).fold(0.0, f64::max);
    let met = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "p50 at 5 ms, highest ratio: {p50:.2} (at most {P50_LIMIT:.2}: {})",
        met(p50 <= P50_LIMIT)
    );
    for latency in LATENCIES {
        let rate = rows
            .iter()
            .filter(|row| row.threads == 16 && row.latency == latency);
        let rate = rate.map(Row::rate_ratio).fold(f64::INFINITY, f64::min);
        println!(
            "throughput of 16 threads at {latency} ms, lowest ratio: {rate:.2} (at least {RATE_LIMIT:.2}: {})",
            met(rate >= RATE_LIMIT)
        );
    }
}
