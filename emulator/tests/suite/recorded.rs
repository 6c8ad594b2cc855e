//! What the real service was seen to answer.
//!
//! The facts were recorded from AWS KMS by the authors of `LocalStack` (Apache-2.0), in 114 cases, and are
//! restated here as our own table: the request, and the code and message or the members it was answered.
//!
//! - 110 cases are proved whole: random bytes (8), plaintext sizes (7), keys described and not found (5),
//!   unsuitable keys (1), key creation (4), the alias prefix (1), signatures (10) and their salts (8, in
//!   the tests with OpenSSL), MACs (9), shared secrets (2), data keys (10), `ReEncrypt` (3), import (13)
//!   and rotation (14, these six in tests of their own), encryption contexts (1), tags (11), replication (1, in `replication.rs`).
//! - 2 cases are proved as far as their operations exist here: a key that another region does not have, the
//!   refusal of a broken ciphertext.
//! - 4 cases are about operations that do not exist here: the rotation of what was imported.

mod refusals;

use std::collections::{BTreeMap, BTreeSet};

use kms_emulator::{Emulator, NewKeys, Options};
use serde_json::{Value, json};

use self::refusals::REFUSALS;
use crate::client::{Client, base64, bytes, start, text};

const NO_SUCH_ID: &str = "134f2428-cec1-4b25-a1ae-9048164dba47";

#[test]
fn every_recorded_refusal_is_answered_in_the_services_words() {
    let fixture = Fixture::start();
    let mut client = Client::connect(&fixture.emulator.endpoint());
    for refusal in REFUSALS {
        let request = fixture.json(refusal.request);
        let expected = refusal.message.map(|message| fixture.fill(message));
        let answered = client.refused(refusal.operation, &request);
        assert_eq!(
            answered,
            (refusal.code.to_owned(), expected),
            "{}",
            refusal.case
        );
    }
}

/// The members of a key's metadata, beside those that every key has, and their values.
#[test]
fn the_metadata_of_keys_has_exactly_the_recorded_members() {
    #[rustfmt::skip]
    let cases = [
        ("create_key; non_multi_region_keys_should_not_have_multi_region_properties; describe_with_alias_arn",
         json!({ "Description": "test key 123" }),
         json!({ "Description": "test key 123", "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
                 "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "CurrentKeyMaterialId": null })),
        ("hmac_create_key",
         json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
         json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "MacAlgorithms": ["HMAC_SHA_256"] })),
        ("create_multi_region_key",
         json!({ "MultiRegion": true }),
         json!({ "MultiRegion": true, "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT",
                 "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "CurrentKeyMaterialId": null,
                 "MultiRegionConfiguration": null })),
        ("import_key_symmetric",
         json!({ "Origin": "EXTERNAL" }),
         json!({ "Origin": "EXTERNAL", "KeyState": "PendingImport", "Enabled": false, "KeySpec": "SYMMETRIC_DEFAULT",
                 "KeyUsage": "ENCRYPT_DECRYPT", "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"] })),
        ("import_key_asymmetric",
         json!({ "Origin": "EXTERNAL", "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }),
         json!({ "Origin": "EXTERNAL", "KeyState": "PendingImport", "Enabled": false, "KeySpec": "ECC_NIST_P256",
                 "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": ["ECDSA_SHA_256"] })),
        ("import_key_rsa_aes_wrap_sha256",
         json!({ "Origin": "EXTERNAL", "KeySpec": "RSA_4096", "KeyUsage": "ENCRYPT_DECRYPT" }),
         json!({ "Origin": "EXTERNAL", "KeyState": "PendingImport", "Enabled": false, "KeySpec": "RSA_4096",
                 "KeyUsage": "ENCRYPT_DECRYPT", "EncryptionAlgorithms": ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] })),
    ];
    let (_emulator, mut client) = start();
    for (case, request, own) in cases {
        let created = client.ok("CreateKey", &request)["KeyMetadata"].take();
        let id = &created["KeyId"];
        let mut expected = json!({
            "AWSAccountId": "111122223333",
            "Arn": format!("arn:aws:kms:us-east-1:111122223333:key/{}", text(id)),
            "CreationDate": null,
            "CustomerMasterKeySpec": own["KeySpec"],
            "Description": "",
            "Enabled": true,
            "KeyId": id,
            "KeyManager": "CUSTOMER",
            "KeyState": "Enabled",
            "MultiRegion": false,
            "Origin": "AWS_KMS",
        });
        merge(&mut expected, own);
        assert_members(&created, &expected, case);
        let alias = format!("alias/{}", text(id));
        client.ok(
            "CreateAlias",
            &json!({ "AliasName": alias, "TargetKeyId": id }),
        );
        let alias_arn = format!("arn:aws:kms:us-east-1:111122223333:{alias}");
        let described = client.ok("DescribeKey", &json!({ "KeyId": alias_arn }));
        assert_eq!(described["KeyMetadata"], created, "{case}");
    }
}

#[test]
fn a_multi_region_key_is_its_own_primary() {
    let (_emulator, mut client) = start();
    let key = client.ok("CreateKey", &json!({ "MultiRegion": true }))["KeyMetadata"].take();
    assert!(text(&key["KeyId"]).starts_with("mrk-"), "{key}");
    let configuration = json!({
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": { "Arn": key["Arn"], "Region": "us-east-1" },
        "ReplicaKeys": [],
    });
    assert_eq!(key["MultiRegionConfiguration"], configuration);
}

#[test]
fn random_bytes_come_in_the_length_asked_for() {
    let (_emulator, mut client) = start();
    for count in [12, 44, 91, 1, 1024] {
        let answer = client.ok("GenerateRandom", &json!({ "NumberOfBytes": count }));
        assert_eq!(bytes(&answer["Plaintext"]).len(), count);
    }
}

#[test]
fn signatures_are_made_and_verified_and_wrong_ones_refused_as_recorded() {
    let (_emulator, mut client) = start();
    for (spec, algorithm, digest_len) in [
        ("RSA_2048", "RSASSA_PSS_SHA_256", 32),
        ("RSA_2048", "RSASSA_PSS_SHA_384", 48),
        ("RSA_2048", "RSASSA_PSS_SHA_512", 64),
        ("RSA_4096", "RSASSA_PKCS1_V1_5_SHA_256", 32),
        ("RSA_4096", "RSASSA_PKCS1_V1_5_SHA_512", 64),
        ("ECC_NIST_P256", "ECDSA_SHA_256", 32),
        ("ECC_NIST_P384", "ECDSA_SHA_384", 48),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", 32),
    ] {
        let (id, arn) = client.create_key(spec, "SIGN_VERIFY");
        let request = |kind: &str, message: Vec<u8>, more: Value| {
            let mut request = json!({
                "KeyId": id, "MessageType": kind, "Message": base64(message),
                "SigningAlgorithm": algorithm,
            });
            merge(&mut request, more);
            request
        };
        for (kind, message) in [
            ("RAW", b"a message".to_vec()),
            ("DIGEST", vec![7; digest_len]),
        ] {
            let signed = client.ok("Sign", &request(kind, message.clone(), json!({})));
            let expected =
                json!({ "KeyId": arn, "Signature": null, "SigningAlgorithm": algorithm });
            assert_members(&signed, &expected, algorithm);

            let signature = json!({ "Signature": signed["Signature"] });
            let verified = client.ok("Verify", &request(kind, message, signature.clone()));
            let expected =
                json!({ "KeyId": arn, "SignatureValid": true, "SigningAlgorithm": algorithm });
            assert_eq!(verified, expected);

            let other = vec![8; digest_len];
            let refused = client.refused("Verify", &request(kind, other, signature));
            assert_eq!(
                refused,
                ("KMSInvalidSignatureException".to_owned(), None),
                "{algorithm}"
            );
        }
        let bad = request(
            "DIGEST",
            vec![7; digest_len - 1],
            json!({ "Signature": base64("x") }),
        );
        let message = format!("Digest is invalid length for algorithm {algorithm}.");
        for operation in ["Sign", "Verify"] {
            let refused = client.refused(operation, &bad);
            assert_eq!(
                refused,
                ("ValidationException".to_owned(), Some(message.clone()))
            );
        }
    }
}

#[test]
fn a_symmetric_ciphertext_opens_only_in_its_encryption_context() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let context = json!({ "context-key": "context-value" });
    let encrypted = client.ok(
        "Encrypt",
        &json!({ "KeyId": id, "Plaintext": base64("secret"), "EncryptionContext": context }),
    );
    let expected =
        json!({ "CiphertextBlob": null, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyId": arn });
    assert_members(&encrypted, &expected, "Encrypt");

    let blob = &encrypted["CiphertextBlob"];
    let with_context = json!({ "CiphertextBlob": blob, "EncryptionContext": context });
    let expected = json!({
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyId": arn, "KeyMaterialId": null,
        "Plaintext": base64("secret"),
    });
    assert_members(&client.ok("Decrypt", &with_context), &expected, "Decrypt");

    for context in [
        json!({}),
        json!({ "context-key": "other" }),
        json!({ "a": "b" }),
    ] {
        let refused = client.refused(
            "Decrypt",
            &json!({ "CiphertextBlob": blob, "EncryptionContext": context }),
        );
        assert_eq!(
            refused,
            ("InvalidCiphertextException".to_owned(), None),
            "{context}"
        );
    }
}

#[test]
fn tags_are_set_changed_and_removed_as_recorded() {
    let (_emulator, mut client) = start();
    let tags = |numbers: &[(u32, &str)]| {
        let tag =
            |(n, value): &(u32, &str)| json!({ "TagKey": format!("tag{n}"), "TagValue": value });
        numbers.iter().map(tag).collect::<Value>()
    };
    let three = tags(&[(1, "value1"), (2, "value2"), (3, "value3")]);
    let created = client.ok("CreateKey", &json!({ "Tags": three }));
    let id = text(&created["KeyMetadata"]["KeyId"]);
    let list =
        |client: &mut Client| client.ok("ListResourceTags", &json!({ "KeyId": id }))["Tags"].take();
    assert_eq!(list(&mut client), three, "create_key_with_tag_and_untag");

    client.ok(
        "UntagResource",
        &json!({ "KeyId": id, "TagKeys": ["tag2"] }),
    );
    assert_eq!(
        list(&mut client),
        tags(&[(1, "value1"), (3, "value3")]),
        "untag_key_partially"
    );

    let changed = tags(&[(3, "updated_value3"), (4, "value4"), (5, "value5")]);
    client.ok("TagResource", &json!({ "KeyId": id, "Tags": changed }));
    let all = tags(&[
        (1, "value1"),
        (3, "updated_value3"),
        (4, "value4"),
        (5, "value5"),
    ]);
    assert_eq!(list(&mut client), all, "update_and_add_tags_on_tagged_key");

    let keys = json!(["tag1", "tag3", "tag4", "tag5"]);
    client.ok("UntagResource", &json!({ "KeyId": id, "TagKeys": keys }));
    assert_eq!(list(&mut client), json!([]), "tag_existing_key_and_untag");
}

/// An emulator with the keys that the recorded requests name.
struct Fixture {
    emulator: Emulator,
    names: BTreeMap<String, String>,
}

impl Fixture {
    fn start() -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let mut names = BTreeMap::from([("{no_such_id}".to_owned(), NO_SUCH_ID.to_owned())]);
        let mut add = |name: &str, id: &str, arn: &str| {
            names.insert(format!("{{{name}}}"), id.to_owned());
            names.insert(format!("{{{name}.arn}}"), arn.to_owned());
        };
        for (name, spec, usage) in [
            ("symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            ("other_symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            ("hmac", "HMAC_224", "GENERATE_VERIFY_MAC"),
            ("p256", "ECC_NIST_P256", "SIGN_VERIFY"),
            ("agreement", "ECC_NIST_P256", "KEY_AGREEMENT"),
            ("rsa2048", "RSA_2048", "ENCRYPT_DECRYPT"),
            ("rsa3072", "RSA_3072", "ENCRYPT_DECRYPT"),
            ("rsa4096", "RSA_4096", "ENCRYPT_DECRYPT"),
        ] {
            let keys = emulator.create_keys(&NewKeys::new(1, spec, usage)).unwrap();
            add(name, &keys[0].key_id, &keys[0].arn);
        }
        let mut client = Client::connect(&emulator.endpoint());
        let external = client.ok("CreateKey", &json!({ "Origin": "EXTERNAL" }));
        let external = &external["KeyMetadata"];
        add(
            "external",
            &text(&external["KeyId"]),
            &text(&external["Arn"]),
        );
        let public = client.ok("GetPublicKey", &json!({ "KeyId": names["{p256}"] }));
        names.insert("{p256.public}".to_owned(), text(&public["PublicKey"]));
        let encrypted = client.ok(
            "Encrypt",
            &json!({ "KeyId": names["{symmetric}"], "Plaintext": base64("secret"),
                     "EncryptionContext": { "context-key": "context-value" } }),
        );
        names.insert(
            "{ciphertext}".to_owned(),
            text(&encrypted["CiphertextBlob"]),
        );
        Self { emulator, names }
    }

    fn json(&self, template: &str) -> Value {
        let filled = self.fill(template);
        serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{filled}: {error}"))
    }

    fn fill(&self, template: &str) -> String {
        let mut filled = template.to_owned();
        for (name, value) in &self.names {
            filled = filled.replace(name, value);
        }
        for letter in ["a", "v"] {
            filled = replace_counted(&filled, &format!("{{{letter}*"), |count| {
                letter.repeat(count)
            });
        }
        filled = replace_counted(&filled, "{bytes:", |count| base64(vec![0; count]));
        replace_counted(&filled, "{tags:", |count| {
            let tag = |n| json!({ "TagKey": format!("tag{n}"), "TagValue": "value" });
            (0..count).map(tag).collect::<Value>().to_string()
        })
    }
}

/// Replaces the placeholders that begin so and hold a count.
fn replace_counted(text: &str, begin: &str, value: impl Fn(usize) -> String + Copy) -> String {
    let Some((before, rest)) = text.split_once(begin) else {
        return text.to_owned();
    };
    let (count, after) = rest.split_once('}').unwrap();
    let after = replace_counted(after, begin, value);
    format!("{before}{}{after}", value(count.parse().unwrap()))
}

/// The same members, and the same values except where null is expected: there any will do.
#[track_caller]
fn assert_members(actual: &Value, expected: &Value, case: &str) {
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(actual), names(expected), "{case}");
    for (name, value) in expected.as_object().unwrap() {
        assert!(!actual[name].is_null(), "{case}: {name}");
        assert!(
            value.is_null() || actual[name] == *value,
            "{case}: {name} is {}",
            actual[name]
        );
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
