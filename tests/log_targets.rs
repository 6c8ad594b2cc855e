//! Where log and audit go: files, syslog, standard error, and what happens when those fail, fill up or stall.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{self, Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, private_keys};
use common_p11::{World, c_program};
use cryptoki_sys::*;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, audited, module, run};

/// Longer than any host here takes, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes that a pipe holds, where nobody changed it.
const FULL: usize = 64 * 1024;

#[test]
fn lines_go_to_the_file_of_this_name_after_it_was_renamed_and_after_it_was_truncated() {
    let world = unconfigured();
    let (audit, old) = (world.path("audit"), world.path("audit.1"));
    world.configure_log(&format!("[log]\naudit = \"{audit}\"\nformat = \"json\"\n"));
    world.initialize();
    sign(&world);
    let before = audited(&audit);
    assert!(before.len() > 1);
    fs::rename(&audit, &old).unwrap();
    sign(&world);
    assert_eq!(audited(&old), before);
    let last = audited(&audit);
    assert_eq!(last, before[before.len() - 1..]);

    let file = fs::OpenOptions::new().write(true).open(&audit).unwrap();
    file.set_len(0).unwrap();
    sign(&world);
    assert_eq!(audited(&audit), last, "no hole where the lines before were");
}

#[test]
fn files_that_are_made_are_not_for_everybody_and_others_keep_their_mode() {
    let world = unconfigured();
    let [log, audit, kept] = ["log", "audit", "kept"].map(|name| world.path(name));
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    world.configure_log(&format!(
        "[log]\nlevel = \"info\"\nformat = \"json\"\nfile = \"{log}\"\naudit = \"{audit}\"\n"
    ));
    world.initialize();
    sign(&world);
    assert_eq!([mode(&log), mode(&audit)], [0o640; 2]);

    fs::rename(&audit, &kept).unwrap();
    fs::copy(&kept, &audit).unwrap();
    fs::set_permissions(&audit, fs::Permissions::from_mode(0o604)).unwrap();
    let before = audited(&audit).len();
    sign(&world);
    assert!(audited(&audit).len() > before);
    assert_eq!(mode(&audit), 0o604);
}

#[test]
fn syslog_gets_datagrams_with_severity_name_and_process() {
    let world = unconfigured();
    let socket = world.path("dev-log");
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
    assert_eq!(count(&audited(&log), "C_Sign\tSign"), 1);

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
        ("audit = \"/dev/full\"", "log file /dev/full"),
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
fn a_fifo_is_written_while_somebody_reads_it_and_waited_for_never() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let (_emulator, token) = token_with_one_pair(&format!(
        "[log]\nlevel = \"info\"\nfile = \"{}\"\n",
        fifo.display()
    ));
    let complaint = format!("kms-pkcs11: log file {} cannot", fifo.display());
    let lines = run_host(&token, "").ok().stderr();
    assert!(lines.starts_with(&complaint), "nobody reads: {lines}");

    // Read and write access opens a FIFO at once.
    let both = fs::OpenOptions::new().read(true).write(true).open(&fifo);
    let mut both = both.unwrap();
    assert_eq!(run_host(&token, "").ok().stderr(), "");
    both.write_all(&vec![b'.'; FULL - 8 * 1024]).unwrap();
    let lines = run_host(&token, "trace").ok().stderr();
    assert!(lines.starts_with(&complaint), "it is full: {lines}");
    assert_eq!(lines.matches("cannot be written").count(), 1, "{lines}");
}

#[test]
fn a_syslog_daemon_that_reads_nothing_holds_up_one_line_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let daemon = UnixDatagram::bind(&socket).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(b"of another program", &socket).is_ok() {}
    let (emulator, token) = token_with_one_pair(&format!(
        "[log]\ntarget = \"syslog\"\nsyslog_socket = \"{}\"\n",
        socket.display()
    ));
    let begun = Instant::now();
    let lines = run_host(&token, "trace").ok().stderr();
    let waited = begun.elapsed();
    let complaint = format!("kms-pkcs11: log socket {} cannot", socket.display());
    assert!(lines.starts_with(&complaint), "{lines}");
    assert_eq!(lines.matches("cannot be written").count(), 1, "{lines}");
    assert_eq!(emulator.calls().of("Sign"), 1);
    let count = u32::try_from(lines.lines().count()).unwrap();
    let if_all_waited = Duration::from_millis(20) * count;
    assert!(if_all_waited > 2 * waited, "{count} lines took {waited:?}");
    drop(daemon);
}

#[test]
fn a_standard_error_that_nobody_reads_holds_up_no_call_and_ends_no_process() {
    for is_closed in [false, true] {
        for config in [
            "[log]\nlevel = \"trace\"\n",
            "[log]\nlevel = \"trace\"\nfile = \"/nowhere/log\"\n",
        ] {
            let (emulator, token) = token_with_one_pair(config);
            let (reader, mut stderr) = io::pipe().unwrap();
            let reader = if is_closed {
                drop(reader);
                None
            } else {
                stderr.write_all(&vec![b'.'; FULL]).unwrap();
                Some(reader)
            };
            let host = host(&token, "small_stack").stderr(stderr).spawn().unwrap();
            assert!(end_of(host).success(), "{is_closed} {config}");
            assert_eq!(emulator.calls().of("Sign"), 1);
            drop(reader);
        }
    }
}

#[test]
fn processes_forked_while_threads_sign_and_log_lose_no_line_and_mix_none() {
    let directory = tempfile::tempdir().unwrap();
    let [log, audit] = ["log", "audit"].map(|name| directory.path().join(name));
    let (emulator, token) = token_with_one_pair(&format!(
        "[log]\nlevel = \"debug\"\nformat = \"json\"\nfile = \"{}\"\naudit = \"{}\"\n",
        log.display(),
        audit.display()
    ));
    let finished = run(&mut host(&token, "fork_while_threads_sign")).ok();
    assert_eq!(finished.stdout() + &finished.stderr(), "");
    let told = audited(&audit);
    let signed = u64::try_from(count(&told, "C_Sign\tSign\t")).unwrap();
    assert_eq!(signed, emulator.calls().of("Sign"));
    assert!(signed > 50, "{signed}");
    // Its parser takes whole lines only, and none of them is about a request.
    assert_eq!(audited(&log), [""; 0]);
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

/// The C host; in the scenario `small_stack` it signs once.
fn host(token: &Token, scenario: &str) -> Command {
    let host = c_program(token.directory(), "fork_host");
    let mut command = token.command(host);
    command.arg(module()).arg(scenario);
    command
}

fn run_host(token: &Token, log: &str) -> Finished {
    run(host(token, "small_stack").env("KMS_PKCS11_LOG", log))
}

/// How a process ended, which has to be soon.
#[track_caller]
fn end_of(mut child: Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
}
