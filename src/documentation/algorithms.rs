//! KMS's algorithms, and the mechanisms that use them.

use std::collections::BTreeSet;

use aws_sdk_kms::types::{
    EncapsulationAlgorithmSpec, EncryptionAlgorithmSpec, KeyAgreementAlgorithmSpec,
    MacAlgorithmSpec, SigningAlgorithmSpec,
};
use cryptoki_sys::*;

use super::markdown;
use crate::mechanism;
use crate::vendor::{CKM_KMS_REENCRYPT, CKM_KMS_SYMMETRIC};

const RSA: &str = "RSA_2048, RSA_3072, RSA_4096";
const ECC: &str = "ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521";
const ML_DSA: &str = "ML_DSA_44, ML_DSA_65, ML_DSA_87";
const ML_KEM: &str = "ML_KEM_512, ML_KEM_768, ML_KEM_1024";

/// An algorithm of KMS, the specs of the keys that have it, the mechanisms that use it where they are
/// in the table, and what there is to say of it.
type Row = (
    &'static str,
    &'static str,
    &'static [CK_MECHANISM_TYPE],
    &'static str,
);

const SM2: &str = "left out: it is there in the regions of China alone, and PKCS#11 has no mechanism \
                   for it";

const ALGORITHMS: &[Row] = &[
    (
        "RSASSA_PKCS1_V1_5_SHA_256",
        RSA,
        &[CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS],
        "",
    ),
    (
        "RSASSA_PKCS1_V1_5_SHA_384",
        RSA,
        &[CKM_SHA384_RSA_PKCS, CKM_RSA_PKCS],
        "",
    ),
    (
        "RSASSA_PKCS1_V1_5_SHA_512",
        RSA,
        &[CKM_SHA512_RSA_PKCS, CKM_RSA_PKCS],
        "",
    ),
    (
        "RSASSA_PSS_SHA_256",
        RSA,
        &[CKM_SHA256_RSA_PKCS_PSS, CKM_RSA_PKCS_PSS],
        "",
    ),
    (
        "RSASSA_PSS_SHA_384",
        RSA,
        &[CKM_SHA384_RSA_PKCS_PSS, CKM_RSA_PKCS_PSS],
        "",
    ),
    (
        "RSASSA_PSS_SHA_512",
        RSA,
        &[CKM_SHA512_RSA_PKCS_PSS, CKM_RSA_PKCS_PSS],
        "",
    ),
    (
        "ECDSA_SHA_256",
        "ECC_NIST_P256, ECC_SECG_P256K1",
        ECDSA,
        ECDSA_NOTE,
    ),
    ("ECDSA_SHA_384", "ECC_NIST_P384", ECDSA, ECDSA_NOTE),
    ("ECDSA_SHA_512", "ECC_NIST_P521", ECDSA, ECDSA_NOTE),
    ("ED25519_SHA_512", "ECC_NIST_EDWARDS25519", &[CKM_EDDSA], ""),
    (
        "ED25519_PH_SHA_512",
        "ECC_NIST_EDWARDS25519",
        &[],
        "left out: KMS hashes what it is given, which may have a digest's length only, so that it is \
         not the prehash variant of the mechanism",
    ),
    (
        "ML_DSA_SHAKE_256",
        ML_DSA,
        &[
            CKM_ML_DSA,
            CKM_HASH_ML_DSA,
            CKM_HASH_ML_DSA_SHA224,
            CKM_HASH_ML_DSA_SHA256,
            CKM_HASH_ML_DSA_SHA384,
            CKM_HASH_ML_DSA_SHA512,
        ],
        "mu is computed here, from messages of any length",
    ),
    (
        "HMAC_SHA_224",
        "HMAC_224",
        &[CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL],
        "",
    ),
    (
        "HMAC_SHA_256",
        "HMAC_256",
        &[CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL],
        "",
    ),
    (
        "HMAC_SHA_384",
        "HMAC_384",
        &[CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL],
        "",
    ),
    (
        "HMAC_SHA_512",
        "HMAC_512",
        &[CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL],
        "",
    ),
    ("RSAES_OAEP_SHA_1", RSA, &[CKM_RSA_PKCS_OAEP], ""),
    ("RSAES_OAEP_SHA_256", RSA, &[CKM_RSA_PKCS_OAEP], ""),
    (
        "SYMMETRIC_DEFAULT",
        "SYMMETRIC_DEFAULT",
        &[CKM_KMS_SYMMETRIC, CKM_KMS_REENCRYPT],
        "mechanisms of the module's own: no standard one has KMS's ciphertext, which is opaque",
    ),
    (
        "ECDH",
        ECC,
        &[CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE],
        "",
    ),
    ("ML_KEM", ML_KEM, &[CKM_ML_KEM], ""),
    ("SM2DSA", "SM2", &[], SM2),
    ("SM2PKE", "SM2", &[], SM2),
];

const ECDSA: &[CK_MECHANISM_TYPE] = &[
    CKM_ECDSA,
    CKM_ECDSA_SHA1,
    CKM_ECDSA_SHA224,
    CKM_ECDSA_SHA256,
    CKM_ECDSA_SHA384,
    CKM_ECDSA_SHA512,
];
const ECDSA_NOTE: &str = "whatever the hash: KMS takes a digest of the curve's length as it is";

pub(super) fn table() -> String {
    let rows = ALGORITHMS.iter().map(|(algorithm, specs, types, note)| {
        let listed = mechanism::table().iter();
        let mechanisms: Vec<String> = listed
            .filter(|row| types.contains(&row.type_))
            .map(|row| format!("`{}`", row.name))
            .collect();
        let mechanisms = match mechanisms.join(", ") {
            none if none.is_empty() => "none".to_owned(),
            some => some,
        };
        [
            (*algorithm).to_owned(),
            (*specs).to_owned(),
            mechanisms,
            (*note).to_owned(),
        ]
    });
    markdown(["algorithm", "key specs", "mechanisms", ""], rows)
}

#[test]
fn every_algorithm_that_kms_has_is_in_the_table() {
    let of_kms: BTreeSet<&str> = [
        SigningAlgorithmSpec::values(),
        MacAlgorithmSpec::values(),
        EncryptionAlgorithmSpec::values(),
        KeyAgreementAlgorithmSpec::values(),
        EncapsulationAlgorithmSpec::values(),
    ]
    .concat()
    .into_iter()
    .collect();
    let in_table: Vec<&str> = ALGORITHMS.iter().map(|row| row.0).collect();
    assert_eq!(in_table.len(), of_kms.len());
    assert_eq!(in_table.into_iter().collect::<BTreeSet<_>>(), of_kms);
}
