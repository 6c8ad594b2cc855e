//! Credentials that STS does not issue: because of them, or because it serves nobody.

use std::time::{Duration, Instant};

use super::canned::{Canned, Reply, signature};
use super::{key, kms, new_key, none_known, settings};
use crate::config::read_token;
use crate::kms::aws::AwsKms;
use crate::kms::aws::settings::Replica;
use crate::kms::{
    AwsSettings, CREATED_TAG, Course, Identity, KeyEntry, Kms, KmsErrorKind, MessageType, NewKey,
    SigningAlgorithm, Tags,
};

const ROLE: &str = "[[token.assume_role]]\nrole_arn = \"arn:aws:iam::111122223333:role/signer\"";

/// A token that assumes a role, with these lines before.
fn token(server: &Canned, lines: &str) -> AwsKms {
    let AwsSettings {
        roles,
        needs_identity,
        ..
    } = AwsSettings::from(&read_token(&format!("{lines}\n{ROLE}")));
    kms(AwsSettings {
        roles,
        needs_identity,
        ..settings(server.endpoint())
    })
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply::Xml(
        status,
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>test {code}</Message></Error></ErrorResponse>"
        ),
    )
}

#[test]
fn an_outage_of_the_token_service_is_none_of_the_credentials() {
    type Answer = fn() -> Reply;
    let cases: [(KmsErrorKind, &str, Answer); 7] = [
        (KmsErrorKind::Network, "connection", || Reply::Close),
        (KmsErrorKind::Timeout, "instance metadata service", || {
            Reply::Hang
        }),
        (KmsErrorKind::Throttled, "Throttling", || {
            refusal(400, "Throttling")
        }),
        (KmsErrorKind::Unavailable, "ServiceUnavailable", || {
            refusal(503, "ServiceUnavailable")
        }),
        (KmsErrorKind::Unavailable, "service error", || {
            Reply::Xml(502, "<html>bad gateway</html>".to_owned())
        }),
        (KmsErrorKind::Credentials, "AccessDenied", || {
            refusal(403, "AccessDenied")
        }),
        (KmsErrorKind::Credentials, "ExpiredToken", || {
            refusal(400, "ExpiredToken")
        }),
    ];
    for (kind, words, answer) in cases {
        let server = Canned::new(move |_, _| answer());
        let signing = token(&server, "")
            .sign(
                &key(1),
                SigningAlgorithm::EcdsaSha256,
                MessageType::Digest,
                &[7; 32],
            )
            .unwrap_err();
        let login = token(&server, "pin = \"credentials\"")
            .log_in(Identity::from_pin(b"AKIDTEST:secret").unwrap())
            .unwrap_err();
        for error in [signing, login] {
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.contains(words), "{error}");
        }
        assert_eq!(server.count("Sign"), 0);
        assert_ne!(server.count("AssumeRole"), 0);
    }
}

#[test]
fn a_key_that_nobody_could_be_asked_for_is_not_looked_for() {
    let server = Canned::new(|request, _| match request.operation.as_str() {
        "AssumeRole" => Reply::Close,
        _ => Reply::error("InternalFailure"),
    });
    let request = NewKey {
        tags: Tags::from([(CREATED_TAG.to_owned(), "00".to_owned())]),
        ..new_key()
    };
    let error = token(&server, "")
        .create_key(&request, &none_known())
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Network, "{error}");
    assert!(error.message.starts_with("no credentials: "), "{error}");
    assert!(!error.message.contains(CREATED_TAG), "{error}");
}

#[test]
fn a_token_service_that_does_not_answer_is_waited_for_by_one_call_at_a_time() {
    let server = Canned::new(|request, _| match request.operation.as_str() {
        "AssumeRole" => Reply::Hang,
        _ => Reply::Json(200, signature(&request.body)),
    });
    let token = token(&server, "");
    let sign = || {
        let begun = Instant::now();
        let error = token
            .sign(
                &key(1),
                SigningAlgorithm::EcdsaSha256,
                MessageType::Digest,
                &[7; 32],
            )
            .unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::Timeout, "{error}");
        (
            error.course == Course::Unsent && error.is_told,
            begun.elapsed(),
        )
    };
    assert!(!sign().0, "the first one has looked");
    let (was_refused, took) = sign();
    assert!(was_refused && took < Duration::from_millis(500), "{took:?}");
    assert_eq!(server.count("Sign"), 0);
}

#[test]
fn a_region_whose_token_service_does_not_answer_is_left_for_one_where_it_does() {
    let home = Canned::new(|_, _| Reply::Hang);
    let away = Canned::new(|request, _| match request.operation.as_str() {
        "AssumeRole" => Reply::Xml(200, SESSION.to_owned()),
        _ => Reply::Json(200, signature(&request.body)),
    });
    let AwsSettings { roles, .. } = AwsSettings::from(&read_token(ROLE));
    let kms = kms(AwsSettings {
        roles,
        replicas: vec![Replica {
            region: "eu-central-1".to_owned(),
            endpoint: Some(away.endpoint().to_owned()),
        }],
        deadline: Duration::from_secs(6),
        attempt_timeout: Duration::from_secs(2),
        ..settings(home.endpoint())
    });
    let key_id = format!("mrk-{:032}", 1);
    let key = KeyEntry {
        arn: format!("arn:aws:kms:eu-west-1:111122223333:key/{key_id}"),
        key_id,
    };
    let times: Vec<Duration> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let algorithm = SigningAlgorithm::EcdsaSha256;
            kms.sign(&key, algorithm, MessageType::Digest, &[7; 32])
                .unwrap();
            begun.elapsed()
        })
        .collect();
    let slow = times.iter().filter(|time| **time > Duration::from_secs(1));
    assert_eq!(slow.count(), 1, "{times:?}");
    assert_eq!((home.count("Sign"), away.count("Sign")), (0, 5));
}

const SESSION: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <Credentials><AccessKeyId>ASIATEST</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
    <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
    <AssumedRoleUser><AssumedRoleId>AROATEST:test</AssumedRoleId>\
    <Arn>arn:aws:sts::111122223333:assumed-role/signer/test</Arn></AssumedRoleUser>\
    </AssumeRoleResult></AssumeRoleResponse>";
