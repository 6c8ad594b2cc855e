//! Message digests (5.12).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("digest: each hash", |ctx| {
        let session = ctx.public_session();
        for (name, kind, length) in [
            ("SHA-1", CKM_SHA_1, 20),
            ("SHA-224", CKM_SHA224, 28),
            ("SHA-256", CKM_SHA256, 32),
            ("SHA-384", CKM_SHA384, 48),
            ("SHA-512", CKM_SHA512, 64),
        ] {
            ctx.at(name).digest_init(session, Mechanism::plain(kind));
            ctx.at(name).digest(session, b"abc", Room(length));
        }
    }),
    scenario("digest: length, too little room, digest", |ctx| {
        let session = started(ctx);
        ctx.at("length").digest(session, b"abc", Query);
        ctx.at("one too few").digest(session, b"abc", Room(31));
        ctx.at("none").digest(session, b"abc", Room(0));
        ctx.digest(session, b"abc", Room(40));
        ctx.at("again").digest(session, b"abc", Room(32));
    }),
    scenario("digest: in parts", |ctx| {
        let session = started(ctx);
        ctx.digest_update(session, b"a");
        ctx.digest_update(session, b"");
        ctx.digest_update(session, b"bc");
        ctx.at("length").digest_final(session, Query);
        ctx.at("one too few").digest_final(session, Room(31));
        ctx.digest_final(session, Room(32));
        ctx.at("again").digest_final(session, Room(32));
    }),
    scenario("digest: of a large message", |ctx| {
        let session = started(ctx);
        let part = vec![0x61; 100_000];
        for _ in 0..10 {
            ctx.quietly(|ctx| ctx.digest_update(session, &part));
        }
        ctx.digest_final(session, Room(32));
    }),
    scenario("digest: of nothing", |ctx| {
        let session = started(ctx);
        ctx.at("one-shot").digest(session, b"", Room(32));
        let session = started(ctx);
        ctx.at("NULL").digest(session, Input::Null(0), Room(32));
        let session = started(ctx);
        ctx.at("no part").digest_final(session, Room(32));
        let session = started(ctx);
        ctx.at("NULL").digest_update(session, Input::Null(0));
        ctx.at("NULL part").digest_final(session, Room(32));
    }),
    scenario("digest: not initialized", |ctx| {
        let session = ctx.public_session();
        ctx.digest(session, b"abc", Room(32));
        ctx.digest_update(session, b"abc");
        ctx.digest_final(session, Room(32));
    }),
    scenario("digest: initialized twice", |ctx| {
        let session = started(ctx);
        ctx.at("again")
            .digest_init(session, Mechanism::plain(CKM_SHA512));
        ctx.at("by the first").digest(session, b"abc", Room(64));
    }),
    scenario("digest: one-shot after a part", |ctx| {
        let session = started(ctx);
        ctx.digest_update(session, b"a");
        ctx.digest(session, b"bc", Room(32));
        ctx.at("afterwards").digest_final(session, Query);
    }),
    scenario(
        "digest: in parts, after the length of the one-shot",
        |ctx| {
            let session = started(ctx);
            ctx.at("length").digest(session, b"abc", Query);
            ctx.digest_update(session, b"abc");
            ctx.digest_final(session, Room(32));
        },
    ),
    scenario("digest: NULL for data and for lengths", |ctx| {
        let session = started(ctx);
        ctx.at("NULL data")
            .digest(session, Input::Null(3), Room(32));
        ctx.at("afterwards").digest(session, b"abc", Query);
        let session = started(ctx);
        ctx.at("NULL data").digest_update(session, Input::Null(3));
        ctx.at("afterwards").digest_final(session, Query);
        let session = started(ctx);
        ctx.at("no length").digest(session, b"abc", NoLength);
        ctx.at("afterwards").digest(session, b"abc", Query);
        let session = started(ctx);
        ctx.at("no length").digest_final(session, NoLength);
        ctx.at("afterwards").digest_final(session, Query);
    }),
    scenario("digest: mechanisms that do not digest", |ctx| {
        let session = ctx.public_session();
        ctx.at("unknown")
            .digest_init(session, Mechanism::plain(0x4242_4242));
        ctx.at("signing").digest_init(session, ECDSA);
        ctx.at("NULL").digest_init(session, None);
        ctx.at("afterwards").digest(session, b"abc", Query);
    }),
    scenario("digest: a parameter where none belongs", |ctx| {
        let session = ctx.public_session();
        ctx.digest_init(session, SHA256.with(Parameter::Bytes(b"parameter")));
    }),
    scenario("digest: of a key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("not initialized").digest_key(session, key.private);
        ctx.digest_init(session, SHA256);
        ctx.at("a private key").digest_key(session, key.private);
        let session = started(ctx);
        ctx.at("no key").digest_key(session, 0x7fff_fff1);
    }),
];

/// A session that is digesting with SHA-256.
fn started(ctx: &mut Ctx) -> CK_SESSION_HANDLE {
    let session = ctx.public_session();
    ctx.quietly(|ctx| ctx.digest_init(session, SHA256));
    session
}
