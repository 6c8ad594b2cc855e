//! Finding keys by the tagging API: what it costs, and what happens where it is not to be had.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, label, private_keys};
use common_p11::{World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use serde_json::json;

const TAGS: &str = "tags = { Cluster = \"one\", Stage = \"\" }\n";

/// P-256 keys of the token, with the ids 00, 01 and so on.
fn ours(count: usize) -> NewKeys {
    foreign(count)
        .tag("Cluster", "one")
        .tag("Stage", "")
        .tag("p11:id", "0{n}")
}

fn foreign(count: usize) -> NewKeys {
    NewKeys::new(count, "ECC_NIST_P256", "SIGN_VERIFY")
        .tag("p11:label", "key-{n}")
        .tag("Cluster", "two")
}

/// A token with these tags, and more settings, over a KMS at whose endpoint the tagging API is, too.
fn world(settings: &str) -> World {
    let emulator = Emulator::start(Options::default()).unwrap();
    let tagging = emulator.endpoint();
    world_over(emulator, &tagging, settings)
}

fn world_over(emulator: Emulator, tagging: &str, settings: &str) -> World {
    let world = World::not_initialized(emulator, &[&format!("{TAGS}{settings}")]);
    // SAFETY: the test is alone in its process, and its emulator's threads do not look at the environment.
    unsafe { std::env::set_var("AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API", tagging) };
    world.initialize();
    world
}

#[test]
fn a_cold_find_among_many_keys_of_others_is_one_request_and_one_for_the_key() {
    let world = world("");
    world.create_keys(&foreign(500));
    world.create_keys(&ours(9));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([7])]);
    assert_eq!(
        world.take_calls(),
        calls([("GetPublicKey", 1), ("GetResources", 1)])
    );
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 9);
}

#[test]
fn a_hundred_keys_come_with_each_request() {
    let world = world("");
    let keys = foreign(230).tag("Cluster", "one").tag("Stage", "");
    world.create_keys(&keys.tag("p11:label", "key-{n}"));
    let session = world.module.session();
    for n in [0, 99, 100, 229] {
        session.find_one(&[private_keys(), label(format!("key-{n}"))]);
    }
    assert_eq!(
        world.take_calls(),
        calls([("GetPublicKey", 4), ("GetResources", 3)])
    );
}

#[test]
fn keys_without_all_of_the_tags_are_not_shown() {
    let world = world("");
    world.create_keys(&ours(2));
    world.create_keys(&ours(3).tag("Stage", "live"));
    world.create_keys(&ours(4).tag("Cluster", "two"));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 2);
    assert_eq!(world.take_calls().get("GetPublicKey"), Some(&2));
}

#[test]
fn a_denied_tagging_api_is_done_without_and_the_log_says_once_which_action_is_missing() {
    let world = world("refresh_interval = 0.2\nmiss_refresh_interval = 0.1");
    world.create_keys(&foreign(20));
    world.create_keys(&ours(5));
    world.fail("GetResources", "AccessDeniedException", 100);
    let session = world.module.session();
    session.find_one(&[private_keys(), id([3])]);
    let expected = calls([
        ("GetPublicKey", 1),
        ("GetResources", 1),
        ("ListKeys", 1),
        ("ListResourceTags", 25),
    ]);
    assert_eq!(world.take_calls(), expected);
    // Neither a find that misses nor a renewal asks for it again.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(session.find(&[id([0xee])]), Ok(Vec::new()));
    eventually(|| world.emulator.calls().of("ListKeys") > 0);
    assert_eq!(world.take_calls().get("GetResources"), None);
    let log = world.log();
    let warnings = log.lines().filter(|line| line.contains(" WARN "));
    let told = warnings.filter(|line| line.contains("tag:GetResources"));
    assert_eq!(told.count(), 1, "{log}");
}

#[test]
fn a_tagging_api_that_cannot_be_reached_is_done_without() {
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.create_keys(&ours(5)).unwrap();
    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = world_over(emulator, &format!("http://{port}"), "retries = 0");
    let session = world.module.session();
    session.find_one(&[private_keys(), id([3])]);
    assert_eq!(world.take_calls().get("ListResourceTags"), Some(&5));
    assert!(
        world.log().contains("GetResources failed"),
        "{}",
        world.log()
    );
}

#[test]
fn where_only_kms_has_an_endpoint_keys_are_listed() {
    let world = World::with(TAGS);
    world.create_keys(&ours(5));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([3])]);
    let expected = calls([
        ("GetPublicKey", 1),
        ("ListKeys", 1),
        ("ListResourceTags", 5),
    ]);
    assert_eq!(world.take_calls(), expected);
}

#[test]
fn what_the_configuration_demands_is_done_and_nothing_else() {
    let listing = world("discovery = \"list-keys\"");
    listing.create_keys(&ours(5));
    listing
        .module
        .session()
        .find_one(&[private_keys(), id([3])]);
    assert_eq!(listing.take_calls().get("GetResources"), None);
    listing.module.finalize().unwrap();

    let tagging = world("discovery = \"tagging-api\"\nmiss_refresh_interval = 0.001");
    tagging.create_keys(&ours(5));
    tagging.fail("GetResources", "AccessDeniedException", 1);
    let session = tagging.module.session();
    assert_eq!(session.find_init(&[]), Err(CKR_FUNCTION_REJECTED));
    session.find_one(&[private_keys(), id([3])]);
    assert_eq!(tagging.take_calls().get("ListKeys"), None);
}

#[test]
fn an_outage_of_a_tagging_api_that_has_answered_leaves_the_last_list() {
    let world = world("refresh_interval = 0.2\nretries = 0");
    world.create_keys(&ours(5));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 5);
    world
        .emulator
        .fault(Fault::once("GetResources", Effect::ResetBefore));
    thread::sleep(Duration::from_millis(250));
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 5);
    eventually(|| world.log().contains("could not be renewed"));
    world.create_keys(&ours(1));
    eventually(|| session.find(&[private_keys()]).unwrap().len() == 6);
    assert_eq!(world.take_calls().get("ListKeys"), None);
}

#[test]
fn a_key_of_another_process_costs_one_request_and_one_for_the_key() {
    let world = world("miss_refresh_interval = 0.1");
    world.create_keys(&ours(5));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1])]);
    world.create_keys(&foreign(50));
    world.create_keys(&ours(1).tag("p11:id", "aa"));
    thread::sleep(Duration::from_millis(150));
    world.take_calls();
    session.find_one(&[private_keys(), id([0xaa])]);
    assert_eq!(
        world.take_calls(),
        calls([("GetPublicKey", 1), ("GetResources", 1)])
    );
}

#[test]
fn a_key_that_is_disabled_or_pending_deletion_is_hidden_whatever_the_tagging_api_shows() {
    let world = world("");
    let keys = world.create_keys(&ours(3));
    world.ask("DisableKey", &json!({ "KeyId": keys[0] }));
    world.ask("ScheduleKeyDeletion", &json!({ "KeyId": keys[1] }));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 1);
}

#[test]
fn a_key_made_here_is_shown_before_the_tagging_api_knows_it() {
    let world = world("refresh_interval = 0.05");
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    world.emulator.set_stale_reads(3);
    let (_, private) = session.generate_p256([7], "new").unwrap();
    for _ in 0..10 {
        assert_eq!(session.find_one(&[private_keys(), id([7])]), private);
        thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(world.take_calls().get("ListKeys"), None);
}

#[test]
fn a_key_whose_creation_was_not_answered_is_found_by_its_tag() {
    let world = world("");
    world.create_keys(&foreign(50));
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    world.take_calls();
    world
        .emulator
        .fault(Fault::once("CreateKey", Effect::ResetAfter));
    session.generate_p256([7], "new").unwrap();
    let expected = calls([("CreateKey", 1), ("GetPublicKey", 1), ("GetResources", 1)]);
    assert_eq!(world.take_calls(), expected);
}

#[test]
fn a_key_that_the_tagging_api_does_not_show_in_time_is_found_among_the_listed_ones() {
    let world = world("deadline = 2\nretries = 0");
    world.create_keys(&ours(5));
    world.create_keys(&foreign(3));
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    world.take_calls();
    world
        .emulator
        .fault(Fault::once("CreateKey", Effect::ResetAfter));
    world.fail("GetResources", "InternalServiceException", 1000);
    session.generate_p256([7], "new").unwrap();
    let counts = world.take_calls();
    assert_eq!((counts["CreateKey"], counts["ListKeys"]), (1, 1));
    assert!(counts["GetResources"] > 1);
    // Of the new key and of those that are not the token's.
    assert_eq!(counts["ListResourceTags"], 1 + 3);
}

/// Waits until this is so, for ten seconds at most.
#[track_caller]
fn eventually(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "it never is so");
        thread::sleep(Duration::from_millis(20));
    }
}
