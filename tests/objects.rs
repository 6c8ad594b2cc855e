//! Objects: their attributes, the templates that find them, their names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::BTreeMap;
use std::ptr;

use common_p11::attribute::{Attr, P256, bytes, flag, id, label, private_keys, public_keys, ulong};
use common_p11::{World, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::{from_hex, python};
use serde_json::{Value, json};

/// Key specs with a usage each, and the mechanisms that an object of theirs can be used with.
const KEYS: [(&str, &str, &[CK_MECHANISM_TYPE]); 16] = [
    ("ECC_NIST_P256", "SIGN_VERIFY", ECDSA),
    ("ECC_NIST_P384", "SIGN_VERIFY", ECDSA),
    ("ECC_NIST_P521", "SIGN_VERIFY", ECDSA),
    ("ECC_SECG_P256K1", "SIGN_VERIFY", ECDSA),
    ("ECC_NIST_P256", "KEY_AGREEMENT", ECDH),
    ("RSA_2048", "SIGN_VERIFY", RSA_SIGN),
    (
        "RSA_2048",
        "ENCRYPT_DECRYPT",
        &[CKM_RSA_PKCS_OAEP, CKM_RSA_AES_KEY_WRAP],
    ),
    ("RSA_3072", "SIGN_VERIFY", RSA_SIGN),
    (
        "RSA_4096",
        "ENCRYPT_DECRYPT",
        &[CKM_RSA_PKCS_OAEP, CKM_RSA_AES_KEY_WRAP],
    ),
    ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY", &[CKM_EDDSA]),
    ("ML_DSA_44", "SIGN_VERIFY", ML_DSA),
    ("ML_DSA_87", "SIGN_VERIFY", ML_DSA),
    ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", &[CKM_ML_KEM]),
    (
        "HMAC_224",
        "GENERATE_VERIFY_MAC",
        &[CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL],
    ),
    (
        "HMAC_256",
        "GENERATE_VERIFY_MAC",
        &[CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL],
    ),
    (
        "HMAC_512",
        "GENERATE_VERIFY_MAC",
        &[CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL],
    ),
];

/// What the standard knows keys of a spec as: by the beginning of its name, the key type, the mechanism
/// that makes such keys, and CKA_PARAMETER_SET or CKA_VALUE_LEN.
const KINDS: [(&str, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_ULONG); 9] = [
    ("RSA_", CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, 0),
    (
        "ECC_NIST_EDWARDS25519",
        CKK_EC_EDWARDS,
        CKM_EC_EDWARDS_KEY_PAIR_GEN,
        0,
    ),
    ("ECC_", CKK_EC, CKM_EC_KEY_PAIR_GEN, 0),
    (
        "ML_DSA_44",
        CKK_ML_DSA,
        CKM_ML_DSA_KEY_PAIR_GEN,
        CKP_ML_DSA_44,
    ),
    (
        "ML_DSA_87",
        CKK_ML_DSA,
        CKM_ML_DSA_KEY_PAIR_GEN,
        CKP_ML_DSA_87,
    ),
    (
        "ML_KEM_768",
        CKK_ML_KEM,
        CKM_ML_KEM_KEY_PAIR_GEN,
        CKP_ML_KEM_768,
    ),
    (
        "HMAC_224",
        CKK_GENERIC_SECRET,
        CKM_GENERIC_SECRET_KEY_GEN,
        28,
    ),
    (
        "HMAC_256",
        CKK_GENERIC_SECRET,
        CKM_GENERIC_SECRET_KEY_GEN,
        32,
    ),
    (
        "HMAC_512",
        CKK_GENERIC_SECRET,
        CKM_GENERIC_SECRET_KEY_GEN,
        64,
    ),
];

const ML_DSA: &[CK_MECHANISM_TYPE] = &[
    CKM_ML_DSA,
    CKM_HASH_ML_DSA,
    CKM_HASH_ML_DSA_SHA224,
    CKM_HASH_ML_DSA_SHA256,
    CKM_HASH_ML_DSA_SHA384,
    CKM_HASH_ML_DSA_SHA512,
];

const ECDH: &[CK_MECHANISM_TYPE] = &[CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE];
const ECDSA: &[CK_MECHANISM_TYPE] = &[
    CKM_ECDSA,
    CKM_ECDSA_SHA1,
    CKM_ECDSA_SHA224,
    CKM_ECDSA_SHA256,
    CKM_ECDSA_SHA384,
    CKM_ECDSA_SHA512,
];

const RSA_SIGN: &[CK_MECHANISM_TYPE] = &[
    CKM_RSA_PKCS,
    CKM_SHA256_RSA_PKCS,
    CKM_SHA384_RSA_PKCS,
    CKM_SHA512_RSA_PKCS,
    CKM_RSA_PKCS_PSS,
    CKM_SHA256_RSA_PKCS_PSS,
    CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA512_RSA_PKCS_PSS,
];

/// The parts of the private or secret key, by key type: there, and never shown.
const SECRETS: [(CK_KEY_TYPE, &[CK_ATTRIBUTE_TYPE]); 6] = [
    (
        CKK_RSA,
        &[
            CKA_PRIVATE_EXPONENT,
            CKA_PRIME_1,
            CKA_PRIME_2,
            CKA_EXPONENT_1,
            CKA_EXPONENT_2,
            CKA_COEFFICIENT,
        ],
    ),
    (CKK_EC, &[CKA_VALUE]),
    (CKK_EC_EDWARDS, &[CKA_VALUE]),
    (CKK_ML_DSA, &[CKA_VALUE, CKA_SEED]),
    (CKK_ML_KEM, &[CKA_VALUE, CKA_SEED]),
    (CKK_GENERIC_SECRET, &[CKA_VALUE]),
];

#[test]
fn every_attribute_has_the_value_that_the_public_key_gives_it_and_no_other_exists() {
    let world = World::start();
    let session = world.module.session();
    for object in all_objects(&world) {
        let handle = session.find_one(&[object.class(), id(&object.id)]);
        // Every attribute type of the standard, and more.
        let arrays = (0..0x800).map(|type_| CKF_ARRAY_ATTRIBUTE | type_);
        for type_ in (0..0x800).chain(arrays) {
            let expected = match object.attributes.get(&type_) {
                Some(value) => Ok(value.clone()),
                None if object.secrets().contains(&type_) => Err(CKR_ATTRIBUTE_SENSITIVE),
                None => Err(CKR_ATTRIBUTE_TYPE_INVALID),
            };
            let found = session.get(handle, type_);
            assert_eq!(found, expected, "{} {type_:#x}", object.name);
        }
    }
}

#[test]
fn a_template_with_any_attribute_of_an_object_finds_it_and_with_another_value_does_not() {
    let world = World::start();
    let session = world.module.session();
    for object in all_objects(&world) {
        let handle = session.find_one(&[object.class(), id(&object.id)]);
        let found = |attribute: Attr| {
            let with_class = [object.class(), attribute.clone()];
            let found = session.find(&[attribute]).unwrap();
            let narrowed = session.find(&with_class).unwrap();
            assert!(narrowed.iter().all(|one| found.contains(one)));
            found.contains(&handle)
        };
        for (type_, value) in &object.attributes {
            assert!(found(bytes(*type_, value)), "{} {type_:#x}", object.name);
            let longer = [value, &[1][..]].concat();
            let other = value.iter().map(|byte| !byte).chain([0xff]).collect();
            for wrong in [longer, other] {
                assert!(!found(bytes(*type_, wrong)), "{} {type_:#x}", object.name);
            }
        }
        for type_ in object
            .secrets()
            .iter()
            .copied()
            .chain([0x7ff, CKA_VENDOR_DEFINED])
        {
            assert!(!found(bytes(type_, [1])), "{} {type_:#x}", object.name);
            assert!(!found(bytes(type_, [])), "{} {type_:#x}", object.name);
        }
    }
}

#[test]
fn all_attributes_together_find_one_object() {
    let world = World::start();
    let session = world.module.session();
    for object in all_objects(&world) {
        let all: Vec<Attr> = object
            .attributes
            .iter()
            .map(|(type_, value)| bytes(*type_, value))
            .collect();
        session.find_one(&all);
    }
}

#[test]
fn get_attribute_value_answers_all_although_some_fail() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1, 2, 3], "label").unwrap();
    let mut buffers = [[0xa5u8; 16]; 5];
    let [first, secret, absent, small, last] = &mut buffers;
    let mut template = [
        attribute(CKA_ID, first, 16),
        attribute(CKA_VALUE, secret, 16),
        attribute(CKA_MODULUS, absent, 16),
        attribute(CKA_LABEL, small, 4),
        attribute(CKA_LABEL, last, 16),
        CK_ATTRIBUTE {
            type_: CKA_EC_POINT,
            pValue: ptr::null_mut(),
            ulValueLen: 1,
        },
    ];
    let rv = session.get_raw(private, &mut template);
    assert_eq!(
        rv, CKR_ATTRIBUTE_SENSITIVE,
        "the first failure is the answer"
    );
    let lengths = template.map(|attribute| attribute.ulValueLen);
    let unavailable = CK_UNAVAILABLE_INFORMATION;
    assert_eq!(
        lengths,
        [3, unavailable, unavailable, unavailable, 5, unavailable]
    );
    assert_eq!(first[..4], [1, 2, 3, 0xa5]);
    assert_eq!(last[..6], *b"label\xa5");
    for untouched in [secret, absent, small] {
        assert_eq!(*untouched, [0xa5; 16]);
    }
    assert_eq!(session.get_raw(private, &mut template[..1]), CKR_OK);
    assert_eq!(
        session.get_raw(private, &mut template[2..3]),
        CKR_ATTRIBUTE_TYPE_INVALID
    );
    assert_eq!(
        session.get(public, CKA_EC_POINT).map(|point| point.len()),
        Ok(67)
    );
}

#[test]
fn names_of_any_bytes_come_back_after_a_restart() {
    let world = World::start();
    let session = world.module.session();
    let pseudo_random: Vec<u8> = (0..32u8).map(|n| n.wrapping_mul(151) ^ 0x5a).collect();
    let names: [(&[u8], &[u8]); 6] = [
        (&pseudo_random, &pseudo_random),
        (&[0; 32], &[0xff; 32]),
        (b"\x00", b" blanks at both ends "),
        (b"=", b"=41 is not A = yet"),
        (b"a", "\u{416}\u{44b} \u{1f511}".as_bytes()),
        (&[7; 128], &[b'x'; 256]),
    ];
    for (key_id, key_label) in names {
        session.generate_p256(key_id, key_label).unwrap();
    }
    world.restart();
    let session = world.module.session();
    for (key_id, key_label) in names {
        for class in [private_keys(), public_keys()] {
            let key = session.find_one(&[class.clone(), id(key_id)]);
            assert_eq!(session.find_one(&[class, label(key_label)]), key);
            assert_eq!(session.get(key, CKA_ID).as_deref(), Ok(key_id));
            assert_eq!(session.get(key, CKA_LABEL).as_deref(), Ok(key_label));
        }
    }
}

#[test]
fn an_empty_name_is_a_name_and_matches() {
    let world = World::start();
    let session = world.module.session();
    session.generate_p256("", "").unwrap();
    session.generate_p256([1], "other").unwrap();
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        let key = session.find_one(&[private_keys(), label("")]);
        assert_eq!(session.find_one(&[private_keys(), id(""), label("")]), key);
        assert_eq!(session.get(key, CKA_LABEL), Ok(Vec::new()));
        assert_eq!(session.get(key, CKA_ID), Ok(Vec::new()));
    }
}

#[test]
fn the_halves_of_a_pair_may_be_named_differently() {
    let world = World::start();
    let names = |name: &str| [id(name), label(name), flag(CKA_TOKEN, true)];
    let public = [&names("public")[..], &[bytes(CKA_EC_PARAMS, P256)]].concat();
    let session = world.module.session();
    session
        .generate(CKM_EC_KEY_PAIR_GEN, &public, &names("private"))
        .unwrap();
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        for (class, name) in [(private_keys(), "private"), (public_keys(), "public")] {
            let key = session.find_one(std::slice::from_ref(&class));
            assert_eq!(session.find(&[id(name)]), Ok(vec![key]));
            assert_eq!(session.find(&[label(name), class]), Ok(vec![key]));
        }
    }
}

#[test]
fn renaming_a_private_key_renames_its_pair_for_everybody() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "old").unwrap();
    session
        .set(private, &[label("new"), id([0xbe, 0xef])])
        .unwrap();
    assert_eq!(session.find(&[label("old")]), Ok(Vec::new()));
    assert_eq!(session.find(&[id([1])]), Ok(Vec::new()));
    assert_eq!(
        session.find(&[label("new"), id([0xbe, 0xef])]),
        Ok(vec![private, public]),
        "the handles stay"
    );
    session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();

    let shown = world.pkcs11_tool(&["-O"]);
    assert_eq!(shown.matches("label:      new\n").count(), 2, "{shown}");
    assert_eq!(shown.matches("ID:         beef\n").count(), 2, "{shown}");
    world.restart();
    let found = world
        .module
        .session()
        .find(&[label("new"), id([0xbe, 0xef])]);
    assert_eq!(found.unwrap().len(), 2);
}

#[test]
fn renaming_a_public_key_leaves_its_private_key_alone() {
    let world = World::start();
    let session = world.module.session();
    let (public, _) = session.generate_p256([1], "old").unwrap();
    session.set(public, &[label("new"), id([2])]).unwrap();
    world.restart();
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1]), label("old")]);
    session.find_one(&[public_keys(), id([2]), label("new")]);
}

#[test]
fn what_cannot_be_set_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    world.take_calls();
    let cases = [
        (
            private,
            flag(CKA_EXTRACTABLE, true),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (private, flag(CKA_SIGN, false), CKR_ATTRIBUTE_READ_ONLY),
        (public, flag(CKA_TOKEN, false), CKR_ATTRIBUTE_READ_ONLY),
        (public, flag(CKA_SIGN, false), CKR_ATTRIBUTE_TYPE_INVALID),
        (
            private,
            bytes(CKA_VENDOR_DEFINED, [1]),
            CKR_ATTRIBUTE_TYPE_INVALID,
        ),
        (private, id([0; 129]), CKR_ATTRIBUTE_VALUE_INVALID),
        (private, label([b'%'; 86]), CKR_ATTRIBUTE_VALUE_INVALID),
        (private, label("twice"), CKR_TEMPLATE_INCONSISTENT),
        (public + 1000, label("x"), CKR_OBJECT_HANDLE_INVALID),
    ];
    for (object, attribute, rv) in cases {
        let both = [label("changed"), attribute];
        assert_eq!(session.set(object, &both), Err(rv), "{both:?}");
    }
    assert_eq!(session.get(private, CKA_LABEL).unwrap(), b"key");
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_key_made_elsewhere_is_named_by_its_key_id_and_its_alias() {
    let world = World::start();
    let keys = || NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
    let aliased = world.create_keys(&keys().alias("alias/team/release"));
    let nameless = world.create_keys(&keys().tag("Owner", "somebody"));
    let session = world.module.session();
    for (key_id, expected) in [(&aliased[0], "team/release"), (&nameless[0], &nameless[0])] {
        for class in [private_keys(), public_keys()] {
            let key = session.find_one(&[class, id(uuid(key_id))]);
            assert_eq!(session.get(key, CKA_LABEL).unwrap(), expected.as_bytes());
            assert_eq!(session.get(key, CKA_ID).unwrap().len(), 16);
        }
    }
    // It gets tags of its own as soon as it is given names.
    let key = session.find_one(&[private_keys(), label("team/release")]);
    session.set(key, &[label("renamed")]).unwrap();
    world.restart();
    let session = world.module.session();
    session.find_one(&[private_keys(), label("renamed"), id(uuid(&aliased[0]))]);
}

/// One object of a key, as it has to be.
struct Expected {
    name: String,
    class: CK_OBJECT_CLASS,
    id: Vec<u8>,
    attributes: BTreeMap<CK_ATTRIBUTE_TYPE, Vec<u8>>,
}

impl Expected {
    fn class(&self) -> Attr {
        ulong(CKA_CLASS, self.class)
    }

    fn secrets(&self) -> &'static [CK_ATTRIBUTE_TYPE] {
        let key_type = &self.attributes[&CKA_KEY_TYPE];
        let of_type = SECRETS
            .iter()
            .find(|(known, _)| *key_type == known.to_ne_bytes());
        match of_type {
            Some((_, secrets)) if self.class != CKO_PUBLIC_KEY => secrets,
            _ => &[],
        }
    }
}

/// Makes a key of every kind without the module; answers all of their objects.
fn all_objects(world: &World) -> Vec<Expected> {
    let made: Vec<(String, String)> = KEYS
        .iter()
        .enumerate()
        .map(|(n, (spec, usage, _))| {
            let keys = NewKeys::new(1, *spec, *usage)
                .tag("p11:id", format!("{n:02x}"))
                .tag("p11:label", format!("label {n}"));
            let key = json!({ "KeyId": world.create_keys(&keys)[0] });
            let described = world.ask("DescribeKey", &key);
            let arn = described["KeyMetadata"]["Arn"].as_str().unwrap();
            let public = match *usage {
                "GENERATE_VERIFY_MAC" => Value::Null,
                _ => world.ask("GetPublicKey", &key),
            };
            (arn.to_owned(), public.to_string())
        })
        .collect();
    let answers = made.iter().map(|(_, answer)| answer);
    let parsed = python(include_str!("public_keys.py"), answers)
        .ok()
        .stdout();
    let parsed: Vec<Value> = serde_json::from_str(&parsed).unwrap();
    (0u8..)
        .zip(KEYS.iter().zip(made.iter().zip(&parsed)))
        .flat_map(|(n, ((spec, usage, mechanisms), ((arn, _), parsed)))| {
            let classes: &[_] = if parsed.is_null() {
                &[CKO_SECRET_KEY]
            } else {
                &[CKO_PRIVATE_KEY, CKO_PUBLIC_KEY]
            };
            classes.iter().map(move |class| Expected {
                name: format!("{spec} {usage}, class {class}"),
                class: *class,
                id: vec![n],
                attributes: [
                    of_all(n, spec, arn, *class, used_with(*class, usage, mechanisms)),
                    of_class(*class, usage),
                    of_kind(*class, spec, parsed),
                ]
                .concat()
                .into_iter()
                .map(|one| (one.type_, one.value))
                .collect(),
            })
        })
        .collect()
}

fn kind(spec: &str) -> (CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_ULONG) {
    let kind = KINDS.iter().find(|(begin, ..)| spec.starts_with(begin));
    let (_, key_type, generation, size) = kind.unwrap();
    (*key_type, *generation, *size)
}

/// Of a pair that agrees on secrets, the peer's public key is what a derivation takes: not an object.
fn used_with<'a>(
    class: CK_OBJECT_CLASS,
    usage: &str,
    mechanisms: &'a [CK_MECHANISM_TYPE],
) -> &'a [CK_MECHANISM_TYPE] {
    match (class, usage) {
        (CKO_PUBLIC_KEY, "KEY_AGREEMENT") => &[],
        _ => mechanisms,
    }
}

/// What every key has.
fn of_all(
    n: u8,
    spec: &str,
    arn: &str,
    class: CK_OBJECT_CLASS,
    mechanisms: &[CK_MECHANISM_TYPE],
) -> Vec<Attr> {
    let (key_type, generation, _) = kind(spec);
    let mechanisms: Vec<u8> = mechanisms
        .iter()
        .flat_map(|one| one.to_ne_bytes())
        .collect();
    let unique_id = match class {
        CKO_PUBLIC_KEY => format!("{arn}#public"),
        _ => arn.to_owned(),
    };
    vec![
        ulong(CKA_CLASS, class),
        flag(CKA_TOKEN, true),
        flag(CKA_PRIVATE, class != CKO_PUBLIC_KEY),
        flag(CKA_MODIFIABLE, true),
        // A private or secret key cannot leave KMS.
        flag(CKA_COPYABLE, class == CKO_PUBLIC_KEY),
        flag(CKA_DESTROYABLE, true),
        label(format!("label {n}")),
        bytes(CKA_UNIQUE_ID, unique_id),
        id([n]),
        ulong(CKA_KEY_TYPE, key_type),
        bytes(CKA_START_DATE, []),
        bytes(CKA_END_DATE, []),
        flag(CKA_LOCAL, true),
        ulong(CKA_KEY_GEN_MECHANISM, generation),
        bytes(CKA_ALLOWED_MECHANISMS, mechanisms),
    ]
}

/// What every key of a class has.
fn of_class(class: CK_OBJECT_CLASS, usage: &str) -> Vec<Attr> {
    let signs = matches!(usage, "SIGN_VERIFY" | "GENERATE_VERIFY_MAC");
    let decrypts = usage == "ENCRYPT_DECRYPT";
    let decapsulates = usage == "ENCAPSULATE_DECAPSULATE";
    let derives = usage == "KEY_AGREEMENT" && class == CKO_PRIVATE_KEY;
    let mut all = vec![flag(CKA_DERIVE, derives)];
    if class != CKO_PUBLIC_KEY {
        all.extend([
            flag(CKA_SENSITIVE, true),
            flag(CKA_ALWAYS_SENSITIVE, true),
            flag(CKA_EXTRACTABLE, false),
            flag(CKA_NEVER_EXTRACTABLE, true),
            flag(CKA_SIGN, signs),
            flag(CKA_DECRYPT, decrypts),
            flag(CKA_UNWRAP, decrypts),
            flag(CKA_WRAP_WITH_TRUSTED, false),
            bytes(CKA_UNWRAP_TEMPLATE, []),
            bytes(CKA_DERIVE_TEMPLATE, []),
        ]);
    }
    if class != CKO_PRIVATE_KEY {
        all.extend([
            flag(CKA_VERIFY, signs),
            flag(CKA_ENCRYPT, decrypts),
            flag(CKA_WRAP, decrypts),
            flag(CKA_TRUSTED, false),
            bytes(CKA_WRAP_TEMPLATE, []),
        ]);
    }
    match class {
        CKO_PRIVATE_KEY => all.extend([
            bytes(CKA_SUBJECT, []),
            flag(CKA_SIGN_RECOVER, false),
            flag(CKA_DECAPSULATE, decapsulates),
            flag(CKA_ALWAYS_AUTHENTICATE, false),
            bytes(CKA_DECAPSULATE_TEMPLATE, []),
        ]),
        CKO_PUBLIC_KEY => all.extend([
            bytes(CKA_SUBJECT, []),
            flag(CKA_VERIFY_RECOVER, false),
            flag(CKA_ENCAPSULATE, decapsulates),
            bytes(CKA_ENCAPSULATE_TEMPLATE, []),
        ]),
        _ => {}
    }
    all
}

/// What keys of a type have, as others read it from the public key.
fn of_kind(class: CK_OBJECT_CLASS, spec: &str, parsed: &Value) -> Vec<Attr> {
    let hex = |field: &str| from_hex(parsed[field].as_str().unwrap());
    let is_public = class == CKO_PUBLIC_KEY;
    let (key_type, _, size) = kind(spec);
    let mut all = Vec::new();
    if class != CKO_SECRET_KEY {
        all.push(bytes(CKA_PUBLIC_KEY_INFO, hex("spki")));
    }
    match key_type {
        CKK_RSA => {
            all.push(bytes(CKA_MODULUS, hex("n")));
            all.push(bytes(CKA_PUBLIC_EXPONENT, hex("e")));
            if is_public {
                let bits = parsed["bits"].as_u64().unwrap();
                all.push(ulong(CKA_MODULUS_BITS, bits as CK_ULONG));
            }
        }
        CKK_EC | CKK_EC_EDWARDS => {
            all.push(bytes(CKA_EC_PARAMS, hex("params")));
            if is_public {
                all.push(bytes(CKA_EC_POINT, hex("point")));
            }
        }
        CKK_ML_DSA | CKK_ML_KEM => {
            all.push(ulong(CKA_PARAMETER_SET, size));
            if is_public {
                all.push(bytes(CKA_VALUE, hex("value")));
            }
        }
        _ => all.push(ulong(CKA_VALUE_LEN, size)),
    }
    all
}

fn attribute(type_: CK_ATTRIBUTE_TYPE, buffer: &mut [u8], len: CK_ULONG) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE {
        type_,
        pValue: buffer.as_mut_ptr().cast(),
        ulValueLen: len,
    }
}

/// The 16 bytes of a key id.
fn uuid(key_id: &str) -> Vec<u8> {
    from_hex(&key_id.replace('-', ""))
}
