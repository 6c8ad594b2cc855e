//! RSA-OAEP, encrypted and decrypted (5.8, 5.10, 6.1.8).

use crate::scenarios::prelude::*;

const SECRET: &[u8] = b"a secret";
const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("OAEP: encrypted and decrypted", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        let ciphertext = ctx.encrypt(session, SECRET, Room(256)).bytes;
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.decrypt(session, &ciphertext, Room(256));
        ctx.at("again").decrypt(session, &ciphertext, Room(256));
        ctx.at("again").encrypt(session, SECRET, Room(256));
    }),
    scenario(
        "OAEP: encryption, length, too little room, ciphertext",
        |ctx| {
            let (session, key) = prepared(ctx);
            ctx.encrypt_init(session, OAEP, key.public);
            ctx.at("length").encrypt(session, SECRET, Query);
            ctx.at("one too few").encrypt(session, SECRET, Room(255));
            ctx.encrypt(session, SECRET, Room(256));
        },
    ),
    scenario(
        "OAEP: decryption, length, too little room, plaintext",
        |ctx| {
            let (session, key) = prepared(ctx);
            let ciphertext = encrypted(ctx, session, key, SECRET);
            ctx.decrypt_init(session, OAEP, key.private);
            ctx.at("length").decrypt(session, &ciphertext, Query);
            ctx.at("none").decrypt(session, &ciphertext, Room(0));
            ctx.decrypt(session, &ciphertext, Room(256));
        },
    ),
    scenario(
        "OAEP: decryption into exactly the room of the plaintext",
        |ctx| {
            let (session, key) = prepared(ctx);
            let ciphertext = encrypted(ctx, session, key, SECRET);
            ctx.decrypt_init(session, OAEP, key.private);
            ctx.decrypt(session, &ciphertext, Room(SECRET.len()));
        },
    ),
    scenario("OAEP: the longest plaintext, and one byte more", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.at("longest").encrypt(session, &[1; 214], Room(256));
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.at("too long").encrypt(session, &[1; 215], Room(256));
        ctx.at("afterwards").encrypt(session, SECRET, Query);
    }),
    scenario("OAEP: an empty plaintext", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        let ciphertext = ctx.encrypt(session, b"", Room(256)).bytes;
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.decrypt(session, &ciphertext, Room(256));
    }),
    scenario("OAEP: a changed ciphertext", |ctx| {
        let (session, key) = prepared(ctx);
        let mut ciphertext = encrypted(ctx, session, key, SECRET);
        if let Some(byte) = ciphertext.get_mut(100) {
            *byte ^= 1;
        }
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.decrypt(session, &ciphertext, Room(256));
        ctx.at("afterwards")
            .decrypt(session, &ciphertext, Room(256));
    }),
    scenario("OAEP: a ciphertext of the wrong length", |ctx| {
        let (session, key) = prepared(ctx);
        for length in [255, 257, 0] {
            ctx.decrypt_init(session, OAEP, key.private);
            ctx.decrypt(session, &vec![1; length], Room(256));
            ctx.at("afterwards").decrypt(session, &[1; 256], Query);
        }
    }),
    scenario("OAEP: parameters of another hash or mask", |ctx| {
        for (case, mechanism) in [
            (
                "mask of another hash",
                Mechanism::oaep(CKM_SHA_1, CKG_MGF1_SHA256),
            ),
            ("no hash", Mechanism::oaep(CKM_ECDSA, CKG_MGF1_SHA1)),
            ("no mask", Mechanism::oaep(CKM_SHA_1, 0x4242)),
            ("none", OAEP.with(Parameter::None)),
            ("short", OAEP.with(Parameter::Bytes(&[0; 39]))),
            ("NULL", OAEP.with(Parameter::Null(40))),
        ] {
            init(ctx, case, mechanism, keys::RSA_DECRYPTION);
        }
    }),
    scenario("OAEP: SHA-256", |ctx| {
        let mechanism = Mechanism::oaep(CKM_SHA256, CKG_MGF1_SHA256);
        init(ctx, "SHA-256", mechanism, keys::RSA_DECRYPTION);
    }),
    scenario("OAEP: a label", |ctx| {
        let mechanism = source(CKZ_DATA_SPECIFIED, Input::Bytes(b"label"));
        init(ctx, "label", mechanism, keys::RSA_DECRYPTION);
    }),
    scenario("OAEP: a source of no meaning", |ctx| {
        init(
            ctx,
            "source",
            source(7, Input::Null(0)),
            keys::RSA_DECRYPTION,
        );
    }),
    scenario("OAEP: with keys of the wrong kind", |ctx| {
        init(ctx, "EC", OAEP, keys::EC);
        init(ctx, "signing", OAEP, keys::RSA);
    }),
    scenario("OAEP: with the other half, with no key", |ctx| {
        let (session, key) = prepared(ctx);
        for (case, public, private) in [
            ("swapped", key.private, key.public),
            ("none", NO_OBJECT, CK_INVALID_HANDLE),
        ] {
            ctx.at(case).encrypt_init(session, OAEP, public);
            ctx.at(case).decrypt_init(session, OAEP, private);
        }
    }),
    scenario("cipher: mechanisms that do not encrypt", |ctx| {
        let (session, key) = prepared(ctx);
        for (case, mechanism) in [
            ("unknown", Some(Mechanism::plain(0x4242_4242))),
            ("a digest", Some(SHA256)),
            ("signing", Some(SHA256_RSA_PKCS)),
            ("NULL", None),
        ] {
            ctx.at(case).encrypt_init(session, mechanism, key.public);
            ctx.at(case).decrypt_init(session, mechanism, key.private);
        }
    }),
    scenario("cipher: PKCS#1 v1.5", |ctx| {
        init(ctx, "PKCS#1", RSA_PKCS, keys::RSA_DECRYPTION);
    }),
    scenario("cipher: not initialized", |ctx| {
        let session = ctx.session();
        ctx.encrypt(session, SECRET, Room(256));
        ctx.encrypt_update(session, SECRET, Room(256));
        ctx.encrypt_final(session, Room(256));
        ctx.decrypt(session, &[1; 256], Room(256));
        ctx.decrypt_update(session, &[1; 256], Room(256));
        ctx.decrypt_final(session, Room(256));
    }),
    scenario("cipher: initialized twice", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.at("again").encrypt_init(session, OAEP, key.public);
        ctx.encrypt(session, SECRET, Room(256));
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.at("again").decrypt_init(session, OAEP, key.private);
    }),
    scenario("cipher: encryption in parts", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.encrypt_update(session, SECRET, Room(256));
        ctx.at("afterwards").encrypt(session, SECRET, Query);
    }),
    scenario("cipher: decryption in parts", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.decrypt_update(session, &[1; 256], Room(256));
        ctx.at("afterwards").decrypt(session, &[1; 256], Query);
    }),
    scenario("cipher: NULL for data and for lengths", |ctx| {
        let (session, key) = prepared(ctx);
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.at("NULL data")
            .encrypt(session, Input::Null(8), Room(256));
        ctx.at("afterwards").encrypt(session, SECRET, Query);
        let session = ctx.session();
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.at("NULL data")
            .decrypt(session, Input::Null(256), Room(256));
        ctx.at("afterwards").decrypt(session, &[1; 256], Query);
        let session = ctx.session();
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.at("no length").encrypt(session, SECRET, NoLength);
        ctx.at("afterwards").encrypt(session, SECRET, Query);
        let session = ctx.session();
        ctx.decrypt_init(session, OAEP, key.private);
        ctx.at("no length").decrypt(session, &[1; 256], NoLength);
        ctx.at("afterwards").decrypt(session, &[1; 256], Query);
    }),
];

/// A session and the key pair for decryption.
fn prepared(ctx: &mut Ctx) -> (CK_SESSION_HANDLE, keys::KeyPair) {
    let session = ctx.session();
    (session, ctx.fixture(keys::RSA_DECRYPTION))
}

/// Starts to encrypt and to decrypt, each in a new session.
fn init(ctx: &mut Ctx, case: &str, mechanism: Mechanism, fixture: keys::Fixture) {
    let (encrypting, decrypting) = (ctx.session(), ctx.session());
    let key = ctx.fixture(fixture);
    ctx.at(case).encrypt_init(encrypting, mechanism, key.public);
    ctx.at(case)
        .decrypt_init(decrypting, mechanism, key.private);
}

/// OAEP with SHA-1 and this source of the label.
const fn source(source: CK_RSA_PKCS_OAEP_SOURCE_TYPE, label: Input<'static>) -> Mechanism {
    OAEP.with(Parameter::Oaep {
        hash: CKM_SHA_1,
        mgf: CKG_MGF1_SHA1,
        source,
        label,
    })
}

fn encrypted(
    ctx: &mut Ctx,
    session: CK_SESSION_HANDLE,
    key: keys::KeyPair,
    plaintext: &[u8],
) -> Vec<u8> {
    ctx.quietly(|ctx| {
        ctx.encrypt_init(session, OAEP, key.public);
        ctx.encrypt(session, plaintext, Room(256)).bytes
    })
}
