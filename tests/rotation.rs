//! What becomes of ciphertexts: moved to another key in KMS, and kept through the rotations of theirs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{flag, label};
use common_p11::kms::*;
use common_p11::{World, calls};
use cryptoki_sys::*;
use kms_pkcs11_testkit::python;
use serde_json::json;

#[test]
fn a_ciphertext_moves_to_another_key_in_one_request() {
    let world = World::start();
    let (session, first) = with_key(&world);
    let second = session.generate_symmetric("second").unwrap();
    let blob = session
        .encrypt_kms(symmetric(0, CONTEXT), first, b"data")
        .unwrap();
    world.take_calls();
    // The first key is the one that the ciphertext names, or the caller does.
    for source in [0, first] {
        let mechanism = reencrypt(source, CONTEXT, OTHER_CONTEXT);
        let moved = session.encrypt_kms(mechanism, second, &blob).unwrap();
        assert_eq!(world.take_calls(), calls([("ReEncrypt", 1)]));
        let there = session.decrypt_kms(symmetric(0, OTHER_CONTEXT), second, &moved);
        assert_eq!(there, Ok(b"data".to_vec()));
        let here = session.decrypt_kms(symmetric(0, OTHER_CONTEXT), first, &moved);
        assert_eq!(here, Err(CKR_ENCRYPTED_DATA_INVALID));
        assert_eq!(
            opened(&world, &moved, &json!({ "application": "other" })),
            b"data"
        );
        world.take_calls();
    }
    for (wrong, rv) in [
        (reencrypt(second, CONTEXT, None), CKR_DATA_INVALID),
        (reencrypt(0, OTHER_CONTEXT, None), CKR_DATA_INVALID),
        (reencrypt(9_999, CONTEXT, None), CKR_KEY_HANDLE_INVALID),
    ] {
        assert_eq!(
            session.encrypt_kms(wrong.clone(), second, &blob),
            Err(rv),
            "{wrong:?}"
        );
    }
    world.take_calls();
    session
        .encrypt_init(reencrypt(0, CONTEXT, None), second)
        .unwrap();
    assert_eq!(session.encrypt_len(&blob), Ok(6144));
    let (rv, len) = session.encrypt_into(&blob, 1).unwrap_err();
    assert_eq!(rv, CKR_BUFFER_TOO_SMALL);
    assert_eq!(
        session.encrypt_into(&blob, len).map(|moved| moved.len()),
        Ok(len)
    );
    assert_eq!(world.take_calls(), calls([("ReEncrypt", 1)]));
}

#[test]
fn rotation_is_shown_when_asked_for_and_older_ciphertexts_stay_good() {
    let world = World::start();
    let (session, key) = with_key(&world);
    let id = json!({ "KeyId": arn(session, key) });
    let number = |type_| {
        let value = session.get(key, type_).unwrap();
        CK_ULONG::from_ne_bytes(value.try_into().unwrap())
    };
    assert_eq!(
        session.get(key, CKA_KMS_ROTATION_ENABLED),
        Ok(vec![CK_FALSE])
    );
    // One to learn the length, one for the value.
    assert_eq!(world.take_calls(), calls([("GetKeyRotationStatus", 2)]));
    assert_eq!(number(CKA_KMS_ROTATION_PERIOD), 0);
    assert_eq!(session.get(key, CKA_KMS_NEXT_ROTATION), Ok(Vec::new()));
    assert_eq!(session.get(key, CKA_KMS_ON_DEMAND_ROTATION), Ok(Vec::new()));
    assert_eq!(number(CKA_KMS_ON_DEMAND_ROTATIONS), 0);

    let secret = secret_key(session, &[5; 32]);
    let before = session.wrap(CKM_KMS_SYMMETRIC, key, secret).unwrap();
    let enable = json!({ "KeyId": id["KeyId"], "RotationPeriodInDays": 90 });
    world.ask("EnableKeyRotation", &enable);
    world.ask("RotateKeyOnDemand", &id);
    world.take_calls();

    let mut values = [
        vec![0; 1],
        vec![0; 8],
        vec![0; 8],
        vec![0; 8],
        vec![0; 8],
        vec![0; 16],
    ];
    let types = [
        CKA_KMS_ROTATION_ENABLED,
        CKA_KMS_ROTATION_PERIOD,
        CKA_KMS_NEXT_ROTATION,
        CKA_KMS_AUTOMATIC_ROTATIONS,
        CKA_KMS_ON_DEMAND_ROTATIONS,
        CKA_LABEL,
    ];
    let mut template: Vec<CK_ATTRIBUTE> = types
        .iter()
        .zip(&mut values)
        .map(|(type_, value)| CK_ATTRIBUTE {
            type_: *type_,
            ulValueLen: value.len() as CK_ULONG,
            pValue: value.as_mut_ptr().cast(),
        })
        .collect();
    assert_eq!(session.get_raw(key, &mut template), CKR_OK);
    let expected = calls([("GetKeyRotationStatus", 1), ("ListKeyRotations", 1)]);
    assert_eq!(world.take_calls(), expected);
    assert_eq!(values[0], [CK_TRUE]);
    assert_eq!(values[1], CK_ULONG::to_ne_bytes(90));
    let days = python(
        "import datetime,sys;print((datetime.datetime.strptime(sys.argv[1],'%Y%m%d').date()\
         -datetime.datetime.now(datetime.timezone.utc).date()).days)",
        [std::str::from_utf8(&values[2]).unwrap()],
    );
    assert!(
        ["89\n", "90\n"].contains(&days.ok().stdout().as_str()),
        "{:?}",
        values[2]
    );
    assert_eq!(values[3], CK_ULONG::to_ne_bytes(0));
    assert_eq!(values[4], CK_ULONG::to_ne_bytes(1));
    assert_eq!(&values[5][..3], b"kek");

    let unwrapped = session
        .unwrap(CKM_KMS_SYMMETRIC, key, &before, &aes_template())
        .unwrap();
    assert_eq!(session.get(unwrapped, CKA_VALUE), Ok(vec![5; 32]));
    let after = session.wrap(CKM_KMS_SYMMETRIC, key, secret).unwrap();
    assert_eq!(opened(&world, &after, &json!({})), [5; 32]);
    world.take_calls();
    // A find, and everything else that is known of the key, asks nobody.
    session.find_one(&[label("kek"), flag(CKA_WRAP, true)]);
    session.size(key).unwrap();
    assert_eq!(
        session.find(&[flag(CKA_KMS_ROTATION_ENABLED, true)]),
        Ok(Vec::new())
    );
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn rotation_that_may_not_be_asked_hides_nothing_else() {
    let world = World::start();
    let (session, key) = with_key(&world);
    world.fail("GetKeyRotationStatus", "AccessDeniedException", 1);
    let (mut enabled, mut name) = ([0xff_u8], [0_u8; 3]);
    let attribute = |type_, value: &mut [u8]| CK_ATTRIBUTE {
        type_,
        ulValueLen: value.len() as CK_ULONG,
        pValue: value.as_mut_ptr().cast(),
    };
    let mut template = [
        attribute(CKA_KMS_ROTATION_ENABLED, &mut enabled),
        attribute(CKA_LABEL, &mut name),
    ];
    assert_eq!(session.get_raw(key, &mut template), CKR_FUNCTION_REJECTED);
    assert_eq!(template[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    assert_eq!((enabled, &name), ([0xff], b"kek"));
    world.fail("ListKeyRotations", "AccessDeniedException", 1);
    let refused = session.get(key, CKA_KMS_ON_DEMAND_ROTATIONS);
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    assert!(world.log().contains("kms:ListKeyRotations"));
    // A key that is none of these has none of these attributes.
    let (_, pair) = session.generate_p256("pair", "pair").unwrap();
    world.take_calls();
    let absent = session.get(pair, CKA_KMS_ROTATION_ENABLED);
    assert_eq!(absent, Err(CKR_ATTRIBUTE_TYPE_INVALID));
    assert_eq!(world.take_calls(), calls([]));
}
