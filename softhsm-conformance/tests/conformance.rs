//! The whole table and a bounded walk, through the command that a person would run.

use std::process::Command;

use tempfile::TempDir;

const COMMAND: &str = env!("CARGO_BIN_EXE_softhsm-conformance");

/// The report that the repository shows.
const COMMITTED: &str = include_str!("../REPORT.md");

#[test]
fn every_difference_from_softhsm_is_in_the_reviewed_table_and_the_report_is_current() {
    let directory = TempDir::new().unwrap();
    let report = directory.path().join("REPORT.md");
    succeed(
        Command::new(COMMAND)
            .args(["compare", "--report"])
            .arg(&report),
    );
    let current = std::fs::read_to_string(&report).unwrap();
    assert!(
        current == COMMITTED,
        "REPORT.md is out of date. Renew it: cargo run -p softhsm-conformance -- compare --report \
         softhsm-conformance/REPORT.md"
    );
}

#[test]
fn a_random_walk_meets_no_difference_that_no_rule_explains() {
    succeed(Command::new(COMMAND).args(["walk", "--seed", "1", "--steps", "400", "--rounds", "8"]));
}

/// Runs the command; fails with what it said unless it succeeds.
fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("the command does not start: {error}"));
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
