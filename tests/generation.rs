//! C_GenerateKeyPair: what templates ask for, what KMS makes of it, and what the new keys then say of
//! themselves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common_p11;

use common_p11::attribute::{Attr, P256, bytes, flag, id, private_keys, public_keys, ulong};
use common_p11::{Session, World, calls};
use cryptoki_sys::*;
use serde_json::json;

const P384: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";
const P521: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x23";
const SECP256K1: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x0a";
/// id-Ed25519 of RFC 8410.
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";
/// The name of the curve as a PrintableString.
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";

/// What a template says, the spec and usage of the key that KMS makes of it, and the use that it has.
fn pairs() -> Vec<(
    CK_MECHANISM_TYPE,
    Attr,
    Vec<Attr>,
    &'static str,
    &'static str,
)> {
    let curve = |params: &[u8]| bytes(CKA_EC_PARAMS, params);
    let set = |number| ulong(CKA_PARAMETER_SET, number);
    let signs = || vec![flag(CKA_SIGN, true)];
    let derives = || vec![flag(CKA_DERIVE, true), flag(CKA_SIGN, false)];
    let decapsulates = || vec![flag(CKA_DECAPSULATE, true)];
    let (ec, edwards) = (CKM_EC_KEY_PAIR_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN);
    let (ml_dsa, ml_kem) = (CKM_ML_DSA_KEY_PAIR_GEN, CKM_ML_KEM_KEY_PAIR_GEN);
    let (sign, agree) = ("SIGN_VERIFY", "KEY_AGREEMENT");
    let encapsulate = "ENCAPSULATE_DECAPSULATE";
    vec![
        (
            edwards,
            curve(ED25519),
            signs(),
            "ECC_NIST_EDWARDS25519",
            sign,
        ),
        (
            edwards,
            curve(EDWARDS25519),
            signs(),
            "ECC_NIST_EDWARDS25519",
            sign,
        ),
        (
            edwards,
            curve(EDWARDS25519),
            vec![],
            "ECC_NIST_EDWARDS25519",
            sign,
        ),
        (ml_dsa, set(CKP_ML_DSA_44), signs(), "ML_DSA_44", sign),
        (ml_dsa, set(CKP_ML_DSA_65), signs(), "ML_DSA_65", sign),
        (ml_dsa, set(CKP_ML_DSA_87), vec![], "ML_DSA_87", sign),
        (
            ml_kem,
            set(CKP_ML_KEM_512),
            decapsulates(),
            "ML_KEM_512",
            encapsulate,
        ),
        (
            ml_kem,
            set(CKP_ML_KEM_768),
            decapsulates(),
            "ML_KEM_768",
            encapsulate,
        ),
        (
            ml_kem,
            set(CKP_ML_KEM_1024),
            vec![],
            "ML_KEM_1024",
            encapsulate,
        ),
        (ec, curve(P256), derives(), "ECC_NIST_P256", agree),
        (ec, curve(P384), derives(), "ECC_NIST_P384", agree),
        (
            ec,
            curve(P521),
            vec![flag(CKA_DERIVE, true)],
            "ECC_NIST_P521",
            agree,
        ),
        // A key of KMS has one usage.
        (
            ec,
            curve(P256),
            [signs(), vec![flag(CKA_DERIVE, true)]].concat(),
            "ECC_NIST_P256",
            sign,
        ),
    ]
}

#[test]
fn pairs_of_every_kind_are_made_as_their_templates_ask() {
    let world = World::start();
    for (n, (mechanism, size, uses, spec, usage)) in (0..).zip(pairs()) {
        let session = world.module.session();
        world.take_calls();
        let (public, private) = generate(session, mechanism, n, &[size], &uses).unwrap();
        let cost = calls([("CreateKey", 1), ("GetPublicKey", 1)]);
        let mut asked = world.take_calls();
        // The first generation looks at the token, too.
        asked.retain(|operation, _| cost.contains_key(operation));
        assert_eq!(asked, cost, "{spec}");
        let arn = String::from_utf8(session.get(private, CKA_UNIQUE_ID).unwrap()).unwrap();
        let made = &world.ask("DescribeKey", &json!({ "KeyId": arn }))["KeyMetadata"];
        assert_eq!(
            (&made["KeySpec"], &made["KeyUsage"]),
            (&json!(spec), &json!(usage))
        );

        // What was asked for is what is reported, but for the second use of a key.
        let both = uses.len() == 2 && uses.iter().all(|one| one.value == [1]);
        for wanted in uses.iter().take(if both { 1 } else { 2 }) {
            let reported = session.get(private, wanted.type_).unwrap();
            assert_eq!(reported, wanted.value, "{spec}: {:#x}", wanted.type_);
        }
        let derives = u8::from(usage == "KEY_AGREEMENT");
        assert_eq!(session.get(private, CKA_DERIVE), Ok(vec![derives]));
        for object in [public, private] {
            let generated = session.get(object, CKA_KEY_GEN_MECHANISM);
            assert_eq!(generated, Ok(mechanism.to_ne_bytes().to_vec()));
            assert_eq!(session.get(object, CKA_LOCAL), Ok(vec![1]));
        }
    }
    // All of them are there for those who come later.
    let count = pairs().len();
    world.restart();
    let session = world.module.session();
    for class in [private_keys(), public_keys()] {
        assert_eq!(session.find(&[class]).unwrap().len(), count);
    }
}

#[test]
fn an_ed25519_key_shows_its_curve_and_point_alike_whatever_it_was_made_from() {
    let world = World::start();
    let session = world.module.session();
    for (n, params) in (0..).zip([ED25519, EDWARDS25519]) {
        let curve = [bytes(CKA_EC_PARAMS, params)];
        let (public, private) =
            generate(session, CKM_EC_EDWARDS_KEY_PAIR_GEN, n, &curve, &[]).unwrap();
        for object in [public, private] {
            assert_eq!(session.get(object, CKA_EC_PARAMS).as_deref(), Ok(ED25519));
        }
        // An OCTET STRING around the bytes that end the SubjectPublicKeyInfo.
        let spki = session.get(public, CKA_PUBLIC_KEY_INFO).unwrap();
        let point = session.get(public, CKA_EC_POINT).unwrap();
        assert_eq!(point, [b"\x04\x20", &spki[12..]].concat());
    }
}

#[test]
fn templates_of_curves_that_contradict_kms_or_themselves_are_refused_without_a_request() {
    let curve = |params: &[u8]| bytes(CKA_EC_PARAMS, params);
    let (ec, edwards) = (CKM_EC_KEY_PAIR_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN);
    are_refused(&[
        (edwards, vec![], vec![], CKR_TEMPLATE_INCOMPLETE),
        (edwards, vec![curve(P256)], vec![], CKR_CURVE_NOT_SUPPORTED),
        // Ed448, by its OID and by its name.
        (
            edwards,
            vec![curve(b"\x06\x03\x2b\x65\x71")],
            vec![],
            CKR_CURVE_NOT_SUPPORTED,
        ),
        (
            edwards,
            vec![curve(b"\x13\x0aedwards448")],
            vec![],
            CKR_CURVE_NOT_SUPPORTED,
        ),
        (ec, vec![curve(ED25519)], vec![], CKR_CURVE_NOT_SUPPORTED),
        (
            edwards,
            vec![curve(ED25519)],
            vec![flag(CKA_SIGN, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            edwards,
            vec![curve(ED25519), ulong(CKA_KEY_TYPE, CKK_EC)],
            vec![],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            edwards,
            vec![curve(ED25519), ulong(CKA_PARAMETER_SET, 1)],
            vec![],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ec,
            vec![curve(SECP256K1)],
            vec![flag(CKA_DERIVE, true), flag(CKA_SIGN, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ec,
            vec![curve(P256)],
            vec![flag(CKA_SIGN, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
    ]);
}

#[test]
fn templates_of_parameter_sets_that_contradict_kms_or_themselves_are_refused_without_a_request() {
    let set = |number| ulong(CKA_PARAMETER_SET, number);
    let (ml_dsa, ml_kem) = (CKM_ML_DSA_KEY_PAIR_GEN, CKM_ML_KEM_KEY_PAIR_GEN);
    are_refused(&[
        (ml_dsa, vec![], vec![], CKR_TEMPLATE_INCOMPLETE),
        (
            ml_dsa,
            vec![set(0)],
            vec![],
            CKR_PARAMETER_SET_NOT_SUPPORTED,
        ),
        (
            ml_dsa,
            vec![set(4)],
            vec![],
            CKR_PARAMETER_SET_NOT_SUPPORTED,
        ),
        (
            ml_dsa,
            vec![bytes(CKA_PARAMETER_SET, [1])],
            vec![],
            CKR_ATTRIBUTE_VALUE_INVALID,
        ),
        (
            ml_dsa,
            vec![set(1)],
            vec![set(2)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ml_dsa,
            vec![set(1), set(2)],
            vec![],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ml_dsa,
            vec![set(1)],
            vec![flag(CKA_SIGN, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ml_dsa,
            vec![set(1)],
            vec![bytes(CKA_VALUE, [1])],
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            ml_dsa,
            vec![set(1)],
            vec![bytes(CKA_SEED, [1])],
            CKR_ATTRIBUTE_READ_ONLY,
        ),
        (
            ml_dsa,
            vec![set(1)],
            vec![flag(CKA_EXTRACTABLE, true)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
        (
            ml_kem,
            vec![set(0)],
            vec![],
            CKR_PARAMETER_SET_NOT_SUPPORTED,
        ),
        (
            ml_kem,
            vec![set(1)],
            vec![flag(CKA_DECAPSULATE, false)],
            CKR_TEMPLATE_INCONSISTENT,
        ),
    ]);
}

#[test]
fn a_pair_of_the_session_alone_is_refused_without_a_request() {
    let world = World::start();
    let session = world.module.session();
    let edwards = [bytes(CKA_EC_PARAMS, ED25519)];
    let refused = session.generate(CKM_EC_EDWARDS_KEY_PAIR_GEN, &edwards, &[]);
    assert_eq!(refused, Err(CKR_TEMPLATE_INCONSISTENT));
    assert_eq!(world.take_calls(), calls([]));
}

/// A mechanism, the public and the private template, and what they are refused with.
type Case = (CK_MECHANISM_TYPE, Vec<Attr>, Vec<Attr>, CK_RV);

fn are_refused(cases: &[Case]) {
    let world = World::start();
    let session = world.module.session();
    assert_eq!(session.find(&[]), Ok(vec![]));
    world.take_calls();
    for (mechanism, public, private, rv) in cases {
        let refused = generate(session, *mechanism, 0, public, private);
        assert_eq!(refused, Err(*rv), "{mechanism:#x} {public:x?} {private:x?}");
    }
    assert_eq!(world.take_calls(), calls([]));
}

/// A pair on the token, with a CKA_ID of its own.
fn generate(
    session: Session<'_>,
    mechanism: CK_MECHANISM_TYPE,
    n: u8,
    public: &[Attr],
    private: &[Attr],
) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), CK_RV> {
    let common = [flag(CKA_TOKEN, true), id([n])];
    session.generate(
        mechanism,
        &[public, &common].concat(),
        &[private, &common].concat(),
    )
}
