//! Credentials that STS does not issue: because of them, or because it serves nobody.

use super::canned::{Canned, Reply};
use super::{key, kms, settings};
use crate::config::read_token;
use crate::kms::aws::AwsKms;
use crate::kms::{AwsSettings, Identity, Kms, KmsErrorKind, MessageType, SigningAlgorithm};

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
