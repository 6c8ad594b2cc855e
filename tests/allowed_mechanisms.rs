//! CKA_ALLOWED_MECHANISMS: a restriction that whoever makes a key gives it, and that the key keeps in its
//! tags.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::slice;

use common_p11::attribute::{Attr, P256, bytes, flag, id, private_keys, public_keys, ulong};
use common_p11::{Rv, Session, World, calls};
use cryptoki_sys::*;
use serde_json::json;

#[test]
fn a_key_is_used_with_the_allowed_mechanisms_alone_now_and_in_every_later_process() {
    let world = World::start();
    let session = world.module.session();
    let own = allowed(&[CKM_ECDSA_SHA256, CKM_ECDSA_SHA384]);
    let public = allowed(&[CKM_ECDSA]);
    generate(session, slice::from_ref(&public), slice::from_ref(&own)).unwrap();
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        let private_key = session.find_one(&[private_keys(), own.clone()]);
        let public_key = session.find_one(&[public_keys(), public.clone()]);
        for (key, given) in [(private_key, &own), (public_key, &public)] {
            let reported = session.get(key, CKA_ALLOWED_MECHANISMS);
            assert_eq!(reported.as_ref(), Ok(&given.value));
        }
        world.take_calls();
        for mechanism in [CKM_ECDSA, CKM_ECDSA_SHA512] {
            let refused = session.sign(mechanism, private_key, &[7; 32]);
            assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
        }
        assert_eq!(world.take_calls(), calls([]));
        let signature = session.sign(CKM_ECDSA_SHA256, private_key, b"message");
        let signature = signature.unwrap();
        assert_eq!(world.take_calls(), calls([("Sign", 1)]));
        let digest = session.digest(CKM_SHA256, b"message").unwrap();
        assert_eq!(
            session.verify(CKM_ECDSA_SHA256, public_key, b"message", &signature),
            Err(CKR_MECHANISM_INVALID)
        );
        assert_eq!(
            session.verify(CKM_ECDSA, public_key, &digest, &signature),
            Ok(())
        );
    }
    assert_eq!(tag(&world, "p11:mechanisms"), Some("1044 1045".to_owned()));
    assert_eq!(
        tag(&world, "p11:public-mechanisms"),
        Some("1041".to_owned())
    );
}

#[test]
fn a_restricted_hmac_key_makes_the_macs_that_it_may_make() {
    let world = World::start();
    let session = world.module.session();
    let given = allowed(&[CKM_SHA256_HMAC_GENERAL]);
    let key = session
        .generate_key(CKM_SHA256_KEY_GEN, &[flag(CKA_TOKEN, true), given.clone()])
        .unwrap();
    assert_eq!(session.get(key, CKA_ALLOWED_MECHANISMS), Ok(given.value));
    let refused = session.sign(CKM_SHA256_HMAC, key, b"message");
    assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
    let half = common_p11::Mechanism(CKM_SHA256_HMAC_GENERAL, 16u64.to_ne_bytes().to_vec());
    assert_eq!(session.sign(half, key, b"message").unwrap().len(), 16);
}

#[test]
fn mechanisms_that_the_key_can_never_do_are_kept_as_given_and_allow_nothing() {
    let world = World::start();
    let session = world.module.session();
    let given = allowed(&[CKM_VENDOR_DEFINED, CKM_SHA256_RSA_PKCS, CKM_ECDSA_SHA256]);
    let (_, key) = generate(session, &[], slice::from_ref(&given)).unwrap();
    assert_eq!(session.get(key, CKA_ALLOWED_MECHANISMS), Ok(given.value));
    assert!(session.sign(CKM_ECDSA_SHA256, key, b"message").is_ok());
    for (mechanism, rv) in [
        (CKM_VENDOR_DEFINED, CKR_MECHANISM_INVALID),
        (CKM_SHA256_RSA_PKCS, CKR_KEY_TYPE_INCONSISTENT),
        (CKM_ECDSA, CKR_MECHANISM_INVALID),
    ] {
        let refused = session.sign(mechanism, key, &[7; 32]);
        assert_eq!(refused, Err(rv), "{mechanism:#x}");
    }
}

#[test]
fn an_empty_list_allows_nothing() {
    let world = World::start();
    generate(world.module.session(), &[], &[allowed(&[])]).unwrap();
    for restarted in [false, true] {
        if restarted {
            world.restart();
        }
        let session = world.module.session();
        let key = session.find_one(&[private_keys()]);
        assert_eq!(session.get(key, CKA_ALLOWED_MECHANISMS), Ok(Vec::new()));
        let refused = session.sign(CKM_ECDSA, key, &[7; 32]);
        assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
    }
}

#[test]
fn the_half_without_a_list_is_not_restricted() {
    let world = World::start();
    let session = world.module.session();
    let own = allowed(&[CKM_ECDSA]);
    let (public, private) = generate(session, &[], &[own]).unwrap();
    let signature = session.sign(CKM_ECDSA, private, &[7; 32]).unwrap();
    assert_eq!(
        session.verify(CKM_ECDSA, public, &[7; 32], &signature),
        Ok(())
    );
    let all = session.get(public, CKA_ALLOWED_MECHANISMS).unwrap();
    assert_eq!(all.len(), 6 * size_of::<CK_MECHANISM_TYPE>());
    assert_eq!(tag(&world, "p11:public-mechanisms"), None);
}

#[test]
fn a_list_that_is_none_or_that_no_tag_holds_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let (_, key) = generate(session, &[], &[]).unwrap();
    world.take_calls();
    for list in [
        bytes(CKA_ALLOWED_MECHANISMS, [1]),
        bytes(CKA_ALLOWED_MECHANISMS, [1; 15]),
        allowed(&[CKM_VENDOR_DEFINED; 29]),
    ] {
        let refused = generate(session, &[], &[list]);
        assert_eq!(refused, Err(CKR_ATTRIBUTE_VALUE_INVALID));
    }
    let changed = session.set(key, &[allowed(&[CKM_ECDSA])]);
    assert_eq!(changed, Err(CKR_ATTRIBUTE_READ_ONLY));
    assert_eq!(world.take_calls(), calls([]));
}

fn allowed(mechanisms: &[CK_MECHANISM_TYPE]) -> Attr {
    let value: Vec<u8> = mechanisms
        .iter()
        .flat_map(|type_| type_.to_ne_bytes())
        .collect();
    bytes(CKA_ALLOWED_MECHANISMS, value)
}

/// A P-256 pair that signs.
fn generate(
    session: Session<'_>,
    public: &[Attr],
    private: &[Attr],
) -> Rv<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let common = [flag(CKA_TOKEN, true), id([1])];
    let curve = [ulong(CKA_KEY_TYPE, CKK_EC), bytes(CKA_EC_PARAMS, P256)];
    session.generate(
        CKM_EC_KEY_PAIR_GEN,
        &[&curve, &common[..], public].concat(),
        &[&common[..], private].concat(),
    )
}

/// A tag of the one key.
fn tag(world: &World, name: &str) -> Option<String> {
    let listed = world.ask("ListKeys", &json!({}));
    let key = &listed["Keys"][0]["KeyId"];
    let tags = world.ask("ListResourceTags", &json!({ "KeyId": key }));
    let tags = tags["Tags"].as_array().unwrap();
    let tag = tags.iter().find(|tag| tag["TagKey"] == name);
    tag.map(|tag| tag["TagValue"].as_str().unwrap().to_owned())
}
