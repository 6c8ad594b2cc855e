//! The helpers themselves, against what they promise the suites.

use std::net::TcpStream;

use kms_pkcs11_testkit::{MiniStack, MiniStackOptions, openssl, openssl_ok, python};
use serde_json::json;

const LIST: &str = "import boto3; print(len(boto3.client('kms').list_keys()['Keys']))";
const CREATE: &str = "import boto3; boto3.client('kms').create_key()";

#[test]
fn a_user_may_do_what_its_policy_says_and_no_more() {
    let ministack = MiniStack::start(MiniStackOptions { auth: true });
    let user = ministack.create_user(
        "lister",
        &json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*" }],
        }),
    );
    let _ = ministack.boto3(&ministack.root(), CREATE, &[]).ok();
    assert_eq!(ministack.boto3(&user, LIST, &[]).ok().stdout(), "1\n");

    let refused = ministack.boto3(&user, CREATE, &[]);
    assert!(refused.stderr().contains("AccessDenied"), "{refused:?}");
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let ministack = MiniStack::start(MiniStackOptions::default());
    let address = ministack
        .endpoint()
        .trim_start_matches("http://")
        .to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(ministack);
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn openssl_and_python_get_what_they_are_given() {
    assert_eq!(openssl_ok(["base64"], b"abc"), b"YWJj\n");
    assert!(!openssl(["pkey", "-noout"], b"no key").status.success());
    let script = "import cryptography, sys; print(sys.argv[1])";
    assert_eq!(python(script, ["argument"]).ok().stdout(), "argument\n");
}
