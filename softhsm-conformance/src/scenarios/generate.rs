//! Key pairs generated (5.18.2, 6.1.4, 6.3.6).

use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("generate: EC, and sign with it", |ctx| {
        let session = ctx.session();
        if let Some(pair) = generate(ctx, session, &ec("generate ec")) {
            ctx.sign_init(session, ECDSA, pair.private);
            ctx.sign(session, &[3; 32], Room(64));
            let wanted = [
                (CKA_CLASS, Room(8)),
                (CKA_LOCAL, Room(1)),
                (CKA_ID, Room(64)),
            ];
            ctx.get_attribute_value(session, pair.public, &wanted);
            ctx.get_attribute_value(session, pair.private, &wanted);
        }
    }),
    scenario("generate: RSA, and sign with it", |ctx| {
        let session = ctx.session();
        if let Some(pair) = generate(ctx, session, &rsa("generate rsa")) {
            ctx.sign_init(session, SHA256_RSA_PKCS, pair.private);
            ctx.sign(session, b"message", Room(256));
            let wanted = [(CKA_MODULUS_BITS, Room(8)), (CKA_PUBLIC_EXPONENT, Room(8))];
            ctx.get_attribute_value(session, pair.public, &wanted);
        }
    }),
    scenario("generate: on every curve", |ctx| {
        let session = ctx.session();
        for (name, curve) in [
            ("P-384", keys::P384),
            ("P-521", keys::P521),
            ("secp256k1", keys::SECP256K1),
        ] {
            let pair = PairTemplate::new(Kind::Ec(curve), Purpose::Signing, name);
            generate(ctx.at(name), session, &pair);
        }
    }),
    scenario(
        "generate: the template of a certificate authority, EC",
        |ctx| {
            let session = ctx.session();
            let public = [
                number(CKA_CLASS, CKO_PUBLIC_KEY),
                number(CKA_KEY_TYPE, CKK_EC),
                flag(CKA_TOKEN, true),
                flag(CKA_VERIFY, true),
                bytes(CKA_EC_PARAMS, keys::P256),
                bytes(CKA_ID, &[0x5a; 16]),
                bytes(CKA_LABEL, b"12345678-1234-1234-1234-123456789abc"),
            ];
            let private = [
                flag(CKA_TOKEN, true),
                flag(CKA_SIGN, true),
                flag(CKA_SENSITIVE, true),
                flag(CKA_EXTRACTABLE, false),
                bytes(CKA_ID, &[0x5a; 16]),
                bytes(CKA_LABEL, b"12345678-1234-1234-1234-123456789abc"),
            ];
            ctx.generate_key_pair(session, EC_GENERATION, &public, &private);
        },
    ),
    scenario("generate: RSA without an exponent", |ctx| {
        let session = ctx.session();
        let pair = rsa("default exponent").public_without(CKA_PUBLIC_EXPONENT);
        if let Some(pair) = generate(ctx, session, &pair) {
            ctx.get_attribute_value(session, pair.public, &[(CKA_PUBLIC_EXPONENT, Room(8))]);
        }
    }),
    scenario("generate: RSA with the exponent 3", |ctx| {
        refused(
            ctx,
            &rsa("exponent 3").public_with(bytes(CKA_PUBLIC_EXPONENT, &[3])),
        );
    }),
    scenario("generate: RSA with a leading zero in the exponent", |ctx| {
        let exponent = bytes(CKA_PUBLIC_EXPONENT, &[0, 1, 0, 1]);
        refused(ctx, &rsa("exponent with zero").public_with(exponent));
    }),
    scenario("generate: RSA without the length of the modulus", |ctx| {
        refused(ctx, &rsa("no length").public_without(CKA_MODULUS_BITS));
    }),
    scenario(
        "generate: RSA with a modulus too short or too long",
        |ctx| {
            for bits in [0, 512, 65536] {
                refused(
                    ctx,
                    &rsa("bad length").public_with(number(CKA_MODULUS_BITS, bits)),
                );
            }
        },
    ),
    scenario(
        "generate: RSA with a length of the modulus of 2 bytes",
        |ctx| {
            refused(
                ctx,
                &rsa("short length").public_with(bytes(CKA_MODULUS_BITS, &[0, 8])),
            );
        },
    ),
    scenario("generate: EC without parameters", |ctx| {
        refused(ctx, &ec("no curve").public_without(CKA_EC_PARAMS));
    }),
    scenario("generate: EC with parameters that are no curve", |ctx| {
        for curve in [
            &b"nonsense"[..],
            &[],
            &[0x05, 0],
            &keys::P256[..9],
            &[6, 3, 0x2a, 3, 4],
        ] {
            refused(
                ctx,
                &ec("bad curve").public_with(bytes(CKA_EC_PARAMS, curve)),
            );
        }
    }),
    scenario("generate: EC with bytes after the parameters", |ctx| {
        let curve = [keys::P256, &[0]].concat();
        refused(
            ctx,
            &ec("long curve").public_with(bytes(CKA_EC_PARAMS, &curve)),
        );
    }),
    scenario("generate: the class of another object", |ctx| {
        refused(
            ctx,
            &ec("bad class").public_with(number(CKA_CLASS, CKO_PRIVATE_KEY)),
        );
        refused(
            ctx,
            &ec("bad class").private_with(number(CKA_CLASS, CKO_SECRET_KEY)),
        );
    }),
    scenario("generate: the type of another key", |ctx| {
        refused(
            ctx,
            &ec("bad type").public_with(number(CKA_KEY_TYPE, CKK_RSA)),
        );
        refused(
            ctx,
            &ec("bad type").private_with(number(CKA_KEY_TYPE, CKK_RSA)),
        );
        refused(
            ctx,
            &rsa("bad type").public_with(number(CKA_KEY_TYPE, CKK_EC)),
        );
    }),
    scenario("generate: parameters of the other mechanism", |ctx| {
        refused(ctx, &ec("both").public_with(number(CKA_MODULUS_BITS, 2048)));
        refused(
            ctx,
            &rsa("both").public_with(bytes(CKA_EC_PARAMS, keys::P256)),
        );
    }),
    scenario("generate: an unknown attribute", |ctx| {
        refused(ctx, &ec("unknown").public_with(bytes(0x4242_4242, b"x")));
        refused(ctx, &ec("unknown").private_with(bytes(0x4242_4242, b"x")));
    }),
    scenario("generate: attributes that only the token sets", |ctx| {
        refused(ctx, &ec("read-only").private_with(flag(CKA_LOCAL, true)));
        refused(
            ctx,
            &ec("read-only").private_with(flag(CKA_ALWAYS_SENSITIVE, true)),
        );
        refused(
            ctx,
            &ec("read-only").private_with(flag(CKA_NEVER_EXTRACTABLE, true)),
        );
        refused(
            ctx,
            &ec("read-only").public_with(number(CKA_KEY_GEN_MECHANISM, 1)),
        );
        refused(
            ctx,
            &ec("read-only").public_with(bytes(CKA_EC_POINT, &[4, 1, 4])),
        );
        refused(
            ctx,
            &ec("read-only").private_with(bytes(CKA_VALUE, &[1; 32])),
        );
        refused(
            ctx,
            &rsa("read-only").public_with(bytes(CKA_MODULUS, &[0xff; 256])),
        );
    }),
    scenario("generate: a boolean of 4 bytes", |ctx| {
        refused(
            ctx,
            &ec("long boolean").public_with(bytes(CKA_TOKEN, &[1, 0, 0, 0])),
        );
    }),
    scenario("generate: a boolean that is neither", |ctx| {
        refused(ctx, &ec("odd boolean").public_with(bytes(CKA_VERIFY, &[2])));
    }),
    scenario("generate: NULL for a value that has a length", |ctx| {
        refused(ctx, &ec("null value").public_with(null(CKA_EC_PARAMS, 10)));
        refused(ctx, &ec("null value").private_with(null(CKA_LABEL, 10)));
    }),
    scenario("generate: the same attribute twice", |ctx| {
        let mut pair = ec("twice");
        pair.public.push(bytes(CKA_LABEL, b"other"));
        refused(ctx, &pair);
    }),
    scenario("generate: an extractable private key", |ctx| {
        refused(
            ctx,
            &ec("extractable").private_with(flag(CKA_EXTRACTABLE, true)),
        );
    }),
    scenario("generate: a private key that is not sensitive", |ctx| {
        refused(
            ctx,
            &ec("not sensitive").private_with(flag(CKA_SENSITIVE, false)),
        );
    }),
    scenario("generate: a private key for everyone", |ctx| {
        refused(
            ctx,
            &ec("not private").private_with(flag(CKA_PRIVATE, false)),
        );
    }),
    scenario("generate: session keys", |ctx| {
        let session_key = flag(CKA_TOKEN, false);
        let pair = ec("session")
            .public_with(session_key.clone())
            .private_with(session_key);
        refused(ctx, &pair);
    }),
    scenario("generate: in a read-only session", |ctx| {
        ctx.session();
        let session = ctx.read_only_session();
        generate(ctx, session, &ec("read-only session"));
        generate(ctx, session, &rsa("read-only session"));
    }),
    scenario("generate: a mechanism that generates no pair", |ctx| {
        let session = ctx.session();
        let pair = ec("bad mechanism");
        let unknown = Mechanism::plain(0x4242_4242);
        ctx.at("ECDSA")
            .generate_key_pair(session, ECDSA, &pair.public, &pair.private);
        ctx.at("SHA-256")
            .generate_key_pair(session, SHA256, &pair.public, &pair.private);
        ctx.at("unknown")
            .generate_key_pair(session, unknown, &pair.public, &pair.private);
        ctx.at("NULL")
            .generate_key_pair(session, None, &pair.public, &pair.private);
    }),
    scenario("generate: a mechanism with a parameter", |ctx| {
        let session = ctx.session();
        let pair = ec("parameter");
        let mechanism = EC_GENERATION.with(Parameter::Bytes(b"parameter"));
        ctx.generate_key_pair(session, mechanism, &pair.public, &pair.private);
    }),
    scenario("generate: NULL templates", |ctx| {
        let session = ctx.session();
        let pair = ec("null");
        let null = Template::Null;
        ctx.at("public")
            .generate_key_pair(session, EC_GENERATION, null(2), &pair.private);
        ctx.at("private")
            .generate_key_pair(session, EC_GENERATION, &pair.public, null(2));
        ctx.at("empty public")
            .generate_key_pair(session, EC_GENERATION, null(0), &pair.private);
    }),
    scenario("generate: no place for the handles", |ctx| {
        let session = ctx.session();
        let pair = ec("no place");
        for (case, places) in [("public", (Null, Given)), ("private", (Given, Null))] {
            ctx.at(case).raw_generate_key_pair(
                session,
                EC_GENERATION,
                &pair.public,
                &pair.private,
                places,
            );
        }
    }),
    scenario("generate: two pairs of one name", |ctx| {
        let session = ctx.session();
        let name = "two of one name";
        generate(ctx, session, &ec(name));
        generate(ctx, session, &ec(name));
        ctx.find_objects_init(session, &[bytes(CKA_LABEL, name.as_bytes())]);
        ctx.find_objects(session, Room(10));
        ctx.find_objects_final(session);
    }),
    scenario("generate: names of any bytes", |ctx| {
        let session = ctx.session();
        let pair = ec("any")
            .public_with(bytes(CKA_LABEL, "Schlüssel ✓ \u{1}".as_bytes()))
            .public_with(bytes(CKA_ID, &[0, 0xff, 0x80, 0]));
        if let Some(pair) = generate(ctx, session, &pair) {
            let wanted = [(CKA_LABEL, Room(64)), (CKA_ID, Room(64))];
            ctx.get_attribute_value(session, pair.public, &wanted);
        }
    }),
];

fn ec(label: &str) -> PairTemplate {
    PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, label)
}

fn rsa(label: &str) -> PairTemplate {
    PairTemplate::new(Kind::Rsa(2048), Purpose::Signing, label)
}

fn generate(
    ctx: &mut Ctx,
    session: CK_SESSION_HANDLE,
    pair: &PairTemplate,
) -> Option<keys::KeyPair> {
    ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private)
}

/// Asks for a pair that a module has a reason to refuse.
fn refused(ctx: &mut Ctx, pair: &PairTemplate) {
    let session = ctx.session();
    generate(ctx, session, pair);
}
