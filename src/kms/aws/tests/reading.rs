//! What keys are, against `kms-emulator`, and what an honest KMS would never say of them.

use kms_emulator::{Emulator, Fault, NewKeys};
use serde_json::{Value, json};

use super::canned::{Canned, Reply};
use super::emulated::{emulator, error, kms_at, signing_keys, stocked};
use super::{key, kms, new_key, none_known, settings};
use crate::kms::{
    KeyAnswer, KeyEntry, KeySpec, KeyUsage, Kms, KmsError, KmsErrorKind, NewKey, Sent, Stage,
};

const SYMMETRIC: [(KeySpec, &str); 4] = [
    (KeySpec::Hmac224, "HMAC_224"),
    (KeySpec::Hmac256, "HMAC_256"),
    (KeySpec::Hmac384, "HMAC_384"),
    (KeySpec::Hmac512, "HMAC_512"),
];

const PAIRS: [(KeySpec, KeyUsage); 9] = [
    (KeySpec::EccNistP256, KeyUsage::KeyAgreement),
    (KeySpec::EccNistP521, KeyUsage::SignVerify),
    (KeySpec::EccNistEdwards25519, KeyUsage::SignVerify),
    (KeySpec::MlDsa44, KeyUsage::SignVerify),
    (KeySpec::MlDsa65, KeyUsage::SignVerify),
    (KeySpec::MlDsa87, KeyUsage::SignVerify),
    (KeySpec::MlKem512, KeyUsage::EncapsulateDecapsulate),
    (KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate),
    (KeySpec::MlKem1024, KeyUsage::EncapsulateDecapsulate),
];

fn mac_key(emulator: &Emulator) -> KeyEntry {
    stocked(
        emulator,
        &NewKeys::new(1, "HMAC_256", "GENERATE_VERIFY_MAC"),
    )
    .remove(0)
}

fn read(kms: &impl Kms, key: &KeyEntry) -> Result<KeyAnswer, KmsError> {
    kms.read_keys(std::slice::from_ref(key), Stage::Listing)
        .remove(0)
}

#[test]
fn a_pair_of_every_kind_is_made_and_read_with_its_public_half() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for (spec, usage) in PAIRS {
        let request = NewKey {
            spec,
            usage,
            ..new_key()
        };
        let (made, answer) = kms.make_key(&request, &none_known()).unwrap();
        assert_eq!((answer.spec, answer.usage), (spec, usage));
        assert!(answer.public.is_some() && answer.local.is_none(), "{spec}");
        assert_eq!(read(&kms, &made).unwrap(), answer);
    }
    let (calls, pairs) = (emulator.calls(), PAIRS.len() as u64);
    assert_eq!(
        (calls.of("CreateKey"), calls.of("GetPublicKey"), calls.total),
        (pairs, 2 * pairs, 3 * pairs)
    );
}

#[test]
fn a_symmetric_key_is_made_with_two_requests_and_read_with_two() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for (spec, _) in SYMMETRIC {
        emulator.reset_calls();
        let expected = KeyAnswer {
            spec,
            usage: KeyUsage::GenerateVerifyMac,
            public: None,
            local: Some(true),
        };
        let request = NewKey {
            spec,
            usage: KeyUsage::GenerateVerifyMac,
            ..new_key()
        };
        let (made, answer) = kms.make_key(&request, &none_known()).unwrap();
        assert_eq!(answer, expected);
        let calls = emulator.calls();
        assert_eq!((calls.of("DescribeKey"), calls.total), (1, 2));
        assert_eq!(read(&kms, &made).unwrap(), expected);
        let calls = emulator.calls();
        assert_eq!((calls.of("GetPublicKey"), calls.total), (1, 4));
    }
}

#[test]
fn a_new_symmetric_key_that_reads_do_not_show_yet_is_waited_for_with_one_creation() {
    let emulator = emulator();
    emulator.set_stale_reads(2);
    let request = NewKey {
        spec: KeySpec::Hmac256,
        usage: KeyUsage::GenerateVerifyMac,
        ..new_key()
    };
    kms_at(&emulator).make_key(&request, &none_known()).unwrap();
    let calls = emulator.calls();
    assert_eq!((calls.of("CreateKey"), calls.of("DescribeKey")), (1, 3));
}

#[test]
fn a_key_that_this_module_has_no_use_for_is_unsupported_in_every_state() {
    let emulator = emulator();
    let secret = NewKeys::new(1, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").managed_by_aws();
    let keys = [
        stocked(&emulator, &secret),
        stocked(&emulator, &signing_keys(1)),
    ]
    .concat();
    let kms = kms_at(&emulator);
    let kinds = || {
        let answers = kms.read_keys(&keys, Stage::Listing).into_iter();
        let kinds = answers.map(|answer| answer.err().map(|error| error.kind));
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(kinds(), [Some(KmsErrorKind::Unsupported), None]);
    kms.schedule_deletion(&keys[0], 7, Sent::WhenUp).unwrap();
    assert_eq!(kinds(), [Some(KmsErrorKind::Unsupported), None]);
}

#[test]
fn a_symmetric_key_that_is_switched_off_fails_as_a_pair_does() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    let keys = [
        stocked(&emulator, &signing_keys(1)).remove(0),
        mac_key(&emulator),
    ];
    for key in &keys {
        kms.disable(key).unwrap();
        let disabled = read(&kms, key).unwrap_err();
        assert_eq!(disabled.kind, KmsErrorKind::Disabled, "{disabled}");
        kms.schedule_deletion(key, 7, Sent::WhenUp).unwrap();
        let retired = read(&kms, key).unwrap_err();
        assert_eq!(retired.kind, KmsErrorKind::InvalidState, "{retired}");
        assert_eq!(retired.key.as_ref(), Some(&key.arn));
    }
}

#[test]
fn a_symmetric_key_that_may_not_be_described_says_why_it_is_hidden() {
    let emulator = emulator();
    let key = mac_key(&emulator);
    emulator.fault(Fault::once("DescribeKey", error("AccessDeniedException")));
    let denied = read(&kms_at(&emulator), &key).unwrap_err();
    assert_eq!(denied.kind, KmsErrorKind::AccessDenied);
    let sentence = denied.to_string();
    assert!(sentence.contains("no public half"), "{sentence}");
    assert!(sentence.contains("kms:DescribeKey"), "{sentence}");
}

/// A KMS of one symmetric key, which it describes so.
fn described(metadata: Value) -> Result<KeyAnswer, KmsError> {
    let server = Canned::new(move |request, _| match request.operation.as_str() {
        "GetPublicKey" => Reply::error("UnsupportedOperationException"),
        _ => Reply::Json(200, json!({ "KeyMetadata": metadata.clone() })),
    });
    read(&kms(settings(server.endpoint())), &key(1))
}

fn metadata(field: &str, value: Value) -> Value {
    let mut metadata = json!({
        "KeyId": key(1).key_id,
        "KeySpec": "HMAC_256",
        "KeyUsage": "GENERATE_VERIFY_MAC",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
    });
    metadata[field] = value;
    metadata
}

#[test]
fn the_origin_of_a_symmetric_key_tells_whether_kms_made_it() {
    for (origin, local) in [
        (json!("AWS_KMS"), Some(true)),
        (json!("AWS_CLOUDHSM"), Some(true)),
        (json!("EXTERNAL"), Some(false)),
        (json!("EXTERNAL_KEY_STORE"), Some(false)),
        (Value::Null, None),
    ] {
        let answer = described(metadata("Origin", origin.clone())).unwrap();
        assert_eq!(answer.local, local, "{origin}");
    }
}

#[test]
fn a_description_that_does_not_fit_is_not_believed() {
    for (field, value, kind) in [
        ("KeyId", json!(key(2).key_id), KmsErrorKind::BadAnswer),
        ("KeySpec", Value::Null, KmsErrorKind::BadAnswer),
        ("KeySpec", json!("RSA_2048"), KmsErrorKind::BadAnswer),
        ("KeySpec", json!("HMAC_1024"), KmsErrorKind::Unsupported),
        ("KeySpec", json!("SM2"), KmsErrorKind::Unsupported),
        ("KeyManager", json!("AWS"), KmsErrorKind::Unsupported),
        ("KeyUsage", json!("NEW_USAGE"), KmsErrorKind::Unsupported),
        ("KeyState", Value::Null, KmsErrorKind::BadAnswer),
        ("KeyState", json!("Creating"), KmsErrorKind::InvalidState),
    ] {
        let error = described(metadata(field, value.clone())).unwrap_err();
        assert_eq!(error.kind, kind, "{field} {value}: {error}");
    }
    assert!(described(metadata("KeyState", json!("Updating"))).is_ok());
}
