//! Data keys of KMS: made with their encrypted copies, and unwrapped again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{Attr, flag, ulong};
use common_p11::kms::*;
use common_p11::{Mechanism, World, calls};
use cryptoki_sys::*;

#[test]
fn data_keys_come_with_their_encrypted_copy() {
    let world = World::start();
    let (session, key) = with_key(&world);
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    for (key_type, len) in [
        (CKK_AES, 16),
        (CKK_AES, 24),
        (CKK_AES, 32),
        (CKK_GENERIC_SECRET, 1),
        (CKK_GENERIC_SECRET, 1024),
    ] {
        let mut template = aes_template();
        template[1] = ulong(CKA_KEY_TYPE, key_type);
        template.push(ulong(CKA_VALUE_LEN, len));
        let made = read_only
            .generate_key(symmetric(key, CONTEXT), &template)
            .unwrap();
        assert_eq!(world.take_calls(), calls([("GenerateDataKey", 1)]));
        let value = session.get(made, CKA_VALUE).unwrap();
        assert_eq!(value.len() as CK_ULONG, len);
        let copy = session.get(made, CKA_KMS_CIPHERTEXT).unwrap();
        assert_eq!(world.take_calls(), calls([]));
        assert_eq!(opened(&world, &copy, &context()), value);
        for (type_, expected) in [
            (CKA_LOCAL, vec![CK_TRUE]),
            (
                CKA_KEY_GEN_MECHANISM,
                CKM_KMS_SYMMETRIC.to_ne_bytes().to_vec(),
            ),
            (CKA_ALWAYS_SENSITIVE, vec![CK_FALSE]),
            (CKA_NEVER_EXTRACTABLE, vec![CK_FALSE]),
        ] {
            assert_eq!(session.get(made, type_), Ok(expected), "{type_:#x}");
        }
        let again = session.unwrap(symmetric(0, CONTEXT), key, &copy, &template[..5]);
        assert_eq!(session.get(again.unwrap(), CKA_VALUE), Ok(value));
        world.take_calls();
    }
    let kept = [
        ulong(CKA_KEY_TYPE, CKK_AES),
        ulong(CKA_VALUE_LEN, 32),
        flag(CKA_SENSITIVE, true),
        flag(CKA_EXTRACTABLE, false),
    ];
    let kept = session.generate_key(symmetric(key, None), &kept).unwrap();
    assert_eq!(session.get(kept, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    assert_eq!(session.get(kept, CKA_ALWAYS_SENSITIVE), Ok(vec![CK_TRUE]));
    assert_eq!(session.get(kept, CKA_NEVER_EXTRACTABLE), Ok(vec![CK_TRUE]));
}

#[test]
fn a_data_key_that_cannot_be_made_is_refused_without_a_request() {
    let world = World::start();
    let (session, key) = with_key(&world);
    let (_, pair) = session.generate_p256("pair", "pair").unwrap();
    let secret = secret_key(session, &[1; 16]);
    world.take_calls();
    let aes = |len| [&aes_template()[..], &[ulong(CKA_VALUE_LEN, len)]].concat();
    let token = {
        let mut token = aes(32);
        token[2] = flag(CKA_TOKEN, true);
        token
    };
    let mut long = aes(1025);
    long[1] = ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    let cases: [(Mechanism, Vec<Attr>, CK_RV); 10] = [
        (
            CKM_KMS_SYMMETRIC.into(),
            aes(32),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (symmetric(0, CONTEXT), aes(32), CKR_MECHANISM_PARAM_INVALID),
        (
            symmetric(9_999, None),
            aes(32),
            CKR_WRAPPING_KEY_HANDLE_INVALID,
        ),
        (
            symmetric(pair, None),
            aes(32),
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
        (
            symmetric(secret, None),
            aes(32),
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
        ),
        (symmetric(key, None), aes(20), CKR_ATTRIBUTE_VALUE_INVALID),
        (symmetric(key, None), long, CKR_ATTRIBUTE_VALUE_INVALID),
        (
            symmetric(key, None),
            aes_template(),
            CKR_TEMPLATE_INCOMPLETE,
        ),
        (symmetric(key, None), token, CKR_TEMPLATE_INCONSISTENT),
        (CKM_KMS_REENCRYPT.into(), aes(32), CKR_MECHANISM_INVALID),
    ];
    for (mechanism, template, rv) in cases {
        let refused = session.generate_key(mechanism.clone(), &template);
        assert_eq!(refused, Err(rv), "{mechanism:?} {template:?}");
    }
    let pair = session.generate(symmetric(key, None), &[flag(CKA_TOKEN, false)], &[]);
    assert_eq!(pair, Err(CKR_MECHANISM_INVALID));
    assert_eq!(world.take_calls(), calls([]));
}
