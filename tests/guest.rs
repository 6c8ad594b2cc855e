//! The module as a guest in its host's process: what it leaves alone, and what a host may do around it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common_p11::{World, c_program, names};
use cryptoki_sys::CKM_ECDSA;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{
    AccessKey, Authority, Finished, TlsFront, Token, module, reliability, run,
};

#[test]
fn no_call_changes_errno_floating_point_signals_locale_umask_directory_or_environment() {
    quietly("calls_leave_everything_as_it_was");
    passed(
        "errno, floating point, signal mask and actions, alternate stack, locale, umask, directory, environment",
        "unchanged by each call",
    );
}

#[test]
fn a_host_that_traps_floating_point_exceptions_can_use_the_module() {
    quietly("floating_point_is_trapped");
    passed("floating-point exceptions trapped", "everything works");
}

#[test]
fn a_thousand_signals_a_second_disturb_no_call_and_lose_no_line() {
    for scenario in ["signals_interrupt_calls", "signals_restart_calls"] {
        let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"debug\"\n");
        let finished = run_scenario(&token, scenario).ok();
        assert_eq!(finished.stdout(), "");
        // Each round has as many of these.
        let lines = finished.stderr();
        let count = |text: &str| lines.lines().filter(|line| line.contains(text)).count();
        let rounds = count("C_GetInfo: CKR_ARGUMENTS_BAD");
        assert!(rounds > 0);
        for refused in [
            "C_SignInit: CKR_KEY_HANDLE_INVALID",
            "C_FindObjectsInit: CKR_SESSION_HANDLE_INVALID",
        ] {
            assert_eq!(count(refused), rounds, "{lines}");
        }
        assert_eq!(count("C_Verify: CKR_SIGNATURE_INVALID"), 3 * rounds);
    }
    passed(
        "SIGALRM and SIGCHLD 1,000 times a second, with and without SA_RESTART",
        "everything works, no log line is lost",
    );
}

#[test]
fn every_thread_of_the_module_blocks_all_signals() {
    quietly("threads_leave_signals_to_the_host");
    passed("threads of the module", "all block every signal");
}

#[test]
fn a_thread_with_a_stack_of_128_kib_can_do_every_kind_of_work() {
    for config in [
        "[log]\nlevel = \"off\"\n",
        "[log]\nlevel = \"trace\"\nfile = \"/dev/null\"\n",
    ] {
        let (_emulator, token) = token_with_one_pair(config);
        let finished = run_scenario(&token, "a_stack_of_128_kib").ok();
        assert_eq!(finished.stdout() + &finished.stderr(), "");
    }
    passed(
        "a thread with a stack of 128 KiB",
        "every kind of work, with a log at level trace, too",
    );
}

#[test]
fn a_host_without_standard_streams_can_use_the_module() {
    let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"trace\"\n");
    let finished = run_scenario(&token, "standard_streams_are_closed").ok();
    assert_eq!(finished.stdout() + &finished.stderr(), "");
    passed(
        "descriptors 0, 1 and 2 closed",
        "everything works, though the module's connections get these numbers",
    );
}

#[test]
fn lines_go_to_standard_error_and_not_to_what_has_its_number_later() {
    for (scenario, row) in [
        (
            "standard_error_becomes_a_connection",
            "standard error closed, a connection of the host's gets its number",
        ),
        (
            "standard_error_is_replaced_by_a_connection",
            "standard error replaced by a connection",
        ),
        (
            "standard_error_is_replaced_by_data",
            "standard error replaced by a file that is also read",
        ),
    ] {
        let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"debug\"\n");
        let _ = run_scenario(&token, scenario).ok();
        passed(row, "no line goes there");
    }
    let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"debug\"\n");
    let _ = run_scenario(&token, "standard_error_is_led_into_a_file").ok();
    let lines = fs::read_to_string(token.directory().join("in-place-of-stderr")).unwrap();
    assert!(lines.contains("CKR_KEY_HANDLE_INVALID"), "{lines}");
    passed(
        "standard error led into a file for writing",
        "lines go there",
    );
}

#[test]
fn a_log_whose_reader_goes_away_ends_no_host() {
    let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"trace\"\n");
    let _ = run_scenario(&token, "the_reader_of_standard_error_goes_away").ok();
    passed(
        "the reader of the log goes away, SIGPIPE at its default",
        "the host lives",
    );
}

#[test]
fn connections_that_break_send_the_host_no_sigpipe() {
    let authority = Authority::new();
    let bundle = authority.certificate();
    for is_tls in [false, true] {
        let (emulator, mut token) = token_with_one_pair("[[token]]\nretries = 1\n");
        let front = TlsFront::start(&authority.issue("IP:127.0.0.1"), &emulator.endpoint());
        if is_tls {
            let config = format!(
                "[[token]]\nretries = 1\nendpoint = \"https://{}\"\nca_bundle = \"{}\"\n",
                front.address(),
                bundle.display()
            );
            let key = AccessKey::test();
            token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", &config);
        }
        let effects = [
            Effect::ResetBefore,
            Effect::ResetAfter,
            Effect::TruncatedBody,
        ];
        // Never so many in a row that the endpoint would be deemed down.
        for (n, effect) in (0..36).zip(effects.into_iter().cycle()) {
            emulator.fault(Fault::once("Sign", effect).after(n));
        }
        let _ = run_scenario(&token, "connections_break").ok();
        assert_eq!(emulator.calls().of("Sign"), 60 + 36, "each broke once");
        assert_eq!(front.take_handshakes().is_empty(), !is_tls);
    }
    passed(
        "connections reset in the middle of requests, with TLS, too, SIGPIPE at its default",
        "the host lives",
    );
}

/// The clock fails, upon which the Rust library panics, also where the log notes the time.
#[test]
fn a_panic_in_any_function_is_a_general_error_and_a_line_and_the_module_goes_on() {
    let functions = [&names::V2_40[..], &names::SINCE_3_0, &names::SINCE_3_2].concat();
    let (emulator, token) = token_with_one_pair("[log]\nlevel = \"debug\"\nfile = \"/dev/null\"\n");
    let host = c_program(token.directory(), "guest_panic");
    let mut command = token.command(host);
    command
        .arg(module())
        .args(&functions)
        .env("KMS_PKCS11_LOG", "debug");
    let finished = run(&mut command).ok();
    assert_eq!(finished.stdout(), "");
    let lines = finished.stderr();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), functions.len(), "{lines:#?}");
    for (function, line) in functions.iter().zip(lines) {
        assert!(
            line.starts_with(&format!("kms-pkcs11: {function}: internal error (")),
            "{line}"
        );
        assert!(
            line.contains("time.rs:") && line.contains("answered CKR_GENERAL_ERROR"),
            "{line}"
        );
    }
    assert_eq!(emulator.calls().of("Sign"), 2);
    passed(
        &format!(
            "a panic in each of the {} functions, and in the log",
            functions.len()
        ),
        "CKR_GENERAL_ERROR, one line, nothing else on standard error; the next call works",
    );
}

/// What a runtime of the host's forbids: to block on its threads with a runtime of one's own.
#[test]
fn a_host_that_is_inside_a_runtime_in_any_way_can_use_the_module() {
    use tokio::runtime::Builder;
    use tokio::task::{LocalSet, block_in_place, spawn, spawn_blocking, spawn_local};
    let world = Arc::new(World::start());
    let work = |world: &World| {
        let session = world.module.session();
        let (_, key) = session.generate_p256([1], "key").unwrap();
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
        session.destroy(key).unwrap();
        session.close().unwrap();
        world.restart();
    };
    let single = Builder::new_current_thread().build().unwrap();
    single.block_on(async { work(&world) });
    let shared = Arc::clone(&world);
    single.block_on(async move { spawn_blocking(move || work(&shared)).await.unwrap() });
    let shared = Arc::clone(&world);
    LocalSet::new().block_on(&single, async move {
        spawn_local(async move { work(&shared) }).await.unwrap();
    });
    let multi = Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    multi.block_on(async { work(&world) });
    let shared = Arc::clone(&world);
    multi.block_on(async move { spawn(async move { work(&shared) }).await.unwrap() });
    let shared = Arc::clone(&world);
    multi.block_on(async move { spawn_blocking(move || work(&shared)).await.unwrap() });
    let shared = Arc::clone(&world);
    let in_place = async move { block_in_place(|| work(&shared)) };
    multi.block_on(async move { spawn(in_place).await.unwrap() });
    passed(
        "calls inside of a tokio runtime: both kinds, block_on, spawn, spawn_blocking, block_in_place, LocalSet",
        "everything works",
    );
}

/// A host in Rust has a standard library of its own, and the panic hook in it.
#[test]
fn a_host_in_rust_keeps_its_panic_hook() {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    panic::set_hook(Box::new(|_| {
        SEEN.fetch_add(1, Ordering::Relaxed);
    }));
    let world = World::start();
    world.module.session().generate_p256([1], "key").unwrap();
    panic::catch_unwind(|| panic!("the host's own")).unwrap_err();
    world.module.finalize().unwrap();
    panic::catch_unwind(|| panic!("the host's own")).unwrap_err();
    let seen = SEEN.load(Ordering::Relaxed);
    drop(panic::take_hook());
    assert_eq!(seen, 2);
    passed("the panic hook of a host in Rust", "is there and alone");
}

#[test]
fn no_descriptor_of_the_module_goes_to_programs_that_the_host_starts() {
    quietly("descriptors_are_closed_on_exec");
    passed("descriptors of the module", "closed on exec");
}

fn quietly(scenario: &str) {
    let (_emulator, token) = token_with_one_pair("[log]\nlevel = \"off\"\n");
    let finished = run_scenario(&token, scenario).ok();
    assert_eq!(finished.stdout() + &finished.stderr(), "");
}

fn passed(row: &str, outcome: &str) {
    reliability::record("guest", row, &[("outcome", outcome.to_owned())]);
}

fn run_scenario(token: &Token, name: &str) -> Finished {
    let host = c_program(token.directory(), "guest_host");
    run(token.command(host).arg(module()).arg(name))
}

fn token_with_one_pair(config: &str) -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
    emulator.create_keys(&pair).unwrap();
    let token = Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "aws-kms", config);
    (emulator, token)
}
