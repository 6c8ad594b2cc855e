//! Finding keys: which ones a token shows, and how many requests of KMS that takes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, label, private_keys, public_keys, ulong};
use common_p11::{Counts, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use serde_json::json;

/// Ten P-256 keys with the ids 00 to 09 and the labels key-0 to key-9.
fn ten_keys() -> NewKeys {
    NewKeys::new(10, "ECC_NIST_P256", "SIGN_VERIFY")
        .tag("p11:id", "0{n}")
        .tag("p11:label", "key-{n}")
}

/// What finding one of them takes when nothing is known yet.
fn cold_find() -> Counts {
    calls([
        ("ListKeys", 1),
        ("ListResourceTags", 10),
        ("GetPublicKey", 1),
    ])
}

#[test]
fn a_cold_find_by_id_lists_once_reads_all_tags_and_fetches_one_public_key() {
    let world = World::start();
    world.create_keys(&ten_keys());
    let session = world.module.session();
    session.find_one(&[private_keys(), id([7])]);
    assert_eq!(world.take_calls(), cold_find());
}

#[test]
fn initializing_and_opening_sessions_makes_no_request() {
    let world = World::start();
    world.create_keys(&ten_keys());
    world.module.token_info(0).unwrap();
    let session = world.module.session();
    session.login(CKU_USER, "any").unwrap();
    session.info().unwrap();
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_warm_token_finds_reads_verifies_and_digests_without_a_request() {
    let world = World::start();
    world.create_keys(&ten_keys());
    let session = world.module.session();
    let private = session.find_one(&[private_keys(), id([3])]);
    let public = session.find_one(&[public_keys(), id([3])]);
    let signature = session.sign(CKM_ECDSA_SHA256, private, b"text").unwrap();
    world.take_calls();

    for _ in 0..20 {
        session.find_one(&[private_keys(), id([3]), label("key-3")]);
        session.get(private, CKA_LABEL).unwrap();
        session.get(public, CKA_EC_POINT).unwrap();
        session.sign_init(CKM_ECDSA, private).unwrap();
        assert_eq!(session.sign_len(&[0; 32]), Ok(64));
        assert_eq!(
            session.sign_into(&[0; 32], 63),
            Err(CKR_BUFFER_TOO_SMALL),
            "a buffer that is too small costs nothing either"
        );
        cancel_sign(session);
        session
            .verify(CKM_ECDSA_SHA256, public, b"text", &signature)
            .unwrap();
        session.digest(CKM_SHA256, b"text").unwrap();
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn generating_a_pair_creates_a_key_and_fetches_its_public_half() {
    let world = World::start();
    let session = world.module.session();
    session.generate_p256([1], "first").unwrap();
    let first = calls([("CreateKey", 1), ("GetPublicKey", 1), ("ListKeys", 1)]);
    assert_eq!(world.take_calls(), first);
    let (public, private) = session.generate_p256([2], "second").unwrap();
    assert_eq!(session.find_one(&[private_keys(), id([2])]), private);
    session.get(public, CKA_EC_POINT).unwrap();
    assert_eq!(
        world.take_calls(),
        calls([("CreateKey", 1), ("GetPublicKey", 1)])
    );
}

#[test]
fn a_listing_that_fails_makes_generation_fail_before_a_key_is_made() {
    let world = World::start();
    world.fail("ListKeys", "AccessDeniedException", 1);
    let session = world.module.session();
    assert!(session.generate_p256([1], "first").is_err());
    assert_eq!(world.take_calls().get("CreateKey"), None);
    session.generate_p256([1], "first").unwrap();
}

#[test]
fn a_signature_with_the_fifteen_calls_of_crypto11_around_it_costs_one_request() {
    let world = World::start();
    world.create_keys(&ten_keys());
    let session = world.module.session();
    find_pair(session, 4);
    world.take_calls();
    for _ in 0..10 {
        let (private, public) = find_pair(session, 4);
        let signature = session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
        session
            .verify(CKM_ECDSA, public, &[7; 32], &signature)
            .unwrap();
    }
    assert_eq!(world.take_calls(), calls([("Sign", 10)]));
}

#[test]
fn a_search_for_the_certificate_of_a_known_key_makes_no_request() {
    let world = World::with("miss_refresh_interval = 0.001");
    world.create_keys(&ten_keys());
    let session = world.module.session();
    session.find_one(&[private_keys(), id([4])]);
    world.take_calls();
    let certificates = [id([4]), ulong(CKA_CLASS, CKO_CERTIFICATE)];
    thread::sleep(Duration::from_millis(5));
    assert_eq!(session.find(&certificates), Ok(Vec::new()));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn threads_that_find_a_key_at_once_share_one_listing_and_one_fetch() {
    const THREADS: usize = 32;
    let world = World::start();
    world.create_keys(&ten_keys());
    world.emulator.set_latency(Duration::from_millis(20));
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let session = world.module.session();
                start.wait();
                session.find_one(&[private_keys(), id([7])]);
            });
        }
    });
    assert_eq!(world.take_calls(), cold_find());
}

#[test]
fn connections_are_no_more_than_requests_at_a_time() {
    let world = World::with("concurrency = 4");
    world.create_keys(&ten_keys());
    world.emulator.set_latency(Duration::from_millis(5));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([7])]);
    let seen = world.emulator.calls();
    assert!(seen.in_flight_max <= 4, "{seen:?}");
    assert!(seen.connections <= 4, "{seen:?}");
}

#[test]
fn all_tokens_use_one_connection_when_used_one_after_the_other() {
    let world = World::with_tokens(&["concurrency = 1"; 3]);
    world.create_keys(&ten_keys());
    for slot in 0..3 {
        let session = world
            .module
            .open(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
            .unwrap();
        let key = session.find_one(&[private_keys(), id([7])]);
        for _ in 0..50 {
            session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
        }
        session.generate_p256([0xff, 0], "another").unwrap();
    }
    assert_eq!(world.emulator.calls().connections, 1);
}

#[test]
fn aliases_are_listed_only_for_keys_without_a_label() {
    let world = World::start();
    world.create_keys(&ten_keys());
    let session = world.module.session();
    session.find_one(&[private_keys(), label("key-1")]);
    assert_eq!(world.take_calls().get("ListAliases"), None);

    world.create_keys(&NewKeys::new(1, "RSA_2048", "SIGN_VERIFY").alias("alias/team/release"));
    world.restart();
    let session = world.module.session();
    session.find_one(&[private_keys(), label("team/release")]);
    assert_eq!(world.take_calls().get("ListAliases"), Some(&1));
}

#[test]
fn keys_beyond_the_first_page_of_every_listing_are_found() {
    let world = World::start();
    let keys = NewKeys::new(1050, "ECC_NIST_P256", "SIGN_VERIFY");
    world.create_keys(&keys.alias("alias/key-{n}"));
    let session = world.module.session();
    for n in [0, 99, 100, 999, 1000, 1049] {
        session.find_one(&[private_keys(), label(format!("key-{n}"))]);
    }
    let counts = world.take_calls();
    assert_eq!(
        counts,
        calls([
            ("ListKeys", 2),
            ("ListResourceTags", 1050),
            ("ListAliases", 11),
            ("GetPublicKey", 6)
        ])
    );
}

#[test]
fn a_key_with_tags_on_more_than_one_page_is_shown_with_all_of_them() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let mut keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "deep");
    for n in 0..49 {
        keys = keys.tag(format!("a{n:02}"), "");
    }
    emulator.create_keys(&keys).unwrap();
    let world = World::over(emulator, &["tags = { a48 = \"\" }"]);
    world
        .module
        .session()
        .find_one(&[private_keys(), label("deep")]);
}

#[test]
fn keys_without_all_of_the_configured_tags_are_invisible() {
    let world = World::with("tags = { Cluster = \"one\", Stage = \"live\" }");
    let keys = |name: &str| NewKeys::new(2, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", name);
    world.create_keys(&keys("ours").tag("Cluster", "one").tag("Stage", "live"));
    world.create_keys(&keys("half").tag("Cluster", "one"));
    world.create_keys(&keys("other").tag("Cluster", "two").tag("Stage", "live"));
    world.create_keys(&keys("none"));
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 2);
    assert_eq!(session.find(&[public_keys()]).unwrap().len(), 2);
    for foreign in ["half", "other", "none"] {
        assert_eq!(session.find(&[label(foreign)]), Ok(Vec::new()));
    }
    assert_eq!(world.take_calls().get("GetPublicKey"), Some(&2));
}

#[test]
fn a_generated_key_carries_the_configured_tags() {
    let world = World::with("tags = { Cluster = \"one\" }");
    let session = world.module.session();
    let (_, private) = session.generate_p256([1], "new").unwrap();
    let arn = String::from_utf8(session.get(private, CKA_UNIQUE_ID).unwrap()).unwrap();
    let tags = world.ask("ListResourceTags", &json!({ "KeyId": arn }));
    let mark = tags["Tags"][1]["TagValue"].as_str().unwrap();
    assert!(mark.len() == 32 && mark.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let expected = json!([
        { "TagKey": "Cluster", "TagValue": "one" },
        { "TagKey": "p11:created", "TagValue": mark },
        { "TagKey": "p11:id", "TagValue": "01" },
        { "TagKey": "p11:label", "TagValue": "new" },
    ]);
    assert_eq!(tags["Tags"], expected);
    world.restart();
    world
        .module
        .session()
        .find_one(&[private_keys(), label("new")]);
}

#[test]
fn a_list_of_keys_shows_these_by_id_arn_and_alias_and_no_others() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let keys = NewKeys::new(5, "ECC_NIST_P256", "SIGN_VERIFY").alias("alias/key-{n}");
    let made = emulator.create_keys(&keys).unwrap();
    let listed = format!(
        "keys = [\"{}\", \"{}\", \"alias/key-2\", \"alias/key-0\"]",
        made[0].key_id, made[1].arn
    );
    let world = World::over(emulator, &[&listed]);
    let session = world.module.session();
    for n in 0..3 {
        session.find_one(&[private_keys(), label(format!("key-{n}"))]);
    }
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 3);
    let counts = world.take_calls();
    assert_eq!(counts.get("ListKeys"), None);
    assert_eq!(counts.get("DescribeKey"), Some(&4));
    assert_eq!(
        session.generate_p256([1], "new"),
        Err(CKR_TOKEN_WRITE_PROTECTED)
    );
}

#[test]
fn a_list_of_keys_is_given_up_with_the_first_that_shows_an_outage() {
    let world = World::with("keys = [\"alias/a\", \"alias/b\", \"alias/c\"]\nretries = 0");
    world.fail("DescribeKey", "KMSInternalException", 3);
    let session = world.module.session();
    assert_eq!(session.find_init(&[]), Err(CKR_DEVICE_ERROR));
    assert_eq!(world.take_calls(), calls([("DescribeKey", 1)]));
}

#[test]
fn a_key_of_another_process_is_found_after_the_miss_interval() {
    let world = World::with("miss_refresh_interval = 0.5");
    world.create_keys(&ten_keys());
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1])]);
    world.take_calls();

    world.pkcs11_tool(&[
        "--keypairgen",
        "--key-type",
        "EC:prime256v1",
        "--id",
        "aa",
        "--label",
        "new",
    ]);
    world.take_calls();
    eventually(|| session.find(&[private_keys(), id([0xaa])]).unwrap().len() == 1);
    let counts = world.take_calls();
    // Of the tags only those of the new key are read.
    assert_eq!(counts.get("ListResourceTags"), Some(&1));
    assert_eq!(counts.get("GetPublicKey"), Some(&1));
}

#[test]
fn finds_that_miss_list_once_in_the_miss_interval() {
    let world = World::with("miss_refresh_interval = 3600");
    world.create_keys(&ten_keys());
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1])]);
    world.take_calls();
    for n in 0..50 {
        assert_eq!(session.find(&[id([0xee, n])]), Ok(Vec::new()));
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_find_that_misses_waits_for_the_listing_that_another_one_began() {
    const THREADS: usize = 8;
    let world = World::with("miss_refresh_interval = 0.2");
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]), Ok(Vec::new()));
    world.create_keys(&ten_keys());
    world.emulator.set_latency(Duration::from_millis(100));
    thread::sleep(Duration::from_millis(250));
    world.take_calls();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                world.module.session().find_one(&[private_keys(), id([7])]);
            });
        }
    });
    assert_eq!(world.take_calls(), cold_find());
}

#[test]
fn a_stale_list_is_renewed_in_the_background() {
    let world = World::with("refresh_interval = 0.3\nmiss_refresh_interval = 3600");
    world.create_keys(&ten_keys());
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 10);
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"));
    world.emulator.set_latency(Duration::from_millis(50));
    thread::sleep(Duration::from_millis(350));

    let without_waiting = session.find(&[private_keys()]).unwrap();
    assert_eq!(without_waiting.len(), 10);
    eventually(|| session.find(&[private_keys()]).unwrap().len() == 11);
}

#[test]
fn many_tokens_renew_their_lists_at_once() {
    // More tokens than the runtime has threads for blocking work, and an endpoint whose name takes such a
    // thread to resolve.
    const TOKENS: usize = 12;
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.create_keys(&ten_keys()).unwrap();
    let settings = "concurrency = 1\nrefresh_interval = 0.2\nlisting_deadline = 20";
    let world = World::over_localhost(emulator, &[settings; TOKENS]);
    let slots = 0..TOKENS as CK_SLOT_ID;
    let find = |slot| {
        let session = world.module.open(slot, CKF_SERIAL_SESSION).unwrap();
        session.find(&[private_keys()]).unwrap().len()
    };
    for slot in slots.clone() {
        assert_eq!(find(slot), 10);
    }
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"));
    thread::sleep(Duration::from_millis(300));
    // The only connection is lost with the first request of the renewals.
    let reset = Fault::once("ListKeys", Effect::ResetBefore);
    world.emulator.fault(reset);
    let start = Instant::now();
    for slot in slots.clone() {
        assert_eq!(find(slot), 10);
    }
    for slot in slots {
        eventually(|| find(slot) == 11);
    }
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_key_whose_tags_could_not_be_read_is_hidden_for_seconds_only() {
    let world = World::with("miss_refresh_interval = 0.2\nretries = 0\nconcurrency = 1");
    world.create_keys(&ten_keys());
    world.fail("ListResourceTags", "KMSInternalException", 1);
    let session = world.module.session();
    assert_eq!(session.find(&[private_keys()]).unwrap().len(), 9);
    let log = world.log();
    assert!(log.contains("its tags cannot be read"), "{log}");
    let all_are_found = || (0..10).all(|n| session.find(&[id([n])]).unwrap().len() == 2);
    eventually(all_are_found);
}

#[test]
fn stale_reads_hide_no_fresh_key_and_its_first_signature_succeeds() {
    let world = World::with("tags = { Cluster = \"one\" }\nrefresh_interval = 0.05");
    let session = world.module.session();
    world.emulator.set_stale_reads(2);
    for n in 0..2u8 {
        let (public, private) = session.generate_p256([n], "fresh").unwrap();
        let signature = session.sign(CKM_ECDSA_SHA256, private, b"text").unwrap();
        session
            .verify(CKM_ECDSA_SHA256, public, b"text", &signature)
            .unwrap();
    }
    // Listings that do not know the keys, or their tags, yet go on in the background meanwhile.
    for _ in 0..10 {
        for n in 0..2u8 {
            session.find_one(&[private_keys(), id([n]), label("fresh")]);
            session.find_one(&[public_keys(), id([n]), label("fresh")]);
        }
        thread::sleep(Duration::from_millis(30));
    }
}

/// What crypto11 does before every signature.
fn find_pair(session: Session<'_>, n: u8) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let names = [id([n]), label(format!("key-{n}"))];
    let private = session.find_one(&[&[private_keys()], &names[..]].concat());
    for type_ in [CKA_ID, CKA_LABEL, CKA_KEY_TYPE] {
        session.get(private, type_).unwrap();
    }
    let public = [&[public_keys(), ulong(CKA_KEY_TYPE, CKK_EC)], &names[..]].concat();
    let public = session.find_one(&public);
    let certificates = [id([n]), ulong(CKA_CLASS, CKO_CERTIFICATE)];
    assert_eq!(session.find(&certificates), Ok(Vec::new()));
    for type_ in [CKA_EC_PARAMS, CKA_EC_POINT] {
        session.get(public, type_).unwrap();
    }
    (private, public)
}

/// Ends the signature that was begun: C_SignInit with a NULL mechanism.
fn cancel_sign(session: Session<'_>) {
    let cancelled = common_p11::call!(
        session.module,
        C_SignInit,
        session.handle,
        std::ptr::null_mut(),
        0
    );
    assert_eq!(cancelled, CKR_OK);
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
