//! The `kms-emulator` command.
fn main() {}
