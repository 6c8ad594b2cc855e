//! ML-KEM: encapsulating here, decapsulating in KMS.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;
use ml_kem::kem::{Decapsulate, Kem, KeyExport};
use ml_kem::{EncapsulationKey512, MlKem512};
use raw::*;
use serde_json::json;

/// Keys, CKA_PARAMETER_SET and the bytes of a ciphertext.
const SETS: [(KeyKind, CK_ULONG, usize); 3] = [
    (ML_KEM_512, CKP_ML_KEM_512, 768),
    (ML_KEM_768, CKP_ML_KEM_768, 1088),
    (ML_KEM_1024, CKP_ML_KEM_1024, 1568),
];
/// Those that Python has.
const IN_PYTHON: [(usize, &str); 2] = [(1, "MLKEM768"), (2, "MLKEM1024")];

const KEM: Mechanism = Mechanism::plain(CKM_ML_KEM);

#[test]
fn what_is_encapsulated_here_is_decapsulated_in_kms_with_one_request() {
    let (client, keys) = started();
    for (key, (_, _, ciphertext_len)) in keys.iter().zip(SETS) {
        let mut made = Vec::new();
        let calls =
            client.requests(|| made = (0..2).map(|_| encapsulate(&client, key.public)).collect());
        assert_eq!(calls.total, 0);
        assert_ne!(made[0], made[1], "no two are alike");
        for (ciphertext, secret) in made {
            assert_eq!((ciphertext.len(), secret.len()), (ciphertext_len, 32));
            assert_eq!(decapsulate(&client, key, &ciphertext, &[]), secret);
        }
    }
}

#[test]
fn what_python_encapsulates_is_decapsulated_in_kms() {
    let (client, keys) = started();
    for (index, set) in IN_PYTHON {
        let public = client.value(keys[index].public, CKA_VALUE);
        let case = json!({"do": "encapsulate", "set": set, "public": hex(&public)});
        for both in computed(&[case.clone(), case]) {
            let (secret, ciphertext) = both.split_at(32);
            assert_eq!(decapsulate(&client, &keys[index], ciphertext, &[]), secret);
        }
    }
}

#[test]
fn what_another_library_encapsulates_for_512_is_decapsulated_in_kms() {
    use ml_kem::kem::Encapsulate;
    let (client, [key, ..]) = started();
    let public = client.value(key.public, CKA_VALUE);
    let public = EncapsulationKey512::new(public[..].try_into().unwrap()).unwrap();
    let (ciphertext, secret) = public.encapsulate();
    assert_eq!(decapsulate(&client, &key, &ciphertext, &[]), secret[..]);
}

#[test]
fn what_is_encapsulated_here_for_a_session_object_is_decapsulated_elsewhere() {
    let (client, []) = Client::start([]);
    let seed: Vec<u8> = (0..64).collect();
    let calls = client.requests(|| {
        for (index, set) in IN_PYTHON {
            let case = json!({"do": "mlkem_public", "set": set, "seed": hex(&seed)});
            let public = public_object(&client, SETS[index].1, &computed(&[case])[0]);
            let (ciphertext, secret) = encapsulate(&client, public);
            let case = json!({
                "do": "decapsulate", "set": set, "seed": hex(&seed), "ciphertext": hex(&ciphertext),
            });
            assert_eq!(computed(&[case])[0], secret);
        }
        let (private, public) = MlKem512::generate_keypair();
        let public = public_object(&client, CKP_ML_KEM_512, &public.to_bytes());
        let (ciphertext, secret) = encapsulate(&client, public);
        let expected = private.decapsulate(ciphertext[..].try_into().unwrap());
        assert_eq!(secret, expected[..]);
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_query_and_too_little_room_make_no_key() {
    let (client, keys) = started();
    let secrets = [(CKA_CLASS, ulong(CKO_SECRET_KEY))];
    for (key, (_, _, len)) in keys.iter().zip(SETS) {
        for room in [Room::Query, Room::Of(0), Room::Of(len - 1)] {
            let (answer, _) = client.encapsulate(&KEM, key.public, &[], room);
            let expected = match room {
                Room::Query => CKR_OK,
                Room::Of(_) => CKR_BUFFER_TOO_SMALL,
            };
            assert_eq!((answer.rv, answer.len), (expected, len as CK_ULONG));
            assert_eq!(client.find(&secrets), [0; 0]);
        }
    }
    let (answer, key) = client.encapsulate(&KEM, keys[0].public, &[], Room::Of(768));
    assert_eq!(answer.rv, CKR_OK);
    assert_eq!(client.find(&secrets), [key]);
}

#[test]
fn the_secret_can_be_an_aes_key() {
    let (client, [key, ..]) = started();
    let template = [(CKA_KEY_TYPE, ulong(CKK_AES)), (CKA_VALUE_LEN, ulong(32))];
    let (answer, ours) = client.encapsulate(&KEM, key.public, &template, Room::Of(4096));
    let theirs = client
        .decapsulate(&KEM, key.private, &template, &answer.ok())
        .unwrap();
    let ctr = Mechanism::ctr(128, [0; 16]);
    let ciphertext = client.ciphertext(&ctr, ours, b"between us");
    assert_eq!(
        client.plaintext(&ctr, theirs, &ciphertext).ok(),
        b"between us"
    );
}

#[test]
fn the_new_key_has_the_attributes_that_the_functions_give_it() {
    let (client, [key, ..]) = started();
    for template in [
        vec![],
        vec![(CKA_EXTRACTABLE, flag(false)), (CKA_SENSITIVE, flag(true))],
    ] {
        let (answer, ours) = client.encapsulate(&KEM, key.public, &template, Room::Of(4096));
        let theirs = client.decapsulate(&KEM, key.private, &template, &answer.ok());
        for secret in [ours, theirs.unwrap()] {
            for (type_, expected) in [
                (CKA_ALWAYS_SENSITIVE, false),
                (CKA_NEVER_EXTRACTABLE, false),
                (CKA_LOCAL, false),
                (CKA_TOKEN, false),
                (CKA_EXTRACTABLE, template.is_empty()),
                (CKA_SENSITIVE, !template.is_empty()),
            ] {
                assert_eq!(client.value(secret, type_), flag(expected), "{type_:#x}");
            }
            assert_eq!(client.value(secret, CKA_VALUE_LEN), ulong(32));
        }
    }
}

#[test]
fn what_can_be_refused_is_refused_without_a_request() {
    let (client, [kem, ec]) = Client::start([ML_KEM_768, P256]);
    let (ciphertext, _) = encapsulate(&client, kem.public);
    let len = |len| vec![(CKA_VALUE_LEN, ulong(len))];
    let calls = client.requests(|| {
        for (template, expected) in [
            (len(16), CKR_TEMPLATE_INCONSISTENT),
            (len(33), CKR_TEMPLATE_INCONSISTENT),
            (len(0), CKR_ATTRIBUTE_VALUE_INVALID),
            (vec![(CKA_TOKEN, flag(true))], CKR_TEMPLATE_INCONSISTENT),
            (vec![(CKA_VALUE, vec![1])], CKR_ATTRIBUTE_READ_ONLY),
            (
                vec![(CKA_CLASS, ulong(CKO_DATA))],
                CKR_TEMPLATE_INCONSISTENT,
            ),
        ] {
            let (answer, _) = client.encapsulate(&KEM, kem.public, &template, Room::Of(4096));
            assert_eq!(answer.rv, expected, "{template:?}");
            let made = client.decapsulate(&KEM, kem.private, &template, &ciphertext);
            assert_eq!(made, Err(expected), "{template:?}");
        }
        for bad in [&ciphertext[..1087], &[], &[&ciphertext[..], &[0]].concat()] {
            let made = client.decapsulate(&KEM, kem.private, &[], bad);
            assert_eq!(made, Err(CKR_WRAPPED_KEY_LEN_RANGE));
        }
        for (mechanism, public, private, expected, unwrapping) in [
            (
                KEM,
                ec.public,
                ec.private,
                CKR_KEY_TYPE_INCONSISTENT,
                CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            ),
            (
                KEM,
                kem.private,
                kem.public,
                CKR_KEY_FUNCTION_NOT_PERMITTED,
                CKR_KEY_FUNCTION_NOT_PERMITTED,
            ),
            (
                KEM,
                987,
                987,
                CKR_KEY_HANDLE_INVALID,
                CKR_UNWRAPPING_KEY_HANDLE_INVALID,
            ),
            (
                Mechanism::plain(CKM_SHA256),
                kem.public,
                kem.private,
                CKR_MECHANISM_INVALID,
                CKR_MECHANISM_INVALID,
            ),
            (
                Mechanism::with_bytes(CKM_ML_KEM, b"?"),
                kem.public,
                kem.private,
                CKR_MECHANISM_PARAM_INVALID,
                CKR_MECHANISM_PARAM_INVALID,
            ),
        ] {
            let (answer, _) = client.encapsulate(&mechanism, public, &[], Room::Of(4096));
            assert_eq!(answer.rv, expected);
            let made = client.decapsulate(&mechanism, private, &[], &ciphertext);
            assert_eq!(made, Err(unwrapping));
        }
    });
    assert_eq!(calls.total, 0);
}

#[test]
fn a_changed_ciphertext_gives_another_secret() {
    let (client, [key, ..]) = started();
    let (mut ciphertext, secret) = encapsulate(&client, key.public);
    ciphertext[100] ^= 1;
    // FIPS 203 rejects implicitly: nobody is told.
    assert_ne!(decapsulate(&client, &key, &ciphertext, &[]), secret);
}

fn started() -> (Client, [Key; 3]) {
    Client::start(SETS.map(|(kind, ..)| kind))
}

fn public_object(client: &Client, set: CK_ULONG, value: &[u8]) -> CK_OBJECT_HANDLE {
    client
        .create(&[
            (CKA_CLASS, ulong(CKO_PUBLIC_KEY)),
            (CKA_KEY_TYPE, ulong(CKK_ML_KEM)),
            (CKA_PARAMETER_SET, ulong(set)),
            (CKA_VALUE, value.to_vec()),
        ])
        .unwrap()
}

/// A ciphertext and the value of the key that was made with it.
#[track_caller]
fn encapsulate(client: &Client, public: CK_OBJECT_HANDLE) -> (Vec<u8>, Vec<u8>) {
    let (answer, key) = client.encapsulate(&KEM, public, &[], Room::Of(4096));
    (answer.ok(), client.value(key, CKA_VALUE))
}

/// The value of the key in a ciphertext, for exactly one request.
#[track_caller]
fn decapsulate(
    client: &Client,
    key: &Key,
    ciphertext: &[u8],
    template: &[(CK_ATTRIBUTE_TYPE, Vec<u8>)],
) -> Vec<u8> {
    let mut made = Err(CKR_OK);
    let calls = client.requests(|| {
        made = client.decapsulate(&KEM, key.private, template, ciphertext);
    });
    assert_eq!((calls.of("Decapsulate"), calls.total), (1, 1));
    client.value(made.unwrap(), CKA_VALUE)
}
