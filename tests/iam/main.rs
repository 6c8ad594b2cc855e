//! Least privilege: what a token does under the documented policies, and without each permission.
//!
//! MiniStack decides as IAM does: by the users and roles that ask, statements that allow and deny, tags of
//! keys and of requests. The emulator refuses on demand what MiniStack has no operations for
//! (DeriveSharedSecret, Decapsulate), and what it allows though AWS would not: making a key with tags without
//! kms:TagResource.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod calls;
mod cloud;
#[path = "../common_p11/mod.rs"]
mod common_p11;
mod matrix;
mod probes;
mod refusing;
mod tenant;

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use cloud::{Cloud, LEFT_OUT, SETTINGS, denying, lacking, only_tag_keys};
use common_p11::attribute::private_keys;
use cryptoki_sys::*;
use kms_pkcs11_testkit::documented_policy;
use matrix::{ROWS, Row, check};
use probes::{Outcome, PROBES, Probe, find};
use refusing::Refusing;
use tempfile::TempDir;

/// What the policies but the full one allow, of the probes.
const ALLOWED: [(&str, &[&str]); 2] = [
    ("sign-only", &["find a pair", "sign"]),
    (
        "first-client",
        &[
            "find a pair",
            "find an HMAC key",
            "sign",
            "decrypt",
            "unwrap",
            "generate a pair",
            "generate an HMAC key",
            "store a certificate",
            "rename",
            "destroy",
        ],
    ),
];

fn probe(name: &str) -> &'static Probe {
    PROBES.iter().find(|probe| probe.name == name).unwrap()
}

#[test]
fn each_documented_policy_allows_what_it_is_for_and_nothing_with_the_keys_of_others() {
    let mut cloud = Cloud::start();
    let full = documented_policy("full");
    let user = cloud.user("full", &full);
    cloud.assert_confined(&user);
    let role = cloud.role("full", &full);
    for (identity, settings) in [(user.into(), ""), (role, "on_destroy = \"disable\"")] {
        let tenant = cloud.tenant(&identity, settings);
        for probe in PROBES
            .iter()
            .filter(|probe| !LEFT_OUT.contains(&probe.name))
        {
            let outcome = probe.run(tenant.session(), &cloud.material);
            assert_eq!(outcome, Outcome::Done, "{}", probe.name);
        }
        assert_eq!(
            find(tenant.session(), CKO_PRIVATE_KEY, "foreign"),
            Err(Outcome::Hidden)
        );
        assert_eq!(tenant.logged("WARN"), [""; 0]);
    }
    for (name, allowed) in ALLOWED {
        let user = cloud.user(name, &documented_policy(name));
        cloud.assert_confined(&user);
        let tenant = cloud.tenant(&user.into(), "");
        for probe in PROBES
            .iter()
            .filter(|probe| !LEFT_OUT.contains(&probe.name))
        {
            let is_done = probe.run(tenant.session(), &cloud.material) == Outcome::Done;
            assert_eq!(
                is_done,
                allowed.contains(&probe.name),
                "{} under {name}",
                probe.name
            );
        }
        assert_eq!(
            find(tenant.session(), CKO_PRIVATE_KEY, "foreign"),
            Err(Outcome::Hidden)
        );
    }

    // Names may be written, certificates not.
    let names = ["TeleportCluster", "p11:id", "p11:label"];
    let user = cloud.user("names", &only_tag_keys(full, &names)).into();
    let tenant = cloud.tenant(&user, "");
    let run = |name| probe(name).run(tenant.session(), &cloud.material);
    assert_eq!(run("rename"), Outcome::Done);
    assert_eq!(
        run("store a certificate"),
        Outcome::Refused(CKR_FUNCTION_REJECTED)
    );
}

/// Each action in turn is denied to a user by a statement, and not allowed to a role.
#[test]
fn each_missing_permission_takes_its_own_functions_alone_and_is_told_once() {
    let mut cloud = Cloud::start();
    for row in ROWS.iter().filter(|row| is_enforced(row)) {
        let name = row.action.replace(':', "-");
        let full = documented_policy("full");
        let user = cloud.user(&name, &denying(full.clone(), row.action));
        let role = cloud.role(&name, &lacking(full, row.action));
        let tenant = cloud.tenant(&user.into(), row.settings);
        check(row, &tenant, &cloud.material, &LEFT_OUT);
        drop(tenant);
        // Making keys once is enough: they stay, and each makes all later listings longer.
        let made = PROBES.iter().filter(|probe| probe.makes_keys());
        let made = made.filter(|probe| row.outcome(probe) == Outcome::Done);
        let left_out: Vec<&str> = made.map(|probe| probe.name).chain(LEFT_OUT).collect();
        let tenant = cloud.tenant(&role, row.settings);
        check(row, &tenant, &cloud.material, &left_out);
    }
}

#[test]
fn the_same_holds_for_what_ministack_does_not_enforce() {
    let rows: Vec<&Row> = ROWS.iter().filter(|row| !is_enforced(row)).collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let kms = Refusing::start();
        kms.refuse(row.operation, row.action);
        let tenant = kms.tenant(SETTINGS);
        check(row, &tenant, &kms.material, &[]);
    }
}

/// Whether MiniStack has the operation, and denies it for lack of the action.
fn is_enforced(row: &Row) -> bool {
    !["DeriveSharedSecret", "Decapsulate"].contains(&row.operation)
        && row.action.ends_with(row.operation)
}

/// What symmetric keys need and no other keys: shown role by role in `tests/symmetric_ministack.rs`, and in
/// `tests/symmetric.rs` and `tests/rotation.rs` what MiniStack does not have. And what several regions need:
/// `tests/regions.rs`.
const TRIED_ELSEWHERE: [&str; 7] = [
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GetKeyRotationStatus",
    "kms:ListKeyRotations",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:ReplicateKey",
];

#[test]
fn every_documented_action_is_in_the_matrix_or_tried_elsewhere() {
    let full = documented_policy("full").to_string();
    let documented: BTreeSet<&str> = full
        .split('"')
        .filter(|word| word.starts_with("kms:"))
        .collect();
    let in_matrix = ROWS.iter().map(|row| row.action);
    assert_eq!(documented, in_matrix.chain(TRIED_ELSEWHERE).collect());
}

#[test]
fn who_may_not_ask_the_tagging_api_sees_its_keys_all_the_same_and_is_told_once() {
    const ACTION: &str = "tag:GetResources";
    let mut cloud = Cloud::start();
    let full = documented_policy("full");
    let allowed = cloud.user("allowed", &full);
    let denied = cloud.user("denied", &denying(full.clone(), ACTION));
    let lacking = cloud.role("lacking", &lacking(full, ACTION));
    let mut seen = Vec::new();
    for (identity, is_allowed) in [
        (allowed.into(), true),
        (denied.into(), false),
        (lacking, false),
    ] {
        let tenant = cloud.tenant_with_tagging(&identity);
        let session = tenant.session();
        let sign = || probe("sign").run(session, &cloud.material);
        assert_eq!((sign(), sign()), (Outcome::Done, Outcome::Done));
        seen.push(session.find(&[private_keys()]).unwrap().len());
        assert_eq!(
            find(session, CKO_PRIVATE_KEY, "foreign"),
            Err(Outcome::Hidden)
        );
        let requests = tenant.logged("INFO").join("\n");
        assert_eq!(
            requests.contains("ListResourceTags"),
            !is_allowed,
            "{requests}"
        );
        let warned = tenant.logged("WARN");
        if is_allowed {
            assert_eq!(warned, [""; 0]);
        } else {
            assert_eq!(warned.len(), 1, "{warned:#?}");
            let loss = format!("without {ACTION} all keys of the account are listed");
            assert!(warned[0].contains(&loss), "{warned:#?}");
        }
    }
    assert!(
        seen[0] > 1 && seen.iter().all(|count| *count == seen[0]),
        "{seen:?}"
    );
}

#[test]
fn a_permission_that_is_taken_away_once_more_is_told_once_more() {
    let kms = Refusing::start();
    let tenant = kms.tenant(SETTINGS);
    let sign = || probe("sign").run(tenant.session(), &kms.material);
    for times in 1..=2 {
        assert_eq!(sign(), Outcome::Done);
        kms.refuse("Sign", "kms:Sign");
        for _ in 0..3 {
            assert_eq!(sign(), Outcome::Refused(CKR_FUNCTION_REJECTED));
        }
        assert_eq!(tenant.logged("WARN").len(), times);
        kms.emulator.clear_faults();
    }
}

#[test]
fn a_token_of_all_keys_shows_those_whose_tags_may_not_be_read_under_their_aliases() {
    let kms = Refusing::start();
    kms.refuse("ListResourceTags", "kms:ListResourceTags");
    let tenant = kms.tenant("refresh_interval = 0.1");
    for _ in 0..3 {
        let found = tenant.session().find(&[private_keys()]).unwrap();
        assert_eq!(found.len(), 7);
        sleep(Duration::from_millis(200));
    }
    assert!(find(tenant.session(), CKO_PRIVATE_KEY, probes::ALIAS).is_ok());
    let warned = tenant.logged("WARN");
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("8 keys are shown without what their tags say"));
    assert!(warned[0].contains("without kms:ListResourceTags"));
}

#[test]
fn a_configured_key_that_may_not_be_described_is_told_of_once() {
    let kms = Refusing::start();
    let settings = format!(
        "keys = [\"alias/{}\"]\nmiss_refresh_interval = 0.1",
        probes::ALIAS
    );
    kms.refuse("DescribeKey", "kms:DescribeKey");
    let tenant = kms.tenant(&settings);
    for _ in 0..3 {
        let found = tenant.session().find(&[private_keys()]);
        assert_eq!(found, Err(CKR_FUNCTION_REJECTED));
    }
    let warned = tenant.logged("WARN");
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("is hidden") && warned[0].contains("without kms:DescribeKey"));
    kms.emulator.clear_faults();
    assert_eq!(tenant.session().find(&[private_keys()]).unwrap().len(), 1);
}

#[test]
fn a_listing_that_is_denied_in_the_background_is_told_of_once_and_the_last_one_stays() {
    let kms = Refusing::start();
    let tenant = kms.tenant(&format!("{SETTINGS}\nrefresh_interval = 0.1"));
    let find_signer = || find(tenant.session(), CKO_PRIVATE_KEY, "signer");
    let key = find_signer();
    kms.refuse("ListKeys", "kms:ListKeys");
    for _ in 0..5 {
        sleep(Duration::from_millis(200));
        assert_eq!(find_signer(), key);
    }
    let warned = tenant.logged("WARN");
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("the last one stays") && warned[0].contains("kms:ListKeys"));
}

#[test]
fn certificates_go_to_the_directory_where_tags_may_not_be_written() {
    let kms = Refusing::start();
    kms.refuse("TagResource", "kms:TagResource");
    let directory = TempDir::new().unwrap();
    let path = directory.path().display();
    let tenant = kms.tenant(&format!("{SETTINGS}\ncertificate_directory = \"{path}\""));
    for _ in 0..2 {
        let stored = probe("store a certificate").run(tenant.session(), &kms.material);
        assert_eq!(stored, Outcome::Done);
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 1);
    let warned = tenant.logged("WARN");
    assert_eq!(warned.len(), 1, "{warned:#?}");
    assert!(warned[0].contains("certificate_directory") && warned[0].contains("kms:TagResource"));
}
