//! CKM_ECDH1_DERIVE: the agreement in KMS, what is made of it here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;
use raw::*;
use serde_json::{Value, json};

/// Keys of every curve, Python's name of it and the bytes of its field.
const CURVES: [(KeyKind, &str, usize); 3] = [
    (P256_AGREE, "SECP256R1", 32),
    (P384_AGREE, "SECP384R1", 48),
    (P521_AGREE, "SECP521R1", 66),
];

const KDFS: [(CK_EC_KDF_TYPE, &str); 5] = [
    (CKD_SHA1_KDF, "sha1"),
    (CKD_SHA224_KDF, "sha224"),
    (CKD_SHA256_KDF, "sha256"),
    (CKD_SHA384_KDF, "sha384"),
    (CKD_SHA512_KDF, "sha512"),
];

/// The peer's private key.
const SCALAR: u32 = 123_456_789;

#[test]
fn the_secret_is_the_one_that_the_peer_computes_and_costs_one_request() {
    let (client, keys) = started();
    for (key, (_, curve, field_len)) in keys.iter().zip(CURVES) {
        let [shared, peer] = computed(&[secret(curve, key), peer(curve)])
            .try_into()
            .unwrap();
        assert_eq!(shared.len(), field_len);
        let point = [&[0x04], &octet_string_len(peer.len())[..], &peer].concat();
        for public in [&peer, &point] {
            for type_ in [CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE] {
                let mechanism = Mechanism::ecdh(CKD_NULL, b"", public).typed(type_);
                let secret = derive(&client, &mechanism, key, &[]);
                assert_eq!(client.value(secret, CKA_VALUE), shared, "{curve}");
                assert_eq!(
                    client.value(secret, CKA_KEY_TYPE),
                    ulong(CKK_GENERIC_SECRET)
                );
            }
        }
    }
}

#[test]
fn a_shorter_key_is_the_trailing_end_of_the_secret() {
    let (client, keys) = started();
    for (key, (_, curve, field_len)) in keys.iter().zip(CURVES) {
        let [shared, peer] = computed(&[secret(curve, key), peer(curve)])
            .try_into()
            .unwrap();
        let mechanism = Mechanism::ecdh(CKD_NULL, b"", &peer);
        for len in [1, 16, 24, 32, field_len] {
            let template = [(CKA_VALUE_LEN, ulong(len as CK_ULONG))];
            let secret = derive(&client, &mechanism, key, &template);
            assert_eq!(client.value(secret, CKA_VALUE), shared[field_len - len..]);
        }
        for len in [16, 24, 32] {
            let template = [aes(), (CKA_VALUE_LEN, ulong(len))];
            let secret = derive(&client, &mechanism, key, &template);
            assert_eq!(client.value(secret, CKA_VALUE).len() as CK_ULONG, len);
            assert_eq!(client.value(secret, CKA_KEY_TYPE), ulong(CKK_AES));
        }
    }
}

#[test]
fn the_x9_63_functions_give_what_python_gives() {
    let (client, keys) = started();
    for (key, (_, curve, _)) in keys.iter().zip(CURVES) {
        let peer = &computed(&[peer(curve)])[0];
        let mut cases = Vec::new();
        let mut derived = Vec::new();
        for (kdf, hash) in KDFS {
            for (shared, len) in [(&b""[..], 16), (b"shared", 32), (b"shared", 100)] {
                cases.push(json!({
                    "do": "x963", "curve": curve, "scalar": SCALAR, "spki": hex(&key.spki),
                    "hash": hash, "shared": hex(shared), "len": len,
                }));
                let mechanism = Mechanism::ecdh(kdf, shared, peer);
                let template = [(CKA_VALUE_LEN, ulong(len))];
                let secret = derive(&client, &mechanism, key, &template);
                derived.push(client.value(secret, CKA_VALUE));
            }
        }
        assert_eq!(derived.len(), 15);
        assert_eq!(derived, computed(&cases), "{curve}");
    }
}

#[test]
fn a_derived_aes_key_encrypts() {
    let (client, [key, ..]) = started();
    let [shared, peer] = computed(&[secret("SECP256R1", &key), peer("SECP256R1")])
        .try_into()
        .unwrap();
    // All 32 bytes: the key type has keys of that length.
    let aes = derive(
        &client,
        &Mechanism::ecdh(CKD_NULL, b"", &peer),
        &key,
        &[aes()],
    );
    let gcm = Mechanism::gcm(&[1; 12], b"", 128);
    let expected = json!({
        "do": "gcm", "key": hex(&shared), "iv": hex(&[1; 12]), "aad": "", "data": hex(b"data"),
        "tag_len": 16,
    });
    assert_eq!(
        client.ciphertext(&gcm, aes, b"data"),
        computed(&[expected])[0]
    );
}

#[test]
fn a_peer_that_is_no_point_on_the_curve_costs_no_request() {
    let (client, keys) = started();
    let calls = client.requests(|| {
        for (key, (_, curve, field_len)) in keys.iter().zip(CURVES) {
            let other = if curve == "SECP256R1" {
                "SECP384R1"
            } else {
                "SECP256R1"
            };
            let compressed = json!({"do": "peer_compressed", "curve": curve, "scalar": SCALAR});
            let [point, elsewhere, compressed] = computed(&[peer(curve), peer(other), compressed])
                .try_into()
                .unwrap();
            let mut beside = point.clone();
            *beside.last_mut().unwrap() ^= 1;
            for bad in [
                Vec::new(),
                vec![0],
                vec![4; 1 + 2 * field_len],
                beside,
                elsewhere,
                compressed,
                point[1..].to_vec(),
                [&point[..], &[0]].concat(),
                key.spki.clone(),
            ] {
                let mechanism = Mechanism::ecdh(CKD_NULL, b"", &bad);
                assert_eq!(
                    client.derive(&mechanism, key.private, &[]),
                    Err(CKR_MECHANISM_PARAM_INVALID),
                    "{curve}: {}",
                    hex(&bad)
                );
            }
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_parameter_or_a_key_that_does_not_fit_costs_no_request() {
    let (client, [key, ..]) = started();
    let peer = &computed(&[peer("SECP256R1")])[0];
    let ecdh = |kdf, shared| Mechanism::ecdh(kdf, shared, peer);
    let calls = client.requests(|| {
        for (mechanism, base, expected) in [
            (
                Mechanism::plain(CKM_ECDH1_DERIVE),
                key.private,
                CKR_MECHANISM_PARAM_INVALID,
            ),
            (
                ecdh(CKD_NULL, b"shared"),
                key.private,
                CKR_MECHANISM_PARAM_INVALID,
            ),
            (ecdh(99, b""), key.private, CKR_MECHANISM_PARAM_INVALID),
            (
                Mechanism::plain(CKM_SHA256),
                key.private,
                CKR_MECHANISM_INVALID,
            ),
            (
                ecdh(CKD_NULL, b""),
                key.public,
                CKR_KEY_FUNCTION_NOT_PERMITTED,
            ),
            (ecdh(CKD_NULL, b""), 987, CKR_KEY_HANDLE_INVALID),
        ] {
            let made = client.derive(&mechanism, base, &[]);
            assert_eq!(made, Err(expected), "{mechanism:?}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_length_that_does_not_fit_costs_no_request() {
    let (client, [p256, p384, _]) = started();
    let [near, far] = computed(&[peer("SECP256R1"), peer("SECP384R1")])
        .try_into()
        .unwrap();
    let null = Mechanism::ecdh(CKD_NULL, b"", &near);
    let null_far = Mechanism::ecdh(CKD_NULL, b"", &far);
    let sha256 = Mechanism::ecdh(CKD_SHA256_KDF, b"", &near);
    let len = |len| (CKA_VALUE_LEN, ulong(len));
    let calls = client.requests(|| {
        for (mechanism, key, template, expected) in [
            (null, &p256, vec![len(33)], CKR_TEMPLATE_INCONSISTENT),
            (null, &p256, vec![len(0)], CKR_ATTRIBUTE_VALUE_INVALID),
            (
                null,
                &p256,
                vec![aes(), len(17)],
                CKR_ATTRIBUTE_VALUE_INVALID,
            ),
            // The 48 bytes are no AES key, and which of them are is not said.
            (null_far, &p384, vec![aes()], CKR_TEMPLATE_INCOMPLETE),
            (sha256, &p256, vec![], CKR_TEMPLATE_INCOMPLETE),
            // X9.63 itself goes on for 128 GiB.
            (sha256, &p256, vec![len(4097)], CKR_ATTRIBUTE_VALUE_INVALID),
            (
                sha256,
                &p256,
                vec![len(1 << 36)],
                CKR_ATTRIBUTE_VALUE_INVALID,
            ),
            (sha256, &p256, vec![aes()], CKR_TEMPLATE_INCOMPLETE),
        ] {
            let made = client.derive(&mechanism, key.private, &template);
            assert_eq!(made, Err(expected), "{mechanism:?} {template:?}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_template_that_does_not_fit_costs_no_request() {
    let (client, [key, ..]) = started();
    let peer = &computed(&[peer("SECP256R1")])[0];
    let mechanism = Mechanism::ecdh(CKD_NULL, b"", peer);
    let calls = client.requests(|| {
        for (type_, value, expected) in [
            (CKA_TOKEN, flag(true), CKR_TEMPLATE_INCONSISTENT),
            (CKA_CLASS, ulong(CKO_PRIVATE_KEY), CKR_TEMPLATE_INCONSISTENT),
            (CKA_KEY_TYPE, ulong(CKK_DES3), CKR_ATTRIBUTE_VALUE_INVALID),
            (CKA_VALUE, vec![1; 32], CKR_ATTRIBUTE_READ_ONLY),
            (CKA_LOCAL, flag(false), CKR_ATTRIBUTE_READ_ONLY),
            (CKA_MODULUS, vec![1], CKR_TEMPLATE_INCONSISTENT),
            (CKA_VENDOR_DEFINED, vec![1], CKR_ATTRIBUTE_TYPE_INVALID),
            (CKA_SENSITIVE, vec![2], CKR_ATTRIBUTE_VALUE_INVALID),
        ] {
            let made = client.derive(&mechanism, key.private, &[(type_, value)]);
            assert_eq!(made, Err(expected), "{type_:#x}");
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_key_that_signs_derives_nothing() {
    let (client, [signing, rsa]) = Client::start([P256, RSA_2048]);
    let peer = &computed(&[peer("SECP256R1")])[0];
    let mechanism = Mechanism::ecdh(CKD_NULL, b"", peer);
    let calls = client.requests(|| {
        for (key, expected) in [
            (signing.private, CKR_KEY_FUNCTION_NOT_PERMITTED),
            (rsa.private, CKR_KEY_TYPE_INCONSISTENT),
        ] {
            assert_eq!(client.derive(&mechanism, key, &[]), Err(expected));
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_secret_of_a_key_in_kms_was_never_anywhere_else() {
    let (client, [key, ..]) = started();
    let peer = &computed(&[peer("SECP256R1")])[0];
    let mechanism = Mechanism::ecdh(CKD_NULL, b"", peer);
    for (sensitive, extractable) in [(true, false), (true, true), (false, false), (false, true)] {
        let template = [
            (CKA_SENSITIVE, flag(sensitive)),
            (CKA_EXTRACTABLE, flag(extractable)),
        ];
        let secret = derive(&client, &mechanism, &key, &template);
        for (type_, expected) in [
            (CKA_SENSITIVE, sensitive),
            (CKA_EXTRACTABLE, extractable),
            (CKA_ALWAYS_SENSITIVE, sensitive),
            (CKA_NEVER_EXTRACTABLE, !extractable),
            (CKA_LOCAL, false),
            (CKA_TOKEN, false),
        ] {
            assert_eq!(client.value(secret, type_), flag(expected), "{type_:#x}");
        }
        let value = client.attribute(secret, CKA_VALUE, Room::Of(AMPLE));
        let shown = !sensitive && extractable;
        let expected = if shown {
            CKR_OK
        } else {
            CKR_ATTRIBUTE_SENSITIVE
        };
        assert_eq!(value.rv, expected);
    }
}

#[test]
fn the_mechanisms_tell_what_they_do() {
    let (client, [key, ..]) = started();
    for type_ in [CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE] {
        let info = client.mechanism_info(type_).unwrap();
        assert_eq!(info.flags & CKF_DERIVE, CKF_DERIVE);
        assert_eq!((info.ulMinKeySize, info.ulMaxKeySize), (256, 521));
    }
    let allowed = client.value(key.private, CKA_ALLOWED_MECHANISMS);
    let expected = [ulong(CKM_ECDH1_DERIVE), ulong(CKM_ECDH1_COFACTOR_DERIVE)];
    assert_eq!(allowed, expected.concat());
}

fn started() -> (Client, [Key; 3]) {
    Client::start(CURVES.map(|(kind, ..)| kind))
}

/// Derives with exactly one request, which is the agreement.
#[track_caller]
fn derive(
    client: &Client,
    mechanism: &Mechanism,
    key: &Key,
    template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
) -> CK_OBJECT_HANDLE {
    let mut made = Err(CKR_OK);
    let calls = client.requests(|| made = client.derive(mechanism, key.private, template));
    let handle = made.unwrap_or_else(|rv| panic!("{rv:#x}\n{}", client.log()));
    assert_eq!((calls.of("DeriveSharedSecret"), calls.total), (1, 1));
    handle
}

fn aes() -> (CK_ATTRIBUTE_TYPE, Vec<u8>) {
    (CKA_KEY_TYPE, ulong(CKK_AES))
}

/// DER's length of so many bytes.
fn octet_string_len(len: usize) -> Vec<u8> {
    match u8::try_from(len).unwrap() {
        short @ ..0x80 => vec![short],
        long => vec![0x81, long],
    }
}

fn peer(curve: &str) -> Value {
    json!({"do": "peer", "curve": curve, "scalar": SCALAR})
}

/// The secret that the peer shares with a key.
fn secret(curve: &str, key: &Key) -> Value {
    json!({"do": "ecdh", "curve": curve, "scalar": SCALAR, "spki": hex(&key.spki)})
}
