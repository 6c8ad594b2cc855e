//! Hosts that fork while their threads are at work in the module, and hosts that fork as known programs do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use common_p11::{c_library, c_program};
use cryptoki_sys::CK_FUNCTION_LIST_3_2;
use kms_emulator::{Effect, Emulator, Fault, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Authority, TlsFront, Token, boto3, module, reliability, run};
use tempfile::TempDir;

/// What verifies with the key of KMS, by `cryptography`; prints how many signatures that were.
const VERIFY: &str = "
import sys, boto3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
kms = boto3.client('kms')
spki = kms.get_public_key(KeyId=kms.list_keys()['Keys'][0]['KeyId'])['PublicKey']
key = serialization.load_der_public_key(spki)
lines = [line.split() for line in open(sys.argv[1])]
seen = set()
for digest, signature in lines:
    digest, raw = bytes.fromhex(digest), bytes.fromhex(signature)
    seen.add(digest)
    r, s = (int.from_bytes(half) for half in (raw[:32], raw[32:]))
    key.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
assert len(seen) == len(lines)
print(len(lines))
";

#[test]
fn children_of_a_host_under_load_sign_and_its_threads_go_on() {
    Load::over_tls().survives(40);
}

#[test]
#[ignore = "minutes long: make reliability"]
fn soak_200_forks_under_load_again_and_again() {
    for (row, load) in [
        ("over TLS", Load::over_tls as fn() -> Load),
        ("without TLS", Load::in_the_clear),
        (
            "over TLS, the SDK's log at debug",
            Load::over_tls_with_a_log_of_all,
        ),
    ] {
        let mut sum = Survived::default();
        for _ in 0..3 {
            let survived = load().survives(200);
            sum.forks += survived.forks;
            sum.signatures += survived.signatures;
            sum.meanwhile += survived.meanwhile;
            sum.seconds += survived.seconds;
        }
        reliability::record(
            "forks",
            &format!("8 signing threads, {row}"),
            &[
                ("forks survived", sum.forks.to_string()),
                (
                    "signatures of children, verified",
                    sum.signatures.to_string(),
                ),
                (
                    "signatures of the parent meanwhile",
                    sum.meanwhile.to_string(),
                ),
                ("seconds", format!("{:.0}", sum.seconds)),
            ],
        );
    }
}

#[test]
fn workers_of_a_master_that_signs_start_anew_and_outlive_a_reload() {
    pattern("nginx_whose_master_signs");
}

#[test]
fn workers_of_a_master_that_only_initializes_start_anew_and_outlive_a_reload() {
    pattern("nginx_whose_master_only_initializes");
}

#[test]
fn an_agent_that_becomes_a_daemon_starts_anew() {
    pattern("ssh_agent");
}

#[test]
fn a_child_that_becomes_another_program_has_a_module_of_its_own() {
    pattern("sshd");
}

#[test]
fn a_host_that_asks_kms_for_nothing_has_no_thread_of_the_module() {
    pattern("a_host_that_never_asks_has_no_thread");
}

#[test]
fn a_child_forked_while_a_thread_initializes_and_finalizes_starts_anew() {
    let (_emulator, token) = token_with_one_pair();
    // Each refused C_Initialize has a line to write.
    pattern_of(&token, "forks_while_another_thread_initializes", "off");
}

#[test]
fn a_fork_does_not_wait_for_requests_that_hang() {
    let (emulator, token) = token_with_one_pair();
    emulator.fault(Fault::once("Sign", Effect::Hang).times(100));
    pattern_of(&token, "forks_while_requests_hang", "off");
}

#[test]
fn a_fork_does_not_wait_for_name_servers_that_do_not_answer() {
    let config = "[[token]]\nlisting_deadline = 3\n";
    let token = Token::kms_with_config("http://kms.slow:1", &AccessKey::test(), "aws-kms", config);
    let (host, names) = (
        c_program(token.directory(), "fork_patterns"),
        c_library(token.directory(), "slow_names"),
    );
    let finished = run(token
        .command(host)
        .arg(module())
        .arg("forks_while_names_are_looked_up")
        .env("LD_PRELOAD", names)
        .env("KMS_PKCS11_LOG", "warn"))
    .ok();
    assert_eq!(finished.stdout(), "");
    let left = "threads of the module are still in a call of the system's: of a name server";
    assert!(finished.stderr().contains(left), "{}", finished.stderr());
}

#[test]
fn a_host_with_fork_handlers_and_locks_around_its_calls_forks_without_a_deadlock() {
    pattern("forks_of_a_host_with_handlers_and_locks_of_its_own");
}

#[test]
fn a_child_has_none_of_the_threads_that_wait_in_its_parent() {
    pattern("forks_while_many_threads_wait");
}

#[test]
fn a_child_with_the_process_id_of_its_parent_starts_anew() {
    pattern("processes_of_the_same_id");
}

#[track_caller]
fn pattern(name: &str) {
    let (_emulator, token) = token_with_one_pair();
    pattern_of(&token, name, "warn");
}

#[track_caller]
fn pattern_of(token: &Token, name: &str, level: &str) {
    let host = c_program(token.directory(), "fork_patterns");
    let finished = run(token
        .command(host)
        .arg(module())
        .arg(name)
        .env("KMS_PKCS11_LOG", level))
    .ok();
    assert_eq!(finished.stdout(), "");
    assert_eq!(finished.stderr(), "");
}

fn token_with_one_pair() -> (Emulator, Token) {
    let emulator = emulator_with_one_pair();
    let token = Token::kms(&emulator.endpoint(), &AccessKey::test());
    (emulator, token)
}

fn emulator_with_one_pair() -> Emulator {
    let emulator = Emulator::start(Options::default()).unwrap();
    let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
    emulator.create_keys(&pair).unwrap();
    emulator
}

/// A token whose host has much to do beside signing: a list that is read again and again, credentials that
/// expire, a log, an audit and counts in files.
struct Load {
    emulator: Emulator,
    /// Stops with it.
    _tls: Option<TlsFront>,
    token: Token,
    authority: Authority,
    endpoint: String,
    files: TempDir,
}

#[derive(Default)]
struct Survived {
    forks: u64,
    /// By children, and verified.
    signatures: u64,
    /// By the parent's threads.
    meanwhile: u64,
    seconds: f64,
}

impl Load {
    fn over_tls() -> Self {
        Self::start(true, "info")
    }

    fn over_tls_with_a_log_of_all() -> Self {
        Self::start(true, "debug")
    }

    fn in_the_clear() -> Self {
        Self::start(false, "info")
    }

    fn start(is_over_tls: bool, level: &str) -> Self {
        let emulator = emulator_with_one_pair();
        let authority = Authority::new();
        let identity = authority.issue("DNS:localhost");
        let tls = is_over_tls.then(|| TlsFront::start(&identity, &emulator.endpoint()));
        // A name that is looked up.
        let endpoint = match &tls {
            Some(tls) => format!("https://localhost:{}", tls.address().port()),
            None => emulator.endpoint().replace("127.0.0.1", "localhost"),
        };
        let files = tempfile::tempdir().unwrap();
        let in_files = |name: &str| files.path().join(name).display().to_string();
        let config = format!(
            "[log]\nlevel = \"{level}\"\nfile = \"{}\"\naudit = \"{}\"\n\
             [metrics]\nfile = \"{}\"\ninterval = 0.1\n\
             [[token]]\nrefresh_interval = 0.2\n",
            in_files("log"),
            in_files("audit"),
            in_files("metrics-{pid}"),
        );
        let token = Token::kms_with_config(&endpoint, &AccessKey::test(), "aws-kms", &config);
        // Credentials are renewed some seconds before they expire: these all the time.
        let process = files.path().join("credentials");
        let script = "#!/bin/sh\nprintf '{\"Version\":1,\"AccessKeyId\":\"test\",\
            \"SecretAccessKey\":\"test\",\"SessionToken\":\"test\",\"Expiration\":\"%s\"}' \
            \"$(date -u -d '+12 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\n";
        fs::write(&process, script).unwrap();
        fs::set_permissions(&process, fs::Permissions::from_mode(0o700)).unwrap();
        let profile = format!("[default]\ncredential_process = {}\n", process.display());
        fs::write(files.path().join("profile"), profile).unwrap();
        Self {
            emulator,
            _tls: tls,
            token,
            authority,
            endpoint,
            files,
        }
    }

    /// Runs the host, and has what its children signed verified.
    #[track_caller]
    fn survives(&self, forks: u64) -> Survived {
        let host = c_program(self.token.directory(), "fork_load");
        let signatures = self.files.path().join("signatures");
        let functions = size_of::<CK_FUNCTION_LIST_3_2>() / size_of::<usize>() - 1;
        let begun = Instant::now();
        let finished = run(self
            .token
            .command(host)
            .arg(module())
            .arg(&signatures)
            .arg(functions.to_string())
            .arg(forks.to_string())
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", self.files.path().join("profile"))
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_CA_BUNDLE", self.authority.certificate()))
        .ok();
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(finished.stdout(), "");
        assert_eq!(finished.stderr(), "");

        let told = fs::read_to_string(&signatures).unwrap();
        let number = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        let (told_forks, meanwhile) = (number("forks"), number("signatures meanwhile"));
        assert_eq!(told_forks, forks);
        assert!(meanwhile > 0);
        // Of ten children four sign, and one of them twice, with a child between that signs, too; and the parent
        // signs at the end.
        let expected = forks / 10 * 6 + 1;
        let of_children: Vec<&str> = told.lines().filter(|line| line.len() > 100).collect();
        assert_eq!(u64::try_from(of_children.len()).unwrap(), expected);
        fs::write(&signatures, of_children.join("\n")).unwrap();
        let path = signatures.display().to_string();
        let verified = boto3(
            &self.emulator.endpoint(),
            &AccessKey::test(),
            VERIFY,
            &[&path],
        )
        .ok();
        assert_eq!(verified.stdout().trim(), expected.to_string());
        for file in ["log", "audit"] {
            assert!(fs::metadata(self.files.path().join(file)).unwrap().len() > 0);
        }
        Survived {
            forks,
            signatures: expected,
            meanwhile,
            seconds,
        }
    }
}
