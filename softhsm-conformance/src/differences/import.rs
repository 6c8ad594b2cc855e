//! Keys that are brought along: created on the token, and unwrapped onto it.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "6.1.3 RSA private key objects",
        why: "A template has to have the modulus and the private exponent; what else a token \
              needs is its own affair. KMS takes PKCS#8, which has all eight numbers, so all \
              of them have to be there.",
        seen: rows! {
            "import: private keys with one attribute less" {
                "C_CreateObject (RSA without CKA_PUBLIC_EXPONENT)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
                "C_CreateObject (RSA without CKA_PRIME_1)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
                "C_CreateObject (RSA without CKA_PRIME_2)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
                "C_CreateObject (RSA without CKA_EXPONENT_1)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
                "C_CreateObject (RSA without CKA_EXPONENT_2)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
                "C_CreateObject (RSA without CKA_COEFFICIENT)": "CKR_OK" => "CKR_TEMPLATE_INCOMPLETE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, 6.1.3, 6.3.4",
        why: "The values are those of no key: a scalar that is not below the order of the \
              curve, an encoding that names no curve, primes that are not the modulus's. \
              SoftHSM2 does not look.",
        seen: rows! {
            "import: private keys with other values" {
                "C_CreateObject (EC of value 0)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (EC of the value that the order is)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (EC of no value)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (EC on no curve)": "CKR_OK" => "CKR_CURVE_NOT_SUPPORTED",
                "C_CreateObject (RSA of no modulus)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (RSA of another prime)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, 5.18.4 C_UnwrapKey",
        why: "The attribute is one that the specification describes, and so a valid one, \
              but not beside the others: the template is inconsistent.",
        seen: rows! {
            ["import: private keys with one attribute more", "import: secret keys with one attribute more"] {
                "C_CreateObject (a modulus)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            ["import: private keys with other values"] {
                "C_CreateObject (EC of the key type RSA)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            ["unwrap: private keys, templates good and bad"] {
                "C_UnwrapKey (a modulus)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects, 4.9 Private key objects, 4.10 Secret key objects",
        why: "A token need not keep what it cannot: no key leaves KMS, so none is made that \
              could be read or wrapped.",
        seen: rows! {
            ["import: private keys with one attribute more", "import: secret keys with one attribute more"] {
                "C_CreateObject (extractable)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
                "C_CreateObject (not sensitive)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects, 6.13.2 AES secret key objects",
        why: "A token need not make what it cannot: the symmetric keys of KMS have 32 bytes, \
              those for HMAC are as long as their hash, and triple DES it has not.",
        seen: rows! {
            "import: secret keys of other types and lengths" {
                "C_CreateObject (AES of 16 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of 24 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (generic of 33 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (for HMAC with SHA-256, of 48 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (triple DES)": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "unwrap: secret keys onto the token" {
                "C_UnwrapKey (AES of 16 bytes)": "CKR_OK" => "CKR_WRAPPED_KEY_LEN_RANGE",
                "C_GetAttributeValue (AES of 16 bytes)": "CKR_OK CKA_LOCAL=00" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).2": "CKR_OK CKA_KEY_GEN_MECHANISM=ffffffffffffffff" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).3": "CKR_OK CKA_SENSITIVE=01" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).4": "CKR_OK CKA_ALWAYS_SENSITIVE=00" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).5": "CKR_OK CKA_EXTRACTABLE=00" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).6": "CKR_OK CKA_NEVER_EXTRACTABLE=00" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).7": "CKR_OK CKA_TOKEN=01" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).8": "CKR_OK CKA_VALUE_LEN=0000000000000000" => "not reached",
                "C_GetAttributeValue (AES of 16 bytes).9": "CKR_ATTRIBUTE_SENSITIVE CKA_VALUE=unavailable" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.13.2 AES secret key objects",
        why: "AES keys have 16, 24 or 32 bytes. SoftHSM2 does not look.",
        seen: rows! {
            "import: secret keys of other types and lengths" {
                "C_CreateObject (AES of 33 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_CreateObject (AES of no bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.10 Secret key objects, 5.18.4 C_UnwrapKey",
        why: "The length of a key is known when it has been unwrapped. SoftHSM2 says 0.",
        seen: rows! {
            "unwrap: secret keys onto the token" {
                "C_GetAttributeValue (AES).8": "CKR_OK CKA_VALUE_LEN=0000000000000000" => "CKR_OK CKA_VALUE_LEN=2000000000000000",
                "C_GetAttributeValue (for HMAC).8": "CKR_OK CKA_VALUE_LEN=0000000000000000" => "CKR_OK CKA_VALUE_LEN=2000000000000000",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.18.4 C_UnwrapKey",
        why: "There are values for a wrapped key that is none, and for a template that is \
              of another class or type than the key. SoftHSM2 fails without a reason.",
        seen: rows! {
            "unwrap: private keys, what is none" {
                "C_UnwrapKey (changed)": "CKR_GENERAL_ERROR" => "CKR_WRAPPED_KEY_INVALID",
                "C_UnwrapKey (cut by half a block)": "CKR_GENERAL_ERROR" => "CKR_WRAPPED_KEY_INVALID",
                "C_UnwrapKey (an RSA key)": "CKR_FUNCTION_FAILED" => "CKR_TEMPLATE_INCONSISTENT",
                "C_UnwrapKey (a secret key)": "CKR_FUNCTION_FAILED" => "CKR_WRAPPED_KEY_INVALID",
            }
            "unwrap: private keys, templates good and bad" {
                "C_UnwrapKey (of RSA)": "CKR_FUNCTION_FAILED" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.18.4 C_UnwrapKey, 4.1.1",
        why: "What is unwrapped is a private or a secret key; the template says something \
              else, in a value that by itself would be a valid one.",
        seen: rows! {
            "unwrap: private keys, templates good and bad" {
                "C_UnwrapKey (a public key)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
];
