//! Multi-Region keys, over emulators that stand for a region each.

use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::openssl_ok;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, base64, bytes, start, text};

const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];

/// Three regions, and a client of each.
fn regions() -> (Vec<Emulator>, [Client; 3]) {
    let emulators = Emulator::start_regions(&REGIONS).unwrap();
    let clients = [0, 1, 2].map(|n| Client::connect(&emulators[n].endpoint()));
    (emulators, clients)
}

fn create(client: &mut Client, spec: &str, usage: &str) -> (String, String) {
    let request = json!({ "KeySpec": spec, "KeyUsage": usage, "MultiRegion": true });
    let key = client.ok("CreateKey", &request)["KeyMetadata"].take();
    (text(&key["KeyId"]), text(&key["Arn"]))
}

fn replicate(client: &mut Client, id: &str, region: &str) -> Value {
    client.ok(
        "ReplicateKey",
        &json!({ "KeyId": id, "ReplicaRegion": region }),
    )
}

fn described(client: &mut Client, id: &str) -> Value {
    client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"].take()
}

fn key_in(region: &str, id: &str) -> Value {
    json!({ "Arn": format!("arn:aws:kms:{region}:111122223333:key/{id}"), "Region": region })
}

/// Recorded from the service: `test_replicate_key`, `test_replicate_replica_key_should_fail`.
#[test]
fn a_replica_has_the_recorded_members_and_every_key_knows_all_regions() {
    let (_emulators, [mut virginia, mut ireland, mut mumbai]) = regions();
    let (id, arn) = create(&mut virginia, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let missing = format!("Key 'arn:aws:kms:eu-west-1:111122223333:key/{id}' does not exist");
    let refused = ireland.refused("DescribeKey", &json!({ "KeyId": id }));
    assert_eq!(refused, ("NotFoundException".to_owned(), Some(missing)));

    let mut answer = replicate(&mut virginia, &id, "eu-west-1");
    let mut made = answer["ReplicaKeyMetadata"].take();
    assert!(made["CreationDate"].take().is_number());
    let replica_arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{id}");
    let mut expected = json!({
        "AWSAccountId": "111122223333", "Arn": replica_arn, "CreationDate": null,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "Description": "", "Enabled": false,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "KeyId": id, "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT", "KeyState": "Creating", "KeyUsage": "ENCRYPT_DECRYPT",
        "MultiRegion": true, "Origin": "AWS_KMS",
        "MultiRegionConfiguration": {
            "MultiRegionKeyType": "REPLICA",
            "PrimaryKey": { "Arn": arn, "Region": "us-east-1" },
            "ReplicaKeys": [{ "Arn": replica_arn, "Region": "eu-west-1" }],
        },
    });
    assert_eq!(made, expected);
    let policy: Value = serde_json::from_str(&text(&answer["ReplicaPolicy"])).unwrap();
    assert_eq!(policy["Id"], "key-default-1");
    assert_eq!(answer.get("ReplicaTags"), None);

    let mut later = described(&mut ireland, &id);
    later["CreationDate"].take();
    expected["Enabled"] = json!(true);
    expected["KeyState"] = json!("Enabled");
    expected["CurrentKeyMaterialId"] = described(&mut virginia, &id)["CurrentKeyMaterialId"].take();
    assert_eq!(later, expected);

    replicate(&mut virginia, &id, "ap-south-1");
    let primary = key_in("us-east-1", &id);
    let replicas = json!([key_in("ap-south-1", &id), key_in("eu-west-1", &id)]);
    for (client, kind) in [
        (&mut virginia, "PRIMARY"),
        (&mut ireland, "REPLICA"),
        (&mut mumbai, "REPLICA"),
    ] {
        let configuration = described(client, &id)["MultiRegionConfiguration"].take();
        let expected =
            json!({ "MultiRegionKeyType": kind, "PrimaryKey": primary, "ReplicaKeys": replicas });
        assert_eq!(configuration, expected);
    }
    let again = json!({ "KeyId": id, "ReplicaRegion": "ap-south-1" });
    let message = format!("{replica_arn} is not a multi-region primary key.");
    let expected = ("UnsupportedOperationException".to_owned(), Some(message));
    assert_eq!(ireland.refused("ReplicateKey", &again), expected);
}

#[test]
fn replicas_that_are_made_at_the_same_time_know_each_other() {
    let (emulators, [mut virginia, mut ireland, mut mumbai]) = regions();
    for _ in 0..20 {
        let (id, _) = create(&mut virginia, "HMAC_256", "GENERATE_VERIFY_MAC");
        std::thread::scope(|scope| {
            for region in ["eu-west-1", "ap-south-1"] {
                let mut client = Client::connect(&emulators[0].endpoint());
                let id = &id;
                scope.spawn(move || replicate(&mut client, id, region));
            }
        });
        let replicas = json!([key_in("ap-south-1", &id), key_in("eu-west-1", &id)]);
        for client in [&mut virginia, &mut ireland, &mut mumbai] {
            let known = described(client, &id)["MultiRegionConfiguration"]["ReplicaKeys"].take();
            assert_eq!(known, replicas);
        }
    }
}

#[test]
fn what_one_region_signs_encrypts_and_authenticates_another_accepts() {
    let (_emulators, [mut virginia, mut ireland, _]) = regions();
    for (spec, usage, make, check, request, made) in [
        (
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            "Sign",
            "Verify",
            json!({ "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256" }),
            "Signature",
        ),
        (
            "ML_DSA_44",
            "SIGN_VERIFY",
            "Sign",
            "Verify",
            json!({ "Message": base64("m"), "SigningAlgorithm": "ML_DSA_SHAKE_256" }),
            "Signature",
        ),
        (
            "HMAC_256",
            "GENERATE_VERIFY_MAC",
            "GenerateMac",
            "VerifyMac",
            json!({ "Message": base64("m"), "MacAlgorithm": "HMAC_SHA_256" }),
            "Mac",
        ),
        (
            "RSA_2048",
            "ENCRYPT_DECRYPT",
            "Encrypt",
            "Decrypt",
            json!({ "Plaintext": base64("m"), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256" }),
            "CiphertextBlob",
        ),
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "Encrypt",
            "Decrypt",
            json!({ "Plaintext": base64("m") }),
            "CiphertextBlob",
        ),
    ] {
        let (id, _) = create(&mut virginia, spec, usage);
        replicate(&mut virginia, &id, "eu-west-1");
        for there in [false, true] {
            let (here, other) = if there {
                (&mut ireland, &mut virginia)
            } else {
                (&mut virginia, &mut ireland)
            };
            let mut request = request.clone();
            request["KeyId"] = json!(id);
            let result = here.ok(make, &request)[made].take();
            request.as_object_mut().unwrap().remove("Plaintext");
            request[made] = result;
            let checked = other.ok(check, &request);
            let accepted = checked["Plaintext"] == base64("m")
                || checked["SignatureValid"] == true
                || checked["MacValid"] == true;
            assert!(accepted, "{spec}: {checked}");
        }
    }
}

#[test]
fn description_tags_aliases_and_state_belong_to_each_key_alone() {
    let (_emulators, [mut virginia, mut ireland, _]) = regions();
    let tags = |value: &str| json!([{ "TagKey": "a", "TagValue": value }]);
    let request = json!({
        "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": true,
        "Description": "primary", "Tags": tags("primary"),
    });
    let id = text(&virginia.ok("CreateKey", &request)["KeyMetadata"]["KeyId"]);
    virginia.ok(
        "CreateAlias",
        &json!({ "AliasName": "alias/a", "TargetKeyId": id }),
    );
    let answer = virginia.ok(
        "ReplicateKey",
        &json!({
            "KeyId": id, "ReplicaRegion": "eu-west-1", "Description": "replica",
            "Tags": tags("replica"), "Policy": "{\"Version\":\"2012-10-17\"}",
        }),
    );
    assert_eq!(answer["ReplicaTags"], tags("replica"));
    assert_eq!(answer["ReplicaPolicy"], "{\"Version\":\"2012-10-17\"}");
    ireland.ok("DisableKey", &json!({ "KeyId": id }));
    for (client, name, state, aliases) in [
        (&mut virginia, "primary", "Enabled", 1),
        (&mut ireland, "replica", "Disabled", 0),
    ] {
        let key = described(client, &id);
        assert_eq!(
            (&key["Description"], &key["KeyState"]),
            (&json!(name), &json!(state))
        );
        let request = json!({ "KeyId": id });
        assert_eq!(client.ok("ListResourceTags", &request)["Tags"], tags(name));
        let listed = client.ok("ListAliases", &request)["Aliases"].take();
        assert_eq!(listed.as_array().map(Vec::len), Some(aliases));
    }
}

#[test]
fn a_key_is_replicated_once_to_a_region_that_is_there_and_by_its_primary_alone() {
    let (_emulators, [mut virginia, mut ireland, _]) = regions();
    let (id, _) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    replicate(&mut virginia, &id, "eu-west-1");
    let (single, _) = virginia.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let (dying, _) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    virginia.ok("ScheduleKeyDeletion", &json!({ "KeyId": dying }));
    let external = json!({ "MultiRegion": true, "Origin": "EXTERNAL" });
    let waiting = text(&virginia.ok("CreateKey", &external)["KeyMetadata"]["KeyId"]);
    for (id, region, code) in [
        (&id, "eu-west-1", "AlreadyExistsException"),
        (&id, "us-east-1", "AlreadyExistsException"),
        (&id, "mars-north-1", "ValidationException"),
        (&id, "", "ValidationException"),
        (&single, "ap-south-1", "UnsupportedOperationException"),
        (&dying, "ap-south-1", "KMSInvalidStateException"),
        (&waiting, "ap-south-1", "KMSInvalidStateException"),
    ] {
        let request = json!({ "KeyId": id, "ReplicaRegion": region });
        assert_eq!(
            virginia.refused("ReplicateKey", &request).0,
            code,
            "{region}"
        );
    }
    for member in ["Policy", "Tags"] {
        let mut request = json!({ "KeyId": id, "ReplicaRegion": "ap-south-1" });
        request[member] = match member {
            "Policy" => json!("nonsense"),
            _ => json!([{ "TagKey": "aws:a", "TagValue": "" }]),
        };
        let code = virginia.refused("ReplicateKey", &request).0;
        assert!(
            ["MalformedPolicyDocumentException", "TagException"].contains(&code.as_str()),
            "{code}"
        );
    }
    let disabled = json!({ "KeyId": id });
    virginia.ok("DisableKey", &disabled);
    replicate(&mut virginia, &id, "ap-south-1");
    assert_eq!(described(&mut ireland, &id)["KeyState"], "Enabled");
}

#[test]
fn a_new_replica_is_creating_for_as_many_requests_as_were_set() {
    let (emulators, [mut virginia, mut ireland, _]) = regions();
    emulators[1].set_creating_reads(3);
    let (id, _) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    replicate(&mut virginia, &id, "eu-west-1");
    let tags = json!([{ "TagKey": "a", "TagValue": "b" }]);
    let sign = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    assert_eq!(described(&mut ireland, &id)["KeyState"], "Creating");
    ireland.ok("TagResource", &json!({ "KeyId": id, "Tags": tags }));
    let arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{id}");
    let refused = ireland.refused("Sign", &sign);
    let expected = format!("{arn} is creating.");
    assert_eq!(
        refused,
        ("KMSInvalidStateException".to_owned(), Some(expected))
    );
    ireland.ok("Sign", &sign);
}

#[test]
fn a_region_that_is_gone_gets_no_replica_and_the_others_go_on() {
    let (mut emulators, [mut virginia, mut ireland, _]) = regions();
    let (id, _) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    drop(emulators.pop());
    let request = json!({ "KeyId": id, "ReplicaRegion": "ap-south-1" });
    let answer = virginia.call("ReplicateKey", &request);
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (500, "KMSInternalException")
    );
    let configuration = described(&mut virginia, &id)["MultiRegionConfiguration"].take();
    assert_eq!(configuration["ReplicaKeys"], json!([]));

    replicate(&mut virginia, &id, "eu-west-1");
    emulators.remove(0);
    let sign = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    ireland.ok("Sign", &sign);
}

#[test]
fn imported_material_is_imported_into_each_replica_and_is_the_same() {
    let (_emulators, [mut virginia, mut ireland, _]) = regions();
    let request = json!({ "MultiRegion": true, "Origin": "EXTERNAL" });
    let id = text(&virginia.ok("CreateKey", &request)["KeyMetadata"]["KeyId"]);
    assert_eq!(import(&mut virginia, &id, &[7; 32]), 200);
    replicate(&mut virginia, &id, "eu-west-1");
    let replica = described(&mut ireland, &id);
    assert_eq!(replica["KeyState"], "PendingImport");
    assert_eq!(replica["Origin"], "EXTERNAL");
    assert_eq!(import(&mut ireland, &id, &[8; 32]), 400);
    assert_eq!(import(&mut ireland, &id, &[7; 32]), 200);
    let encrypted = virginia.ok(
        "Encrypt",
        &json!({ "KeyId": id, "Plaintext": base64("secret") }),
    );
    let request = json!({ "CiphertextBlob": encrypted["CiphertextBlob"] });
    let decrypted = ireland.ok("Decrypt", &request);
    assert_eq!(bytes(&decrypted["Plaintext"]), b"secret");
}

#[test]
fn replicas_rotate_with_their_primary_and_not_by_themselves() {
    let (_emulators, [mut virginia, mut ireland, mut mumbai]) = regions();
    let (id, _) = create(&mut virginia, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let key = json!({ "KeyId": id });
    replicate(&mut virginia, &id, "eu-west-1");
    virginia.ok("EnableKeyRotation", &key);
    virginia.ok("RotateKeyOnDemand", &key);
    replicate(&mut virginia, &id, "ap-south-1");
    let rotated = virginia.ok("ListKeyRotations", &key)["Rotations"][0]["KeyMaterialId"].take();
    let encrypt = json!({ "KeyId": id, "Plaintext": base64("m") });
    let blob = virginia.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    for client in [&mut ireland, &mut mumbai] {
        let status = client.ok("GetKeyRotationStatus", &key);
        assert_eq!(status["KeyRotationEnabled"], true);
        assert_eq!(described(client, &id)["CurrentKeyMaterialId"], rotated);
        client.ok("Decrypt", &json!({ "CiphertextBlob": blob }));
        for operation in [
            "RotateKeyOnDemand",
            "EnableKeyRotation",
            "DisableKeyRotation",
        ] {
            let code = client.refused(operation, &key).0;
            assert_eq!(code, "UnsupportedOperationException", "{operation}");
        }
    }
}

#[test]
fn a_primary_waits_for_the_end_of_its_replicas_before_its_own_window_begins() {
    let (emulators, [mut virginia, mut ireland, mut mumbai]) = regions();
    let (id, arn) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    let key = json!({ "KeyId": id });
    replicate(&mut virginia, &id, "eu-west-1");
    replicate(&mut virginia, &id, "ap-south-1");
    let request = json!({ "KeyId": id, "PendingWindowInDays": 7 });
    let scheduled = virginia.ok("ScheduleKeyDeletion", &request);
    let expected =
        json!({ "KeyId": arn, "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 7 });
    assert_eq!(scheduled, expected);
    let message = format!("{arn} is pending replica deletion.");
    let expected = ("KMSInvalidStateException".to_owned(), Some(message));
    for operation in ["GetPublicKey", "ScheduleKeyDeletion"] {
        assert_eq!(virginia.refused(operation, &key), expected);
    }
    virginia.ok("CancelKeyDeletion", &key);
    assert_eq!(described(&mut virginia, &id)["KeyState"], "Disabled");
    virginia.ok("ScheduleKeyDeletion", &request);

    for (emulator, client, state) in [
        (&emulators[1], &mut ireland, "PendingReplicaDeletion"),
        (&emulators[2], &mut mumbai, "PendingDeletion"),
    ] {
        let scheduled = client.ok("ScheduleKeyDeletion", &request);
        assert_eq!(scheduled["KeyState"], "PendingDeletion");
        let primary = described(&mut virginia, &id);
        assert_eq!(primary["KeyState"], "PendingReplicaDeletion");
        assert_eq!(primary["PendingDeletionWindowInDays"], 7);
        emulator.end_deletions();
        assert_eq!(client.refused("DescribeKey", &key).0, "NotFoundException");
        assert_eq!(described(&mut virginia, &id)["KeyState"], state);
    }
    let primary = described(&mut virginia, &id);
    assert!(primary["DeletionDate"].is_number(), "{primary}");
    assert_eq!(
        primary["MultiRegionConfiguration"]["ReplicaKeys"],
        json!([])
    );
}

#[test]
fn a_replica_takes_the_place_of_its_primary() {
    let (_emulators, [mut virginia, mut ireland, mut mumbai]) = regions();
    let (id, _) = create(&mut virginia, "ECC_NIST_P256", "SIGN_VERIFY");
    replicate(&mut virginia, &id, "eu-west-1");
    let to = |region: &str| json!({ "KeyId": id, "PrimaryRegion": region });
    let refused = virginia.refused("UpdatePrimaryRegion", &to("ap-south-1"));
    assert_eq!(refused.0, "NotFoundException");
    virginia.ok("UpdatePrimaryRegion", &to("eu-west-1"));
    replicate(&mut ireland, &id, "ap-south-1");
    let refused = virginia.refused("UpdatePrimaryRegion", &to("ap-south-1"));
    assert_eq!(refused.0, "UnsupportedOperationException");
    let expected = json!({ "MultiRegionKeyType": "REPLICA", "PrimaryKey": key_in("eu-west-1", &id),
        "ReplicaKeys": [key_in("ap-south-1", &id), key_in("us-east-1", &id)] });
    for client in [&mut virginia, &mut mumbai] {
        let configuration = described(client, &id)["MultiRegionConfiguration"].take();
        assert_eq!(configuration, expected);
    }
}

#[test]
fn keys_made_at_once_can_be_replicated_and_replicas_survive_a_restart() {
    let directory = TempDir::new().unwrap();
    let options = || Options {
        region: "eu-west-1".to_owned(),
        state: Some(directory.path().join("state.json")),
        ..Options::default()
    };
    let ireland = Emulator::start(options()).unwrap();
    let (virginia, mut client) = start();
    let (status, _) = client.control("PUT", "peers", &json!({ "eu-west-1": ireland.endpoint() }));
    assert_eq!(status, 200);
    let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").multi_region();
    let id = virginia.create_keys(&keys).unwrap().remove(0).key_id;
    replicate(&mut client, &id, "eu-west-1");
    drop(ireland);
    let ireland = Emulator::start(options()).unwrap();
    let replica = described(&mut Client::connect(&ireland.endpoint()), &id);
    assert_eq!(
        replica["MultiRegionConfiguration"]["MultiRegionKeyType"],
        "REPLICA"
    );
}

#[test]
fn peers_are_emulators_on_loopback() {
    let (emulator, mut client) = start();
    for endpoint in ["https://127.0.0.1:1", "http://192.0.2.1:1", "here"] {
        assert!(
            emulator.set_peer("eu-west-1", endpoint).is_err(),
            "{endpoint}"
        );
        let (status, _) = client.control("PUT", "peers", &json!({ "eu-west-1": endpoint }));
        assert_eq!(status, 400, "{endpoint}");
    }
}

/// Imports symmetric material, wrapped by OpenSSL; answers the HTTP status.
fn import(client: &mut Client, id: &str, material: &[u8]) -> u16 {
    let parameters = client.ok(
        "GetParametersForImport",
        &json!({ "KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048" }),
    );
    let directory = TempDir::new().unwrap();
    let public = directory.path().join("public.der");
    std::fs::write(&public, bytes(&parameters["PublicKey"])).unwrap();
    let public = public.to_str().unwrap();
    let args = [
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", public,
    ];
    let oaep = [
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha256",
        "rsa_mgf1_md:sha256",
    ];
    let args = args
        .into_iter()
        .chain(oaep.into_iter().flat_map(|option| ["-pkeyopt", option]));
    let request = json!({
        "KeyId": id, "ImportToken": parameters["ImportToken"],
        "EncryptedKeyMaterial": base64(openssl_ok(args, material)),
        "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
    });
    client.call("ImportKeyMaterial", &request).status
}
