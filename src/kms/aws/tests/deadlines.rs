//! Calls end in time, however KMS behaves.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::canned::{Canned, Reply};
use super::{key, kms, new_key, none_known, runtime, settings};
use crate::kms::{
    AwsKms, AwsSettings, Kms, KmsErrorKind, MessageType, SharedHttp, SigningAlgorithm, Stage,
};

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EcdsaSha256;

/// How long after its deadline a call may come back on a busy machine: less than after a second deadline.
const SLACK: Duration = Duration::from_millis(800);

#[test]
fn a_hanging_endpoint_costs_no_more_than_the_deadline() {
    let server = Canned::new(|_, _| Reply::Hang);
    let kms = kms(AwsSettings {
        deadline: Duration::from_secs(1),
        listing_deadline: Duration::from_secs(1),
        ..settings(server.endpoint())
    });
    let mut random = [0; 3000];
    let calls: [(&str, &mut dyn FnMut() -> KmsErrorKind); 5] = [
        ("Sign", &mut || {
            kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
                .unwrap_err()
                .kind
        }),
        ("CreateKey", &mut || {
            kms.make_key(&new_key(), &none_known()).unwrap_err().kind
        }),
        ("ListKeys", &mut || kms.list_keys().unwrap_err().kind),
        ("GenerateRandom", &mut || {
            kms.random(&mut random).unwrap_err().kind
        }),
        ("GetPublicKey", &mut || {
            let keys: Vec<_> = (0..40).map(key).collect();
            let mut answers = kms.read_keys(&keys, Stage::Listing);
            assert_eq!(answers.len(), 40);
            answers.pop().unwrap().unwrap_err().kind
        }),
    ];
    for (operation, call) in calls {
        let started = Instant::now();
        assert_eq!(call(), KmsErrorKind::Timeout, "{operation}");
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(1) + SLACK,
            "{operation} took {waited:?}"
        );
    }
}

#[test]
fn a_closed_port_is_a_network_error_after_the_retries() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let started = Instant::now();
    let kms = kms(settings(&format!("http://{port}")));
    let error = kms
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Network);
    assert!(error.message.starts_with("connection failed: "), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3) + SLACK);
}

#[test]
fn an_unknown_host_is_told_apart_from_a_closed_port() {
    let kms = kms(settings("http://kms.invalid"));
    let error = kms
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Network);
    assert!(
        error.message.starts_with("name resolution failed: "),
        "{error}"
    );
}

#[test]
fn a_peer_that_does_not_speak_tls_is_told_apart_too() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // The client may be gone already.
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let error = kms(settings(&endpoint))
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Network);
    assert!(error.message.starts_with("TLS failed: "), "{error}");
}

#[test]
fn an_unusable_endpoint_is_a_matter_of_configuration_and_no_request_is_printed() {
    let kms = kms(settings("not a url"));
    let error = kms
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Configuration, "{error}");
    assert!(
        error.message.contains("`not a url`") && !error.message.contains("Message"),
        "{error}"
    );
}

#[test]
fn a_shutdown_ends_calls_in_flight_and_is_final() {
    let server = Canned::new(|_, _| Reply::Hang);
    let runtime = runtime();
    let kms = AwsKms::new(
        settings(server.endpoint()),
        Arc::clone(&runtime),
        &SharedHttp::new(),
        None,
    );
    let started = Instant::now();
    thread::scope(|scope| {
        let call = scope.spawn(|| {
            kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
                .unwrap_err()
        });
        while server.count("Sign") == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        runtime.shutdown(Duration::from_secs(1));
        let error = call.join().unwrap();
        assert_eq!(error.kind, KmsErrorKind::Unavailable, "{error}");
    });
    assert!(started.elapsed() < Duration::from_secs(1) + SLACK);
    assert!(
        kms.sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
            .is_err()
    );
}
