//! The module in its host's process: forks, exits, unloading, small stacks, a host with a runtime of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::thread;
use std::time::Duration;

use common_p11::attribute::{id, private_keys};
use common_p11::{World, c_program};
use cryptoki_sys::*;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, module, run};

#[test]
fn a_child_forked_after_initialize_starts_anew_and_the_parent_goes_on() {
    let signatures = scenario("fork_before_any_request");
    assert_eq!(signatures, 3);
}

#[test]
fn a_child_forked_after_a_signature_starts_anew_and_the_parent_goes_on() {
    let signatures = scenario("fork_after_a_signature");
    assert_eq!(signatures, 8);
}

#[test]
fn a_child_of_a_child_starts_anew() {
    let signatures = scenario("child_of_a_child");
    assert_eq!(signatures, 8);
}

#[test]
fn children_that_end_in_any_way_do_the_parent_no_harm() {
    let signatures = scenario("children_that_just_end");
    assert_eq!(signatures, 3);
}

#[test]
fn a_child_forked_while_threads_sign_starts_anew() {
    let signatures = scenario("fork_while_threads_sign");
    assert!(signatures > 50, "{signatures}");
}

#[test]
fn threads_that_wait_for_an_event_come_back_from_it_in_parent_and_child() {
    assert_eq!(scenario("fork_while_threads_wait"), 2);
}

#[test]
fn a_thread_with_a_stack_of_128_kib_can_do_everything() {
    assert_eq!(scenario("small_stack"), 1);
}

#[test]
fn finalize_ends_every_thread_of_the_module() {
    assert_eq!(scenario("finalize_ends_all_threads"), 1);
}

#[test]
fn a_host_may_exit_without_finalize_while_a_thread_signs() {
    scenario("exit_without_finalize");
    scenario("exit_at_once");
}

#[test]
fn a_host_may_unload_the_library_before_the_threads_that_used_it_end() {
    scenario("unload_without_finalize");
    scenario("unload_after_finalize");
    scenario("exit_handler_unloads");
}

#[test]
fn the_log_goes_to_standard_error_and_nothing_ever_to_standard_output() {
    let (emulator, token) = token_with_one_pair();
    let finished = run_scenario(&token, "fork_after_a_signature", "trace");
    assert_eq!(finished.stdout(), "");
    let log = finished.stderr();
    assert!(log.contains("Sign") && log.contains("DEBUG"), "{log}");
    assert!(!log.contains("test-secret"), "{log}");
    drop(emulator);
}

#[test]
fn a_log_whose_file_cannot_be_written_goes_to_standard_error() {
    let (emulator, _) = token_with_one_pair();
    let config = "[log]\nlevel = \"debug\"\nfile = \"/nonexistent/directory/log\"\n";
    let key = AccessKey::test();
    let token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", config);
    let finished = run_scenario(&token, "fork_after_a_signature", "debug").ok();
    assert!(finished.stderr().contains("Sign"), "{}", finished.stderr());
}

#[test]
fn a_host_that_is_inside_a_runtime_of_its_own_can_use_the_module() {
    use tokio::runtime::Builder;
    let world = World::start();
    let sign = || {
        let session = world.module.session();
        let (_, key) = session.generate_p256([1], "key").unwrap();
        session.sign(CKM_ECDSA, key, &[7; 32]).unwrap();
        session.destroy(key).unwrap();
    };
    for _ in 0..2 {
        let current_thread = Builder::new_current_thread().build().unwrap();
        current_thread.block_on(async {
            sign();
            world.restart();
        });
        let multi_thread = Builder::new_multi_thread().build().unwrap();
        multi_thread.block_on(async {
            sign();
            world.restart();
        });
    }
}

#[test]
fn the_threads_of_the_module_leave_every_signal_to_the_host() {
    let world = World::with("refresh_interval = 0.1");
    world.create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01"));
    let session = world.module.session();
    session.find_one(&[private_keys(), id([1])]);
    // One more thread: the list is renewed in the background.
    world.take_calls();
    thread::sleep(Duration::from_millis(150));
    session.find_one(&[private_keys(), id([1])]);
    while world.emulator.calls().of("ListKeys") == 0 {
        thread::sleep(Duration::from_millis(10));
    }

    let mut ours = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        if fs::read_to_string(task.join("comm")).unwrap().trim() != "kms-pkcs11" {
            continue;
        }
        ours += 1;
        let status = fs::read_to_string(task.join("status")).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        let blocked = u64::from_str_radix(blocked.unwrap().trim(), 16).unwrap();
        // All of the classic signals but SIGKILL and SIGSTOP, which nobody can block.
        let all = (1..=31).filter(|signal| ![9, 19].contains(signal));
        for signal in all {
            assert!(
                blocked & 1 << (signal - 1) != 0,
                "signal {signal}: {blocked:x}"
            );
        }
    }
    assert!(ours > 0);
}

/// Runs a scenario of the C host over a token with one pair; answers how often it signed.
#[track_caller]
fn scenario(name: &str) -> u64 {
    let (emulator, token) = token_with_one_pair();
    let finished = run_scenario(&token, name, "warn").ok();
    assert_eq!(finished.stdout(), "");
    assert_eq!(finished.stderr(), "");
    emulator.calls().of("Sign")
}

fn run_scenario(token: &Token, name: &str, level: &str) -> Finished {
    let host = c_program(token.directory(), "fork_host");
    run(token
        .command(host)
        .arg(module())
        .arg(name)
        .env("KMS_PKCS11_LOG", level))
}

fn token_with_one_pair() -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
    emulator.create_keys(&pair).unwrap();
    let key = AccessKey {
        id: "test".to_owned(),
        secret: "test-secret".to_owned(),
    };
    let token = Token::kms(&emulator.endpoint(), &key);
    (emulator, token)
}
