//! Key derivations: what a mechanism and its parameter ask for.

use pkcs11_sys::*;

use super::Mechanism;
use super::parameter::Parameter;
use super::params::hash_of;
use crate::crypto::Hash;
use crate::error::Result;

/// A deriving mechanism with its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derivation<'a> {
    Ecdh {
        /// The hash of the X9.63 key derivation function; `None` takes the secret as it is.
        kdf: Option<Hash>,
        shared_info: &'a [u8],
        /// The peer's public key, in the caller's encoding.
        peer: &'a [u8],
    },
    Hkdf {
        hash: Hash,
        /// `None` leaves out the extraction: the base key is a pseudorandom key already.
        extract: Option<Salt<'a>>,
        /// The info; `None` leaves out the expansion.
        expand: Option<&'a [u8]>,
    },
}

/// The salt of HKDF-Extract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Salt<'a> {
    /// The caller's bytes; none are the same as zeros.
    Data(&'a [u8]),
    Key(CK_OBJECT_HANDLE),
}

/// CK_EC_KDF_TYPE: the functions of X9.63.
const X963: &[(CK_EC_KDF_TYPE, Hash)] = &[
    (CKD_SHA1_KDF, Hash::Sha1),
    (CKD_SHA224_KDF, Hash::Sha224),
    (CKD_SHA256_KDF, Hash::Sha256),
    (CKD_SHA384_KDF, Hash::Sha384),
    (CKD_SHA512_KDF, Hash::Sha512),
];

/// Checks CK_ECDH1_DERIVE_PARAMS but for the peer's key, which the curve of the own key decides on.
pub(super) fn check_ecdh(mechanism: Mechanism<'_>) -> Result<Derivation<'_>> {
    let Parameter::Ecdh {
        kdf,
        shared,
        public,
    } = mechanism.parameter
    else {
        return Err(mechanism.bad_parameter("it takes CK_ECDH1_DERIVE_PARAMS"));
    };
    let kdf = match (kdf, shared) {
        (CKD_NULL, []) => None,
        (CKD_NULL, _) => {
            return Err(mechanism.bad_parameter("CKD_NULL goes without shared data"));
        }
        _ => {
            let known = X963.iter().find(|row| row.0 == kdf);
            let known = known.ok_or_else(|| {
                mechanism.bad_parameter(
                    "kdf is CKD_NULL or one of CKD_SHA1_KDF, CKD_SHA224_KDF, CKD_SHA256_KDF, \
                     CKD_SHA384_KDF, CKD_SHA512_KDF",
                )
            })?;
            Some(known.1)
        }
    };
    Ok(Derivation::Ecdh {
        kdf,
        shared_info: shared,
        peer: public,
    })
}

/// Checks CK_HKDF_PARAMS. What belongs to a step that is left out is ignored.
pub(super) fn check_hkdf(mechanism: Mechanism<'_>) -> Result<Derivation<'_>> {
    let Parameter::Hkdf {
        extract,
        expand,
        hash,
        salt_type,
        salt,
        salt_key,
        info,
    } = mechanism.parameter
    else {
        return Err(mechanism.bad_parameter("it takes CK_HKDF_PARAMS"));
    };
    if !extract && !expand {
        return Err(mechanism.bad_parameter("bExtract, bExpand or both have to be set"));
    }
    let hash = hash_of(hash).ok_or_else(|| {
        mechanism.bad_parameter("prfHashMechanism is CKM_SHA_1, CKM_SHA224, … or CKM_SHA512")
    })?;
    let salt = || match salt_type {
        CKF_HKDF_SALT_NULL => Ok(Salt::Data(&[])),
        CKF_HKDF_SALT_DATA => Ok(Salt::Data(salt)),
        CKF_HKDF_SALT_KEY => Ok(Salt::Key(salt_key)),
        _ => Err(mechanism.bad_parameter("ulSaltType is CKF_HKDF_SALT_NULL, _DATA or _KEY")),
    };
    Ok(Derivation::Hkdf {
        hash,
        extract: extract.then(salt).transpose()?,
        expand: expand.then_some(info),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn of(parameter: Parameter<'_>) -> Mechanism<'_> {
        Mechanism {
            type_: CKM_ECDH1_DERIVE,
            parameter,
        }
    }

    fn refused<T>(result: Result<T>) -> bool {
        result.is_err_and(|error: Error| error.rv() == CKR_MECHANISM_PARAM_INVALID)
    }

    #[test]
    fn ecdh_knows_the_functions_of_x9_63() {
        let check = |kdf, shared| {
            let public = b"peer";
            check_ecdh(of(Parameter::Ecdh {
                kdf,
                shared,
                public,
            }))
        };
        let derivation = |kdf, shared_info| Derivation::Ecdh {
            kdf,
            shared_info,
            peer: b"peer",
        };
        assert_eq!(check(CKD_NULL, b""), Ok(derivation(None, b"")));
        for (kdf, hash) in X963 {
            for shared in [&b""[..], b"shared"] {
                assert_eq!(check(*kdf, shared), Ok(derivation(Some(*hash), shared)));
            }
        }
        assert!(refused(check(CKD_NULL, b"shared")));
        assert!(refused(check(CKD_SHA3_256_KDF, b"")));
        assert!(refused(check(CKD_SHA256_KDF_SP800, b"")));
        assert!(refused(check(0, b"")));
        assert!(refused(check_ecdh(of(Parameter::Malformed(40)))));
    }

    #[test]
    fn hkdf_has_one_step_at_least() {
        let check = |extract, expand, hash, salt_type| {
            check_hkdf(of(Parameter::Hkdf {
                extract,
                expand,
                hash,
                salt_type,
                salt: b"salt",
                salt_key: 7,
                info: b"info",
            }))
        };
        let derivation = |extract, expand| {
            Ok(Derivation::Hkdf {
                hash: Hash::Sha256,
                extract,
                expand,
            })
        };
        let info = Some(&b"info"[..]);
        let (null, data, key) = (CKF_HKDF_SALT_NULL, CKF_HKDF_SALT_DATA, CKF_HKDF_SALT_KEY);
        for (salt_type, salt) in [
            (null, Salt::Data(b"")),
            (data, Salt::Data(b"salt")),
            (key, Salt::Key(7)),
        ] {
            assert_eq!(
                check(true, true, CKM_SHA256, salt_type),
                derivation(Some(salt), info)
            );
            assert_eq!(
                check(true, false, CKM_SHA256, salt_type),
                derivation(Some(salt), None)
            );
            assert_eq!(
                check(false, true, CKM_SHA256, salt_type),
                derivation(None, info)
            );
            assert!(refused(check(false, false, CKM_SHA256, salt_type)));
        }
        assert_eq!(
            check(false, true, CKM_SHA256, 0),
            derivation(None, info),
            "an ignored salt"
        );
        assert!(refused(check(true, true, CKM_SHA256, 0)));
        assert!(refused(check(true, true, CKM_SHA256, 3)));
        assert!(refused(check(true, true, CKM_SHA3_256, null)));
        assert!(refused(check(true, true, CKM_SHA256_HMAC, null)));
    }
}
