//! How many requests a second the token sends: no more than KMS admits, and every thread its share.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, private_keys};
use common_p11::{World, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;

/// A token with these settings, and a P-256 key that was used once.
fn world(settings: &str) -> (World, CK_OBJECT_HANDLE) {
    let world = World::with(settings);
    let key = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
    world.create_keys(&key.tag("p11:id", "01").tag("p11:label", "key"));
    let key = world.module.session().find_one(&[private_keys(), id([1])]);
    world.take_calls();
    (world, key)
}

/// How many signatures each of so many threads makes until the time is over.
fn sign_for(world: &World, key: CK_OBJECT_HANDLE, threads: usize, time: Duration) -> Vec<u32> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let sign = || {
            let session = world.module.session();
            start.wait();
            let begin = Instant::now();
            let mut made = 0;
            while begin.elapsed() < time {
                session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
                made += 1;
            }
            made
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(sign)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn threads_that_sign_as_fast_as_they_can_stay_within_the_quota() {
    let (world, key) = world("rates = { ecc = 60 }");
    world.emulator.set_quota("Sign", 60);
    let begin = Instant::now();
    let made = sign_for(&world, key, 16, Duration::from_secs(3));
    let seconds = begin.elapsed().as_secs() + 1;
    assert_eq!(world.emulator.throttled("Sign"), 0);
    let all: u32 = made.iter().sum();
    assert!(u64::from(all) <= 60 * seconds, "{all} in {seconds} s");
    assert_eq!(world.take_calls(), calls([("Sign", all.into())]));
    let log = world.log();
    assert!(!log.contains("KMS throttles"), "{log}");
}

#[test]
fn requests_that_are_held_back_for_long_are_told_of_once_with_the_setting_to_raise() {
    let (world, key) = world("rates = { ecc = 1 }");
    let made = sign_for(&world, key, 4, Duration::from_secs(3));
    let all: u32 = made.iter().sum();
    assert_eq!(world.take_calls(), calls([("Sign", all.into())]));
    let log = world.log();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("are held back"))
        .collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("more than 1 of ecc a second"), "{told:?}");
    assert!(
        told[0].contains("`rates.ecc`") && told[0].contains(" WARN "),
        "{told:?}"
    );
}

#[test]
fn a_quota_that_others_use_up_makes_the_token_slower_and_fails_no_signature() {
    let (world, key) = world("rates = { ecc = 320 }\nretries = 10");
    world.emulator.set_quota("Sign", 25);
    let made = sign_for(&world, key, 8, Duration::from_secs(4));
    let all: u32 = made.iter().sum();
    let throttled = world.emulator.throttled("Sign");
    assert!(all >= 40, "{made:?}");
    // Coming back together, eight threads would be throttled hundreds of times.
    assert!(
        (1..=150).contains(&throttled),
        "{throttled} beside {made:?}"
    );
    let log = world.log();
    assert!(
        log.contains("KMS throttles; at most 160 of ecc a second"),
        "{log}"
    );
}

#[test]
fn requests_below_the_rate_are_counted_and_do_not_wait() {
    let (world, key) = world("");
    let session = world.module.session();
    for _ in 0..20 {
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    }
    world.module.finalize().unwrap();
    let log = world.log();
    let counts = "20 requests of ecc, 0 of them waited for their turn, 0 answers throttled";
    assert!(log.contains(counts), "{log}");
    assert!(log.contains("1 requests of GetPublicKey"), "{log}");
}

#[test]
fn a_turn_after_the_deadline_is_refused_at_once_and_nothing_is_sent() {
    let (world, key) = world("rates = { ecc = 1 }\ndeadline = 0.5");
    let session = world.module.session();
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    let begin = Instant::now();
    let refused = session.sign(CKM_ECDSA, key, &[7; 32]);
    assert_eq!(refused, Err(CKR_TOKEN_RESOURCE_EXCEEDED));
    assert!(begin.elapsed() < Duration::from_millis(400));
    assert_eq!(world.take_calls(), calls([("Sign", 1)]));
    let log = world.log();
    assert!(log.contains("1 of ecc a second"), "{log}");
    // The operation is over, and the next turn comes.
    thread::sleep(Duration::from_secs(1));
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

#[test]
fn a_listing_keeps_to_its_rate_and_lets_signatures_pass() {
    let (world, key) = world("rates = { listing = 20 }\nmiss_refresh_interval = 0.1");
    world.create_keys(&NewKeys::new(90, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "{n}"));
    world.emulator.set_quota("ListResourceTags", 20);
    thread::sleep(Duration::from_millis(200));
    thread::scope(|scope| {
        let search = scope.spawn(|| {
            let begin = Instant::now();
            // What is found is of no interest here, only that keys are looked for.
            world
                .module
                .session()
                .find(&[id([0xee])])
                .map(|_| begin.elapsed())
        });
        let session = world.module.session();
        for _ in 0..5 {
            session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
        }
        assert!(!search.is_finished(), "90 keys, 20 a second");
        assert!(search.join().unwrap().unwrap() >= Duration::from_secs(4));
    });
    assert_eq!(world.emulator.throttled("ListResourceTags"), 0);
    assert_eq!(world.emulator.calls().of("ListResourceTags"), 90);
}
