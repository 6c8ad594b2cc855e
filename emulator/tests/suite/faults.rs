//! Faults on demand, as a client meets them.

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use kms_emulator::{Effect, Fault};
use serde_json::{Value, json};

use crate::client::{Client, start};

fn random() -> Value {
    json!({ "NumberOfBytes": 8 })
}

#[test]
fn an_error_is_answered_as_often_as_asked_and_counts_as_a_call() {
    let (emulator, mut client) = start();
    let throttled = Effect::Error {
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
        status: 400,
    };
    emulator.fault(Fault::once("GenerateRandom", throttled).times(2).after(1));
    client.ok("ListKeys", &json!({}));
    client.ok("GenerateRandom", &random());
    for _ in 0..2 {
        let refused = client.refused("GenerateRandom", &random());
        let expected = (
            "ThrottlingException".to_owned(),
            Some("Rate exceeded".to_owned()),
        );
        assert_eq!(refused, expected);
    }
    client.ok("GenerateRandom", &random());
    assert_eq!(emulator.calls().of("GenerateRandom"), 4);
}

#[test]
fn an_error_has_the_http_status_asked_for() {
    let (emulator, mut client) = start();
    let unavailable = Effect::Error {
        code: "KMSInternalException".to_owned(),
        message: String::new(),
        status: 503,
    };
    emulator.fault(Fault::once("*", unavailable));
    assert_eq!(client.call("ListKeys", &json!({})).status, 503);
}

#[test]
fn cleared_faults_do_not_strike() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("*", Effect::ResetBefore));
    emulator.clear_faults();
    client.ok("GenerateRandom", &random());
}

#[test]
fn a_reset_before_processing_leaves_nothing_done() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("CreateKey", Effect::ResetBefore));
    let error = client.try_call("CreateKey", &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut client = Client::connect(&emulator.endpoint());
    assert_eq!(client.ok("ListKeys", &json!({}))["Keys"], json!([]));
}

#[test]
fn a_reset_after_processing_leaves_the_work_done() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("CreateKey", Effect::ResetAfter));
    let error = client.try_call("CreateKey", &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut client = Client::connect(&emulator.endpoint());
    let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(1));
}

#[test]
fn an_error_after_processing_leaves_the_work_done() {
    let (emulator, mut client) = start();
    let failed = Effect::ErrorAfter {
        code: "KMSInternalException".to_owned(),
        message: String::new(),
        status: 503,
    };
    emulator.fault(Fault::once("CreateKey", failed));
    let answer = client.call("CreateKey", &json!({}));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "KMSInternalException")
    );
    let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(1));
}

#[test]
fn a_request_that_hangs_after_processing_leaves_the_work_done() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("CreateKey", Effect::HangAfter));
    let waiting = thread::spawn(move || client.try_call("CreateKey", &json!({})).is_err());
    let mut other = Client::connect(&emulator.endpoint());
    while other.ok("ListKeys", &json!({}))["Keys"] == json!([]) {
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!waiting.is_finished());
    drop(emulator);
    assert!(waiting.join().unwrap(), "the hanging request was answered");
}

#[test]
fn a_truncated_body_ends_in_its_middle() {
    let (emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    // The second of these answers an empty body when it is whole.
    for (operation, request) in [
        ("GenerateRandom", random()),
        ("DisableKey", json!({ "KeyId": id })),
    ] {
        emulator.fault(Fault::once("*", Effect::TruncatedBody));
        let mut client = Client::connect(&emulator.endpoint());
        let error = client.try_call(operation, &request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{operation}");
    }
    let described = client.ok("DescribeKey", &json!({ "KeyId": id }));
    assert_eq!(described["KeyMetadata"]["KeyState"], "Disabled");
}

#[test]
fn a_hanging_request_holds_up_no_other_and_not_the_end() {
    let (emulator, mut client) = start();
    emulator.fault(Fault::once("GenerateRandom", Effect::Hang));
    let waiting = thread::spawn(move || client.try_call("GenerateRandom", &random()).is_err());
    while emulator.calls().total == 0 {
        thread::sleep(Duration::from_millis(1));
    }
    Client::connect(&emulator.endpoint()).ok("GenerateRandom", &random());
    assert!(!waiting.is_finished());
    let begin = Instant::now();
    drop(emulator);
    assert!(waiting.join().unwrap(), "the hanging request was answered");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn latency_delays_one_operation_or_all() {
    let (emulator, mut client) = start();
    let delay = Duration::from_millis(50);
    let mut elapsed = |operation: &str| {
        let begin = Instant::now();
        client.call(operation, &random());
        begin.elapsed()
    };
    emulator.fault(Fault::once("GenerateRandom", Effect::Latency { ms: 50 }));
    assert!(elapsed("GenerateRandom") >= delay);
    emulator.set_latency(delay);
    assert!(elapsed("GenerateRandom") >= delay);
    assert!(elapsed("ListKeys") >= delay);
}

#[test]
fn a_client_in_any_language_sets_faults_and_settings_over_http() {
    let (_emulator, mut client) = start();
    let fault = json!({
        "operation": "Sign",
        "effect": { "error": { "code": "AccessDeniedException", "message": "No." } },
    });
    assert_eq!(client.control("POST", "faults", &fault), (200, json!({})));
    let refused = client.refused("Sign", &json!({}));
    assert_eq!(
        refused,
        ("AccessDeniedException".to_owned(), Some("No.".to_owned()))
    );

    let fault = json!({ "operation": "*", "effect": "hang", "count": 100 });
    assert_eq!(client.control("POST", "faults", &fault).0, 200);
    assert_eq!(
        client.control("DELETE", "faults", &Value::Null),
        (200, json!({}))
    );
    client.ok("GenerateRandom", &random());

    let settings = json!({ "latency_ms": 1, "stale_reads": 2, "creating_reads": 1 });
    assert_eq!(
        client.control("PUT", "settings", &settings),
        (200, settings.clone())
    );
    let changed = json!({ "latency_ms": 0, "stale_reads": 2, "creating_reads": 1 });
    assert_eq!(
        client.control("PUT", "settings", &json!({ "latency_ms": 0 })),
        (200, changed)
    );
}

#[test]
fn a_misspelt_fault_or_setting_is_refused_with_its_reason() {
    let (_emulator, mut client) = start();
    for (method, path, body) in [
        (
            "POST",
            "faults",
            json!({ "operation": "Sign", "effect": "explode" }),
        ),
        (
            "POST",
            "faults",
            json!({ "operation": "Sign", "effect": "hang", "cuont": 2 }),
        ),
        ("PUT", "settings", json!({ "latency": 5 })),
        (
            "POST",
            "keys",
            json!({ "count": 1, "key_spec": "RSA_1024", "key_usage": "SIGN_VERIFY" }),
        ),
        (
            "POST",
            "keys",
            json!({ "count": 1, "key_spec": "HMAC_256", "key_usage": "SIGN_VERIFY" }),
        ),
    ] {
        let (status, answer) = client.control(method, path, &body);
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(client.control("GET", "nothing", &Value::Null).0, 404);
}
