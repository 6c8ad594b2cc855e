//! Requests for multi-Region keys while regions fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::canned::{Canned, Reply, signature};
use super::{key, kms, settings};
use crate::kms::aws::settings::Replica;
use crate::kms::{
    AwsKms, AwsSettings, Course, KeyEntry, Kms, KmsError, KmsErrorKind as Kind, MessageType,
    SigningAlgorithm, Stage,
};

const REPLICAS: [&str; 2] = ["eu-central-1", "us-east-1"];
/// What no caller waits for here, unless it has to: of a region that hangs.
const ATTEMPT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(20);

/// Three regions, each of which can be made to fail.
struct World {
    servers: [Canned; 3],
    fail: [Arc<Failing>; 3],
}

#[derive(Default)]
struct Failing {
    hangs: AtomicBool,
    closes: AtomicBool,
    says: parking_lot::Mutex<Option<&'static str>>,
}

impl World {
    fn new() -> Self {
        let fail: [Arc<Failing>; 3] = std::array::from_fn(|_| Arc::default());
        let servers = fail.each_ref().map(|fail| {
            let fail = Arc::clone(fail);
            Canned::new(move |request, _| match *fail.says.lock() {
                Some(code) => Reply::error(code),
                None if fail.hangs.load(Ordering::SeqCst) => Reply::Hang,
                None if fail.closes.load(Ordering::SeqCst) => Reply::Close,
                None => Reply::Json(200, signature(&request.body)),
            })
        });
        Self { servers, fail }
    }

    fn kms(&self) -> AwsKms {
        kms(self.settings())
    }

    fn settings(&self) -> AwsSettings {
        let replica = |(region, server): (&&str, &Canned)| Replica {
            region: (*region).to_owned(),
            endpoint: Some(server.endpoint().to_owned()),
        };
        AwsSettings {
            replicas: REPLICAS
                .iter()
                .zip(&self.servers[1..])
                .map(replica)
                .collect(),
            deadline: Duration::from_secs(10),
            // A client is built in that time, too, on a machine that has other things to do.
            attempt_timeout: Duration::from_secs(3),
            retries: 1,
            ..settings(self.servers[0].endpoint())
        }
    }

    fn say(&self, region: usize, code: &'static str) {
        *self.fail[region].says.lock() = Some(code);
    }

    fn hang(&self, region: usize, hangs: bool) {
        self.fail[region].hangs.store(hangs, Ordering::SeqCst);
    }

    fn close(&self, region: usize, closes: bool) {
        self.fail[region].closes.store(closes, Ordering::SeqCst);
    }

    /// Signatures that each region was asked for.
    fn asked(&self) -> [usize; 3] {
        self.servers.each_ref().map(|server| server.count("Sign"))
    }
}

fn mrk(number: u32) -> KeyEntry {
    let key_id = format!("mrk-{number:032x}");
    KeyEntry {
        arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
        key_id,
    }
}

fn sign(kms: &AwsKms, key: &KeyEntry) -> Result<Vec<u8>, KmsError> {
    let algorithm = SigningAlgorithm::EcdsaSha256;
    kms.sign(key, algorithm, MessageType::Digest, &[7; 32])
}

#[test]
fn a_region_that_fails_is_asked_once_and_the_next_one_by_the_name_that_the_key_has_there() {
    let world = World::new();
    let kms = world.kms();
    sign(&kms, &mrk(1)).unwrap();
    assert_eq!(world.asked(), [1, 0, 0]);
    world.close(0, true);
    let begun = Instant::now();
    for _ in 0..5 {
        sign(&kms, &mrk(1)).unwrap();
    }
    let [home, replica, last] = world.asked();
    // The copies that look whether it is back come after 0.5 s, 1.5 s and so on.
    let probes = home - 2;
    assert!(
        begun.elapsed().as_secs_f64() / 0.5 + 1.0 > f64::from(1 << probes),
        "{probes}"
    );
    assert_eq!((replica, last), (5, 0));
    let there = &world.servers[1].requests()[0].body["KeyId"];
    assert_eq!(
        *there,
        Value::from(mrk(1).arn.replace("eu-west-1", "eu-central-1"))
    );
}

#[test]
fn a_key_that_is_in_one_region_alone_never_leaves_it() {
    let world = World::new();
    let kms = world.kms();
    world.close(0, true);
    let error = sign(&kms, &key(1)).unwrap_err();
    assert_eq!(error.kind, Kind::Network);
    assert_eq!(world.asked(), [2, 0, 0], "repeated where it is");
    let kms = super::kms(AwsSettings {
        failover: false,
        ..world.settings()
    });
    sign(&kms, &mrk(1)).unwrap_err();
    assert_eq!(world.asked(), [4, 0, 0], "not wanted");
}

#[test]
fn what_kms_says_of_the_key_is_the_answer_and_what_it_says_of_itself_is_not() {
    for (code, kind) in [
        ("AccessDeniedException", Kind::AccessDenied),
        ("DisabledException", Kind::Disabled),
        ("NotFoundException", Kind::NotFound),
        ("ValidationException", Kind::Validation),
    ] {
        let world = World::new();
        world.say(0, code);
        let error = sign(&world.kms(), &mrk(1)).unwrap_err();
        assert_eq!((error.kind, world.asked()), (kind, [1, 0, 0]));
    }
    for code in [
        "ThrottlingException",
        "KMSInternalException",
        "DependencyTimeoutException",
        "KeyUnavailableException",
        "ServiceUnavailable",
    ] {
        let world = World::new();
        world.say(0, code);
        sign(&world.kms(), &mrk(1)).unwrap();
        assert_eq!(world.asked(), [1, 1, 0], "{code}");
    }
}

#[test]
fn a_key_without_a_replica_somewhere_is_asked_for_there_once_and_does_not_disturb_others() {
    let world = World::new();
    let kms = world.kms();
    world.close(0, true);
    world.say(1, "NotFoundException");
    for _ in 0..3 {
        sign(&kms, &mrk(1)).unwrap();
    }
    assert_eq!(world.asked()[1..], [1, 3]);
    *world.fail[1].says.lock() = None;
    sign(&kms, &mrk(2)).unwrap();
    assert_eq!(world.asked()[1..], [2, 3], "the other key is there");
}

#[test]
fn a_key_that_no_other_region_has_is_asked_for_at_home_as_often_as_ever() {
    let world = World::new();
    let kms = world.kms();
    world.say(1, "NotFoundException");
    world.say(2, "AccessDeniedException");
    world.close(0, true);
    let error = sign(&kms, &mrk(1)).unwrap_err();
    assert_eq!(error.kind, Kind::Network, "{error}");
    // Once in the first round, in which the others said no, and with one retry after that.
    assert_eq!(world.asked(), [3, 1, 1]);
    world.close(0, false);
    sign(&kms, &mrk(1)).unwrap();
}

#[test]
fn a_region_that_hangs_costs_one_slower_call_and_is_used_again_when_it_is_back() {
    let world = World::new();
    let kms = kms(AwsSettings {
        attempt_timeout: ATTEMPT,
        ..world.settings()
    });
    world.hang(0, true);
    let timed = || {
        let begun = Instant::now();
        sign(&kms, &mrk(1)).unwrap();
        begun.elapsed()
    };
    assert!(timed() >= ATTEMPT);
    // The looks at it are nobody's to wait for: those who do not wait are many more than those who look.
    let begun = Instant::now();
    let mut slow = 0;
    while begun.elapsed() < 4 * ATTEMPT {
        slow += usize::from(timed() >= ATTEMPT);
    }
    assert_eq!(slow, 0);
    assert!(world.asked()[0] >= 2, "nobody looked");
    world.hang(0, false);
    let begun = Instant::now();
    loop {
        let before = world.asked();
        timed();
        let after = world.asked();
        if after[1] == before[1] {
            break;
        }
        assert!(begun.elapsed() < LONG, "it is not used again");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn when_no_region_answers_the_token_says_so_at_once_from_the_second_call_on() {
    let world = World::new();
    let kms = world.kms();
    (0..3).for_each(|region| world.close(region, true));
    let error = sign(&kms, &mrk(1)).unwrap_err();
    assert_eq!(error.kind, Kind::Network);
    assert!(
        error
            .message
            .contains("nor could other regions help: eu-central-1: "),
        "{error}"
    );
    assert_eq!(world.asked(), [2, 2, 2]);
    let error = sign(&kms, &mrk(2)).unwrap_err();
    assert!(
        error.course == Course::Unsent && error.message.contains("no region answers"),
        "{error}"
    );
    assert_eq!(world.asked(), [2, 2, 2]);
    world.close(2, false);
    let begun = Instant::now();
    while sign(&kms, &mrk(1)).is_err() {
        assert!(begun.elapsed() < LONG, "it stays down");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_key_is_read_in_another_region_too() {
    let world = World::new();
    world.close(0, true);
    let answers = world.kms().read_keys(&[mrk(1)], Stage::Listing);
    assert_eq!(answers.len(), 1);
    // The server answers a signature in place of a public key.
    assert_eq!(answers[0].as_ref().unwrap_err().kind, Kind::BadAnswer);
    assert_eq!(world.servers[1].count("GetPublicKey"), 1);
}

#[test]
fn a_slow_answer_is_overtaken_by_that_of_another_region() {
    let world = World::new();
    let kms = kms(AwsSettings {
        hedge_after: Some(Duration::from_millis(300)),
        attempt_timeout: Duration::from_secs(8),
        deadline: Duration::from_secs(30),
        ..world.settings()
    });
    sign(&kms, &mrk(1)).unwrap();
    world.hang(0, true);
    let [before, ..] = world.asked();
    let begun = Instant::now();
    for _ in 0..20 {
        sign(&kms, &mrk(1)).unwrap();
    }
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "somebody waited for an attempt"
    );
    // After three losses in a row it is left alone, but for the copies.
    let [home, ..] = world.asked();
    assert!((before + 3..before + 9).contains(&home), "{home}");
}
