//! One table of contracts, kept by the emulator and by MiniStack, a KMS that we did not write.
//!
//! Where MiniStack is known to answer otherwise, the table says what and why, and the test fails as
//! soon as that is no longer so.

mod table;

use std::collections::BTreeMap;
use std::path::Path;

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{MiniStack, MiniStackOptions, openssl_ok};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::table::{CONTRACTS, Contract, Expected};
use crate::client::{Client, base64, bytes, text};

#[test]
fn the_emulator_keeps_every_contract() {
    let regions = Emulator::start_regions(&["us-east-1", "eu-west-1"]).unwrap();
    let emulator = &regions[0];
    let broken = broken_contracts(&emulator.endpoint(), |contract| &contract.expected);
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn ministack_keeps_every_contract_but_the_known_differences() {
    let ministack = MiniStack::start(MiniStackOptions::default());
    let broken = broken_contracts(ministack.endpoint(), |contract| {
        match &contract.difference {
            Some(difference) => &difference.ministack,
            None => &contract.expected,
        }
    });
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_difference_differs_and_has_a_reason() {
    for contract in CONTRACTS {
        if let Some(difference) = &contract.difference {
            assert_ne!(difference.ministack, contract.expected, "{}", contract.rule);
            assert!(!difference.reason.is_empty(), "{}", contract.rule);
        }
    }
}

#[test]
fn signatures_and_ciphertexts_of_both_agree_with_openssl() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let ministack = MiniStack::start(MiniStackOptions::default());
    for endpoint in [&emulator.endpoint(), ministack.endpoint()] {
        let mut client = Client::connect(endpoint);
        for (spec, algorithm, padding) in [
            (
                "RSA_2048",
                "RSASSA_PKCS1_V1_5_SHA_256",
                "rsa_padding_mode:pkcs1",
            ),
            ("RSA_2048", "RSASSA_PSS_SHA_256", "rsa_padding_mode:pss"),
            ("ECC_NIST_P256", "ECDSA_SHA_256", ""),
            ("ECC_SECG_P256K1", "ECDSA_SHA_256", ""),
        ] {
            signature_verifies(&mut client, spec, algorithm, padding);
        }
        ciphertext_opens(&mut client);
    }
}

/// The contracts that a server breaks, each with what it answered instead.
fn broken_contracts(
    endpoint: &str,
    expected: impl Fn(&'static Contract) -> &'static Expected,
) -> Vec<String> {
    let mut client = Client::connect(endpoint);
    let names = fixture(&mut client);
    let mut broken = Vec::new();
    for contract in CONTRACTS {
        let request = fill(contract.request, &names);
        let request: Value =
            serde_json::from_str(&request).unwrap_or_else(|error| panic!("{request}: {error}"));
        let answer = client.call(contract.operation, &request);
        let kept = match expected(contract) {
            Expected::Refused(code) => answer.status >= 400 && answer.code() == *code,
            Expected::Answered(members) => {
                let body = answer.json();
                answer.status == 200
                    && members.iter().all(|(pointer, value)| {
                        let value: Value = serde_json::from_str(&fill(value, &names)).unwrap();
                        body.pointer(pointer).unwrap_or(&Value::Null) == &value
                    })
            }
        };
        if !kept {
            let body = String::from_utf8_lossy(&answer.body);
            broken.push(format!("{}: {} {body}", contract.rule, answer.status));
        }
    }
    broken
}

/// The keys that requests name: `{signer}` is an id, `{signer.arn}` its ARN.
fn fixture(client: &mut Client) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, spec, usage) in [
        ("signer", "ECC_NIST_P256", "SIGN_VERIFY"),
        ("rsa", "RSA_2048", "SIGN_VERIFY"),
        ("edwards", "ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
        ("cipher", "RSA_2048", "ENCRYPT_DECRYPT"),
        ("symmetric", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("hmac", "HMAC_256", "GENERATE_VERIFY_MAC"),
        ("disabled", "ECC_NIST_P256", "SIGN_VERIFY"),
        ("dying", "ECC_NIST_P256", "SIGN_VERIFY"),
    ] {
        let (id, arn) = client.create_key(spec, usage);
        names.insert(format!("{{{name}}}"), id);
        names.insert(format!("{{{name}.arn}}"), arn);
    }
    let multi_region = client.ok("CreateKey", &json!({ "MultiRegion": true }));
    let id = text(&multi_region["KeyMetadata"]["KeyId"]);
    names.insert("{multi-region}".to_owned(), id);
    client.ok("DisableKey", &json!({ "KeyId": names["{disabled}"] }));
    client.ok("ScheduleKeyDeletion", &json!({ "KeyId": names["{dying}"] }));
    client.ok(
        "CreateAlias",
        &json!({ "AliasName": "alias/signer", "TargetKeyId": names["{signer}"] }),
    );
    for length in [0, 1, 20, 31, 32, 64, 190, 191, 4096, 4097] {
        names.insert(format!("{{bytes:{length}}}"), base64(vec![7; length]));
    }
    let tags: Value = (0..51)
        .map(|n| json!({ "TagKey": format!("tag{n}"), "TagValue": "value" }))
        .collect();
    names.insert("\"{tags:51}\"".to_owned(), tags.to_string());
    for (name, key, algorithm) in [
        ("{signature}", "{signer}", "ECDSA_SHA_256"),
        ("{edwards.signature}", "{edwards}", "ED25519_SHA_512"),
    ] {
        let sign = json!({
            "KeyId": names[key], "Message": base64("m"), "SigningAlgorithm": algorithm,
        });
        let signature = text(&client.ok("Sign", &sign)["Signature"]);
        names.insert(name.to_owned(), signature);
    }
    let data_key = json!({
        "KeyId": names["{symmetric}"], "KeySpec": "AES_256", "EncryptionContext": { "purpose": "test" },
    });
    let data_key = client.ok("GenerateDataKey", &data_key);
    for (name, member) in [
        ("{data_key}", "CiphertextBlob"),
        ("{data_key.plaintext}", "Plaintext"),
    ] {
        names.insert(name.to_owned(), text(&data_key[member]));
    }
    let mac = json!({
        "KeyId": names["{hmac}"], "Message": base64("m"), "MacAlgorithm": "HMAC_SHA_256",
    });
    names.insert(
        "{mac}".to_owned(),
        text(&client.ok("GenerateMac", &mac)["Mac"]),
    );
    names
}

fn fill(template: &str, names: &BTreeMap<String, String>) -> String {
    names
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
}

#[track_caller]
fn signature_verifies(client: &mut Client, spec: &str, algorithm: &str, padding: &str) {
    let (id, _) = client.create_key(spec, "SIGN_VERIFY");
    let directory = TempDir::new().unwrap();
    let public = public_key(client, &id, directory.path());
    let request =
        json!({ "KeyId": id, "Message": base64("message"), "SigningAlgorithm": algorithm });
    let signature = bytes(&client.ok("Sign", &request)["Signature"]);
    let signature_file = directory.path().join("signature");
    std::fs::write(&signature_file, signature).unwrap();
    let mut args = vec!["dgst", "-sha256", "-verify", &public];
    args.extend(["-signature", signature_file.to_str().unwrap()]);
    if !padding.is_empty() {
        args.extend(["-sigopt", padding]);
    }
    assert_eq!(
        openssl_ok(args, b"message"),
        b"Verified OK\n",
        "{spec} {algorithm}"
    );
}

#[track_caller]
fn ciphertext_opens(client: &mut Client) {
    let (id, _) = client.create_key("RSA_2048", "ENCRYPT_DECRYPT");
    let directory = TempDir::new().unwrap();
    let public = public_key(client, &id, directory.path());
    let args = ["pkeyutl", "-encrypt", "-pubin", "-inkey", &public];
    let oaep = [
        "rsa_padding_mode:oaep",
        "rsa_oaep_md:sha256",
        "rsa_mgf1_md:sha256",
    ];
    let args = args
        .into_iter()
        .chain(oaep.into_iter().flat_map(|option| ["-pkeyopt", option]));
    let ciphertext = openssl_ok(args, b"secret");
    let request = json!({
        "KeyId": id, "CiphertextBlob": base64(ciphertext),
        "EncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    });
    assert_eq!(
        bytes(&client.ok("Decrypt", &request)["Plaintext"]),
        b"secret"
    );
}

/// The path of the public key in PEM.
#[track_caller]
fn public_key(client: &mut Client, id: &str, directory: &Path) -> String {
    let der = bytes(&client.ok("GetPublicKey", &json!({ "KeyId": id }))["PublicKey"]);
    let pem = openssl_ok(["pkey", "-pubin", "-inform", "DER", "-pubout"], &der);
    let path = directory.join("public.pem");
    std::fs::write(&path, pem).unwrap();
    path.to_str().unwrap().to_owned()
}
