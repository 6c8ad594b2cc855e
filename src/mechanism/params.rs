//! Mechanism parameters, parsed from their bytes.

use pkcs11_sys::*;

use super::Mechanism;
use super::signature::Input;
use crate::crypto::Hash;
use crate::error::{Error, Result};
use crate::kms::EncryptionAlgorithm;

/// A hash as the parameters name it: mechanism, mask generation function, hash.
const HASHES: &[(CK_MECHANISM_TYPE, CK_RSA_PKCS_MGF_TYPE, Hash)] = &[
    (CKM_SHA_1, CKG_MGF1_SHA1, Hash::Sha1),
    (CKM_SHA224, CKG_MGF1_SHA224, Hash::Sha224),
    (CKM_SHA256, CKG_MGF1_SHA256, Hash::Sha256),
    (CKM_SHA384, CKG_MGF1_SHA384, Hash::Sha384),
    (CKM_SHA512, CKG_MGF1_SHA512, Hash::Sha512),
];

/// Checks CK_RSA_PKCS_PSS_PARAMS against what KMS can do: one hash for message and mask, a salt of
/// its length.
pub(super) fn check_pss(mechanism: Mechanism<'_>, input: Input) -> Result<Hash> {
    const ADVICE: &str = "KMS signs RSASSA-PSS with SHA-256, SHA-384 or SHA-512, MGF1 with the same hash \
                          and a salt of the hash's length";
    let [hash, mgf, salt_len] = ulongs(mechanism)?;
    let hash = same_hash(hash, mgf)
        .filter(|hash| matches!(hash, Hash::Sha256 | Hash::Sha384 | Hash::Sha512))
        .filter(|hash| usize::try_from(salt_len) == Ok(hash.len()))
        .ok_or_else(|| Error::new(CKR_MECHANISM_PARAM_INVALID, ADVICE))?;
    match input {
        Input::Message(message_hash) if message_hash != hash => Err(Error::new(
            CKR_MECHANISM_PARAM_INVALID,
            "the PSS parameter names another hash than the mechanism",
        )),
        _ => Ok(hash),
    }
}

/// Checks CK_RSA_PKCS_OAEP_PARAMS against what KMS can do: one hash for both, no label.
pub(super) fn check_oaep(mechanism: Mechanism<'_>) -> Result<(Hash, EncryptionAlgorithm)> {
    const ADVICE: &str = "KMS decrypts RSAES-OAEP with SHA-1 or SHA-256, MGF1 with the same hash and an \
                          empty label";
    // The fourth field is the label's address; it is of no interest when the fifth, its length, is
    // 0.
    let [hash, mgf, source, _, label_len] = ulongs(mechanism)?;
    let known_source = source == CKZ_DATA_SPECIFIED || source == 0;
    same_hash(hash, mgf)
        .filter(|_| label_len == 0 && known_source)
        .and_then(|hash| match hash {
            Hash::Sha1 => Some((hash, EncryptionAlgorithm::RsaOaepSha1)),
            Hash::Sha256 => Some((hash, EncryptionAlgorithm::RsaOaepSha256)),
            _ => None,
        })
        .ok_or_else(|| Error::new(CKR_MECHANISM_PARAM_INVALID, ADVICE))
}

fn same_hash(mechanism: CK_ULONG, mgf: CK_ULONG) -> Option<Hash> {
    HASHES
        .iter()
        .find(|row| (row.0, row.1) == (mechanism, mgf))
        .map(|row| row.2)
}

/// A parameter structure that consists of words.
fn ulongs<const N: usize>(mechanism: Mechanism<'_>) -> Result<[CK_ULONG; N]> {
    let (words, rest) = mechanism.parameter.as_chunks::<{ size_of::<CK_ULONG>() }>();
    <&[_; N]>::try_from(words)
        .ok()
        .filter(|_| rest.is_empty())
        .map(|words| words.map(CK_ULONG::from_ne_bytes))
        .ok_or_else(|| {
            Error::new(
                CKR_MECHANISM_PARAM_INVALID,
                format!(
                    "mechanism {:#x} wants a parameter of {} bytes, not {}",
                    mechanism.type_,
                    N * size_of::<CK_ULONG>(),
                    mechanism.parameter.len()
                ),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(words: &[CK_ULONG]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn pss(words: &[CK_ULONG]) -> Result<Hash> {
        let parameter = parameter(words);
        check_pss(
            Mechanism {
                type_: CKM_RSA_PKCS_PSS,
                parameter: &parameter,
            },
            Input::Digest,
        )
    }

    fn oaep(words: &[CK_ULONG]) -> Result<Hash> {
        let parameter = parameter(words);
        check_oaep(Mechanism {
            type_: CKM_RSA_PKCS_OAEP,
            parameter: &parameter,
        })
        .map(|(hash, _)| hash)
    }

    #[test]
    fn pss_parameters_are_what_kms_can_do_or_are_refused() {
        assert_eq!(pss(&[CKM_SHA256, CKG_MGF1_SHA256, 32]), Ok(Hash::Sha256));
        assert_eq!(pss(&[CKM_SHA512, CKG_MGF1_SHA512, 64]), Ok(Hash::Sha512));
        for refused in [
            &[CKM_SHA256, CKG_MGF1_SHA1, 32][..],
            &[CKM_SHA256, CKG_MGF1_SHA256, 20],
            &[CKM_SHA_1, CKG_MGF1_SHA1, 20],
            &[CKM_SHA256, CKG_MGF1_SHA256, CK_ULONG::MAX],
            &[CKM_SHA256, CKG_MGF1_SHA256],
            &[CKM_SHA256, CKG_MGF1_SHA256, 32, 0],
            &[],
        ] {
            assert_eq!(
                pss(refused).map_err(|e| e.rv()),
                Err(CKR_MECHANISM_PARAM_INVALID),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn oaep_parameters_are_what_kms_can_do_or_are_refused() {
        assert_eq!(
            oaep(&[CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 0]),
            Ok(Hash::Sha256)
        );
        assert_eq!(
            oaep(&[CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, 0, 0]),
            Ok(Hash::Sha1)
        );
        for refused in [
            &[CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, 0, 0][..],
            &[CKM_SHA384, CKG_MGF1_SHA384, CKZ_DATA_SPECIFIED, 0, 0],
            &[CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 5],
            &[CKM_SHA256, CKG_MGF1_SHA256, 7, 0, 0],
            &[],
        ] {
            assert_eq!(
                oaep(refused).map_err(|e| e.rv()),
                Err(CKR_MECHANISM_PARAM_INVALID),
                "{refused:?}"
            );
        }
    }
}
