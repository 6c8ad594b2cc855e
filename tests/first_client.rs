//! The first client, a real one: the Go program of `tests/client-go`, over Debian's crypto11.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{
    AccessKey, Finished, MiniStack, MiniStackOptions, REGION, Token, boto3, documented_policy,
    root, run,
};
use serde_json::{Value, json};

const CLUSTER: &str = "teleport.example.com";
const LABEL: &str = "cluster-ca";

/// What the client can do with SoftHSM2 it can do here: so the program itself is right.
#[test]
fn the_client_works_with_softhsm2() {
    let token = Token::softhsm();
    let answer = client(&token, &["-softhsm", "-pin", &token.pin]);
    assert_passed(&answer, &["any pin is accepted", "decrypt oaep sha-256"]);
}

#[test]
fn the_client_works_over_the_emulator_and_every_signature_costs_one_request() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let service = Service {
        endpoint: emulator.endpoint(),
        owner: AccessKey::test(),
    };
    let foreign = service.foreign_keys();
    let token = service.token(&service.owner, "");
    assert_passed(
        &client(&token, &["-calls", &service.endpoint, "-foreign", &foreign]),
        &[],
    );
    // A new process knows nothing of what the old one deleted, and yet does not see it.
    assert_passed(&client(&token, &["-steps", "empty token"]), &[]);

    let elsewhere = service.create_key(&[("TeleportCluster", CLUSTER)]);
    assert_passed(
        &client(
            &token,
            &["-calls", &service.endpoint, "-elsewhere", &elsewhere],
        ),
        &[],
    );
}

/// KMS is eventually consistent: the first reads of a new key may not find it.
#[test]
fn the_client_never_sees_that_a_new_key_is_not_visible_everywhere_yet() {
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.set_stale_reads(1);
    let service = Service {
        endpoint: emulator.endpoint(),
        owner: AccessKey::test(),
    };
    let token = service.token(&service.owner, "");
    // All but the reopening: a module that starts anew has only KMS's own answers to go by.
    let steps =
        "empty,generate,find,sign,x509,tls,ssh,jwt,oaep,label,goroutines,reloads,own,delete";
    assert_passed(&client(&token, &["-steps", steps]), &[]);
}

#[test]
fn the_client_works_under_the_least_iam_policy() {
    let ministack = MiniStack::start(MiniStackOptions { auth: true });
    let service = Service {
        endpoint: ministack.endpoint().to_owned(),
        owner: ministack.root(),
    };
    let foreign = service.foreign_keys();
    let policy = documented_policy("first-client");
    assert_eq!(by_action(&policy), by_action(&least_policy()));
    let user = ministack.create_user("auth-service", &policy);
    service.assert_foreign_keys_are_denied(&user, &foreign);

    // The policy says nothing of kms:GenerateRandom.
    let token = service.token(&user, "random = \"local\"");
    // Not followed by a run that finds nothing: MiniStack's GetPublicKey goes on answering for keys
    // that are pending deletion, so it is by that answer that a new process would see them.
    assert_passed(&client(&token, &["-foreign", &foreign]), &[]);

    let elsewhere = service.create_key(&[("TeleportCluster", CLUSTER)]);
    assert_passed(&client(&token, &["-elsewhere", &elsewhere]), &[]);
}

/// Everything the first client may do, and nothing else.
fn least_policy() -> Value {
    let request_tag = json!({ "aws:RequestTag/TeleportCluster": CLUSTER });
    let resource_tag = json!({ "aws:ResourceTag/TeleportCluster": CLUSTER });
    let both_tags = json!({
        "aws:RequestTag/TeleportCluster": CLUSTER,
        "aws:ResourceTag/TeleportCluster": CLUSTER,
    });
    let allow = |actions: &[&str], condition: Option<Value>| {
        let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        if let Some(tags) = condition {
            statement["Condition"] = json!({ "StringEquals": tags });
        }
        statement
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow(&["kms:ListKeys"], None),
            allow(&["kms:CreateKey"], Some(request_tag)),
            allow(&["kms:TagResource"], Some(both_tags)),
            allow(
                &[
                    "kms:GetPublicKey",
                    "kms:ScheduleKeyDeletion",
                    "kms:DescribeKey",
                    "kms:ListResourceTags",
                    "kms:Sign",
                    "kms:Decrypt",
                ],
                Some(resource_tag),
            ),
        ],
    })
}

/// The condition under which each action is allowed.
fn by_action(policy: &Value) -> BTreeMap<String, Value> {
    let mut conditions = BTreeMap::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(
            (&statement["Effect"], &statement["Resource"]),
            (&json!("Allow"), &json!("*"))
        );
        for action in statement["Action"].as_array().unwrap() {
            let action = action.as_str().unwrap().to_owned();
            conditions.insert(action, statement["Condition"].clone());
        }
    }
    conditions
}

/// A KMS, and the access key that may do everything there.
struct Service {
    endpoint: String,
    owner: AccessKey,
}

impl Service {
    /// A module whose one token shows the keys of the cluster, used with this access key.
    fn token(&self, key: &AccessKey, more: &str) -> Token {
        let config = format!(
            "[[token]]\n\
             label = \"{LABEL}\"\n\
             region = \"{REGION}\"\n\
             endpoint = \"{}\"\n\
             tags = {{ TeleportCluster = \"{CLUSTER}\" }}\n\
             {more}\n",
            self.endpoint
        );
        Token::kms_with_config(&self.endpoint, key, LABEL, &config)
    }

    /// Keys that are none of the cluster's business; answers their ids, joined by commas.
    fn foreign_keys(&self) -> String {
        [
            &[("TeleportCluster", "another.example.com")][..],
            &[("TeleportCluster", ""), ("Team", CLUSTER)],
            &[],
        ]
        .map(|tags| self.create_key(tags))
        .join(",")
    }

    /// Creates a P-256 signing key without the module; answers its id.
    fn create_key(&self, tags: &[(&str, &str)]) -> String {
        const CREATE_KEY: &str = "
import boto3, json, sys
tags = [{'TagKey': key, 'TagValue': value} for key, value in json.loads(sys.argv[1])]
key = boto3.client('kms').create_key(KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY', Tags=tags)
print(key['KeyMetadata']['KeyId'])
";
        let tags = json!(tags).to_string();
        boto3(&self.endpoint, &self.owner, CREATE_KEY, &[&tags])
            .ok()
            .stdout()
            .trim()
            .to_owned()
    }

    /// Proves that the stand-in enforces the policy: what the module does not show could not be used.
    fn assert_foreign_keys_are_denied(&self, user: &AccessKey, ids: &str) {
        const TRY: &str = "
import boto3, botocore, sys
kms = boto3.client('kms')
for key in sys.argv[1].split(','):
    for call in [
        lambda: kms.list_resource_tags(KeyId=key),
        lambda: kms.get_public_key(KeyId=key),
        lambda: kms.sign(KeyId=key, Message=bytes(32), MessageType='DIGEST', SigningAlgorithm='ECDSA_SHA_256'),
        lambda: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
        lambda: kms.tag_resource(KeyId=key, Tags=[{'TagKey': 'TeleportCluster', 'TagValue': 'teleport.example.com'}]),
    ]:
        try:
            call()
            sys.exit(f'{key}: allowed')
        except botocore.exceptions.ClientError as error:
            if error.response['Error']['Code'] != 'AccessDeniedException':
                raise
";
        let _ = boto3(&self.endpoint, user, TRY, &[ids]).ok();
    }
}

/// Builds the Go program and runs it against this token.
fn client(token: &Token, args: &[&str]) -> Finished {
    let program = build(token);
    run(token
        .command(program)
        .arg("-module")
        .arg(&token.module)
        .args(["-token", &token.label])
        .args(args))
}

/// Builds the Go program with what Debian packages alone, into the token's directory.
fn build(token: &Token) -> PathBuf {
    let program = token.directory().join("client-go");
    let cache = root().join("target/go-cache");
    fs::create_dir_all(&cache).unwrap();
    let _ = run(Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg("./tests/client-go")
        .current_dir(root())
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", cache))
    .ok();
    program
}

/// Requires that every step ran and passed, but for those that have to be skipped.
#[track_caller]
fn assert_passed(answer: &Finished, skipped: &[&str]) {
    let printed = answer.clone().ok().stdout();
    let mut passed = 0;
    for line in printed.lines() {
        match line.split_once(' ') {
            Some(("ok", _)) => passed += 1,
            Some(("skip", why)) => {
                let step = why.split(':').next().unwrap_or_default();
                assert!(skipped.contains(&step), "{answer:?}");
            }
            _ => panic!("{line}\n{answer:?}"),
        }
    }
    assert!(passed > 0, "{answer:?}");
}
