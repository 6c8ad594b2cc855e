//! AES keys that applications bring along: C_CreateObject makes symmetric keys of KMS of them. What such a key
//! encrypts is opened with the key's own bytes by an implementation of AES-GCM that is not the module's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;

use common_p11::attribute::{Attr, bytes, flag, id, label, ulong};
use common_p11::kms::*;
use common_p11::{Session, World, calls};
use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;
use serde_json::{Value, json};

/// The emulator takes its time to make the key that material is wrapped under: no request is repeated for that.
const PATIENT: &str = "attempt_timeout = 60";

/// The bytes of the key that is imported.
const VALUE: [u8; 32] = *b"32 bytes of a key of an old HSM.";

fn import_template(value: &[u8]) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        flag(CKA_TOKEN, true),
        bytes(CKA_VALUE, value),
    ]
}

fn with(template: Vec<Attr>, more: &[Attr]) -> Vec<Attr> {
    [template, more.to_vec()].concat()
}

fn metadata(world: &World, arn: &str) -> Value {
    world.ask("DescribeKey", &json!({ "KeyId": arn }))["KeyMetadata"].take()
}

/// Has the key do all that a symmetric key does.
fn assert_serves(session: Session<'_>, key: CK_OBJECT_HANDLE) {
    let names = ["application", "recordings"];
    let blob = session
        .encrypt_kms(symmetric(0, CONTEXT), key, b"data")
        .unwrap();
    assert_eq!(opened_with(&VALUE, &blob, &names), hex(b"data"));
    let plaintext = session.decrypt_kms(symmetric(0, CONTEXT), key, &blob);
    assert_eq!(plaintext, Ok(b"data".to_vec()));

    let secret = secret_key(session, &[0x42; 48]);
    let wrapped = session.wrap(CKM_KMS_SYMMETRIC, key, secret).unwrap();
    assert_eq!(opened_with(&VALUE, &wrapped, &[]), "42".repeat(48));
    let mut template = aes_template();
    template[1] = ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    let unwrapped = session.unwrap(CKM_KMS_SYMMETRIC, key, &wrapped, &template);
    let unwrapped = session.get(unwrapped.unwrap(), CKA_VALUE);
    assert_eq!(unwrapped, Ok(vec![0x42; 48]));

    let template = with(aes_template(), &[ulong(CKA_VALUE_LEN, 32)]);
    let data_key = session
        .generate_key(symmetric(key, CONTEXT), &template)
        .unwrap();
    let copy = session.get(data_key, CKA_KMS_CIPHERTEXT).unwrap();
    let value = session.get(data_key, CKA_VALUE).unwrap();
    assert_eq!(opened_with(&VALUE, &copy, &names), hex(&value));
}

#[test]
fn an_aes_key_becomes_a_symmetric_key_and_is_known_for_imported_after_a_restart() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    world.take_calls();
    let names = [id([7]), label("kek"), ulong(CKA_VALUE_LEN, 32)];
    let made = session
        .create(&with(import_template(&VALUE), &names))
        .unwrap();
    let expected = [
        ("CreateKey", 1),
        ("GetParametersForImport", 1),
        ("ImportKeyMaterial", 1),
        ("DescribeKey", 1),
    ];
    assert_eq!(world.take_calls(), calls(expected));
    let metadata = metadata(&world, &arn(session, made));
    assert_eq!(metadata["KeySpec"], "SYMMETRIC_DEFAULT");
    assert_eq!(metadata["KeyUsage"], "ENCRYPT_DECRYPT");
    assert_eq!(metadata["Origin"], "EXTERNAL");
    assert_eq!(metadata["ExpirationModel"], "KEY_MATERIAL_DOES_NOT_EXPIRE");

    let shown = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        ulong(CKA_VALUE_LEN, 32),
        ulong(CKA_KEY_GEN_MECHANISM, CK_UNAVAILABLE_INFORMATION),
        label("kek"),
        flag(CKA_TOKEN, true),
        flag(CKA_LOCAL, false),
        flag(CKA_SENSITIVE, true),
        flag(CKA_ALWAYS_SENSITIVE, false),
        flag(CKA_EXTRACTABLE, false),
        flag(CKA_NEVER_EXTRACTABLE, false),
        flag(CKA_ENCRYPT, true),
        flag(CKA_DECRYPT, true),
        flag(CKA_WRAP, true),
        flag(CKA_UNWRAP, true),
        flag(CKA_SIGN, false),
    ];
    for restarted in [false, true] {
        if restarted {
            world.take_calls();
            world.restart();
        }
        let session = world.module.session();
        let key = session.find_one(&[id([7]), ulong(CKA_KEY_TYPE, CKK_AES)]);
        for attribute in &shown {
            let value = session.get(key, attribute.type_);
            assert_eq!(value, Ok(attribute.value.clone()), "{:#x}", attribute.type_);
        }
        assert_eq!(session.get(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        if restarted {
            let expected = [
                ("ListKeys", 1),
                ("ListResourceTags", 1),
                ("GetPublicKey", 1),
                ("DescribeKey", 1),
            ];
            assert_eq!(world.take_calls(), calls(expected));
        }
        assert_serves(session, key);
    }
}

#[test]
fn material_that_expired_is_imported_again_and_no_other() {
    // A key of this process that cannot be used is waited for until these deadlines.
    let settings = "import_lifetime_days = 30\ndeadline = 2\nlisting_deadline = 2";
    let world = World::with(&format!("{settings}\n{PATIENT}"));
    let session = world.module.session();
    let names = [id([7]), label("kek")];
    let wanted = with(import_template(&VALUE), &names);
    let object = session.create(&wanted).unwrap();
    let arn = arn(session, object);
    let metadata = metadata(&world, &arn);
    assert_eq!(metadata["ExpirationModel"], "KEY_MATERIAL_EXPIRES");
    let blob = session
        .encrypt_kms(CKM_KMS_SYMMETRIC, object, b"of before")
        .unwrap();

    // As it does when it expires.
    world.ask("DeleteImportedKeyMaterial", &json!({ "KeyId": arn }));
    let refused = session.decrypt_kms(CKM_KMS_SYMMETRIC, object, &blob);
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    let otherwise = with(import_template(&[0x17; 32]), &names);
    world.take_calls();
    assert_eq!(session.create(&otherwise), Err(CKR_ATTRIBUTE_VALUE_INVALID));
    let expected = [
        ("DescribeKey", 1),
        ("GetParametersForImport", 1),
        ("ImportKeyMaterial", 1),
    ];
    assert_eq!(world.take_calls(), calls(expected), "the key stays");
    let log = world.log();
    assert!(log.contains("it had before and no other"), "{log}");

    for restarted in [false, true] {
        if restarted {
            world.ask("DeleteImportedKeyMaterial", &json!({ "KeyId": arn }));
            world.restart();
        }
        let session = world.module.session();
        session.find(&[id([7])]).unwrap();
        world.take_calls();
        let again = session.create(&wanted).unwrap();
        let expected = [
            ("DescribeKey", 2),
            ("GetParametersForImport", 1),
            ("ImportKeyMaterial", 1),
        ];
        assert_eq!(world.take_calls(), calls(expected), "no new key");
        assert_eq!(
            session.get(again, CKA_UNIQUE_ID),
            Ok(arn.clone().into_bytes())
        );
        let plaintext = session.decrypt_kms(CKM_KMS_SYMMETRIC, again, &blob);
        assert_eq!(plaintext, Ok(b"of before".to_vec()));
    }
    // A key that has its material is not touched: this is another one.
    let session = world.module.session();
    let other = session.create(&otherwise).unwrap();
    assert_eq!(session.find(&[id([7])]).unwrap().len(), 2);
    let refused = session.decrypt_kms(CKM_KMS_SYMMETRIC, other, &blob);
    assert_eq!(refused, Err(CKR_ENCRYPTED_DATA_INVALID));
}

#[test]
fn what_kms_does_not_import_is_refused_before_it_is_asked() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    world.take_calls();
    for len in [0, 16, 24, 31, 33, 64] {
        let refused = session.create(&import_template(&vec![1; len]));
        assert_eq!(refused, Err(CKR_ATTRIBUTE_VALUE_INVALID), "{len}");
        let reason = format!("KMS imports AES keys of 32 bytes alone; this one has {len}");
        let log = world.log();
        assert!(log.contains(&reason), "{log}");
    }
    let uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP].map(|use_| flag(use_, false));
    for (more, rv) in [
        (&uses[..], CKR_TEMPLATE_INCONSISTENT),
        (&[ulong(CKA_VALUE_LEN, 16)], CKR_TEMPLATE_INCONSISTENT),
        (&[flag(CKA_EXTRACTABLE, true)], CKR_TEMPLATE_INCONSISTENT),
        (&[flag(CKA_SENSITIVE, false)], CKR_TEMPLATE_INCONSISTENT),
        (&[flag(CKA_LOCAL, false)], CKR_ATTRIBUTE_READ_ONLY),
    ] {
        let refused = session.create(&with(import_template(&VALUE), more));
        assert_eq!(refused, Err(rv), "{more:?}");
    }
    let without = session.create(&import_template(&VALUE)[..3]);
    assert_eq!(without, Err(CKR_TEMPLATE_INCOMPLETE));
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    let refused = read_only.create(&import_template(&VALUE));
    assert_eq!(refused, Err(CKR_SESSION_READ_ONLY));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_failed_import_leaves_no_key_that_waits() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    world.take_calls();
    world.fail("ImportKeyMaterial", "AccessDeniedException", 1);
    let refused = session.create(&import_template(&VALUE));
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    let expected = [
        ("CreateKey", 1),
        ("DescribeKey", 1),
        ("GetParametersForImport", 1),
        ("ImportKeyMaterial", 1),
        ("ScheduleKeyDeletion", 1),
    ];
    assert_eq!(world.take_calls(), calls(expected));
    assert_eq!(session.find(&[]), Ok(Vec::new()));
}

#[test]
fn pkcs11_tool_writes_an_aes_key() {
    let world = World::with(PATIENT);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), VALUE).unwrap();
    let object = [
        "--write-object",
        file.path().to_str().unwrap(),
        "--type",
        "secrkey",
        "--key-type",
        "AES:32",
    ];
    let names = ["--label", "tool", "--sensitive", "--private"];
    world.pkcs11_tool(&[&object[..], &names].concat());
    let session = world.module.session();
    let key = session.find_one(&[label("tool"), ulong(CKA_CLASS, CKO_SECRET_KEY)]);
    assert_eq!(session.get(key, CKA_LOCAL), Ok(vec![CK_FALSE]));
    assert_serves(session, key);
}
