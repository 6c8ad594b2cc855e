//! The order of calls while signing (5.13, 5.2).

use crate::scenarios::prelude::*;

const DIGEST: &[u8; 32] = &[0x11; 32];
const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("sign: one-shot", |ctx| {
        let session = ec(ctx);
        ctx.sign(session, DIGEST, Room(64));
        ctx.at("again").sign(session, DIGEST, Room(64));
    }),
    scenario("sign: length, then signature", |ctx| {
        let session = ec(ctx);
        ctx.at("length").sign(session, DIGEST, Query);
        ctx.at("length").sign(session, DIGEST, Query);
        ctx.sign(session, DIGEST, Room(64));
        ctx.at("again").sign(session, DIGEST, Query);
    }),
    scenario("sign: too little room, then enough", |ctx| {
        let session = ec(ctx);
        ctx.at("none").sign(session, DIGEST, Room(0));
        ctx.at("one too few").sign(session, DIGEST, Room(63));
        ctx.at("more than enough").sign(session, DIGEST, Room(100));
    }),
    scenario("sign: RSA, length, too little room, signature", |ctx| {
        let session = rsa(ctx);
        ctx.at("length").sign(session, b"message", Query);
        ctx.at("one too few").sign(session, b"message", Room(255));
        ctx.sign(session, b"message", Room(256));
        ctx.at("again").sign(session, b"message", Room(256));
    }),
    scenario("sign: not initialized", |ctx| {
        let session = ctx.session();
        ctx.sign(session, DIGEST, Room(64));
        ctx.at("length").sign(session, DIGEST, Query);
        ctx.sign_update(session, DIGEST);
        ctx.sign_final(session, Room(64));
        ctx.at("length").sign_final(session, Query);
    }),
    scenario("sign: initialized twice", |ctx| {
        let session = rsa(ctx);
        let key = ctx.fixture(keys::RSA);
        ctx.at("again")
            .sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.at("by the first").sign(session, b"message", Room(256));
    }),
    scenario("sign: in parts", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, b"a message ");
        ctx.sign_update(session, b"in parts");
        ctx.sign_final(session, Room(256));
        ctx.at("again").sign_final(session, Room(256));
        ctx.at("afterwards").sign_update(session, b"more");
    }),
    scenario(
        "sign: in parts, length, too little room, signature",
        |ctx| {
            let session = rsa(ctx);
            ctx.sign_update(session, b"a message");
            ctx.at("length").sign_final(session, Query);
            ctx.at("one too few").sign_final(session, Room(255));
            ctx.at("none").sign_final(session, Room(0));
            ctx.sign_final(session, Room(256));
        },
    ),
    scenario("sign: in many parts", |ctx| {
        let session = rsa(ctx);
        let part = vec![0xa5; 4099];
        for _ in 0..25 {
            ctx.quietly(|ctx| ctx.sign_update(session, &part));
        }
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign: parts after the length was asked for", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, b"a message");
        ctx.at("length").sign_final(session, Query);
        ctx.sign_update(session, b" that goes on");
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign: finished without a part", |ctx| {
        let session = rsa(ctx);
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign: one-shot after a part", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, b"a message");
        ctx.raw_sign(session, b"another", Room(256));
        ctx.at("afterwards").raw_sign_final(session, Query);
    }),
    scenario("sign: in parts, after the length of the one-shot", |ctx| {
        let session = rsa(ctx);
        ctx.at("length").sign(session, b"message", Query);
        ctx.sign_update(session, b"message");
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign: an empty part", |ctx| {
        let session = rsa(ctx);
        ctx.at("empty").sign_update(session, b"");
        ctx.sign_update(session, b"message");
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign: a part of NULL and no length", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, Input::Null(0));
        ctx.at("afterwards").sign_final(session, Room(256));
    }),
    scenario("sign: a part of NULL and a length", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, Input::Null(5));
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: NULL and no length", |ctx| {
        let session = rsa(ctx);
        ctx.sign(session, Input::Null(0), Room(256));
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: NULL and a length", |ctx| {
        let session = rsa(ctx);
        ctx.sign(session, Input::Null(5), Room(256));
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: empty data", |ctx| {
        let session = rsa(ctx);
        ctx.sign(session, b"", Room(256));
    }),
    scenario("sign: no place for the length", |ctx| {
        let session = ec(ctx);
        ctx.sign(session, DIGEST, NoLength);
        ctx.at("afterwards").sign(session, DIGEST, Query);
    }),
    scenario("sign: in parts, no place for the length", |ctx| {
        let session = rsa(ctx);
        ctx.sign_update(session, b"message");
        ctx.sign_final(session, NoLength);
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: in parts with a mechanism of one part", |ctx| {
        let session = ec(ctx);
        ctx.sign_update(session, DIGEST);
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: RSA in parts with a mechanism of one part", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, RSA_PKCS, key.private);
        ctx.sign_update(session, DIGEST);
        ctx.at("afterwards").sign_final(session, Query);
    }),
    scenario("sign: no mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("NULL").sign_init(session, None, key.private);
        ctx.at("afterwards").sign(session, DIGEST, Query);
    }),
    scenario(
        "sign: cancelled by an initialization without mechanism",
        |ctx| {
            let session = ec(ctx);
            ctx.at("NULL").sign_init(session, None, CK_INVALID_HANDLE);
            ctx.at("afterwards").sign(session, DIGEST, Query);
        },
    ),
    scenario("sign: an unknown mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.sign_init(session, Mechanism::plain(0x4242_4242), key.private);
        ctx.at("a digest").sign_init(session, SHA256, key.private);
        ctx.at("generation")
            .sign_init(session, EC_GENERATION, key.private);
        ctx.at("encryption").sign_init(session, OAEP, key.private);
        ctx.at("afterwards").sign(session, DIGEST, Query);
    }),
    scenario("sign: no key", |ctx| {
        let session = ctx.session();
        ctx.sign_init(session, ECDSA, NO_OBJECT);
        ctx.at("0").sign_init(session, ECDSA, CK_INVALID_HANDLE);
        ctx.at("afterwards").sign(session, DIGEST, Query);
    }),
    scenario(
        "sign: a failed initialization leaves nothing active",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::EC);
            ctx.at("no key").sign_init(session, ECDSA, NO_OBJECT);
            ctx.sign_init(session, ECDSA, key.private);
            ctx.sign(session, DIGEST, Room(64));
        },
    ),
    scenario("sign: refused data leaves nothing active", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, RSA_PKCS, key.private);
        ctx.at("too long").sign(session, &[0; 300], Room(256));
        ctx.at("afterwards")
            .sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.sign(session, b"message", Room(256));
    }),
    scenario("sign: in a read-only session", |ctx| {
        ctx.session();
        let session = ctx.read_only_session();
        let key = ctx.fixture(keys::EC);
        ctx.sign_init(session, ECDSA, key.private);
        ctx.sign(session, DIGEST, Room(64));
    }),
    scenario("sign: two sessions, one key", |ctx| {
        let first = rsa(ctx);
        let second = rsa(ctx);
        ctx.sign_update(first, b"of the first");
        ctx.sign_update(second, b"of the second");
        ctx.sign_final(second, Room(256));
        ctx.sign_final(first, Room(256));
    }),
    scenario("sign: logged out in between", |ctx| {
        let session = ec(ctx);
        ctx.quietly(|ctx| ctx.logout(session));
        ctx.quietly(|ctx| ctx.login(session, CKU_USER, PIN));
        let key = ctx.fixture(keys::EC);
        ctx.at("logged in again")
            .sign_init(session, ECDSA, key.private);
    }),
];

/// A session that is signing with ECDSA.
fn ec(ctx: &mut Ctx) -> CK_SESSION_HANDLE {
    let session = ctx.session();
    let key = ctx.fixture(keys::EC);
    ctx.sign_init(session, ECDSA, key.private);
    session
}

/// A session that is signing with RSA and SHA-256.
fn rsa(ctx: &mut Ctx) -> CK_SESSION_HANDLE {
    let session = ctx.session();
    let key = ctx.fixture(keys::RSA);
    ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
    session
}
