//! Keys whose material is imported, by a client and with a cryptography that we did not write; the same
//! on a KMS that we did not write.

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{AccessKey, MiniStack, MiniStackOptions, boto3};

const SCRIPT: &str = include_str!("import.py");

#[test]
fn material_of_every_kind_is_imported_expires_and_is_imported_again() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let finished = boto3(
        &emulator.endpoint(),
        &AccessKey::test(),
        SCRIPT,
        &["emulator"],
    );
    assert!(finished.success(), "{finished:?}");
}

#[test]
fn ministack_imports_as_the_emulator_does() {
    let ministack = MiniStack::start(MiniStackOptions::default());
    let finished = ministack.boto3(&ministack.root(), SCRIPT, &["ministack"]);
    assert!(finished.success(), "{finished:?}");
}
