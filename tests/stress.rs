//! Many threads that do everything at once, in a C host that holds every answer against a table of those that
//! may be and every signature against libcrypto. `make sanitize` runs the same under sanitizers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::env;
use std::fs;

use common_p11::c_program_with;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Token, module, run};
use serde_json::Value;

/// The keys that the host looks for: label, key spec, key usage.
const KEYS: [(&str, &str, &str); 5] = [
    ("p256", "ECC_NIST_P256", "SIGN_VERIFY"),
    ("rsa", "RSA_2048", "SIGN_VERIFY"),
    ("oaep", "RSA_2048", "ENCRYPT_DECRYPT"),
    ("mac", "HMAC_256", "GENERATE_VERIFY_MAC"),
    ("symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
];

/// The hash of `sesame-8214`, the host's PIN, by PBKDF2 with 100,000 iterations and the salt `sixteen bytes ok`.
const PIN_HASH: &str =
    "$pbkdf2-sha256$i=100000$c2l4dGVlbiBieXRlcyBvaw$TJcHe46jbwuyCbhq4xpIjHMWMyLL5UoEbbBfxp6gq2k";

/// Nobody but the host's threads ask KMS: the quotas of a real account would make them wait.
const SETTINGS: &str = "rates = { rsa = 100000, ecc = 100000, symmetric = 100000 }\ndeadline = 600\n\
     attempt_timeout = 300\nconnect_timeout = 60\nlisting_deadline = 600\n";

#[test]
fn threads_that_do_everything_at_once_get_right_answers_until_finalize() {
    let emulator = Emulator::start(Options::default()).unwrap();
    for (label, spec, usage) in KEYS {
        let key = NewKeys::new(1, spec, usage).tag("p11:label", label);
        emulator.create_keys(&key).unwrap();
    }
    let config = format!(
        "[[token]]\nlabel = \"open\"\n{SETTINGS}\n[[token]]\nlabel = \"guarded\"\n{SETTINGS}\n\
         pin = \"verify\"\npin_hash = \"{PIN_HASH}\"\n"
    );
    let token = Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "open", &config);
    let host = c_program_with(token.directory(), "stress_host", &["-lcrypto"]);
    let (threads, rounds, times) = (number("THREADS", 16), number("ROUNDS", 2), 2);
    let finished = run(token
        .command(host)
        .arg(module())
        .args([threads, rounds, times].map(|number| number.to_string()))
        .env("KMS_PKCS11_LOG", "error"))
    .ok();
    assert_eq!(finished.stderr(), "");

    if let Some(report) = env::var_os("KMS_PKCS11_STRESS_REPORT") {
        fs::write(report, finished.stdout()).unwrap();
    }
    let done: Value = serde_json::from_str(&finished.stdout()).unwrap();
    // Every worker meets the end of the module, and every function that is called succeeds at times.
    let succeeded = |function: &str| done["successes"][function].as_u64().unwrap_or(0);
    for function in done["successes"].as_object().unwrap().keys() {
        assert!(succeeded(function) > 0, "{function}: {done}");
    }
    assert!(
        done["verified"].as_u64().unwrap() >= threads * times,
        "{done}"
    );
    assert!(succeeded("C_CreateObject") >= threads * times, "{done}");
    // Neither a signature nor a key comes from anywhere else.
    assert!(emulator.calls().of("Sign") >= done["verified"].as_u64().unwrap());
    assert!(emulator.calls().of("CreateKey") >= succeeded("C_GenerateKeyPair"));
}

/// What `make sanitize` asks for, else what a test has time for.
fn number(name: &str, default: u64) -> u64 {
    env::var(format!("KMS_PKCS11_STRESS_{name}")).map_or(default, |number| number.parse().unwrap())
}
