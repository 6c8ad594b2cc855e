//! No call takes longer than its deadlines, however many requests it needs and whatever is slow about them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{flag, id, label, private_keys, ulong};
use common_p11::kms::{CKA_KMS_AUTOMATIC_ROTATIONS, CKA_KMS_ROTATION_ENABLED};
use common_p11::{Attr, Rv, World};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};

const DEADLINE: Duration = Duration::from_secs(2);
/// Nearly the whole of a deadline.
const SLOW: u64 = 1700;
/// What a busy machine may add, less than one more slow request.
const SLACK: Duration = Duration::from_millis(1400);

/// All deadlines are the same here; what is slow is no failure.
const SETTINGS: &str =
    "deadline = 2\nlisting_deadline = 2\nkey_ready_timeout = 2\nattempt_timeout = 10\n";

#[test]
fn finding_keys_takes_no_longer_than_the_deadline_of_a_listing_whatever_is_slow_about_it() {
    let world = World::with(SETTINGS);
    world.create_keys(&NewKeys::new(3, "ECC_NIST_P256", "SIGN_VERIFY"));
    let find = || world.module.session().find(&[private_keys()]).map(drop);
    for slow in [
        &[
            "ListKeys",
            "ListResourceTags",
            "ListAliases",
            "GetPublicKey",
        ][..],
        &["ListResourceTags", "GetPublicKey"],
    ] {
        world.restart();
        world.slow(slow);
        timed(DEADLINE, find).unwrap_or_default();
    }
    world.emulator.clear_faults();
    world.restart();
    find().unwrap();
}

#[test]
fn a_thread_waits_for_the_listing_of_another_no_longer_than_for_its_own() {
    let world = World::with(SETTINGS);
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"));
    world
        .emulator
        .fault(Fault::once("ListKeys", Effect::Hang).times(100));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let find = || world.module.session().find(&[private_keys()]);
                assert_eq!(timed(DEADLINE, find), Err(CKR_DEVICE_ERROR));
            });
        }
    });
}

#[test]
fn keys_that_the_configuration_lists_share_the_time_of_the_listing() {
    let emulator = kms_emulator::Emulator::start(kms_emulator::Options::default()).unwrap();
    let keys = emulator
        .create_keys(&NewKeys::new(4, "ECC_NIST_P256", "SIGN_VERIFY"))
        .unwrap();
    let keys: Vec<_> = keys.into_iter().map(|key| key.key_id).collect();
    let world = World::over(emulator, &[&format!("{SETTINGS}keys = {keys:?}")]);
    world.slow(&["DescribeKey"]);
    let find = || world.module.session().find(&[private_keys()]);
    assert_eq!(timed(DEADLINE, find), Err(CKR_DEVICE_ERROR));
}

#[test]
fn attributes_that_need_two_answers_share_the_deadline() {
    let world = World::with(SETTINGS);
    let session = world.module.session();
    let key = session.generate_symmetric("key").unwrap();
    world.slow(&["GetKeyRotationStatus", "ListKeyRotations"]);
    let read = || {
        let mut values = [[0u8; 8]; 2];
        let types = [CKA_KMS_ROTATION_ENABLED, CKA_KMS_AUTOMATIC_ROTATIONS];
        let mut template: Vec<_> = types
            .iter()
            .zip(&mut values)
            .map(|(type_, value)| CK_ATTRIBUTE {
                type_: *type_,
                pValue: value.as_mut_ptr().cast(),
                ulValueLen: 8,
            })
            .collect();
        common_p11::ok(session.get_raw(key, &mut template))
    };
    assert_eq!(timed(DEADLINE, read), Err(CKR_DEVICE_ERROR));
}

#[test]
fn all_that_an_import_asks_for_after_the_key_is_made_shares_the_time_for_new_keys() {
    let world = World::with(SETTINGS);
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    world.slow(&["GetParametersForImport", "ImportKeyMaterial", "DescribeKey"]);
    let import = || session.create(&secret("imported")).map(drop);
    // And one more for the key that is left over.
    assert_eq!(timed(2 * DEADLINE, import), Err(CKR_DEVICE_ERROR));
    world.emulator.clear_faults();
}

#[test]
fn every_other_call_that_asks_kms_ends_with_its_deadline_when_nobody_answers() {
    let world = World::with(SETTINGS);
    let session = world.module.session();
    let (_, private) = session.generate_p256([1], "key").unwrap();
    let calls: [(&str, Duration, Call<'_>); 3] = [
        ("TagResource", DEADLINE, &|| {
            session.set(private, &[label("new")])
        }),
        // It is looked for, and then waited for.
        ("CreateKey", 3 * DEADLINE, &|| {
            session.generate_p256([2], "other").map(drop)
        }),
        ("ScheduleKeyDeletion", DEADLINE, &|| {
            session.destroy(private)
        }),
    ];
    for (operation, most, call) in calls {
        world
            .emulator
            .fault(Fault::once(operation, Effect::Hang).times(100));
        assert_eq!(timed(most, call), Err(CKR_DEVICE_ERROR), "{operation}");
        world.emulator.clear_faults();
    }
}

type Call<'a> = &'a dyn Fn() -> Rv<()>;

fn secret(name: &str) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        id([9]),
        label(name),
        common_p11::attribute::bytes(CKA_VALUE, [7; 32]),
    ]
}

#[track_caller]
fn timed<T>(most: Duration, call: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let answer = call();
    let took = begun.elapsed();
    assert!(took < most + SLACK, "{took:?} of {most:?}");
    answer
}

impl World {
    /// Has every request of these operations wait for nearly a whole deadline.
    fn slow(&self, operations: &[&str]) {
        self.emulator.clear_faults();
        for operation in operations {
            let slow = Effect::Latency { ms: SLOW };
            self.emulator
                .fault(Fault::once(*operation, slow).times(1000));
        }
    }
}
