//! The `kms-emulator` command.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kms-emulator");

/// A started command; killed by its id when a test fails before it ended.
struct Running(Child);

impl Running {
    fn start(args: &[&str]) -> (Self, String) {
        let mut child = Command::new(PROGRAM)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let endpoint = line
            .trim_end()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        (Self(child), endpoint)
    }

    fn signal(&self, name: &str) {
        // Of the shell: not every machine has a program of this name.
        let sent = Command::new("sh")
            .args(["-c", "kill \"$0\" \"$1\"", name, &self.0.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Whether it ended well, and soon.
    fn ends_well(mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_line_names_the_endpoint_and_the_options_are_obeyed() {
    let (running, endpoint) = Running::start(&[
        "--region",
        "eu-west-1",
        "--account",
        "444455556666",
        "--latency-ms",
        "30",
    ]);
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    let mut client = Client::connect(&endpoint);
    let begin = Instant::now();
    let (_, arn) = client.create_key("ECC_NIST_P256", "SIGN_VERIFY");
    assert!(begin.elapsed() >= Duration::from_millis(30));
    assert!(
        arn.starts_with("arn:aws:kms:eu-west-1:444455556666:key/"),
        "{arn}"
    );
    let (_, health) = client.control("GET", "health", &json!(null));
    let expected = json!({
        "status": "ok", "version": env!("CARGO_PKG_VERSION"),
        "region": "eu-west-1", "account": "444455556666",
    });
    assert_eq!(health, expected);
    running.signal("-TERM");
    assert!(running.ends_well());
}

#[test]
fn it_ends_at_sigint_and_keeps_its_keys_in_a_state_file() {
    let directory = tempfile::TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let args = ["--state", state.to_str().unwrap()];
    let (running, endpoint) = Running::start(&args);
    let (id, _) = Client::connect(&endpoint).create_key("ECC_NIST_P256", "SIGN_VERIFY");
    running.signal("-INT");
    assert!(running.ends_well());
    let (_running, endpoint) = Running::start(&args);
    Client::connect(&endpoint).ok("GetPublicKey", &json!({ "KeyId": id }));
}

#[test]
fn it_ends_with_its_standard_input_when_asked_to() {
    let (mut running, endpoint) = Running::start(&["--exit-with-stdin"]);
    Client::connect(&endpoint).ok("ListKeys", &json!({}));
    drop(running.0.stdin.take());
    assert!(running.ends_well());
}

#[test]
fn it_outlives_its_standard_input_when_not_asked_to_end() {
    let (mut running, endpoint) = Running::start(&[]);
    drop(running.0.stdin.take());
    std::thread::sleep(Duration::from_millis(200));
    Client::connect(&endpoint).ok("ListKeys", &json!({}));
}

#[test]
fn it_says_what_is_wrong_with_its_arguments() {
    for (args, why) in [
        (["--listen", "0.0.0.0:0"], "not a loopback address"),
        (["--listen", "nowhere"], "invalid socket address"),
        (["--account", "12"], "not twelve digits"),
        (["--region", ""], "not a region"),
        (["--state", "/nonexistent/state"], "state file"),
        (["--peer", "eu-west-1"], "REGION=URL"),
        (
            ["--peer", "eu-west-1=http://192.0.2.1:80"],
            "endpoint of an emulator",
        ),
        (["--latency", "5"], "--latency"),
    ] {
        // One that wrongly starts ends at once.
        let output = Command::new(PROGRAM)
            .arg("--exit-with-stdin")
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && said.contains(why),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn help_and_version_are_printed() {
    for (option, begin) in [
        ("--help", "AWS KMS on loopback"),
        ("--version", "kms-emulator 0."),
    ] {
        let mut child = Command::new(PROGRAM)
            .arg(option)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(child.wait().unwrap().success());
        assert!(said.starts_with(begin), "{said}");
    }
}
