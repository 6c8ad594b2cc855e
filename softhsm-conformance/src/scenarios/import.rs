//! Keys that are brought along, onto the token: C_CreateObject (5.7.1) of their values, C_UnwrapKey (5.18.4) of what
//! was wrapped elsewhere. What they sign is verified outside of both modules, as all signatures are.
//!
//! `CKM_RSA_AES_KEY_WRAP` is not among them: neither SoftHSM2 2.6 nor Kryoptic 1.5 has it.

use kms_pkcs11_testkit::from_hex;

use crate::names;
use crate::private_keys::{EC, EC_PADDED, PrivateKey, RSA};
use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const CREATED: &[Scenario] = &[
    scenario("import: an RSA private key, and its signatures", |ctx| {
        private_key(ctx, RSA, SHA256_RSA_PKCS, b"message");
    }),
    scenario("import: an EC private key, and its signatures", |ctx| {
        private_key(ctx, EC, ECDSA, &[0x55; 32]);
    }),
    scenario("import: an AES key", |ctx| {
        secret_key(
            ctx,
            CKK_AES,
            &secrets::value(32),
            &[CKA_ENCRYPT, CKA_DECRYPT],
        );
    }),
    scenario("import: a key for HMAC, and its MACs", |ctx| {
        let (session, key) = secret_key(
            ctx,
            CKK_SHA256_HMAC,
            &secrets::value(32),
            &[CKA_SIGN, CKA_VERIFY],
        );
        macs(ctx, session, key);
    }),
    scenario("import: private keys with one attribute less", |ctx| {
        for key in [RSA, EC] {
            for missing in key.required() {
                let mut template = key.template("less");
                template.retain(|attribute| attribute.kind != missing);
                let case = format!("{} without {}", key.name, names::attribute(missing));
                refused(ctx, &case, &template);
            }
        }
    }),
    scenario("import: private keys with other values", |ctx| {
        let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
        let order = from_hex(order);
        for (case, key, attribute) in [
            ("EC of value 0", EC, bytes(CKA_VALUE, &[0; 32])),
            (
                "EC of the value that the order is",
                EC,
                bytes(CKA_VALUE, &order),
            ),
            ("EC of no value", EC, bytes(CKA_VALUE, &[])),
            ("EC on no curve", EC, bytes(CKA_EC_PARAMS, &[6, 1, 0])),
            ("EC of the key type RSA", EC, number(CKA_KEY_TYPE, CKK_RSA)),
            ("RSA of no modulus", RSA, bytes(CKA_MODULUS, &[])),
            ("RSA of another prime", RSA, bytes(CKA_PRIME_1, &[7; 128])),
            (
                "of a type that there is not",
                EC,
                number(CKA_KEY_TYPE, 0x4242_4242),
            ),
        ] {
            let template = with(key.template("other"), attribute);
            refused(ctx, case, &template);
        }
    }),
    scenario("import: private keys with one attribute more", |ctx| {
        for (case, attribute) in MORE {
            let template = with(EC.template("more"), attribute());
            refused(ctx, case, &template);
        }
    }),
    scenario("import: secret keys with one attribute more", |ctx| {
        for (case, attribute) in MORE {
            let template = with(secret_template(CKK_AES, "more"), attribute());
            let template = with(template, bytes(CKA_VALUE, &secrets::value(32)));
            refused(ctx, case, &template);
        }
    }),
    scenario("import: secret keys of other types and lengths", |ctx| {
        for (case, key_type, length) in [
            ("AES of 16 bytes", CKK_AES, 16),
            ("AES of 24 bytes", CKK_AES, 24),
            ("AES of 33 bytes", CKK_AES, 33),
            ("AES of no bytes", CKK_AES, 0),
            ("generic of 33 bytes", CKK_GENERIC_SECRET, 33),
            ("for HMAC with SHA-256, of 48 bytes", CKK_SHA256_HMAC, 48),
            ("triple DES", CKK_DES3, 24),
        ] {
            let value = secrets::value(length);
            let template = with(
                secret_template(key_type, "length"),
                bytes(CKA_VALUE, &value),
            );
            refused(ctx, case, &template);
        }
    }),
    scenario("import: in every kind of session", |ctx| {
        let mut template = EC.template("sessions");
        template.retain(|attribute| attribute.kind != CKA_EC_PARAMS);
        let session = ctx.read_only_session();
        ctx.at("read only, nobody logged in")
            .create_object(session, &template, Given);
        let session = ctx.session();
        ctx.at("read and write")
            .create_object(session, &template, Given);
        ctx.quietly(|ctx| ctx.close_session(session));
        let session = ctx.read_only_session();
        ctx.quietly(|ctx| ctx.login(session, CKU_USER, PIN));
        ctx.at("read only").create_object(session, &template, Given);
    }),
];

pub(crate) const UNWRAPPED: &[Scenario] = &[
    scenario("unwrap: a private key onto the token", |ctx| {
        let session = ctx.session();
        let kek = kek(ctx, session);
        let label = "unwrapped";
        let template = EC.unwrapping_template(label);
        let private = ctx.unwrap_key(session, AES_KEY_WRAP, kek, EC.wrapped, &template);
        signs(ctx, session, EC, label, private, ECDSA, &[0x55; 32]);
    }),
    scenario(
        "unwrap: a private key that OAEP takes, onto the token",
        |ctx| {
            let session = ctx.session();
            let pair = ctx.fixture(keys::RSA_DECRYPTION);
            let wrapped = sealed(ctx, session, pair.public, EC.pkcs8);
            let label = "unwrapped-oaep";
            let template = EC.unwrapping_template(label);
            let private = ctx.unwrap_key(session, OAEP, pair.private, &wrapped, &template);
            signs(ctx, session, EC, label, private, ECDSA, &[0x55; 32]);
        },
    ),
    scenario("unwrap: private keys, templates good and bad", |ctx| {
        let session = ctx.session();
        let kek = kek(ctx, session);
        let good = EC.unwrapping_template("template");
        let without = |kind| {
            let mut template = good.clone();
            template.retain(|attribute| attribute.kind != kind);
            template
        };
        for (case, template) in [
            ("no key type", without(CKA_KEY_TYPE)),
            ("of RSA", with(good.clone(), number(CKA_KEY_TYPE, CKK_RSA))),
            ("a value", with(good.clone(), bytes(CKA_VALUE, &[1; 32]))),
            ("local", with(good.clone(), flag(CKA_LOCAL, true))),
            ("a modulus", with(good.clone(), bytes(CKA_MODULUS, &[1]))),
            ("unknown", with(good.clone(), bytes(0x4242_4242, b"x"))),
            (
                "a public key",
                with(good.clone(), number(CKA_CLASS, CKO_PUBLIC_KEY)),
            ),
        ] {
            let key = ctx
                .at(case)
                .unwrap_key(session, AES_KEY_WRAP, kek, EC.wrapped, &template);
            destroyed(ctx, session, key);
        }
    }),
    scenario("unwrap: private keys, what is none", |ctx| {
        let session = ctx.session();
        let kek = kek(ctx, session);
        let template = EC.unwrapping_template("none");
        let mut changed = EC.wrapped.to_vec();
        changed[40] ^= 1;
        for (case, wrapped) in [
            ("changed", Input::Bytes(&changed)),
            ("cut", Input::Bytes(&EC.wrapped[..EC.wrapped.len() - 1])),
            (
                "cut by half a block",
                Input::Bytes(&EC.wrapped[..EC.wrapped.len() - 8]),
            ),
            ("empty", Input::Bytes(&[])),
            ("NULL", Input::Null(24)),
            ("an RSA key", Input::Bytes(RSA.wrapped)),
        ] {
            let key = ctx
                .at(case)
                .unwrap_key(session, AES_KEY_WRAP, kek, wrapped, &template);
            destroyed(ctx, session, key);
        }
        // A secret where a private key is asked for.
        let secret = ctx.secret(session, CKK_AES, &secrets::value(32), &[]);
        let wrapped = ctx.quietly(|ctx| ctx.wrap_key(session, AES_KEY_WRAP, kek, secret, Room(64)));
        let key = ctx.at("a secret key").unwrap_key(
            session,
            AES_KEY_WRAP,
            kek,
            &wrapped.bytes,
            &template,
        );
        destroyed(ctx, session, key);
    }),
    scenario("unwrap: secret keys onto the token", |ctx| {
        for (case, key_type, length) in [
            ("AES", CKK_AES, 32),
            ("for HMAC", CKK_SHA256_HMAC, 32),
            ("AES of 16 bytes", CKK_AES, 16),
        ] {
            let session = ctx.session();
            let kek = kek(ctx, session);
            let value = secrets::value(length);
            let secret = ctx.secret(session, CKK_GENERIC_SECRET, &value, &[]);
            let wrapped =
                ctx.quietly(|ctx| ctx.wrap_key(session, AES_KEY_WRAP, kek, secret, Room(64)));
            let template = secret_template(key_type, "unwrapped-secret");
            let key =
                ctx.at(case)
                    .unwrap_key(session, AES_KEY_WRAP, kek, &wrapped.bytes, &template);
            if key == CK_INVALID_HANDLE {
                continue;
            }
            for kind in MADE.iter().chain(&[CKA_TOKEN, CKA_VALUE_LEN, CKA_VALUE]) {
                ctx.at(case)
                    .get_attribute_value(session, key, &[(*kind, Room(64))]);
            }
            if key_type == CKK_SHA256_HMAC {
                macs(ctx, session, key);
            }
            destroyed(ctx, session, key);
        }
    }),
    scenario("wrap: keys that were imported", |ctx| {
        let session = ctx.session();
        let kek = kek(ctx, session);
        let template = EC.template("kept");
        let key = ctx.quietly(|ctx| ctx.create_object(session, &template, Given));
        for (case, output) in [("length", Query), ("room", Room(256))] {
            ctx.at(case)
                .wrap_key(session, AES_KEY_WRAP, kek, key, output);
        }
        destroyed(ctx, session, key);
    }),
];

/// What SoftHSM2 has no answer to: the padded key wrap under its number of version 3.0.
pub(crate) const PADDED: &[Scenario] = &[beside_kryoptic(
    "unwrap: a private key with padding, onto the token",
    |ctx| {
        let session = ctx.session();
        let kek = kek(ctx, session);
        let label = "unwrapped-padded";
        let template = EC.unwrapping_template(label);
        let mechanism = Mechanism::plain(CKM_AES_KEY_WRAP_KWP);
        let private = ctx.unwrap_key(session, mechanism, kek, EC_PADDED, &template);
        signs(ctx, session, EC, label, private, ECDSA, &[0x55; 32]);
    },
)];

/// A case, and the attribute that it is about.
type Case = (&'static str, fn() -> Attribute);

/// What a template of an imported key cannot say, or need not.
const MORE: &[Case] = &[
    ("local", || flag(CKA_LOCAL, true)),
    ("not local", || flag(CKA_LOCAL, false)),
    ("always sensitive", || flag(CKA_ALWAYS_SENSITIVE, true)),
    ("never extractable", || flag(CKA_NEVER_EXTRACTABLE, true)),
    ("a mechanism that made it", || {
        number(CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN)
    }),
    ("a modulus", || bytes(CKA_MODULUS, &[1])),
    ("an attribute that there is not", || {
        bytes(0x4242_4242, b"x")
    }),
    ("a boolean of two bytes", || bytes(CKA_SENSITIVE, &[1, 1])),
    ("extractable", || flag(CKA_EXTRACTABLE, true)),
    ("not sensitive", || flag(CKA_SENSITIVE, false)),
];

/// What tells how a key came to be.
const MADE: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_LOCAL,
    CKA_KEY_GEN_MECHANISM,
    CKA_SENSITIVE,
    CKA_ALWAYS_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_NEVER_EXTRACTABLE,
];

/// The key that everything here is wrapped under.
fn kek(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let may = [CKA_WRAP, CKA_UNWRAP];
    ctx.secret(session, CKK_AES, &secrets::value(32), &may)
}

/// The template of a secret key on the token, but for its value.
fn secret_template(key_type: CK_KEY_TYPE, label: &str) -> Vec<Attribute> {
    vec![
        number(CKA_CLASS, CKO_SECRET_KEY),
        number(CKA_KEY_TYPE, key_type),
        flag(CKA_TOKEN, true),
        flag(CKA_PRIVATE, true),
        flag(CKA_SENSITIVE, true),
        flag(CKA_EXTRACTABLE, false),
        bytes(CKA_LABEL, label.as_bytes()),
    ]
}

/// With an attribute, in the place of one of its type.
fn with(mut template: Vec<Attribute>, attribute: Attribute) -> Vec<Attribute> {
    template.retain(|other| other.kind != attribute.kind);
    template.push(attribute);
    template
}

/// Creates a private key, then its public half, and signs.
fn private_key(ctx: &mut Ctx, key: PrivateKey, mechanism: Mechanism, data: &[u8]) {
    let session = ctx.session();
    let label = format!("imported-{}", key.name);
    let private = ctx.create_object(session, &key.template(&label), Given);
    signs(ctx, session, key, &label, private, mechanism, data);
}

/// Reads how a private key came to be, and signs with it.
fn signs(
    ctx: &mut Ctx,
    session: CK_SESSION_HANDLE,
    key: PrivateKey,
    label: &str,
    private: CK_OBJECT_HANDLE,
    mechanism: Mechanism,
    data: &[u8],
) {
    if private == CK_INVALID_HANDLE {
        return;
    }
    let template = key.public_template(label);
    let public = ctx
        .at("public half")
        .create_object(session, &template, Given);
    for kind in MADE.iter().chain(&[CKA_TOKEN, CKA_LABEL, CKA_SIGN]) {
        ctx.get_attribute_value(session, private, &[(*kind, Room(64))]);
    }
    ctx.know(keys::KeyPair { public, private });
    if ctx.sign_init(session, mechanism, private) == CKR_OK {
        ctx.sign(session, data, Room(512));
    }
    for half in [private, public] {
        destroyed(ctx, session, half);
    }
}

/// Creates a secret key on the token and reads how it came to be.
fn secret_key(
    ctx: &mut Ctx,
    key_type: CK_KEY_TYPE,
    value: &[u8],
    may: &[CK_ATTRIBUTE_TYPE],
) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE) {
    let session = ctx.session();
    let mut template = secret_template(key_type, "imported-secret");
    template.push(bytes(CKA_VALUE, value));
    template.extend(may.iter().map(|usage| flag(*usage, true)));
    let key = ctx.create_object(session, &template, Given);
    for kind in MADE.iter().chain(&[CKA_TOKEN, CKA_VALUE_LEN, CKA_VALUE]) {
        ctx.get_attribute_value(session, key, &[(*kind, Room(64))]);
    }
    (session, key)
}

/// Makes a MAC, which is the same of the same key everywhere.
fn macs(ctx: &mut Ctx, session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    ctx.raw_sign_init(session, Mechanism::plain(CKM_SHA256_HMAC), key);
    let mac = ctx.raw_sign(session, b"message", Room(64)).bytes;
    ctx.observe_bytes("MAC", &mac);
}

/// What a public key makes of bytes with OAEP, whoever does it.
fn sealed(
    ctx: &mut Ctx,
    session: CK_SESSION_HANDLE,
    public: CK_OBJECT_HANDLE,
    plaintext: &[u8],
) -> Vec<u8> {
    ctx.quietly(|ctx| {
        ctx.encrypt_init(session, OAEP, public);
        ctx.encrypt(session, plaintext, Room(512)).bytes
    })
}

/// Creates what should not be, and destroys what was made.
fn refused(ctx: &mut Ctx, case: &str, template: &[Attribute]) {
    let session = ctx.session();
    let object = ctx.at(case).create_object(session, template, Given);
    destroyed(ctx, session, object);
}

fn destroyed(ctx: &mut Ctx, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) {
    if object != CK_INVALID_HANDLE {
        ctx.quietly(|ctx| ctx.destroy_object(session, object));
    }
}
