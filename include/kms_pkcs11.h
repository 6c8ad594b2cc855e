/*
 * kms-pkcs11: a PKCS#11 module whose keys live in AWS KMS.
 *
 * What is the module's own beside the standard, for programs in C. Include it next to any pkcs11.h: it needs
 * none. Its two structures are the parameters of the module's own mechanisms.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef KMS_PKCS11_H
#define KMS_PKCS11_H

/* The version of the module that this header came with; C_GetInfo tells the loaded one's. */
#define KMS_PKCS11_VERSION_MAJOR 0
#define KMS_PKCS11_VERSION_MINOR 1
#define KMS_PKCS11_VERSION_PATCH 0
#define KMS_PKCS11_VERSION "0.1.0"

/* The name for dlopen. */
#define KMS_PKCS11_LIBRARY "libkms_pkcs11.so"

/* manufacturerID of library, slots and tokens, without its padding. */
#define KMS_PKCS11_MANUFACTURER "kms-pkcs11"

/* The label of the one token that there is without a configuration file. */
#define KMS_PKCS11_DEFAULT_TOKEN_LABEL "aws-kms"

/*
 * The reserved string of C_Initialize (pReserved of CK_C_INITIALIZE_ARGS): parameters separated by blanks, each
 * a key, an equals sign and a value. The one key names the configuration file:
 *
 *     KMS_PKCS11_RESERVED_CONFIG "=/etc/ca/kms-pkcs11.toml"
 */
#define KMS_PKCS11_RESERVED_CONFIG "config"

/* Environment: the path of the configuration file, unless the reserved string names one. */
#define KMS_PKCS11_ENV_CONFIG "KMS_PKCS11_CONFIG"

/* Environment: the level of the log, in place of the configured one: off, error, warn, info, debug, trace. */
#define KMS_PKCS11_ENV_LOG "KMS_PKCS11_LOG"

/*
 * Tags of a KMS key that hold the names of its objects. CKA_ID is in hexadecimal. CKA_LABEL is text, in which
 * "=XX" stands for the byte with this hexadecimal value. Those of the public key object are there only where they
 * differ from the private one's.
 */
#define KMS_PKCS11_TAG_ID "p11:id"
#define KMS_PKCS11_TAG_LABEL "p11:label"
#define KMS_PKCS11_TAG_PUBLIC_ID "p11:public-id"
#define KMS_PKCS11_TAG_PUBLIC_LABEL "p11:public-label"

/*
 * Tags of a KMS key that hold the certificates of its public key. Each begins with KMS_PKCS11_TAG_CERTIFICATE and
 * the number of the certificate in decimal. A dot and two digits, "00" and up, follow in those that hold its DER,
 * each up to 192 bytes of it in Base64; KMS_PKCS11_TAG_CERTIFICATE_... in those that hold what its creator said of
 * it, its names encoded like the key's and its CKA_CERTIFICATE_CATEGORY in decimal:
 *
 *     p11:cert0.00  p11:cert0.01  p11:cert0.label
 */
#define KMS_PKCS11_TAG_CERTIFICATE "p11:cert"
#define KMS_PKCS11_TAG_CERTIFICATE_ID ".id"
#define KMS_PKCS11_TAG_CERTIFICATE_LABEL ".label"
#define KMS_PKCS11_TAG_CERTIFICATE_CATEGORY ".category"

/*
 * Tags of a KMS key that hold what its maker wanted of it. The CKA_ALLOWED_MECHANISMS of the private or secret
 * key, and of the public key: mechanism numbers in hexadecimal, separated by blanks. The CKA_KEY_TYPE of an HMAC
 * key that was made for its hash: SHA224_HMAC, SHA256_HMAC, SHA384_HMAC or SHA512_HMAC.
 */
#define KMS_PKCS11_TAG_MECHANISMS "p11:mechanisms"
#define KMS_PKCS11_TAG_PUBLIC_MECHANISMS "p11:public-mechanisms"
#define KMS_PKCS11_TAG_KEY_TYPE "p11:key-type"

/*
 * Tag of a KMS key that the module made: 32 hexadecimal digits that no other key has. A key whose creation was not
 * answered is found by it.
 */
#define KMS_PKCS11_TAG_CREATED "p11:created"

/*
 * Symmetric keys of KMS (CKO_SECRET_KEY, CKK_AES, made by CKM_AES_KEY_GEN with CKA_TOKEN and CKA_VALUE_LEN 32).
 *
 * CKM_KMS_SYMMETRIC, each time with one request to KMS:
 *     C_Encrypt, C_Decrypt    1 to 4096 bytes in one part
 *     C_WrapKey, C_UnwrapKey  secret keys of the session
 *     C_GenerateKey           a data key: a secret key of the session, made by KMS, whose encrypted copy is
 *                             CKA_KMS_CIPHERTEXT; KMS_PKCS11_SYMMETRIC_PARAMS names the KMS key
 * Ciphertexts and wrapped keys are those of KMS: any client of KMS can decrypt them, and the other way round.
 *
 * CKM_KMS_REENCRYPT: C_Encrypt, whose data is such a ciphertext and whose answer is one of the key that
 * C_EncryptInit names. The plaintext does not leave KMS.
 */
#define CKM_KMS_SYMMETRIC 0xCB4D0001UL
#define CKM_KMS_REENCRYPT 0xCB4D0002UL

/* The copy of a data key that KMS encrypted: what C_UnwrapKey takes. Bytes. */
#define CKA_KMS_CIPHERTEXT 0xCB4D0001UL

/*
 * The rotation of a symmetric key of KMS. KMS is asked each time one of these is read: once a call for the first
 * four, and once for the last two. No find looks at them.
 */
#define CKA_KMS_ROTATION_ENABLED 0xCB4D0002UL    /* CK_BBOOL: KMS rotates the key by itself */
#define CKA_KMS_ROTATION_PERIOD 0xCB4D0003UL     /* CK_ULONG: days between two of these rotations, or 0 */
#define CKA_KMS_NEXT_ROTATION 0xCB4D0004UL       /* CK_DATE: the next of these rotations, or empty */
#define CKA_KMS_ON_DEMAND_ROTATION 0xCB4D0005UL  /* CK_DATE: when the one on demand began that is under way, or empty */
#define CKA_KMS_AUTOMATIC_ROTATIONS 0xCB4D0006UL /* CK_ULONG: how many of the first kind there were */
#define CKA_KMS_ON_DEMAND_ROTATIONS 0xCB4D0007UL /* CK_ULONG: how many of the second kind */

/*
 * An encryption context: names and values in turn, each UTF-8 and followed by a NUL.
 *
 *     "application\0recordings\0cluster\0example.com\0"
 *
 * What is encrypted with a context is decrypted with the same one alone. It is no secret: AWS logs it. A NULL
 * pointer means the token's own context, which is encryption_context in the configuration; so does no parameter
 * at all. A pointer with the length 0 means no context.
 */

/* Parameter of CKM_KMS_SYMMETRIC, or none. */
typedef struct KMS_PKCS11_SYMMETRIC_PARAMS {
    unsigned long hKey;            /* C_GenerateKey: the KMS key; 0 in other functions */
    const unsigned char *pContext; /* an encryption context */
    unsigned long ulContextLen;    /* its bytes, the last NUL included */
} KMS_PKCS11_SYMMETRIC_PARAMS;

/* Parameter of CKM_KMS_REENCRYPT, or none. */
typedef struct KMS_PKCS11_REENCRYPT_PARAMS {
    unsigned long hSourceKey;            /* the key of the ciphertext, or 0: the one that it names */
    const unsigned char *pSourceContext; /* the ciphertext's encryption context */
    unsigned long ulSourceContextLen;
    const unsigned char *pContext;       /* that of the new one */
    unsigned long ulContextLen;
} KMS_PKCS11_REENCRYPT_PARAMS;

/* The most bytes of a plaintext of CKM_KMS_SYMMETRIC, of a ciphertext, and of a data key. */
#define KMS_PKCS11_MAX_PLAINTEXT 4096
#define KMS_PKCS11_MAX_CIPHERTEXT 6144
#define KMS_PKCS11_MAX_DATA_KEY 1024

/* The most bytes of a CKA_ID, and of a CKA_LABEL without characters that need "=XX". */
#define KMS_PKCS11_MAX_ID 128
#define KMS_PKCS11_MAX_LABEL 256

#endif
