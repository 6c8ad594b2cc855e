//! Answers that are not KMS's, and servers that cannot be reached, as a client meets them.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::time::Duration;

use kms_emulator::{Change, Effect, Fault};
use serde_json::{Value, json};

use crate::client::{AUTHORIZATION, Client, base64, bytes, start, text};

fn random() -> Value {
    json!({ "NumberOfBytes": 8 })
}

#[test]
fn a_page_of_a_proxy_is_answered_before_or_after_the_work() {
    let (emulator, mut client) = start();
    for (processed, made) in [(false, 0), (true, 1)] {
        let status = 502;
        emulator.fault(Fault::once("CreateKey", Effect::Page { status, processed }));
        let answer = client.call("CreateKey", &json!({}));
        assert_eq!(answer.status, 502);
        assert_eq!(answer.header("content-type"), Some("text/html"));
        assert_eq!(answer.header("x-amzn-requestid"), None);
        let page = String::from_utf8(answer.body).unwrap();
        assert!(page.contains("<h1>502 Bad Gateway</h1>"), "{page}");
        let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
        assert_eq!(keys.as_array().map(Vec::len), Some(made));
    }
}

#[test]
fn an_answer_is_other_words_or_has_other_members() {
    let (emulator, mut client) = start();
    let garbage = "{\"KeyMetadata\": \u{fffd}";
    emulator.fault(Fault::once(
        "CreateKey",
        Effect::Body {
            text: garbage.to_owned(),
        },
    ));
    let answer = client.call("CreateKey", &json!({}));
    assert_eq!(
        (answer.status, answer.body),
        (200, garbage.as_bytes().to_vec())
    );

    let member = |name: &str| name.to_owned();
    let changes = vec![
        Change::Remove {
            member: member("KeyMetadata.Arn"),
        },
        Change::Set {
            member: member("KeyMetadata.KeyId"),
            value: json!(7),
        },
    ];
    emulator.fault(Fault::once("CreateKey", Effect::Changed(changes)));
    let metadata = client.ok("CreateKey", &json!({}))["KeyMetadata"].take();
    assert_eq!(
        (&metadata["Arn"], &metadata["KeyId"]),
        (&Value::Null, &json!(7))
    );
    assert_eq!(metadata["KeyState"], "Enabled");
}

#[test]
fn one_bit_of_a_signature_or_its_key_is_another() {
    let (emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let request = json!({
        "KeyId": id,
        "Message": base64("message"),
        "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let flipped = Effect::Changed(vec![Change::FlipBit {
        member: "Signature".to_owned(),
    }]);
    for effect in [flipped, Effect::AnotherKey] {
        emulator.fault(Fault::once("Sign", effect.clone()));
        let answer = client.ok("Sign", &request);
        assert_eq!(answer["KeyId"], arn.as_str());
        assert_eq!(answer["SigningAlgorithm"], "ECDSA_SHA_256");
        let mut verify = request.clone();
        verify["Signature"] = answer["Signature"].clone();
        let refused = client.refused("Verify", &verify);
        assert_eq!(refused.0, "KMSInvalidSignatureException", "{effect:?}");
    }
}

#[test]
fn another_key_has_the_name_and_kind_of_the_one_asked_for_and_stays_unknown() {
    let (emulator, mut client) = start();
    let (id, arn) = client.create_key("RSA_2048", "SIGN_VERIFY");
    let request = json!({ "KeyId": id });
    emulator.fault(Fault::once("GetPublicKey", Effect::AnotherKey));
    let another = client.ok("GetPublicKey", &request);
    let own = client.ok("GetPublicKey", &request);
    assert_ne!(text(&another["PublicKey"]), text(&own["PublicKey"]));
    assert_eq!(
        bytes(&another["PublicKey"]).len(),
        bytes(&own["PublicKey"]).len()
    );
    for member in ["KeyId", "KeySpec", "KeyUsage"] {
        assert_eq!(another[member], own[member]);
    }
    assert_eq!(own["KeyId"], arn.as_str());
    let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_content_length_is_too_long_or_too_short() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("*", Effect::ContentLength { by: -4 }));
    let cut = client.call("GenerateRandom", &random()).body;
    let rest = client.rest(4);
    let whole: Value = serde_json::from_slice(&[cut, rest].concat()).unwrap();
    assert_eq!(bytes(&whole["Plaintext"]).len(), 8);

    let mut client = Client::connect(&emulator.endpoint());
    emulator.fault(Fault::once("*", Effect::ContentLength { by: 4 }));
    client.set_patience(Duration::from_millis(300));
    let error = client.try_call("GenerateRandom", &random()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "the connection stays open: {error}"
    );
}

#[test]
fn a_signature_is_too_old_for_a_server_with_another_clock_whose_date_the_answer_has() {
    let (emulator, mut client) = start();
    // The date of these tests' requests is that of no clock.
    emulator.fault(Fault::once("*", Effect::ClockSkew { seconds: 600 }));
    let answer = client.call("GenerateRandom", &random());
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (400, "InvalidSignatureException")
    );
    let message = answer.message().unwrap();
    assert!(
        message.starts_with("Signature expired: 20260101T000000Z is now earlier than 20"),
        "{message}"
    );
    assert!(
        answer
            .header("date")
            .is_some_and(|date| date.ends_with(" GMT"))
    );
    client.ok("GenerateRandom", &random());
}

#[test]
fn credentials_that_expired_stay_expired_and_others_are_good() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("*", Effect::ExpiredCredentials));
    for _ in 0..2 {
        let refused = client.refused("GenerateRandom", &random());
        assert_eq!(refused.0, "ExpiredTokenException");
    }
    let other = AUTHORIZATION.replace("Credential=test/", "Credential=other/");
    let headers = [
        ("Authorization", other.as_str()),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", "TrentService.GenerateRandom"),
    ];
    let body = random().to_string();
    let answer = client.request("POST", "/", &headers, body.as_bytes());
    assert_eq!(answer.unwrap().status, 200);
    emulator.clear_faults();
    client.ok("GenerateRandom", &random());
}

#[test]
fn who_cannot_be_reached_refuses_connections_and_ends_those_there_were() {
    let (emulator, mut client) = start();
    client.ok("GenerateRandom", &random());
    let address = emulator.endpoint().replace("http://", "");
    for _ in 0..3 {
        let mut idle = TcpStream::connect(&address).unwrap();
        emulator.set_reachable(false);
        assert!(matches!(idle.read(&mut [0; 1]), Ok(0) | Err(_)));
        let refused = TcpStream::connect(&address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(client.try_call("GenerateRandom", &random()).is_err());
        emulator.set_reachable(true);
        client = Client::connect(&emulator.endpoint());
        client.ok("GenerateRandom", &random());
    }
}

#[test]
fn these_faults_are_set_over_http_too() {
    let (_emulator, mut client) = start();
    for effect in [
        json!({ "page": { "status": 503 } }),
        json!({ "page": { "status": 502, "processed": true } }),
        json!({ "body": { "text": "" } }),
        json!({ "changed": [{ "flip_bit": { "member": "Plaintext" } }] }),
        json!({ "content_length": { "by": -1 } }),
        json!("another_key"),
        json!({ "clock_skew": { "seconds": -600 } }),
        json!("expired_credentials"),
    ] {
        let fault = json!({ "operation": "Sign", "effect": effect });
        assert_eq!(client.control("POST", "faults", &fault), (200, json!({})));
    }
}
