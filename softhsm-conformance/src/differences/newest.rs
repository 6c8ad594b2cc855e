//! What SoftHSM2 has no answer to: ML-DSA, ML-KEM, HKDF, two operations at once, messages.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "5.14, 5.16 (message-based signing and verification)",
        why: "A library may leave a function out, as Kryoptic does with these. What they \
              sign here is verified outside of the module, and by Kryoptic.",
        seen: rows! {
            "messages: signed with one key" {
                "C_MessageSignInit": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (length)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_SignMessage (none)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_BUFFER_TOO_SMALL needed=64",
                "C_SignMessage": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_SignMessage (another)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_MessageSignFinal": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (afterwards)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_MessageSignInit.2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (length).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessage (none).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_BUFFER_TOO_SMALL needed=256",
                "C_SignMessage.2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessage (another).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_MessageSignFinal.2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (afterwards).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_MessageSignInit.3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (length).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_SignMessage (none).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_BUFFER_TOO_SMALL needed=64",
                "C_SignMessage.3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_SignMessage (another).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=64",
                "C_MessageSignFinal.3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (afterwards).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_MessageSignInit.4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (length).4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=2420",
                "C_SignMessage (none).4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_BUFFER_TOO_SMALL needed=2420",
                "C_SignMessage.4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=2420",
                "C_SignMessage (another).4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=2420",
                "C_MessageSignFinal.4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessage (afterwards).4": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "messages: signed in parts" {
                "C_MessageSignInit": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageBegin (first)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageNext (first)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageNext (first).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessageNext (first).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessageBegin (second)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageNext (second)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageNext (second).2": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessageNext (second).3": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=256",
                "C_SignMessageNext (not begun)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_SignMessageBegin (begun)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_SignMessageBegin (twice)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_ACTIVE",
                "C_MessageSignFinal": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
            }
            "messages: verified" {
                "C_MessageVerifyInit": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessage": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessage (another message)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_SIGNATURE_INVALID",
                "C_VerifyMessage (cut)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_SIGNATURE_LEN_RANGE",
                "C_VerifyMessage (as at first)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessageBegin": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessageNext": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessageNext (last)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_MessageVerifyFinal": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK",
                "C_VerifyMessage (afterwards)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "messages: not initialized" {
                "C_SignMessage": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_SignMessageBegin": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_SignMessageNext": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_MessageSignFinal": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_VerifyMessage": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_VerifyMessageBegin": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_VerifyMessageNext": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_MessageVerifyFinal": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "messages: with keys that may not" {
                "C_MessageSignInit (public)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_MessageSignInit (decryption)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_MessageVerifyInit (private)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_MessageVerifyInit (none)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.6 C_GetOperationState, 5.6.7 C_SetOperationState",
        why: "A token need not save its operations. Kryoptic saves none with these \
              digests; what is restored here gives the digest of the whole message.",
        seen: rows! {
            "operation state: a digest saved and restored" {
                "saved": "CKR_STATE_UNSAVEABLE" => "CKR_OK",
                "C_SetOperationState": "CKR_SAVED_STATE_INVALID" => "CKR_OK",
                "C_DigestUpdate (restored)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_DigestFinal (restored)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK value=f53c09ca39717a45c62d9aca8f8113eddbfd5f81dcab0b33b1c1834075225e68",
                "C_SetOperationState (another session)": "CKR_SAVED_STATE_INVALID" => "CKR_OK",
                "C_DigestUpdate (another session)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_DigestFinal (another session)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK value=f53c09ca39717a45c62d9aca8f8113eddbfd5f81dcab0b33b1c1834075225e68",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.7 C_SetOperationState",
        why: "A state that is NULL and has a length is a bad argument, and no state.",
        seen: rows! {
            "operation state: what is none" {
                "C_SetOperationState (NULL)": "CKR_SAVED_STATE_INVALID" => "CKR_ARGUMENTS_BAD",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "HKDF (3.2), 6.8 Generic secret key (3.2)",
        why: "The mechanism derives at most 255 times the hash, and a token may have shorter secrets: \
              those of a session have at most 4096 bytes here. Past the end of HKDF, Kryoptic's \
              device has an error.",
        seen: rows! {
            "HKDF: keys of every length" {
                "C_DeriveKey (8160 bytes)": "CKR_OK" => "CKR_ATTRIBUTE_VALUE_INVALID",
                "derived, 8160 bytes": "3b6570cbb9f42377e51891c710b2401f7e1eaf18ff4c7ae371cbd884296b2e36a18f379c70825b9d59ec586b66c5a538ab360982c553c8990312ca494c0067bf" => "not reached",
                "C_DeriveKey (8161 bytes)": "CKR_DEVICE_ERROR" => "CKR_ATTRIBUTE_VALUE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "HKDF (3.2)",
        why: "A salt of no bytes is a salt: RFC 5869 takes zeros for it. Kryoptic wants \
              another salt type then.",
        seen: rows! {
            "HKDF: without salt or info" {
                "C_DeriveKey (no salt)": "CKR_MECHANISM_PARAM_INVALID" => "CKR_OK",
                "derived, no salt": "not reached" => "67e962b4f87891c32ab5bb2dc93dbcdbfb065bff23ce9bd9d2957419e09c2dd2",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "ML-DSA (3.2)",
        why: "Whether KMS hedges its signatures is not promised, so that nothing but the \
              preference can be asked for.",
        seen: rows! {
            "ML-DSA: contexts and hedges" {
                "C_SignInit (required)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Sign (required)": "CKR_OK length=2420" => "not reached",
                "C_SignInit (deterministic)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
                "C_Sign (deterministic)": "CKR_OK length=2420" => "not reached",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit",
        why: "A parameter of the wrong length is an invalid parameter of the mechanism.",
        seen: rows! {
            "ML-DSA: contexts and hedges" {
                "C_SignInit (short)": "CKR_ARGUMENTS_BAD" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "ML-KEM (3.2)",
        why: "The mechanism has no parameter. Kryoptic does not look.",
        seen: rows! {
            "ML-KEM: mechanisms that do not encapsulate" {
                "C_EncapsulateKey (a parameter)": "CKR_OK length=768" => "CKR_MECHANISM_PARAM_INVALID",
                "C_DecapsulateKey (a parameter)": "CKR_OK" => "CKR_MECHANISM_PARAM_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.1.7 More on relative priorities",
        why: "The key has the wrong class for the mechanism and not the attribute for \
              the operation. Of errors that apply, any may be answered.",
        seen: rows! {
            "ML-DSA: with keys of other kinds" {
                "C_SignInit (public for signing)": "CKR_KEY_TYPE_INCONSISTENT" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
            "ML-KEM: with keys of other kinds" {
                "C_EncapsulateKey (swapped)": "CKR_KEY_TYPE_INCONSISTENT" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
                "C_DecapsulateKey (swapped)": "CKR_KEY_TYPE_INCONSISTENT" => "CKR_KEY_FUNCTION_NOT_PERMITTED",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.18.9 C_DecapsulateKey (3.2)",
        why: "The function has values of its own for a ciphertext of the wrong length, \
              for the handle and for the type of its key; Kryoptic's are not among them.",
        seen: rows! {
            "ML-KEM: what is no ciphertext" {
                "C_DecapsulateKey (short)": "CKR_DEVICE_ERROR" => "CKR_WRAPPED_KEY_LEN_RANGE",
                "C_DecapsulateKey (long)": "CKR_DEVICE_ERROR" => "CKR_WRAPPED_KEY_LEN_RANGE",
                "C_DecapsulateKey (empty)": "CKR_DEVICE_ERROR" => "CKR_WRAPPED_KEY_LEN_RANGE",
            }
            "ML-KEM: with keys of other kinds" {
                "C_DecapsulateKey (EC)": "CKR_KEY_TYPE_INCONSISTENT" => "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT",
                "C_DecapsulateKey (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_UNWRAPPING_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.18.8 C_EncapsulateKey, 5.15.7 C_VerifySignatureInit (3.2)",
        why: "What is not the handle of a key is an invalid key handle.",
        seen: rows! {
            "ML-KEM: with keys of other kinds" {
                "C_EncapsulateKey (none)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
            "signature first: NULL and none" {
                "C_VerifySignatureInit (no key)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.1.1 Creating objects, ML-KEM (3.2)",
        why: "A length that the mechanism does not make and another class contradict it; \
              the value is what the function finds out; and an attribute that nobody \
              knows has an invalid type. Kryoptic calls all of them invalid values, or \
              overlooks the value.",
        seen: rows! {
            "ML-KEM: templates good and bad" {
                "C_EncapsulateKey (template: 16 bytes)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_EncapsulateKey (template: 33 bytes)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_EncapsulateKey (template: a public key)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_TEMPLATE_INCONSISTENT",
                "C_EncapsulateKey (template: a value)": "CKR_OK length=768" => "CKR_ATTRIBUTE_READ_ONLY",
                "bytes, template: a value": "32" => "not reached",
                "C_EncapsulateKey (template: unknown)": "CKR_ATTRIBUTE_VALUE_INVALID" => "CKR_ATTRIBUTE_TYPE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.9 Private key objects",
        why: "Every private key has these attributes.",
        seen: rows! {
            "unwrap: a private key with padding, onto the token" {
                "C_GetAttributeValue.4": "CKR_ATTRIBUTE_TYPE_INVALID CKA_ALWAYS_SENSITIVE=unavailable" => "CKR_OK CKA_ALWAYS_SENSITIVE=00",
                "C_GetAttributeValue.6": "CKR_ATTRIBUTE_TYPE_INVALID CKA_NEVER_EXTRACTABLE=unavailable" => "CKR_OK CKA_NEVER_EXTRACTABLE=00",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "4.10 Secret key objects",
        why: "Every secret key has these attributes.",
        seen: rows! {
            "attributes: of an encapsulated key" {
                "C_GetAttributeValue.5": "CKR_ATTRIBUTE_TYPE_INVALID CKA_ALWAYS_SENSITIVE=unavailable" => "CKR_OK CKA_ALWAYS_SENSITIVE=00",
                "C_GetAttributeValue.6": "CKR_ATTRIBUTE_TYPE_INVALID CKA_NEVER_EXTRACTABLE=unavailable" => "CKR_OK CKA_NEVER_EXTRACTABLE=00",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.15.7 C_VerifySignatureInit, 5.15.8 C_VerifySignature (3.2)",
        why: "Both functions have the value for a signature of the wrong length. Here it \
              is found with the data, as by C_Verify.",
        seen: rows! {
            "signature first: of a wrong length" {
                "C_VerifySignatureInit (fixture-p256)": "CKR_SIGNATURE_LEN_RANGE" => "CKR_OK",
                "C_VerifySignature (fixture-p256)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_SIGNATURE_LEN_RANGE",
                "C_VerifySignatureInit (fixture-rsa-2048)": "CKR_SIGNATURE_LEN_RANGE" => "CKR_OK",
                "C_VerifySignature (fixture-rsa-2048)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_SIGNATURE_LEN_RANGE",
                "C_VerifySignature (fixture-ed25519)": "CKR_SIGNATURE_INVALID" => "CKR_SIGNATURE_LEN_RANGE",
                "C_VerifySignatureInit (fixture-ml-dsa-44)": "CKR_SIGNATURE_LEN_RANGE" => "CKR_OK",
                "C_VerifySignature (fixture-ml-dsa-44)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_SIGNATURE_LEN_RANGE",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.15.7 C_VerifySignatureInit (3.2)",
        why: "A signature that is NULL and has a length is a bad argument.",
        seen: rows! {
            "signature first: NULL and none" {
                "C_VerifySignatureInit (NULL signature)": "CKR_SIGNATURE_LEN_RANGE" => "CKR_ARGUMENTS_BAD",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.15.8 C_VerifySignature (3.2)",
        why: "The one-shot function does not end what was begun in parts. The \
              verification is active, which Kryoptic denies.",
        seen: rows! {
            "signature first: a part, then the whole" {
                "C_VerifySignature": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.6.5 C_SessionCancel (3.2)",
        why: "CKF_FIND_OBJECTS cancels a search. Kryoptic goes on.",
        seen: rows! {
            "session cancel: each operation" {
                "search after search": "CKR_OK" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "session cancel: several, none and unknown" {
                "search after all": "CKR_OK" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.11 C_GetSessionValidationFlags (3.2)",
        why: "What a type that does not exist is answered with is left open.",
        seen: rows! {
            "validation flags: of a session" {
                "C_GetSessionValidationFlags (unknown)": "CKR_OK flags=0x0" => "CKR_ARGUMENTS_BAD",
            }
        },
    },
];
