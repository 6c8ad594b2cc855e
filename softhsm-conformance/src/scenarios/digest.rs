//! Message digests (5.12).

use cryptoki_sys::*;

use crate::arguments::{Mechanism, Output};
use crate::keys;
use crate::scenarios::Scenario;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "digest: one-shot",
    steps: |ctx| {
        let session = ctx.session();
        ctx.digest_init(session, Mechanism::plain(CKM_SHA256));
        ctx.digest(session, b"abc", Output::Room(32));
        let key = ctx.fixture(session, keys::EC);
        ctx.sign_init(session, Mechanism::plain(CKM_ECDSA), key.private);
        ctx.sign(session, &[7; 32], Output::Room(64));
    },
}];
