//! Eventual consistency: after a change, a counted number of reads does not show it.

use kms_emulator::NewKeys;
use serde_json::{Value, json};

use crate::client::{Client, base64, start, text};

#[test]
fn a_new_key_is_not_found_by_the_next_reads_and_then_is() {
    let (emulator, mut client) = start();
    emulator.set_stale_reads(3);
    let (id, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let sign = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let not_found = (
        "NotFoundException".to_owned(),
        Some(format!("Key '{arn}' does not exist")),
    );
    assert_eq!(
        client.refused("DescribeKey", &json!({ "KeyId": id })),
        not_found
    );
    assert_eq!(client.refused("Sign", &sign), not_found);
    assert_eq!(
        client.refused("GetPublicKey", &json!({ "KeyId": arn })),
        not_found
    );
    client.ok("Sign", &sign);
}

#[test]
fn a_new_key_is_missing_from_the_next_listings() {
    let (emulator, mut client) = start();
    let old = emulator
        .create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"))
        .unwrap();
    emulator.set_stale_reads(2);
    let (new, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut listed = || {
        let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
        let mut ids: Vec<_> = keys
            .as_array()
            .unwrap()
            .iter()
            .map(|key| text(&key["KeyId"]))
            .collect();
        ids.sort();
        ids
    };
    let only_old = vec![old[0].key_id.clone()];
    let mut both = vec![old[0].key_id.clone(), new];
    both.sort();
    assert_eq!(
        [listed(), listed(), listed()],
        [only_old.clone(), only_old, both]
    );
}

/// However the pages fall: a listing is one read, not one a page.
#[test]
fn a_new_key_is_missing_from_all_pages_of_one_listing() {
    let (emulator, mut client) = start();
    emulator
        .create_keys(&NewKeys::new(5, "HMAC_256", "GENERATE_VERIFY_MAC"))
        .unwrap();
    emulator.set_stale_reads(1);
    let (new, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut shown = || {
        let mut request = json!({ "Limit": 1 });
        let mut ids = Vec::new();
        loop {
            let page = client.ok("ListKeys", &request);
            ids.extend(
                page["Keys"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|key| text(&key["KeyId"])),
            );
            match page.get("NextMarker") {
                Some(marker) => request["Marker"] = marker.clone(),
                None => return ids.contains(&new),
            }
        }
    };
    assert_eq!([shown(), shown()], [false, true]);
}

#[test]
fn new_tags_are_missing_from_the_next_reads() {
    let (emulator, mut client) = start();
    let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("stage", "old");
    let id = emulator.create_keys(&keys).unwrap()[0].key_id.clone();
    emulator.set_stale_reads(1);
    let tags = json!([{ "TagKey": "stage", "TagValue": "new" }]);
    client.ok("TagResource", &json!({ "KeyId": id, "Tags": tags }));
    let mut stage = || {
        let answer = client.ok("ListResourceTags", &json!({ "KeyId": id }));
        text(&answer["Tags"][0]["TagValue"])
    };
    assert_eq!([stage(), stage()], ["old", "new"]);
}

#[test]
fn an_alias_points_where_it_did_for_the_next_reads() {
    let (emulator, mut client) = start();
    let keys = emulator
        .create_keys(&NewKeys::new(2, "ECC_NIST_P256", "SIGN_VERIFY"))
        .unwrap();
    let (first, second) = (keys[0].key_id.as_str(), keys[1].key_id.as_str());
    let target = |client: &mut Client| {
        let answer = client.call("DescribeKey", &json!({ "KeyId": "alias/ca" }));
        match answer.json()["KeyMetadata"]["KeyId"].take() {
            Value::String(id) => id,
            _ => answer.code(),
        }
    };
    let point = |client: &mut Client, operation: &str, key: &str| {
        client.ok(
            operation,
            &json!({ "AliasName": "alias/ca", "TargetKeyId": key }),
        );
    };
    emulator.set_stale_reads(1);
    point(&mut client, "CreateAlias", first);
    assert_eq!(
        [target(&mut client), target(&mut client)],
        ["NotFoundException", first]
    );
    point(&mut client, "UpdateAlias", second);
    assert_eq!([target(&mut client), target(&mut client)], [first, second]);
    client.ok("DeleteAlias", &json!({ "AliasName": "alias/ca" }));
    assert_eq!(
        [target(&mut client), target(&mut client)],
        [second, "NotFoundException"]
    );
}

#[test]
fn keys_made_in_bulk_are_visible_at_once() {
    let (emulator, mut client) = start();
    emulator.set_stale_reads(5);
    let keys = emulator
        .create_keys(&NewKeys::new(3, "ECC_NIST_P256", "SIGN_VERIFY"))
        .unwrap();
    for key in keys {
        client.ok("DescribeKey", &json!({ "KeyId": key.key_id }));
    }
}
