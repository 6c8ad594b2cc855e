//! AES with secret keys of a session: CBC, CTR and GCM, in one part and in many, without any request.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;
use raw::*;
use serde_json::{Value, json};

const IV: [u8; 16] = *b"sixteen bytes IV";
const AAD: &[u8] = b"authenticated, not encrypted";
const PARTS: [usize; 6] = [1, 7, 16, 17, 32, 500];

#[test]
fn ciphertexts_are_those_of_python_however_the_data_is_cut() {
    let (client, []) = Client::start([]);
    let calls = client.requests(|| {
        for (index, key_len) in [16, 24, 32].into_iter().enumerate() {
            let value = bytes(key_len, 1 + index as u64);
            let key = client.secret_key(CKK_AES, &value, &[]);
            let cases = cases(&value);
            let expected: Vec<Value> = cases.iter().map(|case| case.computed.clone()).collect();
            let expected = computed(&expected);
            assert_eq!(expected.len(), cases.len());
            for (case, expected) in cases.iter().zip(&expected) {
                let what = format!("{:?}, {} bytes", case.mechanism, case.data.len());
                let whole = client.ciphertext(&case.mechanism, key, &case.data);
                assert_eq!(whole, *expected, "{what}");
                let back = client.plaintext(&case.mechanism, key, expected).ok();
                assert_eq!(back, case.data, "{what}");
                for part in PARTS {
                    let parts = client.ciphertext_of_parts(&case.mechanism, key, &case.data, part);
                    assert_eq!(parts, *expected, "{what} in parts of {part}");
                    let back = client.plaintext_of_parts(&case.mechanism, key, expected, part);
                    assert_eq!(back.ok(), case.data, "{what} in parts of {part}");
                }
            }
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn queries_and_too_little_room_leave_the_operation_as_it_was() {
    let (client, key) = with_key();
    for case in cases(&[7; 32]).iter().filter(|case| !case.data.is_empty()) {
        let mechanism = &case.mechanism;
        let ciphertext = client.ciphertext(mechanism, key, &case.data);

        assert_eq!(client.encrypt_init(mechanism, key), CKR_OK);
        let whole = walk(ciphertext.len(), |room| client.encrypt(&case.data, room));
        assert_eq!(whole, ciphertext);
        let over = client.encrypt(&case.data, Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);

        assert_eq!(client.decrypt_init(mechanism, key), CKR_OK);
        let whole = walk(case.data.len(), |room| client.decrypt(&ciphertext, room));
        assert_eq!(whole, case.data);
        let over = client.decrypt(&ciphertext, Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);

        assert_eq!(client.encrypt_init(mechanism, key), CKR_OK);
        let mut parts = Vec::new();
        for part in case.data.chunks(40) {
            // What an update completes is known beforehand.
            let query = client.encrypt_update(part, Room::Query);
            let due = usize::try_from(query.len).unwrap();
            parts.extend(walk(due, |room| client.encrypt_update(part, room)));
        }
        let rest = ciphertext.len() - parts.len();
        parts.extend(walk(rest, |room| client.encrypt_final(room)));
        assert_eq!(parts, ciphertext);
        let over = client.encrypt_final(Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);

        assert_eq!(client.decrypt_init(mechanism, key), CKR_OK);
        let mut parts = client.decrypt_update(&ciphertext, Room::Of(AMPLE)).ok();
        let rest = case.data.len() - parts.len();
        parts.extend(walk(rest, |room| client.decrypt_final(room)));
        assert_eq!(parts, case.data);
        let over = client.decrypt_final(Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    }
}

#[test]
fn another_ciphertext_after_too_little_room_is_the_one_that_is_decrypted() {
    let (client, key) = with_key();
    let mechanism = Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV);
    let [one, two] = [&b"one"[..], b"second"].map(|data| client.ciphertext(&mechanism, key, data));
    assert_eq!(client.decrypt_init(&mechanism, key), CKR_OK);
    let refused = client.decrypt(&one, Room::Of(1));
    assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, 3));
    assert_eq!(client.decrypt(&two, Room::Of(AMPLE)).ok(), b"second");
}

#[test]
fn gcm_releases_no_plaintext_before_its_tag_was_checked() {
    let (client, key) = with_key();
    let gcm = Mechanism::gcm(&IV[..12], AAD, 128);
    let ciphertext = client.ciphertext(&gcm, key, &[5; 100]);
    for changed in [0, 50, 99, 100, 115] {
        let mut forged = ciphertext.clone();
        forged[changed] ^= 1;
        let refused = client.plaintext(&gcm, key, &forged);
        assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_INVALID);

        assert_eq!(client.decrypt_init(&gcm, key), CKR_OK);
        for part in forged.chunks(30) {
            assert_eq!(client.decrypt_update(part, Room::Query).len, 0);
            assert_eq!(client.decrypt_update(part, Room::Of(AMPLE)).ok(), b"");
        }
        let refused = client.decrypt_final(Room::Of(AMPLE));
        assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_INVALID);
        let over = client.decrypt_final(Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    }
    for other in [
        Mechanism::gcm(&IV[..12], b"other", 128),
        Mechanism::gcm(&IV[4..], AAD, 128),
        Mechanism::gcm(&IV[..12], AAD, 120),
    ] {
        let refused = client.plaintext(&other, key, &ciphertext);
        assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_INVALID);
    }
}

#[test]
fn data_of_a_length_that_the_mode_does_not_take_is_refused_and_ends_the_operation() {
    let (client, key) = with_key();
    let cbc = Mechanism::with_bytes(CKM_AES_CBC, &IV);
    let padded = Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV);
    let gcm = Mechanism::gcm(&IV[..12], AAD, 96);
    for len in [1, 15, 17, 33] {
        let data = bytes(len, 3);
        assert_eq!(client.encrypt_init(&cbc, key), CKR_OK);
        let refused = client.encrypt(&data, Room::Of(AMPLE));
        assert_eq!(refused.rv, CKR_DATA_LEN_RANGE);
        assert_eq!(client.encrypt_init(&cbc, key), CKR_OK);
        client.encrypt_update(&data, Room::Of(AMPLE)).ok();
        let refused = client.encrypt_final(Room::Of(AMPLE));
        assert_eq!(refused.rv, CKR_DATA_LEN_RANGE);
        for mechanism in [&cbc, &padded] {
            let refused = client.plaintext(mechanism, key, &data);
            assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_LEN_RANGE);
            let refused = client.plaintext_of_parts(mechanism, key, &data, 16);
            assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_LEN_RANGE);
            let over = client.decrypt_final(Room::Of(AMPLE));
            assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
        }
    }
    assert_eq!(
        client.plaintext(&padded, key, &[]).rv,
        CKR_ENCRYPTED_DATA_LEN_RANGE
    );
    for len in [0, 11] {
        let refused = client.plaintext(&gcm, key, &bytes(len, 4));
        assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
}

#[test]
fn a_padding_that_is_none_is_invalid() {
    let (client, key) = with_key();
    let cbc = Mechanism::with_bytes(CKM_AES_CBC, &IV);
    let padded = Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV);
    for last in [0, 2, 17, 255] {
        let mut block = [1; 16];
        block[15] = last;
        let ciphertext = client.ciphertext(&cbc, key, &block);
        let refused = client.plaintext(&padded, key, &ciphertext);
        assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_INVALID, "{last}");
        let over = client.decrypt(&ciphertext, Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    }
}

#[test]
fn ctr_ends_where_its_counter_bits_end() {
    let (client, key) = with_key();
    let mut block = IV;
    block[15] = 1;
    // The specification's example: two bits from 1 on are three blocks.
    let ctr = Mechanism::ctr(2, block);
    assert_eq!(client.ciphertext(&ctr, key, &[0; 48]).len(), 48);
    assert_eq!(client.encrypt_init(&ctr, key), CKR_OK);
    let refused = client.encrypt(&[0; 49], Room::Of(AMPLE));
    assert_eq!(refused.rv, CKR_DATA_LEN_RANGE);
    assert_eq!(client.encrypt_init(&ctr, key), CKR_OK);
    client.encrypt_update(&[0; 48], Room::Of(AMPLE)).ok();
    let refused = client.encrypt_update(&[0], Room::Of(AMPLE));
    assert_eq!(refused.rv, CKR_DATA_LEN_RANGE);
    let over = client.encrypt_final(Room::Of(AMPLE));
    assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    let refused = client.plaintext(&ctr, key, &[0; 49]);
    assert_eq!(refused.rv, CKR_ENCRYPTED_DATA_LEN_RANGE);
}

#[test]
fn parameters_that_the_mode_does_not_take_are_refused_at_init() {
    let (client, key) = with_key();
    let mut refused = vec![
        Mechanism::ctr(0, IV),
        Mechanism::ctr(129, IV),
        Mechanism::ctr(32, IV).typed(CKM_AES_CBC),
        Mechanism::gcm(&IV, AAD, 128),
        Mechanism::gcm(&[], AAD, 128),
        Mechanism::gcm(&IV[..12], AAD, 129),
        Mechanism::gcm(&IV[..12], AAD, 64),
        Mechanism::gcm(&IV[..12], AAD, 128).typed(CKM_AES_CTR),
    ];
    for type_ in [CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_GCM] {
        refused.push(Mechanism::plain(type_));
        refused.push(Mechanism::with_bytes(type_, &IV[..15]));
        refused.push(Mechanism::with_bytes(type_, &[&IV[..], &[0]].concat()));
    }
    for mechanism in refused {
        let expected = CKR_MECHANISM_PARAM_INVALID;
        assert_eq!(client.encrypt_init(&mechanism, key), expected);
        assert_eq!(client.decrypt_init(&mechanism, key), expected);
    }
}

#[test]
fn a_key_does_what_its_type_and_attributes_allow() {
    let (client, []) = Client::start([]);
    let cbc = Mechanism::with_bytes(CKM_AES_CBC, &IV);
    let ctr = Mechanism::ctr(32, IV);
    let generic = client.secret_key(CKK_GENERIC_SECRET, &[7; 32], &[]);
    assert_eq!(
        client.encrypt_init(&cbc, generic),
        CKR_KEY_TYPE_INCONSISTENT
    );
    let one_way = [(CKA_ENCRYPT, flag(false))];
    let one_way = client.secret_key(CKK_AES, &[7; 32], &one_way);
    assert_eq!(
        client.encrypt_init(&cbc, one_way),
        CKR_KEY_FUNCTION_NOT_PERMITTED
    );
    assert_eq!(client.plaintext(&cbc, one_way, &[1; 16]).rv, CKR_OK);
    let only_ctr = [(CKA_ALLOWED_MECHANISMS, ulong(CKM_AES_CTR))];
    let only_ctr = client.secret_key(CKK_AES, &[7; 32], &only_ctr);
    assert_eq!(client.encrypt_init(&cbc, only_ctr), CKR_MECHANISM_INVALID);
    assert_eq!(client.ciphertext(&ctr, only_ctr, b"data").len(), 4);
    assert_eq!(client.encrypt_init(&cbc, 987), CKR_KEY_HANDLE_INVALID);
    assert_eq!(
        client.encrypt_init(&Mechanism::plain(CKM_AES_KEY_WRAP), one_way),
        CKR_MECHANISM_INVALID
    );
}

#[test]
fn one_part_and_many_do_not_mix() {
    let (client, key) = with_key();
    let cbc = Mechanism::with_bytes(CKM_AES_CBC, &IV);
    assert_eq!(client.encrypt_init(&cbc, key), CKR_OK);
    client.encrypt_update(&[1; 16], Room::Of(AMPLE)).ok();
    let refused = client.encrypt(&[1; 16], Room::Of(AMPLE));
    assert_eq!(refused.rv, CKR_OPERATION_ACTIVE);
    let over = client.encrypt_final(Room::Of(AMPLE));
    assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED);
    for rv in [
        client.encrypt_update(&[1; 16], Room::Of(AMPLE)).rv,
        client.decrypt_update(&[1; 16], Room::Of(AMPLE)).rv,
        client.decrypt_final(Room::Of(AMPLE)).rv,
    ] {
        assert_eq!(rv, CKR_OPERATION_NOT_INITIALIZED);
    }
    // An encryption and a decryption are two operations.
    assert_eq!(client.encrypt_init(&cbc, key), CKR_OK);
    assert_eq!(client.decrypt_init(&cbc, key), CKR_OK);
    assert_eq!(client.encrypt_init(&cbc, key), CKR_OPERATION_ACTIVE);
    let ciphertext = client.encrypt_update(&[1; 16], Room::Of(AMPLE)).ok();
    let plaintext = client.decrypt_update(&ciphertext, Room::Of(AMPLE)).ok();
    assert_eq!(plaintext, [1; 16]);
    assert_eq!(client.encrypt_final(Room::Of(0)).ok(), b"");
    assert_eq!(client.decrypt_final(Room::Of(0)).ok(), b"");
}

#[test]
fn asking_for_the_length_of_a_part_or_of_the_end_begins_no_parts() {
    let (client, key) = with_key();
    let data = [3; 40];
    for mechanism in [
        Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV),
        Mechanism::ctr(128, IV),
        Mechanism::gcm(&IV[..12], AAD, 128),
    ] {
        let ciphertext = client.ciphertext(&mechanism, key, &data);
        let encrypt_init = || assert_eq!(client.encrypt_init(&mechanism, key), CKR_OK);
        let ask = || {
            for answer in [
                client.encrypt_final(Room::Query),
                client.encrypt_update(&data, Room::Query),
            ] {
                assert_eq!(answer.rv, CKR_OK);
            }
        };

        encrypt_init();
        ask();
        assert_eq!(client.encrypt(&data, Room::Of(AMPLE)).ok(), ciphertext);

        encrypt_init();
        ask();
        let mut parts = client.encrypt_update(&data, Room::Of(AMPLE)).ok();
        assert_eq!(client.encrypt_final(Room::Query).rv, CKR_OK);
        parts.extend(client.encrypt_final(Room::Of(AMPLE)).ok());
        assert_eq!(parts, ciphertext);

        assert_eq!(client.decrypt_init(&mechanism, key), CKR_OK);
        assert_eq!(client.decrypt_final(Room::Query).rv, CKR_OK);
        assert_eq!(client.decrypt_update(&ciphertext, Room::Query).rv, CKR_OK);
        assert_eq!(client.decrypt(&ciphertext, Room::Of(AMPLE)).ok(), data);
    }
}

#[test]
fn rsa_takes_its_data_in_one_part() {
    let (client, [rsa]) = Client::start([RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let calls = client.requests(|| {
        assert_eq!(client.encrypt_init(&oaep, rsa.public), CKR_OK);
        let refused = client.encrypt_update(b"secret", Room::Of(AMPLE));
        assert_eq!(refused.rv, CKR_OPERATION_NOT_INITIALIZED);
        assert_eq!(client.decrypt_init(&oaep, rsa.private), CKR_OK);
        let refused = client.decrypt_update(&[1; 256], Room::Of(AMPLE));
        assert_eq!(refused.rv, CKR_OPERATION_NOT_INITIALIZED);
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn an_answer_may_take_the_place_of_the_data() {
    let (client, key) = with_key();
    for mechanism in [
        Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV),
        Mechanism::ctr(128, [0; 16]),
        Mechanism::gcm(&IV[..12], AAD, 128),
    ] {
        let expected = client.ciphertext(&mechanism, key, b"some data");
        assert_eq!(client.encrypt_init(&mechanism, key), CKR_OK);
        let ciphertext = client.in_place(b"some data", |list| list.C_Encrypt);
        assert_eq!(ciphertext, expected);
        assert_eq!(client.decrypt_init(&mechanism, key), CKR_OK);
        let plaintext = client.in_place(&ciphertext, |list| list.C_Decrypt);
        assert_eq!(plaintext, b"some data");
    }
}

/// Data, how it is encrypted, and what computes the same elsewhere.
struct Case {
    mechanism: Mechanism,
    data: Vec<u8>,
    computed: Value,
}

fn cases(key: &[u8]) -> Vec<Case> {
    let key = hex(key);
    let mut cases = Vec::new();
    for len in [0, 1, 15, 16, 17, 31, 32, 48, 100, 256] {
        let data = bytes(len, len as u64);
        let text = hex(&data);
        let iv = hex(&IV);
        let mut add = |mechanism, computed| {
            cases.push(Case {
                mechanism,
                data: data.clone(),
                computed,
            });
        };
        if len % 16 == 0 {
            add(
                Mechanism::with_bytes(CKM_AES_CBC, &IV),
                json!({"do": "cbc", "key": key, "iv": iv, "data": text}),
            );
        }
        add(
            Mechanism::with_bytes(CKM_AES_CBC_PAD, &IV),
            json!({"do": "cbc_pad", "key": key, "iv": iv, "data": text}),
        );
        for bits in [32, 128] {
            add(
                Mechanism::ctr(bits, IV),
                json!({"do": "ctr", "key": key, "block": iv, "data": text}),
            );
        }
        for (aad, tag_len) in [(&b""[..], 16), (AAD, 16), (AAD, 12), (AAD, 13)] {
            let nonce = &IV[..12];
            add(
                Mechanism::gcm(nonce, aad, 8 * tag_len),
                json!({
                    "do": "gcm", "key": key, "iv": hex(nonce), "aad": hex(aad), "data": text,
                    "tag_len": tag_len,
                }),
            );
        }
    }
    cases
}

fn with_key() -> (Client, CK_OBJECT_HANDLE) {
    let (client, []) = Client::start([]);
    let key = client.secret_key(CKK_AES, &[7; 32], &[]);
    (client, key)
}

/// Walks a function through a query and buffers that are too small, all for one active operation;
/// answers its answer, which has `needed` bytes. A query may answer a few more.
#[track_caller]
fn walk(needed: usize, call: impl Fn(Room) -> Answer) -> Vec<u8> {
    let query = call(Room::Query);
    assert_eq!(query.rv, CKR_OK);
    let most = usize::try_from(query.len).unwrap();
    assert!((needed..=needed + 16).contains(&most), "{needed} {most}");
    for capacity in [0, needed / 2, needed.saturating_sub(1)] {
        if capacity < needed {
            let refused = call(Room::Of(capacity));
            assert_eq!(refused.rv, CKR_BUFFER_TOO_SMALL);
            assert!(refused.len >= needed as CK_ULONG, "{}", refused.len);
        }
    }
    let answer = call(Room::Of(needed));
    assert_eq!((answer.rv, answer.len), (CKR_OK, needed as CK_ULONG));
    answer.values
}
