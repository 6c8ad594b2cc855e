//! Functions in sessions of every kind, several sessions at a time, and handles of what is gone.

use crate::scenarios::prelude::*;

/// `"name" function;`: what it does in each kind of session.
macro_rules! kinds {
    ($($name:literal $call:expr;)*) => {
        &[$(scenario(concat!("session kinds: ", $name), |ctx| in_every_kind(ctx, $call)),)*]
    };
}

pub(crate) const KINDS: &[Scenario] = kinds! {
    "finding" |ctx, session, _| {
        ctx.find_objects_init(session, &[bytes(CKA_LABEL, keys::EC.label.as_bytes())]);
        ctx.find_objects(session, Room(4));
        ctx.find_objects_final(session);
    };
    "reading a public key" |ctx, session, key| {
        ctx.get_attribute_value(session, key.public, &[(CKA_CLASS, Room(8))]);
    };
    "reading a private key" |ctx, session, key| {
        ctx.get_attribute_value(session, key.private, &[(CKA_CLASS, Room(8))]);
    };
    "changing a public key" |ctx, session, key| {
        ctx.set_attribute_value(session, key.public, &[bytes(CKA_LABEL, keys::EC.label.as_bytes())]);
    };
    "changing what no key lets be changed" |ctx, session, key| {
        ctx.set_attribute_value(session, key.public, &[number(CKA_CLASS, CKO_DATA)]);
    };
    "destroying nothing" |ctx, session, _| {
        ctx.destroy_object(session, NO_OBJECT);
    };
    "generating" |ctx, session, _| {
        let pair = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "kinds");
        ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    };
    "generating from an incomplete template" |ctx, session, _| {
        let pair = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "kinds")
            .public_without(CKA_EC_PARAMS);
        ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    };
    "signing" |ctx, session, key| {
        ctx.sign_init(session, ECDSA, key.private);
        ctx.sign(session, &[5; 32], Room(64));
    };
    "verifying" |ctx, session, key| {
        ctx.verify_init(session, ECDSA, key.public);
        ctx.verify(session, &[5; 32], &[1; 64]);
    };
    "digesting" |ctx, session, _| {
        ctx.digest_init(session, SHA256);
        ctx.digest(session, b"abc", Room(32));
    };
    "encrypting" |ctx, session, _| {
        let (public, _) = ctx.look_up(keys::RSA_DECRYPTION);
        ctx.encrypt_init(session, OAEP, public.unwrap_or_default());
        ctx.encrypt(session, b"a secret", Room(256));
    };
    "random numbers" |ctx, session, _| {
        ctx.generate_random(session, Room(16));
    };
    "logging in and out" |ctx, session, _| {
        ctx.login(session, CKU_USER, PIN);
        ctx.logout(session);
    };
};

pub(crate) const SEVERAL: &[Scenario] = &[
    scenario("several sessions: searches of their own", |ctx| {
        let (first, second) = (ctx.session(), ctx.session());
        ctx.fixture(keys::EC);
        let mine = [bytes(CKA_LABEL, keys::EC.label.as_bytes())];
        ctx.find_objects_init(first, &mine);
        ctx.find_objects_init(second, &mine);
        ctx.find_objects(first, Room(1));
        ctx.find_objects(second, Room(4));
        ctx.find_objects(first, Room(4));
        ctx.find_objects_final(second);
        ctx.at("after the other's end").find_objects(first, Room(4));
        ctx.find_objects_final(first);
    }),
    scenario("several sessions: signatures of their own", |ctx| {
        let (first, second) = (ctx.session(), ctx.session());
        let (rsa, ec) = (ctx.fixture(keys::RSA), ctx.fixture(keys::EC));
        ctx.sign_init(first, SHA256_RSA_PKCS, rsa.private);
        ctx.sign_init(second, ECDSA, ec.private);
        ctx.sign_update(first, b"a message ");
        ctx.sign(second, &[6; 32], Room(64));
        ctx.sign_update(first, b"in parts");
        ctx.sign_final(first, Room(256));
    }),
    scenario(
        "several sessions: one closed in the middle of a search",
        |ctx| {
            let (first, second) = (ctx.session(), ctx.session());
            ctx.fixture(keys::EC);
            let mine = [bytes(CKA_LABEL, keys::EC.label.as_bytes())];
            ctx.find_objects_init(first, &mine);
            ctx.find_objects_init(second, &mine);
            ctx.close_session(first);
            ctx.find_objects(second, Room(4));
            ctx.at("closed").find_objects(first, Room(4));
        },
    ),
    scenario(
        "several sessions: a label set in one is read in another",
        |ctx| {
            let (first, second) = (ctx.session(), ctx.session());
            let key = ctx.own_pair("several labels");
            ctx.set_attribute_value(first, key.private, &[bytes(CKA_LABEL, b"set by another")]);
            ctx.get_attribute_value(second, key.private, &[(CKA_LABEL, Room(64))]);
        },
    ),
    scenario(
        "several sessions: all closed in the middle of signing",
        |ctx| {
            let slot = ctx.slot();
            let (first, second) = (ctx.session(), ctx.session());
            let key = ctx.fixture(keys::EC);
            ctx.sign_init(first, ECDSA, key.private);
            ctx.digest_init(second, SHA256);
            ctx.close_all_sessions(slot);
            ctx.sign(first, &[6; 32], Room(64));
            ctx.digest(second, b"abc", Room(32));
        },
    ),
    scenario(
        "several sessions: a new one has no operation of an old one",
        |ctx| {
            let first = ctx.public_session();
            ctx.digest_init(first, SHA256);
            ctx.close_session(first);
            let second = ctx.public_session();
            ctx.digest(second, b"abc", Room(32));
        },
    ),
    scenario(
        "several sessions: logged out in the middle of digesting",
        |ctx| {
            let session = ctx.session();
            ctx.digest_init(session, SHA256);
            ctx.digest_update(session, b"abc");
            ctx.logout(session);
            ctx.digest_final(session, Room(32));
        },
    ),
];

pub(crate) const HANDLES: &[Scenario] = &[
    scenario("handles: of a destroyed pair are nobody's", |ctx| {
        let session = ctx.session();
        let key = destroyed(ctx, session);
        for (case, object) in [("public", key.public), ("private", key.private)] {
            ctx.at(case)
                .get_attribute_value(session, object, &[(CKA_CLASS, Room(8))]);
            ctx.at(case).destroy_object(session, object);
        }
    }),
    scenario(
        "handles: of a destroyed pair are not given to the next",
        |ctx| {
            let session = ctx.session();
            let old = destroyed(ctx, session);
            let new = ctx.own_pair("handles, the next");
            let reused = [old.public, old.private]
                .iter()
                .any(|handle| [new.public, new.private].contains(handle));
            ctx.observe("given again", reused.to_string());
        },
    ),
    scenario("handles: of a destroyed pair start nothing", |ctx| {
        let session = ctx.session();
        let key = destroyed(ctx, session);
        ctx.sign_init(session, ECDSA, key.private);
        ctx.verify_init(session, ECDSA, key.public);
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.encrypt_init(session, OAEP, key.public);
    }),
    scenario(
        "handles: the public one destroyed, the private one stays",
        |ctx| {
            let session = ctx.session();
            let key = ctx.own_pair("handles, public");
            ctx.destroy_object(session, key.public);
            ctx.get_attribute_value(session, key.private, &[(CKA_CLASS, Room(8))]);
            ctx.at("public")
                .get_attribute_value(session, key.public, &[(CKA_CLASS, Room(8))]);
        },
    ),
    scenario(
        "handles: a session's is no object's, and the other way round",
        |ctx| {
            let session = ctx.session();
            ctx.get_attribute_value(session, CK_ULONG::MAX, &[(CKA_CLASS, Room(8))]);
            ctx.get_session_info(CK_ULONG::MAX, Given);
        },
    ),
];

pub(crate) const FINDING: &[Scenario] = &[
    scenario("find by: the numbers of another key", |ctx| {
        let session = ctx.session();
        let other = ctx.fixture(keys::RSA_DECRYPTION);
        ctx.fixture(keys::RSA);
        let wanted = [(CKA_MODULUS, Room(256))];
        let modulus = ctx
            .quietly(|ctx| ctx.get_attribute_value(session, other.public, &wanted))
            .pop()
            .flatten();
        found(
            ctx,
            keys::RSA,
            bytes(CKA_MODULUS, &modulus.unwrap_or_default()),
        );
    }),
    scenario("find by: a part of the modulus", |ctx| {
        found(ctx, keys::RSA, bytes(CKA_MODULUS, &[0xff; 128]));
        found(ctx, keys::RSA, bytes(CKA_MODULUS, &[]));
    }),
    scenario("find by: the length of the modulus", |ctx| {
        found(ctx, keys::RSA, number(CKA_MODULUS_BITS, 2048));
        found(ctx, keys::RSA, number(CKA_MODULUS_BITS, 3072));
        found(ctx, keys::EC, number(CKA_MODULUS_BITS, 2048));
    }),
    scenario("find by: the exponent", |ctx| {
        found(ctx, keys::RSA, bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]));
        found(ctx, keys::RSA, bytes(CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1]));
        found(ctx, keys::RSA, bytes(CKA_PUBLIC_EXPONENT, &[3]));
    }),
    scenario("find by: the curve", |ctx| {
        found(ctx, keys::EC, bytes(CKA_EC_PARAMS, keys::P256));
        found(ctx, keys::EC, bytes(CKA_EC_PARAMS, keys::P384));
        found(ctx, keys::RSA, bytes(CKA_EC_PARAMS, keys::P256));
    }),
    scenario("find by: a point without its OCTET STRING", |ctx| {
        found(ctx, keys::EC, bytes(CKA_EC_POINT, &[4; 65]));
    }),
    scenario("find by: the mechanism of generation", |ctx| {
        found(
            ctx,
            keys::EC,
            number(CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN),
        );
        found(
            ctx,
            keys::EC,
            number(CKA_KEY_GEN_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN),
        );
        found(
            ctx,
            keys::RSA,
            number(CKA_KEY_GEN_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN),
        );
    }),
    scenario("find by: dates and subject that are empty", |ctx| {
        found(ctx, keys::EC, bytes(CKA_START_DATE, &[]));
        found(ctx, keys::EC, bytes(CKA_END_DATE, &[]));
        found(ctx, keys::EC, bytes(CKA_SUBJECT, &[]));
    }),
    scenario("find by: a secret number", |ctx| {
        found(ctx, keys::RSA, bytes(CKA_PRIVATE_EXPONENT, &[1; 256]));
        found(ctx, keys::EC, bytes(CKA_VALUE, &[1; 32]));
    }),
    scenario("find by: a class that is none", |ctx| {
        found(ctx, keys::EC, number(CKA_CLASS, 0x4242));
        found(ctx, keys::EC, number(CKA_CLASS, CKO_DATA));
        found(ctx, keys::EC, number(CKA_CLASS, CKO_HW_FEATURE));
    }),
    scenario("set attributes: of one half, read from the other", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set one half");
        ctx.set_attribute_value(session, key.private, &[bytes(CKA_ID, b"new ID")]);
        ctx.get_attribute_value(session, key.public, &[(CKA_ID, Room(64))]);
        ctx.set_attribute_value(session, key.public, &[bytes(CKA_LABEL, b"new label")]);
        ctx.get_attribute_value(session, key.private, &[(CKA_LABEL, Room(64))]);
    }),
    scenario("set attributes: both halves, found by the new ID", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set both halves");
        let id = bytes(CKA_ID, b"both have this");
        ctx.set_attribute_value(session, key.private, std::slice::from_ref(&id));
        ctx.set_attribute_value(session, key.public, std::slice::from_ref(&id));
        ctx.find_objects_init(session, &[id]);
        ctx.find_objects(session, Room(4));
        ctx.find_objects_final(session);
    }),
    scenario("generate: refused late, nothing is left behind", |ctx| {
        let session = ctx.session();
        let objects = |ctx: &mut Ctx| {
            ctx.quietly(|ctx| {
                ctx.find_objects_init(session, &[]);
                let found = ctx.find_objects(session, Room(512)).len();
                ctx.find_objects_final(session);
                found
            })
        };
        let before = objects(ctx);
        let pair = PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "refused late")
            .private_with(bytes(0x4242_4242, b"x"));
        ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
        let left = objects(ctx) - before;
        ctx.observe("objects left behind", left.to_string());
    }),
];

const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

/// Makes calls in read-only and read/write sessions, without and with a user; finds the key anew for each.
fn in_every_kind(ctx: &mut Ctx, calls: fn(&mut Ctx, CK_SESSION_HANDLE, keys::KeyPair)) {
    for (read_write, user) in [(false, false), (true, false), (false, true), (true, true)] {
        let preparing = ctx.session();
        ctx.fixture(keys::RSA_DECRYPTION);
        let key = ctx.fixture(keys::EC);
        if !user {
            ctx.quietly(|ctx| ctx.logout(preparing));
        }
        let session = if read_write {
            ctx.public_session()
        } else {
            ctx.read_only_session()
        };
        calls(ctx, session, key);
        let slot = ctx.slot();
        ctx.quietly(|ctx| ctx.close_all_sessions(slot));
    }
}

/// A pair that was destroyed, the private half first.
fn destroyed(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> keys::KeyPair {
    let key = ctx.own_pair("handles, destroyed");
    ctx.quietly(|ctx| {
        ctx.destroy_object(session, key.private);
        ctx.destroy_object(session, key.public);
    });
    key
}

/// Finds a fixture by its label and one more attribute.
fn found(ctx: &mut Ctx, fixture: keys::Fixture, attribute: Attribute) {
    let session = ctx.session();
    ctx.fixture(fixture);
    ctx.find_objects_init(
        session,
        &[bytes(CKA_LABEL, fixture.label.as_bytes()), attribute],
    );
    ctx.find_objects(session, Room(10));
    ctx.find_objects_final(session);
}
