//! ECDH (6.3.16): what is agreed on is compared with what OpenSSL agrees on, since every module has a key of its
//! own.

use crate::outside;
use crate::scenarios::prelude::*;
use crate::secrets;
use crate::spki;

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("ECDH: as OpenSSL agrees", |ctx| {
        for (case, point) in [("raw", PEER), ("DER", PEER_IN_DER)] {
            let parameter = parameter(CKD_NULL, &[], point);
            agreed(
                ctx,
                case,
                parameter,
                &secrets::found_out(CKK_GENERIC_SECRET),
            );
        }
    }),
    scenario("ECDH: a part of the secret", |ctx| {
        // Of fewer bytes, the first and the last may be the same.
        for length in [8, 16, 31, 32, 33] {
            let mut template = secrets::found_out(CKK_GENERIC_SECRET);
            template.push(number(CKA_VALUE_LEN, length));
            let parameter = parameter(CKD_NULL, &[], PEER);
            agreed(ctx, &format!("{length} bytes"), parameter, &template);
        }
    }),
    scenario("ECDH: an AES key", |ctx| {
        for length in [16, 24, 32, 17] {
            let mut template = secrets::found_out(CKK_AES);
            template.push(number(CKA_VALUE_LEN, length));
            let parameter = parameter(CKD_NULL, &[], PEER);
            agreed(ctx, &format!("{length} bytes"), parameter, &template);
        }
        let parameter = parameter(CKD_NULL, &[], PEER);
        agreed(ctx, "of no length", parameter, &secrets::found_out(CKK_AES));
    }),
    scenario("ECDH: what is no public key", |ctx| {
        let off_the_curve = &[&[4][..], &[1; 64]].concat().leak()[..];
        for (case, point) in [
            ("off the curve", off_the_curve),
            ("short", &PEER[..64]),
            ("empty", &[]),
            ("x alone", &PEER[1..33]),
        ] {
            let parameter = parameter(CKD_NULL, &[], point);
            derived(
                ctx,
                case,
                parameter,
                &secrets::found_out(CKK_GENERIC_SECRET),
            );
        }
    }),
    scenario("ECDH: parameters that are none", |ctx| {
        for (case, parameter) in [
            ("none", Parameter::None),
            ("short", Parameter::Bytes(&[0; 39])),
            ("no function", parameter(0, &[], PEER)),
            ("an unknown function", parameter(0x4242, &[], PEER)),
            (
                "data without a function",
                parameter(CKD_NULL, b"shared", PEER),
            ),
        ] {
            derived(
                ctx,
                case,
                parameter,
                &secrets::found_out(CKK_GENERIC_SECRET),
            );
        }
    }),
    scenario("ECDH: with keys that may not", |ctx| {
        let session = ctx.session();
        let (ec, rsa) = (ctx.fixture(keys::EC), ctx.fixture(keys::RSA));
        let agreement = ctx.fixture(keys::AGREEMENT);
        let mechanism = Mechanism::plain(CKM_ECDH1_DERIVE).with(parameter(CKD_NULL, &[], PEER));
        for (case, key) in [
            ("signing", ec.private),
            ("RSA", rsa.private),
            ("public", agreement.public),
            ("none", 0x7fff_fff1),
        ] {
            let template = secrets::found_out(CKK_GENERIC_SECRET);
            ctx.at(case).derive_key(session, mechanism, key, &template);
        }
        ctx.at("signing with it")
            .sign_init(session, ECDSA, agreement.private);
    }),
    scenario("ECDH: templates good and bad", |ctx| {
        let good = secrets::found_out(CKK_GENERIC_SECRET);
        let with = |attribute: Attribute| {
            let mut template = good.clone();
            template.retain(|other| other.kind != attribute.kind);
            template.push(attribute);
            template
        };
        for (case, template) in [
            ("a public key", with(number(CKA_CLASS, CKO_PUBLIC_KEY))),
            ("an RSA key", with(number(CKA_KEY_TYPE, CKK_RSA))),
            ("a value", with(bytes(CKA_VALUE, &[1; 16]))),
            ("unknown", with(bytes(0x4242_4242, b"x"))),
            ("no length at all", with(number(CKA_VALUE_LEN, 0))),
        ] {
            derived(ctx, case, parameter(CKD_NULL, &[], PEER), &template);
        }
    }),
    scenario("attributes: of a key that was agreed on", |ctx| {
        let template = secrets::found_out(CKK_GENERIC_SECRET);
        let parameter = parameter(CKD_NULL, &[], PEER);
        let (session, key) = derived(ctx, "agreed on", parameter, &template);
        for kind in [
            CKA_LOCAL,
            CKA_KEY_GEN_MECHANISM,
            CKA_ALWAYS_SENSITIVE,
            CKA_NEVER_EXTRACTABLE,
            CKA_VALUE_LEN,
        ] {
            ctx.get_attribute_value(session, key, &[(kind, Room(64))]);
        }
    }),
    scenario("attributes: of a pair for agreement", |ctx| {
        let session = ctx.session();
        let pair = ctx.fixture(keys::AGREEMENT);
        for kind in [CKA_DERIVE, CKA_SIGN, CKA_KEY_GEN_MECHANISM] {
            ctx.get_attribute_value(session, pair.private, &[(kind, Room(64))]);
        }
        ctx.get_attribute_value(session, pair.public, &[(CKA_VERIFY, Room(1))]);
    }),
];

/// SoftHSM2 has no key derivation functions.
pub(crate) const FUNCTIONS: &[Scenario] = &[beside_kryoptic(
    "ECDH: with a key derivation function, as OpenSSL agrees",
    |ctx| {
        for (case, kdf, digest, shared) in [
            ("SHA-224", CKD_SHA224_KDF, "SHA2-224", &b""[..]),
            ("SHA-256", CKD_SHA256_KDF, "SHA2-256", b""),
            ("SHA-256 and data", CKD_SHA256_KDF, "SHA2-256", b"shared"),
            ("SHA-384", CKD_SHA384_KDF, "SHA2-384", b"shared"),
            ("SHA-512", CKD_SHA512_KDF, "SHA2-512", b"shared"),
        ] {
            let mut template = secrets::found_out(CKK_GENERIC_SECRET);
            template.push(number(CKA_VALUE_LEN, 80));
            let (session, key) = derived(ctx, case, parameter(kdf, shared, PEER), &template);
            let value = ctx.value_of(session, key).unwrap_or_default();
            let expected = outside::x963(&secret(ctx, session), digest, shared, 80);
            ctx.observe(
                &format!("as OpenSSL, {case}"),
                (value == expected).to_string(),
            );
        }
    },
)];

/// The initiator's public point of RFC 5903, 8.1.
const PEER: &[u8] = &[
    0x04, 0xda, 0xd0, 0xb6, 0x53, 0x94, 0x22, 0x1c, 0xf9, 0xb0, 0x51, 0xe1, 0xfe, 0xca, 0x57, 0x87,
    0xd0, 0x98, 0xdf, 0xe6, 0x37, 0xfc, 0x90, 0xb9, 0xef, 0x94, 0x5d, 0x0c, 0x37, 0x72, 0x58, 0x11,
    0x80, 0x52, 0x71, 0xa0, 0x46, 0x1c, 0xdb, 0x82, 0x52, 0xd6, 0x1f, 0x1c, 0x45, 0x6f, 0xa3, 0xe5,
    0x9a, 0xb1, 0xf4, 0x5b, 0x33, 0xac, 0xcf, 0x5f, 0x58, 0x38, 0x9e, 0x05, 0x77, 0xb8, 0x99, 0x0b,
    0xb3,
];
/// The same within an OCTET STRING.
const PEER_IN_DER: &[u8] = &{
    let mut der = [0; 67];
    (der[0], der[1]) = (4, 65);
    let mut at = 0;
    while at < PEER.len() {
        der[at + 2] = PEER[at];
        at += 1;
    }
    der
};
/// The initiator's private number of RFC 5903, 8.1.
const PEER_PRIVATE: &[u8; 32] = &[
    0xc8, 0x8f, 0x01, 0xf5, 0x10, 0xd9, 0xac, 0x3f, 0x70, 0xa2, 0x92, 0xda, 0xa2, 0x31, 0x6d, 0xe5,
    0x44, 0xe9, 0xaa, 0xb8, 0xaf, 0xe8, 0x40, 0x49, 0xc6, 0x2a, 0x9c, 0x57, 0x86, 0x2d, 0x14, 0x33,
];

const fn parameter(kdf: CK_EC_KDF_TYPE, shared: &'static [u8], public: &'static [u8]) -> Parameter {
    Parameter::Ecdh {
        kdf,
        shared,
        public,
    }
}

/// The session and the derived key.
fn derived(
    ctx: &mut Ctx,
    case: &str,
    parameter: Parameter,
    template: &[Attribute],
) -> (CK_SESSION_HANDLE, CK_OBJECT_HANDLE) {
    let session = ctx.session();
    let pair = ctx.fixture(keys::AGREEMENT);
    let mechanism = Mechanism::plain(CKM_ECDH1_DERIVE).with(parameter);
    let key = ctx
        .at(case)
        .derive_key(session, mechanism, pair.private, template);
    (session, key)
}

/// Derives, and holds what came of it against the secret of OpenSSL, whichever of its bytes they are.
fn agreed(ctx: &mut Ctx, case: &str, parameter: Parameter, template: &[Attribute]) {
    let (session, key) = derived(ctx, case, parameter, template);
    let Some(value) = ctx.value_of(session, key) else {
        return;
    };
    let secret = secret(ctx, session);
    let which = if value == secret {
        "all"
    } else if secret.starts_with(&value) {
        "the first"
    } else if secret.ends_with(&value) {
        "the last"
    } else {
        "none"
    };
    ctx.observe(&format!("bytes of the secret, {case}"), which);
}

/// What OpenSSL agrees on with the module's public key.
fn secret(ctx: &mut Ctx, session: CK_SESSION_HANDLE) -> Vec<u8> {
    let pair = ctx.fixture(keys::AGREEMENT);
    let public = ctx.quietly(|ctx| ctx.public_values(session, pair.public));
    outside::agreed(&spki::p256_private(PEER_PRIVATE), &spki::of(&public))
}
