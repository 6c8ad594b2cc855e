//! Python's `cryptography`, as the tests' second opinion on what the openssl command line lacks.

use kms_pkcs11_testkit::from_hex;

/// What the script prints as hexadecimal, one value a line; its `sys.argv[1:]` are `args`.
pub(super) fn python(script: &str, args: &[&str]) -> Vec<Vec<u8>> {
    let finished = kms_pkcs11_testkit::python(script, args).ok();
    let printed = String::from_utf8(finished.output.stdout).unwrap();
    printed.lines().map(from_hex).collect()
}
