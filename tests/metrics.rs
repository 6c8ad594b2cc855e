//! The counts for Prometheus, read by Prometheus' own parser.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common_p11::attribute::{id, private_keys};
use common_p11::{World, c_program};
use cryptoki_sys::*;
use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{AccessKey, Token, module, python, run};

/// One line for each sample: name, labels and value, after the checks that the parser leaves out.
const SAMPLES: &str = r#"
import sys
from prometheus_client.parser import text_string_to_metric_families as families
for family in families(open(sys.argv[1]).read()):
    assert family.documentation and family.type != "unknown", family
    buckets = {}
    for sample in family.samples:
        labels = dict(sample.labels)
        if sample.name.endswith("_bucket"):
            series = buckets.setdefault(labels["operation"], [])
            series.append((float(labels["le"]), sample.value))
        names = ",".join(f"{name}={labels[name]}" for name in sorted(labels))
        print(f"{sample.name}{{{names}}}", sample.value, sep="\t")
    for series in buckets.values():
        assert series == sorted(series) and series[-1][0] == float("inf"), series
        assert [count for _, count in series] == sorted(count for _, count in series), series
"#;

#[test]
fn calls_requests_durations_retries_and_throttles_are_counted() {
    let world = world("interval = 3600");
    sign(&world).unwrap();
    world.fail("Sign", "ThrottlingException", 2);
    sign(&world).unwrap();
    world.fail("Sign", "DisabledException", 1);
    sign(&world).unwrap_err();
    assert!(!file(&world).exists(), "the interval is an hour");
    world.module.finalize().unwrap();

    let samples = samples(&file(&world));
    let version = env!("CARGO_PKG_VERSION");
    for (sample, value) in [
        (format!("kms_pkcs11_info{{version={version}}}"), 1.0),
        (of_calls("C_OpenSession", "CKR_OK"), 3.0),
        // Each signature asks for the length first.
        (of_calls("C_Sign", "CKR_OK"), 5.0),
        (of_calls("C_Sign", "CKR_FUNCTION_REJECTED"), 1.0),
        (of_requests("Sign", "ok"), 2.0),
        (of_requests("Sign", "Disabled"), 1.0),
        (of_requests("ListKeys", "ok"), 1.0),
        (of("kms_retries_total", "Sign"), 2.0),
        (of("kms_throttles_total", "Sign"), 2.0),
        (of("kms_throttles_total", "ListKeys"), 0.0),
        (of("kms_request_duration_seconds_count", "Sign"), 3.0),
        (
            "kms_pkcs11_kms_request_duration_seconds_bucket{le=+Inf,operation=Sign}".to_owned(),
            3.0,
        ),
    ] {
        let found = samples.get(&sample).copied().unwrap_or_default();
        assert!(
            (found - value).abs() < 1e-9,
            "{sample} is {found}: {samples:#?}"
        );
    }
    let seconds = samples[&of("kms_request_duration_seconds_sum", "Sign")];
    assert!(seconds > 0.0 && seconds < 30.0, "{seconds}");
}

#[test]
fn the_file_is_written_an_interval_after_a_call_and_without_calls_no_more() {
    let world = world("interval = 0.2");
    sign(&world).unwrap();
    let file = file(&world);
    let signed = || {
        file.exists()
            .then(|| samples(&file).get(&of_requests("Sign", "ok")).copied())
            .flatten()
    };
    wait_until(|| signed() == Some(1.0));
    sign(&world).unwrap();
    wait_until(|| signed() == Some(2.0));
    // The last calls are in it by now or with the next writing, after which there is none.
    thread::sleep(Duration::from_millis(500));
    let modified = || fs::metadata(&file).unwrap().modified().unwrap();
    let before = modified();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(modified(), before);
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
    let hidden = left.iter().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with('.')
    });
    assert_eq!(hidden.count(), 0, "{left:?}");
}

#[test]
fn without_a_file_nothing_is_written_and_one_that_cannot_be_is_said_once() {
    for (config, complaints) in [
        ("", 0),
        ("[metrics]\ninterval = 0.01\n", 0),
        (
            "[metrics]\nfile = \"/nowhere/metrics\"\ninterval = 0.001\n",
            1,
        ),
    ] {
        let (emulator, token) = token_with_one_pair(config);
        let lines = run_host(&token, "fork_before_any_request");
        assert_eq!(emulator.calls().of("Sign"), 3);
        let complaint = "kms-pkcs11: metrics file /nowhere/metrics cannot be written: ";
        // Once for each C_Initialize: the parent's and two of the child.
        assert_eq!(lines.matches(complaint).count(), 3 * complaints, "{lines}");
        assert_eq!(lines.lines().count(), 3 * complaints, "{lines}");
    }
}

#[test]
fn processes_have_files_of_their_own_and_a_child_writes_nothing_that_it_inherited() {
    for (scenario, interval, processes, signatures) in [
        // Nobody finalizes.
        ("children_that_just_end", "3600", 0, 0.0),
        // Two of the parent, and one of the second C_Initialize of each child.
        ("fork_after_a_signature", "0.01", 4, 5.0),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kms-{pid}.prom");
        let (_emulator, token) = token_with_one_pair(&format!(
            "[metrics]\nfile = \"{}\"\ninterval = {interval}\n",
            file.display()
        ));
        assert_eq!(run_host(&token, scenario), "");
        let files: Vec<PathBuf> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), processes, "{scenario}: {files:?}");
        let mut signed = 0.0;
        for file in &files {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let label = format!("pid={}", name.strip_prefix("kms-").unwrap());
            let samples = samples(file);
            assert!(
                samples.keys().all(|sample| sample.contains(&label)),
                "{samples:#?}"
            );
            let of_sign = samples.iter().filter(|(sample, _)| {
                sample.starts_with("kms_pkcs11_kms_requests_total{operation=Sign,outcome=ok,")
            });
            signed += of_sign.map(|(_, count)| count).sum::<f64>();
        }
        assert!((signed - signatures).abs() < 1e-9, "{scenario}: {signed}");
    }
}

fn world(metrics: &str) -> World {
    let world = World::not_initialized(Emulator::start(Options::default()).unwrap(), &[""]);
    world.create_keys(&one_pair());
    let file = file(&world);
    world.configure_log(&format!(
        "[metrics]\nfile = \"{}\"\n{metrics}\n",
        file.display()
    ));
    world.initialize();
    world
}

fn one_pair() -> NewKeys {
    NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY").tag("p11:id", "01")
}

fn file(world: &World) -> PathBuf {
    world.directory.path().join("metrics.prom")
}

fn sign(world: &World) -> Result<Vec<u8>, CK_RV> {
    let session = world.module.session();
    let key = session.find_one(&[private_keys(), id([1])]);
    session.sign(CKM_ECDSA, key, &[7; 32])
}

#[track_caller]
fn samples(file: &Path) -> BTreeMap<String, f64> {
    let lines = python(SAMPLES, [file]).ok().stdout();
    let sample = |line: &str| {
        let (name, value) = line.split_once('\t').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.lines().map(sample).collect()
}

fn of(metric: &str, operation: &str) -> String {
    format!("kms_pkcs11_{metric}{{operation={operation}}}")
}

fn of_calls(function: &str, rv: &str) -> String {
    format!("kms_pkcs11_calls_total{{function={function},rv={rv}}}")
}

fn of_requests(operation: &str, outcome: &str) -> String {
    format!("kms_pkcs11_kms_requests_total{{operation={operation},outcome={outcome}}}")
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(20));
    }
}

fn token_with_one_pair(config: &str) -> (Emulator, Token) {
    let emulator = Emulator::start(Options::default()).unwrap();
    emulator.create_keys(&one_pair()).unwrap();
    let key = AccessKey::test();
    let token = Token::kms_with_config(&emulator.endpoint(), &key, "aws-kms", config);
    (emulator, token)
}

/// Runs a scenario of the C host; answers what it printed.
#[track_caller]
fn run_host(token: &Token, scenario: &str) -> String {
    let host = c_program(token.directory(), "fork_host");
    let finished = run(token.command(host).arg(module()).arg(scenario)).ok();
    finished.stdout() + &finished.stderr()
}
