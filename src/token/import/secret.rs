//! What the template of a secret key says: the key itself, which is one for HMAC or a symmetric one.

use pkcs11_sys::*;

use super::super::generate::secret::check_symmetric_use;
use super::super::generate::{Wanted, bad, check, missing, names, no_use, restriction};
use super::super::names::PairNames;
use crate::error::{Error, Result};
use crate::kms::{KeySpec, KeyUsage};
use crate::object::attributes::Making;
use crate::object::spec::{HMACS, HmacFacts, SYMMETRIC_KEY_LEN};
use crate::object::template::Template;
use crate::object::{Part, Restrictions};

/// The key that C_CreateObject is handed.
pub(super) fn created<'a>(template: &Template<'a>) -> Result<(Wanted, &'a [u8])> {
    let type_ = Type::of(Making::Created, template)?;
    let value = template
        .get(CKA_VALUE)
        .ok_or_else(|| missing("CKA_VALUE"))?;
    let (spec, usage) = type_
        .spec(value.len())
        .map_err(|advice| bad("CKA_VALUE", &advice))?;
    if template
        .ulong(CKA_VALUE_LEN)?
        .is_some_and(|given| given != value.len() as CK_ULONG)
    {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("CKA_VALUE_LEN: the key has {} bytes", value.len()),
        ));
    }
    Ok((wanted(template, &type_, spec, usage), value))
}

/// Checks all that can be checked of a template of C_UnwrapKey before the key is there; the bytes that the key has to
/// have, where the template tells.
pub(super) fn check_unwrapped(template: &Template<'_>) -> Result<Option<usize>> {
    let type_ = Type::of(Making::Unwrapped, template)?;
    let Some(given) = template.ulong(CKA_VALUE_LEN)? else {
        return Ok(type_.len());
    };
    let len = usize::try_from(given).unwrap_or(usize::MAX);
    type_
        .spec(len)
        .map_err(|advice| bad("CKA_VALUE_LEN", &advice))?;
    Ok(Some(len))
}

/// The key that was wrapped.
pub(super) fn unwrapped(template: &Template<'_>, len: usize) -> Result<Wanted> {
    let type_ = Type::of(Making::Unwrapped, template)?;
    let (spec, usage) = type_
        .spec(len)
        .map_err(|advice| Error::new(CKR_WRAPPED_KEY_LEN_RANGE, advice))?;
    Ok(wanted(template, &type_, spec, usage))
}

/// What a template says that the key is.
enum Type {
    Aes,
    /// Made for one hash, or for that which the key is as long as.
    Hmac(Option<&'static HmacFacts>),
}

impl Type {
    /// Checks the template, but for the key's length.
    fn of(making: Making, template: &Template<'_>) -> Result<Self> {
        let key_type = template
            .ulong(CKA_KEY_TYPE)?
            .ok_or_else(|| missing("CKA_KEY_TYPE"))?;
        let made_for = HMACS.iter().find(|facts| facts.key_type == key_type);
        if made_for.is_none() && !matches!(key_type, CKK_GENERIC_SECRET | CKK_AES) {
            return Err(Error::new(
                CKR_TEMPLATE_INCONSISTENT,
                "CKA_TOKEN: the secret keys that are imported are symmetric keys, CKK_AES, and keys for HMAC, \
                 CKK_GENERIC_SECRET, CKK_SHA256_HMAC and their like; CK_FALSE makes a key that lives as long as \
                 the session",
            ));
        }
        check(making, template, Part::Secret, key_type)?;
        if key_type == CKK_AES {
            check_symmetric_use(template)?;
            return Ok(Self::Aes);
        }
        if template.flag(CKA_SIGN)? == Some(false) && template.flag(CKA_VERIFY)? != Some(true) {
            return Err(no_use("CKA_SIGN and CKA_VERIFY"));
        }
        Ok(Self::Hmac(made_for))
    }

    /// The one length in bytes that such a key has.
    fn len(&self) -> Option<usize> {
        match self {
            Self::Aes => Some(SYMMETRIC_KEY_LEN),
            Self::Hmac(made_for) => made_for.map(HmacFacts::key_len),
        }
    }

    /// The spec and usage of a key of this many bytes, or why KMS has none.
    fn spec(&self, len: usize) -> std::result::Result<(KeySpec, KeyUsage), String> {
        match self {
            Self::Aes if len == SYMMETRIC_KEY_LEN => {
                Ok((KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt))
            }
            Self::Aes => Err(format!(
                "KMS imports AES keys of {SYMMETRIC_KEY_LEN} bytes alone; this one has {len}"
            )),
            Self::Hmac(made_for) => made_for
                .or_else(|| HMACS.iter().find(|facts| facts.key_len() == len))
                .filter(|facts| facts.key_len() == len)
                .map(|facts| (facts.spec, KeyUsage::GenerateVerifyMac))
                .ok_or_else(|| {
                    "KMS imports keys for HMAC that are as long as their hash: 28, 32, 48 or 64 bytes"
                        .to_owned()
                }),
        }
    }

    /// The key type, where it is not the one that every key of the spec has.
    fn key_type(&self) -> Option<CK_KEY_TYPE> {
        match self {
            Self::Aes => None,
            Self::Hmac(made_for) => made_for.map(|facts| facts.key_type),
        }
    }
}

fn wanted(template: &Template<'_>, type_: &Type, spec: KeySpec, usage: KeyUsage) -> Wanted {
    let names = names(template);
    Wanted {
        spec,
        usage,
        names: PairNames {
            private: names.clone(),
            public: names,
        },
        restrictions: Restrictions {
            key_type: type_.key_type(),
            mechanisms: restriction(template),
            imported: true,
            ..Restrictions::default()
        },
    }
}
