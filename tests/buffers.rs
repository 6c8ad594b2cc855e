//! The convention for answers of variable length (PKCS#11 5.2), function by function.
//!
//! Every buffer here, as in the other suites, lies between canaries: see `raw/guarded.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::collections::HashSet;

use cryptoki_sys::*;
use raw::*;

#[test]
fn c_sign_asks_kms_only_when_the_buffer_is_large_enough() {
    let (client, [p256, p521, rsa]) = Client::start([P256, P521, RSA_3072]);
    for (key, type_, len) in [
        (&p256, CKM_ECDSA_SHA256, 64),
        (&p521, CKM_ECDSA_SHA512, 132),
        (&rsa, CKM_SHA256_RSA_PKCS, 384),
    ] {
        let mechanism = Mechanism::plain(type_);
        for spare in [0, 1, 500] {
            let calls = client.requests(|| {
                assert_eq!(client.sign_init(&mechanism, key.private), CKR_OK);
                let signature = fill(len, spare, |room| client.sign(b"message", room));
                let verdict = client.verdict(&mechanism, key.public, b"message", &signature);
                assert_eq!(verdict, CKR_OK);
                let over = client.sign(b"message", Room::Of(AMPLE));
                assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
            });
            assert_eq!((calls.of("Sign"), calls.total), (1, 1));
        }
    }
}

#[test]
fn c_sign_final_asks_kms_only_when_the_buffer_is_large_enough() {
    let (client, [ec, rsa]) = Client::start([P384, RSA_2048]);
    for (key, type_, len) in [
        (&ec, CKM_ECDSA_SHA384, 96),
        (&rsa, CKM_SHA512_RSA_PKCS, 256),
    ] {
        let mechanism = Mechanism::plain(type_);
        let calls = client.requests(|| {
            assert_eq!(client.sign_init(&mechanism, key.private), CKR_OK);
            assert_eq!(client.sign_update(b"mess"), CKR_OK);
            assert_eq!(client.sign_update(b"age"), CKR_OK);
            let signature = fill(len, 7, |room| client.sign_final(room));
            let verdict = client.verdict(&mechanism, key.public, b"message", &signature);
            assert_eq!(verdict, CKR_OK);
            let over = client.sign_final(Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
        });
        assert_eq!((calls.of("Sign"), calls.total), (1, 1));
    }
}

#[test]
fn a_length_query_costs_no_request() {
    let (client, [ec, rsa, decrypting]) = Client::start([P256, RSA_2048, RSA_2048_DECRYPT]);
    for (key, type_) in [(&ec, CKM_ECDSA_SHA256), (&rsa, CKM_SHA256_RSA_PKCS)] {
        let calls = client.requests(|| {
            assert_eq!(
                client.sign_init(&Mechanism::plain(type_), key.private),
                CKR_OK
            );
            for _ in 0..10 {
                assert_eq!(client.sign(b"message", Room::Query).rv, CKR_OK);
            }
            assert_eq!(client.sign_update(b"message"), CKR_OK);
            for _ in 0..10 {
                assert_eq!(client.sign_final(Room::Query).rv, CKR_OK);
            }
        });
        assert_eq!(calls.total, 0);
        let _ = client.sign_final(Room::Of(AMPLE)).ok();
    }
    let oaep = Mechanism::oaep(&SHA_256);
    let calls = client.requests(|| {
        assert_eq!(client.decrypt_init(&oaep, decrypting.private), CKR_OK);
        assert_eq!(client.decrypt(&[1; 256], Room::Query).rv, CKR_OK);
        assert_eq!(client.encrypt_init(&oaep, decrypting.public), CKR_OK);
        assert_eq!(client.encrypt(b"secret", Room::Query).rv, CKR_OK);
        let _ = client.slots(Room::Query).ok();
        let _ = client.mechanisms(Room::Query).ok();
        let _ = client.attribute(ec.public, CKA_EC_POINT, Room::Query).ok();
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn c_encrypt_answers_the_length_it_needs() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    assert_eq!(client.encrypt_init(&oaep, key.public), CKR_OK);
    let ciphertext = fill(256, 9, |room| client.encrypt(b"secret", room));
    assert_eq!(
        client.plaintext(&oaep, key.private, &ciphertext).ok(),
        b"secret"
    );
    let over = client.encrypt(b"secret", Room::Of(AMPLE));
    assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
}

#[test]
fn c_decrypt_into_too_small_a_buffer_and_again_costs_one_request() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let secret = bytes(32, 1);
    let ciphertext = client.ciphertext(&oaep, key.public, &secret);
    let calls = client.requests(|| {
        assert_eq!(client.decrypt_init(&oaep, key.private), CKR_OK);
        // The most that the key can hold: how much this one holds, only KMS knows.
        let query = client.decrypt(&ciphertext, Room::Query);
        assert_eq!((query.rv, query.len), (CKR_OK, 190));
        for capacity in [0, 1, 31] {
            let refused = client.decrypt(&ciphertext, Room::Of(capacity));
            assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, 32));
        }
        assert_eq!(client.decrypt(&ciphertext, Room::Of(32)).ok(), secret);
        let over = client.decrypt(&ciphertext, Room::Of(32));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    });
    assert_eq!((calls.of("Decrypt"), calls.total), (1, 1));
}

#[test]
fn c_decrypt_of_another_ciphertext_after_too_small_a_buffer_answers_that_one() {
    let (client, [key]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let one = client.ciphertext(&oaep, key.public, b"one");
    let another = client.ciphertext(&oaep, key.public, b"another");
    assert_eq!(client.decrypt_init(&oaep, key.private), CKR_OK);
    let refused = client.decrypt(&one, Room::Of(1));
    assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, 3));
    assert_eq!(client.decrypt(&another, Room::Of(AMPLE)).ok(), b"another");
}

#[test]
fn c_digest_and_c_digest_final_answer_the_length_they_need() {
    let (client, []) = Client::start([]);
    for hash in [SHA_1, SHA_224, SHA_256, SHA_384, SHA_512] {
        let mechanism = Mechanism::plain(hash.mechanism);
        assert_eq!(client.digest_init(&mechanism), CKR_OK);
        let whole = fill(hash.len, 3, |room| client.digest(b"message", room));
        let over = client.digest(b"message", Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);

        assert_eq!(client.digest_init(&mechanism), CKR_OK);
        assert_eq!(client.digest_update(b"message"), CKR_OK);
        let parts = fill(hash.len, 0, |room| client.digest_final(room));
        let over = client.digest_final(Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(whole, parts);
    }
}

#[test]
fn an_answer_may_take_the_place_of_the_data() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let sha256 = Mechanism::plain(CKM_SHA256);
    assert_eq!(client.digest_init(&sha256), CKR_OK);
    let digest = client.digest(b"message", Room::Of(AMPLE)).ok();

    assert_eq!(client.digest_init(&sha256), CKR_OK);
    let answer = client.in_place(b"message", |list| list.C_Digest);
    assert_eq!(answer, digest);

    let ecdsa = Mechanism::plain(CKM_ECDSA);
    assert_eq!(client.sign_init(&ecdsa, ec.private), CKR_OK);
    let signature = client.in_place(&digest, |list| list.C_Sign);
    assert_eq!(client.verify_init(&ecdsa, ec.public), CKR_OK);
    assert_eq!(client.verify(&digest, &signature), CKR_OK);

    assert_eq!(client.encrypt_init(&oaep, rsa.public), CKR_OK);
    let ciphertext = client.in_place(b"secret", |list| list.C_Encrypt);
    assert_eq!(client.decrypt_init(&oaep, rsa.private), CKR_OK);
    let plaintext = client.in_place(&ciphertext, |list| list.C_Decrypt);
    assert_eq!(plaintext, b"secret");
}

#[test]
fn c_get_attribute_value_writes_a_value_that_fits_and_nothing_else() {
    let (client, [ec, rsa]) = Client::start([P256, RSA_2048]);
    let mut tried = 0;
    for object in [ec.private, ec.public, rsa.private, rsa.public] {
        for type_ in ATTRIBUTES {
            let query = client.attribute(object, type_, Room::Query);
            if query.rv != CKR_OK {
                // Secret, or not of this class: with no room, and with some.
                for room in [Room::Query, Room::Of(0), Room::Of(AMPLE)] {
                    let refused = client.attribute(object, type_, room);
                    assert_eq!((refused.rv, refused.len), (query.rv, UNAVAILABLE));
                }
                continue;
            }
            let len = usize::try_from(query.len).unwrap();
            for capacity in [0, 1, len / 2, len.saturating_sub(1)] {
                if capacity < len {
                    let refused = client.attribute(object, type_, Room::Of(capacity));
                    let expected = (CKR_BUFFER_TOO_SMALL, UNAVAILABLE);
                    assert_eq!((refused.rv, refused.len), expected, "{type_:#x}");
                }
            }
            let exact = client.attribute(object, type_, Room::Of(len)).ok();
            let roomy = client.attribute(object, type_, Room::Of(len + 100)).ok();
            assert_eq!((exact.len(), &exact), (len, &roomy), "{type_:#x}");
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} attributes that the objects have");
}

#[test]
fn c_get_attribute_value_answers_every_attribute_whatever_the_others_are() {
    let (client, [rsa]) = Client::start([RSA_2048]);
    let modulus = client.value(rsa.private, CKA_MODULUS);
    let mut values = [[0xa5; 300]; 6];
    let [class, small, secret, absent, exponent, whole] = &mut values;
    let (rv, lengths) = client.attributes(
        rsa.private,
        &mut [
            (CKA_CLASS, &mut class[..]),
            (CKA_MODULUS, &mut small[..255]),
            (CKA_PRIVATE_EXPONENT, &mut secret[..]),
            (CKA_EC_POINT, &mut absent[..]),
            (CKA_PUBLIC_EXPONENT, &mut exponent[..]),
            (CKA_MODULUS, &mut whole[..]),
        ],
    );
    assert!(
        [
            CKR_BUFFER_TOO_SMALL,
            CKR_ATTRIBUTE_SENSITIVE,
            CKR_ATTRIBUTE_TYPE_INVALID
        ]
        .contains(&rv),
        "{rv:#x}"
    );
    let class_len = size_of::<CK_OBJECT_CLASS>();
    let no = UNAVAILABLE;
    assert_eq!(lengths, [class_len as CK_ULONG, no, no, no, 3, 256]);
    assert_eq!(values[0][..class_len], CKO_PRIVATE_KEY.to_ne_bytes());
    assert_eq!(values[4][..3], [1, 0, 1]);
    assert_eq!(values[5][..256], modulus[..]);
    for (value, len) in values.iter().zip([class_len, 0, 0, 0, 3, 256]) {
        assert!(value[len..].iter().all(|byte| *byte == 0xa5));
    }
}

#[test]
fn c_get_slot_list_and_c_get_mechanism_list_answer_the_count_they_need() {
    let (client, []) = Client::start([]);
    assert_eq!(fill(1, 5, |room| client.slots(room)), [0]);

    let count = usize::try_from(client.mechanisms(Room::Query).len).unwrap();
    let list = fill(count, 5, |room| client.mechanisms(room));
    assert_eq!(list, fill(count, 0, |room| client.mechanisms(room)));
}

#[test]
fn c_find_objects_answers_no_more_handles_than_it_was_asked_for() {
    let (client, keys) = Client::start([P256, P256, P256]);
    let all: HashSet<_> = keys
        .iter()
        .flat_map(|key| [key.private, key.public])
        .collect();
    for step in [1, 2, 4, 5, 6, 100] {
        assert_eq!(client.find_init(&[]), CKR_OK);
        assert_eq!(client.find_next(0).ok(), [0; 0]);
        let mut found = Vec::new();
        loop {
            let next = client.find_next(step).ok();
            if next.is_empty() {
                break;
            }
            found.extend(next);
        }
        assert_eq!(client.find_final(), CKR_OK);
        assert_eq!(found.len(), all.len(), "each once");
        assert_eq!(HashSet::from_iter(found), all);
    }
}

#[test]
fn c_generate_random_fills_buffers_of_any_length_and_not_a_byte_more() {
    let (client, []) = Client::start([]);
    for len in [0, 1, 31, 1023, 1024, 1025, 8192, 100_000] {
        let calls = client.requests(|| {
            let random = client.random(len).ok();
            assert_eq!(random.len(), len);
            assert_is_random(&random);
        });
        let requests = len.div_ceil(1024) as u64;
        let counted = (calls.of("GenerateRandom"), calls.total);
        assert_eq!(counted, (requests, requests), "{len} bytes");
    }
}

#[test]
fn c_generate_random_from_the_local_generator_costs_no_request() {
    let (client, []) = Client::configured("random = \"local\"", []);
    let calls = client.requests(|| {
        for len in [1, 8192, 100_000] {
            assert_is_random(&client.random(len).ok());
        }
    });
    assert_eq!(calls.total, 0);
}

/// Walks a function through queries, buffers that are too small and one that has `spare` room, all of them
/// for one active operation; answers its answer.
#[track_caller]
fn fill<T>(needed: usize, spare: usize, call: impl Fn(Room) -> Answer<T>) -> Vec<T> {
    let len = needed as CK_ULONG;
    for capacity in [0, 1, needed / 2, needed - 1] {
        if capacity == needed {
            continue;
        }
        let query = call(Room::Query);
        assert_eq!((query.rv, query.len), (CKR_OK, len));
        let refused = call(Room::Of(capacity));
        assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, len));
    }
    let answer = call(Room::Of(needed + spare));
    assert_eq!((answer.rv, answer.len), (CKR_OK, len));
    answer.values
}

/// Requires that no block of 16 bytes comes twice, as it would where nothing, or the same, was written.
#[track_caller]
fn assert_is_random(bytes: &[u8]) {
    let mut seen = HashSet::new();
    let (blocks, _) = bytes.as_chunks::<16>();
    assert!(blocks.iter().all(|block| seen.insert(block)));
}

const ATTRIBUTES: [CK_ATTRIBUTE_TYPE; 30] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_ID,
    CKA_UNIQUE_ID,
    CKA_KEY_TYPE,
    CKA_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE,
    CKA_LOCAL,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_VALUE,
    CKA_PUBLIC_KEY_INFO,
    CKA_SUBJECT,
    CKA_START_DATE,
    CKA_ALLOWED_MECHANISMS,
    CKA_KEY_GEN_MECHANISM,
    CKA_VENDOR_DEFINED,
];
