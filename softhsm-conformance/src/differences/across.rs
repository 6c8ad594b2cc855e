//! What cuts across functions: kinds of sessions, handles, orders of calls.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 5.5.3 C_GetTokenInfo",
        why: "Private objects are for logged-in users of a token that requires login. This one \
              does not (CKF_LOGIN_REQUIRED is not set).",
        seen: rows! {
            "session kinds: finding" {
                "C_FindObjects": "CKR_OK count=1" => "CKR_OK count=2",
                "C_FindObjects.2": "CKR_OK count=1" => "CKR_OK count=2",
            }
            "session kinds: reading a private key" {
                "C_GetAttributeValue": "CKR_OBJECT_HANDLE_INVALID" => "CKR_OK CKA_CLASS=0300000000000000",
                "C_GetAttributeValue.2": "CKR_OBJECT_HANDLE_INVALID" => "CKR_OK CKA_CLASS=0300000000000000",
            }
            "session kinds: generating" {
                "C_GenerateKeyPair.2": "CKR_USER_NOT_LOGGED_IN" => "CKR_OK",
            }
            "session kinds: generating from an incomplete template" {
                "C_GenerateKeyPair.2": "CKR_USER_NOT_LOGGED_IN" => "CKR_TEMPLATE_INCOMPLETE",
            }
            "session kinds: signing" {
                "C_SignInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_OK",
                "C_Sign": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
                "C_SignInit.2": "CKR_OBJECT_HANDLE_INVALID" => "CKR_OK",
                "C_Sign.2": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=64",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.1 C_SignInit, 5.8.1, 5.10.1, 5.15.1",
        why: "What is not the handle of a key is an invalid key handle. The value that \
              SoftHSM2 answers is not among those of these functions.",
        seen: rows! {
            "handles: of a destroyed pair start nothing" {
                "C_SignInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_VerifyInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_DecryptInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
                "C_EncryptInit": "CKR_OBJECT_HANDLE_INVALID" => "CKR_KEY_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Reference,
        section: "4.4 Storage objects",
        why: "The halves of a pair are one key in KMS: naming the private half names its pair, \
              unless the public half was named apart, so that a client that knows one half \
              finds both.",
        seen: rows! {
            "set attributes: of one half, read from the other" {
                "C_GetAttributeValue": "CKR_OK CKA_ID=736574206f6e652068616c66" => "CKR_OK CKA_ID=6e6577204944",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.18.2 C_GenerateKeyPair",
        why: "A call that fails makes nothing. SoftHSM2 refuses the attribute when the object \
              is on the token, and leaves it there.",
        seen: rows! {
            "generate: refused late, nothing is left behind" {
                "objects left behind": "1" => "0",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.12.2 C_Digest, 5.13.2 C_Sign, 5.15.2 C_Verify",
        why: "The one-shot function does not end what was begun in parts. SoftHSM2 lets it for \
              digests, and denies for signatures that an operation is active.",
        seen: rows! {
            "orders: digest, after a part" {
                "C_Digest (second)": "CKR_OK value=eed33775877b12007ec719d0602f7326b351ae35ac744ffdc765ac0655c7a241" => "CKR_OPERATION_ACTIVE",
                "C_Digest (second).2": "CKR_OK length=32" => "CKR_OPERATION_ACTIVE",
            }
            "orders: signature, after a part" {
                "C_Sign (second)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
                "C_Sign (second).2": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
            }
            "orders: verification, after a part" {
                "C_Verify (second)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OPERATION_ACTIVE",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.10.2 C_Decrypt",
        why: "There is a value for a ciphertext that is invalid. SoftHSM2 fails without a \
              reason.",
        seen: rows! {
            "orders: decryption, after the whole" {
                "C_Decrypt (first)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
                "C_Decrypt (first).2": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
                "C_Decrypt (first).3": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
            }
            "orders: decryption, after its length" {
                "C_Decrypt (second)": "CKR_GENERAL_ERROR" => "CKR_ENCRYPTED_DATA_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.2 Conventions for functions returning output in a variable-length buffer",
        why: "A query may answer more than is needed in the end. The longest plaintext of the \
              key is answered here, the length of the modulus by SoftHSM2.",
        seen: rows! {
            "orders: decryption, after its length" {
                "C_Decrypt (first)": "CKR_OK length=256" => "CKR_OK length=214",
                "C_Decrypt (first).2": "CKR_OK length=256" => "CKR_OK length=214",
                "C_Decrypt (first).3": "CKR_OK length=256" => "CKR_OK length=214",
                "C_Decrypt (second).2": "CKR_OK length=256" => "CKR_OK length=214",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.13.2 to 5.13.4 (C_Sign…), 5.15.2 (C_Verify), 5.8.2 (C_Encrypt), 5.10.2 (C_Decrypt), 5.12.2 to 5.12.5 (C_Digest…)",
        why: "Any answer but CKR_BUFFER_TOO_SMALL and a successful query of the length ends \
              the operation: a refused argument, and a part or an end where the mechanism has \
              none. SoftHSM2 goes on.",
        seen: rows! {
            "orders: digest, after a refused argument" {
                "C_DigestInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_DigestUpdate (second)": "CKR_OK" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Digest (second)": "CKR_OK value=f53c09ca39717a45c62d9aca8f8113eddbfd5f81dcab0b33b1c1834075225e68" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_DigestFinal (second)": "CKR_OK value=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Digest (second).2": "CKR_OK length=32" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: signature, after a refused argument" {
                "C_SignInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_SignUpdate (second)": "CKR_OK" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Sign (second)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_SignFinal (second)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Sign (second).2": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: signature of a digest, after the end" {
                "C_SignInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Sign (second)": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Sign (second).2": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: signature of a digest, after a refused argument" {
                "C_SignInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Sign (second)": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Sign (second).2": "CKR_OK length=64" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: verification, after a refused argument" {
                "C_VerifyInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_VerifyUpdate (second)": "CKR_OK" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Verify (second)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_VerifyFinal (second)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: verification of a digest, after the end" {
                "C_VerifyInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Verify (second)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: verification of a digest, after a refused argument" {
                "C_VerifyInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Verify (second)": "CKR_SIGNATURE_INVALID" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: encryption, after a refused argument" {
                "C_EncryptInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Encrypt (second)": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Encrypt (second).2": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
            "orders: decryption, after a refused argument" {
                "C_DecryptInit (second)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_Decrypt (second)": "CKR_GENERAL_ERROR" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_Decrypt (second).2": "CKR_OK length=256" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
];
