//! The whole table, through the command that a person would run.

use std::process::Command;

#[test]
fn every_difference_from_softhsm_is_in_the_reviewed_table() {
    let output = Command::new(env!("CARGO_BIN_EXE_softhsm-conformance"))
        .arg("compare")
        .output()
        .unwrap_or_else(|error| panic!("the command does not start: {error}"));
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
