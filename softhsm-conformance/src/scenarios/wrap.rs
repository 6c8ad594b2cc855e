//! Keys wrapped and unwrapped (5.18.3, 5.18.4): what is wrapped is compared byte by byte.

use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("AES key wrap: keys of every length", |ctx| {
        for length in [16, 24, 32] {
            wrapped(
                ctx,
                AES_KEY_WRAP,
                &format!("AES of {length} bytes"),
                CKK_AES,
                length,
            );
        }
        for length in [16, 24, 40, 64, 8, 17, 20] {
            let case = format!("a secret of {length} bytes");
            wrapped(ctx, AES_KEY_WRAP, &case, CKK_GENERIC_SECRET, length);
        }
    }),
    scenario("AES key wrap: a vector of its own", |ctx| {
        let mechanism = AES_KEY_WRAP.with(Parameter::Bytes(&IV[..8]));
        wrapped(ctx, mechanism, "8 bytes", CKK_AES, 16);
        let mechanism = AES_KEY_WRAP.with(Parameter::Bytes(&IV[..7]));
        wrapped(ctx, mechanism, "7 bytes", CKK_AES, 16);
    }),
    scenario("AES key wrap: length, too little room, enough", |ctx| {
        let session = ctx.session();
        let (wrapping, key) = wrapping_and(ctx, session);
        ctx.at("length")
            .wrap_key(session, AES_KEY_WRAP, wrapping, key, Query);
        ctx.at("none")
            .wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(0));
        ctx.at("one too few")
            .wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(23));
        ctx.wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(24));
        ctx.at("no length")
            .wrap_key(session, AES_KEY_WRAP, wrapping, key, NoLength);
    }),
    scenario(
        "wrap: with keys that may not, of keys that may not",
        |ctx| {
            let session = ctx.session();
            let (wrapping, key) = wrapping_and(ctx, session);
            let ec = ctx.fixture(keys::EC);
            let idle = ctx.secret(session, CKK_AES, &secrets::value(16), &[CKA_ENCRYPT]);
            let generic = ctx.secret(
                session,
                CKK_GENERIC_SECRET,
                &secrets::value(16),
                &[CKA_WRAP],
            );
            let kept = kept(ctx, session);
            for (case, wrapping, key) in [
                ("may not wrap", idle, key),
                ("generic", generic, key),
                ("no wrapping key", NO_OBJECT, key),
                ("a private EC key to wrap with", ec.private, key),
                ("not extractable", wrapping, kept),
                ("a private EC key", wrapping, ec.private),
                ("no key", wrapping, NO_OBJECT),
            ] {
                ctx.at(case)
                    .wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(64));
            }
        },
    ),
    scenario("wrap: mechanisms that do not wrap", |ctx| {
        let session = ctx.session();
        let (wrapping, key) = wrapping_and(ctx, session);
        for (case, mechanism) in [
            ("NULL", None),
            ("unknown", Some(Mechanism::plain(0x4242_4242))),
            ("a digest", Some(SHA256)),
            ("a signature", Some(ECDSA)),
        ] {
            ctx.at(case)
                .wrap_key(session, mechanism, wrapping, key, Room(64));
            ctx.at(case).unwrap_key(
                session,
                mechanism,
                wrapping,
                &[0; 24],
                &secrets::found_out(CKK_AES),
            );
        }
    }),
    scenario("unwrap: what is no wrapped key", |ctx| {
        let session = ctx.session();
        let (wrapping, _) = wrapping_and(ctx, session);
        for (case, wrapped) in [
            ("changed", Input::Bytes(&[7; 24])),
            ("of a wrong length", Input::Bytes(&[7; 23])),
            ("a block alone", Input::Bytes(&[7; 8])),
            ("empty", Input::Bytes(&[])),
            ("NULL", Input::Null(24)),
        ] {
            ctx.at(case).unwrap_key(
                session,
                AES_KEY_WRAP,
                wrapping,
                wrapped,
                &secrets::found_out(CKK_AES),
            );
        }
    }),
    scenario("unwrap: templates good and bad", |ctx| {
        let session = ctx.session();
        let (wrapping, key) = wrapping_and(ctx, session);
        let wrapped = ctx
            .quietly(|ctx| ctx.wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(64)))
            .bytes;
        let good = secrets::found_out(CKK_AES);
        let with = |attribute: Attribute| {
            let mut template = good.clone();
            template.retain(|other| other.kind != attribute.kind);
            template.push(attribute);
            template
        };
        let without = |kind| {
            let mut template = good.clone();
            template.retain(|attribute| attribute.kind != kind);
            template
        };
        for (case, template) in [
            ("good", good.clone()),
            ("empty", Vec::new()),
            ("no class", without(CKA_CLASS)),
            ("no key type", without(CKA_KEY_TYPE)),
            ("a public key", with(number(CKA_CLASS, CKO_PUBLIC_KEY))),
            ("a value", with(bytes(CKA_VALUE, &[1; 16]))),
            ("a length", with(number(CKA_VALUE_LEN, 16))),
            ("a wrong length", with(number(CKA_VALUE_LEN, 24))),
            ("local", with(flag(CKA_LOCAL, true))),
            ("unknown", with(bytes(0x4242_4242, b"x"))),
            ("of RSA", with(bytes(CKA_MODULUS, b"x"))),
            ("generic", with(number(CKA_KEY_TYPE, CKK_GENERIC_SECRET))),
        ] {
            let key = ctx
                .at(case)
                .unwrap_key(session, AES_KEY_WRAP, wrapping, &wrapped, &template);
            if key != CK_INVALID_HANDLE {
                let value = ctx.value_of(session, key);
                ctx.observe_bytes(&format!("value, {case}"), &value.unwrap_or_default());
            }
        }
    }),
    scenario("wrap: OAEP, there and back", |ctx| {
        let session = ctx.session();
        let pair = ctx.fixture(keys::RSA_DECRYPTION);
        let (_, key) = wrapping_and(ctx, session);
        ctx.at("length")
            .wrap_key(session, OAEP, pair.public, key, Query);
        let wrapped = ctx.wrap_key(session, OAEP, pair.public, key, Room(256));
        unwrapped(ctx, "AES", OAEP, pair.private, &wrapped.bytes, CKK_AES);
    }),
    scenario("attributes: of a key that was unwrapped", |ctx| {
        let session = ctx.session();
        let (wrapping, key) = wrapping_and(ctx, session);
        let wrapped = ctx
            .quietly(|ctx| ctx.wrap_key(session, AES_KEY_WRAP, wrapping, key, Room(64)))
            .bytes;
        let template = secrets::found_out(CKK_AES);
        let key = ctx.unwrap_key(session, AES_KEY_WRAP, wrapping, &wrapped, &template);
        for kind in MADE {
            ctx.get_attribute_value(session, key, &[(*kind, Room(64))]);
        }
    }),
];

/// SoftHSM2 has another number for this mechanism.
pub(crate) const PADDED: &[Scenario] = &[beside_kryoptic(
    "AES key wrap with padding: secrets of every length",
    |ctx| {
        let mechanism = Mechanism::plain(CKM_AES_KEY_WRAP_KWP);
        for length in [1, 7, 8, 9, 16, 17, 33, 64] {
            let case = format!("{length} bytes");
            wrapped(ctx, mechanism, &case, CKK_GENERIC_SECRET, length);
        }
    },
)];

const NO_OBJECT: CK_OBJECT_HANDLE = 0x7fff_fff1;

/// What tells how a key came to be.
const MADE: &[CK_ATTRIBUTE_TYPE] = &[
    CKA_LOCAL,
    CKA_KEY_GEN_MECHANISM,
    CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE,
    CKA_VALUE_LEN,
    CKA_CHECK_VALUE,
];

/// A key that wraps and unwraps, and an AES key of 16 bytes to be wrapped.
fn wrapping_and(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let may = [CKA_WRAP, CKA_UNWRAP];
    let wrapping = ctx.secret(session, CKK_AES, &secrets::value(32), &may);
    (wrapping, ctx.secret(session, CKK_AES, &[0xab; 16], &[]))
}

/// A key that must not leave the token.
fn kept(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> CK_OBJECT_HANDLE {
    let mut template = secrets::template(CKK_AES, &[1; 16], &[]);
    template.retain(|attribute| attribute.kind != CKA_EXTRACTABLE);
    template.push(flag(CKA_EXTRACTABLE, false));
    ctx.quietly(|ctx| ctx.create_object(session, &template, Given))
}

/// Wraps a secret with an AES key, and unwraps it.
fn wrapped(ctx: &mut Ctx, mechanism: Mechanism, case: &str, key_type: CK_KEY_TYPE, length: usize) {
    let session = ctx.session();
    let (wrapping, _) = wrapping_and(ctx, session);
    let key = ctx.secret(session, key_type, &secrets::value(length), &[]);
    let wrapped = ctx
        .at(case)
        .wrap_key(session, mechanism, wrapping, key, Room(128));
    ctx.observe_bytes(&format!("wrapped, {case}"), &wrapped.bytes);
    if wrapped.rv == CKR_OK {
        unwrapped(ctx, case, mechanism, wrapping, &wrapped.bytes, key_type);
    }
}

fn unwrapped(
    ctx: &mut Ctx,
    case: &str,
    mechanism: Mechanism,
    unwrapping: CK_OBJECT_HANDLE,
    wrapped: &[u8],
    key_type: CK_KEY_TYPE,
) {
    let session = ctx.session();
    let template = secrets::found_out(key_type);
    let key = ctx
        .at(case)
        .unwrap_key(session, mechanism, unwrapping, wrapped, &template);
    if let Some(value) = ctx.value_of(session, key) {
        ctx.observe_bytes(&format!("value, {case}"), &value);
    }
}
