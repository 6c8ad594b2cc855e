//! Keys that are made once, whatever becomes of the answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kms_emulator::{Effect, Emulator, Fault};
use serde_json::json;

use super::canned::{Canned, Reply};
use super::emulated::{emulator, error, kms_at, signing_keys, stocked};
use super::{key, kms, new_key, none_known, settings};
use crate::kms::{
    AwsSettings, CREATED_TAG, KeyEntry, Kms, KmsErrorKind, MessageType, NewKey, Search,
    SigningAlgorithm,
};

const MARK: &str = "00112233445566778899aabbccddeeff";

fn marked() -> NewKey {
    let mut request = new_key();
    request.tags.insert(CREATED_TAG.to_owned(), MARK.to_owned());
    request
}

fn after(status: u16) -> Effect {
    Effect::ErrorAfter {
        code: "KMSInternalException".to_owned(),
        message: String::new(),
        status,
    }
}

/// As a token that has listed these keys.
fn known(keys: &[KeyEntry]) -> Search {
    let arns: HashSet<String> = keys.iter().map(|key| key.arn.clone()).collect();
    Search::Listing(Arc::new(move |key| arns.contains(&key.arn)))
}

/// Makes a key on a KMS that has forty others and loses the answer like this.
#[track_caller]
fn create_despite(emulator: &Emulator, effect: &Effect) {
    let others = stocked(emulator, &signing_keys(40));
    emulator.fault(Fault::once("CreateKey", effect.clone()));
    let kms = kms(AwsSettings {
        deadline: Duration::from_secs(2),
        ..settings(&emulator.endpoint())
    });
    let (made, _) = kms
        .make_key(&marked(), &known(&others))
        .unwrap_or_else(|error| panic!("{effect:?}: {error}"));
    assert!(!others.contains(&made));
    let calls = emulator.calls();
    assert_eq!(calls.of("CreateKey"), 1, "{effect:?}");
    // Tags are read of the new key alone, as often as the key is looked for.
    assert_eq!(
        calls.of("ListResourceTags"),
        calls.of("ListKeys"),
        "{effect:?}"
    );
    kms.sign(
        &made,
        SigningAlgorithm::EcdsaSha256,
        MessageType::Digest,
        &[7; 32],
    )
    .unwrap();
    assert_eq!(kms.list_keys().unwrap().len(), 41, "{effect:?}");
}

#[test]
fn a_key_whose_creation_was_not_answered_is_found_and_used() {
    for effect in [
        Effect::ResetAfter,
        Effect::TruncatedBody,
        Effect::HangAfter,
        after(500),
        after(503),
    ] {
        create_despite(&emulator(), &effect);
    }
}

#[test]
fn a_key_that_listings_and_reads_do_not_show_yet_is_looked_for_again() {
    let emulator = emulator();
    emulator.set_stale_reads(2);
    emulator.fault(Fault::once("CreateKey", Effect::ResetAfter));
    let patient = AwsSettings {
        deadline: Duration::from_secs(20),
        ..settings(&emulator.endpoint())
    };
    let (made, _) = kms(patient).make_key(&marked(), &none_known()).unwrap();
    let calls = emulator.calls();
    assert_eq!((calls.of("CreateKey"), calls.of("ListKeys") > 1), (1, true));
    assert_eq!(kms_at(&emulator).list_keys().unwrap(), [made]);
}

#[test]
fn a_search_that_is_disturbed_goes_on() {
    let emulator = emulator();
    emulator.fault(Fault::once("CreateKey", Effect::ResetAfter));
    emulator.fault(Fault::once("ListKeys", Effect::ResetBefore));
    emulator.fault(Fault::once("ListResourceTags", error("ThrottlingException")).times(5));
    kms_at(&emulator)
        .make_key(&marked(), &none_known())
        .unwrap();
    assert_eq!(emulator.calls().of("CreateKey"), 1);
}

#[test]
fn a_key_that_was_not_made_is_looked_for_until_the_deadline_and_reported_with_its_tag() {
    let emulator = emulator();
    let others = stocked(&emulator, &signing_keys(3));
    emulator.fault(Fault::once("CreateKey", Effect::ResetBefore));
    let kms = kms(AwsSettings {
        deadline: Duration::from_secs(1),
        ..settings(&emulator.endpoint())
    });
    let started = Instant::now();
    let error = kms.make_key(&marked(), &none_known()).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(error.kind, KmsErrorKind::Network);
    let text = error.to_string();
    assert!(text.contains(&format!("p11:created = {MARK}")), "{text}");
    assert_eq!(emulator.calls().of("CreateKey"), 1);
    assert_eq!(kms.list_keys().unwrap().len(), others.len());
}

#[test]
fn a_key_that_may_not_be_looked_for_is_reported_at_once() {
    let emulator = emulator();
    emulator.fault(Fault::once("CreateKey", Effect::ResetAfter));
    emulator.fault(Fault::once("ListKeys", error("AccessDeniedException")));
    let error = kms_at(&emulator)
        .make_key(&marked(), &none_known())
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Network);
    assert!(error.to_string().contains(MARK), "{error}");
    assert_eq!(emulator.calls().of("ListKeys"), 1);
}

#[test]
fn a_refused_creation_is_not_looked_for() {
    let emulator = emulator();
    for code in ["AccessDeniedException", "LimitExceededException"] {
        emulator.fault(Fault::once("CreateKey", error(code)));
        kms_at(&emulator)
            .make_key(&marked(), &none_known())
            .unwrap_err();
    }
    assert_eq!(
        (emulator.calls().of("CreateKey"), emulator.calls().total),
        (2, 2)
    );
}

#[test]
fn a_creation_that_kms_throttles_is_sent_again_and_makes_one_key() {
    let emulator = emulator();
    emulator.fault(Fault::once("CreateKey", error("ThrottlingException")).times(2));
    let kms = kms_at(&emulator);
    let (made, _) = kms.make_key(&marked(), &none_known()).unwrap();
    assert_eq!(kms.list_keys().unwrap(), [made]);
    assert_eq!(emulator.calls().of("CreateKey"), 3);
}

#[test]
fn a_throttled_creation_whose_repetition_is_not_answered_is_looked_for() {
    let emulator = emulator();
    emulator.fault(Fault::once("CreateKey", error("ThrottlingException")));
    emulator.fault(Fault::once("CreateKey", Effect::ResetAfter).after(1));
    let kms = kms_at(&emulator);
    let (made, _) = kms.make_key(&marked(), &none_known()).unwrap();
    assert_eq!(kms.list_keys().unwrap(), [made]);
    assert_eq!(emulator.calls().of("CreateKey"), 2);
}

#[test]
fn a_creation_that_kms_goes_on_throttling_is_given_up_by_the_deadline_and_not_looked_for() {
    let emulator = emulator();
    emulator.fault(Fault::once("CreateKey", error("ThrottlingException")).times(1000));
    let kms = kms(AwsSettings {
        deadline: Duration::from_secs(2),
        ..settings(&emulator.endpoint())
    });
    let started = Instant::now();
    let refused = kms.make_key(&marked(), &none_known()).unwrap_err();
    assert_eq!(refused.kind, KmsErrorKind::Throttled);
    assert!(started.elapsed() < Duration::from_secs(3));
    let calls = emulator.calls();
    let sent = calls.of("CreateKey");
    assert!((2..20).contains(&sent), "{sent}");
    assert_eq!(calls.total, sent, "{calls:?}");
}

#[test]
fn an_answer_without_a_key_is_taken_for_a_lost_one() {
    let server = Canned::new(|request, _| {
        Reply::Json(
            200,
            match request.operation.as_str() {
                "CreateKey" => json!({}),
                "ListKeys" => json!({ "Keys": [{ "KeyArn": key(1).arn, "KeyId": key(1).key_id }] }),
                "ListResourceTags" => {
                    json!({ "Tags": [{ "TagKey": CREATED_TAG, "TagValue": MARK }] })
                }
                _ => json!({
                    "KeyId": key(1).arn,
                    "KeySpec": "ECC_NIST_P256",
                    "KeyUsage": "SIGN_VERIFY",
                    "PublicKey": "MDA=",
                }),
            },
        )
    });
    let (made, _) = kms(settings(server.endpoint()))
        .make_key(&marked(), &none_known())
        .unwrap();
    assert_eq!((made, server.count("CreateKey")), (key(1), 1));
}

#[test]
fn a_policy_and_the_wish_for_a_multi_region_key_are_sent() {
    let server = Canned::new(|_, _| Reply::error("MalformedPolicyDocumentException"));
    let request = NewKey {
        policy: Some("{ \"Version\": 7 }".to_owned()),
        multi_region: true,
        ..new_key()
    };
    let error = kms(settings(server.endpoint()))
        .make_key(&request, &none_known())
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::InvalidAttribute);
    let body = &server.requests()[0].body;
    assert_eq!(body["Policy"], json!("{ \"Version\": 7 }"));
    assert_eq!(body["MultiRegion"], json!(true));
}
