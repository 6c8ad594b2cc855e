//! The symmetric keys of KMS: what the module's own mechanisms and their parameters ask for.

use std::str;

use pkcs11_sys::*;

use super::Mechanism;
use super::parameter::Parameter;
use crate::error::Result;
use crate::kms::EncryptionContext;

/// CKM_KMS_SYMMETRIC with its parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Symmetric {
    /// The KMS key that a data key is made under.
    pub(crate) key: Option<CK_OBJECT_HANDLE>,
    /// `None` is the token's.
    pub(crate) context: Option<EncryptionContext>,
}

/// CKM_KMS_REENCRYPT with its parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReEncryption {
    /// `None` is the key that the ciphertext names.
    pub(crate) source_key: Option<CK_OBJECT_HANDLE>,
    /// What the ciphertext is bound to; `None` is the token's.
    pub(crate) source: Option<EncryptionContext>,
    /// What the new one is to be bound to; `None` is the token's.
    pub(crate) destination: Option<EncryptionContext>,
}

/// Checks KMS_PKCS11_SYMMETRIC_PARAMS, or none.
pub(super) fn check_symmetric(mechanism: Mechanism<'_>) -> Result<Symmetric> {
    match mechanism.parameter {
        Parameter::None => Ok(Symmetric::default()),
        Parameter::KmsSymmetric { key, context } => Ok(Symmetric {
            key: named(key),
            context: check_context(mechanism, context)?,
        }),
        _ => Err(mechanism.bad_parameter("it takes KMS_PKCS11_SYMMETRIC_PARAMS or none")),
    }
}

/// The same where the function itself is told the key.
pub(super) fn check_context_alone(mechanism: Mechanism<'_>) -> Result<Option<EncryptionContext>> {
    let symmetric = check_symmetric(mechanism)?;
    match symmetric.key {
        None => Ok(symmetric.context),
        Some(_) => Err(mechanism.bad_parameter("hKey is for C_GenerateKey; here it is 0")),
    }
}

/// Checks KMS_PKCS11_REENCRYPT_PARAMS, or none.
pub(super) fn check_reencryption(mechanism: Mechanism<'_>) -> Result<ReEncryption> {
    match mechanism.parameter {
        Parameter::None => Ok(ReEncryption::default()),
        Parameter::KmsReEncrypt {
            source_key,
            source,
            destination,
        } => Ok(ReEncryption {
            source_key: named(source_key),
            source: check_context(mechanism, source)?,
            destination: check_context(mechanism, destination)?,
        }),
        _ => Err(mechanism.bad_parameter("it takes KMS_PKCS11_REENCRYPT_PARAMS or none")),
    }
}

fn named(key: CK_OBJECT_HANDLE) -> Option<CK_OBJECT_HANDLE> {
    Some(key).filter(|key| *key != CK_INVALID_HANDLE)
}

fn check_context(
    mechanism: Mechanism<'_>,
    encoded: Option<&[u8]>,
) -> Result<Option<EncryptionContext>> {
    let decode = |encoded| decode(encoded).map_err(|reason| mechanism.bad_parameter(reason));
    encoded.map(decode).transpose()
}

/// An encryption context as the parameters have it: names and values in turn, each UTF-8 and ended by a NUL.
fn decode(encoded: &[u8]) -> std::result::Result<EncryptionContext, &'static str> {
    let Some((0, texts)) = encoded.split_last() else {
        return match encoded {
            [] => Ok(EncryptionContext::new()),
            _ => Err("an encryption context ends with a NUL"),
        };
    };
    let texts = str::from_utf8(texts).map_err(|_| "an encryption context is UTF-8")?;
    let texts: Vec<&str> = texts.split('\0').collect();
    let (pairs, rest) = texts.as_chunks();
    if !rest.is_empty() {
        return Err("an encryption context has a value after every name");
    }
    let mut context = EncryptionContext::new();
    for [name, value] in pairs {
        if name.is_empty() {
            return Err("no name in an encryption context is empty");
        }
        if context
            .insert((*name).to_owned(), (*value).to_owned())
            .is_some()
        {
            return Err("an encryption context has every name once");
        }
    }
    Ok(context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendor::{CKM_KMS_REENCRYPT, CKM_KMS_SYMMETRIC};

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn of(parameter: Parameter<'_>) -> Mechanism<'_> {
        let type_ = match parameter {
            Parameter::KmsReEncrypt { .. } => CKM_KMS_REENCRYPT,
            _ => CKM_KMS_SYMMETRIC,
        };
        Mechanism { type_, parameter }
    }

    #[test]
    fn a_context_is_names_and_values_in_turn() {
        for (encoded, pairs) in [
            (&b""[..], &[][..]),
            (b"app\0recordings\0", &[("app", "recordings")]),
            (b"empty\0\0", &[("empty", "")]),
            ("b\0ü\0a\x001\0".as_bytes(), &[("a", "1"), ("b", "ü")]),
        ] {
            assert_eq!(decode(encoded), Ok(context(pairs)), "{encoded:?}");
        }
        for wrong in [
            &b"app"[..],
            b"app\0",
            b"app\0recordings",
            b"a\x001\0b\0",
            b"\0value\0",
            b"\0",
            b"a\x001\0a\x002\0",
            b"\xff\0value\0",
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_context_is_the_token_s_and_an_empty_one_is_none() {
        let check = |key, context| check_symmetric(of(Parameter::KmsSymmetric { key, context }));
        let symmetric = |key, context| Ok(Symmetric { key, context });
        assert_eq!(check_symmetric(of(Parameter::None)), symmetric(None, None));
        assert_eq!(check(0, None), symmetric(None, None));
        assert_eq!(check(7, Some(b"")), symmetric(Some(7), Some(context(&[]))));
        let bad = check(0, Some(b"app"));
        assert!(bad.is_err_and(|error| error.rv() == CKR_MECHANISM_PARAM_INVALID));
        let malformed = check_symmetric(of(Parameter::Malformed(3)));
        assert!(malformed.is_err_and(|error| error.rv() == CKR_MECHANISM_PARAM_INVALID));
    }

    #[test]
    fn a_key_beside_the_function_s_own_is_refused() {
        let check = |key| check_context_alone(of(Parameter::KmsSymmetric { key, context: None }));
        assert_eq!(check(0), Ok(None));
        assert!(check(7).is_err_and(|error| error.rv() == CKR_MECHANISM_PARAM_INVALID));
    }

    #[test]
    fn a_reencryption_has_two_contexts() {
        let check = |parameter| check_reencryption(of(parameter));
        assert_eq!(check(Parameter::None), Ok(ReEncryption::default()));
        let parameter = Parameter::KmsReEncrypt {
            source_key: 7,
            source: Some(b"a\x001\0"),
            destination: Some(b""),
        };
        let expected = ReEncryption {
            source_key: Some(7),
            source: Some(context(&[("a", "1")])),
            destination: Some(context(&[])),
        };
        assert_eq!(check(parameter), Ok(expected));
    }
}
