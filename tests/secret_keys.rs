//! Secret keys of a session: HMAC, HKDF, and wrapping, here and by RSA keys in KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::slice;

use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;
use raw::*;
use serde_json::json;

const KW: Mechanism = Mechanism::plain(CKM_AES_KEY_WRAP);
const KWP: Mechanism = Mechanism::plain(CKM_AES_KEY_WRAP_KWP);

/// CKM_SHAxxx_HMAC, its _GENERAL, the hash, its name and the key type made for it.
const MACS: [(CK_MECHANISM_TYPE, CK_MECHANISM_TYPE, Hash, CK_KEY_TYPE); 4] = [
    (
        CKM_SHA224_HMAC,
        CKM_SHA224_HMAC_GENERAL,
        SHA_224,
        CKK_SHA224_HMAC,
    ),
    (
        CKM_SHA256_HMAC,
        CKM_SHA256_HMAC_GENERAL,
        SHA_256,
        CKK_SHA256_HMAC,
    ),
    (
        CKM_SHA384_HMAC,
        CKM_SHA384_HMAC_GENERAL,
        SHA_384,
        CKK_SHA384_HMAC,
    ),
    (
        CKM_SHA512_HMAC,
        CKM_SHA512_HMAC_GENERAL,
        SHA_512,
        CKK_SHA512_HMAC,
    ),
];

#[test]
fn macs_are_those_of_python_and_cost_no_request() {
    let (client, []) = Client::start([]);
    let mut cases = Vec::new();
    let mut macs = Vec::new();
    let calls = client.requests(|| {
        for (whole, general, hash, key_type) in MACS {
            for (key_len, type_) in [(1, CKK_GENERIC_SECRET), (64, key_type), (200, key_type)] {
                let value = bytes(key_len, 1);
                let key = client.secret_key(type_, &value, &[]);
                for (data_len, len) in [(0, hash.len), (2000, hash.len), (100, 1), (100, 10)] {
                    let data = bytes(data_len, 2);
                    let mechanism = if len == hash.len {
                        Mechanism::plain(whole)
                    } else {
                        Mechanism::with_bytes(general, &ulong(len as CK_ULONG))
                    };
                    let mac = client.signature(&mechanism, key, &data);
                    let parts = client.signature_of_parts(&mechanism, key, data.chunks(999));
                    assert_eq!(parts, mac);
                    assert_eq!(client.verdict(&mechanism, key, &data, &mac), CKR_OK);
                    let mut forged = mac.clone();
                    forged[0] ^= 1;
                    assert_eq!(
                        client.verdict(&mechanism, key, &data, &forged),
                        CKR_SIGNATURE_INVALID
                    );
                    assert_eq!(
                        client.verdict(&mechanism, key, &data, &mac[1..]),
                        CKR_SIGNATURE_LEN_RANGE
                    );
                    cases.push(json!({
                        "do": "mac", "key": hex(&value), "hash": hash.name, "data": hex(&data),
                        "len": len,
                    }));
                    macs.push(mac);
                }
            }
        }
    });
    assert_eq!(calls.total, 0);
    assert_eq!(macs.len(), 48);
    assert_eq!(macs, computed(&cases));
}

#[test]
fn a_mac_key_does_what_its_type_and_attributes_allow() {
    let (client, []) = Client::start([]);
    let sha256 = Mechanism::plain(CKM_SHA256_HMAC);
    let other_hash = client.secret_key(CKK_SHA512_HMAC, &[1; 64], &[]);
    assert_eq!(
        client.sign_init(&sha256, other_hash),
        CKR_KEY_TYPE_INCONSISTENT
    );
    let aes = client.secret_key(CKK_AES, &[1; 32], &[]);
    assert_eq!(client.sign_init(&sha256, aes), CKR_KEY_TYPE_INCONSISTENT);
    let verifies = [(CKA_SIGN, flag(false))];
    let verifies = client.secret_key(CKK_GENERIC_SECRET, &[1; 32], &verifies);
    assert_eq!(
        client.sign_init(&sha256, verifies),
        CKR_KEY_FUNCTION_NOT_PERMITTED
    );
    assert_eq!(client.verify_init(&sha256, verifies), CKR_OK);
}

const EXTRACT_EXPAND: Hkdf<'_> = Hkdf {
    extract: true,
    expand: true,
    hash: CKM_SHA256,
    salt_type: CKF_HKDF_SALT_NULL,
    salt: b"",
    salt_key: 0,
    info: b"",
};

/// Hashes as CK_HKDF_PARAMS and Python name them.
const HASHES: [Hash; 5] = [SHA_1, SHA_224, SHA_256, SHA_384, SHA_512];

#[test]
fn hkdf_gives_what_python_gives() {
    let (client, []) = Client::start([]);
    let value = bytes(40, 1);
    let salt = bytes(20, 2);
    let base = base_key(&client, CKK_GENERIC_SECRET, &value);
    let salt_key = base_key(&client, CKK_GENERIC_SECRET, &salt);
    let mut cases = Vec::new();
    let mut derived = Vec::new();
    let calls = client.requests(|| {
        for hash in HASHES {
            let params = Hkdf {
                hash: hash.mechanism,
                ..EXTRACT_EXPAND
            };
            for (salt_type, used) in [
                (CKF_HKDF_SALT_NULL, &b""[..]),
                (CKF_HKDF_SALT_DATA, &salt),
                (CKF_HKDF_SALT_KEY, &salt),
            ] {
                for (info, len) in [(&b""[..], 1), (b"info", 32), (b"info", 200)] {
                    let mechanism = Mechanism::hkdf(Hkdf {
                        salt_type,
                        salt: if salt_type == CKF_HKDF_SALT_DATA {
                            &salt
                        } else {
                            b""
                        },
                        salt_key,
                        info,
                        ..params
                    });
                    let template = [(CKA_VALUE_LEN, ulong(len))];
                    derived.push(derived_value(&client, &mechanism, base, &template));
                    cases.push(json!({
                        "do": "hkdf", "hash": hash.name, "salt": hex(used), "info": hex(info),
                        "base": hex(&value), "len": len,
                    }));
                }
            }
            // The steps apart: an extracted key is expanded by Python, and by the module.
            let extract = Mechanism::hkdf(Hkdf {
                expand: false,
                salt_type: CKF_HKDF_SALT_DATA,
                salt: &salt,
                info: b"ignored",
                ..params
            });
            let extracted = [(CKA_DERIVE, flag(true))];
            let extracted = client.derive(&extract, base, &extracted).unwrap();
            let extracted_value = client.value(extracted, CKA_VALUE);
            assert_eq!(extracted_value.len(), hash.len);
            let expand = Mechanism::hkdf(Hkdf {
                extract: false,
                salt_type: 99,
                info: b"info",
                ..params
            });
            let template = [(CKA_VALUE_LEN, ulong(50))];
            let expanded = derived_value(&client, &expand, extracted, &template);
            for case in [
                json!({
                    "do": "hkdf", "hash": hash.name, "salt": hex(&salt), "info": hex(b"info"),
                    "base": hex(&value), "len": 50,
                }),
                json!({
                    "do": "hkdf_expand", "hash": hash.name, "info": hex(b"info"),
                    "base": hex(&extracted_value), "len": 50,
                }),
            ] {
                derived.push(expanded.clone());
                cases.push(case);
            }
        }
    });
    assert_eq!(calls.total, 0);
    assert_eq!(derived.len(), 55);
    assert_eq!(derived, computed(&cases));
}

#[test]
fn hkdf_meets_the_vectors_of_its_rfc() {
    let (client, []) = Client::start([]);
    // RFC 5869, appendix A, case 1.
    let base = base_key(&client, CKK_HKDF, &[0x0b; 22]);
    let salt: Vec<u8> = (0..=0x0c).collect();
    let info: Vec<u8> = (0xf0..=0xf9).collect();
    let mechanism = Mechanism::hkdf(Hkdf {
        salt_type: CKF_HKDF_SALT_DATA,
        salt: &salt,
        info: &info,
        ..EXTRACT_EXPAND
    });
    let value = derived_value(&client, &mechanism, base, &[(CKA_VALUE_LEN, ulong(42))]);
    assert_eq!(
        hex(&value),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    );
}

#[test]
fn hkdf_refuses_what_it_cannot_derive() {
    let (client, []) = Client::start([]);
    let base = base_key(&client, CKK_GENERIC_SECRET, &[1; 31]);
    let len = |len| vec![(CKA_VALUE_LEN, ulong(len))];
    let expand = Hkdf {
        extract: false,
        ..EXTRACT_EXPAND
    };
    let extract = Hkdf {
        expand: false,
        ..EXTRACT_EXPAND
    };
    for (params, template, expected) in [
        (
            Hkdf {
                extract: false,
                expand: false,
                ..EXTRACT_EXPAND
            },
            len(16),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (
            Hkdf {
                hash: CKM_SHA3_256,
                ..EXTRACT_EXPAND
            },
            len(16),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (
            Hkdf {
                salt_type: 3,
                ..EXTRACT_EXPAND
            },
            len(16),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (
            Hkdf {
                salt_type: CKF_HKDF_SALT_KEY,
                salt_key: 987,
                ..EXTRACT_EXPAND
            },
            len(16),
            CKR_KEY_HANDLE_INVALID,
        ),
        (EXTRACT_EXPAND, vec![], CKR_TEMPLATE_INCOMPLETE),
        (EXTRACT_EXPAND, len(4097), CKR_ATTRIBUTE_VALUE_INVALID),
        (extract, len(16), CKR_TEMPLATE_INCONSISTENT),
        // A pseudorandom key is as long as the hash.
        (expand, len(16), CKR_KEY_SIZE_RANGE),
    ] {
        let made = client.derive(&Mechanism::hkdf(params), base, &template);
        assert_eq!(made, Err(expected), "{params:?}");
    }
    let mechanism = Mechanism::hkdf(EXTRACT_EXPAND);
    let unfit = client.secret_key(CKK_GENERIC_SECRET, &[1; 32], &[(CKA_DERIVE, flag(false))]);
    let made = client.derive(&mechanism, unfit, &len(16));
    assert_eq!(made, Err(CKR_KEY_FUNCTION_NOT_PERMITTED));
    let aes = base_key(&client, CKK_AES, &[1; 32]);
    let made = client.derive(&mechanism, aes, &len(16));
    assert_eq!(made, Err(CKR_KEY_TYPE_INCONSISTENT));
}

#[test]
fn a_derived_key_was_no_more_secret_than_its_base() {
    let (client, []) = Client::start([]);
    let mechanism = Mechanism::hkdf(EXTRACT_EXPAND);
    let secretive = [
        (CKA_VALUE_LEN, ulong(32)),
        (CKA_SENSITIVE, flag(true)),
        (CKA_EXTRACTABLE, flag(false)),
    ];
    // What the caller handed in was known to it.
    let base = base_key(&client, CKK_GENERIC_SECRET, &[1; 32]);
    let derived = client.derive(&mechanism, base, &secretive).unwrap();
    for type_ in [CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE] {
        assert_eq!(client.value(derived, type_), flag(false));
    }
    let value = client.attribute(derived, CKA_VALUE, Room::Of(AMPLE));
    assert_eq!(value.rv, CKR_ATTRIBUTE_SENSITIVE);
}

#[test]
fn keys_are_wrapped_as_python_does_and_unwrapped() {
    let (client, []) = Client::start([]);
    let mut cases = Vec::new();
    let mut wrapped = Vec::new();
    let calls = client.requests(|| {
        for kek_len in [16, 24, 32] {
            let kek_value = bytes(kek_len, 9);
            let kek = client.secret_key(CKK_AES, &kek_value, &[]);
            for len in [1, 7, 8, 16, 20, 24, 31, 32, 64] {
                let value = bytes(len, 5);
                let key = client.secret_key(CKK_GENERIC_SECRET, &value, &[]);
                wrapped.push(wrapped_and_back(&client, &KWP, kek, key, &[]));
                cases.push(json!({"do": "kwp", "key": hex(&kek_value), "value": hex(&value)}));
                if len <= 8 {
                    // KW needs two half blocks.
                    let refused = client.wrap(&KW, kek, key, Room::Of(AMPLE));
                    assert_eq!(refused.rv, CKR_KEY_SIZE_RANGE);
                    continue;
                }
                let template = [(CKA_VALUE_LEN, ulong(len as CK_ULONG))];
                wrapped.push(wrapped_and_back(&client, &KW, kek, key, &template));
                let mut filled = value;
                filled.resize(len.next_multiple_of(8), 0);
                cases.push(json!({"do": "kw", "key": hex(&kek_value), "value": hex(&filled)}));
            }
        }
    });
    assert_eq!(calls.total, 0);
    assert_eq!(wrapped.len(), 45);
    assert_eq!(wrapped, computed(&cases));
}

#[test]
fn an_unwrapped_aes_key_encrypts() {
    let (client, []) = Client::start([]);
    let kek = client.secret_key(CKK_AES, &[9; 32], &[]);
    let key = client.secret_key(CKK_AES, &[5; 16], &[]);
    let ctr = Mechanism::ctr(128, [0; 16]);
    let ciphertext = client.ciphertext(&ctr, key, b"data");
    for mechanism in [KW, KWP] {
        let wrapped = client.wrap(&mechanism, kek, key, Room::Of(AMPLE)).ok();
        // The key type tells the length.
        let template = [
            (CKA_CLASS, ulong(CKO_SECRET_KEY)),
            (CKA_KEY_TYPE, ulong(CKK_AES)),
        ];
        let again = client.unwrap(&mechanism, kek, &wrapped, &template).unwrap();
        assert_eq!(client.plaintext(&ctr, again, &ciphertext).ok(), b"data");
    }
}

#[test]
fn an_unwrapped_key_has_the_attributes_that_the_function_gives_it() {
    let (client, []) = Client::start([]);
    let kek = client.secret_key(CKK_AES, &[9; 32], &[]);
    let key = client.secret_key(CKK_AES, &[5; 16], &[]);
    let wrapped = client.wrap(&KW, kek, key, Room::Of(AMPLE)).ok();
    let template = [(CKA_KEY_TYPE, ulong(CKK_AES)), (CKA_SENSITIVE, flag(true))];
    let key = client.unwrap(&KW, kek, &wrapped, &template).unwrap();
    for (type_, expected) in [
        (CKA_ALWAYS_SENSITIVE, false),
        (CKA_NEVER_EXTRACTABLE, false),
        (CKA_EXTRACTABLE, true),
        (CKA_LOCAL, false),
        (CKA_SENSITIVE, true),
    ] {
        assert_eq!(client.value(key, type_), flag(expected), "{type_:#x}");
    }
    assert_eq!(client.value(key, CKA_VALUE_LEN), ulong(16));
}

#[test]
fn what_was_not_wrapped_so_is_refused() {
    let (client, []) = Client::start([]);
    let kek = client.secret_key(CKK_AES, &[9; 32], &[]);
    let key = client.secret_key(CKK_GENERIC_SECRET, &[5; 32], &[]);
    let generic = (CKA_KEY_TYPE, ulong(CKK_GENERIC_SECRET));
    let aes = (CKA_KEY_TYPE, ulong(CKK_AES));
    let len = |len| (CKA_VALUE_LEN, ulong(len));
    for mechanism in [KW, KWP] {
        let wrapped = client.wrap(&mechanism, kek, key, Room::Of(AMPLE)).ok();
        let mut changed = wrapped.clone();
        changed[20] ^= 1;
        for (wrapped, template, expected) in [
            (
                &changed[..],
                vec![generic.clone(), len(32)],
                CKR_WRAPPED_KEY_INVALID,
            ),
            (
                &wrapped[1..],
                vec![generic.clone(), len(32)],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (
                &[],
                vec![generic.clone(), len(32)],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (
                &wrapped,
                vec![generic.clone(), len(24)],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (
                &wrapped,
                vec![generic.clone(), len(33)],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (
                &wrapped,
                vec![aes.clone(), len(24)],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (&wrapped, vec![len(32)], CKR_TEMPLATE_INCOMPLETE),
            (
                &wrapped,
                // In KMS no key may leave.
                vec![
                    generic.clone(),
                    len(32),
                    (CKA_TOKEN, flag(true)),
                    (CKA_EXTRACTABLE, flag(true)),
                ],
                CKR_TEMPLATE_INCONSISTENT,
            ),
            (
                &wrapped,
                vec![generic.clone(), len(32), (CKA_VALUE, vec![1])],
                CKR_ATTRIBUTE_READ_ONLY,
            ),
            (
                &wrapped,
                vec![
                    (CKA_CLASS, ulong(CKO_PRIVATE_KEY)),
                    (CKA_KEY_TYPE, ulong(CKK_RSA)),
                ],
                CKR_TEMPLATE_INCONSISTENT,
            ),
        ] {
            let made = client.unwrap(&mechanism, kek, wrapped, &template);
            assert_eq!(made, Err(expected), "{mechanism:?} {template:?}");
        }
    }
    // KW fills keys with zeros and does not say how many: without a length they are the key's.
    let odd = client.secret_key(CKK_GENERIC_SECRET, &[5; 29], &[]);
    let wrapped = client.wrap(&KW, kek, odd, Room::Of(AMPLE)).ok();
    let made = client.unwrap(&KW, kek, &wrapped, slice::from_ref(&generic));
    let filled = [&[5; 29][..], &[0; 3]].concat();
    assert_eq!(client.value(made.unwrap(), CKA_VALUE), filled);
    let wrapped = client.wrap(&KWP, kek, key, Room::Of(AMPLE)).ok();
    let made = client.unwrap(&KWP, kek, &wrapped, &[generic]).unwrap();
    assert_eq!(client.value(made, CKA_VALUE), [5; 32]);
    // An AES key has 16, 24 or 32 bytes, whatever was wrapped.
    let long = client.secret_key(CKK_GENERIC_SECRET, &[5; 40], &[]);
    let wrapped = client.wrap(&KWP, kek, long, Room::Of(AMPLE)).ok();
    let made = client.unwrap(&KWP, kek, &wrapped, &[aes]);
    assert_eq!(made, Err(CKR_WRAPPED_KEY_LEN_RANGE));
}

#[test]
fn keys_that_may_not_leave_are_not_wrapped() {
    let (client, [ec]) = Client::start([P256]);
    let kek = client.secret_key(CKK_AES, &[9; 32], &[]);
    let bound = [(CKA_EXTRACTABLE, flag(false))];
    let bound = client.secret_key(CKK_AES, &[5; 16], &bound);
    let trusting = [(CKA_WRAP_WITH_TRUSTED, flag(true))];
    let trusting = client.secret_key(CKK_AES, &[5; 16], &trusting);
    let sensitive = [(CKA_SENSITIVE, flag(true))];
    let sensitive = client.secret_key(CKK_AES, &[5; 16], &sensitive);
    let data = [(CKA_CLASS, ulong(CKO_DATA))];
    let data = client.create(&data).unwrap();
    for (key, expected) in [
        (bound, CKR_KEY_UNEXTRACTABLE),
        (trusting, CKR_KEY_NOT_WRAPPABLE),
        (ec.private, CKR_KEY_UNEXTRACTABLE),
        (ec.public, CKR_KEY_NOT_WRAPPABLE),
        (data, CKR_KEY_HANDLE_INVALID),
        (987, CKR_KEY_HANDLE_INVALID),
        // It may be wrapped; only its bytes are not shown.
        (sensitive, CKR_OK),
    ] {
        for room in [Room::Query, Room::Of(AMPLE)] {
            assert_eq!(client.wrap(&KW, kek, key, room).rv, expected);
        }
    }
}

#[test]
fn a_wrapping_key_does_what_its_type_and_attributes_allow() {
    let (client, [ec]) = Client::start([P256]);
    let key = client.secret_key(CKK_AES, &[5; 16], &[]);
    let generic = client.secret_key(CKK_GENERIC_SECRET, &[9; 32], &[]);
    let neither = [(CKA_WRAP, flag(false)), (CKA_UNWRAP, flag(false))];
    let neither = client.secret_key(CKK_AES, &[9; 32], &neither);
    let template = [(CKA_KEY_TYPE, ulong(CKK_AES))];
    for (wrapping_key, wrap, unwrap) in [
        (
            987,
            CKR_WRAPPING_KEY_HANDLE_INVALID,
            CKR_UNWRAPPING_KEY_HANDLE_INVALID,
        ),
        (
            generic,
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
        ),
        (
            neither,
            CKR_KEY_FUNCTION_NOT_PERMITTED,
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
        (
            ec.private,
            CKR_KEY_FUNCTION_NOT_PERMITTED,
            CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
        ),
        (
            ec.public,
            CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            CKR_KEY_FUNCTION_NOT_PERMITTED,
        ),
    ] {
        let refused = client.wrap(&KW, wrapping_key, key, Room::Of(AMPLE));
        assert_eq!(refused.rv, wrap);
        let refused = client.unwrap(&KW, wrapping_key, &[1; 24], &template);
        assert_eq!(refused, Err(unwrap));
    }
    for (mechanism, expected) in [
        (Mechanism::plain(CKM_SHA256), CKR_MECHANISM_INVALID),
        (Mechanism::ctr(32, [0; 16]), CKR_MECHANISM_INVALID),
        (
            Mechanism::with_bytes(CKM_AES_KEY_WRAP, &[0; 8]),
            CKR_MECHANISM_PARAM_INVALID,
        ),
        (Mechanism::with_bytes(CKM_AES_KEY_WRAP, &[0xa6; 8]), CKR_OK),
    ] {
        assert_eq!(client.wrap(&mechanism, key, key, Room::Query).rv, expected);
    }
}

#[test]
fn rsa_wraps_here_and_unwraps_in_kms_with_one_request() {
    let (client, [rsa]) = Client::start([RSA_2048_DECRYPT]);
    for hash in [SHA_1, SHA_256] {
        let oaep = Mechanism::oaep(&hash);
        for len in [1, 16, 32, 190] {
            let value = bytes(len, 7);
            let key = client.secret_key(CKK_GENERIC_SECRET, &value, &[]);
            let mut wrapped = Vec::new();
            let calls = client.requests(|| {
                let query = client.wrap(&oaep, rsa.public, key, Room::Query);
                assert_eq!((query.rv, query.len), (CKR_OK, 256));
                let refused = client.wrap(&oaep, rsa.public, key, Room::Of(255));
                assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, 256));
                wrapped = client.wrap(&oaep, rsa.public, key, Room::Of(256)).ok();
            });
            assert_eq!(calls.total, 0);
            let template = [(CKA_KEY_TYPE, ulong(CKK_GENERIC_SECRET))];
            let again = unwrap_in_kms(&client, &oaep, &rsa, &wrapped, &template).unwrap();
            assert_eq!(client.value(again, CKA_VALUE), value);
            // A wrapped key is an encrypted one.
            let plaintext = client.plaintext(&oaep, rsa.private, &wrapped).ok();
            assert_eq!(plaintext, value);
        }
    }
    let oaep = Mechanism::oaep(&SHA_256);
    let key = client.secret_key(CKK_GENERIC_SECRET, &[1; 191], &[]);
    let refused = client.wrap(&oaep, rsa.public, key, Room::Of(AMPLE));
    assert_eq!(refused.rv, CKR_KEY_SIZE_RANGE);
}

#[test]
fn an_unwrapping_in_kms_that_fails_says_why() {
    let (client, [rsa, signing]) = Client::start([RSA_2048_DECRYPT, RSA_2048]);
    let oaep = Mechanism::oaep(&SHA_256);
    let wrapped = client.ciphertext(&oaep, rsa.public, &[5; 17]);
    let mut changed = wrapped.clone();
    changed[9] ^= 1;
    let generic = (CKA_KEY_TYPE, ulong(CKK_GENERIC_SECRET));
    let made = unwrap_in_kms(&client, &oaep, &rsa, &changed, slice::from_ref(&generic));
    assert_eq!(made, Err(CKR_WRAPPED_KEY_INVALID));
    for template in [
        vec![(CKA_KEY_TYPE, ulong(CKK_AES))],
        vec![generic.clone(), (CKA_VALUE_LEN, ulong(16))],
    ] {
        let made = unwrap_in_kms(&client, &oaep, &rsa, &wrapped, &template);
        assert_eq!(made, Err(CKR_WRAPPED_KEY_LEN_RANGE));
    }
    let calls = client.requests(|| {
        let private = [
            (CKA_CLASS, ulong(CKO_PRIVATE_KEY)),
            (CKA_KEY_TYPE, ulong(CKK_RSA)),
        ];
        for (key, wrapped, template, expected) in [
            (
                rsa.private,
                &wrapped[1..],
                vec![generic.clone()],
                CKR_WRAPPED_KEY_LEN_RANGE,
            ),
            (rsa.private, &wrapped, vec![], CKR_TEMPLATE_INCOMPLETE),
            (
                rsa.private,
                &wrapped,
                private.to_vec(),
                CKR_TEMPLATE_INCONSISTENT,
            ),
            (
                rsa.public,
                &wrapped,
                vec![generic.clone()],
                CKR_KEY_FUNCTION_NOT_PERMITTED,
            ),
            (
                signing.private,
                &wrapped,
                vec![generic.clone()],
                CKR_KEY_FUNCTION_NOT_PERMITTED,
            ),
        ] {
            assert_eq!(client.unwrap(&oaep, key, wrapped, &template), Err(expected));
        }
    });
    assert_eq!(calls.total, 0);
}

/// A key that others may be derived from.
fn base_key(client: &Client, key_type: CK_KEY_TYPE, value: &[u8]) -> CK_OBJECT_HANDLE {
    client.secret_key(key_type, value, &[(CKA_DERIVE, flag(true))])
}

#[track_caller]
fn derived_value(
    client: &Client,
    mechanism: &Mechanism,
    base: CK_OBJECT_HANDLE,
    template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
) -> Vec<u8> {
    client.value(client.derive(mechanism, base, template).unwrap(), CKA_VALUE)
}

/// Wraps a key, through a query and with too little room, and unwraps it to the same value.
#[track_caller]
fn wrapped_and_back(
    client: &Client,
    mechanism: &Mechanism,
    kek: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    more: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
) -> Vec<u8> {
    let query = client.wrap(mechanism, kek, key, Room::Query);
    assert_eq!(query.rv, CKR_OK);
    let len = usize::try_from(query.len).unwrap();
    for capacity in [0, len - 1] {
        let refused = client.wrap(mechanism, kek, key, Room::Of(capacity));
        assert_eq!((refused.rv, refused.len), (CKR_BUFFER_TOO_SMALL, query.len));
    }
    let wrapped = client.wrap(mechanism, kek, key, Room::Of(len)).ok();
    assert_eq!(wrapped.len(), len);
    let mut template = vec![(CKA_KEY_TYPE, ulong(CKK_GENERIC_SECRET))];
    template.extend_from_slice(more);
    let again = client.unwrap(mechanism, kek, &wrapped, &template).unwrap();
    assert_eq!(client.value(again, CKA_VALUE), client.value(key, CKA_VALUE));
    wrapped
}

/// Unwraps with exactly one request.
#[track_caller]
fn unwrap_in_kms(
    client: &Client,
    mechanism: &Mechanism,
    key: &Key,
    wrapped: &[u8],
    template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
) -> Result<CK_OBJECT_HANDLE, CK_RV> {
    let mut made = Err(CKR_OK);
    let calls = client.requests(|| made = client.unwrap(mechanism, key.private, wrapped, template));
    assert_eq!((calls.of("Decrypt"), calls.total), (1, 1));
    made
}
