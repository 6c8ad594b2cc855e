//! The IAM actions: who asks for each, and what is lost without it.

use super::markdown;
use crate::abi::FUNCTIONS;
use crate::kms::permissions::{Need, PERMISSIONS};

pub(super) fn table() -> String {
    let rows = PERMISSIONS.iter().map(|permission| {
        let names = permission.functions.iter();
        let functions: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        [
            format!("`{}`", permission.action),
            functions.join(", "),
            match permission.need {
                Need::Token => "every token",
                Need::Function => "these functions",
                Need::Nothing => "nothing",
            }
            .to_owned(),
            permission.loss.to_owned(),
        ]
    });
    let header = ["action", "asked for by", "needed by", "without it"];
    markdown(header, rows)
}

#[test]
fn the_functions_of_the_table_exist() {
    for name in PERMISSIONS.iter().flat_map(|row| row.functions) {
        let is_named = |function: &str| match name.strip_suffix('*') {
            Some(beginning) => function.starts_with(beginning),
            None => function == *name,
        };
        assert!(
            FUNCTIONS.iter().any(|function| is_named(function.name)),
            "{name}"
        );
    }
}
