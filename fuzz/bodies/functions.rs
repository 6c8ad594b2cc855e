//! What the arguments of every function are.

use pkcs11_sys::*;

use crate::v3_2::CKR_PARAMETER_SET_NOT_SUPPORTED;

/// What an argument, or a few that belong together, are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Session,
    Object,
    Slot,
    Number,
    /// Of C_OpenSession.
    Flags,
    /// NULL, but for a mistake.
    Reserved,
    /// NULL at all times: a function to call back.
    Callback,
    /// Bytes to be read, and their length.
    Input,
    /// A pointer to so many bytes to be read.
    Bytes(usize),
    /// A NUL-terminated string.
    Text,
    /// A pointer to so many bytes to be written.
    Value(usize),
    NewSession,
    NewObject,
    /// Bytes to be written all, and their length.
    Fill,
    /// A buffer to be written and a pointer to its length, in values of so many bytes.
    Output(usize),
    /// Input and output, which may be the same memory.
    Transform,
    /// Room for handles, its length, and a pointer to the number of those that were found.
    Found,
    Template,
    /// A template to be filled.
    Wanted,
    Mechanism,
    /// CK_GCM_MESSAGE_PARAMS and their length.
    MessageParameter,
    /// CK_C_INITIALIZE_ARGS.
    InitializeArguments,
    /// Flags of C_WaitForSlotEvent with which it does not wait.
    DontWait,
}

use Kind::*;

/// A function, and whether it is among those of the targets for templates and for parameters.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) has_template: bool,
    pub(super) has_parameter: bool,
    pub(super) arguments: &'static [Kind],
}

macro_rules! functions {
    ($($name:ident $template:literal $parameter:literal [$($kind:expr),*];)+) => {
        &[$(Function {
            name: stringify!($name),
            has_template: $template == 1,
            has_parameter: $parameter == 1,
            arguments: &[$($kind),*],
        }),+]
    };
}

const WORD: usize = size_of::<CK_ULONG>();

/// Those that are not here are not supported, whatever they are given.
pub(super) const FUNCTIONS: &[Function] = functions! {
    C_Initialize            0 0 [InitializeArguments];
    C_Finalize              0 0 [Reserved];
    C_GetInfo               0 0 [Value(size_of::<CK_INFO>())];
    C_GetFunctionList       0 0 [Value(WORD)];
    C_GetSlotList           0 0 [Number, Output(WORD)];
    C_GetSlotInfo           0 0 [Slot, Value(size_of::<CK_SLOT_INFO>())];
    C_GetTokenInfo          0 0 [Slot, Value(size_of::<CK_TOKEN_INFO>())];
    C_GetMechanismList      0 0 [Slot, Output(WORD)];
    C_GetMechanismInfo      0 0 [Slot, Number, Value(size_of::<CK_MECHANISM_INFO>())];
    C_OpenSession           0 0 [Slot, Flags, Number, Callback, NewSession];
    C_CloseSession          0 0 [Session];
    C_CloseAllSessions      0 0 [Slot];
    C_GetSessionInfo        0 0 [Session, Value(size_of::<CK_SESSION_INFO>())];
    C_GetOperationState     0 0 [Session, Output(1)];
    C_SetOperationState     0 0 [Session, Input, Object, Object];
    C_Login                 0 0 [Session, Number, Input];
    C_LoginUser             0 0 [Session, Number, Input, Input];
    C_Logout                0 0 [Session];
    C_CreateObject          1 0 [Session, Template, NewObject];
    C_CopyObject            1 0 [Session, Object, Template, NewObject];
    C_DestroyObject         1 0 [Session, Object];
    C_GetObjectSize         1 0 [Session, Object, Value(WORD)];
    C_GetAttributeValue     1 0 [Session, Object, Wanted];
    C_SetAttributeValue     1 0 [Session, Object, Template];
    C_FindObjectsInit       1 0 [Session, Template];
    C_FindObjects           1 0 [Session, Found];
    C_FindObjectsFinal      1 0 [Session];
    C_EncryptInit           0 1 [Session, Mechanism, Object];
    C_Encrypt               0 1 [Session, Transform];
    C_EncryptUpdate         0 1 [Session, Transform];
    C_EncryptFinal          0 1 [Session, Output(1)];
    C_DecryptInit           0 1 [Session, Mechanism, Object];
    C_Decrypt               0 1 [Session, Transform];
    C_DecryptUpdate         0 1 [Session, Transform];
    C_DecryptFinal          0 1 [Session, Output(1)];
    C_DigestInit            0 1 [Session, Mechanism];
    C_Digest                0 1 [Session, Transform];
    C_DigestUpdate          0 0 [Session, Input];
    C_DigestKey             0 0 [Session, Object];
    C_DigestFinal           0 0 [Session, Output(1)];
    C_SignInit              0 1 [Session, Mechanism, Object];
    C_Sign                  0 1 [Session, Transform];
    C_SignUpdate            0 1 [Session, Input];
    C_SignFinal             0 1 [Session, Output(1)];
    C_VerifyInit            0 1 [Session, Mechanism, Object];
    C_Verify                0 1 [Session, Input, Input];
    C_VerifyUpdate          0 0 [Session, Input];
    C_VerifyFinal           0 0 [Session, Input];
    C_DigestEncryptUpdate   0 0 [Session, Transform];
    C_DecryptDigestUpdate   0 0 [Session, Transform];
    C_SignEncryptUpdate     0 0 [Session, Transform];
    C_DecryptVerifyUpdate   0 0 [Session, Transform];
    C_GenerateKey           1 1 [Session, Mechanism, Template, NewObject];
    C_GenerateKeyPair       1 1 [Session, Mechanism, Template, Template, NewObject, NewObject];
    C_WrapKey               0 1 [Session, Mechanism, Object, Object, Output(1)];
    C_UnwrapKey             1 1 [Session, Mechanism, Object, Input, Template, NewObject];
    C_DeriveKey             1 1 [Session, Mechanism, Object, Template, NewObject];
    C_SeedRandom            0 0 [Session, Input];
    C_GenerateRandom        0 0 [Session, Fill];
    C_GetFunctionStatus     0 0 [Session];
    C_CancelFunction        0 0 [Session];
    C_WaitForSlotEvent      0 0 [DontWait, Value(WORD), Reserved];
    C_GetInterfaceList      0 0 [Output(size_of::<CK_INTERFACE>())];
    C_GetInterface          0 0 [Text, Bytes(size_of::<CK_VERSION>()), Value(WORD), Number];
    C_SessionCancel         0 1 [Session, Number];
    C_MessageEncryptInit    0 1 [Session, Mechanism, Object];
    C_EncryptMessage        0 1 [Session, MessageParameter, Input, Transform];
    C_EncryptMessageBegin   0 1 [Session, MessageParameter, Input];
    C_EncryptMessageNext    0 1 [Session, MessageParameter, Transform, Number];
    C_MessageEncryptFinal   0 1 [Session];
    C_MessageDecryptInit    0 1 [Session, Mechanism, Object];
    C_DecryptMessage        0 1 [Session, MessageParameter, Input, Transform];
    C_DecryptMessageBegin   0 1 [Session, MessageParameter, Input];
    C_DecryptMessageNext    0 1 [Session, MessageParameter, Transform, Number];
    C_MessageDecryptFinal   0 1 [Session];
    C_MessageSignInit       0 1 [Session, Mechanism, Object];
    C_SignMessage           0 1 [Session, MessageParameter, Transform];
    C_SignMessageBegin      0 0 [Session, MessageParameter];
    C_SignMessageNext       0 0 [Session, MessageParameter, Transform];
    C_MessageSignFinal      0 1 [Session];
    C_MessageVerifyInit     0 1 [Session, Mechanism, Object];
    C_VerifyMessage         0 1 [Session, MessageParameter, Input, Input];
    C_VerifyMessageBegin    0 0 [Session, MessageParameter];
    C_VerifyMessageNext     0 0 [Session, MessageParameter, Input, Input];
    C_MessageVerifyFinal    0 1 [Session];
    C_EncapsulateKey        1 1 [Session, Mechanism, Object, Template, Output(1), NewObject];
    C_DecapsulateKey        1 1 [Session, Mechanism, Object, Template, Input, NewObject];
    C_VerifySignatureInit   0 1 [Session, Mechanism, Object, Input];
    C_VerifySignature       0 1 [Session, Input];
    C_VerifySignatureUpdate 0 0 [Session, Input];
    C_VerifySignatureFinal  0 0 [Session];
    C_GetSessionValidationFlags 0 0 [Session, Number, Value(WORD)];
};

/// Everything that the module may answer. CKR_GENERAL_ERROR is not among it: that is a panic that was caught.
pub(super) const ANSWERS: &[CK_RV] = &[
    CKR_OK,
    CKR_ACTION_PROHIBITED,
    CKR_AEAD_DECRYPT_FAILED,
    CKR_ARGUMENTS_BAD,
    CKR_ATTRIBUTE_READ_ONLY,
    CKR_ATTRIBUTE_SENSITIVE,
    CKR_ATTRIBUTE_TYPE_INVALID,
    CKR_ATTRIBUTE_VALUE_INVALID,
    CKR_BUFFER_TOO_SMALL,
    CKR_CANT_LOCK,
    CKR_CRYPTOKI_ALREADY_INITIALIZED,
    CKR_CRYPTOKI_NOT_INITIALIZED,
    CKR_CURVE_NOT_SUPPORTED,
    CKR_DATA_INVALID,
    CKR_DATA_LEN_RANGE,
    CKR_DEVICE_ERROR,
    CKR_DEVICE_MEMORY,
    CKR_ENCRYPTED_DATA_INVALID,
    CKR_ENCRYPTED_DATA_LEN_RANGE,
    CKR_FUNCTION_FAILED,
    CKR_FUNCTION_NOT_PARALLEL,
    CKR_FUNCTION_NOT_SUPPORTED,
    CKR_FUNCTION_REJECTED,
    CKR_HOST_MEMORY,
    CKR_KEY_FUNCTION_NOT_PERMITTED,
    CKR_KEY_HANDLE_INVALID,
    CKR_KEY_INDIGESTIBLE,
    CKR_KEY_NOT_NEEDED,
    CKR_KEY_NOT_WRAPPABLE,
    CKR_KEY_SIZE_RANGE,
    CKR_KEY_TYPE_INCONSISTENT,
    CKR_KEY_UNEXTRACTABLE,
    CKR_MECHANISM_INVALID,
    CKR_MECHANISM_PARAM_INVALID,
    CKR_NO_EVENT,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_OPERATION_ACTIVE,
    CKR_OPERATION_CANCEL_FAILED,
    CKR_OPERATION_NOT_INITIALIZED,
    CKR_PARAMETER_SET_NOT_SUPPORTED,
    CKR_PIN_INCORRECT,
    CKR_RANDOM_SEED_NOT_SUPPORTED,
    CKR_SAVED_STATE_INVALID,
    CKR_SESSION_CLOSED,
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_PARALLEL_NOT_SUPPORTED,
    CKR_SESSION_READ_ONLY,
    CKR_SIGNATURE_INVALID,
    CKR_SIGNATURE_LEN_RANGE,
    CKR_SLOT_ID_INVALID,
    CKR_STATE_UNSAVEABLE,
    CKR_TEMPLATE_INCOMPLETE,
    CKR_TEMPLATE_INCONSISTENT,
    CKR_TOKEN_NOT_PRESENT,
    CKR_TOKEN_RESOURCE_EXCEEDED,
    CKR_TOKEN_WRITE_PROTECTED,
    CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    CKR_UNWRAPPING_KEY_SIZE_RANGE,
    CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    CKR_USER_ALREADY_LOGGED_IN,
    CKR_USER_NOT_LOGGED_IN,
    CKR_USER_TYPE_INVALID,
    CKR_WRAPPED_KEY_INVALID,
    CKR_WRAPPED_KEY_LEN_RANGE,
    CKR_WRAPPING_KEY_HANDLE_INVALID,
    CKR_WRAPPING_KEY_SIZE_RANGE,
    CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
];
