//! Symmetric keys: what is sent, what an honest KMS would never answer, and what it tells of rotations.

use serde_json::{Value, json};

use super::canned::{Canned, Reply};
use super::{key, kms, settings};
use crate::kms::{
    AwsKms, EncryptionAlgorithm, EncryptionContext, KeyEntry, Kms, KmsError, KmsErrorKind, Move,
    RotationCounts, RotationStatus,
};

fn context() -> EncryptionContext {
    EncryptionContext::from([("application".to_owned(), "recordings".to_owned())])
}

fn moved(key: &KeyEntry, source: Option<KeyEntry>) -> Move {
    Move {
        ciphertext: b"blob".to_vec(),
        source,
        source_context: context(),
        destination: key.clone(),
        context: EncryptionContext::new(),
    }
}

/// Each operation, as one that only succeeds or fails.
type Ask = fn(&AwsKms, &KeyEntry) -> Result<(), KmsError>;

const OPERATIONS: [(&str, Ask); 6] = [
    ("Encrypt", |kms, key| {
        kms.encrypt(key, b"data", &context()).map(drop)
    }),
    ("Decrypt", |kms, key| {
        let algorithm = EncryptionAlgorithm::SymmetricDefault;
        kms.decrypt(key, algorithm, b"blob", &context()).map(drop)
    }),
    ("GenerateDataKey", |kms, key| {
        kms.generate_data_key(key, 3, &context()).map(drop)
    }),
    ("ReEncrypt", |kms, key_| {
        kms.re_encrypt(&moved(key_, Some(key(7)))).map(drop)
    }),
    ("GetKeyRotationStatus", |kms, key| {
        kms.rotation_status(key).map(drop)
    }),
    ("ListKeyRotations", |kms, key| {
        kms.rotation_counts(key).map(drop)
    }),
];

/// What KMS answers to them.
fn answer(operation: &str) -> Value {
    let arn = key(1).arn;
    match operation {
        "Encrypt" => json!({
            "KeyId": arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "CiphertextBlob": "YmxvYg==",
        }),
        "Decrypt" => json!({
            "KeyId": arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "Plaintext": "ZGF0YQ==",
        }),
        "GenerateDataKey" => json!({
            "KeyId": arn, "Plaintext": "a2V5", "CiphertextBlob": "YmxvYg==",
        }),
        "ReEncrypt" => json!({
            "KeyId": arn, "SourceKeyId": key(7).arn, "CiphertextBlob": "YmxvYg==",
            "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        }),
        "GetKeyRotationStatus" => json!({ "KeyId": arn, "KeyRotationEnabled": false }),
        _ => json!({ "Rotations": [], "Truncated": false }),
    }
}

#[test]
fn each_operation_is_repeated_when_the_service_stumbles() {
    for (operation, ask) in OPERATIONS {
        let server = Canned::new(move |_, before| match before {
            0 => Reply::Json(500, json!({})),
            1 => Reply::Close,
            2 => Reply::error("ThrottlingException"),
            _ => Reply::Json(200, answer(operation)),
        });
        ask(&kms(settings(server.endpoint())), &key(1)).unwrap();
        assert_eq!(server.count(operation), 4, "{operation}");
    }
}

#[test]
fn an_answer_that_does_not_fit_is_not_believed() {
    let other = json!(key(2).arn);
    for (operation, member, values) in [
        ("Encrypt", "KeyId", [other.clone(), Value::Null]),
        (
            "Encrypt",
            "EncryptionAlgorithm",
            [json!("RSAES_OAEP_SHA_1"), Value::Null],
        ),
        ("Encrypt", "CiphertextBlob", [json!(""), Value::Null]),
        ("Decrypt", "KeyId", [other.clone(), Value::Null]),
        (
            "Decrypt",
            "EncryptionAlgorithm",
            [json!("RSAES_OAEP_SHA_1"), Value::Null],
        ),
        ("Decrypt", "Plaintext", [Value::Null, Value::Null]),
        ("GenerateDataKey", "KeyId", [other.clone(), Value::Null]),
        (
            "GenerateDataKey",
            "Plaintext",
            [json!("a2V5cw=="), Value::Null],
        ),
        (
            "GenerateDataKey",
            "CiphertextBlob",
            [json!(""), Value::Null],
        ),
        ("ReEncrypt", "KeyId", [other.clone(), Value::Null]),
        ("ReEncrypt", "SourceKeyId", [other.clone(), Value::Null]),
        ("ReEncrypt", "CiphertextBlob", [json!(""), Value::Null]),
        (
            "ReEncrypt",
            "DestinationEncryptionAlgorithm",
            [json!("RSAES_OAEP_SHA_1"), Value::Null],
        ),
        ("GetKeyRotationStatus", "KeyId", [other.clone(), other]),
        // The year 9999 is the last that CK_DATE has.
        (
            "GetKeyRotationStatus",
            "NextRotationDate",
            [json!(253_402_300_800_u64), json!(300_000_000_000_u64)],
        ),
    ] {
        let (_, ask) = OPERATIONS
            .into_iter()
            .find(|(name, _)| *name == operation)
            .unwrap();
        for value in values {
            let case = format!("{operation} {member} {value}");
            let mut answer = answer(operation);
            answer[member] = value;
            let server = Canned::new(move |_, _| Reply::Json(200, answer.clone()));
            let error = ask(&kms(settings(server.endpoint())), &key(1)).unwrap_err();
            assert_eq!(error.kind, KmsErrorKind::BadAnswer, "{case}");
        }
    }
}

#[test]
fn a_context_is_sent_as_it_is_and_an_empty_one_not_at_all() {
    let server = Canned::new(|request, _| {
        let sent = &request.body;
        match request.operation.as_str() {
            "ReEncrypt" => {
                assert_eq!(sent["SourceEncryptionContext"], json!(context()));
                assert_eq!(sent.get("DestinationEncryptionContext"), None);
                assert_eq!(sent.get("SourceKeyId"), None);
                assert_eq!(sent["DestinationKeyId"], key(1).arn);
            }
            _ => assert_eq!(sent["EncryptionContext"], json!(context())),
        }
        let mut answer = answer(&request.operation);
        answer["SourceKeyId"] = json!(key(9).arn);
        Reply::Json(200, answer)
    });
    let kms = kms(settings(server.endpoint()));
    for (_, ask) in &OPERATIONS[..3] {
        ask(&kms, &key(1)).unwrap();
    }
    kms.re_encrypt(&moved(&key(1), None)).unwrap();
}

#[test]
fn rotations_of_both_kinds_are_counted_over_all_pages() {
    let rotation = |kind: &str| json!({ "RotationType": kind, "RotationDate": 1 });
    let pages = [
        json!({ "Rotations": [rotation("AUTOMATIC"), rotation("ON_DEMAND")], "Truncated": true, "NextMarker": "m" }),
        json!({ "Rotations": [rotation("AUTOMATIC"), rotation("NEW_KIND")], "Truncated": false }),
    ];
    let server = Canned::new(move |request, _| {
        let page = usize::from(request.body["Marker"] == "m");
        Reply::Json(200, pages[page].clone())
    });
    let counts = kms(settings(server.endpoint())).rotation_counts(&key(1));
    let expected = RotationCounts {
        automatic: 2,
        on_demand: 1,
    };
    assert_eq!(counts.unwrap(), expected);
    assert_eq!(server.count("ListKeyRotations"), 2);
}

#[test]
fn the_status_of_a_rotation_has_days() {
    let server = Canned::new(|_, _| {
        Reply::Json(
            200,
            json!({
                "KeyId": key(1).key_id,
                "KeyRotationEnabled": true,
                "RotationPeriodInDays": 365,
                // The last millisecond of a leap day, and the first of a year, in UTC.
                "NextRotationDate": 1_835_481_599.999,
                "OnDemandRotationStartDate": 1_798_761_600,
            }),
        )
    });
    let status = kms(settings(server.endpoint())).rotation_status(&key(1));
    let expected = RotationStatus {
        enabled: true,
        period_days: Some(365),
        next: Some("20280229".to_owned()),
        on_demand: Some("20270101".to_owned()),
    };
    assert_eq!(status.unwrap(), expected);
}
