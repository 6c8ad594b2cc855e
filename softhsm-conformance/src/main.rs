//! The `softhsm-conformance` command.
fn main() {}
