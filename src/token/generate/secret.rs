//! What C_GenerateKey asks for: an HMAC key, or a symmetric one.

use pkcs11_sys::*;

use super::{bad, check, missing, no_use};
use crate::crypto::Hash;
use crate::error::{Error, Result};
use crate::kms::{KeySpec, KeyUsage};
use crate::mechanism::{self, Mechanism, Work};
use crate::object::Part;
use crate::object::attributes::Making;
use crate::object::spec::{HMACS, SYMMETRIC_KEY_LEN};
use crate::object::template::Template;

/// A kind of key: the spec and the usage in KMS, and the key type where it is not that of every HMAC key.
pub(super) type Kind = (KeySpec, KeyUsage, Option<CK_KEY_TYPE>);

pub(super) fn kind(mechanism: Mechanism<'_>, template: &Template<'_>) -> Result<Kind> {
    let work = mechanism::find(mechanism.type_)?.work;
    if !matches!(work, Work::GenerateSecret(_) | Work::GenerateSymmetric) {
        return Err(Error::new(
            CKR_MECHANISM_INVALID,
            "the mechanism generates no secret key",
        ));
    }
    mechanism.check_no_parameter()?;
    match work {
        Work::GenerateSecret(hash) => hmac(hash, template),
        _ => symmetric(template),
    }
}

fn hmac(hash: Option<Hash>, template: &Template<'_>) -> Result<Kind> {
    let made_for = hash.and_then(|hash| HMACS.iter().find(|facts| facts.hash == hash));
    let key_type = made_for.map_or(CKK_GENERIC_SECRET, |facts| facts.key_type);
    check(Making::Generated, template, Part::Secret, key_type)?;
    if template.flag(CKA_SIGN)? == Some(false) && template.flag(CKA_VERIFY)? != Some(true) {
        return Err(no_use("CKA_SIGN and CKA_VERIFY"));
    }
    let len = template.ulong(CKA_VALUE_LEN)?;
    let facts = match (made_for, len) {
        (Some(facts), None) => facts,
        (Some(facts), Some(len)) if len == facts.key_len() as CK_ULONG => facts,
        (Some(_), Some(_)) => {
            return Err(bad("CKA_VALUE_LEN", "the key is as long as its hash"));
        }
        (None, None) => return Err(missing("CKA_VALUE_LEN")),
        (None, Some(len)) => HMACS
            .iter()
            .find(|facts| len == facts.key_len() as CK_ULONG)
            .ok_or_else(|| {
                bad(
                    "CKA_VALUE_LEN",
                    "KMS makes secret keys for HMAC, of 28, 32, 48 and 64 bytes",
                )
            })?,
    };
    let key_type = made_for.map(|facts| facts.key_type);
    Ok((facts.spec, KeyUsage::GenerateVerifyMac, key_type))
}

fn symmetric(template: &Template<'_>) -> Result<Kind> {
    check(Making::Generated, template, Part::Secret, CKK_AES)?;
    check_symmetric_use(template)?;
    match template.ulong(CKA_VALUE_LEN)? {
        Some(len) if len == SYMMETRIC_KEY_LEN as CK_ULONG => {
            Ok((KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt, None))
        }
        Some(_) => Err(bad("CKA_VALUE_LEN", "KMS makes AES keys of 32 bytes")),
        None => Err(missing("CKA_VALUE_LEN")),
    }
}

/// Refuses a template that leaves a symmetric key without any use.
pub(in crate::token) fn check_symmetric_use(template: &Template<'_>) -> Result<()> {
    for use_ in USES {
        if template.flag(use_)? != Some(false) {
            return Ok(());
        }
    }
    Err(no_use("CKA_ENCRYPT and CKA_DECRYPT"))
}

/// What a symmetric key of KMS can be used for: all of it, since KMS has one usage for the four.
const USES: [CK_ATTRIBUTE_TYPE; 4] = [CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP];
