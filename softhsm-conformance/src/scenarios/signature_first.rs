//! Signatures that are given before the data (5.15.5 to 5.15.8 of 3.2), messages (5.14, 5.16), and operations
//! cancelled by C_SessionCancel (5.6.11).

use crate::names;
use crate::scenarios::prelude::*;

pub(crate) const VERIFY: &[Scenario] = &[
    beside_kryoptic("signature first: at once", |ctx| {
        for (fixture, mechanism, data) in SIGNERS {
            let (session, key, signature) = signed(ctx, *fixture, *mechanism, data);
            let case = fixture.label;
            ctx.at(case)
                .verify_signature_init(session, *mechanism, key, &signature);
            ctx.at(case).verify_signature(session, *data);
            ctx.at("again").verify_signature(session, *data);
        }
    }),
    beside_kryoptic("signature first: in parts", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_signature_init(session, SHA256_RSA_PKCS, key, &signature);
        ctx.verify_signature_update(session, b"mess");
        ctx.verify_signature_update(session, b"age");
        ctx.verify_signature_final(session);
        ctx.at("again").verify_signature_final(session);
    }),
    beside_kryoptic("signature first: of another message", |ctx| {
        for (fixture, mechanism, data) in SIGNERS {
            let (session, key, signature) = signed(ctx, *fixture, *mechanism, data);
            let case = fixture.label;
            ctx.at(case)
                .verify_signature_init(session, *mechanism, key, &signature);
            ctx.at(case).verify_signature(session, &[0x56; 32]);
        }
    }),
    beside_kryoptic("signature first: of a wrong length", |ctx| {
        for (fixture, mechanism, data) in SIGNERS {
            let (session, key, signature) = signed(ctx, *fixture, *mechanism, data);
            let case = fixture.label;
            let cut = &signature[..signature.len() - 1];
            ctx.at(case)
                .verify_signature_init(session, *mechanism, key, cut);
            ctx.at(case).verify_signature(session, *data);
        }
    }),
    beside_kryoptic(
        "signature first: not initialized, initialized twice",
        |ctx| {
            let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
            ctx.verify_signature(session, b"message");
            ctx.verify_signature_update(session, b"message");
            ctx.verify_signature_final(session);
            for case in ["first", "second"] {
                ctx.at(case)
                    .verify_signature_init(session, SHA256_RSA_PKCS, key, &signature);
            }
            ctx.at("in between").verify(session, b"message", &signature);
            ctx.verify_signature(session, b"message");
        },
    ),
    beside_kryoptic("signature first: NULL and none", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.at("NULL signature").verify_signature_init(
            session,
            SHA256_RSA_PKCS,
            key,
            Input::Null(256),
        );
        let session = ctx.session();
        ctx.at("no key")
            .verify_signature_init(session, SHA256_RSA_PKCS, 0x7fff_fff1, &signature);
        ctx.at("unknown mechanism").verify_signature_init(
            session,
            Mechanism::plain(0x4242_4242),
            key,
            &signature,
        );
        ctx.at("a key of another type")
            .verify_signature_init(session, ECDSA, key, &signature);
    }),
    beside_kryoptic("signature first: a part, then the whole", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_signature_init(session, SHA256_RSA_PKCS, key, &signature);
        ctx.verify_signature_update(session, b"mess");
        ctx.verify_signature(session, b"age");
    }),
];

/// Kryoptic leaves these functions out: its column shows that, and what is signed is verified elsewhere.
pub(crate) const MESSAGES: &[Scenario] = &[
    beside_kryoptic("messages: signed with one key", |ctx| {
        for (fixture, mechanism, data) in SIGNERS {
            let session = ctx.session();
            let key = ctx.fixture(*fixture);
            ctx.message_sign_init(session, *mechanism, key.private);
            ctx.at("length").sign_message(session, *data, Query);
            ctx.at("none").sign_message(session, *data, Room(0));
            ctx.sign_message(session, *data, Room(4096));
            ctx.at("another").sign_message(session, *data, Room(4096));
            ctx.message_sign_final(session);
            ctx.at("afterwards").sign_message(session, *data, Query);
        }
    }),
    beside_kryoptic("messages: signed in parts", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.message_sign_init(session, SHA256_RSA_PKCS, key.private);
        for case in ["first", "second"] {
            ctx.at(case).sign_message_begin(session);
            ctx.at(case).sign_message_part(session, b"mess");
            ctx.at(case).sign_message_last(session, b"age", Query);
            ctx.at(case).sign_message_last(session, b"age", Room(256));
        }
        ctx.at("not begun").sign_message_part(session, b"part");
        ctx.at("begun").sign_message_begin(session);
        ctx.at("twice").sign_message_begin(session);
        ctx.message_sign_final(session);
    }),
    beside_kryoptic("messages: verified", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.message_verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify_message(session, b"message", &signature);
        ctx.at("another message")
            .verify_message(session, b"massage", &signature);
        ctx.at("cut")
            .verify_message(session, b"message", &signature[..255]);
        ctx.at("as at first")
            .verify_message(session, b"message", &signature);
        ctx.verify_message_begin(session);
        ctx.verify_message_next(session, b"mess", Input::Null(0));
        ctx.at("last")
            .verify_message_next(session, b"age", &signature);
        ctx.message_verify_final(session);
        ctx.at("afterwards")
            .verify_message(session, b"message", &signature);
    }),
    beside_kryoptic("messages: not initialized", |ctx| {
        let session = ctx.session();
        ctx.sign_message(session, b"message", Room(256));
        ctx.sign_message_begin(session);
        ctx.sign_message_part(session, b"message");
        ctx.message_sign_final(session);
        ctx.verify_message(session, b"message", &[1; 256]);
        ctx.verify_message_begin(session);
        ctx.verify_message_next(session, b"message", &[1; 256]);
        ctx.message_verify_final(session);
    }),
    beside_kryoptic("messages: with keys that may not", |ctx| {
        let session = ctx.session();
        let (ec, decryption) = (ctx.fixture(keys::EC), ctx.fixture(keys::RSA_DECRYPTION));
        ctx.at("public")
            .message_sign_init(session, ECDSA, ec.public);
        ctx.at("decryption")
            .message_sign_init(session, SHA256_RSA_PKCS, decryption.private);
        ctx.at("private")
            .message_verify_init(session, ECDSA, ec.private);
        ctx.at("none")
            .message_verify_init(session, ECDSA, 0x7fff_fff1);
    }),
];

pub(crate) const CANCEL: &[Scenario] = &[
    beside_kryoptic("session cancel: each operation", |ctx| {
        for (case, flag) in FLAGS {
            let session = started(ctx);
            ctx.at(case).session_cancel(session, *flag);
            what_goes_on(ctx, session, case);
        }
    }),
    beside_kryoptic("session cancel: several, none and unknown", |ctx| {
        let all = FLAGS.iter().fold(0, |all, (_, flag)| all | flag);
        for (case, flags) in [
            ("all", all),
            ("none", 0),
            ("unknown", 1 << 30),
            ("not active", CKF_ENCRYPT),
        ] {
            let session = started(ctx);
            ctx.at(case).session_cancel(session, flags);
            what_goes_on(ctx, session, case);
        }
    }),
    beside_kryoptic("session cancel: nothing active", |ctx| {
        let session = ctx.session();
        ctx.session_cancel(session, CKF_SIGN);
        ctx.session_cancel(session, 0);
    }),
    beside_kryoptic("validation flags: of a session", |ctx| {
        let session = ctx.session();
        ctx.get_session_validation_flags(session, CKS_LAST_VALIDATION_OK, Given);
        ctx.at("NULL")
            .get_session_validation_flags(session, CKS_LAST_VALIDATION_OK, Null);
        ctx.at("unknown")
            .get_session_validation_flags(session, 0x4242, Given);
    }),
];

const SIGNERS: &[(keys::Fixture, Mechanism, &[u8])] = &[
    (keys::EC, ECDSA, &[0x55; 32]),
    (keys::RSA, SHA256_RSA_PKCS, b"message"),
    (keys::ED25519, EDDSA, b"message"),
    (keys::ML_DSA_44, ML_DSA, b"message"),
];

const FLAGS: &[(&str, CK_FLAGS)] = &[
    ("search", CKF_FIND_OBJECTS),
    ("digest", CKF_DIGEST),
    ("signature", CKF_SIGN),
    ("verification", CKF_VERIFY),
];

/// A session that finds; and one at a time, as not every token has room for more: digests or signs.
fn started(ctx: &mut Ctx) -> CK_SESSION_HANDLE {
    let session = ctx.session();
    let key = ctx.fixture(keys::RSA);
    ctx.quietly(|ctx| {
        ctx.find_objects_init(session, &[]);
        ctx.digest_init(session, SHA256);
        ctx.raw_sign_init(session, SHA256_RSA_PKCS, key.private);
        ctx.verify_init(session, SHA256_RSA_PKCS, key.public);
    });
    session
}

/// Observes which of the operations are still active.
fn what_goes_on(ctx: &mut Ctx, session: CK_SESSION_HANDLE, case: &str) {
    let answers = ctx.quietly(|ctx| {
        ctx.find_objects(session, Room(1));
        [
            ("search", ctx.find_objects_final(session)),
            ("digest", ctx.digest_update(session, b"part")),
            ("signature", ctx.raw_sign_update(session, b"part")),
            ("verification", ctx.verify_update(session, b"part")),
        ]
    });
    for (what, rv) in answers {
        ctx.observe(&format!("{what} after {case}"), names::rv(rv));
    }
}

/// A session, the public key of a fixture, and a signature it made.
fn signed(
    ctx: &mut Ctx,
    fixture: keys::Fixture,
    mechanism: Mechanism,
    data: &[u8],
) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE, Vec<u8>) {
    let session = ctx.session();
    let key = ctx.fixture(fixture);
    let signature = ctx.quietly(|ctx| {
        ctx.sign_init(session, mechanism, key.private);
        ctx.sign(session, data, Room(4096)).bytes
    });
    assert!(!signature.is_empty(), "no signature could be made");
    (session, key.public, signature)
}
