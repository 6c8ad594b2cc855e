//! The way to KMS: TLS with certificates of one's own, forward proxies, the names of AWS's endpoints.
//!
//! The endpoints are real ones, with TLS, and so are their names: a proxy on loopback leads all of them to the
//! emulator, as an intercepting proxy leads them to itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use kms_emulator::{Emulator, NewKeys, Options};
use kms_pkcs11_testkit::{
    AccessKey, Authority, Finished, ForwardProxy, REGION, TlsFront, Token, run,
};

const KMS: &str = "kms.us-east-1.amazonaws.com";
const NAMES: &str = "DNS:*.us-east-1.amazonaws.com,DNS:*.amazonaws.com,DNS:*.us-east-1.api.aws,\
                     DNS:*.cn-north-1.amazonaws.com.cn,DNS:*.us-gov-west-1.amazonaws.com,\
                     DNS:localhost,IP:127.0.0.1";
const USER: &str = "signer:p%40ss%3Aword";
const USER_AS_SENT: &str = "signer:p@ss:word";

#[test]
fn behind_an_intercepting_proxy_the_two_variables_that_it_hands_out_are_enough() {
    let world = World::start(None);
    let answer = world.list("", &[world.https_proxy(), world.bundle()]);
    assert_listed(&answer);
    let connects = world.proxy.take_requests();
    assert!(!connects.is_empty());
    assert!(
        connects
            .iter()
            .all(|connect| *connect == format!("{KMS}:443 200")),
        "{connects:?}"
    );
    for handshake in world.tls.take_handshakes() {
        // Both classical and post-quantum: what is recorded today stays unread.
        assert_eq!(handshake, format!("{KMS} TLSv1_3 X25519MLKEM768"));
    }
}

#[test]
fn the_log_shows_the_key_exchanges_in_their_order_and_the_way_of_every_connection() {
    let world = World::start(None);
    let debug = ("KMS_PKCS11_LOG", "debug".to_owned());
    let answer = world.list("", &[world.https_proxy(), world.bundle(), debug]);
    assert_listed(&answer);
    let log = answer.stderr();
    let offered = "TLS key exchanges, in order of preference: X25519MLKEM768, X25519,";
    assert!(log.contains(offered), "{log}");
    let connected = ["connected", KMS, "through_proxy=true", "scheme=https"];
    let mut lines = log.lines();
    assert!(
        lines.any(|line| connected.iter().all(|word| line.contains(word))),
        "{log}"
    );
    let handshakes = world.tls.take_handshakes();
    assert!(
        !handshakes.is_empty()
            && handshakes
                .iter()
                .all(|line| line.ends_with(" X25519MLKEM768")),
        "{handshakes:?}"
    );
}

#[test]
fn each_token_gives_up_a_server_that_says_nothing_when_its_own_limits_say() {
    // Connections are made, and nobody reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let config = format!(
        "[[token]]\nlabel = \"connect\"\nendpoint = \"https://127.0.0.1:{port}\"\n\
         connect_timeout = 0.5\nretries = 0\n\
         [[token]]\nlabel = \"attempt\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         attempt_timeout = 0.6\nretries = 1\n\
         [[token]]\nlabel = \"whole\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         deadline = 1.5\nattempt_timeout = 60\n\
         [[token]]\nlabel = \"listing\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
         listing_deadline = 2\nattempt_timeout = 60\ndeadline = 60\n"
    );
    for (label, seconds, word) in [
        ("connect", 0.5, "connect timeout"),
        ("attempt", 1.2, "occurred after 600ms"),
        ("whole", 1.5, "retries) occurred after 1.5s"),
        ("listing", 2.0, "no answer within 2.0 s"),
    ] {
        let token =
            Token::kms_with_config("http://127.0.0.1:1", &AccessKey::test(), label, &config);
        let module = text(&token.module);
        let started = Instant::now();
        let answer = run(token
            .command("pkcs11-tool")
            .env_remove("AWS_ENDPOINT_URL")
            .args(["--module", &module, "--token-label", label, "-O"]));
        let took = started.elapsed().as_secs_f64();
        assert_refused(&answer, &["CKR_DEVICE_ERROR", word]);
        // Whatever else the machine does, far less than any of the default limits.
        assert!((seconds..seconds + 2.0).contains(&took), "{label}: {took}");
    }
}

#[test]
fn a_proxy_gets_the_user_and_password_of_its_url() {
    let world = World::start(Some(USER_AS_SENT));
    let proxy = ("HTTPS_PROXY", world.proxy.url_with(USER));
    assert_listed(&world.list("", &[proxy, world.bundle()]));
    assert!(
        world
            .proxy
            .take_requests()
            .iter()
            .all(|connect| connect.ends_with(" 200"))
    );
}

#[test]
fn a_proxy_that_refuses_the_password_is_named_as_the_one_that_did() {
    let world = World::start(Some(USER_AS_SENT));
    for url in [world.proxy.url(), world.proxy.url_with("signer:wrong")] {
        let answer = world.list("retries = 0", &[("HTTPS_PROXY", url), world.bundle()]);
        let words = [
            "the proxy did not connect",
            "proxy authorization required",
            "HTTPS_PROXY",
        ];
        assert_refused(&answer, &words);
        assert!(!answer.stderr().contains("wrong"), "{answer:?}");
        assert_eq!(world.proxy.take_requests(), [format!("{KMS}:443 407")]);
    }
}

#[test]
fn without_the_certificate_of_the_proxys_authority_tls_fails_and_the_log_names_the_setting() {
    let world = World::start(None);
    let answer = world.list("retries = 0", &[world.https_proxy()]);
    let words = ["TLS failed", "UnknownIssuer", "ca_bundle", "AWS_CA_BUNDLE"];
    assert_refused(&answer, &words);

    let other = Authority::new();
    let bundle = ("AWS_CA_BUNDLE", text(&other.certificate()));
    assert_refused(
        &world.list("retries = 0", &[world.https_proxy(), bundle]),
        &words,
    );
}

#[test]
fn the_bundle_is_the_tokens_else_that_of_the_environment_else_that_of_the_profile() {
    let world = World::start(None);
    let good = text(&world.authority.certificate());
    let missing = "/nonexistent/ca.pem";
    let settings = |path: &str| format!("retries = 0\nca_bundle = \"{path}\"");
    let profile = |path: &str| format!("[default]\nca_bundle = {path}\n");
    let answer = |token: &str, variable: &str, config: &str| {
        world.list_with_profiles(
            token,
            &[
                world.https_proxy(),
                ("AWS_CA_BUNDLE", variable.to_owned()),
                ("AWS_CONFIG_FILE", "aws-config".to_owned()),
            ],
            config,
        )
    };

    assert_listed(&answer(&settings(&good), missing, &profile(missing)));
    assert_listed(&answer("retries = 0", &good, &profile(missing)));
    assert_listed(&answer("retries = 0", "", &profile(&good)));

    for (answer, named_by) in [
        (
            answer(&settings(missing), &good, &profile(&good)),
            "ca_bundle of the token",
        ),
        (
            answer("retries = 0", missing, &profile(&good)),
            "AWS_CA_BUNDLE",
        ),
        (
            answer("retries = 0", "", &profile(missing)),
            "ca_bundle of the AWS profile",
        ),
    ] {
        assert_refused(&answer, &[missing, named_by, "No such file"]);
    }
}

#[test]
fn a_bundle_is_a_regular_file_which_others_cannot_write_wherever_a_link_leads_to_it() {
    let world = World::start(None);
    let list = |path: &Path| {
        let bundle = ("AWS_CA_BUNDLE", text(path));
        world.list("retries = 0", &[world.https_proxy(), bundle])
    };
    let good = world.authority.certificate();
    let link = good.with_file_name("link.pem");
    symlink(&good, &link).unwrap();
    // A group of the owner's own may write what the owner makes.
    for mode in [0o444, 0o664] {
        fs::set_permissions(&good, fs::Permissions::from_mode(mode)).unwrap();
        assert_listed(&list(&link));
    }
    fs::set_permissions(&good, fs::Permissions::from_mode(0o646)).unwrap();
    assert_refused(
        &list(&link),
        &[
            &text(&link),
            "its mode 0646 lets others write it",
            "chmod o-w",
        ],
    );
    // Nobody writes it: who waits for that waits for ever.
    let fifo = good.with_file_name("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    assert_refused(&list(&fifo), &[&text(&fifo), "not a regular file"]);
}

#[test]
fn a_bundle_that_cannot_be_used_is_refused_before_anything_is_sent_with_what_is_wrong() {
    let world = World::start(None);
    let good = fs::read_to_string(world.authority.certificate()).unwrap();
    let key = fs::read_to_string(world.authority.issue("DNS:a").key).unwrap();
    let body = |text: &str| format!("{good}-----BEGIN CERTIFICATE-----\n{text}");
    let end = "\n-----END CERTIFICATE-----\n";
    for (contents, wrong) in [
        (String::new(), "no \"-----BEGIN CERTIFICATE-----\" in it"),
        (
            "hello".to_owned(),
            "no \"-----BEGIN CERTIFICATE-----\" in it",
        ),
        (key, "no \"-----BEGIN CERTIFICATE-----\" in it"),
        (
            body(&format!("*not base64*{end}")),
            "certificate 2 is not well-formed PEM",
        ),
        (body("AAAA"), "certificate 2 is not well-formed PEM"),
        (
            format!("-----BEGIN CERTIFICATE-----\nAAAA{end}"),
            "certificate 1: ",
        ),
    ] {
        let file = world.authority.certificate().with_file_name("bundle.pem");
        fs::write(&file, contents).unwrap();
        let bundle = ("AWS_CA_BUNDLE", text(&file));
        let answer = world.list("retries = 0", &[world.https_proxy(), bundle]);
        assert_refused(&answer, &[&text(&file), wrong]);
        assert_eq!(world.proxy.take_requests(), [""; 0]);
    }

    // One certificate of a bundle that nobody accepts does not take the others away.
    let file = world.authority.certificate().with_file_name("bundle.pem");
    fs::write(&file, body(&format!("AAAA{end}"))).unwrap();
    let bundle = ("AWS_CA_BUNDLE", text(&file));
    let answer = world.list("", &[world.https_proxy(), bundle]);
    assert_listed(&answer);
    let note = "a CA certificate is left out: certificate 2: ";
    assert!(answer.stderr().contains(note), "{answer:?}");
}

#[test]
fn a_host_in_no_proxy_is_reached_directly() {
    let world = World::start(None);
    let port = world.tls.address().port();
    for (host, no_proxy, through_proxy) in [
        ("127.0.0.1", "127.0.0.1", false),
        ("127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", false),
        ("127.0.0.1", "example.com", true),
        ("localhost", "localhost", false),
        ("localhost", "*", false),
        ("localhost", "example.com", true),
    ] {
        let endpoint = format!("retries = 0\nendpoint = \"https://{host}:{port}\"");
        let around = ("NO_PROXY", no_proxy.to_owned());
        let answer = world.list(&endpoint, &[world.https_proxy(), world.bundle(), around]);
        assert_listed(&answer);
        let connects = world.proxy.take_requests();
        assert_eq!(!connects.is_empty(), through_proxy, "{host} {no_proxy}");
    }

    // Nobody listens where the proxy should be led around.
    let dead = "retries = 0\nendpoint = \"https://127.0.0.1:1\"";
    let no_proxy = ("NO_PROXY", "127.0.0.0/8".to_owned());
    let answer = world.list(dead, &[world.https_proxy(), world.bundle(), no_proxy]);
    assert_refused(&answer, &["connection failed", "NO_PROXY"]);
    assert_eq!(world.proxy.take_requests(), [""; 0]);
}

#[test]
fn fips_and_dual_stack_and_every_partition_have_their_own_endpoints() {
    let world = World::start(None);
    for (settings, environment, host) in [
        ("fips = true", None, "kms-fips.us-east-1.amazonaws.com"),
        ("dualstack = true", None, "kms.us-east-1.api.aws"),
        (
            "fips = true\ndualstack = true",
            None,
            "kms-fips.us-east-1.api.aws",
        ),
        (
            "",
            Some("AWS_USE_FIPS_ENDPOINT"),
            "kms-fips.us-east-1.amazonaws.com",
        ),
        (
            "",
            Some("AWS_USE_DUALSTACK_ENDPOINT"),
            "kms.us-east-1.api.aws",
        ),
        ("fips = false", Some("AWS_USE_FIPS_ENDPOINT"), KMS),
        ("dualstack = false", Some("AWS_USE_DUALSTACK_ENDPOINT"), KMS),
        (
            "region = \"cn-north-1\"",
            None,
            "kms.cn-north-1.amazonaws.com.cn",
        ),
        (
            "region = \"us-gov-west-1\"",
            None,
            "kms.us-gov-west-1.amazonaws.com",
        ),
    ] {
        let mut variables = vec![world.https_proxy(), world.bundle()];
        variables.extend(environment.map(|name| (name, "true".to_owned())));
        let answer = world.list(settings, &variables);
        assert!(answer.success(), "{answer:?}");
        let connects = world.proxy.take_requests();
        assert!(
            connects.contains(&format!("{host}:443 200")),
            "{settings}: {connects:?}"
        );
    }
}

#[test]
fn the_role_of_a_profile_is_assumed_where_fips_and_dual_stack_say() {
    let world = World::start(None);
    let profiles = "[profile signing]\nrole_arn = arn:aws:iam::111122223333:role/signer\n\
                    source_profile = user\n\
                    [profile user]\naws_access_key_id = test\naws_secret_access_key = test\n";
    for (settings, environment, host) in [
        ("", None, "sts.us-east-1.amazonaws.com"),
        ("fips = true", None, "sts-fips.us-east-1.amazonaws.com"),
        ("dualstack = true", None, "sts.us-east-1.api.aws"),
        (
            "",
            Some("AWS_USE_FIPS_ENDPOINT"),
            "sts-fips.us-east-1.amazonaws.com",
        ),
    ] {
        let mut variables = vec![
            world.https_proxy(),
            world.bundle(),
            ("AWS_CONFIG_FILE", "aws-config".to_owned()),
        ];
        variables.extend(environment.map(|name| (name, "true".to_owned())));
        let settings = format!("profile = \"signing\"\nretries = 0\n{settings}");
        world.list_with_profiles(&settings, &variables, profiles);
        // The server behind the proxy is no STS: which one was meant is what counts.
        let connects = world.proxy.take_requests();
        assert!(
            connects
                .first()
                .is_some_and(|first| first.starts_with(&format!("{host}:443 "))),
            "{settings}: {connects:?}"
        );
    }
}

/// A KMS with one key behind TLS behind a proxy.
struct World {
    emulator: Emulator,
    authority: Authority,
    tls: TlsFront,
    proxy: ForwardProxy,
}

impl World {
    fn start(user_and_password: Option<&str>) -> Self {
        let emulator = Emulator::start(Options::default()).unwrap();
        emulator
            .create_keys(&NewKeys::new(1, "ECC_NIST_P256", "SIGN_VERIFY"))
            .unwrap();
        let authority = Authority::new();
        let tls = TlsFront::start(&authority.issue(NAMES), &emulator.endpoint());
        let proxy = ForwardProxy::start(tls.address(), user_and_password);
        Self {
            emulator,
            authority,
            tls,
            proxy,
        }
    }

    fn https_proxy(&self) -> (&'static str, String) {
        ("HTTPS_PROXY", self.proxy.url())
    }

    fn bundle(&self) -> (&'static str, String) {
        ("AWS_CA_BUNDLE", text(&self.authority.certificate()))
    }

    /// What pkcs11-tool lists of a token with these settings, in an environment with these variables.
    fn list(&self, settings: &str, variables: &[(&str, String)]) -> Finished {
        self.list_with_profiles(settings, variables, "")
    }

    fn list_with_profiles(
        &self,
        settings: &str,
        variables: &[(&str, String)],
        profiles: &str,
    ) -> Finished {
        let region = if settings.contains("region") {
            String::new()
        } else {
            format!("region = \"{REGION}\"\n")
        };
        let config = format!("[[token]]\n{region}{settings}\n");
        let endpoint = self.emulator.endpoint();
        let token = Token::kms_with_config(&endpoint, &AccessKey::test(), "aws-kms", &config);
        fs::write(token.directory().join("aws-config"), profiles).unwrap();
        let module = text(&token.module);
        // The names of AWS's own endpoints are what this is about.
        run(token
            .command("pkcs11-tool")
            .env_remove("AWS_ENDPOINT_URL")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .args(["--module", &module, "-O", "--type", "pubkey"]))
    }
}

#[track_caller]
fn assert_listed(answer: &Finished) {
    assert!(answer.success(), "{answer:?}");
    assert!(answer.stdout().contains("Public Key Object"), "{answer:?}");
}

/// Requires that nothing was listed, and that one line of the log has all of these words.
#[track_caller]
fn assert_refused(answer: &Finished, words: &[&str]) {
    assert!(!answer.stdout().contains("Public Key Object"), "{answer:?}");
    let log = answer.stderr();
    let mut lines = log.lines();
    let precise = lines.any(|line| words.iter().all(|word| line.contains(word)));
    assert!(precise, "{words:?}: {answer:?}");
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
