//! A region is lost while another one is short of quota, lacks a key, tells another time, is slow or not permitted.
//!
//! Nobody may be refused for it who could be served: what one region cannot do is neither held against the others, nor
//! against other keys, nor against what else the same key does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use common_p11::attribute::{id, label, private_keys};
use common_p11::kms::{reencrypt, symmetric};
use common_p11::outside::{Signed, assert_ecdsa};
use common_p11::{Rv, Session, World, ask, call, ok};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys};
use kms_pkcs11_testkit::reliability;
use serde_json::json;

/// The first is that of the token; the others have replicas of its keys.
const NAMES: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];
const HOME: usize = 0;
const NEAR: usize = 1;
/// For ever.
const ALWAYS: u32 = u32::MAX;

/// A token with a key or two that several regions have.
struct Regions {
    world: World,
    others: Vec<Emulator>,
}

/// A P-256 key of the token.
struct Key {
    handle: CK_OBJECT_HANDLE,
    /// DER of its SPKI.
    public: Vec<u8>,
}

/// What became of a signature, and how long it took.
type Attempt = (Rv<Signed>, Duration);

impl Regions {
    /// A token of the first of so many regions.
    fn start(count: usize, settings: &str) -> Self {
        let mut others = Emulator::start_regions(&NAMES[..count]).unwrap();
        let home = others.remove(0);
        let names = &NAMES[1..count];
        let endpoints = names
            .iter()
            .zip(&others)
            .map(|(name, emulator)| format!("{name} = \"{}\"", emulator.endpoint()));
        let replicas = format!(
            "replica_regions = {names:?}\nreplica_endpoints = {{ {} }}\ndiscovery = \"list-keys\"\n{settings}\n",
            endpoints.collect::<Vec<_>>().join(", ")
        );
        let world = World::over(home, &[&replicas]);
        Self { world, others }
    }

    fn at(&self, region: usize) -> &Emulator {
        match region {
            HOME => &self.world.emulator,
            other => &self.others[other - 1],
        }
    }

    fn session(&self) -> Session<'_> {
        self.world.module.session()
    }

    /// Makes a key at home, with replicas in these regions; answers its key id.
    fn create(&self, spec: &str, usage: &str, name: &str, replicas: &[usize]) -> String {
        let tags: [_; 2] = [("p11:label", name), ("p11:id", "01")]
            .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }));
        let home = self.at(HOME);
        let new = json!({ "KeySpec": spec, "KeyUsage": usage, "MultiRegion": true, "Tags": tags });
        let key_id = ask(home, "CreateKey", &new)["KeyMetadata"]["KeyId"].clone();
        for replica in replicas {
            let request = json!({ "KeyId": key_id, "ReplicaRegion": NAMES[*replica] });
            ask(home, "ReplicateKey", &request);
        }
        key_id.as_str().unwrap().to_owned()
    }

    /// The same for a P-256 key that the token has found.
    fn p256(&self, name: &str, replicas: &[usize]) -> Key {
        let key_id = self.create("ECC_NIST_P256", "SIGN_VERIFY", name, replicas);
        self.found(name, &key_id)
    }

    fn found(&self, name: &str, key_id: &str) -> Key {
        let key = ask(self.at(HOME), "GetPublicKey", &json!({ "KeyId": key_id }));
        let public = Base64::decode_vec(key["PublicKey"].as_str().unwrap()).unwrap();
        let handle = self.session().find_one(&[private_keys(), label(name)]);
        Key { handle, public }
    }

    /// Two of them, the first with fewer replicas.
    fn pair(&self, first: &[usize], second: &[usize]) -> [Key; 2] {
        let keys = [("first", first), ("second", second)].map(|(name, replicas)| {
            let key_id = self.create("ECC_NIST_P256", "SIGN_VERIFY", name, replicas);
            (name, key_id)
        });
        keys.map(|(name, key_id)| self.found(name, &key_id))
    }

    fn lose(&self, region: usize) {
        self.at(region).set_reachable(false);
    }

    /// The next `count` requests of `operation` in a region meet this error.
    fn fail(&self, region: usize, operation: &str, code: &str, message: &str, count: u32) {
        let effect = Effect::Error {
            code: code.to_owned(),
            message: message.to_owned(),
            status: 400,
        };
        self.meet(region, operation, effect, count);
    }

    fn meet(&self, region: usize, operation: &str, effect: Effect, count: u32) {
        let fault = Fault::once(operation, effect).times(count);
        self.at(region).fault(fault);
    }

    /// How often a region was asked for something.
    fn asked(&self, region: usize, operation: &str) -> u64 {
        self.at(region).calls().of(operation)
    }

    /// So many signatures by each of so many threads.
    fn sign(&self, key: &Key, threads: u32, each: u32) -> Vec<Attempt> {
        let sign = |thread: u32| {
            let session = self.session();
            let attempt = move |number: u32| {
                let mut digest = [0; 32];
                digest[..4].copy_from_slice(&thread.to_be_bytes());
                digest[4..8].copy_from_slice(&number.to_be_bytes());
                let begun = Instant::now();
                let signature = session.sign(CKM_ECDSA, key.handle, &digest);
                (signature.map(|made| (digest, made)), begun.elapsed())
            };
            (0..each).map(attempt).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let sign = &sign;
            let threads: Vec<_> = (0..threads)
                .map(|thread| scope.spawn(move || sign(thread)))
                .collect();
            let made = threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap());
            made.collect()
        })
    }

    /// One signature, which is not verified.
    fn sign_once(&self, key: &Key) -> Rv<()> {
        self.session()
            .sign(CKM_ECDSA, key.handle, &[7; 32])
            .map(drop)
    }

    /// Verifies that each attempt made a signature, and leaves a row in the report.
    #[track_caller]
    fn assert_all_signed(&self, row: &str, key: &Key, attempts: Vec<Attempt>, took: Duration) {
        let (results, times): (Vec<_>, Vec<_>) = attempts.into_iter().unzip();
        let all = results.len();
        let failed: Vec<_> = results
            .iter()
            .filter_map(|one| one.as_ref().err())
            .collect();
        assert!(
            failed.is_empty(),
            "{} of {all} failed: {:#x?}\n{}",
            failed.len(),
            failed[0],
            self.warnings()
        );
        let signed: Vec<Signed> = results.into_iter().flatten().collect();
        assert_ecdsa(&key.public, &signed);
        let longest = times.into_iter().max().unwrap();
        reliability::record(
            "regions",
            row,
            &[
                ("regions lost", "1".to_owned()),
                ("signatures", all.to_string()),
                ("failed", "0".to_owned()),
                ("verified", signed.len().to_string()),
                ("longest", format!("{:.1} s", longest.as_secs_f64())),
                ("duration", format!("{:.0} s", took.as_secs_f64())),
            ],
        );
    }

    /// The lines of the log that tell of something wrong.
    fn warnings(&self) -> String {
        let log = self.world.log();
        let told = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        log.lines()
            .filter(told)
            .take(50)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// How many warnings contain these words.
    fn warned(&self, words: &str) -> usize {
        let log = self.world.log();
        let told = |line: &&str| line.contains(" WARN ") && line.contains(words);
        log.lines().filter(told).count()
    }
}

#[test]
fn who_is_too_many_for_the_region_that_is_left_waits_for_its_turn_there() {
    let regions = Regions::start(2, "rates = { ecc = 20 }");
    let key = regions.p256("key", &[NEAR]);
    regions.sign_once(&key).unwrap();
    regions.lose(HOME);
    let begun = Instant::now();
    let attempts = regions.sign(&key, 40, 3);
    let row = "40 threads, 20 signatures a second in the region that is left";
    regions.assert_all_signed(row, &key, attempts, begun.elapsed());
    assert_eq!(regions.asked(NEAR, "Sign"), 120);
}

#[test]
fn throttling_by_the_region_that_is_left_slows_down_and_refuses_nobody() {
    let regions = Regions::start(2, "");
    let key = regions.p256("key", &[NEAR]);
    regions.sign_once(&key).unwrap();
    regions.lose(HOME);
    regions.fail(NEAR, "Sign", "ThrottlingException", "Rate exceeded", 150);
    let begun = Instant::now();
    let attempts = regions.sign(&key, 32, 20);
    let row = "150 answers of the region that is left throttle";
    regions.assert_all_signed(row, &key, attempts, begun.elapsed());
    assert_eq!(regions.asked(NEAR, "Sign"), 640 + 150);
}

#[test]
fn throttling_until_the_deadline_is_said_to_be_throttling_and_refuses_nobody_else() {
    let regions = Regions::start(2, "deadline = 2");
    let [key, other] = regions.pair(&[NEAR], &[NEAR]);
    regions.lose(HOME);
    regions.fail(NEAR, "Sign", "ThrottlingException", "Rate exceeded", ALWAYS);
    let begun = Instant::now();
    assert_eq!(regions.sign_once(&key), Err(CKR_TOKEN_RESOURCE_EXCEEDED));
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_millis(2400),
        "{took:?}"
    );
    assert_eq!(
        regions.warned("send fewer requests a second, or have the AWS request quota raised"),
        1,
        "{}",
        regions.warnings()
    );
    regions.at(NEAR).clear_faults();
    assert_eq!(regions.sign_once(&other), Ok(()));
}

#[test]
fn a_turn_after_the_deadline_is_refused_at_once_where_no_other_region_is_left() {
    let regions = Regions::start(2, "rates = { ecc = 1 }\ndeadline = 0.5");
    let key = regions.p256("key", &[NEAR]);
    regions.lose(HOME);
    regions.sign_once(&key).unwrap();
    let begun = Instant::now();
    assert_eq!(regions.sign_once(&key), Err(CKR_TOKEN_RESOURCE_EXCEEDED));
    assert!(begun.elapsed() < Duration::from_millis(400));
    assert_eq!(regions.asked(NEAR, "Sign"), 1);
    thread::sleep(Duration::from_secs(1));
    assert_eq!(regions.sign_once(&key), Ok(()));
}

#[test]
fn a_key_that_no_living_region_has_does_not_refuse_those_that_one_has() {
    for count in [2, 3] {
        let regions = Regions::start(count, "retries = 0");
        let living = count - 1;
        let everywhere: Vec<usize> = (1..count).collect();
        let [lonely, key] = regions.pair(&everywhere[..living - 1], &everywhere);
        (0..living).for_each(|region| regions.lose(region));
        assert_eq!(regions.sign_once(&lonely), Err(CKR_DEVICE_ERROR));
        assert_eq!(regions.sign_once(&key), Ok(()), "{}", regions.warnings());
        assert_eq!(regions.sign_once(&lonely), Err(CKR_DEVICE_ERROR));
        assert_eq!(regions.sign_once(&key), Ok(()), "{}", regions.warnings());
        regions.world.module.finalize().unwrap();
    }
}

#[test]
fn a_call_that_runs_out_of_its_own_time_is_held_against_no_region() {
    let regions = Regions::start(2, "deadline = 3");
    let key = regions.p256("key", &[NEAR]);
    for region in [HOME, NEAR] {
        regions.meet(
            region,
            "GenerateRandom",
            Effect::Latency { ms: 100 },
            ALWAYS,
        );
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let signed = scope.spawn(|| {
            let mut made = 0;
            while !is_over.load(Ordering::Relaxed) {
                if regions.sign_once(&key).is_err() {
                    return Err(made);
                }
                made += 1;
                thread::sleep(Duration::from_millis(5));
            }
            Ok(made)
        });
        // 8192 requests of 0.1 s, 16 of them at a time at most.
        let mut bytes = vec![0; 8 << 20];
        let session = regions.session();
        let random = ok(call!(
            session.module,
            C_GenerateRandom,
            session.handle,
            bytes.as_mut_ptr(),
            bytes.len() as CK_ULONG
        ));
        thread::sleep(Duration::from_millis(300));
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(random, Err(CKR_DEVICE_ERROR));
        let signed = signed.join().unwrap();
        assert!(
            signed.is_ok_and(|made| made > 50),
            "{signed:?} {}",
            regions.warnings()
        );
    });
    assert_eq!(
        regions.warned("fails; multi-Region keys"),
        0,
        "{}",
        regions.warnings()
    );
}

#[test]
fn a_listing_that_runs_out_of_its_time_is_held_against_no_region() {
    let regions = Regions::start(2, "listing_deadline = 4\nconcurrency = 4");
    let new = NewKeys::new(100, "ECC_NIST_P256", "SIGN_VERIFY").multi_region();
    regions.world.create_keys(&new.tag("p11:label", "key {n}"));
    for region in [HOME, NEAR] {
        regions.meet(region, "GetPublicKey", Effect::Latency { ms: 400 }, ALWAYS);
    }
    let session = regions.session();
    // Whatever a listing answers that could not be finished.
    let _ = session.find(&[private_keys()]);
    let asked = regions.asked(HOME, "GetPublicKey");
    assert!((4..100).contains(&asked), "{asked}");
    let random = || {
        let mut byte = 0;
        ok(call!(
            session.module,
            C_GenerateRandom,
            session.handle,
            ptr::from_mut(&mut byte),
            1
        ))
    };
    assert_eq!(random(), Ok(()), "{}", regions.warnings());
    assert_eq!(
        regions.warned("fails; multi-Region keys"),
        0,
        "{}",
        regions.warnings()
    );
    assert_eq!(regions.asked(HOME, "GenerateRandom"), 1);
}

#[test]
fn a_clock_that_is_wrong_costs_one_request_more_in_the_region_that_is_left() {
    for seconds in [600, -600] {
        let regions = Regions::start(2, "");
        let key = regions.p256("key", &[NEAR]);
        for region in [HOME, NEAR] {
            regions.meet(region, "*", Effect::ClockSkew { seconds }, ALWAYS);
        }
        regions.sign_once(&key).unwrap();
        regions.lose(HOME);
        for _ in 0..20 {
            assert_eq!(regions.sign_once(&key), Ok(()), "{}", regions.warnings());
        }
        assert_eq!(regions.asked(NEAR, "Sign"), 20 + 1, "{seconds}");
        regions.world.module.finalize().unwrap();
    }
}

#[test]
fn credentials_that_a_region_refuses_are_no_fact_about_a_key() {
    let regions = Regions::start(2, "");
    let key = regions.p256("key", &[NEAR]);
    regions.sign_once(&key).unwrap();
    regions.lose(HOME);
    regions.fail(
        NEAR,
        "Sign",
        "UnrecognizedClientException",
        "not known yet",
        1,
    );
    assert_eq!(regions.sign_once(&key), Err(CKR_DEVICE_ERROR));
    assert_eq!(regions.sign_once(&key), Ok(()), "{}", regions.warnings());
}

#[test]
fn what_a_key_may_not_do_in_a_region_keeps_nothing_else_from_it() {
    let regions = Regions::start(2, "");
    let denied = |action: &str| format!("User is not authorized to perform: kms:{action}");
    // Home has its key read by another, which may not.
    regions.meet(HOME, "GetPublicKey", Effect::ResetBefore, 4);
    let message = denied("GetPublicKey");
    regions.fail(
        NEAR,
        "GetPublicKey",
        "AccessDeniedException",
        &message,
        ALWAYS,
    );
    regions.create("ECC_NIST_P256", "SIGN_VERIFY", "key", &[NEAR]);
    let mut found = Vec::new();
    let begun = Instant::now();
    while found.is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{}",
            regions.warnings()
        );
        found = regions
            .session()
            .find(&[private_keys()])
            .unwrap_or_default();
        thread::sleep(Duration::from_millis(200));
    }
    assert!(regions.asked(NEAR, "GetPublicKey") > 0);
    regions.lose(HOME);
    let signed = regions.session().sign(CKM_ECDSA, found[0], &[7; 32]);
    assert!(signed.is_ok(), "{signed:x?} {}", regions.warnings());
    regions.sign_denied_once(found[0]);
}

impl Regions {
    /// What may not be done is not asked for again.
    fn sign_denied_once(&self, key: CK_OBJECT_HANDLE) {
        self.fail(NEAR, "Sign", "AccessDeniedException", "kms:Sign", ALWAYS);
        let before = self.asked(NEAR, "Sign");
        for _ in 0..5 {
            let signed = self.session().sign(CKM_ECDSA, key, &[7; 32]);
            assert_eq!(signed, Err(CKR_DEVICE_ERROR));
        }
        assert_eq!(self.asked(NEAR, "Sign"), before + 1);
    }
}

#[test]
fn a_ciphertext_that_cannot_be_moved_says_nothing_of_the_key_that_it_was_to_be_moved_to() {
    let regions = Regions::start(2, "");
    let ids = ["source", "key"]
        .map(|name| regions.create("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", name, &[NEAR]));
    let [source, key] = ["source", "key"].map(|name| regions.session().find_one(&[label(name)]));
    let session = regions.session();
    let blob = session
        .encrypt_kms(symmetric(0, None), source, b"data")
        .unwrap();
    regions.lose(HOME);
    let denied = |action: &str, key: &str| {
        let message = format!(
            "User is not authorized to perform: kms:{action} on resource: \
             arn:aws:kms:eu-west-1:111122223333:key/{key}"
        );
        regions.fail(NEAR, "ReEncrypt", "AccessDeniedException", &message, 1);
    };
    let move_it = || session.encrypt_kms(reencrypt(source, None, None), key, &blob);
    denied("ReEncryptFrom", &ids[0]);
    assert_eq!(move_it(), Err(CKR_DEVICE_ERROR));
    let encrypt = || session.encrypt_kms(symmetric(0, None), key, b"data");
    assert!(encrypt().is_ok(), "{}", regions.warnings());
    assert!(move_it().is_ok(), "{}", regions.warnings());
    // Of the destination it says that this one operation is not permitted.
    denied("ReEncryptTo", &ids[1]);
    assert_eq!(move_it(), Err(CKR_DEVICE_ERROR));
    let asked = regions.asked(NEAR, "ReEncrypt");
    assert_eq!(move_it(), Err(CKR_DEVICE_ERROR));
    assert_eq!(regions.asked(NEAR, "ReEncrypt"), asked);
    assert!(encrypt().is_ok(), "{}", regions.warnings());
}

#[test]
fn a_region_that_is_slower_than_another_is_left_once_and_used_again_when_it_is_not() {
    let regions = Regions::start(2, "hedge_after = 0.1");
    let key = regions.p256("key", &[NEAR]);
    regions.sign_once(&key).unwrap();
    regions.meet(HOME, "Sign", Effect::Latency { ms: 300 }, ALWAYS);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        regions.sign_once(&key).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    // Three times another region was first, and then there were copies after 0.5 s, 1 s, 2 s and 4 s.
    let asked = regions.asked(HOME, "Sign");
    assert!((1 + 3 + 2..=1 + 3 + 4).contains(&asked), "{asked}");
    let warnings = regions.warnings();
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    assert!(warnings.contains("region us-east-1 is slow"), "{warnings}");
    regions.at(HOME).clear_faults();
    let begun = Instant::now();
    loop {
        let before = regions.asked(NEAR, "Sign");
        regions.sign_once(&key).unwrap();
        if regions.asked(NEAR, "Sign") == before {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "it is not used again"
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(regions.warned("region us-east-1 is fast again"), 1);
}

#[test]
fn what_is_none_of_kms_in_a_region_gets_a_copy_now_and_then() {
    let regions = Regions::start(2, "");
    let key = regions.p256("key", &[NEAR]);
    regions.lose(HOME);
    regions.sign_once(&key).unwrap();
    let page = Effect::Page {
        status: 403,
        processed: false,
    };
    regions.meet(HOME, "Sign", page, ALWAYS);
    regions.at(HOME).set_reachable(true);
    let begun = Instant::now();
    for _ in 0..90 {
        regions.sign_once(&key).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    // The pause stays as it was, since nothing shows that the region is down: 0.5 s or 1 s.
    let most = 1.0 + begun.elapsed().as_secs_f64() / 0.5;
    let copies = regions.asked(HOME, "Sign");
    assert!(copies >= 1, "nobody looked");
    assert!(
        f64::from(u32::try_from(copies).unwrap()) <= most,
        "{copies} copies"
    );
}

#[test]
fn a_key_is_not_destroyed_while_a_replica_is_neither_usable_nor_about_to_be_deleted() {
    let regions = Regions::start(2, "");
    let key_id = regions.create("ECC_NIST_P256", "SIGN_VERIFY", "key", &[NEAR]);
    let key = regions.session().find_one(&[private_keys(), id([1])]);
    let state = |region: usize| {
        let described = ask(
            regions.at(region),
            "DescribeKey",
            &json!({ "KeyId": key_id }),
        );
        described["KeyMetadata"]["KeyState"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let message = "the replica is Updating";
    regions.fail(
        NEAR,
        "ScheduleKeyDeletion",
        "KMSInvalidStateException",
        message,
        1,
    );
    assert_eq!(regions.session().destroy(key), Err(CKR_ACTION_PROHIBITED));
    assert_eq!([HOME, NEAR].map(state), ["Enabled", "Enabled"]);
    regions.fail(NEAR, "TagResource", "KMSInvalidStateException", message, 1);
    let renamed = regions.session().set(key, &[label("new")]);
    assert_eq!(renamed, Err(CKR_ACTION_PROHIBITED));
    regions.session().destroy(key).unwrap();
    let scheduled = ["PendingReplicaDeletion", "PendingDeletion"];
    assert_eq!([HOME, NEAR].map(state), scheduled);
}

#[test]
fn a_replica_that_is_about_to_be_deleted_or_may_not_be_looked_at_keeps_no_key_from_being_destroyed()
{
    for is_permitted in [true, false] {
        let regions = Regions::start(2, "");
        let key_id = regions.create("ECC_NIST_P256", "SIGN_VERIFY", "key", &[NEAR]);
        let key = regions.session().find_one(&[private_keys(), id([1])]);
        let schedule = json!({ "KeyId": key_id, "PendingWindowInDays": 7 });
        ask(regions.at(NEAR), "ScheduleKeyDeletion", &schedule);
        if !is_permitted {
            let message = "not authorized to perform: kms:DescribeKey";
            regions.fail(
                NEAR,
                "DescribeKey",
                "AccessDeniedException",
                message,
                ALWAYS,
            );
        }
        regions.session().destroy(key).unwrap();
        let told = regions.warned("may stay when the key in the token's own region is gone");
        assert_eq!(told, usize::from(!is_permitted), "{}", regions.warnings());
        regions.world.module.finalize().unwrap();
    }
}
