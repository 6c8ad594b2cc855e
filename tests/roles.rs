//! Roles that a token assumes, over an IAM and an STS that enforce their policies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use kms_pkcs11_testkit::{
    AccessKey, Finished, MiniStack, MiniStackOptions, REGION, Token, openssl_ok, run,
};
use serde_json::{Value, json};

const EXTERNAL_ID: &str = "teleport.example.com";
const MESSAGE: &[u8] = b"what is signed";

#[test]
fn a_key_is_used_through_a_chain_of_two_roles_with_the_right_external_id() {
    let world = World::start();
    let token = world.token(&[
        &world.gate(Some(EXTERNAL_ID)),
        &world.link(&world.signer, ""),
    ]);
    world.assert_signs(&token, &[]);
    let log = world.log(&token, &[]);
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn without_the_right_external_id_nothing_is_signed_and_the_log_names_role_and_action() {
    let world = World::start();
    for external_id in [None, Some("somebody.example.com")] {
        let token = world.token(&[&world.gate(external_id), &world.link(&world.signer, "")]);
        let words = [
            "CKR_USER_NOT_LOGGED_IN",
            "AccessDenied",
            "sts:AssumeRole",
            &world.gate,
        ];
        world.assert_refused(&token, &words);
    }
}

#[test]
fn the_second_role_of_a_chain_cannot_be_had_without_the_first() {
    let world = World::start();
    let token = world.token(&[&world.link(&world.signer, "")]);
    world.assert_refused(&token, &["AccessDenied", "sts:AssumeRole", &world.signer]);
    // The first one alone may not use the key.
    let token = world.token(&[&world.gate(Some(EXTERNAL_ID))]);
    world.assert_refused(&token, &["kms:", "CKR_FUNCTION_REJECTED"]);
}

#[test]
fn the_policy_of_a_session_takes_away_what_the_role_may_do() {
    let world = World::start();
    let policy = policy(&["kms:ListKeys", "kms:ListResourceTags", "kms:GetPublicKey"]);
    let policy = format!("policy = '{policy}'");
    let gate = world.gate(Some(EXTERNAL_ID));
    let token = world.token(&[&gate, &world.link(&world.signer, &policy)]);
    world.assert_refused(&token, &["C_Sign", "kms:Sign"]);
}

#[test]
fn a_profile_is_used_before_the_environment_and_what_the_sdk_ignores_in_it_is_said_once() {
    let world = World::start();
    let token = world.token_with("profile = \"signing\"", &AccessKey::test());
    let AccessKey { id, secret } = &world.user;
    let (gate, signer) = (&world.gate, &world.signer);
    let profiles = format!(
        "[profile signing]\nrole_arn = {signer}\nsource_profile = gate\nduration_seconds = 900\n\
         [profile gate]\nrole_arn = {gate}\nsource_profile = user\nexternal_id = {EXTERNAL_ID}\n\
         mfa_serial = arn:aws:iam::000000000000:mfa/user\n\
         [profile user]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    );
    fs::write(token.directory().join("aws-config"), profiles).unwrap();
    // The environment's credentials are the root's, who may do everything: only the log tells.
    let log = world.log(&token, &[("AWS_CONFIG_FILE", "aws-config")]);
    for words in [
        "profile signing has duration_seconds, which is ignored",
        "profile gate has mfa_serial, which is ignored",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{log}");
    }
    world.assert_signs(&token, &[("AWS_CONFIG_FILE", "aws-config")]);

    let broken = "[profile signing]\naws_access_key_id = AKIDNOBODY\naws_secret_access_key = x\n";
    fs::write(token.directory().join("aws-config"), broken).unwrap();
    let answer = world.sign(&token, &[("AWS_CONFIG_FILE", "aws-config")]);
    assert!(!answer.success(), "{answer:?}");
    assert!(
        answer.stderr().contains("CKR_USER_NOT_LOGGED_IN"),
        "{answer:?}"
    );
}

/// A key that only the role `signer` may use, which only the role `gate` may assume, which only a user may
/// assume who says the external id.
struct World {
    ministack: MiniStack,
    user: AccessKey,
    gate: String,
    signer: String,
}

impl World {
    fn start() -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth: true });
        let user = ministack.create_user("host", &policy(&["sts:AssumeRole"]));
        let condition = json!({ "StringEquals": { "sts:ExternalId": EXTERNAL_ID } });
        let gate = ministack.create_role(
            "gate",
            &trust("arn:aws:iam::000000000000:user/host", Some(&condition)),
            &policy(&["sts:AssumeRole"]),
        );
        let actions = [
            "kms:ListKeys",
            "kms:ListResourceTags",
            "kms:GetPublicKey",
            "kms:Sign",
        ];
        let signer = ministack.create_role("signer", &trust(&gate, None), &policy(&actions));
        let create = "import boto3; boto3.client('kms').create_key(\
                      KeySpec='ECC_NIST_P256', KeyUsage='SIGN_VERIFY')";
        let _ = ministack.boto3(&ministack.root(), create, &[]).ok();
        Self {
            ministack,
            user,
            gate,
            signer,
        }
    }

    fn gate(&self, external_id: Option<&str>) -> String {
        let external_id = external_id.map(|id| format!("external_id = \"{id}\""));
        self.link(&self.gate, &external_id.unwrap_or_default())
    }

    fn link(&self, role: &str, more: &str) -> String {
        format!("[[token.assume_role]]\nrole_arn = \"{role}\"\n{more}\n")
    }

    /// A token that acts through these roles, beginning with the user's credentials.
    fn token(&self, chain: &[&str]) -> Token {
        self.token_with(&chain.concat(), &self.user)
    }

    fn token_with(&self, settings: &str, key: &AccessKey) -> Token {
        let config = format!("[[token]]\nregion = \"{REGION}\"\n{settings}\n");
        Token::kms_with_config(self.ministack.endpoint(), key, "aws-kms", &config)
    }

    fn sign(&self, token: &Token, variables: &[(&str, &str)]) -> Finished {
        fs::write(token.directory().join("message"), MESSAGE).unwrap();
        run(token
            .command("pkcs11-tool")
            .envs(variables.iter().copied())
            .arg("--module")
            .arg(&token.module)
            .args(["--sign", "--mechanism", "ECDSA-SHA256"])
            .args(["--signature-format", "openssl"])
            .args(["--input-file", "message", "--output-file", "signature"]))
    }

    /// Signs, has openssl verify it with the key as KMS knows it.
    #[track_caller]
    fn assert_signs(&self, token: &Token, variables: &[(&str, &str)]) {
        let _ = self.sign(token, variables).ok();
        let script = "import base64, boto3\nkms = boto3.client('kms')\n\
                      key = kms.list_keys()['Keys'][0]['KeyId']\n\
                      print(base64.b64encode(kms.get_public_key(KeyId=key)['PublicKey']).decode())";
        let root = self.ministack.root();
        let spki = self.ministack.boto3(&root, script, &[]).ok().stdout();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{spki}-----END PUBLIC KEY-----\n");
        let directory = token.directory();
        fs::write(directory.join("key.pem"), pem).unwrap();
        let file = |name: &str| directory.join(name).display().to_string();
        openssl_ok(
            [
                "dgst",
                "-sha256",
                "-verify",
                &file("key.pem"),
                "-signature",
                &file("signature"),
                &file("message"),
            ],
            &[],
        );
    }

    /// Requires that nothing is signed and that one line of the log has all of these words.
    #[track_caller]
    fn assert_refused(&self, token: &Token, words: &[&str]) {
        let answer = self.sign(token, &[]);
        assert!(!token.directory().join("signature").exists());
        let log = answer.stderr();
        let mut lines = log.lines();
        let precise = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(precise, "{words:?}: {answer:?}");
    }

    fn log(&self, token: &Token, variables: &[(&str, &str)]) -> String {
        self.sign(token, variables).ok().stderr()
    }
}

fn policy(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    })
}

fn trust(principal: &str, condition: Option<&Value>) -> Value {
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": { "AWS": principal },
        "Action": "sts:AssumeRole",
    });
    if let Some(condition) = condition {
        statement["Condition"] = condition.clone();
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}
