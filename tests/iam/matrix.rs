//! What a token is without one permission: every probe, and the log.

use cryptoki_sys::*;

use crate::probes::{Material, Outcome, PROBES, Probe};
use crate::tenant::Tenant;

use Outcome::{Done, Hidden, Refused};

const REJECTED: Outcome = Refused(CKR_FUNCTION_REJECTED);
const PROHIBITED: Outcome = Refused(CKR_ACTION_PROHIBITED);

/// How the log tells of a refused request; the audit has its own way.
const DENIED: &str = "failed: AccessDenied";

/// A permission that is denied, and the probes that notice.
pub(crate) struct Row {
    /// As in a policy: `kms:Sign`.
    pub(crate) action: &'static str,
    /// The operation whose request is refused.
    pub(crate) operation: &'static str,
    /// Lines of the token's configuration without which the action is not asked for.
    pub(crate) settings: &'static str,
    expected: fn(&Probe) -> Outcome,
    /// The level at which the log tells of it.
    level: &'static str,
}

impl Row {
    const fn new(
        action: &'static str,
        operation: &'static str,
        expected: fn(&Probe) -> Outcome,
    ) -> Self {
        Self {
            action,
            operation,
            settings: "",
            expected,
            level: "WARN",
        }
    }

    /// What a probe comes to.
    pub(crate) fn outcome(&self, probe: &Probe) -> Outcome {
        (self.expected)(probe)
    }
}

/// One row for each action, as [`Row::operation`] of AWS asks for it.
pub(crate) const ROWS: [Row; 20] = [
    Row::new("kms:ListKeys", "ListKeys", |probe| match probe.name {
        "random" => Done,
        _ => REJECTED,
    }),
    Row {
        // Permission usually hangs on the tags: what may not be read is somebody else's.
        level: "INFO",
        ..Row::new(
            "kms:ListResourceTags",
            "ListResourceTags",
            |probe| match probe.name {
                // No key is known that it could belong to.
                "store a certificate" => Refused(CKR_DEVICE_MEMORY),
                _ if probe.needs_object() => Hidden,
                _ => Done,
            },
        )
    },
    Row::new("kms:GetPublicKey", "GetPublicKey", |probe| {
        match probe.name {
            // Which key a certificate belongs to is not known.
            "generate a pair" | "store a certificate" => REJECTED,
            // A certificate in the tags of a key needs no public key.
            "remove a certificate" => Done,
            _ if probe.needs_object() => Hidden,
            _ => Done,
        }
    }),
    Row::new("kms:DescribeKey", "DescribeKey", |probe| match probe.name {
        "find an HMAC key" | "make a MAC" | "verify a MAC" | "verify a MAC that is cut" => Hidden,
        "generate an HMAC key" | "import an HMAC key" => REJECTED,
        _ => Done,
    }),
    Row::new("kms:ListAliases", "ListAliases", |probe| match probe.name {
        "find a key by its alias" => Hidden,
        _ => Done,
    }),
    Row::new("kms:Sign", "Sign", |probe| match probe.name {
        "sign" => REJECTED,
        _ => Done,
    }),
    Row::new("kms:GenerateMac", "GenerateMac", |probe| match probe.name {
        "make a MAC" | "verify a MAC that is cut" => REJECTED,
        _ => Done,
    }),
    Row::new("kms:VerifyMac", "VerifyMac", |probe| match probe.name {
        "verify a MAC" => REJECTED,
        _ => Done,
    }),
    Row::new("kms:Decrypt", "Decrypt", |probe| match probe.name {
        "decrypt" | "unwrap" => REJECTED,
        _ => Done,
    }),
    Row::new(
        "kms:DeriveSharedSecret",
        "DeriveSharedSecret",
        |probe| match probe.name {
            "agree" => REJECTED,
            _ => Done,
        },
    ),
    Row::new("kms:Decapsulate", "Decapsulate", |probe| match probe.name {
        "decapsulate" => REJECTED,
        _ => Done,
    }),
    Row::new(
        "kms:GenerateRandom",
        "GenerateRandom",
        |probe| match probe.name {
            "random" => REJECTED,
            _ => Done,
        },
    ),
    Row::new("kms:CreateKey", "CreateKey", no_new_keys),
    Row::new(
        "kms:GetParametersForImport",
        "GetParametersForImport",
        no_import,
    ),
    Row::new("kms:ImportKeyMaterial", "ImportKeyMaterial", no_import),
    // A key is made with its tags.
    Row::new("kms:TagResource", "CreateKey", no_new_keys),
    Row::new("kms:TagResource", "TagResource", |probe| match probe.name {
        "rename" => PROHIBITED,
        "store a certificate" => REJECTED,
        _ => Done,
    }),
    Row::new("kms:UntagResource", "UntagResource", |probe| {
        match probe.name {
            "remove a certificate" => PROHIBITED,
            _ => Done,
        }
    }),
    Row::new(
        "kms:ScheduleKeyDeletion",
        "ScheduleKeyDeletion",
        |probe| match probe.name {
            "destroy" => PROHIBITED,
            _ => Done,
        },
    ),
    Row {
        settings: "on_destroy = \"disable\"",
        ..Row::new("kms:DisableKey", "DisableKey", |probe| match probe.name {
            "destroy" => PROHIBITED,
            _ => Done,
        })
    },
];

fn no_new_keys(probe: &Probe) -> Outcome {
    match probe.name {
        "generate a pair" | "generate an HMAC key" | "import an HMAC key" => REJECTED,
        _ => Done,
    }
}

fn no_import(probe: &Probe) -> Outcome {
    match probe.name {
        "import an HMAC key" => REJECTED,
        _ => Done,
    }
}

/// Tries everything but `left_out`, twice what fails: each outcome is the row's, and the log has one line
/// for each key, which names the action and what is lost.
#[track_caller]
pub(crate) fn check(row: &Row, tenant: &Tenant, material: &Material, left_out: &[&str]) {
    let session = tenant.session();
    for probe in PROBES
        .iter()
        .filter(|probe| !left_out.contains(&probe.name))
    {
        let expected = row.outcome(probe);
        let times = if expected == Done { 1 } else { 2 };
        for _ in 0..times {
            let outcome = probe.run(session, material);
            assert_eq!(outcome, expected, "{} without {}", probe.name, row.action);
        }
    }
    let lines = tenant.logged(row.level);
    let told: Vec<&String> = lines.iter().filter(|line| line.contains(DENIED)).collect();
    let loss = format!("without {} {} (", row.action, loss_of(row.action));
    assert!(!told.is_empty(), "nothing is said of {}", row.action);
    for line in &told {
        assert!(line.contains(&loss), "{line} lacks {loss:?}");
    }
    let mut subjects: Vec<&str> = told.iter().map(|line| subject(line)).collect();
    subjects.sort_unstable();
    let count = subjects.len();
    subjects.dedup();
    assert_eq!(subjects.len(), count, "some of it is said twice: {told:#?}");
    if row.level != "WARN" {
        let warned = tenant.logged("WARN");
        let denied = warned.iter().find(|line| line.contains(DENIED));
        assert_eq!(denied, None, "it is as it should be");
    }
}

/// The operation and key of a line: `Sign of arn:…`.
fn subject(line: &str) -> &str {
    let (_, rest) = line.split_once("KMS ").unwrap();
    rest.split_once(" failed").unwrap().0
}

/// What the documentation says is lost without an action.
fn loss_of(action: &str) -> String {
    let rows = include_str!("../../docs/iam.md").lines();
    let mut rows = rows.filter(|line| line.starts_with(&format!("| `{action}` |")));
    let row = rows
        .next()
        .unwrap_or_else(|| panic!("docs/iam.md has no {action}"));
    row.split(" | ")
        .last()
        .unwrap()
        .trim_end_matches(" |")
        .to_owned()
}
