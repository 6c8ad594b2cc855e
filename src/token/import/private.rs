//! What the template of a private key says: the key itself, its usage and its names.

use pkcs11_sys::*;

use super::super::generate::pair::{Pair, significant};
use super::super::generate::{Wanted, bad, check, missing, names, restriction};
use super::super::names::PairNames;
use crate::config::TokenConfig;
use crate::crypto::private_key::{PrivateKeyError, RsaNumbers};
use crate::crypto::public_key::SpkiError;
use crate::crypto::{Curve, PrivateKey, PublicKey};
use crate::error::{Error, Result};
use crate::object::attributes::{Making, name};
use crate::object::template::Template;
use crate::object::{Part, Restrictions, spec};
use crate::v3_2::*;

/// The key that C_CreateObject is handed.
pub(super) fn created(
    config: &TokenConfig,
    template: &Template<'_>,
) -> Result<(Wanted, PrivateKey)> {
    let key_type = key_type(template)?;
    check(Making::Created, template, Part::Private, key_type)?;
    let key = match key_type {
        CKK_RSA => rsa(template)?,
        _ => ec(template)?,
    };
    Ok((wanted(config, template, key_type, &key)?, key))
}

/// Checks all that can be checked of a template of C_UnwrapKey before the key is there.
pub(super) fn check_unwrapped(template: &Template<'_>) -> Result<()> {
    check(
        Making::Unwrapped,
        template,
        Part::Private,
        key_type(template)?,
    )
}

/// The key that was wrapped.
pub(super) fn unwrapped(
    config: &TokenConfig,
    template: &Template<'_>,
    pkcs8: &[u8],
) -> Result<(Wanted, PrivateKey)> {
    let key = PrivateKey::from_unwrapped(pkcs8)
        .map_err(|error| Error::new(CKR_WRAPPED_KEY_INVALID, error.to_string()))?;
    Ok((wanted(config, template, key_type(template)?, &key)?, key))
}

/// The types of private keys that KMS does not take in, and why.
const REFUSED: &[(CK_KEY_TYPE, &str)] = &[
    (CKK_EC_EDWARDS, "KMS imports no Ed25519 keys: generate one"),
    (CKK_ML_DSA, "KMS imports no ML-DSA keys: generate one"),
    (CKK_ML_KEM, "KMS imports no ML-KEM keys: generate one"),
];

/// CKA_KEY_TYPE, where KMS imports keys of that type.
fn key_type(template: &Template<'_>) -> Result<CK_KEY_TYPE> {
    let key_type = template
        .ulong(CKA_KEY_TYPE)?
        .ok_or_else(|| missing("CKA_KEY_TYPE"))?;
    if matches!(key_type, CKK_RSA | CKK_EC) {
        return Ok(key_type);
    }
    let known = REFUSED.iter().find(|(type_, _)| *type_ == key_type);
    Err(bad(
        "CKA_KEY_TYPE",
        known.map_or("KMS imports RSA and EC private keys", |(_, reason)| reason),
    ))
}

fn rsa(template: &Template<'_>) -> Result<PrivateKey> {
    let number = |type_| template.get(type_).ok_or_else(|| missing(&name(type_)));
    let numbers = RsaNumbers {
        modulus: number(CKA_MODULUS)?,
        public_exponent: number(CKA_PUBLIC_EXPONENT)?,
        private_exponent: number(CKA_PRIVATE_EXPONENT)?,
        prime_1: number(CKA_PRIME_1)?,
        prime_2: number(CKA_PRIME_2)?,
        exponent_1: number(CKA_EXPONENT_1)?,
        exponent_2: number(CKA_EXPONENT_2)?,
        coefficient: number(CKA_COEFFICIENT)?,
    };
    PrivateKey::from_rsa(numbers).map_err(refused)
}

fn ec(template: &Template<'_>) -> Result<PrivateKey> {
    let params = template
        .get(CKA_EC_PARAMS)
        .ok_or_else(|| missing("CKA_EC_PARAMS"))?;
    let value = template
        .get(CKA_VALUE)
        .ok_or_else(|| missing("CKA_VALUE"))?;
    let curve = Curve::from_ec_params(params)
        .ok_or_else(|| refused(PrivateKeyError::Public(SpkiError::UnsupportedCurve)))?;
    PrivateKey::from_ec(curve, value).map_err(refused)
}

fn refused(error: PrivateKeyError) -> Error {
    let rv = match error {
        PrivateKeyError::Public(SpkiError::UnsupportedCurve) => CKR_CURVE_NOT_SUPPORTED,
        _ => CKR_ATTRIBUTE_VALUE_INVALID,
    };
    Error::new(rv, error.to_string())
}

/// The spec and usage of the key, its names and its tags.
fn wanted(
    config: &TokenConfig,
    template: &Template<'_>,
    key_type: CK_KEY_TYPE,
    key: &PrivateKey,
) -> Result<Wanted> {
    check_describes(template, key_type, key.public())?;
    let public = Template::new(Vec::new());
    let pair = Pair {
        public: &public,
        private: template,
    };
    let spec = spec::of_key(key.public())
        .ok_or_else(|| Error::new(CKR_ATTRIBUTE_VALUE_INVALID, "KMS has no such keys"))?;
    let usage = match key_type {
        CKK_RSA => pair.rsa_usage(spec, config)?,
        _ => pair.ec_usage(spec)?,
    };
    let names = names(template);
    Ok(Wanted {
        spec,
        usage,
        names: PairNames {
            private: names.clone(),
            public: names,
        },
        restrictions: Restrictions {
            mechanisms: restriction(template),
            imported: true,
            ..Restrictions::default()
        },
    })
}

/// Refuses a template that says of the public half what it is not.
fn check_describes(
    template: &Template<'_>,
    key_type: CK_KEY_TYPE,
    public: &PublicKey,
) -> Result<()> {
    let other = |type_| {
        Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("{} is not that of the key", name(type_)),
        ))
    };
    let own_type = match public {
        PublicKey::Rsa(_) => CKK_RSA,
        _ => CKK_EC,
    };
    if own_type != key_type {
        return other(CKA_KEY_TYPE);
    }
    // Empty is what the specification has for "not known".
    let given_info = template.get(CKA_PUBLIC_KEY_INFO).unwrap_or_default();
    if !given_info.is_empty() && given_info != public.spki() {
        return other(CKA_PUBLIC_KEY_INFO);
    }
    match public {
        PublicKey::Ec(key) => match template.get(CKA_EC_PARAMS) {
            Some(given) if Curve::from_ec_params(given) != Some(key.curve()) => {
                other(CKA_EC_PARAMS)
            }
            _ => Ok(()),
        },
        PublicKey::Rsa(key) => match template.get(CKA_PUBLIC_EXPONENT) {
            Some(given) if significant(given) != key.exponent() => other(CKA_PUBLIC_EXPONENT),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
