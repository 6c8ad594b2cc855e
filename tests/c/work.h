/*
 * Every kind of work that a host gives the module, once. The host may look at its process before and after each
 * call: then it defines BEFORE() and AFTER(name) before it includes this.
 */
#ifndef WORK_H
#define WORK_H

#include "host.h"

#include <kms_pkcs11.h>

#ifndef BEFORE
#define BEFORE() ((void)0)
#define AFTER(name) ((void)0)
#endif

/* PKCS#11 3.2; the header of p11-kit ends before. */
#define WORK_ML_DSA_KEY_PAIR_GEN 0x1cUL
#define WORK_ML_DSA 0x1dUL
#define WORK_KEY_ML_DSA 0x4aUL
#define WORK_PARAMETER_SET 0x61dUL
#define WORK_ML_DSA_65 2UL

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* A call that has to answer this. */
#define ANSWERS(expected, name, ...)                                                           \
    do {                                                                                       \
        CK_RV answer_;                                                                         \
        BEFORE();                                                                              \
        answer_ = p11->name(__VA_ARGS__);                                                      \
        AFTER(#name);                                                                          \
        CHECK_RV(answer_, expected);                                                           \
    } while (0)

#define DO(name, ...) ANSWERS(CKR_OK, name, __VA_ARGS__)

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY, secret_class = CKO_SECRET_KEY;
static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static CK_BYTE digest_of_nothing[32] = { 0xe3, 0xb0, 0xc4, 0x42 };

static CK_SESSION_HANDLE opened(void)
{
    CK_SESSION_HANDLE session;
    DO(C_OpenSession, 0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    return session;
}

/* The first object of a class, or CK_INVALID_HANDLE. */
static CK_OBJECT_HANDLE first_of(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_OBJECT_HANDLE found[4] = { CK_INVALID_HANDLE };
    CK_ULONG count;
    DO(C_FindObjectsInit, session, &template, 1);
    DO(C_FindObjects, session, found, LENGTH(found), &count);
    DO(C_FindObjectsFinal, session);
    return count > 0 ? found[0] : CK_INVALID_HANDLE;
}

static void sign_and_verify(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE private_key,
                            CK_OBJECT_HANDLE public_key)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_BYTE signature[8192];
    CK_ULONG needed, length = sizeof signature;
    DO(C_SignInit, session, &mechanism, private_key);
    DO(C_Sign, session, digest_of_nothing, sizeof digest_of_nothing, NULL, &needed);
    DO(C_Sign, session, digest_of_nothing, sizeof digest_of_nothing, signature, &length);
    CHECK(length == needed);
    DO(C_VerifyInit, session, &mechanism, public_key);
    DO(C_Verify, session, digest_of_nothing, sizeof digest_of_nothing, signature, length);
    signature[length / 2] ^= 1;
    DO(C_VerifyInit, session, &mechanism, public_key);
    ANSWERS(CKR_SIGNATURE_INVALID, C_Verify, session, digest_of_nothing, sizeof digest_of_nothing, signature, length);
}

static void generate(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public_template,
                     CK_ULONG public_count, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ATTRIBUTE private_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_SENSITIVE, &yes, 1 }, { CKA_EXTRACTABLE, &no, 1 } };
    DO(C_GenerateKeyPair, session, &mechanism, public_template, public_count, private_template,
       LENGTH(private_template), public_key, private_key);
}

static void work_with_p256(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_EC_PARAMS, p256, sizeof p256 }, { CKA_VERIFY, &yes, 1 } };
    CK_ATTRIBUTE label = { CKA_LABEL, "renamed", 7 };
    CK_BYTE point[128];
    CK_ATTRIBUTE read = { CKA_EC_POINT, point, sizeof point };
    CK_OBJECT_HANDLE public_key, private_key;
    generate(session, CKM_EC_KEY_PAIR_GEN, template, LENGTH(template), &public_key, &private_key);
    sign_and_verify(session, CKM_ECDSA, private_key, public_key);
    DO(C_GetAttributeValue, session, public_key, &read, 1);
    DO(C_SetAttributeValue, session, private_key, &label, 1);
    DO(C_DestroyObject, session, private_key);
}

static void work_with_rsa(CK_SESSION_HANDLE session)
{
    CK_ULONG bits = 2048, length = 256, plain_length = 256;
    CK_ATTRIBUTE template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_MODULUS_BITS, &bits, sizeof bits }, { CKA_ENCRYPT, &yes, 1 } };
    CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
    CK_BYTE encrypted[256], plain[256];
    CK_OBJECT_HANDLE public_key, private_key;
    generate(session, CKM_RSA_PKCS_KEY_PAIR_GEN, template, LENGTH(template), &public_key, &private_key);
    DO(C_EncryptInit, session, &mechanism, public_key);
    DO(C_Encrypt, session, (CK_BYTE *)"plain", 5, encrypted, &length);
    DO(C_DecryptInit, session, &mechanism, private_key);
    DO(C_Decrypt, session, encrypted, length, plain, &plain_length);
    CHECK(plain_length == 5 && memcmp(plain, "plain", 5) == 0);
    DO(C_DestroyObject, session, private_key);
}

static void work_with_ml_dsa(CK_SESSION_HANDLE session)
{
    CK_ULONG set = WORK_ML_DSA_65, type = WORK_KEY_ML_DSA;
    CK_ATTRIBUTE template[] = {
        { CKA_TOKEN, &yes, 1 }, { CKA_KEY_TYPE, &type, sizeof type }, { WORK_PARAMETER_SET, &set, sizeof set }
    };
    CK_OBJECT_HANDLE public_key, private_key;
    generate(session, WORK_ML_DSA_KEY_PAIR_GEN, template, LENGTH(template), &public_key, &private_key);
    sign_and_verify(session, WORK_ML_DSA, private_key, public_key);
    DO(C_DestroyObject, session, private_key);
}

/* A symmetric key of KMS: a data key under it, wrapped and unwrapped, and a block under that. */
static void work_with_aes(CK_SESSION_HANDLE session)
{
    CK_ULONG size = 32, type = CKK_AES, wrapped_length = 1024, length = 64;
    CK_ATTRIBUTE kept[] = {
        { CKA_TOKEN, &yes, 1 }, { CKA_VALUE_LEN, &size, sizeof size }, { CKA_EXTRACTABLE, &no, 1 }, { CKA_WRAP, &yes, 1 },
        { CKA_UNWRAP, &yes, 1 }
    };
    CK_ATTRIBUTE held[] = {
        { CKA_CLASS, &secret_class, sizeof secret_class }, { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 }, { CKA_ENCRYPT, &yes, 1 }
    };
    CK_MECHANISM generating = { CKM_AES_KEY_GEN, NULL, 0 }, wrapping = { CKM_KMS_SYMMETRIC, NULL, 0 };
    CK_BYTE iv[16] = { 0 }, wrapped[1024], encrypted[64];
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof iv };
    CK_OBJECT_HANDLE key, data_key, unwrapped;
    CK_ATTRIBUTE sized[] = {
        { CKA_KEY_TYPE, &type, sizeof type }, { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &size, sizeof size },
        { CKA_EXTRACTABLE, &yes, 1 }
    };
    KMS_PKCS11_SYMMETRIC_PARAMS under = { 0, NULL, 0 };
    CK_MECHANISM data_keys = { CKM_KMS_SYMMETRIC, &under, sizeof under };
    DO(C_GenerateKey, session, &generating, kept, LENGTH(kept), &key);
    under.hKey = key;
    DO(C_GenerateKey, session, &data_keys, sized, LENGTH(sized), &data_key);
    DO(C_WrapKey, session, &wrapping, key, data_key, wrapped, &wrapped_length);
    DO(C_UnwrapKey, session, &wrapping, key, wrapped, wrapped_length, held, LENGTH(held), &unwrapped);
    DO(C_EncryptInit, session, &cbc, unwrapped);
    DO(C_Encrypt, session, (CK_BYTE *)"plain", 5, encrypted, &length);
    CHECK(length == 16);
    DO(C_DestroyObject, session, unwrapped);
    DO(C_DestroyObject, session, data_key);
    DO(C_DestroyObject, session, key);
}

static void import_keys(CK_SESSION_HANDLE session)
{
    CK_ULONG ec = CKK_EC, aes = CKK_AES;
    CK_BYTE bytes[32];
    CK_ATTRIBUTE scalar[] = {
        { CKA_CLASS, &private_class, sizeof private_class }, { CKA_KEY_TYPE, &ec, sizeof ec }, { CKA_TOKEN, &yes, 1 },
        { CKA_EC_PARAMS, p256, sizeof p256 }, { CKA_VALUE, bytes, sizeof bytes }
    };
    CK_ATTRIBUTE secret[] = {
        { CKA_CLASS, &secret_class, sizeof secret_class }, { CKA_KEY_TYPE, &aes, sizeof aes }, { CKA_TOKEN, &yes, 1 },
        { CKA_VALUE, bytes, sizeof bytes }
    };
    CK_OBJECT_HANDLE key;
    memset(bytes, 7, sizeof bytes);
    DO(C_CreateObject, session, scalar, LENGTH(scalar), &key);
    DO(C_DestroyObject, session, key);
    DO(C_CreateObject, session, secret, LENGTH(secret), &key);
    DO(C_DestroyObject, session, key);
}

static void work_without_keys(CK_SESSION_HANDLE session)
{
    CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
    CK_MECHANISM_TYPE mechanisms[256];
    CK_TOKEN_INFO token;
    CK_SLOT_ID slots[4];
    CK_INFO info;
    CK_BYTE bytes[64];
    CK_ULONG count = LENGTH(slots), length = sizeof bytes;
    DO(C_GetInfo, &info);
    DO(C_GetSlotList, CK_TRUE, slots, &count);
    DO(C_GetTokenInfo, 0, &token);
    count = LENGTH(mechanisms);
    DO(C_GetMechanismList, 0, mechanisms, &count);
    DO(C_DigestInit, session, &sha256);
    DO(C_DigestUpdate, session, (CK_BYTE *)"part", 4);
    DO(C_DigestFinal, session, bytes, &length);
    DO(C_GenerateRandom, session, bytes, sizeof bytes);
    DO(C_Login, session, CKU_USER, (CK_BYTE *)"1234", 4);
    DO(C_Logout, session);
}

/* What fails, and what is looked for in vain. */
static void fail(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_ATTRIBUTE nobody = { CKA_LABEL, "nobody", 6 };
    CK_OBJECT_HANDLE found;
    CK_ULONG count;
    ANSWERS(CKR_KEY_HANDLE_INVALID, C_SignInit, session, &mechanism, 4711);
    ANSWERS(CKR_SESSION_HANDLE_INVALID, C_FindObjectsInit, session + 4711, &nobody, 1);
    ANSWERS(CKR_ARGUMENTS_BAD, C_GetInfo, NULL);
    DO(C_FindObjectsInit, session, &nobody, 1);
    DO(C_FindObjects, session, &found, 1, &count);
    CHECK(count == 0);
    DO(C_FindObjectsFinal, session);
}

/* All of it between C_Initialize and C_Finalize; the token has one P-256 pair from before. */
static void everything(void)
{
    CK_C_INITIALIZE_ARGS arguments = { NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, NULL };
    CK_SESSION_HANDLE session;
    DO(C_Initialize, &arguments);
    session = opened();
    sign_and_verify(session, CKM_ECDSA, first_of(session, CKO_PRIVATE_KEY), first_of(session, CKO_PUBLIC_KEY));
    work_without_keys(session);
    work_with_p256(session);
    work_with_rsa(session);
    work_with_ml_dsa(session);
    work_with_aes(session);
    import_keys(session);
    fail(session);
    DO(C_CloseSession, session);
    DO(C_CloseAllSessions, 0);
    DO(C_Finalize, NULL);
}

#endif
