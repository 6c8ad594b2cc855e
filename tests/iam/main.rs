//! Least privilege: what a token does under the documentation's policies, and without each permission.
//!
//! MiniStack decides as IAM does: by the users and roles that ask, statements that allow and deny, tags of
//! keys and of requests. What it has no operations for, and what it allows though AWS would not, the
//! emulator refuses on demand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod cloud;
#[path = "../common_p11/mod.rs"]
mod common_p11;
mod matrix;
mod probes;
mod tenant;

use cloud::{Cloud, LEFT_OUT, denying, lacking, policy};
use matrix::{ROWS, check};
use probes::{Outcome, PROBES};

#[test]
fn everything_works_under_the_full_policy_and_nothing_is_said_of_permissions() {
    let mut cloud = Cloud::start();
    let full = policy("full");
    let (user, role) = (cloud.user("full", &full), cloud.role("full", &full));
    for (identity, settings) in [(&user, ""), (&role, "on_destroy = \"disable\"")] {
        let tenant = cloud.tenant(identity, settings);
        for probe in PROBES
            .iter()
            .filter(|probe| !LEFT_OUT.contains(&probe.name))
        {
            let outcome = probe.run(tenant.session(), &cloud.material);
            assert_eq!(outcome, Outcome::Done, "{}", probe.name);
        }
        assert_eq!(tenant.logged("WARN"), [""; 0]);
    }
}

/// Each action in turn is denied to a user by a statement, and not allowed to a role.
#[test]
fn each_missing_permission_takes_its_own_functions_alone_and_is_told_once() {
    let mut cloud = Cloud::start();
    let enforced = ROWS.iter().filter(|row| {
        // MiniStack has no such operations, and lets keys be made with tags without that permission.
        !["DeriveSharedSecret", "Decapsulate"].contains(&row.operation)
            && row.action.ends_with(row.operation)
    });
    for row in enforced {
        let name = row.action.replace(':', "-");
        let full = policy("full");
        let user = cloud.user(&name, &denying(full.clone(), row.action));
        let role = cloud.role(&name, &lacking(full, row.action));
        for identity in [user, role] {
            let tenant = cloud.tenant(&identity, row.settings);
            check(row, &tenant, &cloud.material, &LEFT_OUT);
        }
    }
}
