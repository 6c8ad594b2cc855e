//! Where the log and the audit go, what is in them, and what is not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;
use std::time::Duration;

use common_p11::attribute::{id, private_keys};
use common_p11::{Mechanism, Session, World, c_program, call, ok};
use cryptoki_sys::*;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, module, python, run};

/// One line with tabs for each line of a JSON log that is about a request.
const REQUESTS: &str = r#"
import json, sys
fields = ["function", "operation", "key", "outcome", "status", "attempts"]
for line in open(sys.argv[1]):
    event = json.loads(line)
    if event["target"] == "kms_pkcs11::audit":
        assert event["level"] == "INFO" and event["message"] == "KMS request", event
        assert event["timestamp"].endswith("Z") and event["latency_us"] >= 0, event
        assert ("request_id" in event) == ("status" in event), event
        print(*(event.get(field, "-") for field in fields), sep="\t")
"#;

#[test]
fn each_request_to_kms_is_one_line_of_the_audit_whatever_the_level_of_the_log() {
    let world = unconfigured();
    let (audit, log) = (path(&world, "audit"), path(&world, "log"));
    world.configure_log(&format!(
        "[log]\nlevel = \"off\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"json\"\n"
    ));
    world.initialize();
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    let arn = unique_id(session, key);
    world.take_calls();
    let before = requests(&audit).len();

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

    let told = requests(&audit);
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
        let log = path(&world, "log");
        world.configure_log(&format!(
            "[log]\nlevel = \"{level}\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"json\"\n"
        ));
        world.initialize();
        sign(&world);
        let told = match fs::exists(&log).unwrap() {
            true => requests(&log),
            false => Vec::new(),
        };
        let of_sign = told.iter().filter(|line| line.contains("\tSign\t"));
        assert_eq!(of_sign.count(), lines, "{level} {audit}: {told:?}");
        world.module.finalize().unwrap();
    }
}

#[test]
fn a_request_that_finalize_cuts_short_is_in_the_audit_too() {
    let world = unconfigured();
    let audit = path(&world, "audit");
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
    let told = requests(&audit);
    let last = told.last().unwrap();
    assert!(
        last.starts_with("C_Sign\tSign\t") && last.contains("\tcancelled\t"),
        "{last}"
    );
}

#[test]
fn a_renewal_in_the_background_is_told_from_what_a_function_asks_for() {
    let world = World::not_initialized(
        Emulator::start(Options::default()).unwrap(),
        &["refresh_interval = 0.1"],
    );
    let audit = path(&world, "audit");
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    let session = world.module.session();
    session.find(&[private_keys()]).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    world.take_calls();
    session.find(&[private_keys()]).unwrap();
    let listed = |line: &&String| line.contains("\tListKeys\t");
    let mut told = requests(&audit);
    while told.iter().filter(listed).count() < 2 {
        std::thread::sleep(Duration::from_millis(10));
        told = requests(&audit);
    }
    let functions: Vec<_> = told
        .iter()
        .filter(listed)
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(functions[..2], ["C_FindObjectsInit", "background"]);
}

#[test]
fn lines_go_to_the_file_of_this_name_after_it_was_renamed_and_after_it_was_truncated() {
    let world = unconfigured();
    let (audit, old) = (path(&world, "audit"), path(&world, "audit.1"));
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    sign(&world);
    let before = requests(&audit);
    assert!(before.len() > 1);
    fs::rename(&audit, &old).unwrap();
    sign(&world);
    assert_eq!(requests(&old), before);
    let last = requests(&audit);
    assert_eq!(last, before[before.len() - 1..]);

    let file = fs::OpenOptions::new().write(true).open(&audit).unwrap();
    file.set_len(0).unwrap();
    sign(&world);
    assert_eq!(
        requests(&audit),
        last,
        "no hole where the lines before were"
    );
}

#[test]
fn syslog_gets_datagrams_with_severity_name_and_process() {
    let world = unconfigured();
    let socket = path(&world, "dev-log");
    let daemon = UnixDatagram::bind(&socket).unwrap();
    world.configure_log(&format!(
        "[log]\nlevel = \"info\"\ntarget = \"syslog\"\nsyslog_socket = \"{socket}\"\n"
    ));
    world.initialize();
    sign(&world);
    let head = |priority: u8| format!("<{priority}>kms-pkcs11[{}]: kms_pkcs11", process::id());
    let line = datagrams(&daemon).pop().unwrap();
    assert!(line.starts_with(&head(14)), "{line}");
    for part in [
        "operation=\"Sign\"",
        "function=\"C_Sign\"",
        "outcome=\"ok\"",
        "attempts=1",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains('\n'), "{line:?}");

    world.fail("Sign", "AccessDeniedException", 1);
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    session.sign(CKM_ECDSA, key, &[7; 32]).unwrap_err();
    let line = datagrams(&daemon).pop().unwrap();
    assert!(line.starts_with(&head(12)), "{line}");
    assert!(line.contains("kms:Sign"), "{line}");

    // A daemon that is started anew has a new socket of the same name.
    drop(daemon);
    fs::remove_file(&socket).unwrap();
    let daemon = UnixDatagram::bind(&socket).unwrap();
    sign(&world);
    assert_eq!(datagrams(&daemon).len(), 1);
}

#[test]
fn the_environment_chooses_level_target_and_format() {
    let (emulator, token) = token_with_one_pair("");
    let log = token.directory().join("log");
    let words = format!("INFO,json,{}", log.display());
    let finished = run_host(&token, &words).ok();
    assert_eq!(finished.stdout() + &finished.stderr(), "");
    assert_eq!(count(&requests(log.to_str().unwrap()), "C_Sign\tSign"), 1);

    let socket = token.directory().join("socket");
    let daemon = UnixDatagram::bind(&socket).unwrap();
    let config = format!("[log]\nsyslog_socket = \"{}\"\n", socket.display());
    let token =
        Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "aws-kms", &config);
    let finished = run_host(&token, "info,syslog").ok();
    assert_eq!(finished.stdout() + &finished.stderr(), "");
    let lines = datagrams(&daemon);
    assert_eq!(
        lines.iter().filter(|line| line.contains("C_Sign")).count(),
        1
    );
}

#[test]
fn a_target_that_cannot_be_written_breaks_no_call_and_says_so_once() {
    for (target, named) in [
        ("file = \"/nowhere/log\"", "log file /nowhere/log"),
        ("file = \"/dev/full\"", "log file /dev/full"),
        (
            "target = \"syslog\"\nsyslog_socket = \"/nowhere/log\"",
            "log socket /nowhere/log",
        ),
        ("audit = \"/nowhere/audit\"", "log file /nowhere/audit"),
    ] {
        let (emulator, token) =
            token_with_one_pair(&format!("[log]\nlevel = \"info\"\n{target}\n"));
        let finished = run_host(&token, "").ok();
        assert_eq!(finished.stdout(), "");
        let lines = finished.stderr();
        let complaint = format!("kms-pkcs11: {named} cannot be written: ");
        assert!(lines.starts_with(&complaint), "{lines}");
        assert_eq!(lines.matches("cannot be written").count(), 1, "{lines}");
        assert!(lines.contains("operation=\"Sign\""), "{lines}");
        assert_eq!(emulator.calls().of("Sign"), 1);
    }
}

#[test]
fn no_line_of_log_and_audit_at_any_level_has_a_pin_a_credential_or_a_plaintext_in_it() {
    const PLAINTEXT: &[u8] = b"secret plaintext";
    const PIN: &str = "pin-of-somebody";
    for format in ["text", "json"] {
        let world = unconfigured();
        let rsa = NewKeys::new(1, "RSA_2048", "ENCRYPT_DECRYPT").tag("p11:id", "02");
        world.create_keys(&rsa);
        let (log, audit) = (path(&world, "log"), path(&world, "audit"));
        world.configure_log(&format!(
            "[log]\nlevel = \"trace\"\nfile = \"{log}\"\naudit = \"{audit}\"\nformat = \"{format}\"\n"
        ));
        world.initialize();
        let session = world.module.session();
        session.login(CKU_USER, PIN).unwrap();
        sign(&world);
        let public = session.find_one(&[common_p11::attribute::public_keys(), id([2])]);
        let private = session.find_one(&[private_keys(), id([2])]);
        let oaep = Mechanism::oaep_sha256();
        let ciphertext = session.encrypt(oaep.clone(), public, PLAINTEXT).unwrap();
        session.decrypt_init(oaep, private).unwrap();
        assert_eq!(decrypt(session, &ciphertext), PLAINTEXT);
        world.module.finalize().unwrap();

        let (log, audit) = (
            fs::read_to_string(log).unwrap(),
            fs::read_to_string(audit).unwrap(),
        );
        assert!(log.contains("TRACE") && audit.contains("Decrypt"));
        for secret in [
            PIN,
            "secret plaintext",
            "c2VjcmV0IHBsYWludGV4dA",
            "73656372657420706c61696e74657874",
            "[115, 101, 99, 114, 101, 116",
            &format!("{:?}", PIN.as_bytes()),
        ] {
            assert!(!log.contains(secret) && !audit.contains(secret), "{secret}");
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

fn decrypt(session: Session<'_>, ciphertext: &[u8]) -> Vec<u8> {
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
    plaintext
}

fn unique_id(session: Session<'_>, key: CK_OBJECT_HANDLE) -> String {
    String::from_utf8(session.get(key, CKA_UNIQUE_ID).unwrap()).unwrap()
}

/// A path in the world's directory, as the configuration file has it.
fn path(world: &World, name: &str) -> String {
    world
        .directory
        .path()
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

/// The lines about requests in a JSON log, as `function operation key outcome status attempts`.
#[track_caller]
fn requests(log: &str) -> Vec<String> {
    let lines = python(REQUESTS, [log]).ok().stdout();
    lines.lines().map(str::to_owned).collect()
}

fn count(lines: &[String], beginning: &str) -> usize {
    lines
        .iter()
        .filter(|line| line.starts_with(beginning))
        .count()
}

/// What the daemon got until now.
fn datagrams(daemon: &UnixDatagram) -> Vec<String> {
    daemon.set_nonblocking(true).unwrap();
    let mut buffer = [0; 8192];
    let received = std::iter::from_fn(|| {
        let len = daemon.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
    });
    received.collect()
}

fn token_with_one_pair(config: &str) -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.create_keys(&one_pair()).unwrap();
    let key = AccessKey::test();
    let token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", config);
    (emulator, token)
}

/// Runs the C host, which signs once.
fn run_host(token: &Token, log: &str) -> Finished {
    let host = c_program(token.directory(), "fork_host");
    let mut command = token.command(host);
    run(command
        .arg(module())
        .arg("small_stack")
        .env("KMS_PKCS11_LOG", log))
}
