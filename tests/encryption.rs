//! RSAES-OAEP: encrypting here, decrypting in KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::fs;
use std::path::Path;

use cryptoki_sys::*;
use kms_pkcs11_testkit::openssl_ok;
use raw::*;

const SIZES: [KeyKind; 3] = [RSA_2048_DECRYPT, RSA_3072_DECRYPT, RSA_4096_DECRYPT];
/// The hashes of KMS's RSAES-OAEP.
const HASHES: [Hash; 2] = [SHA_1, SHA_256];

/// The most bytes that KMS documents for a key of [`SIZES`] and a hash of [`HASHES`].
const LONGEST: [[usize; 2]; 3] = [[214, 190], [342, 318], [470, 446]];

#[test]
fn what_is_encrypted_here_is_decrypted_in_kms_with_one_request() {
    for_every_size_and_hash(|client, key, mechanism, longest| {
        for len in [0, 1, 32, longest - 1, longest] {
            let plaintext = bytes(len, 1);
            let mut ciphertext = Vec::new();
            let calls = client.requests(|| {
                ciphertext = client.ciphertext(mechanism, key.public, &plaintext);
            });
            assert_eq!(calls.total, 0);
            let calls = client.requests(|| {
                let answer = client.plaintext(mechanism, key.private, &ciphertext);
                assert_eq!(answer.ok(), plaintext, "{len} bytes, {mechanism:?}");
            });
            assert_eq!((calls.of("Decrypt"), calls.total), (1, 1));
        }
    });
}

#[test]
fn what_openssl_encrypted_is_decrypted_in_kms() {
    let (client, keys) = Client::start(SIZES);
    for (key, longest) in keys.iter().zip(LONGEST) {
        let file = client.directory().join("key.der");
        fs::write(&file, &key.spki).unwrap();
        for (hash, longest) in HASHES.iter().zip(longest) {
            for len in [0, 1, 32, longest] {
                let plaintext = bytes(len, 2);
                let ciphertext = openssl_encrypt(&file, hash, &plaintext);
                let answer = client.plaintext(&Mechanism::oaep(hash), key.private, &ciphertext);
                assert_eq!(answer.ok(), plaintext, "{len} bytes, {}", hash.name);
            }
        }
    }
}

#[test]
fn the_same_plaintext_never_gives_the_same_ciphertext() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let [one, two] = [(); 2].map(|()| client.ciphertext(&oaep, key.public, b"secret"));
    assert_ne!(one, two);
}

#[test]
fn a_plaintext_that_is_too_long_is_refused_without_a_request() {
    for_every_size_and_hash(|client, key, mechanism, longest| {
        let calls = client.requests(|| {
            for len in [longest + 1, longest + 2, 1000] {
                assert_eq!(client.encrypt_init(mechanism, key.public), CKR_OK);
                let refused = client.encrypt(&bytes(len, 3), Room::Of(AMPLE));
                assert_eq!(refused.rv, CKR_DATA_LEN_RANGE, "{len} bytes");
                let over = client.encrypt(b"secret", Room::Of(AMPLE));
                assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
            }
        });
        assert_eq!(calls.total, 0);
    });
}

#[test]
fn a_ciphertext_of_another_length_is_refused_without_a_request() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let calls = client.requests(|| {
        for len in [0, 1, 255, 257, 512] {
            let refused = client.plaintext(&oaep, key.private, &bytes(len, 4));
            assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_LEN_RANGE, "{len} bytes");
            let over = client.decrypt(&[1; 256], Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_ciphertext_that_is_not_of_this_key_and_hash_is_invalid() {
    let (client, [key, other]) = Client::start([RSA_2048_DECRYPT, RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let mut corrupted = client.ciphertext(&oaep, key.public, b"secret");
    corrupted[100] ^= 1;
    for (what, ciphertext) in [
        ("corrupted", corrupted),
        (
            "of another key",
            client.ciphertext(&oaep, other.public, b"secret"),
        ),
        (
            "of another hash",
            client.ciphertext(&Mechanism::oaep(&SHA_1), key.public, b"secret"),
        ),
        ("all zeros", vec![0; 256]),
        ("larger than the modulus", vec![0xff; 256]),
    ] {
        let calls = client.requests(|| {
            let refused = client.plaintext(&oaep, key.private, &ciphertext);
            assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_INVALID, "{what}");
            let over = client.decrypt(&ciphertext, Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED, "{what}");
        });
        assert_eq!((calls.of("Decrypt"), calls.total), (1, 1), "{what}");
    }
    let valid = client.ciphertext(&oaep, key.public, b"secret");
    let answer = client.plaintext(&oaep, key.private, &valid);
    assert_eq!(answer.ok(), b"secret");
}

#[test]
fn a_key_does_only_what_its_usage_in_kms_is() {
    let (client, [signing, decrypting, ec]) = Client::start([RSA_2048, RSA_2048_DECRYPT, P256]);
    let oaep = Mechanism::oaep(&SHA_256);
    let pkcs1 = Mechanism::plain(CKM_SHA256_RSA_PKCS);
    let not_permitted = CKR_KEY_FUNCTION_NOT_PERMITTED;
    let inconsistent = CKR_KEY_TYPE_INCONSISTENT;
    let calls = client.requests(|| {
        for (rv, expected) in [
            (client.decrypt_init(&oaep, signing.private), not_permitted),
            (client.encrypt_init(&oaep, signing.public), not_permitted),
            (client.sign_init(&pkcs1, decrypting.private), not_permitted),
            (client.verify_init(&pkcs1, decrypting.public), not_permitted),
            (client.decrypt_init(&oaep, decrypting.public), not_permitted),
            (
                client.encrypt_init(&oaep, decrypting.private),
                not_permitted,
            ),
            (client.decrypt_init(&oaep, ec.private), inconsistent),
            (client.encrypt_init(&oaep, ec.public), inconsistent),
            (client.sign_init(&pkcs1, ec.private), inconsistent),
        ] {
            assert_eq!(rv, expected);
        }
    });
    assert_eq!(calls.total, 0);
}

/// Runs `check` with every key, mechanism, and the longest plaintext for the two.
fn for_every_size_and_hash(check: impl Fn(&Client, &Key, &Mechanism, usize)) {
    let (client, keys) = Client::start(SIZES);
    for (key, longest) in keys.iter().zip(LONGEST) {
        for (hash, longest) in HASHES.iter().zip(longest) {
            check(&client, key, &Mechanism::oaep(hash), longest);
        }
    }
}

fn openssl_encrypt(key: &Path, hash: &Hash, plaintext: &[u8]) -> Vec<u8> {
    let hash_option = format!("rsa_oaep_md:{}", hash.name);
    let mgf_option = format!("rsa_mgf1_md:{}", hash.name);
    let key = key.to_str().unwrap();
    let options = ["rsa_padding_mode:oaep", &hash_option, &mgf_option];
    let mut args = vec![
        "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", key,
    ];
    args.extend(options.iter().flat_map(|option| ["-pkeyopt", option]));
    openssl_ok(args, plaintext)
}
