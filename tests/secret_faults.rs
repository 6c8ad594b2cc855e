//! What goes wrong in KMS while a secret key is agreed on, decapsulated or unwrapped, and that nothing of it
//! stays behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use cryptoki_sys::*;
use kms_emulator::{Effect, Fault};
use raw::*;
use serde_json::json;

/// The errors that all three operations of KMS may answer, and what PKCS#11 calls them when a key is derived
/// and when one is decapsulated or unwrapped.
const ERRORS: [(&str, CK_RV, CK_RV); 19] = [
    same("DisabledException", CKR_FUNCTION_REJECTED),
    same("KMSInvalidStateException", CKR_FUNCTION_REJECTED),
    same("AccessDeniedException", CKR_FUNCTION_REJECTED),
    same("InvalidGrantTokenException", CKR_FUNCTION_REJECTED),
    same("OptInRequired", CKR_FUNCTION_REJECTED),
    (
        "InvalidKeyUsageException",
        CKR_KEY_TYPE_INCONSISTENT,
        CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    ),
    (
        "NotFoundException",
        CKR_KEY_HANDLE_INVALID,
        CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    ),
    (
        "ValidationException",
        CKR_MECHANISM_PARAM_INVALID,
        CKR_FUNCTION_FAILED,
    ),
    same("UnsupportedOperationException", CKR_MECHANISM_INVALID),
    same("DryRunOperationException", CKR_FUNCTION_FAILED),
    same("ExpiredTokenException", CKR_USER_NOT_LOGGED_IN),
    same("UnrecognizedClientException", CKR_USER_NOT_LOGGED_IN),
    same("InvalidSignatureException", CKR_USER_NOT_LOGGED_IN),
    same("LimitExceededException", CKR_DEVICE_MEMORY),
    same("ThrottlingException", CKR_DEVICE_ERROR),
    same("KeyUnavailableException", CKR_DEVICE_ERROR),
    same("KMSInternalException", CKR_DEVICE_ERROR),
    same("DependencyTimeoutException", CKR_DEVICE_ERROR),
    same("ServiceUnavailableException", CKR_DEVICE_ERROR),
];

const fn same(code: &'static str, rv: CK_RV) -> (&'static str, CK_RV, CK_RV) {
    (code, rv, rv)
}

#[test]
fn every_error_of_an_agreement_has_its_return_value_and_makes_no_key() {
    let (client, [key]) = Client::configured("retries = 0", [P256_AGREE]);
    let peer = json!({"do": "peer", "curve": "SECP256R1", "scalar": 123_456_789});
    let ecdh = Mechanism::ecdh(CKD_NULL, b"", &computed(&[peer])[0]);
    let derive = || client.derive(&ecdh, key.private, &[]);
    let mut cases = errors(|(_, rv, _)| *rv);
    cases.push((length_error(), CKR_MECHANISM_PARAM_INVALID));
    assert_each(&client, "DeriveSharedSecret", &cases, derive);
}

#[test]
fn every_error_of_a_decapsulation_has_its_return_value_and_makes_no_key() {
    let (client, [key]) = Client::configured("retries = 0", [ML_KEM_768]);
    let kem = Mechanism::plain(CKM_ML_KEM);
    let (answer, own) = client.encapsulate(&kem, key.public, &[], Room::Of(AMPLE));
    let ciphertext = answer.ok();
    assert_eq!(client.destroy(own), CKR_OK);
    let decapsulate = || client.decapsulate(&kem, key.private, &[], &ciphertext);
    assert_each(&client, "Decapsulate", &of_ciphertexts(), decapsulate);
}

#[test]
fn every_error_of_an_unwrapping_has_its_return_value_and_makes_no_key() {
    let (client, [key]) = Client::configured("retries = 0", [RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let ciphertext = client.ciphertext(&oaep, key.public, &[7; 32]);
    let template = [(CKA_KEY_TYPE, ulong(CKK_AES))];
    let unwrap = || client.unwrap(&oaep, key.private, &ciphertext, &template);
    assert_each(&client, "Decrypt", &of_ciphertexts(), unwrap);
}

/// What makes an operation fail, and how the function says so.
type Case = (Effect, CK_RV);

fn errors(rv: impl Fn(&(&str, CK_RV, CK_RV)) -> CK_RV) -> Vec<Case> {
    let answered = ERRORS.iter().map(|row| (error(row.0), rv(row)));
    let unanswered = [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::TruncatedBody,
    ];
    answered
        .chain(unanswered.map(|effect| (effect, CKR_DEVICE_ERROR)))
        .collect()
}

fn of_ciphertexts() -> Vec<Case> {
    let mut cases = errors(|(_, _, rv)| *rv);
    cases.extend([
        (error("InvalidCiphertextException"), CKR_WRAPPED_KEY_INVALID),
        (error("IncorrectKeyException"), CKR_WRAPPED_KEY_INVALID),
        (length_error(), CKR_WRAPPED_KEY_LEN_RANGE),
    ]);
    cases
}

/// Has each of these happen to one request. Afterwards there is no key, and the function works.
#[track_caller]
fn assert_each(
    client: &Client,
    operation: &str,
    cases: &[Case],
    make: impl Fn() -> Result<CK_OBJECT_HANDLE, CK_RV>,
) {
    let secrets = [(CKA_CLASS, ulong(CKO_SECRET_KEY)), (CKA_TOKEN, flag(false))];
    for (effect, rv) in cases {
        let calls = client.requests(|| {
            let fault = Fault::once(operation, effect.clone());
            client.emulator().fault(fault);
            assert_eq!(make(), Err(*rv), "{effect:?}\n{}", client.log());
        });
        let counted = (calls.of(operation), calls.total);
        assert_eq!(counted, (1, 1), "{effect:?}");
        assert_eq!(client.find(&secrets), [0; 0], "{effect:?}");
        client.emulator().clear_faults();
        let key = make().unwrap_or_else(|rv| panic!("{effect:?}, then {rv:#x}\n{}", client.log()));
        assert_eq!(client.destroy(key), CKR_OK);
    }
}

/// An error with the status that KMS sends it with.
fn error(code: &str) -> Effect {
    let server_fault = matches!(
        code,
        "KMSInternalException"
            | "KeyUnavailableException"
            | "DependencyTimeoutException"
            | "ServiceUnavailableException"
    );
    Effect::Error {
        code: code.to_owned(),
        message: "on purpose".to_owned(),
        status: if server_fault { 500 } else { 400 },
    }
}

/// How KMS says that bytes are too few or too many.
fn length_error() -> Effect {
    Effect::Error {
        code: "ValidationException".to_owned(),
        message: "the value has an invalid length".to_owned(),
        status: 400,
    }
}
