//! IAM policies to copy, for a token with one tag.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::kms::permissions::{PERMISSIONS, Scope};

/// The tag of the token that the policies are for.
const TAG: (&str, &str) = ("TeleportCluster", "teleport.example.com");

/// Finding keys, and signing with those that sign.
const SIGN_ONLY: &[&str] = &[
    "kms:ListKeys",
    "kms:ListResourceTags",
    "kms:GetPublicKey",
    "kms:Sign",
];

/// What the first client does.
const FIRST_CLIENT: &[&str] = &[
    "kms:ListKeys",
    "kms:ListResourceTags",
    "kms:GetPublicKey",
    "kms:DescribeKey",
    "kms:Sign",
    "kms:Decrypt",
    "kms:CreateKey",
    "kms:TagResource",
    "kms:ScheduleKeyDeletion",
];

pub(super) fn sign_only() -> String {
    block(|action| SIGN_ONLY.contains(&action))
}

pub(super) fn first_client() -> String {
    block(|action| FIRST_CLIENT.contains(&action))
}

pub(super) fn full() -> String {
    block(|_| true)
}

/// A policy of the chosen actions, as a block of Markdown.
fn block(is_chosen: impl Fn(&str) -> bool) -> String {
    let statements: Vec<String> = SCOPES
        .iter()
        .filter_map(|scope| {
            let chosen = PERMISSIONS
                .iter()
                .filter(|row| row.scope == *scope && is_chosen(row.action));
            let actions: Vec<&str> = chosen.map(|row| row.action).collect();
            (!actions.is_empty()).then(|| statement(*scope, &actions))
        })
        .collect();
    format!(
        "```json\n{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n{}\n  ]\n}}\n```\n",
        statements.join(",\n")
    )
}

/// The statements of a policy, in this order.
const SCOPES: [Scope; 5] = [
    Scope::Account,
    Scope::NewKey,
    Scope::Tags,
    Scope::TagKeys,
    Scope::Key,
];

fn statement(scope: Scope, actions: &[&str]) -> String {
    let mut text = "    {\n      \"Effect\": \"Allow\",\n      \"Action\": [".to_owned();
    for (number, action) in actions.iter().enumerate() {
        let before = match number {
            0 => "",
            number if number % ACTIONS_A_LINE == 0 => ",\n                 ",
            _ => ", ",
        };
        write!(text, "{before}{}", json!(action)).unwrap();
    }
    text.push_str("],\n      \"Resource\": \"*\"");
    if let Some(condition) = condition(scope) {
        let condition = serde_json::to_string_pretty(&condition).unwrap();
        let condition = condition.replace('\n', "\n      ");
        write!(text, ",\n      \"Condition\": {condition}").unwrap();
    }
    text.push_str("\n    }");
    text
}

const ACTIONS_A_LINE: usize = 4;

/// What ties the actions of a scope to the keys of the token.
fn condition(scope: Scope) -> Option<Value> {
    let (name, value) = TAG;
    let request = format!("aws:RequestTag/{name}");
    let resource = format!("aws:ResourceTag/{name}");
    match scope {
        Scope::Account => None,
        Scope::NewKey => Some(json!({ "StringEquals": { request: value } })),
        // Not the one alone: the tag in the request would make anybody's key one of the token's.
        Scope::Tags => Some(json!({ "StringEquals": { request: value, resource: value } })),
        // The token's own tag stays, or the key would be nobody's.
        Scope::TagKeys => Some(json!({
            "StringEquals": { resource: value },
            "ForAllValues:StringLike": { "aws:TagKeys": "p11:*" },
        })),
        Scope::Key => Some(json!({ "StringEquals": { resource: value } })),
    }
}

#[test]
fn the_policies_are_json_and_name_actions_of_the_table() {
    for (policy, count) in [
        (sign_only(), SIGN_ONLY.len()),
        (first_client(), FIRST_CLIENT.len()),
        (full(), PERMISSIONS.len()),
    ] {
        let json = policy
            .trim_start_matches("```json")
            .trim_end()
            .trim_end_matches("```");
        let policy: Value = serde_json::from_str(json).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let actions = statements
            .iter()
            .map(|one| one["Action"].as_array().unwrap().len());
        assert_eq!(actions.sum::<usize>(), count);
    }
}
