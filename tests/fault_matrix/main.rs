//! Every fault at every operation that reaches KMS, through the built library.
//!
//! A pair is a call of PKCS#11 and what goes wrong with one KMS request of it. For each pair the outcome is
//! asserted (by the table of `expectations`, not by the code under test), the time it took (the deadlines that the
//! call has, and a tenth), that the next call succeeds, and that KMS has the keys that the token shows and no
//! others. What came out goes into the reliability report.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common_p11/mod.rs"]
mod common_p11;

mod codes;
mod connections;
mod expectations;
mod faults;
mod fleet;
mod keys;
mod operations;
mod pair;
mod report;

use faults::Faults;
use operations::Operation;

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
