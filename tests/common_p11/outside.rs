//! Verification by an implementation that is not this project's.

use std::fmt::Write as _;
use std::fs;

use kms_pkcs11_testkit::python;
use tempfile::TempDir;

/// A digest, and the r‖s that is to be its signature.
pub(crate) type Signed = ([u8; 32], Vec<u8>);

/// Has Python's `cryptography` verify every signature under a public key, DER of its SPKI.
#[track_caller]
pub(crate) fn assert_ecdsa(spki: &[u8], signatures: &[Signed]) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("signatures");
    let mut lines = String::new();
    for (digest, signature) in signatures {
        let [spki, digest, signature] = [spki, &digest[..], &signature[..]].map(hex);
        writeln!(lines, "{spki} {digest} {signature}").unwrap();
    }
    fs::write(&file, lines).unwrap();
    let answer = python(include_str!("ecdsa.py"), [file]).ok().stdout();
    assert_eq!(answer.trim(), signatures.len().to_string());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
