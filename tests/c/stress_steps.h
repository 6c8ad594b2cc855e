/* What a worker does in each round. A step answers the CK_RV that ended it early, or CKR_OK. */
#ifndef STRESS_STEPS_H
#define STRESS_STEPS_H

#include "stress_openssl.h"
#include "stress_rules.h"

#include <kms_pkcs11.h>

#define OPEN_SLOT 0
#define GUARDED_SLOT 1
#define PIN "sesame-8214"
#define MAKERS_AMONG 8 /* workers: KMS creates five keys a second */
#define BOARD 32

#define ATTRIBUTE(type, value) { (type), &(value), sizeof(value) }

/* The keys in KMS that nobody destroys, and the public halves of two. */
static struct {
    CK_OBJECT_HANDLE p256, p256_public, rsa, mac, symmetric, oaep, oaep_public;
    EVP_PKEY *p256_verifier, *rsa_verifier;
} keys;

/* Objects that any worker uses and destroys: secret keys of sessions, and private keys in KMS. */
static CK_OBJECT_HANDLE secrets[BOARD], privates[BOARD];

static const CK_BYTE SECRET[32] = "thirty-two bytes that all know.";

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY, private_class = CKO_PRIVATE_KEY, data_class = CKO_DATA;
static CK_KEY_TYPE aes_type = CKK_AES, generic_type = CKK_GENERIC_SECRET, ec_type = CKK_EC;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static unsigned long next(struct worker *worker, unsigned long below)
{
    worker->random = worker->random * 6364136223846793005UL + 1442695040888963407UL;
    return (worker->random >> 33) % below;
}

static void fill(struct worker *worker, CK_BYTE *bytes, size_t len)
{
    while (len-- > 0)
        bytes[len] = (CK_BYTE)next(worker, 256);
}

/* Relaxed: handing over a handle orders nothing else. */
static void offer(struct worker *worker, CK_OBJECT_HANDLE *board, CK_OBJECT_HANDLE object)
{
    __atomic_store_n(&board[next(worker, BOARD)], object, __ATOMIC_RELAXED);
}

static CK_OBJECT_HANDLE any(struct worker *worker, CK_OBJECT_HANDLE *board)
{
    return __atomic_load_n(&board[next(worker, BOARD)], __ATOMIC_RELAXED);
}

static CK_RV find(struct worker *worker, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG len,
                  CK_OBJECT_HANDLE found[2], CK_ULONG *number)
{
    TRY(ALONE, C_FindObjectsInit, session, template, len);
    TRY(ALONE, C_FindObjects, session, found, 2, number);
    TRY(ALONE, C_FindObjectsFinal, session);
    return CKR_OK;
}

static CK_RV sign_p256(struct worker *worker, int situation, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                       CK_BYTE digest[DIGEST_LEN], CK_BYTE signature[P256_LEN])
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_ULONG len = 0;
    fill(worker, digest, DIGEST_LEN);
    TRY(situation, C_SignInit, session, &mechanism, key);
    TRY(situation, C_Sign, session, digest, DIGEST_LEN, NULL, &len);
    CHECK(len == P256_LEN);
    TRY(situation, C_Sign, session, digest, DIGEST_LEN, signature, &len);
    CHECK(len == P256_LEN);
    return CKR_OK;
}

static CK_RV look_around(struct worker *worker)
{
    CK_SLOT_ID slots[4];
    CK_MECHANISM_TYPE mechanisms[256];
    CK_TOKEN_INFO token;
    CK_SESSION_INFO session;
    CK_ULONG len = 4;
    TRY(ALONE, C_GetSlotList, CK_TRUE, slots, &len);
    CHECK(len == 2);
    len = 256;
    TRY(ALONE, C_GetMechanismList, OPEN_SLOT, mechanisms, &len);
    TRY(ALONE, C_GetTokenInfo, OPEN_SLOT, &token);
    TRY(ALONE, C_GetSessionInfo, worker->session, &session);
    CHECK(session.slotID == OPEN_SLOT);
    return CKR_OK;
}

static CK_RV find_keys(struct worker *worker)
{
    CK_OBJECT_HANDLE found[2];
    CK_ULONG number;
    CK_ATTRIBUTE template[] = { ATTRIBUTE(CKA_CLASS, private_class), { CKA_LABEL, "p256", 4 } };
    CK_RV rv = find(worker, worker->session, template, 2, found, &number);
    CHECK(rv != CKR_OK || (number == 1 && found[0] == keys.p256));
    return rv;
}

static CK_RV sign_and_verify_p256(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[DIGEST_LEN], signature[P256_LEN];
    CK_RV rv = sign_p256(worker, ALONE, worker->session, keys.p256, digest, signature);
    if (rv != CKR_OK)
        return rv;
    CHECK(p256_verifies(keys.p256_verifier, digest, signature));
    worker->verified++;
    TRY(ALONE, C_VerifyInit, worker->session, &mechanism, keys.p256_public);
    TRY(ALONE, C_Verify, worker->session, digest, sizeof digest, signature, sizeof signature);
    digest[0] ^= 1;
    TRY(ALONE, C_VerifyInit, worker->session, &mechanism, keys.p256_public);
    rv = p11->C_Verify(worker->session, digest, sizeof digest, signature, sizeof signature);
    CHECK(rv == CKR_SIGNATURE_INVALID || is_allowed("C_Verify", ALONE, rv));
    CHECK(rv != CKR_OK);
    return CKR_OK;
}

static CK_RV sign_rsa_in_parts(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_BYTE data[100], signature[RSA_LEN];
    CK_ULONG len = sizeof signature;
    fill(worker, data, sizeof data);
    TRY(ALONE, C_SignInit, worker->session, &mechanism, keys.rsa);
    TRY(ALONE, C_SignUpdate, worker->session, data, 60);
    TRY(ALONE, C_SignUpdate, worker->session, data + 60, sizeof data - 60);
    TRY(ALONE, C_SignFinal, worker->session, signature, &len);
    CHECK(len == RSA_LEN && rsa_verifies(keys.rsa_verifier, data, sizeof data, signature));
    worker->verified++;
    return CKR_OK;
}

static CK_RV mac_in_kms(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE data[50], mac[DIGEST_LEN];
    CK_ULONG len = sizeof mac;
    fill(worker, data, sizeof data);
    TRY(ALONE, C_SignInit, worker->session, &mechanism, keys.mac);
    TRY(ALONE, C_Sign, worker->session, data, sizeof data, mac, &len);
    TRY(ALONE, C_VerifyInit, worker->session, &mechanism, keys.mac);
    TRY(ALONE, C_Verify, worker->session, data, sizeof data, mac, len);
    return CKR_OK;
}

/* Encrypts and decrypts with keys in KMS; what comes back is what went in. */
static CK_RV there_and_back(struct worker *worker, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE there, CK_OBJECT_HANDLE back)
{
    CK_BYTE data[40], secret[1024], plain[1024];
    CK_ULONG len = sizeof secret, plain_len = sizeof plain;
    fill(worker, data, sizeof data);
    TRY(ALONE, C_EncryptInit, worker->session, mechanism, there);
    TRY(ALONE, C_Encrypt, worker->session, data, sizeof data, secret, &len);
    TRY(ALONE, C_DecryptInit, worker->session, mechanism, back);
    TRY(ALONE, C_Decrypt, worker->session, secret, len, plain, &plain_len);
    CHECK(plain_len == sizeof data && memcmp(plain, data, sizeof data) == 0);
    return CKR_OK;
}

static CK_RV encrypt_in_kms(struct worker *worker)
{
    CK_RSA_PKCS_OAEP_PARAMS sha256_oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &sha256_oaep, sizeof sha256_oaep };
    CK_MECHANISM symmetric = { CKM_KMS_SYMMETRIC, NULL, 0 };
    CK_RV rv = there_and_back(worker, &oaep, keys.oaep_public, keys.oaep);
    return rv == CKR_OK ? there_and_back(worker, &symmetric, keys.symmetric, keys.symmetric) : rv;
}

static CK_RV digest_in_parts(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE data[300], digest[DIGEST_LEN], expected[DIGEST_LEN];
    CK_ULONG len = sizeof digest;
    fill(worker, data, sizeof data);
    TRY(ALONE, C_DigestInit, worker->session, &mechanism);
    TRY(ALONE, C_DigestUpdate, worker->session, data, 99);
    TRY(ALONE, C_DigestUpdate, worker->session, data + 99, sizeof data - 99);
    TRY(ALONE, C_DigestFinal, worker->session, digest, &len);
    sha256(data, sizeof data, expected);
    CHECK(len == sizeof digest && memcmp(digest, expected, sizeof digest) == 0);
    TRY(ALONE, C_GenerateRandom, worker->session, data, sizeof data);
    return CKR_OK;
}

static CK_RV create_secret(struct worker *worker, CK_KEY_TYPE *type, CK_OBJECT_HANDLE *object)
{
    CK_ATTRIBUTE template[] = {
        ATTRIBUTE(CKA_CLASS, secret_class), { CKA_KEY_TYPE, type, sizeof *type }, ATTRIBUTE(CKA_TOKEN, no),
        ATTRIBUTE(CKA_SENSITIVE, no), ATTRIBUTE(CKA_EXTRACTABLE, yes), ATTRIBUTE(CKA_SIGN, yes),
        ATTRIBUTE(CKA_ENCRYPT, yes), ATTRIBUTE(CKA_WRAP, yes), ATTRIBUTE(CKA_UNWRAP, yes),
        { CKA_VALUE, (void *)SECRET, sizeof SECRET },
    };
    /* A key that only signs, or only encrypts, is told nothing else. */
    CK_ULONG all = sizeof template / sizeof *template;
    TRY(ALONE, C_CreateObject, worker->session, template, all, object);
    return CKR_OK;
}

static CK_RV share_a_secret(struct worker *worker)
{
    CK_OBJECT_HANDLE object, copy;
    CK_ATTRIBUTE renamed[] = { { CKA_LABEL, "copy", 4 } };
    CK_RV rv = create_secret(worker, &generic_type, &object);
    if (rv != CKR_OK)
        return rv;
    TRY(ALONE, C_CopyObject, worker->session, object, renamed, 1, &copy);
    renamed[0].pValue = "none";
    TRY(ALONE, C_SetAttributeValue, worker->session, copy, renamed, 1);
    offer(worker, secrets, copy);
    TRY(ALONE, C_DestroyObject, worker->session, object);
    return CKR_OK;
}

static CK_RV use_a_shared_secret(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_OBJECT_HANDLE object = any(worker, secrets);
    CK_BYTE data[70], mac[DIGEST_LEN], expected[DIGEST_LEN], value[64];
    CK_ULONG len = sizeof mac;
    CK_ATTRIBUTE wanted = { CKA_VALUE, value, sizeof value };
    fill(worker, data, sizeof data);
    if (object == 0)
        return CKR_OK;
    TRY(SHARED, C_GetAttributeValue, worker->session, object, &wanted, 1);
    CHECK(wanted.ulValueLen == sizeof SECRET && memcmp(value, SECRET, sizeof SECRET) == 0);
    TRY(SHARED, C_SignInit, worker->session, &mechanism, object);
    TRY(SHARED, C_SignUpdate, worker->session, data, sizeof data);
    TRY(SHARED, C_SignFinal, worker->session, mac, &len);
    hmac_sha256(SECRET, data, sizeof data, expected);
    CHECK(len == sizeof mac && memcmp(mac, expected, sizeof mac) == 0);
    if (next(worker, 2) == 0)
        TRY(SHARED, C_DestroyObject, worker->session, object);
    return CKR_OK;
}

static CK_RV wrap_and_unwrap(struct worker *worker)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_HANDLE key, back;
    CK_BYTE wrapped[64], value[64];
    CK_ULONG len = sizeof wrapped;
    CK_ATTRIBUTE wanted = { CKA_VALUE, value, sizeof value };
    CK_ATTRIBUTE template[] = {
        ATTRIBUTE(CKA_CLASS, secret_class), ATTRIBUTE(CKA_KEY_TYPE, aes_type), ATTRIBUTE(CKA_TOKEN, no),
        ATTRIBUTE(CKA_SENSITIVE, no), ATTRIBUTE(CKA_EXTRACTABLE, yes),
    };
    CK_RV rv = create_secret(worker, &aes_type, &key);
    if (rv != CKR_OK)
        return rv;
    TRY(ALONE, C_WrapKey, worker->session, &mechanism, key, key, wrapped, &len);
    CHECK(len == sizeof SECRET + 8);
    TRY(ALONE, C_UnwrapKey, worker->session, &mechanism, key, wrapped, len, template, 5, &back);
    TRY(ALONE, C_GetAttributeValue, worker->session, back, &wanted, 1);
    CHECK(wanted.ulValueLen == sizeof SECRET && memcmp(value, SECRET, sizeof SECRET) == 0);
    TRY(ALONE, C_DestroyObject, worker->session, back);
    TRY(ALONE, C_DestroyObject, worker->session, key);
    return CKR_OK;
}

static CK_RV encrypt_here(struct worker *worker)
{
    CK_BYTE iv[16], data[75], secret[96], plain[96];
    CK_MECHANISM mechanism = { CKM_AES_CBC_PAD, iv, sizeof iv };
    CK_OBJECT_HANDLE key;
    CK_ULONG first = sizeof secret, last;
    CK_RV rv = create_secret(worker, &aes_type, &key);
    if (rv != CKR_OK)
        return rv;
    fill(worker, iv, sizeof iv);
    fill(worker, data, sizeof data);
    TRY(ALONE, C_EncryptInit, worker->session, &mechanism, key);
    TRY(ALONE, C_EncryptUpdate, worker->session, data, sizeof data, secret, &first);
    last = sizeof secret - first;
    TRY(ALONE, C_EncryptFinal, worker->session, secret + first, &last);
    CHECK(aes_cbc_decrypted(SECRET, iv, secret, (int)(first + last), plain) == sizeof data);
    CHECK(memcmp(plain, data, sizeof data) == 0);
    TRY(ALONE, C_DestroyObject, worker->session, key);
    return CKR_OK;
}

static CK_RV keep_data(struct worker *worker)
{
    CK_BYTE value[20], back[20];
    CK_OBJECT_HANDLE object;
    CK_ATTRIBUTE wanted = { CKA_VALUE, back, sizeof back };
    CK_ATTRIBUTE template[] = {
        ATTRIBUTE(CKA_CLASS, data_class), ATTRIBUTE(CKA_TOKEN, no), { CKA_LABEL, "data", 4 },
        { CKA_VALUE, value, sizeof value },
    };
    fill(worker, value, sizeof value);
    TRY(ALONE, C_CreateObject, worker->session, template, 4, &object);
    TRY(ALONE, C_GetAttributeValue, worker->session, object, &wanted, 1);
    CHECK(wanted.ulValueLen == sizeof value && memcmp(value, back, sizeof value) == 0);
    TRY(ALONE, C_DestroyObject, worker->session, object);
    return CKR_OK;
}

/* Makes a pair, renames, finds and uses it; another worker may destroy the private half meanwhile. */
static CK_RV generate(struct worker *worker)
{
    static CK_BYTE p256[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_BYTE id[16], point[67], digest[DIGEST_LEN], signature[P256_LEN];
    CK_OBJECT_HANDLE public, private, found[2];
    CK_ULONG number;
    CK_ATTRIBUTE wanted = { CKA_EC_POINT, point, sizeof point };
    CK_ATTRIBUTE renamed = { CKA_LABEL, "renamed", 7 };
    CK_ATTRIBUTE named[] = { ATTRIBUTE(CKA_CLASS, private_class), ATTRIBUTE(CKA_ID, id) };
    CK_ATTRIBUTE public_template[] = {
        ATTRIBUTE(CKA_KEY_TYPE, ec_type), ATTRIBUTE(CKA_TOKEN, yes), ATTRIBUTE(CKA_VERIFY, yes),
        ATTRIBUTE(CKA_EC_PARAMS, p256), ATTRIBUTE(CKA_ID, id), { CKA_LABEL, "made", 4 },
    };
    CK_ATTRIBUTE private_template[] = {
        ATTRIBUTE(CKA_TOKEN, yes), ATTRIBUTE(CKA_SIGN, yes), ATTRIBUTE(CKA_SENSITIVE, yes),
        ATTRIBUTE(CKA_EXTRACTABLE, no), ATTRIBUTE(CKA_ID, id), { CKA_LABEL, "made", 4 },
    };
    EVP_PKEY *verifier;
    CK_RV rv;
    if (worker->index % MAKERS_AMONG != 0)
        return CKR_OK;
    fill(worker, id, sizeof id);
    TRY(ALONE, C_GenerateKeyPair, worker->session, &mechanism, public_template, 6, private_template, 6, &public, &private);
    TRY(ALONE, C_GetAttributeValue, worker->session, public, &wanted, 1);
    TRY(ALONE, C_SetAttributeValue, worker->session, private, &renamed, 1);
    rv = find(worker, worker->session, named, 2, found, &number);
    CHECK(rv != CKR_OK || (number == 1 && found[0] == private));
    if (rv == CKR_OK)
        rv = sign_p256(worker, ALONE, worker->session, private, digest, signature);
    if (rv == CKR_OK) {
        verifier = p256_key(point);
        CHECK(p256_verifies(verifier, digest, signature));
        EVP_PKEY_free(verifier);
        worker->verified++;
        offer(worker, privates, private);
    }
    return rv;
}

/* What one worker made, another uses while a third may destroy it. */
static CK_RV use_a_shared_key(struct worker *worker)
{
    CK_OBJECT_HANDLE key = any(worker, privates);
    CK_BYTE label[32], digest[DIGEST_LEN], signature[P256_LEN];
    CK_ATTRIBUTE wanted = { CKA_LABEL, label, sizeof label };
    CK_RV rv;
    if (key == 0)
        return CKR_OK;
    TRY(SHARED, C_GetAttributeValue, worker->session, key, &wanted, 1);
    CHECK(wanted.ulValueLen == 7 && memcmp(label, "renamed", 7) == 0);
    rv = sign_p256(worker, SHARED, worker->session, key, digest, signature);
    if (rv == CKR_OK && worker->index % MAKERS_AMONG == 0)
        TRY(SHARED, C_DestroyObject, worker->session, key);
    return rv;
}

static CK_RV log_in_and_out(struct worker *worker)
{
    CK_ATTRIBUTE template[] = { ATTRIBUTE(CKA_CLASS, private_class), { CKA_LABEL, "p256", 4 } };
    CK_BYTE digest[DIGEST_LEN], signature[P256_LEN];
    CK_OBJECT_HANDLE found[2];
    CK_ULONG number;
    CK_RV rv;
    if (worker->guarded == 0)
        TRY(ALONE, C_OpenSession, GUARDED_SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &worker->guarded);
    /* Somebody else's login is as good. */
    judged(worker, __LINE__, "C_Login", GUARDED,
           p11->C_Login(worker->guarded, CKU_USER, (CK_UTF8CHAR *)PIN, sizeof PIN - 1));
    rv = find(worker, worker->guarded, template, 2, found, &number);
    if (rv == CKR_OK && number == 1)
        rv = sign_p256(worker, GUARDED, worker->guarded, found[0], digest, signature);
    if (rv == CKR_OK && number == 1) {
        CHECK(p256_verifies(keys.p256_verifier, digest, signature));
        worker->verified++;
    }
    if (rv == CKR_OK && next(worker, 4) == 0)
        TRY(GUARDED, C_Logout, worker->guarded);
    if (rv == CKR_SESSION_HANDLE_INVALID)
        worker->guarded = 0;
    return CKR_OK;
}

#endif
