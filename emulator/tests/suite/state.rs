//! The state file: keys that survive a restart.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kms_emulator::{Emulator, NewKeys, Options, StartError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, base64, text};

fn start(state: &Path) -> (Emulator, Client) {
    let options = Options {
        state: Some(state.to_owned()),
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    let client = Client::connect(&emulator.endpoint());
    (emulator, client)
}

#[test]
fn keys_states_tags_and_aliases_survive_a_restart() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let (emulator, mut client) = start(&state);
    let kept: Vec<String> = [
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P384", "KEY_AGREEMENT"),
        ("ECC_NIST_P521", "SIGN_VERIFY"),
        ("ECC_SECG_P256K1", "SIGN_VERIFY"),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_384", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("ML_DSA_44", "SIGN_VERIFY"),
        ("ML_DSA_65", "SIGN_VERIFY"),
        ("ML_DSA_87", "SIGN_VERIFY"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
        ("ML_KEM_1024", "ENCAPSULATE_DECAPSULATE"),
    ]
    .map(|(spec, usage)| client.create_key(spec, usage).0)
    .into();
    let external = client.ok(
        "CreateKey",
        &json!({ "Origin": "EXTERNAL", "MultiRegion": true }),
    );
    let external = text(&external["KeyMetadata"]["KeyId"]);
    let tags = json!([{ "TagKey": "a", "TagValue": "b" }]);
    client.ok("TagResource", &json!({ "KeyId": kept[0], "Tags": tags }));
    client.ok(
        "UpdateKeyDescription",
        &json!({ "KeyId": kept[0], "Description": "described" }),
    );
    client.ok(
        "CreateAlias",
        &json!({ "AliasName": "alias/ca", "TargetKeyId": kept[1] }),
    );
    client.ok("DisableKey", &json!({ "KeyId": kept[2] }));
    client.ok(
        "ScheduleKeyDeletion",
        &json!({ "KeyId": kept[3], "PendingWindowInDays": 9 }),
    );
    let encrypt = json!({ "KeyId": kept[5], "Plaintext": base64("secret") });
    let ciphertext = client.ok("Encrypt", &encrypt)["CiphertextBlob"].take();

    let look = |client: &mut Client| -> Vec<Value> {
        let ids = kept.iter().chain([&external]);
        let mut answers: Vec<Value> = ids
            .flat_map(|id| {
                let request = json!({ "KeyId": id });
                [
                    "DescribeKey",
                    "GetPublicKey",
                    "ListResourceTags",
                    "ListAliases",
                ]
                .map(|operation| client.call(operation, &request).json())
            })
            .collect();
        answers.push(client.ok("Decrypt", &json!({ "CiphertextBlob": ciphertext })));
        answers.push(client.ok("DescribeKey", &json!({ "KeyId": "alias/ca" })));
        answers
    };
    let before = look(&mut client);
    drop(emulator);
    let (_emulator, mut client) = start(&state);
    assert_eq!(look(&mut client), before);
}

#[test]
fn bulk_keys_survive_too() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let (emulator, _) = start(&state);
    let keys = NewKeys::new(5, "ECC_NIST_P256", "SIGN_VERIFY").alias("alias/{n}");
    let keys = emulator.create_keys(&keys).unwrap();
    drop(emulator);
    let (_emulator, mut client) = start(&state);
    let key = client.ok("DescribeKey", &json!({ "KeyId": "alias/4" }))["KeyMetadata"].take();
    assert_eq!(key["Arn"], json!(keys[4].arn));
}

#[test]
fn the_file_is_its_owners_alone() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let (_emulator, mut client) = start(&state);
    client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    assert_eq!(
        fs::metadata(&state).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(names, [state]);
}

#[test]
fn a_key_whose_deletion_date_has_passed_is_gone_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let (emulator, mut client) = start(&state);
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    client.ok(
        "CreateAlias",
        &json!({ "AliasName": "alias/ca", "TargetKeyId": id }),
    );
    client.ok("ScheduleKeyDeletion", &json!({ "KeyId": id }));
    drop(emulator);
    let mut document: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    document["keys"][0]["state"]["PendingDeletion"]["date"] = json!(1_000_000_000_000_u64);
    fs::write(&state, document.to_string()).unwrap();
    let (_emulator, mut client) = start(&state);
    assert_eq!(
        client.refused("DescribeKey", &json!({ "KeyId": id })).0,
        "NotFoundException"
    );
    assert_eq!(client.ok("ListAliases", &json!({}))["Aliases"], json!([]));
}

#[test]
fn a_file_that_is_not_this_emulators_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let (emulator, mut client) = start(&state);
    client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    drop(emulator);
    let good: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let damaged = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document.to_string()
    };
    for (contents, why) in [
        ("nonsense".to_owned(), "not a state file"),
        (damaged("/version", json!(2)), "version 2"),
        (
            damaged("/region", json!("eu-west-1")),
            "written for account 111122223333 in eu-west-1",
        ),
        (damaged("/keys/0/material", json!("AAAA")), "is damaged"),
        (
            damaged("/keys/0/spec", json!("ECC_NIST_P384")),
            "is damaged",
        ),
    ] {
        fs::write(&state, &contents).unwrap();
        let options = Options {
            state: Some(state.clone()),
            ..Options::default()
        };
        let error = Emulator::start(options).unwrap_err();
        assert!(matches!(error, StartError::State { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(fs::read_to_string(&state).unwrap(), contents);
    }
}
