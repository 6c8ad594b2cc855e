//! Every fault at every operation that reaches KMS, through the built library.
//!
//! A pair is a call of PKCS#11 and what goes wrong with one KMS request of it. For each pair the outcome is
//! asserted (by the table of `expectations`, not by the code under test), the time it took (the deadlines that the
//! call has, a tenth, and by how much a thread that sleeps was late meanwhile), that the next call succeeds, and that KMS has the keys that the token shows and no
//! others. What came out goes into the reliability report.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common_p11/mod.rs"]
mod common_p11;

mod canary;
mod codes;
mod connections;
mod expectations;
mod faults;
mod fleet;
mod keys;
mod operations;
mod pair;
mod report;

/// The module's own table.
#[allow(dead_code, reason = "the module uses the rest of it")]
#[path = "../../src/kms/permissions/table.rs"]
mod permissions;

use std::collections::BTreeSet;

use faults::Faults;
use operations::Operation;
use permissions::PERMISSIONS;

/// What is run at the same time: each has lanes of its own for what waits.
const CHAPTERS: &[&[&[Operation]]] = &[
    &[operations::signing::ALL, operations::secrets::ALL],
    &[operations::encrypting::ALL, operations::finding::ALL],
    &[operations::making::ALL],
    &[operations::importing::ALL, operations::changing::ALL],
];

#[test]
fn every_fault_at_every_operation_has_its_outcome_in_time_and_leaves_nothing_behind() {
    run(&Faults::usual());
}

/// Those of KMS and of the tagging API, all of which need a permission. What credentials take is not among them: the
/// emulator has no STS, and for `GetCallerIdentity`, `AssumeRole` and what else the AWS SDK may ask there are
/// `tests/identity.rs`, `tests/roles.rs`, `tests/chain.rs` and the tests in `src/kms/aws`.
#[test]
fn every_operation_of_the_module_is_among_them() {
    let sent: BTreeSet<_> = PERMISSIONS.iter().map(|row| row.operation).collect();
    let all = CHAPTERS.iter().copied().flatten().copied().flatten();
    let struck: BTreeSet<_> = all.map(|operation| operation.struck).collect();
    assert_eq!(struck, sent);
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_all_codes_and_latencies_of_minutes_have_their_outcome_in_time() {
    run(&Faults::all());
}

#[track_caller]
fn run(faults: &Faults) {
    let mut report = report::Report::default();
    for chapter in CHAPTERS {
        let chapter: Vec<&Operation> = chapter.iter().copied().flatten().collect();
        for outcome in fleet::run(&chapter, faults) {
            report.add(outcome);
        }
    }
    report.finish();
}
