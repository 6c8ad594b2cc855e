//! Python's `cryptography`, as the tests' second opinion on what the openssl command line lacks.

/// What the script prints as hexadecimal, one value a line; its `sys.argv[1:]` are `args`.
pub(super) fn python(script: &str, args: &[&str]) -> Vec<Vec<u8>> {
    let finished = kms_pkcs11_testkit::python(script, args).ok();
    let printed = String::from_utf8(finished.output.stdout).unwrap();
    printed.lines().map(from_hex).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| {
        digits + &format!("{byte:02x}")
    })
}

/// The bytes of a string of hexadecimal digits; blanks do not matter.
pub(super) fn from_hex(digits: &str) -> Vec<u8> {
    let digits: String = digits.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&digits[start..start + 2], 16).unwrap())
        .collect()
}
