//! What KMS may answer to the requests of an operation: whatever it is, the operation ends in time, and what
//! it hands on is what it may hand on.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::http::{Reply, Server};
use super::input::Input;
use super::memory_kms::public_key;
use crate::config::{Config, TokenConfig};
use crate::crypto::PublicKey;
use crate::kms::*;

/// Short waits: nothing here takes long but what hangs.
const CONFIGURATION: &str = r#"
[[token]]
label = "responses"
region = "eu-west-1"
deadline = 0.3
connect_timeout = 0.2
attempt_timeout = 0.2
listing_deadline = 0.3
key_ready_timeout = 0.2
retries = 0
discovery = "list-keys"
"#;

/// Many times what any operation may take by that, on a machine with other things to do.
const LONGEST: Duration = Duration::from_secs(20);

/// The key that is asked for.
const KEY_ID: &str = "00000000-0000-4000-8000-000000000001";

/// What all inputs share: connections, and threads to drive them.
struct World {
    server: Server,
    config: TokenConfig,
    runtime: Arc<Runtime>,
    http: SharedHttp,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "nothing is fuzzed without a server")]
    let server = Server::start().expect("a server on loopback");
    let text = format!("{CONFIGURATION}endpoint = \"{}\"\n", server.endpoint());
    #[expect(clippy::expect_used, reason = "the configuration is a constant")]
    let mut config = Config::of_bytes(text.into_bytes()).expect("the configuration is good");
    World {
        server,
        config: config.tokens.remove(0),
        runtime: Runtime::new(|start| start()),
        http: SharedHttp::new(),
    }
});

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let operation = input.choose(&OPERATIONS);
    let mut replies = Vec::new();
    while !input.is_empty() {
        replies.push(reply(&mut input));
    }
    let world = &*WORLD;
    world.server.prepare(replies);
    // Its own queues and windows, so that no input waits for another.
    let kms = AwsKms::new(
        AwsSettings::from(&world.config),
        Arc::clone(&world.runtime),
        &world.http,
        None,
    );
    let began = Instant::now();
    operation(&kms, &key());
    let took = began.elapsed();
    assert!(took < LONGEST, "an operation took {took:?}");
}

/// A status, a length of two bytes, and as many bytes of the body.
fn reply(input: &mut Input<'_>) -> Reply {
    let status = match input.byte() {
        0..192 => 200,
        192..224 => 400,
        224..232 => 403,
        232..240 => 500,
        240..248 => 503,
        248..252 => 302,
        252.. => return None,
    };
    let len = usize::from(input.u16());
    Some((status, input.bytes(len).to_vec()))
}

fn key() -> KeyEntry {
    KeyEntry {
        arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{KEY_ID}"),
        key_id: KEY_ID.to_owned(),
    }
}

type Operation = fn(&AwsKms, &KeyEntry);

/// An input names an operation by its place: new ones come last.
const OPERATIONS: [Operation; 22] = [
    |kms, _| entries(kms.list_keys()),
    |kms, key| {
        for result in kms.list_tags(std::slice::from_ref(key)) {
            told(result);
        }
    },
    |kms, _| {
        let tags = Tags::from([("team".to_owned(), "ca".to_owned())]);
        for (_, found) in told(kms.list_tagged(&tags)).unwrap_or_default() {
            assert_eq!(found.get("team").map(String::as_str), Some("ca"));
        }
    },
    |kms, _| {
        told(kms.list_aliases());
    },
    |kms, key| {
        let found = told(kms.describe_key(&key.key_id));
        assert!(found.is_none_or(|found| found == *key));
    },
    |kms, key| {
        let answers = kms.read_keys(std::slice::from_ref(key), Stage::Listing);
        assert_eq!(answers.len(), 1);
        answers.into_iter().filter_map(told).for_each(check_answer);
    },
    |kms, _| {
        told(kms.create_key(&new_key(), &search()));
    },
    |kms, _| {
        told(kms.create_key_for_import(&new_key(), &search()));
    },
    |kms, key| {
        told(kms.awaits_import(
            key,
            KeySpec::EccNistP256,
            KeyUsage::SignVerify,
            Sent::WhenUp,
        ));
    },
    |kms, key| {
        told(kms.import_parameters(key, WrappingAlgorithm::RsaOaepSha256));
    },
    |kms, key| {
        told(kms.import_material(key, b"token", b"wrapped", None));
    },
    |kms, key| {
        let ready = kms.await_key(key, KeySpec::EccNistP256, KeyUsage::SignVerify);
        told(ready).into_iter().for_each(check_answer);
    },
    |kms, key| {
        let algorithm = SigningAlgorithm::EcdsaSha256;
        bounded(kms.sign(key, algorithm, MessageType::Digest, &[7; 32]), 1..);
    },
    |kms, key| {
        bounded(
            kms.generate_mac(key, MacAlgorithm::HmacSha256, b"message"),
            32..,
        );
    },
    |kms, key| {
        told(kms.verify_mac(key, MacAlgorithm::HmacSha256, b"message", &[7; 32]));
    },
    |kms, key| {
        let peer = public_key(KeySpec::EccNistP256).unwrap_or_default();
        told(kms.derive_shared_secret(key, peer));
        told(kms.decapsulate(key, &[7; 768]));
    },
    |kms, key| {
        bounded(
            kms.encrypt(key, b"plaintext", &EncryptionContext::new()),
            1..,
        );
    },
    |kms, key| {
        let algorithm = EncryptionAlgorithm::SymmetricDefault;
        told(kms.decrypt(key, algorithm, b"ciphertext", &EncryptionContext::new()));
    },
    |kms, key| {
        let made = told(kms.generate_data_key(key, 32, &EncryptionContext::new()));
        assert!(made.is_none_or(|made| made.plaintext.len() == 32 && !made.ciphertext.is_empty()));
    },
    |kms, key| {
        let request = Move {
            ciphertext: b"ciphertext".to_vec(),
            source: Some(key.clone()),
            source_context: EncryptionContext::new(),
            destination: key.clone(),
            context: EncryptionContext::new(),
        };
        bounded(kms.re_encrypt(&request), 1..);
    },
    |kms, key| {
        told(kms.rotation_status(key));
        told(kms.rotation_counts(key));
    },
    |kms, key| {
        let mut random = [0; 16];
        told(kms.random(&mut random));
        let tags = Tags::from([("name".to_owned(), "value".to_owned())]);
        told(kms.tag(key, &tags));
        told(kms.untag(key, &["name".to_owned()]));
        told(kms.schedule_deletion(key, 7, Sent::WhenUp));
        told(kms.disable(key));
    },
];

fn new_key() -> NewKey {
    NewKey {
        spec: KeySpec::EccNistP256,
        usage: KeyUsage::SignVerify,
        description: String::new(),
        tags: Tags::from([(CREATED_TAG.to_owned(), "5a".repeat(16))]),
        policy: None,
        multi_region: false,
    }
}

fn search() -> Search {
    Search::Listing(Arc::new(|_| false))
}

/// What was answered; an error has something to say, and is no panic that was caught.
fn told<T>(result: Result<T, KmsError>) -> Option<T> {
    if let Err(error) = &result {
        let words = error.to_string();
        assert!(
            !words.is_empty() && !words.contains("internal error"),
            "{words}"
        );
    }
    result.ok()
}

fn entries(listed: Result<Vec<KeyEntry>, KmsError>) {
    for entry in told(listed).unwrap_or_default() {
        assert!(!entry.key_id.is_empty() && !entry.arn.is_empty());
    }
}

/// KMS's blobs have 6144 bytes at most, and no signature has more.
fn bounded(bytes: Result<Vec<u8>, KmsError>, least: std::ops::RangeFrom<usize>) {
    if let Some(bytes) = told(bytes) {
        assert!(least.contains(&bytes.len()), "{} bytes", bytes.len());
    }
}

/// A key has a public half where its kind has one.
fn check_answer(answer: KeyAnswer) {
    match answer.public {
        Some(public) => {
            assert!(!answer.spec.is_symmetric());
            if let Ok(key) = PublicKey::from_spki(&public) {
                assert_eq!(key.spki(), public);
            }
        }
        None => assert!(answer.spec.is_symmetric()),
    }
}
