//! Objects of a session, certificates among them.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Module,
        section: "5.8.1 C_EncryptInit, 5.13.1 C_SignInit, 5.15.1 C_VerifyInit",
        why: "What is not the handle of a key is an invalid key handle, be it of another \
              object or of none.",
        seen: rows! {
            "objects: gone with their session" {
                "C_EncryptInit (afterwards)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "objects: destroyed, and used afterwards" {
                "C_EncryptInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "objects: data for nothing but data" {
                "C_EncryptInit": "CKR_KEY_FUNCTION_NOT_PERMITTED" => "CKR_KEY_HANDLE_INVALID",
                "C_SignInit": "CKR_KEY_FUNCTION_NOT_PERMITTED" => "CKR_KEY_HANDLE_INVALID",
            }
            "certificates: no keys to do anything with" {
                "C_VerifyInit": "CKR_KEY_FUNCTION_NOT_PERMITTED" => "CKR_KEY_HANDLE_INVALID",
                "C_EncryptInit": "CKR_KEY_FUNCTION_NOT_PERMITTED" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, 6.8, 6.10 (3.2)",
        why: "AES keys have 16, 24 or 32 bytes, other secrets at least one, booleans one \
              byte that is CK_TRUE or CK_FALSE. SoftHSM2 does not look.",
        seen: rows! {
            "objects: secret keys of every length" {
                "C_CreateObject (generic of 0 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of 0 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of 15 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of 17 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of 33 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "objects: secret keys with one attribute more" {
                "C_CreateObject (CKA_ENCRYPT)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "The attribute is one that the specification describes, and so a valid one, \
              but not beside the others: the template is inconsistent.",
        seen: rows! {
            ["objects: secret keys with one attribute more", "certificates: templates that say something else"] {
                "C_CreateObject (CKA_MODULUS)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            ["objects: public keys good and bad"] {
                "C_CreateObject (and CKA_EC_POINT)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "The template gives one attribute two values. SoftHSM2 takes the last.",
        seen: rows! {
            "objects: secret keys with an attribute twice" {
                "C_CreateObject (another)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.10 Secret key objects",
        why: "Whether a key signs when the template does not say so is up to the token. \
              An AES key signs with no mechanism here.",
        seen: rows! {
            "attributes: of a secret key of a session" {
                "C_GetAttributeValue (CKA_SIGN)": "CKR_OK CKA_SIGN=01" => "CKR_OK CKA_SIGN=00",
                "C_GetAttributeValue (CKA_VERIFY)": "CKR_OK CKA_VERIFY=01" => "CKR_OK CKA_VERIFY=00",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.7.2 C_CopyObject, 4.4 Storage objects",
        why: "A copy may have another CKA_PRIVATE. Here it may be public, since private \
              objects are for everybody too; SoftHSM2 does not let a copy be less \
              private. Onto the token go no copies: a key cannot be taken into KMS this \
              way.",
        seen: rows! {
            "objects: secret keys copied" {
                "C_CopyObject (public)": "CKR_TEMPLATE_INCONSISTENT" => "CKR_OK",
                "C_CopyObject (on the token)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "another handle, on the token": "true" => "not reached",
                "C_GetAttributeValue (on the token)": "CKR_OK CKA_LABEL= CKA_SENSITIVE=00 CKA_TOKEN=01" => "not reached",
                "another handle, public": "not reached" => "true",
                "C_GetAttributeValue (public)": "not reached" => "CKR_OK CKA_LABEL= CKA_SENSITIVE=00 CKA_TOKEN=00",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 5.5.3 C_GetTokenInfo",
        why: "Private objects are for logged-in users of a token that requires login. \
              This one does not (CKF_LOGIN_REQUIRED is not set).",
        seen: rows! {
            "objects: made in every kind of session" {
                "C_CreateObject (read/write false, user false, private true)": "CKR_USER_NOT_LOGGED_IN" => "CKR_OK",
                "C_CreateObject (read/write true, user false, private true)": "CKR_USER_NOT_LOGGED_IN" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.5 Data objects, 5.7.6 C_SetAttributeValue",
        why: "The value of a data object may be changed: CKA_MODIFIABLE is true, and no \
              footnote forbids it.",
        seen: rows! {
            "objects: data" {
                "C_SetAttributeValue": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_OK",
                "C_GetAttributeValue (changed)": "CKR_OK CKA_VALUE=736f6d65206279746573" => "CKR_OK CKA_VALUE=6f74686572206279746573",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (EC public key objects)",
        why: "The point must be one of the curve. SoftHSM2 does not look.",
        seen: rows! {
            "objects: public keys on a curve, good and bad" {
                "C_CreateObject (not on the curve)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (cut)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (empty)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "A token need not make what it cannot: KMS takes in no data, and no \
              secret key that may be read again.",
        seen: rows! {
            "objects: on the token" {
                "C_CreateObject (a secret key)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_CreateObject (data)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.6 Certificate objects",
        why: "The dates are the certificate's own where the template has none, and the \
              public key's encoding is there to be read. SoftHSM2 has these attributes, \
              empty.",
        seen: rows! {
            "certificates: read" {
                "C_GetAttributeValue (CKA_START_DATE)": "CKR_OK CKA_START_DATE=" => "CKR_OK CKA_START_DATE=3230323631313231",
                "C_GetAttributeValue (CKA_END_DATE)": "CKR_OK CKA_END_DATE=" => "CKR_OK CKA_END_DATE=3231323631303238",
                "C_GetAttributeValue (CKA_PUBLIC_KEY_INFO)": "CKR_OK CKA_PUBLIC_KEY_INFO=0 bytes" => "CKR_OK CKA_PUBLIC_KEY_INFO=91 bytes",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.6.3 X.509 public key certificate objects",
        why: "Subject, issuer and serial number are those of the certificate, which is \
              DER. SoftHSM2 looks at none of them.",
        seen: rows! {
            "certificates: templates that say something else" {
                "C_CreateObject (CKA_SUBJECT)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_CreateObject (CKA_ISSUER)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_CreateObject (CKA_SERIAL_NUMBER)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_CreateObject (CKA_VALUE)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (CKA_VALUE).2": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
];
