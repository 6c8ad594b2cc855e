/* What the module made, judged by libcrypto. */
#ifndef STRESS_OPENSSL_H
#define STRESS_OPENSSL_H

#include "host.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#define DIGEST_LEN 32
#define P256_LEN 64
#define RSA_LEN 256

static EVP_PKEY *public_key(const char *type, OSSL_PARAM_BLD *numbers)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(numbers);
    CHECK(context != NULL && parameters != NULL);
    CHECK(EVP_PKEY_fromdata_init(context) == 1);
    CHECK(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(numbers);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* A point as CKA_EC_POINT has it: 65 bytes in an OCTET STRING. */
static EVP_PKEY *p256_key(const CK_BYTE point[67])
{
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    CHECK(numbers != NULL && point[0] == 4 && point[1] == 65);
    CHECK(OSSL_PARAM_BLD_push_utf8_string(numbers, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
    CHECK(OSSL_PARAM_BLD_push_octet_string(numbers, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65) == 1);
    return public_key("EC", numbers);
}

static EVP_PKEY *rsa_key(const CK_BYTE *modulus, CK_ULONG len)
{
    OSSL_PARAM_BLD *numbers = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus, (int)len, NULL), *e = BN_new();
    EVP_PKEY *key;
    CHECK(numbers != NULL && n != NULL && e != NULL && BN_set_word(e, 65537) == 1);
    CHECK(OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_N, n) == 1);
    CHECK(OSSL_PARAM_BLD_push_BN(numbers, OSSL_PKEY_PARAM_RSA_E, e) == 1);
    key = public_key("RSA", numbers);
    BN_free(n);
    BN_free(e);
    return key;
}

static int p256_verifies(EVP_PKEY *key, const CK_BYTE *digest, const CK_BYTE *signature)
{
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    unsigned char *der = NULL;
    int len, verifies;
    CHECK(numbers != NULL && context != NULL);
    CHECK(ECDSA_SIG_set0(numbers, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL)) == 1);
    len = i2d_ECDSA_SIG(numbers, &der);
    CHECK(len > 0 && EVP_PKEY_verify_init(context) == 1);
    verifies = EVP_PKEY_verify(context, der, (size_t)len, digest, DIGEST_LEN) == 1;
    OPENSSL_free(der);
    EVP_PKEY_CTX_free(context);
    ECDSA_SIG_free(numbers);
    return verifies;
}

/* PKCS#1 v1.5 with SHA-256 over the data. */
static int rsa_verifies(EVP_PKEY *key, const CK_BYTE *data, size_t len, const CK_BYTE *signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int verifies;
    CHECK(context != NULL && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    verifies = EVP_DigestVerify(context, signature, RSA_LEN, data, len) == 1;
    EVP_MD_CTX_free(context);
    return verifies;
}

static void sha256(const CK_BYTE *data, size_t len, CK_BYTE digest[DIGEST_LEN])
{
    CHECK(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL) == 1);
}

static void hmac_sha256(const CK_BYTE key[32], const CK_BYTE *data, size_t len, CK_BYTE mac[DIGEST_LEN])
{
    CHECK(HMAC(EVP_sha256(), key, 32, data, len, mac, NULL) != NULL);
}

/* Decrypts AES-256-CBC with PKCS#7 padding; answers the length. */
static int aes_cbc_decrypted(const CK_BYTE key[32], const CK_BYTE iv[16], const CK_BYTE *data, int len, CK_BYTE *plain)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int first, last;
    CHECK(context != NULL && EVP_DecryptInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv) == 1);
    CHECK(EVP_DecryptUpdate(context, plain, &first, data, len) == 1);
    CHECK(EVP_DecryptFinal_ex(context, plain + first, &last) == 1);
    EVP_CIPHER_CTX_free(context);
    return first + last;
}

#endif
