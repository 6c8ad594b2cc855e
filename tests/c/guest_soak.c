/*
 * A host that does the same again and again and looks at its own memory. Usage:
 *
 *     guest_soak MODULE KIND THREADS ROUNDS
 *
 * The configured token shows one P-256 pair. Prints a line on stdout: what it did how often, and after the first
 * tenth and at the end the bytes of its heap in use, its resident KiB, its descriptors and its threads.
 */
#define _GNU_SOURCE
#include "host.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

static CK_SESSION_HANDLE opened(void)
{
    CK_SESSION_HANDLE session;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

static CK_OBJECT_HANDLE private_key(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_OBJECT_HANDLE key;
    CK_ULONG count;
    CHECK_RV(p11->C_FindObjectsInit(session, &template, 1), CKR_OK);
    CHECK_RV(p11->C_FindObjects(session, &key, 1, &count), CKR_OK);
    CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
    CHECK(count == 1);
    return key;
}

/* Bytes that are others each time. */
static void fill(CK_BYTE *bytes, size_t size, unsigned long number)
{
    size_t i;
    for (i = 0; i < size; i++) {
        bytes[i] = (CK_BYTE)(number >> 8 * (i % sizeof number));
        number = number * 6364136223846793005UL + 1442695040888963407UL;
    }
}

struct work {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
};

static CK_RV sign(const struct work *work)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature;
    CK_RV rv = p11->C_SignInit(work->session, &mechanism, work->key);
    return rv == CKR_OK ? p11->C_Sign(work->session, digest, sizeof digest, signature, &length) : rv;
}

static void signatures(const struct work *work, unsigned long number)
{
    (void)number;
    CHECK_RV(sign(work), CKR_OK);
}

/* Whatever fails, fails: the test has a reason for it. */
static void failures(const struct work *work, unsigned long number)
{
    (void)number;
    CHECK(sign(work) != CKR_OK);
}

static void sessions(const struct work *work, unsigned long number)
{
    CK_SESSION_HANDLE session = opened();
    (void)work;
    /* Every other one is closed with operations that are not over. */
    if (number % 2 == 0) {
        CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
        CHECK_RV(p11->C_DigestInit(session, &mechanism), CKR_OK);
        CHECK_RV(p11->C_FindObjectsInit(session, NULL, 0), CKR_OK);
    }
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

static void finds(const struct work *work, unsigned long number)
{
    (void)number;
    CHECK(private_key(work->session) == work->key);
}

/* What was looked for in vain must not be kept for ever. */
static void misses(const struct work *work, unsigned long number)
{
    CK_BYTE id[24];
    CK_ATTRIBUTE template = { CKA_ID, id, sizeof id };
    CK_OBJECT_HANDLE found;
    CK_ULONG count;
    fill(id, sizeof id, number);
    CHECK_RV(p11->C_FindObjectsInit(work->session, &template, 1), CKR_OK);
    CHECK_RV(p11->C_FindObjects(work->session, &found, 1, &count), CKR_OK);
    CHECK_RV(p11->C_FindObjectsFinal(work->session), CKR_OK);
    CHECK(count == 0);
}

static void objects(const struct work *work, unsigned long number)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_BBOOL no = CK_FALSE;
    CK_BYTE value[64];
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &type, sizeof type }, { CKA_TOKEN, &no, sizeof no },
        { CKA_VALUE, value, sizeof value }
    };
    CK_OBJECT_HANDLE object;
    fill(value, sizeof value, number);
    CHECK_RV(p11->C_CreateObject(work->session, template, 4, &object), CKR_OK);
    CHECK_RV(p11->C_DestroyObject(work->session, object), CKR_OK);
}

/* On one thread: the state is the token's. */
static void logins(const struct work *work, unsigned long number)
{
    CK_RV wanted = number % 2 == 0 ? CKR_OK : CKR_PIN_INCORRECT;
    const char *pin = wanted == CKR_OK ? "sesame-8214" : "1234";
    CHECK_RV(p11->C_Login(work->session, CKU_USER, (CK_BYTE *)pin, strlen(pin)), wanted);
    if (wanted == CKR_OK)
        CHECK_RV(p11->C_Logout(work->session), CKR_OK);
}

/* On one thread. Every tenth asks KMS, so that the threads and connections come and go, too. */
static void starts(const struct work *work, unsigned long number)
{
    (void)work;
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK_RV(initialize(NULL), CKR_OK);
    if (number % 10 == 0)
        private_key(opened());
}

static const struct kind {
    const char *name;
    void (*once)(const struct work *work, unsigned long number);
    int needs_key;
} kinds[] = {
    { "signatures", signatures, 1 }, { "failures", failures, 1 }, { "sessions", sessions, 0 },
    { "finds", finds, 1 },           { "misses", misses, 0 },     { "objects", objects, 0 },
    { "logins", logins, 0 },         { "starts", starts, 0 },
};

static const struct kind *chosen;
static unsigned long each, warm;
static pthread_barrier_t turn;

static void *repeat(void *first)
{
    unsigned long number, from = (unsigned long)first;
    struct work work = { CK_INVALID_HANDLE, CK_INVALID_HANDLE };
    work.session = opened();
    if (chosen->needs_key)
        work.key = private_key(work.session);
    for (number = 0; number < each; number++) {
        if (number == warm) {
            /* The main thread looks around in between. */
            pthread_barrier_wait(&turn);
            pthread_barrier_wait(&turn);
        }
        chosen->once(&work, from + number);
    }
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn);
    return NULL;
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int count = 0;
    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void look_around(void)
{
    unsigned long size, resident;
    struct mallinfo2 heap;
    FILE *statm;
    /* What threads have freed and keep at hand is not lost. */
    malloc_trim(0);
    heap = mallinfo2();
    statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%lu %lu", &size, &resident) == 2);
    fclose(statm);
    printf(" %zu %lu %d %d", heap.uordblks + heap.hblkhd, resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024,
           entries("/proc/self/fd"), entries("/proc/self/task"));
}

int main(int argc, char **argv)
{
    pthread_t threads[64];
    unsigned long count, i;
    CHECK(argc == 5);
    count = strtoul(argv[3], NULL, 10);
    CHECK(count > 0 && count <= sizeof threads / sizeof *threads);
    each = strtoul(argv[4], NULL, 10) / count;
    warm = each / 10;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, argv[2]) == 0)
            chosen = &kinds[i];
    CHECK(chosen != NULL);
    load(argv[1]);
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(pthread_barrier_init(&turn, NULL, (unsigned)count + 1) == 0);
    for (i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, repeat, (void *)(i * each)) == 0);
    printf("%lu", each * count);
    for (i = 0; i < 2; i++) {
        pthread_barrier_wait(&turn);
        look_around();
        pthread_barrier_wait(&turn);
    }
    printf("\n");
    for (i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    return 0;
}
