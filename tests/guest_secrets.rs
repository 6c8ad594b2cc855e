//! What is left in a host's memory of PINs, credentials, and what KMS decrypted or agreed on: nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common_p11::c_program;
use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{
    AccessKey, MiniStack, MiniStackOptions, REGION, Token, hex, module, python, reliability, run,
};

#[test]
fn no_pin_and_no_secret_that_kms_answered_is_left_in_memory() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let pin = format!("sesame-{}", random());
    let script = "import base64, hashlib, os, sys\n\
        text = lambda data: base64.b64encode(data).decode().rstrip('=')\n\
        salt = os.urandom(16)\n\
        digest = hashlib.pbkdf2_hmac('sha256', sys.argv[1].encode(), salt, 100000)\n\
        print(f'$pbkdf2-sha256$i=100000${text(salt)}${text(digest)}')";
    let hash = python(script, [&pin]).ok().stdout();
    let config = format!(
        "[[token]]\npin = \"verify\"\npin_hash = \"{}\"\n",
        hash.trim()
    );
    let token =
        Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "aws-kms", &config);
    assert_eq!(left(&token, &pin, "keys"), "");
    passed("PIN; data key, unwrapped key, agreed key, what KMS decrypted, after C_Finalize");
}

#[test]
fn no_credentials_given_as_the_pin_are_left_in_memory() {
    let ministack = MiniStack::start(MiniStackOptions::default());
    let pin = format!("AKIA{}:{}", &random()[..16].to_uppercase(), random());
    let config = format!(
        "[[token]]\nregion = \"{REGION}\"\npin = \"credentials\"\n[log]\nlevel = \"trace\"\nfile = \"/dev/null\"\n"
    );
    let nobody = AccessKey {
        id: "AKIANOBODY".to_owned(),
        secret: "none".to_owned(),
    };
    let token = Token::kms_with_config(ministack.endpoint(), &nobody, "aws-kms", &config);
    assert_eq!(left(&token, &pin, "pin"), "");
    passed("AWS credentials as the PIN, after C_Logout and C_Finalize");
}

#[test]
fn no_credentials_that_a_program_answered_are_left_in_memory() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let config = "[log]\nlevel = \"trace\"\nfile = \"/dev/null\"\n";
    let token = Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "aws-kms", config);
    // More than a page of the pipe, as a session token may be.
    let secret = random();
    let answer = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"test\", \"SecretAccessKey\": \"{secret}\", \"SessionToken\": \"{}\"}}",
        secret.repeat(200)
    );
    fs::write(token.directory().join("answer"), answer).unwrap();
    fs::create_dir(token.directory().join(".aws")).unwrap();
    let profile = "[profile host]\ncredential_process = cat answer\n";
    fs::write(token.directory().join(".aws/config"), profile).unwrap();
    let mut command = host(&token, &secret, "program");
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_PROFILE", "host");
    assert_eq!(run(&mut command).ok().stdout(), "");
    assert_ne!(emulator.calls().of("ListKeys"), 0);
    passed("credentials that a credential_process answered, after C_Finalize");
}

/// The names of the secrets that the host finds in its memory.
fn left(token: &Token, pin: &str, work: &str) -> String {
    run(&mut host(token, pin, work)).ok().stdout()
}

fn host(token: &Token, pin: &str, work: &str) -> Command {
    let host = c_program(token.directory(), "guest_secrets");
    let file: PathBuf = token.directory().join("pin");
    fs::write(&file, pin).unwrap();
    let mut command = token.command(host);
    command.arg(module()).arg(file).arg(work);
    command
}

fn random() -> String {
    let mut bytes = [0; 20];
    let mut source = fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut source, &mut bytes).unwrap();
    hex(&bytes)
}

fn passed(row: &str) {
    let outcome = "not in the memory of the process".to_owned();
    reliability::record("memory", row, &[("left of it", outcome)]);
}
