//! Attributes read and changed (5.7.4 to 5.7.6).

use crate::names;
use crate::scenarios::prelude::*;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("attributes: of an EC public key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        each_attribute(ctx, session, key.public, &[COMMON, PUBLIC, EC]);
    }),
    scenario("attributes: of an EC private key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        each_attribute(ctx, session, key.private, &[COMMON, PRIVATE, EC]);
    }),
    scenario("attributes: of an RSA public key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        each_attribute(ctx, session, key.public, &[COMMON, PUBLIC, RSA]);
    }),
    scenario("attributes: of an RSA private key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        each_attribute(ctx, session, key.private, &[COMMON, PRIVATE, RSA]);
    }),
    scenario("attributes: of an RSA decryption key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA_DECRYPTION);
        each_attribute(
            ctx,
            session,
            key.public,
            &[&[CKA_ENCRYPT, CKA_VERIFY, CKA_WRAP]],
        );
        each_attribute(
            ctx,
            session,
            key.private,
            &[&[CKA_DECRYPT, CKA_SIGN, CKA_UNWRAP]],
        );
    }),
    scenario("attributes: of keys on every curve", |ctx| {
        let session = ctx.session();
        for fixture in [keys::EC_384, keys::EC_521, keys::EC_K1] {
            let key = ctx.fixture(fixture);
            ctx.at(fixture.label).get_attribute_value(
                session,
                key.public,
                &[(CKA_EC_PARAMS, Room(64)), (CKA_EC_POINT, Room(256))],
            );
        }
    }),
    scenario("attributes: a length, then the value", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("length")
            .get_attribute_value(session, key.public, &[(CKA_LABEL, Query)]);
        let exact = keys::EC.label.len();
        ctx.at("exact")
            .get_attribute_value(session, key.public, &[(CKA_LABEL, Room(exact))]);
        ctx.at("more")
            .get_attribute_value(session, key.public, &[(CKA_LABEL, Room(exact + 9))]);
    }),
    scenario("attributes: too little room", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("one too few")
            .get_attribute_value(session, key.public, &[(CKA_LABEL, Room(11))]);
        ctx.at("none")
            .get_attribute_value(session, key.public, &[(CKA_LABEL, Room(0))]);
        ctx.at("a number")
            .get_attribute_value(session, key.public, &[(CKA_CLASS, Room(4))]);
    }),
    scenario("attributes: several", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        let wanted = [
            (CKA_CLASS, Room(8)),
            (CKA_LABEL, Room(64)),
            (CKA_TOKEN, Room(1)),
        ];
        ctx.get_attribute_value(session, key.private, &wanted);
        let wanted = [
            (CKA_CLASS, Query),
            (CKA_LABEL, Room(64)),
            (CKA_TOKEN, Query),
        ];
        ctx.at("lengths and values")
            .get_attribute_value(session, key.private, &wanted);
    }),
    scenario("attributes: one the object does not have", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.get_attribute_value(session, key.public, &[(CKA_MODULUS, Room(256))]);
        ctx.at("unknown")
            .get_attribute_value(session, key.public, &[(0x4242_4242, Query)]);
    }),
    scenario(
        "attributes: the others are answered beside one the object does not have",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::EC);
            let wanted = [
                (CKA_MODULUS, Room(256)),
                (CKA_CLASS, Room(8)),
                (CKA_LABEL, Room(64)),
            ];
            ctx.at("first")
                .get_attribute_value(session, key.public, &wanted);
            let wanted = [
                (CKA_CLASS, Room(8)),
                (CKA_LABEL, Room(64)),
                (CKA_MODULUS, Room(256)),
            ];
            ctx.at("last")
                .get_attribute_value(session, key.public, &wanted);
        },
    ),
    scenario(
        "attributes: the others are answered beside one without room",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::EC);
            let wanted = [
                (CKA_LABEL, Room(3)),
                (CKA_CLASS, Room(8)),
                (CKA_ID, Room(64)),
            ];
            ctx.get_attribute_value(session, key.public, &wanted);
        },
    ),
    scenario(
        "attributes: the others are answered beside a sensitive one",
        |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::RSA);
            let wanted = [(CKA_PRIVATE_EXPONENT, Room(512)), (CKA_CLASS, Room(8))];
            ctx.get_attribute_value(session, key.private, &wanted);
        },
    ),
    scenario("attributes: several faults at once", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        let wanted = [
            (CKA_PRIVATE_EXPONENT, Room(512)),
            (CKA_EC_POINT, Room(64)),
            (CKA_LABEL, Room(1)),
            (CKA_CLASS, Room(8)),
        ];
        ctx.get_attribute_value(session, key.private, &wanted);
    }),
    scenario("attributes: the secret numbers of an RSA key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        let secrets = [
            CKA_PRIVATE_EXPONENT,
            CKA_PRIME_1,
            CKA_PRIME_2,
            CKA_EXPONENT_1,
            CKA_EXPONENT_2,
            CKA_COEFFICIENT,
        ];
        each_attribute(ctx, session, key.private, &[&secrets]);
    }),
    scenario("attributes: the secret number of an EC key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.get_attribute_value(session, key.private, &[(CKA_VALUE, Room(64))]);
        ctx.at("length")
            .get_attribute_value(session, key.private, &[(CKA_VALUE, Query)]);
    }),
    scenario("attributes: none and NULL", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("none").get_attribute_value(session, key.public, &[]);
        ctx.at("NULL")
            .get_attribute_value_null(session, key.public, 1);
        ctx.at("NULL and none")
            .get_attribute_value_null(session, key.public, 0);
    }),
    scenario("attributes: of no object", |ctx| {
        let session = ctx.session();
        ctx.at("0")
            .get_attribute_value(session, 0, &[(CKA_CLASS, Room(8))]);
        ctx.at("no handle")
            .get_attribute_value(session, NO_OBJECT, &[(CKA_CLASS, Room(8))]);
    }),
    scenario("attributes: in a read-only session", |ctx| {
        ctx.session();
        let session = ctx.read_only_session();
        let key = ctx.fixture(keys::EC);
        ctx.get_attribute_value(session, key.public, &[(CKA_CLASS, Room(8))]);
    }),
    scenario("set attributes: label", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set label");
        ctx.set_attribute_value(session, key.private, &[bytes(CKA_LABEL, b"set label anew")]);
        ctx.get_attribute_value(session, key.private, &[(CKA_LABEL, Room(64))]);
        found_by_label(ctx, session, "set label");
        found_by_label(ctx, session, "set label anew");
    }),
    scenario("set attributes: ID", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set id");
        for object in [key.private, key.public] {
            ctx.set_attribute_value(session, object, &[bytes(CKA_ID, &[0, 1, 2, 0xff])]);
            ctx.get_attribute_value(session, object, &[(CKA_ID, Room(64))]);
        }
    }),
    scenario("set attributes: label and ID at once, to nothing", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set both");
        let both = [bytes(CKA_LABEL, b"set"), bytes(CKA_ID, b"both")];
        ctx.set_attribute_value(session, key.public, &both);
        ctx.get_attribute_value(
            session,
            key.public,
            &[(CKA_LABEL, Room(9)), (CKA_ID, Room(9))],
        );
        let empty = [bytes(CKA_LABEL, b""), null(CKA_ID, 0)];
        ctx.at("empty")
            .set_attribute_value(session, key.public, &empty);
        ctx.get_attribute_value(
            session,
            key.public,
            &[(CKA_LABEL, Room(9)), (CKA_ID, Room(9))],
        );
    }),
    scenario("set attributes: read-only ones", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set read-only");
        for attribute in [
            number(CKA_CLASS, CKO_PUBLIC_KEY),
            number(CKA_KEY_TYPE, CKK_RSA),
            flag(CKA_TOKEN, false),
            flag(CKA_PRIVATE, false),
            flag(CKA_MODIFIABLE, false),
            flag(CKA_LOCAL, false),
            flag(CKA_SENSITIVE, false),
            flag(CKA_EXTRACTABLE, true),
            flag(CKA_ALWAYS_SENSITIVE, false),
            flag(CKA_NEVER_EXTRACTABLE, false),
            number(CKA_KEY_GEN_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN),
            bytes(CKA_EC_PARAMS, keys::P384),
        ] {
            let case = names::attribute(attribute.kind);
            ctx.at(&case)
                .set_attribute_value(session, key.private, &[attribute]);
        }
        ctx.at("CKA_EC_POINT").set_attribute_value(
            session,
            key.public,
            &[bytes(CKA_EC_POINT, &[4])],
        );
    }),
    scenario("set attributes: a good one beside a read-only one", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set mixed");
        let mixed = [bytes(CKA_LABEL, b"changed"), number(CKA_KEY_TYPE, CKK_RSA)];
        ctx.set_attribute_value(session, key.private, &mixed);
    }),
    scenario("set attributes: one the object does not have", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set unknown");
        ctx.set_attribute_value(session, key.private, &[bytes(0x4242_4242, b"x")]);
        ctx.at("of RSA")
            .set_attribute_value(session, key.private, &[bytes(CKA_MODULUS, b"x")]);
    }),
    scenario("set attributes: in a read-only session", |ctx| {
        ctx.session();
        let key = ctx.own_pair("set read-only session");
        let session = ctx.read_only_session();
        ctx.set_attribute_value(session, key.private, &[bytes(CKA_LABEL, b"changed")]);
        ctx.set_attribute_value(session, key.public, &[bytes(CKA_LABEL, b"changed")]);
    }),
    scenario("set attributes: of no object", |ctx| {
        let session = ctx.session();
        ctx.set_attribute_value(session, NO_OBJECT, &[bytes(CKA_LABEL, b"changed")]);
        ctx.at("0")
            .set_attribute_value(session, 0, &[bytes(CKA_LABEL, b"changed")]);
    }),
    scenario("set attributes: none and NULL", |ctx| {
        let session = ctx.session();
        let key = ctx.own_pair("set nothing");
        ctx.at("none").set_attribute_value(session, key.public, &[]);
        ctx.at("NULL")
            .set_attribute_value(session, key.public, Template::Null(1));
        ctx.at("NULL value")
            .set_attribute_value(session, key.public, &[null(CKA_LABEL, 5)]);
    }),
    scenario("object size: of a key and of no object", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.get_object_size(session, key.public, Given);
        ctx.at("NULL").get_object_size(session, key.public, Null);
        ctx.at("no handle")
            .get_object_size(session, NO_OBJECT, Given);
    }),
];

const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

const COMMON: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_MODIFIABLE,
    CKA_COPYABLE,
    CKA_DESTROYABLE,
    CKA_LABEL,
    CKA_UNIQUE_ID,
    CKA_KEY_TYPE,
    CKA_ID,
    CKA_START_DATE,
    CKA_END_DATE,
    CKA_DERIVE,
    CKA_LOCAL,
    CKA_KEY_GEN_MECHANISM,
    CKA_ALLOWED_MECHANISMS,
    CKA_SUBJECT,
    CKA_PUBLIC_KEY_INFO,
];

const PUBLIC: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_ENCRYPT,
    CKA_VERIFY,
    CKA_VERIFY_RECOVER,
    CKA_WRAP,
    CKA_TRUSTED,
    CKA_SIGN,
];

const PRIVATE: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_SENSITIVE,
    CKA_DECRYPT,
    CKA_SIGN,
    CKA_SIGN_RECOVER,
    CKA_UNWRAP,
    CKA_EXTRACTABLE,
    CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE,
    CKA_WRAP_WITH_TRUSTED,
    CKA_ALWAYS_AUTHENTICATE,
    CKA_VERIFY,
];

const EC: &[CK_ATTRIBUTE_TYPE] = &[CKA_EC_PARAMS, CKA_EC_POINT];

const RSA: &[CK_ATTRIBUTE_TYPE] = &[CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT];

fn each_attribute(
    ctx: &mut Ctx,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    lists: &[&[CK_ATTRIBUTE_TYPE]],
) {
    for kind in lists.iter().copied().flatten() {
        let case = names::attribute(*kind);
        ctx.at(&case)
            .get_attribute_value(session, object, &[(*kind, Room(1024))]);
    }
}

fn found_by_label(ctx: &mut Ctx, session: CK_SESSION_HANDLE, label: &str) {
    let found = ctx.quietly(|ctx| ctx.find(session, CKO_PRIVATE_KEY, label));
    ctx.observe(
        &format!("found by label {label:?}"),
        found.is_some().to_string(),
    );
}
