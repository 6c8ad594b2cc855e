//! Public keys that C_CreateObject is handed, and copies of those of KMS.

use der::Decode;
use der::asn1::OctetStringRef;
use pkcs11_sys::*;
use zeroize::Zeroizing;

use super::creation::{Kind, missing};
use super::{Attributes, Body, LocalObject, table};
use crate::crypto::public_key::SpkiError;
use crate::crypto::{Curve, Ed25519PublicKey, PublicKey, edwards};
use crate::error::{Error, Result};
use crate::object::attributes::read_known;
use crate::object::template::Template;
use crate::object::value::{Value, flag, ulong};
use crate::object::{KmsObject, spec};
use crate::v3_2::*;

/// Makes a key of a checked template.
type Reader = fn(&Template<'_>) -> Result<PublicKey>;

/// The types of public keys.
const TYPES: &[(CK_KEY_TYPE, Reader)] = &[
    (CKK_RSA, rsa),
    (CKK_EC, ec),
    (CKK_EC_EDWARDS, ed25519),
    (CKK_ML_DSA, ml_dsa),
    (CKK_ML_KEM, ml_kem),
];

/// The key that C_CreateObject is handed.
pub(super) fn created(template: &Template<'_>) -> Result<LocalObject> {
    let key_type = template
        .ulong(CKA_KEY_TYPE)?
        .ok_or_else(|| missing("CKA_KEY_TYPE"))?;
    let (_, read) = TYPES
        .iter()
        .find(|(known, _)| *known == key_type)
        .ok_or_else(|| {
            Error::new(
                CKR_ATTRIBUTE_VALUE_INVALID,
                format!(
                    "CKA_KEY_TYPE {key_type:#x}: public keys are CKK_RSA, CKK_EC, CKK_EC_EDWARDS, \
                     CKK_ML_DSA or CKK_ML_KEM"
                ),
            )
        })?;
    let kind = Kind {
        class: CKO_PUBLIC_KEY,
        key_type: Some(key_type),
        created: true,
    };
    let attributes = kind.attributes(template)?;
    let key = read(template)?;
    if template
        .get(CKA_PUBLIC_KEY_INFO)
        .is_some_and(|given| given != key.spki())
    {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            "CKA_PUBLIC_KEY_INFO is not of the key that the other attributes make",
        ));
    }
    let (info, bits) = (key.spki().to_vec(), modulus_bits(&key));
    let mut object = LocalObject::new(attributes, Body::PublicKey(key));
    object.put(CKA_PUBLIC_KEY_INFO, info);
    if let Some(bits) = bits {
        object.put(CKA_MODULUS_BITS, ulong(bits));
    }
    Ok(object)
}

/// A session object that is what a public key of KMS is; `None` for other objects of KMS.
pub(crate) fn of_kms(object: &KmsObject) -> Option<LocalObject> {
    let view = object.view();
    let public = object.public_key()?;
    let mut attributes = Attributes::new();
    for row in table::all(CKO_PUBLIC_KEY, Some(view.key_type())) {
        // Without a restriction, the mechanisms are those that the copy can be used with.
        let is_default =
            row.type_ == CKA_ALLOWED_MECHANISMS && view.key.restrictions.of(object.part).is_none();
        if let Value::Known(value) = read_known(view, row.type_)
            && !is_default
        {
            attributes.insert(row.type_, Zeroizing::new(value.into_owned()));
        }
    }
    let mut copy = LocalObject::new(attributes, Body::PublicKey(public.clone()));
    copy.put(CKA_TOKEN, flag(false));
    // What the configuration refuses is to destroy keys in KMS.
    copy.put(CKA_DESTROYABLE, flag(true));
    Some(copy)
}

fn modulus_bits(key: &PublicKey) -> Option<CK_ULONG> {
    match key {
        PublicKey::Rsa(key) => Some(key.modulus_bits() as CK_ULONG),
        _ => None,
    }
}

fn rsa(template: &Template<'_>) -> Result<PublicKey> {
    let modulus = template.get(CKA_MODULUS).unwrap_or_default();
    let exponent = template.get(CKA_PUBLIC_EXPONENT).unwrap_or_default();
    PublicKey::from_rsa(modulus, exponent).map_err(bad("CKA_MODULUS and CKA_PUBLIC_EXPONENT"))
}

fn ec(template: &Template<'_>) -> Result<PublicKey> {
    let params = template.get(CKA_EC_PARAMS).unwrap_or_default();
    let curve = Curve::from_ec_params(params).ok_or_else(|| {
        Error::new(
            CKR_CURVE_NOT_SUPPORTED,
            "CKA_EC_PARAMS: the curves are P-256, P-384, P-521 and secp256k1",
        )
    })?;
    let point = point(template, 1 + 2 * curve.field_len());
    PublicKey::from_ec(curve, point).map_err(bad("CKA_EC_POINT"))
}

fn ed25519(template: &Template<'_>) -> Result<PublicKey> {
    if !edwards::is_ed25519(template.get(CKA_EC_PARAMS).unwrap_or_default()) {
        return Err(Error::new(
            CKR_CURVE_NOT_SUPPORTED,
            "CKA_EC_PARAMS: the one Edwards curve is edwards25519",
        ));
    }
    let point = point(template, Ed25519PublicKey::LEN);
    PublicKey::from_ed25519(point).map_err(bad("CKA_EC_POINT"))
}

fn ml_dsa(template: &Template<'_>) -> Result<PublicKey> {
    let number = template.ulong(CKA_PARAMETER_SET)?;
    let row = spec::ML_DSA_SETS.iter().find(|row| Some(row.0) == number);
    let (_, set, _) = *row.ok_or_else(no_set)?;
    PublicKey::from_ml_dsa(set, template.get(CKA_VALUE).unwrap_or_default())
        .map_err(bad("CKA_VALUE"))
}

fn ml_kem(template: &Template<'_>) -> Result<PublicKey> {
    let number = template.ulong(CKA_PARAMETER_SET)?;
    let row = spec::ML_KEM_SETS.iter().find(|row| Some(row.0) == number);
    let (_, set, _) = *row.ok_or_else(no_set)?;
    PublicKey::from_ml_kem(set, template.get(CKA_VALUE).unwrap_or_default())
        .map_err(bad("CKA_VALUE"))
}

/// CKA_EC_POINT, whose raw encoding has `len` bytes. It should be in a DER OCTET STRING; clients
/// know both, so what has the raw length is taken as it is.
fn point<'a>(template: &Template<'a>, len: usize) -> &'a [u8] {
    let given = template.get(CKA_EC_POINT).unwrap_or_default();
    if given.len() == len {
        return given;
    }
    <&OctetStringRef>::from_der(given).map_or(given, OctetStringRef::as_bytes)
}

fn bad(attributes: &'static str) -> impl Fn(SpkiError) -> Error {
    move |error| {
        Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!("{attributes}: {error}"),
        )
    }
}

fn no_set() -> Error {
    Error::new(
        CKR_PARAMETER_SET_NOT_SUPPORTED,
        "CKA_PARAMETER_SET: no set of the key type has this number",
    )
}
