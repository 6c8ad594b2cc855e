//! The C functions: which are built, and why the others are not.

use super::markdown;
use crate::abi::FUNCTIONS;

pub(super) fn table() -> String {
    let rows = FUNCTIONS.iter().map(|function| {
        [
            format!("`{}`", function.name),
            function.since.to_owned(),
            if function.is_supported { "yes" } else { "no" }.to_owned(),
            function.reason.unwrap_or_default().to_owned(),
        ]
    });
    markdown(["function", "since", "supported", "why not"], rows)
}

#[test]
fn the_list_is_that_of_the_function_lists() {
    assert_eq!(FUNCTIONS.len(), 68 + 24 + 12);
    for function in FUNCTIONS {
        assert!(!function.is_supported || function.reason.is_none());
    }
}
