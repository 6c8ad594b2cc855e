use std::io::Write;
use std::time::Duration;

use super::caller::CallerRule;
use tracing::level_filters::LevelFilter;

use super::log::LEVELS;
use super::selection::Selection;
use super::token::{OnDestroy, RandomSource};
use super::*;
use crate::kms::{EncryptionContext, KeySpec, KeyUsage, Tags};

const EXAMPLE: &str = include_str!("../../docs/config.example.toml");
const MANUAL: &str = include_str!("../../docs/configuration.md");

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read(&Source::new("config.toml".into(), text.into())?)
}

/// A token with these lines in its section.
pub(crate) fn read_token(settings: &str) -> TokenConfig {
    let config = read(&format!("[[token]]\n{settings}")).unwrap();
    config.tokens.into_iter().next().unwrap()
}

fn complaint(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn a_file_without_tokens_has_the_default_one() {
    let config = read("").unwrap();
    assert_eq!(config.file, Some("config.toml".into()));
    assert_eq!(config.tokens, [TokenConfig::default()]);
    assert_eq!(config.tokens[0].label.as_str(), "aws-kms");
    assert_eq!(config.tokens[0].description.as_str(), "kms-pkcs11");
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(read_token(""), TokenConfig::default());
}

#[test]
fn the_example_is_read_and_its_last_token_spells_out_the_defaults() {
    let config = read(EXAMPLE).unwrap();
    let [
        ca,
        signing,
        tests,
        proxied,
        chained,
        guarded,
        by_user,
        everywhere,
        default,
    ] = &config.tokens[..]
    else {
        panic!("{config:?}");
    };

    assert_eq!(ca.label.as_str(), "cluster-ca");
    assert_eq!(ca.region.as_ref().unwrap().as_str(), "eu-west-1");
    assert_eq!(ca.tags()["TeleportCluster"], "teleport.example.com");
    assert_eq!(ca.deletion_window_days, 7);
    let directory = Some("/var/lib/kms-pkcs11/cluster-ca".into());
    assert_eq!(ca.certificate_directory, directory);

    let Selection::Keys(keys) = &signing.selection else {
        panic!("{signing:?}");
    };
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].as_str(), "alias/release-signing");
    assert_eq!(*signing.tags(), Tags::new());
    assert_eq!(signing.on_destroy, OnDestroy::Refuse);
    let chain = PathBuf::from("/etc/kms-pkcs11/release-signing-chain.pem");
    assert_eq!(signing.certificates, [chain]);

    let endpoint = tests.endpoint.as_ref().unwrap();
    assert_eq!(endpoint.as_str(), "http://127.0.0.1:8080");

    assert_eq!(proxied.profile.as_ref().unwrap().as_str(), "signing");
    assert_eq!(proxied.fips, Some(true));
    assert_eq!(proxied.ca_bundle, Some("/etc/ssl/proxy-ca.pem".into()));

    let regions = everywhere.replicas.regions.iter();
    let regions: Vec<&str> = regions.map(|replica| replica.region.as_str()).collect();
    assert_eq!(regions, ["eu-central-1", "us-east-1"]);
    assert!(everywhere.replicas.multi_region);

    assert_eq!(chained.roles.len(), 2);
    assert_eq!(chained.roles[1].duration, Some(Duration::from_mins(30)));

    let [rule] = &guarded.caller.allow[..] else {
        panic!("{guarded:?}");
    };
    let instance = "arn:aws:sts::333333333333:assumed-role/auth-role/i-0123";
    assert!(rule.describes("333333333333", instance));
    assert!(matches!(guarded.pin, PinMode::Verify(_)));
    assert_eq!(by_user.pin, PinMode::Credentials);

    assert_eq!(*default, TokenConfig::default());
    assert_eq!(config.log.level, LogConfig::default().level);
    let file = LogTarget::File("/var/log/kms-pkcs11.log".into());
    assert_eq!(config.log.target, file);
    assert_eq!(
        config.log.audit,
        Audit::File("/var/log/kms-pkcs11-audit.log".into())
    );
    let metrics = config.metrics.file.unwrap();
    assert_eq!(
        metrics,
        PathBuf::from("/var/lib/node_exporter/kms-pkcs11.prom")
    );
}

#[test]
fn every_setting_is_read_into_its_own_place() {
    let token = read_token(
        r#"
        label = "b"
        region = "eu-north-1"
        profile = "signing"
        fips = true
        dualstack = false
        ca_bundle = "/etc/ca.pem"
        tags = { Team = "payments", "cost centre" = "" }
        new_key_tags = { Owner = "ops" }
        discovery = "list-keys"
        certificates = ["/etc/chain.pem", "/etc/root.pem"]
        certificate_directory = "/var/lib/certificates"
        on_destroy = "disable"
        deletion_window_days = 8
        rsa_usage_when_both = "decrypt"
        import_lifetime_days = 365
        description = ""
        policy_file = "/etc/policy.json"
        multi_region = true
        replica_regions = ["us-east-1", "ap-south-1"]
        replica_endpoints = { us-east-1 = "http://127.0.0.1:1", ap-south-1 = "http://127.0.0.1:2" }
        failover = false
        hedge_after = 0.05
        random = "local"
        verify_signatures = false
        encryption_context = { application = "recordings", "a b" = "" }
        deadline = 1
        account = "111122223333"
        allow = [{ aws_account = "111122223333" }, { aws_arn = "arn:aws:sts::*:assumed-role/a/*" }]
        pin = "credentials"
        connect_timeout = 0.25
        attempt_timeout = 1_000
        retries = 0
        listing_deadline = 4
        key_ready_timeout = 0x05
        refresh_interval = 86400
        miss_refresh_interval = 1e-3
        concurrency = 64
        rates = { rsa = 1, ecc = 2, ml_dsa = 3, ml_kem = 4, symmetric = 5, listing = 1_000_000 }
        "#,
    );
    let tags = [("Team", "payments"), ("cost centre", "")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let context = [("application", "recordings"), ("a b", "")];
    let context = context.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let expected = TokenConfig {
        label: "b".parse().unwrap(),
        region: Some("eu-north-1".parse().unwrap()),
        endpoint: None,
        profile: Some("signing".parse().unwrap()),
        fips: Some(true),
        dualstack: Some(false),
        ca_bundle: Some("/etc/ca.pem".into()),
        roles: Vec::new(),
        caller: CallerRules {
            account: Some("111122223333".parse().unwrap()),
            allow: vec![
                CallerRule {
                    account: Some("111122223333".parse().unwrap()),
                    arn: None,
                },
                CallerRule {
                    account: None,
                    arn: Some("arn:aws:sts::*:assumed-role/a/*".parse().unwrap()),
                },
            ],
        },
        pin: PinMode::Credentials,
        selection: Selection::Tags(Tags::from(tags)),
        discovery: Discovery::ListKeys,
        new_key_tags: Tags::from([("Owner".to_owned(), "ops".to_owned())]),
        rates: Rates {
            rsa: 1,
            ecc: 2,
            ml_dsa: 3,
            ml_kem: 4,
            symmetric: 5,
            listing: 1_000_000,
        },
        certificates: vec!["/etc/chain.pem".into(), "/etc/root.pem".into()],
        certificate_directory: Some("/var/lib/certificates".into()),
        on_destroy: OnDestroy::Disable,
        deletion_window_days: 8,
        rsa_usage_when_both: token.rsa_usage_when_both,
        import_lifetime_days: Some(365),
        description: "".parse().unwrap(),
        policy_file: Some("/etc/policy.json".into()),
        replicas: Replicas {
            regions: [
                ("us-east-1", "http://127.0.0.1:1"),
                ("ap-south-1", "http://127.0.0.1:2"),
            ]
            .map(|(region, endpoint)| Replica {
                region: region.parse().unwrap(),
                endpoint: endpoint.parse().ok(),
            })
            .into(),
            multi_region: true,
            failover: false,
            hedge_after: Some(Duration::from_millis(50)),
        },
        random: RandomSource::Local,
        verify_signatures: false,
        encryption_context: EncryptionContext::from(context),
        deadline: Duration::from_secs(1),
        connect_timeout: Duration::from_millis(250),
        attempt_timeout: Duration::from_secs(1000),
        retries: 0,
        listing_deadline: Duration::from_secs(4),
        key_ready_timeout: Duration::from_secs(5),
        refresh_interval: Duration::from_hours(24),
        miss_refresh_interval: Duration::from_millis(1),
        concurrency: 64,
    };
    assert_eq!(token, expected);
}

#[test]
fn the_roles_of_a_chain_are_read_in_their_order() {
    let token = read_token(
        r#"
        [[token.assume_role]]
        role_arn = "arn:aws:iam::111122223333:role/gate"
        duration = 43200
        [[token.assume_role]]
        role_arn = "arn:aws:iam::444455556666:role/signer"
        external_id = "teleport"
        session_name = "host-1"
        duration = 900
        region = "eu-west-1"
        policy = '{"Version": "2012-10-17"}'
        "#,
    );
    let gate = RoleConfig {
        arn: "arn:aws:iam::111122223333:role/gate".parse().unwrap(),
        external_id: None,
        session_name: None,
        duration: Some(Duration::from_hours(12)),
        region: None,
        policy: None,
    };
    let signer = RoleConfig {
        arn: "arn:aws:iam::444455556666:role/signer".parse().unwrap(),
        external_id: Some("teleport".parse().unwrap()),
        session_name: Some("host-1".parse().unwrap()),
        duration: Some(Duration::from_mins(15)),
        region: Some("eu-west-1".parse().unwrap()),
        policy: Some(r#"{"Version": "2012-10-17"}"#.parse().unwrap()),
    };
    assert_eq!(token.roles, [gate, signer]);
}

#[test]
fn the_usage_of_rsa_keys_is_set_for_all_sizes_or_for_each() {
    use KeyUsage::{EncryptDecrypt, SignVerify};
    for (settings, expected) in [
        ("", [SignVerify, SignVerify, EncryptDecrypt]),
        ("rsa_usage_when_both = 'sign'", [SignVerify; 3]),
        ("rsa_usage_when_both = 'decrypt'", [EncryptDecrypt; 3]),
        (
            "rsa_usage_when_both = { 3072 = 'decrypt', 4096 = 'sign' }",
            [SignVerify, EncryptDecrypt, SignVerify],
        ),
        (
            "rsa_usage_when_both.2048 = 'decrypt'",
            [EncryptDecrypt, SignVerify, EncryptDecrypt],
        ),
    ] {
        let usage = read_token(settings).rsa_usage_when_both;
        let specs = [KeySpec::Rsa2048, KeySpec::Rsa3072, KeySpec::Rsa4096];
        assert_eq!(specs.map(|spec| usage.of(spec)), expected.map(Some));
        assert_eq!(usage.of(KeySpec::EccNistP256), None);
    }
}

#[test]
fn every_level_has_its_name() {
    for (name, level) in LEVELS {
        let config = read(&format!("[log]\nlevel = '{name}'")).unwrap();
        assert_eq!(config.log.level, level);
        assert_eq!(level.to_string(), name);
    }
}

#[test]
fn an_unknown_key_is_reported_with_line_column_and_the_known_ones() {
    for (text, expected) in [
        (
            "[[token]]\nlabel = \"a\"\n  lable = \"b\"",
            "3:3: unknown key \"lable\" in token; allowed: label, region, endpoint, \
             profile, fips, dualstack, ca_bundle, assume_role, account, allow, pin, pin_hash, \
             pin_hash_file, tags, keys, discovery, \
             certificates, certificate_directory, on_destroy, deletion_window_days, \
             rsa_usage_when_both, import_lifetime_days, description, new_key_tags, policy_file, multi_region, \
             replica_regions, replica_endpoints, failover, hedge_after, random, verify_signatures, \
             encryption_context, deadline, connect_timeout, attempt_timeout, listing_deadline, key_ready_timeout, \
             refresh_interval, miss_refresh_interval, retries, concurrency, rates",
        ),
        (
            "[logging]\nlevel = \"warn\"",
            "1:2: unknown key \"logging\" in the file; allowed: token, log, metrics, host",
        ),
        (
            "[log]\nlevel = \"warn\"\nb = 1\na = 2",
            "3:1: unknown key \"b\" in log; allowed: level, target, file, format, \
             syslog_socket, audit",
        ),
        (
            "[[token]]\nrsa_usage_when_both = { 1024 = \"sign\" }",
            "2:25: unknown key \"1024\" in rsa_usage_when_both; allowed: 2048, 3072, 4096",
        ),
    ] {
        assert_eq!(complaint(text), format!("config.toml:{expected}"));
    }
}

#[test]
fn a_value_that_is_not_allowed_is_reported_with_line_column_and_what_is() {
    for (text, expected) in [
        ("[[token]]\nlabel = 7", "2:9: label is 7; allowed: a string"),
        (
            "[[token]]\nlabel = \"\"",
            "2:9: label is \"\"; allowed: 1 to 32 bytes of UTF-8, no control characters, no blank \
             at the end",
        ),
        (
            "[[token]]\nregion = \"EU\"",
            "2:10: region is \"EU\"; allowed: the name of a region, such as \"eu-west-1\"",
        ),
        (
            "[[token]]\non_destroy = \"delete\"",
            "2:14: on_destroy is \"delete\"; allowed: \"schedule\", \"disable\", \"refuse\"",
        ),
        (
            "[[token]]\nrandom = true",
            "2:10: random is true; allowed: \"kms\", \"local\"",
        ),
        (
            "[[token]]\nmulti_region = 1",
            "2:16: multi_region is 1; allowed: true, false",
        ),
        (
            "[[token]]\npolicy_file = \"policy.json\"",
            "2:15: policy_file is \"policy.json\"; allowed: an absolute path",
        ),
        (
            "[[token]]\nrsa_usage_when_both = { 2048 = \"both\" }",
            "2:32: 2048 is \"both\"; allowed: \"sign\", \"decrypt\"",
        ),
        (
            "[[token]]\ndeletion_window_days = 6",
            "2:24: deletion_window_days is 6; allowed: an integer from 7 to 30",
        ),
        (
            "[[token]]\nretries = 2.5",
            "2:11: retries is 2.5; allowed: an integer from 0 to 20",
        ),
        (
            "[[token]]\ntags = { Team = \"a\", \"p11:label\" = \"b\" }",
            "2:22: tags is \"p11:label\"; allowed: 1 to 128 letters, digits, blanks or any of \
             _.:/=+-@, not beginning with aws: or p11:",
        ),
        (
            "[[token]]\n[token.tags]\nTeam = \"a&b\"",
            "3:8: tags is \"a&b\"; allowed: at most 256 letters, digits, blanks or any of _.:/=+-@",
        ),
        (
            "[[token]]\ntags = {}",
            "2:8: tags is an empty table; allowed: a table of 1 to 40 tags, such as { Team = \
             \"payments\" }",
        ),
        (
            "[[token]]\nkeys = [\n  \"alias/a\",\n  \"b\",\n]",
            "4:3: keys is \"b\"; allowed: a key id, \"alias/…\", or the ARN of a key or alias of KMS",
        ),
        (
            "[[token]]\nkeys = []",
            "2:8: keys is an empty array; allowed: an array of at least one key id, alias or ARN",
        ),
        (
            "[[token]]\ncertificates = []",
            "2:16: certificates is an empty array; allowed: an array of at least one absolute path",
        ),
        (
            "[[token]]\ncertificates = [\n  \"/etc/chain.pem\",\n  \"root.pem\"\n]",
            "4:3: certificates is \"root.pem\"; allowed: an absolute path",
        ),
        (
            "[[token]]\ncertificate_directory = \"certificates\"",
            "2:25: certificate_directory is \"certificates\"; allowed: an absolute path",
        ),
        (
            "[[token]]\nlabel = \"a\"\n[[token]]\nregion = \"local\"\nlabel = \"a\"",
            "5:9: label is another token's, too; allowed: one that is not",
        ),
        (
            "[[token]]\n[[token]]",
            "2:1: label is another token's, too; allowed: one that is not",
        ),
        (
            "[token]\nlabel = \"a\"",
            "1:1: token is a table; allowed: [[token]], once for each",
        ),
    ] {
        assert_eq!(complaint(text), format!("config.toml:{expected}"));
    }
}

#[test]
fn a_value_of_log_or_metrics_that_is_not_allowed_is_reported_in_the_same_way() {
    for (text, expected) in [
        ("log = \"warn\"", "1:7: log is \"warn\"; allowed: a table"),
        (
            "[log]\nlevel = \"verbose\"",
            "2:9: level is \"verbose\"; allowed: \"off\", \"error\", \"warn\", \"info\", \
             \"debug\", \"trace\"",
        ),
        (
            "[log]\nfile = \"kms.log\"",
            "2:8: file is \"kms.log\"; allowed: an absolute path",
        ),
        (
            "[log]\ntarget = \"journald\"",
            "2:10: target is \"journald\"; allowed: \"stderr\", \"file\", \"syslog\"",
        ),
        (
            "[log]\ntarget = \"file\"",
            "2:10: target is \"file\" and there is no file; allowed: both of them",
        ),
        (
            "[log]\ntarget = \"syslog\"\nfile = \"/a\"",
            "3:8: file beside another target; allowed: target = \"file\", or none",
        ),
        (
            "[log]\nformat = \"xml\"",
            "2:10: format is \"xml\"; allowed: \"text\", \"json\"",
        ),
        (
            "[log]\naudit = \"audit.log\"",
            "2:9: audit is \"audit.log\"; allowed: \"off\", \"log\", an absolute path",
        ),
        (
            "[metrics]\nfile = \"kms.prom\"",
            "2:8: file is \"kms.prom\"; allowed: an absolute path",
        ),
    ] {
        assert_eq!(complaint(text), format!("config.toml:{expected}"));
    }
}

#[test]
fn a_mistake_in_the_way_to_aws_is_reported_with_line_column_and_what_is_allowed() {
    for (text, expected) in [
        (
            "[[token]]\nfips = \"yes\"",
            "2:8: fips is \"yes\"; allowed: true, false",
        ),
        (
            "[[token]]\ndualstack = true\nendpoint = \"https://kms.example.com\"",
            "2:13: dualstack beside endpoint; allowed: one of the two",
        ),
        (
            "[[token]]\nassume_role = \"signer\"",
            "2:15: assume_role is \"signer\"; allowed: [[token.assume_role]], once for each role of \
             the chain",
        ),
        (
            "[[token]]\n[[token.assume_role]]\nexternal_id = \"teleport\"",
            "2:1: assume_role has no role_arn; allowed: the ARN of an IAM role",
        ),
        (
            "[[token]]\n[[token.assume_role]]\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\n\
             [[token.assume_role]]\nrole_arn = \"arn:aws:iam::111122223333:role/b\"\n\
             duration = 7200",
            "6:12: duration is 7200; allowed: an integer from 900 to 3600",
        ),
        (
            "[[token]]\nprofile = \"\"",
            "2:11: profile is \"\"; allowed: the name of an AWS profile",
        ),
        (
            "[[token]]\nca_bundle = \"ca.pem\"",
            "2:13: ca_bundle is \"ca.pem\"; allowed: an absolute path",
        ),
    ] {
        assert_eq!(complaint(text), format!("config.toml:{expected}"));
    }
}

#[test]
fn a_mistake_in_identity_or_pin_is_reported_and_a_pin_never_repeated() {
    let hash = format!(
        "$pbkdf2-sha256$i=600000${}${}",
        "A".repeat(22),
        "A".repeat(43)
    );
    for (text, expected) in [
        (
            "[[token]]\naccount = 111122223333".to_owned(),
            "2:11: account is 111122223333; allowed: a string",
        ),
        (
            "[[token]]\naccount = \"1111\"".to_owned(),
            "2:11: account is \"1111\"; allowed: the 12 digits of an AWS account",
        ),
        (
            "[[token]]\nallow = [{}]".to_owned(),
            "2:10: a rule of allow says nothing; allowed: aws_account, aws_arn, or both",
        ),
        (
            "[[token]]\nallow = [{ aws_role = \"a\" }]".to_owned(),
            "2:12: unknown key \"aws_role\" in allow; allowed: aws_account, aws_arn",
        ),
        (
            "[[token]]\npin = \"1234\"".to_owned(),
            "2:7: pin is \"1234\"; allowed: \"any\", \"verify\", \"credentials\"",
        ),
        (
            "[[token]]\npin = \"verify\"".to_owned(),
            "2:7: pin is \"verify\"; allowed: beside one of pin_hash and pin_hash_file",
        ),
        (
            format!("[[token]]\npin_hash = \"{hash}\""),
            "2:12: pin_hash is of no use here; allowed: one of pin_hash and pin_hash_file, beside pin = \"verify\"",
        ),
        (
            format!("[[token]]\npin = \"verify\"\npin_hash = \"{hash}\"\npin_hash_file = \"/a\""),
            "4:17: pin_hash_file is of no use here; allowed: one of pin_hash and pin_hash_file, beside \
             pin = \"verify\"",
        ),
    ] {
        assert_eq!(complaint(&text), format!("config.toml:{expected}"));
    }
    for secret in ["swordfish", &hash.replace("600000", "6")] {
        let text = format!("[[token]]\npin = \"verify\"\npin_hash = \"{secret}\"");
        let said = complaint(&text);
        assert!(
            said.starts_with("config.toml:3:12: pin_hash has another form; allowed: $pbkdf2"),
            "{said}"
        );
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_duration_is_a_number_of_seconds_above_zero_and_within_a_day() {
    for value in [
        "0", "0.0", "-1", "-0.5", "86401", "86400.5", "1e300", "nan", "inf", "'5s'",
    ] {
        let text = complaint(&format!("[[token]]\ndeadline = {value}"));
        let allowed = "allowed: a number of seconds above 0, at most 86400 (a day)";
        assert!(text.starts_with("config.toml:2:12: deadline is "), "{text}");
        assert!(text.ends_with(allowed), "{text}");
    }
    let too_small = complaint("[[token]]\ndeadline = 1e-12");
    assert!(too_small.contains("deadline is 1e-12"), "{too_small}");
}

#[test]
fn text_that_is_not_toml_is_reported_where_it_ends_to_be() {
    for (text, position) in [
        ("[[token]\nlabel = 1", "config.toml:1:"),
        ("[[token]]\nlabel = ", "config.toml:2:"),
        (
            "[[token]]\nlabel = \"a\"\nlabel = \"b\"",
            "config.toml:3:1: ",
        ),
        ("[[token]]\n\n\nlabel \"a\"", "config.toml:4:"),
    ] {
        let text = complaint(text);
        assert!(text.starts_with(position), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}

#[test]
fn columns_count_characters() {
    let text = complaint("[[token]]\ntags = { \"ключ\" = \"ü\", a = 1 }");
    assert_eq!(text, "config.toml:2:28: tags is 1; allowed: a string");
}

#[test]
fn a_byte_that_is_not_utf_8_is_reported_where_it_is() {
    let contents = b"[[token]]\nlabel = \"\xff\"".to_vec();
    let error = Source::new("config.toml".into(), contents).map(|_| ());
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "config.toml:2:10: a byte that is not UTF-8");
}

#[test]
fn a_token_has_at_most_40_tags() {
    let with_tags = |count: usize| {
        let tags: Vec<String> = (0..count).map(|i| format!("t{i} = 'x'")).collect();
        read(&format!("[[token]]\ntags = {{ {} }}", tags.join(", ")))
    };
    assert_eq!(with_tags(40).unwrap().tokens[0].tags().len(), 40);
    let text = with_tags(41).unwrap_err().to_string();
    assert!(text.contains("allowed: a table of 1 to 40 tags"), "{text}");
}

#[test]
fn the_environment_names_the_file_and_overrides_its_level() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[log]\nlevel = \"error\"").unwrap();
    let load = |level: &str| {
        let env = |name: &str| match name {
            "KMS_PKCS11_CONFIG" => Some(file.path().into()),
            "KMS_PKCS11_LOG" => Some(level.into()),
            _ => None,
        };
        Config::load(None, &env)
    };
    let config = load("").unwrap();
    assert_eq!(config.file.as_deref(), Some(file.path()));
    assert_eq!(config.log.level, LevelFilter::ERROR);
    assert_eq!(load("Debug").unwrap().log.level, LevelFilter::DEBUG);
    assert_eq!(
        load("all").unwrap_err().to_string(),
        "environment variable KMS_PKCS11_LOG is \"all\"; allowed, with commas between: off, error, warn, \
         info, debug, trace, text, json, stderr, syslog, an absolute path"
    );
}

#[test]
fn the_manual_lists_exactly_the_keys_that_are_allowed() {
    for (heading, unknown) in [
        ("## `[[token]]`", "[[token]]\nunknown = 1"),
        (
            "### `rsa_usage_when_both`",
            "[[token]]\nrsa_usage_when_both.unknown = 1",
        ),
        (
            "### `[[token.assume_role]]`",
            "[[token]]\n[[token.assume_role]]\n\
             role_arn = \"arn:aws:iam::111122223333:role/a\"\nunknown = 1",
        ),
        ("### Rates", "[[token]]\nrates.unknown = 1"),
        ("## `[log]`", "[log]\nunknown = 1"),
        ("## `[host]`", "[host]\nunknown = 1"),
        ("## `[metrics]`", "[metrics]\nunknown = 1"),
    ] {
        let text = complaint(unknown);
        let (_, allowed) = text.split_once("allowed: ").unwrap();
        let allowed: Vec<&str> = allowed.split(", ").collect();
        let documented: Vec<&str> = manual_rows(heading).map(|row| row[0]).collect();
        assert_eq!(documented, allowed, "{heading}");
    }
}

#[test]
fn the_defaults_of_the_manual_are_the_defaults() {
    let settings = |heading| {
        let rows = manual_rows(heading).filter(|row| row[3] != "none");
        let lines: Vec<String> = rows.map(|row| format!("{} = {}", row[0], row[3])).collect();
        lines.join("\n")
    };
    let token = settings("## `[[token]]`");
    assert!(token.contains("deadline = 15\n"), "{token}");
    assert_eq!(read_token(&token), TokenConfig::default());

    let sizes = settings("### `rsa_usage_when_both`");
    assert!(sizes.contains("4096 = \"decrypt\""), "{sizes}");
    let sizes = read_token(&format!("[token.rsa_usage_when_both]\n{sizes}"));
    assert_eq!(sizes, TokenConfig::default());

    let rates = settings("### Rates");
    assert!(rates.contains("symmetric = 10000"), "{rates}");
    let rates = read_token(&format!("[token.rates]\n{rates}"));
    assert_eq!(rates, TokenConfig::default());

    let log = settings("## `[log]`");
    assert!(log.contains("level = \"warn\""), "{log}");
    assert_eq!(
        read(&format!("[log]\n{log}")).unwrap().log,
        LogConfig::default()
    );

    let host = settings("## `[host]`");
    assert!(host.contains("if-allowed"), "{host}");
    assert_eq!(
        read(&format!("[host]\n{host}")).unwrap().host,
        HostConfig::default()
    );

    let metrics = settings("## `[metrics]`");
    assert!(metrics.contains("interval = 15"), "{metrics}");
    assert_eq!(
        read(&format!("[metrics]\n{metrics}")).unwrap().metrics,
        MetricsConfig::default()
    );
}

#[test]
fn the_log_goes_where_the_file_says_and_the_environment_says_otherwise() {
    let of_file = |text: &str| read(&format!("[log]\n{text}")).unwrap().log;
    let with = |log: &LogConfig, words: &str| {
        let mut log = log.clone();
        log.heed(&|_| Some(words.into())).map(|()| log)
    };
    let file = |path: &str| LogTarget::File(path.into());
    assert_eq!(of_file("").target, LogTarget::Stderr);
    assert_eq!(of_file("target = 'stderr'").target, LogTarget::Stderr);
    assert_eq!(of_file("file = '/a'").target, file("/a"));
    assert_eq!(of_file("target = 'file'\nfile = '/a'").target, file("/a"));

    let syslog = of_file(
        "level = 'error'\ntarget = 'syslog'\nsyslog_socket = '/run/log'\nformat = 'json'\naudit = '/b'",
    );
    let expected = LogConfig {
        level: LevelFilter::ERROR,
        target: LogTarget::Syslog,
        format: LogFormat::Json,
        syslog_socket: "/run/log".into(),
        audit: Audit::File("/b".into()),
    };
    assert_eq!(syslog, expected);
    let overridden = with(&syslog, "Info, /C,text").unwrap();
    let expected = LogConfig {
        level: LevelFilter::INFO,
        target: file("/C"),
        format: LogFormat::Text,
        ..expected
    };
    assert_eq!(overridden, expected);
    let again = with(&overridden, "STDERR").unwrap();
    assert_eq!(again.target, LogTarget::Stderr);
    assert_eq!(with(&again, "syslog,error,json").unwrap(), syslog);
    for wrong in ["info,", ",", "info,kms.log", "info json"] {
        assert!(with(&syslog, wrong).is_err(), "{wrong}");
    }
}

/// The cells, without code marks, of the table below a heading of the manual.
fn manual_rows(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let (_, below) = MANUAL.split_once(&format!("\n{heading}\n")).unwrap();
    below
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().trim_matches('`')).collect()
        })
}

#[test]
fn a_way_to_find_keys_must_fit_the_selection_of_keys() {
    for (text, expected) in [
        (
            "discovery = \"all\"",
            "discovery is \"all\"; allowed: \"auto\", \"tagging-api\", \"list-keys\", \"explicit\"",
        ),
        (
            "discovery = \"tagging-api\"",
            "discovery is \"tagging-api\" without tags; allowed: beside tags",
        ),
        (
            "discovery = \"explicit\"",
            "discovery is \"explicit\" without keys; allowed: beside keys",
        ),
        (
            "discovery = \"list-keys\"\nkeys = [\"alias/a\"]",
            "discovery is \"list-keys\" beside keys; allowed: \"auto\", \"explicit\"",
        ),
    ] {
        let text = format!("[[token]]\n{text}");
        assert_eq!(complaint(&text), format!("config.toml:2:13: {expected}"));
    }
    assert_eq!(
        complaint("[[token]]\nkeys = [\"alias/a\"]\ntags = { a = \"b\" }"),
        "config.toml:2:8: keys beside tags; allowed: one of the two"
    );
}

#[test]
fn tags_of_new_keys_are_other_ones_than_the_tokens_and_few_enough() {
    let settings = "[[token]]\ntags = { a = \"b\" }\nnew_key_tags = ";
    assert_eq!(
        complaint(&format!("{settings}{{ a = \"c\" }}")),
        "config.toml:3:16: new_key_tags has a tag that is among tags; allowed: others"
    );
    let many: Vec<String> = (0..40).map(|n| format!("k{n} = \"\"")).collect();
    assert_eq!(
        complaint(&format!("{settings}{{ {} }}", many.join(", "))),
        "config.toml:3:16: new_key_tags is a table; allowed: a table of 1 to 39 tags, such as \
         { Team = \"payments\" }"
    );
}

#[test]
fn keys_are_multi_region_keys_where_regions_are_named_or_it_is_said() {
    let regions = "region = 'eu-west-1'\nreplica_regions = ['us-east-1']";
    for (settings, multi_region, count) in [
        (String::new(), false, 0),
        ("multi_region = true".to_owned(), true, 0),
        (regions.to_owned(), true, 1),
        (format!("{regions}\nmulti_region = false"), false, 1),
    ] {
        let replicas = read_token(&settings).replicas;
        assert_eq!(replicas.multi_region, multi_region, "{settings}");
        assert_eq!(replicas.regions.len(), count, "{settings}");
        assert!(replicas.failover, "{settings}");
        assert_eq!(replicas.hedge_after, None);
    }
    let mixed = read_token(
        "region = 'eu-west-1'\nreplica_regions = ['us-east-1', 'ap-south-1']\n\
         replica_endpoints = { ap-south-1 = 'https://kms.example' }",
    );
    let endpoints = mixed.replicas.regions.into_iter();
    let endpoints: Vec<Option<String>> = endpoints
        .map(|replica| replica.endpoint.map(|url| url.to_string()))
        .collect();
    assert_eq!(endpoints, [None, Some("https://kms.example".to_owned())]);
}

#[test]
fn replica_regions_are_others_and_their_settings_stand_beside_them() {
    let own = "[[token]]\nregion = \"eu-west-1\"\n";
    let many: Vec<String> = (0..11).map(|n| format!("\"r-{n}\"")).collect();
    let many = format!("replica_regions = [{}]", many.join(", "));
    for (settings, expected) in [
        (
            "replica_regions = []",
            "3:19: replica_regions is an empty array; allowed: an array of 1 to 10 regions other than \
             region, each once",
        ),
        (
            many.as_str(),
            "3:19: replica_regions is an array; allowed: an array of 1 to 10 regions other than region, \
             each once",
        ),
        (
            "replica_regions = [\"us-east-1\", \"eu-west-1\"]",
            "3:33: replica_regions is \"eu-west-1\"; allowed: regions other than region, each once",
        ),
        (
            "replica_regions = [\"us-east-1\", \"us-east-1\"]",
            "3:33: replica_regions is \"us-east-1\"; allowed: regions other than region, each once",
        ),
        (
            "replica_regions = [\"Ohio\"]",
            "3:20: replica_regions is \"Ohio\"; allowed: the name of a region, such as \"eu-west-1\"",
        ),
        (
            "replica_endpoints = { us-east-1 = \"https://a\" }",
            "3:21: replica_endpoints without replica_regions; allowed: beside replica_regions",
        ),
        (
            "failover = true",
            "3:12: failover without replica_regions; allowed: beside replica_regions",
        ),
        (
            "hedge_after = 1",
            "3:15: hedge_after without replica_regions; allowed: beside replica_regions",
        ),
        (
            "replica_regions = [\"us-east-1\"]\nreplica_endpoints = { us-east-2 = \"https://a\" }",
            "4:23: replica_endpoints is \"us-east-2\"; allowed: the regions of replica_regions",
        ),
        (
            "replica_regions = [\"us-east-1\"]\nreplica_endpoints = { us-east-1 = \"a\" }",
            "4:35: replica_endpoints is \"a\"; allowed: a URL that begins with http:// or https:// and \
             has neither user nor query",
        ),
        (
            "endpoint = \"https://a\"\nreplica_regions = [\"us-east-1\", \"us-east-2\"]\n\
             replica_endpoints = { us-east-1 = \"https://a\" }",
            "5:21: replica_endpoints without some replica region, beside endpoint; allowed: one for \
             each replica region",
        ),
    ] {
        let text = complaint(&format!("{own}{settings}"));
        assert_eq!(text, format!("config.toml:{expected}"));
    }
    assert_eq!(
        complaint("[[token]]\nreplica_regions = [\"us-east-1\"]"),
        "config.toml:2:19: replica_regions without region; allowed: beside region"
    );
}

#[test]
fn rates_are_read_by_family_and_have_bounds() {
    let rates = read_token("rates = { ecc = 3000, listing = 50 }").rates;
    let expected = Rates {
        ecc: 3000,
        listing: 50,
        ..Rates::default()
    };
    assert_eq!(rates, expected);
    assert_eq!(
        complaint("[[token]]\nrates = { ecc = 0 }"),
        "config.toml:2:17: ecc is 0; allowed: an integer from 1 to 1000000"
    );
}
