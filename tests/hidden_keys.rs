//! Keys that a token cannot show: each hides itself alone, says why in the log, and comes back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, label, private_keys};
use common_p11::{Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};
use serde_json::json;

/// P-256 keys with the ids 00, 01 and so on; answers their key ids.
fn create_keys(world: &World, count: usize) -> Vec<String> {
    let keys = NewKeys::new(count, "ECC_NIST_P256", "SIGN_VERIFY");
    world.create_keys(&keys.tag("p11:id", "0{n}").tag("p11:label", "key"))
}

#[test]
fn keys_that_aws_made_for_its_own_services_are_not_shown_and_do_no_harm() {
    let world = World::start();
    let of_aws = NewKeys::new(2, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").managed_by_aws();
    world.create_keys(&of_aws.tag("p11:label", "key"));
    create_keys(&world, 2);
    let session = world.module.session();
    for template in [&[][..], &[label("key")]] {
        assert_eq!(session.find(template).unwrap().len(), 4);
    }
    let asked = world.take_calls();
    assert_eq!(asked.get("GetPublicKey"), Some(&4), "{asked:?}");
    // What has no public half never gets one: nobody asks for it again.
    thread::sleep(Duration::from_secs(6));
    assert_eq!(session.find(&[]).unwrap().len(), 4);
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_key_for_key_agreement_is_shown_as_such_and_does_not_sign() {
    let world = World::start();
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "KEY_AGREEMENT"));
    let session = world.module.session();
    let key = session.find_one(&[private_keys()]);
    assert_eq!(session.get(key, CKA_DERIVE), Ok(vec![1]));
    assert_eq!(session.get(key, CKA_SIGN), Ok(vec![0]));
    let derivations = [CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE];
    let derivations = derivations.map(CK_MECHANISM_TYPE::to_ne_bytes).concat();
    assert_eq!(session.get(key, CKA_ALLOWED_MECHANISMS), Ok(derivations));
    let signs = session.sign_init(CKM_ECDSA, key);
    assert_eq!(signs, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
}

#[test]
fn disabled_keys_and_those_pending_deletion_are_hidden_and_the_log_says_why() {
    let world = World::start();
    let keys = create_keys(&world, 3);
    world.ask("DisableKey", &json!({ "KeyId": keys[0] }));
    world.ask("ScheduleKeyDeletion", &json!({ "KeyId": keys[1] }));
    let session = world.module.session();
    let shown = session.find_one(&[private_keys()]);
    assert_eq!(session.get(shown, CKA_ID), Ok(vec![2]));
    for hidden in [0, 1] {
        assert_eq!(session.find(&[id([hidden])]), Ok(Vec::new()));
    }
    for (key, reason) in [(&keys[0], "is disabled"), (&keys[1], "pending deletion")] {
        let log = world.log();
        let line = log
            .lines()
            .find(|line| line.contains("hidden") && line.contains(key.as_str()));
        assert!(line.is_some_and(|line| line.contains(reason)), "{log}");
        assert!(line.is_some_and(|line| line.contains("INFO")), "{log}");
    }
}

#[test]
fn a_key_that_is_enabled_again_is_shown_within_seconds() {
    let world = World::start();
    let keys = create_keys(&world, 2);
    world.ask("DisableKey", &json!({ "KeyId": keys[0] }));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
    world.ask("EnableKey", &json!({ "KeyId": keys[0] }));
    within_ten_seconds(|| session.find(&[private_keys()]).unwrap().len() == 2);
}

#[test]
fn a_key_that_was_disabled_since_is_hidden_once_a_signature_says_so() {
    let world = World::start();
    let keys = create_keys(&world, 1);
    let session = world.module.session();
    let key = session.find_one(&[private_keys()]);
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    world.ask("DisableKey", &json!({ "KeyId": keys[0] }));
    let refused = session.sign(CKM_ECDSA, key, &[7; 32]);
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    let at_init = session.sign_init(CKM_ECDSA, key);
    assert_eq!(at_init, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));

    world.ask("EnableKey", &json!({ "KeyId": keys[0] }));
    within_ten_seconds(|| session.find(&[private_keys()]) == Ok(vec![key]));
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

#[test]
fn a_key_that_is_forgotten_while_its_public_half_is_fetched_is_fetched_again() {
    let world = World::start();
    let keys = create_keys(&world, 1);
    let switch = |operation| world.ask(operation, &json!({ "KeyId": keys[0] }));
    let sessions = [world.module.session(), world.module.session()];
    let key = sessions[0].find_one(&[private_keys()]);
    for session in sessions {
        session.sign_init(CKM_ECDSA, key).unwrap();
    }
    // Each failed signature makes the token forget what it knew of the key.
    let forget = |session: Session<'_>| {
        switch("DisableKey");
        let refused = session.sign_into(&[7; 32], 64);
        assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
        switch("EnableKey");
    };
    forget(sessions[0]);
    let slow = Effect::Latency { ms: 500 };
    world.emulator.fault(Fault::once("GetPublicKey", slow));
    thread::scope(|scope| {
        scope.spawn(|| world.module.session().find_one(&[private_keys()]));
        thread::sleep(Duration::from_millis(150));
        forget(sessions[1]);
        assert_eq!(sessions[1].get(key, CKA_ID), Ok(vec![0]));
    });
}

#[test]
fn a_key_whose_public_half_cannot_be_read_hides_itself_alone_and_for_seconds() {
    let world = World::start();
    create_keys(&world, 3);
    world.fail("GetPublicKey", "AccessDeniedException", 1);
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 2);
    let log = world.log();
    assert!(log.contains("hidden for now"), "{log}");
    assert!(
        log.contains("kms:GetPublicKey"),
        "the permission is named: {log}"
    );
    world.take_calls();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 2);
    assert_eq!(
        world.take_calls(),
        calls([]),
        "the failure is an answer for a while"
    );
    within_ten_seconds(|| session.find(&[private_keys()]).unwrap().len() == 3);
    assert_eq!(world.take_calls(), calls([("GetPublicKey", 1)]));
}

#[test]
fn a_key_whose_tags_may_not_be_read_is_shown_under_its_key_id() {
    let world = World::start();
    let keys = create_keys(&world, 2);
    world.fail("ListResourceTags", "AccessDeniedException", 1);
    let session = world.module.session();
    let all = session.find(&[private_keys()]).unwrap();
    let mut labels: Vec<_> = all
        .iter()
        .map(|key| session.get(*key, CKA_LABEL).unwrap())
        .collect();
    labels.sort_by_key(Vec::len);
    assert_eq!(labels[0], b"key");
    assert!(keys.iter().any(|key| key.as_bytes() == labels[1]));
}

#[test]
fn a_denied_listing_of_tags_is_normal_where_tags_choose_the_keys() {
    let world = World::with("tags = { Cluster = \"one\" }");
    let key = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
    world.create_keys(&key.clone().tag("Cluster", "one"));
    world.create_keys(&key);
    world.fail("ListResourceTags", "AccessDeniedException", 1);
    let session = world.module.session();
    assert!(session.find(&[private_keys()]).unwrap().len() <= 1);
    assert!(!world.log().contains("WARN"), "{}", world.log());
}

#[test]
fn a_key_that_a_renewal_saw_before_its_tags_is_found_without_waiting_for_the_next() {
    let renewal = Duration::from_secs(3);
    let world = World::with(
        "tags = { Cluster = \"one\" }\nrefresh_interval = 3\nmiss_refresh_interval = 0.1",
    );
    let session = world.module.session();
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    let keys = create_keys(&world, 1);
    world.emulator.set_stale_reads(1);
    let tags = json!([{ "TagKey": "Cluster", "TagValue": "one" }]);
    world.ask("TagResource", &json!({ "KeyId": keys[0], "Tags": tags }));
    thread::sleep(renewal);
    world.take_calls();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    let start = Instant::now();
    within_ten_seconds(|| world.emulator.calls().of("ListResourceTags") == 1);
    within_ten_seconds(|| session.find(&[id([0])]).unwrap().len() == 2);
    assert!(start.elapsed() < renewal, "{:?}", start.elapsed());
}

#[test]
fn when_nothing_at_all_can_be_read_a_find_fails_instead_of_finding_nothing() {
    let world = World::with("retries = 0");
    create_keys(&world, 2);
    let session = world.module.session();
    for operation in ["ListKeys", "ListResourceTags", "GetPublicKey"] {
        world.fail(operation, "KMSInternalException", 2);
        assert_eq!(session.find_init(&[]), Err(CKR_DEVICE_ERROR), "{operation}");
        world.emulator.clear_faults();
    }
    within_ten_seconds(|| session.find(&[]).is_ok_and(|found| found.len() == 4));
}

#[test]
fn an_id_tag_that_means_nothing_is_told_of_once_with_its_key() {
    let world = World::start();
    let key = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "xyz");
    let key = world.create_keys(&key).remove(0);
    let session = world.module.session();
    session.find_one(&[private_keys()]);
    for n in 0..3 {
        session.generate_p256([n], "another").unwrap();
    }
    let log = world.log();
    let told = log.lines().filter(|line| line.contains("not hexadecimal"));
    let told: Vec<&str> = told.collect();
    assert!(told.len() == 1 && told[0].contains(&key), "{told:?}");
}

#[test]
fn a_find_that_misses_fails_as_long_as_the_last_look_for_new_keys_failed() {
    let world = World::with("retries = 0\nmiss_refresh_interval = 1");
    create_keys(&world, 1);
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([0])]);
    thread::sleep(Duration::from_millis(1100));
    world.fail("ListKeys", "KMSInternalException", 1);
    assert_eq!(session.find_init(&[id([1])]), Err(CKR_DEVICE_ERROR));
    world.take_calls();
    assert_eq!(session.find_init(&[id([1])]), Err(CKR_DEVICE_ERROR));
    assert_eq!(session.find_one(&[private_keys(), id([0])]), key);
    assert_eq!(world.take_calls(), calls([]));
    within_ten_seconds(|| session.find(&[id([1])]) == Ok(Vec::new()));
}

/// Negative results expire in seconds.
#[track_caller]
fn within_ten_seconds(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never is so");
        thread::sleep(Duration::from_millis(100));
    }
}
