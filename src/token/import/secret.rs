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
    check(Making::Created, template, Part::Secret, key_type)?;
    let value = template
        .get(CKA_VALUE)
        .ok_or_else(|| missing("CKA_VALUE"))?;
    let (spec, usage) = match key_type {
        CKK_AES => symmetric(template, value.len())?,
        _ => hmac(template, made_for, value.len())?,
    };
    if template
        .ulong(CKA_VALUE_LEN)?
        .is_some_and(|given| given != value.len() as CK_ULONG)
    {
        return Err(Error::new(
            CKR_TEMPLATE_INCONSISTENT,
            format!("CKA_VALUE_LEN: the key has {} bytes", value.len()),
        ));
    }
    let names = names(template);
    let wanted = Wanted {
        spec,
        usage,
        names: PairNames {
            private: names.clone(),
            public: names,
        },
        restrictions: Restrictions {
            key_type: made_for.map(|facts| facts.key_type),
            mechanisms: restriction(template),
            imported: true,
            ..Restrictions::default()
        },
    };
    Ok((wanted, value))
}

/// The spec and usage of an AES key of this many bytes.
fn symmetric(template: &Template<'_>, len: usize) -> Result<(KeySpec, KeyUsage)> {
    check_symmetric_use(template)?;
    if len != SYMMETRIC_KEY_LEN {
        let advice =
            format!("KMS imports AES keys of {SYMMETRIC_KEY_LEN} bytes alone; this one has {len}");
        return Err(bad("CKA_VALUE", &advice));
    }
    Ok((KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt))
}

/// The spec and usage of a key for HMAC: its spec is that of its type, or of its length.
fn hmac(
    template: &Template<'_>,
    made_for: Option<&'static HmacFacts>,
    len: usize,
) -> Result<(KeySpec, KeyUsage)> {
    if template.flag(CKA_SIGN)? == Some(false) && template.flag(CKA_VERIFY)? != Some(true) {
        return Err(no_use("CKA_SIGN and CKA_VERIFY"));
    }
    made_for
        .or_else(|| HMACS.iter().find(|facts| facts.key_len() == len))
        .filter(|facts| facts.key_len() == len)
        .map(|facts| (facts.spec, KeyUsage::GenerateVerifyMac))
        .ok_or_else(|| {
            bad(
                "CKA_VALUE",
                "KMS imports keys for HMAC that are as long as their hash: 28, 32, 48 or 64 bytes",
            )
        })
}
