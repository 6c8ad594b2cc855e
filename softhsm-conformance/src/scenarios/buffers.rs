//! Room for answers: none, too little, just enough, more (5.2), and digests of every size boundary.

use crate::arguments::Output;
use crate::names;
use crate::scenarios::prelude::*;

/// `"name" MECHANISM length;`: a hash, one-shot, in parts, and at the boundaries of its blocks.
macro_rules! hashes {
    ($($name:literal $mechanism:ident $length:literal;)*) => {
        &[$(
            scenario(concat!("buffers: C_Digest, ", $name), |ctx| {
                let session = ctx.public_session();
                for room in rooms($length) {
                    started(ctx, session, $mechanism);
                    ctx.at(&format!("{room:?}")).digest(session, b"abc", room);
                    ctx.quietly(|ctx| ctx.digest(session, b"abc", Room(64)));
                }
            }),
            scenario(concat!("buffers: C_DigestFinal, ", $name), |ctx| {
                let session = ctx.public_session();
                for room in rooms($length) {
                    started(ctx, session, $mechanism);
                    ctx.quietly(|ctx| ctx.digest_update(session, b"abc"));
                    ctx.at(&format!("{room:?}")).digest_final(session, room);
                    ctx.quietly(|ctx| ctx.digest_final(session, Room(64)));
                }
            }),
            scenario(concat!("digest: at every boundary of its blocks, ", $name), |ctx| {
                let session = ctx.public_session();
                for length in BOUNDARIES {
                    started(ctx, session, $mechanism);
                    let data = vec![0x61; *length];
                    ctx.at(&format!("{length} bytes")).digest(session, &data, Room(64));
                }
            }),
            scenario(concat!("digest: split at every boundary of its blocks, ", $name), |ctx| {
                let session = ctx.public_session();
                let data = [0x61; 300];
                for length in BOUNDARIES {
                    started(ctx, session, $mechanism);
                    let (first, second) = data.split_at(*length);
                    ctx.quietly(|ctx| {
                        ctx.digest_update(session, first);
                        ctx.digest_update(session, second);
                    });
                    ctx.at(&format!("{length} bytes")).digest_final(session, Room(64));
                }
            }),
        )*]
    };
}

pub(crate) const HASHES: &[Scenario] = hashes! {
    "SHA-1" CKM_SHA_1 20;
    "SHA-224" CKM_SHA224 28;
    "SHA-256" CKM_SHA256 32;
    "SHA-384" CKM_SHA384 48;
    "SHA-512" CKM_SHA512 64;
};

/// One less than, as much as and one more than what changes the padding or the number of blocks.
const BOUNDARIES: &[usize] = &[
    0, 1, 54, 55, 56, 57, 63, 64, 65, 110, 111, 112, 113, 119, 120, 127, 128, 129, 239, 240, 255,
    256, 257,
];

/// `"name" FIXTURE MECHANISM data length;`
macro_rules! signatures {
    ($($name:literal $fixture:ident $mechanism:ident $data:expr, $length:literal;)*) => {
        &[$(scenario(concat!("buffers: C_Sign, ", $name), |ctx| {
            let session = ctx.session();
            let key = ctx.fixture(keys::$fixture);
            for room in rooms($length) {
                ctx.quietly(|ctx| ctx.sign_init(session, $mechanism, key.private));
                ctx.at(&format!("{room:?}")).sign(session, $data, room);
                ctx.quietly(|ctx| ctx.sign(session, $data, Room(512)));
            }
        }),)*]
    };
}

pub(crate) const SIGNATURES: &[Scenario] = signatures! {
    "P-256" EC ECDSA &[7; 32], 64;
    "P-384" EC_384 ECDSA &[7; 48], 96;
    "P-521" EC_521 ECDSA &[7; 64], 132;
    "secp256k1" EC_K1 ECDSA &[7; 32], 64;
    "RSA of 2048 bits" RSA SHA256_RSA_PKCS b"message", 256;
    "RSA of 3072 bits" RSA_3072 SHA256_RSA_PKCS b"message", 384;
    "PSS" RSA SHA256_RSA_PSS b"message", 256;
    "PSS of a digest" RSA RSA_PSS &[7; 32], 256;
};

pub(crate) const OTHERS: &[Scenario] = &[
    scenario("buffers: C_SignFinal", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        for room in rooms(256) {
            ctx.quietly(|ctx| {
                ctx.sign_init(session, SHA256_RSA_PKCS, key.private);
                ctx.sign_update(session, b"message");
            });
            ctx.at(&format!("{room:?}")).sign_final(session, room);
            ctx.quietly(|ctx| ctx.sign_final(session, Room(512)));
        }
    }),
    scenario("buffers: C_Encrypt", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA_DECRYPTION);
        for room in rooms(256) {
            ctx.quietly(|ctx| ctx.encrypt_init(session, OAEP, key.public));
            ctx.at(&format!("{room:?}"))
                .encrypt(session, b"a secret", room);
            ctx.quietly(|ctx| ctx.encrypt(session, b"a secret", Room(512)));
        }
    }),
    scenario("buffers: C_FindObjects", |ctx| {
        let session = ctx.session();
        ctx.fixture(keys::EC);
        for room in [Room(1), Room(2), Room(3)] {
            ctx.quietly(|ctx| {
                ctx.find_objects_init(session, &[bytes(CKA_LABEL, keys::EC.label.as_bytes())])
            });
            ctx.at(&format!("{room:?}")).find_objects(session, room);
            ctx.at(&format!("{room:?}, the rest"))
                .find_objects(session, room);
            ctx.quietly(|ctx| ctx.find_objects_final(session));
        }
    }),
    scenario("buffers: C_GetMechanismList, length first", |ctx| {
        let slot = ctx.slot();
        ctx.at("length").get_mechanism_list(slot, Query);
        ctx.at("ample").get_mechanism_list(slot, Room(512));
    }),
    scenario("buffers: attributes of every type", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::RSA);
        for (kind, length) in [
            (CKA_TOKEN, 1),
            (CKA_CLASS, size_of::<CK_ULONG>()),
            (CKA_LABEL, keys::RSA.label.len()),
            (CKA_PUBLIC_EXPONENT, 3),
            (CKA_MODULUS, 256),
            (CKA_START_DATE, 0),
        ] {
            for room in [
                Query,
                Room(length.saturating_sub(1)),
                Room(length),
                Room(length + 1),
            ] {
                ctx.at(&format!("{}, {room:?}", names::attribute(kind)))
                    .get_attribute_value(session, key.public, &[(kind, room)]);
            }
        }
    }),
];

/// A query, no room, one too few, just enough, one more.
fn rooms(length: usize) -> [Output; 5] {
    [
        Query,
        Room(0),
        Room(length - 1),
        Room(length),
        Room(length + 1),
    ]
}

fn started(ctx: &mut Ctx, session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_TYPE) {
    ctx.quietly(|ctx| ctx.digest_init(session, Mechanism::plain(mechanism)));
}
