//! What the module does by itself: verifying signatures and digesting, without asking KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::fmt::Write as _;
use std::fs;

use cryptoki_sys::*;
use kms_pkcs11_testkit::{hex, python};
use raw::*;

/// Every kind of signature on every kind of key, with the mechanism and the data to use.
fn samples(keys: &[Key; 7]) -> Vec<(&Key, Mechanism, Vec<u8>)> {
    let [p256, p384, p521, secp256k1, rsa_2048, rsa_3072, rsa_4096] = keys;
    let mut samples = Vec::new();
    for key in [p256, p384, p521, secp256k1] {
        samples.push((key, Mechanism::plain(CKM_ECDSA), bytes(32, 1)));
        samples.push((key, Mechanism::plain(CKM_ECDSA_SHA512), bytes(100, 2)));
    }
    for key in [rsa_2048, rsa_3072, rsa_4096] {
        let digest = bytes(48, 3);
        let info = SHA_384.digest_info(&digest);
        samples.push((key, Mechanism::plain(CKM_RSA_PKCS), info));
        samples.push((key, Mechanism::pss(CKM_RSA_PKCS_PSS, &SHA_384), digest));
        samples.push((key, Mechanism::plain(CKM_SHA256_RSA_PKCS), bytes(100, 4)));
        let pss = Mechanism::pss(CKM_SHA512_RSA_PKCS_PSS, &SHA_512);
        samples.push((key, pss, bytes(100, 5)));
    }
    samples
}

const KINDS: [KeyKind; 7] = [P256, P384, P521, SECP256K1, RSA_2048, RSA_3072, RSA_4096];

#[test]
fn a_signature_verifies_without_a_request_and_nothing_else_does() {
    let (client, keys) = Client::start(KINDS);
    let samples = samples(&keys);
    let signed: Vec<_> = samples
        .iter()
        .map(|(key, mechanism, data)| client.signature(mechanism, key.private, data))
        .collect();
    let calls = client.requests(|| {
        for ((key, mechanism, data), signature) in samples.iter().zip(&signed) {
            let verdict = |data: &[u8], signature: &[u8]| {
                client.verdict(mechanism, key.public, data, signature)
            };
            assert_eq!(verdict(data, signature), CKR_OK, "{mechanism:?}");

            let mut changed = data.clone();
            *changed.last_mut().unwrap() ^= 1;
            let rv = verdict(&changed, signature);
            assert_eq!(rv, CKR_SIGNATURE_INVALID, "{mechanism:?}");

            for position in [0, signature.len() / 2, signature.len() - 1] {
                let mut changed = signature.clone();
                changed[position] ^= 1;
                let rv = verdict(data, &changed);
                assert_eq!(rv, CKR_SIGNATURE_INVALID, "{mechanism:?}, byte {position}");
            }
            let over = client.verify(data, signature);
            assert_eq!(over, CKR_OPERATION_NOT_INITIALIZED, "{mechanism:?}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_signature_of_another_length_is_out_of_range() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048]);
    let ecdsa = Mechanism::plain(CKM_ECDSA_SHA256);
    let pkcs1 = Mechanism::plain(CKM_SHA256_RSA_PKCS);
    let calls = client.requests(|| {
        for len in [0, 1, 63, 65, 66, 128] {
            let rv = client.verdict(&ecdsa, ec.public, b"message", &vec![1; len]);
            assert_eq!(rv, CKR_SIGNATURE_LEN_RANGE, "ECDSA, {len} bytes");
        }
        for len in [0, 1, 64, 255, 257, 512] {
            let rv = client.verdict(&pkcs1, rsa.public, b"message", &vec![1; len]);
            assert_eq!(rv, CKR_SIGNATURE_LEN_RANGE, "RSA, {len} bytes");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn an_ecdsa_signature_without_the_leading_zeros_of_r_and_s_verifies() {
    let (client, [key]) = Client::start([P521]);
    let mechanism = Mechanism::plain(CKM_ECDSA_SHA512);
    // One in four: r and s have both one byte less than the field.
    let (message, signature) = (0..1000)
        .map(|seed| bytes(20, seed))
        .map(|message| {
            let signature = client.signature(&mechanism, key.private, &message);
            (message, signature)
        })
        .find(|(_, signature)| signature[0] == 0 && signature[66] == 0)
        .unwrap();
    let (r, s) = signature.split_at(66);
    let verdict =
        |r: &[u8], s: &[u8]| client.verdict(&mechanism, key.public, &message, &[r, s].concat());
    let calls = client.requests(|| {
        assert_eq!(verdict(r, s), CKR_OK);
        assert_eq!(verdict(&r[1..], &s[1..]), CKR_OK);
        // As short, and of other numbers.
        assert_eq!(verdict(&r[..65], &s[..65]), CKR_SIGNATURE_INVALID);
        assert_eq!(verdict(&s[1..], &r[1..]), CKR_SIGNATURE_INVALID);
        assert_eq!(verdict(&r[64..], &s[64..]), CKR_SIGNATURE_INVALID);
        // Not the same length for both.
        assert_eq!(verdict(&r[1..], s), CKR_SIGNATURE_LEN_RANGE);
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn zero_and_the_order_are_no_ecdsa_signature() {
    let (client, [key]) = Client::start([P256]);
    let mechanism = Mechanism::plain(CKM_ECDSA_SHA256);
    let order = [
        &[0xff; 4][..],
        &[0; 4],
        &[0xff; 8],
        b"\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51",
    ]
    .concat();
    for half in [&[0; 32][..], &[0xff; 32], &order] {
        let signature = [half, half].concat();
        let rv = client.verdict(&mechanism, key.public, b"message", &signature);
        assert_eq!(rv, CKR_SIGNATURE_INVALID);
    }
}

#[test]
fn a_message_verifies_in_parts_as_in_one() {
    let (client, [ec, rsa]) = Client::start([P384, RSA_2048]);
    let pss = Mechanism::pss(CKM_SHA256_RSA_PKCS_PSS, &SHA_256);
    for (key, mechanism) in [(&ec, Mechanism::plain(CKM_ECDSA_SHA384)), (&rsa, pss)] {
        for len in [0, 1, 1000, 1 << 20] {
            let message = bytes(len, 6);
            let signature = client.signature(&mechanism, key.private, &message);
            let mut changed = signature.clone();
            changed[5] ^= 1;
            let calls = client.requests(|| {
                for (signature, expected) in [
                    (&signature[..], CKR_OK),
                    (&changed, CKR_SIGNATURE_INVALID),
                    (&signature[1..], CKR_SIGNATURE_LEN_RANGE),
                ] {
                    assert_eq!(client.verify_init(&mechanism, key.public), CKR_OK);
                    for part in message.chunks(400_000) {
                        assert_eq!(client.verify_update(part), CKR_OK);
                    }
                    assert_eq!(client.verify_final(signature), expected);
                    let over = client.verify_final(signature);
                    assert_eq!(over, CKR_OPERATION_NOT_INITIALIZED);
                }
                let whole = client.verdict(&mechanism, key.public, &message, &signature);
                assert_eq!(whole, CKR_OK);
            });
            assert_eq!(calls.total, 0);
        }
    }
}

#[test]
fn a_pss_signature_is_no_pkcs1_signature_and_one_key_does_not_verify_for_another() {
    let (client, [rsa, other, ec, another]) = Client::start([RSA_2048, RSA_2048, P256, P256]);
    let pkcs1 = Mechanism::plain(CKM_SHA256_RSA_PKCS);
    let pss = Mechanism::pss(CKM_SHA256_RSA_PKCS_PSS, &SHA_256);
    let ecdsa = Mechanism::plain(CKM_ECDSA_SHA256);
    let signature = client.signature(&pkcs1, rsa.private, b"message");
    let verdict = |mechanism, key: &Key, signature| {
        client.verdict(mechanism, key.public, b"message", signature)
    };
    assert_eq!(verdict(&pkcs1, &rsa, &signature), CKR_OK);
    assert_eq!(verdict(&pss, &rsa, &signature), CKR_SIGNATURE_INVALID);
    assert_eq!(verdict(&pkcs1, &other, &signature), CKR_SIGNATURE_INVALID);
    let signature = client.signature(&ecdsa, ec.private, b"message");
    assert_eq!(verdict(&ecdsa, &ec, &signature), CKR_OK);
    assert_eq!(verdict(&ecdsa, &another, &signature), CKR_SIGNATURE_INVALID);
}

#[test]
fn digests_in_one_part_and_in_many_are_those_of_hashlib() {
    const HASHLIB: &str = "
import hashlib, sys
for line in open(sys.argv[1]):
    name, path = line.split()
    print(hashlib.new(name, open(path, 'rb').read()).hexdigest())
";
    let (client, []) = Client::start([]);
    let mut list = String::new();
    let mut digests = Vec::new();
    for len in [0, 1, 55, 56, 63, 64, 65, 111, 112, 128, 4097, 5 << 20] {
        let message = bytes(len, 7);
        let file = client.directory().join(format!("message-{len}"));
        fs::write(&file, &message).unwrap();
        for hash in [SHA_1, SHA_224, SHA_256, SHA_384, SHA_512] {
            let mechanism = Mechanism::plain(hash.mechanism);
            assert_eq!(client.digest_init(&mechanism), CKR_OK);
            let whole = client.digest(&message, Room::Of(hash.len)).ok();

            assert_eq!(client.digest_init(&mechanism), CKR_OK);
            for part in message.chunks(len / 7 + 1) {
                assert_eq!(client.digest_update(part), CKR_OK);
            }
            assert_eq!(client.digest_update(&[]), CKR_OK);
            let parts = client.digest_final(Room::Of(hash.len)).ok();

            assert_eq!(whole, parts, "{} of {len} bytes", hash.name);
            writeln!(list, "{} {}", hash.name, file.display()).unwrap();
            digests.push(hex(&whole));
        }
    }
    let list_file = client.directory().join("list");
    fs::write(&list_file, list).unwrap();
    let expected = python(HASHLIB, [&list_file]).ok().stdout();
    assert_eq!(expected.lines().collect::<Vec<_>>(), digests);
}
