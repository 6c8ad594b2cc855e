//! Keys in several regions: three emulators, a token of each of two of them, and the module between.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::time::{Duration, Instant};

use common_p11::attribute::{bytes, flag, id, label, private_keys, public_keys, ulong};
use common_p11::{Cloud, Counts, Session, World, ask, calls};
use cryptoki_sys::*;
use kms_emulator::{Change, Effect, Emulator, Fault};
use kms_pkcs11_testkit::{from_hex, hex, python};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("import_keys.py");
const MESSAGE: &[u8] = b"a message";
/// What a busy machine may add: less than nearly the same time once more.
const SLACK: Duration = Duration::from_secs(3);

/// The first is that of the token; the others have its replicas.
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];

/// What both tokens have in common.
const SHARED: &str = "tags = { Cluster = \"one\" }\ndiscovery = \"list-keys\"\n\
                      description = \"of a cluster\"\n";

/// A world whose first token is of the first region, with replicas in the others, and whose second token is of the
/// second region, alone.
struct Regions {
    world: World,
    /// All but the first, which is the world's.
    others: Vec<Emulator>,
}

impl Regions {
    fn start(settings: &str) -> Self {
        let mut others = Emulator::start_regions(&REGIONS).unwrap();
        let home = others.remove(0);
        let [ireland, mumbai] = [0, 1].map(|n: usize| others[n].endpoint());
        let first = format!(
            "{SHARED}{settings}\nreplica_regions = [\"eu-west-1\", \"ap-south-1\"]\n\
             replica_endpoints = {{ eu-west-1 = \"{ireland}\", ap-south-1 = \"{mumbai}\" }}\n"
        );
        let world = World::not_initialized(home, &[&first]);
        let log = world.path("log");
        world.configure_log(&format!(
            "[[token]]\nlabel = \"ireland\"\nregion = \"eu-west-1\"\nendpoint = \"{ireland}\"\n{SHARED}\n\
             [log]\nlevel = \"debug\"\nfile = \"{log}\"\n"
        ));
        world.initialize();
        Self { world, others }
    }

    /// A session with the token of the first region.
    fn home(&self) -> Session<'_> {
        self.world.module.session()
    }

    /// A session with that of the second.
    fn ireland(&self) -> Session<'_> {
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        self.world.module.open(1, flags).unwrap()
    }

    fn emulators(&self) -> [&Emulator; 3] {
        [&self.world.emulator, &self.others[0], &self.others[1]]
    }

    /// Requests in each region since the last time this was asked.
    fn take_calls(&self) -> [Counts; 3] {
        self.emulators().map(|emulator| {
            let calls = emulator.calls().operations;
            emulator.reset_calls();
            calls
        })
    }

    /// The states of the key in each region.
    fn states(&self, key_id: &str) -> [String; 3] {
        self.emulators().map(|emulator| {
            let key = ask(emulator, "DescribeKey", &json!({ "KeyId": key_id }));
            key["KeyMetadata"]["KeyState"].as_str().unwrap().to_owned()
        })
    }

    /// The value of a tag of the key in each region.
    fn tag(&self, key_id: &str, tag: &str) -> [Value; 3] {
        self.emulators().map(|emulator| {
            let tags = ask(emulator, "ListResourceTags", &json!({ "KeyId": key_id }));
            let tags = tags["Tags"].as_array().unwrap().clone();
            let tag = tags.into_iter().find(|one| one["TagKey"] == tag);
            tag.map_or(Value::Null, |mut tag| tag["TagValue"].take())
        })
    }

    /// The ids of all keys in each region.
    fn keys(&self) -> [Vec<String>; 3] {
        self.emulators().map(|emulator| {
            let keys = ask(emulator, "ListKeys", &json!({}));
            let keys = keys["Keys"].as_array().unwrap().iter();
            keys.map(|key| key["KeyId"].as_str().unwrap().to_owned())
                .collect()
        })
    }
}

/// The key id that an object's CKA_UNIQUE_ID names.
fn key_id(session: Session<'_>, object: CK_OBJECT_HANDLE) -> String {
    let unique_id = String::from_utf8(session.get(object, CKA_UNIQUE_ID).unwrap()).unwrap();
    let arn = unique_id
        .split_once('#')
        .map_or(&*unique_id, |(arn, _)| arn);
    arn.rsplit_once('/').unwrap().1.to_owned()
}

/// Has python's cryptography verify a signature of the message.
#[track_caller]
fn verify(spki: &[u8], signature: &[u8]) {
    let claim = format!("{},{}", hex(spki), hex(signature));
    let checked = python(SCRIPT, ["check", &claim]).ok().stdout();
    assert_eq!(checked.trim(), "[true]");
}

#[test]
fn a_key_made_in_one_region_is_found_in_another_by_the_same_names_and_is_the_same() {
    let regions = Regions::start("");
    let (home, ireland) = (regions.home(), regions.ireland());
    assert_eq!(home.find(&[]), Ok(Vec::new()));
    regions.take_calls();
    let (public, private) = home.generate_p256([7], "pair").unwrap();
    let made = calls([("CreateKey", 1), ("GetPublicKey", 1), ("ReplicateKey", 2)]);
    let replica = calls([("DescribeKey", 1)]);
    assert_eq!(regions.take_calls(), [made, replica.clone(), replica]);
    let spki = home.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
    let key = key_id(home, private);

    let names = [id([7]), label("pair")];
    let there = ireland.find_one(&[&names[..], &[private_keys()]].concat());
    let public = ireland.find_one(&[&names[..], &[public_keys()]].concat());
    assert_eq!(key_id(ireland, there), key);
    assert_eq!(ireland.get(public, CKA_PUBLIC_KEY_INFO), Ok(spki.clone()));
    let signature = ireland.sign(CKM_ECDSA_SHA256, there, MESSAGE).unwrap();
    verify(&spki, &signature);
    let listed = calls([
        ("GetPublicKey", 1),
        ("ListKeys", 1),
        ("ListResourceTags", 1),
        ("Sign", 1),
    ]);
    assert_eq!(regions.take_calls(), [calls([]), listed, calls([])]);
    let signature = home.sign(CKM_ECDSA_SHA256, private, MESSAGE).unwrap();
    verify(&spki, &signature);
    let signed = calls([("Sign", 1)]);
    assert_eq!(regions.take_calls(), [signed, calls([]), calls([])]);

    for (tag, value) in [("Cluster", "one"), ("p11:label", "pair"), ("p11:id", "07")] {
        assert_eq!(
            regions.tag(&key, tag),
            [value, value, value].map(Value::from)
        );
    }
    for emulator in regions.emulators() {
        let described = ask(emulator, "DescribeKey", &json!({ "KeyId": key }));
        assert_eq!(described["KeyMetadata"]["Description"], "of a cluster");
    }
}

#[test]
fn secret_keys_and_rsa_keys_are_the_same_in_every_region_too() {
    let regions = Regions::start("");
    let (home, ireland) = (regions.home(), regions.ireland());
    let of = |length, name: &str| {
        [
            flag(CKA_TOKEN, true),
            ulong(CKA_VALUE_LEN, length),
            label(name),
        ]
    };
    let hmac = home
        .generate_key(CKM_GENERIC_SECRET_KEY_GEN, &of(32, "hmac"))
        .unwrap();
    home.generate_key(CKM_AES_KEY_GEN, &of(32, "aes")).unwrap();
    let public = [
        flag(CKA_TOKEN, true),
        flag(CKA_VERIFY, true),
        ulong(CKA_MODULUS_BITS, 2048),
        label("rsa"),
    ];
    let private = [flag(CKA_TOKEN, true), flag(CKA_SIGN, true), label("rsa")];
    home.generate(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private)
        .unwrap();

    let mac = home.sign(CKM_SHA256_HMAC, hmac, MESSAGE).unwrap();
    let there = ireland.find_one(&[label("hmac")]);
    assert_eq!(ireland.sign(CKM_SHA256_HMAC, there, MESSAGE), Ok(mac));
    let rsa = ireland.find_one(&[private_keys(), label("rsa")]);
    let spki = ireland.find_one(&[public_keys(), label("rsa")]);
    let spki = ireland.get(spki, CKA_PUBLIC_KEY_INFO).unwrap();
    verify(
        &spki,
        &ireland.sign(CKM_SHA256_RSA_PKCS, rsa, MESSAGE).unwrap(),
    );
    let aes = key_id(ireland, ireland.find_one(&[label("aes")]));
    let [virginia, ireland, _] = regions.emulators();
    let request = json!({ "KeyId": aes, "Plaintext": "c2VjcmV0" });
    let blob = ask(virginia, "Encrypt", &request)["CiphertextBlob"].take();
    let opened = ask(ireland, "Decrypt", &json!({ "CiphertextBlob": blob }));
    assert_eq!(opened["Plaintext"], "c2VjcmV0");
}

#[test]
fn a_replica_that_is_still_being_created_is_waited_for() {
    let regions = Regions::start("");
    regions.others[0].set_creating_reads(2);
    regions.others[1].set_stale_reads(1);
    regions.home().find(&[]).unwrap();
    regions.take_calls();
    let (_, private) = regions.home().generate_p256([7], "pair").unwrap();
    let [_, ireland, mumbai] = regions.take_calls();
    assert_eq!(ireland, calls([("DescribeKey", 3)]));
    assert_eq!(mumbai, calls([("DescribeKey", 2)]));
    let key = key_id(regions.home(), private);
    assert_eq!(regions.states(&key), ["Enabled"; 3]);
}

#[test]
fn a_key_that_cannot_be_in_every_region_is_kept_in_none_and_the_log_says_so() {
    let regions = Regions::start("key_ready_timeout = 2");
    let refusal = Effect::Error {
        code: "AccessDeniedException".to_owned(),
        message: "not authorized to perform: kms:ReplicateKey on resource".to_owned(),
        status: 400,
    };
    // The second of the two requests.
    let fault = Fault::once("ReplicateKey", refusal).after(1);
    regions.world.emulator.fault(fault);
    let made = regions.home().generate_p256([7], "pair");
    assert_eq!(made, Err(CKR_FUNCTION_REJECTED));
    let log = regions.world.log();
    assert!(log.contains("allow the action kms:ReplicateKey"), "{log}");
    assert_eq!(regions.home().find(&[]), Ok(Vec::new()));
    assert_eq!(regions.ireland().find(&[]), Ok(Vec::new()));
    let keys = regions.keys();
    let key = keys[0][0].clone();
    let replicas = usize::from(keys[1].contains(&key)) + usize::from(keys[2].contains(&key));
    assert_eq!(replicas, 1, "{keys:?}");
    for (emulator, keys) in regions.emulators().into_iter().zip(&keys) {
        for key in keys {
            let described = ask(emulator, "DescribeKey", &json!({ "KeyId": key }));
            let metadata = &described["KeyMetadata"];
            let state = metadata["KeyState"].as_str().unwrap();
            assert!(state.starts_with("Pending"), "{state}");
            let arn = metadata["Arn"].as_str().unwrap();
            let told = format!(
                "{arn}: made for a key that could not be made in all regions; it is deleted in 7"
            );
            assert!(regions.world.log().contains(&told), "{arn}");
        }
    }
}

#[test]
fn a_key_that_is_not_readable_in_time_where_it_was_made_is_kept_in_no_region() {
    let regions = Regions::start("key_ready_timeout = 1");
    let home = &regions.world.emulator;
    let of_another_kind = Effect::Changed(vec![Change::Set {
        member: "PublicKey".to_owned(),
        value: json!("AAAA"),
    }]);
    for (count, effect) in (1..).zip([
        failure("KMSInvalidStateException"),
        failure("NotFoundException"),
        failure("AccessDeniedException"),
        of_another_kind,
    ]) {
        home.fault(Fault::once("GetPublicKey", effect).times(1000));
        assert!(regions.home().generate_p256([7], "pair").is_err());
        home.clear_faults();
        let keys = home.keys();
        assert_eq!(keys.len(), count);
        for key in keys {
            assert_eq!(key.state, "PendingDeletion");
            let told = format!("{}: made for a key that could not be made", key.arn);
            assert!(regions.world.log().contains(&told), "{}", key.arn);
        }
        assert_eq!(regions.home().find(&[]), Ok(Vec::new()));
    }
    let [home, ireland, mumbai] = regions.take_calls();
    assert_eq!(home.get("ReplicateKey"), None);
    // Whether one of them has it is nothing that is known when the answer was lost.
    let asked = calls([("ScheduleKeyDeletion", 4)]);
    assert_eq!([ireland, mumbai], [asked.clone(), asked]);
    assert!(!regions.world.log().contains("and stays"));
}

#[test]
fn a_key_that_cannot_be_seen_any_more_where_it_was_made_is_told_of_as_left_behind() {
    let regions = Regions::start("key_ready_timeout = 1\ndeadline = 1");
    let home = &regions.world.emulator;
    for operation in ["GetPublicKey", "ScheduleKeyDeletion"] {
        home.fault(Fault::once(operation, failure("NotFoundException")).times(1000));
    }
    assert_eq!(
        regions.home().generate_p256([7], "pair"),
        Err(CKR_DEVICE_ERROR)
    );
    let arn = home.keys()[0].arn.clone();
    let log = regions.world.log();
    let is_told = |line: &str| line.contains(&arn) && line.contains("it may not have been deleted");
    assert!(log.lines().any(is_told), "{log}");
}

#[test]
fn an_import_that_is_not_readable_in_time_where_it_was_made_is_kept_in_no_region() {
    let regions = Regions::start("key_ready_timeout = 30\nattempt_timeout = 60\ndeadline = 60");
    let secret = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, true),
        bytes(CKA_VALUE, [7; 32]),
    ];
    let refusal = failure("AccessDeniedException");
    let home = &regions.world.emulator;
    home.fault(Fault::once("DescribeKey", refusal));
    assert_eq!(regions.home().create(&secret), Err(CKR_FUNCTION_REJECTED));
    assert_eq!(home.keys()[0].state, "PendingDeletion");
    let [home, ..] = regions.take_calls();
    assert_eq!(home.get("ImportKeyMaterial"), Some(&1));
    assert_eq!(home.get("ReplicateKey"), None);
}

#[test]
fn a_key_becomes_usable_at_home_and_elsewhere_within_one_time_for_both() {
    const READY: Duration = Duration::from_secs(5);
    let regions = Regions::start("key_ready_timeout = 5\nattempt_timeout = 10");
    regions.home().find(&[]).unwrap();
    let slow = Effect::Latency { ms: 4500 };
    let home = &regions.world.emulator;
    home.fault(Fault::once("GetPublicKey", slow));
    for other in &regions.others {
        other.fault(Fault::once("DescribeKey", Effect::Hang).times(1000));
    }
    let begun = Instant::now();
    assert_eq!(
        regions.home().generate_p256([7], "pair"),
        Err(CKR_DEVICE_ERROR)
    );
    let took = begun.elapsed();
    assert!(took < READY + SLACK, "{took:?}");
}

fn failure(code: &str) -> Effect {
    Effect::Error {
        code: code.to_owned(),
        message: "on purpose".to_owned(),
        status: 400,
    }
}

#[test]
fn a_region_that_is_gone_keeps_no_key_behind_that_nobody_is_told_of() {
    let mut regions = Regions::start("deadline = 1\nretries = 0\nkey_ready_timeout = 2");
    drop(regions.others.pop());
    let home = regions.home();
    assert_eq!(home.generate_p256([7], "pair"), Err(CKR_DEVICE_ERROR));
    assert_eq!(home.find(&[]), Ok(Vec::new()));
    let log = regions.world.log();
    let told = |region: &str, what: &str| {
        let arn = format!("arn:aws:kms:{region}:111122223333:key/mrk-");
        let is_told = |line: &str| line.contains(&arn) && line.contains(what);
        assert!(log.lines().any(is_told), "{region}: {log}");
    };
    told("us-east-1", "it is deleted in 7 days");
    told("eu-west-1", "it is deleted in 7 days");
    told("ap-south-1", "it may not have been deleted");
}

#[test]
fn a_rename_and_a_destruction_reach_every_region() {
    let regions = Regions::start("deletion_window_days = 7");
    let home = regions.home();
    let (_, private) = home.generate_p256([7], "old").unwrap();
    let key = key_id(home, private);
    regions.take_calls();
    home.set(private, &[label("new"), id([8])]).unwrap();
    let tagged = calls([("TagResource", 1)]);
    assert_eq!(regions.take_calls(), [(); 3].map(|()| tagged.clone()));
    assert_eq!(regions.tag(&key, "p11:label"), ["new"; 3].map(Value::from));
    let names = [private_keys(), label("new"), id([8])];
    let there = regions.ireland().find_one(&names);
    assert_eq!(key_id(regions.ireland(), there), key);

    regions.take_calls();
    home.destroy(private).unwrap();
    let scheduled = calls([("ScheduleKeyDeletion", 1)]);
    assert_eq!(regions.take_calls(), [(); 3].map(|()| scheduled.clone()));
    let states = regions.states(&key);
    assert_eq!(
        states,
        [
            "PendingReplicaDeletion",
            "PendingDeletion",
            "PendingDeletion"
        ]
    );
    for emulator in &regions.others {
        emulator.end_deletions();
    }
    let primary = ask(
        &regions.world.emulator,
        "DescribeKey",
        &json!({ "KeyId": key }),
    );
    assert_eq!(primary["KeyMetadata"]["KeyState"], "PendingDeletion");
}

#[test]
fn a_key_is_not_destroyed_or_renamed_while_a_region_does_not_answer_and_is_afterwards() {
    let regions = Regions::start("retries = 0\ndeadline = 2");
    let home = regions.home();
    let (_, private) = home.generate_p256([7], "old").unwrap();
    let key = key_id(home, private);
    let fail = |operation: &str| {
        regions.others[1].fault(Fault::once(operation, Effect::ResetBefore));
    };
    fail("TagResource");
    assert_eq!(home.set(private, &[label("new")]), Err(CKR_DEVICE_ERROR));
    assert_eq!(regions.tag(&key, "p11:label")[0], "old");
    fail("ScheduleKeyDeletion");
    assert_eq!(home.destroy(private), Err(CKR_DEVICE_ERROR));
    assert_eq!(regions.states(&key)[0], "Enabled");
    assert!(
        regions
            .world
            .log()
            .contains("nothing was changed in the token's own region")
    );

    home.destroy(private).unwrap();
    assert_eq!(
        regions.states(&key),
        [
            "PendingReplicaDeletion",
            "PendingDeletion",
            "PendingDeletion"
        ]
    );
}

#[test]
fn what_is_disabled_in_place_of_being_destroyed_is_disabled_in_every_region() {
    let regions = Regions::start("on_destroy = \"disable\"");
    let home = regions.home();
    let (_, private) = home.generate_p256([7], "key").unwrap();
    let key = key_id(home, private);
    home.destroy(private).unwrap();
    assert_eq!(regions.states(&key), ["Disabled"; 3]);
}

#[test]
fn imported_keys_get_their_material_in_every_region_or_are_kept_in_none() {
    let regions = Regions::start("attempt_timeout = 60\ndeadline = 60");
    let (home, ireland) = (regions.home(), regions.ireland());
    home.find(&[]).unwrap();
    regions.take_calls();
    let made = python(SCRIPT, ["make", "P-256"]).ok().stdout();
    let made: Value = serde_json::from_str(made.trim()).unwrap();
    let member = |value: &Value| from_hex(value.as_str().unwrap());
    let private = [
        ulong(CKA_CLASS, CKO_PRIVATE_KEY),
        ulong(CKA_KEY_TYPE, CKK_EC),
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        bytes(CKA_EC_PARAMS, from_hex("06082a8648ce3d030107")),
        bytes(CKA_VALUE, member(&made["numbers"][0])),
        label("brought"),
        id([7]),
    ];
    home.create(&private).unwrap();
    let import = [("GetParametersForImport", 1), ("ImportKeyMaterial", 1)];
    let with = |more: &[(&str, u64)]| -> Counts {
        let all = import.iter().chain(more);
        all.map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    let expected = [
        with(&[("CreateKey", 1), ("GetPublicKey", 1), ("ReplicateKey", 2)]),
        with(&[("DescribeKey", 1), ("GetPublicKey", 1)]),
        with(&[("DescribeKey", 1), ("GetPublicKey", 1)]),
    ];
    assert_eq!(regions.take_calls(), expected);
    let there = ireland.find_one(&[private_keys(), label("brought"), id([7])]);
    let signature = ireland.sign(CKM_ECDSA_SHA256, there, MESSAGE).unwrap();
    verify(&member(&made["spki"]), &signature);
    assert_eq!(regions.states(&key_id(ireland, there)), ["Enabled"; 3]);

    // One that fails in one region leaves no key in any.
    let known = regions.keys();
    let refusal = Effect::Error {
        code: "AccessDeniedException".to_owned(),
        message: "no".to_owned(),
        status: 400,
    };
    regions.others[1].fault(Fault::once("ImportKeyMaterial", refusal));
    let secret = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, true),
        bytes(CKA_VALUE, [7; 32]),
    ];
    assert_eq!(home.create(&secret), Err(CKR_FUNCTION_REJECTED));
    assert_eq!(home.find(&[ulong(CKA_KEY_TYPE, CKK_AES)]), Ok(Vec::new()));
    let mut keys = regions.keys()[0].clone();
    keys.retain(|key| !known[0].contains(key));
    assert_eq!(
        regions.states(&keys[0]),
        [
            "PendingReplicaDeletion",
            "PendingDeletion",
            "PendingDeletion"
        ]
    );
}

#[test]
fn keys_stay_in_one_region_where_the_configuration_says_so_and_others_are_still_kept_alike() {
    let regions = Regions::start("multi_region = false");
    let home = regions.home();
    let (_, private) = home.generate_p256([7], "single").unwrap();
    assert!(!key_id(home, private).starts_with("mrk-"));
    let [_, ireland, mumbai] = regions.take_calls();
    assert_eq!([ireland, mumbai], [calls([]), calls([])]);
    home.destroy(private).unwrap();
    let [_, ireland, mumbai] = regions.take_calls();
    assert_eq!([ireland, mumbai], [calls([]), calls([])]);

    // Made elsewhere, with a replica in one of the regions.
    let virginia = &regions.world.emulator;
    let tags = |name: &str| json!([{ "TagKey": "Cluster", "TagValue": "one" }, { "TagKey": "p11:label", "TagValue": name }]);
    let request = json!({
        "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": true,
        "Tags": tags("other"),
    });
    let key = ask(virginia, "CreateKey", &request)["KeyMetadata"]["KeyId"].take();
    let request = json!({ "KeyId": key, "ReplicaRegion": "eu-west-1", "Tags": tags("other") });
    ask(virginia, "ReplicateKey", &request);
    regions.world.restart();
    let home = regions.home();
    let private = home.find_one(&[private_keys(), label("other")]);
    home.set(private, &[label("renamed")]).unwrap();
    let ireland = regions.ireland();
    ireland.find_one(&[private_keys(), label("renamed")]);
}

/// Its regions share one endpoint, which the environment names.
#[test]
fn a_kms_that_others_wrote_replicates_keys_for_the_module_too() {
    let cloud = Cloud::start();
    let tags = "tags = { Cluster = \"one\" }";
    let settings = format!(
        "replica_regions = [\"eu-west-1\"]\ndeletion_window_days = 7\n{tags}\n\
         [[token]]\nlabel = \"ireland\"\nregion = \"eu-west-1\"\n{tags}"
    );
    let module = cloud.module(&settings, &cloud.ministack.root());
    let home = module.session();
    let ireland = || module.open(1, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap();
    let (public, private) = home.generate_p256([7], "pair").unwrap();
    let spki = home.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
    home.set(private, &[label("renamed")]).unwrap();
    let there = ireland().find_one(&[private_keys(), id([7]), label("renamed")]);
    assert_eq!(key_id(ireland(), there), key_id(home, private));
    let signature = ireland().sign(CKM_ECDSA_SHA256, there, MESSAGE).unwrap();
    verify(&spki, &signature);
    home.destroy(private).unwrap();
    let refused = ireland().sign(CKM_ECDSA_SHA256, there, MESSAGE);
    assert!(refused.is_err(), "{refused:?}");
    module.finalize().unwrap();
}
