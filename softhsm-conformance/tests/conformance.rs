//! The whole table, through the command that a person would run.

use std::process::Command;

use tempfile::TempDir;

/// The report that the repository shows.
const COMMITTED: &str = include_str!("../REPORT.md");

#[test]
fn every_difference_from_softhsm_is_in_the_reviewed_table_and_the_report_is_current() {
    let directory = TempDir::new().unwrap();
    let report = directory.path().join("REPORT.md");
    let output = Command::new(env!("CARGO_BIN_EXE_softhsm-conformance"))
        .args(["compare", "--report"])
        .arg(&report)
        .output()
        .unwrap_or_else(|error| panic!("the command does not start: {error}"));
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let current = std::fs::read_to_string(&report).unwrap();
    assert!(
        current == COMMITTED,
        "REPORT.md is out of date. Renew it: cargo run -p softhsm-conformance -- compare --report \
         softhsm-conformance/REPORT.md"
    );
}
