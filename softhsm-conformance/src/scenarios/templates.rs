//! Templates of key pairs, attribute by attribute (4.1.1, 4.4 to 4.9, 5.18.2).

use crate::names;
use crate::scenarios::prelude::*;

/// Booleans of one half: true, false, and values that are neither.
macro_rules! booleans {
    ($half:literal $with:ident: $($attribute:ident)*) => {
        &[$(scenario(concat!("template: ", stringify!($attribute), ", ", $half), |ctx| {
            for (case, value) in [
                ("true", &[1][..]),
                ("false", &[0]),
                ("of 2 bytes", &[1, 0]),
                ("neither", &[0xff]),
            ] {
                attempt(ctx, case, &ec().$with(bytes($attribute, value)));
            }
        }),)*]
    };
}

pub(crate) const PUBLIC_BOOLEANS: &[Scenario] = booleans! {
    "public" public_with:
    CKA_TOKEN CKA_PRIVATE CKA_MODIFIABLE CKA_COPYABLE CKA_DESTROYABLE CKA_DERIVE CKA_VERIFY
    CKA_VERIFY_RECOVER CKA_ENCRYPT CKA_WRAP CKA_TRUSTED CKA_LOCAL
};

pub(crate) const PRIVATE_BOOLEANS: &[Scenario] = booleans! {
    "private" private_with:
    CKA_TOKEN CKA_PRIVATE CKA_MODIFIABLE CKA_COPYABLE CKA_DESTROYABLE CKA_DERIVE CKA_SENSITIVE
    CKA_EXTRACTABLE CKA_SIGN CKA_SIGN_RECOVER CKA_DECRYPT CKA_UNWRAP CKA_WRAP_WITH_TRUSTED
    CKA_ALWAYS_AUTHENTICATE CKA_ALWAYS_SENSITIVE CKA_NEVER_EXTRACTABLE CKA_LOCAL
};

pub(crate) const VALUES: &[Scenario] = &[
    scenario("template: CKA_CLASS", |ctx| {
        attempt(
            ctx,
            "right",
            &ec().public_with(number(CKA_CLASS, CKO_PUBLIC_KEY)),
        );
        attempt(
            ctx,
            "right, private",
            &ec().private_with(number(CKA_CLASS, CKO_PRIVATE_KEY)),
        );
        attempt(ctx, "of 1 byte", &ec().public_with(bytes(CKA_CLASS, &[2])));
        attempt(ctx, "unknown", &ec().public_with(number(CKA_CLASS, 0x4242)));
    }),
    scenario("template: CKA_KEY_TYPE", |ctx| {
        attempt(
            ctx,
            "right",
            &ec().public_with(number(CKA_KEY_TYPE, CKK_EC)),
        );
        attempt(
            ctx,
            "right, private",
            &ec().private_with(number(CKA_KEY_TYPE, CKK_EC)),
        );
        attempt(
            ctx,
            "of 1 byte",
            &ec().public_with(bytes(CKA_KEY_TYPE, &[3])),
        );
        attempt(
            ctx,
            "unknown",
            &ec().private_with(number(CKA_KEY_TYPE, 0x4242)),
        );
    }),
    scenario("template: CKA_LABEL and CKA_ID", |ctx| {
        attempt(ctx, "empty label", &ec().public_with(bytes(CKA_LABEL, b"")));
        attempt(ctx, "empty ID", &ec().private_with(bytes(CKA_ID, b"")));
        attempt(ctx, "no label", &ec().public_without(CKA_LABEL));
        attempt(ctx, "no ID", &ec().public_without(CKA_ID));
        attempt(
            ctx,
            "ID of zeros",
            &ec().public_with(bytes(CKA_ID, &[0; 20])),
        );
    }),
    scenario("template: names that differ between the halves", |ctx| {
        attempt(
            ctx,
            "labels",
            &ec().private_with(bytes(CKA_LABEL, b"another")),
        );
        attempt(ctx, "IDs", &ec().private_with(bytes(CKA_ID, b"another")));
    }),
    scenario("template: CKA_START_DATE and CKA_END_DATE", |ctx| {
        attempt(ctx, "empty", &ec().public_with(bytes(CKA_START_DATE, b"")));
        attempt(
            ctx,
            "empty, private",
            &ec().private_with(bytes(CKA_END_DATE, b"")),
        );
        attempt(
            ctx,
            "of 3 bytes",
            &ec().public_with(bytes(CKA_START_DATE, b"202")),
        );
    }),
    scenario("template: CKA_SUBJECT", |ctx| {
        attempt(ctx, "empty", &ec().public_with(bytes(CKA_SUBJECT, b"")));
        attempt(
            ctx,
            "empty, private",
            &ec().private_with(bytes(CKA_SUBJECT, b"")),
        );
    }),
    scenario("template: CKA_EC_PARAMS", |ctx| {
        attempt(
            ctx,
            "P-384",
            &ec().public_with(bytes(CKA_EC_PARAMS, keys::P384)),
        );
        attempt(
            ctx,
            "in the private template",
            &ec().private_with(bytes(CKA_EC_PARAMS, keys::P256)),
        );
        attempt(
            ctx,
            "another in the private template",
            &ec().private_with(bytes(CKA_EC_PARAMS, keys::P384)),
        );
    }),
    scenario("template: CKA_EC_POINT", |ctx| {
        attempt(
            ctx,
            "public",
            &ec().public_with(bytes(CKA_EC_POINT, &[4; 67])),
        );
        attempt(
            ctx,
            "private",
            &ec().private_with(bytes(CKA_EC_POINT, &[4; 67])),
        );
        attempt(
            ctx,
            "of RSA",
            &rsa().public_with(bytes(CKA_EC_POINT, &[4; 67])),
        );
    }),
    scenario("template: CKA_MODULUS", |ctx| {
        attempt(
            ctx,
            "private",
            &rsa().private_with(bytes(CKA_MODULUS, &[0xff; 256])),
        );
        attempt(
            ctx,
            "of EC",
            &ec().public_with(bytes(CKA_MODULUS, &[0xff; 256])),
        );
    }),
    scenario("template: CKA_MODULUS_BITS", |ctx| {
        attempt(
            ctx,
            "of 1 byte",
            &rsa().public_with(bytes(CKA_MODULUS_BITS, &[8])),
        );
        attempt(
            ctx,
            "private",
            &rsa().private_with(number(CKA_MODULUS_BITS, 2048)),
        );
        attempt(
            ctx,
            "not of KMS",
            &rsa().public_with(number(CKA_MODULUS_BITS, 1024)),
        );
    }),
    scenario("template: CKA_PUBLIC_EXPONENT", |ctx| {
        attempt(
            ctx,
            "private",
            &rsa().private_with(bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])),
        );
        attempt(
            ctx,
            "of EC",
            &ec().public_with(bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])),
        );
    }),
    scenario("template: the secret numbers", |ctx| {
        for kind in [
            CKA_PRIVATE_EXPONENT,
            CKA_PRIME_1,
            CKA_COEFFICIENT,
            CKA_VALUE,
        ] {
            attempt(
                ctx,
                &names::attribute(kind),
                &rsa().private_with(bytes(kind, &[1; 32])),
            );
        }
    }),
    scenario("template: CKA_KEY_GEN_MECHANISM", |ctx| {
        let mechanism = number(CKA_KEY_GEN_MECHANISM, CKM_EC_KEY_PAIR_GEN);
        attempt(ctx, "public", &ec().public_with(mechanism.clone()));
        attempt(ctx, "private", &ec().private_with(mechanism));
    }),
    scenario("template: attributes of the other half", |ctx| {
        attempt(ctx, "CKA_SIGN", &ec().public_with(flag(CKA_SIGN, true)));
        attempt(
            ctx,
            "CKA_VERIFY",
            &ec().private_with(flag(CKA_VERIFY, true)),
        );
        attempt(
            ctx,
            "CKA_SENSITIVE",
            &ec().public_with(flag(CKA_SENSITIVE, true)),
        );
        attempt(
            ctx,
            "CKA_TRUSTED",
            &ec().private_with(flag(CKA_TRUSTED, false)),
        );
    }),
    scenario("template: attributes of certificates", |ctx| {
        attempt(
            ctx,
            "CKA_SERIAL_NUMBER",
            &ec().public_with(bytes(CKA_SERIAL_NUMBER, &[1])),
        );
        attempt(
            ctx,
            "CKA_CERTIFICATE_TYPE",
            &ec().private_with(number(CKA_CERTIFICATE_TYPE, 0)),
        );
    }),
    scenario("template: a token key beside a session key", |ctx| {
        attempt(ctx, "public", &ec().public_with(flag(CKA_TOKEN, false)));
        attempt(ctx, "private", &ec().private_with(flag(CKA_TOKEN, false)));
    }),
    scenario("template: usages that contradict each other", |ctx| {
        let all = ec()
            .private_with(flag(CKA_DECRYPT, true))
            .private_with(flag(CKA_DERIVE, true));
        attempt(ctx, "EC, all", &all);
        let none = ec()
            .private_with(flag(CKA_SIGN, false))
            .public_with(flag(CKA_VERIFY, false));
        attempt(ctx, "EC, none", &none);
        let none = rsa()
            .private_with(flag(CKA_SIGN, false))
            .public_with(flag(CKA_VERIFY, false));
        attempt(ctx, "RSA, none", &none);
    }),
];

fn ec() -> PairTemplate {
    PairTemplate::new(Kind::Ec(keys::P256), Purpose::Signing, "template")
}

fn rsa() -> PairTemplate {
    PairTemplate::new(Kind::Rsa(2048), Purpose::Signing, "template")
}

/// Asks for a pair; one that is made is destroyed again.
fn attempt(ctx: &mut Ctx, case: &str, pair: &PairTemplate) {
    let session = ctx.session();
    let made = ctx
        .at(case)
        .generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    if let Some(made) = made {
        ctx.quietly(|ctx| {
            ctx.destroy_object(session, made.private);
            ctx.destroy_object(session, made.public);
        });
    }
}
