//! Session objects: C_CreateObject, C_CopyObject, C_SetAttributeValue, C_DestroyObject and
//! C_GetObjectSize of what lives in the process, and what imported public keys are good for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;

use common_p11::attribute::{P256, bytes, flag, id, label, ulong};
use common_p11::{Attr, Mechanism, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::{from_hex, openssl_ok, python};

const RO: CK_FLAGS = CKF_SERIAL_SESSION;
const RW: CK_FLAGS = CKF_SERIAL_SESSION | CKF_RW_SESSION;

const SECP256K1: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x0a";
const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x23";
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

/// One line for each key: name, then in hexadecimal the parts of the public key, SPKI, signature.
const SIGNATURES: &str = "
from cryptography.hazmat.primitives import hashes, serialization as s
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils

MESSAGE = b'a message of somebody else'

def spki(key):
    return key.public_key().public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo)

def show(name, *parts):
    print(name, *(part.hex() for part in parts))

def raw(key):
    return key.public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)

key = rsa.generate_private_key(65537, 3072)
n = key.public_key().public_numbers().n.to_bytes(384, 'big')
sha256 = hashes.SHA256()
pss = padding.PSS(padding.MGF1(sha256), 32)
show('pkcs1', n, b'\\x01\\x00\\x01', spki(key), key.sign(MESSAGE, padding.PKCS1v15(), sha256))
show('pss', n, b'\\x01\\x00\\x01', spki(key), key.sign(MESSAGE, pss, sha256))
for name, curve in [('p256', ec.SECP256R1()), ('p384', ec.SECP384R1()), ('p521', ec.SECP521R1()), ('secp256k1', ec.SECP256K1())]:
    key = ec.generate_private_key(curve)
    point = key.public_key().public_bytes(s.Encoding.X962, s.PublicFormat.UncompressedPoint)
    size = (curve.key_size + 7) // 8
    signature = b''.join(i.to_bytes(size, 'big') for i in utils.decode_dss_signature(key.sign(MESSAGE, ec.ECDSA(sha256))))
    show(name, point, spki(key), signature)
key = ed25519.Ed25519PrivateKey.generate()
show('ed25519', raw(key), spki(key), key.sign(MESSAGE))
for name in ['44', '65', '87']:
    key = getattr(mldsa, f'MLDSA{name}PrivateKey').generate()
    show('mldsa' + name, raw(key), spki(key), key.sign(MESSAGE))
";
const MESSAGE: &[u8] = b"a message of somebody else";

#[test]
fn private_objects_of_sessions_go_with_the_login_and_public_ones_stay() {
    let world = World::start();
    let (first, second) = (world.module.session(), world.module.session());
    let secret = |private| {
        [
            ulong(CKA_CLASS, CKO_SECRET_KEY),
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            bytes(CKA_VALUE, b"a secret"),
            flag(CKA_PRIVATE, private),
        ]
    };
    let private = [first, second].map(|session| session.create(&secret(true)).unwrap());
    let public = first.create(&secret(false)).unwrap();
    first.login(CKU_USER, "1234").unwrap();
    first.logout().unwrap();
    for key in private {
        let gone = second.get(key, CKA_CLASS);
        assert_eq!(gone, Err(CKR_OBJECT_HANDLE_INVALID));
    }
    assert_eq!(second.get(public, CKA_PRIVATE), Ok(vec![0]));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn an_imported_public_key_verifies_what_others_signed_and_nothing_else() {
    let world = World::start();
    let session = world.module.session();
    let lines = python(SIGNATURES, [""; 0]).ok().stdout();
    let mut seen = 0;
    for line in lines.lines() {
        let (name, parts) = line.split_once(' ').unwrap();
        let parts: Vec<Vec<u8>> = parts.split(' ').map(from_hex).collect();
        let (mechanism, templates) = samples(name, &parts);
        let [.., spki, signature] = &parts[..] else {
            panic!("{line}");
        };
        for template in templates {
            let key = session.create(&template).unwrap();
            let verify = |signature: &[u8], message: &[u8]| {
                session.verify(mechanism.clone(), key, message, signature)
            };
            assert_eq!(verify(signature, MESSAGE), Ok(()), "{name}");
            let mut changed = signature.clone();
            changed[signature.len() / 2] ^= 1;
            assert_eq!(
                verify(&changed, MESSAGE),
                Err(CKR_SIGNATURE_INVALID),
                "{name}"
            );
            let other = verify(signature, b"another message");
            assert_eq!(other, Err(CKR_SIGNATURE_INVALID), "{name}");

            assert_eq!(session.get(key, CKA_PUBLIC_KEY_INFO).as_ref(), Ok(spki));
            for attribute in &template {
                let read = session.get(key, attribute.type_);
                assert_eq!(read.as_ref(), Ok(&attribute.value), "{name}");
            }
            assert_eq!(session.get(key, CKA_LOCAL), Ok(vec![0]));
            assert_eq!(session.get(key, CKA_TOKEN), Ok(vec![0]));
            seen += 1;
        }
    }
    assert_eq!(seen, 2 + 4 * 2 + 4 + 3);
    assert_eq!(world.take_calls(), calls([]));
}

/// The mechanism, and every way of handing such a key in.
fn samples(name: &str, parts: &[Vec<u8>]) -> (Mechanism, Vec<Vec<Attr>>) {
    let public = |key_type, more: &[Attr]| {
        let class = [
            ulong(CKA_CLASS, CKO_PUBLIC_KEY),
            ulong(CKA_KEY_TYPE, key_type),
        ];
        [&class[..], more].concat()
    };
    let rsa = || {
        let numbers = [
            bytes(CKA_MODULUS, &parts[0]),
            bytes(CKA_PUBLIC_EXPONENT, &parts[1]),
        ];
        vec![public(CKK_RSA, &numbers)]
    };
    let points = |key_type, params: &[u8]| {
        [parts[0].clone(), octet_string(&parts[0])].map(|point| {
            let curve = [bytes(CKA_EC_PARAMS, params), bytes(CKA_EC_POINT, point)];
            public(key_type, &curve)
        })
    };
    let set = |set| {
        let value = [ulong(CKA_PARAMETER_SET, set), bytes(CKA_VALUE, &parts[0])];
        vec![public(CKK_ML_DSA, &value)]
    };
    let curve = |params| (CKM_ECDSA_SHA256.into(), points(CKK_EC, params).to_vec());
    match name {
        "pkcs1" => (CKM_SHA256_RSA_PKCS.into(), rsa()),
        "pss" => {
            let fields: [CK_ULONG; 3] = [CKM_SHA256, CKG_MGF1_SHA256, 32];
            let parameter = fields
                .iter()
                .flat_map(|field| field.to_ne_bytes())
                .collect();
            (Mechanism(CKM_SHA256_RSA_PKCS_PSS, parameter), rsa())
        }
        "p256" => curve(P256),
        "p384" => curve(P384),
        "p521" => curve(P521),
        "secp256k1" => curve(SECP256K1),
        "ed25519" => {
            let named = [&[0x13, 12], &b"edwards25519"[..]].concat();
            let both = [ED25519, &named].map(|params| points(CKK_EC_EDWARDS, params).to_vec());
            (CKM_EDDSA.into(), both.concat())
        }
        "mldsa44" => (CKM_ML_DSA.into(), set(CKP_ML_DSA_44)),
        "mldsa65" => (CKM_ML_DSA.into(), set(CKP_ML_DSA_65)),
        "mldsa87" => (CKM_ML_DSA.into(), set(CKP_ML_DSA_87)),
        other => panic!("{other}"),
    }
}

#[test]
fn what_an_imported_rsa_key_encrypts_openssl_decrypts() {
    let world = World::start();
    let session = world.module.session();
    let file = world.directory.path().join("rsa.pem");
    let path = file.to_str().unwrap();
    openssl_ok(["genrsa", "-out", path, "2048"], b"");
    let modulus = openssl_ok(["rsa", "-in", path, "-noout", "-modulus"], b"");
    let modulus = String::from_utf8(modulus).unwrap();
    let key = session
        .create(&rsa(from_hex(
            modulus.trim().trim_start_matches("Modulus="),
        )))
        .unwrap();
    let ciphertext = session
        .encrypt(Mechanism::oaep_sha256(), key, b"secret")
        .unwrap();
    let arguments = "pkeyutl -decrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 \
                     -pkeyopt rsa_mgf1_md:sha256 -inkey";
    let plaintext = openssl_ok(arguments.split_whitespace().chain([path]), &ciphertext);
    assert_eq!(plaintext, b"secret");
    assert_eq!(
        session.get(key, CKA_MODULUS_BITS),
        Ok(2048u64.to_ne_bytes().to_vec())
    );
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn an_imported_ml_kem_key_is_the_key_that_was_handed_in() {
    const SCRIPT: &str = "
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import mlkem
for name in ['768', '1024']:
    key = getattr(mlkem, f'MLKEM{name}PrivateKey').generate().public_key()
    raw = key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
    print(raw.hex(), key.public_bytes(s.Encoding.DER, s.PublicFormat.SubjectPublicKeyInfo).hex())
";
    let world = World::start();
    let session = world.module.session();
    let lines = python(SCRIPT, [""; 0]).ok().stdout();
    for (line, set) in lines.lines().zip([CKP_ML_KEM_768, CKP_ML_KEM_1024]) {
        let (raw, spki) = line.split_once(' ').unwrap();
        let template = |set, raw| {
            [
                ulong(CKA_CLASS, CKO_PUBLIC_KEY),
                ulong(CKA_KEY_TYPE, CKK_ML_KEM),
                ulong(CKA_PARAMETER_SET, set),
                bytes(CKA_VALUE, raw),
            ]
        };
        let key = session.create(&template(set, from_hex(raw))).unwrap();
        assert_eq!(session.get(key, CKA_PUBLIC_KEY_INFO), Ok(from_hex(spki)));
        assert_eq!(session.get(key, CKA_ENCAPSULATE), Ok(vec![1]));
        let other = session.create(&template(CKP_ML_KEM_512, from_hex(raw)));
        assert_eq!(other, Err(CKR_ATTRIBUTE_VALUE_INVALID));
        let none = session.create(&template(4, from_hex(raw)));
        assert_eq!(none, Err(CKR_PARAMETER_SET_NOT_SUPPORTED));
    }
}

#[test]
fn a_secret_key_macs_as_openssl_does_and_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let file = world.directory.path().join("message");
    fs::write(&file, MESSAGE).unwrap();
    let value = [0x5a; 37];
    for key_type in [CKK_GENERIC_SECRET, CKK_SHA256_HMAC] {
        let key = session.create(&secret(key_type, value)).unwrap();
        let mac = session.sign(CKM_SHA256_HMAC, key, MESSAGE).unwrap();
        let option = format!("hexkey:{}", "5a".repeat(37));
        let path = file.to_str().unwrap();
        let arguments = [
            "dgst", "-sha256", "-binary", "-mac", "HMAC", "-macopt", &option, path,
        ];
        assert_eq!(mac, openssl_ok(arguments, b""));
        assert_eq!(session.verify(CKM_SHA256_HMAC, key, MESSAGE, &mac), Ok(()));
        let other = session.verify(CKM_SHA256_HMAC, key, b"other", &mac);
        assert_eq!(other, Err(CKR_SIGNATURE_INVALID));
    }
    let allowed = bytes(CKA_ALLOWED_MECHANISMS, CKM_SHA384_HMAC.to_ne_bytes());
    for template in [flag(CKA_SIGN, false), allowed] {
        let key = session
            .create(&[&secret(CKK_GENERIC_SECRET, value)[..], &[template]].concat())
            .unwrap();
        assert!(session.sign_init(CKM_SHA256_HMAC, key).is_err());
    }
    let aes = session.create(&secret(CKK_AES, [1; 16])).unwrap();
    let refused = session.sign_init(CKM_SHA256_HMAC, aes);
    assert_eq!(refused, Err(CKR_KEY_TYPE_INCONSISTENT));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_created_secret_key_has_what_the_token_sets() {
    let world = World::start();
    let session = world.module.session();
    let key = session.create(&secret(CKK_AES, [7; 32])).unwrap();
    for (type_, expected) in [
        (CKA_LOCAL, vec![0]),
        (CKA_ALWAYS_SENSITIVE, vec![0]),
        (CKA_NEVER_EXTRACTABLE, vec![0]),
        (CKA_SENSITIVE, vec![0]),
        (CKA_EXTRACTABLE, vec![1]),
        (CKA_PRIVATE, vec![1]),
        (CKA_ENCRYPT, vec![1]),
        (CKA_SIGN, vec![0]),
        (CKA_DERIVE, vec![0]),
        (CKA_LABEL, vec![]),
        (CKA_VALUE_LEN, 32u64.to_ne_bytes().to_vec()),
        (
            CKA_KEY_GEN_MECHANISM,
            CK_UNAVAILABLE_INFORMATION.to_ne_bytes().to_vec(),
        ),
        (CKA_VALUE, vec![7; 32]),
    ] {
        assert_eq!(session.get(key, type_), Ok(expected), "{type_:#x}");
    }
    // Three bytes of a block of zeros under the key, by openssl.
    let arguments = ["enc", "-aes-256-ecb", "-nopad", "-K", &"07".repeat(32)];
    let block = openssl_ok(arguments, &[0; 16]);
    assert_eq!(session.get(key, CKA_CHECK_VALUE), Ok(block[..3].to_vec()));
    let generic = session.create(&secret(CKK_GENERIC_SECRET, b"key")).unwrap();
    let digest = openssl_ok(["dgst", "-sha1", "-binary"], b"key");
    assert_eq!(
        session.get(generic, CKA_CHECK_VALUE),
        Ok(digest[..3].to_vec())
    );

    let with_check_value = |value: &[u8]| {
        let check_value = [bytes(CKA_CHECK_VALUE, value)];
        session.create(&[&secret(CKK_AES, [7; 32])[..], &check_value].concat())
    };
    let without = with_check_value(b"").unwrap();
    assert_eq!(session.get(without, CKA_CHECK_VALUE), Ok(vec![]));
    assert!(with_check_value(&block[..3]).is_ok());
    assert_eq!(with_check_value(b"abc"), Err(CKR_ATTRIBUTE_VALUE_INVALID));
}

#[test]
fn the_value_of_a_key_that_is_sensitive_or_not_extractable_is_not_read() {
    let world = World::start();
    let session = world.module.session();
    for hidden in [flag(CKA_SENSITIVE, true), flag(CKA_EXTRACTABLE, false)] {
        let template = [&secret(CKK_AES, [7; 16])[..], &[hidden]].concat();
        let key = session.create(&template).unwrap();
        assert_eq!(session.get(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        assert_eq!(session.get(key, CKA_ALWAYS_SENSITIVE), Ok(vec![0]));
        assert_eq!(session.get(key, CKA_NEVER_EXTRACTABLE), Ok(vec![0]));
        let by_value = session.find(&[bytes(CKA_VALUE, [7; 16])]);
        assert_eq!(by_value, Ok(vec![]));
    }
}

#[test]
fn every_fault_of_a_secret_keys_template_has_its_answer() {
    let world = World::start();
    let session = world.module.session();
    let aes = || secret(CKK_AES, [1; 16]);
    let vendor = CKA_VENDOR_DEFINED | 0x77;
    for (template, expected) in [
        (vec![], CKR_TEMPLATE_INCOMPLETE),
        (vec![flag(CKA_TOKEN, false)], CKR_TEMPLATE_INCOMPLETE),
        (vec![bytes(CKA_CLASS, b"\x04")], CKR_ATTRIBUTE_VALUE_INVALID),
        (
            vec![ulong(CKA_CLASS, CKO_HW_FEATURE)],
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (aes()[..1].to_vec(), CKR_TEMPLATE_INCOMPLETE),
        (aes()[..2].to_vec(), CKR_TEMPLATE_INCOMPLETE),
        (secret(CKK_DES3, [1; 24]), CKR_ATTRIBUTE_VALUE_INVALID),
        (secret(CKK_RSA, [1; 24]), CKR_ATTRIBUTE_VALUE_INVALID),
        (secret(CKK_AES, [1; 17]), CKR_ATTRIBUTE_VALUE_INVALID),
        (secret(CKK_GENERIC_SECRET, []), CKR_ATTRIBUTE_VALUE_INVALID),
        (
            with(aes(), ulong(CKA_VALUE_LEN, 16)),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (with(aes(), flag(CKA_LOCAL, true)), CKR_ATTRIBUTE_READ_ONLY),
        (
            with(aes(), bytes(CKA_UNIQUE_ID, b"1")),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            with(aes(), flag(CKA_TRUSTED, true)),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (with(aes(), bytes(vendor, b"1")), CKR_ATTRIBUTE_TYPE_INVALID),
        (
            with(aes(), bytes(CKA_MODULUS, b"1")),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(aes(), bytes(CKA_APPLICATION, b"1")),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(aes(), bytes(CKA_VALUE, [2; 16])),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(aes(), bytes(CKA_WRAP_TEMPLATE, [0; 24])),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(aes(), bytes(CKA_SIGN, b"\x02")),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            with(aes(), bytes(CKA_START_DATE, b"2030")),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
    ] {
        assert_eq!(session.create(&template), Err(expected), "{template:?}");
    }
    assert_eq!(session.find(&[flag(CKA_TOKEN, false)]), Ok(vec![]));
    // What says nothing new is no fault.
    let benign = [
        flag(CKA_TOKEN, false),
        flag(CKA_TRUSTED, false),
        bytes(CKA_WRAP_TEMPLATE, b""),
        bytes(CKA_END_DATE, b"20300101"),
        flag(CKA_SIGN, true),
    ];
    assert!(session.create(&[&aes()[..], &benign].concat()).is_ok());
}

#[test]
fn every_fault_of_a_public_keys_template_has_its_answer() {
    let world = World::start();
    let session = world.module.session();
    let point = bytes(CKA_EC_POINT, octet_string(&[4; 65]));
    let ec = |params: &[u8], point: &Attr| {
        vec![
            ulong(CKA_CLASS, CKO_PUBLIC_KEY),
            ulong(CKA_KEY_TYPE, CKK_EC),
            bytes(CKA_EC_PARAMS, params),
            point.clone(),
        ]
    };
    for (template, expected) in [
        (
            ec(b"\x06\x05\x2b\x81\x04\x00\x21", &point),
            CKR_CURVE_NOT_SUPPORTED,
        ),
        (ec(b"", &point), CKR_CURVE_NOT_SUPPORTED),
        (ec(P256, &point), CKR_ATTRIBUTE_VALUE_INVALID),
        (
            ec(P256, &bytes(CKA_EC_POINT, [4; 65])),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            ec(P256, &bytes(CKA_EC_POINT, b"")),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (ec(P256, &point)[..3].to_vec(), CKR_TEMPLATE_INCOMPLETE),
        (
            with(ec(P256, &point), flag(CKA_SIGN, true)),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            with(ec(P256, &point), flag(CKA_SENSITIVE, true)),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (rsa(vec![0xc1; 128]), CKR_ATTRIBUTE_VALUE_INVALID),
        (rsa(vec![]), CKR_ATTRIBUTE_VALUE_INVALID),
        (
            with(rsa(vec![0xc1; 256]), ulong(CKA_MODULUS_BITS, 2048)),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            with(rsa(vec![0xc1; 256]), bytes(CKA_PUBLIC_KEY_INFO, b"0")),
            CKR_TEMPLATE_INCONSISTENT,
        ),
    ] {
        assert_eq!(session.create(&template), Err(expected), "{template:?}");
    }
    assert_eq!(session.find(&[flag(CKA_TOKEN, false)]), Ok(vec![]));
}

#[test]
fn what_the_token_would_have_to_store_is_refused_and_the_log_says_why() {
    let world = World::start();
    let session = world.module.session();
    let on_token = [flag(CKA_TOKEN, true)];
    for template in [
        secret(CKK_DES3, [1; 24]),
        rsa(vec![0xc1; 256]),
        data("app", "value"),
    ] {
        let template = [&template[..], &on_token].concat();
        assert_eq!(session.create(&template), Err(CKR_TEMPLATE_INCONSISTENT));
        let read_only = world.module.open(0, RO).unwrap();
        assert_eq!(read_only.create(&template), Err(CKR_SESSION_READ_ONLY));
    }
    let log = world.log();
    assert!(log.contains("KMS stores no such object"), "{log}");
    assert!(log.contains("KMS stores no public key by itself"), "{log}");
    let private = [
        ulong(CKA_CLASS, CKO_PRIVATE_KEY),
        ulong(CKA_KEY_TYPE, CKK_EC),
        bytes(CKA_EC_PARAMS, P256),
        bytes(CKA_VALUE, [1; 32]),
    ];
    assert_eq!(session.create(&private), Err(CKR_TEMPLATE_INCONSISTENT));
    assert!(world.log().contains("this process holds none"));
    assert_eq!(world.take_calls(), calls([("ListKeys", 1)]));
}

#[test]
fn a_data_object_keeps_what_it_was_given() {
    let world = World::start();
    let session = world.module.session();
    let object = session.create(&data("app", "value")).unwrap();
    assert_eq!(session.get(object, CKA_VALUE), Ok(b"value".to_vec()));
    assert_eq!(session.get(object, CKA_OBJECT_ID), Ok(vec![]));
    assert_eq!(session.get(object, CKA_PRIVATE), Ok(vec![0]));
    assert_eq!(session.get(object, CKA_ID), Err(CKR_ATTRIBUTE_TYPE_INVALID));
    let by_application = [bytes(CKA_APPLICATION, "app"), ulong(CKA_CLASS, CKO_DATA)];
    assert_eq!(session.find(&by_application), Ok(vec![object]));
    session.set(object, &[bytes(CKA_VALUE, "other")]).unwrap();
    assert_eq!(session.get(object, CKA_VALUE), Ok(b"other".to_vec()));
    let used = session.verify(CKM_ECDSA, object, &[0; 32], &[0; 64]);
    assert_eq!(used, Err(CKR_KEY_HANDLE_INVALID));
}

#[test]
fn a_session_object_is_seen_by_every_session_of_its_token_and_goes_with_its_own() {
    let world = World::with_tokens(&["", ""]);
    let module = &world.module;
    let (owner, other) = (module.open(0, RO).unwrap(), module.open(0, RO).unwrap());
    let elsewhere = module.open(1, RW).unwrap();
    let template = [&secret(CKK_GENERIC_SECRET, "key")[..], &[label("mine")]].concat();
    let object = owner.create(&template).unwrap();
    let of_other = other.create(&template).unwrap();
    let find = |session: Session| session.find(&[flag(CKA_TOKEN, false), label("mine")]);
    assert_eq!(find(owner), Ok(vec![object, of_other]));
    assert_eq!(find(other), Ok(vec![object, of_other]));
    assert_eq!(find(elsewhere), Ok(vec![]));
    assert_eq!(world.take_calls(), calls([]));
    assert_eq!(other.find(&[label("mine")]), Ok(vec![object, of_other]));
    assert_eq!(
        elsewhere.get(object, CKA_LABEL),
        Err(CKR_OBJECT_HANDLE_INVALID)
    );
    assert_eq!(elsewhere.destroy(object), Err(CKR_OBJECT_HANDLE_INVALID));
    assert!(other.sign(CKM_SHA256_HMAC, object, MESSAGE).is_ok());

    owner.close().unwrap();
    assert_eq!(find(other), Ok(vec![of_other]));
    assert_eq!(other.get(object, CKA_LABEL), Err(CKR_OBJECT_HANDLE_INVALID));
    module.close_all(0).unwrap();
    assert_eq!(find(module.open(0, RO).unwrap()), Ok(vec![]));
}

#[test]
fn a_session_object_is_destroyed_in_a_read_only_session_and_by_another_session() {
    let world = World::start();
    let [one, two] = [(); 2].map(|()| world.module.open(0, RO).unwrap());
    let object = one.create(&secret(CKK_AES, [1; 16])).unwrap();
    two.destroy(object).unwrap();
    for session in [one, two] {
        assert_eq!(session.destroy(object), Err(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(session.size(object), Err(CKR_OBJECT_HANDLE_INVALID));
    }
    // An operation that has begun goes on without the object.
    let key = one.create(&secret(CKK_GENERIC_SECRET, "key")).unwrap();
    one.sign_init(CKM_SHA256_HMAC, key).unwrap();
    two.destroy(key).unwrap();
    assert_eq!(one.sign_into(MESSAGE, 32).unwrap().len(), 32);
    assert_eq!(
        one.sign_init(CKM_SHA256_HMAC, key),
        Err(CKR_KEY_HANDLE_INVALID)
    );
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn private_session_objects_go_with_the_login_and_the_others_stay() {
    let world = World::start();
    let (session, other) = (world.module.session(), world.module.session());
    let public = with(secret(CKK_AES, [1; 16]), flag(CKA_PRIVATE, false));
    let stays = session.create(&public).unwrap();
    session.login(CKU_USER, "any").unwrap();
    let goes = [session, other].map(|session| session.create(&secret(CKK_AES, [2; 16])).unwrap());
    session.logout().unwrap();
    assert_eq!(session.find(&[flag(CKA_TOKEN, false)]), Ok(vec![stays]));
    session.login(CKU_USER, "any").unwrap();
    for key in goes {
        let gone = other.get(key, CKA_LABEL);
        assert_eq!(gone, Err(CKR_OBJECT_HANDLE_INVALID));
    }
    assert_eq!(session.get(stays, CKA_VALUE), Ok(vec![1; 16]));
}

#[test]
fn attributes_change_in_the_direction_that_they_may() {
    let world = World::start();
    let session = world.module.open(0, RO).unwrap();
    let key = session.create(&secret(CKK_AES, [1; 16])).unwrap();
    let set = |attribute: Attr| session.set(key, &[attribute]);
    for attribute in [
        label("new"),
        id([1, 2]),
        flag(CKA_ENCRYPT, false),
        flag(CKA_DERIVE, true),
        bytes(CKA_END_DATE, b"20300101"),
        flag(CKA_SENSITIVE, false),
        flag(CKA_SENSITIVE, true),
        flag(CKA_EXTRACTABLE, false),
        flag(CKA_WRAP_WITH_TRUSTED, true),
        bytes(CKA_CHECK_VALUE, b""),
        flag(CKA_COPYABLE, false),
    ] {
        assert_eq!(set(attribute.clone()), Ok(()), "{attribute:?}");
        assert_eq!(session.get(key, attribute.type_), Ok(attribute.value));
    }
    for (attribute, expected) in [
        (flag(CKA_SENSITIVE, false), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_EXTRACTABLE, true), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_WRAP_WITH_TRUSTED, false), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_COPYABLE, true), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_TOKEN, true), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_PRIVATE, false), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_MODIFIABLE, false), CKR_ATTRIBUTE_READ_ONLY),
        (ulong(CKA_CLASS, CKO_SECRET_KEY), CKR_ATTRIBUTE_READ_ONLY),
        (
            ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (bytes(CKA_VALUE, [2; 16]), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_CHECK_VALUE, b"abc"), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_UNIQUE_ID, b"abc"), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_MODULUS, b"abc"), CKR_ATTRIBUTE_TYPE_INVALID),
        (bytes(CKA_ENCRYPT, b"abc"), CKR_ATTRIBUTE_VALUE_INVALID),
    ] {
        assert_eq!(set(attribute.clone()), Err(expected), "{attribute:?}");
    }
    // All or nothing.
    let refused = session.set(key, &[label("newer"), flag(CKA_TOKEN, true)]);
    assert_eq!(refused, Err(CKR_ATTRIBUTE_READ_ONLY));
    assert_eq!(session.get(key, CKA_LABEL), Ok(b"new".to_vec()));
    assert_eq!(session.copy(key, &[]), Err(CKR_ACTION_PROHIBITED));
}

#[test]
fn what_is_not_modifiable_copyable_or_destroyable_stays_as_it_is() {
    let world = World::start();
    let session = world.module.session();
    let fixed = [
        flag(CKA_MODIFIABLE, false),
        flag(CKA_COPYABLE, false),
        flag(CKA_DESTROYABLE, false),
    ];
    let object = session
        .create(&[&data("app", "value")[..], &fixed].concat())
        .unwrap();
    assert_eq!(
        session.set(object, &[label("new")]),
        Err(CKR_ACTION_PROHIBITED)
    );
    assert_eq!(session.copy(object, &[]), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(session.destroy(object), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(session.get(object, CKA_VALUE), Ok(b"value".to_vec()));
}

#[test]
fn a_copy_is_another_object_that_may_only_be_better_kept() {
    let world = World::start();
    let session = world.module.session();
    let key = session.create(&secret(CKK_GENERIC_SECRET, "key")).unwrap();
    let changes = [
        label("copy"),
        flag(CKA_EXTRACTABLE, false),
        flag(CKA_MODIFIABLE, false),
    ];
    let copy = session.copy(key, &changes).unwrap();
    for attribute in &changes {
        assert_eq!(
            session.get(copy, attribute.type_).as_ref(),
            Ok(&attribute.value)
        );
    }
    assert_eq!(session.get(copy, CKA_NEVER_EXTRACTABLE), Ok(vec![0]));
    assert_eq!(session.get(key, CKA_VALUE), Ok(b"key".to_vec()));
    assert_eq!(session.get(copy, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
    let unique_ids = [key, copy].map(|object| session.get(object, CKA_UNIQUE_ID).unwrap());
    assert_ne!(unique_ids[0], unique_ids[1]);
    let macs = [key, copy].map(|key| session.sign(CKM_SHA256_HMAC, key, MESSAGE).unwrap());
    assert_eq!(macs[0], macs[1]);
    for (attribute, expected) in [
        (flag(CKA_EXTRACTABLE, true), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_TOKEN, true), CKR_TEMPLATE_INCONSISTENT),
        (bytes(CKA_VALUE, "other"), CKR_ATTRIBUTE_READ_ONLY),
        (ulong(CKA_KEY_TYPE, CKK_AES), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_MODULUS, "1"), CKR_ATTRIBUTE_TYPE_INVALID),
    ] {
        let refused = session.copy(copy, std::slice::from_ref(&attribute));
        assert_eq!(refused, Err(expected), "{attribute:?}");
    }
    session.destroy(key).unwrap();
    assert!(session.sign(CKM_SHA256_HMAC, copy, MESSAGE).is_ok());
}

#[test]
fn the_copy_of_a_public_key_of_kms_is_a_session_object_and_its_other_half_has_none() {
    let world = World::start();
    let session = world.module.session();
    world.create_keys(&NewKeys::new(1, "HMAC_256", "GENERATE_VERIFY_MAC"));
    let (public, private) = session.generate_p256([1], "key").unwrap();
    let in_session = flag(CKA_TOKEN, false);
    let read_only = world.module.open(0, RO).unwrap();
    let copy = read_only
        .copy(public, &[in_session.clone(), label("copy")])
        .unwrap();
    for type_ in [
        CKA_ID,
        CKA_EC_PARAMS,
        CKA_EC_POINT,
        CKA_PUBLIC_KEY_INFO,
        CKA_VERIFY,
        CKA_LOCAL,
        CKA_ALLOWED_MECHANISMS,
    ] {
        assert_eq!(
            session.get(copy, type_),
            session.get(public, type_),
            "{type_:#x}"
        );
    }
    assert_eq!(session.get(copy, CKA_LABEL), Ok(b"copy".to_vec()));
    assert_eq!(session.get(copy, CKA_TOKEN), Ok(vec![0]));
    assert_ne!(
        session.get(copy, CKA_UNIQUE_ID),
        session.get(public, CKA_UNIQUE_ID)
    );
    let signature = session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
    assert_eq!(
        session.verify(CKM_ECDSA, copy, &[7; 32], &signature),
        Ok(())
    );

    assert_eq!(session.copy(public, &[]), Err(CKR_TEMPLATE_INCONSISTENT));
    assert_eq!(
        session.copy(public, &[flag(CKA_TOKEN, true)]),
        Err(CKR_TEMPLATE_INCONSISTENT)
    );
    assert_eq!(
        read_only.copy(public, &[flag(CKA_TOKEN, true)]),
        Err(CKR_SESSION_READ_ONLY)
    );
    let refused = session.copy(private, std::slice::from_ref(&in_session));
    assert_eq!(refused, Err(CKR_ACTION_PROHIBITED));
    let secret = session.find_one(&[ulong(CKA_CLASS, CKO_SECRET_KEY)]);
    let refused = session.copy(secret, &[in_session]);
    assert_eq!(refused, Err(CKR_ACTION_PROHIBITED));
    // The copy goes without the key in KMS, which does not go with it.
    session.destroy(copy).unwrap();
    assert!(session.get(public, CKA_EC_POINT).is_ok());
    assert_eq!(world.take_calls().get("ScheduleKeyDeletion"), None);
}

#[test]
fn an_object_is_as_large_as_its_attributes() {
    let world = World::start();
    let session = world.module.session();
    let sizes = ["", "1234567"].map(|value| {
        let object = session.create(&data("app", value)).unwrap();
        session.size(object).unwrap()
    });
    assert_eq!(sizes[1] - sizes[0], 7);
    let secret = [16, 32].map(|len| {
        let template = [
            &secret(CKK_AES, vec![1; len])[..],
            &[flag(CKA_SENSITIVE, true)],
        ]
        .concat();
        let key = session.create(&template).unwrap();
        session.size(key).unwrap()
    });
    assert_eq!(secret[1] - secret[0], 16);
    let (public, private) = session.generate_p256([1], "key").unwrap();
    let (public, private) = (
        session.size(public).unwrap(),
        session.size(private).unwrap(),
    );
    assert!(public > 64 + 91, "{public}");
    assert!(private > 91, "{private}");
}

#[test]
fn unique_ids_are_unique() {
    let world = World::start();
    let session = world.module.session();
    let mut seen: Vec<Vec<u8>> = (0..20)
        .map(|_| {
            let object = session.create(&data("app", "value")).unwrap();
            session.get(object, CKA_UNIQUE_ID).unwrap()
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[test]
fn the_log_never_shows_the_bytes_of_a_key() {
    let world = World::start();
    let session = world.module.session();
    let value = *b"NeverInTheLog-NeverInTheLog-1234";
    let key = session.create(&secret(CKK_AES, value)).unwrap();
    let bad = [&secret(CKK_AES, value)[..], &[flag(CKA_LOCAL, true)]].concat();
    assert_eq!(session.create(&bad), Err(CKR_ATTRIBUTE_READ_ONLY));
    let short = session.create(&secret(CKK_AES, &value[..17]));
    assert_eq!(short, Err(CKR_ATTRIBUTE_VALUE_INVALID));
    let contradictory = [&secret(CKK_AES, value)[..], &[bytes(CKA_VALUE, [1; 16])]].concat();
    assert_eq!(
        session.create(&contradictory),
        Err(CKR_TEMPLATE_INCONSISTENT)
    );
    assert_eq!(
        session.set(key, &[bytes(CKA_VALUE, value)]),
        Err(CKR_ATTRIBUTE_READ_ONLY)
    );
    assert_eq!(
        session.copy(key, &[bytes(CKA_VALUE, &value[1..])]),
        Err(CKR_ATTRIBUTE_READ_ONLY)
    );
    session.find(&[bytes(CKA_VALUE, value)]).unwrap();
    session.destroy(key).unwrap();
    let log = world.log();
    assert!(log.contains("CKA_VALUE"), "{log}");
    let hex = value[..13]
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let decimal = format!("{:?}", &value[..13]);
    let decimal = decimal.trim_matches(['[', ']']);
    for shown in ["NeverInTheLog", &hex, &hex.to_uppercase(), decimal] {
        assert!(!log.contains(shown), "{log}");
    }
}

fn with(mut template: Vec<Attr>, attribute: Attr) -> Vec<Attr> {
    template.push(attribute);
    template
}

fn secret(key_type: CK_KEY_TYPE, value: impl AsRef<[u8]>) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, key_type),
        bytes(CKA_VALUE, value),
    ]
}

fn rsa(modulus: Vec<u8>) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_PUBLIC_KEY),
        ulong(CKA_KEY_TYPE, CKK_RSA),
        bytes(CKA_MODULUS, modulus),
        bytes(CKA_PUBLIC_EXPONENT, [1, 0, 1]),
    ]
}

fn data(application: &str, value: &str) -> Vec<Attr> {
    vec![
        ulong(CKA_CLASS, CKO_DATA),
        bytes(CKA_APPLICATION, application),
        bytes(CKA_VALUE, value),
    ]
}

/// DER of an OCTET STRING of up to 255 bytes.
fn octet_string(contents: &[u8]) -> Vec<u8> {
    let len = u8::try_from(contents.len()).unwrap();
    let header = if len < 128 {
        vec![4, len]
    } else {
        vec![4, 0x81, len]
    };
    [&header[..], contents].concat()
}
