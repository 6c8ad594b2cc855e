//! A key that several regions have signs while at least one of them lives.
//!
//! Three emulators, each in a process of its own, stand for the regions. They are killed, hung and started again in
//! turn while threads sign; Python's `cryptography` verifies every signature.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use common_p11::attribute::{id, private_keys};
use common_p11::cluster::Cluster;
use common_p11::outside::{Signed, assert_ecdsa};
use common_p11::{Module, set_environment};
use cryptoki_sys::*;
use kms_pkcs11_testkit::reliability;

const REGIONS: [&str; 3] = ["eu-west-1", "eu-central-1", "us-east-1"];
const THREADS: u32 = 8;
/// Of one attempt in a region, and thereby of the call that finds out that it hangs.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Far longer than anything here takes that is not broken.
const LONG: Duration = Duration::from_mins(1);
/// How often a run of [`Run::lose_regions`] kills or hangs a region, and how often it hangs one.
const LOSSES: u32 = 6;
const HANGS: u32 = 2;

#[test]
fn two_thousand_signatures_survive_the_loss_of_regions_and_go_home_afterwards() {
    let run = Run::start();
    let seen = run.sign_through(2000, 1);
    run.record("2,000 signatures", &seen);
    run.assert_at_home();
    run.assert_counted(seen.signatures.len());
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_ten_thousand_signatures_survive_the_loss_of_regions_and_go_home_afterwards() {
    let run = Run::start();
    let seen = run.sign_through(10_000, 5);
    run.record("10,000 signatures", &seen);
    run.assert_at_home();
    run.assert_counted(seen.signatures.len());
}

/// The module over three regions, and a key that all of them have.
struct Run {
    cluster: Cluster,
    module: Module,
    key: CK_OBJECT_HANDLE,
    /// DER of its SPKI.
    public: Vec<u8>,
}

/// What threads saw that signed all the time.
struct Seen {
    signatures: Vec<Signed>,
    /// Times at which a region was killed or hung.
    losses: u32,
    /// Calls that took as long as an attempt in a region that hangs.
    slow: usize,
    longest: Duration,
    took: Duration,
}

impl Run {
    fn start() -> Self {
        let cluster = Cluster::start(REGIONS);
        let public = cluster.create_key(&[("p11:id", "01"), ("p11:label", "key")]);
        set_environment(cluster.directory.path());
        let config = format!(
            "[[token]]\nlabel = \"test\"\n{}attempt_timeout = {}\nconnect_timeout = 1\n\
             [log]\nlevel = \"warn\"\nfile = \"{}\"\n[metrics]\nfile = \"{}\"\ninterval = 3600\n",
            cluster.settings(),
            ATTEMPT.as_secs(),
            cluster.directory.path().join("log").display(),
            cluster.directory.path().join("metrics").display(),
        );
        let file = cluster.directory.path().join("config.toml");
        fs::write(&file, config).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let module = Module::load();
        let reserved = format!("config={}", file.display());
        module.initialize_reserved(&reserved).unwrap();
        let key = module.session().find_one(&[private_keys(), id([1])]);
        Self {
            cluster,
            module,
            key,
            public: Base64::decode_vec(&public).unwrap(),
        }
    }

    /// Signs with all threads while regions are lost, so many times over, and until there are that many signatures.
    fn sign_through(&self, least: usize, times: u32) -> Seen {
        let (is_over, made) = (AtomicBool::new(false), AtomicU32::new(0));
        let begun = Instant::now();
        let signed = thread::scope(|scope| {
            let sign = || {
                let session = self.module.session();
                let mut signed = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let number = made.fetch_add(1, Ordering::Relaxed);
                    let mut digest = [0; 32];
                    digest[..4].copy_from_slice(&number.to_be_bytes());
                    let begun = Instant::now();
                    let signature = session.sign(CKM_ECDSA, self.key, &digest);
                    let took = begun.elapsed();
                    let signature =
                        signature.unwrap_or_else(|rv| panic!("CKR {rv:#x}\n{}", self.log()));
                    signed.push(((digest, signature), took));
                }
                signed
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(sign)).collect();
            let over = Over(&is_over);
            (0..times).for_each(|_| self.lose_regions());
            while made.load(Ordering::Relaxed) as usize <= least {
                let failed = threads.iter().any(thread::ScopedJoinHandle::is_finished);
                assert!(!failed && begun.elapsed() < 4 * LONG, "{}", self.log());
                thread::sleep(Duration::from_millis(20));
            }
            drop(over);
            let signed = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap());
            signed.collect::<Vec<_>>()
        });
        let took = begun.elapsed();
        let (signatures, took_each): (Vec<Signed>, Vec<Duration>) = signed.into_iter().unzip();
        assert!(signatures.len() >= least);
        assert_ecdsa(&self.public, &signatures);
        let seen = Seen {
            signatures,
            losses: times * LOSSES,
            slow: took_each.iter().filter(|time| **time >= ATTEMPT).count(),
            longest: took_each.into_iter().max().unwrap(),
            took,
        };
        // Each thread waits for a region that hangs once at most, and for one that is killed never.
        assert!(
            seen.slow <= (times * HANGS * THREADS) as usize,
            "{} slow calls",
            seen.slow
        );
        seen
    }

    /// Loses each region in turn, and two of them together, in one way and the other.
    fn lose_regions(&self) {
        let [home, near, far] = &self.cluster.regions[..] else {
            panic!("three regions");
        };
        let pause = || thread::sleep(Duration::from_millis(700));
        home.kill();
        pause();
        near.kill();
        pause();
        near.start();
        home.start();
        pause();
        home.hang();
        thread::sleep(ATTEMPT + Duration::from_millis(700));
        far.kill();
        pause();
        home.resume();
        pause();
        near.hang();
        pause();
        far.start();
        home.kill();
        thread::sleep(ATTEMPT + Duration::from_millis(700));
        near.resume();
        home.start();
        pause();
    }

    /// Afterwards signatures are made in the token's own region, each with one request.
    fn assert_at_home(&self) {
        let session = self.module.session();
        let [home, others @ ..] = &self.cluster.regions[..] else {
            panic!("three regions");
        };
        let counts = || {
            let elsewhere: u64 = others.iter().map(|region| region.count("Sign")).sum();
            (home.count("Sign"), elsewhere)
        };
        let sign = |count: u64| {
            for _ in 0..count {
                session.sign(CKM_ECDSA, self.key, &[7; 32]).unwrap();
            }
        };
        let begun = Instant::now();
        loop {
            let (at_home, elsewhere) = counts();
            sign(20);
            // What looks whether a region is back is answered by now, or after the next of them.
            thread::sleep(Duration::from_millis(100));
            if counts() == (at_home + 20, elsewhere) {
                break;
            }
            assert!(begun.elapsed() < LONG, "{}", self.log());
        }
        let (at_home, elsewhere) = counts();
        sign(100);
        assert_eq!(counts(), (at_home + 100, elsewhere));
    }

    /// The metrics have each region in use again, and every signature.
    fn assert_counted(&self, signatures: usize) {
        self.module.finalize().unwrap();
        let metrics = self.cluster.directory.path().join("metrics");
        let metrics = fs::read_to_string(metrics).unwrap();
        let of_regions = |name: &str| -> Vec<usize> {
            let sample = |region: &str| {
                let sample =
                    format!("kms_pkcs11_region_{name}{{token=\"test\",region=\"{region}\"}} ");
                let mut lines = metrics.lines();
                let value = lines.find_map(|line| line.strip_prefix(&sample));
                value
                    .unwrap_or_else(|| panic!("{sample}: {metrics}"))
                    .parse()
                    .unwrap()
            };
            REGIONS.map(sample).into()
        };
        assert_eq!(of_regions("preferred"), [1, 1, 1]);
        assert!(of_regions("answered_total").iter().sum::<usize>() > signatures);
        assert_eq!(of_regions("hedged_total"), [0, 0, 0]);
    }

    fn record(&self, row: &str, seen: &Seen) {
        let log = self.log();
        let told = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        reliability::record(
            "regions",
            row,
            &[
                ("regions lost", seen.losses.to_string()),
                ("signatures", seen.signatures.len().to_string()),
                ("failed", "0".to_owned()),
                ("verified", seen.signatures.len().to_string()),
                ("slower than an attempt", seen.slow.to_string()),
                ("longest", format!("{:.1} s", seen.longest.as_secs_f64())),
                ("regions left", told("fails; multi-Region keys").to_string()),
                (
                    "regions used again",
                    told("answers again after").to_string(),
                ),
                ("duration", format!("{:.0} s", seen.took.as_secs_f64())),
            ],
        );
    }

    fn log(&self) -> String {
        fs::read_to_string(self.cluster.directory.path().join("log")).unwrap_or_default()
    }
}

/// Lets the threads end, also when the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
