//! What reaches the subscriber of the caller, from the runtime's threads.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::canned::{Canned, Reply};
use super::{key, kms, settings};
use crate::kms::{EncryptionAlgorithm, EncryptionContext, Kms, MessageType, SigningAlgorithm};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn logged(level: tracing::Level, call: impl FnOnce()) -> String {
    // While there is only one subscriber, tracing asks the thread that reaches a log line first,
    // for good, whether anybody listens; here that may be another test's thread.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, call);
    let bytes = lines.0.lock().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn each_request_is_one_line_of_the_callers_log() {
    let server = Canned::signing();
    let kms = kms(settings(server.endpoint()));
    let log = logged(tracing::Level::DEBUG, || {
        kms.sign(
            &key(1),
            SigningAlgorithm::EcdsaSha256,
            MessageType::Digest,
            &[7; 32],
        )
        .unwrap();
    });
    let ours: Vec<_> = log
        .lines()
        .filter(|line| line.contains("KMS request"))
        .collect();
    let [line] = ours[..] else {
        panic!("not one line: {log}");
    };
    for part in [
        "operation=\"Sign\"",
        &key(1).arn,
        "latency_us=",
        "request-0",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn no_log_line_of_any_crate_at_any_level_holds_a_plaintext_or_a_secret_key() {
    let server = Canned::new(|request, _| {
        Reply::Json(
            200,
            json!({
                "KeyId": request.body["KeyId"],
                "EncryptionAlgorithm": request.body["EncryptionAlgorithm"],
                "Plaintext": "c2VjcmV0IHBsYWludGV4dA==",
                "KeyAgreementAlgorithm": "ECDH",
                "EncapsulationAlgorithm": "ML_KEM",
                // "a shared secret of 32 bytes: ...".
                "SharedSecret": "YSBzaGFyZWQgc2VjcmV0IG9mIDMyIGJ5dGVzOiAuLi4=",
            }),
        )
    });
    let kms = kms(settings(server.endpoint()));
    let log = logged(tracing::Level::TRACE, || {
        let algorithm = EncryptionAlgorithm::RsaOaepSha256;
        let context = EncryptionContext::new();
        let plaintext = kms
            .decrypt(&key(1), algorithm, &[1; 256], &context)
            .unwrap();
        assert_eq!(plaintext.as_slice(), b"secret plaintext");
        for shared in [
            kms.derive_shared_secret(&key(1), &[1; 91]),
            kms.decapsulate(&key(1), &[1; 768]),
        ] {
            assert!(shared.unwrap().starts_with(b"a shared secret"));
        }
    });
    assert!(log.contains("operation=\"Decrypt\""));
    for secret in [
        "test-secret",
        "secret plaintext",
        "c2VjcmV0IHBsYWludGV4dA",
        "a shared secret",
        "YSBzaGFyZWQgc2VjcmV0",
        "[97, 32, 115, 104, 97, 114, 101, 100",
        "[115, 101, 99, 114, 101, 116",
    ] {
        assert!(!log.contains(secret), "{log}");
    }
}
