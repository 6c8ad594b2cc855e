//! A `credential_process` in the host's process: what it leaves alone there, and that it is not left there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common_p11::{Cloud, c_program};
use cryptoki_sys::CKU_USER;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Finished, Token, module, reliability, run};

/// What hosts do about their children.
const HOSTS: [&str; 4] = ["default", "ignored", "handler", "reaper"];

/// Answers credentials that the emulator takes.
const ANSWER: &str =
    "echo '{\"Version\": 1, \"AccessKeyId\": \"test\", \"SecretAccessKey\": \"test-secret\"}'";

/// Says by whom it is run, and runs, with a program of its own, until it is killed.
const HANG: &str = "read -r line && echo \"$line\" > stolen\n\
    sleep 600 &\necho $$ $! > pids.new\nmv pids.new pids\necho asking >&2\nwait";

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_program_gives_credentials_in_a_host_that_does_anything_about_its_children() {
    let body = format!(
        "read -r line && echo \"$line\" > stolen\n\
         readlink /proc/$$/fd/0 > facts\ngrep -E 'Sig(Blk|Ign)' /proc/self/status >> facts\n\
         cut -d' ' -f6 /proc/$$/stat >> facts\n(exit 7)\necho $? >> facts\n{ANSWER}"
    );
    for host in HOSTS {
        let world = World::start(&body, "");
        let finished = world.run("find_once", host).ok();
        assert_eq!(
            finished.stdout(),
            "find: 0\nstdin: the host's own line\n",
            "{host}"
        );
        assert_eq!(finished.stderr(), "", "{host}");
        assert!(!world.path("stolen").exists(), "{host}");
        let facts = fs::read_to_string(world.path("facts")).unwrap();
        let facts: Vec<&str> = facts.lines().collect();
        let signals =
            |line: &str| u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap();
        assert_eq!(facts[0], "/dev/null");
        assert!(
            facts[1].starts_with("SigBlk") && signals(facts[1]) == 0,
            "{facts:?}"
        );
        // SIGPIPE is 13, SIGCHLD is 17.
        assert!(
            facts[2].starts_with("SigIgn") && signals(facts[2]) & (1 << 12 | 1 << 16) == 0,
            "{facts:?}"
        );
        let session = fs::read_to_string("/proc/self/stat").unwrap();
        let session = session.rsplit(") ").next().unwrap().split(' ').nth(3);
        assert_ne!(
            Some(facts[3]),
            session,
            "it is in the session of the host, and has its terminal"
        );
        assert_eq!(facts[4], "7", "it cannot wait for what it starts");
    }
    passed(
        "credential_process, whatever the host does about SIGCHLD",
        "credentials; no handler, no child left, standard input untouched",
    );
}

#[test]
fn a_program_that_hangs_is_killed_at_its_deadline_with_all_it_started() {
    thread::scope(|scope| {
        for host in HOSTS {
            scope.spawn(move || assert_killed_at_its_deadline(host));
        }
    });
    passed(
        "credential_process that hangs",
        "killed at the deadline with all it started; no handler, no child left",
    );
}

fn assert_killed_at_its_deadline(host: &str) {
    let world = World::start(HANG, "retries = 0\n");
    let finished = world.run("find_once", host).ok();
    // CKR_DEVICE_ERROR: nothing is known of the credentials.
    assert_eq!(
        finished.stdout(),
        "find: 0x30\nstdin: the host's own line\n",
        "{host}"
    );
    let lines = finished.stderr();
    for part in [
        "no credentials: the credential_process of the AWS profile default did not end within 3.6 s and was killed",
        "attempt_timeout",
        ": asking",
    ] {
        assert!(lines.contains(part), "{host}: {lines}");
    }
    assert_ended(&world.path("pids"));
    assert!(!world.path("stolen").exists(), "{host}");
}

#[test]
fn a_program_that_runs_when_the_module_ends_is_killed() {
    for host in HOSTS {
        let world = World::start(
            HANG,
            "attempt_timeout = 60\ndeadline = 60\nlisting_deadline = 60\n",
        );
        let finished = world.run("finalize_meanwhile", host).ok();
        assert_eq!(finished.stdout(), "stdin: the host's own line\n", "{host}");
        assert_ended(&world.path("pids"));
    }
    passed(
        "C_Finalize while a credential_process hangs",
        "it is killed, no child is left",
    );
}

#[test]
fn a_program_that_runs_for_somebody_who_logs_out_is_killed() {
    let world = Cloud::start();
    let AccessKey { id, secret } = world.signer("signer");
    let pids = world.path("pids");
    // The second time it runs, it is to renew what it gave the first time, and hangs.
    let body = format!(
        "#!/bin/sh\ncd '{}'\nif mkdir first 2> /dev/null; then\n\
         printf '{{\"Version\": 1, \"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\", \"Expiration\": \"%s\"}}' \
         \"$(date -u -d '+8 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\nelse\n{HANG}\nfi\n",
        world.path("").display()
    );
    let path = executable(&world.path("program"), &body);
    world.write(
        "profiles",
        format!("[profile host]\ncredential_process = {path}\n"),
    );
    let settings = "pin = \"credentials\"\nattempt_timeout = 120\ndeadline = 120\n";
    let module = world.module(settings, &Cloud::nobody());
    let session = module.session();
    session.login(CKU_USER, "profile:host").unwrap();
    wait_until("it renews", || pids.exists());
    session.logout().unwrap();
    assert_ended(&pids);
    passed(
        "C_Logout while a credential_process of the user hangs",
        "it is killed",
    );
}

#[test]
fn what_is_wrong_with_a_program_is_said_without_what_may_be_a_secret() {
    let secret = "0123456789abcdefABCDEF0123456789abcdefAB";
    let many = "head -c 70000 /dev/zero";
    for (body, said) in [
        (
            "echo first >&2; echo 'the vault is sealed' >&2; exit 3",
            "failed: it ended with exit code 3: the vault is sealed",
        ),
        (
            &format!("echo 'token={secret}' >&2; exit 1"),
            "failed: it ended with exit code 1: […]",
        ),
        ("exit 0", "failed: its answer is nothing"),
        (
            &format!("echo '{secret}'"),
            "failed: its answer is not JSON: ",
        ),
        (
            &format!(
                "echo '{{\"Version\": 1, \"AccessKeyId\": \"id\", \"SecretAccessKey\": [\"{secret}\"]}}'"
            ),
            "failed: its answer has in SecretAccessKey no string",
        ),
        (many, "answered more than 65536 bytes and was killed"),
    ] {
        let world = World::start(body, "retries = 0\n[log]\nlevel = \"trace\"\n");
        let finished = world.run("find_once", "default").ok();
        // CKR_USER_NOT_LOGGED_IN
        assert!(
            finished.stdout().starts_with("find: 0x101\n"),
            "{body}: {finished:?}"
        );
        let lines = finished.stderr();
        let expected =
            format!("no credentials: the credential_process of the AWS profile default {said}");
        assert!(lines.contains(&expected), "{body}: {lines}");
        assert!(!lines.contains(secret), "{body}: {lines}");
    }
    // A host that takes the exit status away leaves the answer to decide, and the words to explain.
    let world = World::start("echo 'the vault is sealed' >&2; exit 3", "retries = 0\n");
    let finished = world.run("find_once", "ignored").ok();
    let lines = finished.stderr();
    assert!(
        lines.contains("failed: its answer is nothing: the vault is sealed"),
        "{lines}"
    );
}

/// An emulator, and a token with its credentials from the default profile's program.
struct World {
    _emulator: Emulator,
    token: Token,
}

impl World {
    fn start(body: &str, settings: &str) -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        let pair = NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:label", "key");
        emulator.create_keys(&pair).unwrap();
        let config = format!("[[token]]\n{settings}");
        let key = AccessKey::test();
        let token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", &config);
        let directory = token.directory();
        let path = executable(&directory.join("program"), &format!("#!/bin/sh\n{body}\n"));
        fs::create_dir(directory.join(".aws")).unwrap();
        let profile = format!("[default]\ncredential_process = {path} --password sesame\n");
        fs::write(directory.join(".aws/config"), profile).unwrap();
        fs::write(directory.join("stdin"), "the host's own line\n").unwrap();
        Self {
            _emulator: emulator,
            token,
        }
    }

    fn run(&self, scenario: &str, children: &str) -> Finished {
        let host = c_program(self.token.directory(), "process_host");
        let finished = run(self
            .token
            .command(host)
            .arg(module())
            .args([scenario, children])
            .arg(self.path("pids"))
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY"));
        assert!(!finished.stderr().contains("sesame"), "{finished:?}");
        finished
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.token.directory().join(name)
    }
}

/// Writes a script; answers its path.
fn executable(path: &Path, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

/// Requires that the processes whose ids are in a file have ended, or do so now.
#[track_caller]
fn assert_ended(pids: &Path) {
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        // One that nobody waits for is there until then: whoever adopts orphans here may take its time.
        let status = || fs::read_to_string(format!("/proc/{pid}/stat"));
        wait_until(pid, || status().map_or(true, |stat| stat.contains(") Z ")));
    }
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: still not");
        thread::sleep(Duration::from_millis(10));
    }
}

fn passed(row: &str, outcome: &str) {
    reliability::record("guest", row, &[("outcome", outcome.to_owned())]);
}
