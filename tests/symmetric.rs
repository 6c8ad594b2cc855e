//! Symmetric keys of KMS over the emulator: made, used to encrypt and to wrap. What comes out is opened by a
//! client of KMS that is not the module, and the other way round; each use costs one request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{Attr, bytes, flag, label, ulong};
use common_p11::kms::*;
use common_p11::{Mechanism, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use serde_json::json;

#[test]
fn an_aes_key_of_the_token_is_a_symmetric_key_of_kms() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_symmetric("kek").unwrap();
    let expected = calls([("CreateKey", 1), ("DescribeKey", 1), ("ListKeys", 1)]);
    assert_eq!(world.take_calls(), expected);
    let described = world.ask("DescribeKey", &json!({ "KeyId": arn(session, key) }));
    let metadata = &described["KeyMetadata"];
    assert_eq!(metadata["KeySpec"], "SYMMETRIC_DEFAULT");
    assert_eq!(metadata["KeyUsage"], "ENCRYPT_DECRYPT");

    let expected = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_AES),
        ulong(CKA_VALUE_LEN, 32),
        ulong(CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN),
        label("kek"),
        flag(CKA_TOKEN, true),
        flag(CKA_LOCAL, true),
        flag(CKA_SENSITIVE, true),
        flag(CKA_ALWAYS_SENSITIVE, true),
        flag(CKA_EXTRACTABLE, false),
        flag(CKA_NEVER_EXTRACTABLE, true),
        flag(CKA_ENCRYPT, true),
        flag(CKA_DECRYPT, true),
        flag(CKA_WRAP, true),
        flag(CKA_UNWRAP, true),
        flag(CKA_SIGN, false),
        flag(CKA_VERIFY, false),
        flag(CKA_DERIVE, false),
        bytes(
            CKA_ALLOWED_MECHANISMS,
            [CKM_KMS_SYMMETRIC, CKM_KMS_REENCRYPT]
                .map(CK_ULONG::to_ne_bytes)
                .concat(),
        ),
    ];
    let assert_shown = |session: Session<'_>, key| {
        for attribute in &expected {
            let value = session.get(key, attribute.type_);
            assert_eq!(value, Ok(attribute.value.clone()), "{:#x}", attribute.type_);
        }
        assert_eq!(session.get(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    };
    assert_shown(session, key);
    world.restart();
    let session = world.module.session();
    let found = session.find_one(&[ulong(CKA_KEY_TYPE, CKK_AES), flag(CKA_WRAP, true)]);
    assert_shown(session, found);
    let usage = "encrypt, decrypt";
    let listed = world.pkcs11_tool(&["--list-objects", "--type", "secrkey"]);
    assert!(
        listed.contains("AES length 32") && listed.contains(usage),
        "{listed}"
    );
}

#[test]
fn pkcs11_tool_makes_a_symmetric_key() {
    let world = World::start();
    // Unless it is told otherwise, pkcs11-tool asks for a key that anybody may read.
    let generation = [
        "--keygen",
        "--key-type",
        "AES:32",
        "--sensitive",
        "--private",
    ];
    world.pkcs11_tool(&[&generation[..], &["--label", "tool"]].concat());
    let session = world.module.session();
    let key = session.find_one(&[label("tool"), ulong(CKA_CLASS, CKO_SECRET_KEY)]);
    world.take_calls();
    let blob = session
        .encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data")
        .unwrap();
    assert_eq!(world.take_calls(), calls([("Encrypt", 1)]));
    assert_eq!(opened(&world, &blob, &json!({})), b"data");
}

#[test]
fn a_key_that_kms_does_not_make_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let token = flag(CKA_TOKEN, true);
    let len = |len| ulong(CKA_VALUE_LEN, len);
    let uses = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP].map(|use_| flag(use_, false));
    let cases: [(&[Attr], CK_RV); 8] = [
        (&[token.clone(), len(16)], CKR_ATTRIBUTE_VALUE_INVALID),
        (&[token.clone(), len(24)], CKR_ATTRIBUTE_VALUE_INVALID),
        (std::slice::from_ref(&token), CKR_TEMPLATE_INCOMPLETE),
        (&[len(32)], CKR_TEMPLATE_INCONSISTENT),
        (
            &[flag(CKA_TOKEN, false), len(32)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            &[token.clone(), len(32), flag(CKA_EXTRACTABLE, true)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            &[
                token.clone(),
                len(32),
                ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            ],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            &[&[token.clone(), len(32)], &uses[..]].concat(),
            CKR_TEMPLATE_INCONSISTENT,
        ),
    ];
    for (template, rv) in cases {
        assert_eq!(
            session.generate_key(CKM_AES_KEY_GEN, template),
            Err(rv),
            "{template:?}"
        );
    }
    let parameter = Mechanism(CKM_AES_KEY_GEN, vec![1]);
    let refused = session.generate_key(parameter, &[token, len(32)]);
    assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn data_is_encrypted_and_decrypted_in_kms_for_one_request_each() {
    let world = World::start();
    let (session, key) = with_key(&world);
    for len in [1, 32, 4095, 4096] {
        let data = vec![0x5a; len];
        for (parameter, expected) in [(None, json!({})), (CONTEXT, context())] {
            let mechanism = symmetric(0, parameter);
            let blob = session.encrypt_kms(mechanism.clone(), key, &data).unwrap();
            assert_eq!(world.take_calls(), calls([("Encrypt", 1)]));
            assert_eq!(session.decrypt_kms(mechanism, key, &blob), Ok(data.clone()));
            assert_eq!(world.take_calls(), calls([("Decrypt", 1)]));
            // And from outside, both ways.
            assert_eq!(opened(&world, &blob, &expected), data);
            let request = json!({
                "KeyId": arn(session, key), "Plaintext": base64(&data), "EncryptionContext": expected,
            });
            let theirs = from_base64(&world.ask("Encrypt", &request)["CiphertextBlob"]);
            assert_eq!(
                session.decrypt_kms(symmetric(0, parameter), key, &theirs),
                Ok(data.clone())
            );
            world.take_calls();
        }
    }
}

#[test]
fn lengths_are_answered_without_a_request_and_an_answer_that_did_not_fit_is_kept() {
    let world = World::start();
    let (session, key) = with_key(&world);
    session.encrypt_init(CKM_KMS_SYMMETRIC, key).unwrap();
    assert_eq!(session.encrypt_len(b"12345"), Ok(5 + 2048));
    assert_eq!(world.take_calls(), calls([]));
    let (rv, len) = session.encrypt_into(b"12345", 5).unwrap_err();
    assert_eq!(rv, CKR_BUFFER_TOO_SMALL);
    let blob = session.encrypt_into(b"12345", len).unwrap();
    assert_eq!(blob.len(), len);
    assert_eq!(world.take_calls(), calls([("Encrypt", 1)]));

    session.decrypt_init(CKM_KMS_SYMMETRIC, key).unwrap();
    assert_eq!(session.decrypt_len(&blob), Ok(len));
    assert_eq!(
        session.decrypt_into(&blob, 4),
        Err((CKR_BUFFER_TOO_SMALL, 5))
    );
    assert_eq!(session.decrypt_into(&blob, 5), Ok(b"12345".to_vec()));
    assert_eq!(world.take_calls(), calls([("Decrypt", 1)]));
    session.decrypt_init(CKM_KMS_SYMMETRIC, key).unwrap();
    assert_eq!(session.decrypt_len(&vec![0; 6144]), Ok(4096));
}

#[test]
fn what_kms_does_not_take_is_refused_without_a_request() {
    let world = World::start();
    let (session, key) = with_key(&world);
    for len in [0, 4097, 100_000] {
        let refused = session.encrypt_kms(CKM_KMS_SYMMETRIC, key, &vec![1; len]);
        assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len}");
    }
    for len in [0, 6145] {
        let refused = session.decrypt_kms(CKM_KMS_SYMMETRIC, key, &vec![1; len]);
        assert_eq!(refused, Err(CKR_ENCRYPTED_DATA_LEN_RANGE), "{len}");
        let refused = session.unwrap(CKM_KMS_SYMMETRIC, key, &vec![1; len], &aes_template());
        assert_eq!(refused, Err(CKR_WRAPPED_KEY_LEN_RANGE), "{len}");
        let refused = session.encrypt_kms(CKM_KMS_REENCRYPT, key, &vec![1; len]);
        assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len}");
    }
    // Contexts that are none, and a key where the function names its own.
    for parameter in [
        symmetric(0, Some(b"name")),
        symmetric(0, Some(b"name\0")),
        symmetric(0, Some(b"\0value\0")),
        symmetric(0, Some(b"a\x001\0a\x002\0")),
        symmetric(0, Some(b"\xff\0value\0")),
        symmetric(key, None),
        Mechanism(CKM_KMS_SYMMETRIC, vec![0; 23]),
        Mechanism(CKM_KMS_REENCRYPT, vec![0; 39]),
        reencrypt(0, Some(b"name"), None),
        reencrypt(0, None, Some(b"name")),
    ] {
        let refused = session.encrypt_init(parameter.clone(), key);
        assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID), "{parameter:?}");
    }
    let both = symmetric(key, None);
    let secret = secret_key(session, &[1; 16]);
    assert_eq!(
        session.wrap(both.clone(), key, secret),
        Err(CKR_MECHANISM_PARAM_INVALID)
    );
    let refused = session.unwrap(both, key, &[1; 100], &aes_template());
    assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID));
    // Ciphers are for keys of this process, and KMS's way is for keys in KMS.
    for mechanism in [
        Mechanism(CKM_AES_CBC, vec![0; 16]),
        Mechanism(CKM_AES_CBC_PAD, vec![0; 16]),
    ] {
        assert_eq!(
            session.encrypt_init(mechanism, key),
            Err(CKR_KEY_TYPE_INCONSISTENT)
        );
    }
    let refused = session.wrap(CKM_AES_KEY_WRAP_KWP, key, secret);
    assert_eq!(refused, Err(CKR_WRAPPING_KEY_TYPE_INCONSISTENT));
    let mut local = aes_template();
    local.push(bytes(CKA_VALUE, [7; 32]));
    let local = session.create(&local).unwrap();
    assert_eq!(
        session.encrypt_init(CKM_KMS_SYMMETRIC, local),
        Err(CKR_KEY_TYPE_INCONSISTENT)
    );
    assert_eq!(
        session.encrypt_init(CKM_KMS_REENCRYPT, local),
        Err(CKR_KEY_TYPE_INCONSISTENT)
    );
    let refused = session.wrap(CKM_KMS_SYMMETRIC, local, secret);
    assert_eq!(refused, Err(CKR_WRAPPING_KEY_TYPE_INCONSISTENT));
    assert_eq!(
        session.decrypt_init(CKM_KMS_REENCRYPT, key),
        Err(CKR_MECHANISM_INVALID)
    );
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn session_keys_are_wrapped_and_unwrapped_for_one_request_each() {
    let world = World::start();
    let (session, key) = with_key(&world);
    for value in [&[1; 16][..], &[2; 32], &[3; 4096]] {
        let secret = secret_key(session, value);
        assert_eq!(
            session.wrap_raw(CKM_KMS_SYMMETRIC, key, secret, None),
            Ok(value.len() + 2048)
        );
        assert_eq!(world.take_calls(), calls([]));
        let wrapped = session.wrap(symmetric(0, CONTEXT), key, secret).unwrap();
        assert_eq!(world.take_calls(), calls([("Encrypt", 1)]));
        assert_eq!(opened(&world, &wrapped, &context()), value);
        world.take_calls();

        let mut template = aes_template();
        template[1] = ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
        let unwrapped = session
            .unwrap(symmetric(0, CONTEXT), key, &wrapped, &template)
            .unwrap();
        assert_eq!(world.take_calls(), calls([("Decrypt", 1)]));
        assert_eq!(session.get(unwrapped, CKA_VALUE), Ok(value.to_vec()));
        assert_eq!(session.get(unwrapped, CKA_LOCAL), Ok(vec![CK_FALSE]));
        assert_eq!(
            session.get(unwrapped, CKA_KMS_CIPHERTEXT),
            Err(CKR_ATTRIBUTE_TYPE_INVALID)
        );

        for other in [None, NO_CONTEXT, OTHER_CONTEXT] {
            let refused = session.unwrap(symmetric(0, other), key, &wrapped, &template);
            assert_eq!(refused, Err(CKR_WRAPPED_KEY_INVALID));
        }
        world.take_calls();
    }
    // A key that somebody else wrapped is an AES key like any other.
    let request = json!({ "KeyId": arn(session, key), "Plaintext": base64(&[9; 32]) });
    let theirs = from_base64(&world.ask("Encrypt", &request)["CiphertextBlob"]);
    let unwrapped = session
        .unwrap(CKM_KMS_SYMMETRIC, key, &theirs, &aes_template())
        .unwrap();
    assert_eq!(session.get(unwrapped, CKA_VALUE), Ok(vec![9; 32]));

    world.take_calls();
    assert_eq!(
        session.wrap(CKM_KMS_SYMMETRIC, key, key),
        Err(CKR_KEY_UNEXTRACTABLE)
    );
    let mut kept = aes_template();
    kept[4] = flag(CKA_EXTRACTABLE, false);
    kept.push(bytes(CKA_VALUE, [7; 32]));
    let kept = session.create(&kept).unwrap();
    assert_eq!(
        session.wrap(CKM_KMS_SYMMETRIC, key, kept),
        Err(CKR_KEY_UNEXTRACTABLE)
    );
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_buffer_too_small_for_a_wrapped_key_is_told_the_length() {
    let world = World::start();
    let (session, key) = with_key(&world);
    let secret = secret_key(session, &[1; 16]);
    let (rv, len) = session
        .wrap_raw(CKM_KMS_SYMMETRIC, key, secret, Some(&mut [0; 16]))
        .unwrap_err();
    assert_eq!(rv, CKR_BUFFER_TOO_SMALL);
    let mut exact = vec![0; len];
    assert_eq!(
        session.wrap_raw(CKM_KMS_SYMMETRIC, key, secret, Some(&mut exact)),
        Ok(len)
    );
    // There is no operation that could keep the first one.
    assert_eq!(world.take_calls(), calls([("Encrypt", 2)]));
    assert_eq!(opened(&world, &exact, &json!({})), [1; 16]);
}

#[test]
fn the_token_s_context_holds_where_the_caller_names_none() {
    let world = World::with("encryption_context = { application = \"recordings\" }");
    let (session, key) = with_key(&world);
    let secret = secret_key(session, &[1; 32]);
    for (mechanism, expected) in [
        (Mechanism::from(CKM_KMS_SYMMETRIC), context()),
        (symmetric(0, None), context()),
        (symmetric(0, NO_CONTEXT), json!({})),
        (
            symmetric(0, OTHER_CONTEXT),
            json!({ "application": "other" }),
        ),
    ] {
        let wrapped = session.wrap(mechanism.clone(), key, secret).unwrap();
        assert_eq!(opened(&world, &wrapped, &expected), [1; 32]);
        session
            .unwrap(mechanism.clone(), key, &wrapped, &aes_template())
            .unwrap();
        let blob = session
            .encrypt_kms(mechanism.clone(), key, b"data")
            .unwrap();
        assert_eq!(opened(&world, &blob, &expected), b"data");
        assert_eq!(
            session.decrypt_kms(mechanism, key, &blob),
            Ok(b"data".to_vec())
        );
    }
    let template = [&aes_template()[..], &[ulong(CKA_VALUE_LEN, 32)]].concat();
    let made = session
        .generate_key(symmetric(key, None), &template)
        .unwrap();
    let copy = session.get(made, CKA_KMS_CIPHERTEXT).unwrap();
    assert_eq!(
        Ok(opened(&world, &copy, &context())),
        session.get(made, CKA_VALUE)
    );
}

#[test]
fn data_in_parts_is_refused() {
    let world = World::start();
    let (session, key) = with_key(&world);
    session.encrypt_init(CKM_KMS_SYMMETRIC, key).unwrap();
    let (mut part, mut len) = ([0_u8; 64], 64);
    let update = session.module.list().C_EncryptUpdate.unwrap();
    let start = part.as_mut_ptr();
    // SAFETY: the buffer is as long as it says beside it, in place of both.
    let rv = unsafe { update(session.handle, start, 1, start, &raw mut len) };
    assert_eq!(rv, CKR_OPERATION_NOT_INITIALIZED);
    assert_eq!(world.take_calls(), calls([]));
}

/// An operation of KMS, and what asks for it.
type Work<'a> = (&'static str, &'a dyn Fn() -> Result<(), CK_RV>);

#[test]
fn what_kms_refuses_has_a_value_of_its_own_in_every_function() {
    const CODES: [(&str, [CK_RV; 6]); 6] = [
        // C_Encrypt, C_Decrypt, C_WrapKey, C_UnwrapKey, C_GenerateKey, ReEncrypt
        ("AccessDeniedException", [CKR_FUNCTION_REJECTED; 6]),
        ("DisabledException", [CKR_FUNCTION_REJECTED; 6]),
        ("KMSInvalidStateException", [CKR_FUNCTION_REJECTED; 6]),
        (
            "NotFoundException",
            [
                CKR_DEVICE_ERROR,
                CKR_DEVICE_ERROR,
                CKR_WRAPPING_KEY_HANDLE_INVALID,
                CKR_UNWRAPPING_KEY_HANDLE_INVALID,
                CKR_WRAPPING_KEY_HANDLE_INVALID,
                CKR_DEVICE_ERROR,
            ],
        ),
        (
            "InvalidCiphertextException",
            [
                CKR_DATA_INVALID,
                CKR_ENCRYPTED_DATA_INVALID,
                CKR_FUNCTION_FAILED,
                CKR_WRAPPED_KEY_INVALID,
                CKR_FUNCTION_FAILED,
                CKR_DATA_INVALID,
            ],
        ),
        ("ExpiredTokenException", [CKR_USER_NOT_LOGGED_IN; 6]),
    ];
    let world = World::start();
    let ids = world.create_keys(&NewKeys::new(1, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"));
    let session = world.module.session();
    let key = session.find_one(&[label(&ids[0]), ulong(CKA_CLASS, CKO_SECRET_KEY)]);
    let secret = secret_key(session, &[1; 16]);
    let blob = session
        .encrypt_kms(CKM_KMS_SYMMETRIC, key, &[1; 16])
        .unwrap();
    let template = [&aes_template()[..], &[ulong(CKA_VALUE_LEN, 32)]].concat();
    let work: [Work<'_>; 6] = [
        ("Encrypt", &|| {
            session
                .encrypt_kms(CKM_KMS_SYMMETRIC, key, b"data")
                .map(drop)
        }),
        ("Decrypt", &|| {
            session.decrypt_kms(CKM_KMS_SYMMETRIC, key, &blob).map(drop)
        }),
        ("Encrypt", &|| {
            session.wrap(CKM_KMS_SYMMETRIC, key, secret).map(drop)
        }),
        ("Decrypt", &|| {
            session
                .unwrap(CKM_KMS_SYMMETRIC, key, &blob, &aes_template())
                .map(drop)
        }),
        ("GenerateDataKey", &|| {
            session
                .generate_key(symmetric(key, None), &template)
                .map(drop)
        }),
        ("ReEncrypt", &|| {
            session.encrypt_kms(CKM_KMS_REENCRYPT, key, &blob).map(drop)
        }),
    ];
    for (code, values) in CODES {
        for ((operation, work), rv) in work.iter().zip(values) {
            world.fail(operation, code, 1);
            assert_eq!(work(), Err(rv), "{operation} {code:?}\n{}", world.log());
            assert_eq!(work(), Ok(()), "{operation} after {code:?}");
        }
    }
    let log = world.log();
    assert!(log.contains("kms:ReEncryptFrom"), "{log}");
    assert!(log.contains("kms:GenerateDataKey"));
}
