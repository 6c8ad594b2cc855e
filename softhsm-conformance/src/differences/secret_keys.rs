//! Secret keys of a session and what is done with them; agreement; Ed25519.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Module,
        section: "5.8.1 C_EncryptInit, 5.10.1 C_DecryptInit, 5.18.3 C_WrapKey",
        why: "Parameters that are absent, of the wrong length or without a meaning are \
              invalid parameters of the mechanism. SoftHSM2 calls them bad arguments, or \
              calls the mechanism invalid.",
        seen: rows! {
            ["AES-CBC: parameters that are none", "AES-CBC-PAD: parameters that are none"] {
                "C_EncryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (short)": "CKR_MECHANISM_INVALID" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (short)": "CKR_MECHANISM_INVALID" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (long)": "CKR_MECHANISM_INVALID" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (long)": "CKR_MECHANISM_INVALID" => "CKR_MECHANISM_PARAM_INVALID",
            }
            ["AES-CTR: parameters that are none", "AES-GCM: parameters that are none"] {
                "C_EncryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (short)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (short)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (long)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (long)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            ["AES-GCM: vectors, headers and tags of other lengths"] {
                "C_EncryptInit (tag of 100 bits)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (tag of 136 bits)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.16 AES Key Wrap (3.2)",
        why: "The mechanism takes an initial value of 8 bytes. Neither token has another \
              than the standard's, for which an invalid parameter is the fitting value.",
        seen: rows! {
            "AES key wrap: a vector of its own" {
                "C_WrapKey (8 bytes)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_WrapKey (7 bytes)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.13 AES-GCM (3.2)",
        why: "The vector may have any length up to 256 bytes, and the tag up to 128 \
              bits. A token need not take what is not safe to use: vectors of other than \
              12 bytes, tags of less than 96 bits. SoftHSM2 takes a vector of no bytes \
              and a tag of none.",
        seen: rows! {
            "AES-GCM: vectors, headers and tags of other lengths" {
                "C_EncryptInit (vector of 1 byte)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Encrypt (vector of 1 byte)": "CKR_OK length=56" => "not reached",
                "ciphertext, vector of 1 byte": "eb38ea9413ff2c8d42050779c6cbc6281a82e7e8cca0ff382fe65f68eb135c1fdde2f3e283caf03a795049a5c948ece2a86c5f003a57ab32" => "not reached",
                "C_Decrypt (vector of 1 byte)": "CKR_OK value=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" => "not reached",
                "C_EncryptInit (vector of 16 bytes)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Encrypt (vector of 16 bytes)": "CKR_OK length=56" => "not reached",
                "ciphertext, vector of 16 bytes": "18e7dd01b4d059ed82bf415287cf1dee100dd24fcdb23ad26ec96194ae272573768f68370954ad7954c0b0036192dfa13b250abe34245126" => "not reached",
                "C_Decrypt (vector of 16 bytes)": "CKR_OK value=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" => "not reached",
                "C_EncryptInit (no vector)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Encrypt (no vector)": "CKR_OK length=56" => "not reached",
                "ciphertext, no vector": "e0fef41e69ae898bd41c8e4c1bca58c2ee83c0cb680e0f682b792eec60d6737b8f29b028f6793ecbf70c63b8145f2920208fac89e80aa1ea" => "not reached",
                "C_Decrypt (no vector)": "CKR_OK value=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" => "not reached",
                "C_EncryptInit (tag of 32 bits)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Encrypt (tag of 32 bits)": "CKR_OK length=44" => "not reached",
                "ciphertext, tag of 32 bits": "af913efa19747fe1cdde9722b0a5b0eeaafba4ec469deeef11cce57a0fe80e13c07a22ca6412f7fefe68c319" => "not reached",
                "C_Decrypt (tag of 32 bits)": "CKR_OK value=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627" => "not reached",
                "C_EncryptInit (tag of 0 bits)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Encrypt (tag of 0 bits)": "CKR_OK length=40" => "not reached",
                "ciphertext, tag of 0 bits": "af913efa19747fe1cdde9722b0a5b0eeaafba4ec469deeef11cce57a0fe80e13c07a22ca6412f7fe" => "not reached",
                "C_Decrypt (tag of 0 bits)": "CKR_GENERAL_ERROR" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.8.1 C_EncryptInit, 5.18.5 C_DeriveKey",
        why: "What is not the handle of a key is an invalid key handle. The value that \
              SoftHSM2 answers is not among those of these functions.",
        seen: rows! {
            ["AES-CBC: with keys that are none of its own", "AES-CBC-PAD: with keys that are none of its own", "AES-CTR: with keys that are none of its own", "AES-GCM: with keys that are none of its own"] {
                "C_EncryptInit (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            ["ECDH: with keys that may not"] {
                "C_DeriveKey (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.8.2 C_Encrypt",
        why: "The one-shot function does not end what was begun in parts. SoftHSM2 lets \
              it.",
        seen: rows! {
            ["AES-CBC: orders of calls", "AES-CTR: orders of calls"] {
                "C_Encrypt (after a part)": "CKR_OK length=16" => "CKR_OPERATION_ACTIVE",
            }
            ["AES-CBC-PAD: orders of calls", "AES-GCM: orders of calls"] {
                "C_Encrypt (after a part)": "CKR_OK length=32" => "CKR_OPERATION_ACTIVE",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer, 5.8.3 C_EncryptUpdate",
        why: "A part may give nothing yet. The ciphertext of AES-GCM comes out whole at \
              the end here, and bit by bit in SoftHSM2.",
        seen: rows! {
            "AES-GCM: orders of calls" {
                "C_EncryptUpdate": "CKR_OK length=16" => "CKR_OK length=0",
                "C_EncryptUpdate (one too few)": "CKR_BUFFER_TOO_SMALL needed=32" => "CKR_OK length=0",
                "C_EncryptUpdate (with room)": "CKR_OK length=32" => "CKR_OK length=0",
                "C_EncryptFinal (length)": "CKR_OK length=16" => "CKR_OK length=80",
                "C_EncryptFinal": "CKR_OK length=16" => "CKR_BUFFER_TOO_SMALL needed=80",
                "C_EncryptFinal (again)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_BUFFER_TOO_SMALL needed=80",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A plaintext fits where there is room for it. SoftHSM2 insists on room for \
              as much as the ciphertext.",
        seen: rows! {
            ["AES-CBC-PAD: length, too little room, enough", "AES-GCM: length, too little room, enough"] {
                "C_Decrypt (none)": "CKR_BUFFER_TOO_SMALL needed=48" => "CKR_BUFFER_TOO_SMALL needed=32",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.10.2 C_Decrypt, 5.18.4 C_UnwrapKey",
        why: "There are values for a ciphertext, a tag, a padding or a wrapped key that \
              is invalid, and for one of the wrong length. SoftHSM2 fails without a \
              reason.",
        seen: rows! {
            "AES-CBC-PAD: a changed and a cut ciphertext" {
                "C_Decrypt (the last byte changed)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
                "C_Decrypt (nothing)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
            }
            "AES-GCM: a changed and a cut ciphertext" {
                "C_Decrypt (the last byte changed)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
                "C_Decrypt (the last byte missing)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
                "C_Decrypt (one byte alone)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
                "C_Decrypt (nothing)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
            }
            "unwrap: what is no wrapped key" {
                "C_UnwrapKey (changed)": "CKR_GENERAL_ERROR" => "CKR_WRAPPED_KEY_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "HMAC (mechanisms without a parameter)",
        why: "A mechanism without a parameter is given one. SoftHSM2 does not look.",
        seen: rows! {
            ["HMAC-SHA-224: with keys that are none of its own", "HMAC-SHA-256: with keys that are none of its own", "HMAC-SHA-384: with keys that are none of its own", "HMAC-SHA-512: with keys that are none of its own"] {
                "C_SignInit (a parameter)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, 5.18.4 C_UnwrapKey, 5.18.5 C_DeriveKey",
        why: "A template that contradicts what the function makes is inconsistent: the \
              attribute exists, but not beside the others.",
        seen: rows! {
            "unwrap: templates good and bad" {
                "C_UnwrapKey (a public key)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_UnwrapKey (of RSA)": "CKR_ATTRIBUTE_TYPE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "ECDH: templates good and bad" {
                "C_DeriveKey (a public key)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.1.1 Creating objects",
        why: "A secret key of type RSA is a value that the attribute cannot have, and \
              one that contradicts the class.",
        seen: rows! {
            "ECDH: templates good and bad" {
                "C_DeriveKey (an RSA key)": "CKR_TEMPLATE_INCONSISTENT" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.8 Generic secret key (3.2)",
        why: "A key of no bytes is asked for. SoftHSM2 takes 0 for an absent length.",
        seen: rows! {
            "ECDH: templates good and bad" {
                "C_DeriveKey (no length at all)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.2 Common attributes, 5.18.4 C_UnwrapKey",
        why: "The class must be in the template of C_CreateObject. That of an unwrapped \
              secret key follows from the mechanism; SoftHSM2 wants it said.",
        seen: rows! {
            "unwrap: templates good and bad" {
                "C_UnwrapKey (no class)": "CKR_TEMPLATE_INCOMPLETE" => "CKR_OK",
                "value, no class": "not reached" => "abababababababababababababababab",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.10 AES secret key objects, 6.16 AES Key Wrap (3.2)",
        why: "The length of an unwrapped key may be given, and cuts it. Until version \
              3.1 it must not be given for AES, which is how SoftHSM2 has it; a wrong \
              one is refused.",
        seen: rows! {
            "unwrap: templates good and bad" {
                "C_UnwrapKey (a length)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_OK",
                "C_UnwrapKey (a wrong length)": "CKR_ATTRIBUTE_READ_ONLY" => "CKR_WRAPPED_KEY_LEN_RANGE",
                "value, a length": "not reached" => "abababababababababababababababab",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.8 Generic secret key, 6.10 AES (3.2)",
        why: "The key has a length and a check value, whichever way it came to be. \
              SoftHSM2 answers 0 and nothing.",
        seen: rows! {
            "attributes: of a key that was unwrapped" {
                "C_GetAttributeValue.5": "CKR_OK CKA_VALUE_LEN=0000000000000000" => "CKR_OK CKA_VALUE_LEN=1000000000000000",
                "C_GetAttributeValue.6": "CKR_OK CKA_CHECK_VALUE=" => "CKR_OK CKA_CHECK_VALUE=c58794",
            }
            "attributes: of a key that was agreed on" {
                "C_GetAttributeValue.5": "CKR_OK CKA_VALUE_LEN=0000000000000000" => "CKR_OK CKA_VALUE_LEN=2000000000000000",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The key has the wrong type, the wrong class and not the attribute. Of \
              errors that apply, any may be answered.",
        seen: rows! {
            "wrap: with keys that may not, of keys that may not" {
                "C_WrapKey (a private EC key to wrap with)": "CKR_WRAPPING_KEY_TYPE_INCONSISTENT" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
            "ECDH: with keys that may not" {
                "C_DeriveKey (RSA)": "CKR_KEY_FUNCTION_NOT_PERMITTED" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_DeriveKey (public)": "CKR_KEY_TYPE_INCONSISTENT" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.8 Public key objects, 4.9 Private key objects",
        why: "What a key may do that the template does not speak of is up to the token. \
              A key in KMS does the one thing it was made for; SoftHSM2 allows \
              everything.",
        seen: rows! {
            "ECDH: with keys that may not" {
                "C_SignInit (signing with it)": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
            "attributes: of a pair for agreement" {
                "C_GetAttributeValue.2": "CKR_OK CKA_SIGN=01" => "CKR_OK CKA_SIGN=00",
                "C_GetAttributeValue.4": "CKR_OK CKA_VERIFY=01" => "CKR_OK CKA_VERIFY=00",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (ECDH), 5.18.5 C_DeriveKey",
        why: "More bytes than the secret has contradict the mechanism, and what is no \
              public key on the curve is an invalid parameter. SoftHSM2 fails without a \
              reason.",
        seen: rows! {
            "ECDH: a part of the secret" {
                "C_DeriveKey (33 bytes)": "CKR_FUNCTION_FAILED" => "CKR_TEMPLATE_INCONSISTENT",
            }
            "ECDH: what is no public key" {
                "C_DeriveKey (off the curve)": "CKR_GENERAL_ERROR" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DeriveKey (short)": "CKR_GENERAL_ERROR" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DeriveKey (x alone)": "CKR_GENERAL_ERROR" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "6.3 (EdDSA)",
        why: "The mechanism signs messages of any length. KMS signs at least 1 byte and \
              at most 4096.",
        seen: rows! {
            "EdDSA: an empty message, and one longer than KMS takes" {
                "C_Sign (0 bytes)": "CKR_OK length=64" => "CKR_DATA_LEN_RANGE",
                "C_Sign (4097 bytes)": "CKR_OK length=64" => "CKR_DATA_LEN_RANGE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (EdDSA)",
        why: "The mechanism is for signatures in parts too. SoftHSM2 has it for one part \
              alone.",
        seen: rows! {
            "EdDSA: in parts" {
                "C_SignUpdate": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_SignUpdate.2": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_SignFinal": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.3 (EdDSA mechanism parameters)",
        why: "A prehash and a context are parameters of the mechanism, which KMS does \
              not have. SoftHSM2 does not look at the parameter, and signs without them.",
        seen: rows! {
            "EdDSA: parameters" {
                "C_SignInit (a prehash)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit (a context)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit (short)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit",
        why: "The type of the key does not fit the mechanism, which SoftHSM2 finds out \
              when it has the data.",
        seen: rows! {
            "EdDSA: with keys of other kinds" {
                "C_SignInit (EC for EdDSA)": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_SignInit (Ed25519 for ECDSA)": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.3 (Edwards curves)",
        why: "The curve may be named by its object identifier or by a string. A key in \
              KMS reads with the identifier, whichever it was made by.",
        seen: rows! {
            "attributes: of an Ed25519 pair" {
                "C_GetAttributeValue (public).3": "CKR_OK CKA_EC_PARAMS=130c656477617264733235353139" => "CKR_OK CKA_EC_PARAMS=06032b6570",
                "C_GetAttributeValue (private).3": "CKR_OK CKA_EC_PARAMS=130c656477617264733235353139" => "CKR_OK CKA_EC_PARAMS=06032b6570",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.3 (Edwards key pair generation), 5.1.6",
        why: "Parameters that name no curve of the token have a value of their own. \
              SoftHSM2 fails without a reason, or has the other curve too.",
        seen: rows! {
            "generate: Ed25519 by each encoding of its parameters" {
                "C_GenerateKeyPair (another curve)": "CKR_GENERAL_ERROR" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair (Ed448)": "CKR_OK" => "CKR_CURVE_NOT_SUPPORTED",
                "C_GenerateKeyPair (empty)": "CKR_TEMPLATE_INCOMPLETE" => "CKR_CURVE_NOT_SUPPORTED",
            }
        },
    },
];
