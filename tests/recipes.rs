//! The recipes of the README, as a reader would type them: OpenSSL through the engine of libp11, and an
//! OpenSSH certificate authority.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use kms_emulator::{Emulator, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, openssl_ok, run};

/// A token with an EC key `release` (id 01) and an RSA key `tls` (id 02), and the emulator behind it.
fn token_with_keys() -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
    for (kind, label, id) in [
        ("EC:prime256v1", "release", "01"),
        ("rsa:2048", "tls", "02"),
    ] {
        let arguments = [
            "--keypairgen",
            "--key-type",
            kind,
            "--label",
            label,
            "--id",
            id,
        ];
        let _ = run(token
            .command("pkcs11-tool")
            .arg("--module")
            .arg(&token.module)
            .args(arguments))
        .ok();
    }
    (emulator, token)
}

fn ssh_keygen(token: &Token, arguments: &[&str]) -> Finished {
    run(token
        .command("ssh-keygen")
        .arg("-D")
        .arg(&token.module)
        .args(arguments))
    .ok()
}

#[test]
fn openssl_makes_certificates_with_keys_in_kms() {
    let (emulator, token) = token_with_keys();
    for label in ["release", "tls"] {
        emulator.reset_calls();
        let key = format!("pkcs11:token=aws-kms;object={label};type=private");
        let request = [
            "req", "-engine", "pkcs11", "-keyform", "engine", "-key", &key, "-new", "-x509",
        ];
        let _ = run(token
            .command("openssl")
            .env("PKCS11_MODULE_PATH", &token.module)
            .args(request)
            .args(["-subj", "/CN=My CA", "-days", "365", "-out", "ca.pem"]))
        .ok();
        let certificate = token.directory().join("ca.pem");
        let certificate = certificate.to_str().unwrap();
        openssl_ok(["verify", "-CAfile", certificate, certificate], b"");
        assert_eq!(emulator.calls().of("Sign"), 1, "{label}");
    }
}

#[test]
fn openssh_signs_certificates_with_keys_in_kms() {
    let (emulator, token) = token_with_keys();
    let keys = ssh_keygen(&token, &[]).stdout();
    let authority = keys
        .lines()
        .find(|line| line.ends_with(" release"))
        .unwrap();
    fs::write(token.directory().join("ca.pub"), authority).unwrap();
    let _ = run(token
        .command("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f", "alice"]))
    .ok();
    emulator.reset_calls();
    let _ = ssh_keygen(
        &token,
        &[
            "-s",
            "ca.pub",
            "-I",
            "alice",
            "-n",
            "alice",
            "-V",
            "+1h",
            "alice.pub",
        ],
    );
    assert_eq!(emulator.calls().of("Sign"), 1);

    let show = || {
        run(token
            .command("ssh-keygen")
            .args(["-L", "-f", "alice-cert.pub"]))
    };
    let shown = show().ok().stdout();
    assert!(shown.contains("Signing CA: ECDSA"), "{shown}");
    assert!(shown.contains("Key ID: \"alice\""), "{shown}");

    // ssh-keygen reads a certificate only if the authority's signature, at its end, is right.
    let certificate = token.directory().join("alice-cert.pub");
    let text = fs::read_to_string(&certificate).unwrap();
    let [kind, blob, comment] = text
        .trim_end()
        .splitn(3, ' ')
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let (rest, end) = blob.split_at(blob.len() - 12);
    let end: String = end
        .chars()
        .map(|c| if c == 'A' { 'B' } else { 'A' })
        .collect();
    fs::write(&certificate, format!("{kind} {rest}{end} {comment}\n")).unwrap();
    assert!(!show().success());
}
