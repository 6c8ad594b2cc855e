//! HKDF (6.62): what is derived is compared byte by byte.

use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const SCENARIOS: &[Scenario] = &[
    beside_kryoptic("HKDF: with each hash", |ctx| {
        for (case, hash) in [
            ("SHA-224", CKM_SHA224),
            ("SHA-256", CKM_SHA256),
            ("SHA-384", CKM_SHA384),
            ("SHA-512", CKM_SHA512),
        ] {
            derived(ctx, case, hash, b"salt", b"info", 42);
        }
    }),
    beside_kryoptic("HKDF: keys of every length", |ctx| {
        for length in [1, 32, 33, 255, 8160, 8161] {
            let case = format!("{length} bytes");
            derived(ctx, &case, CKM_SHA256, b"salt", b"info", length);
        }
    }),
    beside_kryoptic("HKDF: without salt or info", |ctx| {
        derived(ctx, "no info", CKM_SHA256, b"salt", b"", 32);
        derived(ctx, "no salt", CKM_SHA256, b"", b"info", 32);
    }),
    beside_kryoptic("HKDF: a hash that is none", |ctx| {
        derived(ctx, "ECDSA", CKM_ECDSA, b"salt", b"info", 32);
    }),
];

fn derived(
    ctx: &mut Ctx,
    case: &str,
    hash: CK_MECHANISM_TYPE,
    salt: &'static [u8],
    info: &'static [u8],
    length: CK_ULONG,
) {
    let session = ctx.session();
    let may = [CKA_DERIVE];
    let base = ctx.secret(session, CKK_GENERIC_SECRET, &secrets::value(40), &may);
    let mechanism = Mechanism::plain(CKM_HKDF_DERIVE).with(Parameter::Hkdf { hash, salt, info });
    let mut template = secrets::found_out(CKK_GENERIC_SECRET);
    template.push(number(CKA_VALUE_LEN, length));
    let key = ctx.at(case).derive_key(session, mechanism, base, &template);
    let wanted = [(CKA_VALUE, Room(9000))];
    let value = ctx.quietly(|ctx| ctx.get_attribute_value(session, key, &wanted));
    if let Some(value) = value.into_iter().next().flatten() {
        ctx.observe_bytes(&format!("derived, {case}"), &value[..value.len().min(64)]);
    }
}
