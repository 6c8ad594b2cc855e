//! The whole table and a bounded walk, through the command that a person would run.

use std::fs;
use std::process::Command;

use cryptoki_sys::{
    CKA_CLASS, CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKK_RSA, CKM_SHA256_RSA_PKCS,
    CKO_PUBLIC_KEY,
};
use kms_pkcs11_testkit::{Token, run, run_with_input};
use serde_json::json;
use tempfile::TempDir;

const COMMAND: &str = env!("CARGO_BIN_EXE_softhsm-conformance");

/// The report that the repository shows.
const COMMITTED: &str = include_str!("../REPORT.md");

#[test]
fn every_difference_from_a_reference_is_in_the_reviewed_table_and_the_report_is_current() {
    let directory = TempDir::new().unwrap();
    let report = directory.path().join("REPORT.md");
    succeed(
        Command::new(COMMAND)
            .args(["compare", "--report"])
            .arg(&report),
    );
    let current = fs::read_to_string(&report).unwrap();
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

/// What `compare` does with the signatures of each module: a wrong one must not pass.
#[test]
fn a_token_verifies_signatures_with_an_imported_key_and_refuses_changed_ones() {
    let token = Token::softhsm();
    let _ = run(token.command("softhsm2-util").args([
        "--init-token",
        "--free",
        "--label",
        "aws-kms",
        "--pin",
        "1234",
        "--so-pin",
        "1234",
    ]))
    .ok();
    let message = b"message";
    let openssl = |arguments: &[&str], input: &[u8]| {
        run_with_input(token.command("openssl").args(arguments), input).ok()
    };
    let _ = openssl(&["genrsa", "-out", "key.pem", "2048"], &[]);
    let printed = openssl(&["rsa", "-noout", "-modulus", "-in", "key.pem"], &[]).stdout();
    let digits = printed.trim().strip_prefix("Modulus=").unwrap();
    let modulus: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    let signature = openssl(&["dgst", "-sha256", "-sign", "key.pem"], message);
    let signature = signature.output.stdout;
    let mut changed = signature.clone();
    changed[100] ^= 1;
    let evidence = |data: &[u8], signature: &[u8]| {
        json!({
            "step": "C_Sign",
            "public": [
                [CKA_CLASS, CKO_PUBLIC_KEY.to_ne_bytes()],
                [CKA_KEY_TYPE, CKK_RSA.to_ne_bytes()],
                [CKA_MODULUS, modulus],
                [CKA_PUBLIC_EXPONENT, [1, 0, 1]],
            ],
            "mechanism": CKM_SHA256_RSA_PKCS,
            "pss": null,
            "data": data,
            "signature": signature,
        })
    };
    let file = token.directory().join("evidence.json");
    let evidence = json!([
        evidence(message, &signature),
        evidence(message, &changed),
        evidence(b"massage", &signature),
        evidence(message, &signature),
    ]);
    fs::write(&file, evidence.to_string()).unwrap();
    let mut verify = token.command(COMMAND);
    verify.arg("verify").arg("--module").arg(&token.module);
    let findings = run(verify.arg("--evidence").arg(&file)).ok().stdout();
    let invalid = r#""C_Verify answered CKR_SIGNATURE_INVALID""#;
    let lines: Vec<&str> = findings.lines().collect();
    assert_eq!(lines, ["null", invalid, invalid, "null"]);
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
