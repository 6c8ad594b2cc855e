//! Mechanisms, their parameters, keys and data while signing (6.1, 6.3).

use crate::scenarios::prelude::*;

/// The `DigestInfo` of SHA-256 but for the digest.
const SHA256_PREFIX: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20,
];
/// The `DigestInfo` of SHA-512 but for the digest.
const SHA512_PREFIX: &[u8] = &[
    0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40,
];

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("sign RSA: DigestInfo of SHA-256", |ctx| {
        let digest_info = [SHA256_PREFIX, &[0x22; 32]].concat();
        one_shot(ctx, keys::RSA, RSA_PKCS, &digest_info, 256);
    }),
    scenario("sign RSA: DigestInfo of SHA-512", |ctx| {
        let digest_info = [SHA512_PREFIX, &[0x22; 64]].concat();
        one_shot(ctx, keys::RSA, RSA_PKCS, &digest_info, 256);
    }),
    scenario("sign RSA: DigestInfo, by a key of 3072 bits", |ctx| {
        let digest_info = [SHA256_PREFIX, &[0x22; 32]].concat();
        one_shot(ctx, keys::RSA_3072, RSA_PKCS, &digest_info, 384);
    }),
    scenario("sign RSA: data that is no DigestInfo", |ctx| {
        one_shot(ctx, keys::RSA, RSA_PKCS, b"no DigestInfo", 256);
    }),
    scenario("sign RSA: a DigestInfo cut short", |ctx| {
        let digest_info = [SHA256_PREFIX, &[0x22; 31]].concat();
        one_shot(ctx, keys::RSA, RSA_PKCS, &digest_info, 256);
    }),
    scenario(
        "sign RSA: a DigestInfo of a hash that nobody signs",
        |ctx| {
            // SHA3-256: 2.16.840.1.101.3.4.2.8.
            let mut digest_info = [SHA256_PREFIX, &[0x22; 32]].concat();
            digest_info[14] = 8;
            one_shot(ctx, keys::RSA, RSA_PKCS, &digest_info, 256);
        },
    ),
    scenario(
        "sign RSA: more data than the padding leaves room for",
        |ctx| {
            one_shot(ctx, keys::RSA, RSA_PKCS, &[0x30; 246], 256);
        },
    ),
    scenario("sign RSA: each hash", |ctx| {
        for (name, kind) in [
            ("SHA-256", CKM_SHA256_RSA_PKCS),
            ("SHA-384", CKM_SHA384_RSA_PKCS),
            ("SHA-512", CKM_SHA512_RSA_PKCS),
        ] {
            let session = ctx.session();
            let key = ctx.fixture(keys::RSA);
            ctx.at(name)
                .sign_init(session, Mechanism::plain(kind), key.private);
            ctx.at(name).sign(session, b"message", Room(256));
        }
    }),
    scenario("sign RSA: SHA-1", |ctx| {
        one_shot(
            ctx,
            keys::RSA,
            Mechanism::plain(CKM_SHA1_RSA_PKCS),
            b"message",
            256,
        );
    }),
    scenario("sign PSS: a digest", |ctx| {
        one_shot(ctx, keys::RSA, RSA_PSS, &[0x33; 32], 256);
    }),
    scenario("sign PSS: a digest of SHA-384 and of SHA-512", |ctx| {
        let sha384 = Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48);
        one_shot(ctx, keys::RSA, sha384, &[0x33; 48], 256);
        let sha512 = Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 64);
        one_shot(ctx, keys::RSA, sha512, &[0x33; 64], 256);
    }),
    scenario("sign PSS: a digest of the wrong length", |ctx| {
        one_shot(ctx, keys::RSA, RSA_PSS, &[0x33; 31], 256);
        one_shot(ctx, keys::RSA, RSA_PSS, &[0x33; 48], 256);
        one_shot(ctx, keys::RSA, RSA_PSS, b"", 256);
    }),
    scenario("sign PSS: a message", |ctx| {
        one_shot(ctx, keys::RSA, SHA256_RSA_PSS, b"message", 256);
    }),
    scenario("sign PSS: a message in parts", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.sign_init(session, SHA256_RSA_PSS, key.private);
        ctx.sign_update(session, b"mess");
        ctx.sign_update(session, b"age");
        ctx.sign_final(session, Room(256));
    }),
    scenario("sign PSS: no parameter", |ctx| {
        init(ctx, keys::RSA, RSA_PSS.with(Parameter::None));
        init(ctx, keys::RSA, SHA256_RSA_PSS.with(Parameter::None));
    }),
    scenario("sign PSS: a parameter of the wrong length", |ctx| {
        init(ctx, keys::RSA, RSA_PSS.with(Parameter::Bytes(&[0; 23])));
        init(ctx, keys::RSA, RSA_PSS.with(Parameter::Bytes(&[0; 48])));
        init(ctx, keys::RSA, RSA_PSS.with(Parameter::Null(24)));
    }),
    scenario("sign PSS: a mask of another hash", |ctx| {
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA1, 32),
        );
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA512, 32),
        );
    }),
    scenario("sign PSS: a hash that is none", |ctx| {
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_ECDSA, CKG_MGF1_SHA256, 32),
        );
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, 0x4242, 32),
        );
    }),
    scenario("sign PSS: a hash that contradicts the mechanism", |ctx| {
        let kind = CKM_SHA256_RSA_PKCS_PSS;
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(kind, CKM_SHA384, CKG_MGF1_SHA384, 48),
        );
    }),
    scenario("sign PSS: a salt of another length", |ctx| {
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 20),
        );
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 0),
        );
    }),
    scenario("sign PSS: a salt longer than the key", |ctx| {
        init(
            ctx,
            keys::RSA,
            Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 999),
        );
    }),
    scenario("sign: a parameter where none belongs", |ctx| {
        init(ctx, keys::EC, ECDSA.with(Parameter::Bytes(b"parameter")));
        init(
            ctx,
            keys::RSA,
            RSA_PKCS.with(Parameter::Bytes(b"parameter")),
        );
        init(ctx, keys::RSA, SHA256_RSA_PKCS.with(Parameter::Null(8)));
    }),
    scenario("sign ECDSA: each curve", |ctx| {
        one_shot(ctx, keys::EC, ECDSA, &[0x44; 32], 64);
        one_shot(ctx, keys::EC_384, ECDSA, &[0x44; 48], 96);
        one_shot(ctx, keys::EC_521, ECDSA, &[0x44; 64], 132);
        one_shot(ctx, keys::EC_K1, ECDSA, &[0x44; 32], 64);
    }),
    scenario("sign ECDSA: a digest shorter than the curve", |ctx| {
        one_shot(ctx, keys::EC, ECDSA, &[0x44; 20], 64);
        one_shot(ctx, keys::EC_384, ECDSA, &[0x44; 32], 96);
        one_shot(ctx, keys::EC_521, ECDSA, &[0x44; 32], 132);
    }),
    scenario("sign ECDSA: a digest longer than the curve", |ctx| {
        one_shot(ctx, keys::EC, ECDSA, &[0x44; 48], 64);
        one_shot(ctx, keys::EC, ECDSA, &[0x44; 64], 64);
        one_shot(ctx, keys::EC_384, ECDSA, &[0x44; 64], 96);
    }),
    scenario("sign ECDSA: a digest of one byte", |ctx| {
        one_shot(ctx, keys::EC, ECDSA, &[0x44], 64);
    }),
    scenario("sign ECDSA: no data", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.sign_init(session, ECDSA, key.private);
        ctx.sign(session, b"", Room(64));
        ctx.at("afterwards").sign_init(session, ECDSA, key.private);
    }),
    scenario("sign ECDSA: a message", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        for (name, kind) in [
            ("SHA-1", CKM_ECDSA_SHA1),
            ("SHA-224", CKM_ECDSA_SHA224),
            ("SHA-256", CKM_ECDSA_SHA256),
            ("SHA-384", CKM_ECDSA_SHA384),
            ("SHA-512", CKM_ECDSA_SHA512),
        ] {
            ctx.at(name)
                .sign_init(session, Mechanism::plain(kind), key.private);
            ctx.at(name).sign(session, b"message", Room(64));
        }
    }),
    scenario("sign ECDSA: a message in parts", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC_384);
        ctx.sign_init(session, Mechanism::plain(CKM_ECDSA_SHA384), key.private);
        ctx.sign_update(session, b"mess");
        ctx.sign_update(session, b"age");
        ctx.at("length").sign_final(session, Query);
        ctx.sign_final(session, Room(96));
    }),
    scenario("sign: with a key of the other type", |ctx| {
        init(ctx, keys::EC, RSA_PKCS);
        init(ctx, keys::EC, SHA256_RSA_PKCS);
        init(ctx, keys::EC, RSA_PSS);
        init(ctx, keys::RSA, ECDSA);
    }),
    scenario("sign: with a public key", |ctx| {
        let session = ctx.session();
        let (ec, rsa) = (ctx.fixture(keys::EC), ctx.fixture(keys::RSA));
        ctx.at("EC").sign_init(session, ECDSA, ec.public);
        ctx.at("RSA")
            .sign_init(session, SHA256_RSA_PKCS, rsa.public);
    }),
    scenario("sign: with a key that may only decrypt", |ctx| {
        init(ctx, keys::RSA_DECRYPTION, RSA_PKCS);
        init(ctx, keys::RSA_DECRYPTION, SHA256_RSA_PKCS);
    }),
];

/// Starts to sign in a new session.
fn init(ctx: &mut Ctx, fixture: keys::Fixture, mechanism: Mechanism) {
    let session = ctx.session();
    let key = ctx.fixture(fixture);
    ctx.sign_init(session, mechanism, key.private);
}

/// Signs `data` with room for a signature of `length` bytes.
fn one_shot(
    ctx: &mut Ctx,
    fixture: keys::Fixture,
    mechanism: Mechanism,
    data: &[u8],
    length: usize,
) {
    let session = ctx.session();
    let key = ctx.fixture(fixture);
    ctx.sign_init(session, mechanism, key.private);
    ctx.at("length").sign(session, data, Query);
    ctx.sign(session, data, Room(length));
}
