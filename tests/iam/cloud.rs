//! An account of AWS in MiniStack, with the keys of one cluster and of another, and with people in it.

use kms_pkcs11_testkit::{AccessKey, Console, MiniStack, MiniStackOptions};
use serde_json::{Value, json};

use crate::probes::{ALIAS, KEYS, Material, prepare};
use crate::tenant::{Credentials, Tenant};

/// The cluster of the documented policies.
pub(crate) const CLUSTER: &str = "teleport.example.com";
/// The settings of its token.
pub(crate) const SETTINGS: &str = "tags = { TeleportCluster = \"teleport.example.com\" }";

/// What MiniStack has no operations for.
pub(crate) const LEFT_OUT: [&str; 2] = ["agree", "decapsulate"];

pub(crate) struct Cloud {
    ministack: MiniStack,
    console: Console,
    pub(crate) material: Material,
    /// The id of a key of another cluster.
    foreign: String,
    victim: String,
    holder: String,
    /// Those that hold the holder's certificate.
    certificate_tags: Vec<Value>,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let ministack = MiniStack::start(MiniStackOptions { auth: true });
        let mut console = ministack.console();
        let cluster = "another.example.com";
        let foreign = create_key(
            &mut console,
            "ECC_NIST_P256",
            "SIGN_VERIFY",
            cluster,
            Some("foreign"),
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
        let owner = Credentials::from(ministack.root());
        let tenant = Tenant::start(ministack.endpoint(), &owner, SETTINGS);
        let material = prepare(tenant.session());
        drop(tenant);
        let certificate_tags = certificate_tags(&mut console, &holder);
        assert!(!certificate_tags.is_empty());
        Self {
            ministack,
            console,
            material,
            foreign,
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

    /// The same where the module can reach the tagging API.
    pub(crate) fn tenant_with_tagging(&mut self, credentials: &Credentials) -> Tenant {
        self.restore();
        Tenant::start_with_tagging(self.ministack.endpoint(), credentials, SETTINGS)
    }

    /// A user with this policy.
    pub(crate) fn user(&mut self, name: &str, policy: &Value) -> AccessKey {
        self.ask("iam", "create_user", &json!({ "UserName": name }));
        let put = json!({
            "UserName": name, "PolicyName": "only", "PolicyDocument": policy.to_string(),
        });
        self.ask("iam", "put_user_policy", &put);
        let made = self.ask("iam", "create_access_key", &json!({ "UserName": name }));
        let text = |field: &str| made["AccessKey"][field].as_str().unwrap().to_owned();
        AccessKey {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
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

    /// Requires that these credentials are of no use with the key of another cluster, and can neither make it
    /// one of theirs nor give away one of their own.
    #[track_caller]
    pub(crate) fn assert_confined(&self, user: &AccessKey) {
        let mut console = Console::start(self.ministack.endpoint(), user);
        let (foreign, own) = (&self.foreign, &self.victim);
        let tags = json!([{ "TagKey": "TeleportCluster", "TagValue": CLUSTER }]);
        let other_tags =
            json!([{ "TagKey": "TeleportCluster", "TagValue": "another.example.com" }]);
        for (operation, arguments) in [
            ("get_public_key", json!({ "KeyId": foreign })),
            ("list_resource_tags", json!({ "KeyId": foreign })),
            ("schedule_key_deletion", json!({ "KeyId": foreign })),
            ("tag_resource", json!({ "KeyId": foreign, "Tags": tags })),
            ("tag_resource", json!({ "KeyId": own, "Tags": other_tags })),
            (
                "untag_resource",
                json!({ "KeyId": own, "TagKeys": ["TeleportCluster"] }),
            ),
            ("create_key", json!({ "Tags": other_tags })),
            ("create_key", json!({})),
            ("put_key_policy", json!({ "KeyId": own, "Policy": "{}" })),
        ] {
            let answer = console.try_ask("kms", operation, &arguments);
            let refused = answer.expect_err("nobody else may do this");
            assert!(
                refused.contains("AccessDenied"),
                "{operation} {arguments}: {refused}"
            );
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

/// A policy with one more statement, which denies an action.
pub(crate) fn denying(mut policy: Value, action: &str) -> Value {
    let deny = json!({ "Effect": "Deny", "Action": action, "Resource": "*" });
    policy["Statement"].as_array_mut().unwrap().push(deny);
    policy
}

/// A policy without an action.
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

/// A policy by which only tags with these keys are written.
pub(crate) fn only_tag_keys(mut policy: Value, names: &[&str]) -> Value {
    for statement in policy["Statement"].as_array_mut().unwrap() {
        if statement["Action"] == json!(["kms:TagResource"]) {
            statement["Condition"]["ForAllValues:StringEquals"] = json!({ "aws:TagKeys": names });
        }
    }
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
