//! `hedge_after`: a second request where the first takes long, and nothing else.
//!
//! Two emulators stand for two regions; the token's own delays every tenth signature. Requests are counted exactly, and
//! python's cryptography verifies every signature.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::time::{Duration, Instant};

use common_p11::attribute::{flag, label, private_keys, ulong};
use common_p11::outside::{Signed, assert_ecdsa};
use common_p11::{Counts, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault};

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
/// Far longer than a request takes that nothing delays.
const AFTER: Duration = Duration::from_secs(1);
/// Of an answer that is late.
const DELAY: Duration = Duration::from_secs(4);
const EVERY: u32 = 10;
const SIGNATURES: u32 = 40;

/// A token of the first region, with replicas in the second.
struct Regions {
    world: World,
    replica: Emulator,
}

impl Regions {
    fn start(settings: &str) -> Self {
        let mut others = Emulator::start_regions(&REGIONS).unwrap();
        let home = others.remove(0);
        let replica = others.remove(0);
        let token = format!(
            "{settings}\nreplica_regions = [\"eu-west-1\"]\nattempt_timeout = 60\ndeadline = 120\n\
             replica_endpoints = {{ eu-west-1 = \"{}\" }}\n",
            replica.endpoint()
        );
        Self {
            world: World::over(home, &[&token]),
            replica,
        }
    }

    fn session(&self) -> Session<'_> {
        self.world.module.session()
    }

    /// Requests in each region since the last time this was asked.
    fn take_calls(&self) -> [Counts; 2] {
        [&self.world.emulator, &self.replica].map(|emulator| {
            let calls = emulator.calls().operations;
            emulator.reset_calls();
            calls
        })
    }

    /// Has the token's region answer every tenth Sign late, and makes as many signatures; the times that they took,
    /// the shortest first.
    fn sign_with_delays(&self) -> Vec<Duration> {
        let session = self.session();
        let (public, private) = session.generate_p256([7], "key").unwrap();
        let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
        for nth in 0..SIGNATURES / EVERY {
            let ms = u64::try_from(DELAY.as_millis()).unwrap();
            // Those that a fault before it strikes do not count for it.
            let fault =
                Fault::once("Sign", Effect::Latency { ms }).after((nth + 1) * EVERY - 1 - nth);
            self.world.emulator.fault(fault);
        }
        self.take_calls();
        let (mut times, mut signatures): (Vec<Duration>, Vec<Signed>) = (Vec::new(), Vec::new());
        for number in 0..SIGNATURES {
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&number.to_be_bytes());
            let begun = Instant::now();
            let signature = session.sign(CKM_ECDSA, private, &digest).unwrap();
            times.push(begun.elapsed());
            signatures.push((digest, signature));
        }
        assert_ecdsa(&spki, &signatures);
        times.sort();
        times
    }
}

fn slow() -> usize {
    (SIGNATURES / EVERY) as usize
}

#[test]
fn a_late_answer_is_overtaken_by_that_of_the_replica_and_one_in_time_costs_one_request() {
    let regions = Regions::start("hedge_after = 1");
    let times = regions.sign_with_delays();
    let (quick, late) = times.split_at(times.len() - slow());
    assert!(quick.iter().all(|time| *time < AFTER), "{quick:?}");
    let is_halved = |time: &Duration| *time >= AFTER && *time < DELAY / 2;
    assert!(late.iter().all(is_halved), "{late:?}");
    let hedged = u64::from(SIGNATURES / EVERY);
    let expected = [[("Sign", SIGNATURES.into())], [("Sign", hedged)]].map(calls);
    assert_eq!(regions.take_calls(), expected);
    regions.world.module.finalize().unwrap();
}

#[test]
fn nothing_is_hedged_unless_the_configuration_says_so() {
    let regions = Regions::start("");
    let times = regions.sign_with_delays();
    let late = &times[times.len() - slow()..];
    assert!(late.iter().all(|time| *time >= DELAY), "{late:?}");
    let expected = [calls([("Sign", SIGNATURES.into())]), calls([])];
    assert_eq!(regions.take_calls(), expected);
    regions.world.module.finalize().unwrap();
}

/// Everything is late in the token's region.
#[test]
fn what_changes_something_is_asked_for_once_however_late_its_answer_is() {
    let regions = Regions::start("hedge_after = 0.3");
    let session = regions.session();
    let hmac = [
        flag(CKA_TOKEN, true),
        ulong(CKA_VALUE_LEN, 32),
        label("hmac"),
    ];
    let hmac = session
        .generate_key(CKM_GENERIC_SECRET_KEY_GEN, &hmac)
        .unwrap();
    let mac = session.sign(CKM_SHA256_HMAC, hmac, b"message").unwrap();
    regions.take_calls();
    regions
        .world
        .emulator
        .set_latency(Duration::from_millis(1500));

    let (_, private) = session.generate_p256([7], "pair").unwrap();
    let made = calls([("CreateKey", 1), ("GetPublicKey", 1), ("ReplicateKey", 1)]);
    assert_eq!(regions.take_calls(), [made, calls([("DescribeKey", 1)])]);
    session.set(private, &[label("renamed")]).unwrap();
    assert_eq!(
        regions.take_calls(),
        [(); 2].map(|()| calls([("TagResource", 1)]))
    );

    // These change nothing. After three that were late the region is left alone.
    session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
    assert_eq!(
        session.sign(CKM_SHA256_HMAC, hmac, b"message"),
        Ok(mac.clone())
    );
    session
        .verify(CKM_SHA256_HMAC, hmac, b"message", &mac)
        .unwrap();
    let read = [("Sign", 1), ("GenerateMac", 1), ("VerifyMac", 1)];
    assert_eq!(regions.take_calls(), [(); 2].map(|()| calls(read)));

    // Keys are listed in the token's region while that answers, if late.
    assert_eq!(session.find(&[label("nobody's")]), Ok(Vec::new()));
    let found = session.find(&[private_keys(), label("renamed")]);
    assert_eq!(found, Ok(vec![private]));
    let [_, elsewhere] = regions.take_calls();
    assert_eq!(elsewhere, calls([]));
    session.destroy(private).unwrap();
    assert_eq!(
        regions.take_calls(),
        [(); 2].map(|()| calls([("ScheduleKeyDeletion", 1)]))
    );
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    regions.world.module.finalize().unwrap();
}
