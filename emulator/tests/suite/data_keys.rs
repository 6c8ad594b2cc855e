//! Data keys and re-encryption.

use kms_pkcs11_testkit::{openssl_ok, python};
use serde_json::{Value, json};

use crate::bench::{Bench, path};
use crate::client::{Client, base64, bytes, start};

/// The cases `generate_data_key`, `generate_data_key_without_plaintext` and those of their encryption
/// contexts of the recording; `KeyMaterialId` is younger than they are.
#[test]
fn a_data_key_comes_with_a_ciphertext_that_decrypts_to_it_in_its_context() {
    let (_emulator, mut client) = start();
    let (id, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let material =
        client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"]["CurrentKeyMaterialId"]
            .take();
    for (member, value, len) in [
        ("KeySpec", json!("AES_256"), 32),
        ("KeySpec", json!("AES_128"), 16),
        ("NumberOfBytes", json!(1), 1),
        ("NumberOfBytes", json!(1024), 1024),
    ] {
        let mut request = json!({ "KeyId": id, "EncryptionContext": context() });
        request[member] = value;
        let mut with = client.ok("GenerateDataKey", &request);
        let plaintext = with["Plaintext"].take();
        assert_eq!(bytes(&plaintext).len(), len);
        assert_eq!(decrypted(&mut client, &with["CiphertextBlob"]), plaintext);
        let mut without = client.ok("GenerateDataKeyWithoutPlaintext", &request);
        let other = decrypted(&mut client, &without["CiphertextBlob"]);
        assert_eq!(bytes(&other).len(), len);
        assert!(len == 1 || other != plaintext);

        for answer in [&with, &without] {
            let without_context = json!({ "CiphertextBlob": answer["CiphertextBlob"] });
            let refused = client.refused("Decrypt", &without_context);
            assert_eq!(refused, ("InvalidCiphertextException".to_owned(), None));
        }
        with["CiphertextBlob"].take();
        without["CiphertextBlob"].take();
        let mut expected =
            json!({ "CiphertextBlob": null, "KeyId": arn, "KeyMaterialId": material });
        assert_eq!(without, expected);
        expected["Plaintext"] = Value::Null;
        assert_eq!(with, expected);
    }
}

#[test]
fn python_opens_the_ciphertext_of_a_data_key_as_aes_256_gcm() {
    let (bench, mut client) = Bench::start();
    let (id, _) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let request =
        json!({ "KeyId": id, "KeySpec": "AES_256", "EncryptionContext": { "purpose": "test" } });
    let answer = client.ok("GenerateDataKey", &request);
    let secret = bench.file("secret", &bench.material(&id));
    let blob = bench.file("blob", &bytes(&answer["CiphertextBlob"]));
    let plaintext = bench.file("plaintext", &bytes(&answer["Plaintext"]));
    let script = r#"
import sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
secret, blob, plaintext = (open(name, "rb").read() for name in sys.argv[1:])
header, nonce, sealed = blob[:38], blob[38:50], blob[50:]
context = b"".join(len(text).to_bytes(8, "big") + text for text in (b"purpose", b"test"))
assert len(secret) == 32
assert AESGCM(secret).decrypt(nonce, sealed, header + context) == plaintext
"#;
    let finished = python(script, [path(&secret), path(&blob), path(&plaintext)]);
    assert!(finished.success(), "{finished:?}");
}

/// The cases `generate_data_key_pair`, with and without plaintext, in contexts and dry, of the recording.
#[test]
fn openssl_finds_the_public_half_of_a_data_key_pair_in_its_private_half() {
    let (bench, mut client) = Bench::start();
    let (id, arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    for spec in [
        "RSA_2048",
        "ECC_NIST_P256",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "ECC_NIST_EDWARDS25519",
    ] {
        let request = json!({ "KeyId": id, "KeyPairSpec": spec, "EncryptionContext": context() });
        let mut with = client.ok("GenerateDataKeyPair", &request);
        let mut without = client.ok("GenerateDataKeyPairWithoutPlaintext", &request);
        let plaintext = with["PrivateKeyPlaintext"].take();
        let opened = decrypted(&mut client, &with["PrivateKeyCiphertextBlob"]);
        assert_eq!(opened, plaintext);
        let other = decrypted(&mut client, &without["PrivateKeyCiphertextBlob"]);
        for (answer, private) in [(&with, &plaintext), (&without, &other)] {
            let private = bench.file("private.der", &bytes(private));
            let args = ["pkey", "-inform", "DER", "-in", path(&private), "-pubout"];
            let public = openssl_ok(args.into_iter().chain(["-outform", "DER"]), b"");
            assert_eq!(json!(base64(public)), answer["PublicKey"], "{spec}");
            let without_context = json!({ "CiphertextBlob": answer["PrivateKeyCiphertextBlob"] });
            let refused = client.refused("Decrypt", &without_context);
            assert_eq!(refused, ("InvalidCiphertextException".to_owned(), None));
        }
        let mut expected = json!({
            "KeyId": arn, "KeyMaterialId": null, "KeyPairSpec": spec,
            "PrivateKeyCiphertextBlob": null, "PublicKey": null,
        });
        for member in ["KeyMaterialId", "PrivateKeyCiphertextBlob", "PublicKey"] {
            assert!(with[member].take().is_string() && without[member].take().is_string());
        }
        assert_eq!(without, expected);
        expected["PrivateKeyPlaintext"] = Value::Null;
        assert_eq!(with, expected);
    }
}

#[test]
fn data_key_pairs_of_every_spec_but_ml_dsa_are_made_by_symmetric_keys() {
    let (_emulator, mut client) = start();
    let (symmetric, _) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let (signer, _) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    for operation in ["GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"] {
        for (id, spec, dry_run, code) in [
            (&symmetric, "ML_KEM_1024", true, "DryRunOperationException"),
            (&symmetric, "ML_DSA_44", false, "ValidationException"),
            (
                &symmetric,
                "SYMMETRIC_DEFAULT",
                false,
                "ValidationException",
            ),
            (&signer, "ECC_NIST_P256", false, "InvalidKeyUsageException"),
        ] {
            let request = json!({ "KeyId": id, "KeyPairSpec": spec, "DryRun": dry_run });
            assert_eq!(client.refused(operation, &request).0, code, "{request}");
        }
        client.ok(
            operation,
            &json!({ "KeyId": symmetric, "KeyPairSpec": "ML_KEM_1024" }),
        );
    }
}

#[test]
fn a_data_key_has_one_size() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    for operation in ["GenerateDataKey", "GenerateDataKeyWithoutPlaintext"] {
        for request in [
            json!({ "KeyId": id }),
            json!({ "KeyId": id, "KeySpec": "AES_256", "NumberOfBytes": 32 }),
            json!({ "KeyId": id, "KeySpec": "AES_192" }),
            json!({ "KeyId": id, "NumberOfBytes": 0 }),
            json!({ "KeyId": id, "NumberOfBytes": 1025 }),
        ] {
            let refused = client.refused(operation, &request);
            assert_eq!(refused.0, "ValidationException", "{request}");
        }
    }
}

#[test]
fn only_symmetric_keys_make_data_keys() {
    let (_emulator, mut client) = start();
    for (spec, usage) in [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ] {
        let (id, _) = client.create_key(spec, usage);
        let request = json!({ "KeyId": id, "KeySpec": "AES_256" });
        let refused = client.refused("GenerateDataKey", &request);
        assert_eq!(refused.0, "InvalidKeyUsageException", "{spec}");
    }
}

/// The cases `re_encrypt` of the recording; the ids of materials are younger than they are.
#[test]
fn a_ciphertext_moves_to_another_key_and_context() {
    let (_emulator, mut client) = start();
    let (first, first_arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let (second, second_arn) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let old_context = json!({ "old": "context" });
    let encrypt = json!({
        "KeyId": first, "Plaintext": base64("secret"), "EncryptionContext": old_context,
    });
    let blob = client.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    let request = json!({
        "CiphertextBlob": blob, "SourceEncryptionContext": old_context,
        "DestinationKeyId": second, "DestinationEncryptionContext": context(),
    });
    let mut answer = client.ok("ReEncrypt", &request);
    assert_eq!(
        decrypted(&mut client, &answer["CiphertextBlob"].take()),
        json!(base64("secret"))
    );
    let material = |client: &mut Client, id: &str| {
        client.ok("DescribeKey", &json!({ "KeyId": id }))["KeyMetadata"]["CurrentKeyMaterialId"]
            .take()
    };
    let expected = json!({
        "CiphertextBlob": null,
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationKeyMaterialId": material(&mut client, &second),
        "KeyId": second_arn,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyId": first_arn,
        "SourceKeyMaterialId": material(&mut client, &first),
    });
    assert_eq!(answer, expected);

    let mut wrong_context = request.clone();
    wrong_context["SourceEncryptionContext"] = json!({});
    let refused = client.refused("ReEncrypt", &wrong_context);
    assert_eq!(refused, ("InvalidCiphertextException".to_owned(), None));
    let mut wrong_source = request.clone();
    wrong_source["SourceKeyId"] = json!(second);
    let refused = client.refused("ReEncrypt", &wrong_source);
    assert_eq!(refused.0, "IncorrectKeyException");
    let mut dry_run = request;
    dry_run["DryRun"] = json!(true);
    let refused = client.refused("ReEncrypt", &dry_run);
    assert_eq!(refused.0, "DryRunOperationException");
}

#[test]
fn a_ciphertext_moves_between_an_rsa_key_and_a_symmetric_one() {
    let (_emulator, mut client) = start();
    let (rsa, rsa_arn) = client.create_key("RSA_2048", "ENCRYPT_DECRYPT");
    let (symmetric, _) = client.create_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT");
    let oaep = "RSAES_OAEP_SHA_256";
    let encrypt =
        json!({ "KeyId": rsa, "Plaintext": base64("secret"), "EncryptionAlgorithm": oaep });
    let mut blob = client.ok("Encrypt", &encrypt)["CiphertextBlob"].take();
    for (source, source_algorithm, destination, destination_algorithm) in [
        (&rsa, oaep, &rsa, oaep),
        (&rsa, oaep, &symmetric, "SYMMETRIC_DEFAULT"),
        (&symmetric, "SYMMETRIC_DEFAULT", &rsa, oaep),
    ] {
        let request = json!({
            "CiphertextBlob": blob, "SourceKeyId": source,
            "SourceEncryptionAlgorithm": source_algorithm, "DestinationKeyId": destination,
            "DestinationEncryptionAlgorithm": destination_algorithm,
        });
        blob = client.ok("ReEncrypt", &request)["CiphertextBlob"].take();
    }
    let decrypt = json!({ "KeyId": rsa, "CiphertextBlob": blob, "EncryptionAlgorithm": oaep });
    let expected =
        json!({ "EncryptionAlgorithm": oaep, "KeyId": rsa_arn, "Plaintext": base64("secret") });
    assert_eq!(client.ok("Decrypt", &decrypt), expected);
}

fn context() -> Value {
    json!({ "purpose": "test", "tenant": "one" })
}

/// The plaintext, in the context of these tests.
fn decrypted(client: &mut Client, blob: &Value) -> Value {
    let request = json!({ "CiphertextBlob": blob, "EncryptionContext": context() });
    client.ok("Decrypt", &request)["Plaintext"].take()
}
