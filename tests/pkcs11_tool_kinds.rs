//! Debian's `pkcs11-tool` with the keys that are neither RSA nor ECDSA: Ed25519, HMAC, key agreement.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common_p11::World;
use common_p11::attribute::{bytes, id, private_keys, ulong};
use cryptoki_sys::*;
use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{hex, python, run};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn an_ed25519_key_is_generated_shown_and_read_and_its_signature_verifies() {
    let tool = Tool::start();
    let generated = tool.run("--keypairgen --key-type EC:edwards25519 --id 01 --label ed");
    for shown in [&generated, &tool.run("-O")] {
        assert!(shown.contains("Private Key Object; EC_EDWARDS"), "{shown}");
        assert!(shown.contains("EC_POINT 255 bits"), "{shown}");
        assert!(shown.contains("OID 1.3.101.112"), "{shown}");
        assert!(shown.contains("Allowed mechanisms: EDDSA"), "{shown}");
    }
    tool.write("message", b"a message");
    tool.run("--sign --mechanism EDDSA --id 01 -i message -o signature");
    tool.run("--read-object --type pubkey --id 01 -o public.pem");
    let verify = "pkeyutl -verify -rawin -pubin -inkey public.pem -in message -sigfile signature";
    assert!(tool.openssl(verify));
    tool.write("message", b"another message");
    assert!(!tool.openssl(verify));
}

#[test]
fn hmac_keys_of_every_length_are_generated_and_make_macs() {
    const LENGTHS: [(&str, u8, &str); 4] = [
        ("28", 0x28, "224"),
        ("32", 0x32, "256"),
        ("48", 0x48, "384"),
        ("64", 0x64, "512"),
    ];
    let tool = Tool::start();
    tool.write("message", b"a message");
    for (len, _, hash) in LENGTHS {
        // Unless it is told otherwise, pkcs11-tool asks for a key that anybody may read.
        let generated = tool.run(&format!(
            "--keygen --key-type GENERIC:{len} --id {len} --usage-sign --sensitive --private"
        ));
        let access = "sensitive, always sensitive, never extractable, local";
        assert!(generated.contains(access), "{generated}");
        tool.run(&format!(
            "--sign --mechanism SHA{hash}-HMAC --id {len} -i message -o {len}"
        ));
    }
    let listed = tool.run("-O --type secrkey");
    assert_eq!(listed.matches("Secret Key").count(), 4, "{listed}");

    tool.world.restart();
    let session = tool.world.module.session();
    let claims = LENGTHS.map(|(len, key_id, hash)| {
        let key = session.find_one(&[ulong(CKA_CLASS, CKO_SECRET_KEY), id([key_id])]);
        let arn = String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap();
        json!({
            "key": arn.rsplit_once('/').unwrap().1,
            "hash": format!("sha{hash}"),
            "message": hex(b"a message"),
            "mac": hex(&tool.read(len)),
        })
    });
    tool.write("claims.json", json!(claims).to_string().as_bytes());
    let files = [tool.path("state.json"), tool.path("claims.json")];
    let wrong = python(include_str!("hmac.py"), files).ok().stdout();
    assert_eq!(wrong, "");
}

#[test]
fn a_pair_for_key_agreement_and_a_restricted_one_are_generated() {
    let tool = Tool::start();
    let agrees = tool.run("--keypairgen --key-type EC:prime256v1 --id 01 --usage-derive");
    assert!(agrees.contains("Usage:      derive\n"), "{agrees}");
    let restricted = tool.run(
        "--keypairgen --key-type EC:prime256v1 --id 02 --usage-sign --allowed-mechanisms ECDSA-SHA256",
    );
    assert!(
        restricted.contains("Allowed mechanisms: ECDSA-SHA256\n"),
        "{restricted}"
    );

    tool.world.restart();
    let session = tool.world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    assert_eq!(session.get(key, CKA_DERIVE), Ok(vec![1]));
    let given = bytes(CKA_ALLOWED_MECHANISMS, CKM_ECDSA_SHA256.to_ne_bytes());
    let key = session.find_one(&[private_keys(), id([2]), given]);
    let refused = session.sign_init(CKM_ECDSA, key);
    assert_eq!(refused, Err(CKR_MECHANISM_INVALID));
}

/// A token whose keys the emulator keeps in a file, for pkcs11-tool.
struct Tool {
    world: World,
    state: TempDir,
}

impl Tool {
    fn start() -> Self {
        let state = TempDir::new().unwrap();
        let options = Options {
            state: Some(state.path().join("state.json")),
            ..Options::default()
        };
        let emulator = Emulator::start(options).unwrap();
        Self {
            world: World::over(emulator, &[""]),
            state,
        }
    }

    /// Runs pkcs11-tool; what follows `-i` and `-o` are files of [`Self::path`].
    #[track_caller]
    fn run(&self, arguments: &str) -> String {
        let mut names_file = false;
        let mut arguments: Vec<String> = arguments.split_whitespace().map(str::to_owned).collect();
        for argument in &mut arguments {
            if names_file {
                *argument = self.path(argument).display().to_string();
            }
            names_file = matches!(argument.as_str(), "-i" | "-o");
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.world.pkcs11_tool(&arguments)
    }

    /// Whether openssl succeeds, where the files are.
    fn openssl(&self, arguments: &str) -> bool {
        let mut openssl = Command::new("openssl");
        openssl
            .current_dir(self.state.path())
            .args(arguments.split_whitespace());
        run(&mut openssl).success()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, contents: &[u8]) {
        fs::write(self.path(name), contents).unwrap();
    }
}
