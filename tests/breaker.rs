//! An endpoint that is down costs its first calls their attempts, and those that follow nothing, until it is back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common_p11::attribute::{id, private_keys};
use common_p11::kms::from_base64;
use common_p11::outside::assert_ecdsa;
use common_p11::{Rv, Session, World, call, calls, ok};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use serde_json::json;
use tempfile::TempDir;

/// How often in a row a request has to fail.
const FAILURES: u64 = 3;
/// From the opening to the first probe.
const PAUSE: Duration = Duration::from_millis(500);
/// Far longer than anything here takes that is not broken.
const LONG: Duration = Duration::from_secs(30);
const DIGEST: [u8; 32] = [7; 32];

#[test]
fn a_server_that_is_gone_costs_three_calls_their_attempts_and_is_used_again_when_it_is_back() {
    const RETRIES: u64 = 2;
    let directory = TempDir::new().unwrap();
    let options = Options {
        state: Some(directory.path().join("state.json")),
        ..Options::default()
    };
    let emulator = Emulator::start(options.clone()).unwrap();
    let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01");
    let key_id = emulator.create_keys(&keys).unwrap().remove(0).key_id;
    let metrics = directory.path().join("metrics.prom");
    let settings = format!(
        "retries = {RETRIES}\ndeadline = 20\n[metrics]\nfile = \"{}\"\ninterval = 3600",
        metrics.display()
    );
    let world = World::over(emulator, &[&settings]);
    let public = world.ask("GetPublicKey", &json!({ "KeyId": key_id }));
    let public = from_base64(&public["PublicKey"]);
    let World {
        module,
        emulator,
        directory: of_log,
        ..
    } = world;
    let log = || fs::read_to_string(of_log.path().join("log")).unwrap();
    let session = module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    session.sign(CKM_ECDSA, key, &DIGEST).unwrap();
    let address: SocketAddr = emulator.endpoint()["http://".len()..].parse().unwrap();
    drop(emulator);

    let hole = Hole::at(address);
    let mut opened = Instant::now();
    for _ in 0..FAILURES {
        opened = Instant::now();
        let refused = session.sign(CKM_ECDSA, key, &DIGEST);
        assert_eq!(refused, Err(CKR_DEVICE_ERROR));
    }
    let begun = Instant::now();
    let attempts = FAILURES * (1 + RETRIES);
    wait_until(|| hole.connections() >= attempts);
    assert_eq!(hole.connections(), attempts);
    // A new key is not asked for, so that nobody has to look for it either.
    assert_eq!(session.generate_p256([2], "new"), Err(CKR_DEVICE_ERROR));
    if begun.elapsed() < PAUSE {
        assert_eq!(hole.connections(), attempts, "it was asked for");
    }
    let mut answered_at_once = 0;
    while opened.elapsed() < 3 * PAUSE {
        let refused = session.sign(CKM_ECDSA, key, &DIGEST);
        assert_eq!(refused, Err(CKR_DEVICE_ERROR));
        answered_at_once += 1;
    }
    // Pauses before probes double, and each probe is one attempt.
    let pauses = opened.elapsed().div_duration_f64(PAUSE);
    wait_until(|| hole.connections() > attempts);
    let probes = hole.connections() - attempts;
    let bound = (pauses + 1.0).log2().floor();
    assert!(
        probes >= 1 && f64::from(u32::try_from(probes).unwrap()) <= bound,
        "{probes} of {bound}"
    );
    assert!(answered_at_once > probes, "{answered_at_once}");
    drop(hole);

    let emulator = Emulator::start(Options {
        listen: address,
        ..options
    })
    .unwrap();
    let begun = Instant::now();
    let signature = loop {
        match session.sign(CKM_ECDSA, key, &DIGEST) {
            Ok(signature) => break signature,
            Err(rv) => assert_eq!(rv, CKR_DEVICE_ERROR),
        }
        assert!(begun.elapsed() < LONG, "it stays down");
        thread::sleep(Duration::from_millis(20));
    };
    assert_ecdsa(&public, &[(DIGEST, signature)]);
    assert_eq!(emulator.calls().operations, calls([("Sign", 1)]));
    session.generate_p256([2], "new").unwrap();
    assert_eq!(emulator.calls().of("CreateKey"), 1);

    assert_told(&log(), probes);
    module.finalize().unwrap();
    assert_counted(
        &fs::read_to_string(metrics).unwrap(),
        answered_at_once - probes,
    );
}

/// The log has a line for what was sent, one for the outage and one for its end, and none for the other calls.
fn assert_told(log: &str, probes: u64) {
    let told = |what: &str| {
        log.lines()
            .filter(|line| line.contains("WARN") && line.contains(what))
            .count()
    };
    assert_eq!(told("is deemed down after 3 requests"), 1, "{log}");
    assert_eq!(told("answers again"), 1, "{log}");
    let news = told(": CKR_DEVICE_ERROR") as u64;
    assert!(
        (FAILURES..=FAILURES + probes).contains(&news),
        "{news} lines"
    );
}

/// The metrics have one outage, which is over, and at least so many requests that were not sent.
fn assert_counted(metrics: &str, least: u64) {
    let labels = "token=\"test-0\",region=\"us-east-1\",service=\"KMS\"";
    for sample in [
        format!("kms_pkcs11_endpoint_up{{{labels}}} 1"),
        format!("kms_pkcs11_endpoint_outages_total{{{labels}}} 1"),
    ] {
        assert!(metrics.lines().any(|line| line == sample), "{metrics}");
    }
    let refused = format!("kms_pkcs11_endpoint_refused_total{{{labels}}} ");
    let refused = metrics.lines().find_map(|line| line.strip_prefix(&refused));
    assert!(
        refused.unwrap().parse::<u64>().unwrap() >= least,
        "{metrics}"
    );
}

#[test]
fn a_server_that_hangs_is_left_alone_by_every_operation_and_a_probe_takes_one_attempt() {
    let world = World::with("deadline = 2\nattempt_timeout = 0.8\nretries = 0");
    let key = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01");
    world.create_keys(&key);
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    world.take_calls();

    world
        .emulator
        .fault(Fault::once("*", Effect::Hang).times(1000));
    for _ in 0..FAILURES {
        assert_eq!(session.sign(CKM_ECDSA, key, &DIGEST), Err(CKR_DEVICE_ERROR));
    }
    wait_until(|| world.emulator.calls().total >= FAILURES);
    let begun = Instant::now();
    for refused in [
        session.sign(CKM_ECDSA, key, &DIGEST).err(),
        session.generate_p256([2], "new").err(),
        session.destroy(key).err(),
        random(session).err(),
    ] {
        assert_eq!(refused, Some(CKR_DEVICE_ERROR));
    }
    let calls_so_far = world.emulator.calls();
    // On a machine that stood still, one of them may have been a probe.
    if begun.elapsed() < PAUSE {
        assert_eq!(calls_so_far.operations, calls([("Sign", FAILURES)]));
    }
    // The longest pause is half of the deadline.
    thread::sleep(Duration::from_millis(1100));
    let begun = Instant::now();
    assert_eq!(session.sign(CKM_ECDSA, key, &DIGEST), Err(CKR_DEVICE_ERROR));
    assert!(
        begun.elapsed() >= Duration::from_millis(800),
        "it was no probe"
    );
    wait_until(|| world.emulator.calls().total > calls_so_far.total);
    assert_eq!(world.emulator.calls().total, calls_so_far.total + 1);

    world.emulator.clear_faults();
    wait_until(|| session.sign(CKM_ECDSA, key, &DIGEST).is_ok());
}

#[test]
fn what_kms_itself_answers_never_keeps_the_next_call_from_being_sent() {
    let world = World::with("retries = 0");
    let key = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01");
    world.create_keys(&key);
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    for code in [
        "AccessDeniedException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "ThrottlingException",
    ] {
        world.take_calls();
        world.fail("Sign", code, 5);
        for _ in 0..5 {
            session.sign(CKM_ECDSA, key, &DIGEST).unwrap_err();
        }
        session.sign(CKM_ECDSA, key, &DIGEST).unwrap();
        assert_eq!(world.take_calls(), calls([("Sign", 6)]), "{code}");
    }
    assert!(!world.log().contains("deemed down"));
}

#[test]
fn a_key_whose_creation_was_not_answered_is_found_although_the_search_for_it_opens_the_breaker() {
    let world = World::with("retries = 0\ndeadline = 10");
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    world.take_calls();
    let fault = |operation, effect| world.emulator.fault(Fault::once(operation, effect));
    fault("CreateKey", Effect::ResetAfter);
    fault("ListKeys", Effect::ResetBefore);
    fault("ListKeys", Effect::ResetBefore);
    session.generate_p256([1], "key").unwrap();
    let made = calls([
        ("CreateKey", 1),
        ("ListKeys", 3),
        ("ListResourceTags", 1),
        ("GetPublicKey", 1),
    ]);
    assert_eq!(world.take_calls(), made);
    assert!(world.log().contains("is deemed down after 3 requests"));
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONG, "it takes too long");
        thread::sleep(Duration::from_millis(10));
    }
}

fn random(session: Session<'_>) -> Rv<()> {
    let mut bytes = [0; 32];
    ok(call!(
        session.module,
        C_GenerateRandom,
        session.handle,
        bytes.as_mut_ptr(),
        32
    ))
}

/// A listener that closes what connects to it, and counts.
struct Hole {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hole {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (connections, is_over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, over) = (Arc::clone(&connections), Arc::clone(&is_over));
        let thread = thread::spawn(move || {
            for _connection in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            address,
            connections,
            is_over,
            thread: Some(thread),
        }
    }

    fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Hole {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(std::net::TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
