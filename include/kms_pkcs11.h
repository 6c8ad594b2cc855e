/*
 * kms-pkcs11: a PKCS#11 module whose keys live in AWS KMS.
 *
 * What is the module's own beside the standard, for programs in C. Include it next to any pkcs11.h: it needs
 * none, and defines neither types nor functions.
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

/* The most bytes of a CKA_ID, and of a CKA_LABEL without characters that need "=XX". */
#define KMS_PKCS11_MAX_ID 128
#define KMS_PKCS11_MAX_LABEL 256

#endif
