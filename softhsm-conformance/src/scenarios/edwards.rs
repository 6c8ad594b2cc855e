//! Ed25519 (6.3.14, 6.3.15).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("EdDSA: messages of every length", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        for length in [1, 63, 64, 65, 1000, 4096] {
            ctx.quietly(|ctx| ctx.sign_init(session, EDDSA, key.private));
            ctx.at(&format!("{length} bytes"))
                .sign(session, &vec![0x61; length], Room(64));
        }
    }),
    scenario(
        "EdDSA: an empty message, and one longer than KMS takes",
        |ctx| {
            for length in [0, 4097] {
                let session = ctx.session();
                let key = ctx.fixture(keys::ED25519);
                ctx.raw_sign_init(session, EDDSA, key.private);
                ctx.at(&format!("{length} bytes"))
                    .raw_sign(session, &vec![0x61; length], Room(64));
            }
        },
    ),
    scenario("EdDSA: the same message twice", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        let [first, second] = [(); 2].map(|()| {
            ctx.sign_init(session, EDDSA, key.private);
            ctx.sign(session, b"message", Room(64)).bytes
        });
        ctx.observe("deterministic", (first == second).to_string());
    }),
    scenario("EdDSA: length, too little room, enough", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        ctx.sign_init(session, EDDSA, key.private);
        ctx.at("length").sign(session, b"message", Query);
        ctx.at("none").sign(session, b"message", Room(0));
        ctx.at("one too few").sign(session, b"message", Room(63));
        ctx.sign(session, b"message", Room(65));
        ctx.at("again").sign(session, b"message", Room(64));
    }),
    scenario("EdDSA: in parts", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        ctx.sign_init(session, EDDSA, key.private);
        ctx.sign_update(session, b"mess");
        ctx.sign_update(session, b"age");
        ctx.sign_final(session, Room(64));
    }),
    scenario("EdDSA: parameters", |ctx| {
        for (case, prehash, context) in [
            ("neither", false, &b""[..]),
            ("a prehash", true, b""),
            ("a context", false, b"context"),
        ] {
            let session = ctx.session();
            let key = ctx.fixture(keys::ED25519);
            let mechanism = EDDSA.with(Parameter::EdDsa { prehash, context });
            ctx.at(case).raw_sign_init(session, mechanism, key.private);
        }
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        let mechanism = EDDSA.with(Parameter::Bytes(&[0; 7]));
        ctx.at("short")
            .raw_sign_init(session, mechanism, key.private);
    }),
    scenario("EdDSA: verified, changed, cut", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        let signature = ctx.quietly(|ctx| {
            ctx.sign_init(session, EDDSA, key.private);
            ctx.sign(session, b"message", Room(64)).bytes
        });
        let mut changed = signature.clone();
        if let Some(byte) = changed.first_mut() {
            *byte ^= 1;
        }
        for (case, message, signature) in [
            ("as made", &b"message"[..], &signature[..]),
            ("of another message", b"massage", &signature),
            ("changed", b"message", &changed),
            ("cut", b"message", &signature[..63]),
            ("empty", b"message", &[]),
            ("zeros", b"message", &[0; 64]),
        ] {
            let session = ctx.session();
            ctx.at(case).verify_init(session, EDDSA, key.public);
            ctx.at(case).verify(session, message, signature);
        }
    }),
    scenario("EdDSA: with keys of other kinds", |ctx| {
        ctx.session();
        let (edwards, ec) = (ctx.fixture(keys::ED25519), ctx.fixture(keys::EC));
        for (case, mechanism, key) in [
            ("EC for EdDSA", EDDSA, ec.private),
            ("Ed25519 for ECDSA", ECDSA, edwards.private),
            ("public for signing", EDDSA, edwards.public),
        ] {
            let session = ctx.session();
            ctx.at(case).raw_sign_init(session, mechanism, key);
        }
    }),
    scenario("attributes: of an Ed25519 pair", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ED25519);
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_EC_PARAMS,
            CKA_EC_POINT,
            CKA_VERIFY,
            CKA_LOCAL,
            CKA_KEY_GEN_MECHANISM,
        ] {
            ctx.at("public")
                .get_attribute_value(session, key.public, &[(kind, Room(256))]);
        }
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_EC_PARAMS,
            CKA_SIGN,
            CKA_DERIVE,
            CKA_SENSITIVE,
            CKA_VALUE,
        ] {
            ctx.at("private")
                .get_attribute_value(session, key.private, &[(kind, Room(256))]);
        }
    }),
    scenario(
        "generate: Ed25519 by each encoding of its parameters",
        |ctx| {
            let session = ctx.session();
            for (case, parameters) in [
                ("name", keys::EDWARDS25519),
                ("identifier", &[0x06, 3, 0x2b, 0x65, 0x70]),
                ("another curve", keys::P256),
                ("Ed448", b"\x13\x0aedwards448"),
                ("empty", b""),
            ] {
                let pair = PairTemplate::new(Kind::Ed25519, Purpose::Signing, "generate edwards")
                    .public_with(bytes(CKA_EC_PARAMS, parameters));
                let made = ctx.at(case).generate_key_pair(
                    session,
                    pair.mechanism,
                    &pair.public,
                    &pair.private,
                );
                if let Some(made) = made {
                    ctx.quietly(|ctx| {
                        ctx.destroy_object(session, made.private);
                        ctx.destroy_object(session, made.public);
                    });
                }
            }
        },
    ),
];
