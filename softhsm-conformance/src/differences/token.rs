//! General-purpose functions, slots, tokens, sessions and login; and functions that are left out.

use super::{Backs, Difference, rows};

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        backs: Backs::Module,
        section: "5.4.1 C_Initialize",
        why: "A library that needs threads of its own must refuse to go without them. Requests \
              to KMS run on such threads; SoftHSM2 has none.",
        seen: rows! {
            "initialize: the module may not create threads" {
                "C_Initialize": "CKR_OK" => "CKR_NEED_TO_CREATE_THREADS",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.4.3 C_GetInfo",
        why: "The version is that of the newest interface a library offers: 3.2 beside the \
              function list of 2.40, where SoftHSM2 knows no newer one.",
        seen: rows! {
            "info: given and NULL" {
                "C_GetInfo": "CKR_OK cryptokiVersion=2.40 manufacturerID=blank-padded flags=0x0 libraryDescription=blank-padded" => "CKR_OK cryptokiVersion=3.2 manufacturerID=blank-padded flags=0x0 libraryDescription=blank-padded",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.4.1 C_Initialize",
        why: "A library that cannot lock with the callbacks of the application alone says so. \
              This one has threads of its own, which need the locks of the operating system; \
              SoftHSM2 takes the callbacks.",
        seen: rows! {
            "initialize: callbacks alone" {
                "C_Initialize": "CKR_OK" => "CKR_CANT_LOCK",
                "initialized": "true" => "false",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5 Functions",
        why: "A library may leave a function out: its stub answers this value, whatever the \
              arguments. There is nothing in KMS behind these functions: PINs are IAM's matter, and \
              no signature gives its message back.",
        seen: rows! {
            ["every function: session handle 0", "every function: a closed session"] {
                "C_InitPIN": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_SetPIN": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_SignRecoverInit": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_SignRecover": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_VerifyRecoverInit": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_VerifyRecover": "CKR_SESSION_HANDLE_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
            }
            ["token: initialized while a session is open"] {
                "C_InitToken": "CKR_SESSION_EXISTS" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_InitToken (wrong slot)": "CKR_SLOT_ID_INVALID" => "CKR_FUNCTION_NOT_SUPPORTED",
            }
            ["PIN: initialized by no security officer"] {
                "C_InitPIN": "CKR_USER_NOT_LOGGED_IN" => "CKR_FUNCTION_NOT_SUPPORTED",
                "C_InitPIN (by the user)": "CKR_USER_NOT_LOGGED_IN" => "CKR_FUNCTION_NOT_SUPPORTED",
            }
            ["PIN: changed with a wrong old one"] {
                "C_SetPIN": "CKR_PIN_INCORRECT" => "CKR_FUNCTION_NOT_SUPPORTED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.6 C_GetOperationState, 5.6.7 C_SetOperationState, 5.17 (dual functions)",
        why: "SoftHSM2 leaves these functions out. Here they are, and what they refuse has a value \
              of its own: nothing is active, no place for the length, a state that is none.",
        seen: rows! {
            "operation state: saved and restored" {
                "C_GetOperationState (nothing active)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_GetOperationState": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OK length=146",
                "C_GetOperationState (no length)": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_ARGUMENTS_BAD",
                "C_SetOperationState": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_SAVED_STATE_INVALID",
            }
            "dual functions: nothing active" {
                "C_DigestEncryptUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_DecryptDigestUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_SignEncryptUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
                "C_DecryptVerifyUpdate": "CKR_FUNCTION_NOT_SUPPORTED" => "CKR_OPERATION_NOT_INITIALIZED",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.5.4 C_WaitForSlotEvent",
        why: "The reserved pointer should be NULL, and the slot of an event needs a place. That \
              both are looked at when nothing has happened is not asked for.",
        seen: rows! {
            "slot events: not waited for" {
                "C_WaitForSlotEvent (reserved pointer)": "CKR_NO_EVENT" => "CKR_ARGUMENTS_BAD",
                "C_WaitForSlotEvent (NULL slot)": "CKR_NO_EVENT" => "CKR_ARGUMENTS_BAD",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.5.1 C_GetSlotList",
        why: "How many slots there are is up to the library. SoftHSM2 always offers one more, \
              with a token to be initialized; a configured token is a slot here, and nothing \
              else is.",
        seen: rows! {
            "slots: with a token" {
                "C_GetSlotList (length)": "CKR_OK count=2" => "CKR_OK count=1",
                "C_GetSlotList": "CKR_OK count=2" => "CKR_OK count=1",
            }
            "slots: all of them" {
                "C_GetSlotList (length)": "CKR_OK count=2" => "CKR_OK count=1",
                "C_GetSlotList": "CKR_OK count=2" => "CKR_OK count=1",
            }
            "slots: too little room" {
                "C_GetSlotList": "CKR_BUFFER_TOO_SMALL count=2" => "CKR_BUFFER_TOO_SMALL count=1",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.5.3 C_GetTokenInfo",
        why: "Login is not required where any PIN is accepted, so CKF_LOGIN_REQUIRED is not set.",
        seen: rows! {
            "token info: given, NULL, wrong slot" {
                "C_GetTokenInfo": "CKR_OK label=aws-kms                          manufacturerID=blank-padded model=blank-padded serialNumber=blank-padded flags=0x42d" => "CKR_OK label=aws-kms                          manufacturerID=blank-padded model=blank-padded serialNumber=blank-padded flags=0x429",
            }
            "token info: what a client reads" {
                "CKF_LOGIN_REQUIRED": "true" => "false",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.5.5 C_GetMechanismList",
        why: "Mechanisms are what a token can do. KMS signs neither SHA-1 with RSA nor without \
              padding; ECDSA with a hash is not built into SoftHSM2 2.6.",
        seen: rows! {
            "mechanisms: list" {
                "CKM_SHA1_RSA_PKCS": "listed" => "not listed",
                "CKM_RSA_X_509": "listed" => "not listed",
                "CKM_ECDSA_SHA1": "not listed" => "listed",
                "CKM_ECDSA_SHA224": "not listed" => "listed",
                "CKM_ECDSA_SHA256": "not listed" => "listed",
                "CKM_ECDSA_SHA384": "not listed" => "listed",
                "CKM_ECDSA_SHA512": "not listed" => "listed",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.5.6 C_GetMechanismInfo",
        why: "KMS has RSA keys of 2048 to 4096 bits and curves of 256 to 521; it \
              wraps with OAEP alone, does not encrypt with PKCS#1 v1.5, signs message by message too, \
              and makes its keys outside of this process. What a token does not list has no information either.",
        seen: rows! {
            "mechanism info: of each mechanism" {
                "C_GetMechanismInfo (CKM_RSA_PKCS_KEY_PAIR_GEN)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x10000" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x10001",
                "C_GetMechanismInfo (CKM_RSA_PKCS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x62b00" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2818",
                "C_GetMechanismInfo (CKM_SHA1_RSA_PKCS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_MECHANISM_INVALID",
                "C_GetMechanismInfo (CKM_SHA256_RSA_PKCS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_SHA384_RSA_PKCS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_SHA512_RSA_PKCS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_RSA_PKCS_PSS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2818",
                "C_GetMechanismInfo (CKM_SHA256_RSA_PKCS_PSS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_SHA384_RSA_PKCS_PSS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_SHA512_RSA_PKCS_PSS)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2800" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x2838",
                "C_GetMechanismInfo (CKM_RSA_PKCS_OAEP)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x60300" => "CKR_OK ulMinKeySize=2048 ulMaxKeySize=4096 flags=0x60300",
                "C_GetMechanismInfo (CKM_RSA_X_509)": "CKR_OK ulMinKeySize=512 ulMaxKeySize=16384 flags=0x2b00" => "CKR_MECHANISM_INVALID",
                "C_GetMechanismInfo (CKM_EC_KEY_PAIR_GEN)": "CKR_OK ulMinKeySize=112 ulMaxKeySize=521 flags=0x1910000" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1910001",
                "C_GetMechanismInfo (CKM_ECDSA)": "CKR_OK ulMinKeySize=112 ulMaxKeySize=521 flags=0x1902800" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902818",
                "C_GetMechanismInfo (CKM_ECDSA_SHA1)": "CKR_MECHANISM_INVALID" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902838",
                "C_GetMechanismInfo (CKM_ECDSA_SHA224)": "CKR_MECHANISM_INVALID" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902838",
                "C_GetMechanismInfo (CKM_ECDSA_SHA256)": "CKR_MECHANISM_INVALID" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902838",
                "C_GetMechanismInfo (CKM_ECDSA_SHA384)": "CKR_MECHANISM_INVALID" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902838",
                "C_GetMechanismInfo (CKM_ECDSA_SHA512)": "CKR_MECHANISM_INVALID" => "CKR_OK ulMinKeySize=256 ulMaxKeySize=521 flags=0x1902838",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.7.7 C_FindObjectsInit",
        why: "A search and a signature are operations of different kinds. That the one be over \
              before the other starts is asked for nowhere; SoftHSM2 has room for one operation \
              in a session.",
        seen: rows! {
            "session: operations of one are independent of each other" {
                "C_SignInit (while finding)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_SignUpdate (while finding)": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK",
                "C_SignFinal": "CKR_OPERATION_NOT_INITIALIZED" => "CKR_OK length=256",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.12.1, 5.13.1, 5.15.1 (…Init)",
        why: "The value is for an operation that prevents another from starting. Here a session \
              has one place for each kind of operation, in SoftHSM2 one place for all.",
        seen: rows! {
            "session: two cryptographic operations at a time" {
                "C_DigestInit (while signing)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
                "C_VerifyInit (while signing)": "CKR_OPERATION_ACTIVE" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Module,
        section: "5.6.10 C_Logout",
        why: "Logging out is for a user who is logged in; there is a value for the case that \
              nobody is.",
        seen: rows! {
            "login: as the user, and once more" {
                "C_Logout (again)": "CKR_OK" => "CKR_USER_NOT_LOGGED_IN",
            }
            "login: in another session of a logged-in user" {
                "C_Logout (first session)": "CKR_OK" => "CKR_USER_NOT_LOGGED_IN",
            }
            "logout: without login" {
                "C_Logout": "CKR_OK" => "CKR_USER_NOT_LOGGED_IN",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.8 C_Login",
        why: "Which PIN is right is the token's matter. With no PIN configured every one is \
              accepted, an absent one too, since KMS asks for credentials of its own.",
        seen: rows! {
            "login: a wrong PIN" {
                "C_Login": "CKR_PIN_INCORRECT" => "CKR_OK",
                "C_GetSessionInfo": "CKR_OK state=CKS_RW_PUBLIC_SESSION flags=0x6 ulDeviceError=0" => "CKR_OK state=CKS_RW_USER_FUNCTIONS flags=0x6 ulDeviceError=0",
            }
            "login: no PIN" {
                "C_Login": "CKR_ARGUMENTS_BAD" => "CKR_OK",
            }
            "login: an empty PIN" {
                "C_Login": "CKR_PIN_INCORRECT" => "CKR_OK",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "5.6.8 C_Login",
        why: "The token has no security officer: there is no PIN to be set and nothing to be \
              initialized.",
        seen: rows! {
            "login: as security officer beside a read-only session" {
                "C_Login": "CKR_SESSION_READ_ONLY_EXISTS" => "CKR_USER_TYPE_INVALID",
            }
            "login: as security officer with a user logged in" {
                "C_Login": "CKR_USER_ANOTHER_ALREADY_LOGGED_IN" => "CKR_USER_TYPE_INVALID",
            }
            "login: as security officer" {
                "C_Login": "CKR_OK" => "CKR_USER_TYPE_INVALID",
                "C_GetSessionInfo": "CKR_OK state=CKS_RW_SO_FUNCTIONS flags=0x6 ulDeviceError=0" => "CKR_OK state=CKS_RW_PUBLIC_SESSION flags=0x6 ulDeviceError=0",
            }
        },
    },
    Difference {
        backs: Backs::Both,
        section: "4.4 Storage objects, 5.5.3 C_GetTokenInfo",
        why: "Private objects are for logged-in users of a token that requires login. This one \
              does not (CKF_LOGIN_REQUIRED is not set).",
        seen: rows! {
            "login: needed for private objects" {
                "C_FindObjects": "CKR_OK count=0" => "CKR_OK count=1",
                "C_SignInit (handle of before)": "CKR_OBJECT_HANDLE_INVALID" => "CKR_OK",
            }
            "login: needed for generating a private key" {
                "C_GenerateKeyPair": "CKR_USER_NOT_LOGGED_IN" => "CKR_OK",
            }
        },
    },
];
