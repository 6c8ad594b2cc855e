//! The module and the end: C_Finalize, dlclose, and every way in which a process ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use common_p11::{c_library, c_program};
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Authority, Finished, TlsFront, Token, module, patient, run};

const SIGTERM: i32 = 15;

#[test]
fn finalize_leaves_no_thread_and_no_file_behind() {
    Host::start().ends_well("finalize_leaves_nothing");
}

#[test]
fn a_library_that_was_closed_opens_again_with_another_configuration() {
    Host::start().ends_well("opened_again");
}

#[test]
fn a_host_may_end_while_its_threads_sign() {
    let host = Host::start();
    for end in ["main_returns", "at_once", "quickly"] {
        host.ends_well(end);
    }
    let killed = host.run("killed_by_sigterm");
    assert_eq!(killed.output.status.signal(), Some(SIGTERM), "{killed:?}");
}

#[test]
fn a_host_may_exit_while_its_main_thread_waits_for_kms() {
    let host = Host::start();
    host.emulator
        .fault(Fault::once("Sign", Effect::Hang).times(100));
    host.ends_well("exit_of_a_thread_while_main_signs");
    host.ends_well("exit_of_a_signal_handler_while_main_signs");
}

#[test]
fn a_process_ends_with_the_last_thread_of_the_host() {
    Host::start().ends_well("main_thread_ends_first");
}

#[test]
fn handlers_of_the_exit_use_the_module_whenever_they_were_registered() {
    let host = Host::start();
    for name in [
        "handler_finalizes",
        "handler_signs",
        "handler_signs_for_the_first_time",
        "handler_of_before_the_module_finalizes",
        "handler_of_before_the_module_signs",
        "handler_of_before_the_module_signs_for_the_first_time",
        "handler_finalizes_while_threads_sign",
    ] {
        host.ends_well(name);
    }
}

#[test]
fn destructors_of_the_program_and_of_other_libraries_use_the_module_or_are_refused() {
    let host = Host::start();
    for name in [
        "destructor_finalizes",
        "destructor_signs",
        "destructor_signs_for_the_first_time",
        "library_loaded_before",
        "library_loaded_after",
    ] {
        host.ends_well(name);
    }
}

#[test]
fn finalize_ends_calls_that_wait_for_kms() {
    let host = Host::start();
    for operation in ["Sign", "CreateKey", "ListKeys"] {
        host.emulator
            .fault(Fault::once(operation, Effect::Hang).times(100));
    }
    host.ends_well("finalize_while_calls_hang");
}

#[test]
fn finalize_ends_calls_of_threads_that_go_on_signing() {
    Host::start().ends_well("finalize_while_threads_sign");
}

#[test]
fn of_two_threads_that_finalize_one_does() {
    Host::start().ends_well("finalized_twice");
}

#[test]
fn threads_may_ask_while_another_initializes_and_finalizes_without_end() {
    Host::start().ends_well("initialized_in_a_loop");
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_the_module_under_valgrind() {
    let host = Host::start();
    for name in [
        "opened_again",
        "main_returns",
        "destructor_signs",
        "finalize_while_threads_sign",
        "finalized_twice",
        "initialized_in_a_loop",
    ] {
        let finished = run(&mut host.under_valgrind("exit_host", name)).ok();
        assert_eq!(finished.stdout(), "", "{name}");
    }
    for name in [
        "a_host_that_never_asks_has_no_thread",
        "forks_while_many_threads_wait",
    ] {
        let finished = run(&mut host.under_valgrind("fork_patterns", name)).ok();
        assert_eq!(finished.stdout(), "", "{name}");
    }
}

/// Over TLS, of which more is to be taken down than of a connection in the clear.
struct Host {
    emulator: Emulator,
    authority: Authority,
    _tls: TlsFront,
    token: Token,
}

impl Host {
    fn start() -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
        emulator.create_keys(&pair).unwrap();
        let authority = Authority::new();
        let tls = TlsFront::start(&authority.issue("DNS:localhost"), &emulator.endpoint());
        let endpoint = format!("https://localhost:{}", tls.address().port());
        let token = Token::kms(&endpoint, &AccessKey::test());
        let other = patient("[[token]]\nlabel = \"other\"\n");
        fs::write(token.directory().join("other.toml"), other).unwrap();
        let _ = c_program(token.directory(), "exit_host");
        let _ = c_library(token.directory(), "exit_library");
        Self {
            emulator,
            authority,
            _tls: tls,
            token,
        }
    }

    /// The host answers for what it saw. What it logs is of no interest: calls that end, and why.
    #[track_caller]
    fn ends_well(&self, scenario: &str) {
        assert_eq!(self.run(scenario).ok().stdout(), "");
    }

    #[track_caller]
    fn run(&self, scenario: &str) -> Finished {
        run(&mut self.command(&self.file("exit_host"), &[], scenario))
    }

    fn under_valgrind(&self, host: &str, scenario: &str) -> Command {
        let program = c_program(self.token.directory(), host);
        let valgrind = [
            "--quiet",
            "--error-exitcode=99",
            "--trace-children=yes",
            "--child-silent-after-fork=no",
            "--fair-sched=yes",
            program.to_str().unwrap(),
        ];
        // Which makes everything slower by far, TLS most of all.
        let patient =
            "connect_timeout = 60\nattempt_timeout = 60\ndeadline = 200\nlisting_deadline = 200\n";
        let config = |label| format!("[[token]]\nlabel = \"{label}\"\n{patient}");
        fs::write(self.file("config.toml"), config("aws-kms")).unwrap();
        fs::write(self.file("other.toml"), config("other")).unwrap();
        let mut command = self.command(Path::new("valgrind"), &valgrind, scenario);
        command
            .env("KMS_PKCS11_CONFIG", self.file("config.toml"))
            .env("AWS_ENDPOINT_URL", self.emulator.endpoint());
        command
    }

    fn command(&self, program: &Path, arguments: &[&str], scenario: &str) -> Command {
        let config = format!("config={}", self.file("other.toml").display());
        let mut command = self.token.command(program);
        command
            .args(arguments)
            .arg(module())
            .arg(scenario)
            .env("AWS_CA_BUNDLE", self.authority.certificate())
            .env("EXIT_OTHER_CONFIG", config);
        if !arguments
            .iter()
            .any(|argument| argument.ends_with("fork_patterns"))
        {
            command.arg(self.file("exit_library.so"));
        }
        command
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.token.directory().join(name)
    }
}
