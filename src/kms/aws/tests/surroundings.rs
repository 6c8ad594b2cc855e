//! What a client finds in its environment: nothing, or, in a process of its own, what a test sets.

use std::process::{Command, Output};

use aws_config::ConfigLoader;
use aws_sdk_kms::config::Credentials;
use aws_types::os_shim_internal::{Env, Fs};

use super::canned::{Canned, Reply};
use super::{key, kms, settings};
use crate::kms::{AwsSettings, Kms, KmsError, KmsErrorKind, MessageType, SigningAlgorithm};

/// Stands in for the process's environment and credentials, unless it is the real one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Surroundings {
    #[default]
    Test,
    Real,
}

impl Surroundings {
    pub(in crate::kms::aws) fn shims(self) -> (Env, Fs) {
        match self {
            Self::Real => (Env::real(), Fs::real()),
            Self::Test => (Env::from_slice(&[]), Fs::from_slice(&[])),
        }
    }

    /// `endpoint` serves the token service as well.
    pub(in crate::kms::aws) fn apply(
        self,
        loader: ConfigLoader,
        endpoint: Option<&str>,
    ) -> ConfigLoader {
        match self {
            Self::Real => loader,
            Self::Test => loader
                .empty_test_environment()
                .endpoint_url(endpoint.unwrap_or_default())
                .credentials_provider(Credentials::new("test", "test-secret", None, None, "test")),
        }
    }
}

const OUTCOME: &str = "outcome: ";
const AS_CHILD: &str = "KMS_PKCS11_TEST_CHILD";

/// The other half of the tests below: asks for a signature with what the environment says.
#[test]
fn a_child_process_signs_with_its_own_environment() {
    if std::env::var_os(AS_CHILD).is_none() {
        return;
    }
    let kms = kms(AwsSettings {
        region: None,
        endpoint: None,
        surroundings: Surroundings::Real,
        ..settings("")
    });
    let outcome = match kms.sign(
        &key(1),
        SigningAlgorithm::EcdsaSha256,
        MessageType::Digest,
        &[7; 32],
    ) {
        Ok(signature) => format!("signed {}", signature.len()),
        Err(KmsError { kind, message, .. }) => format!("{kind:?} {message}"),
    };
    // Standard output is what the parent reads.
    #[expect(clippy::print_stdout, reason = "the answer to the parent process")]
    {
        println!("\n{OUTCOME}{outcome}");
    }
}

fn signing_in_environment(environment: &[(&str, &str)]) -> String {
    let Output { stdout, .. } = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg(concat!(
            "kms::aws::tests::surroundings::",
            "a_child_process_signs_with_its_own_environment"
        ))
        .env_clear()
        .env(AS_CHILD, "1")
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let line = stdout.lines().find_map(|line| line.strip_prefix(OUTCOME));
    line.unwrap_or_else(|| panic!("no outcome in {stdout}"))
        .to_owned()
}

const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
];
const REGION: (&str, &str) = ("AWS_REGION", "eu-west-1");
const OFF_EC2: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

#[test]
fn region_credentials_and_either_endpoint_variable_come_from_the_environment() {
    let server = Canned::signing();
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS"] {
        let environment = [&CREDENTIALS[..], &[REGION, (variable, server.endpoint())]].concat();
        assert_eq!(
            signing_in_environment(&environment),
            "signed 70",
            "{variable}"
        );
    }
    assert_eq!(server.count("Sign"), 2);
}

#[test]
fn retry_variables_that_the_sdk_panics_on_change_nothing() {
    let server = Canned::signing();
    let environment = [
        &CREDENTIALS[..],
        &[
            REGION,
            ("AWS_ENDPOINT_URL", server.endpoint()),
            ("AWS_MAX_ATTEMPTS", "0"),
            ("AWS_RETRY_MODE", "legacy"),
        ],
    ]
    .concat();
    assert_eq!(signing_in_environment(&environment), "signed 70");
}

#[test]
fn without_a_region_the_configuration_is_at_fault() {
    let outcome = signing_in_environment(&[&CREDENTIALS[..], &[OFF_EC2]].concat());
    assert!(is(KmsErrorKind::Configuration, &outcome), "{outcome}");
}

#[test]
fn without_credentials_the_credentials_are_at_fault() {
    let outcome = signing_in_environment(&[REGION, OFF_EC2]);
    assert!(is(KmsErrorKind::Credentials, &outcome), "{outcome}");
}

#[test]
fn a_metadata_service_that_does_not_answer_changes_nothing_about_what_is_missing() {
    let hanging = Canned::new(|_, _| Reply::Hang);
    let metadata = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", hanging.endpoint());
    let outcome = signing_in_environment(&[&CREDENTIALS[..], &[metadata]].concat());
    assert!(is(KmsErrorKind::Configuration, &outcome), "{outcome}");
    let outcome = signing_in_environment(&[REGION, metadata]);
    assert!(is(KmsErrorKind::Credentials, &outcome), "{outcome}");
}

fn is(kind: KmsErrorKind, outcome: &str) -> bool {
    outcome.starts_with(&format!("{kind:?} "))
}

#[test]
fn http_requests_go_through_the_proxy_of_the_environment() {
    let proxy = Canned::signing();
    let environment = [
        &CREDENTIALS[..],
        &[
            REGION,
            ("AWS_ENDPOINT_URL", "http://kms.invalid"),
            ("HTTP_PROXY", proxy.endpoint()),
        ],
    ]
    .concat();
    assert_eq!(signing_in_environment(&environment), "signed 70");
    assert_eq!(proxy.count("Sign"), 1);
}
