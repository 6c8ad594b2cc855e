//! Making keys when the answer of KMS is lost, and what the configuration says of new keys.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::thread;
use std::time::Duration;

use common_p11::attribute::{flag, id, private_keys, ulong};
use common_p11::{Rv, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Fault, NewKeys};
use serde_json::json;

fn lost() -> Effect {
    Effect::ErrorAfter {
        code: "KMSInternalException".to_owned(),
        message: String::new(),
        status: 500,
    }
}

#[test]
fn a_pair_whose_creation_was_not_answered_is_adopted_as_if_nothing_had_happened() {
    for (settings, effect) in [
        ("", Effect::ResetAfter),
        ("", Effect::TruncatedBody),
        ("", lost()),
        ("deadline = 1.5", Effect::HangAfter),
        ("tags = { Cluster = \"one\" }", Effect::ResetAfter),
    ] {
        let world = World::with(settings);
        world.create_keys(&NewKeys::new(20, "ECC_NIST_P256", "SIGN_VERIFY"));
        let session = world.module.session();
        session.find(&[private_keys()]).unwrap();
        world.take_calls();
        world
            .emulator
            .fault(Fault::once("CreateKey", effect.clone()));
        let (public, private) = session.generate_p256([7], "new").unwrap();
        let counts = world.take_calls();
        let expected = calls([
            ("CreateKey", 1),
            ("GetPublicKey", 1),
            ("ListKeys", 1),
            ("ListResourceTags", 1),
        ]);
        assert_eq!(counts, expected, "{effect:?}");

        let signature = session.sign(CKM_ECDSA_SHA256, private, b"text").unwrap();
        session
            .verify(CKM_ECDSA_SHA256, public, b"text", &signature)
            .unwrap();
        assert_eq!(session.find_one(&[private_keys(), id([7])]), private);
        let keys = world.ask("ListKeys", &json!({}));
        assert_eq!(keys["Keys"].as_array().unwrap().len(), 21, "{effect:?}");
        let log = world.log();
        assert!(log.contains("the key was created all the same"), "{log}");
        world.module.finalize().unwrap();
    }
}

#[test]
fn a_pair_that_was_not_created_is_an_error_and_the_log_has_the_tag_to_look_for() {
    let world = World::with("deadline = 1");
    let session = world.module.session();
    world
        .emulator
        .fault(Fault::once("CreateKey", Effect::ResetBefore));
    assert_eq!(session.generate_p256([7], "new"), Err(CKR_DEVICE_ERROR));
    assert!(world.log().contains("p11:created = "), "{}", world.log());
    assert_eq!(world.take_calls().get("CreateKey"), Some(&1));
    session.generate_p256([7], "new").unwrap();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
}

#[test]
fn a_pair_that_does_not_become_usable_in_time_is_reported_with_its_arn() {
    let world = World::with("key_ready_timeout = 1");
    let session = world.module.session();
    world.fail("GetPublicKey", "KMSInvalidStateException", 100);
    assert!(session.generate_p256([7], "new").is_err());
    let keys = world.ask("ListKeys", &json!({}));
    let arn = keys["Keys"][0]["KeyArn"].as_str().unwrap();
    assert!(world.log().contains(arn), "{}", world.log());
}

#[test]
fn a_new_key_that_may_not_be_read_is_told_of_with_its_arn_and_the_action_and_found_later() {
    let world = World::with("miss_refresh_interval = 0.1");
    let session = world.module.session();
    let make_pair = || session.generate_p256([7], "new").map(drop);
    let make_secret = || {
        let template = [flag(CKA_TOKEN, true), ulong(CKA_VALUE_LEN, 32), id([8])];
        let made = session.generate_key(CKM_GENERIC_SECRET_KEY_GEN, &template);
        made.map(drop)
    };
    let kinds: [(&str, &dyn Fn() -> Rv<()>, _); 2] = [
        ("GetPublicKey", &make_pair, [private_keys(), id([7])]),
        (
            "DescribeKey",
            &make_secret,
            [ulong(CKA_CLASS, CKO_SECRET_KEY), id([8])],
        ),
    ];
    for (count, (operation, make, names)) in (1..).zip(kinds) {
        world.fail(operation, "AccessDeniedException", 100);
        assert_eq!(make(), Err(CKR_FUNCTION_REJECTED));
        let log = world.log();
        let is_told = |line: &&str| line.contains("the key was created and stays");
        let told: Vec<&str> = log.lines().filter(is_told).collect();
        assert_eq!(told.len(), count, "{told:#?}");
        let line = told[count - 1];
        assert!(line.contains(" WARN "), "{line}");
        for part in [
            &format!("allow the action kms:{operation} "),
            "schedule-key-deletion",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(!line.contains("within"), "{line}");

        world.emulator.clear_faults();
        thread::sleep(Duration::from_millis(200));
        let key = session.find_one(&names);
        let unique_id = String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap();
        let (arn, _) = unique_id.split_once('#').unwrap_or((&unique_id, ""));
        assert!(line.contains(arn), "{line} lacks {arn}");
    }
}

#[test]
fn a_token_makes_multi_region_keys_where_its_configuration_says_so() {
    let world = World::with("multi_region = true");
    let session = world.module.session();
    let (_, private) = session.generate_p256([7], "new").unwrap();
    let arn = String::from_utf8(session.get(private, CKA_UNIQUE_ID).unwrap()).unwrap();
    assert!(arn.contains(":key/mrk-"), "{arn}");
    session.sign(CKM_ECDSA_SHA256, private, b"text").unwrap();
}

#[test]
fn the_policy_of_a_new_key_is_read_from_its_file_each_time() {
    let directory = tempfile::TempDir::new().unwrap();
    let file = directory.path().join("policy.json");
    let world = World::with(&format!("policy_file = \"{}\"", file.display()));
    let session = world.module.session();
    let told = |what: &str| {
        let (log, file) = (world.log(), file.display().to_string());
        let mut lines = log.lines();
        assert!(
            lines.any(|line| line.contains(&file) && line.contains(what)),
            "{log}"
        );
    };
    assert_eq!(session.generate_p256([7], "new"), Err(CKR_FUNCTION_FAILED));
    told("No such file");
    fs::write(&file, "no JSON").unwrap();
    let refused = session.generate_p256([7], "new");
    assert_eq!(refused, Err(CKR_ATTRIBUTE_VALUE_INVALID));
    assert!(world.log().contains("MalformedPolicyDocumentException"));
    fs::write(&file, " ".repeat(32 * 1024 + 1)).unwrap();
    assert_eq!(session.generate_p256([7], "new"), Err(CKR_FUNCTION_FAILED));
    told("32768");
    assert_eq!(world.take_calls().get("CreateKey"), Some(&1));

    let policy = json!({ "Version": "2012-10-17", "Statement": [] });
    fs::write(&file, policy.to_string()).unwrap();
    session.generate_p256([7], "new").unwrap();
}
