//! What is asked of every request, and what every answer has.

use serde_json::{Value, json};

use crate::client::{AUTHORIZATION, Answer, Client, base64, start};

const JSON: (&str, &str) = ("Content-Type", "application/x-amz-json-1.1");
const SIGNED: (&str, &str) = ("Authorization", AUTHORIZATION);
const LIST_KEYS: (&str, &str) = ("X-Amz-Target", "TrentService.ListKeys");

#[test]
fn every_answer_has_a_request_id_and_every_error_its_type_in_header_and_body() {
    let (_emulator, mut client) = start();
    let succeeded = client.call("ListKeys", &json!({}));
    let failed = client.call("DescribeKey", &json!({ "KeyId": "nonsense" }));
    let id = |answer: &Answer| answer.header("x-amzn-requestid").map(str::len);
    assert_eq!((id(&succeeded), id(&failed)), (Some(36), Some(36)));
    assert_ne!(
        succeeded.header("x-amzn-requestid"),
        failed.header("x-amzn-requestid")
    );
    assert_eq!(
        succeeded.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    assert_eq!(failed.header("x-amzn-errortype"), Some("NotFoundException"));
    assert_eq!(failed.json()["__type"], "NotFoundException");
}

#[test]
fn a_request_needs_target_media_type_and_the_form_of_a_signature() {
    let (_emulator, mut client) = start();
    let mut code = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let answer = client.request(method, path, headers, b"{}").unwrap();
        if answer.status == 200 {
            "none".to_owned()
        } else {
            answer.code()
        }
    };
    let basic = ("Authorization", "Basic dGVzdDp0ZXN0");
    let half = (
        "Authorization",
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms",
    );
    let unknown = ("X-Amz-Target", "TrentService.MakeCoffee");
    let other_service = ("X-Amz-Target", "DynamoDB_20120810.ListTables");
    assert_eq!(code("POST", "/", &[JSON, SIGNED, LIST_KEYS]), "none");
    assert_eq!(
        code("POST", "/", &[JSON, LIST_KEYS]),
        "MissingAuthenticationTokenException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, basic, LIST_KEYS]),
        "IncompleteSignatureException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, half, LIST_KEYS]),
        "IncompleteSignatureException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED, unknown]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED, other_service]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[JSON, SIGNED]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/", &[SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("GET", "/", &[JSON, SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
    assert_eq!(
        code("POST", "/keys", &[JSON, SIGNED, LIST_KEYS]),
        "UnknownOperationException"
    );
}

#[test]
fn members_of_a_wrong_type_are_serialization_errors() {
    let (_emulator, mut client) = start();
    for request in [
        json!([]),
        json!({ "KeyId": 7 }),
        json!({ "KeyId": "x", "Message": "not base64!" }),
        json!({ "KeyId": "x", "Message": base64("m"), "DryRun": "yes" }),
    ] {
        let (code, _) = client.refused("Sign", &request);
        let expected = "SerializationException";
        assert!(code == expected, "{request}: {code}");
    }
    let answer = client.request("POST", "/", &[JSON, SIGNED, LIST_KEYS], b"{\"Limit\":");
    assert_eq!(answer.unwrap().code(), "SerializationException");
}

#[test]
fn all_broken_constraints_are_reported_together() {
    let (_emulator, mut client) = start();
    let request = json!({ "KeyId": "", "Message": "", "SigningAlgorithm": "NONE" });
    let (code, message) = client.refused("Sign", &request);
    let message = message.unwrap();
    assert_eq!(code, "ValidationException");
    assert!(
        message.starts_with("3 validation errors detected: Value '' at 'keyId'"),
        "{message}"
    );
    assert!(message.contains("Value at 'message' failed"), "{message}");
    assert!(
        message.contains("Value 'NONE' at 'signingAlgorithm' failed"),
        "{message}"
    );
}

#[test]
fn a_raw_message_has_1_to_4096_bytes() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut sign = |length: usize| {
        let message = base64(vec![7; length]);
        let request =
            json!({ "KeyId": id, "Message": message, "SigningAlgorithm": "ECDSA_SHA_256" });
        let answer = client.call("Sign", &request);
        if answer.status == 200 {
            "none".to_owned()
        } else {
            answer.message().unwrap()
        }
    };
    let refused = |bound| {
        format!(
            "1 validation error detected: Value at 'message' failed to satisfy constraint: Member \
             must have length {bound}"
        )
    };
    assert_eq!(sign(0), refused("greater than or equal to 1"));
    assert_eq!(sign(1), "none");
    assert_eq!(sign(4096), "none");
    assert_eq!(sign(4097), refused("less than or equal to 4096"));
}

#[test]
fn calls_and_connections_are_counted_and_the_control_api_is_not() {
    let (emulator, mut client) = start();
    client.control("GET", "health", &Value::Null);
    for _ in 0..3 {
        client.ok("ListKeys", &json!({}));
    }
    client.refused("DescribeKey", &json!({ "KeyId": "nonsense" }));
    Client::connect(&emulator.endpoint()).ok("ListKeys", &json!({}));
    let expected = json!({
        "total": 5, "connections": 2, "in_flight_max": 1,
        "operations": { "DescribeKey": 1, "ListKeys": 4 }, "user_agents": [],
    });
    assert_eq!(
        client.control("GET", "calls", &Value::Null),
        (200, expected)
    );
    let calls = emulator.calls();
    assert_eq!(
        (calls.total, calls.connections, calls.of("ListKeys")),
        (5, 2, 4)
    );
    client.control("DELETE", "calls", &Value::Null);
    assert_eq!(emulator.calls().total, 0);
}
