//! What is in the log and the audit, and what is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use common_p11::attribute::{bytes, flag, id, private_keys, public_keys, ulong};
use common_p11::{Mechanism, Session, World, call, ok};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{audited, hex, openssl_ok};

const PLAINTEXT: &[u8] = b"secret plaintext";

#[test]
fn each_request_to_kms_is_one_line_of_the_audit_whatever_the_level_of_the_log() {
    let world = unconfigured();
    let (audit, log) = (world.path("audit"), world.path("log"));
    world.configure_log(&format!(
        "[log]\nlevel = \"off\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"json\"\n"
    ));
    world.initialize();
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    let arn = unique_id(session, key);
    world.take_calls();
    let before = audited(&audit).len();

    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    world.fail("Sign", "ThrottlingException", 2);
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
    world.fail("Sign", "AccessDeniedException", 1);
    let refused = session.sign(CKM_ECDSA, key, &[7; 32]);
    assert_eq!(refused, Err(CKR_FUNCTION_REJECTED));
    let reset = Fault::once("Sign", Effect::ResetBefore).times(4);
    world.emulator.fault(reset);
    let failed = session.sign(CKM_ECDSA, key, &[7; 32]);
    assert_eq!(failed, Err(CKR_DEVICE_ERROR));
    session.generate_p256([2], "new").unwrap();

    let told = audited(&audit);
    let line = |rest: &str| format!("C_Sign\tSign\t{arn}\t{rest}");
    let of_signing = &told[before..before + 4];
    assert_eq!(
        of_signing,
        [
            line("ok\t200\t1"),
            line("ok\t200\t3"),
            line("AccessDeniedException\t400\t1"),
            line("Network\t-\t4"),
        ]
    );
    let of_generating = &told[before + 4..];
    assert_eq!(
        of_generating[0],
        "C_GenerateKeyPair\tCreateKey\t-\tok\t200\t1"
    );
    let attempts = |line: &String| line.rsplit('\t').next().unwrap().parse::<u64>().unwrap();
    let sent: u64 = told[before..].iter().map(attempts).sum();
    assert_eq!(sent, world.take_calls().values().sum::<u64>());
    assert_eq!(of_generating.len() + 9, usize::try_from(sent).unwrap());

    world.module.finalize().unwrap();
    assert!(!Path::new(&log).exists(), "the log is off");
}

#[test]
fn the_audit_is_in_the_log_at_level_info_and_nowhere_when_it_is_off() {
    for (level, audit, lines) in [("info", "log", 1), ("warn", "log", 0), ("trace", "off", 0)] {
        let world = unconfigured();
        let log = world.path("log");
        world.configure_log(&format!(
            "[log]\nlevel = \"{level}\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"json\"\n"
        ));
        world.initialize();
        sign(&world);
        let told = if Path::new(&log).exists() {
            audited(&log)
        } else {
            Vec::new()
        };
        let of_sign = told.iter().filter(|line| line.contains("\tSign\t"));
        assert_eq!(of_sign.count(), lines, "{level} {audit}: {told:?}");
        world.module.finalize().unwrap();
    }
}

#[test]
fn a_request_that_finalize_cuts_short_is_in_the_audit_too() {
    let world = unconfigured();
    let audit = world.path("audit");
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    sign(&world);
    world.emulator.fault(Fault::once("Sign", Effect::Hang));
    let signed = world.emulator.calls().of("Sign");
    std::thread::scope(|scope| {
        let session = world.module.session();
        let key = session.find_one(&[private_keys(), id([1])]);
        let call = scope.spawn(move || session.sign(CKM_ECDSA, key, &[7; 32]));
        while world.emulator.calls().of("Sign") == signed {
            std::thread::sleep(Duration::from_millis(5));
        }
        world.module.finalize().unwrap();
        assert!(call.join().unwrap().is_err());
    });
    let told = audited(&audit);
    let last = told.last().unwrap();
    assert!(
        last.starts_with("C_Sign\tSign\t") && last.ends_with("\tcancelled\t-\t1"),
        "{last}"
    );
}

#[test]
fn a_request_that_nothing_answers_in_time_is_in_the_audit_with_its_attempts() {
    let settings = "deadline = 1\nattempt_timeout = 0.4\nretries = 20";
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[settings]);
    world.create_keys(&one_pair());
    let audit = world.path("audit");
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    sign(&world);
    world
        .emulator
        .fault(Fault::once("Sign", Effect::Hang).times(20));
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    world.take_calls();
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap_err();
    let sent = world.take_calls()["Sign"];
    assert!(sent > 1);
    let told = audited(&audit);
    let last = told.last().unwrap();
    let end = format!("\tTimeout\t-\t{sent}");
    assert!(
        last.starts_with("C_Sign\tSign\t") && last.ends_with(&end),
        "{last}"
    );
}

#[test]
fn whatever_operation_of_kms_a_function_needs_is_in_the_audit() {
    let world = unconfigured();
    for (spec, usage, id) in [
        ("RSA_2048", "ENCRYPT_DECRYPT", "02"),
        ("ECC_NIST_P256", "KEY_AGREEMENT", "03"),
        ("ML_KEM_512", "ENCAPSULATE_DECAPSULATE", "04"),
    ] {
        world.create_keys(&NewKeys::new(1, spec, usage).tag("p11:id", id));
    }
    let audit = world.path("audit");
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    world.take_calls();
    sign(&world);
    let session = world.module.session();
    let [decrypts, agrees, decapsulates] =
        [2, 3, 4].map(|number| session.find_one(&[private_keys(), id([number])]));
    round_trip(session, decrypts);
    derive(session, agrees);
    decapsulate(session, decapsulates);
    authenticate(session);
    random(session);
    certify(session);
    world.module.finalize().unwrap();

    let told = audited(&audit);
    let columns = told.iter().map(|line| line.split('\t').collect::<Vec<_>>());
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    let mut needed = BTreeSet::new();
    for column in columns {
        assert_eq!(column[3], "ok", "{column:?}");
        *sent.entry(column[1].to_owned()).or_default() += column[5].parse::<u64>().unwrap();
        needed.insert((column[0], column[1]));
    }
    assert_eq!(sent, world.take_calls());
    for pair in [
        ("C_Sign", "Sign"),
        ("C_Decrypt", "Decrypt"),
        ("C_DeriveKey", "DeriveSharedSecret"),
        ("C_DecapsulateKey", "Decapsulate"),
        ("C_GenerateKey", "CreateKey"),
        ("C_GenerateKey", "DescribeKey"),
        ("C_Sign", "GenerateMac"),
        ("C_Verify", "VerifyMac"),
        ("C_DestroyObject", "ScheduleKeyDeletion"),
        ("C_GenerateRandom", "GenerateRandom"),
        ("C_CreateObject", "TagResource"),
        ("C_DestroyObject", "UntagResource"),
    ] {
        assert!(needed.contains(&pair), "{pair:?}: {needed:?}");
    }
}

#[test]
fn a_renewal_in_the_background_is_told_from_what_a_function_asks_for() {
    let world = World::not_initialized(
        Emulator::start(Options::default()).unwrap(),
        &["refresh_interval = 0.1"],
    );
    let audit = world.path("audit");
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    world.take_calls();
    session.find(&[private_keys()]).unwrap();
    let listed = |line: &&String| line.contains("\tListKeys\t");
    let mut told = audited(&audit);
    while told.iter().filter(listed).count() < 2 {
        std::thread::sleep(Duration::from_millis(10));
        told = audited(&audit);
    }
    let functions: Vec<_> = told
        .iter()
        .filter(listed)
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(functions[..2], ["C_FindObjectsInit", "background"]);
}

#[test]
fn no_line_of_log_and_audit_at_any_level_has_a_pin_a_credential_a_plaintext_or_a_key_in_it() {
    const PIN: &str = "pin-of-somebody";
    const SECRET_KEY: &str = "secret-access-key-of-somebody";
    const TOKEN: &str = "session-token-of-somebody";
    for format in ["text", "json"] {
        let world = unconfigured();
        // SAFETY: the test is alone in its process, and the emulator does not look at the environment.
        unsafe {
            std::env::set_var("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
            std::env::set_var("AWS_SESSION_TOKEN", TOKEN);
            // What makes the SDK log whatever is sent and received.
            std::env::set_var("LOG_SENSITIVE_BODIES", "true");
            std::env::set_var("LOG_SIGNABLE_BODY", "true");
        }
        for (spec, usage, id) in [
            ("RSA_2048", "ENCRYPT_DECRYPT", "02"),
            ("ECC_NIST_P256", "KEY_AGREEMENT", "03"),
        ] {
            world.create_keys(&NewKeys::new(1, spec, usage).tag("p11:id", id));
        }
        let (log, audit) = (world.path("log"), world.path("audit"));
        world.configure_log(&format!(
            "[log]\nlevel = \"trace\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"{format}\"\n"
        ));
        world.initialize();
        let session = world.module.session();
        session.login(CKU_USER, PIN).unwrap();
        sign(&world);
        round_trip(session, session.find_one(&[private_keys(), id([2])]));
        let agreed = derive(session, session.find_one(&[private_keys(), id([3])]));
        world.fail("Sign", "ExpiredTokenException", 1);
        let key = session.find_one(&[private_keys(), id([1])]);
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap_err();
        world.module.finalize().unwrap();

        let told = fs::read_to_string(log).unwrap() + &fs::read_to_string(audit).unwrap();
        for known in [
            "DEBUG",
            "Decrypt",
            "DeriveSharedSecret",
            "ExpiredTokenException",
        ] {
            assert!(told.contains(known), "{known}");
        }
        for secret in [
            PIN.as_bytes(),
            SECRET_KEY.as_bytes(),
            TOKEN.as_bytes(),
            PLAINTEXT,
            &agreed,
        ] {
            for written in spellings(secret) {
                assert!(!told.contains(&written), "{written} in {format}");
            }
        }
    }
}

#[test]
fn what_kms_answers_cannot_begin_a_line_of_its_own() {
    let world = World::start();
    world.create_keys(&one_pair());
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    world.emulator.fault(Fault::once(
        "Sign",
        Effect::Error {
            code: "AccessDeniedException".to_owned(),
            message: "first\n2026-01-01T00:00:00Z ERROR forged".to_owned(),
            status: 400,
        },
    ));
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap_err();
    let log = world.log();
    assert!(
        log.contains("first\\n2026-01-01T00:00:00Z ERROR forged"),
        "{log}"
    );
    assert!(
        !log.lines()
            .any(|line| line.starts_with("2026-01-01T00:00:00Z")),
        "{log}"
    );
}

#[test]
fn every_request_says_which_module_and_version_it_comes_from() {
    let world = World::start();
    world.create_keys(&one_pair());
    world.emulator.reset_calls();
    sign(&world);
    let agents = world.emulator.calls().user_agents;
    let name = concat!("kms-pkcs11/", env!("CARGO_PKG_VERSION"));
    assert!(!agents.is_empty());
    for agent in &agents {
        let mut products = agent.split(' ');
        assert!(products.any(|product| product.ends_with(name)), "{agent}");
    }
}

/// The world before C_Initialize, with one pair.
fn unconfigured() -> World {
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    world.create_keys(&one_pair());
    world
}

fn one_pair() -> NewKeys {
    NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01")
}

#[track_caller]
fn sign(world: &World) {
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
}

/// Encrypts here and decrypts in KMS.
#[track_caller]
fn round_trip(session: Session<'_>, private: CK_OBJECT_HANDLE) {
    let own_id = session.get(private, CKA_ID).unwrap();
    let public = session.find_one(&[public_keys(), id(own_id)]);
    let oaep = Mechanism::oaep_sha256();
    let ciphertext = session.encrypt(oaep.clone(), public, PLAINTEXT).unwrap();
    session.decrypt_init(oaep, private).unwrap();
    let mut plaintext = vec![0; 512];
    let mut len = plaintext.len() as CK_ULONG;
    ok(call!(
        session.module,
        C_Decrypt,
        session.handle,
        ciphertext.as_ptr().cast_mut(),
        ciphertext.len() as CK_ULONG,
        plaintext.as_mut_ptr(),
        &raw mut len
    ))
    .unwrap();
    plaintext.truncate(usize::try_from(len).unwrap());
    assert_eq!(plaintext, PLAINTEXT);
}

/// Agrees with the key itself on a secret, and answers it.
#[track_caller]
fn derive(session: Session<'_>, private: CK_OBJECT_HANDLE) -> Vec<u8> {
    let own_id = session.get(private, CKA_ID).unwrap();
    let public = session.find_one(&[public_keys(), id(own_id)]);
    let mut point = session.get(public, CKA_EC_POINT).unwrap();
    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
        kdf: CKD_NULL,
        ulSharedDataLen: 0,
        pSharedData: ptr::null_mut(),
        ulPublicDataLen: point.len() as CK_ULONG,
        pPublicData: point.as_mut_ptr(),
    };
    let mut mechanism = CK_MECHANISM {
        mechanism: CKM_ECDH1_DERIVE,
        pParameter: (&raw mut parameter).cast(),
        ulParameterLen: size_of_val(&parameter) as CK_ULONG,
    };
    let mut secret = 0;
    ok(call!(
        session.module,
        C_DeriveKey,
        session.handle,
        &raw mut mechanism,
        private,
        ptr::null_mut(),
        0,
        &raw mut secret
    ))
    .unwrap();
    session.get(secret, CKA_VALUE).unwrap()
}

/// Any ciphertext has a secret in it, by FIPS 203.
#[track_caller]
fn decapsulate(session: Session<'_>, private: CK_OBJECT_HANDLE) {
    let mut ciphertext = [7; 768];
    let mut secret = 0;
    ok(call!(
        session.module,
        C_DecapsulateKey,
        session.handle,
        ptr::from_mut(&mut Mechanism::from(CKM_ML_KEM).raw()),
        private,
        ptr::null_mut(),
        0,
        ciphertext.as_mut_ptr(),
        ciphertext.len() as CK_ULONG,
        &raw mut secret
    ))
    .unwrap();
}

/// The life of an HMAC key.
#[track_caller]
fn authenticate(session: Session<'_>) {
    let template = [
        id([5]),
        flag(CKA_TOKEN, true),
        flag(CKA_SIGN, true),
        flag(CKA_VERIFY, true),
        ulong(CKA_VALUE_LEN, 32),
    ];
    let key = session
        .generate_key(CKM_GENERIC_SECRET_KEY_GEN, &template)
        .unwrap();
    let mac = session.sign(CKM_SHA256_HMAC, key, b"message").unwrap();
    session
        .verify(CKM_SHA256_HMAC, key, b"message", &mac)
        .unwrap();
    session.destroy(key).unwrap();
}

#[track_caller]
fn random(session: Session<'_>) {
    let mut random = [0; 16];
    ok(call!(
        session.module,
        C_GenerateRandom,
        session.handle,
        random.as_mut_ptr(),
        random.len() as CK_ULONG
    ))
    .unwrap();
}

/// Keeps a certificate of the key of id 1 in its tags, for a moment.
#[track_caller]
fn certify(session: Session<'_>) {
    /// The name `CN=key` in DER.
    const NAME: &[u8] = b"\x30\x0e\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03key";
    let directory = tempfile::tempdir().unwrap();
    let [public, issuer] = ["public", "issuer"].map(|name| {
        let path = directory.path().join(name);
        path.to_str().unwrap().to_owned()
    });
    let key = session.find_one(&[public_keys(), id([1])]);
    let spki = session.get(key, CKA_PUBLIC_KEY_INFO).unwrap();
    openssl_ok(["pkey", "-pubin", "-inform", "DER", "-out", &public], &spki);
    let curve = "ec_paramgen_curve:P-256";
    openssl_ok(
        [
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            curve,
            "-out",
            &issuer,
        ],
        &[],
    );
    let mut arguments = vec!["x509", "-new", "-subj", "/CN=key", "-outform", "DER"];
    arguments.extend(["-force_pubkey", &public, "-key", &issuer]);
    let certificate = openssl_ok(arguments, &[]);
    let stored = session
        .create(&[
            ulong(CKA_CLASS, CKO_CERTIFICATE),
            ulong(CKA_CERTIFICATE_TYPE, CKC_X_509),
            flag(CKA_TOKEN, true),
            bytes(CKA_SUBJECT, NAME),
            bytes(CKA_VALUE, certificate),
        ])
        .unwrap();
    session.destroy(stored).unwrap();
}

/// How bytes may look in a line.
fn spellings(secret: &[u8]) -> [String; 5] {
    let hex = hex(secret);
    let base64 = String::from_utf8(openssl_ok(["base64", "-A"], secret)).unwrap();
    let numbers = format!("{secret:?}");
    [
        String::from_utf8_lossy(secret).into_owned(),
        hex.to_uppercase(),
        hex,
        base64,
        // Perhaps a part of a longer array.
        numbers.trim_matches(['[', ']']).to_owned(),
    ]
}

fn unique_id(session: Session<'_>, key: CK_OBJECT_HANDLE) -> String {
    String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap()
}
