//! What KMS can do of what a mechanism parameter asks for.

use pkcs11_sys::*;

use super::parameter::{Parameter, Shape};
use super::signature::{Input, Padding, SignatureScheme};
use super::{Mechanism, Use, parameter_shape};
use crate::crypto::Hash;
use crate::crypto::ml_dsa::MAX_CONTEXT_LEN;
use crate::error::Result;
use crate::kms::EncryptionAlgorithm;
use crate::v3_2::*;

/// A hash as the parameters name it: mechanism, mask generation function, hash.
const HASHES: &[(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, Hash)] = &[
    (CKM_SHA_1, CKG_MGF1_SHA1, Hash::Sha1),
    (CKM_SHA224, CKG_MGF1_SHA224, Hash::Sha224),
    (CKM_SHA256, CKG_MGF1_SHA256, Hash::Sha256),
    (CKM_SHA384, CKG_MGF1_SHA384, Hash::Sha384),
    (CKM_SHA512, CKG_MGF1_SHA512, Hash::Sha512),
];

/// Checks CK_RSA_PKCS_PSS_PARAMS: one hash for message and mask, a salt of its length.
pub(super) fn check_pss(mechanism: Mechanism<'_>, input: Input) -> Result<SignatureScheme> {
    const ADVICE: &str = "KMS signs RSASSA-PSS with SHA-256, SHA-384 or SHA-512, MGF1 with the same hash \
                          and a salt of the hash's length";
    let Parameter::Pss {
        hash,
        mgf,
        salt_len,
    } = mechanism.parameter
    else {
        return Err(mechanism.bad_parameter(ADVICE));
    };
    let hash = same_hash(hash, mgf)
        .filter(|hash| matches!(hash, Hash::Sha256 | Hash::Sha384 | Hash::Sha512))
        .filter(|hash| usize::try_from(salt_len) == Ok(hash.len()))
        .ok_or_else(|| mechanism.bad_parameter(ADVICE))?;
    let input = match input {
        Input::Message(message_hash) if message_hash != hash => {
            return Err(mechanism
                .bad_parameter("the PSS parameter names another hash than the mechanism does"));
        }
        Input::Message(_) => input,
        _ => Input::DigestOf(hash),
    };
    Ok(SignatureScheme::Rsa(Padding::Pss, input))
}

const OAEP_ADVICE: &str =
    "KMS decrypts RSAES-OAEP with SHA-1 or SHA-256, MGF1 with the same hash and an empty label";

/// Checks CK_RSA_PKCS_OAEP_PARAMS: one hash for both, no label.
pub(super) fn check_oaep(mechanism: Mechanism<'_>) -> Result<(Hash, EncryptionAlgorithm)> {
    match mechanism.parameter {
        Parameter::Oaep {
            hash,
            mgf,
            source: CKZ_DATA_SPECIFIED | 0,
            label: [],
        } => oaep(hash, mgf),
        _ => None,
    }
    .ok_or_else(|| mechanism.bad_parameter(OAEP_ADVICE))
}

/// Checks CK_RSA_AES_KEY_WRAP_PARAMS: RSAES-OAEP as above, and the bytes of the AES key.
pub(super) fn check_rsa_aes(
    mechanism: Mechanism<'_>,
) -> Result<(usize, Hash, EncryptionAlgorithm)> {
    let Parameter::RsaAes {
        aes_bits,
        hash,
        mgf,
        source: CKZ_DATA_SPECIFIED | 0,
        label: [],
    } = mechanism.parameter
    else {
        return Err(mechanism.bad_parameter(OAEP_ADVICE));
    };
    let aes_len = match aes_bits {
        128 => 16,
        192 => 24,
        256 => 32,
        _ => return Err(mechanism.bad_parameter("an AES key has 128, 192 or 256 bits")),
    };
    let (hash, algorithm) = oaep(hash, mgf).ok_or_else(|| mechanism.bad_parameter(OAEP_ADVICE))?;
    Ok((aes_len, hash, algorithm))
}

fn oaep(hash: CK_MECHANISM_TYPE, mgf: CK_RSA_PKCS_MGF_TYPE) -> Option<(Hash, EncryptionAlgorithm)> {
    match same_hash(hash, mgf)? {
        hash @ Hash::Sha1 => Some((hash, EncryptionAlgorithm::RsaOaepSha1)),
        hash @ Hash::Sha256 => Some((hash, EncryptionAlgorithm::RsaOaepSha256)),
        _ => None,
    }
}

/// Checks CK_EDDSA_PARAMS: pure Ed25519 alone, since KMS would hash a prehash once more.
pub(super) fn check_eddsa(mechanism: Mechanism<'_>) -> Result<SignatureScheme> {
    match mechanism.parameter {
        Parameter::None
        | Parameter::EdDsa {
            prehash: false,
            context: [],
        } => Ok(SignatureScheme::Ed25519),
        _ => Err(mechanism.bad_parameter(
            "KMS signs pure Ed25519: no phFlag and no context, so no parameter at all",
        )),
    }
}

/// Checks CK_SIGN_ADDITIONAL_CONTEXT, for ML-DSA of a message.
pub(super) fn check_ml_dsa(mechanism: Mechanism<'_>, use_: Use) -> Result<SignatureScheme> {
    let context = sign_context(mechanism, use_)?;
    Ok(SignatureScheme::MlDsa { context })
}

/// Checks CK_SIGN_ADDITIONAL_CONTEXT, for HashML-DSA of a message, or
/// CK_HASH_SIGN_ADDITIONAL_CONTEXT, for that of a digest.
pub(super) fn check_hash_ml_dsa(
    mechanism: Mechanism<'_>,
    use_: Use,
    input: Input,
) -> Result<SignatureScheme> {
    let (context, input) = match (input, mechanism.parameter) {
        (
            Input::Digest,
            Parameter::HashSignContext {
                hedge,
                context,
                hash,
            },
        ) => {
            let hash = prehash(hash).ok_or_else(|| {
                mechanism.bad_parameter("a digest is one of SHA-224, SHA-256, SHA-384 or SHA-512")
            })?;
            let context = hedged(mechanism, use_, hedge, context)?;
            (context, Input::DigestOf(hash))
        }
        (Input::Digest, _) => {
            return Err(mechanism.bad_parameter("it takes CK_HASH_SIGN_ADDITIONAL_CONTEXT"));
        }
        (input, _) => (sign_context(mechanism, use_)?, input),
    };
    Ok(SignatureScheme::HashMlDsa { context, input })
}

/// The context of CK_SIGN_ADDITIONAL_CONTEXT; no parameter is the empty one.
fn sign_context(mechanism: Mechanism<'_>, use_: Use) -> Result<Vec<u8>> {
    match mechanism.parameter {
        Parameter::None => Ok(Vec::new()),
        Parameter::SignContext { hedge, context } => hedged(mechanism, use_, hedge, context),
        _ => Err(mechanism.bad_parameter("it takes CK_SIGN_ADDITIONAL_CONTEXT or none")),
    }
}

/// The context, unless it is too long or comes with a demand on the randomness of the signature that
/// KMS does not promise to meet: its documents do not say whether it signs hedged. A verification
/// has no use for the demand, and ignores it (PKCS#11 3.2, 6.67).
fn hedged(mechanism: Mechanism<'_>, use_: Use, hedge: CK_ULONG, context: &[u8]) -> Result<Vec<u8>> {
    if use_ == Use::Sign && hedge != CKH_HEDGE_PREFERRED {
        return Err(mechanism.bad_parameter(
            "KMS promises neither hedged nor deterministic signatures: CKH_HEDGE_PREFERRED alone",
        ));
    }
    if context.len() > MAX_CONTEXT_LEN {
        return Err(mechanism.bad_parameter("a context has 255 bytes at most"));
    }
    Ok(context.to_vec())
}

/// The hash of a digest that HashML-DSA signs.
fn prehash(mechanism: CK_MECHANISM_TYPE) -> Option<Hash> {
    HASHES
        .iter()
        .find(|row| row.0 == mechanism && row.2 != Hash::Sha1)
        .map(|row| row.2)
}

/// Checks the length of the MAC, for mechanisms that take one.
pub(super) fn check_hmac(mechanism: Mechanism<'_>, hash: Hash) -> Result<SignatureScheme> {
    let len = match (parameter_shape(mechanism.type_), mechanism.parameter) {
        (Shape::None, Parameter::None) => Some(hash.len()),
        (Shape::Ulong, Parameter::Ulong(len)) => usize::try_from(len).ok(),
        _ => None,
    };
    len.filter(|len| (1..=hash.len()).contains(len))
        .map(|len| SignatureScheme::Hmac { hash, len })
        .ok_or_else(|| {
            mechanism.bad_parameter("a MAC has 1 byte at least and the hash's length at most")
        })
}

/// The hash that a mechanism type names.
pub(super) fn hash_of(mechanism: CK_MECHANISM_TYPE) -> Option<Hash> {
    HASHES
        .iter()
        .find(|row| row.0 == mechanism)
        .map(|row| row.2)
}

fn same_hash(mechanism: CK_ULONG, mgf: CK_ULONG) -> Option<Hash> {
    HASHES
        .iter()
        .find(|row| (row.0, row.1) == (mechanism, mgf))
        .map(|row| row.2)
}

#[cfg(test)]
mod tests {
    use cryptoki_sys::{CKH_DETERMINISTIC_REQUIRED, CKH_HEDGE_REQUIRED};

    use super::*;
    use crate::error::Error;

    fn pss(hash: CK_ULONG, mgf: CK_ULONG, salt_len: CK_ULONG) -> Parameter<'static> {
        Parameter::Pss {
            hash,
            mgf,
            salt_len,
        }
    }

    fn oaep(hash: CK_ULONG, mgf: CK_ULONG, source: CK_ULONG, label: &[u8]) -> Parameter<'_> {
        Parameter::Oaep {
            hash,
            mgf,
            source,
            label,
        }
    }

    fn of(type_: CK_MECHANISM_TYPE, parameter: Parameter<'_>) -> Mechanism<'_> {
        Mechanism { type_, parameter }
    }

    fn refused<T>(result: Result<T>) -> bool {
        result.is_err_and(|error: Error| error.rv() == CKR_MECHANISM_PARAM_INVALID)
    }

    #[test]
    fn pss_parameters_are_what_kms_can_do_or_are_refused() {
        let check = |parameter| check_pss(of(CKM_RSA_PKCS_PSS, parameter), Input::Digest);
        let scheme = |hash| SignatureScheme::Rsa(Padding::Pss, Input::DigestOf(hash));
        assert_eq!(
            check(pss(CKM_SHA256, CKG_MGF1_SHA256, 32)),
            Ok(scheme(Hash::Sha256))
        );
        assert_eq!(
            check(pss(CKM_SHA512, CKG_MGF1_SHA512, 64)),
            Ok(scheme(Hash::Sha512))
        );
        for parameter in [
            pss(CKM_SHA256, CKG_MGF1_SHA1, 32),
            pss(CKM_SHA256, CKG_MGF1_SHA256, 20),
            pss(CKM_SHA_1, CKG_MGF1_SHA1, 20),
            pss(CKM_SHA256, CKG_MGF1_SHA256, CK_ULONG::MAX),
            Parameter::Malformed(16),
            Parameter::None,
        ] {
            assert!(refused(check(parameter)), "{parameter:?}");
        }
    }

    #[test]
    fn oaep_parameters_are_what_kms_can_do_or_are_refused() {
        let check = |parameter| check_oaep(of(CKM_RSA_PKCS_OAEP, parameter)).map(|(hash, _)| hash);
        assert_eq!(
            check(oaep(CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, b"")),
            Ok(Hash::Sha256)
        );
        assert_eq!(
            check(oaep(CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, b"")),
            Ok(Hash::Sha1)
        );
        for parameter in [
            oaep(CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, b""),
            oaep(CKM_SHA384, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, b""),
            oaep(CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, b"label"),
            oaep(CKM_SHA256, CKG_MGF1_SHA256, 7, b""),
            Parameter::None,
        ] {
            assert!(refused(check(parameter)), "{parameter:?}");
        }
    }

    #[test]
    fn ed25519_is_pure_or_refused() {
        let check = |parameter| check_eddsa(of(CKM_EDDSA, parameter));
        let params = |prehash, context| Parameter::EdDsa { prehash, context };
        assert_eq!(check(Parameter::None), Ok(SignatureScheme::Ed25519));
        assert_eq!(check(params(false, b"")), Ok(SignatureScheme::Ed25519));
        assert!(refused(check(params(true, b""))));
        assert!(refused(check(params(false, b"context"))));
        assert!(refused(check(Parameter::Malformed(8))));
    }

    #[test]
    fn ml_dsa_takes_any_context_and_promises_nothing_of_the_randomness() {
        let check = |use_, hedge, context| {
            check_ml_dsa(
                of(CKM_ML_DSA, Parameter::SignContext { hedge, context }),
                use_,
            )
        };
        let scheme = |context: &[u8]| SignatureScheme::MlDsa {
            context: context.to_vec(),
        };
        let plain = of(CKM_ML_DSA, Parameter::None);
        assert_eq!(check_ml_dsa(plain, Use::Sign), Ok(scheme(b"")));
        for use_ in [Use::Sign, Use::Verify] {
            assert_eq!(check(use_, CKH_HEDGE_PREFERRED, b"c"), Ok(scheme(b"c")));
            let longest = check(use_, CKH_HEDGE_PREFERRED, &[1; 255]);
            assert_eq!(longest, Ok(scheme(&[1; 255])));
            assert!(refused(check(use_, CKH_HEDGE_PREFERRED, &[1; 256])));
        }
        for demand in [CKH_HEDGE_REQUIRED, CKH_DETERMINISTIC_REQUIRED, 3] {
            assert!(refused(check(Use::Sign, demand, b"")));
            assert_eq!(check(Use::Verify, demand, b""), Ok(scheme(b"")));
        }
    }

    #[test]
    fn hash_ml_dsa_takes_the_hash_of_its_name_or_of_its_parameter() {
        let check =
            |parameter, input| check_hash_ml_dsa(of(CKM_HASH_ML_DSA, parameter), Use::Sign, input);
        let named = |hash| Parameter::HashSignContext {
            hedge: CKH_HEDGE_PREFERRED,
            context: b"c",
            hash,
        };
        let scheme = |context: &[u8], input| SignatureScheme::HashMlDsa {
            context: context.to_vec(),
            input,
        };
        let message = Input::Message(Hash::Sha384);
        assert_eq!(check(Parameter::None, message), Ok(scheme(b"", message)));
        assert_eq!(
            check(named(CKM_SHA224), Input::Digest),
            Ok(scheme(b"c", Input::DigestOf(Hash::Sha224)))
        );
        for refusal in [
            check(named(CKM_SHA_1), Input::Digest),
            check(named(CKM_SHA3_256), Input::Digest),
            check(Parameter::None, Input::Digest),
            check(named(CKM_SHA384), message),
        ] {
            assert!(refused(refusal));
        }
    }

    #[test]
    fn a_mac_has_a_length_that_its_hash_has_bytes_for() {
        let check = |len| {
            check_hmac(
                of(CKM_SHA256_HMAC_GENERAL, Parameter::Ulong(len)),
                Hash::Sha256,
            )
        };
        for len in [1, 16, 32] {
            let scheme = SignatureScheme::Hmac {
                hash: Hash::Sha256,
                len,
            };
            assert_eq!(check(len as CK_ULONG), Ok(scheme));
        }
        assert!(refused(check(0)));
        assert!(refused(check(33)));
        assert!(refused(check(CK_ULONG::MAX)));
    }
}
