//! What the configuration says of new keys, as a KMS that we did not write has it afterwards.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{flag, id, ulong};
use common_p11::{Cloud, Session};
use cryptoki_sys::*;
use kms_pkcs11_testkit::Console;
use serde_json::{Value, json};

/// A new key pair and a new HMAC key, as DescribeKey has them.
fn made(session: Session<'_>, console: &mut Console) -> [Value; 2] {
    let (_, private) = session.generate_p256([7], "pair").unwrap();
    let template = [flag(CKA_TOKEN, true), ulong(CKA_VALUE_LEN, 32), id([8])];
    let secret = session
        .generate_key(CKM_GENERIC_SECRET_KEY_GEN, &template)
        .unwrap();
    [private, secret].map(|key| {
        let arn = String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap();
        let arn = arn.split_once('#').map_or(&*arn, |(arn, _)| arn);
        console.ask("kms", "describe_key", &json!({ "KeyId": arn }))["KeyMetadata"].clone()
    })
}

/// The tags of a key but the mark that differs from key to key.
fn tags(console: &mut Console, key: &Value) -> Value {
    let answer = console.ask(
        "kms",
        "list_resource_tags",
        &json!({ "KeyId": key["KeyId"] }),
    );
    let tags = answer["Tags"].as_array().unwrap().iter();
    let tags = tags.map(|tag| {
        (
            tag["TagKey"].as_str().unwrap().to_owned(),
            tag["TagValue"].clone(),
        )
    });
    tags.filter(|(name, _)| name != "p11:created").collect()
}

fn policy(console: &mut Console, key: &Value) -> Value {
    let request = json!({ "KeyId": key["KeyId"], "PolicyName": "default" });
    let answer = console.ask("kms", "get_key_policy", &request);
    serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap()
}

#[test]
fn description_tags_policy_and_regions_of_the_configuration_are_those_of_new_keys() {
    let cloud = Cloud::start();
    let statement = json!({
        "Sid": "one of its own", "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "kms:*",
        "Resource": "*",
    });
    let wanted = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let file = cloud.write("policy.json", wanted.to_string());
    let settings = format!(
        "description = \"signs for a cluster\"\npolicy_file = \"{}\"\nmulti_region = true\n\
         tags = {{ Cluster = \"one\" }}\nnew_key_tags = {{ Owner = \"ops\", Stage = \"\" }}",
        file.display()
    );
    let module = cloud.module(&settings, &cloud.ministack.root());
    let mut console = cloud.ministack.console();
    let [pair, secret] = made(module.session(), &mut console);
    let shared = json!({ "Cluster": "one", "Owner": "ops", "Stage": "" });
    for (key, id) in [(&pair, "07"), (&secret, "08")] {
        assert_eq!(key["Description"], "signs for a cluster");
        assert_eq!(key["MultiRegion"], true);
        assert!(key["KeyId"].as_str().unwrap().starts_with("mrk-"), "{key}");
        assert_eq!(policy(&mut console, key), wanted);
        let tags = tags(&mut console, key);
        assert_eq!(tags["p11:id"], id, "{tags}");
        for (name, value) in shared.as_object().unwrap() {
            assert_eq!(&tags[name], value, "{tags}");
        }
    }
    module.finalize().unwrap();
}

#[test]
fn new_keys_are_as_kms_makes_them_where_the_configuration_says_nothing() {
    let cloud = Cloud::start();
    let module = cloud.module("", &cloud.ministack.root());
    let mut console = cloud.ministack.console();
    let [pair, secret] = made(module.session(), &mut console);
    let of_kms = console.ask("kms", "create_key", &json!({}))["KeyMetadata"].clone();
    let of_kms = policy(&mut console, &of_kms);
    for key in [&pair, &secret] {
        assert_eq!(key["Description"], "kms-pkcs11");
        assert_eq!(key["MultiRegion"], false);
        assert_eq!(policy(&mut console, key), of_kms);
    }
    for (key, id, label) in [(&pair, "07", "pair"), (&secret, "08", "")] {
        let expected = json!({ "p11:id": id, "p11:label": label });
        assert_eq!(tags(&mut console, key), expected);
    }
    module.finalize().unwrap();
}
