/*
 * Encrypts a file of any size under a symmetric key of KMS, and decrypts it again.
 *
 *     cc -I include $(pkg-config --cflags p11-kit-1) -o encrypt_file examples/encrypt_file.c
 *     encrypt_file encrypt|decrypt MODULE TOKEN KEY IN OUT
 *
 * MODULE is the path of libkms_pkcs11.so, TOKEN the label of a token, KEY that of a symmetric key. Each direction
 * costs one request to KMS, however long the file is. examples/README.md has the format.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include <kms_pkcs11.h>

/* What KMS binds the data key to: names and values, each ended by a NUL. The literal ends the last one. */
static const unsigned char CONTEXT[] = "format\0KMSFILE1";
static const unsigned char MAGIC[8] = { 'K', 'M', 'S', 'F', 'I', 'L', 'E', '1' };

enum {
    CHUNK = 1 << 16,     /* bytes of plaintext in a chunk of what is encrypted here */
    MAX_CHUNK = 1 << 24, /* and at most in what is decrypted */
    TAG = 16,
    PREFIX = sizeof MAGIC + 6,
    MAX_HEADER = PREFIX + KMS_PKCS11_MAX_CIPHERTEXT
};

static CK_FUNCTION_LIST_PTR p11;
static CK_SESSION_HANDLE session;
static char partial[4096]; /* the output while it is not whole */

/* Ends the program; what is not whole gets no name. */
static void fail(const char *what)
{
    fprintf(stderr, "encrypt_file: %s\n", what);
    if (partial[0] != '\0')
        unlink(partial);
    exit(1);
}

static void check(CK_RV rv, const char *function)
{
    char what[128];
    if (rv == CKR_OK)
        return;
    snprintf(what, sizeof what, "%s answers %#lx", function, (unsigned long)rv);
    fail(what);
}

static void load(const char *path)
{
    CK_RV (*get)(CK_FUNCTION_LIST_PTR *);
    CK_C_INITIALIZE_ARGS arguments;
    void *library = dlopen(path, RTLD_NOW);
    void *symbol = library != NULL ? dlsym(library, "C_GetFunctionList") : NULL;
    if (symbol == NULL)
        fail("the module cannot be loaded");
    memcpy(&get, &symbol, sizeof get);
    check(get(&p11), "C_GetFunctionList");
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = CKF_OS_LOCKING_OK;
    check(p11->C_Initialize(&arguments), "C_Initialize");
}

static void open_session(const char *label)
{
    CK_SLOT_ID slots[64];
    CK_ULONG count = sizeof slots / sizeof slots[0], i;
    check(p11->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
    for (i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        char padded[sizeof info.label + 1];
        check(p11->C_GetTokenInfo(slots[i], &info), "C_GetTokenInfo");
        snprintf(padded, sizeof padded, "%-*s", (int)sizeof info.label, label);
        if (memcmp(info.label, padded, sizeof info.label) == 0) {
            check(p11->C_OpenSession(slots[i], CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
            return;
        }
    }
    fail("no token has this label");
}

static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE aes = CKK_AES;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_OBJECT_HANDLE find(char *label)
{
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &secret_key, sizeof secret_key },
        { CKA_KEY_TYPE, &aes, sizeof aes },
        { CKA_TOKEN, &yes, sizeof yes },
        { CKA_LABEL, label, strlen(label) },
    };
    CK_OBJECT_HANDLE keys[2];
    CK_ULONG count;
    check(p11->C_FindObjectsInit(session, template, 4), "C_FindObjectsInit");
    check(p11->C_FindObjects(session, keys, 2, &count), "C_FindObjects");
    check(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (count != 1)
        fail(count == 0 ? "no symmetric key has this label" : "several symmetric keys have this label");
    return keys[0];
}

/* The key of one file alone, which this program never sees, and its encrypted copy. */
static CK_OBJECT_HANDLE new_data_key(CK_OBJECT_HANDLE key, unsigned char *wrapped, CK_ULONG *wrapped_len)
{
    KMS_PKCS11_SYMMETRIC_PARAMS params = { key, CONTEXT, sizeof CONTEXT };
    CK_MECHANISM mechanism = { CKM_KMS_SYMMETRIC, &params, sizeof params };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        { CKA_KEY_TYPE, &aes, sizeof aes },
        { CKA_VALUE_LEN, &len, sizeof len },
        { CKA_SENSITIVE, &yes, sizeof yes },
        { CKA_EXTRACTABLE, &no, sizeof no },
    };
    CK_ATTRIBUTE copy = { CKA_KMS_CIPHERTEXT, wrapped, *wrapped_len };
    CK_OBJECT_HANDLE data_key;
    check(p11->C_GenerateKey(session, &mechanism, template, 4, &data_key), "C_GenerateKey");
    check(p11->C_GetAttributeValue(session, data_key, &copy, 1), "C_GetAttributeValue");
    *wrapped_len = copy.ulValueLen;
    return data_key;
}

static CK_OBJECT_HANDLE old_data_key(CK_OBJECT_HANDLE key, unsigned char *wrapped, CK_ULONG wrapped_len)
{
    KMS_PKCS11_SYMMETRIC_PARAMS params = { 0, CONTEXT, sizeof CONTEXT };
    CK_MECHANISM mechanism = { CKM_KMS_SYMMETRIC, &params, sizeof params };
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &secret_key, sizeof secret_key },
        { CKA_KEY_TYPE, &aes, sizeof aes },
        { CKA_SENSITIVE, &yes, sizeof yes },
        { CKA_EXTRACTABLE, &no, sizeof no },
    };
    CK_OBJECT_HANDLE data_key;
    check(p11->C_UnwrapKey(session, &mechanism, key, wrapped, wrapped_len, template, 4, &data_key), "C_UnwrapKey");
    return data_key;
}

static void progress(uint64_t done, uint64_t total)
{
    static int shown = -1;
    int percent = total == 0 || done >= total ? 100 : (int)(done * 100 / total);
    if (percent != shown)
        fprintf(stderr, "\r%3d %%%s", percent, percent == 100 ? "\n" : "");
    shown = percent;
}

/* Turns chunks of `len` bytes into `len + grows` with the one-part function of a fresh operation each. */
static void each_chunk(FILE *in, FILE *out, CK_OBJECT_HANDLE key, unsigned char *header, CK_ULONG header_len,
                       size_t len, uint64_t done, uint64_t total, CK_C_EncryptInit init, CK_C_Encrypt work)
{
    unsigned char *chunk = malloc(len), *next = malloc(len), *answer = malloc(len + TAG), *swap;
    uint64_t number = 0;
    size_t have, more;
    if (chunk == NULL || next == NULL || answer == NULL)
        fail("no memory");
    for (have = fread(chunk, 1, len, in);; have = more, number++) {
        /* The number of the chunk and whether it is the last: chunks cannot change places, nor can the end be cut
           off. Each file has a key of its own, so no nonce comes twice. */
        unsigned char nonce[12] = { 0 };
        CK_GCM_PARAMS gcm = { nonce, sizeof nonce, 8 * sizeof nonce, header, header_len, 8 * TAG };
        CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };
        CK_ULONG answer_len = len + TAG;
        int i;
        more = fread(next, 1, len, in);
        if (ferror(in))
            fail("the input cannot be read");
        for (i = 0; i < 8; i++)
            nonce[i] = (unsigned char)(number >> (56 - 8 * i));
        nonce[11] = more == 0;
        check(init(session, &mechanism, key), "C_EncryptInit or C_DecryptInit");
        check(work(session, chunk, have, answer, &answer_len), "C_Encrypt or C_Decrypt");
        if (fwrite(answer, 1, answer_len, out) != answer_len)
            fail("the output cannot be written");
        done += have;
        progress(done, total);
        if (more == 0)
            break;
        swap = chunk, chunk = next, next = swap;
    }
    memset(chunk, 0, len), memset(next, 0, len), memset(answer, 0, len + TAG);
    free(chunk), free(next), free(answer);
}

static void encrypt(CK_OBJECT_HANDLE key, FILE *in, FILE *out, uint64_t total)
{
    unsigned char header[MAX_HEADER];
    CK_ULONG wrapped_len = KMS_PKCS11_MAX_CIPHERTEXT, header_len;
    CK_OBJECT_HANDLE data_key = new_data_key(key, header + PREFIX, &wrapped_len);
    memcpy(header, MAGIC, sizeof MAGIC);
    header[8] = CHUNK >> 24, header[9] = CHUNK >> 16 & 0xff, header[10] = CHUNK >> 8 & 0xff, header[11] = CHUNK & 0xff;
    header[12] = (unsigned char)(wrapped_len >> 8), header[13] = (unsigned char)wrapped_len;
    header_len = PREFIX + wrapped_len;
    if (fwrite(header, 1, header_len, out) != header_len)
        fail("the output cannot be written");
    each_chunk(in, out, data_key, header, header_len, CHUNK, 0, total, p11->C_EncryptInit, p11->C_Encrypt);
}

static void decrypt(CK_OBJECT_HANDLE key, FILE *in, FILE *out, uint64_t total)
{
    unsigned char header[MAX_HEADER];
    CK_ULONG chunk, wrapped_len;
    if (fread(header, 1, PREFIX, in) != PREFIX || memcmp(header, MAGIC, sizeof MAGIC) != 0)
        fail("not a file of this program");
    chunk = (CK_ULONG)header[8] << 24 | (CK_ULONG)header[9] << 16 | (CK_ULONG)header[10] << 8 | header[11];
    wrapped_len = (CK_ULONG)header[12] << 8 | header[13];
    if (chunk == 0 || chunk > MAX_CHUNK || wrapped_len > KMS_PKCS11_MAX_CIPHERTEXT)
        fail("lengths that this program does not take");
    if (fread(header + PREFIX, 1, wrapped_len, in) != wrapped_len)
        fail("the file ends early");
    each_chunk(in, out, old_data_key(key, header + PREFIX, wrapped_len), header, PREFIX + wrapped_len, chunk + TAG,
               PREFIX + wrapped_len, total, p11->C_DecryptInit, p11->C_Decrypt);
}

int main(int argc, char **argv)
{
    CK_OBJECT_HANDLE key;
    struct stat stat_;
    FILE *in, *out;

    if (argc != 7 || (strcmp(argv[1], "encrypt") != 0 && strcmp(argv[1], "decrypt") != 0)) {
        fprintf(stderr, "usage: encrypt_file encrypt|decrypt MODULE TOKEN KEY IN OUT\n");
        return 1;
    }
    in = fopen(argv[5], "rb");
    if (in == NULL || fstat(fileno(in), &stat_) != 0)
        fail("the input cannot be opened");
    load(argv[2]);
    open_session(argv[3]);
    key = find(argv[4]);
    if (snprintf(partial, sizeof partial, "%s.partial", argv[6]) >= (int)sizeof partial)
        fail("the name of the output is too long");
    out = fopen(partial, "wbx");
    if (out == NULL) {
        partial[0] = '\0'; /* it may be somebody else's */
        fail("the output cannot be made");
    }
    (argv[1][0] == 'e' ? encrypt : decrypt)(key, in, out, (uint64_t)stat_.st_size);
    if (fflush(out) != 0 || fsync(fileno(out)) != 0 || fclose(out) != 0 || rename(partial, argv[6]) != 0)
        fail("the output cannot be written");
    check(p11->C_Finalize(NULL), "C_Finalize");
    return 0;
}
