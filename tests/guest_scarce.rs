//! Hosts that ran out of something: descriptors, threads, memory, an environment, files. Each answer is exact, the
//! log names what is missing, and the module works again once it is there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use common_p11::c_program;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, module, reliability, run};

const HOST_MEMORY: &str = "0x2";
const TOO_MANY: &str = "CKR_HOST_MEMORY: KMS ListKeys failed: ";
const LIMITS: &str = "raise the limits of this process";

#[test]
fn without_descriptors_calls_fail_with_host_memory_and_succeed_once_there_are_some() {
    let (_emulator, token) = token_with_one_pair("");
    let finished = run_scenario(&token, "no_descriptors_for_the_first_request", "").ok();
    let answers = finished.stdout();
    let answers: Vec<&str> = answers
        .lines()
        .filter_map(|line| line.split(": ").nth(1))
        .collect();
    assert_eq!(answers.len(), 17);
    for (left, answer) in answers.iter().enumerate() {
        // The runtime alone takes more than three, and some ten are enough for all.
        assert!(left > 3 || *answer == HOST_MEMORY, "{left}: {answer}");
        assert!(left < 12 || *answer == "0", "{left}: {answer}");
        assert!([HOST_MEMORY, "0"].contains(answer), "{left}: {answer}");
    }
    let lines = finished.stderr();
    let refused = answers
        .iter()
        .filter(|answer| **answer == HOST_MEMORY)
        .count();
    let told = |line: &&str| {
        line.contains("Too many open files") && line.contains(TOO_MANY) && line.contains(LIMITS)
    };
    assert_eq!(lines.lines().filter(told).count(), refused, "{lines}");
    assert!(!lines.contains("panic"), "{lines}");
    passed(
        "0 to 16 descriptors left before the first request",
        "CKR_HOST_MEMORY while too few, then everything works",
    );

    let finished = run_scenario(&token, "no_descriptors_for_the_configuration", "").ok();
    assert_eq!(finished.stdout(), "C_Initialize: 0x6\n");
    assert!(
        finished
            .stderr()
            .contains("config.toml: Too many open files"),
        "{finished:?}"
    );
    passed(
        "no descriptor left for the configuration file",
        "CKR_FUNCTION_FAILED, then everything works",
    );
}

#[test]
fn without_threads_calls_fail_with_host_memory_and_go_on_with_those_there_are() {
    let (_emulator, token) = token_with_one_pair("");
    let finished = run_scenario(&token, "no_threads", "").ok();
    assert_eq!(finished.stdout(), "no threads: 0x2\nno more threads: 0\n");
    let lines = finished.stderr();
    for part in [TOO_MANY, "OS can't spawn worker thread", LIMITS] {
        assert!(lines.contains(part), "{lines}");
    }
    passed(
        "no threads (RLIMIT_NPROC)",
        "CKR_HOST_MEMORY, then everything works; without more threads, too",
    );
}

#[test]
fn without_memory_for_a_thread_calls_fail_with_host_memory() {
    let (_emulator, token) = token_with_one_pair("");
    let finished = run_scenario(&token, "no_memory", "").ok();
    assert_eq!(finished.stdout(), "2 MiB of memory: 0x2\n");
    assert!(finished.stderr().contains(TOO_MANY), "{finished:?}");
    passed(
        "no memory for a thread (RLIMIT_AS)",
        "CKR_HOST_MEMORY, then everything works",
    );
}

#[test]
fn without_an_environment_credentials_are_what_is_missing() {
    let (emulator, token) = token_with_one_pair("");
    let config = token.directory().join("elsewhere.toml");
    let text = format!(
        "[[token]]\nregion = \"us-east-1\"\nendpoint = \"{}\"\n",
        emulator.endpoint()
    );
    fs::write(&config, text).unwrap();
    let config = config.display().to_string();
    let finished = run_scenario(&token, "no_environment", &config).ok();
    assert_eq!(finished.stdout(), "nothing: 0x101\ncredentials alone: 0\n");
    let lines = finished.stderr();
    assert_eq!(lines.lines().count(), 1, "{lines}");
    for part in [
        "CKR_USER_NOT_LOGGED_IN",
        "check that AWS credentials are configured",
    ] {
        assert!(lines.contains(part), "{lines}");
    }
    passed(
        "no environment, no HOME",
        "CKR_USER_NOT_LOGGED_IN without credentials; with them alone, everything works",
    );
}

/// By `chroot`, for which a plain user takes a user namespace.
#[test]
fn without_files_an_address_is_enough_and_what_is_missing_is_named() {
    let at = |endpoint: &str| {
        let (emulator, token) =
            token_with_one_pair(&format!("[[token]]\nretries = 0\n{endpoint}\n"));
        let root = token.directory().join("root");
        fs::create_dir(&root).unwrap();
        let host = c_program(token.directory(), "guest_scarce");
        let mut command = token.command(host);
        command.arg(module()).arg("no_files").arg(root);
        if !endpoint.is_empty() {
            command.env_remove("AWS_ENDPOINT_URL");
        }
        let finished = run(&mut command).ok();
        drop(emulator);
        (finished.stdout(), finished.stderr())
    };
    let (answer, lines) = at("");
    assert_eq!(answer, "no files: 0\n");
    assert!(
        lines.contains("this system has no CA certificates"),
        "{lines}"
    );
    passed(
        "chroot into an empty directory, an address as the endpoint",
        "everything works",
    );

    let (answer, lines) = at("endpoint = \"http://kms.invalid\"");
    assert_eq!(answer, "no files: 0x30\n");
    for part in [
        "name resolution failed",
        "check the endpoint, name resolution",
    ] {
        assert!(lines.contains(part), "{lines}");
    }
    passed(
        "chroot without resolv.conf, a name as the endpoint",
        "CKR_DEVICE_ERROR; the log: name resolution failed",
    );

    let front = tls();
    let (answer, lines) = at(&format!("endpoint = \"https://{}\"", front.address()));
    assert_eq!(answer, "no files: 0x30\n");
    for part in [
        "TLS failed",
        "this system has no CA certificates",
        "ca_bundle",
    ] {
        assert!(lines.contains(part), "{lines}");
    }
    passed(
        "chroot without CA certificates, TLS",
        "CKR_DEVICE_ERROR; the log: no CA certificates",
    );
}

/// The one was kept from this process, which would else have every key of the account; the other is not its own.
#[test]
fn a_directory_that_cannot_be_entered_hides_a_users_configuration_and_not_the_systems() {
    let closed = |paths: &[&str]| {
        let emulator = Emulator::start(Options::default()).unwrap();
        let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
        let root = token.directory().join("root");
        for path in paths {
            let directory = root.join(path);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("config.toml"), "").unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(0o000)).unwrap();
        }
        let finished = run_without(&token, "closed_directories", &root.display().to_string());
        for path in paths {
            fs::set_permissions(root.join(path), Permissions::from_mode(0o700)).unwrap();
        }
        let finished = finished.ok();
        (finished.stdout(), finished.stderr())
    };
    let home = "home/.config/kms-pkcs11";
    let (answer, lines) = closed(&[home]);
    assert_eq!((answer.as_str(), lines.as_str()), ("a user's: 0\n", ""));
    let (answer, lines) = closed(&[home, "etc/kms-pkcs11"]);
    assert_eq!(answer, "the system's: 0x6\n");
    let named = "configuration file /etc/kms-pkcs11/config.toml: Permission denied";
    assert!(lines.contains(named), "{lines}");
    passed(
        "the directory of the system's configuration cannot be entered",
        "CKR_FUNCTION_FAILED from C_Initialize; the log names the file",
    );
}

#[test]
fn the_configuration_in_the_home_of_another_user_is_refused() {
    let emulator = Emulator::start(Options::default()).unwrap();
    let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
    let directory = token.directory().join(".config/kms-pkcs11");
    fs::create_dir_all(&directory).unwrap();
    let config = directory.join("config.toml");
    let log = token.directory().join("log");
    fs::write(&config, format!("[log]\nfile = \"{}\"\n", log.display())).unwrap();
    let path = config.display().to_string();
    let finished = run_without(&token, "home_of_another_user", &path).ok();
    assert_eq!(finished.stdout(), "another's: 0x6\n");
    let lines = finished.stderr();
    let said = format!("configuration file {path}: its owner is the user ");
    assert!(lines.contains(&said), "{lines}");
    assert!(!log.exists());
}

#[test]
fn without_threads_work_in_the_background_waits_for_one_and_says_so() {
    let (emulator, token) = token_with_one_pair("[[token]]\nrefresh_interval = 1\n");
    let finished = run_scenario(&token, "no_threads_in_the_background", "").ok();
    assert_eq!(finished.stdout(), "no threads: 0\n");
    let lines = finished.stderr();
    let said = "no thread could be started, and work in the background waits for one: OS can't spawn worker thread";
    let told = lines.lines().filter(|line| line.contains(said)).count();
    assert_eq!((told, lines.lines().count()), (1, 1), "{lines}");
    // By the first call, and by the work that waited.
    assert_eq!(emulator.calls().of("ListKeys"), 2);
    passed(
        "no thread for work in the background (RLIMIT_NPROC)",
        "one line says so; it is done once there is a thread",
    );
}

fn tls() -> kms_pkcs11_testkit::TlsFront {
    let authority = kms_pkcs11_testkit::Authority::new();
    let identity = authority.issue("IP:127.0.0.1");
    kms_pkcs11_testkit::TlsFront::start(&identity, "http://127.0.0.1:1")
}

fn passed(row: &str, outcome: &str) {
    reliability::record("guest", row, &[("outcome", outcome.to_owned())]);
}

fn run_scenario(token: &Token, name: &str, argument: &str) -> Finished {
    let host = c_program(token.directory(), "guest_scarce");
    run(token.command(host).arg(module()).arg(name).arg(argument))
}

/// Without a configuration that the environment names, as it does where tokens have more time (`make sanitize`).
fn run_without(token: &Token, name: &str, argument: &str) -> Finished {
    let host = c_program(token.directory(), "guest_scarce");
    run(token
        .command(host)
        .env_remove("KMS_PKCS11_CONFIG")
        .arg(module())
        .arg(name)
        .arg(argument))
}

fn token_with_one_pair(config: &str) -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
    emulator.create_keys(&pair).unwrap();
    let token = Token::kms_with_config(&emulator.endpoint(), &AccessKey::test(), "aws-kms", config);
    (emulator, token)
}
