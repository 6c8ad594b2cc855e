//! An emulator whose keys other programs get as files.

use std::fs;
use std::path::{Path, PathBuf};

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::openssl_ok;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, bytes, text};

/// An emulator with a state file, and a directory for what other programs read.
pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    directory: TempDir,
}

impl Bench {
    pub(crate) fn start() -> (Self, Client) {
        let directory = TempDir::new().unwrap();
        let options = Options {
            state: Some(state_file(&directory)),
            ..Options::default()
        };
        let emulator = Emulator::start(options).unwrap();
        let client = Client::connect(&emulator.endpoint());
        let bench = Self {
            emulator,
            directory,
        };
        (bench, client)
    }

    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    /// The public key in a PEM file, as a client gets it from `GetPublicKey`.
    pub(crate) fn public_key(&self, id: &str) -> PathBuf {
        let answer =
            Client::connect(&self.emulator.endpoint()).ok("GetPublicKey", &json!({ "KeyId": id }));
        let pem = openssl_ok(
            ["pkey", "-pubin", "-inform", "DER", "-pubout"],
            &bytes(&answer["PublicKey"]),
        );
        self.file("public.pem", &pem)
    }

    /// The private key in a PEM file, out of the state file.
    pub(crate) fn private_key(&self, id: &str) -> PathBuf {
        let pem = openssl_ok(["pkey", "-inform", "DER"], &self.material(id));
        self.file("private.pem", &pem)
    }

    /// What the state file holds of a key: PKCS#8, or the bytes of a secret key.
    pub(crate) fn material(&self, id: &str) -> Vec<u8> {
        let state = fs::read(state_file(&self.directory)).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        let keys = state["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| text(&key["id"]) == id).unwrap();
        bytes(&key["material"])
    }
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn state_file(directory: &TempDir) -> PathBuf {
    directory.path().join("state.json")
}
