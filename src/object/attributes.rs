//! The attribute table: every attribute of the objects, where its value comes from, and what a
//! template may say about it.
//!
//! Source: PKCS#11 3.2, chapter 4 (storage objects, keys) and the key types of chapter 6.

use std::borrow::Cow;

use pkcs11_sys::*;

use super::{Half, Key, KeyMaterial};
use crate::crypto::PublicKey;
use crate::error::{Error, Result};
use crate::kms::KeyUsage;
use crate::mechanism;

/// The encoding of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// CK_BBOOL: one byte, 0 or 1.
    Flag,
    /// CK_ULONG in the host's byte order.
    Ulong,
    /// Bytes of any length.
    Bytes,
    /// CK_DATE: 8 bytes, or none.
    Date,
}

impl Shape {
    /// Refuses a value that is not of this shape.
    pub(crate) fn check(self, type_: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<()> {
        let fits = match self {
            Self::Flag => matches!(value, [CK_FALSE | CK_TRUE]),
            Self::Ulong => value.len() == size_of::<CK_ULONG>(),
            Self::Bytes => true,
            Self::Date => value.is_empty() || value.len() == size_of::<CK_DATE>(),
        };
        if fits {
            return Ok(());
        }
        Err(Error::new(
            CKR_ATTRIBUTE_VALUE_INVALID,
            format!(
                "{} has {} bytes, which is no {self:?}",
                name(type_),
                value.len()
            ),
        ))
    }
}

/// What a template of C_GenerateKeyPair may say about an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtGenerate {
    /// Read by the generation: names, usages, parameters, class and key type.
    Input,
    /// Only the value that the object will report anyway.
    AsReported,
    /// Any value; the module has no place to keep it.
    Dropped,
    /// Nothing: the token sets it.
    Never,
}

/// Where an attribute's value comes from.
#[derive(Clone, Copy)]
enum Source {
    /// The same for every key.
    Constant(fn(Half) -> Vec<u8>),
    /// Known once the key is listed.
    Listing(fn(&Key, Half) -> Cow<'_, [u8]>),
    /// Known once the public half was fetched.
    Material(fn(&KeyMaterial, Half) -> Cow<'_, [u8]>),
    /// The private key itself, which never leaves KMS.
    Secret,
}

/// The halves of a pair that have an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Both,
    Private,
    Public,
}

impl On {
    fn includes(self, half: Half) -> bool {
        match self {
            Self::Both => true,
            Self::Private => half == Half::Private,
            Self::Public => half == Half::Public,
        }
    }
}

struct Row {
    type_: CK_ATTRIBUTE_TYPE,
    name: &'static str,
    shape: Shape,
    on: On,
    /// The key type that has this attribute, `None` for all.
    key_type: Option<CK_KEY_TYPE>,
    source: Source,
    at_generate: AtGenerate,
}

macro_rules! rows {
    ($($type_:ident $shape:ident $on:ident $key_type:expr, $source:expr, $at_generate:ident;)+) => {
        &[$(Row {
            type_: $type_,
            name: stringify!($type_),
            shape: Shape::$shape,
            on: On::$on,
            key_type: $key_type,
            source: $source,
            at_generate: AtGenerate::$at_generate,
        }),+]
    };
}

use Source::{Constant, Listing, Material, Secret};

const RSA: Option<CK_KEY_TYPE> = Some(CKK_RSA);
const EC: Option<CK_KEY_TYPE> = Some(CKK_EC);

const TABLE: &[Row] = rows! {
    // Storage objects (4.4, 4.5)
    CKA_CLASS               Ulong Both    None, Constant(|half| ulong(half.class())), Input;
    CKA_TOKEN               Flag  Both    None, Constant(|_| flag(true)), Input;
    CKA_PRIVATE             Flag  Both    None, Constant(|half| flag(half == Half::Private)), AsReported;
    CKA_MODIFIABLE          Flag  Both    None, Constant(|_| flag(true)), AsReported;
    CKA_COPYABLE            Flag  Both    None, Constant(|_| flag(false)), Dropped;
    CKA_DESTROYABLE         Flag  Both    None, Listing(|key, _| flag(key.destroyable).into()), Dropped;
    CKA_LABEL               Bytes Both    None, Listing(|key, half| (&key.names(half).label).into()), Input;
    CKA_UNIQUE_ID           Bytes Both    None, Listing(unique_id), Never;

    // Keys (4.7)
    CKA_KEY_TYPE            Ulong Both    None, Material(|material, _| ulong(material.key_type()).into()), Input;
    CKA_ID                  Bytes Both    None, Listing(|key, half| (&key.names(half).id).into()), Input;
    CKA_START_DATE          Date  Both    None, Constant(|_| Vec::new()), AsReported;
    CKA_END_DATE            Date  Both    None, Constant(|_| Vec::new()), AsReported;
    CKA_DERIVE              Flag  Both    None, Material(|material, half| usage(material, half, Half::Private, KeyUsage::KeyAgreement)), Input;
    CKA_LOCAL               Flag  Both    None, Constant(|_| flag(true)), Never;
    CKA_KEY_GEN_MECHANISM   Ulong Both    None, Material(key_gen_mechanism), Never;
    CKA_ALLOWED_MECHANISMS  Bytes Both    None, Material(allowed_mechanisms), AsReported;

    // Public keys (4.8)
    CKA_SUBJECT             Bytes Both    None, Constant(|_| Vec::new()), Dropped;
    CKA_PUBLIC_KEY_INFO     Bytes Both    None, Material(|material, _| material.public.spki().into()), Never;
    CKA_ENCRYPT             Flag  Public  None, Material(|material, half| usage(material, half, Half::Public, KeyUsage::EncryptDecrypt)), Input;
    CKA_VERIFY              Flag  Public  None, Material(|material, half| usage(material, half, Half::Public, KeyUsage::SignVerify)), Input;
    CKA_VERIFY_RECOVER      Flag  Public  None, Constant(|_| flag(false)), Dropped;
    CKA_WRAP                Flag  Public  None, Constant(|_| flag(false)), Dropped;
    CKA_TRUSTED             Flag  Public  None, Constant(|_| flag(false)), AsReported;
    CKA_WRAP_TEMPLATE       Bytes Public  None, Constant(|_| Vec::new()), AsReported;

    // Private keys (4.9)
    CKA_SENSITIVE           Flag  Private None, Constant(|_| flag(true)), AsReported;
    CKA_DECRYPT             Flag  Private None, Material(|material, half| usage(material, half, Half::Private, KeyUsage::EncryptDecrypt)), Input;
    CKA_SIGN                Flag  Private None, Material(|material, half| usage(material, half, Half::Private, KeyUsage::SignVerify)), Input;
    CKA_SIGN_RECOVER        Flag  Private None, Constant(|_| flag(false)), Dropped;
    CKA_UNWRAP              Flag  Private None, Constant(|_| flag(false)), Dropped;
    CKA_EXTRACTABLE         Flag  Private None, Constant(|_| flag(false)), AsReported;
    CKA_ALWAYS_SENSITIVE    Flag  Private None, Constant(|_| flag(true)), Never;
    CKA_NEVER_EXTRACTABLE   Flag  Private None, Constant(|_| flag(true)), Never;
    CKA_WRAP_WITH_TRUSTED   Flag  Private None, Constant(|_| flag(false)), AsReported;
    CKA_UNWRAP_TEMPLATE     Bytes Private None, Constant(|_| Vec::new()), AsReported;
    CKA_ALWAYS_AUTHENTICATE Flag  Private None, Constant(|_| flag(false)), AsReported;

    // RSA keys (6.1)
    CKA_MODULUS             Bytes Both    RSA, Material(modulus), Never;
    CKA_MODULUS_BITS        Ulong Public  RSA, Material(modulus_bits), Input;
    CKA_PUBLIC_EXPONENT     Bytes Both    RSA, Material(public_exponent), Input;
    CKA_PRIVATE_EXPONENT    Bytes Private RSA, Secret, Never;
    CKA_PRIME_1             Bytes Private RSA, Secret, Never;
    CKA_PRIME_2             Bytes Private RSA, Secret, Never;
    CKA_EXPONENT_1          Bytes Private RSA, Secret, Never;
    CKA_EXPONENT_2          Bytes Private RSA, Secret, Never;
    CKA_COEFFICIENT         Bytes Private RSA, Secret, Never;

    // EC keys (6.3)
    CKA_EC_PARAMS           Bytes Both    EC, Material(ec_params), Input;
    CKA_EC_POINT            Bytes Public  EC, Material(ec_point), Never;
    CKA_VALUE               Bytes Private EC, Secret, Never;
};

/// An attribute of an object, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Known(Cow<'a, [u8]>),
    /// The object has it and will not show it.
    Sensitive,
    /// The object has no such attribute.
    Absent,
    /// Not known before the key's public half is fetched.
    NotFetched,
}

/// Reads an attribute of one half of a key; `material` is `None` while the public half was not
/// fetched.
pub(crate) fn read<'a>(
    key: &'a Key,
    material: Option<&'a KeyMaterial>,
    half: Half,
    type_: CK_ATTRIBUTE_TYPE,
) -> Value<'a> {
    let Some(row) = find(type_).filter(|row| row.on.includes(half)) else {
        return Value::Absent;
    };
    match row.source {
        Constant(value) => Value::Known(value(half).into()),
        Listing(value) => Value::Known(value(key, half)),
        Material(_) | Secret if material.is_none() => Value::NotFetched,
        _ if row.key_type.is_some() && row.key_type != material.map(KeyMaterial::key_type) => {
            Value::Absent
        }
        Material(value) => material.map_or(Value::NotFetched, |material| {
            Value::Known(value(material, half))
        }),
        Secret => Value::Sensitive,
    }
}

/// Checks what a C_GenerateKeyPair template says about this half of a key of `key_type`.
///
/// What is left to the caller are the attributes that it must interpret.
pub(crate) fn check_at_generate(
    type_: CK_ATTRIBUTE_TYPE,
    value: &[u8],
    half: Half,
    key_type: CK_KEY_TYPE,
) -> Result<()> {
    let Some(row) = find(type_) else {
        return Err(Error::new(
            CKR_ATTRIBUTE_TYPE_INVALID,
            format!("{} is unknown", name(type_)),
        ));
    };
    row.shape.check(type_, value)?;
    if !row.on.includes(half) || row.key_type.is_some_and(|wanted| wanted != key_type) {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("{} does not belong to this half of the key pair", row.name),
        ));
    }
    match (row.at_generate, row.source) {
        (AtGenerate::Input | AtGenerate::Dropped, _) => Ok(()),
        (AtGenerate::AsReported, Constant(reported)) if reported(half) == value => Ok(()),
        (AtGenerate::AsReported, _) => Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("a key in KMS cannot have this value of {}", row.name),
        )),
        (AtGenerate::Never, _) => Err(Error::new(
            CKR_ATTRIBUTE_READ_ONLY,
            format!("{} is set by the token", row.name),
        )),
    }
}

/// True when C_SetAttributeValue may be asked about this attribute of `half` at all.
pub(crate) fn exists(type_: CK_ATTRIBUTE_TYPE, half: Half) -> bool {
    find(type_).is_some_and(|row| row.on.includes(half))
}

/// The specification's name of an attribute, or its number.
pub(crate) fn name(type_: CK_ATTRIBUTE_TYPE) -> Cow<'static, str> {
    find(type_).map_or_else(
        || format!("attribute {type_:#x}").into(),
        |row| row.name.into(),
    )
}

fn find(type_: CK_ATTRIBUTE_TYPE) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.type_ == type_)
}

fn flag(value: bool) -> Vec<u8> {
    vec![CK_BBOOL::from(value)]
}

fn ulong(value: CK_ULONG) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}

/// The key's ARN; the public object's carries a suffix, since no two objects of a token share this
/// attribute.
fn unique_id(key: &Key, half: Half) -> Cow<'_, [u8]> {
    match half {
        Half::Private => key.entry.arn.as_bytes().into(),
        Half::Public => format!("{}#public", key.entry.arn).into_bytes().into(),
    }
}

fn usage(material: &KeyMaterial, half: Half, able: Half, usage: KeyUsage) -> Cow<'static, [u8]> {
    flag(half == able && material.usage == usage).into()
}

fn key_gen_mechanism(material: &KeyMaterial, _: Half) -> Cow<'static, [u8]> {
    let mechanism = match material.public {
        PublicKey::Rsa(_) => CKM_RSA_PKCS_KEY_PAIR_GEN,
        _ => CKM_EC_KEY_PAIR_GEN,
    };
    ulong(mechanism).into()
}

fn allowed_mechanisms(material: &KeyMaterial, half: Half) -> Cow<'static, [u8]> {
    mechanism::usable_by(material, half)
        .flat_map(CK_ULONG::to_ne_bytes)
        .collect::<Vec<_>>()
        .into()
}

fn modulus(material: &KeyMaterial, _: Half) -> Cow<'_, [u8]> {
    match &material.public {
        PublicKey::Rsa(key) => key.modulus().into(),
        _ => Cow::default(),
    }
}

fn modulus_bits(material: &KeyMaterial, _: Half) -> Cow<'_, [u8]> {
    match &material.public {
        PublicKey::Rsa(key) => ulong(key.modulus_bits() as CK_ULONG).into(),
        _ => Cow::default(),
    }
}

fn public_exponent(material: &KeyMaterial, _: Half) -> Cow<'_, [u8]> {
    match &material.public {
        PublicKey::Rsa(key) => key.exponent().into(),
        _ => Cow::default(),
    }
}

fn ec_params(material: &KeyMaterial, _: Half) -> Cow<'_, [u8]> {
    match &material.public {
        PublicKey::Ec(key) => key.curve().ec_params().into(),
        _ => Cow::default(),
    }
}

fn ec_point(material: &KeyMaterial, _: Half) -> Cow<'_, [u8]> {
    match &material.public {
        PublicKey::Ec(key) => key.ec_point().into(),
        _ => Cow::default(),
    }
}
