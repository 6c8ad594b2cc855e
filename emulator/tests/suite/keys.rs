//! What keys do in which state.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, base64, start};

#[test]
fn an_algorithm_of_another_key_spec_is_refused_by_name() {
    let (_emulator, mut client) = start();
    for (spec, algorithm) in [
        ("ECC_NIST_P256", "ECDSA_SHA_384"),
        ("ECC_SECG_P256K1", "ECDSA_SHA_512"),
        ("ECC_NIST_P521", "RSASSA_PSS_SHA_512"),
        ("RSA_2048", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ECDSA_SHA_512"),
        ("ECC_NIST_P521", "ED25519_SHA_512"),
    ] {
        let (id, _) = client.create_key(spec, "SIGN_VERIFY");
        let request = json!({ "KeyId": id, "Message": base64("m"), "SigningAlgorithm": algorithm });
        let message = format!("Algorithm {algorithm} is incompatible with key spec {spec}.");
        let expected = ("InvalidKeyUsageException".to_owned(), Some(message));
        assert_eq!(client.refused("Sign", &request), expected);
    }
}

#[test]
fn a_dry_run_says_that_it_would_have_succeeded_and_does_nothing() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let mut request = json!({
        "KeyId": id, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256", "DryRun": true,
    });
    assert_eq!(
        client.refused("Sign", &request).0,
        "DryRunOperationException"
    );
    request["SigningAlgorithm"] = json!("ECDSA_SHA_384");
    assert_eq!(
        client.refused("Sign", &request).0,
        "InvalidKeyUsageException"
    );
}

#[test]
fn keys_without_a_public_half_are_listed_but_have_no_public_key() {
    let (_emulator, mut client) = start();
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_224", "GENERATE_VERIFY_MAC"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("HMAC_384", "GENERATE_VERIFY_MAC"),
        ("HMAC_512", "GENERATE_VERIFY_MAC"),
    ] {
        let (id, _) = client.create_key(spec, usage);
        let refused = client.refused("GetPublicKey", &json!({ "KeyId": id }));
        assert_eq!(refused.0, "UnsupportedOperationException", "{spec}");
    }
    let keys = client.ok("ListKeys", &json!({}))["Keys"].take();
    assert_eq!(keys.as_array().map(Vec::len), Some(5));
}

#[test]
fn the_public_key_comes_with_spec_usage_and_algorithms() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P384", "KEY_AGREEMENT");
    let mut answer = client.ok("GetPublicKey", &json!({ "KeyId": id }));
    assert!(answer["PublicKey"].take().is_string());
    let expected = json!({
        "CustomerMasterKeySpec": "ECC_NIST_P384", "KeyAgreementAlgorithms": ["ECDH"],
        "KeyId": arn, "KeySpec": "ECC_NIST_P384", "KeyUsage": "KEY_AGREEMENT", "PublicKey": null,
    });
    assert_eq!(answer, expected);
}

/// Cryptography and `GetPublicKey` want an enabled key; descriptions work in every state.
#[test]
fn a_disabled_or_dying_key_computes_nothing_but_can_be_described() {
    let (_emulator, mut client) = start();
    let (signer, signer_arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let (cipher, cipher_arn) = client.create_key("RSA_2048", "ENCRYPT_DECRYPT");
    let sign = json!({
        "KeyId": signer, "Message": base64("m"), "SigningAlgorithm": "ECDSA_SHA_256",
    });
    let mut verify = sign.clone();
    verify["Signature"] = client.ok("Sign", &sign)["Signature"].take();
    let encrypt = json!({
        "KeyId": cipher, "Plaintext": base64("m"), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let ciphertext = client.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    let decrypt = json!({
        "KeyId": cipher, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    let (hmac, hmac_arn) = client.create_key("HMAC_256", "GENERATE_VERIFY_MAC");
    let mac = json!({
        "KeyId": hmac, "Message": base64("m"), "MacAlgorithm": "HMAC_SHA_256", "Mac": base64("x"),
    });
    let (agreement, agreement_arn) = client.create_key("ECC_NIST_P256", "KEY_AGREEMENT");
    let derive = json!({
        "KeyId": agreement, "KeyAgreementAlgorithm": "ECDH", "PublicKey": base64("x"),
    });
    let (kem, kem_arn) = client.create_key("ML_KEM_512", "ENCAPSULATE_DECAPSULATE");
    let encapsulate = json!({
        "KeyId": kem, "EncapsulationAlgorithm": "ML_KEM", "SharedSecretCiphertextBlob": base64("x"),
    });
    let (symmetric, symmetric_arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let wrap = json!({ "KeyId": symmetric, "Plaintext": base64("m") });
    let blob = client.ok("Encrypt", &wrap)["CiphertextBlob"].take();
    let unwrap = json!({ "CiphertextBlob": blob, "DestinationKeyId": symmetric });
    let data_key = json!({ "KeyId": symmetric, "KeySpec": "AES_256" });
    let data_key_pair = json!({ "KeyId": symmetric, "KeyPairSpec": "ECC_NIST_P256" });
    let calls = [
        ("GenerateMac", &mac, &hmac_arn),
        ("VerifyMac", &mac, &hmac_arn),
        ("DeriveSharedSecret", &derive, &agreement_arn),
        ("Encapsulate", &encapsulate, &kem_arn),
        ("Decapsulate", &encapsulate, &kem_arn),
        ("Decrypt", &unwrap, &symmetric_arn),
        ("ReEncrypt", &unwrap, &symmetric_arn),
        ("GenerateDataKey", &data_key, &symmetric_arn),
        ("GenerateDataKeyPair", &data_key_pair, &symmetric_arn),
        ("Sign", &sign, &signer_arn),
        ("Verify", &verify, &signer_arn),
        ("GetPublicKey", &json!({ "KeyId": signer }), &signer_arn),
        ("Encrypt", &encrypt, &cipher_arn),
        ("Decrypt", &decrypt, &cipher_arn),
    ];
    for (change, state, code, words) in [
        (
            "DisableKey",
            "Disabled",
            "DisabledException",
            "is disabled.",
        ),
        (
            "ScheduleKeyDeletion",
            "PendingDeletion",
            "KMSInvalidStateException",
            "is pending deletion.",
        ),
    ] {
        for id in [&signer, &cipher, &hmac, &agreement, &kem, &symmetric] {
            client.ok(change, &json!({ "KeyId": id }));
            let key = client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"].take();
            assert_eq!(
                (&key["KeyState"], &key["Enabled"]),
                (&json!(state), &json!(false))
            );
            client.ok("ListResourceTags", &json!({ "KeyId": id }));
            client.ok("ListAliases", &json!({ "KeyId": id }));
        }
        for (operation, request, arn) in calls {
            let expected = (code.to_owned(), Some(format!("{arn} {words}")));
            assert_eq!(client.refused(operation, request), expected, "{operation}");
        }
    }
}

#[test]
fn a_dying_key_cannot_be_changed_until_its_deletion_is_cancelled() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    let scheduled = client.ok(
        "ScheduleKeyDeletion",
        &json!({ "KeyId": id, "PendingWindowInDays": 7 }),
    );
    assert_eq!(scheduled["KeyId"], json!(arn));
    assert_eq!(scheduled["KeyState"], "PendingDeletion");
    assert_eq!(scheduled["PendingWindowInDays"], 7);
    let key = client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"].take();
    assert_eq!(key["DeletionDate"], scheduled["DeletionDate"]);
    let seconds = key["DeletionDate"].as_f64().unwrap() - key["CreationDate"].as_f64().unwrap();
    assert!(
        (6.99..7.01).contains(&(seconds / 86400.0)),
        "{seconds} seconds"
    );

    let tag = json!([{ "TagKey": "a", "TagValue": "b" }]);
    for (operation, request) in [
        ("EnableKey", json!({ "KeyId": id })),
        ("DisableKey", json!({ "KeyId": id })),
        ("ScheduleKeyDeletion", json!({ "KeyId": id })),
        (
            "UpdateKeyDescription",
            json!({ "KeyId": id, "Description": "d" }),
        ),
        ("TagResource", json!({ "KeyId": id, "Tags": tag })),
        ("UntagResource", json!({ "KeyId": id, "TagKeys": ["a"] })),
        (
            "CreateAlias",
            json!({ "TargetKeyId": id, "AliasName": "alias/a" }),
        ),
    ] {
        let message = format!("{arn} is pending deletion.");
        let expected = ("KMSInvalidStateException".to_owned(), Some(message));
        assert_eq!(client.refused(operation, &request), expected, "{operation}");
    }

    let request = json!({ "KeyId": id });
    assert_eq!(
        client.ok("CancelKeyDeletion", &request),
        json!({ "KeyId": arn })
    );
    let key = client.ok("DescribeKey", &request)["KeyMetadata"].take();
    assert_eq!(
        (&key["KeyState"], &key["DeletionDate"]),
        (&json!("Disabled"), &Value::Null)
    );
    let message = format!("{arn} is not pending deletion.");
    let expected = ("KMSInvalidStateException".to_owned(), Some(message));
    assert_eq!(client.refused("CancelKeyDeletion", &request), expected);
    client.ok("EnableKey", &request);
    client.ok("GetPublicKey", &request);
}

#[test]
fn a_deletion_window_has_7_to_30_days_and_30_when_not_given() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    for days in [6, 31] {
        let request = json!({ "KeyId": id, "PendingWindowInDays": days });
        assert_eq!(
            client.refused("ScheduleKeyDeletion", &request).0,
            "ValidationException"
        );
    }
    let scheduled = client.ok("ScheduleKeyDeletion", &json!({ "KeyId": id }));
    assert_eq!(scheduled["PendingWindowInDays"], 30);
}

/// As many as there are threads that answer requests.
#[test]
fn other_requests_are_answered_while_rsa_keys_are_generated() {
    let (emulator, mut client) = start();
    let threads = thread::available_parallelism().unwrap().get();
    let generations: Vec<_> = (0..threads)
        .map(|_| {
            let mut client = Client::connect(&emulator.endpoint());
            thread::spawn(move || client.create_key("RSA_4096", "SIGN_VERIFY"))
        })
        .collect();
    while emulator.calls().of("CreateKey") < threads as u64 {
        thread::sleep(Duration::from_millis(1));
    }
    let mut answered = 0;
    while generations
        .iter()
        .all(|generation| !generation.is_finished())
    {
        client.ok("GenerateRandom", &json!({ "NumberOfBytes": 8 }));
        answered += 1;
    }
    for generation in generations {
        generation.join().unwrap();
    }
    assert!(answered > 2, "{answered} requests were answered meanwhile");
}
