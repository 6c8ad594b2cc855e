//! Verification by Python's `cryptography`, and `dilithium-py` for what that lacks: many signatures in one
//! process.

use std::fmt::Write as _;
use std::fs;

use kms_pkcs11_testkit::{hex, python};
use serde_json::json;
use tempfile::TempDir;

use super::Hash;

/// How a signature was made from its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Ecdsa,
    Pkcs1,
    Pss,
    Ed25519,
    /// In this context.
    MlDsa(&'static [u8]),
    HashMlDsa(&'static [u8]),
}

/// What a signature is of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim<'a> {
    /// A message, hashed with this.
    Message(&'a Hash, &'a [u8]),
    /// A digest of this hash.
    Digest(&'a Hash, &'a [u8]),
    /// A digest of any length, which ECDSA takes.
    AnyDigest(&'a [u8]),
    /// A message that the scheme hashes.
    Raw(&'a [u8]),
}

/// Signatures to be verified together.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    lines: String,
    /// What they are of, one after the other: in hex, megabytes would take long.
    data: Vec<u8>,
    count: usize,
}

impl Outside {
    /// Adds a signature by the key with this public half.
    pub(crate) fn add(&mut self, spki: &[u8], scheme: Scheme, claim: Claim<'_>, signature: &[u8]) {
        let (hash, digest, data) = match claim {
            Claim::Message(hash, message) => (Some(hash.name), false, message),
            Claim::Digest(hash, digest) => (Some(hash.name), true, digest),
            Claim::AnyDigest(digest) => (None, true, digest),
            Claim::Raw(message) => (None, false, message),
        };
        let (scheme, context) = match scheme {
            Scheme::Ecdsa => ("ecdsa", &[][..]),
            Scheme::Pkcs1 => ("pkcs1", &[][..]),
            Scheme::Pss => ("pss", &[][..]),
            Scheme::Ed25519 => ("ed25519", &[][..]),
            Scheme::MlDsa(context) => ("ml-dsa", context),
            Scheme::HashMlDsa(context) => ("hash-ml-dsa", context),
        };
        let claim = json!({
            "spki": hex(spki),
            "scheme": scheme,
            "context": hex(context),
            "hash": hash,
            "digest": digest,
            "start": self.data.len(),
            "end": self.data.len() + data.len(),
            "signature": hex(signature),
        });
        writeln!(self.lines, "{claim}").unwrap();
        self.data.extend_from_slice(data);
        self.count += 1;
    }

    /// The numbers of the signatures that are not valid, counted from 0.
    #[track_caller]
    pub(crate) fn invalid(&self) -> Vec<usize> {
        let directory = TempDir::new().unwrap();
        let files = ["claims", "data"].map(|name| directory.path().join(name));
        fs::write(&files[0], &self.lines).unwrap();
        fs::write(&files[1], &self.data).unwrap();
        let printed = python(include_str!("verify.py"), files).ok().stdout();
        printed.lines().map(|line| line.parse().unwrap()).collect()
    }

    /// Requires that all are valid, and that there are so many.
    #[track_caller]
    pub(crate) fn assert_valid(&self, count: usize) {
        assert_eq!(self.count, count);
        assert_eq!(self.invalid(), [0; 0]);
    }
}
