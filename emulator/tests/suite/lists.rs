//! Names, aliases, tags and pages.

use kms_emulator::NewKeys;
use serde_json::{Value, json};

use crate::client::{AUTHORIZATION, Client, base64, start, text};

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
fn tagged_keys_come_in_pages_and_untagged_ones_not_at_all() {
    let (emulator, mut client) = start();
    let keys = |count| NewKeys::new(count, "HMAC_256", "GENERATE_VERIFY_MAC");
    emulator.create_keys(&keys(230).tag("team", "red")).unwrap();
    emulator.create_keys(&keys(20).tag("team", "blue")).unwrap();
    emulator.create_keys(&keys(20)).unwrap();
    let mut pages = |mut request: Value| {
        let mut sizes = Vec::new();
        loop {
            let answer = client.ok("GetResources", &request);
            sizes.push(answer["ResourceTagMappingList"].as_array().unwrap().len());
            if answer["PaginationToken"] == "" {
                return sizes;
            }
            request["PaginationToken"] = answer["PaginationToken"].clone();
        }
    };
    let red = json!([{ "Key": "team", "Values": ["red"] }]);
    assert_eq!(pages(json!({ "TagFilters": red })), [100, 100, 30]);
    let request = json!({ "TagFilters": red, "ResourcesPerPage": 90 });
    assert_eq!(pages(request), [90, 90, 50]);
    assert_eq!(pages(json!({})), [100, 100, 50]);
    let refused = client.refused("GetResources", &json!({ "PaginationToken": "%" }));
    assert_eq!(refused.0, "InvalidParameterException");
}

#[test]
fn operations_are_called_at_their_own_service_alone() {
    let (emulator, mut client) = start();
    for target in [
        "TrentService.GetResources",
        "ResourceGroupsTaggingAPI_20170126.Sign",
    ] {
        let headers = [
            ("Authorization", AUTHORIZATION),
            ("Content-Type", "application/x-amz-json-1.1"),
            ("X-Amz-Target", target),
        ];
        let answer = client.request("POST", "/", &headers, b"{}").unwrap();
        assert_eq!(answer.code(), "UnknownOperationException", "{target}");
    }
    assert_eq!(emulator.calls().of("GetResources"), 1);
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
