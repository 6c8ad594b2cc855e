//! Whom a token acts as: rules for its own identity, and credentials that come, go and are mended.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use common_p11::attribute::{private_keys, public_keys};
use common_p11::{Cloud, Rv, Session};
use cryptoki_sys::*;
use kms_pkcs11_testkit::AccessKey;
use serde_json::{Value, json};

const DIGEST: &[u8; 32] = b"32 bytes that stand for a digest";
const ACCOUNT: &str = "000000000000";

#[test]
fn account_is_what_sts_says_of_the_caller() {
    let world = Cloud::start();
    let user = world.signer("host");
    let ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])";
    let account = world.ministack.boto3(&user, ask, &[]).ok().stdout();
    assert_eq!(account.trim(), ACCOUNT);

    let module = world.module(&format!("account = \"{}\"", account.trim()), &user);
    assert_signs(&world, module.session());
    let log = world.log();
    assert_eq!(log.matches("acting as arn:aws:iam::").count(), 1, "{log}");
    module.finalize().unwrap();

    let module = world.module("account = \"111122223333\"", &user);
    let words = [
        "the caller is arn:aws:iam::000000000000:user/host of account 000000000000",
        "the token's account is \"111122223333\"",
    ];
    assert_refused(&world, module.session(), &words);
}

#[test]
fn the_session_of_a_role_is_judged_by_its_own_arn() {
    let world = Cloud::start();
    let user = world.user("host", &["sts:AssumeRole"]);
    let role = world.ministack.create_role(
        "auth-role",
        &json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/host") },
                "Action": "sts:AssumeRole",
            }],
        }),
        &allow(&["kms:List*", "kms:GetPublicKey", "kms:Sign"]),
    );
    let settings = |session: &str, rules: &str| {
        format!(
            "allow = [{rules}]\n[[token.assume_role]]\nrole_arn = \"{role}\"\nsession_name = \"{session}\"\n"
        )
    };
    let sessions = format!("{{ aws_arn = \"arn:aws:sts::{ACCOUNT}:assumed-role/auth-role/i-*\" }}");
    let other = "{ aws_account = \"111122223333\" }";

    let module = world.module(&settings("i-0123", &format!("{other}, {sessions}")), &user);
    assert_signs(&world, module.session());
    module.finalize().unwrap();

    let module = world.module(&settings("build-7", &format!("{other}, {sessions}")), &user);
    let caller = format!("the caller is arn:aws:sts::{ACCOUNT}:assumed-role/auth-role/build-7");
    assert_refused(&world, module.session(), &[&caller, other, &sessions]);
    module.finalize().unwrap();

    // The user may do nothing but assume the role; the rule is about whom the token acts as in the end.
    let of_user = format!("{{ aws_arn = \"arn:aws:iam::{ACCOUNT}:user/host\" }}");
    let module = world.module(&settings("i-0123", &of_user), &user);
    assert_refused(&world, module.session(), &["i-0123", &of_user]);
}

#[test]
fn a_refused_token_becomes_usable_when_its_credentials_are_replaced() {
    let world = Cloud::start();
    let (wrong, right) = (world.signer("wrong"), world.signer("right"));
    let rules = "allow = [{ aws_arn = \"arn:aws:iam::*:user/right\" }]";
    write_credentials(&world, &wrong);
    let module = world.module(&format!("profile = \"host\"\n{rules}"), &Cloud::nobody());
    let session = module.session();
    assert_refused(&world, session, &["user/wrong", "user/right"]);
    write_credentials(&world, &right);
    // A client that is younger is not built anew.
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(session.find(&[]), Err(CKR_FUNCTION_REJECTED));
    assert_signs(&world, session);
}

#[test]
fn a_credential_process_may_fail_and_answer_revoked_credentials_and_is_asked_again() {
    let world = Cloud::start();
    let (first, second) = (world.signer("first"), world.signer("second"));
    let runs = world.path("runs");
    let helper = |body: &str| {
        let script = format!("#!/bin/sh\necho run >> '{}'\n{body}\n", runs.display());
        let path = world.write("helper", script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    let answer = |AccessKey { id, secret }: &AccessKey| {
        let answer = json!({ "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret });
        format!("echo '{answer}'")
    };
    let count = || {
        fs::read_to_string(&runs)
            .unwrap_or_default()
            .lines()
            .count()
    };
    let path = helper("echo 'the vault is sealed' >&2; exit 1");
    world.write(
        "profiles",
        format!("[profile host]\ncredential_process = {}\n", path.display()),
    );
    let module = world.module("profile = \"host\"", &Cloud::nobody());
    let session = module.session();
    assert_eq!(session.find(&[]), Err(CKR_USER_NOT_LOGGED_IN));
    assert!(
        world.log().contains("the vault is sealed"),
        "{}",
        world.log()
    );

    helper(&answer(&first));
    let key = assert_signs(&world, session);
    let before = count();
    for _ in 0..5 {
        session.sign(CKM_ECDSA, key, DIGEST).unwrap();
    }
    assert_eq!(count(), before, "a signature asked for credentials");

    let revoke = "import boto3, sys\nboto3.client('iam').delete_access_key(UserName='first', \
                  AccessKeyId=sys.argv[1])";
    let root = world.ministack.root();
    let _ = world.ministack.boto3(&root, revoke, &[&first.id]).ok();
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(
        session.sign(CKM_ECDSA, key, DIGEST).map(drop),
        Err(CKR_USER_NOT_LOGGED_IN)
    );
    helper(&answer(&second));
    session.sign(CKM_ECDSA, key, DIGEST).unwrap();
    let log = world.log();
    for secret in [&first.secret, &second.secret] {
        assert!(!log.contains(secret.as_str()));
    }
}

/// Signs, has openssl verify it; answers the key.
#[track_caller]
fn assert_signs(world: &Cloud, session: Session<'_>) -> CK_OBJECT_HANDLE {
    let key = session.find_one(&[private_keys()]);
    let public = session.find_one(&[public_keys()]);
    let signature = session.sign(CKM_ECDSA, key, DIGEST).unwrap();
    let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
    world.verify(&spki, DIGEST, &signature);
    key
}

/// Requires that the token does nothing, that no request reached KMS, and that one line of the log has all of
/// these words.
#[track_caller]
fn assert_refused(world: &Cloud, session: Session<'_>, words: &[&str]) {
    let before = world.log().len();
    let found: Rv<_> = session.find(&[private_keys()]);
    assert_eq!(found, Err(CKR_FUNCTION_REJECTED));
    assert_eq!(
        session.generate_p256("1", "key").map(drop),
        Err(CKR_FUNCTION_REJECTED)
    );
    let log = world.log().split_off(before);
    let precise = |line: &str| {
        line.contains("C_FindObjectsInit: CKR_FUNCTION_REJECTED")
            && words.iter().all(|word| line.contains(word))
    };
    assert!(log.lines().any(precise), "{words:?}: {log}");
}

fn write_credentials(world: &Cloud, AccessKey { id, secret }: &AccessKey) {
    let text = format!("[host]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    world.write("credentials", text);
}

fn allow(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    })
}
