//! AWS's own client library for Python, as a client that we did not write.

use kms_emulator::{Effect, Emulator, Fault, Options};
use kms_pkcs11_testkit::{Finished, run, venv_python};
use std::process::Command;

#[track_caller]
pub(crate) fn boto3(emulator: &Emulator, script: &str) -> Finished {
    run(Command::new(venv_python())
        .args(["-c", script])
        .env("AWS_ENDPOINT_URL", emulator.endpoint())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true"))
}

#[test]
pub(crate) fn boto3_creates_uses_tags_lists_and_deletes_keys() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let finished = boto3(&emulator, include_str!("sdk.py"));
    assert!(finished.success(), "{finished:?}");
}

#[test]
pub(crate) fn boto3_retries_an_internal_error_and_a_reset_connection() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let internal = Effect::Error {
        code: "KMSInternalException".to_owned(),
        message: String::new(),
        status: 500,
    };
    emulator.fault(Fault::once("ListKeys", internal));
    emulator.fault(Fault::once("ListKeys", Effect::ResetBefore));
    let script = "import boto3; boto3.client('kms').list_keys()";
    let finished = boto3(&emulator, script);
    assert!(finished.success(), "{finished:?}");
    assert_eq!(emulator.calls().of("ListKeys"), 3);
}
