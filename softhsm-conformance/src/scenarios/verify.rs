//! Signatures verified (5.15).

use crate::scenarios::prelude::*;

const DIGEST: &[u8; 32] = &[0x55; 32];
const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("verify: ECDSA", |ctx| {
        let (session, key, signature) = signed(ctx, keys::EC, ECDSA, DIGEST);
        ctx.verify_init(session, ECDSA, key);
        ctx.verify(session, DIGEST, &signature);
        ctx.at("again").verify(session, DIGEST, &signature);
    }),
    scenario("verify: ECDSA on each curve", |ctx| {
        for (fixture, length) in [(keys::EC_384, 48), (keys::EC_521, 64), (keys::EC_K1, 32)] {
            let digest = vec![0x55; length];
            let (session, key, signature) = signed(ctx, fixture, ECDSA, &digest);
            ctx.at(fixture.label).verify_init(session, ECDSA, key);
            ctx.at(fixture.label).verify(session, &digest, &signature);
        }
    }),
    scenario("verify: RSA with a hash", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify(session, b"message", &signature);
    }),
    scenario("verify: PSS", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PSS, b"message");
        ctx.verify_init(session, SHA256_RSA_PSS, key);
        ctx.verify(session, b"message", &signature);
        let (session, key, signature) = signed(ctx, keys::RSA, RSA_PSS, DIGEST);
        ctx.at("digest").verify_init(session, RSA_PSS, key);
        ctx.at("digest").verify(session, DIGEST, &signature);
    }),
    scenario("verify: in parts", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify_update(session, b"mess");
        ctx.verify_update(session, b"age");
        ctx.verify_final(session, &signature);
        ctx.at("again").verify_final(session, &signature);
        ctx.at("afterwards").verify_update(session, b"more");
    }),
    scenario("verify: another message", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify(session, b"massage", &signature);
        ctx.at("again").verify(session, b"message", &signature);
    }),
    scenario("verify: another digest", |ctx| {
        let (session, key, signature) = signed(ctx, keys::EC, ECDSA, DIGEST);
        ctx.verify_init(session, ECDSA, key);
        ctx.verify(session, &[0x56; 32], &signature);
        ctx.at("again").verify(session, DIGEST, &signature);
    }),
    scenario("verify: a changed signature", |ctx| {
        for (fixture, mechanism, data) in [
            (keys::EC, ECDSA, &DIGEST[..]),
            (keys::RSA, SHA256_RSA_PKCS, b"message"),
            (keys::RSA, SHA256_RSA_PSS, b"message"),
        ] {
            let (session, key, mut signature) = signed(ctx, fixture, mechanism, data);
            if let Some(byte) = signature.last_mut() {
                *byte ^= 1;
            }
            ctx.verify_init(session, mechanism, key);
            ctx.verify(session, data, &signature);
        }
    }),
    scenario("verify: another message in parts", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify_update(session, b"massage");
        ctx.verify_final(session, &signature);
        ctx.at("again").verify_final(session, &signature);
    }),
    scenario("verify: a signature of the wrong length, RSA", |ctx| {
        for length in [255, 257, 0] {
            let (session, key, mut signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
            signature.resize(length, 0);
            ctx.verify_init(session, SHA256_RSA_PKCS, key);
            ctx.verify(session, b"message", &signature);
            ctx.at("again").verify(session, b"message", &signature);
        }
    }),
    scenario("verify: a signature of the wrong length, in parts", |ctx| {
        let (session, key, _) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"message");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify_update(session, b"message");
        ctx.verify_final(session, &[1; 255]);
        ctx.at("again").verify_final(session, &[1; 256]);
    }),
    scenario("verify: a signature of the wrong length, ECDSA", |ctx| {
        for length in [63, 65, 0, 66, 132] {
            let (session, key, mut signature) = signed(ctx, keys::EC, ECDSA, DIGEST);
            signature.resize(length, 0);
            ctx.verify_init(session, ECDSA, key);
            ctx.verify(session, DIGEST, &signature);
        }
    }),
    scenario("verify: zeros for a signature", |ctx| {
        let session = ctx.session();
        let (ec, rsa) = (ctx.fixture(keys::EC), ctx.fixture(keys::RSA));
        ctx.at("ECDSA").verify_init(session, ECDSA, ec.public);
        ctx.at("ECDSA").verify(session, DIGEST, &[0; 64]);
        ctx.at("RSA")
            .verify_init(session, SHA256_RSA_PKCS, rsa.public);
        ctx.at("RSA").verify(session, DIGEST, &[0; 256]);
    }),
    scenario("verify: a number larger than the modulus", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        ctx.verify_init(session, SHA256_RSA_PKCS, key.public);
        ctx.verify(session, b"message", &[0xff; 256]);
    }),
    scenario("verify: NULL for the signature", |ctx| {
        let session = rsa(ctx);
        ctx.verify(session, b"message", Input::Null(256));
        ctx.at("afterwards").verify(session, b"message", &[1; 256]);
        let session = rsa(ctx);
        ctx.at("no length")
            .verify(session, b"message", Input::Null(0));
    }),
    scenario("verify: NULL for the data", |ctx| {
        let session = rsa(ctx);
        ctx.verify(session, Input::Null(7), &[1; 256]);
        ctx.at("afterwards").verify(session, b"message", &[1; 256]);
    }),
    scenario("verify: empty data", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify(session, b"", &signature);
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.at("NULL").verify(session, Input::Null(0), &signature);
    }),
    scenario("verify: not initialized", |ctx| {
        let session = ctx.session();
        ctx.verify(session, DIGEST, &[1; 64]);
        ctx.verify_update(session, DIGEST);
        ctx.verify_final(session, &[1; 64]);
    }),
    scenario("verify: initialized twice", |ctx| {
        let session = rsa(ctx);
        let key = ctx.fixture(keys::RSA);
        ctx.at("again")
            .verify_init(session, SHA256_RSA_PKCS, key.public);
        ctx.at("by the first")
            .verify(session, b"message", &[1; 256]);
    }),
    scenario("verify: one-shot after a part", |ctx| {
        let session = rsa(ctx);
        ctx.verify_update(session, b"mess");
        ctx.verify(session, b"age", &[1; 256]);
        ctx.at("afterwards").verify_final(session, &[1; 256]);
    }),
    scenario("verify: finished without a part", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, SHA256_RSA_PKCS, b"");
        ctx.verify_init(session, SHA256_RSA_PKCS, key);
        ctx.verify_final(session, &signature);
    }),
    scenario("verify: in parts with a mechanism of one part", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.verify_init(session, ECDSA, key.public);
        ctx.verify_update(session, DIGEST);
        ctx.at("afterwards").verify_final(session, &[1; 64]);
    }),
    scenario("verify: no key, no mechanism", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::EC);
        ctx.at("no key").verify_init(session, ECDSA, NO_OBJECT);
        ctx.at("key 0")
            .verify_init(session, ECDSA, CK_INVALID_HANDLE);
        ctx.at("NULL").verify_init(session, None, key.public);
        ctx.at("unknown")
            .verify_init(session, Mechanism::plain(0x4242_4242), key.public);
        ctx.at("a digest").verify_init(session, SHA256, key.public);
        ctx.at("afterwards").verify(session, DIGEST, &[1; 64]);
    }),
    scenario("verify: with a key of the wrong kind", |ctx| {
        ctx.session();
        let (ec, rsa) = (ctx.fixture(keys::EC), ctx.fixture(keys::RSA));
        let decryption = ctx.fixture(keys::RSA_DECRYPTION);
        for (case, mechanism, key) in [
            ("private EC", ECDSA, ec.private),
            ("private RSA", SHA256_RSA_PKCS, rsa.private),
            ("EC for RSA", SHA256_RSA_PKCS, ec.public),
            ("RSA for EC", ECDSA, rsa.public),
            ("decryption", SHA256_RSA_PKCS, decryption.public),
        ] {
            let session = ctx.session();
            ctx.at(case).verify_init(session, mechanism, key);
        }
    }),
    scenario("verify: PSS with parameters of another salt", |ctx| {
        let (session, key, signature) = signed(ctx, keys::RSA, RSA_PSS, DIGEST);
        let other = Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 20);
        ctx.verify_init(session, other, key);
        ctx.verify(session, DIGEST, &signature);
    }),
    scenario("verify: in a read-only session without login", |ctx| {
        let (session, _, signature) = signed(ctx, keys::EC, ECDSA, DIGEST);
        ctx.quietly(|ctx| ctx.logout(session));
        let session = ctx.read_only_session();
        let key = ctx.quietly(|ctx| ctx.find(session, CKO_PUBLIC_KEY, keys::EC.label));
        ctx.verify_init(session, ECDSA, key.unwrap_or_default());
        ctx.verify(session, DIGEST, &signature);
    }),
];

/// A session that is verifying with RSA and SHA-256.
fn rsa(ctx: &mut Ctx) -> CK_SESSION_HANDLE {
    let session = ctx.session();
    let key = ctx.fixture(keys::RSA);
    ctx.verify_init(session, SHA256_RSA_PKCS, key.public);
    session
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
        ctx.sign(session, data, Room(512)).bytes
    });
    assert!(
        !signature.is_empty(),
        "the signature to verify could not be made"
    );
    (session, key.public, signature)
}
