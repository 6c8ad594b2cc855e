//! Rotation: as the recordings of the real service have it (see `recorded`), and what becomes of ciphertexts.

use kms_emulator::{Emulator, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, base64, start, text};

const DAY: f64 = 86_400.0;

#[test]
fn automatic_rotation_is_a_setting_that_is_shown() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let key = json!({ "KeyId": id });
    let off = json!({ "KeyId": id, "KeyRotationEnabled": false });
    assert_eq!(client.ok("GetKeyRotationStatus", &key), off);
    let created = client.ok("DescribeKey", &key)["KeyMetadata"]["CreationDate"].as_f64();
    for (period, days) in [(json!(90), 90), (json!(180), 180), (Value::Null, 365)] {
        let mut request = key.clone();
        if !period.is_null() {
            request["RotationPeriodInDays"] = period;
        }
        client.ok("EnableKeyRotation", &request);
        let mut status = client.ok("GetKeyRotationStatus", &key);
        let next = status["NextRotationDate"].take().as_f64().unwrap();
        let passed = next - created.unwrap() - f64::from(days) * DAY;
        assert!((0.0..60.0).contains(&passed), "{passed}");
        let expected = json!({
            "KeyId": id, "KeyRotationEnabled": true, "RotationPeriodInDays": days,
            "NextRotationDate": null,
        });
        assert_eq!(status, expected);
    }
    client.ok("DisableKeyRotation", &key);
    assert_eq!(client.ok("GetKeyRotationStatus", &key), off);
    for period in [89, 2561] {
        let request = json!({ "KeyId": id, "RotationPeriodInDays": period });
        let (code, _) = client.refused("EnableKeyRotation", &request);
        assert_eq!(code, "ValidationException");
    }
}

#[test]
fn what_was_encrypted_before_a_rotation_is_decrypted_after_it_and_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let start = || {
        let emulator = Emulator::start(Options {
            state: Some(state.clone()),
            ..Options::default()
        });
        let emulator = emulator.unwrap();
        let client = Client::connect(&emulator.endpoint());
        (emulator, client)
    };
    let (emulator, mut client) = start();
    let (id, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let key = json!({ "KeyId": id });
    client.ok("EnableKeyRotation", &key);
    let mut blobs = Vec::new();
    let mut materials = Vec::new();
    for n in 0..3 {
        let request = json!({ "KeyId": id, "Plaintext": base64(format!("secret {n}")) });
        blobs.push(client.ok("Encrypt", &request)["CiphertextBlob"].take());
        let described = client.ok("DescribeKey", &key);
        materials.push(text(&described["KeyMetadata"]["CurrentKeyMaterialId"]));
        assert_eq!(client.ok("RotateKeyOnDemand", &key), key);
    }
    materials.sort();
    materials.dedup();
    assert_eq!(materials.len(), 3);
    let listed = client.ok("ListKeyRotations", &key);
    drop(emulator);

    let (_emulator, mut client) = start();
    for (n, blob) in blobs.iter().enumerate() {
        let request = json!({ "CiphertextBlob": blob });
        let decrypted = client.ok("Decrypt", &request);
        assert_eq!(text(&decrypted["Plaintext"]), base64(format!("secret {n}")));
        assert_eq!(text(&decrypted["KeyId"]), arn);
    }
    assert_eq!(client.ok("ListKeyRotations", &key), listed);
    let rotations = listed["Rotations"].as_array().unwrap();
    let states: Vec<String> = rotations
        .iter()
        .map(|rotation| text(&rotation["KeyMaterialState"]))
        .collect();
    assert_eq!(states, ["NON_CURRENT", "NON_CURRENT", "CURRENT"]);
    let page = client.ok("ListKeyRotations", &json!({ "KeyId": id, "Limit": 2 }));
    assert_eq!(page["Rotations"].as_array().unwrap().len(), 2);
    let rest = json!({ "KeyId": id, "Marker": page["NextMarker"] });
    let rest = client.ok("ListKeyRotations", &rest);
    assert_eq!(rest["Rotations"], json!([rotations[2]]));
    let shown = client.ok("GetKeyRotationStatus", &key);
    assert_eq!(shown["RotationPeriodInDays"], 365);
}

#[test]
fn a_key_that_is_not_rotated_says_why() {
    let (_emulator, mut client) = start();
    let (mac, _) = client.create_key("HMAC_256", "GENERATE_VERIFY_MAC");
    let (disabled, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    client.ok("DisableKey", &json!({ "KeyId": disabled }));
    let external = client.ok("CreateKey", &json!({ "Origin": "EXTERNAL" }));
    let external = text(&external["KeyMetadata"]["KeyId"]);
    let external_arn = arn.replace(&disabled, &external);
    for operation in ["RotateKeyOnDemand", "EnableKeyRotation"] {
        for (id, code, message) in [
            (&mac, "UnsupportedOperationException", None),
            (
                &disabled,
                "DisabledException",
                Some(format!("{arn} is disabled.")),
            ),
            (
                &external,
                "KMSInvalidStateException",
                Some(format!("{external_arn} is pending import.")),
            ),
        ] {
            let refused = client.refused(operation, &json!({ "KeyId": id }));
            assert_eq!(refused, (code.to_owned(), message), "{operation}");
        }
    }
    for operation in ["GetKeyRotationStatus", "ListKeyRotations"] {
        let (code, _) = client.refused(operation, &json!({ "KeyId": mac }));
        assert_eq!(code, "UnsupportedOperationException");
        client.ok(operation, &json!({ "KeyId": disabled }));
    }
}

#[test]
fn a_key_is_rotated_on_demand_25_times_at_most() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    for _ in 0..25 {
        client.ok("RotateKeyOnDemand", &json!({ "KeyId": id }));
    }
    let refused = client.refused("RotateKeyOnDemand", &json!({ "KeyId": id }));
    let message = format!(
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand \
         rotations can be performed for this key: {arn}"
    );
    assert_eq!(
        refused,
        ("LimitExceededException".to_owned(), Some(message))
    );
}
