//! Interfaces, and the functions that came with versions 3.0 and 3.2, beside Kryoptic.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Both,
        section: "5.4.6 C_GetInterface",
        why: "No value is set apart for an interface that is not there. Kryoptic calls the \
              arguments bad; this one keeps that for a missing pointer, and says that the \
              function failed to find any.",
        seen: rows! {
            "interface: of a version that there is not" {
                "C_GetInterface": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface.2": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface.3": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface.4": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface.5": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface.6": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
            }
            "interface: of another name" {
                "C_GetInterface (empty)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface (shorter)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface (longer)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface (small letters)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface (a vendor's)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
            }
            "interface: with flags" {
                "C_GetInterface (fork safe)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
                "C_GetInterface (unknown)": "CKR_ARGUMENTS_BAD" => "CKR_FUNCTION_FAILED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5 Functions",
        why: "A library may leave a function out. Kryoptic leaves out C_LoginUser, before it is \
              initialized too.",
        seen: rows! {
            ["every newer function: before initialize"] {
                "C_LoginUser": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_CRYPTOKI_NOT_INITIALIZED",
            }
            ["every newer function: session handle 0", "every newer function: a closed session"] {
                "C_LoginUser": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_SESSION_HANDLE_INVALID",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.13.1 C_SignInit, 5.8.1, 5.10.1, 5.12.1, 5.15.1",
        why: "Without a mechanism an active operation is cancelled; what happens when none is \
              active is left open. The NULL is then a missing argument here, and no mistake to \
              Kryoptic.",
        seen: rows! {
            "cancel: nothing, by no mechanism" {
                "C_SignInit": "CKR_OK" => "CKR_ARGUMENTS_BAD",
                "C_VerifyInit": "CKR_OK" => "CKR_ARGUMENTS_BAD",
                "C_EncryptInit": "CKR_OK" => "CKR_ARGUMENTS_BAD",
                "C_DecryptInit": "CKR_OK" => "CKR_ARGUMENTS_BAD",
                "C_DigestInit": "CKR_OK" => "CKR_ARGUMENTS_BAD",
            }
        },
    },
];
