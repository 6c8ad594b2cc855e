//! What came of all pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cryptoki_sys::*;
use kms_pkcs11_testkit::reliability;

use super::expectations::Outcome;
use super::pair::Met;

#[derive(Default)]
pub(crate) struct Report {
    rows: BTreeMap<&'static str, Row>,
    pairs: usize,
    wrong: Vec<String>,
}

/// A fault at all operations.
#[derive(Default)]
struct Row {
    pairs: usize,
    operations: BTreeSet<&'static str>,
    outcomes: BTreeMap<&'static str, usize>,
    longest: Duration,
}

impl Report {
    pub(crate) fn add(&mut self, met: Met) {
        self.wrong.extend(met.wrong);
        let Some(outcome) = met.outcome else {
            return;
        };
        self.pairs += 1;
        let row = self.rows.entry(met.fault).or_default();
        row.pairs += 1;
        row.operations.insert(met.operation);
        *row.outcomes.entry(words(outcome)).or_default() += 1;
        row.longest = row.longest.max(met.took);
    }

    /// Fails if anything was not as it should be, else records all of it.
    #[track_caller]
    pub(crate) fn finish(self) {
        let (wrong, pairs) = (self.wrong, self.pairs);
        assert!(
            wrong.is_empty(),
            "{} things are wrong with {pairs} pairs:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        for (fault, row) in &self.rows {
            let mut outcomes: Vec<_> = row.outcomes.iter().collect();
            outcomes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let outcomes: Vec<_> = outcomes
                .iter()
                .map(|(outcome, count)| format!("{outcome} ({count})"))
                .collect();
            reliability::record(
                "faults",
                fault,
                &[
                    ("operations", row.operations.len().to_string()),
                    ("pairs", row.pairs.to_string()),
                    ("outcomes", outcomes.join(", ")),
                    ("longest (ms)", row.longest.as_millis().to_string()),
                    ("next call", "succeeds".to_owned()),
                    ("keys", "as known".to_owned()),
                ],
            );
        }
    }
}

/// An outcome in words.
pub(crate) fn words(outcome: Outcome) -> &'static str {
    let rv = match outcome {
        Outcome::Works => return "CKR_OK",
        Outcome::NoObject => return "CKR_OK, not shown",
        Outcome::Fails(rv) => rv,
    };
    NAMES
        .iter()
        .find(|(value, _)| *value == rv)
        .map_or("another CKR", |(_, name)| name)
}

macro_rules! names {
    ($($name:ident),+ $(,)?) => {
        const NAMES: &[(CK_RV, &str)] = &[$(($name, stringify!($name))),+];
    };
}

names! {
    CKR_ACTION_PROHIBITED,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE,
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE,
    CKR_FUNCTION_FAILED,
    CKR_FUNCTION_REJECTED,
    CKR_GENERAL_ERROR,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_SIGNATURE_INVALID,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_RESOURCE_EXCEEDED,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_USER_NOT_LOGGED_IN,
    CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
}
