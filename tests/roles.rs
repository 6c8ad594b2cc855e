//! Roles that a token assumes, over an IAM and an STS that enforce their policies.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;
use std::{env, fs, thread};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use cryptoki::session::Session;
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
        &World::link(&world.signer, ""),
    ]);
    world.assert_signs(&token, &[]);
    let log = World::log(&token, &[]);
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn without_the_right_external_id_nothing_is_signed_and_the_log_names_role_and_action() {
    let world = World::start();
    for external_id in [None, Some("somebody.example.com")] {
        let token = world.token(&[&world.gate(external_id), &World::link(&world.signer, "")]);
        let words = [
            "CKR_USER_NOT_LOGGED_IN",
            "AccessDenied",
            "sts:AssumeRole",
            &world.gate,
        ];
        World::assert_refused(&token, &words);
    }
}

#[test]
fn the_second_role_of_a_chain_cannot_be_had_without_the_first() {
    let world = World::start();
    let token = world.token(&[&World::link(&world.signer, "")]);
    World::assert_refused(&token, &["AccessDenied", "sts:AssumeRole", &world.signer]);
    // The first one alone may not use the key.
    let token = world.token(&[&world.gate(Some(EXTERNAL_ID))]);
    World::assert_refused(&token, &["kms:", "CKR_FUNCTION_REJECTED"]);
}

#[test]
fn the_policy_of_a_session_takes_away_what_the_role_may_do() {
    let world = World::start();
    let policy = policy(&["kms:ListKeys", "kms:ListResourceTags", "kms:GetPublicKey"]);
    let policy = format!("policy = '{policy}'");
    let gate = world.gate(Some(EXTERNAL_ID));
    let token = world.token(&[&gate, &World::link(&world.signer, &policy)]);
    World::assert_refused(&token, &["C_Sign", "kms:Sign"]);
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
    let log = World::log(&token, &[("AWS_CONFIG_FILE", "aws-config")]);
    for words in [
        "profile signing has duration_seconds, which is ignored",
        "profile gate has mfa_serial, which is ignored",
    ] {
        assert_eq!(log.matches(words).count(), 1, "{log}");
    }
    world.assert_signs(&token, &[("AWS_CONFIG_FILE", "aws-config")]);

    let broken = "[profile signing]\naws_access_key_id = AKIDNOBODY\naws_secret_access_key = x\n";
    fs::write(token.directory().join("aws-config"), broken).unwrap();
    let answer = World::sign(&token, &[("AWS_CONFIG_FILE", "aws-config")]);
    assert!(!answer.success(), "{answer:?}");
    assert!(
        answer.stderr().contains("CKR_USER_NOT_LOGGED_IN"),
        "{answer:?}"
    );
}

#[test]
fn a_revoked_access_key_is_replaced_in_its_file_without_a_restart() {
    let world = World::start();
    let actions = [
        "kms:ListKeys",
        "kms:ListResourceTags",
        "kms:GetPublicKey",
        "kms:Sign",
    ];
    let first = world.ministack.create_user("first", &policy(&actions));
    let second = world.ministack.create_user("second", &policy(&actions));
    let token = world.token_with("profile = \"host\"", &AccessKey::test());
    let credentials = token.directory().join("credentials");
    let write = |key: &AccessKey| {
        let AccessKey { id, secret } = key;
        let text = format!("[host]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        fs::write(&credentials, text).unwrap();
    };
    write(&first);
    let session = open_session(&world, &token);
    let key = session
        .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
        .unwrap()[0];
    let sign = || session.sign(&Mechanism::EcdsaSha256, key, MESSAGE);
    assert_eq!(sign().unwrap().len(), 64);

    let revoke = "import boto3, sys\nboto3.client('iam').delete_access_key(UserName='first', \
                  AccessKeyId=sys.argv[1])";
    let root = world.ministack.root();
    let _ = world.ministack.boto3(&root, revoke, &[&first.id]).ok();
    for _ in 0..2 {
        let refused = sign().unwrap_err();
        assert!(
            matches!(refused, Error::Pkcs11(RvError::UserNotLoggedIn, _)),
            "{refused}"
        );
        // A client that is younger is not built anew.
        thread::sleep(Duration::from_millis(1100));
    }
    write(&second);
    // The client of the last refusal was too young to be given up with it.
    let _ = sign();
    assert_eq!(sign().unwrap().len(), 64);
}

/// The module in this process, with the configuration of a token.
fn open_session(world: &World, token: &Token) -> Session {
    let environment = world.ministack.environment(&AccessKey::test());
    let files = ["config.toml", "credentials", "aws-config"].map(|name| {
        let path = token.directory().join(name);
        path.display().to_string()
    });
    let [config, credentials, profiles] = files;
    // SAFETY: the test is alone in its process, which has no other thread that looks at the environment.
    unsafe {
        for (name, value) in environment {
            env::set_var(name, value);
        }
        env::set_var("KMS_PKCS11_CONFIG", config);
        env::set_var("AWS_SHARED_CREDENTIALS_FILE", credentials);
        env::set_var("AWS_CONFIG_FILE", profiles);
    }
    let pkcs11 = Pkcs11::new(&token.module).unwrap();
    let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    pkcs11.initialize(locking).unwrap();
    let slot = pkcs11.get_slots_with_token().unwrap()[0];
    pkcs11.open_ro_session(slot).unwrap()
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
            "kms:ListAliases",
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
        Self::link(&self.gate, &external_id.unwrap_or_default())
    }

    fn link(role: &str, more: &str) -> String {
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

    fn sign(token: &Token, variables: &[(&str, &str)]) -> Finished {
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
        let _ = Self::sign(token, variables).ok();
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
    fn assert_refused(token: &Token, words: &[&str]) {
        let answer = Self::sign(token, &[]);
        assert!(!token.directory().join("signature").exists());
        let log = answer.stderr();
        let mut lines = log.lines();
        let precise = lines.any(|line| words.iter().all(|word| line.contains(word)));
        assert!(precise, "{words:?}: {answer:?}");
    }

    fn log(token: &Token, variables: &[(&str, &str)]) -> String {
        Self::sign(token, variables).ok().stderr()
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
