//! Memory, descriptors and threads of a host that does the same again and again: no more of them at the end than when
//! it was warm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::c_program;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Token, module, python, reliability, run};

/// Bytes that the heap may have grown by, however often something was done: caches and pools at their fullest.
const SLACK: u64 = 256 * 1024;
/// The same of what is resident, in KiB, in which every thread of the host's has an arena.
const RESIDENT_SLACK: u64 = 8 * 1024;

const UNTHROTTLED: &str = "[[token]]\nrates = { ecc = 1000000 }\n";

#[test]
fn what_a_host_does_thousands_of_times_costs_no_memory() {
    let soak = Soak::new(UNTHROTTLED);
    soak.repeat("signatures", 4, 2_000);
    soak.repeat("sessions", 4, 10_000);
    soak.repeat("finds", 4, 5_000);
    soak.repeat("misses", 4, 5_000);
    soak.repeat("objects", 4, 5_000);
    soak.repeat("starts", 1, 100);
}

#[test]
fn what_fails_again_and_again_costs_no_memory() {
    failures(2_000);
    logins(10);
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_a_million_signatures_and_a_hundred_thousand_sessions() {
    let soak = Soak::new(UNTHROTTLED);
    soak.repeat_and_record("signatures", 16, 1_000_000);
    soak.repeat_and_record("sessions", 16, 100_000);
    soak.repeat_and_record("finds", 16, 100_000);
    soak.repeat_and_record("misses", 16, 100_000);
    soak.repeat_and_record("objects", 16, 100_000);
    soak.repeat_and_record("starts", 1, 1_000);
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_failures_logins_and_log_lines() {
    failures(100_000).record("signatures that KMS refuses, each with a log line");
    logins(400).record("logins, every other one with a wrong PIN");
    let logging = format!(
        "{UNTHROTTLED}[log]\nlevel = \"debug\"\nfile = \"/dev/null\"\naudit = \"/dev/null\"\n"
    );
    Soak::new(&logging)
        .repeat("signatures", 16, 100_000)
        .record("signatures with log and audit");
}

/// KMS refuses all of them.
fn failures(count: u64) -> Measured {
    let log = "[log]\nlevel = \"debug\"\nfile = \"/dev/null\"\n";
    let soak = Soak::new(&format!("{UNTHROTTLED}{log}"));
    let effect = Effect::Error {
        code: "AccessDeniedException".to_owned(),
        message: String::new(),
        status: 400,
    };
    soak.emulator
        .fault(Fault::once("Sign", effect).times(u32::MAX));
    soak.repeat("failures", 4, count)
}

fn logins(count: u64) -> Measured {
    let script = "import base64, hashlib, sys\n\
        text = lambda data: base64.b64encode(data).decode().rstrip('=')\n\
        salt = bytes(range(16))\n\
        digest = hashlib.pbkdf2_hmac('sha256', sys.argv[1].encode(), salt, 100000)\n\
        print(f'$pbkdf2-sha256$i=100000${text(salt)}${text(digest)}')";
    let hash = python(script, ["sesame-8214"]).ok().stdout();
    let config = format!(
        "[[token]]\npin = \"verify\"\npin_hash = \"{}\"\n[log]\nfile = \"/dev/null\"\n",
        hash.trim()
    );
    Soak::new(&config).repeat("logins", 1, count)
}

/// A host, and the emulator that it uses, in another process than the host.
struct Soak {
    emulator: Emulator,
    token: Token,
}

impl Soak {
    fn new(config: &str) -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
        emulator.create_keys(&pair).unwrap();
        let key = AccessKey::test();
        let token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", config);
        Self { emulator, token }
    }

    /// Has the host do this so often on so many threads.
    fn repeat(&self, kind: &str, threads: u32, count: u64) -> Measured {
        let host = c_program(self.token.directory(), "guest_soak");
        let mut command = self.token.command(host);
        let numbers = [u64::from(threads).to_string(), count.to_string()];
        command.arg(module()).arg(kind).args(numbers);
        // What the emulator notes of its calls would be more than a million lines.
        let finished = thread::scope(|scope| {
            let host = scope.spawn(move || run(&mut command).ok());
            let mut forgotten = Instant::now();
            while !host.is_finished() {
                thread::sleep(Duration::from_millis(20));
                if forgotten.elapsed() > Duration::from_secs(5) {
                    self.emulator.reset_calls();
                    forgotten = Instant::now();
                }
            }
            host.join().unwrap()
        });
        let measured = Measured::parse(&finished.stdout());
        assert_eq!(measured.count, count, "{measured}");
        measured.assert_even();
        measured
    }

    fn repeat_and_record(&self, kind: &str, threads: u32, count: u64) {
        self.repeat(kind, threads, count).record(kind);
    }
}

/// What there was after the first tenth and at the end.
struct Measured {
    count: u64,
    /// Bytes in use.
    heap: [u64; 2],
    /// KiB.
    resident: [u64; 2],
    descriptors: [u64; 2],
    threads: [u64; 2],
}

impl Measured {
    fn parse(line: &str) -> Self {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        let (count, before, after) = (numbers[0], &numbers[1..5], &numbers[5..]);
        assert_eq!(before.len(), after.len(), "{line}");
        let pair = |index: usize| [before[index], after[index]];
        Self {
            count,
            heap: pair(0),
            resident: pair(1),
            descriptors: pair(2),
            threads: pair(3),
        }
    }

    fn assert_even(&self) {
        let Self { heap, resident, .. } = self;
        assert!(heap[1] < heap[0] + SLACK, "{self}");
        assert!(resident[1] < resident[0] + RESIDENT_SLACK, "{self}");
        // Connections and threads that idle come and go.
        for [before, after] in [self.descriptors, self.threads] {
            assert!(after <= before + 4, "{self}");
        }
    }

    fn record(&self, row: &str) {
        let kib = |bytes: u64| (bytes / 1024).to_string();
        reliability::record(
            "memory",
            row,
            &[
                ("times", self.count.to_string()),
                ("heap before, KiB", kib(self.heap[0])),
                ("after", kib(self.heap[1])),
                ("resident before, KiB", self.resident[0].to_string()),
                ("resident after", self.resident[1].to_string()),
                (
                    "descriptors",
                    format!("{} → {}", self.descriptors[0], self.descriptors[1]),
                ),
                (
                    "threads",
                    format!("{} → {}", self.threads[0], self.threads[1]),
                ),
            ],
        );
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            count,
            heap,
            resident,
            descriptors,
            threads,
        } = self;
        write!(
            f,
            "{count} times; heap {heap:?} bytes, resident {resident:?} KiB, descriptors {descriptors:?}, \
             threads {threads:?}"
        )
    }
}
