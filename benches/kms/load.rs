//! Load: threads that sign one after the other, all at once.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// One thread's means to sign.
pub(crate) trait Sign: Send {
    fn sign(&self) -> Result<()>;
}

/// What one round of load showed.
pub(crate) struct Round {
    pub(crate) signatures: u64,
    /// Signatures per second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    /// Milliseconds.
    pub(crate) p99: f64,
}

/// Lets every signer sign on a thread of its own for so long.
pub(crate) fn round(signers: &mut [Box<dyn Sign>], length: Duration) -> Result<Round> {
    let start = Barrier::new(signers.len());
    let threads: Vec<Result<Thread>> = thread::scope(|scope| {
        let threads: Vec<_> = signers
            .iter_mut()
            .map(|signer| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    Thread::run(&**signer, length)
                })
            })
            .collect();
        let ends = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ends.map(|end| end.unwrap_or_else(|_| Err("a thread panicked".into())))
            .collect()
    });
    let threads = threads.into_iter().collect::<Result<Vec<_>>>()?;

    // Each thread's own rate, because they do not end at one time.
    let rate = threads.iter().map(Thread::rate).sum();
    let mut latencies: Vec<Duration> = threads.into_iter().flat_map(|t| t.latencies).collect();
    latencies.sort_unstable();
    Ok(Round {
        signatures: u64::try_from(latencies.len())?,
        rate,
        p50: percentile(&latencies, 50),
        p99: percentile(&latencies, 99),
    })
}

struct Thread {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Thread {
    fn run(signer: &dyn Sign, length: Duration) -> Result<Self> {
        let started = Instant::now();
        let mut latencies = Vec::with_capacity(1 << 12);
        let mut last = started;
        while last - started < length {
            signer.sign()?;
            let now = Instant::now();
            latencies.push(now - last);
            last = now;
        }
        Ok(Self {
            latencies,
            elapsed: last - started,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "thousands of signatures")]
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// The latency that so many in a hundred do not exceed, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted
        .get(rank)
        .map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}
