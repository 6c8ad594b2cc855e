//! Where credentials come from: every place of the ordinary AWS chain, each told by whom the token acts as.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use kms_pkcs11_testkit::{
    AccessKey, CredentialSources, MiniStack, MiniStackOptions, REGION, Token, run,
};
use serde_json::{Map, Value, json};

/// The sessions of one role, each for one of the sources.
const SESSIONS: [&str; 6] = [
    "environment",
    "process",
    "ecs",
    "pod-identity",
    "imds",
    "sso",
];

#[test]
fn credentials_come_from_every_place_of_the_chain() {
    let world = World::start();
    let sources = CredentialSources::start(&Value::Object(world.sessions.clone()));
    let at = |path: &str| format!("{}{path}", sources.endpoint());
    let of = |session: &str, key: &str| world.sessions[session][key].as_str().unwrap().to_owned();

    world.assert_acts_as(
        "environment",
        &[
            ("AWS_ACCESS_KEY_ID", of("environment", "AccessKeyId")),
            (
                "AWS_SECRET_ACCESS_KEY",
                of("environment", "SecretAccessKey"),
            ),
            ("AWS_SESSION_TOKEN", of("environment", "SessionToken")),
        ],
        &[],
    );

    let mut answer = world.sessions["process"].clone();
    answer["Version"] = json!(1);
    world.assert_acts_as(
        "process",
        &[],
        &[
            (
                ".aws/config",
                "[default]\ncredential_process = cat answer.json\n",
            ),
            ("answer.json", &answer.to_string()),
        ],
    );

    let token = (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "token of ecs".to_owned(),
    );
    let address = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("/container/ecs"));
    world.assert_acts_as("ecs", &[token.clone(), address.clone()], &[]);
    // A program of another profile changes nothing about it.
    let other = (
        ".aws/config",
        "[default]\nregion = us-east-1\n[profile other]\ncredential_process = false\n",
    );
    world.assert_acts_as("ecs", &[token, address], &[other]);

    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token".to_owned());
    let address = (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        at("/container/pod-identity"),
    );
    let file = ("token", "token of pod-identity");
    world.assert_acts_as("pod-identity", &[token, address], &[file]);

    let address = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", at(""));
    let on_ec2 = ("AWS_EC2_METADATA_DISABLED", "false".to_owned());
    world.assert_acts_as("imds", &[address, on_ec2], &[]);

    // The file of a login with IAM Identity Center has the SHA-1 of the session's name.
    world.assert_acts_as(
        "sso",
        &[("AWS_ENDPOINT_URL_SSO", at(""))],
        &[
            (
                ".aws/config",
                "[default]\nsso_session = company\nsso_account_id = 000000000000\nsso_role_name = signer\n\
                 [sso-session company]\nsso_region = us-east-1\nsso_start_url = https://company.example.com\n",
            ),
            (
                ".aws/sso/cache/71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json",
                "{\"accessToken\": \"token of sso\", \"expiresAt\": \"2099-01-01T00:00:00Z\"}",
            ),
        ],
    );
}

#[test]
fn the_program_of_a_profile_has_its_place_among_the_sources_of_profiles() {
    let world = World::start();
    let of = |session: &str| {
        let mut answer = world.sessions[session].clone();
        answer["Version"] = json!(1);
        answer.to_string()
    };
    let keys = |AccessKey { id, secret }: &AccessKey| {
        format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
    };
    let AccessKey { id, secret } = &world.host;
    let host = json!({ "Version": 1, "AccessKeyId": id, "SecretAccessKey": secret }).to_string();
    let role = |name: &str, source: &str| {
        format!(
            "[default]\nrole_arn = {}\nrole_session_name = {name}\nsource_profile = {source}\n",
            world.role
        )
    };
    let program = "credential_process = cat answer.json\n";
    let no_program = "credential_process = false\n";
    let wrong = keys(&AccessKey {
        id: "AKIAWRONG".to_owned(),
        secret: "wrong".to_owned(),
    });
    let right = keys(&world.host);
    for (session, config, answer) in [
        // Beside access keys, the program is asked; in a profile that another one names, the keys are taken.
        (
            "process",
            format!("[default]\n{wrong}{program}"),
            of("process"),
        ),
        (
            "keys-of-source",
            format!(
                "{}[profile base]\n{right}{no_program}",
                role("keys-of-source", "base")
            ),
            String::new(),
        ),
        // A role is assumed with what the program of its source answers, be that its own profile.
        (
            "program-of-source",
            format!(
                "{}[profile base]\n{program}",
                role("program-of-source", "base")
            ),
            host.clone(),
        ),
        (
            "program-of-its-own",
            format!("{}{program}", role("program-of-its-own", "default")),
            host.clone(),
        ),
        // A program beside a role that has another source is not run.
        (
            "program-unused",
            format!(
                "{}{no_program}[profile base]\n{program}",
                role("program-unused", "base")
            ),
            host.clone(),
        ),
    ] {
        let files = [(".aws/config", config.as_str()), ("answer.json", &answer)];
        world.assert_acts_as(session, &[], &files);
    }

    // Names of profiles that differ in case alone are two.
    let config = "[profile Host]\ncredential_process = cat other.json\n\
                  [profile host]\ncredential_process = cat answer.json\n";
    let files = [
        (".aws/config", config),
        ("answer.json", &of("process")),
        ("other.json", &of("imds")),
    ];
    for (name, session) in [("host", "process"), ("Host", "imds")] {
        let profile = ("AWS_PROFILE", name.to_owned());
        world.assert_acts_as(session, &[profile], &files);
    }

    // The environment comes before all profiles.
    let environment = &world.sessions["environment"];
    let variable = |name, key: &str| (name, environment[key].as_str().unwrap().to_owned());
    let variables = [
        variable("AWS_ACCESS_KEY_ID", "AccessKeyId"),
        variable("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
        variable("AWS_SESSION_TOKEN", "SessionToken"),
    ];
    let config = "[default]\ncredential_process = false\n";
    world.assert_acts_as("environment", &variables, &[(".aws/config", config)]);
}

#[test]
fn a_web_identity_is_exchanged_for_the_credentials_of_its_role() {
    let world = World::start();
    let variables = [
        ("AWS_ROLE_ARN", world.role.clone()),
        ("AWS_ROLE_SESSION_NAME", "web".to_owned()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "token".to_owned()),
    ];
    // {"iss": "https://oidc.example.com", "sub": "system:serviceaccount:signing:host"}, signed by nobody.
    let token = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZS5jb2\
                 0iLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c2lnbmluZzpob3N0In0.";
    world.assert_acts_as("web", &variables, &[("token", token)]);
}

/// A KMS that knows one role and sessions of it.
struct World {
    ministack: MiniStack,
    role: String,
    /// The user who may assume it.
    host: AccessKey,
    sessions: Map<String, Value>,
}

impl World {
    fn start() -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth: true });
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "AWS": "arn:aws:iam::000000000000:user/host" },
                "Action": "sts:AssumeRole",
            }, {
                "Effect": "Allow",
                "Principal": { "Federated": "arn:aws:iam::000000000000:oidc-provider/oidc.example.com" },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": { "oidc.example.com:sub": "system:serviceaccount:signing:host" },
                },
            }],
        });
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "kms:List*", "Resource": "*" }],
        });
        let role = ministack.create_role("signer", &trust, &policy);
        let user = ministack.create_user(
            "host",
            &json!({
                "Version": "2012-10-17",
                "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" }],
            }),
        );
        let assume = "import boto3, json, sys\n\
            sts = boto3.client('sts')\n\
            assume = lambda name: sts.assume_role(RoleArn=sys.argv[1], RoleSessionName=name)['Credentials']\n\
            print(json.dumps({name: assume(name) for name in sys.argv[2:]}, default=str))";
        let arguments = [&[role.as_str()], &SESSIONS[..]].concat();
        let printed = ministack.boto3(&user, assume, &arguments).ok().stdout();
        Self {
            sessions: serde_json::from_str(&printed).unwrap(),
            host: user,
            ministack,
            role,
        }
    }

    /// Requires that the token acts as this session of the role, with these variables and files and no other
    /// credentials.
    #[track_caller]
    fn assert_acts_as(&self, session: &str, variables: &[(&str, String)], files: &[(&str, &str)]) {
        let config = format!(
            "[[token]]\nregion = \"{REGION}\"\naccount = \"000000000000\"\n[log]\nlevel = \"info\"\n"
        );
        let nobody = AccessKey {
            id: String::new(),
            secret: String::new(),
        };
        let token = Token::kms_with_config(self.ministack.endpoint(), &nobody, "aws-kms", &config);
        for (name, contents) in files {
            let path = token.directory().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        let answer = run(token
            .command("pkcs11-tool")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .arg("--module")
            .arg(&token.module)
            .arg("-O"));
        let caller = format!("acting as arn:aws:sts::000000000000:assumed-role/signer/{session}");
        assert!(
            answer.success() && answer.stderr().lines().any(|line| line.ends_with(&caller)),
            "{answer:?}"
        );
    }
}
