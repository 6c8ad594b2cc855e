//! An account of AWS in MiniStack, with the keys of one cluster and of another, and with people in it.

use kms_pkcs11_testkit::{Console, MiniStack, MiniStackOptions};
use serde_json::{Value, json};

use crate::probes::{ALIAS, KEYS, Material, prepare};
use crate::tenant::{Credentials, Tenant};

/// The cluster of the policies in the documentation.
pub(crate) const CLUSTER: &str = "teleport.example.com";
/// The settings of its token.
pub(crate) const SETTINGS: &str = "tags = { TeleportCluster = \"teleport.example.com\" }";

/// What MiniStack has no operations for.
pub(crate) const LEFT_OUT: [&str; 2] = ["agree", "decapsulate"];

pub(crate) struct Cloud {
    ministack: MiniStack,
    console: Console,
    pub(crate) material: Material,
    victim: String,
    holder: String,
    /// Those that hold the holder's certificate.
    certificate_tags: Vec<Value>,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth: true });
        let mut console = ministack.console();
        create_key(
            &mut console,
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            "another.example.com",
            None,
        );
        let [mut victim, mut holder] = [String::new(), String::new()];
        for (name, spec, usage) in KEYS.iter().filter(|key| key.0 != "capsule") {
            let key = create_key(&mut console, spec, usage, CLUSTER, Some(name));
            match *name {
                "victim" => victim = key,
                "holder" => holder = key,
                _ => {}
            }
        }
        let nameless = create_key(&mut console, "ECC_NIST_P256", "SIGN_VERIFY", CLUSTER, None);
        let alias = json!({ "AliasName": format!("alias/{ALIAS}"), "TargetKeyId": nameless });
        console.ask("kms", "create_alias", &alias);
        let owner = Credentials::of(ministack.root());
        let tenant = Tenant::start(ministack.endpoint(), &owner, SETTINGS);
        let material = prepare(tenant.session());
        drop(tenant);
        let certificate_tags = certificate_tags(&mut console, &holder);
        assert!(!certificate_tags.is_empty());
        Self {
            ministack,
            console,
            material,
            victim,
            holder,
            certificate_tags,
        }
    }

    /// The module as somebody who acts under these credentials runs it, over keys as they were at first.
    pub(crate) fn tenant(&mut self, credentials: &Credentials, settings: &str) -> Tenant {
        self.restore();
        let settings = format!("{SETTINGS}\n{settings}");
        Tenant::start(self.ministack.endpoint(), credentials, &settings)
    }

    /// A user with this policy.
    pub(crate) fn user(&mut self, name: &str, policy: &Value) -> Credentials {
        self.ask("iam", "create_user", &json!({ "UserName": name }));
        let put = json!({
            "UserName": name, "PolicyName": "only", "PolicyDocument": policy.to_string(),
        });
        self.ask("iam", "put_user_policy", &put);
        let made = self.ask("iam", "create_access_key", &json!({ "UserName": name }));
        let text = |field: &str| made["AccessKey"][field].as_str().unwrap().to_owned();
        Credentials {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token: None,
        }
    }

    /// A session of a role with this policy.
    pub(crate) fn role(&mut self, name: &str, policy: &Value) -> Credentials {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sts:AssumeRole",
            }],
        });
        let role = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
        let role = self.ask("iam", "create_role", &role)["Role"]["Arn"].clone();
        let put = json!({
            "RoleName": name, "PolicyName": "only", "PolicyDocument": policy.to_string(),
        });
        self.ask("iam", "put_role_policy", &put);
        let assume = json!({ "RoleArn": role, "RoleSessionName": "signer" });
        let assumed = self.ask("sts", "assume_role", &assume);
        let text = |field: &str| assumed["Credentials"][field].as_str().unwrap().to_owned();
        Credentials {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token: Some(text("SessionToken")),
        }
    }

    fn ask(&mut self, service: &str, operation: &str, arguments: &Value) -> Value {
        self.console.ask(service, operation, arguments)
    }

    /// Undoes what the probes did to the keys that were there at first.
    fn restore(&mut self) {
        let victim = json!({ "KeyId": self.victim });
        let state = self.ask("kms", "describe_key", &victim)["KeyMetadata"]["KeyState"].clone();
        if state == "PendingDeletion" {
            self.ask("kms", "cancel_key_deletion", &victim);
        }
        self.ask("kms", "enable_key", &victim);
        let stored = certificate_tags(&mut self.console, &self.victim);
        let stored: Vec<&Value> = stored.iter().map(|tag| &tag["TagKey"]).collect();
        if !stored.is_empty() {
            let untag = json!({ "KeyId": self.victim, "TagKeys": stored });
            self.ask("kms", "untag_resource", &untag);
        }
        let tag = json!({ "KeyId": self.holder, "Tags": self.certificate_tags });
        self.ask("kms", "tag_resource", &tag);
    }
}

/// One of the documentation's policies.
pub(crate) fn policy(name: &str) -> Value {
    let begin = format!("<!-- generated: policy {name} -->\n\n```json\n");
    let (_, rest) = include_str!("../../README.md").split_once(&begin).unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

/// The same with one more statement, which denies an action.
pub(crate) fn denying(mut policy: Value, action: &str) -> Value {
    let deny = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(deny);
    policy
}

/// The same without an action.
pub(crate) fn lacking(mut policy: Value, action: &str) -> Value {
    let mut found = false;
    for statement in policy["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|named| {
            found |= named == action;
            named != action
        });
    }
    assert!(found, "{action} is not in {policy}");
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// Makes a key; answers its id.
fn create_key(
    console: &mut Console,
    spec: &str,
    usage: &str,
    cluster: &str,
    label: Option<&str>,
) -> String {
    let mut tags = vec![json!({ "TagKey": "TeleportCluster", "TagValue": cluster })];
    tags.extend(label.map(|label| json!({ "TagKey": "p11:label", "TagValue": label })));
    let request = json!({ "KeySpec": spec, "KeyUsage": usage, "Tags": tags });
    let created = console.ask("kms", "create_key", &request);
    created["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

/// The tags of a key that hold certificates.
fn certificate_tags(console: &mut Console, key: &str) -> Vec<Value> {
    let answer = console.ask("kms", "list_resource_tags", &json!({ "KeyId": key }));
    let tags = answer["Tags"].as_array().unwrap().iter().cloned();
    tags.filter(|tag| tag["TagKey"].as_str().unwrap().starts_with("p11:cert"))
        .collect()
}
