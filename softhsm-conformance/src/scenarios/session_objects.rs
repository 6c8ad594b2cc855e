//! Objects of a session: created, copied, changed, measured, destroyed (4.1, 5.7.1 to 5.7.6).

use crate::names;
use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const SECRET_KEYS: &[Scenario] = &[
    scenario("objects: secret keys of every length", |ctx| {
        for (name, key_type, lengths) in [
            ("generic", CKK_GENERIC_SECRET, &[0, 1, 16, 64, 200][..]),
            ("AES", CKK_AES, &[0, 15, 16, 17, 24, 32, 33]),
        ] {
            for length in lengths {
                let template = secrets::template(key_type, &secrets::value(*length), &[]);
                created(ctx, &format!("{name} of {length} bytes"), &template);
            }
        }
    }),
    scenario(
        "objects: secret keys whose template lacks something",
        |ctx| {
            for missing in [
                CKA_CLASS,
                CKA_KEY_TYPE,
                CKA_VALUE,
                CKA_TOKEN,
                CKA_SENSITIVE,
                CKA_EXTRACTABLE,
            ] {
                let mut template = aes();
                template.retain(|attribute| attribute.kind != missing);
                created(ctx, &names::attribute(missing), &template);
            }
        },
    ),
    scenario("objects: secret keys with one attribute more", |ctx| {
        for attribute in [
            bytes(CKA_LABEL, b"a label"),
            bytes(CKA_ID, b"an ID"),
            flag(CKA_PRIVATE, false),
            flag(CKA_MODIFIABLE, false),
            flag(CKA_COPYABLE, false),
            flag(CKA_DESTROYABLE, false),
            flag(CKA_LOCAL, true),
            flag(CKA_TRUSTED, true),
            flag(CKA_ALWAYS_SENSITIVE, true),
            flag(CKA_NEVER_EXTRACTABLE, true),
            number(CKA_VALUE_LEN, 16),
            number(CKA_KEY_GEN_MECHANISM, CKM_AES_KEY_GEN),
            bytes(CKA_START_DATE, b"20260101"),
            bytes(CKA_START_DATE, b"2026"),
            bytes(CKA_MODULUS, b"x"),
            bytes(0x4242_4242, b"x"),
            bytes(CKA_ENCRYPT, &[2]),
            bytes(CKA_ENCRYPT, &[1, 0]),
        ] {
            let case = names::attribute(attribute.kind);
            let mut template = aes();
            template.push(attribute);
            created(ctx, &case, &template);
        }
    }),
    scenario("objects: secret keys with an attribute twice", |ctx| {
        for (case, value) in [("the same", true), ("another", false)] {
            let mut template = aes();
            template.push(flag(CKA_EXTRACTABLE, value));
            created(ctx, case, &template);
        }
    }),
    scenario("attributes: of a secret key of a session", |ctx| {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_TOKEN,
            CKA_PRIVATE,
            CKA_MODIFIABLE,
            CKA_COPYABLE,
            CKA_DESTROYABLE,
            CKA_LABEL,
            CKA_ID,
            CKA_LOCAL,
            CKA_DERIVE,
            CKA_SENSITIVE,
            CKA_EXTRACTABLE,
            CKA_ALWAYS_SENSITIVE,
            CKA_NEVER_EXTRACTABLE,
            CKA_ENCRYPT,
            CKA_DECRYPT,
            CKA_SIGN,
            CKA_VERIFY,
            CKA_WRAP,
            CKA_UNWRAP,
            CKA_VALUE,
            CKA_VALUE_LEN,
            CKA_KEY_GEN_MECHANISM,
            CKA_TRUSTED,
            CKA_WRAP_WITH_TRUSTED,
            CKA_MODULUS,
        ] {
            ctx.at(&names::attribute(kind))
                .get_attribute_value(session, key, &[(kind, Room(64))]);
        }
    }),
    scenario("attributes: the value of keys that keep it", |ctx| {
        for (sensitive, extractable) in [(true, true), (false, false), (true, false)] {
            let session = ctx.session();
            let mut template = aes();
            template.retain(|it| ![CKA_SENSITIVE, CKA_EXTRACTABLE].contains(&it.kind));
            template.push(flag(CKA_SENSITIVE, sensitive));
            template.push(flag(CKA_EXTRACTABLE, extractable));
            let key = ctx.create_object(session, &template, Given);
            for room in [Room(64), Query] {
                ctx.get_attribute_value(session, key, &[(CKA_VALUE, room)]);
            }
            let wanted = [(CKA_VALUE, Room(64)), (CKA_VALUE_LEN, Room(8))];
            ctx.get_attribute_value(session, key, &wanted);
        }
    }),
    scenario("objects: secret keys changed", |ctx| {
        for attribute in [
            bytes(CKA_LABEL, b"another"),
            bytes(CKA_ID, b"another"),
            flag(CKA_SENSITIVE, true),
            flag(CKA_SENSITIVE, false),
            flag(CKA_EXTRACTABLE, false),
            flag(CKA_EXTRACTABLE, true),
            flag(CKA_ENCRYPT, false),
            flag(CKA_TOKEN, true),
            flag(CKA_PRIVATE, false),
            flag(CKA_MODIFIABLE, false),
            flag(CKA_LOCAL, true),
            number(CKA_CLASS, CKO_DATA),
            number(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            bytes(CKA_VALUE, &[9; 16]),
            bytes(0x4242_4242, b"x"),
        ] {
            let session = ctx.session();
            let key = ctx.aes(session, 16);
            let kind = attribute.kind;
            ctx.at(&names::attribute(kind))
                .set_attribute_value(session, key, &[attribute]);
            ctx.at(&names::attribute(kind))
                .get_attribute_value(session, key, &[(kind, Room(64))]);
        }
    }),
    scenario(
        "objects: what may not be changed, copied or destroyed",
        |ctx| {
            let session = ctx.session();
            for kind in [CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE] {
                let mut template = aes();
                template.push(flag(kind, false));
                let case = names::attribute(kind);
                let key = ctx.at(&case).create_object(session, &template, Given);
                ctx.at(&case)
                    .set_attribute_value(session, key, &[bytes(CKA_LABEL, b"new")]);
                ctx.at(&case).copy_object(session, key, &[], Given);
                ctx.at(&case).destroy_object(session, key);
            }
        },
    ),
    scenario("objects: secret keys copied", |ctx| {
        for (case, template) in [
            ("as it is", vec![]),
            ("another label", vec![bytes(CKA_LABEL, b"copy")]),
            ("sensitive", vec![flag(CKA_SENSITIVE, true)]),
            ("not extractable", vec![flag(CKA_EXTRACTABLE, false)]),
            ("public", vec![flag(CKA_PRIVATE, false)]),
            ("not to be changed", vec![flag(CKA_MODIFIABLE, false)]),
            ("another class", vec![number(CKA_CLASS, CKO_DATA)]),
            ("another value", vec![bytes(CKA_VALUE, &[1; 16])]),
            ("unknown", vec![bytes(0x4242_4242, b"x")]),
            ("on the token", vec![flag(CKA_TOKEN, true)]),
        ] {
            let session = ctx.session();
            let key = ctx.aes(session, 16);
            let copy = ctx.at(case).copy_object(session, key, &template, Given);
            if copy == CK_INVALID_HANDLE {
                continue;
            }
            ctx.observe(
                &format!("another handle, {case}"),
                (copy != key).to_string(),
            );
            let wanted = [
                (CKA_LABEL, Room(64)),
                (CKA_SENSITIVE, Room(1)),
                (CKA_TOKEN, Room(1)),
            ];
            ctx.at(case).get_attribute_value(session, copy, &wanted);
            ctx.quietly(|ctx| ctx.destroy_object(session, copy));
        }
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.at("no place").copy_object(session, key, &[], Null);
        ctx.at("NULL")
            .copy_object(session, key, Template::Null(1), Given);
        ctx.at("no object")
            .copy_object(session, 0x7fff_fff1, &[], Given);
    }),
    scenario(
        "objects: a sensitive key copied to one that is not",
        |ctx| {
            let session = ctx.session();
            let mut template = aes();
            template.retain(|it| ![CKA_SENSITIVE, CKA_EXTRACTABLE].contains(&it.kind));
            template.push(flag(CKA_SENSITIVE, true));
            template.push(flag(CKA_EXTRACTABLE, false));
            let key = ctx.create_object(session, &template, Given);
            ctx.at("not sensitive")
                .copy_object(session, key, &[flag(CKA_SENSITIVE, false)], Given);
            ctx.at("extractable")
                .copy_object(session, key, &[flag(CKA_EXTRACTABLE, true)], Given);
        },
    ),
];

pub(crate) const LIVES: &[Scenario] = &[
    scenario("objects: gone with their session", |ctx| {
        let (first, second) = (ctx.session(), ctx.session());
        let key = ctx.aes(first, 16);
        ctx.at("seen by another session")
            .get_attribute_value(second, key, &[(CKA_CLASS, Room(8))]);
        ctx.close_session(first);
        ctx.at("afterwards")
            .get_attribute_value(second, key, &[(CKA_CLASS, Room(8))]);
        ctx.at("afterwards").encrypt_init(second, AES_CBC, key);
    }),
    scenario("objects: private ones gone with the login", |ctx| {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.logout(session);
        ctx.get_attribute_value(session, key, &[(CKA_CLASS, Room(8))]);
        ctx.login(session, CKU_USER, PIN);
        ctx.at("logged in again")
            .get_attribute_value(session, key, &[(CKA_CLASS, Room(8))]);
    }),
    scenario("objects: public ones stay without the login", |ctx| {
        let session = ctx.session();
        let data = ctx.create_object(session, &data(), Given);
        ctx.logout(session);
        ctx.get_attribute_value(session, data, &[(CKA_VALUE, Room(64))]);
    }),
    scenario("objects: destroyed, and used afterwards", |ctx| {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.destroy_object(session, key);
        ctx.at("again").destroy_object(session, key);
        ctx.get_attribute_value(session, key, &[(CKA_CLASS, Room(8))]);
        ctx.get_object_size(session, key, Given);
        ctx.encrypt_init(session, AES_CBC, key);
    }),
    scenario("objects: destroyed while it encrypts", |ctx| {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.encrypt_init(session, AES_CBC, key);
        ctx.destroy_object(session, key);
        ctx.encrypt(session, &[7; 16], Room(16));
    }),
    scenario("objects: found among those of the token", |ctx| {
        let session = ctx.session();
        let mut template = aes();
        template.push(bytes(CKA_LABEL, b"found in a session"));
        ctx.quietly(|ctx| ctx.create_object(session, &template, Given));
        for (case, wanted) in [
            ("by label", vec![bytes(CKA_LABEL, b"found in a session")]),
            (
                "of sessions",
                vec![
                    bytes(CKA_LABEL, b"found in a session"),
                    flag(CKA_TOKEN, false),
                ],
            ),
            (
                "of the token",
                vec![
                    bytes(CKA_LABEL, b"found in a session"),
                    flag(CKA_TOKEN, true),
                ],
            ),
            (
                "by value",
                vec![
                    bytes(CKA_VALUE, &secrets::value(16)),
                    flag(CKA_TOKEN, false),
                ],
            ),
        ] {
            ctx.find_objects_init(session, &wanted);
            ctx.at(case).find_objects(session, Room(9));
            ctx.quietly(|ctx| ctx.find_objects_final(session));
        }
    }),
    scenario("objects: made in every kind of session", |ctx| {
        for (read_write, user) in [(false, false), (true, false), (false, true), (true, true)] {
            let case = format!("read/write {read_write}, user {user}");
            let first = ctx.session();
            if !user {
                ctx.quietly(|ctx| ctx.logout(first));
            }
            let session = if read_write {
                ctx.public_session()
            } else {
                ctx.read_only_session()
            };
            for private in [false, true] {
                let mut template = aes();
                template.push(flag(CKA_PRIVATE, private));
                ctx.at(&format!("{case}, private {private}"))
                    .create_object(session, &template, Given);
            }
            let slot = ctx.slot();
            ctx.quietly(|ctx| ctx.close_all_sessions(slot));
        }
    }),
    scenario("object size: of objects of a session", |ctx| {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.get_object_size(session, key, Given);
        ctx.at("NULL").get_object_size(session, key, Null);
    }),
];

pub(crate) const OTHERS: &[Scenario] = &[
    scenario("objects: data", |ctx| {
        let session = ctx.session();
        let object = ctx.create_object(session, &data(), Given);
        for kind in [
            CKA_CLASS,
            CKA_TOKEN,
            CKA_PRIVATE,
            CKA_MODIFIABLE,
            CKA_LABEL,
            CKA_APPLICATION,
            CKA_OBJECT_ID,
            CKA_VALUE,
        ] {
            ctx.at(&names::attribute(kind)).get_attribute_value(
                session,
                object,
                &[(kind, Room(64))],
            );
        }
        ctx.set_attribute_value(session, object, &[bytes(CKA_VALUE, b"other bytes")]);
        ctx.at("changed")
            .get_attribute_value(session, object, &[(CKA_VALUE, Room(64))]);
        ctx.destroy_object(session, object);
    }),
    scenario("objects: data for nothing but data", |ctx| {
        let session = ctx.session();
        let object = ctx.create_object(session, &data(), Given);
        ctx.encrypt_init(session, AES_CBC, object);
        ctx.raw_sign_init(session, ECDSA, object);
        ctx.get_attribute_value(session, object, &[(CKA_KEY_TYPE, Room(8))]);
    }),
    scenario("objects: public keys good and bad", |ctx| {
        let session = ctx.session();
        let rsa = ctx.fixture(keys::RSA);
        let values = ctx.quietly(|ctx| ctx.public_values(session, rsa.public));
        let whole: Vec<Attribute> = values
            .iter()
            .map(|(kind, value)| bytes(*kind, value))
            .collect();
        let whole = [whole, vec![flag(CKA_TOKEN, false), flag(CKA_VERIFY, true)]].concat();
        created(ctx, "whole", &whole);
        for missing in [CKA_CLASS, CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT] {
            let mut template = whole.clone();
            template.retain(|attribute| attribute.kind != missing);
            created(ctx, &names::attribute(missing), &template);
        }
        for attribute in [
            bytes(CKA_EC_POINT, b"x"),
            number(CKA_MODULUS_BITS, 2048),
            flag(CKA_LOCAL, true),
            bytes(CKA_SUBJECT, b"\x30\x00"),
        ] {
            let mut template = whole.clone();
            let case = format!("and {}", names::attribute(attribute.kind));
            template.push(attribute);
            created(ctx, &case, &template);
        }
    }),
    scenario("objects: public keys on a curve, good and bad", |ctx| {
        let session = ctx.session();
        let ec = ctx.fixture(keys::EC);
        let values = ctx.quietly(|ctx| ctx.public_values(session, ec.public));
        let point = |point: &[u8]| {
            let others = values.iter().filter(|(kind, _)| *kind != CKA_EC_POINT);
            let others = others.map(|(kind, value)| bytes(*kind, value));
            let mut template: Vec<Attribute> = others.collect();
            template.extend([flag(CKA_TOKEN, false), flag(CKA_VERIFY, true)]);
            template.push(bytes(CKA_EC_POINT, point));
            template
        };
        let good = values.iter().find(|(kind, _)| *kind == CKA_EC_POINT);
        let good = good.map(|(_, value)| value.clone()).unwrap_or_default();
        created(ctx, "whole", &point(&good));
        let raw = good.get(2..).unwrap_or_default();
        for (case, bad) in [
            ("not on the curve", [&[4, 65, 4][..], &[1; 64]].concat()),
            ("cut", good[..good.len() - 1].to_vec()),
            ("raw", raw.to_vec()),
            ("empty", Vec::new()),
        ] {
            created(ctx, case, &point(&bad));
        }
    }),
    scenario("objects: of classes that nobody creates", |ctx| {
        for (case, class) in [
            ("unknown", 0x4242),
            ("hardware feature", CKO_HW_FEATURE),
            ("mechanism", CKO_MECHANISM),
        ] {
            let template = [number(CKA_CLASS, class), flag(CKA_TOKEN, false)];
            created(ctx, case, &template);
        }
    }),
    scenario("objects: on the token", |ctx| {
        for (case, template) in [("a secret key", aes()), ("data", data())] {
            let mut template = template;
            template.retain(|attribute| attribute.kind != CKA_TOKEN);
            template.push(flag(CKA_TOKEN, true));
            created(ctx, case, &template);
        }
    }),
];

fn aes() -> Vec<Attribute> {
    secrets::template(CKK_AES, &secrets::value(16), &[])
}

fn data() -> Vec<Attribute> {
    vec![
        number(CKA_CLASS, CKO_DATA),
        flag(CKA_TOKEN, false),
        flag(CKA_PRIVATE, false),
        bytes(CKA_LABEL, b"data"),
        bytes(CKA_APPLICATION, b"an application"),
        bytes(CKA_VALUE, b"some bytes"),
    ]
}

/// Creates an object, and destroys what was made.
fn created(ctx: &mut Ctx, case: &str, template: &[Attribute]) {
    let session = ctx.session();
    let object = ctx.at(case).create_object(session, template, Given);
    if object != CK_INVALID_HANDLE {
        ctx.quietly(|ctx| ctx.destroy_object(session, object));
    }
}
