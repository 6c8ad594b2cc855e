//! Objects: generated, found, read, changed, destroyed.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "6.1 (PKCS #1 RSA key pair generation)",
        why: "KMS makes RSA keys of 2048, 3072 and 4096 bits with the exponent 65537. Another \
              value is invalid for this token; SoftHSM2 takes it, takes 0 for an absent value, \
              or fails without a reason.",
        seen: rows! {
            "generate: RSA with the exponent 3" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "generate: RSA with a modulus too short or too long" {
                "C_GenerateKeyPair": "CKR_TEMPLATE_INCOMPLETE" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair.2": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair.3": "CKR_GENERAL_ERROR" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (elliptic curve key pair generation), 5.1.6",
        why: "Parameters that name no curve of the token have a value of their own. SoftHSM2 \
              fails without a reason, or overlooks what follows the curve.",
        seen: rows! {
            "generate: EC with parameters that are no curve" {
                "C_GenerateKeyPair": "CKR_GENERAL_ERROR" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair.2": "CKR_TEMPLATE_INCOMPLETE" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair.3": "CKR_GENERAL_ERROR" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair.4": "CKR_GENERAL_ERROR" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair.5": "CKR_GENERAL_ERROR" => "CKR_CURVE_NOT_SUPPORTED",
            }
            "generate: EC with bytes after the parameters" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_CURVE_NOT_SUPPORTED",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "A template that contradicts the mechanism is inconsistent: the attribute and its \
              value exist, but not beside the others.",
        seen: rows! {
            "generate: the class of another object" {
                "C_GenerateKeyPair": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair.2": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "generate: parameters of the other mechanism" {
                "C_GenerateKeyPair": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_GenerateKeyPair.2": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "generate: the same attribute twice" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects",
        why: "A boolean is one byte that is CK_TRUE or CK_FALSE. SoftHSM2 looks at neither \
              length nor value.",
        seen: rows! {
            "generate: a boolean of 4 bytes" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "generate: a boolean that is neither" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, 5.7.7 C_FindObjectsInit",
        why: "A value that has a length has to be somewhere. SoftHSM2 reads it from the address \
              0 and takes the application down.",
        seen: rows! {
            "generate: NULL for a value that has a length" {
                "the process": "the process of the module ended: signal: 11 (SIGSEGV)" => "not reached",
                "C_GenerateKeyPair": "not reached" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_GenerateKeyPair.2": "not reached" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
            "find: NULL for a value that has a length" {
                "the process": "the process of the module ended: signal: 11 (SIGSEGV)" => "not reached",
                "C_FindObjectsInit": "not reached" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "C_FindObjects": "not reached" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_FindObjectsFinal": "not reached" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "A token need not make what it cannot: private keys in KMS never leave it, are \
              never public, and exist on the token alone.",
        seen: rows! {
            "generate: an extractable private key" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "generate: a private key that is not sensitive" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "generate: a private key for everyone" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "generate: session keys" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (elliptic curve key pair generation)",
        why: "The mechanism has no parameter, so that one is invalid.",
        seen: rows! {
            "generate: a mechanism with a parameter" {
                "C_GenerateKeyPair": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The template lacks its curve and is of a session key beside one of the token. Of \
              two errors that apply, either may be answered.",
        seen: rows! {
            "generate: NULL templates" {
                "C_GenerateKeyPair (empty public)": "CKR_TEMPLATE_INCOMPLETE" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.7.8 C_FindObjects",
        why: "No room is asked to be filled, so that nothing is missing. Nobody says that a NULL \
              pointer to no handles is an error, or that it is none.",
        seen: rows! {
            "find: no place for the handles" {
                "C_FindObjects (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK count=0",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 5.7.2 C_CopyObject",
        why: "A private key in KMS cannot be copied, and CKA_COPYABLE is what says so.",
        seen: rows! {
            "find: by each boolean of a key" {
                "C_FindObjects (CKA_COPYABLE=true)": "CKR_OK count=2" => "CKR_OK count=1",
                "C_FindObjects (CKA_COPYABLE=false)": "CKR_OK count=0" => "CKR_OK count=1",
            }
            "objects: a private key copied" {
                "C_CopyObject": "CKR_OK" => "CKR_ACTION_PROHIBITED",
            }
            "attributes: of an EC private key" {
                "C_GetAttributeValue (CKA_COPYABLE)": "CKR_OK CKA_COPYABLE=01" => "CKR_OK CKA_COPYABLE=00",
            }
            "attributes: of an RSA private key" {
                "C_GetAttributeValue (CKA_COPYABLE)": "CKR_OK CKA_COPYABLE=01" => "CKR_OK CKA_COPYABLE=00",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.8 Public key objects, 4.9 Private key objects",
        why: "What a key may do that the template does not speak of is up to the token. A key in \
              KMS does the one thing it was made for; SoftHSM2 allows everything.",
        seen: rows! {
            "find: by each boolean of a key" {
                "C_FindObjects (CKA_ENCRYPT=true)": "CKR_OK count=1" => "CKR_OK count=0",
                "C_FindObjects (CKA_ENCRYPT=false)": "CKR_OK count=0" => "CKR_OK count=1",
                "C_FindObjects (CKA_DECRYPT=true)": "CKR_OK count=1" => "CKR_OK count=0",
                "C_FindObjects (CKA_DECRYPT=false)": "CKR_OK count=0" => "CKR_OK count=1",
                "C_FindObjects (CKA_WRAP=true)": "CKR_OK count=1" => "CKR_OK count=0",
                "C_FindObjects (CKA_WRAP=false)": "CKR_OK count=0" => "CKR_OK count=1",
                "C_FindObjects (CKA_UNWRAP=true)": "CKR_OK count=1" => "CKR_OK count=0",
                "C_FindObjects (CKA_UNWRAP=false)": "CKR_OK count=0" => "CKR_OK count=1",
            }
            "attributes: of an EC public key" {
                "C_GetAttributeValue (CKA_ENCRYPT)": "CKR_OK CKA_ENCRYPT=01" => "CKR_OK CKA_ENCRYPT=00",
                "C_GetAttributeValue (CKA_VERIFY_RECOVER)": "CKR_OK CKA_VERIFY_RECOVER=01" => "CKR_OK CKA_VERIFY_RECOVER=00",
                "C_GetAttributeValue (CKA_WRAP)": "CKR_OK CKA_WRAP=01" => "CKR_OK CKA_WRAP=00",
            }
            "attributes: of an EC private key" {
                "C_GetAttributeValue (CKA_DECRYPT)": "CKR_OK CKA_DECRYPT=01" => "CKR_OK CKA_DECRYPT=00",
                "C_GetAttributeValue (CKA_SIGN_RECOVER)": "CKR_OK CKA_SIGN_RECOVER=01" => "CKR_OK CKA_SIGN_RECOVER=00",
                "C_GetAttributeValue (CKA_UNWRAP)": "CKR_OK CKA_UNWRAP=01" => "CKR_OK CKA_UNWRAP=00",
            }
            "attributes: of an RSA public key" {
                "C_GetAttributeValue (CKA_ENCRYPT)": "CKR_OK CKA_ENCRYPT=01" => "CKR_OK CKA_ENCRYPT=00",
                "C_GetAttributeValue (CKA_VERIFY_RECOVER)": "CKR_OK CKA_VERIFY_RECOVER=01" => "CKR_OK CKA_VERIFY_RECOVER=00",
                "C_GetAttributeValue (CKA_WRAP)": "CKR_OK CKA_WRAP=01" => "CKR_OK CKA_WRAP=00",
            }
            "attributes: of an RSA private key" {
                "C_GetAttributeValue (CKA_DECRYPT)": "CKR_OK CKA_DECRYPT=01" => "CKR_OK CKA_DECRYPT=00",
                "C_GetAttributeValue (CKA_SIGN_RECOVER)": "CKR_OK CKA_SIGN_RECOVER=01" => "CKR_OK CKA_SIGN_RECOVER=00",
                "C_GetAttributeValue (CKA_UNWRAP)": "CKR_OK CKA_UNWRAP=01" => "CKR_OK CKA_UNWRAP=00",
            }
            "attributes: of an RSA decryption key" {
                "C_GetAttributeValue (CKA_VERIFY)": "CKR_OK CKA_VERIFY=01" => "CKR_OK CKA_VERIFY=00",
                "C_GetAttributeValue (CKA_SIGN)": "CKR_OK CKA_SIGN=01" => "CKR_OK CKA_SIGN=00",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.4 Storage objects",
        why: "CKA_UNIQUE_ID came with version 3.0. SoftHSM2 2.6 does not know it.",
        seen: rows! {
            "attributes: of an EC public key" {
                "C_GetAttributeValue (CKA_UNIQUE_ID)": "CKR_ATTRIBUTE_TYPE_INVALID CKA_UNIQUE_ID=unavailable" => "CKR_OK CKA_UNIQUE_ID=82 bytes",
            }
            "attributes: of an EC private key" {
                "C_GetAttributeValue (CKA_UNIQUE_ID)": "CKR_ATTRIBUTE_TYPE_INVALID CKA_UNIQUE_ID=unavailable" => "CKR_OK CKA_UNIQUE_ID=75 bytes",
            }
            "attributes: of an RSA public key" {
                "C_GetAttributeValue (CKA_UNIQUE_ID)": "CKR_ATTRIBUTE_TYPE_INVALID CKA_UNIQUE_ID=unavailable" => "CKR_OK CKA_UNIQUE_ID=82 bytes",
            }
            "attributes: of an RSA private key" {
                "C_GetAttributeValue (CKA_UNIQUE_ID)": "CKR_ATTRIBUTE_TYPE_INVALID CKA_UNIQUE_ID=unavailable" => "CKR_OK CKA_UNIQUE_ID=75 bytes",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.7 Key objects",
        why: "The mechanisms of a key are known from its type and usage in KMS. SoftHSM2 has the \
              attribute, empty.",
        seen: rows! {
            "attributes: of an EC public key" {
                "C_GetAttributeValue (CKA_ALLOWED_MECHANISMS)": "CKR_OK CKA_ALLOWED_MECHANISMS=0 bytes" => "CKR_OK CKA_ALLOWED_MECHANISMS=48 bytes",
            }
            "attributes: of an EC private key" {
                "C_GetAttributeValue (CKA_ALLOWED_MECHANISMS)": "CKR_OK CKA_ALLOWED_MECHANISMS=0 bytes" => "CKR_OK CKA_ALLOWED_MECHANISMS=48 bytes",
            }
            "attributes: of an RSA public key" {
                "C_GetAttributeValue (CKA_ALLOWED_MECHANISMS)": "CKR_OK CKA_ALLOWED_MECHANISMS=0 bytes" => "CKR_OK CKA_ALLOWED_MECHANISMS=64 bytes",
            }
            "attributes: of an RSA private key" {
                "C_GetAttributeValue (CKA_ALLOWED_MECHANISMS)": "CKR_OK CKA_ALLOWED_MECHANISMS=0 bytes" => "CKR_OK CKA_ALLOWED_MECHANISMS=64 bytes",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.8 Public key objects, 4.9 Private key objects",
        why: "The DER encoding of the public key is there to be read. SoftHSM2 has the \
              attribute, empty.",
        seen: rows! {
            "attributes: of an EC public key" {
                "C_GetAttributeValue (CKA_PUBLIC_KEY_INFO)": "CKR_OK CKA_PUBLIC_KEY_INFO=0 bytes" => "CKR_OK CKA_PUBLIC_KEY_INFO=91 bytes",
            }
            "attributes: of an EC private key" {
                "C_GetAttributeValue (CKA_PUBLIC_KEY_INFO)": "CKR_OK CKA_PUBLIC_KEY_INFO=0 bytes" => "CKR_OK CKA_PUBLIC_KEY_INFO=91 bytes",
            }
            "attributes: of an RSA public key" {
                "C_GetAttributeValue (CKA_PUBLIC_KEY_INFO)": "CKR_OK CKA_PUBLIC_KEY_INFO=0 bytes" => "CKR_OK CKA_PUBLIC_KEY_INFO=294 bytes",
            }
            "attributes: of an RSA private key" {
                "C_GetAttributeValue (CKA_PUBLIC_KEY_INFO)": "CKR_OK CKA_PUBLIC_KEY_INFO=0 bytes" => "CKR_OK CKA_PUBLIC_KEY_INFO=294 bytes",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.7.5 C_GetAttributeValue",
        why: "A template of no attributes asks for nothing, wherever it is.",
        seen: rows! {
            "attributes: none and NULL" {
                "C_GetAttributeValue (NULL and none)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "The specification describes the attribute, which makes its type a valid one; no \
              key lets it be set; and the key has none. Either value says that.",
        seen: rows! {
            "set attributes: one the object does not have" {
                "C_SetAttributeValue (of RSA)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_ATTRIBUTE_READ_ONLY",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "5.7.3 C_DestroyObject",
        why: "The public half of a pair is the same key in KMS: when the private half is \
              destroyed both are gone, and nobody can use what would be left. A client that \
              destroys the public half too succeeds.",
        seen: rows! {
            "destroy: while it is found" {
                "C_FindObjects (afterwards)": "CKR_OK count=1" => "CKR_OK count=0",
            }
        },
    },
];
