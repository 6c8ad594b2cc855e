//! What is computed with keys: against `kms-emulator` and a second opinion from Python, and what an
//! honest KMS would never answer.

use std::fs;

use aws_lc_rs::kem::{EncapsulationKey, ML_KEM_512};
use kms_emulator::{Emulator, Fault, Options};
use kms_pkcs11_testkit::{from_hex, hex, python};
use serde_json::{Value, json};

use super::canned::{Canned, Reply};
use super::emulated::{emulator, error, kms_at};
use super::{key, kms, new_key, none_known, settings};
use crate::kms::{
    AwsKms, KeyEntry, KeySpec, KeyUsage, Kms, KmsError, KmsErrorKind, MacAlgorithm, MessageType,
    NewKey, SigningAlgorithm,
};

const MACS: [(KeySpec, MacAlgorithm); 4] = [
    (KeySpec::Hmac224, MacAlgorithm::HmacSha224),
    (KeySpec::Hmac256, MacAlgorithm::HmacSha256),
    (KeySpec::Hmac384, MacAlgorithm::HmacSha384),
    (KeySpec::Hmac512, MacAlgorithm::HmacSha512),
];

/// A new key, and its public half.
fn made(kms: &AwsKms, spec: KeySpec, usage: KeyUsage) -> (KeyEntry, Vec<u8>) {
    let request = NewKey {
        spec,
        usage,
        ..new_key()
    };
    let (key, answer) = kms.make_key(&request, &none_known()).unwrap();
    (key, answer.public.unwrap_or_default())
}

/// What a Python script prints, word by word in hexadecimal; it gets its arguments the same way.
fn second_opinion(script: &str, args: &[&[u8]]) -> Vec<Vec<u8>> {
    let script = format!(
        "import sys\nargs = [bytes.fromhex(arg) for arg in sys.argv[1:]]\n\
         def tell(*words): print(*[word.hex() for word in words])\n{script}"
    );
    let printed = python(&script, args.iter().map(|arg| hex(arg)))
        .ok()
        .stdout();
    printed.split_whitespace().map(from_hex).collect()
}

/// The operation costs one request, which `ask` is answered with.
fn one_request<T>(emulator: &Emulator, operation: &str, ask: impl FnOnce() -> T) -> T {
    emulator.reset_calls();
    let answer = ask();
    let calls = emulator.calls();
    assert_eq!((calls.of(operation), calls.total), (1, 1), "{operation}");
    answer
}

#[test]
fn a_mac_is_that_of_the_key_and_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state.json");
    let emulator = Emulator::start(Options {
        region: "eu-west-1".to_owned(),
        state: Some(state.clone()),
        ..Options::default()
    })
    .unwrap();
    let kms = kms_at(&emulator);
    for (spec, algorithm) in MACS {
        let (key, _) = made(&kms, spec, KeyUsage::GenerateVerifyMac);
        let mac = one_request(&emulator, "GenerateMac", || {
            kms.generate_mac(&key, algorithm, b"message").unwrap()
        });
        let stored: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        let mut stored = stored["keys"].as_array().unwrap().iter();
        let stored = stored.find(|stored| stored["id"] == json!(key.key_id));
        let secret = stored.unwrap()["material"].as_str().unwrap();
        let hash = algorithm.as_wire().rsplit('_').next().unwrap();
        let expected = second_opinion(
            "import base64, hmac\n\
             tell(hmac.digest(base64.b64decode(args[0]), b'message', 'sha' + args[1].decode()))",
            &[secret.as_bytes(), hash.as_bytes()],
        );
        assert_eq!(expected, std::slice::from_ref(&mac), "{spec}");
        one_request(&emulator, "VerifyMac", || {
            kms.verify_mac(&key, algorithm, b"message", &mac).unwrap();
        });
        let error = one_request(&emulator, "VerifyMac", || {
            kms.verify_mac(&key, algorithm, b"massage", &mac)
                .unwrap_err()
        });
        assert_eq!(error.kind, KmsErrorKind::InvalidSignature, "{error}");
    }
}

#[test]
fn a_shared_secret_is_the_one_its_peer_derives() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for spec in [
        KeySpec::EccNistP256,
        KeySpec::EccNistP384,
        KeySpec::EccNistP521,
    ] {
        let (key, public) = made(&kms, spec, KeyUsage::KeyAgreement);
        let peer = second_opinion(
            "from cryptography.hazmat.primitives import serialization as s\n\
             from cryptography.hazmat.primitives.asymmetric import ec\n\
             public = s.load_der_public_key(args[0])\n\
             private = ec.generate_private_key(public.curve)\n\
             tell(private.public_key().public_bytes(s.Encoding.DER,\n\
             \x20   s.PublicFormat.SubjectPublicKeyInfo), private.exchange(ec.ECDH(), public))",
            &[&public],
        );
        let secret = one_request(&emulator, "DeriveSharedSecret", || {
            kms.derive_shared_secret(&key, &peer[0]).unwrap()
        });
        assert_eq!(*secret, peer[1], "{spec}");
    }
}

#[test]
fn a_decapsulated_secret_is_the_one_that_was_encapsulated() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for spec in [KeySpec::MlKem768, KeySpec::MlKem1024] {
        let (key, public) = made(&kms, spec, KeyUsage::EncapsulateDecapsulate);
        let sent = second_opinion(
            "from cryptography.hazmat.primitives import serialization as s\n\
             tell(*s.load_der_public_key(args[0]).encapsulate())",
            &[&public],
        );
        let secret = one_request(&emulator, "Decapsulate", || {
            kms.decapsulate(&key, &sent[1]).unwrap()
        });
        assert_eq!(*secret, sent[0], "{spec}");
    }
    // Python's library leaves this size out. Its key ends the SPKI, after 22 bytes of header.
    let (key, public) = made(&kms, KeySpec::MlKem512, KeyUsage::EncapsulateDecapsulate);
    let encapsulating = EncapsulationKey::new(&ML_KEM_512, &public[22..]).unwrap();
    let (ciphertext, sent) = encapsulating.encapsulate().unwrap();
    let secret = kms.decapsulate(&key, ciphertext.as_ref()).unwrap();
    assert_eq!(*secret, sent.as_ref());
}

#[test]
fn messages_and_external_mu_are_signed_as_what_they_are() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for (spec, algorithm) in [
        (KeySpec::EccNistEdwards25519, SigningAlgorithm::Ed25519),
        (KeySpec::MlDsa44, SigningAlgorithm::MlDsa),
        (KeySpec::MlDsa65, SigningAlgorithm::MlDsa),
        (KeySpec::MlDsa87, SigningAlgorithm::MlDsa),
    ] {
        let (key, public) = made(&kms, spec, KeyUsage::SignVerify);
        let mut messages = vec![(MessageType::Raw, b"message".to_vec())];
        if algorithm == SigningAlgorithm::MlDsa {
            // FIPS 204, algorithm 7: an empty context, and the hash of the public key.
            let mu = second_opinion(
                "from hashlib import shake_256\n\
                 from cryptography.hazmat.primitives import serialization as s\n\
                 raw = s.load_der_public_key(args[0]).public_bytes_raw()\n\
                 tr = shake_256(raw).digest(64)\n\
                 tell(shake_256(tr + bytes(2) + b'message').digest(64))",
                &[&public],
            );
            messages.push((MessageType::ExternalMu, mu.concat()));
        }
        for (message_type, message) in messages {
            let signature = one_request(&emulator, "Sign", || {
                kms.sign(&key, algorithm, message_type, &message).unwrap()
            });
            let verified = second_opinion(
                "from cryptography.hazmat.primitives import serialization as s\n\
                 s.load_der_public_key(args[0]).verify(args[1], b'message')\n\
                 tell(b'valid')",
                &[&public, &signature],
            );
            assert_eq!(verified, [b"valid"], "{spec} {message_type}");
        }
    }
}

/// Each operation with what it is right to ask, as one that only succeeds or fails.
type Ask = fn(&AwsKms, &KeyEntry) -> Result<(), KmsError>;

const OPERATIONS: [(&str, Ask); 5] = [
    ("GenerateMac", |kms, key| {
        kms.generate_mac(key, MacAlgorithm::HmacSha256, b"message")
            .map(drop)
    }),
    ("VerifyMac", |kms, key| {
        kms.verify_mac(key, MacAlgorithm::HmacSha256, b"message", &[1; 32])
    }),
    ("DeriveSharedSecret", |kms, key| {
        kms.derive_shared_secret(key, &[1; 91]).map(drop)
    }),
    ("Decapsulate", |kms, key| {
        kms.decapsulate(key, &[1; 768]).map(drop)
    }),
    ("UntagResource", |kms, key| {
        kms.untag(key, &["team".to_owned()])
    }),
];

#[test]
fn the_errors_of_each_operation_are_told_apart() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    for (operation, ask) in OPERATIONS {
        for (code, kind) in [
            ("AccessDeniedException", KmsErrorKind::AccessDenied),
            ("DisabledException", KmsErrorKind::Disabled),
            ("InvalidKeyUsageException", KmsErrorKind::InvalidKeyUsage),
            ("KMSInvalidStateException", KmsErrorKind::InvalidState),
            ("NotFoundException", KmsErrorKind::NotFound),
            ("ValidationException", KmsErrorKind::Validation),
        ] {
            emulator.fault(Fault::once(operation, error(code)));
            let error = one_request(&emulator, operation, || ask(&kms, &key(1)).unwrap_err());
            assert_eq!((error.operation, error.kind), (operation, kind), "{code}");
            assert_eq!(error.key.as_ref(), Some(&key(1).arn));
        }
    }
}

#[test]
fn what_is_asked_of_a_key_of_another_kind_or_size_is_refused() {
    let emulator = emulator();
    let kms = kms_at(&emulator);
    let (signing, _) = made(&kms, KeySpec::EccNistP256, KeyUsage::SignVerify);
    for (operation, ask) in &OPERATIONS[..4] {
        let error = one_request(&emulator, operation, || ask(&kms, &signing).unwrap_err());
        assert_eq!(error.kind, KmsErrorKind::InvalidKeyUsage, "{error}");
    }
    let (mac, _) = made(&kms, KeySpec::Hmac256, KeyUsage::GenerateVerifyMac);
    for message in [&[][..], &[1; 4097]] {
        let error = kms
            .generate_mac(&mac, MacAlgorithm::HmacSha256, message)
            .unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::Length, "{error}");
    }
    let (agreeing, _) = made(&kms, KeySpec::EccNistP256, KeyUsage::KeyAgreement);
    let (_, other_curve) = made(&kms, KeySpec::EccNistP384, KeyUsage::KeyAgreement);
    let error = kms
        .derive_shared_secret(&agreeing, &other_curve)
        .unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Validation, "{error}");
    let (kem, _) = made(&kms, KeySpec::MlKem768, KeyUsage::EncapsulateDecapsulate);
    let error = kms.decapsulate(&kem, &[1; 768]).unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::InvalidCiphertext, "{error}");
}

#[test]
fn each_operation_is_repeated_when_the_service_stumbles() {
    for (operation, ask) in OPERATIONS {
        let server = Canned::new(move |_, before| match before {
            0 => Reply::Json(500, json!({})),
            1 => Reply::Close,
            2 => Reply::error("ThrottlingException"),
            _ => Reply::Json(200, answer(operation)),
        });
        ask(&kms(settings(server.endpoint())), &key(1)).unwrap();
        assert_eq!(server.count(operation), 4, "{operation}");
    }
}

/// What KMS answers to the questions above.
fn answer(operation: &str) -> Value {
    // 32 bytes.
    let secret = "A".repeat(43) + "=";
    match operation {
        "GenerateMac" => {
            json!({ "KeyId": key(1).arn, "MacAlgorithm": "HMAC_SHA_256", "Mac": secret })
        }
        "VerifyMac" => {
            json!({ "KeyId": key(1).arn, "MacAlgorithm": "HMAC_SHA_256", "MacValid": true })
        }
        "DeriveSharedSecret" => json!({
            "KeyId": key(1).arn,
            "KeyAgreementAlgorithm": "ECDH",
            "SharedSecret": secret,
        }),
        "Decapsulate" => json!({
            "KeyId": key(1).arn,
            "EncapsulationAlgorithm": "ML_KEM",
            "SharedSecret": secret,
        }),
        _ => json!({}),
    }
}

#[test]
fn an_answer_that_does_not_fit_is_not_believed() {
    let wrong = |member: &str, short: Value| {
        [
            ("KeyId".to_owned(), json!(key(2).arn)),
            ("KeyId".to_owned(), Value::Null),
            (member.to_owned(), short),
            (member.to_owned(), Value::Null),
        ]
    };
    let altered = [
        ("GenerateMac", "MacAlgorithm", wrong("Mac", json!("AAAA"))),
        (
            "DeriveSharedSecret",
            "KeyAgreementAlgorithm",
            wrong("SharedSecret", json!("")),
        ),
        (
            "Decapsulate",
            "EncapsulationAlgorithm",
            wrong("SharedSecret", json!("AAAA")),
        ),
        (
            "VerifyMac",
            "MacAlgorithm",
            wrong("MacAlgorithm", json!("HMAC_SHA_512")),
        ),
    ];
    for (operation, algorithm, wrong) in altered {
        let (_, ask) = OPERATIONS
            .into_iter()
            .find(|(name, _)| *name == operation)
            .unwrap();
        let others = [json!("OTHER"), Value::Null].map(|other| (algorithm.to_owned(), other));
        for (member, value) in wrong.into_iter().chain(others) {
            let case = format!("{operation} {member} {value}");
            let mut answer = answer(operation);
            answer[member] = value;
            let server = Canned::new(move |_, _| Reply::Json(200, answer.clone()));
            let error = ask(&kms(settings(server.endpoint())), &key(1)).unwrap_err();
            assert_eq!(error.kind, KmsErrorKind::BadAnswer, "{case}");
        }
    }
}

#[test]
fn a_mac_that_kms_calls_invalid_without_an_error_is_invalid() {
    for valid in [json!(false), Value::Null] {
        let mut answer = answer("VerifyMac");
        answer["MacValid"] = valid;
        let server = Canned::new(move |_, _| Reply::Json(200, answer.clone()));
        let kms = kms(settings(server.endpoint()));
        let error = kms
            .verify_mac(&key(1), MacAlgorithm::HmacSha256, b"message", &[1; 32])
            .unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::InvalidSignature, "{error}");
    }
}
