//! One login after another, where the PIN is the credentials: nothing of one is sent, shown or kept under the next.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{flag, id, private_keys, public_keys, template, ulong};
use common_p11::issuers::Issuer;
use common_p11::{Rv, Session, World, call, ok, set_environment};
use cryptoki_sys::*;
use kms_emulator::{Change, Effect, Emulator, Fault, NewKeys, Options};
use serde_json::json;

const ONE: &str = "AKIDONE:secret";
const TWO: &str = "AKIDTWO:secret";
const DIGEST: [u8; 32] = [7; 32];
/// How long something lasts during which there is time for a logout and a login.
const SLOW: u64 = 2500;
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(700);

/// A token whose PIN is the credentials, and the service that knows whose they are.
struct Users {
    world: World,
    sts: Issuer,
}

impl Users {
    fn with(settings: &str) -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let settings = format!("pin = \"credentials\"\n{settings}");
        let world = World::not_initialized(emulator, &[&settings]);
        let sts = Issuer::sts();
        set_environment(world.directory.path());
        // SAFETY: the test is alone in its process, and its servers do not look at the environment.
        unsafe { std::env::set_var("AWS_ENDPOINT_URL_STS", &sts.endpoint) };
        world.initialize();
        Self { world, sts }
    }

    fn session(&self) -> Session<'_> {
        self.world.module.session()
    }

    /// Has the next request of an operation take long.
    fn slow(&self, operation: &str) {
        let slow = Effect::Latency { ms: SLOW };
        self.world.emulator.fault(Fault::once(operation, slow));
    }

    /// What a call answers during which its user logs out and another one logs in: while its request of this operation
    /// is slow, or without one while it waits for its turn.
    #[track_caller]
    fn across<T: Send>(&self, slow: Option<&str>, call: impl FnOnce() -> T + Send) -> T {
        let session = self.session();
        let emulator = &self.world.emulator;
        if let Some(operation) = slow {
            self.slow(operation);
            emulator.reset_calls();
        }
        thread::scope(|scope| {
            let call = scope.spawn(call);
            thread::sleep(Duration::from_millis(300));
            while slow.is_some_and(|operation| emulator.calls().of(operation) == 0) {
                assert!(!call.is_finished(), "it was not asked for");
                thread::sleep(Duration::from_millis(5));
            }
            assert!(!call.is_finished(), "nothing to wait for");
            session.logout().unwrap();
            session.login(CKU_USER, TWO).unwrap();
            call.join().unwrap()
        })
    }

    /// Requires that the log says, of a function, that its login has ended.
    #[track_caller]
    fn assert_told(&self, function: &str) {
        let log = self.world.log();
        let words = [
            &format!("{function}: CKR_USER_NOT_LOGGED_IN"),
            "the login that the call began under has ended",
        ];
        let is_told = |line: &str| words.iter().all(|word| line.contains(*word));
        assert!(log.lines().any(is_told), "{log}");
    }
}

#[test]
fn a_signature_that_waits_for_its_turn_is_not_asked_for_as_the_next_user() {
    let users = Users::with("rates = { ecc = 1 }");
    let keys = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY");
    users.world.create_keys(&keys);
    let session = users.session();
    session.login(CKU_USER, ONE).unwrap();
    let key = session.find_one(&[private_keys()]);
    users.world.take_calls();
    session.sign(CKM_ECDSA, key, &DIGEST).unwrap();
    let late = users.across(None, || session.sign(CKM_ECDSA, key, &DIGEST));
    assert_eq!(late, Err(CKR_USER_NOT_LOGGED_IN));
    users.assert_told("C_Sign");
    assert_eq!(users.world.take_calls().get("Sign"), Some(&1));

    let key = session.find_one(&[private_keys()]);
    session.sign(CKM_ECDSA, key, &DIGEST).unwrap();
}

#[test]
fn a_key_that_waits_for_its_turn_is_not_made_in_the_account_of_the_next_user() {
    let users = Users::with("");
    let session = users.session();
    session.login(CKU_USER, ONE).unwrap();
    // As many as are sent in one second.
    for number in 1..=5 {
        session.generate_p256([number], "in time").unwrap();
    }
    let late = users.across(None, || session.generate_p256([6], "late"));
    assert_eq!(late, Err(CKR_USER_NOT_LOGGED_IN));
    users.assert_told("C_GenerateKeyPair");
    assert_eq!(users.world.take_calls().get("CreateKey"), Some(&5));
}

#[test]
fn a_key_whose_maker_has_logged_out_is_told_of_and_not_put_before_the_next_user() {
    let users = Users::with("");
    let session = users.session();
    session.login(CKU_USER, ONE).unwrap();
    assert_eq!(session.find(&[]), Ok(Vec::new()));
    // What the next user may list has no such key.
    let nothing = Change::Set {
        member: "Keys".to_owned(),
        value: json!([]),
    };
    let nothing = Effect::Changed(vec![nothing]);
    let fault = Fault::once("ListKeys", nothing).times(1000);
    users.world.emulator.fault(fault);
    let late = users.across(Some("GetPublicKey"), || {
        session.generate_p256([1], "of one")
    });
    assert_eq!(late, Err(CKR_USER_NOT_LOGGED_IN));
    let arn = users.world.emulator.keys()[0].arn.clone();
    let log = users.world.log();
    let is_told = |line: &str| line.contains(&arn) && line.contains("has ended meanwhile");
    assert!(log.lines().any(is_told), "{arn}: {log}");
    assert_eq!(session.find(&[]), Ok(Vec::new()));
}

#[test]
fn a_secret_whose_maker_has_logged_out_is_not_shown_to_the_next_user() {
    let users = Users::with("");
    users
        .world
        .create_keys(&NewKeys::new(1, "ECC_NIST_P256", "KEY_AGREEMENT"));
    let session = users.session();
    session.login(CKU_USER, ONE).unwrap();
    let key = session.find_one(&[private_keys()]);
    let public = session.find_one(&[public_keys()]);
    // The DER of an OCTET STRING, whose header has two bytes.
    let point = session.get(public, CKA_EC_POINT).unwrap()[2..].to_vec();
    assert!(derive(session, key, &point).is_ok());
    let secrets = [ulong(CKA_CLASS, CKO_SECRET_KEY)];
    assert_eq!(session.find(&secrets).unwrap().len(), 1);

    let late = users.across(Some("DeriveSharedSecret"), || derive(session, key, &point));
    assert_eq!(late, Err(CKR_USER_NOT_LOGGED_IN));
    users.assert_told("C_DeriveKey");
    assert_eq!(session.find(&secrets), Ok(Vec::new()));
}

#[test]
fn a_search_that_its_user_did_not_wait_for_fails_and_the_next_user_finds_all() {
    let users = Users::with("");
    let keys = NewKeys::new(2, "ECC_NIST_P256", "SIGN_VERIFY");
    users.world.create_keys(&keys);
    let session = users.session();
    session.login(CKU_USER, ONE).unwrap();
    for slow in ["ListKeys", "GetPublicKey"] {
        let other = users.world.module.session();
        let late = users.across(Some(slow), || other.find(&[private_keys()]));
        assert_eq!(late, Err(CKR_USER_NOT_LOGGED_IN), "{slow}");
        assert_eq!(session.find(&[private_keys()]).unwrap().len(), 2, "{slow}");
        session.logout().unwrap();
        session.login(CKU_USER, ONE).unwrap();
    }
}

#[test]
fn threads_that_log_in_together_wait_for_one_another_no_longer_than_the_deadline() {
    const DEADLINE: Duration = Duration::from_secs(2);
    let users = Users::with("deadline = 2");
    users.sts.hang(true);
    let session = users.session();
    let login = || {
        let begun = Instant::now();
        (session.login(CKU_USER, ONE), begun.elapsed())
    };
    let ended: Vec<_> = thread::scope(|scope| {
        let threads = [(); 6].map(|()| scope.spawn(login));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    for (answer, took) in &ended {
        assert_eq!(*answer, Err(CKR_DEVICE_ERROR), "{ended:?}");
        assert!(*took < DEADLINE + SLACK, "{ended:?}");
    }
    users.sts.hang(false);
    session.login(CKU_USER, ONE).unwrap();
}

/// A private secret key, agreed on with the owner of this point.
fn derive(session: Session<'_>, key: CK_OBJECT_HANDLE, point: &[u8]) -> Rv<CK_OBJECT_HANDLE> {
    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: ptr::null_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_ptr().cast_mut(),
    };
    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_ECDH1_DERIVE,
        pParameter: ptr::from_mut(&mut parameter).cast(),
        ulParameterLen: size_of::<CK_ECDH1_DERIVE_PARAMS>() as CK_ULONG,
    };
    let attributes = [
        ulong(CKA_CLASS, CKO_SECRET_KEY),
        ulong(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
        flag(CKA_TOKEN, false),
        flag(CKA_PRIVATE, true),
        id([9]),
    ];
    let mut template = template(&attributes);
    let mut made = 0;
    ok(call!(
        session.module,
        C_DeriveKey,
        session.handle,
        &raw mut mechanism,
        key,
        template.as_mut_ptr(),
        template.len() as CK_ULONG,
        &raw mut made
    ))?;
    Ok(made)
}
