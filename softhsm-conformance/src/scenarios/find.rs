//! Objects found by templates (5.7.7 to 5.7.9).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("find: both halves by label", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.find_objects_init(session, &[label(keys::EC)]);
        ctx.find_objects(session, Room(10));
        ctx.at("at the end").find_objects(session, Room(10));
        ctx.find_objects_final(session);
    }),
    scenario("find: one at a time", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.find_objects_init(session, &[label(keys::EC)]);
        for _ in 0..3 {
            ctx.find_objects(session, Room(1));
        }
        ctx.find_objects_final(session);
    }),
    scenario("find: handles are stable", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        for _ in 0..2 {
            let public = ctx.find(session, CKO_PUBLIC_KEY, keys::EC.label);
            let private = ctx.find(session, CKO_PRIVATE_KEY, keys::EC.label);
            let same = (public, private) == (Some(key.public), Some(key.private));
            ctx.observe("the same handles", same.to_string());
        }
    }),
    scenario("find: twice initialized", |ctx| {
        let session = ctx.session();
        ctx.find_objects_init(session, &[]);
        ctx.find_objects_init(session, &[]);
        ctx.find_objects_final(session);
        ctx.at("afterwards").find_objects_init(session, &[]);
    }),
    scenario("find: not initialized", |ctx| {
        let session = ctx.session();
        ctx.find_objects(session, Room(1));
        ctx.find_objects_final(session);
    }),
    scenario("find: finished twice", |ctx| {
        let session = ctx.session();
        ctx.find_objects_init(session, &[]);
        ctx.find_objects_final(session);
        ctx.find_objects_final(session);
        ctx.at("after the end").find_objects(session, Room(1));
    }),
    scenario("find: finished before the last object", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.find_objects_init(session, &[label(keys::EC)]);
        ctx.find_objects(session, Room(1));
        ctx.find_objects_final(session);
    }),
    scenario("find: at most 0", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.find_objects_init(session, &[label(keys::EC)]);
        ctx.at("at most 0").find_objects(session, Room(0));
        ctx.at("afterwards").find_objects(session, Room(2));
    }),
    scenario("find: no place for the handles", |ctx| {
        let session = ctx.session();
        ctx.find_objects_init(session, &[]);
        ctx.at("NULL").find_objects(session, Query);
    }),
    scenario("find: no place for the count", |ctx| {
        let session = ctx.session();
        ctx.find_objects_init(session, &[]);
        ctx.at("NULL").find_objects(session, NoLength);
    }),
    scenario("find: all, with a NULL template", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        ctx.find_objects_init(session, Template::Null(0));
        let found = ctx.quietly(|ctx| ctx.find_objects(session, Room(256)));
        ctx.observe(
            "finds the two of a pair or more",
            (found.len() >= 2).to_string(),
        );
        ctx.find_objects_final(session);
    }),
    scenario("find: NULL for a template that has attributes", |ctx| {
        let session = ctx.session();
        ctx.find_objects_init(session, Template::Null(2));
        ctx.at("afterwards").find_objects_final(session);
    }),
    scenario("find: an attribute that no object has", |ctx| {
        found(ctx, keys::EC, &[bytes(0x4242_4242, b"x"), label(keys::EC)]);
    }),
    scenario("find: an attribute of other classes", |ctx| {
        found(
            ctx,
            keys::EC,
            &[bytes(CKA_SERIAL_NUMBER, b"1"), label(keys::EC)],
        );
    }),
    scenario("find: a label that no object has", |ctx| {
        found(ctx, keys::EC, &[bytes(CKA_LABEL, b"nobody's")]);
    }),
    scenario("find: a part of a label", |ctx| {
        found(ctx, keys::EC, &[bytes(CKA_LABEL, b"fixture-p25")]);
        found(ctx, keys::EC, &[bytes(CKA_LABEL, b"fixture-p256\0")]);
    }),
    scenario("find: an ID that no object has", |ctx| {
        found(ctx, keys::EC, &[bytes(CKA_ID, b"nobody's")]);
    }),
    scenario("find: an empty label", |ctx| {
        let session = ctx.session();
        let named = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "unlabelled");
        let pair = named
            .public_without(CKA_LABEL)
            .private_with(bytes(CKA_LABEL, b""));
        let made = ctx
            .generate_key_pair(session, pair.mechanism, &pair.public, &pair.private)
            .is_some();
        ctx.observe("made", made.to_string());
        let id = bytes(CKA_ID, b"unlabelled");
        find_all(ctx, session, &[id.clone(), null(CKA_LABEL, 0)]);
        find_all(ctx, session, &[id.clone(), bytes(CKA_LABEL, b"")]);
        find_all(ctx, session, &[id, bytes(CKA_LABEL, b"x")]);
    }),
    scenario("find: by ID and class", |ctx| {
        let id = bytes(CKA_ID, keys::EC.label.as_bytes());
        found(
            ctx,
            keys::EC,
            &[id.clone(), number(CKA_CLASS, CKO_PRIVATE_KEY)],
        );
        found(
            ctx,
            keys::EC,
            &[id.clone(), number(CKA_CLASS, CKO_PUBLIC_KEY)],
        );
        found(
            ctx,
            keys::EC,
            &[id.clone(), number(CKA_CLASS, CKO_CERTIFICATE)],
        );
        found(ctx, keys::EC, &[id, number(CKA_CLASS, CKO_SECRET_KEY)]);
    }),
    scenario("find: by key type", |ctx| {
        found(
            ctx,
            keys::EC,
            &[label(keys::EC), number(CKA_KEY_TYPE, CKK_EC)],
        );
        found(
            ctx,
            keys::EC,
            &[label(keys::EC), number(CKA_KEY_TYPE, CKK_RSA)],
        );
        found(
            ctx,
            keys::RSA,
            &[label(keys::RSA), number(CKA_KEY_TYPE, CKK_RSA)],
        );
    }),
    scenario("find: by each boolean of a key", |ctx| {
        for (name, kind) in BOOLEANS {
            for value in [true, false] {
                let case = format!("{name}={value}");
                let session = ctx.session();
                ctx.fixture(keys::EC);
                ctx.quietly(|ctx| {
                    ctx.find_objects_init(session, &[label(keys::EC), flag(*kind, value)])
                });
                ctx.at(&case).find_objects(session, Room(10));
                ctx.quietly(|ctx| ctx.find_objects_final(session));
            }
        }
    }),
    scenario("find: by the public numbers of a key", |ctx| {
        let session = ctx.session();
        for (fixture, kind) in [
            (keys::RSA, CKA_MODULUS),
            (keys::RSA, CKA_PUBLIC_EXPONENT),
            (keys::RSA, CKA_MODULUS_BITS),
            (keys::EC, CKA_EC_PARAMS),
            (keys::EC, CKA_EC_POINT),
            (keys::EC, CKA_KEY_GEN_MECHANISM),
        ] {
            let key = ctx.fixture(fixture);
            let wanted = [(kind, Room(1024))];
            let value = ctx.quietly(|ctx| ctx.get_attribute_value(session, key.public, &wanted));
            let value = value.into_iter().next().flatten().unwrap_or_default();
            find_all(ctx, session, &[label(fixture), bytes(kind, &value)]);
        }
    }),
    scenario("find: session objects", |ctx| {
        found(ctx, keys::EC, &[label(keys::EC), flag(CKA_TOKEN, false)]);
        found(ctx, keys::EC, &[label(keys::EC), flag(CKA_TOKEN, true)]);
    }),
    scenario("find: an attribute of the wrong length", |ctx| {
        found(ctx, keys::EC, &[label(keys::EC), bytes(CKA_CLASS, &[2])]);
        found(
            ctx,
            keys::EC,
            &[label(keys::EC), bytes(CKA_TOKEN, &[1, 0, 0, 0])],
        );
    }),
    scenario("find: NULL for a value that has a length", |ctx| {
        // As long as the label of a key, so that the value is looked at.
        let length = keys::EC.label.len() as CK_ULONG;
        found(ctx, keys::EC, &[null(CKA_LABEL, length)]);
    }),
    scenario("find: the same attribute twice", |ctx| {
        found(ctx, keys::EC, &[label(keys::EC), label(keys::EC)]);
        found(
            ctx,
            keys::EC,
            &[label(keys::EC), bytes(CKA_LABEL, b"other")],
        );
    }),
    scenario("find: in a read-only session", |ctx| {
        ctx.session();
        let session = ctx.read_only_session();
        ctx.fixture(keys::EC);
        find_all(ctx, session, &[label(keys::EC)]);
    }),
    scenario("find: a key made while finding is no part of it", |ctx| {
        let session = ctx.session();
        let mine = bytes(CKA_LABEL, b"made while finding");
        ctx.find_objects_init(session, std::slice::from_ref(&mine));
        ctx.own_pair("made while finding");
        ctx.find_objects(session, Room(10));
        ctx.find_objects_final(session);
        find_all(ctx, session, &[mine]);
    }),
];

const BOOLEANS: &[(&str, CK_ATTRIBUTE_TYPE)] = &[
    ("CKA_TOKEN", CKA_TOKEN),
    ("CKA_PRIVATE", CKA_PRIVATE),
    ("CKA_MODIFIABLE", CKA_MODIFIABLE),
    ("CKA_COPYABLE", CKA_COPYABLE),
    ("CKA_DESTROYABLE", CKA_DESTROYABLE),
    ("CKA_LOCAL", CKA_LOCAL),
    ("CKA_DERIVE", CKA_DERIVE),
    ("CKA_SIGN", CKA_SIGN),
    ("CKA_VERIFY", CKA_VERIFY),
    ("CKA_ENCRYPT", CKA_ENCRYPT),
    ("CKA_DECRYPT", CKA_DECRYPT),
    ("CKA_WRAP", CKA_WRAP),
    ("CKA_UNWRAP", CKA_UNWRAP),
    ("CKA_SENSITIVE", CKA_SENSITIVE),
    ("CKA_EXTRACTABLE", CKA_EXTRACTABLE),
    ("CKA_ALWAYS_SENSITIVE", CKA_ALWAYS_SENSITIVE),
    ("CKA_NEVER_EXTRACTABLE", CKA_NEVER_EXTRACTABLE),
    ("CKA_ALWAYS_AUTHENTICATE", CKA_ALWAYS_AUTHENTICATE),
];

fn label(fixture: keys::Fixture) -> Attribute {
    bytes(CKA_LABEL, fixture.label.as_bytes())
}

/// Finds by this template, with this key on the token.
fn found(ctx: &mut Ctx, fixture: keys::Fixture, template: &[Attribute]) {
    let session = ctx.session();
    ctx.fixture(fixture);
    find_all(ctx, session, template);
}

fn find_all(ctx: &mut Ctx, session: CK_SESSION_HANDLE, template: &[Attribute]) {
    ctx.find_objects_init(session, template);
    ctx.find_objects(session, Room(10));
    ctx.find_objects_final(session);
}
