//! Certificates: in the tags of their keys, in files, in sessions. openssl issues them, for the public keys of
//! keys in KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use common_p11::attribute::{Attr, bytes, flag, id, label, ulong};
use common_p11::{Counts, Session, World, calls};
use cryptoki_sys::*;
use kms_emulator::NewKeys;
use kms_pkcs11_testkit::{from_hex, hex, openssl_ok, python};
use serde_json::{Value, json};
use tempfile::TempDir;

#[test]
fn a_certificate_is_stored_with_one_request_and_found_by_all_that_identifies_it() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "web").unwrap();
    let issuer = Issuer::new();
    let leaf = issuer.issue(session, key.0, "web", 0);
    world.take_calls();

    let certificate = session
        .create(&leaf.template(true, &[id([1]), label("web")]))
        .unwrap();
    assert_eq!(world.take_calls(), calls([("TagResource", 1)]));
    for template in [
        vec![certificates(), id([1])],
        vec![certificates(), label("web")],
        vec![bytes(CKA_SUBJECT, &leaf.subject), certificates()],
        vec![
            bytes(CKA_ISSUER, &leaf.issuer),
            bytes(CKA_SERIAL_NUMBER, &leaf.serial),
        ],
        vec![bytes(CKA_VALUE, &leaf.der)],
    ] {
        assert_eq!(session.find_one(&template), certificate, "{template:?}");
    }
    for (type_, value) in [
        (CKA_TOKEN, true),
        (CKA_PRIVATE, false),
        (CKA_MODIFIABLE, true),
        (CKA_COPYABLE, true),
        (CKA_DESTROYABLE, true),
        (CKA_TRUSTED, false),
    ] {
        let read = session.get(certificate, type_);
        assert_eq!(read, Ok(vec![u8::from(value)]), "{type_:#x}");
    }
    let unique_id = session.get(certificate, CKA_UNIQUE_ID).unwrap();
    assert!(session.size(certificate).unwrap() > leaf.der.len());
    assert_eq!(world.take_calls(), Counts::new());
    // Neither label nor id is noted where it is the key's.
    let tags = tags_of(&world, session, key.1);
    assert!(
        !tags
            .iter()
            .filter_map(|tag| tag.rsplit('.').next())
            .any(|part| ["label", "id"].contains(&part))
    );

    world.restart();
    world.take_calls();
    let session = world.module.session();
    let certificate = session.find_one(&[certificates(), id([1])]);
    assert_eq!(session.get(certificate, CKA_VALUE), Ok(leaf.der));
    assert_eq!(session.get(certificate, CKA_LABEL), Ok(b"web".to_vec()));
    assert_eq!(session.get(certificate, CKA_UNIQUE_ID), Ok(unique_id));
    let listing = calls([("ListKeys", 1), ("ListResourceTags", 1)]);
    assert_eq!(world.take_calls(), listing);
}

#[test]
fn a_search_for_the_certificate_of_a_key_costs_no_request() {
    let world = World::start();
    let session = world.module.session();
    let with = session.generate_p256([1], "with").unwrap();
    session.generate_p256([2], "without").unwrap();
    let leaf = Issuer::new().issue(session, with.0, "with", 0);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    world.take_calls();
    for _ in 0..10 {
        let found = session.find(&[id([1]), certificates()]).unwrap();
        assert_eq!(found, [certificate]);
        assert_eq!(session.find(&[id([2]), certificates()]), Ok(vec![]));
    }
    assert_eq!(world.take_calls(), Counts::new());
}

#[test]
fn the_key_of_a_certificate_is_looked_for_among_those_of_its_id_first() {
    let world = World::start();
    let session = world.module.session();
    let keys = [1, 2, 3].map(|number| session.generate_p256([number], "key").unwrap());
    let issuer = Issuer::new();
    let [first, second, third] = keys.map(|key| issuer.issue(session, key.0, "leaf", 0));
    world.restart();
    let session = world.module.session();
    session.find(&[certificates()]).unwrap();
    world.take_calls();

    session.create(&second.template(true, &[id([2])])).unwrap();
    let one = calls([("GetPublicKey", 1), ("TagResource", 1)]);
    assert_eq!(world.take_calls(), one);
    let other = session.create(&third.template(true, &[])).unwrap();
    let rest = calls([("GetPublicKey", 2), ("TagResource", 1)]);
    assert_eq!(world.take_calls(), rest);
    assert_eq!(session.get(other, CKA_ID), Ok(vec![3]));
    // One that has another id than its key keeps it.
    let odd = session
        .create(&first.template(true, &[id([9]), label("odd")]))
        .unwrap();
    assert_eq!(world.take_calls(), calls([("TagResource", 1)]));
    assert_eq!(session.find_one(&[certificates(), id([9])]), odd);
    assert_eq!(session.find_one(&[certificates(), label("odd")]), odd);
    assert_eq!(session.find(&[certificates(), id([1])]), Ok(vec![]));
}

#[test]
fn a_certificate_of_a_session_asks_nobody_and_goes_with_it() {
    let world = World::start();
    let issuer = Issuer::new();
    let root = issuer.root();
    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    assert_eq!(
        read_only.create(&root.template(true, &[])),
        Err(CKR_SESSION_READ_ONLY)
    );
    let other = world.module.session();
    other.find(&[certificates()]).unwrap();
    world.take_calls();
    let certificate = read_only
        .create(&root.template(false, &[label("root")]))
        .unwrap();
    assert_eq!(other.find_one(&[bytes(CKA_VALUE, &root.der)]), certificate);
    assert_eq!(
        other.find_one(&[bytes(CKA_ISSUER, &root.issuer)]),
        certificate
    );
    assert_eq!(other.get(certificate, CKA_TOKEN), Ok(vec![0]));
    assert_eq!(other.get(certificate, CKA_ID), Ok(vec![]));
    read_only.set(certificate, &[id([7])]).unwrap();
    assert_eq!(other.find_one(&[certificates(), id([7])]), certificate);
    let refused = read_only.set(certificate, &[bytes(CKA_VALUE, [0])]);
    assert_eq!(refused, Err(CKR_ATTRIBUTE_READ_ONLY));

    let kept = read_only
        .create(&root.template(false, &[flag(CKA_DESTROYABLE, false)]))
        .unwrap();
    assert_eq!(read_only.destroy(kept), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(read_only.destroy(certificate), Ok(()));
    assert_eq!(
        other.get(certificate, CKA_ID),
        Err(CKR_OBJECT_HANDLE_INVALID)
    );
    read_only.close().unwrap();
    assert_eq!(other.find(&[certificates()]), Ok(vec![]));
    assert_eq!(world.take_calls(), Counts::new());
}

#[test]
fn a_certificate_is_copied_between_session_and_token() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, key.0, "leaf", 0);
    let category = ulong(CKA_CERTIFICATE_CATEGORY, CK_CERTIFICATE_CATEGORY_TOKEN_USER);
    let made = session
        .create(&leaf.template(false, &[label("made"), category.clone()]))
        .unwrap();
    world.take_calls();
    let stored = session
        .copy(made, &[flag(CKA_TOKEN, true), id([1])])
        .unwrap();
    assert_eq!(world.take_calls(), calls([("TagResource", 1)]));
    let back = session
        .copy(stored, &[flag(CKA_TOKEN, false), label("back")])
        .unwrap();
    assert_eq!(world.take_calls(), Counts::new());
    assert_eq!(
        session.find(&[bytes(CKA_VALUE, &leaf.der)]).unwrap().len(),
        3
    );
    assert_eq!(session.get(stored, CKA_LABEL), Ok(b"made".to_vec()));
    assert_eq!(session.get(back, CKA_LABEL), Ok(b"back".to_vec()));
    for copy in [stored, back] {
        assert_eq!(session.get(copy, category.type_).unwrap(), category.value);
    }
    let ids = [made, stored, back].map(|one| session.get(one, CKA_UNIQUE_ID).unwrap());
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    let other_subject = [bytes(CKA_SUBJECT, [0x30, 0])];
    let refused = session.copy(stored, &other_subject);
    assert_eq!(refused, Err(CKR_ATTRIBUTE_READ_ONLY));
}

#[test]
fn a_key_has_several_certificates_each_its_own_object() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let issuer = Issuer::new();
    let [first, second] = ["first", "second"].map(|name| issuer.issue(session, key.0, name, 0));
    let one = session.create(&first.template(true, &[])).unwrap();
    let two = session
        .create(&second.template(true, &[label("second")]))
        .unwrap();
    assert_eq!(session.find(&[certificates(), id([1])]), Ok(vec![one, two]));
    assert_eq!(session.find_one(&[certificates(), label("second")]), two);

    world.take_calls();
    assert_eq!(session.destroy(one), Ok(()));
    assert_eq!(world.take_calls(), calls([("UntagResource", 1)]));
    assert_eq!(session.find(&[certificates()]), Ok(vec![two]));
    assert_eq!(session.get(two, CKA_VALUE), Ok(second.der));
    assert_eq!(session.destroy(one), Err(CKR_OBJECT_HANDLE_INVALID));
    let again = session.create(&first.template(true, &[])).unwrap();
    assert_ne!(again, one);
    assert_eq!(session.get(again, CKA_VALUE), Ok(first.der));

    let read_only = world.module.open(0, CKF_SERIAL_SESSION).unwrap();
    assert_eq!(read_only.destroy(two), Err(CKR_SESSION_READ_ONLY));
    let rename = [label("x")];
    assert_eq!(read_only.set(two, &rename), Err(CKR_SESSION_READ_ONLY));
}

#[test]
fn names_of_a_certificate_are_changed_with_one_request() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, key.0, "leaf", 0);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    world.take_calls();
    session.set(certificate, &[id([5]), label("five")]).unwrap();
    assert_eq!(world.take_calls(), calls([("TagResource", 1)]));
    assert_eq!(session.find_one(&[certificates(), id([5])]), certificate);
    assert_eq!(session.find(&[certificates(), id([1])]), Ok(vec![]));
    for (attribute, rv) in [
        (bytes(CKA_VALUE, [0]), CKR_ATTRIBUTE_READ_ONLY),
        (flag(CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_MODULUS, [0]), CKR_ATTRIBUTE_TYPE_INVALID),
        (label([b'%'; 86]), CKR_ATTRIBUTE_VALUE_INVALID),
    ] {
        let refused = session.set(certificate, std::slice::from_ref(&attribute));
        assert_eq!(refused, Err(rv), "{attribute:?}");
    }
    world.restart();
    let session = world.module.session();
    let certificate = session.find_one(&[certificates(), id([5])]);
    assert_eq!(session.get(certificate, CKA_LABEL), Ok(b"five".to_vec()));
}

#[test]
fn what_was_just_written_or_removed_is_right_although_listings_lag() {
    let world = World::with("refresh_interval = 0.2");
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, key.0, "leaf", 0);
    let renew = || {
        for _ in 0..3 {
            session.find(&[certificates()]).unwrap();
            sleep(Duration::from_millis(300));
        }
    };
    renew();
    // Tags read from now on are those of before the next change.
    world.emulator.set_stale_reads(1000);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    renew();
    assert_eq!(session.find(&[certificates()]), Ok(vec![certificate]));
    session.destroy(certificate).unwrap();
    renew();
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
}

#[test]
fn a_destroyed_key_takes_its_certificates_along() {
    let world = World::start();
    let session = world.module.session();
    let (public, private) = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, public, "leaf", 0);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    session.destroy(private).unwrap();
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
    // As the public half: a program that goes on to clean up is not refused.
    assert_eq!(session.destroy(certificate), Ok(()));
    assert_eq!(session.destroy(certificate), Err(CKR_OBJECT_HANDLE_INVALID));
}

#[test]
fn a_certificate_without_room_is_refused_with_the_limit() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let issuer = Issuer::new();
    let large = issuer.issue(session, key.0, "large", 9000);
    world.take_calls();
    let refused = session.create(&large.template(true, &[]));
    assert_eq!(refused, Err(CKR_DEVICE_MEMORY));
    assert_eq!(world.take_calls(), Counts::new());
    assert!(
        world
            .log()
            .contains("KMS allows 50 tags of 192 bytes on a key")
    );

    let refused = session.create(&issuer.root().template(true, &[]));
    assert_eq!(refused, Err(CKR_DEVICE_MEMORY));
    assert!(
        world
            .log()
            .contains("no key with the public key of the certificate")
    );
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
}

#[test]
fn a_directory_takes_what_tags_do_not() {
    let directory = TempDir::new().unwrap();
    let setting = format!("certificate_directory = {:?}", directory.path());
    let world = World::with(&setting);
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let issuer = Issuer::new();
    let large = issuer.issue(session, key.0, "large", 9000);
    let small = issuer.issue(session, key.0, "small", 0);
    let root = issuer.root();
    session.create(&small.template(true, &[])).unwrap();
    assert_eq!(files(directory.path()), 0);
    let large_one = session.create(&large.template(true, &[])).unwrap();
    let root_one = session
        .create(&root.template(true, &[label("root")]))
        .unwrap();
    assert_eq!(files(directory.path()), 2);
    assert_eq!(session.get(large_one, CKA_ID), Ok(vec![1]));
    assert_eq!(session.get(large_one, CKA_LABEL), Ok(b"key".to_vec()));
    assert_eq!(
        session.get(root_one, CKA_ID).as_ref(),
        Ok(&root.key_identifier)
    );
    let unique_id = session.get(root_one, CKA_UNIQUE_ID).unwrap();
    assert_eq!(session.find(&[certificates(), id([1])]).unwrap().len(), 2);
    session.set(root_one, &[id([8])]).unwrap();
    let root_one = session.find_one(&[certificates(), id([8])]);

    world.restart();
    let session = world.module.session();
    let renamed = session.find_one(&[certificates(), id([8]), label("root")]);
    assert_eq!(session.get(renamed, CKA_UNIQUE_ID), Ok(unique_id));
    assert_eq!(session.get(renamed, CKA_VALUE), Ok(root.der));
    assert_ne!(renamed, root_one);
    assert_eq!(session.find(&[certificates()]).unwrap().len(), 3);
    session.destroy(renamed).unwrap();
    assert_eq!(files(directory.path()), 1);
    assert_eq!(session.find(&[certificates()]).unwrap().len(), 2);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing");
    let world = World::with(&format!("certificate_directory = {missing:?}"));
    let session = world.module.session();
    let refused = session.create(&Issuer::new().root().template(true, &[]));
    assert_eq!(refused, Err(CKR_TOKEN_WRITE_PROTECTED));
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
}

#[test]
fn a_chain_in_a_file_is_shown_and_its_leaf_has_the_id_of_its_key() {
    let directory = TempDir::new().unwrap();
    let chain = directory.path().join("chain.pem");
    let world = World::with(&format!("certificates = [{chain:?}]"));
    let session = world.module.session();
    let keys = [1, 2, 3].map(|number| session.generate_p256([number], [number]).unwrap());
    let issuer = Issuer::new();
    let (leaf, root) = (issuer.issue(session, keys[1].0, "leaf", 0), issuer.root());
    fs::write(&chain, [leaf.pem(), root.pem()].concat()).unwrap();
    world.restart();
    let session = world.module.session();
    world.take_calls();

    // The key of this id tells; the others are not asked about.
    let found = session.find_one(&[certificates(), id([2])]);
    let cold = calls([
        ("GetPublicKey", 1),
        ("ListKeys", 1),
        ("ListResourceTags", 3),
    ]);
    assert_eq!(world.take_calls(), cold);
    assert_eq!(session.get(found, CKA_VALUE).as_ref(), Ok(&leaf.der));
    assert_eq!(session.get(found, CKA_LABEL), Ok(vec![2]));
    assert_eq!(session.find(&[certificates()]).unwrap().len(), 2);
    assert_eq!(session.find_one(&[certificates(), label([2])]), found);
    assert_eq!(world.take_calls(), Counts::new());

    // To know that the root certifies no key, all are asked about, once.
    let top = session.find_one(&[certificates(), bytes(CKA_VALUE, &root.der)]);
    assert_eq!(world.take_calls(), Counts::new());
    assert_eq!(session.get(top, CKA_ID).as_ref(), Ok(&root.key_identifier));
    assert_eq!(world.take_calls(), calls([("GetPublicKey", 2)]));
    for number in 1..=3 {
        let found = session.find(&[certificates(), id([number])]).unwrap();
        assert_eq!(found.len(), usize::from(number == 2));
    }
    assert_eq!(
        session.find_one(&[certificates(), id(&root.key_identifier)]),
        top
    );
    assert_eq!(session.get(top, CKA_LABEL), Ok(vec![]));
    assert_eq!(world.take_calls(), Counts::new());

    for certificate in [found, top] {
        assert_eq!(session.get(certificate, CKA_DESTROYABLE), Ok(vec![0]));
        assert_eq!(session.get(certificate, CKA_MODIFIABLE), Ok(vec![0]));
        assert_eq!(session.destroy(certificate), Err(CKR_ACTION_PROHIBITED));
        let renamed = session.set(certificate, &[label("x")]);
        assert_eq!(renamed, Err(CKR_ACTION_PROHIBITED));
    }
}

#[test]
fn handles_stay_while_keys_come_and_go() {
    let directory = TempDir::new().unwrap();
    let chain = directory.path().join("chain.pem");
    let issuer = Issuer::new();
    fs::write(&chain, issuer.root().pem()).unwrap();
    let world = World::with(&format!("certificates = [{chain:?}]"));
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = issuer.issue(session, key.0, "leaf", 0);
    session.create(&leaf.template(true, &[])).unwrap();
    let before = session.find(&[certificates()]).unwrap();
    assert_eq!(before.len(), 2);
    let (_, other) = session.generate_p256([2], "other").unwrap();
    session.set(key.1, &[label("renamed")]).unwrap();
    session.destroy(other).unwrap();
    assert_eq!(session.find(&[certificates()]).unwrap(), before);
    // What has no name of its own goes by that of its key.
    let found = session.find_one(&[certificates(), label("renamed")]);
    assert_eq!(found, before[0]);
}

#[test]
fn damaged_tags_hide_no_other_certificate_and_are_not_written_into() {
    let world = World::start();
    let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
    let created = world.create_keys(&keys.tag("p11:cert0.00", "AAAA"));
    let session = world.module.session();
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
    let warned = "p11:cert0 is not the DER encoding";
    assert_eq!(world.log().matches(warned).count(), 1);
    let public = session.find_one(&[common_p11::attribute::public_keys()]);
    let private = session.find_one(&[common_p11::attribute::private_keys()]);
    let leaf = Issuer::new().issue(session, public, "leaf", 0);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    assert_eq!(session.get(certificate, CKA_VALUE), Ok(leaf.der));
    let tags = tags_of(&world, session, private);
    assert!(
        tags.contains(&"p11:cert1.00".to_owned()),
        "{created:?} {tags:?}"
    );
    assert_eq!(world.log().matches(warned).count(), 2);
}

#[test]
fn a_certificate_that_kms_does_not_take_leaves_nothing_behind() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, key.0, "leaf", 0);
    world.fail("TagResource", "AccessDeniedException", 1);
    let refused = session.create(&leaf.template(true, &[]));
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    assert_eq!(session.find(&[certificates()]), Ok(vec![]));
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    let tags = tags_of(&world, session, key.1);
    assert!(tags.contains(&"p11:cert0.00".to_owned()), "{tags:?}");

    world.fail("UntagResource", "AccessDeniedException", 1);
    assert_eq!(session.destroy(certificate), Err(CKR_ACTION_PROHIBITED));
    assert_eq!(session.find(&[certificates()]), Ok(vec![certificate]));
}

#[test]
fn templates_that_make_no_certificate_are_refused() {
    let world = World::start();
    let session = world.module.session();
    let root = Issuer::new().root();
    for (more, rv) in [
        (
            ulong(CKA_CERTIFICATE_TYPE, CKC_WTLS),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            bytes(CKA_VALUE, &root.der[1..]),
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (bytes(CKA_SUBJECT, [0x30, 0]), CKR_TEMPLATE_INCONSISTENT),
        (flag(CKA_PRIVATE, true), CKR_TEMPLATE_INCONSISTENT),
        (flag(CKA_MODIFIABLE, false), CKR_TEMPLATE_INCONSISTENT),
        (flag(CKA_TRUSTED, true), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_UNIQUE_ID, [1]), CKR_ATTRIBUTE_READ_ONLY),
        (bytes(CKA_MODULUS, [1]), CKR_TEMPLATE_INCONSISTENT),
        (bytes(CKA_VENDOR_DEFINED, [1]), CKR_ATTRIBUTE_TYPE_INVALID),
    ] {
        let mut template = root.template(true, &[]);
        template.retain(|attribute| attribute.type_ != more.type_);
        template.push(more.clone());
        assert_eq!(session.create(&template), Err(rv), "{more:?}");
    }
    for type_ in [CKA_CERTIFICATE_TYPE, CKA_SUBJECT, CKA_VALUE] {
        let mut template = root.template(true, &[]);
        template.retain(|attribute| attribute.type_ != type_);
        let refused = session.create(&template);
        assert_eq!(refused, Err(CKR_TEMPLATE_INCOMPLETE), "{type_:#x}");
    }
    let certificate = session.create(&root.template(false, &[])).unwrap();
    let signs = session.sign_init(CKM_ECDSA, certificate);
    assert_eq!(signs, Err(CKR_KEY_HANDLE_INVALID));
}

#[test]
fn a_certificate_is_no_key() {
    let world = World::start();
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let leaf = Issuer::new().issue(session, key.0, "leaf", 0);
    let certificate = session.create(&leaf.template(true, &[])).unwrap();
    let signs = session.sign_init(CKM_ECDSA, certificate);
    assert_eq!(signs, Err(CKR_KEY_HANDLE_INVALID));
    assert_eq!(
        session.get(certificate, CKA_KEY_TYPE),
        Err(CKR_ATTRIBUTE_TYPE_INVALID)
    );
}

#[test]
fn pkcs11_tool_and_this_process_see_each_others_certificates() {
    let world = World::with("refresh_interval = 0.2");
    let session = world.module.session();
    let key = session.generate_p256([1], "key").unwrap();
    let issuer = Issuer::new();
    let [mine, theirs] = ["mine", "theirs"].map(|name| issuer.issue(session, key.0, name, 0));
    session
        .create(&mine.template(true, &[label("mine")]))
        .unwrap();
    let file = |name: &str| world.directory.path().join(name).display().to_string();
    let tool = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        world.pkcs11_tool(&arguments)
    };
    let read = |name: &str| {
        tool(&format!(
            "--read-object --type cert --label {name} -o {}",
            file(name)
        ));
        let text = openssl_ok(
            [
                "x509",
                "-inform",
                "DER",
                "-in",
                &file(name),
                "-noout",
                "-subject",
            ],
            &[],
        );
        (
            fs::read(file(name)).unwrap(),
            String::from_utf8(text).unwrap(),
        )
    };
    let (der, subject) = read("mine");
    assert_eq!((der, subject.contains("mine")), (mine.der, true));

    fs::write(file("new.der"), &theirs.der).unwrap();
    let new = file("new.der");
    tool(&format!(
        "--write-object {new} --type cert --id 01 --label theirs"
    ));
    let listed = tool("--list-objects --type cert");
    assert!(
        listed.contains("label:      mine") && listed.contains("label:      theirs"),
        "{listed}"
    );
    let (der, subject) = read("theirs");
    assert_eq!((&der, subject.contains("theirs")), (&theirs.der, true));
    let found = eventually(session, |found| found.len() == 2);
    assert_eq!(session.get(found[1], CKA_VALUE), Ok(theirs.der));

    tool("--delete-object --type cert --label theirs");
    eventually(session, |found| found.len() == 1);
    session.destroy(found[0]).unwrap();
    assert_eq!(tool("--list-objects --type cert"), "");
}

fn certificates() -> Attr {
    ulong(CKA_CLASS, CKO_CERTIFICATE)
}

/// What a search for all certificates finds once it is so.
#[track_caller]
fn eventually(
    session: Session<'_>,
    is_so: impl Fn(&[CK_OBJECT_HANDLE]) -> bool,
) -> Vec<CK_OBJECT_HANDLE> {
    for _ in 0..50 {
        let found = session.find(&[certificates()]).unwrap();
        if is_so(&found) {
            return found;
        }
        sleep(Duration::from_millis(100));
    }
    panic!("{:?}", session.find(&[certificates()]));
}

/// The keys of all tags of a key, as somebody else reads them.
#[track_caller]
fn tags_of(world: &World, session: Session<'_>, private: CK_OBJECT_HANDLE) -> Vec<String> {
    let arn = String::from_utf8(session.get(private, CKA_UNIQUE_ID).unwrap()).unwrap();
    let answer = world.ask("ListResourceTags", &json!({ "KeyId": arn, "Limit": 50 }));
    let tags = answer["Tags"].as_array().unwrap().iter();
    tags.map(|tag| tag["TagKey"].as_str().unwrap().to_owned())
        .collect()
}

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

/// A certificate authority of openssl's.
struct Issuer(TempDir);

impl Issuer {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let (key, certificate) = (path("ca.key"), path("ca.pem"));
        let mut arguments = vec!["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"];
        arguments.extend(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        arguments.extend([
            "-subj",
            "/CN=Test Root",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
        openssl_ok(arguments, &[]);
        Self(directory)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The authority's own certificate.
    fn root(&self) -> Issued {
        let der = openssl_ok(
            ["x509", "-in", &self.path("ca.pem"), "-outform", "DER"],
            &[],
        );
        Issued::new(der)
    }

    /// A certificate for a public key in KMS, with so many bytes that mean nothing.
    fn issue(
        &self,
        session: Session<'_>,
        public: CK_OBJECT_HANDLE,
        name: &str,
        bytes: usize,
    ) -> Issued {
        let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
        let pem = openssl_ok(
            ["pkey", "-pubin", "-inform", "DER", "-outform", "PEM"],
            &spki,
        );
        fs::write(self.path("public.pem"), pem).unwrap();
        let extension = format!("1.2.3.4 = ASN1:UTF8String:{}\n", "x".repeat(bytes.max(1)));
        fs::write(self.path("extensions"), extension).unwrap();
        let (subject, [public, ca, key, extensions]) = (
            format!("/CN={name}"),
            ["public.pem", "ca.pem", "ca.key", "extensions"].map(|name| self.path(name)),
        );
        let mut arguments = vec!["x509", "-new", "-force_pubkey", &public, "-subj", &subject];
        arguments.extend(["-CA", &ca, "-CAkey", &key, "-days", "30", "-outform", "DER"]);
        arguments.extend(["-extfile", &extensions]);
        Issued::new(openssl_ok(arguments, &[]))
    }
}

/// A certificate, and what `cryptography` reads in it.
struct Issued {
    der: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    key_identifier: Vec<u8>,
}

impl Issued {
    fn new(der: Vec<u8>) -> Self {
        let printed = python(FIELDS, [hex(&der)]).ok().stdout();
        let fields: Value = serde_json::from_str(&printed).unwrap();
        let field = |name: &str| from_hex(fields[name].as_str().unwrap());
        Self {
            subject: field("subject"),
            issuer: field("issuer"),
            serial: field("serial"),
            key_identifier: field("key_identifier"),
            der,
        }
    }

    /// The least that a template of it says, and more.
    fn template(&self, token: bool, more: &[Attr]) -> Vec<Attr> {
        let least = [
            certificates(),
            ulong(CKA_CERTIFICATE_TYPE, CKC_X_509),
            flag(CKA_TOKEN, token),
            bytes(CKA_SUBJECT, &self.subject),
            bytes(CKA_VALUE, &self.der),
        ];
        [&least[..], more].concat()
    }

    fn pem(&self) -> Vec<u8> {
        openssl_ok(["x509", "-inform", "DER", "-outform", "PEM"], &self.der)
    }
}

/// Prints the fields of a certificate in DER.
const FIELDS: &str = r#"
import json, sys
from cryptography import x509
certificate = x509.load_der_x509_certificate(bytes.fromhex(sys.argv[1]))
serial = certificate.serial_number
content = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
identifier = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())
print(json.dumps({
    "subject": certificate.subject.public_bytes().hex(),
    "issuer": certificate.issuer.public_bytes().hex(),
    "serial": (bytes([2, len(content)]) + content).hex(),
    "key_identifier": identifier.digest.hex(),
}))
"#;
