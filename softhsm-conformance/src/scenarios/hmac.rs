//! HMAC with secret keys of a session (6.20 to 6.24): MACs are compared byte by byte.

use crate::scenarios::prelude::*;
use crate::secrets;

/// `"name" MECHANISM length;`
macro_rules! macs {
    ($($name:literal $mechanism:ident $length:literal;)*) => {
        &[$(
            scenario(concat!($name, ": of messages of every length"), |ctx| {
                every_length(ctx, Mechanism::plain($mechanism));
            }),
            scenario(concat!($name, ": in parts, length, too little room"), |ctx| {
                in_parts(ctx, Mechanism::plain($mechanism), $length);
            }),
            scenario(concat!($name, ": verified, changed, cut"), |ctx| {
                verified(ctx, Mechanism::plain($mechanism), $length);
            }),
            scenario(concat!($name, ": with keys that are none of its own"), |ctx| {
                wrong_keys(ctx, Mechanism::plain($mechanism));
            }),
        )*]
    };
}

pub(crate) const MACS: &[Scenario] = macs! {
    "HMAC-SHA-224" CKM_SHA224_HMAC 28;
    "HMAC-SHA-256" CKM_SHA256_HMAC 32;
    "HMAC-SHA-384" CKM_SHA384_HMAC 48;
    "HMAC-SHA-512" CKM_SHA512_HMAC 64;
};

/// SoftHSM2 has no MACs of other lengths.
pub(crate) const SHORTER: &[Scenario] = &[
    beside_kryoptic("HMAC: of every length that is asked for", |ctx| {
        for length in [0, 1, 16, 31, 32, 33] {
            let session = ctx.session();
            let key = key(ctx, session);
            let mechanism = Mechanism::plain(CKM_SHA256_HMAC_GENERAL);
            let mechanism = mechanism.with(Parameter::Number(length));
            let case = format!("{length} bytes");
            ctx.at(&case).raw_sign_init(session, mechanism, key);
            let mac = ctx.at(&case).raw_sign(session, b"message", Room(64)).bytes;
            ctx.observe_bytes(&format!("MAC of {length} bytes"), &mac);
            ctx.at(&case).verify_init(session, mechanism, key);
            ctx.at(&case).verify(session, b"message", &mac);
        }
    }),
    beside_kryoptic("HMAC: without the length that it needs", |ctx| {
        let session = ctx.session();
        let key = key(ctx, session);
        ctx.raw_sign_init(session, Mechanism::plain(CKM_SHA256_HMAC_GENERAL), key);
    }),
];

fn key(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let may = [CKA_SIGN, CKA_VERIFY];
    ctx.secret(session, CKK_GENERIC_SECRET, &secrets::value(64), &may)
}

fn every_length(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let key = key(ctx, session);
    for length in [0, 1, 63, 64, 65, 127, 128, 129, 4096, 5000] {
        let case = format!("{length} bytes");
        ctx.quietly(|ctx| ctx.raw_sign_init(session, mechanism, key));
        let message = vec![0x61; length];
        let mac = ctx.at(&case).raw_sign(session, &message, Room(64)).bytes;
        ctx.observe_bytes(&format!("MAC of {length} bytes"), &mac);
    }
}

fn in_parts(ctx: &mut Ctx, mechanism: Mechanism, length: usize) {
    let session = ctx.session();
    let key = key(ctx, session);
    ctx.raw_sign_init(session, mechanism, key);
    ctx.raw_sign_update(session, b"mess");
    ctx.raw_sign_update(session, b"");
    ctx.raw_sign_update(session, b"age");
    ctx.at("length").raw_sign_final(session, Query);
    ctx.at("one too few")
        .raw_sign_final(session, Room(length - 1));
    let mac = ctx.raw_sign_final(session, Room(length)).bytes;
    ctx.observe_bytes("MAC", &mac);
    ctx.at("again").raw_sign_final(session, Room(length));
    ctx.raw_sign_init(session, mechanism, key);
    ctx.at("twice").raw_sign_init(session, mechanism, key);
    ctx.at("length").raw_sign(session, b"message", Query);
    ctx.at("none").raw_sign(session, b"message", Room(0));
    ctx.raw_sign(session, b"message", Room(64));
}

fn verified(ctx: &mut Ctx, mechanism: Mechanism, length: usize) {
    let session = ctx.session();
    let key = key(ctx, session);
    let mac = ctx.quietly(|ctx| {
        ctx.raw_sign_init(session, mechanism, key);
        ctx.raw_sign(session, b"message", Room(length)).bytes
    });
    let mut changed = mac.clone();
    if let Some(byte) = changed.first_mut() {
        *byte ^= 1;
    }
    for (case, message, mac) in [
        ("as made", &b"message"[..], &mac[..]),
        ("changed", b"message", &changed),
        ("of another message", b"massage", &mac),
        ("cut", b"message", &mac[..length - 1]),
        ("empty", b"message", &[]),
    ] {
        let session = ctx.session();
        ctx.at(case).verify_init(session, mechanism, key);
        ctx.at(case).verify(session, message, mac);
        let session = ctx.session();
        ctx.at(case).verify_init(session, mechanism, key);
        ctx.at(case).verify_update(session, message);
        ctx.at(case).verify_final(session, mac);
    }
}

fn wrong_keys(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let ec = ctx.fixture(keys::EC);
    let aes = ctx.secret(session, CKK_AES, &secrets::value(32), &[CKA_SIGN]);
    let idle = ctx.secret(
        session,
        CKK_GENERIC_SECRET,
        &secrets::value(64),
        &[CKA_DERIVE],
    );
    for (case, key) in [("AES", aes), ("may not", idle), ("private EC", ec.private)] {
        let session = ctx.session();
        ctx.at(case).raw_sign_init(session, mechanism, key);
    }
    let session = ctx.session();
    ctx.at("a parameter")
        .raw_sign_init(session, mechanism.with(Parameter::Number(16)), idle);
}
