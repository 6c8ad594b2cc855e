//! AES with secret keys of a session (6.13): what comes out is compared byte by byte.

use crate::scenarios::prelude::*;
use crate::secrets;

/// `"name" MECHANISM;`: all that a mode is put through.
macro_rules! modes {
    ($($name:literal $mechanism:ident;)*) => {
        &[$(
            scenario(concat!($name, ": data of every length"), |ctx| {
                every_length(ctx, $mechanism);
            }),
            scenario(concat!($name, ": in parts"), |ctx| in_parts(ctx, $mechanism)),
            scenario(concat!($name, ": length, too little room, enough"), |ctx| {
                rooms(ctx, $mechanism);
            }),
            scenario(concat!($name, ": a changed and a cut ciphertext"), |ctx| {
                changed(ctx, $mechanism);
            }),
            scenario(concat!($name, ": parameters that are none"), |ctx| {
                parameters(ctx, $mechanism);
            }),
            scenario(concat!($name, ": with keys that are none of its own"), |ctx| {
                wrong_keys(ctx, $mechanism);
            }),
            scenario(concat!($name, ": orders of calls"), |ctx| orders(ctx, $mechanism)),
        )*]
    };
}

pub(crate) const MODES: &[Scenario] = modes! {
    "AES-CBC" AES_CBC;
    "AES-CBC-PAD" AES_CBC_PAD;
    "AES-CTR" AES_CTR;
    "AES-GCM" AES_GCM;
};

pub(crate) const PARAMETERS: &[Scenario] = &[
    scenario(
        "AES-GCM: vectors, headers and tags of other lengths",
        |ctx| {
            for (case, parameter) in [
                ("vector of 1 byte", gcm(&IV[..1], b"", 128)),
                ("vector of 16 bytes", gcm(IV, b"", 128)),
                ("no vector", gcm(b"", b"", 128)),
                ("no header", gcm(&IV[..12], b"", 128)),
                ("tag of 96 bits", gcm(&IV[..12], b"header", 96)),
                ("tag of 32 bits", gcm(&IV[..12], b"header", 32)),
                ("tag of 0 bits", gcm(&IV[..12], b"header", 0)),
                ("tag of 100 bits", gcm(&IV[..12], b"header", 100)),
                ("tag of 136 bits", gcm(&IV[..12], b"header", 136)),
            ] {
                encrypted(ctx, case, AES_GCM.with(parameter));
            }
        },
    ),
    scenario("AES-CTR: counters of other lengths", |ctx| {
        for bits in [0, 1, 8, 32, 64, 127, 129] {
            let parameter = Parameter::Ctr { bits, block: *IV };
            encrypted(ctx, &format!("{bits} bits"), AES_CTR.with(parameter));
        }
    }),
    scenario("AES-CTR: a counter that comes to its end", |ctx| {
        for (case, bits, block) in [("8 bits", 8, [0xff; 16]), ("128 bits", 128, [0xff; 16])] {
            encrypted(ctx, case, AES_CTR.with(Parameter::Ctr { bits, block }));
        }
    }),
];

const KEY_LENGTHS: [usize; 3] = [16, 24, 32];
const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

const fn gcm(iv: &'static [u8], aad: &'static [u8], tag_bits: CK_ULONG) -> Parameter {
    Parameter::Gcm { iv, aad, tag_bits }
}

fn data(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}

fn every_length(ctx: &mut Ctx, mechanism: Mechanism) {
    for key_length in KEY_LENGTHS {
        for length in [0, 1, 15, 16, 17, 32, 100, 4096] {
            let session = ctx.session();
            let key = ctx.aes(session, key_length);
            let case = format!("{length} bytes, key of {key_length}");
            ctx.quietly(|ctx| ctx.encrypt_init(session, mechanism, key));
            let ciphertext = ctx
                .at(&case)
                .encrypt(session, &data(length), Room(length + 32))
                .bytes;
            ctx.observe_bytes(&format!("ciphertext, {case}"), &ciphertext);
            if ciphertext.is_empty() {
                continue;
            }
            ctx.quietly(|ctx| ctx.decrypt_init(session, mechanism, key));
            ctx.at(&case)
                .decrypt(session, &ciphertext, Room(length + 32));
        }
    }
}

/// Encrypts and decrypts parts of several lengths; what all of them give is what counts.
fn in_parts(ctx: &mut Ctx, mechanism: Mechanism) {
    for lengths in [&[16, 16][..], &[1, 15, 17, 31], &[0, 5, 0], &[48], &[]] {
        let session = ctx.session();
        let key = ctx.aes(session, 32);
        let all = data(lengths.iter().sum());
        ctx.quietly(|ctx| ctx.encrypt_init(session, mechanism, key));
        let mut ciphertext = Vec::new();
        let mut rest = &all[..];
        for length in lengths {
            let (part, after) = rest.split_at(*length);
            rest = after;
            let answer = ctx.quietly(|ctx| ctx.encrypt_update(session, part, Room(128)));
            ciphertext.extend(answer.bytes);
        }
        let case = format!("{lengths:?}");
        let last = ctx.quietly(|ctx| ctx.encrypt_final(session, Room(128)));
        ctx.observe(&format!("end, {case}"), crate::names::rv(last.rv));
        ciphertext.extend(last.bytes);
        ctx.observe_bytes(&format!("ciphertext, {case}"), &ciphertext);

        ctx.quietly(|ctx| ctx.decrypt_init(session, mechanism, key));
        let mut plaintext = Vec::new();
        for part in ciphertext.chunks(7) {
            let answer = ctx.quietly(|ctx| ctx.decrypt_update(session, part, Room(256)));
            plaintext.extend(answer.bytes);
        }
        let last = ctx.quietly(|ctx| ctx.decrypt_final(session, Room(256)));
        ctx.observe(
            &format!("end of decryption, {case}"),
            crate::names::rv(last.rv),
        );
        plaintext.extend(last.bytes);
        ctx.observe_bytes(&format!("plaintext, {case}"), &plaintext);
    }
}

fn rooms(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let key = ctx.aes(session, 16);
    let all = data(32);
    ctx.encrypt_init(session, mechanism, key);
    ctx.at("length").encrypt(session, &all, Query);
    ctx.at("none").encrypt(session, &all, Room(0));
    ctx.at("one too few").encrypt(session, &all, Room(31));
    let ciphertext = ctx.encrypt(session, &all, Room(64)).bytes;
    ctx.at("again").encrypt(session, &all, Room(64));
    ctx.decrypt_init(session, mechanism, key);
    ctx.at("none").decrypt(session, &ciphertext, Room(0));
    ctx.decrypt(session, &ciphertext, Room(64));
    ctx.at("again").decrypt(session, &ciphertext, Room(64));
}

fn changed(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let key = ctx.aes(session, 32);
    let ciphertext = ctx.quietly(|ctx| {
        ctx.encrypt_init(session, mechanism, key);
        ctx.encrypt(session, &data(32), Room(64)).bytes
    });
    let mut last = ciphertext.clone();
    if let Some(byte) = last.last_mut() {
        *byte ^= 0xff;
    }
    for (case, changed) in [
        ("the last byte changed", &last[..]),
        ("the last byte missing", &ciphertext[..ciphertext.len() - 1]),
        ("one byte alone", &ciphertext[..1]),
        ("nothing", &[]),
    ] {
        // A session of its own: what a refusal leaves active is another matter.
        let session = ctx.session();
        ctx.quietly(|ctx| ctx.decrypt_init(session, mechanism, key));
        ctx.at(case).decrypt(session, changed, Room(64));
    }
}

fn parameters(ctx: &mut Ctx, mechanism: Mechanism) {
    for (case, parameter) in [
        ("none", Parameter::None),
        ("NULL", Parameter::Null(16)),
        ("short", Parameter::Bytes(&IV[..15])),
        ("long", Parameter::Bytes(&[7; 17])),
    ] {
        let session = ctx.session();
        let key = ctx.aes(session, 16);
        ctx.at(case)
            .encrypt_init(session, mechanism.with(parameter), key);
        let session = ctx.session();
        ctx.at(case)
            .decrypt_init(session, mechanism.with(parameter), key);
    }
}

fn wrong_keys(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let ec = ctx.fixture(keys::EC);
    let bytes = secrets::value(16);
    let generic = ctx.secret(session, CKK_GENERIC_SECRET, &bytes, &[CKA_ENCRYPT]);
    let idle = ctx.secret(session, CKK_AES, &bytes, &[CKA_WRAP]);
    for (case, key) in [
        ("generic", generic),
        ("may not", idle),
        ("public EC", ec.public),
        ("none", NO_OBJECT),
    ] {
        let session = ctx.session();
        ctx.at(case).encrypt_init(session, mechanism, key);
    }
    let session = ctx.session();
    ctx.at("may not").decrypt_init(session, mechanism, idle);
}

fn orders(ctx: &mut Ctx, mechanism: Mechanism) {
    let session = ctx.session();
    let key = ctx.aes(session, 16);
    ctx.at("twice").encrypt_init(session, mechanism, key);
    ctx.at("twice").encrypt_init(session, mechanism, key);
    ctx.encrypt_update(session, &data(16), Room(64));
    ctx.at("after a part").encrypt(session, &data(16), Room(64));
    let session = ctx.session();
    ctx.quietly(|ctx| ctx.encrypt_init(session, mechanism, key));
    ctx.at("one too few")
        .encrypt_update(session, &data(32), Room(15));
    ctx.at("with room")
        .encrypt_update(session, &data(32), Room(64));
    ctx.at("length").encrypt_final(session, Query);
    ctx.encrypt_final(session, Room(64));
    ctx.at("again").encrypt_final(session, Room(64));
    let session = ctx.session();
    ctx.quietly(|ctx| ctx.encrypt_init(session, mechanism, key));
    ctx.at("NULL part")
        .encrypt_update(session, Input::Null(16), Room(64));
    let session = ctx.session();
    ctx.quietly(|ctx| ctx.encrypt_init(session, mechanism, key));
    ctx.at("no length")
        .encrypt_update(session, &data(16), NoLength);
}

/// Encrypts 40 bytes with a mechanism, and decrypts them.
fn encrypted(ctx: &mut Ctx, case: &str, mechanism: Mechanism) {
    let session = ctx.session();
    let key = ctx.aes(session, 32);
    if ctx.at(case).encrypt_init(session, mechanism, key) != CKR_OK {
        return;
    }
    let ciphertext = ctx.at(case).encrypt(session, &data(40), Room(64)).bytes;
    ctx.observe_bytes(&format!("ciphertext, {case}"), &ciphertext);
    ctx.quietly(|ctx| ctx.decrypt_init(session, mechanism, key));
    ctx.at(case).decrypt(session, &ciphertext, Room(64));
}
