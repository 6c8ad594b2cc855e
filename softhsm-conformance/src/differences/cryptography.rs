//! Cryptographic operations.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.8.1, 5.10.1, 5.15.1",
        why: "What is not the handle of a key is an invalid key handle. The value that SoftHSM2 \
              answers is not among those of these functions.",
        seen: rows! {
            "destroy: a handle that is used afterwards" {
                "C_SignInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "destroy: seen from another session" {
                "C_SignInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "sign: no key" {
                "C_SignInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_SignInit (0)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "sign: a failed initialization leaves nothing active" {
                "C_SignInit (no key)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "verify: no key, no mechanism" {
                "C_VerifyInit (no key)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_VerifyInit (key 0)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "OAEP: with the other half, with no key" {
                "C_EncryptInit (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_DecryptInit (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.2 C_Sign, 5.15.2 C_Verify",
        why: "The one-shot function does not end what was begun in parts. The signature in parts \
              is active, which SoftHSM2 denies.",
        seen: rows! {
            "sign: one-shot after a part" {
                "C_Sign": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
            }
            "verify: one-shot after a part" {
                "C_Verify": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.12.2 C_Digest",
        why: "The one-shot function does not end what was begun in parts. SoftHSM2 lets it.",
        seen: rows! {
            "digest: one-shot after a part" {
                "C_Digest": "CKR_OK value=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" => "CKR_OPERATION_ACTIVE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.2 to 5.13.4 (C_Sign…), 5.15.2 (C_Verify), 5.8.2 (C_Encrypt), 5.10.2 (C_Decrypt), 5.12.2 to 5.12.5 (C_Digest…)",
        why: "Any answer but CKR_BUFFER_TOO_SMALL and a successful query of the length ends the \
              operation, a refused argument too. SoftHSM2 goes on.",
        seen: rows! {
            "sign: a part of NULL and a length" {
                "C_SignFinal (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "sign: NULL and a length" {
                "C_SignFinal (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "sign: no place for the length" {
                "C_Sign (afterwards)": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "sign: in parts, no place for the length" {
                "C_SignFinal (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "verify: NULL for the signature" {
                "C_Verify (afterwards)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "verify: NULL for the data" {
                "C_Verify (afterwards)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "cipher: NULL for data and for lengths" {
                "C_Encrypt (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Decrypt (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Encrypt (afterwards).2": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Decrypt (afterwards).2": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "digest: NULL for data and for lengths" {
                "C_Digest (afterwards)": "CKR_OK length=32" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_DigestFinal (afterwards)": "CKR_OK length=32" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Digest (afterwards).2": "CKR_OK length=32" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_DigestFinal (afterwards).2": "CKR_OK length=32" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.13.2 C_Sign, 5.12.2 C_Digest, 5.15.2 C_Verify",
        why: "No bytes are at no address: clients pass an empty message as NULL and 0. SoftHSM2 \
              takes it for a mistake.",
        seen: rows! {
            "sign: a part of NULL and no length" {
                "C_SignUpdate": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
            "sign: NULL and no length" {
                "C_Sign": "CKR_ARGUMENTS_BAD" => "CKR_OK length=256",
                "C_SignFinal (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "verify: empty data" {
                "C_Verify (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
            "digest: of nothing" {
                "C_Digest (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK value=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "C_DigestUpdate (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.15.2 C_Verify",
        why: "A signature of no bytes has the wrong length and is no argument to be looked for \
              at NULL.",
        seen: rows! {
            "verify: NULL for the signature" {
                "C_Verify (no length)": "CKR_ARGUMENTS_BAD" => "CKR_SIGNATURE_LEN_RANGE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit",
        why: "Since version 3.0 an initialization without a mechanism cancels the active \
              operation.",
        seen: rows! {
            "sign: cancelled by an initialization without mechanism" {
                "C_SignInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
                "C_Sign (afterwards)": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "6.1 (PKCS #1 v1.5 RSA)",
        why: "The mechanism pads whatever it is given. KMS pads digests only, and of SHA-256, \
              SHA-384 and SHA-512: the data must be the DigestInfo of one of them, whole, for a \
              signature to be made and for one to be verified.",
        seen: rows! {
            "sign RSA: data that is no DigestInfo" {
                "C_Sign": "CKR_OK length=256" => "CKR_DATA_INVALID",
                "signature of C_Sign, by kms-pkcs11": "C_Verify answered CKR_DATA_INVALID" => "not reached",
            }
            "sign RSA: a DigestInfo cut short" {
                "C_Sign": "CKR_OK length=256" => "CKR_DATA_INVALID",
                "signature of C_Sign, by kms-pkcs11": "C_Verify answered CKR_DATA_INVALID" => "not reached",
            }
            "sign RSA: a DigestInfo of a hash that nobody signs" {
                "C_Sign": "CKR_OK length=256" => "CKR_DATA_INVALID",
                "signature of C_Sign, by kms-pkcs11": "C_Verify answered CKR_DATA_INVALID" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.13.1 C_SignInit",
        why: "KMS does not sign with SHA-1 and RSA, so that such a signature is not verified either.",
        seen: rows! {
            "sign RSA: SHA-1" {
                "C_SignInit": "CKR_OK" => "CKR_MECHANISM_INVALID",
                "C_Sign (length)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Sign": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "signature of C_Sign, by kms-pkcs11": "C_VerifyInit answered CKR_MECHANISM_INVALID" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.2 C_Sign, 5.1.6",
        why: "Data that is no digest of the hash, or that the padding leaves no room for, has \
              the wrong length; that goes before data that is invalid. SoftHSM2 fails \
              without a reason.",
        seen: rows! {
            "sign: refused data leaves nothing active" {
                "C_Sign (too long)": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
            }
            "sign RSA: more data than the padding leaves room for" {
                "C_Sign": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
            }
            "sign PSS: a digest of the wrong length" {
                "C_Sign": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
                "C_Sign.2": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
                "C_Sign.3": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.1 (PKCS #1 RSA PSS mechanism parameters)",
        why: "The salt of KMS is as long as the hash. Another length is refused at once, for \
              signing as for verifying; SoftHSM2 takes any, too long ones until it comes to the \
              signature.",
        seen: rows! {
            "sign PSS: a salt of another length" {
                "C_SignInit": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "sign PSS: a salt longer than the key" {
                "C_SignInit": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "verify: PSS with parameters of another salt" {
                "C_VerifyInit": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Verify": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.8.1 C_EncryptInit, 5.10.1 C_DecryptInit",
        why: "Parameters that are absent, too short, contradictory or without a meaning are \
              invalid parameters of the mechanism. SoftHSM2 calls them bad arguments, or does \
              not look.",
        seen: rows! {
            "sign PSS: no parameter" {
                "C_SignInit": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "sign PSS: a parameter of the wrong length" {
                "C_SignInit": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.3": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "sign PSS: a mask of another hash" {
                "C_SignInit": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "sign PSS: a hash that is none" {
                "C_SignInit": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "sign PSS: a hash that contradicts the mechanism" {
                "C_SignInit": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "OAEP: parameters of another hash or mask" {
                "C_EncryptInit (mask of another hash)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (mask of another hash)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (no hash)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (no hash)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (no mask)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (no mask)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (none)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (short)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (short)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_EncryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "OAEP: a source of no meaning" {
                "C_EncryptInit (source)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (source)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.1, 6.3 (mechanisms without a parameter)",
        why: "A mechanism without a parameter is given one. SoftHSM2 does not look.",
        seen: rows! {
            "sign: a parameter where none belongs" {
                "C_SignInit": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.2": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_SignInit.3": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
            "digest: a parameter where none belongs" {
                "C_DigestInit": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "6.3 (ECDSA without hashing)",
        why: "The digest may have any length. One of no bytes at all stands for the number 0, \
              under which anybody can make signatures that verify: it is refused.",
        seen: rows! {
            "sign ECDSA: no data" {
                "C_Sign": "CKR_OK length=64" => "CKR_DATA_LEN_RANGE",
                "signature of C_Sign, by kms-pkcs11": "C_Verify answered CKR_DATA_LEN_RANGE" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.3 (ECDSA with hashing)",
        why: "These mechanisms are not built into SoftHSM2 2.6.",
        seen: rows! {
            "sign ECDSA: a message" {
                "C_SignInit (SHA-1)": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_Sign (SHA-1)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
                "C_SignInit (SHA-224)": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_Sign (SHA-224)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
                "C_SignInit (SHA-256)": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_Sign (SHA-256)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
                "C_SignInit (SHA-384)": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_Sign (SHA-384)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
                "C_SignInit (SHA-512)": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_Sign (SHA-512)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
            }
            "sign ECDSA: a message in parts" {
                "C_SignInit": "CKR_MECHANISM_INVALID" => "CKR_OK",
                "C_SignUpdate": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_SignUpdate.2": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_SignFinal (length)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=96",
                "C_SignFinal": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=96",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.15.1 C_VerifyInit",
        why: "The type of the key does not fit the mechanism, which SoftHSM2 finds out when it \
              has the data.",
        seen: rows! {
            "sign: with a key of the other type" {
                "C_SignInit": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_SignInit.2": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_SignInit.3": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_SignInit.4": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
            }
            "verify: with a key of the wrong kind" {
                "C_VerifyInit (EC for RSA)": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
                "C_VerifyInit (RSA for EC)": "CKR_OK" => "CKR_KEY_TYPE_INCONSISTENT",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.13.1 C_SignInit, 5.15.1 C_VerifyInit, 5.8.1 C_EncryptInit, 5.10.1 C_DecryptInit",
        why: "A key must have the attribute of what it is to do. A key in KMS has one usage; \
              SoftHSM2 has set them all.",
        seen: rows! {
            "sign: with a key that may only decrypt" {
                "C_SignInit": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_SignInit.2": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
            "verify: with a key of the wrong kind" {
                "C_VerifyInit (decryption)": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
            "OAEP: with keys of the wrong kind" {
                "C_EncryptInit (signing)": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_DecryptInit (signing)": "CKR_OK" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.8.3 C_EncryptUpdate, 5.10.3 C_DecryptUpdate",
        why: "OAEP takes its data whole, for which no value is set apart: there is no operation in \
              parts here, and no such function in SoftHSM2. The refusal ends the operation, as any \
              but one does; SoftHSM2 goes on.",
        seen: rows! {
            "cipher: encryption in parts" {
                "C_EncryptUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Encrypt (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "cipher: decryption in parts" {
                "C_DecryptUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Decrypt (afterwards)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.12.4 C_DigestKey",
        why: "What is digested is the value of a secret key. SoftHSM2 digests a private key too.",
        seen: rows! {
            "digest: of a key" {
                "C_DigestKey (a private key)": "CKR_OK" => "CKR_KEY_INDIGESTIBLE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.18.4 C_UnwrapKey",
        why: "There is a value for a wrapped key that is invalid. SoftHSM2 fails without a reason.",
        seen: rows! {
            "keys: unwrapped from what is no ciphertext" {
                "C_UnwrapKey": "CKR_GENERAL_ERROR" => "CKR_WRAPPED_KEY_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A query may answer more than is needed in the end. The longest plaintext of the \
              key is answered here, the length of the modulus by SoftHSM2.",
        seen: rows! {
            "OAEP: decryption, length, too little room, plaintext" {
                "C_Decrypt (length)": "CKR_OK length=256" => "CKR_OK length=214",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A plaintext fits where there is room for it. SoftHSM2 insists on room for the \
              longest one, which version 3.1 lets it.",
        seen: rows! {
            "OAEP: decryption, length, too little room, plaintext" {
                "C_Decrypt (none)": "CKR_BUFFER_TOO_SMALL needed=256" => "CKR_BUFFER_TOO_SMALL needed=8",
            }
            "OAEP: decryption into exactly the room of the plaintext" {
                "C_Decrypt": "CKR_BUFFER_TOO_SMALL needed=256" => "CKR_OK value=6120736563726574",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.8.2 C_Encrypt, 5.10.2 C_Decrypt",
        why: "There are values for a plaintext that is too long, for a ciphertext of the wrong \
              length, and for one that is invalid. SoftHSM2 fails without a reason.",
        seen: rows! {
            "OAEP: the longest plaintext, and one byte more" {
                "C_Encrypt (too long)": "CKR_GENERAL_ERROR" => "CKR_DATA_LEN_RANGE",
            }
            "OAEP: a changed ciphertext" {
                "C_Decrypt": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
            }
            "OAEP: a ciphertext of the wrong length" {
                "C_Decrypt": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
                "C_Decrypt.2": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
                "C_Decrypt.3": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_LEN_RANGE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "6.1 (PKCS #1 RSA OAEP mechanism parameters)",
        why: "SHA-256 is a hash for OAEP as good as SHA-1. SoftHSM2 2.6 has SHA-1 alone.",
        seen: rows! {
            "OAEP: SHA-256" {
                "C_EncryptInit (SHA-256)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
                "C_DecryptInit (SHA-256)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "6.1 (PKCS #1 RSA OAEP mechanism parameters)",
        why: "KMS has no label. SoftHSM2 refuses one for encryption, and forgets it for \
              decryption.",
        seen: rows! {
            "OAEP: a label" {
                "C_EncryptInit (label)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecryptInit (label)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "6.1 (PKCS #1 v1.5 RSA)",
        why: "KMS does not decrypt with this padding, so nothing is encrypted with it either.",
        seen: rows! {
            "cipher: PKCS#1 v1.5" {
                "C_EncryptInit (PKCS#1)": "CKR_OK" => "CKR_MECHANISM_INVALID",
                "C_DecryptInit (PKCS#1)": "CKR_OK" => "CKR_MECHANISM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.19.2 C_GenerateRandom",
        why: "No random bytes are wanted, wherever they are to go.",
        seen: rows! {
            "random: of no length" {
                "C_GenerateRandom (NULL)": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.19.1 C_SeedRandom",
        why: "The random generator of KMS takes no seed, for which there is a value.",
        seen: rows! {
            "random: seeded" {
                "C_SeedRandom": "CKR_OK" => "CKR_RANDOM_SEED_NOT_SUPPORTED",
                "C_SeedRandom (empty)": "CKR_OK" => "CKR_RANDOM_SEED_NOT_SUPPORTED",
            }
        },
    },
];
