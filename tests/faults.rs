//! What goes wrong in KMS and on the way there, and that it does not outlive the call it met.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod raw;

use std::time::{Duration, Instant};

use cryptoki_sys::*;
use kms_emulator::{Effect, Fault};
use raw::*;

/// Enough for every attempt that one call makes.
const ALWAYS: u32 = 100;
/// With `retries = 2`.
const ATTEMPTS: u64 = 3;

#[test]
fn throttling_that_ends_costs_attempts_and_nothing_else() {
    let world = World::start("retries = 2");
    for code in ["ThrottlingException", "KMSInternalException"] {
        let calls = world.client.requests(|| {
            world.strike(error(code), 2);
            world.assert_signs();
        });
        assert_eq!((calls.of("Sign"), calls.total), (3, 3), "{code}");
    }
}

#[test]
fn throttling_that_goes_on_is_a_device_error() {
    let world = World::start("retries = 2");
    let calls = world.client.requests(|| {
        world.strike(error("ThrottlingException"), ALWAYS);
        assert_eq!(world.sign(), Err(CKR_DEVICE_ERROR));
    });
    assert_eq!((calls.of("Sign"), calls.total), (ATTEMPTS, ATTEMPTS));
    world.assert_logged(&["ThrottlingException", "quota"]);
    world.assert_recovered();
}

#[test]
fn a_denied_signature_is_rejected_and_the_log_names_the_action_that_is_missing() {
    let world = World::start("retries = 2");
    let calls = world.client.requests(|| {
        world.strike(error("AccessDeniedException"), 1);
        assert_eq!(world.sign(), Err(CKR_FUNCTION_REJECTED));
    });
    assert_eq!((calls.of("Sign"), calls.total), (1, 1), "no retry helps");
    world.assert_logged(&[
        "C_Sign",
        "CKR_FUNCTION_REJECTED",
        "kms:Sign",
        "arn:aws:kms:",
    ]);
    world.assert_recovered();
}

#[test]
fn a_disabled_key_is_rejected() {
    let world = World::start("retries = 2");
    let calls = world.client.requests(|| {
        world.strike(error("DisabledException"), 1);
        assert_eq!(world.sign(), Err(CKR_FUNCTION_REJECTED));
    });
    assert_eq!((calls.of("Sign"), calls.total), (1, 1));
    world.assert_logged(&["DisabledException", "enable the key"]);
    world.assert_recovered();
}

#[test]
fn every_error_of_kms_has_its_return_value_and_ends_the_operation() {
    let world = World::start("retries = 0");
    for (code, rv) in [
        ("DisabledException", CKR_FUNCTION_REJECTED),
        ("KMSInvalidStateException", CKR_FUNCTION_REJECTED),
        ("AccessDeniedException", CKR_FUNCTION_REJECTED),
        ("InvalidKeyUsageException", CKR_FUNCTION_FAILED),
        ("NotFoundException", CKR_DEVICE_ERROR),
        ("ExpiredTokenException", CKR_USER_NOT_LOGGED_IN),
        ("UnrecognizedClientException", CKR_USER_NOT_LOGGED_IN),
        ("ThrottlingException", CKR_DEVICE_ERROR),
        ("KeyUnavailableException", CKR_DEVICE_ERROR),
        ("KMSInternalException", CKR_DEVICE_ERROR),
        ("DependencyTimeoutException", CKR_DEVICE_ERROR),
    ] {
        let calls = world.client.requests(|| {
            world.strike(error(code), 1);
            assert_eq!(world.sign(), Err(rv), "{code}");
        });
        assert_eq!((calls.of("Sign"), calls.total), (1, 1), "{code}");
        world.assert_logged(&[code]);
        world.assert_recovered();
    }
}

#[test]
fn a_service_that_hangs_is_given_up_at_the_deadline() {
    let world = World::start("deadline = 1\nattempt_timeout = 0.4\nretries = 20");
    world.strike(Effect::Hang, ALWAYS);
    let started = Instant::now();
    assert_eq!(world.sign(), Err(CKR_DEVICE_ERROR));
    let waited = started.elapsed();
    // All attempts together would take eight seconds and more.
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    world.assert_logged(&["deadline"]);
    world.assert_recovered();
}

#[test]
fn an_attempt_that_hangs_is_given_up_for_another() {
    let world = World::start("deadline = 20\nattempt_timeout = 0.3\nretries = 2");
    let started = Instant::now();
    let calls = world.client.requests(|| {
        world.strike(Effect::Hang, 1);
        world.assert_signs();
    });
    assert_eq!(calls.of("Sign"), 2);
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_broken_connection_costs_an_attempt_and_when_it_stays_broken_is_a_device_error() {
    let world = World::start("retries = 2");
    for effect in [
        Effect::ResetBefore,
        Effect::ResetAfter,
        Effect::TruncatedBody,
    ] {
        let calls = world.client.requests(|| {
            world.strike(effect.clone(), 1);
            world.assert_signs();
        });
        assert_eq!((calls.of("Sign"), calls.total), (2, 2), "{effect:?}");

        let calls = world.client.requests(|| {
            world.strike(effect.clone(), ALWAYS);
            assert_eq!(world.sign(), Err(CKR_DEVICE_ERROR), "{effect:?}");
        });
        let counted = (calls.of("Sign"), calls.total);
        assert_eq!(counted, (ATTEMPTS, ATTEMPTS), "{effect:?}");
        world.assert_recovered();
    }
}

#[test]
fn a_failed_signature_in_parts_leaves_nothing_active() {
    let world = World::start("retries = 0");
    let World { client, key, .. } = &world;
    let mechanism = Mechanism::plain(CKM_ECDSA_SHA256);
    assert_eq!(client.sign_init(&mechanism, key.private), CKR_OK);
    assert_eq!(client.sign_update(b"message"), CKR_OK);
    world.strike(error("AccessDeniedException"), 1);
    let refused = client.sign_final(Room::Of(AMPLE));
    assert_eq!(refused.rv, CKR_FUNCTION_REJECTED);
    let over = client.sign_update(b"more");
    assert_eq!(over, CKR_OPERATION_NOT_INITIALIZED);
    world.assert_recovered();
}

#[test]
fn a_failed_decryption_leaves_nothing_active_and_the_next_one_works() {
    let (client, [key]) = Client::configured("retries = 0", [RSA_2048_DECRYPT]);
    let oaep = Mechanism::oaep(&SHA_256);
    let ciphertext = client.ciphertext(&oaep, key.public, b"secret");
    for (effect, rv) in [
        (error("AccessDeniedException"), CKR_FUNCTION_REJECTED),
        (error("DisabledException"), CKR_FUNCTION_REJECTED),
        (
            error("InvalidCiphertextException"),
            CKR_ENCRYPTED_DATA_INVALID,
        ),
        (error("ThrottlingException"), CKR_DEVICE_ERROR),
        (Effect::ResetBefore, CKR_DEVICE_ERROR),
        (Effect::TruncatedBody, CKR_DEVICE_ERROR),
    ] {
        client
            .emulator()
            .fault(Fault::once("Decrypt", effect.clone()));
        let refused = client.plaintext(&oaep, key.private, &ciphertext);
        assert_eq!(refused.rv, rv, "{effect:?}");
        let over = client.decrypt(&ciphertext, Room::Of(AMPLE));
        assert_eq!(over.rv, CKR_OPERATION_NOT_INITIALIZED, "{effect:?}");
        let answer = client.plaintext(&oaep, key.private, &ciphertext);
        assert_eq!(answer.ok(), b"secret", "{effect:?}");
    }
    assert!(client.log().contains("kms:Decrypt"), "{}", client.log());
}

#[test]
fn a_failure_in_the_middle_of_random_bytes_is_the_answer_of_the_call() {
    let (client, []) = Client::configured("retries = 0", []);
    for (effect, rv) in [
        (error("AccessDeniedException"), CKR_FUNCTION_REJECTED),
        (error("KMSInternalException"), CKR_DEVICE_ERROR),
        (Effect::ResetBefore, CKR_DEVICE_ERROR),
    ] {
        let fault = Fault::once("GenerateRandom", effect.clone()).after(5);
        client.emulator().fault(fault);
        assert_eq!(client.random(8192).rv, rv, "{effect:?}");
        client.emulator().clear_faults();
        assert_eq!(client.random(8192).ok().len(), 8192);
    }
}

/// A client with one key that signs.
struct World {
    client: Client,
    key: Key,
}

impl World {
    #[track_caller]
    fn start(token: &str) -> Self {
        let (client, [key]) = Client::configured(token, [P256]);
        let world = Self { client, key };
        // The connection is there, so that a count of requests is one of signatures.
        world.assert_signs();
        world
    }

    /// Has the next Sign requests meet this.
    fn strike(&self, effect: Effect, count: u32) {
        let fault = Fault::once("Sign", effect).times(count);
        self.client.emulator().fault(fault);
    }

    fn sign(&self) -> Result<Vec<u8>, CK_RV> {
        let mechanism = Mechanism::plain(CKM_ECDSA_SHA256);
        self.client
            .try_signature(&mechanism, self.key.private, b"message")
    }

    #[track_caller]
    fn assert_signs(&self) {
        let signature = self.sign();
        let signature = signature.unwrap_or_else(|rv| panic!("{rv:#x}\n{}", self.client.log()));
        let verdict = self.client.verdict(
            &Mechanism::plain(CKM_ECDSA_SHA256),
            self.key.public,
            b"message",
            &signature,
        );
        assert_eq!(verdict, CKR_OK);
    }

    /// Requires that the failed call left nothing active, and that the next one succeeds.
    #[track_caller]
    fn assert_recovered(&self) {
        self.client.emulator().clear_faults();
        for over in [
            self.client.sign(b"message", Room::Of(AMPLE)).rv,
            self.client.sign_update(b"message"),
            self.client.sign_final(Room::Of(AMPLE)).rv,
        ] {
            assert_eq!(over, CKR_OPERATION_NOT_INITIALIZED);
        }
        self.assert_signs();
    }

    /// Requires that the log's last line has all of these words.
    #[track_caller]
    fn assert_logged(&self, words: &[&str]) {
        let log = self.client.log();
        let line = log.lines().last().unwrap_or_default();
        assert!(words.iter().all(|word| line.contains(word)), "{log}");
    }
}

/// An error with the status that KMS sends it with.
fn error(code: &str) -> Effect {
    let server_fault = matches!(
        code,
        "KMSInternalException" | "KeyUnavailableException" | "DependencyTimeoutException"
    );
    Effect::Error {
        code: code.to_owned(),
        message: "on purpose".to_owned(),
        status: if server_fault { 500 } else { 400 },
    }
}
