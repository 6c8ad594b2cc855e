//! Login and logout (5.6.8, 5.6.10).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("login: as the user, and once more", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_USER, PIN);
        ctx.at("again").login(session, CKU_USER, PIN);
        ctx.logout(session);
        ctx.at("again").logout(session);
    }),
    scenario("login: in another session of a logged-in user", |ctx| {
        let first = ctx.public_session();
        let second = ctx.read_only_session();
        ctx.login(first, CKU_USER, PIN);
        ctx.at("other session").login(second, CKU_USER, PIN);
        ctx.at("other session").logout(second);
        ctx.at("first session").logout(first);
    }),
    scenario("login: a wrong PIN", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_USER, b"9999");
        ctx.get_session_info(session, Given);
    }),
    scenario("login: no PIN", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_USER, Input::Null(0));
    }),
    scenario("login: an empty PIN", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_USER, b"");
    }),
    scenario("login: NULL for a PIN that has a length", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_USER, Input::Null(4));
    }),
    scenario("login: an unknown type of user", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, 17, PIN);
    }),
    scenario("login: context-specific without an operation", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_CONTEXT_SPECIFIC, PIN);
        let session = ctx.session();
        ctx.at("logged in")
            .login(session, CKU_CONTEXT_SPECIFIC, PIN);
    }),
    scenario(
        "login: as security officer beside a read-only session",
        |ctx| {
            let session = ctx.public_session();
            ctx.read_only_session();
            ctx.login(session, CKU_SO, b"12345678");
        },
    ),
    scenario("login: as security officer with a user logged in", |ctx| {
        let session = ctx.session();
        ctx.login(session, CKU_SO, b"12345678");
    }),
    scenario("login: as security officer", |ctx| {
        let session = ctx.public_session();
        ctx.login(session, CKU_SO, b"12345678");
        ctx.get_session_info(session, Given);
    }),
    scenario("logout: without login", |ctx| {
        let session = ctx.public_session();
        ctx.logout(session);
    }),
    scenario("login: not needed for public objects", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.quietly(|ctx| ctx.logout(session));
        let public = ctx
            .find(session, CKO_PUBLIC_KEY, keys::EC.label)
            .unwrap_or_default();
        ctx.get_attribute_value(session, public, &[(CKA_KEY_TYPE, Room(8))]);
        ctx.verify_init(session, ECDSA, public);
    }),
    scenario("login: needed for private objects", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.quietly(|ctx| ctx.logout(session));
        ctx.find(session, CKO_PRIVATE_KEY, keys::EC.label);
        ctx.at("handle of before")
            .sign_init(session, ECDSA, key.private);
    }),
    scenario("login: needed for generating a private key", |ctx| {
        let session = ctx.public_session();
        let pair = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "no login");
        ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    }),
];
