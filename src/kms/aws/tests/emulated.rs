//! Against `kms-emulator`: real keys, real paging, exact counts.

use std::time::Duration;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use kms_emulator::{CreatedKey, Effect, Emulator, Fault, NewKeys, Options};

use super::{key, kms, new_key, none_known, settings};
use crate::kms::{
    AwsKms, AwsSettings, EncryptionAlgorithm, EncryptionContext, KeyEntry, KeySpec, KeyUsage, Kms,
    KmsErrorKind, MessageType, NewKey, Sent, SigningAlgorithm, Stage, Tags,
};

const ALGORITHM: SigningAlgorithm = SigningAlgorithm::EcdsaSha256;

pub(super) fn emulator() -> Emulator {
    let region = "eu-west-1".to_owned();
    Emulator::start(Options {
        region,
        ..Options::default()
    })
    .unwrap()
}

pub(super) fn kms_at(emulator: &Emulator) -> AwsKms {
    kms(settings(&emulator.endpoint()))
}

/// Keys that need no waiting for, in the order the emulator made them.
pub(super) fn stocked(emulator: &Emulator, keys: &NewKeys) -> Vec<KeyEntry> {
    let entry = |CreatedKey { key_id, arn, .. }| KeyEntry { arn, key_id };
    emulator
        .create_keys(keys)
        .unwrap()
        .into_iter()
        .map(entry)
        .collect()
}

pub(super) fn signing_keys(count: usize) -> NewKeys {
    NewKeys::new(count, "ECC_NIST_P256", "SIGN_VERIFY").tag("number", "{n}")
}

pub(super) fn error(code: &str) -> Effect {
    Effect::Error {
        code: code.to_owned(),
        message: String::new(),
        status: 400,
    }
}

#[test]
fn a_key_lives_from_its_creation_to_its_deletion() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    let (made, public) = kms.make_key(&new_key(), &none_known()).unwrap();
    assert_eq!(
        (public.spec, public.usage),
        (KeySpec::EccNistP256, KeyUsage::SignVerify)
    );
    assert_eq!(kms.list_keys().unwrap(), std::slice::from_ref(&made));
    assert_eq!(kms.describe_key(&made.key_id).unwrap(), made);
    assert_eq!(kms.describe_key(&made.arn).unwrap(), made);
    let again = kms
        .read_keys(std::slice::from_ref(&made), Stage::Listing)
        .remove(0)
        .unwrap();
    assert_eq!(again, public);

    let signature = kms
        .sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    assert_eq!(signature[0], 0x30, "a DER SEQUENCE");

    let tags = Tags::from([("team".to_owned(), "other".to_owned())]);
    kms.tag(&made, &tags).unwrap();
    assert_eq!(
        kms.list_tags(std::slice::from_ref(&made))
            .remove(0)
            .unwrap(),
        tags
    );

    kms.untag(&made, &["team".to_owned(), "absent".to_owned()])
        .unwrap();
    assert_eq!(
        kms.list_tags(std::slice::from_ref(&made))
            .remove(0)
            .unwrap(),
        Tags::new()
    );

    kms.disable(&made).unwrap();
    let disabled = kms
        .sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert_eq!(disabled.kind, KmsErrorKind::Disabled);
    kms.schedule_deletion(&made, 7, Sent::WhenUp).unwrap();
    let deleted = kms
        .sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap_err();
    assert!(matches!(
        deleted.kind,
        KmsErrorKind::InvalidState | KmsErrorKind::Disabled
    ));

    let calls = emulator.calls();
    assert_eq!(
        (calls.total, calls.of("Sign"), calls.of("CreateKey")),
        (15, 3, 1)
    );
    assert_eq!(calls.connections, 1);
}

const NO_CONTEXT: EncryptionContext = EncryptionContext::new();

#[test]
fn a_ciphertext_for_the_public_key_is_decrypted() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    let request = NewKey {
        spec: KeySpec::Rsa2048,
        usage: KeyUsage::EncryptDecrypt,
        ..new_key()
    };
    let (made, public) = kms.make_key(&request, &none_known()).unwrap();
    let encrypting = PublicEncryptingKey::from_der(&public.public.unwrap()).unwrap();
    let encrypting = OaepPublicEncryptingKey::new(encrypting).unwrap();
    for secret in [&b"a secret"[..], b""] {
        let mut ciphertext = vec![0; encrypting.ciphertext_size()];
        let encrypted = encrypting
            .encrypt(&OAEP_SHA256_MGF1SHA256, secret, &mut ciphertext, None)
            .unwrap();
        let algorithm = EncryptionAlgorithm::RsaOaepSha256;
        assert_eq!(
            kms.decrypt(&made, algorithm, encrypted, &NO_CONTEXT)
                .unwrap()
                .as_slice(),
            secret
        );
    }
    let error = kms
        .decrypt(
            &made,
            EncryptionAlgorithm::RsaOaepSha256,
            &[1; 256],
            &NO_CONTEXT,
        )
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::InvalidCiphertext);
}

#[test]
fn a_listing_of_many_keys_is_one_request_a_thousand_and_one_a_key() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    stocked(&emulator, &signing_keys(2010));
    let keys = kms.list_keys().unwrap();
    assert_eq!((keys.len(), emulator.calls().total), (2010, 3));

    emulator.reset_calls();
    emulator.set_latency(Duration::from_millis(2));
    let tags = kms.list_tags(&keys[..200]);
    let calls = emulator.calls();
    assert_eq!((calls.total, calls.of("ListResourceTags")), (200, 200));
    assert!((2..=16).contains(&calls.in_flight_max), "{calls:?}");
    assert!(calls.connections <= 16, "{calls:?}");
    assert!(
        tags.iter()
            .all(|tags| tags.as_ref().unwrap().contains_key("number"))
    );
}

#[test]
fn answers_come_in_the_order_asked() {
    let emulator = emulator();
    let mut keys = stocked(&emulator, &signing_keys(40));
    keys.reverse();
    let numbers: Vec<_> = kms_at(&emulator)
        .list_tags(&keys)
        .into_iter()
        .map(|tags| tags.unwrap()["number"].clone())
        .collect();
    let expected: Vec<_> = (0..40)
        .rev()
        .map(|number: i32| number.to_string())
        .collect();
    assert_eq!(numbers, expected);
}

#[test]
fn a_denied_key_hides_no_other() {
    let emulator = emulator();
    let keys = stocked(&emulator, &signing_keys(20));
    emulator.fault(Fault::once("ListResourceTags", error("AccessDeniedException")).after(7));
    emulator.fault(Fault::once("GetPublicKey", error("AccessDeniedException")).after(7));
    let kms = kms(AwsSettings {
        concurrency: 1,
        ..settings(&emulator.endpoint())
    });
    let tags = kms.list_tags(&keys);
    let public_keys = kms.read_keys(&keys, Stage::Listing);
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(
            (tags[at].is_ok(), public_keys[at].is_ok()),
            (at != 7, at != 7),
            "{at}"
        );
        if let Err(error) = &tags[at] {
            assert_eq!(error.kind, KmsErrorKind::AccessDenied);
            assert_eq!(error.key.as_ref(), Some(&key.arn));
            assert!(
                error.to_string().contains("kms:ListResourceTags"),
                "{error}"
            );
        }
    }
    assert_eq!(emulator.calls().total, 40);
}

#[test]
fn every_page_of_aliases_is_read() {
    let emulator = emulator();
    let mut keys = signing_keys(120);
    keys.alias = Some("alias/signing-{n}".to_owned());
    let keys = stocked(&emulator, &keys);
    let kms = kms_at(&emulator);
    let aliases = kms.list_aliases().unwrap();
    assert_eq!(
        (aliases.len(), emulator.calls().of("ListAliases")),
        (120, 2)
    );
    for alias in &aliases[..3] {
        let target = kms.describe_key(&alias.name).unwrap();
        assert_eq!(target.key_id, alias.key_id);
        assert!(keys.contains(&target));
    }
}

#[test]
fn no_keys_ask_for_nothing() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    assert!(kms.list_tags(&[]).is_empty() && kms.read_keys(&[], Stage::Listing).is_empty());
    kms.tag(&key(1), &Tags::new()).unwrap();
    kms.untag(&key(1), &[]).unwrap();
    kms.random(&mut []).unwrap();
    assert_eq!(emulator.calls().total, 0);
}

#[test]
fn a_new_key_that_reads_do_not_show_yet_is_waited_for_with_one_creation() {
    let emulator = emulator();
    emulator.set_stale_reads(2);
    let kms = kms_at(&emulator);
    let (made, _) = kms.make_key(&new_key(), &none_known()).unwrap();
    let calls = emulator.calls();
    assert_eq!((calls.of("CreateKey"), calls.of("GetPublicKey")), (1, 3));
    kms.sign(&made, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
}

#[test]
fn a_cut_answer_and_a_reset_connection_are_retried() {
    let emulator = emulator();
    let key = stocked(&emulator, &signing_keys(1)).remove(0);
    emulator.fault(Fault::once("Sign", Effect::TruncatedBody));
    emulator.fault(Fault::once("Sign", Effect::ResetBefore));
    kms_at(&emulator)
        .sign(&key, ALGORITHM, MessageType::Digest, &[7; 32])
        .unwrap();
    assert_eq!(emulator.calls().of("Sign"), 3);
}

#[test]
fn random_bytes_of_any_length_come_in_parts_asked_for_together() {
    let emulator = emulator();
    emulator.set_latency(Duration::from_millis(100));
    let kms = kms_at(&emulator);
    for (length, requests) in [(1, 1), (1024, 1), (1025, 2), (8192, 8), (40_000, 40)] {
        emulator.reset_calls();
        let mut bytes = vec![0; length];
        kms.random(&mut bytes).unwrap();
        let calls = emulator.calls();
        assert_eq!(
            (calls.total, calls.of("GenerateRandom")),
            (requests, requests)
        );
        assert!(calls.in_flight_max <= 16 && (requests == 1 || calls.in_flight_max > 1));
        let zeros = bytes
            .windows(16)
            .filter(|window| window.iter().all(|byte| *byte == 0));
        assert_eq!(zeros.count(), 0);
    }
}

#[test]
fn a_digest_of_a_wrong_length_is_told_apart() {
    let emulator = emulator();
    let key = stocked(&emulator, &signing_keys(1)).remove(0);
    let error = kms_at(&emulator)
        .sign(&key, ALGORITHM, MessageType::Digest, &[7; 31])
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Length, "{error}");
}
