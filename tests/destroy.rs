//! C_DestroyObject: what becomes of the objects, and of the key in KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::time::{SystemTime, UNIX_EPOCH};

use common_p11::attribute::{P256, bytes, flag, id, label, private_keys, public_keys, ulong};
use common_p11::{Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};
use serde_json::{Value, json};

#[test]
fn destroying_the_private_and_then_the_public_half_succeeds_and_both_are_gone_at_once() {
    let world = World::with("refresh_interval = 0.05\nmiss_refresh_interval = 0.001");
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    session.generate_p256([2], "other").unwrap();
    world.take_calls();
    session.destroy(private).unwrap();
    assert_eq!(session.find(&[id([1])]), Ok(Vec::new()));
    session.destroy(public).unwrap();
    assert_eq!(world.take_calls().get("ScheduleKeyDeletion"), Some(&1));

    for object in [private, public] {
        assert_eq!(session.destroy(object), Err(CKR_OBJECT_HANDLE_INVALID));
        let read = session.get(object, CKA_ID);
        assert_eq!(read, Err(CKR_OBJECT_HANDLE_INVALID));
    }
    let used = session.sign_init(CKM_ECDSA, private);
    assert_eq!(used, Err(CKR_KEY_HANDLE_INVALID));
    // Listings, which go on naming the key until the end of its window, do not bring it back.
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        for _ in 0..5 {
            assert_eq!(session.find(&[id([1])]), Ok(Vec::new()));
            assert_eq!(session.find(&[]).unwrap().len(), 2);
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
    }
}

#[test]
fn destroying_the_public_half_alone_never_touches_the_key() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    world.take_calls();
    session.destroy(public).unwrap();
    assert_eq!(session.find(&[id([1])]), Ok(vec![private]));
    assert_eq!(session.find(&[public_keys()]), Ok(Vec::new()));
    assert_eq!(session.destroy(public), Err(CKR_OBJECT_HANDLE_INVALID));
    assert_eq!(world.take_calls(), calls([]));
    session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
    session.destroy(private).unwrap();
    assert_eq!(session.find(&[]), Ok(Vec::new()));

    let (public, _) = session.generate_p256([2], "another").unwrap();
    session.destroy(public).unwrap();
    world.restart();
    let found = world.module.session().find(&[id([2])]).unwrap();
    assert_eq!(
        found.len(),
        2,
        "the public half comes back with C_Initialize"
    );
}

#[test]
fn a_key_is_deleted_after_the_configured_window() {
    for (setting, days) in [("", 30.0), ("deletion_window_days = 7", 7.0)] {
        let world = World::with(setting);
        let session = world.module.session();
        let (_, private) = session.generate_p256([1], "key").unwrap();
        let arn = arn(session, private);
        session.destroy(private).unwrap();
        let metadata = describe(&world, &arn);
        assert_eq!(metadata["KeyState"], "PendingDeletion");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let left = metadata["DeletionDate"].as_f64().unwrap() - now.as_secs_f64();
        assert!((left / 86400.0 - days).abs() < 0.01, "{left} s");
        world.module.finalize().unwrap();
    }
}

#[test]
fn a_key_may_be_disabled_in_place_of_deleted() {
    let world = World::with("on_destroy = \"disable\"");
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    let arn = arn(session, private);
    session.destroy(private).unwrap();
    session.destroy(public).unwrap();
    assert_eq!(describe(&world, &arn)["KeyState"], "Disabled");
    assert_eq!(session.find(&[]), Ok(Vec::new()));
}

#[test]
fn a_token_may_refuse_to_destroy_keys() {
    let world = World::with("on_destroy = \"refuse\"");
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    let arn = arn(session, private);
    world.take_calls();
    assert_eq!(session.get(private, CKA_DESTROYABLE), Ok(vec![0]));
    assert_eq!(session.destroy(private), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(world.take_calls(), calls([]));
    assert_eq!(describe(&world, &arn)["KeyState"], "Enabled");
    assert_eq!(session.find(&[id([1])]), Ok(vec![private, public]));
    session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
}

#[test]
fn a_key_that_is_not_to_be_destroyed_is_made_where_none_can_be() {
    let world = World::with_tokens(&["", "on_destroy = \"refuse\""]);
    let stays = [flag(CKA_TOKEN, true), flag(CKA_DESTROYABLE, false)];
    let curve = [bytes(CKA_EC_PARAMS, P256)];
    let len = [ulong(CKA_VALUE_LEN, 32)];
    for (slot, expected) in [(0, Err(CKR_TEMPLATE_INCONSISTENT)), (1, Ok(()))] {
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        let session = world.module.open(slot, flags).unwrap();
        let public = [&stays[..], &curve].concat();
        let made = session.generate(CKM_EC_KEY_PAIR_GEN, &public, &stays);
        assert_eq!(made.map(drop), expected, "slot {slot}");
        let secret = [&stays[..], &len].concat();
        let made = session.generate_key(CKM_GENERIC_SECRET_KEY_GEN, &secret);
        assert_eq!(made.map(drop), expected, "slot {slot}");
    }
}

#[test]
fn a_deletion_that_kms_refuses_leaves_the_key_where_it_is() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    world.fail("ScheduleKeyDeletion", "AccessDeniedException", 1);
    assert_eq!(session.destroy(private), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(session.find(&[id([1])]), Ok(vec![private, public]));
    session.destroy(private).unwrap();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
}

#[test]
fn a_key_that_somebody_else_deleted_is_destroyed_and_one_whose_renaming_is_refused_for_that_is_hidden()
 {
    let world = World::start();
    let keys = NewKeys::new(2, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "0{n}");
    let keys = world.create_keys(&keys);
    let session = world.module.session();
    let found = [0, 1].map(|n| session.find_one(&[private_keys(), id([n])]));
    for key in keys {
        world.ask("ScheduleKeyDeletion", &json!({ "KeyId": key }));
    }
    world.take_calls();
    assert_eq!(session.destroy(found[0]), Ok(()));
    let asked = calls([("DescribeKey", 1), ("ScheduleKeyDeletion", 1)]);
    assert_eq!(world.take_calls(), asked);
    let renamed = session.set(found[1], &[label("new")]);
    assert_eq!(renamed, Err(CKR_ACTION_PROHIBITED));
    assert_eq!(session.find(&[]), Ok(Vec::new()));
}

#[test]
fn a_deletion_that_is_repeated_because_its_answer_was_lost_succeeds() {
    let world = World::with("retries = 1");
    let session = world.module.session();
    let (_, private) = session.generate_p256([1], "key").unwrap();
    let arn = arn(session, private);
    let lost = Fault::once("ScheduleKeyDeletion", Effect::ResetAfter);
    world.emulator.fault(lost);
    world.take_calls();
    assert_eq!(session.destroy(private), Ok(()));
    let asked = calls([("DescribeKey", 1), ("ScheduleKeyDeletion", 2)]);
    assert_eq!(world.take_calls(), asked);
    assert_eq!(describe(&world, &arn)["KeyState"], "PendingDeletion");
}

fn arn(session: Session<'_>, key: CK_OBJECT_HANDLE) -> String {
    String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap()
}

fn describe(world: &World, arn: &str) -> Value {
    world.ask("DescribeKey", &json!({ "KeyId": arn }))["KeyMetadata"].clone()
}
