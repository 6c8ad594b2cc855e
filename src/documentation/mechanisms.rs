//! The matrix of mechanisms.

use cryptoki_sys::*;

use super::markdown;
use crate::mechanism::{self, Row};
use crate::vendor::{CKM_KMS_REENCRYPT, CKM_KMS_SYMMETRIC};

/// What a row of the mechanism table says, in words.
pub(super) fn table() -> String {
    let header = [
        "mechanism",
        "number",
        "what it does, and where",
        "keys",
        "sizes",
        "parameter",
        "limits",
    ];
    let rows = mechanism::table().iter().map(|row| {
        [
            format!("`{}`", row.name),
            format!("{:#x}", row.type_),
            uses(row),
            key_types(row),
            sizes(row),
            parameter(row),
            limits(row),
        ]
    });
    markdown(header, rows)
}

/// What a mechanism is used for: its flag, and how the table calls it.
const USES: &[(CK_FLAGS, &str)] = &[
    (CKF_GENERATE, "generate"),
    (CKF_GENERATE_KEY_PAIR, "generate a pair"),
    (CKF_SIGN, "sign"),
    (CKF_VERIFY, "verify"),
    (CKF_ENCRYPT, "encrypt"),
    (CKF_DECRYPT, "decrypt"),
    (CKF_WRAP, "wrap"),
    (CKF_UNWRAP, "unwrap"),
    (CKF_DERIVE, "derive"),
    (CKF_ENCAPSULATE, "encapsulate"),
    (CKF_DECAPSULATE, "decapsulate"),
    (CKF_DIGEST, "digest"),
];

const PAIRS: &[CK_KEY_TYPE] = &[CKK_RSA, CKK_EC, CKK_EC_EDWARDS, CKK_ML_DSA, CKK_ML_KEM];
const MACS: &[CK_KEY_TYPE] = &[
    CKK_GENERIC_SECRET,
    CKK_SHA224_HMAC,
    CKK_SHA256_HMAC,
    CKK_SHA384_HMAC,
    CKK_SHA512_HMAC,
];

/// The uses that are requests to KMS, for keys of these types. All others are done here.
const REQUESTS: &[(CK_FLAGS, &[CK_KEY_TYPE], &str)] = &[
    (CKF_GENERATE, MACS, "`CreateKey`"),
    (CKF_GENERATE_KEY_PAIR, PAIRS, "`CreateKey`, `GetPublicKey`"),
    (CKF_SIGN, PAIRS, "`Sign`"),
    (
        CKF_SIGN,
        MACS,
        "`GenerateMac`, or here with a key of a session",
    ),
    (
        CKF_VERIFY,
        MACS,
        "`VerifyMac`, or here with a key of a session",
    ),
    (CKF_DECRYPT | CKF_UNWRAP, PAIRS, "`Decrypt`"),
    (CKF_DERIVE, PAIRS, "`DeriveSharedSecret`"),
    (CKF_DECAPSULATE, PAIRS, "`Decapsulate`"),
];

/// The same for the symmetric keys of KMS, by mechanism: other AES keys are used here.
const SYMMETRIC: &[(CK_MECHANISM_TYPE, CK_FLAGS, &str)] = &[
    (CKM_AES_KEY_GEN, CKF_GENERATE, "`CreateKey`"),
    (CKM_KMS_SYMMETRIC, CKF_GENERATE, "`GenerateDataKey`"),
    (CKM_KMS_SYMMETRIC, CKF_ENCRYPT | CKF_WRAP, "`Encrypt`"),
    (CKM_KMS_SYMMETRIC, CKF_DECRYPT | CKF_UNWRAP, "`Decrypt`"),
    (CKM_KMS_REENCRYPT, CKF_ENCRYPT, "`ReEncrypt`"),
];

fn uses(row: &Row) -> String {
    let uses = USES.iter().filter(|(flag, _)| row.flags & flag != 0);
    let uses: Vec<String> = uses
        .map(|(flag, verb)| {
            let request = REQUESTS.iter().find(|(flags, types, _)| {
                flags & flag != 0 && row.key_types.iter().any(|type_| types.contains(type_))
            });
            let symmetric = SYMMETRIC
                .iter()
                .find(|(type_, flags, _)| *type_ == row.type_ && flags & flag != 0);
            let place = match (request, symmetric) {
                (Some((_, _, operation)), _) | (_, Some((_, _, operation))) => operation,
                (None, None) => "here",
            };
            format!("{verb}: {place}")
        })
        .collect();
    assert!(!uses.is_empty(), "{} is for something", row.name);
    uses.join("<br>")
}

/// How the table names types of keys.
const KEY_TYPES: &[(CK_KEY_TYPE, &str)] = &[
    (CKK_RSA, "RSA"),
    (CKK_EC, "EC"),
    (CKK_EC_EDWARDS, "EC_EDWARDS"),
    (CKK_ML_DSA, "ML_DSA"),
    (CKK_ML_KEM, "ML_KEM"),
    (CKK_GENERIC_SECRET, "GENERIC_SECRET"),
    (CKK_SHA224_HMAC, "SHA224_HMAC"),
    (CKK_SHA256_HMAC, "SHA256_HMAC"),
    (CKK_SHA384_HMAC, "SHA384_HMAC"),
    (CKK_SHA512_HMAC, "SHA512_HMAC"),
    (CKK_AES, "AES"),
    (CKK_HKDF, "HKDF"),
];

fn key_types(row: &Row) -> String {
    let name = |type_| {
        let known = KEY_TYPES.iter().find(|(known, _)| known == type_);
        known.expect("a row of KEY_TYPES for every type of key").1
    };
    let names: Vec<&str> = row.key_types.iter().map(name).collect();
    names.join(", ")
}

fn sizes(row: &Row) -> String {
    match row.sizes {
        (0, 0) => String::new(),
        (min, max) if min == max => min.to_string(),
        (min, max) => format!("{min} to {max}"),
    }
}

/// The parameters by the names of [`mechanism::parameter::Shape`].
const PARAMETERS: &[(&str, &str)] = &[
    ("None", ""),
    ("Pss", "`CK_RSA_PKCS_PSS_PARAMS`"),
    ("Oaep", "`CK_RSA_PKCS_OAEP_PARAMS`"),
    ("RsaAes", "`CK_RSA_AES_KEY_WRAP_PARAMS`"),
    ("EdDsa", "none, or `CK_EDDSA_PARAMS`"),
    ("SignContext", "none, or `CK_SIGN_ADDITIONAL_CONTEXT`"),
    ("HashSignContext", "`CK_HASH_SIGN_ADDITIONAL_CONTEXT`"),
    ("Ulong", "`CK_MAC_GENERAL_PARAMS`"),
    ("Bytes", "the initial value"),
    ("AesCtr", "`CK_AES_CTR_PARAMS`"),
    ("Gcm", "`CK_GCM_PARAMS`"),
    ("Ecdh", "`CK_ECDH1_DERIVE_PARAMS`"),
    ("Hkdf", "`CK_HKDF_PARAMS`"),
    ("KmsSymmetric", "none, or `KMS_PKCS11_SYMMETRIC_PARAMS`"),
    ("KmsReEncrypt", "none, or `KMS_PKCS11_REENCRYPT_PARAMS`"),
];

fn parameter(row: &Row) -> String {
    let shape = format!("{:?}", row.parameter);
    let known = PARAMETERS.iter().find(|(name, _)| *name == shape);
    known
        .expect("a row of PARAMETERS for every shape")
        .1
        .to_owned()
}

/// What KMS does not take of what the specification allows.
const LIMITS: &[(&[CK_MECHANISM_TYPE], &str)] = &[
    (&[CKM_AES_KEY_GEN], "keys of the token, of 32 bytes"),
    (
        &[CKM_KMS_SYMMETRIC],
        "a key in KMS; data of 1 to 4096 bytes in one part; data keys of 1 to 1024 bytes",
    ),
    (
        &[CKM_KMS_REENCRYPT],
        "a key in KMS; a ciphertext of KMS in one part",
    ),
    (
        &[CKM_RSA_PKCS],
        "a DigestInfo of SHA-256, SHA-384 or SHA-512, in one part",
    ),
    (
        &[CKM_RSA_PKCS_PSS],
        "a digest of SHA-256, SHA-384 or SHA-512, in one part; MGF1 with the same hash, a salt as long as it",
    ),
    (
        &[
            CKM_SHA256_RSA_PKCS_PSS,
            CKM_SHA384_RSA_PKCS_PSS,
            CKM_SHA512_RSA_PKCS_PSS,
        ],
        "MGF1 with the same hash, a salt as long as it",
    ),
    (
        &[CKM_RSA_PKCS_OAEP],
        "SHA-1 or SHA-256, MGF1 with the same hash, no label; in one part",
    ),
    (
        &[CKM_ECDSA],
        "a digest of any length, in one part: cut, or padded on the left, to the length that the curve has",
    ),
    (
        &[CKM_EDDSA],
        "Ed25519 without phFlag and context; messages of 1 to 4096 bytes",
    ),
    (
        &[
            CKM_ML_DSA,
            CKM_HASH_ML_DSA_SHA224,
            CKM_HASH_ML_DSA_SHA256,
            CKM_HASH_ML_DSA_SHA384,
            CKM_HASH_ML_DSA_SHA512,
        ],
        "a context of 255 bytes at most; CKH_HEDGE_PREFERRED alone",
    ),
    (
        &[CKM_HASH_ML_DSA],
        "a digest of SHA-224, SHA-256, SHA-384 or SHA-512, in one part; a context of 255 bytes at most; \
         CKH_HEDGE_PREFERRED alone",
    ),
    (
        &[CKM_AES_GCM],
        "an initialisation vector of 12 bytes, a tag of 96 to 128 bits",
    ),
    (
        &[CKM_AES_CTR],
        "as much data as the counter has numbers for",
    ),
    (
        &[CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP],
        "the standard initial value, or none, which means it",
    ),
    (
        &[CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE],
        "P-256, P-384 and P-521; CKD_NULL, or CKD_SHA1_KDF to CKD_SHA512_KDF; the peer's point uncompressed",
    ),
    (
        &[CKM_HKDF_DERIVE],
        "SHA-1, SHA-224, SHA-256, SHA-384 or SHA-512; keys of 4096 bytes at most",
    ),
    (
        &[
            CKM_SHA224_HMAC,
            CKM_SHA256_HMAC,
            CKM_SHA384_HMAC,
            CKM_SHA512_HMAC,
            CKM_SHA224_HMAC_GENERAL,
            CKM_SHA256_HMAC_GENERAL,
            CKM_SHA384_HMAC_GENERAL,
            CKM_SHA512_HMAC_GENERAL,
        ],
        "messages of 1 to 4096 bytes with a key in KMS, which has one hash",
    ),
    (
        &[CKM_GENERIC_SECRET_KEY_GEN],
        "28, 32, 48 or 64 bytes in KMS",
    ),
];

fn limits(row: &Row) -> String {
    let limits = LIMITS.iter().find(|(types, _)| types.contains(&row.type_));
    limits.map_or("", |(_, text)| text).to_owned()
}

#[test]
fn every_flag_of_every_mechanism_has_a_word() {
    // What the mechanism is done by, and what curves it takes.
    let mut known = CKF_HW | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS;
    // The functions for messages are those for signatures and ciphertexts, many times over.
    known |= CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT;
    known |= CKF_MULTI_MESSAGE;
    known = USES.iter().fold(known, |known, (flag, _)| known | flag);
    for row in mechanism::table() {
        assert_eq!(row.flags & !known, 0, "{}", row.name);
    }
}
