//! The C header: it compiles beside anybody's pkcs11.h, and what it says is what the module does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use common_p11::attribute::{P256, bytes, flag, id, label};
use common_p11::{World, c_program, kms};
use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{AccessKey, Token, module, root, run, run_with_input};
use serde_json::json;

#[test]
fn a_c_program_uses_the_header_beside_a_pkcs11_header_of_somebody_else() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let config = "[[token]]\nlabel = \"configured\"\n";
    let token = Token::kms_with_config(
        &emulator.endpoint(),
        &AccessKey::test(),
        "configured",
        config,
    );
    let host = c_program(token.directory(), "header");
    let answer = run(token
        .command(host)
        .arg(module())
        .arg(token.directory().join("config.toml"))
        .arg(&token.label))
    .ok();
    assert_eq!(answer.stdout().trim(), env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.stderr(), "");
}

#[test]
fn the_header_needs_no_other_and_is_c_of_any_age() {
    let include = format!(
        "#include \"{}\"\n",
        root().join("include/kms_pkcs11.h").display()
    );
    // Twice, since it guards itself, and with something after it, since a unit of nothing is not C.
    let program = format!("{include}{include}typedef int unit;\n");
    for standard in ["-std=c89", "-std=c99", "-std=c17"] {
        let mut compile = Command::new("gcc");
        compile.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]);
        compile.args([standard, "-x", "c", "-"]);
        let _ = run_with_input(&mut compile, program.as_bytes()).ok();
    }
}

#[test]
fn the_versions_of_the_header_are_those_of_the_package() {
    let header = definitions();
    let text = |name: &str| header[name].trim_matches('"').to_owned();
    assert_eq!(text("KMS_PKCS11_VERSION"), env!("CARGO_PKG_VERSION"));
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| text(&format!("KMS_PKCS11_VERSION_{part}")));
    assert_eq!(parts.join("."), env!("CARGO_PKG_VERSION"));
    assert!(module().ends_with(text("KMS_PKCS11_LIBRARY")));
}

#[test]
fn the_tags_of_the_header_are_those_of_a_generated_key() {
    let world = World::start();
    let session = world.module.session();
    let names = |name: &str| [id(name), label(name), flag(CKA_TOKEN, true)];
    let public = [&names("public")[..], &[bytes(CKA_EC_PARAMS, P256)]].concat();
    let (_, private) = session
        .generate(CKM_EC_KEY_PAIR_GEN, &public, &names("private"))
        .unwrap();
    let arn = String::from_utf8(session.get(private, CKA_UNIQUE_ID).unwrap()).unwrap();
    let answer = world.ask("ListResourceTags", &json!({ "KeyId": arn }));
    let tags: BTreeMap<&str, &str> = answer["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| {
            (
                tag["TagKey"].as_str().unwrap(),
                tag["TagValue"].as_str().unwrap(),
            )
        })
        .collect();

    let header = definitions();
    let tag = |name: &str| tags[header[&format!("KMS_PKCS11_TAG_{name}")].trim_matches('"')];
    assert_eq!(tag("ID"), "70726976617465");
    assert_eq!(tag("LABEL"), "private");
    assert_eq!(tag("PUBLIC_ID"), "7075626c6963");
    assert_eq!(tag("PUBLIC_LABEL"), "public");
    let mark = tag("CREATED");
    assert!(mark.len() == 32 && mark.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(tags.len(), 5);
}

#[test]
fn names_may_be_as_long_as_the_header_says_and_no_longer() {
    let world = World::start();
    let session = world.module.session();
    let header = definitions();
    let most = |name: &str| {
        header[&format!("KMS_PKCS11_MAX_{name}")]
            .parse::<usize>()
            .unwrap()
    };
    let (_, key) = session.generate_p256("", "").unwrap();
    for (most, attribute) in [(most("ID"), CKA_ID), (most("LABEL"), CKA_LABEL)] {
        let of_length = |length| [bytes(attribute, vec![b'x'; length])];
        session.set(key, &of_length(most)).unwrap();
        assert_eq!(session.get(key, attribute).unwrap().len(), most);
        let longer = session.set(key, &of_length(most + 1));
        assert_eq!(longer, Err(CKR_ATTRIBUTE_VALUE_INVALID));
    }
}

#[test]
fn the_numbers_of_the_header_are_those_of_the_tests() {
    let header = definitions();
    let expected = [
        ("CKM_KMS_SYMMETRIC", kms::CKM_KMS_SYMMETRIC),
        ("CKM_KMS_REENCRYPT", kms::CKM_KMS_REENCRYPT),
        ("CKA_KMS_CIPHERTEXT", kms::CKA_KMS_CIPHERTEXT),
        ("CKA_KMS_ROTATION_ENABLED", kms::CKA_KMS_ROTATION_ENABLED),
        ("CKA_KMS_ROTATION_PERIOD", kms::CKA_KMS_ROTATION_PERIOD),
        ("CKA_KMS_NEXT_ROTATION", kms::CKA_KMS_NEXT_ROTATION),
        (
            "CKA_KMS_ON_DEMAND_ROTATION",
            kms::CKA_KMS_ON_DEMAND_ROTATION,
        ),
        (
            "CKA_KMS_AUTOMATIC_ROTATIONS",
            kms::CKA_KMS_AUTOMATIC_ROTATIONS,
        ),
        (
            "CKA_KMS_ON_DEMAND_ROTATIONS",
            kms::CKA_KMS_ON_DEMAND_ROTATIONS,
        ),
        ("KMS_PKCS11_MAX_CIPHERTEXT", 6144),
        ("KMS_PKCS11_MAX_PLAINTEXT", 4096),
        ("KMS_PKCS11_MAX_DATA_KEY", 1024),
    ];
    for (name, number) in expected {
        let text = header[name].trim_end_matches("UL");
        let defined = match text.strip_prefix("0x") {
            Some(digits) => CK_ULONG::from_str_radix(digits, 16),
            None => text.parse(),
        };
        assert_eq!(defined, Ok(number), "{name}");
    }
    let numbers = header.keys().filter(|name| name.starts_with("CK"));
    assert_eq!(numbers.count(), 9);
}

#[test]
fn the_variables_of_the_header_are_those_of_the_documentation() {
    let documentation = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let documented: BTreeSet<&str> = documentation
        .split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .filter(|word| word.starts_with("KMS_PKCS11_"))
        .collect();
    let header = definitions();
    let defined: BTreeSet<&str> = header
        .iter()
        .filter(|(name, _)| name.starts_with("KMS_PKCS11_ENV_"))
        .map(|(_, value)| value.trim_matches('"'))
        .collect();
    assert_eq!(defined, documented);
}

/// The macros of the header, as the preprocessor reads them.
fn definitions() -> BTreeMap<String, String> {
    let output = run(Command::new("gcc")
        .args(["-dM", "-E"])
        .arg(root().join("include/kms_pkcs11.h")))
    .ok()
    .stdout();
    output
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter(|line| {
            ["KMS_PKCS11_", "CKM_KMS_", "CKA_KMS_"]
                .iter()
                .any(|ours| line.starts_with(ours))
        })
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
