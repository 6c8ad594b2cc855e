//! Keys that applications bring along: C_CreateObject and C_UnwrapKey put them into KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;

use common_p11::attribute::{bytes, flag, id, label, private_keys, public_keys, template, ulong};
use common_p11::{Attr, Counts, Mechanism, Rv, Session, World, call, calls, ok};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::{from_hex, hex, python};
use serde_json::{Value, json};

const SCRIPT: &str = include_str!("import_keys.py");
const MESSAGE: &[u8] = b"a message";

/// The numbers of an RSA private key, in the order of the script.
const RSA_NUMBERS: [CK_ATTRIBUTE_TYPE; 8] = [
    CKA_MODULUS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_PRIME_2,
    CKA_EXPONENT_1,
    CKA_EXPONENT_2,
    CKA_COEFFICIENT,
];

/// Kinds of EC keys, and their CKA_EC_PARAMS.
const CURVES: [(&str, &str); 4] = [
    ("P-256", "06082a8648ce3d030107"),
    ("P-384", "06052b81040022"),
    ("P-521", "06052b81040023"),
    ("secp256k1", "06052b8104000a"),
];

const HMACS: [(usize, CK_KEY_TYPE, CK_MECHANISM_TYPE, &str); 4] = [
    (28, CKK_SHA224_HMAC, CKM_SHA224_HMAC, "sha224"),
    (32, CKK_GENERIC_SECRET, CKM_SHA256_HMAC, "sha256"),
    (48, CKK_SHA384_HMAC, CKM_SHA384_HMAC, "sha384"),
    (64, CKK_GENERIC_SECRET, CKM_SHA512_HMAC, "sha512"),
];

/// The emulator takes its time to make the key that material is wrapped under: no request is repeated for that.
const PATIENT: &str = "attempt_timeout = 60";

/// What importing a pair asks of KMS, once the keys of the token are listed.
fn import_calls() -> Counts {
    calls([
        ("CreateKey", 1),
        ("GetParametersForImport", 1),
        ("ImportKeyMaterial", 1),
        ("GetPublicKey", 1),
    ])
}

#[test]
fn a_private_key_of_every_kind_signs_in_kms_and_is_known_for_imported_after_a_restart() {
    let world = World::with(PATIENT);
    let kinds = ["RSA-2048", "RSA-3072"];
    let kinds: Vec<&str> = kinds
        .into_iter()
        .chain(CURVES.map(|(kind, _)| kind))
        .collect();
    let keys = make(&kinds);
    let session = world.module.session();
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    world.take_calls();
    for (kind, key) in kinds.iter().zip(&keys) {
        let mut wanted = private_template(kind, key);
        wanted.extend([id(kind), label(kind), flag(CKA_SENSITIVE, true)]);
        let object = session.create(&wanted).unwrap();
        assert_eq!(world.take_calls(), import_calls(), "{kind}");
        assert_eq!(session.find(&[private_keys(), id(kind)]), Ok(vec![object]));
    }
    let public_info = from_hex(text(&keys[0], "spki"));
    let public = session.find_one(&[public_keys(), id(kinds[0])]);
    assert_eq!(session.get(public, CKA_PUBLIC_KEY_INFO), Ok(public_info));
    assert_eq!(world.take_calls(), calls([]), "all of it was known");

    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        let mut signatures = Vec::new();
        for (kind, key) in kinds.iter().zip(&keys) {
            let object = session.find_one(&[private_keys(), id(kind), label(kind)]);
            for type_ in [
                CKA_LOCAL,
                CKA_ALWAYS_SENSITIVE,
                CKA_NEVER_EXTRACTABLE,
                CKA_EXTRACTABLE,
            ] {
                assert_eq!(session.get(object, type_), Ok(vec![0]), "{kind} {type_:#x}");
            }
            let mechanism = session.get(object, CKA_KEY_GEN_MECHANISM);
            let unknown = CK_UNAVAILABLE_INFORMATION.to_ne_bytes().to_vec();
            assert_eq!(mechanism, Ok(unknown), "{kind}");
            assert_eq!(session.get(object, CKA_SENSITIVE), Ok(vec![1]));
            let mechanism = if kind.starts_with("RSA") {
                CKM_SHA256_RSA_PKCS
            } else {
                CKM_ECDSA_SHA256
            };
            let signature = session.sign(mechanism, object, MESSAGE).unwrap();
            signatures.push(format!("{},{}", text(key, "spki"), hex(&signature)));
        }
        assert_eq!(check(&signatures), vec![true; kinds.len()]);
    }
    let expected = [
        ("ListKeys", 1),
        ("ListResourceTags", 6),
        ("GetPublicKey", 6),
        ("Sign", 12),
    ];
    assert_eq!(
        world.take_calls(),
        calls(expected),
        "what tells it is in the tags"
    );
}

#[test]
fn an_hmac_key_of_every_length_makes_the_macs_of_its_bytes() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    for (len, key_type, mechanism, hash) in HMACS {
        let value: Vec<u8> = (1..).take(len).collect();
        world.take_calls();
        let object = session.create(&secret_template(key_type, &value)).unwrap();
        let expected = [
            ("CreateKey", 1),
            ("GetParametersForImport", 1),
            ("ImportKeyMaterial", 1),
            ("DescribeKey", 1),
        ];
        assert_eq!(world.take_calls(), calls(expected));
        assert_eq!(
            session.get(object, CKA_KEY_TYPE),
            Ok(key_type.to_ne_bytes().to_vec())
        );
        for type_ in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            assert_eq!(session.get(object, type_), Ok(vec![0]));
        }
        assert_eq!(session.get(object, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        let mac = session.sign(mechanism, object, MESSAGE).unwrap();
        let script = "import hmac, sys; key, message = map(bytes.fromhex, sys.argv[2:]); \
                      print(hmac.new(key, message, sys.argv[1]).hexdigest())";
        let expected = python(script, [hash, &hex(&value), &hex(MESSAGE)])
            .ok()
            .stdout();
        assert_eq!(hex(&mac), expected.trim());
    }
}

#[test]
fn what_the_template_says_of_usage_names_and_mechanisms_is_what_the_key_gets() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    let [rsa, p256] = &make(&["RSA-2048", "P-256"])[..] else {
        panic!("two keys");
    };
    let mut decrypts = private_template("RSA-2048", rsa);
    decrypts.extend([flag(CKA_DECRYPT, true), id([1]), flag(CKA_SIGN, false)]);
    decrypts.push(bytes(CKA_PUBLIC_KEY_INFO, from_hex(text(rsa, "spki"))));
    let decrypts = session.create(&decrypts).unwrap();
    assert_eq!(session.get(decrypts, CKA_DECRYPT), Ok(vec![1]));
    assert_eq!(session.get(decrypts, CKA_SIGN), Ok(vec![0]));

    let mut derives = private_template("P-256", p256);
    let allowed = bytes(CKA_ALLOWED_MECHANISMS, CKM_ECDH1_DERIVE.to_ne_bytes());
    derives.extend([
        flag(CKA_DERIVE, true),
        flag(CKA_SIGN, false),
        allowed.clone(),
    ]);
    let derives = session.create(&derives).unwrap();
    assert_eq!(session.get(derives, CKA_DERIVE), Ok(vec![1]));
    assert_eq!(
        session.get(derives, CKA_ALLOWED_MECHANISMS),
        Ok(allowed.value)
    );
}

#[test]
fn what_makes_no_key_is_refused_before_kms_is_asked() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    world.take_calls();
    let [rsa, p256, other] = &make(&["RSA-2048", "P-256", "P-256"])[..] else {
        panic!("three keys");
    };
    let mut refused: Vec<(Vec<Attr>, CK_RV)> = Vec::new();
    let whole = private_template("RSA-2048", rsa);
    for type_ in RSA_NUMBERS {
        let without = whole.iter().filter(|attribute| attribute.type_ != type_);
        refused.push((without.cloned().collect(), CKR_TEMPLATE_INCOMPLETE));
        let changed = changed(&whole, type_, |value| *value.last_mut().unwrap() ^= 2);
        refused.push((changed, CKR_ATTRIBUTE_VALUE_INVALID));
    }
    let whole = private_template("P-256", p256);
    let order = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    for value in [&[0; 32][..], &order, &[1; 33], &[]] {
        let changed = changed(&whole, CKA_VALUE, |given| *given = value.to_vec());
        refused.push((changed, CKR_ATTRIBUTE_VALUE_INVALID));
    }
    for (type_, value, rv) in [
        (
            CKA_EC_PARAMS,
            from_hex("06092b2403030208010107"),
            CKR_CURVE_NOT_SUPPORTED,
        ),
        (
            CKA_PUBLIC_KEY_INFO,
            from_hex(text(other, "spki")),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (CKA_LOCAL, vec![0], CKR_ATTRIBUTE_READ_ONLY),
        (CKA_ALWAYS_SENSITIVE, vec![0], CKR_ATTRIBUTE_READ_ONLY),
        (CKA_EXTRACTABLE, vec![1], CKR_TEMPLATE_INCONSISTENT),
        (CKA_SIGN, vec![0], CKR_TEMPLATE_INCONSISTENT),
        (CKA_MODULUS, vec![1], CKR_TEMPLATE_INCONSISTENT),
        (0x7fff_ffff, vec![1], CKR_ATTRIBUTE_TYPE_INVALID),
    ] {
        let mut wanted: Vec<Attr> = whole.clone();
        wanted.retain(|attribute| attribute.type_ != type_);
        wanted.push(bytes(type_, value));
        refused.push((wanted, rv));
    }
    for key_type in [CKK_EC_EDWARDS, CKK_ML_DSA, CKK_ML_KEM, CKK_DSA] {
        let of_type = ulong(CKA_KEY_TYPE, key_type);
        let wanted = vec![
            private_keys(),
            flag(CKA_TOKEN, true),
            of_type,
            bytes(CKA_VALUE, [1; 32]),
        ];
        refused.push((wanted, CKR_ATTRIBUTE_VALUE_INVALID));
    }
    refused.push((
        secret_template(CKK_DES3, &[1; 24]),
        CKR_TEMPLATE_INCONSISTENT,
    ));
    refused.push((
        secret_template(CKK_GENERIC_SECRET, &[1; 33]),
        CKR_ATTRIBUTE_VALUE_INVALID,
    ));
    refused.push((
        secret_template(CKK_SHA256_HMAC, &[1; 48]),
        CKR_ATTRIBUTE_VALUE_INVALID,
    ));
    for (wanted, rv) in &refused {
        let types: Vec<_> = wanted.iter().map(|attribute| attribute.type_).collect();
        assert_eq!(session.create(wanted), Err(*rv), "{types:x?}");
    }
    let log = world.log();
    for kind in ["Ed25519", "ML-DSA", "ML-KEM"] {
        assert!(
            log.contains(&format!("KMS imports no {kind} keys")),
            "{log}"
        );
    }
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    assert_eq!(read_only.create(&whole), Err(CKR_SESSION_READ_ONLY));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_failed_import_leaves_no_key_behind_that_nobody_knows_of() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    let key = &make(&["P-256"])[0];
    let wanted = private_template("P-256", key);
    for operation in ["GetParametersForImport", "ImportKeyMaterial"] {
        world.take_calls();
        world.fail(operation, "AccessDeniedException", 1);
        assert_eq!(session.create(&wanted), Err(CKR_FUNCTION_REJECTED));
        let counts = world.take_calls();
        assert_eq!(counts["ScheduleKeyDeletion"], 1, "{counts:?}");
        assert_eq!(counts.get("GetPublicKey"), None, "{counts:?}");
        let keys = world.ask("ListKeys", &json!({}));
        let states = keys["Keys"].as_array().unwrap().iter().map(|key| {
            let described = world.ask("DescribeKey", &json!({ "KeyId": key["KeyId"] }));
            described["KeyMetadata"]["KeyState"].clone()
        });
        assert!(states.eq(vec![
            "PendingDeletion";
            keys["Keys"].as_array().unwrap().len()
        ]));
    }
    assert_eq!(world.log().matches("it is deleted in 7 days").count(), 2);
    assert_eq!(session.find(&[]), Ok(Vec::new()));

    world.fail("ImportKeyMaterial", "AccessDeniedException", 1);
    world.fail("ScheduleKeyDeletion", "AccessDeniedException", 1);
    assert_eq!(session.create(&wanted), Err(CKR_FUNCTION_REJECTED));
    let log = world.log();
    let named = log
        .lines()
        .find(|line| line.contains("it stays, waiting for its material"));
    assert!(named.unwrap().contains("arn:aws:kms:"), "{log}");
}

#[test]
fn a_key_that_is_not_visible_at_once_is_waited_for() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    session.find(&[]).unwrap();
    world.emulator.set_stale_reads(1);
    world.fail("GetParametersForImport", "ThrottlingException", 1);
    let key = &make(&["P-256"])[0];
    session.create(&private_template("P-256", key)).unwrap();
    let counts = world.take_calls();
    assert_eq!(counts["CreateKey"], 1);
    assert_eq!(counts["ImportKeyMaterial"], 1);
    assert_eq!(counts.get("ScheduleKeyDeletion"), None);
}

#[test]
fn material_that_expired_is_imported_again_and_no_other() {
    // A key of this process that cannot be used is waited for until these deadlines.
    let settings = "import_lifetime_days = 30\ndeadline = 2\nlisting_deadline = 2";
    let world = World::with(&format!("{settings}\n{PATIENT}"));
    let session = world.module.session();
    let [key, other] = &make(&["P-256", "P-256"])[..] else {
        panic!("two keys");
    };
    let names = [id([7]), label("ca")];
    let wanted = [private_template("P-256", key), names.to_vec()].concat();
    let object = session.create(&wanted).unwrap();
    let arn = String::from_utf8(session.get(object, CKA_UNIQUE_ID).unwrap()).unwrap();
    let metadata = world.ask("DescribeKey", &json!({ "KeyId": arn }))["KeyMetadata"].take();
    assert_eq!(metadata["ExpirationModel"], "KEY_MATERIAL_EXPIRES");
    let lifetime =
        metadata["ValidTo"].as_f64().unwrap() - metadata["CreationDate"].as_f64().unwrap();
    assert!((lifetime / 86400.0 - 30.0).abs() < 0.01, "{metadata}");

    // As it does when it expires.
    world.ask("DeleteImportedKeyMaterial", &json!({ "KeyId": arn }));
    assert!(session.sign(CKM_ECDSA_SHA256, object, MESSAGE).is_err());
    let otherwise = [private_template("P-256", other), names.to_vec()].concat();
    assert_eq!(session.create(&otherwise), Err(CKR_ATTRIBUTE_VALUE_INVALID));
    assert!(
        world.log().contains("it had before and no other"),
        "{}",
        world.log()
    );
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
            ("DescribeKey", 1),
            ("GetParametersForImport", 1),
            ("ImportKeyMaterial", 1),
            ("GetPublicKey", 1),
        ];
        assert_eq!(world.take_calls(), calls(expected), "no new key");
        assert_eq!(
            session.get(again, CKA_UNIQUE_ID),
            Ok(arn.clone().into_bytes())
        );
        let signature = session.sign(CKM_ECDSA_SHA256, again, MESSAGE).unwrap();
        assert_eq!(
            check(&[format!("{},{}", text(key, "spki"), hex(&signature))]),
            [true]
        );
    }
    // A key that has its material is not touched: this is another one.
    let session = world.module.session();
    session.create(&otherwise).unwrap();
    assert_eq!(session.find(&[private_keys(), id([7])]).unwrap().len(), 2);
}

#[test]
fn the_public_half_that_programs_create_beside_the_private_one_is_the_pairs_own() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    let key = &make(&["P-256"])[0];
    let (_, params) = CURVES[0];
    let spki = from_hex(text(key, "spki"));
    let point = spki[spki.len() - 65..].to_vec();
    let names = [id([1]), label("pair")];
    let public = |names: &[Attr]| {
        let value = [
            public_keys(),
            ulong(CKA_KEY_TYPE, CKK_EC),
            flag(CKA_TOKEN, true),
            flag(CKA_VERIFY, true),
            bytes(CKA_EC_PARAMS, from_hex(params)),
            bytes(CKA_EC_POINT, [&[0x04, 65][..], &point].concat()),
        ];
        [&value[..], names].concat()
    };
    assert_eq!(
        session.create(&public(&names)),
        Err(CKR_TEMPLATE_INCONSISTENT)
    );
    let private = [private_template("P-256", key), names.to_vec()].concat();
    session.create(&private).unwrap();
    world.take_calls();
    let created = session.create(&public(&names)).unwrap();
    assert_eq!(world.take_calls(), calls([]));
    assert_eq!(session.find(&[public_keys(), id([1])]), Ok(vec![created]));
    assert_eq!(session.create(&public(&[])), Ok(created));
    let other_name = [id([1]), label("other")];
    assert_eq!(
        session.create(&public(&other_name)),
        Err(CKR_TEMPLATE_INCONSISTENT)
    );
}

#[test]
fn a_wrapped_private_key_is_unwrapped_into_kms() {
    let world = World::with(PATIENT);
    let kms_key = NewKeys::new(1, "RSA_2048", "ENCRYPT_DECRYPT").tag("p11:id", "aa");
    world.create_keys(&kms_key);
    let session = world.module.session();
    let kinds = ["RSA-2048", "P-521"];
    let keys = make(&kinds);
    let unwrapping = session.find_one(&[private_keys(), id([0xaa])]);
    let wrapping = session.find_one(&[public_keys(), id([0xaa])]);
    let spki = hex(&session.get(wrapping, CKA_PUBLIC_KEY_INFO).unwrap());
    let mut arguments = vec!["wrap".to_owned(), spki];
    arguments.extend(keys.iter().map(|key| text(key, "pkcs8").to_owned()));
    let wrapped: Vec<String> =
        serde_json::from_str(&python(SCRIPT, arguments).ok().stdout()).unwrap();
    let mut signatures = Vec::new();
    for ((kind, key), wrapped) in kinds.iter().zip(&keys).zip(&wrapped) {
        let wrapped = from_hex(wrapped);
        let wanted = unwrap_template(kind);
        world.take_calls();
        let object = unwrap(session, &rsa_aes(256), unwrapping, &wrapped, &wanted).unwrap();
        let mut expected = import_calls();
        expected.insert("Decrypt".to_owned(), 1);
        assert_eq!(world.take_calls(), expected, "{kind}");
        for type_ in [CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
            assert_eq!(session.get(object, type_), Ok(vec![0]));
        }
        let mechanism = if *kind == "P-521" {
            CKM_ECDSA_SHA256
        } else {
            CKM_SHA256_RSA_PKCS
        };
        let signature = session.sign(mechanism, object, MESSAGE).unwrap();
        signatures.push(format!("{},{}", text(key, "spki"), hex(&signature)));
    }
    assert_eq!(check(&signatures), [true, true]);

    // What is no such key, or not wrapped so, makes none.
    world.take_calls();
    let good = from_hex(&wrapped[1]);
    let refused = |wrapped: &[u8], wanted: &[Attr]| {
        unwrap(session, &rsa_aes(256), unwrapping, wrapped, wanted)
    };
    let wanted = unwrap_template("P-521");
    assert_eq!(
        refused(&good[..255], &wanted),
        Err(CKR_WRAPPED_KEY_LEN_RANGE)
    );
    assert_eq!(
        refused(&good[..256 + 20], &wanted),
        Err(CKR_WRAPPED_KEY_LEN_RANGE)
    );
    let with_value = [wanted.clone(), vec![bytes(CKA_VALUE, [1; 66])]].concat();
    assert_eq!(refused(&good, &with_value), Err(CKR_ATTRIBUTE_READ_ONLY));
    assert_eq!(world.take_calls(), calls([]));
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&changed, &wanted), Err(CKR_WRAPPED_KEY_INVALID));
    assert_eq!(
        refused(&good, &unwrap_template("RSA-2048")),
        Err(CKR_TEMPLATE_INCONSISTENT)
    );
    assert_eq!(world.take_calls(), calls([("Decrypt", 2)]));
}

#[test]
fn a_private_key_under_a_session_key_is_unwrapped_into_kms_and_others_are_refused() {
    let world = World::with(PATIENT);
    let session = world.module.session();
    let kinds = ["P-256", "Ed25519", "ML-DSA"];
    let keys = make(&kinds);
    let value: Vec<u8> = (0..32).collect();
    let kek = session
        .create(&[
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_AES),
            bytes(CKA_VALUE, &value),
        ])
        .unwrap();
    let script = "import sys; from cryptography.hazmat.primitives import keywrap; \
                  kek, *keys = map(bytes.fromhex, sys.argv[1:]); \
                  [print(keywrap.aes_key_wrap_with_padding(kek, key).hex()) for key in keys]";
    let mut arguments = vec![hex(&value)];
    arguments.extend(keys.iter().map(|key| text(key, "pkcs8").to_owned()));
    let printed = python(script, arguments).ok().stdout();
    let wrapped: Vec<Vec<u8>> = printed.lines().map(from_hex).collect();
    let kwp = Mechanism::from(CKM_AES_KEY_WRAP_KWP);
    let wanted = unwrap_template("P-256");
    let object = unwrap(session, &kwp, kek, &wrapped[0], &wanted).unwrap();
    let signature = session.sign(CKM_ECDSA_SHA256, object, MESSAGE).unwrap();
    assert_eq!(
        check(&[format!("{},{}", text(&keys[0], "spki"), hex(&signature))]),
        [true]
    );
    world.take_calls();
    for other in &wrapped[1..] {
        let made = unwrap(session, &kwp, kek, other, &wanted);
        assert_eq!(made, Err(CKR_WRAPPED_KEY_INVALID));
    }
    assert!(world.log().contains("no Ed25519, ML-DSA or ML-KEM keys"));
    assert_eq!(world.take_calls(), calls([]));
}

/// New keys of these kinds, as the script shows them.
fn make(kinds: &[&str]) -> Vec<Value> {
    let arguments = ["make"].iter().chain(kinds);
    let printed = python(SCRIPT, arguments).ok().stdout();
    printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Whether each of `SPKI,SIGNATURE` is a signature of the message.
fn check(claims: &[String]) -> Vec<bool> {
    let arguments = std::iter::once("check").chain(claims.iter().map(String::as_str));
    serde_json::from_str(&python(SCRIPT, arguments).ok().stdout()).unwrap()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap()
}

/// What an application says of a private key that it brings along.
fn private_template(kind: &str, key: &Value) -> Vec<Attr> {
    let numbers = key["numbers"].as_array().unwrap().iter();
    let mut numbers = numbers.map(|number| from_hex(number.as_str().unwrap()));
    let mut wanted = unwrap_template(kind);
    match CURVES.iter().find(|(curve, _)| *curve == kind) {
        Some((_, params)) => wanted.extend([
            bytes(CKA_EC_PARAMS, from_hex(params)),
            bytes(CKA_VALUE, numbers.next().unwrap()),
        ]),
        None => wanted.extend(
            RSA_NUMBERS
                .iter()
                .map(|type_| bytes(*type_, numbers.next().unwrap())),
        ),
    }
    wanted
}

/// The same of one that is wrapped.
fn unwrap_template(kind: &str) -> Vec<Attr> {
    let key_type = if kind.starts_with("RSA") {
        CKK_RSA
    } else {
        CKK_EC
    };
    vec![
        private_keys(),
        ulong(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
    ]
}

fn secret_template(key_type: CK_KEY_TYPE, value: &[u8]) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
        bytes(CKA_VALUE, value),
    ]
}

fn changed(wanted: &[Attr], type_: CK_ATTRIBUTE_TYPE, change: impl Fn(&mut Vec<u8>)) -> Vec<Attr> {
    let mut wanted = wanted.to_vec();
    let attribute = wanted.iter_mut().find(|attribute| attribute.type_ == type_);
    change(&mut attribute.unwrap().value);
    wanted
}

/// CKM_RSA_AES_KEY_WRAP with RSAES-OAEP of SHA-256.
fn rsa_aes(aes_bits: CK_ULONG) -> Mechanism {
    let oaep: &'static Vec<u8> = Box::leak(Box::new(Mechanism::oaep_sha256().1));
    let fields = [aes_bits, oaep.as_ptr() as CK_ULONG];
    let parameter = fields.iter().flat_map(|field| field.to_ne_bytes());
    Mechanism(CKM_RSA_AES_KEY_WRAP, parameter.collect())
}

fn unwrap(
    session: Session<'_>,
    mechanism: &Mechanism,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    wanted: &[Attr],
) -> Rv<CK_OBJECT_HANDLE> {
    let mut wanted = template(wanted);
    let mut key = 0;
    ok(call!(
        session.module,
        C_UnwrapKey,
        session.handle,
        ptr::from_mut(&mut mechanism.raw()),
        unwrapping_key,
        wrapped.as_ptr().cast_mut(),
        wrapped.len() as CK_ULONG,
        wanted.as_mut_ptr(),
        wanted.len() as CK_ULONG,
        &raw mut key
    ))?;
    Ok(key)
}
