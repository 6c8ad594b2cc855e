//! What C_GenerateKey asks for: an HMAC key.

use pkcs11_sys::*;

use super::{bad, check, missing, no_use};
use crate::error::{Error, Result};
use crate::kms::KeySpec;
use crate::mechanism::{self, Mechanism, Work};
use crate::object::Part;
use crate::object::attributes::Making;
use crate::object::spec::HMACS;
use crate::object::template::Template;

/// The spec, and the key type where it is not that of every HMAC key.
pub(super) fn kind(
    mechanism: Mechanism<'_>,
    template: &Template<'_>,
) -> Result<(KeySpec, Option<CK_KEY_TYPE>)> {
    let Work::GenerateSecret(hash) = mechanism::find(mechanism.type_)?.work else {
        return Err(Error::new(
            CKR_MECHANISM_INVALID,
            "the mechanism generates no secret key",
        ));
    };
    mechanism.check_no_parameter()?;
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
    Ok((facts.spec, made_for.map(|facts| facts.key_type)))
}
