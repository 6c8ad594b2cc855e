//! HMAC keys: made, found, used, renamed and destroyed; every MAC is the one that Python makes with the
//! key that the emulator has in its state file.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;

use common_p11::attribute::{Attr, bytes, flag, id, label, ulong};
use common_p11::{Mechanism, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{hex, python};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How a key is made: the mechanism, CKA_VALUE_LEN where it is needed, the key type; and the hash of its
/// MACs, their mechanisms, and their length.
struct Kind {
    generation: CK_MECHANISM_TYPE,
    value_len: Option<CK_ULONG>,
    key_type: CK_KEY_TYPE,
    hash: &'static str,
    mac: CK_MECHANISM_TYPE,
    general: CK_MECHANISM_TYPE,
    len: usize,
}

macro_rules! kinds {
    ($($generation:ident $value_len:expr, $key_type:ident $hash:literal $mac:ident $general:ident $len:literal;)+) => {
        [$(Kind {
            generation: $generation,
            value_len: $value_len,
            key_type: $key_type,
            hash: $hash,
            mac: $mac,
            general: $general,
            len: $len,
        }),+]
    };
}

const KINDS: [Kind; 8] = kinds! {
    CKM_GENERIC_SECRET_KEY_GEN Some(28), CKK_GENERIC_SECRET "sha224" CKM_SHA224_HMAC CKM_SHA224_HMAC_GENERAL 28;
    CKM_GENERIC_SECRET_KEY_GEN Some(32), CKK_GENERIC_SECRET "sha256" CKM_SHA256_HMAC CKM_SHA256_HMAC_GENERAL 32;
    CKM_GENERIC_SECRET_KEY_GEN Some(48), CKK_GENERIC_SECRET "sha384" CKM_SHA384_HMAC CKM_SHA384_HMAC_GENERAL 48;
    CKM_GENERIC_SECRET_KEY_GEN Some(64), CKK_GENERIC_SECRET "sha512" CKM_SHA512_HMAC CKM_SHA512_HMAC_GENERAL 64;
    CKM_SHA224_KEY_GEN None, CKK_SHA224_HMAC "sha224" CKM_SHA224_HMAC CKM_SHA224_HMAC_GENERAL 28;
    CKM_SHA256_KEY_GEN None, CKK_SHA256_HMAC "sha256" CKM_SHA256_HMAC CKM_SHA256_HMAC_GENERAL 32;
    CKM_SHA384_KEY_GEN Some(48), CKK_SHA384_HMAC "sha384" CKM_SHA384_HMAC CKM_SHA384_HMAC_GENERAL 48;
    CKM_SHA512_KEY_GEN None, CKK_SHA512_HMAC "sha512" CKM_SHA512_HMAC CKM_SHA512_HMAC_GENERAL 64;
};

#[test]
fn macs_of_every_kind_of_key_are_those_of_python_for_one_request_each() {
    let (world, state) = with_state();
    let session = world.module.session();
    let mut claims = Vec::new();
    for (n, kind) in (0..).zip(&KINDS) {
        let key = generate(session, kind, n);
        for len in [1, 100, 4096] {
            let message = message(len);
            world.take_calls();
            let mac = session.sign(kind.mac, key, &message).unwrap();
            assert_eq!(mac.len(), kind.len);
            assert_eq!(world.take_calls(), calls([("GenerateMac", 1)]));
            session.verify(kind.mac, key, &message, &mac).unwrap();
            assert_eq!(world.take_calls(), calls([("VerifyMac", 1)]));
            claims.push(claim(session, key, kind, &message, &mac));
        }
        for len in [1, 16, kind.len - 1, kind.len] {
            let mechanism = general(kind, len);
            let message = message(200);
            world.take_calls();
            let mac = session.sign(mechanism.clone(), key, &message).unwrap();
            assert_eq!(mac.len(), len);
            assert_eq!(world.take_calls(), calls([("GenerateMac", 1)]));
            session.verify(mechanism, key, &message, &mac).unwrap();
            // KMS compares whole MACs only.
            let verifies = if len == kind.len {
                "VerifyMac"
            } else {
                "GenerateMac"
            };
            assert_eq!(world.take_calls(), calls([(verifies, 1)]));
            claims.push(claim(session, key, kind, &message, &mac));
        }
    }
    assert_eq!(claims.len(), KINDS.len() * 7);
    assert_eq!(wrong(&state, &claims), "");
    // What is not the MAC is told.
    let mut other = claims[0].clone();
    other["mac"] = json!("00".repeat(28));
    assert_eq!(wrong(&state, &[other]), "0\n");
}

#[test]
fn a_message_in_parts_has_the_mac_of_the_whole() {
    let world = World::start();
    let session = world.module.session();
    let kind = &KINDS[1];
    let key = generate(session, kind, 1);
    let message = message(4096);
    let whole = session.sign(kind.mac, key, &message).unwrap();
    for cut in [0, 1, 2000, 4096] {
        session.sign_init(kind.mac, key).unwrap();
        let (first, last) = message.split_at(cut);
        for part in [first, last] {
            sign_update(session, part).unwrap();
        }
        assert_eq!(sign_final(session, 64), Ok(whole.clone()));
    }
}

#[test]
fn a_message_that_kms_does_not_take_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let kind = &KINDS[1];
    let key = generate(session, kind, 1);
    world.take_calls();
    for len in [0, 4097, 10_000] {
        for mechanism in [Mechanism::from(kind.mac), general(kind, 16)] {
            let mac_len = if mechanism.1.is_empty() { 32 } else { 16 };
            let refused = session.sign(mechanism.clone(), key, &message(len));
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len}");
            let refused = session.verify(mechanism, key, &message(len), &vec![0; mac_len]);
            assert_eq!(refused, Err(CKR_DATA_LEN_RANGE), "{len}");
        }
    }
    session.sign_init(kind.mac, key).unwrap();
    sign_update(session, &message(4096)).unwrap();
    assert_eq!(sign_update(session, b"1"), Err(CKR_DATA_LEN_RANGE));
    assert_eq!(sign_final(session, 64), Err(CKR_OPERATION_NOT_INITIALIZED));
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_mac_that_is_not_the_key_s_does_not_verify() {
    let world = World::start();
    let session = world.module.session();
    let kind = &KINDS[5];
    let [key, other] = [1, 2].map(|n| generate(session, kind, n));
    let mac = session.sign(kind.mac, key, b"message").unwrap();
    for position in [0, 15, 16, 31] {
        let mut changed = mac.clone();
        changed[position] ^= 1;
        let refused = session.verify(kind.mac, key, b"message", &changed);
        assert_eq!(refused, Err(CKR_SIGNATURE_INVALID), "byte {position}");
        let half = session.verify(general(kind, 16), key, b"message", &changed[..16]);
        let expected = if position < 16 {
            Err(CKR_SIGNATURE_INVALID)
        } else {
            Ok(())
        };
        assert_eq!(half, expected, "byte {position}");
    }
    let others = session.verify(kind.mac, other, b"message", &mac);
    assert_eq!(others, Err(CKR_SIGNATURE_INVALID));
    world.take_calls();
    for len in [0, 31] {
        let refused = session.verify(kind.mac, key, b"message", &mac[..len]);
        assert_eq!(refused, Err(CKR_SIGNATURE_LEN_RANGE));
    }
    assert_eq!(world.take_calls(), calls([]));
}

#[test]
fn a_mechanism_of_another_hash_or_with_a_length_that_no_mac_has_is_refused_at_init() {
    let world = World::start();
    let session = world.module.session();
    for (n, kind) in [(1, &KINDS[1]), (2, &KINDS[5])] {
        let key = generate(session, kind, n);
        world.take_calls();
        for mechanism in [CKM_SHA224_HMAC, CKM_SHA512_HMAC, CKM_ECDSA] {
            let refused = session.sign_init(mechanism, key);
            assert_eq!(refused, Err(CKR_KEY_TYPE_INCONSISTENT), "{mechanism:#x}");
        }
        for mechanism in [
            general(kind, 0),
            general(kind, 33),
            general(kind, usize::MAX),
            Mechanism(kind.general, vec![16]),
            Mechanism::from(kind.general),
            Mechanism(kind.mac, 32u64.to_ne_bytes().to_vec()),
        ] {
            let refused = session.sign_init(mechanism.clone(), key);
            assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID), "{mechanism:?}");
        }
        assert_eq!(
            session.decrypt_init(Mechanism::oaep_sha256(), key),
            Err(CKR_KEY_TYPE_INCONSISTENT)
        );
        assert_eq!(world.take_calls(), calls([]));
    }
}

#[test]
fn a_generated_key_says_what_it_is_and_keeps_its_value() {
    let world = World::start();
    for (n, kind) in (0..).zip(&KINDS) {
        let cost = generate_counting(&world, kind, n);
        assert_eq!(cost, calls([("CreateKey", 1), ("DescribeKey", 1)]), "{n}");
    }
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        let secrets = session.find(&[secret_keys()]).unwrap();
        assert_eq!(secrets.len(), KINDS.len());
        for (n, kind) in (0..).zip(&KINDS) {
            let key = session.find_one(&[secret_keys(), id([n]), label(format!("key {n}"))]);
            for attribute in [
                ulong(CKA_KEY_TYPE, kind.key_type),
                ulong(CKA_VALUE_LEN, kind.len as CK_ULONG),
                ulong(CKA_KEY_GEN_MECHANISM, kind.generation),
                flag(CKA_LOCAL, true),
                flag(CKA_SENSITIVE, true),
                flag(CKA_ALWAYS_SENSITIVE, true),
                flag(CKA_EXTRACTABLE, false),
                flag(CKA_NEVER_EXTRACTABLE, true),
                flag(CKA_SIGN, true),
                flag(CKA_VERIFY, true),
                flag(CKA_PRIVATE, true),
                flag(CKA_ENCRYPT, false),
                flag(CKA_DERIVE, false),
            ] {
                let found = session.get(key, attribute.type_);
                assert_eq!(found, Ok(attribute.value), "{n}: {:#x}", attribute.type_);
            }
            assert_eq!(session.get(key, CKA_VALUE), Err(CKR_ATTRIBUTE_SENSITIVE));
        }
    }
}

#[test]
fn a_key_made_elsewhere_works_and_is_renamed_and_destroyed() {
    let world = World::start();
    let foreign = NewKeys::new(1, "HMAC_384", "GENERATE_VERIFY_MAC").alias("alias/tokens");
    let key_id = &world.create_keys(&foreign)[0];
    let session = world.module.session();
    let key = session.find_one(&[secret_keys(), label("tokens")]);
    assert_eq!(session.get(key, CKA_ID).unwrap().len(), 16);
    let key_type = session.get(key, CKA_KEY_TYPE);
    assert_eq!(key_type, Ok(CKK_GENERIC_SECRET.to_ne_bytes().to_vec()));
    let mac = session.sign(CKM_SHA384_HMAC, key, b"message").unwrap();
    assert_eq!(
        session.verify(CKM_SHA384_HMAC, key, b"message", &mac),
        Ok(())
    );

    session
        .set(key, &[label("renamed"), id([0xbe, 0xef])])
        .unwrap();
    assert_eq!(session.find(&[label("tokens")]), Ok(vec![]));
    world.restart();
    let session = world.module.session();
    let key = session.find_one(&[secret_keys(), label("renamed"), id([0xbe, 0xef])]);
    assert_eq!(session.sign(CKM_SHA384_HMAC, key, b"message"), Ok(mac));

    world.take_calls();
    session.destroy(key).unwrap();
    assert_eq!(world.take_calls(), calls([("ScheduleKeyDeletion", 1)]));
    assert_eq!(session.find(&[secret_keys()]), Ok(vec![]));
    let described = world.ask("DescribeKey", &json!({ "KeyId": key_id }));
    assert_eq!(described["KeyMetadata"]["KeyState"], "PendingDeletion");
    let gone = session.sign_init(CKM_SHA384_HMAC, key);
    assert_eq!(gone, Err(CKR_KEY_HANDLE_INVALID));
}

#[test]
fn a_template_that_kms_has_no_key_for_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let (generic, sha256) = (CKM_GENERIC_SECRET_KEY_GEN, CKM_SHA256_KEY_GEN);
    let len = |bytes| ulong(CKA_VALUE_LEN, bytes);
    let no_use = [flag(CKA_SIGN, false), flag(CKA_VERIFY, false)];
    let cases = [
        (generic, vec![], CKR_TEMPLATE_INCOMPLETE),
        (generic, vec![len(0)], CKR_ATTRIBUTE_VALUE_INVALID),
        (generic, vec![len(16)], CKR_ATTRIBUTE_VALUE_INVALID),
        (generic, vec![len(33)], CKR_ATTRIBUTE_VALUE_INVALID),
        (
            generic,
            vec![bytes(CKA_VALUE_LEN, [32])],
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (generic, vec![len(32), len(64)], CKR_TEMPLATE_INCONSISTENT),
        (
            generic,
            vec![len(32), ulong(CKA_KEY_TYPE, CKK_AES)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            generic,
            vec![len(32), bytes(CKA_VALUE, [1; 32])],
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            generic,
            vec![len(32), flag(CKA_EXTRACTABLE, true)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            generic,
            vec![len(32), flag(CKA_SENSITIVE, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            generic,
            [vec![len(32)], no_use.to_vec()].concat(),
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            generic,
            vec![len(32), ulong(CKA_MODULUS_BITS, 2048)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            generic,
            vec![len(32), bytes(CKA_VENDOR_DEFINED, [1])],
            CKR_ATTRIBUTE_TYPE_INVALID,
        ),
        (sha256, vec![len(64)], CKR_ATTRIBUTE_VALUE_INVALID),
        (
            sha256,
            vec![ulong(CKA_KEY_TYPE, CKK_SHA512_HMAC)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            sha256,
            vec![ulong(CKA_CLASS, CKO_PRIVATE_KEY)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (CKM_EC_KEY_PAIR_GEN, vec![], CKR_MECHANISM_INVALID),
        (CKM_DES3_KEY_GEN, vec![], CKR_MECHANISM_INVALID),
        (CKM_SHA256_HMAC, vec![len(32)], CKR_MECHANISM_INVALID),
    ];
    for (mechanism, template, rv) in cases {
        let template = [template, vec![flag(CKA_TOKEN, true)]].concat();
        let refused = session.generate_key(mechanism, &template);
        assert_eq!(refused, Err(rv), "{mechanism:#x} {template:x?}");
    }
    let of_the_session = session.generate_key(generic, &[len(32)]);
    assert_eq!(of_the_session, Err(CKR_TEMPLATE_INCONSISTENT));
    let parameter = Mechanism(sha256, vec![1]);
    let refused = session.generate_key(parameter, &[flag(CKA_TOKEN, true)]);
    assert_eq!(refused, Err(CKR_MECHANISM_PARAM_INVALID));
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    let refused = read_only.generate_key(sha256, &[flag(CKA_TOKEN, true)]);
    assert_eq!(refused, Err(CKR_SESSION_READ_ONLY));
    assert_eq!(world.take_calls().get("CreateKey"), None);
}

/// A world whose emulator keeps its keys in this file.
fn with_state() -> (World, State) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state.json");
    let options = Options {
        state: Some(path),
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    (World::over(emulator, &[""]), State(directory))
}

struct State(TempDir);

fn secret_keys() -> Attr {
    ulong(CKA_CLASS, CKO_SECRET_KEY)
}

fn message(len: usize) -> Vec<u8> {
    (0..=250).cycle().take(len).collect()
}

fn general(kind: &Kind, len: usize) -> Mechanism {
    Mechanism(kind.general, (len as CK_ULONG).to_ne_bytes().to_vec())
}

#[track_caller]
fn generate(session: Session<'_>, kind: &Kind, n: u8) -> CK_OBJECT_HANDLE {
    let mut template = vec![
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        flag(CKA_VERIFY, true),
        id([n]),
        label(format!("key {n}")),
    ];
    template.extend(kind.value_len.map(|len| ulong(CKA_VALUE_LEN, len)));
    session.generate_key(kind.generation, &template).unwrap()
}

/// The requests that a generation costs, the look at the token aside.
fn generate_counting(world: &World, kind: &Kind, n: u8) -> common_p11::Counts {
    let session = world.module.session();
    session.find(&[id([n])]).unwrap();
    world.take_calls();
    generate(session, kind, n);
    world.take_calls()
}

fn claim(
    session: Session<'_>,
    key: CK_OBJECT_HANDLE,
    kind: &Kind,
    message: &[u8],
    mac: &[u8],
) -> Value {
    let arn = session.get(key, CKA_UNIQUE_ID).unwrap();
    let arn = String::from_utf8(arn).unwrap();
    let (_, key_id) = arn.rsplit_once('/').unwrap();
    json!({
        "key": key_id,
        "hash": kind.hash,
        "message": hex(message),
        "mac": hex(mac),
    })
}

/// The numbers of the MACs that are not what Python makes of the keys in the state file.
fn wrong(state: &State, claims: &[Value]) -> String {
    let file = state.0.path().join("claims.json");
    fs::write(&file, Value::from(claims).to_string()).unwrap();
    let script = include_str!("hmac.py");
    python(script, [state.0.path().join("state.json"), file])
        .ok()
        .stdout()
}

fn sign_update(session: Session<'_>, part: &[u8]) -> common_p11::Rv<()> {
    common_p11::ok(common_p11::call!(
        session.module,
        C_SignUpdate,
        session.handle,
        part.as_ptr().cast_mut(),
        part.len() as CK_ULONG
    ))
}

fn sign_final(session: Session<'_>, room: usize) -> common_p11::Rv<Vec<u8>> {
    let mut mac = vec![0; room];
    let mut len = room as CK_ULONG;
    common_p11::ok(common_p11::call!(
        session.module,
        C_SignFinal,
        session.handle,
        mac.as_mut_ptr(),
        &raw mut len
    ))?;
    mac.truncate(usize::try_from(len).unwrap());
    Ok(mac)
}
