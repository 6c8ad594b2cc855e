//! What goes over the wire, and how often; which answers are believed.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::canned::{Canned, Reply, signature};
use super::{key, kms, new_key, none_known, runtime, settings, unmasked};
use crate::kms::{
    AwsKms, AwsSettings, EncryptionAlgorithm, EncryptionContext, Kms, KmsErrorKind, MessageType,
    Runtime, SharedHttp, SigningAlgorithm, Tags,
};

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EcdsaSha256;

fn kms_at(server: &Canned) -> AwsKms {
    kms(settings(server.endpoint()))
}

#[test]
fn making_one_starts_no_thread_and_sends_nothing() {
    let server = Canned::signing();
    let never = |_: &mut dyn FnMut()| panic!("a thread is started");
    let kms = AwsKms::new(
        settings(server.endpoint()),
        Runtime::new(never),
        &SharedHttp::new(),
        None,
    );
    drop(kms);
    assert_eq!(server.connections(), 0);
}

#[test]
fn sequential_calls_of_two_tokens_are_one_request_each_on_one_connection() {
    let server = Canned::signing();
    let (runtime, http) = (runtime(), SharedHttp::new());
    let tokens = [3, 7].map(|seconds| {
        let settings = AwsSettings {
            attempt_timeout: Duration::from_secs(seconds),
            ..settings(server.endpoint())
        };
        AwsKms::new(settings, runtime.clone(), &http, None)
    });
    for _ in 0..50 {
        for kms in &tokens {
            assert_eq!(
                kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
                    .unwrap()
                    .len(),
                70
            );
        }
    }
    assert_eq!(server.count("Sign"), 100);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_request_says_what_was_asked_and_who_asks() {
    let server = Canned::signing();
    kms_at(&server)
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    let request = server.requests().remove(0);
    let agent = concat!(" lib/kms-pkcs11/", env!("CARGO_PKG_VERSION"));
    assert!(request.user_agent.contains(agent), "{}", request.user_agent);
    assert_eq!(
        request.body,
        json!({
            "KeyId": key(1).arn,
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
            "Message": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        })
    );
}

#[test]
fn a_call_works_inside_a_host_runtime_and_on_a_small_stack() {
    let server = Canned::signing();
    let (kms, key) = (kms_at(&server), key(1));
    let host = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    host.block_on(async { kms.sign(&key, ALGORITHM, MessageType::Digest, &[7; 32]) })
        .unwrap();
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(128 * 1024)
            .spawn_scoped(scope, || {
                kms.sign(&key, ALGORITHM, MessageType::Digest, &[7; 32])
                    .unwrap()
            })
            .unwrap();
    });
    assert_eq!(server.count("Sign"), 2);
}

#[test]
fn throttling_is_retried_and_the_error_says_so_in_the_end() {
    let server = Canned::new(|request, before| match before {
        2 => Reply::Json(200, signature(&request.body)),
        _ => Reply::error("ThrottlingException"),
    });
    let kms = kms_at(&server);
    kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    assert_eq!(server.count("Sign"), 3);
    let error = kms
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Throttled);
    assert_eq!(error.request_id.as_deref(), Some("request-6"));
    assert_eq!(server.count("Sign"), 3 + 4);
}

#[test]
fn without_retries_a_request_is_sent_once() {
    let server = Canned::new(|_, _| Reply::error("ThrottlingException"));
    let kms = kms(AwsSettings {
        retries: 0,
        ..settings(server.endpoint())
    });
    kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(server.count("Sign"), 1);
}

#[test]
fn a_server_fault_and_a_lost_connection_are_retried() {
    let server = Canned::new(|request, before| match before {
        0 => Reply::Json(500, json!({ "__type": "KMSInternalException" })),
        1 => Reply::Close,
        _ => Reply::Json(200, signature(&request.body)),
    });
    kms_at(&server)
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    assert_eq!(server.count("Sign"), 3);
}

#[test]
fn a_connection_closed_while_idle_fails_no_call_even_without_retries() {
    let server = Canned::new(|request, _| Reply::Last(200, signature(&request.body)));
    let kms = kms(AwsSettings {
        retries: 0,
        ..settings(server.endpoint())
    });
    for _ in 0..5 {
        kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
            .unwrap();
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!((server.count("Sign"), server.connections()), (5, 5));
}

#[test]
fn a_new_key_is_asked_for_once_whatever_is_answered() {
    for (reply, kind) in [
        (500, KmsErrorKind::Unavailable),
        (429, KmsErrorKind::Throttled),
    ] {
        let server = Canned::new(move |_, _| Reply::Json(reply, json!({})));
        let error = kms_at(&server)
            .make_key(&new_key(), &none_known())
            .unwrap_err();
        assert_eq!((error.kind, server.count("CreateKey")), (kind, 1));
    }
    let server = Canned::new(|_, _| Reply::error("LimitExceededException"));
    let error = kms_at(&server)
        .make_key(&new_key(), &none_known())
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::LimitExceeded);
    assert_eq!(server.count("CreateKey"), 1);
}

#[test]
fn an_exceeded_limit_is_not_taken_for_throttling() {
    let server = Canned::new(|_, _| Reply::error("LimitExceededException"));
    let tags = Tags::from([("name".to_owned(), "value".to_owned())]);
    let error = kms_at(&server).tag(&key(1), &tags).unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::LimitExceeded);
    assert_eq!(server.count("TagResource"), 1);
}

#[test]
fn an_answer_about_another_key_or_algorithm_or_without_its_fields_is_not_believed() {
    let altered = |field: &'static str, value: Value| {
        let server = Canned::new(move |request, _| {
            let mut answer = signature(&request.body);
            answer[field] = value.clone();
            Reply::Json(200, answer)
        });
        kms_at(&server).sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
    };
    assert!(altered("KeyId", json!(key(1).key_id)).is_ok());
    for (field, value) in [
        ("KeyId", json!(key(2).arn)),
        ("KeyId", Value::Null),
        ("SigningAlgorithm", json!("ECDSA_SHA_512")),
        ("SigningAlgorithm", Value::Null),
        ("Signature", json!("")),
        ("Signature", Value::Null),
    ] {
        let error = altered(field, value.clone()).unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::BadAnswer, "{field} {value}");
        assert!(error.to_string().contains(&key(1).arn));
    }
}

#[test]
fn a_decryption_is_checked_like_a_signature() {
    let algorithm = EncryptionAlgorithm::RsaOaepSha256;
    for (key_id, answered, kind) in [
        (key(1).arn, "RSAES_OAEP_SHA_256", None),
        (
            key(2).arn,
            "RSAES_OAEP_SHA_256",
            Some(KmsErrorKind::BadAnswer),
        ),
        (
            key(1).arn,
            "RSAES_OAEP_SHA_1",
            Some(KmsErrorKind::BadAnswer),
        ),
    ] {
        let answer = json!({
            "KeyId": key_id,
            "EncryptionAlgorithm": answered,
            "Plaintext": "c2VjcmV0",
        });
        let server = Canned::new(move |_, _| Reply::Json(200, answer.clone()));
        let context = EncryptionContext::new();
        match kms_at(&server).decrypt(&key(1), algorithm, &[1; 256], &context) {
            Ok(plaintext) => assert_eq!((plaintext.as_slice(), kind), (&b"secret"[..], None)),
            Err(error) => assert_eq!(Some(error.kind), kind),
        }
    }
}

#[test]
fn a_truncated_random_answer_is_not_believed() {
    let server = Canned::new(|_, _| Reply::Json(200, json!({ "Plaintext": "AAAA" })));
    let mut bytes = [7; 4];
    let error = kms_at(&server).random(&mut bytes).unwrap_err();
    assert_eq!((error.kind, bytes), (KmsErrorKind::BadAnswer, [7; 4]));
}

#[test]
fn nothing_printed_shows_the_credentials() {
    let server = Canned::signing();
    let kms = AwsKms::new(
        settings(server.endpoint()),
        Runtime::new(unmasked),
        &SharedHttp::new(),
        None,
    );
    kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    let printed = format!("{kms:?}");
    assert!(
        printed.contains("eu-west-1") && !printed.contains("test-secret"),
        "{printed}"
    );
}
