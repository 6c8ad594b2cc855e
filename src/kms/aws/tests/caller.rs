//! Whom a token acts as: asked once, and judged by `account` and `allow`.

use std::thread;
use std::time::Duration;

use super::canned::{Canned, Reply, signature};
use super::{key, kms, settings};
use crate::config::read_token;
use crate::kms::aws::AwsKms;
use crate::kms::{
    AwsSettings, Identity, Kms, KmsError, KmsErrorKind, MessageType, SigningAlgorithm,
};

/// Answers that the caller is this one, and signs.
fn knowing(account: &'static str, arn: &'static str) -> Canned {
    Canned::new(move |request, _| match request.operation.as_str() {
        "GetCallerIdentity" => Reply::Xml(200, identity(account, arn)),
        _ => Reply::Json(200, signature(&request.body)),
    })
}

fn identity(account: &str, arn: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>AIDATEST</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

fn refusal(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>test {code}</Message></Error></ErrorResponse>"
    )
}

/// A token with these lines in its section of the configuration.
fn token(server: &Canned, lines: &str) -> AwsKms {
    let AwsSettings {
        caller,
        needs_identity,
        ..
    } = AwsSettings::from(&read_token(lines));
    kms(AwsSettings {
        caller,
        needs_identity,
        ..settings(server.endpoint())
    })
}

fn sign(kms: &AwsKms) -> Result<Vec<u8>, KmsError> {
    kms.sign(
        &key(1),
        SigningAlgorithm::EcdsaSha256,
        MessageType::Digest,
        &[7; 32],
    )
}

#[test]
fn an_identity_of_any_partition_is_judged_by_account_and_arn() {
    let user = ("111122223333", "arn:aws:iam::111122223333:user/team/host");
    let session = (
        "333333333333",
        "arn:aws:sts::333333333333:assumed-role/auth-role/i-0123456789abcdef0",
    );
    let gov = (
        "444455556666",
        "arn:aws-us-gov:sts::444455556666:assumed-role/signer/kms-pkcs11",
    );
    let china = ("777788889999", "arn:aws-cn:iam::777788889999:root");
    for ((account, arn), lines, allowed) in [
        (user, "account = \"111122223333\"", true),
        (user, "account = \"111122223334\"", false),
        (user, "allow = [{ aws_account = \"111122223333\" }]", true),
        (
            user,
            "allow = [{ aws_arn = \"arn:aws:iam::*:user/team/*\" }]",
            true,
        ),
        (
            user,
            "allow = [{ aws_arn = \"arn:aws:iam::*:user/host\" }]",
            false,
        ),
        (
            session,
            "allow = [{ aws_account = \"333333333333\", aws_arn = \"arn:aws:sts::333333333333:assumed-role/auth-role/i-*\" }]",
            true,
        ),
        (
            session,
            "allow = [{ aws_account = \"111122223333\", aws_arn = \"arn:aws:sts::333333333333:assumed-role/auth-role/i-*\" }]",
            false,
        ),
        (
            session,
            "allow = [{ aws_account = \"111122223333\" }, { aws_arn = \"arn:aws:sts::*:assumed-role/auth-role/i-?*\" }]",
            true,
        ),
        (
            session,
            "account = \"111122223333\"\nallow = [{ aws_account = \"333333333333\" }]",
            false,
        ),
        // The ARN of the role is not the one of its sessions.
        (
            session,
            "allow = [{ aws_arn = \"arn:aws:iam::333333333333:role/auth-role\" }]",
            false,
        ),
        (
            gov,
            "allow = [{ aws_arn = \"arn:aws-us-gov:sts::444455556666:assumed-role/signer/*\" }]",
            true,
        ),
        (
            gov,
            "allow = [{ aws_arn = \"arn:aws:sts::444455556666:assumed-role/signer/*\" }]",
            false,
        ),
        (china, "account = \"777788889999\"", true),
        (china, "allow = [{ aws_arn = \"arn:aws-??:iam::*\" }]", true),
        (china, "allow = [{ aws_arn = \"arn:aws:*\" }]", false),
    ] {
        let server = knowing(account, arn);
        let outcome = sign(&token(&server, lines));
        assert_eq!(server.count("Sign"), usize::from(allowed), "{lines}");
        match outcome {
            Ok(_) => assert!(allowed, "{lines}"),
            Err(error) => {
                assert!(!allowed, "{lines}: {error}");
                assert_eq!(error.kind, KmsErrorKind::Identity);
                let said = error.to_string();
                assert!(said.starts_with("STS GetCallerIdentity failed: "), "{said}");
                assert!(said.contains(arn) && said.contains(account), "{said}");
                // The rules as they are written.
                for rule in lines.split(['{', '}']).filter(|part| part.contains("aws_")) {
                    let of_account = said.contains("the token's account is");
                    assert!(of_account || said.contains(rule.trim()), "{said}");
                }
            }
        }
    }
}

#[test]
fn aws_is_asked_once_who_the_caller_is_and_never_without_a_rule() {
    let server = knowing("111122223333", "arn:aws:iam::111122223333:user/host");
    let unruled = token(&server, "");
    sign(&unruled).unwrap();
    assert_eq!(server.count("GetCallerIdentity"), 0);

    let ruled = token(&server, "account = \"111122223333\"");
    for _ in 0..3 {
        sign(&ruled).unwrap();
    }
    assert_eq!(server.count("GetCallerIdentity"), 1);

    // A refusal is remembered as well, also by the client that takes the place of the first.
    let refused = token(&server, "account = \"444455556666\"");
    for _ in 0..3 {
        sign(&refused).unwrap_err();
        thread::sleep(Duration::from_millis(600));
    }
    assert_eq!(server.count("GetCallerIdentity"), 2);
    assert_eq!(server.count("Sign"), 4);
}

#[test]
fn while_nobody_can_say_who_the_caller_is_nothing_is_signed_and_the_next_request_asks_again() {
    let server = Canned::new(|request, before| match request.operation.as_str() {
        "GetCallerIdentity" if before < 1 => Reply::Xml(403, refusal("InvalidClientTokenId")),
        "GetCallerIdentity" => Reply::Xml(
            200,
            identity("111122223333", "arn:aws:iam::111122223333:root"),
        ),
        _ => Reply::Json(200, signature(&request.body)),
    });
    let token = token(&server, "account = \"111122223333\"");
    assert_eq!(sign(&token).unwrap_err().kind, KmsErrorKind::Credentials);
    sign(&token).unwrap();
    assert_eq!(server.count("GetCallerIdentity"), 2);
    assert_eq!(server.count("Sign"), 1);
}

#[test]
fn without_a_login_a_token_whose_pin_is_its_credentials_sends_nothing() {
    let server = knowing("111122223333", "arn:aws:iam::111122223333:user/host");
    let token = token(&server, "pin = \"credentials\"");
    let refused = sign(&token).unwrap_err();
    assert_eq!(refused.kind, KmsErrorKind::Credentials);
    assert!(refused.message.contains("ACCESS_KEY_ID"), "{refused}");

    token
        .log_in(Identity::from_pin(b"AKIDTEST:secret").unwrap())
        .unwrap();
    assert_eq!(server.count("GetCallerIdentity"), 1);
    sign(&token).unwrap();
    assert_eq!(server.requests().len(), 2);

    token.log_out();
    sign(&token).unwrap_err();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn each_login_asks_anew_whose_the_credentials_are() {
    // The key is revoked, or the secret of the second login is a wrong one.
    let server = Canned::new(|_, before| match before {
        0 => Reply::Xml(
            200,
            identity("111122223333", "arn:aws:iam::111122223333:user/host"),
        ),
        _ => Reply::Xml(403, refusal("SignatureDoesNotMatch")),
    });
    let token = token(&server, "pin = \"credentials\"");
    let log_in = || token.log_in(Identity::from_pin(b"AKIDTEST:secret").unwrap());
    log_in().unwrap();
    token.log_out();
    assert_eq!(log_in().unwrap_err().kind, KmsErrorKind::Credentials);
    assert_eq!(server.count("GetCallerIdentity"), 2);
}

#[test]
fn what_one_caller_may_not_do_is_news_again_of_the_next() {
    let server = Canned::new(|request, _| match request.operation.as_str() {
        "GetCallerIdentity" => Reply::Xml(
            200,
            identity("111122223333", "arn:aws:iam::111122223333:user/host"),
        ),
        _ => Reply::error("AccessDeniedException"),
    });
    let token = token(&server, "pin = \"credentials\"");
    for _ in 0..2 {
        let identity = Identity::from_pin(b"AKIDTEST:secret").unwrap();
        token.log_in(identity).unwrap();
        for is_told in [false, true] {
            assert_eq!(sign(&token).unwrap_err().is_told, is_told);
        }
        token.log_out();
    }
}
