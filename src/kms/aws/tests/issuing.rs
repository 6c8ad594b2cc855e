//! Credentials that STS does not issue: because of them, or because it serves nobody.

use std::time::{Duration, Instant};

use super::canned::{Canned, Reply, signature};
use super::{key, kms, new_key, none_known, settings};
use crate::config::read_token;
use crate::kms::aws::AwsKms;
use crate::kms::{
    AwsSettings, CREATED_TAG, Course, Identity, Kms, KmsErrorKind, MessageType, NewKey,
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
