//! The one table of IAM actions: which functions ask for each, and what is lost without it.
//!
//! The log and docs/iam.md are made from it, and so are the policies of the README.
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html>.

mod table;

use std::borrow::Cow;

#[cfg(test)]
pub(crate) use table::Scope;
pub(crate) use table::{Need, PERMISSIONS};

/// How IAM names the action that it denies, which need not be that of the operation: a key is made
/// with its tags.
const DENIED: &str = "not authorized to perform: ";
/// How it says that a statement denies it, so that no other can allow it.
const EXPLICIT: &str = "with an explicit deny";

/// The action that this answer of `AccessDeniedException` is about.
pub(super) fn denied_action<'a>(operation: &'a str, message: &'a str) -> Cow<'a, str> {
    let named = message.split_once(DENIED).map(|(_, rest)| rest);
    let named = named.and_then(|rest| rest.split_ascii_whitespace().next());
    named.map_or_else(|| action_of(operation), Cow::Borrowed)
}

/// What a person should know and do about a denied operation, as a clause without capital and full
/// stop.
pub(super) fn advice(operation: &str, message: &str) -> String {
    let action = denied_action(operation, message);
    let permission = PERMISSIONS.iter().find(|row| row.action == action);
    let loss = permission.map_or_else(String::new, |permission| {
        let whom = match permission.need {
            Need::Token => "no token works without it",
            Need::Function => "nothing else fails",
            Need::Nothing => "nothing fails",
        };
        format!(
            "without {action} {} ({}; {whom}): ",
            permission.loss,
            permission.functions.join(", ")
        )
    });
    let place = match permission {
        Some(permission) if !permission.scope.concerns_key_policies() => "in its IAM policy",
        _ => "in its IAM policy and in the key policy",
    };
    if message.contains(EXPLICIT) {
        return format!(
            "{loss}a statement denies {action} to the caller: take it out or narrow it"
        );
    }
    format!("{loss}allow the action {action} to the caller {place}")
}

/// Whether the table has this operation, as it has every one that a request is sent of.
pub(super) fn has(operation: &str) -> bool {
    PERMISSIONS.iter().any(|row| row.operation == operation)
}

fn action_of(operation: &str) -> Cow<'_, str> {
    let row = PERMISSIONS.iter().find(|row| row.operation == operation);
    row.map_or_else(
        || Cow::Owned(format!("kms:{operation}")),
        |row| Cow::Borrowed(row.action),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_stands_in_the_table_once() {
        let distinct: std::collections::BTreeSet<_> =
            PERMISSIONS.iter().map(|row| row.action).collect();
        assert_eq!(distinct.len(), PERMISSIONS.len());
    }

    #[test]
    fn whatever_makes_a_key_may_have_to_look_for_it() {
        let row = |action| PERMISSIONS.iter().find(|row| row.action == action).unwrap();
        let makers = row("kms:CreateKey").functions;
        for action in ["kms:ListKeys", "kms:ListResourceTags", "tag:GetResources"] {
            let functions = row(action).functions;
            assert!(
                makers.iter().all(|maker| functions.contains(maker)),
                "{action}"
            );
        }
    }

    #[test]
    fn the_action_is_the_one_that_iam_names_or_else_that_of_the_operation() {
        let words = "User: arn:aws:iam::111122223333:user/ca is not authorized to perform: \
                     kms:TagResource because no identity-based policy allows the action";
        assert_eq!(denied_action("CreateKey", words), "kms:TagResource");
        assert_eq!(denied_action("CreateKey", "no"), "kms:CreateKey");
        assert_eq!(denied_action("ReplicateKey", ""), "kms:ReplicateKey");
    }

    #[test]
    fn the_advice_says_what_is_lost_and_where_to_allow_the_action() {
        assert_eq!(
            advice("Sign", ""),
            "without kms:Sign nothing is signed (C_Sign*; nothing else fails): allow the action kms:Sign to the caller in its IAM policy and in the key policy"
        );
        let of_account = advice("ListAliases", "");
        assert!(of_account.ends_with("kms:ListAliases to the caller in its IAM policy"));
        let linked = "not authorized to perform: iam:CreateServiceLinkedRole on resource: *";
        assert_eq!(
            advice("CreateKey", linked),
            "allow the action iam:CreateServiceLinkedRole to the caller in its IAM policy and in the \
             key policy"
        );
    }

    #[test]
    fn an_explicit_deny_is_not_answered_with_the_advice_to_allow() {
        let words = "not authorized to perform: kms:Sign on resource: k with an explicit deny in an \
                     identity-based policy";
        assert!(
            advice("Sign", words)
                .ends_with("denies kms:Sign to the caller: take it out or narrow it")
        );
    }
}
