//! Requests to `kms-emulator`: it answers every one, and what it answers is JSON.

use std::sync::LazyLock;

use kms_emulator::{Emulator, NewKeys, Options};
use parking_lot::Mutex;

use super::http::Client;
use super::input::Input;

/// Operations of KMS that do not make RSA keys, which takes long.
const OPERATIONS: [&str; 27] = [
    "CreateAlias",
    "DeleteAlias",
    "ListAliases",
    "ListKeys",
    "ListResourceTags",
    "DescribeKey",
    "GetPublicKey",
    "Sign",
    "Verify",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Decapsulate",
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "GenerateRandom",
    "GetKeyRotationStatus",
    "ListKeyRotations",
    "EnableKeyRotation",
    "TagResource",
    "UntagResource",
    "CancelKeyDeletion",
    "EnableKey",
    "UpdateKeyDescription",
    "ImportKeyMaterial",
];

struct World {
    client: Client,
    /// The ARN of each key.
    keys: Vec<String>,
    _emulator: Emulator,
}

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "nothing is fuzzed without an emulator")]
    let world = World::start().expect("an emulator");
    Mutex::new(world)
});

impl World {
    fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let emulator = Emulator::start(Options::default())?;
        let mut keys = Vec::new();
        for (spec, usage) in [
            ("ECC_NIST_P256", "SIGN_VERIFY"),
            ("ECC_NIST_P384", "KEY_AGREEMENT"),
            ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
            ("ML_DSA_44", "SIGN_VERIFY"),
            ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE"),
            ("HMAC_256", "GENERATE_VERIFY_MAC"),
            ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ] {
            let made = emulator.create_keys(&NewKeys::new(1, spec, usage))?;
            keys.extend(made.into_iter().map(|key| key.arn));
        }
        Ok(Self {
            client: Client::of(&emulator.endpoint()),
            keys,
            _emulator: emulator,
        })
    }
}

/// The operation, the key that stands for `KEY`, and the body.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let operation = input.choose(&OPERATIONS);
    let key = input.byte();
    let mut world = WORLD.lock();
    let arn = world.keys[usize::from(key) % world.keys.len()].clone();
    let body = with_key(input.rest(), &arn);
    let headers = format!(
        "x-amz-target: TrentService.{operation}\r\ncontent-type: application/x-amz-json-1.1\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, \
         Signature=0\r\nx-amz-date: 20260101T000000Z\r\n"
    );
    let answer = world.client.post(&headers, &body);
    let Ok((status, answer)) = answer else {
        panic!("{operation} was not answered: {answer:?}");
    };
    let is_json = serde_json::from_slice::<serde_json::Value>(&answer).is_ok();
    assert!(
        [200, 400].contains(&status) && (is_json || answer.is_empty()),
        "{operation} answered {status} {}",
        String::from_utf8_lossy(&answer)
    );
}

/// The body with the first `KEY` in it replaced.
fn with_key(body: &[u8], arn: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"KEY\"";
    match body.windows(PLACE.len()).position(|window| window == PLACE) {
        Some(at) => [&body[..at], arn.as_bytes(), &body[at + PLACE.len() - 1..]].concat(),
        None => body.to_vec(),
    }
}
