//! Ed25519, verified by OpenSSL, and Ed25519ph, verified by libsodium.

use kms_pkcs11_testkit::{openssl_ok, python};
use serde_json::{Value, json};

use crate::bench::{Bench, path};
use crate::client::{Client, base64, bytes, start};

const SPEC: &str = "ECC_NIST_EDWARDS25519";
const PURE: &str = "ED25519_SHA_512";
const PREHASHED: &str = "ED25519_PH_SHA_512";

#[test]
fn openssl_verifies_pure_signatures_of_messages_up_to_4096_bytes() {
    let (bench, mut client) = Bench::start();
    let (id, arn) = client.create_key(SPEC, "SIGN_VERIFY");
    let public = bench.public_key(&id);
    for len in [1, 64, 4096] {
        let message = vec![7; len];
        let request = request(&id, PURE, "RAW", &message);
        let mut signed = client.ok("Sign", &request);
        let signature = signed["Signature"].take();
        let expected = json!({ "KeyId": arn, "Signature": null, "SigningAlgorithm": PURE });
        assert_eq!(signed, expected);
        assert_eq!(bytes(&signature).len(), 64);

        let signature_file = bench.file("signature", &bytes(&signature));
        let message_file = bench.file("message", &message);
        let mut args = vec!["pkeyutl", "-verify", "-rawin", "-pubin"];
        args.extend(["-inkey", path(&public), "-in", path(&message_file)]);
        args.extend(["-sigfile", path(&signature_file)]);
        let verdict = openssl_ok(args, b"");
        assert_eq!(verdict, b"Signature Verified Successfully\n");
        verifies(&mut client, request, &signature);
    }
    let too_long = request(&id, PURE, "RAW", &[7; 4097]);
    assert_eq!(client.refused("Sign", &too_long).0, "ValidationException");
}

#[test]
fn a_signature_of_openssl_verifies() {
    let (bench, mut client) = Bench::start();
    let (id, _) = client.create_key(SPEC, "SIGN_VERIFY");
    let private = bench.private_key(&id);
    let message = bench.file("message", b"signed by OpenSSL");
    let mut args = vec!["pkeyutl", "-sign", "-rawin", "-inkey", path(&private)];
    args.extend(["-in", path(&message)]);
    let signature = base64(openssl_ok(args, b""));
    let request = request(&id, PURE, "RAW", b"signed by OpenSSL");
    verifies(&mut client, request, &json!(signature));
}

/// KMS hashes the digest once more, as if it were the message.
#[test]
fn libsodium_verifies_a_prehashed_signature_of_the_digest() {
    let (bench, mut client) = Bench::start();
    let (id, _) = client.create_key(SPEC, "SIGN_VERIFY");
    let digest = openssl_ok(["dgst", "-sha512", "-binary"], b"message");
    let request = request(&id, PREHASHED, "DIGEST", &digest);
    let signature = client.ok("Sign", &request)["Signature"].take();
    let public = client.ok("GetPublicKey", &json!({ "KeyId": id }))["PublicKey"].take();
    let files = [
        bench.file("public", &bytes(&public)),
        bench.file("digest", &digest),
        bench.file("signature", &bytes(&signature)),
    ];
    let script = r#"
import sys
from nacl import bindings
public, digest, signature = (open(name, "rb").read() for name in sys.argv[1:])
state = bindings.crypto_sign_ed25519ph_state()
bindings.crypto_sign_ed25519ph_update(state, digest)
assert bindings.crypto_sign_ed25519ph_final_verify(state, signature, public[-32:])
"#;
    let finished = python(script, files);
    assert!(finished.success(), "{finished:?}");
    verifies(&mut client, request, &signature);
}

#[test]
fn each_algorithm_takes_messages_of_one_type() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key(SPEC, "SIGN_VERIFY");
    for (algorithm, kind, len) in [
        (PURE, "DIGEST", 64),
        (PREHASHED, "RAW", 64),
        (PREHASHED, "DIGEST", 63),
        (PREHASHED, "DIGEST", 65),
    ] {
        let request = request(&id, algorithm, kind, &vec![7; len]);
        let refused = client.refused("Sign", &request);
        assert_eq!(refused.0, "ValidationException", "{algorithm} {kind} {len}");
    }
    // RAW is the default.
    let default = json!({ "KeyId": id, "Message": base64("m"), "SigningAlgorithm": PURE });
    client.ok("Sign", &default);
}

#[test]
fn a_pure_signature_is_not_a_prehashed_one() {
    let (_emulator, mut client) = start();
    let (id, _) = client.create_key(SPEC, "SIGN_VERIFY");
    let pure = request(&id, PURE, "RAW", &[7; 64]);
    let prehashed = request(&id, PREHASHED, "DIGEST", &[7; 64]);
    let signature = client.ok("Sign", &pure)["Signature"].take();
    let mut verify = prehashed;
    verify["Signature"] = signature;
    let refused = client.refused("Verify", &verify);
    assert_eq!(refused, ("KMSInvalidSignatureException".to_owned(), None));
}

fn request(id: &str, algorithm: &str, kind: &str, message: &[u8]) -> Value {
    json!({
        "KeyId": id, "Message": base64(message), "MessageType": kind, "SigningAlgorithm": algorithm,
    })
}

/// The signature verifies, and neither for another message nor with a changed bit.
#[track_caller]
fn verifies(client: &mut Client, mut request: Value, signature: &Value) {
    request["Signature"] = signature.clone();
    assert_eq!(client.ok("Verify", &request)["SignatureValid"], true);
    let mut changed = request.clone();
    let mut bits = bytes(signature);
    bits[40] ^= 1;
    changed["Signature"] = base64(bits).into();
    let mut message = bytes(&request["Message"]);
    message[0] ^= 1;
    request["Message"] = base64(message).into();
    for wrong in [changed, request] {
        let refused = client.refused("Verify", &wrong);
        assert_eq!(refused, ("KMSInvalidSignatureException".to_owned(), None));
    }
}
