//! New keys that KMS does not show everywhere yet, with prepared answers.

use std::time::{Duration, Instant};

use serde_json::json;

use super::canned::{Canned, Reply, Request, signature};
use super::{key, kms, new_key, none_known, settings};
use crate::kms::{AwsSettings, Kms, KmsErrorKind, MessageType, Sent, SigningAlgorithm};

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EcdsaSha256;

/// A KMS that makes key 1 and gives any public key.
fn consistent(request: &Request) -> Reply {
    Reply::Json(
        200,
        match request.operation.as_str() {
            "CreateKey" => json!({ "KeyMetadata": { "KeyId": key(1).key_id, "Arn": key(1).arn } }),
            "GetPublicKey" => json!({
                "KeyId": request.body["KeyId"],
                "KeySpec": "ECC_NIST_P256",
                "KeyUsage": "SIGN_VERIFY",
                "PublicKey": "MDA=",
            }),
            "Sign" => signature(&request.body),
            _ => json!({ "KeyId": request.body["KeyId"] }),
        },
    )
}

/// The same, but answering `code` to the requests with these numbers.
fn inconsistent(code: &'static str, at: &'static [usize]) -> Canned {
    Canned::new(move |request, before| {
        if at.contains(&before) {
            Reply::error(code)
        } else {
            consistent(request)
        }
    })
}

#[test]
fn a_new_key_costs_two_requests() {
    let server = inconsistent("", &[]);
    let (made, public) = kms(settings(server.endpoint()))
        .make_key(&new_key(), &none_known())
        .unwrap();
    assert_eq!((made, public.public), (key(1), Some(b"00".to_vec())));
    let operations: Vec<_> = server
        .requests()
        .into_iter()
        .map(|one| one.operation)
        .collect();
    assert_eq!(operations, ["CreateKey", "GetPublicKey"]);
    assert_eq!(
        server.requests()[0].body,
        json!({
            "KeySpec": "ECC_NIST_P256",
            "KeyUsage": "SIGN_VERIFY",
            "Description": "",
            "Tags": [{ "TagKey": "team", "TagValue": "signing" }],
        })
    );
}

#[test]
fn a_new_key_that_is_not_visible_yet_is_waited_for() {
    for code in ["NotFoundException", "KMSInvalidStateException"] {
        let server = inconsistent(code, &[1, 2]);
        kms(settings(server.endpoint()))
            .make_key(&new_key(), &none_known())
            .unwrap();
        assert_eq!(
            (server.count("CreateKey"), server.count("GetPublicKey")),
            (1, 3)
        );
    }
}

#[test]
fn a_new_key_that_never_becomes_usable_is_named() {
    let server = inconsistent("NotFoundException", &[1, 2, 3, 4, 5, 6, 7, 8]);
    let kms = kms(AwsSettings {
        key_ready_timeout: Duration::from_secs(1),
        ..settings(server.endpoint())
    });
    let started = Instant::now();
    let error = kms.make_key(&new_key(), &none_known()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(error.kind, KmsErrorKind::NotFound);
    assert!(error.to_string().contains(&key(1).arn), "{error}");
    let words = "it could not be made usable within 1 s";
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn the_first_uses_of_a_new_key_are_repeated_while_it_spreads() {
    let server = inconsistent("NotFoundException", &[2, 3]);
    let kms = kms(settings(server.endpoint()));
    let (made, _) = kms.make_key(&new_key(), &none_known()).unwrap();
    kms.sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    assert_eq!(server.count("Sign"), 3);
}

#[test]
fn a_key_made_elsewhere_is_not_waited_for() {
    let server = inconsistent("NotFoundException", &[0]);
    let error = kms(settings(server.endpoint()))
        .sign(&key(1), ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(
        (error.kind, server.count("Sign")),
        (KmsErrorKind::NotFound, 1)
    );
}

#[test]
fn a_new_key_that_was_retired_is_not_waited_for() {
    for retire in ["ScheduleKeyDeletion", "DisableKey"] {
        let server = inconsistent("KMSInvalidStateException", &[3]);
        let kms = kms(settings(server.endpoint()));
        let (made, _) = kms.make_key(&new_key(), &none_known()).unwrap();
        match retire {
            "DisableKey" => kms.disable(&made).unwrap(),
            _ => kms.schedule_deletion(&made, 7, Sent::WhenUp).unwrap(),
        }
        let error = kms
            .sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
            .unwrap_err();
        assert_eq!(
            (error.kind, server.count("Sign")),
            (KmsErrorKind::InvalidState, 1)
        );
        assert_eq!(server.requests()[2].operation, retire);
    }
}

#[test]
fn waiting_for_a_new_key_keeps_the_deadline_of_the_call() {
    let server = Canned::new(|request, before| {
        if before < 2 {
            consistent(request)
        } else {
            Reply::error("NotFoundException")
        }
    });
    let kms = kms(AwsSettings {
        deadline: Duration::from_secs(1),
        ..settings(server.endpoint())
    });
    let (made, _) = kms.make_key(&new_key(), &none_known()).unwrap();
    let started = Instant::now();
    let error = kms
        .sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::NotFound);
    assert!(started.elapsed() < Duration::from_secs(10));
}
