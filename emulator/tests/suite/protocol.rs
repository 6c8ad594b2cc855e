//! The protocol: what is asked of every request, and the rules of each operation that nobody recorded.

use kms_emulator::{Emulator, NewKeys, Options};
use serde_json::{Value, json};

use crate::client::{AUTHORIZATION, Answer, Client, base64, text};

fn start() -> (Emulator, Client) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let client = Client::connect(&emulator.endpoint());
    (emulator, client)
}

const JSON: (&str, &str) = ("Content-Type", "application/x-amz-json-1.1");
const SIGNED: (&str, &str) = ("Authorization", AUTHORIZATION);
const LIST_KEYS: (&str, &str) = ("X-Amz-Target", "TrentService.ListKeys");

#[test]
fn every_answer_has_a_request_id_and_every_error_its_type_in_header_and_body() {
    let (_emulator, mut client) = start();
    let succeeded = client.call("ListKeys", &json!({}));
    let failed = client.call("DescribeKey", &json!({ "KeyId": "nonsense" }));
    let id = |answer: &Answer| answer.header("x-amzn-requestid").map(str::len);
    assert_eq!((id(&succeeded), id(&failed)), (Some(36), Some(36)));
    assert_ne!(
        succeeded.header("x-amzn-requestid"),
        failed.header("x-amzn-requestid")
    );
    assert_eq!(
        succeeded.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    assert_eq!(failed.header("x-amzn-errortype"), Some("NotFoundException"));
    assert_eq!(failed.json()["__type"], "NotFoundException");
}

#[test]
fn a_request_needs_target_media_type_and_the_form_of_a_signature() {
    let (_emulator, mut client) = start();
    let mut code = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let answer = client.request(method, path, headers, b"{}").unwrap();
        if answer.status == 200 {
            "none".to_owned()
        } else {
            answer.code()
        }
    };
    let basic = ("Authorization", "Basic dGVzdDp0ZXN0");
    let half = (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms",
    );
    let unknown = ("X-Amz-Target", "TrentService.MakeCoffee");
    let other_service = ("X-Amz-Target", "DynamoDB_20120810.ListTables");
    assert_eq!(code("POST", "/", &[JSON, SIGNED, LIST_KEYS]), "none");
    assert_eq!(
        code("POST", "/", &[JSON, LIST_KEYS]),
        "MissingAuthenticationTokenException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, basic, LIST_KEYS]),
        "IncompleteSignatureException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, half, LIST_KEYS]),
        "IncompleteSignatureException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED, unknown]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED, other_service]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("GET", "/", &[JSON, SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/keys", &[JSON, SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
}

#[test]
fn members_of_a_wrong_type_are_serialization_errors() {
    let (_emulator, mut client) = start();
    for request in [
        json!([]),
        json!({ "KeyId": 7 }),
        json!({ "KeyId": "x", "Message": "not base64!" }),
        json!({ "KeyId": "x", "Message": base64("m"), "DryRun": "yes" }),
    ] {
        let (code, _) = client.refused("Sign", &request);
        let expected = "SerializationException";
        assert!(code == expected, "{request}: {code}");
    }
    let answer = client.request("POST", "/", &[JSON, SIGNED, LIST_KEYS], b"{\"Limit\":");
    assert_eq!(answer.unwrap().code(), "SerializationException");
}

#[test]
fn all_broken_constraints_are_reported_together() {
    let (_emulator, mut client) = start();
    let request = json!({ "KeyId": "", "Message": "", "SigningAlgorithm": "NONE" });
    let (code, message) = client.refused("Sign", &request);
    let message = message.unwrap();
    assert_eq!(code, "ValidationException");
    assert!(
        message.starts_with("3 validation errors detected: Value '' at 'keyId'"),
        "{message}"
    );
    assert!(message.contains("Value at 'message' failed"), "{message}");
    assert!(
        message.contains("Value 'NONE' at 'signingAlgorithm' failed"),
        "{message}"
    );
}

#[test]
fn a_raw_message_has_1_to_4096_bytes() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut sign = |length: usize| {
        let message = base64(vec![7; length]);
        let request =
            json!({ "KeyId": id, "Message": message, "SigningAlgorithm": "ECDSA_SHA_256" });
        let answer = client.call("Sign", &request);
        if answer.status == 200 {
            "none".to_owned()
        } else {
            answer.message().unwrap()
        }
    };
    let refused = |bound| {
        format!(
            "1 validation error detected: Value at 'message' failed to satisfy constraint: Member \
             must have length {bound}"
        )
    };
    assert_eq!(sign(0), refused("greater than or equal to 1"));
    assert_eq!(sign(1), "none");
    assert_eq!(sign(4096), "none");
    assert_eq!(sign(4097), refused("less than or equal to 4096"));
}

#[test]
fn an_algorithm_of_another_key_spec_is_refused_by_name() {
    let (_emulator, mut client) = start();
    for (spec, algorithm) in [
        ("ECC_NIST_P256", "ECDSA_SHA_384"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_512"),
        ("ECC_NIST_P521", "RSASSA_PSS_SHA_512"),
        ("RSA_2048", "ECDSA_SHA_256"),
    ] {
        let (id, _) = client.create_key(spec, "SIGN_VERIFY");
        let request = json!({ "KeyId": id, "Message": base64("m"), "SigningAlgorithm": algorithm });
        let message = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
        let expected = ("InvalidKeyUsageException".to_owned(), Some(message));
        assert_eq!(client.refused("Sign", &request), expected);
    }
}

#[test]
fn a_dry_run_says_that_it_would_have_succeeded_and_does_nothing() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut request = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": true,
    });
    assert_eq!(
        client.refused("Sign", &request).0,
        "DryRunOperationException"
    );
    request["SigningAlgorithm"] = json!("ECDSA_SHA_384");
    assert_eq!(
        client.refused("Sign", &request).0,
        "InvalidKeyUsageException"
    );
}

#[test]
fn keys_without_a_public_half_are_listed_but_have_no_public_key() {
    let (_emulator, mut client) = start();
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_224", "GENERATE_VERIFY_MAC"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("HMAC_384", "GENERATE_VERIFY_MAC"),
        ("HMAC_512", "GENERATE_VERIFY_MAC"),
    ] {
        let (id, _) = client.create_key(spec, usage);
        let refused = client.refused("GetPublicKey", &json!({ "KeyId": id }));
        assert_eq!(refused.0, "UnsupportedOperationException", "{spec}");
    }
    let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(5));
}

#[test]
fn the_public_key_comes_with_spec_usage_and_algorithms() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P384", "KEY_AGREEMENT");
    let mut answer = client.ok("GetPublicKey", &json!({ "KeyId": id }));
    assert!(answer["PublicKey"].take().is_string());
    let expected = json!({
        "CustomerMasterKeySpec": "ECC_NIST_P384", "KeyAgreementAlgorithms": ["ECDH"],
        "KeyId": arn, "KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT", "PublicKey": null,
    });
    assert_eq!(answer, expected);
}

/// Cryptography and `GetPublicKey` want an enabled key; descriptions work in every state.
#[test]
fn a_disabled_or_dying_key_computes_nothing_but_can_be_described() {
    let (_emulator, mut client) = start();
    let (signer, signer_arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let (cipher, cipher_arn) = client.create_key("RSA_2048", "ENCRYPT_DECRYPT");
    let sign = json!({
        "KeyId": signer, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let mut verify = sign.clone();
    verify["Signature"] = client.ok("Sign", &sign)["Signature"].take();
    let encrypt = json!({
        "KeyId": cipher, "Plaintext": base64("m"), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let ciphertext = client.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    let decrypt = json!({
        "KeyId": cipher, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let calls = [
        ("Sign", &sign, &signer_arn),
        ("Verify", &verify, &signer_arn),
        ("GetPublicKey", &json!({ "KeyId": signer }), &signer_arn),
        ("Encrypt", &encrypt, &cipher_arn),
        ("Decrypt", &decrypt, &cipher_arn),
    ];
    for (change, state, code, words) in [
        (
            "DisableKey",
            "Disabled",
            "DisabledException",
            "is disabled.",
        ),
        (
            "ScheduleKeyDeletion",
            "PendingDeletion",
            "KMSInvalidStateException",
            "is pending deletion.",
        ),
    ] {
        for id in [&signer, &cipher] {
            client.ok(change, &json!({ "KeyId": id }));
            let key = client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"].take();
            assert_eq!(
                (&key["KeyState"], &key["Enabled"]),
                (&json!(state), &json!(false))
            );
            client.ok("ListResourceTags", &json!({ "KeyId": id }));
            client.ok("ListAliases", &json!({ "KeyId": id }));
        }
        for (operation, request, arn) in calls {
            let expected = (code.to_owned(), Some(format!("{arn} {words}")));
            assert_eq!(client.refused(operation, request), expected, "{operation}");
        }
    }
}

#[test]
fn a_dying_key_cannot_be_changed_until_its_deletion_is_cancelled() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let scheduled = client.ok(
        "ScheduleKeyDeletion",
        &json!({ "KeyId": id, "PendingWindowInDays": 7 }),
    );
    assert_eq!(scheduled["KeyId"], json!(arn));
    assert_eq!(scheduled["KeyState"], "PendingDeletion");
    assert_eq!(scheduled["PendingWindowInDays"], 7);
    let key = client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"].take();
    assert_eq!(key["DeletionDate"], scheduled["DeletionDate"]);
    let days = key["DeletionDate"].as_f64().unwrap() - key["CreationDate"].as_f64().unwrap();
    assert_eq!((days / 86400.0).round(), 7.0);

    let tag = json!([{ "TagKey": "a", "TagValue": "b" }]);
    for (operation, request) in [
        ("EnableKey", json!({ "KeyId": id })),
        ("DisableKey", json!({ "KeyId": id })),
        ("ScheduleKeyDeletion", json!({ "KeyId": id })),
        (
            "UpdateKeyDescription",
            json!({ "KeyId": id, "Description": "d" }),
        ),
        ("TagResource", json!({ "KeyId": id, "Tags": tag })),
        ("UntagResource", json!({ "KeyId": id, "TagKeys": ["a"] })),
        (
            "CreateAlias",
            json!({ "TargetKeyId": id, "AliasName": "alias/a" }),
        ),
    ] {
        let message = format!("{arn} is pending deletion.");
        let expected = ("KMSInvalidStateException".to_owned(), Some(message));
        assert_eq!(client.refused(operation, &request), expected, "{operation}");
    }

    let request = json!({ "KeyId": id });
    assert_eq!(
        client.ok("CancelKeyDeletion", &request),
        json!({ "KeyId": arn })
    );
    let key = client.ok("DescribeKey", &request)["KeyMetadata"].take();
    assert_eq!(
        (&key["KeyState"], &key["DeletionDate"]),
        (&json!("Disabled"), &Value::Null)
    );
    let message = format!("{arn} is not pending deletion.");
    let expected = ("KMSInvalidStateException".to_owned(), Some(message));
    assert_eq!(client.refused("CancelKeyDeletion", &request), expected);
    client.ok("EnableKey", &request);
    client.ok("GetPublicKey", &request);
}

#[test]
fn a_deletion_window_has_7_to_30_days_and_30_when_not_given() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    for days in [6, 31] {
        let request = json!({ "KeyId": id, "PendingWindowInDays": days });
        assert_eq!(
            client.refused("ScheduleKeyDeletion", &request).0,
            "ValidationException"
        );
    }
    let scheduled = client.ok("ScheduleKeyDeletion", &json!({ "KeyId": id }));
    assert_eq!(scheduled["PendingWindowInDays"], 30);
}

#[test]
fn keys_are_named_in_four_ways_for_use_and_in_two_for_change() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    client.ok(
        "CreateAlias",
        &json!({ "AliasName": "alias/ca", "TargetKeyId": arn }),
    );
    let alias_arn = "arn:aws:kms:us-east-1:111122223333:alias/ca";
    for name in [id.as_str(), &arn, "alias/ca", alias_arn] {
        client.ok("DescribeKey", &json!({ "KeyId": name }));
        client.ok("GetPublicKey", &json!({ "KeyId": name }));
        let request =
            json!({ "KeyId": name, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256" });
        assert_eq!(client.ok("Sign", &request)["KeyId"], json!(arn));
    }
    for operation in ["ListResourceTags", "ListAliases", "DisableKey", "EnableKey"] {
        client.ok(operation, &json!({ "KeyId": id }));
        client.ok(operation, &json!({ "KeyId": arn }));
        let refused = client.refused(operation, &json!({ "KeyId": "alias/ca" }));
        assert_eq!(refused.0, "NotFoundException", "{operation}");
        let refused = client.refused(operation, &json!({ "KeyId": alias_arn }));
        assert_eq!(refused.0, "InvalidArnException", "{operation}");
    }
    let missing = client.refused("DescribeKey", &json!({ "KeyId": "alias/none" }));
    let message = "Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found.";
    assert_eq!(
        missing,
        ("NotFoundException".to_owned(), Some(message.to_owned()))
    );
}

#[test]
fn aliases_are_created_moved_listed_and_deleted() {
    let (_emulator, mut client) = start();
    let (first, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let (second, _) = client.create_key("RSA_2048", "SIGN_VERIFY");
    let (hmac, _) = client.create_key("HMAC_256", "GENERATE_VERIFY_MAC");
    let on = |name: &str, key: &str| json!({ "AliasName": name, "TargetKeyId": key });
    client.ok("CreateAlias", &on("alias/a/b_C-9", &first));
    client.ok("CreateAlias", &on("alias/z", &second));
    let again = client.refused("CreateAlias", &on("alias/z", &first));
    assert_eq!(again.0, "AlreadyExistsException");
    for (name, key, code) in [
        ("alias/", first.as_str(), "InvalidAliasNameException"),
        ("alias/a:b", &first, "InvalidAliasNameException"),
        ("alias/aws/kms", &first, "NotAuthorizedException"),
        ("alias/a b", &first, "ValidationException"),
        ("alias/new", "alias/z", "ValidationException"),
    ] {
        assert_eq!(
            client.refused("CreateAlias", &on(name, key)).0,
            code,
            "{name}"
        );
    }
    let aliases = |client: &mut Client, key: Option<&str>| {
        let answer = client.ok("ListAliases", &json!({ "KeyId": key }));
        let pair = |alias: &Value| (text(&alias["AliasName"]), text(&alias["TargetKeyId"]));
        answer["Aliases"]
            .as_array()
            .unwrap()
            .iter()
            .map(pair)
            .collect::<Vec<_>>()
    };
    let expect = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, key)| (name.to_owned(), key.to_owned()))
            .collect()
    };
    let (a, z) = ("alias/a/b_C-9", "alias/z");
    assert_eq!(
        aliases(&mut client, None),
        expect(&[(a, &first), (z, &second)])
    );
    assert_eq!(aliases(&mut client, Some(&first)), expect(&[(a, &first)]));

    assert_eq!(
        client.refused("UpdateAlias", &on(z, &hmac)).0,
        "ValidationException"
    );
    assert_eq!(
        client.refused("UpdateAlias", &on("alias/n", &first)).0,
        "NotFoundException"
    );
    client.ok("UpdateAlias", &on(z, &first));
    assert_eq!(aliases(&mut client, Some(&second)), expect(&[]));
    client.ok("DeleteAlias", &json!({ "AliasName": a }));
    assert_eq!(aliases(&mut client, None), expect(&[(z, &first)]));
    assert_eq!(
        client.refused("DeleteAlias", &json!({ "AliasName": a })).0,
        "NotFoundException"
    );
}

#[test]
fn lists_come_in_pages_of_the_services_defaults_and_limits() {
    let (emulator, mut client) = start();
    let keys = NewKeys::new(1005, "HMAC_256", "GENERATE_VERIFY_MAC").alias("alias/test-{n}");
    let keys = emulator.create_keys(&keys).unwrap();
    for (operation, member, default, max) in [
        ("ListKeys", "Keys", 100, 1000),
        ("ListAliases", "Aliases", 50, 100),
    ] {
        let mut page = |request: Value| {
            let answer = client.ok(operation, &request);
            (
                answer[member].as_array().unwrap().len(),
                answer["NextMarker"].clone(),
            )
        };
        assert_eq!(page(json!({})).0, default);
        let (mut total, mut marker) = page(json!({ "Limit": max }));
        assert_eq!(total, max);
        while !marker.is_null() {
            let (count, next) = page(json!({ "Limit": max, "Marker": marker }));
            total += count;
            marker = next;
        }
        assert_eq!(total, keys.len(), "{operation}");
        for limit in [0, max + 1] {
            let refused = client.refused(operation, &json!({ "Limit": limit }));
            assert_eq!(refused.0, "ValidationException");
        }
        let refused = client.refused(operation, &json!({ "Marker": "%" }));
        assert_eq!(refused.0, "InvalidMarkerException");
    }
}

#[test]
fn a_key_has_at_most_50_tags_in_pages_of_at_most_50() {
    let (_emulator, mut client) = start();
    let tag = |n: usize| json!({ "TagKey": format!("tag{n:02}"), "TagValue": "" });
    let tags: Value = (0..50).map(tag).collect();
    let created = client.ok("CreateKey", &json!({ "Tags": tags }));
    let id = text(&created["KeyMetadata"]["KeyId"]);
    client.ok("TagResource", &json!({ "KeyId": id, "Tags": [tag(7)] }));
    let one_more = client.refused("TagResource", &json!({ "KeyId": id, "Tags": [tag(50)] }));
    assert_eq!(one_more.0, "TagException");

    let first = client.ok("ListResourceTags", &json!({ "KeyId": id, "Limit": 30 }));
    assert_eq!(first["Truncated"], true);
    let request = json!({ "KeyId": id, "Limit": 30, "Marker": first["NextMarker"] });
    let second = client.ok("ListResourceTags", &request);
    assert_eq!(second["Truncated"], false);
    let all = [first, second];
    let all: Value = all
        .iter()
        .flat_map(|page| page["Tags"].as_array().unwrap())
        .cloned()
        .collect();
    assert_eq!(all, tags);
    let refused = client.refused("ListResourceTags", &json!({ "KeyId": id, "Limit": 51 }));
    assert_eq!(refused.0, "ValidationException");
}

#[test]
fn tags_hold_letters_digits_spaces_and_a_few_signs() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut tag = |key: &str, value: &str| {
        let tags = json!([{ "TagKey": key, "TagValue": value }]);
        client
            .call("TagResource", &json!({ "KeyId": id, "Tags": tags }))
            .status
    };
    assert_eq!(tag("p11:label", "Grün 9 _.:/=+-@"), 200);
    assert_eq!(tag("key", "a*b"), 400);
    assert_eq!(tag("ke,y", "value"), 400);
    assert_eq!(tag("", "value"), 400);
}

#[test]
fn calls_and_connections_are_counted_and_the_control_api_is_not() {
    let (emulator, mut client) = start();
    client.control("GET", "health", &Value::Null);
    for _ in 0..3 {
        client.ok("ListKeys", &json!({}));
    }
    client.refused("DescribeKey", &json!({ "KeyId": "nonsense" }));
    Client::connect(&emulator.endpoint()).ok("ListKeys", &json!({}));
    let expected = json!({
        "total": 5, "connections": 2, "in_flight_max": 1,
        "operations": { "DescribeKey": 1, "ListKeys": 4 },
    });
    assert_eq!(
        client.control("GET", "calls", &Value::Null),
        (200, expected)
    );
    let calls = emulator.calls();
    assert_eq!(
        (calls.total, calls.connections, calls.of("ListKeys")),
        (5, 2, 4)
    );
    client.control("DELETE", "calls", &Value::Null);
    assert_eq!(emulator.calls().total, 0);
}

#[test]
fn other_requests_are_answered_while_an_rsa_key_is_generated() {
    let (emulator, mut client) = start();
    let slow = std::thread::spawn({
        let mut client = Client::connect(&emulator.endpoint());
        move || client.create_key("RSA_4096", "SIGN_VERIFY")
    });
    let mut answered = 0;
    while !slow.is_finished() {
        client.ok("GenerateRandom", &json!({ "NumberOfBytes": 8 }));
        answered += 1;
    }
    slow.join().unwrap();
    assert!(answered > 10, "{answered} requests were answered meanwhile");
}

#[test]
fn bulk_keys_have_numbered_tags_and_aliases() {
    let (_emulator, mut client) = start();
    let keys = json!({
        "count": 12, "key_spec": "ECC_NIST_P256", "key_usage": "SIGN_VERIFY",
        "tags": { "p11:label": "key {n}", "cluster": "test" }, "alias": "alias/key-{n}",
    });
    let (status, created) = client.control("POST", "keys", &keys);
    assert_eq!(
        (status, created["keys"].as_array().map(Vec::len)),
        (200, Some(12))
    );
    for (n, key) in created["keys"].as_array().unwrap().iter().enumerate() {
        let tags = client.ok("ListResourceTags", &json!({ "KeyId": key["key_id"] }));
        let expected = json!([
            { "TagKey": "cluster", "TagValue": "test" },
            { "TagKey": "p11:label", "TagValue": format!("key {n}") },
        ]);
        assert_eq!(tags["Tags"], expected);
        let described = client.ok("DescribeKey", &json!({ "KeyId": format!("alias/key-{n}") }));
        assert_eq!(described["KeyMetadata"]["Arn"], key["arn"]);
    }
}
