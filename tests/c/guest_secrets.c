/*
 * A host that hands the module secrets and gets some from it, wipes its own copies, and looks for others in its
 * memory when all is over. Usage: guest_secrets MODULE PIN_FILE keys|pin|program. Prints the names of those that it
 * finds on stdout. With `program`, the file has no PIN, but what the credential_process answers as the secret key.
 */
#define _GNU_SOURCE
#include "host.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <kms_pkcs11.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))
#define NEEDLE 16
/* What this host itself keeps of a secret is another one. */
#define MASK 0xa5

static struct needle {
    const char *name;
    unsigned char bytes[NEEDLE];
    int found;
} needles[32];
static size_t needle_count;

/* As the compiler may not leave out. */
static void wipe(void *bytes, size_t size)
{
    volatile unsigned char *byte = bytes;
    while (size-- > 0)
        *byte++ = 0;
}

static void add_needle(const char *name, const unsigned char *bytes)
{
    size_t i;
    CHECK(needle_count < LENGTH(needles));
    needles[needle_count].name = name;
    for (i = 0; i < NEEDLE; i++)
        needles[needle_count].bytes[i] = bytes[i] ^ MASK;
    needle_count++;
}

/* Of at least 18 bytes: as they are, and as they are written in KMS's answers. */
static void remember(const char *name, const char *name_in_base64, const unsigned char *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char text[NEEDLE];
    size_t i;
    for (i = 0; i < NEEDLE / 4; i++) {
        const unsigned char *three = bytes + 3 * i;
        text[4 * i] = digits[three[0] >> 2];
        text[4 * i + 1] = digits[(three[0] & 3) << 4 | three[1] >> 4];
        text[4 * i + 2] = digits[(three[1] & 15) << 2 | three[2] >> 6];
        text[4 * i + 3] = digits[three[2] & 63];
    }
    add_needle(name, bytes);
    add_needle(name_in_base64, text);
    wipe(text, sizeof text);
}

/* Looks through the writable memory of this process; answers how many needles are there. */
static int search(void)
{
    static unsigned char chunk[1 << 16];
    static unsigned char begins[1 << 16];
    int memory = open("/proc/self/mem", O_RDONLY), count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, end;
    char line[512];
    size_t i;
    CHECK(memory >= 0 && maps != NULL);
    memset(begins, 0, sizeof begins);
    for (i = 0; i < needle_count; i++) {
        needles[i].found = 0;
        begins[(needles[i].bytes[0] ^ MASK) << 8 | (needles[i].bytes[1] ^ MASK)] = 1;
    }
    while (fgets(line, sizeof line, maps) != NULL) {
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3 || strncmp(rights, "rw", 2) != 0)
            continue;
        for (; start < end; start += sizeof chunk - NEEDLE) {
            size_t wanted = end - start < sizeof chunk ? end - start : sizeof chunk, at;
            ssize_t got = pread(memory, chunk, wanted, (off_t)start);
            for (at = 0; got > 0 && at + NEEDLE <= (size_t)got; at++) {
                if (!begins[chunk[at] << 8 | chunk[at + 1]])
                    continue;
                for (i = 0; i < needle_count; i++) {
                    size_t same = 0;
                    while (same < NEEDLE && (chunk[at + same] ^ MASK) == needles[i].bytes[same])
                        same++;
                    needles[i].found |= same == NEEDLE;
                }
            }
            wipe(chunk, sizeof chunk);
        }
    }
    fclose(maps);
    close(memory);
    for (i = 0; i < needle_count; i++)
        count += needles[i].found;
    return count;
}

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_KEY_TYPE aes = CKK_AES, generic = CKK_GENERIC_SECRET;
static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_ULONG size_of_key = 32;

/* What the program may see of a secret key. */
static void remember_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const char *name, const char *in_base64)
{
    unsigned char value[32];
    CK_ATTRIBUTE read = { CKA_VALUE, value, sizeof value };
    CHECK_RV(p11->C_GetAttributeValue(session, key, &read, 1), CKR_OK);
    CHECK(read.ulValueLen == sizeof value);
    remember(name, in_base64, value);
    wipe(value, sizeof value);
}

static void use_symmetric_key(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE kept[] = {
        { CKA_TOKEN, &yes, 1 }, { CKA_VALUE_LEN, &size_of_key, sizeof size_of_key }, { CKA_EXTRACTABLE, &no, 1 },
        { CKA_WRAP, &yes, 1 }, { CKA_UNWRAP, &yes, 1 }, { CKA_ENCRYPT, &yes, 1 }, { CKA_DECRYPT, &yes, 1 }
    };
    CK_ATTRIBUTE data_key[] = {
        { CKA_KEY_TYPE, &aes, sizeof aes }, { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &size_of_key, sizeof size_of_key },
        { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 }
    };
    CK_ATTRIBUTE unwrapped[] = {
        { CKA_CLASS, &secret_class, sizeof secret_class }, { CKA_KEY_TYPE, &aes, sizeof aes }, { CKA_TOKEN, &no, 1 },
        { CKA_SENSITIVE, &no, 1 }, { CKA_EXTRACTABLE, &yes, 1 }
    };
    KMS_PKCS11_SYMMETRIC_PARAMS under = { 0, NULL, 0 };
    CK_MECHANISM generating = { CKM_AES_KEY_GEN, NULL, 0 }, wrapping = { CKM_KMS_SYMMETRIC, NULL, 0 };
    CK_MECHANISM data_keys = { CKM_KMS_SYMMETRIC, &under, sizeof under };
    unsigned char wrapped[1024], plain[48], encrypted[1024];
    CK_ULONG length = sizeof wrapped, plain_length = sizeof plain;
    CK_OBJECT_HANDLE key, made;
    CHECK_RV(p11->C_GenerateKey(session, &generating, kept, LENGTH(kept), &key), CKR_OK);
    under.hKey = key;
    CHECK_RV(p11->C_GenerateKey(session, &data_keys, data_key, LENGTH(data_key), &made), CKR_OK);
    remember_value(session, made, "data key", "data key in base64");
    CHECK_RV(p11->C_DestroyObject(session, made), CKR_OK);

    CHECK_RV(p11->C_GenerateKey(session, &data_keys, data_key, LENGTH(data_key), &made), CKR_OK);
    CHECK_RV(p11->C_WrapKey(session, &wrapping, key, made, wrapped, &length), CKR_OK);
    CHECK_RV(p11->C_DestroyObject(session, made), CKR_OK);
    CHECK_RV(p11->C_UnwrapKey(session, &wrapping, key, wrapped, length, unwrapped, LENGTH(unwrapped), &made), CKR_OK);
    remember_value(session, made, "unwrapped key", "unwrapped key in base64");
    CHECK_RV(p11->C_DestroyObject(session, made), CKR_OK);

    CHECK(getrandom(plain, sizeof plain, 0) == sizeof plain);
    remember("plaintext", "plaintext in base64", plain);
    length = sizeof encrypted;
    CHECK_RV(p11->C_EncryptInit(session, &wrapping, key), CKR_OK);
    CHECK_RV(p11->C_Encrypt(session, plain, sizeof plain, encrypted, &length), CKR_OK);
    CHECK_RV(p11->C_DecryptInit(session, &wrapping, key), CKR_OK);
    CHECK_RV(p11->C_Decrypt(session, encrypted, length, plain, &plain_length), CKR_OK);
    wipe(plain, sizeof plain);
    CHECK_RV(p11->C_DestroyObject(session, key), CKR_OK);
}

static void use_rsa_key(CK_SESSION_HANDLE session)
{
    CK_ULONG bits = 2048, length = 256, plain_length = 256;
    CK_ATTRIBUTE public_template[] = {
        { CKA_TOKEN, &yes, 1 }, { CKA_MODULUS_BITS, &bits, sizeof bits }, { CKA_ENCRYPT, &yes, 1 }
    };
    CK_ATTRIBUTE private_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_DECRYPT, &yes, 1 } };
    CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_MECHANISM generating = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep };
    unsigned char plain[256], encrypted[256];
    CK_OBJECT_HANDLE public_key, private_key;
    CHECK_RV(p11->C_GenerateKeyPair(session, &generating, public_template, LENGTH(public_template), private_template,
                                    LENGTH(private_template), &public_key, &private_key),
             CKR_OK);
    CHECK(getrandom(plain, 48, 0) == 48);
    remember("decrypted by RSA", "decrypted by RSA in base64", plain);
    CHECK_RV(p11->C_EncryptInit(session, &mechanism, public_key), CKR_OK);
    CHECK_RV(p11->C_Encrypt(session, plain, 48, encrypted, &length), CKR_OK);
    CHECK_RV(p11->C_DecryptInit(session, &mechanism, private_key), CKR_OK);
    CHECK_RV(p11->C_Decrypt(session, encrypted, length, plain, &plain_length), CKR_OK);
    CHECK(plain_length == 48);
    wipe(plain, sizeof plain);
}

static void agree_on_key(CK_SESSION_HANDLE session)
{
    CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 }, point[128];
    CK_ATTRIBUTE public_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_EC_PARAMS, p256, sizeof p256 } };
    CK_ATTRIBUTE private_template[] = { { CKA_TOKEN, &yes, 1 }, { CKA_DERIVE, &yes, 1 } };
    CK_ATTRIBUTE read = { CKA_EC_POINT, point, sizeof point };
    CK_ATTRIBUTE derived[] = {
        { CKA_CLASS, &secret_class, sizeof secret_class }, { CKA_KEY_TYPE, &generic, sizeof generic },
        { CKA_TOKEN, &no, 1 }, { CKA_VALUE_LEN, &size_of_key, sizeof size_of_key }, { CKA_SENSITIVE, &no, 1 },
        { CKA_EXTRACTABLE, &yes, 1 }
    };
    CK_ECDH1_DERIVE_PARAMS agreement = { 1, 0, NULL, 0, point };
    CK_MECHANISM generating = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM deriving = { CKM_ECDH1_DERIVE, &agreement, sizeof agreement };
    CK_OBJECT_HANDLE public_key, private_key, peer, unused, secret;
    CHECK_RV(p11->C_GenerateKeyPair(session, &generating, public_template, 2, private_template, 2, &public_key, &private_key),
             CKR_OK);
    CHECK_RV(p11->C_GenerateKeyPair(session, &generating, public_template, 2, private_template, 2, &peer, &unused), CKR_OK);
    CHECK_RV(p11->C_GetAttributeValue(session, peer, &read, 1), CKR_OK);
    agreement.ulPublicDataLen = read.ulValueLen;
    CHECK_RV(p11->C_DeriveKey(session, &deriving, private_key, derived, LENGTH(derived), &secret), CKR_OK);
    remember_value(session, secret, "agreed key", "agreed key in base64");
    /* This one stays until the session ends. */
}

int main(int argc, char **argv)
{
    unsigned char pin[512];
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE found;
    CK_ULONG count;
    ssize_t length;
    size_t i;
    int file;
    CHECK(argc == 4);
    load(argv[1]);
    file = open(argv[2], O_RDONLY);
    CHECK(file >= 0);
    length = read(file, pin, sizeof pin);
    close(file);
    CHECK(length >= 2 * NEEDLE);
    add_needle("beginning of the PIN", pin);
    add_needle("end of the PIN", pin + length - NEEDLE);
    CHECK(search() == 2);

    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    if (strcmp(argv[3], "program") != 0)
        CHECK_RV(p11->C_Login(session, CKU_USER, pin, (CK_ULONG)length), CKR_OK);
    wipe(pin, sizeof pin);
    CHECK_RV(p11->C_FindObjectsInit(session, NULL, 0), CKR_OK);
    CHECK_RV(p11->C_FindObjects(session, &found, 1, &count), CKR_OK);
    CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
    if (strcmp(argv[3], "keys") == 0) {
        use_symmetric_key(session);
        use_rsa_key(session);
        agree_on_key(session);
    }
    if (strcmp(argv[3], "program") != 0)
        CHECK_RV(p11->C_Logout(session), CKR_OK);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    search();
    for (i = 0; i < needle_count; i++)
        if (needles[i].found)
            printf("%s\n", needles[i].name);
    return 0;
}
