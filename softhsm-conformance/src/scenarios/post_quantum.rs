//! ML-DSA and ML-KEM (6.67, 6.68), which came with version 3.2.

use crate::scenarios::prelude::*;
use crate::secrets;

pub(crate) const SIGNATURES: &[Scenario] = &[
    beside_kryoptic("ML-DSA: each parameter set", |ctx| {
        for fixture in SIGNING {
            let session = ctx.session();
            let key = ctx.fixture(fixture);
            ctx.at(fixture.label)
                .sign_init(session, ML_DSA, key.private);
            ctx.at(fixture.label).sign(session, b"message", Query);
            ctx.at(fixture.label).sign(session, b"message", Room(5000));
        }
    }),
    beside_kryoptic("ML-DSA: messages of every length", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_DSA_44);
        for length in [0, 1, 4096, 4097, 20_000] {
            ctx.quietly(|ctx| ctx.sign_init(session, ML_DSA, key.private));
            ctx.at(&format!("{length} bytes"))
                .sign(session, &vec![0x61; length], Room(2420));
        }
    }),
    beside_kryoptic("ML-DSA: in parts", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_DSA_65);
        ctx.sign_init(session, ML_DSA, key.private);
        ctx.sign_update(session, b"mess");
        ctx.sign_update(session, b"age");
        ctx.at("length").sign_final(session, Query);
        ctx.at("one too few").sign_final(session, Room(3308));
        ctx.sign_final(session, Room(3309));
        ctx.at("again").sign_final(session, Room(3309));
    }),
    beside_kryoptic("ML-DSA: contexts and hedges", |ctx| {
        for (case, hedge, context) in [
            ("preferred", CKH_HEDGE_PREFERRED, &b""[..]),
            ("required", CKH_HEDGE_REQUIRED, b""),
            ("deterministic", CKH_DETERMINISTIC_REQUIRED, b""),
            ("unknown", 17, b""),
            ("a context", CKH_HEDGE_PREFERRED, b"a context"),
            ("the longest", CKH_HEDGE_PREFERRED, &[7; 255]),
            ("too long", CKH_HEDGE_PREFERRED, &[7; 256]),
        ] {
            let session = ctx.session();
            let key = ctx.fixture(keys::ML_DSA_44);
            let mechanism = ML_DSA.with(Parameter::SignContext { hedge, context });
            if ctx.at(case).sign_init(session, mechanism, key.private) == CKR_OK {
                ctx.at(case).sign(session, b"message", Room(2420));
            }
        }
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_DSA_44);
        let mechanism = ML_DSA.with(Parameter::Bytes(&[0; 7]));
        ctx.at("short").sign_init(session, mechanism, key.private);
    }),
    beside_kryoptic("ML-DSA: verified, changed, cut", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_DSA_44);
        let signature = ctx.quietly(|ctx| {
            ctx.sign_init(session, ML_DSA, key.private);
            ctx.sign(session, b"message", Room(2420)).bytes
        });
        let mut changed = signature.clone();
        if let Some(byte) = changed.first_mut() {
            *byte ^= 1;
        }
        for (case, message, signature) in [
            ("as made", &b"message"[..], &signature[..]),
            ("of another message", b"massage", &signature),
            ("changed", b"message", &changed),
            ("cut", b"message", &signature[..2419]),
            ("empty", b"message", &[]),
        ] {
            let session = ctx.session();
            ctx.at(case).verify_init(session, ML_DSA, key.public);
            ctx.at(case).verify(session, message, signature);
        }
        let context = ML_DSA.with(Parameter::SignContext {
            hedge: CKH_HEDGE_PREFERRED,
            context: b"another context",
        });
        ctx.at("another context")
            .verify_init(session, context, key.public);
        ctx.at("another context")
            .verify(session, b"message", &signature);
    }),
    beside_kryoptic("ML-DSA: with keys of other kinds", |ctx| {
        ctx.session();
        let (ml_dsa, ec) = (ctx.fixture(keys::ML_DSA_44), ctx.fixture(keys::EC));
        for (case, mechanism, key) in [
            ("EC for ML-DSA", ML_DSA, ec.private),
            ("ML-DSA for ECDSA", ECDSA, ml_dsa.private),
            ("public for signing", ML_DSA, ml_dsa.public),
        ] {
            let session = ctx.session();
            ctx.at(case).raw_sign_init(session, mechanism, key);
        }
    }),
    beside_kryoptic("attributes: of an ML-DSA pair", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_DSA_44);
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_PARAMETER_SET,
            CKA_VERIFY,
            CKA_LOCAL,
        ] {
            ctx.at("public")
                .get_attribute_value(session, key.public, &[(kind, Room(64))]);
        }
        ctx.at("public")
            .get_attribute_value(session, key.public, &[(CKA_VALUE, Query)]);
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_PARAMETER_SET,
            CKA_SIGN,
            CKA_VALUE,
            CKA_SEED,
        ] {
            ctx.at("private")
                .get_attribute_value(session, key.private, &[(kind, Room(4096))]);
        }
    }),
    beside_kryoptic("generate: ML-DSA by each parameter set", |ctx| {
        for set in [CKP_ML_DSA_44, CKP_ML_DSA_65, CKP_ML_DSA_87, 0, 4] {
            generated(
                ctx,
                &format!("set {set}"),
                Kind::MlDsa(set),
                Purpose::Signing,
            );
        }
    }),
    beside_kryoptic("generate: ML-DSA without a parameter set", |ctx| {
        let session = ctx.session();
        let pair = PairTemplate::new(Kind::MlDsa(1), Purpose::Signing, "no parameter set")
            .public_without(CKA_PARAMETER_SET);
        ctx.generate_key_pair(session, pair.mechanism, &pair.public, &pair.private);
    }),
];

pub(crate) const ENCAPSULATION: &[Scenario] = &[
    beside_kryoptic("ML-KEM: there and back with each parameter set", |ctx| {
        for fixture in ENCAPSULATING {
            let session = ctx.session();
            let key = ctx.fixture(fixture);
            let case = fixture.label;
            let template = shared(32);
            ctx.at(case)
                .encapsulate_key(session, ML_KEM, key.public, &template, Query);
            let (ciphertext, here) =
                ctx.at(case)
                    .encapsulate_key(session, ML_KEM, key.public, &template, Room(1600));
            let there = ctx.at(case).decapsulate_key(
                session,
                ML_KEM,
                key.private,
                &template,
                &ciphertext.bytes,
            );
            let [here, there] = [here, there].map(|key| ctx.value_of(session, key));
            let shared = here.is_some() && here == there;
            ctx.observe(&format!("shared, {case}"), shared.to_string());
        }
    }),
    beside_kryoptic("ML-KEM: too little room", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_768);
        for room in [Room(0), Room(1087), NoLength] {
            ctx.at(&format!("{room:?}")).encapsulate_key(
                session,
                ML_KEM,
                key.public,
                &shared(32),
                room,
            );
        }
    }),
    beside_kryoptic("ML-KEM: what is no ciphertext", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_512);
        for (case, ciphertext) in [
            ("of no key", Input::Bytes(&[7; 768])),
            ("short", Input::Bytes(&[7; 767])),
            ("long", Input::Bytes(&[7; 769])),
            ("empty", Input::Bytes(&[])),
            ("NULL", Input::Null(768)),
        ] {
            ctx.at(case)
                .decapsulate_key(session, ML_KEM, key.private, &shared(32), ciphertext);
        }
    }),
    beside_kryoptic("ML-KEM: with keys of other kinds", |ctx| {
        let session = ctx.session();
        let (kem, ec) = (ctx.fixture(keys::ML_KEM_512), ctx.fixture(keys::EC));
        for (case, public, private) in [
            ("EC", ec.public, ec.private),
            ("swapped", kem.private, kem.public),
            ("none", 0x7fff_fff1, CK_INVALID_HANDLE),
        ] {
            ctx.at(case)
                .encapsulate_key(session, ML_KEM, public, &shared(32), Room(1600));
            ctx.at(case)
                .decapsulate_key(session, ML_KEM, private, &shared(32), &[7; 768]);
        }
    }),
    beside_kryoptic("ML-KEM: mechanisms that do not encapsulate", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_512);
        for (case, mechanism) in [
            ("NULL", None),
            ("unknown", Some(Mechanism::plain(0x4242_4242))),
            ("a signature", Some(ECDSA)),
            ("a parameter", Some(ML_KEM.with(Parameter::Bytes(b"x")))),
        ] {
            ctx.at(case)
                .encapsulate_key(session, mechanism, key.public, &shared(32), Room(1600));
            ctx.at(case)
                .decapsulate_key(session, mechanism, key.private, &shared(32), &[7; 768]);
        }
    }),
    beside_kryoptic("ML-KEM: templates good and bad", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_512);
        let with = |attribute: Attribute| {
            let mut template = secrets::found_out(CKK_GENERIC_SECRET);
            template.retain(|other| other.kind != attribute.kind);
            template.push(attribute);
            template
        };
        for (case, template) in [
            ("no length", secrets::found_out(CKK_GENERIC_SECRET)),
            ("16 bytes", shared(16)),
            ("33 bytes", shared(33)),
            ("AES", with(number(CKA_KEY_TYPE, CKK_AES))),
            ("a public key", with(number(CKA_CLASS, CKO_PUBLIC_KEY))),
            ("a value", with(bytes(CKA_VALUE, &[1; 32]))),
            ("unknown", with(bytes(0x4242_4242, b"x"))),
        ] {
            let case = format!("template: {case}");
            let (_, made) =
                ctx.at(&case)
                    .encapsulate_key(session, ML_KEM, key.public, &template, Room(768));
            if let Some(value) = ctx.value_of(session, made) {
                ctx.observe(&format!("bytes, {case}"), value.len().to_string());
            }
        }
    }),
    beside_kryoptic("attributes: of an encapsulated key", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_512);
        let (_, made) = ctx.encapsulate_key(session, ML_KEM, key.public, &shared(32), Room(768));
        for kind in [
            CKA_CLASS,
            CKA_KEY_TYPE,
            CKA_LOCAL,
            CKA_VALUE_LEN,
            CKA_ALWAYS_SENSITIVE,
            CKA_NEVER_EXTRACTABLE,
            CKA_KEY_GEN_MECHANISM,
        ] {
            ctx.get_attribute_value(session, made, &[(kind, Room(64))]);
        }
    }),
    beside_kryoptic("attributes: of an ML-KEM pair", |ctx| {
        let session = ctx.session();
        let key = ctx.fixture(keys::ML_KEM_512);
        for kind in [CKA_KEY_TYPE, CKA_PARAMETER_SET, CKA_ENCAPSULATE] {
            ctx.at("public")
                .get_attribute_value(session, key.public, &[(kind, Room(64))]);
        }
        ctx.at("public")
            .get_attribute_value(session, key.public, &[(CKA_VALUE, Query)]);
        for kind in [
            CKA_KEY_TYPE,
            CKA_PARAMETER_SET,
            CKA_DECAPSULATE,
            CKA_VALUE,
            CKA_SEED,
        ] {
            ctx.at("private")
                .get_attribute_value(session, key.private, &[(kind, Room(4096))]);
        }
    }),
    beside_kryoptic("generate: ML-KEM by each parameter set", |ctx| {
        for set in [CKP_ML_KEM_512, CKP_ML_KEM_768, CKP_ML_KEM_1024, 0, 4] {
            generated(
                ctx,
                &format!("set {set}"),
                Kind::MlKem(set),
                Purpose::Encapsulation,
            );
        }
    }),
];

const SIGNING: [keys::Fixture; 3] = [keys::ML_DSA_44, keys::ML_DSA_65, keys::ML_DSA_87];
const ENCAPSULATING: [keys::Fixture; 3] = [keys::ML_KEM_512, keys::ML_KEM_768, keys::ML_KEM_1024];

/// The template of a shared secret of so many bytes.
fn shared(length: CK_ULONG) -> Vec<Attribute> {
    let mut template = secrets::found_out(CKK_GENERIC_SECRET);
    template.push(number(CKA_VALUE_LEN, length));
    template
}

/// Generates a pair, and destroys it again.
fn generated(ctx: &mut Ctx, case: &str, kind: Kind, purpose: Purpose) {
    let session = ctx.session();
    let pair = PairTemplate::new(kind, purpose, "generated");
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
