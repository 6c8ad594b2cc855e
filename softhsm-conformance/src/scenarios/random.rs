//! Random numbers (5.19).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("random: of several lengths", |ctx| {
        let session = ctx.public_session();
        for length in [1, 16, 1024, 1025, 8192] {
            let random = ctx
                .at(&format!("{length} bytes"))
                .generate_random(session, Room(length));
            // Sixteen bytes in a row that are all the same are no random ones.
            let filled = random
                .bytes
                .rchunks_exact(16)
                .all(|part| part.iter().any(|byte| *byte != part[0]));
            ctx.observe(&format!("{length} bytes are filled"), filled.to_string());
        }
    }),
    scenario("random: never the same", |ctx| {
        let session = ctx.public_session();
        let first = ctx.generate_random(session, Room(32));
        let second = ctx.generate_random(session, Room(32));
        ctx.observe("different", (first.bytes != second.bytes).to_string());
    }),
    scenario("random: of no length", |ctx| {
        let session = ctx.public_session();
        ctx.generate_random(session, Room(0));
        ctx.at("NULL").generate_random(session, Query);
    }),
    scenario("random: NULL for a length", |ctx| {
        let session = ctx.public_session();
        ctx.generate_random_null(session, 16);
    }),
    scenario("random: seeded", |ctx| {
        let session = ctx.public_session();
        ctx.seed_random(session, b"a seed");
        ctx.at("NULL").seed_random(session, Input::Null(6));
        ctx.at("empty").seed_random(session, b"");
        ctx.at("afterwards").generate_random(session, Room(16));
    }),
    scenario("random: while signing", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.sign_update(session, b"message");
        ctx.generate_random(session, Room(16));
        ctx.sign_final(session, Room(256));
    }),
];
