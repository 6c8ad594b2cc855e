//! The attribute table of keys in KMS: every attribute of their objects, where its value comes from,
//! and what a template may say about it.
//!
//! Source: PKCS#11 3.2, chapter 4 (storage objects, keys) and the key types of chapter 6.

use std::borrow::Cow;

use pkcs11_sys::*;

use super::value::{Shape, Value, flag, mechanisms, ulong};
use super::{Key, KeyMaterial, KmsView, Part, local, spec};
use crate::crypto::{PublicKey, edwards};
use crate::error::{Error, Result};
use crate::kms::{KeyUsage, RotationCounts, RotationStatus};
use crate::mechanism;
use crate::v3_2::*;
use crate::vendor::*;

/// How a new key comes into KMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    /// C_GenerateKeyPair and C_GenerateKey: KMS makes it.
    Generated,
    /// C_CreateObject: its value is in the template.
    Created,
    /// C_UnwrapKey: its value is not.
    Unwrapped,
}

/// What a template of a new key may say about an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtGenerate {
    /// Read by whatever makes the key: names, usages, parameters, class and key type.
    Input,
    /// The key itself, or what follows from it: that of C_CreateObject alone may say it.
    Value,
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
    Constant(fn(Part) -> Vec<u8>),
    /// Known once the key is listed.
    Listing(fn(&Key, Part) -> Cow<'_, [u8]>),
    /// Known once KMS was asked about the key.
    Material(fn(KmsView<'_>) -> Cow<'_, [u8]>),
    /// The key itself, which never leaves KMS.
    Secret,
    /// Not kept: KMS is asked each time.
    Live(Asked),
}

/// A question to KMS, and the attribute's value in its answer.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    Status(fn(&RotationStatus) -> Vec<u8>),
    Counts(fn(&RotationCounts) -> Vec<u8>),
}

/// The objects that have an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    All,
    Pair,
    Private,
    Public,
    Secret,
    /// Private and secret keys.
    Own,
}

impl On {
    fn includes(self, part: Part) -> bool {
        match self {
            Self::All => true,
            Self::Pair => part != Part::Secret,
            Self::Private => part == Part::Private,
            Self::Public => part == Part::Public,
            Self::Secret => part == Part::Secret,
            Self::Own => part != Part::Public,
        }
    }
}

struct Row {
    type_: CK_ATTRIBUTE_TYPE,
    name: &'static str,
    shape: Shape,
    on: On,
    /// The key types that have this attribute; none named means all.
    key_types: &'static [CK_KEY_TYPE],
    source: Source,
    at_generate: AtGenerate,
}

macro_rules! rows {
    ($($type_:ident $shape:ident $on:ident $key_types:expr, $source:expr, $at_generate:ident;)+) => {
        &[$(Row {
            type_: $type_,
            name: stringify!($type_),
            shape: Shape::$shape,
            on: On::$on,
            key_types: $key_types,
            source: $source,
            at_generate: AtGenerate::$at_generate,
        }),+]
    };
}

use Asked::{Counts, Status};
use Source::{Constant, Listing, Live, Material, Secret};

const ANY: &[CK_KEY_TYPE] = &[];
const RSA: &[CK_KEY_TYPE] = &[CKK_RSA];
const CURVES: &[CK_KEY_TYPE] = &[CKK_EC, CKK_EC_EDWARDS];
const AES: &[CK_KEY_TYPE] = &[CKK_AES];
const LATTICES: &[CK_KEY_TYPE] = &[CKK_ML_DSA, CKK_ML_KEM];

const TABLE: &[Row] = rows! {
    // Storage objects (4.4, 4.5)
    CKA_CLASS               Ulong All     ANY, Constant(|part| ulong(part.class())), Input;
    CKA_TOKEN               Flag  All     ANY, Constant(|_| flag(true)), Input;
    CKA_PRIVATE             Flag  All     ANY, Constant(|part| flag(part != Part::Public)), AsReported;
    CKA_MODIFIABLE          Flag  All     ANY, Constant(|_| flag(true)), AsReported;
    CKA_COPYABLE            Flag  All     ANY, Constant(|part| flag(part == Part::Public)), Dropped;
    CKA_DESTROYABLE         Flag  All     ANY, Listing(|key, _| flag(key.destroyable).into()), Dropped;
    CKA_LABEL               Bytes All     ANY, Listing(|key, part| (&key.names(part).label).into()), Input;
    CKA_UNIQUE_ID           Bytes All     ANY, Listing(unique_id), Never;

    // Keys (4.7)
    CKA_KEY_TYPE            Ulong All     ANY, Material(|key| ulong(key.key_type()).into()), Input;
    CKA_ID                  Bytes All     ANY, Listing(|key, part| (&key.names(part).id).into()), Input;
    CKA_START_DATE          Date  All     ANY, Constant(|_| Vec::new()), AsReported;
    CKA_END_DATE            Date  All     ANY, Constant(|_| Vec::new()), AsReported;
    CKA_DERIVE              Flag  All     ANY, Material(|key| usage(key, &[Part::Private], KeyUsage::KeyAgreement)), Input;
    CKA_LOCAL               Flag  All     ANY, Material(|key| flag(key.is_local()).into()), Never;
    CKA_KEY_GEN_MECHANISM   Ulong All     ANY, Material(key_gen_mechanism), Never;
    CKA_ALLOWED_MECHANISMS  Mechanisms All ANY, Material(allowed_mechanisms), Input;

    // Public keys (4.8)
    CKA_SUBJECT             Bytes Pair    ANY, Constant(|_| Vec::new()), Dropped;
    CKA_PUBLIC_KEY_INFO     Bytes Pair    ANY, Material(|key| public(key, PublicKey::spki)), Value;
    CKA_ENCRYPT             Flag  Public  ANY, Material(|key| usage(key, &[Part::Public], KeyUsage::EncryptDecrypt)), Input;
    CKA_VERIFY              Flag  Public  ANY, Material(|key| usage(key, &[Part::Public], KeyUsage::SignVerify)), Input;
    CKA_VERIFY_RECOVER      Flag  Public  ANY, Constant(|_| flag(false)), Dropped;
    CKA_WRAP                Flag  Public  ANY, Material(|key| usage(key, &[Part::Public], KeyUsage::EncryptDecrypt)), Dropped;
    CKA_ENCAPSULATE         Flag  Public  ANY, Material(|key| usage(key, &[Part::Public], KeyUsage::EncapsulateDecapsulate)), Input;
    CKA_TRUSTED             Flag  Public  ANY, Constant(|_| flag(false)), AsReported;
    CKA_WRAP_TEMPLATE       Bytes Public  ANY, Constant(|_| Vec::new()), AsReported;
    CKA_ENCAPSULATE_TEMPLATE Bytes Public ANY, Constant(|_| Vec::new()), AsReported;

    // Private keys (4.9); most of it holds for secret keys (4.10) too
    CKA_SENSITIVE           Flag  Own     ANY, Constant(|_| flag(true)), AsReported;
    CKA_DECRYPT             Flag  Private ANY, Material(|key| usage(key, &[Part::Private], KeyUsage::EncryptDecrypt)), Input;
    CKA_SIGN                Flag  Own     ANY, Material(signs), Input;
    CKA_SIGN_RECOVER        Flag  Private ANY, Constant(|_| flag(false)), Dropped;
    CKA_UNWRAP              Flag  Private ANY, Material(|key| usage(key, &[Part::Private], KeyUsage::EncryptDecrypt)), Dropped;
    CKA_DECAPSULATE         Flag  Private ANY, Material(|key| usage(key, &[Part::Private], KeyUsage::EncapsulateDecapsulate)), Input;
    CKA_EXTRACTABLE         Flag  Own     ANY, Constant(|_| flag(false)), AsReported;
    CKA_ALWAYS_SENSITIVE    Flag  Own     ANY, Material(|key| flag(key.is_local()).into()), Never;
    CKA_NEVER_EXTRACTABLE   Flag  Own     ANY, Material(|key| flag(key.is_local()).into()), Never;
    CKA_WRAP_WITH_TRUSTED   Flag  Own     ANY, Constant(|_| flag(false)), AsReported;
    CKA_UNWRAP_TEMPLATE     Bytes Own     ANY, Constant(|_| Vec::new()), AsReported;
    CKA_DERIVE_TEMPLATE     Bytes Own     ANY, Constant(|_| Vec::new()), AsReported;
    CKA_DECAPSULATE_TEMPLATE Bytes Private ANY, Constant(|_| Vec::new()), AsReported;
    CKA_ALWAYS_AUTHENTICATE Flag  Private ANY, Constant(|_| flag(false)), AsReported;

    // Secret keys (4.10)
    CKA_VERIFY              Flag  Secret  ANY, Material(signs), Input;
    CKA_ENCRYPT             Flag  Secret  ANY, Material(encrypts), Input;
    CKA_DECRYPT             Flag  Secret  ANY, Material(encrypts), Input;
    CKA_WRAP                Flag  Secret  ANY, Material(encrypts), Input;
    CKA_UNWRAP              Flag  Secret  ANY, Material(encrypts), Input;
    CKA_TRUSTED             Flag  Secret  ANY, Constant(|_| flag(false)), AsReported;
    CKA_WRAP_TEMPLATE       Bytes Secret  ANY, Constant(|_| Vec::new()), AsReported;
    CKA_VALUE               Bytes Secret  ANY, Secret, Value;
    CKA_VALUE_LEN           Ulong Secret  ANY, Material(value_len), Input;

    // Symmetric keys, of the module's own
    CKA_KMS_ROTATION_ENABLED Flag Secret  AES, Live(Status(|status| flag(status.enabled))), Never;
    CKA_KMS_ROTATION_PERIOD Ulong Secret  AES, Live(Status(|status| ulong(status.period_days.unwrap_or(0).into()))), Never;
    CKA_KMS_NEXT_ROTATION   Date  Secret  AES, Live(Status(|status| date(status.next.as_deref()))), Never;
    CKA_KMS_ON_DEMAND_ROTATION Date Secret AES, Live(Status(|status| date(status.on_demand.as_deref()))), Never;
    CKA_KMS_AUTOMATIC_ROTATIONS Ulong Secret AES, Live(Counts(|counts| ulong(counts.automatic.into()))), Never;
    CKA_KMS_ON_DEMAND_ROTATIONS Ulong Secret AES, Live(Counts(|counts| ulong(counts.on_demand.into()))), Never;

    // RSA keys (6.1)
    CKA_MODULUS             Bytes Pair    RSA, Material(modulus), Value;
    CKA_MODULUS_BITS        Ulong Public  RSA, Material(modulus_bits), Input;
    CKA_PUBLIC_EXPONENT     Bytes Pair    RSA, Material(public_exponent), Input;
    CKA_PRIVATE_EXPONENT    Bytes Private RSA, Secret, Value;
    CKA_PRIME_1             Bytes Private RSA, Secret, Value;
    CKA_PRIME_2             Bytes Private RSA, Secret, Value;
    CKA_EXPONENT_1          Bytes Private RSA, Secret, Value;
    CKA_EXPONENT_2          Bytes Private RSA, Secret, Value;
    CKA_COEFFICIENT         Bytes Private RSA, Secret, Value;

    // EC and Edwards keys (6.3)
    CKA_EC_PARAMS           Bytes Pair    CURVES, Material(ec_params), Input;
    CKA_EC_POINT            Bytes Public  CURVES, Material(ec_point), Never;
    CKA_VALUE               Bytes Private CURVES, Secret, Value;

    // ML-DSA and ML-KEM keys (6.67, 6.68)
    CKA_PARAMETER_SET       Ulong Pair    LATTICES, Material(parameter_set), Input;
    CKA_VALUE               Bytes Public  LATTICES, Material(encoded), Never;
    CKA_VALUE               Bytes Private LATTICES, Secret, Never;
    CKA_SEED                Bytes Private LATTICES, Secret, Never;
};

/// Reads an attribute of a key; `material` is `None` while KMS was not asked about it.
pub(crate) fn read<'a>(
    key: &'a Key,
    material: Option<&'a KeyMaterial>,
    part: Part,
    type_: CK_ATTRIBUTE_TYPE,
) -> Value<'a> {
    let Some(material) = material else {
        return match rows(type_, part).next().map(|row| row.source) {
            None => Value::Absent,
            Some(Constant(value)) => Value::Known(value(part).into()),
            Some(Listing(value)) => Value::Known(value(key, part)),
            Some(Material(_) | Secret | Live(_)) => Value::NotFetched,
        };
    };
    read_known(
        KmsView {
            key,
            material,
            part,
        },
        type_,
    )
}

/// Reads an attribute of a key that KMS was asked about.
pub(crate) fn read_known(object: KmsView<'_>, type_: CK_ATTRIBUTE_TYPE) -> Value<'_> {
    let key_type = object.key_type();
    let row = rows(type_, object.part).find(|row| row.is_of(key_type));
    match row.map(|row| row.source) {
        None => Value::Absent,
        Some(Constant(value)) => Value::Known(value(object.part).into()),
        Some(Listing(value)) => Value::Known(value(object.key, object.part)),
        Some(Material(value)) => Value::Known(value(object)),
        Some(Secret) => Value::Sensitive,
        Some(Live(_)) => Value::NotFetched,
    }
}

/// What KMS has to be asked to read an attribute; `None` where it need not be.
pub(crate) fn asked(object: KmsView<'_>, type_: CK_ATTRIBUTE_TYPE) -> Option<Asked> {
    let key_type = object.key_type();
    let row = rows(type_, object.part).find(|row| row.is_of(key_type))?;
    match row.source {
        Live(asked) => Some(asked),
        Constant(_) | Listing(_) | Material(_) | Secret => None,
    }
}

/// Checks what a template says about this part of a new key of `key_type`.
///
/// What is left to the caller are the attributes that it must interpret.
pub(crate) fn check_at_generate(
    making: Making,
    type_: CK_ATTRIBUTE_TYPE,
    value: &[u8],
    part: Part,
    key_type: CK_KEY_TYPE,
) -> Result<()> {
    let Some(known) = TABLE.iter().find(|row| row.type_ == type_) else {
        return Err(Error::new(
            CKR_ATTRIBUTE_TYPE_INVALID,
            format!("{} is unknown", name(type_)),
        ));
    };
    known.shape.check(type_, value)?;
    let Some(row) = rows(type_, part).find(|row| row.is_of(key_type)) else {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("{} does not belong to this object of the key", known.name),
        ));
    };
    match (row.at_generate, row.source) {
        (AtGenerate::Input | AtGenerate::Dropped, _) => Ok(()),
        (AtGenerate::Value, _) if making == Making::Created => Ok(()),
        (AtGenerate::AsReported, Constant(reported)) if reported(part) == value => Ok(()),
        (AtGenerate::AsReported, _) => Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("a key in KMS cannot have this value of {}", row.name),
        )),
        (AtGenerate::Never | AtGenerate::Value, _) => Err(Error::new(
            CKR_ATTRIBUTE_READ_ONLY,
            format!("{} is set by the token", row.name),
        )),
    }
}

/// True when C_SetAttributeValue may be asked about this attribute of `part` at all.
pub(crate) fn exists(type_: CK_ATTRIBUTE_TYPE, part: Part) -> bool {
    rows(type_, part).next().is_some()
}

/// Every attribute that some key in KMS has, once.
pub(crate) fn all() -> impl Iterator<Item = CK_ATTRIBUTE_TYPE> {
    let first = |index: &usize| {
        let type_ = TABLE[*index].type_;
        TABLE.iter().position(|row| row.type_ == type_) == Some(*index)
    };
    (0..TABLE.len())
        .filter(first)
        .map(|index| TABLE[index].type_)
}

/// The specification's name of an attribute, or its number.
pub(crate) fn name(type_: CK_ATTRIBUTE_TYPE) -> Cow<'static, str> {
    known_name(type_).map_or_else(|| format!("attribute {type_:#x}").into(), Cow::Borrowed)
}

/// The specification's name of an attribute that some object has.
pub(crate) fn known_name(type_: CK_ATTRIBUTE_TYPE) -> Option<&'static str> {
    let row = TABLE.iter().find(|row| row.type_ == type_);
    row.map(|row| row.name).or_else(|| local::name(type_))
}

fn rows(type_: CK_ATTRIBUTE_TYPE, part: Part) -> impl Iterator<Item = &'static Row> {
    TABLE
        .iter()
        .filter(move |row| row.type_ == type_ && row.on.includes(part))
}

impl Row {
    fn is_of(&self, key_type: CK_KEY_TYPE) -> bool {
        self.key_types.is_empty() || self.key_types.contains(&key_type)
    }
}

/// The key's ARN; the public object's carries a suffix, since no two objects of a token share this
/// attribute.
fn unique_id(key: &Key, part: Part) -> Cow<'_, [u8]> {
    match part {
        Part::Private | Part::Secret => key.entry.arn.as_bytes().into(),
        Part::Public => format!("{}#public", key.entry.arn).into_bytes().into(),
    }
}

fn usage(key: KmsView<'_>, able: &[Part], usage: KeyUsage) -> Cow<'static, [u8]> {
    flag(able.contains(&key.part) && key.material.usage == usage).into()
}

fn signs(key: KmsView<'_>) -> Cow<'static, [u8]> {
    let usage = match key.part {
        Part::Private => KeyUsage::SignVerify,
        Part::Secret => KeyUsage::GenerateVerifyMac,
        Part::Public => return flag(false).into(),
    };
    flag(key.material.usage == usage).into()
}

/// Whether a secret key encrypts and wraps, and the other way round: KMS has one usage for all four.
fn encrypts(key: KmsView<'_>) -> Cow<'static, [u8]> {
    usage(key, &[Part::Secret], KeyUsage::EncryptDecrypt)
}

/// A CK_DATE; empty where there is none.
fn date(day: Option<&str>) -> Vec<u8> {
    day.unwrap_or_default().as_bytes().to_vec()
}

/// The mechanism that makes such keys; that of an imported key is unknown.
fn key_gen_mechanism(key: KmsView<'_>) -> Cow<'static, [u8]> {
    let by_type = || {
        let made_as = key.key.restrictions.key_type?;
        let facts = spec::HMACS.iter().find(|facts| facts.key_type == made_as)?;
        Some(facts.generated_by)
    };
    if !key.is_local() {
        return ulong(CK_UNAVAILABLE_INFORMATION).into();
    }
    ulong(by_type().unwrap_or_else(|| spec::generated_by(key.material.spec))).into()
}

fn allowed_mechanisms(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match key.key.restrictions.of(key.part) {
        Some(given) => mechanisms(given.iter().copied()).into(),
        None => mechanisms(mechanism::usable_by_kms(key)).into(),
    }
}

fn value_len(key: KmsView<'_>) -> Cow<'static, [u8]> {
    let facts = spec::HmacFacts::of_spec(key.material.spec);
    ulong(facts.map_or(spec::SYMMETRIC_KEY_LEN, spec::HmacFacts::key_len) as CK_ULONG).into()
}

fn public<'a>(key: KmsView<'a>, part: impl Fn(&'a PublicKey) -> &'a [u8]) -> Cow<'a, [u8]> {
    key.material
        .public
        .as_ref()
        .map(|public| part(public).into())
        .unwrap_or_default()
}

fn modulus(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::Rsa(key)) => key.modulus().into(),
        _ => Cow::default(),
    }
}

fn modulus_bits(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::Rsa(key)) => ulong(key.modulus_bits() as CK_ULONG).into(),
        _ => Cow::default(),
    }
}

fn public_exponent(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::Rsa(key)) => key.exponent().into(),
        _ => Cow::default(),
    }
}

fn ec_params(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::Ec(key)) => key.curve().ec_params().into(),
        Some(PublicKey::Ed25519(_)) => edwards::ED25519_PARAMS.into(),
        _ => Cow::default(),
    }
}

fn ec_point(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::Ec(key)) => key.ec_point().into(),
        Some(PublicKey::Ed25519(key)) => key.ec_point().into(),
        _ => Cow::default(),
    }
}

fn parameter_set(key: KmsView<'_>) -> Cow<'_, [u8]> {
    let set = key.material.public.as_ref().and_then(spec::parameter_set);
    set.map(|set| ulong(set).into()).unwrap_or_default()
}

fn encoded(key: KmsView<'_>) -> Cow<'_, [u8]> {
    match &key.material.public {
        Some(PublicKey::MlDsa(key)) => key.raw().into(),
        Some(PublicKey::MlKem(key)) => key.raw().into(),
        _ => Cow::default(),
    }
}
