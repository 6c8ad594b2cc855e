//! Certificates that `cryptography` and openssl issue, for tests.

use kms_pkcs11_testkit::{openssl_ok, python};
use serde_json::Value;

use crate::hex;

/// The kinds of key that `tests/certificates.py` certifies.
pub(crate) const KINDS: [&str; 7] = [
    "rsa",
    "p256",
    "p521",
    "ed25519",
    "ml-dsa-44",
    "ml-dsa-65",
    "ml-dsa-87",
];

/// A certificate, and what its issuer reads in it.
pub(crate) struct Issued(Value);

impl Issued {
    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap()
    }

    /// A field of `tests/certificates.py`.
    pub(crate) fn field(&self, name: &str) -> Vec<u8> {
        hex::decode(self.0[name].as_str().unwrap()).unwrap()
    }
}

/// Self-signed certificates for new keys of these kinds.
pub(crate) fn issue(kinds: &[&str]) -> Vec<Issued> {
    let script = include_str!("../../../tests/certificates.py");
    let printed = python(script, kinds).ok().stdout();
    let issued: Vec<Value> = serde_json::from_str(&printed).unwrap();
    issued.into_iter().map(Issued).collect()
}

/// DER of a small self-signed certificate: a new P-256 key, this common name.
pub(crate) fn self_signed(common_name: &str) -> Vec<u8> {
    let subject = format!("/CN={common_name}");
    let mut arguments = vec!["req", "-x509", "-newkey", "ec", "-nodes", "-outform", "DER"];
    arguments.extend(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    arguments.extend(["-keyout", "/dev/null", "-days", "30", "-subj", &subject]);
    openssl_ok(arguments, &[])
}
