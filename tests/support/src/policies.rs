//! The IAM policies that the documentation offers.

use std::fs;

use serde_json::Value;

use crate::root;

/// A policy of README.md: `sign-only`, `first-client` or `full`.
#[track_caller]
pub fn documented_policy(name: &str) -> Value {
    let path = root().join("README.md");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let begin = format!("<!-- generated: policy {name} -->\n\n```json\n");
    let block = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once("```"));
    let Some((policy, _)) = block else {
        panic!("README.md has no policy {name}");
    };
    serde_json::from_str(policy).unwrap_or_else(|error| panic!("the policy {name}: {error}"))
}
