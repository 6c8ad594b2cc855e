//! Every C function of PKCS#11, once.
//!
//! From this table come the exported functions, the function lists of all three interface versions
//! and the answers of what is not built. An entry is one of
//!
//! - `call PATH`: needs C_Initialize; `PATH` takes the module, then the C arguments;
//! - `free PATH`: may be called at any time; `PATH` takes the C arguments;
//! - `unsupported`, or `unsupported "REASON"`: answers CKR_FUNCTION_NOT_SUPPORTED. The reason goes
//!   into the documentation.
//!
//! Order and signatures: PKCS#11 3.2, chapter 5 and the function list structures of its header.

/// Hands the table to a macro that makes something of it.
macro_rules! with_functions {
    ($make:ident) => {
        $make! {
            v2_40 {
                C_Initialize(init_args: CK_VOID_PTR) => free general::initialize;
                C_Finalize(reserved: CK_VOID_PTR) => free general::finalize;
                C_GetInfo(info: CK_INFO_PTR) => call general::info;
                C_GetFunctionList(
                    function_list: CK_FUNCTION_LIST_PTR_PTR
                ) => free general::function_list;
                C_GetSlotList(
                    token_present: CK_BBOOL, slot_list: CK_SLOT_ID_PTR, count: CK_ULONG_PTR
                ) => call slots::list;
                C_GetSlotInfo(slot_id: CK_SLOT_ID, info: CK_SLOT_INFO_PTR) => call slots::info;
                C_GetTokenInfo(
                    slot_id: CK_SLOT_ID, info: CK_TOKEN_INFO_PTR
                ) => call slots::token_info;
                C_GetMechanismList(
                    slot_id: CK_SLOT_ID, mechanism_list: CK_MECHANISM_TYPE_PTR,
                    count: CK_ULONG_PTR
                ) => call slots::mechanism_list;
                C_GetMechanismInfo(
                    slot_id: CK_SLOT_ID, mechanism_type: CK_MECHANISM_TYPE,
                    info: CK_MECHANISM_INFO_PTR
                ) => call slots::mechanism_info;
                C_InitToken(
                    slot_id: CK_SLOT_ID, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG,
                    label: CK_UTF8CHAR_PTR
                ) => unsupported "a token is an account and a region of AWS: there is nothing to initialise";
                C_InitPIN(
                    session: CK_SESSION_HANDLE, pin: CK_UTF8CHAR_PTR, pin_len: CK_ULONG
                ) => unsupported "KMS has no PINs: IAM decides who may use a key";
                C_SetPIN(
                    session: CK_SESSION_HANDLE, old_pin: CK_UTF8CHAR_PTR, old_len: CK_ULONG,
                    new_pin: CK_UTF8CHAR_PTR, new_len: CK_ULONG
                ) => unsupported "KMS has no PINs: IAM decides who may use a key";
                C_OpenSession(
                    slot_id: CK_SLOT_ID, flags: CK_FLAGS, application: CK_VOID_PTR,
                    notify: CK_NOTIFY, session: CK_SESSION_HANDLE_PTR
                ) => call sessions::open;
                C_CloseSession(session: CK_SESSION_HANDLE) => call sessions::close;
                C_CloseAllSessions(slot_id: CK_SLOT_ID) => call sessions::close_all;
                C_GetSessionInfo(
                    session: CK_SESSION_HANDLE, info: CK_SESSION_INFO_PTR
                ) => call sessions::info;
                C_GetOperationState(
                    session: CK_SESSION_HANDLE, operation_state: CK_BYTE_PTR,
                    operation_state_len: CK_ULONG_PTR
                ) => call sessions::operation_state;
                C_SetOperationState(
                    session: CK_SESSION_HANDLE, operation_state: CK_BYTE_PTR,
                    operation_state_len: CK_ULONG, encryption_key: CK_OBJECT_HANDLE,
                    authentication_key: CK_OBJECT_HANDLE
                ) => call sessions::set_operation_state;
                C_Login(
                    session: CK_SESSION_HANDLE, user_type: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR,
                    pin_len: CK_ULONG
                ) => call sessions::login;
                C_Logout(session: CK_SESSION_HANDLE) => call sessions::logout;
                C_CreateObject(
                    session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG,
                    object: CK_OBJECT_HANDLE_PTR
                ) => call objects::create;
                C_CopyObject(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE,
                    template: CK_ATTRIBUTE_PTR, count: CK_ULONG, new_object: CK_OBJECT_HANDLE_PTR
                ) => call objects::copy;
                C_DestroyObject(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE
                ) => call objects::destroy;
                C_GetObjectSize(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, size: CK_ULONG_PTR
                ) => call objects::size;
                C_GetAttributeValue(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE,
                    template: CK_ATTRIBUTE_PTR, count: CK_ULONG
                ) => call objects::get_attributes;
                C_SetAttributeValue(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE,
                    template: CK_ATTRIBUTE_PTR, count: CK_ULONG
                ) => call objects::set_attributes;
                C_FindObjectsInit(
                    session: CK_SESSION_HANDLE, template: CK_ATTRIBUTE_PTR, count: CK_ULONG
                ) => call objects::find_init;
                C_FindObjects(
                    session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE_PTR,
                    max_object_count: CK_ULONG, object_count: CK_ULONG_PTR
                ) => call objects::find;
                C_FindObjectsFinal(session: CK_SESSION_HANDLE) => call objects::find_final;
                C_EncryptInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call encrypt::init;
                C_Encrypt(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG,
                    encrypted_data: CK_BYTE_PTR, encrypted_data_len: CK_ULONG_PTR
                ) => call encrypt::encrypt;
                C_EncryptUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG,
                    encrypted_part: CK_BYTE_PTR, encrypted_part_len: CK_ULONG_PTR
                ) => call encrypt::update;
                C_EncryptFinal(
                    session: CK_SESSION_HANDLE, last_encrypted_part: CK_BYTE_PTR,
                    last_encrypted_part_len: CK_ULONG_PTR
                ) => call encrypt::finish;
                C_DecryptInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call decrypt::init;
                C_Decrypt(
                    session: CK_SESSION_HANDLE, encrypted_data: CK_BYTE_PTR,
                    encrypted_data_len: CK_ULONG, data: CK_BYTE_PTR, data_len: CK_ULONG_PTR
                ) => call decrypt::decrypt;
                C_DecryptUpdate(
                    session: CK_SESSION_HANDLE, encrypted_part: CK_BYTE_PTR,
                    encrypted_part_len: CK_ULONG, part: CK_BYTE_PTR, part_len: CK_ULONG_PTR
                ) => call decrypt::update;
                C_DecryptFinal(
                    session: CK_SESSION_HANDLE, last_part: CK_BYTE_PTR,
                    last_part_len: CK_ULONG_PTR
                ) => call decrypt::finish;
                C_DigestInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR
                ) => call digest::init;
                C_Digest(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG,
                    digest: CK_BYTE_PTR, digest_len: CK_ULONG_PTR
                ) => call digest::digest;
                C_DigestUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG
                ) => call digest::update;
                C_DigestKey(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) => call digest::key;
                C_DigestFinal(
                    session: CK_SESSION_HANDLE, digest: CK_BYTE_PTR, digest_len: CK_ULONG_PTR
                ) => call digest::finish;
                C_SignInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call sign::init;
                C_Sign(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG,
                    signature: CK_BYTE_PTR, signature_len: CK_ULONG_PTR
                ) => call sign::sign;
                C_SignUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG
                ) => call sign::update;
                C_SignFinal(
                    session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR,
                    signature_len: CK_ULONG_PTR
                ) => call sign::finish;
                C_SignRecoverInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => unsupported "KMS signs digests: no message can be recovered from a signature";
                C_SignRecover(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG,
                    signature: CK_BYTE_PTR, signature_len: CK_ULONG_PTR
                ) => unsupported "KMS signs digests: no message can be recovered from a signature";
                C_VerifyInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call verify::init;
                C_Verify(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG,
                    signature: CK_BYTE_PTR, signature_len: CK_ULONG
                ) => call verify::verify;
                C_VerifyUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG
                ) => call verify::update;
                C_VerifyFinal(
                    session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_len: CK_ULONG
                ) => call verify::finish;
                C_VerifyRecoverInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => unsupported "KMS signs digests: no message can be recovered from a signature";
                C_VerifyRecover(
                    session: CK_SESSION_HANDLE, signature: CK_BYTE_PTR, signature_len: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG_PTR
                ) => unsupported "KMS signs digests: no message can be recovered from a signature";
                C_DigestEncryptUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG,
                    encrypted_part: CK_BYTE_PTR, encrypted_part_len: CK_ULONG_PTR
                ) => call dual::digest_encrypt_update;
                C_DecryptDigestUpdate(
                    session: CK_SESSION_HANDLE, encrypted_part: CK_BYTE_PTR,
                    encrypted_part_len: CK_ULONG, part: CK_BYTE_PTR, part_len: CK_ULONG_PTR
                ) => call dual::decrypt_digest_update;
                C_SignEncryptUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG,
                    encrypted_part: CK_BYTE_PTR, encrypted_part_len: CK_ULONG_PTR
                ) => call dual::sign_encrypt_update;
                C_DecryptVerifyUpdate(
                    session: CK_SESSION_HANDLE, encrypted_part: CK_BYTE_PTR,
                    encrypted_part_len: CK_ULONG, part: CK_BYTE_PTR, part_len: CK_ULONG_PTR
                ) => call dual::decrypt_verify_update;
                C_GenerateKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    template: CK_ATTRIBUTE_PTR, count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR
                ) => call keys::generate;
                C_GenerateKeyPair(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    public_key_template: CK_ATTRIBUTE_PTR, public_key_attribute_count: CK_ULONG,
                    private_key_template: CK_ATTRIBUTE_PTR, private_key_attribute_count: CK_ULONG,
                    public_key: CK_OBJECT_HANDLE_PTR, private_key: CK_OBJECT_HANDLE_PTR
                ) => call keys::generate_pair;
                C_WrapKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE,
                    wrapped_key: CK_BYTE_PTR, wrapped_key_len: CK_ULONG_PTR
                ) => call keys::wrap;
                C_UnwrapKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    unwrapping_key: CK_OBJECT_HANDLE, wrapped_key: CK_BYTE_PTR,
                    wrapped_key_len: CK_ULONG, template: CK_ATTRIBUTE_PTR,
                    attribute_count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR
                ) => call keys::unwrap;
                C_DeriveKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    base_key: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
                    attribute_count: CK_ULONG, key: CK_OBJECT_HANDLE_PTR
                ) => call keys::derive;
                C_SeedRandom(
                    session: CK_SESSION_HANDLE, seed: CK_BYTE_PTR, seed_len: CK_ULONG
                ) => call random::seed;
                C_GenerateRandom(
                    session: CK_SESSION_HANDLE, random_data: CK_BYTE_PTR, random_len: CK_ULONG
                ) => call random::generate;
                C_GetFunctionStatus(session: CK_SESSION_HANDLE) => call general::not_parallel;
                C_CancelFunction(session: CK_SESSION_HANDLE) => call general::not_parallel;
                C_WaitForSlotEvent(
                    flags: CK_FLAGS, slot: CK_SLOT_ID_PTR, reserved: CK_VOID_PTR
                ) => call slots::wait_for_event;
            }
            v3_0 {
                C_GetInterfaceList(
                    interfaces_list: CK_INTERFACE_PTR, count: CK_ULONG_PTR
                ) => free general::interface_list;
                C_GetInterface(
                    interface_name: CK_UTF8CHAR_PTR, version: CK_VERSION_PTR,
                    interface: CK_INTERFACE_PTR_PTR, flags: CK_FLAGS
                ) => free general::interface;
                C_LoginUser(
                    session: CK_SESSION_HANDLE, user_type: CK_USER_TYPE, pin: CK_UTF8CHAR_PTR,
                    pin_len: CK_ULONG, username: CK_UTF8CHAR_PTR, username_len: CK_ULONG
                ) => call sessions::login_user;
                C_SessionCancel(session: CK_SESSION_HANDLE, flags: CK_FLAGS) => call sessions::cancel;
                C_MessageEncryptInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call message_encrypt::init;
                C_EncryptMessage(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    associated_data: CK_BYTE_PTR, associated_data_len: CK_ULONG,
                    plaintext: CK_BYTE_PTR, plaintext_len: CK_ULONG, ciphertext: CK_BYTE_PTR,
                    ciphertext_len: CK_ULONG_PTR
                ) => call message_encrypt::encrypt;
                C_EncryptMessageBegin(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    associated_data: CK_BYTE_PTR, associated_data_len: CK_ULONG
                ) => call message_encrypt::begin;
                C_EncryptMessageNext(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    plaintext_part: CK_BYTE_PTR, plaintext_part_len: CK_ULONG,
                    ciphertext_part: CK_BYTE_PTR, ciphertext_part_len: CK_ULONG_PTR,
                    flags: CK_FLAGS
                ) => call message_encrypt::next;
                C_MessageEncryptFinal(session: CK_SESSION_HANDLE) => call message_encrypt::finish;
                C_MessageDecryptInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call message_decrypt::init;
                C_DecryptMessage(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    associated_data: CK_BYTE_PTR, associated_data_len: CK_ULONG,
                    ciphertext: CK_BYTE_PTR, ciphertext_len: CK_ULONG, plaintext: CK_BYTE_PTR,
                    plaintext_len: CK_ULONG_PTR
                ) => call message_decrypt::decrypt;
                C_DecryptMessageBegin(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    associated_data: CK_BYTE_PTR, associated_data_len: CK_ULONG
                ) => call message_decrypt::begin;
                C_DecryptMessageNext(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    ciphertext_part: CK_BYTE_PTR, ciphertext_part_len: CK_ULONG,
                    plaintext_part: CK_BYTE_PTR, plaintext_part_len: CK_ULONG_PTR, flags: CK_FLAGS
                ) => call message_decrypt::next;
                C_MessageDecryptFinal(session: CK_SESSION_HANDLE) => call message_decrypt::finish;
                C_MessageSignInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call message_sign::init;
                C_SignMessage(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
                    signature_len: CK_ULONG_PTR
                ) => call message_sign::sign;
                C_SignMessageBegin(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG
                ) => call message_sign::begin;
                C_SignMessageNext(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
                    signature_len: CK_ULONG_PTR
                ) => call message_sign::next;
                C_MessageSignFinal(session: CK_SESSION_HANDLE) => call message_sign::finish;
                C_MessageVerifyInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE
                ) => call message_verify::init;
                C_VerifyMessage(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
                    signature_len: CK_ULONG
                ) => call message_verify::verify;
                C_VerifyMessageBegin(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG
                ) => call message_verify::begin;
                C_VerifyMessageNext(
                    session: CK_SESSION_HANDLE, parameter: CK_VOID_PTR, parameter_len: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG, signature: CK_BYTE_PTR,
                    signature_len: CK_ULONG
                ) => call message_verify::next;
                C_MessageVerifyFinal(session: CK_SESSION_HANDLE) => call message_verify::finish;
            }
            v3_2 {
                C_EncapsulateKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    public_key: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
                    attribute_count: CK_ULONG, ciphertext: CK_BYTE_PTR,
                    ciphertext_len: CK_ULONG_PTR, key: CK_OBJECT_HANDLE_PTR
                ) => call keys::encapsulate;
                C_DecapsulateKey(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    private_key: CK_OBJECT_HANDLE, template: CK_ATTRIBUTE_PTR,
                    attribute_count: CK_ULONG, ciphertext: CK_BYTE_PTR, ciphertext_len: CK_ULONG,
                    key: CK_OBJECT_HANDLE_PTR
                ) => call keys::decapsulate;
                C_VerifySignatureInit(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR, key: CK_OBJECT_HANDLE,
                    signature: CK_BYTE_PTR, signature_len: CK_ULONG
                ) => call verify_signature::init;
                C_VerifySignature(
                    session: CK_SESSION_HANDLE, data: CK_BYTE_PTR, data_len: CK_ULONG
                ) => call verify_signature::verify;
                C_VerifySignatureUpdate(
                    session: CK_SESSION_HANDLE, part: CK_BYTE_PTR, part_len: CK_ULONG
                ) => call verify_signature::update;
                C_VerifySignatureFinal(session: CK_SESSION_HANDLE) => call verify_signature::finish;
                C_GetSessionValidationFlags(
                    session: CK_SESSION_HANDLE, kind: CK_SESSION_VALIDATION_FLAGS_TYPE,
                    flags: *mut CK_FLAGS
                ) => call sessions::validation_flags;
                C_AsyncComplete(
                    session: CK_SESSION_HANDLE, function_name: CK_UTF8CHAR_PTR,
                    result: CK_ASYNC_DATA_PTR
                ) => unsupported "every call ends before it returns; no session is asynchronous";
                C_AsyncGetID(
                    session: CK_SESSION_HANDLE, function_name: CK_UTF8CHAR_PTR, id: CK_ULONG_PTR
                ) => unsupported "every call ends before it returns; no session is asynchronous";
                C_AsyncJoin(
                    session: CK_SESSION_HANDLE, function_name: CK_UTF8CHAR_PTR, id: CK_ULONG,
                    data: CK_BYTE_PTR, data_len: CK_ULONG
                ) => unsupported "every call ends before it returns; no session is asynchronous";
                C_WrapKeyAuthenticated(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    wrapping_key: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE,
                    associated_data: CK_BYTE_PTR, associated_data_len: CK_ULONG,
                    wrapped_key: CK_BYTE_PTR, wrapped_key_len: CK_ULONG_PTR
                ) => unsupported "keys are wrapped with the AES key wrap or RSAES-OAEP, which need no associated data";
                C_UnwrapKeyAuthenticated(
                    session: CK_SESSION_HANDLE, mechanism: CK_MECHANISM_PTR,
                    unwrapping_key: CK_OBJECT_HANDLE, wrapped_key: CK_BYTE_PTR,
                    wrapped_key_len: CK_ULONG, template: CK_ATTRIBUTE_PTR,
                    attribute_count: CK_ULONG, associated_data: CK_BYTE_PTR,
                    associated_data_len: CK_ULONG, key: CK_OBJECT_HANDLE_PTR
                ) => unsupported "keys are wrapped with the AES key wrap or RSAES-OAEP, which need no associated data";
            }
        }
    };
}

pub(super) use with_functions;
