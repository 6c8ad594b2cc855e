//! Accounts with many keys of others: what a listing reads, what it keeps, and what it leaves for later.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, label, private_keys};
use common_p11::{World, calls};
use cryptoki_sys::*;
use kms_emulator::{Change, Effect, Emulator, Fault, NewKeys, Options};
use serde_json::json;

fn ours(count: usize) -> NewKeys {
    foreign(count).tag("Cluster", "one").tag("p11:id", "0{n}")
}

fn foreign(count: usize) -> NewKeys {
    NewKeys::new(count, "ECC_NIST_P256", "SIGN_VERIFY")
        .tag("p11:label", "key-{n}")
        .tag("Cluster", "two")
}

fn world(settings: &str) -> World {
    World::with(&format!("tags = {{ Cluster = \"one\" }}\n{settings}"))
}

#[test]
fn a_listing_that_takes_too_long_goes_on_where_it_was_cut_off() {
    let settings = "listing_deadline = 1\nmiss_refresh_interval = 0.1\nrates = { listing = 100 }";
    let world = world(settings);
    world.create_keys(&foreign(300));
    world.create_keys(&ours(1));
    let session = world.module.session();
    let find = || session.find(&[private_keys(), id([0])]);
    let is_found = || find().is_ok_and(|found| found.len() == 1);
    eventually(is_found);
    // Each key was asked about once, and those that were cut off, once more for each time.
    let calls = world.take_calls();
    let (asked, listings) = (calls["ListResourceTags"], calls["ListKeys"]);
    assert!(asked <= 301 + listings * 16, "{asked} in {listings}");
    let log = world.log();
    assert!(!log.contains("found no key"), "{log}");
    let told = log.matches("is hidden: its tags cannot be read").count();
    assert!(told as u64 <= listings * 20, "{told} in {listings}");
    assert!(log.contains("more keys are hidden"), "{log}");
}

#[test]
fn a_renewal_reads_the_tags_of_the_tokens_keys_and_of_a_thousand_others() {
    let world = world("refresh_interval = 1\nrates = { listing = 100000 }");
    world.create_keys(&foreign(1500));
    world.create_keys(&ours(2));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1])]);
    thread::sleep(Duration::from_millis(1100));
    session.find_one(&[private_keys(), id([1])]);
    // One renewal, or two where the first listing itself took long.
    eventually(|| {
        let asked = world.emulator.calls();
        let listings = world.log().matches("2 keys shown, 1500 of others").count() as u64;
        listings >= 2
            && asked.of("ListKeys") == 2 * listings
            && asked.of("ListResourceTags") == 1502 + 1002 * (listings - 1)
    });
    assert_eq!(world.take_calls().get("GetPublicKey"), Some(&1));
}

#[test]
fn a_key_of_others_that_gets_the_tokens_tags_is_found_by_a_renewal() {
    let world = world("refresh_interval = 0.3");
    let keys = world.create_keys(&foreign(3));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    let tags = json!([{ "TagKey": "Cluster", "TagValue": "one" }]);
    world.ask("TagResource", &json!({ "KeyId": keys[1], "Tags": tags }));
    eventually(|| session.find(&[private_keys()]).unwrap().len() == 1);
    session.find_one(&[private_keys(), label("key-1")]);
}

#[test]
fn a_key_without_material_is_hidden_and_the_log_says_why() {
    let world = world("");
    let tags = json!([{ "TagKey": "Cluster", "TagValue": "one" }]);
    let request = json!({
        "Origin": "EXTERNAL",
        "KeySpec": "ECC_NIST_P256",
        "KeyUsage": "SIGN_VERIFY",
        "Tags": tags,
    });
    let made = world.ask("CreateKey", &request);
    assert_eq!(made["KeyMetadata"]["KeyState"], "PendingImport");
    world.create_keys(&ours(1));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
    let arn = made["KeyMetadata"]["Arn"].as_str().unwrap();
    let log = world.log();
    assert!(log.contains(&format!("{arn} is hidden for now")), "{log}");
}

#[test]
fn a_key_that_became_unusable_refuses_to_sign_and_is_hidden() {
    let world = world("");
    let keys = world.create_keys(&ours(2));
    let session = world.module.session();
    let handles = [0, 1].map(|n| session.find_one(&[private_keys(), id([n])]));
    world.ask("DisableKey", &json!({ "KeyId": keys[0] }));
    world.ask("ScheduleKeyDeletion", &json!({ "KeyId": keys[1] }));
    for handle in handles {
        let refused = session.sign(CKM_ECDSA, handle, &[7; 32]);
        assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    }
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
}

#[test]
fn keys_that_are_named_are_looked_at_and_no_others() {
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.create_keys(&foreign(20)).unwrap();
    let keys = emulator.create_keys(&ours(3)).unwrap();
    let named = &keys[1].key_id;
    let settings = format!("discovery = \"explicit\"\nkeys = [\"{named}\"]");
    let world = World::over(emulator, &[&settings]);
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
    session.find_one(&[private_keys(), id([1])]);
    let expected = calls([
        ("DescribeKey", 1),
        ("GetPublicKey", 1),
        ("ListResourceTags", 1),
    ]);
    assert_eq!(world.take_calls(), expected);
}

#[test]
fn pages_that_never_end_end_the_listing() {
    let world = World::with("listing_deadline = 30");
    world.create_keys(&foreign(3));
    let first = world.ask("ListKeys", &json!({ "Limit": 1 }));
    let set = |member: &str, value: serde_json::Value| Change::Set {
        member: member.to_owned(),
        value,
    };
    let again = Effect::Changed(vec![
        set("Truncated", json!(true)),
        set("NextMarker", first["NextMarker"].clone()),
    ]);
    world
        .emulator
        .fault(Fault::once("ListKeys", again).times(1_000_000));
    world.take_calls();
    let find = || world.module.session().find(&[private_keys()]);
    let begun = Instant::now();
    assert_eq!(find(), Err(CKR_DEVICE_ERROR));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(world.take_calls(), calls([("ListKeys", 2)]));
    let told = "its next page is one that was read already";
    assert!(world.log().contains(told), "{}", world.log());
    world.emulator.clear_faults();
    assert_eq!(find().unwrap().len(), 3);
}

/// Waits until this is so, for a minute at most.
#[track_caller]
fn eventually(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_mins(1), "it never is so");
        thread::sleep(Duration::from_millis(20));
    }
}
