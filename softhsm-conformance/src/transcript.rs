//! What one module answered in one scenario, step by step.

use serde::{Deserialize, Serialize};

use cryptoki_sys::CK_RV;

use crate::cross::Evidence;

/// Stands for the return value of a function that the function list leaves out.
pub(crate) const ABSENT: CK_RV = CK_RV::MAX;

/// A scenario's steps and what went wrong beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transcript {
    pub(crate) scenario: String,
    pub(crate) steps: Vec<Step>,
    /// Faults that no comparison can excuse: an overrun, a signature that does not verify, a crash.
    pub(crate) failures: Vec<String>,
    /// The signatures that were made, for the other module to verify.
    pub(crate) signatures: Vec<Evidence>,
}

/// One call and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The function; from its second call in the scenario on, with the number of the call: `C_Sign.2`.
    pub(crate) name: String,
    /// The return value: `CKR_OK`.
    pub(crate) rv: String,
    pub(crate) details: Vec<Detail>,
}

/// Something that a call answered beside its return value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Detail {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether both modules must answer the same.
    pub(crate) compared: bool,
}

impl Detail {
    pub(crate) fn compared(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            compared: true,
        }
    }

    /// A detail for the reader alone.
    pub(crate) fn aside(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            value: value.into(),
            compared: false,
        }
    }
}

impl Step {
    /// All that is compared, in one line: `CKR_OK length=64`.
    pub(crate) fn answer(&self) -> String {
        self.line(|detail| detail.compared)
    }

    /// All that is known, in one line.
    pub(crate) fn in_full(&self) -> String {
        self.line(|_| true)
    }

    fn line(&self, wanted: impl Fn(&Detail) -> bool) -> String {
        let details = self.details.iter().filter(|detail| wanted(detail));
        details.fold(self.rv.clone(), |line, detail| {
            format!("{line} {}={}", detail.name, detail.value)
        })
    }
}
