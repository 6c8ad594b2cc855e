/*
 * Threads that do everything at once. Usage: stress_host MODULE THREADS ROUNDS TIMES, where the configuration has two
 * tokens over the same keys, the second with a PIN. Each time, the module is initialised, every thread goes through
 * ROUNDS rounds at least, and C_Finalize is called while all of them go on. Prints what was done as one JSON object.
 */
#include "stress_steps.h"

#include <time.h>

/* Rounds of the first worker after which it closes all sessions of both tokens. */
#define CLOSE_EVERY 2

static const struct {
    const char *name;
    CK_RV (*run)(struct worker *);
} STEPS[] = {
    { "look_around", look_around },
    { "find_keys", find_keys },
    { "sign_and_verify_p256", sign_and_verify_p256 },
    { "sign_rsa_in_parts", sign_rsa_in_parts },
    { "mac_in_kms", mac_in_kms },
    { "encrypt_in_kms", encrypt_in_kms },
    { "digest_in_parts", digest_in_parts },
    { "share_a_secret", share_a_secret },
    { "use_a_shared_secret", use_a_shared_secret },
    { "wrap_and_unwrap", wrap_and_unwrap },
    { "encrypt_here", encrypt_here },
    { "keep_data", keep_data },
    { "generate", generate },
    { "use_a_shared_key", use_a_shared_key },
    { "log_in_and_out", log_in_and_out },
};
#define STEPS_LEN (sizeof STEPS / sizeof *STEPS)

static unsigned long rounds;

static CK_RV open_session(struct worker *worker)
{
    TRY(ALONE, C_OpenSession, OPEN_SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &worker->session);
    return CKR_OK;
}

static CK_RV close_all_sessions(struct worker *worker)
{
    TRY(ALONE, C_CloseAllSessions, OPEN_SLOT);
    TRY(ALONE, C_CloseAllSessions, GUARDED_SLOT);
    return CKR_OK;
}

/* Every step once, beginning anywhere. Answers whether the module is still there. */
static int go_round(struct worker *worker)
{
    size_t first = next(worker, STEPS_LEN), i;
    for (i = 0; i < STEPS_LEN; i++) {
        CK_RV rv = worker->session == 0 ? open_session(worker) : CKR_OK;
        if (rv == CKR_OK)
            rv = STEPS[(first + i) % STEPS_LEN].run(worker);
        if (rv == CKR_SESSION_HANDLE_INVALID)
            worker->session = 0;
        if (rv == CKR_CRYPTOKI_NOT_INITIALIZED)
            return 0;
    }
    return 1;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    unsigned long done;
    for (done = 1; go_round(worker); done++) {
        /* Read by the main thread alone, which starts nothing by it but C_Finalize. */
        __atomic_store_n(&worker->rounds, done, __ATOMIC_RELAXED);
        if (worker->index == 0 && done % CLOSE_EVERY == 0)
            close_all_sessions(worker);
        if (next(worker, 8) == 0 && worker->session != 0) {
            judged(worker, __LINE__, "C_CloseSession", ALONE, p11->C_CloseSession(worker->session));
            worker->session = 0;
        }
    }
    return NULL;
}

static CK_OBJECT_HANDLE find_one(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class, char *label)
{
    CK_ATTRIBUTE template[] = { ATTRIBUTE(CKA_CLASS, class), { CKA_LABEL, label, strlen(label) } };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG number;
    CHECK_RV(p11->C_FindObjectsInit(session, template, 2), CKR_OK);
    CHECK_RV(p11->C_FindObjects(session, found, 2, &number), CKR_OK);
    CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
    CHECK(number == 1);
    return found[0];
}

static void find_all_keys(void)
{
    CK_BYTE point[67], modulus[RSA_LEN];
    CK_ATTRIBUTE p256 = { CKA_EC_POINT, point, sizeof point }, rsa = { CKA_MODULUS, modulus, sizeof modulus };
    CK_SESSION_HANDLE session;
    CHECK_RV(p11->C_OpenSession(OPEN_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    keys.p256 = find_one(session, CKO_PRIVATE_KEY, "p256");
    keys.p256_public = find_one(session, CKO_PUBLIC_KEY, "p256");
    keys.rsa = find_one(session, CKO_PRIVATE_KEY, "rsa");
    keys.oaep = find_one(session, CKO_PRIVATE_KEY, "oaep");
    keys.oaep_public = find_one(session, CKO_PUBLIC_KEY, "oaep");
    keys.mac = find_one(session, CKO_SECRET_KEY, "mac");
    keys.symmetric = find_one(session, CKO_SECRET_KEY, "symmetric");
    CHECK_RV(p11->C_GetAttributeValue(session, keys.p256_public, &p256, 1), CKR_OK);
    keys.p256_verifier = p256_key(point);
    CHECK_RV(p11->C_GetAttributeValue(session, find_one(session, CKO_PUBLIC_KEY, "rsa"), &rsa, 1), CKR_OK);
    keys.rsa_verifier = rsa_key(modulus, rsa.ulValueLen);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

/* From C_Initialize to C_Finalize. */
static void run(struct worker *workers, unsigned threads)
{
    struct timespec moment = { 0, 10 * 1000 * 1000 };
    unsigned i;
    CHECK_RV(initialize(NULL), CKR_OK);
    find_all_keys();
    memset(secrets, 0, sizeof secrets);
    memset(privates, 0, sizeof privates);
    __atomic_store_n(&finalizing, 0, __ATOMIC_RELAXED);
    for (i = 0; i < threads; i++) {
        workers[i].index = i;
        workers[i].random += i;
        workers[i].session = workers[i].guarded = 0;
        workers[i].rounds = 0;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    for (i = 0; i < threads; i++)
        while (__atomic_load_n(&workers[i].rounds, __ATOMIC_RELAXED) < rounds)
            nanosleep(&moment, NULL);
    __atomic_store_n(&finalizing, 1, __ATOMIC_RELAXED);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    for (i = 0; i < threads; i++)
        CHECK(pthread_join(workers[i].thread, NULL) == 0);
    EVP_PKEY_free(keys.p256_verifier);
    EVP_PKEY_free(keys.rsa_verifier);
}

static void report(const struct worker *workers, unsigned threads)
{
    struct calls sum[MOST_FUNCTIONS] = { { NULL, 0, 0 } };
    unsigned long calls = 0, verified = 0;
    unsigned i, j;
    for (i = 0; i < threads; i++) {
        verified += workers[i].verified;
        for (j = 0; j < MOST_FUNCTIONS && workers[i].calls[j].function != NULL; j++) {
            struct calls *of = sum;
            while (of->function != NULL && strcmp(of->function, workers[i].calls[j].function) != 0)
                of++;
            of->function = workers[i].calls[j].function;
            of->all += workers[i].calls[j].all;
            of->successes += workers[i].calls[j].successes;
            calls += workers[i].calls[j].all;
        }
    }
    printf("{\"calls\": %lu, \"verified\": %lu, \"successes\": {", calls, verified);
    for (i = 0; i < MOST_FUNCTIONS && sum[i].function != NULL; i++)
        printf("%s\"%s\": %lu", i == 0 ? "" : ", ", sum[i].function, sum[i].successes);
    printf("}}\n");
}

int main(int argc, char **argv)
{
    struct worker *workers;
    unsigned threads;
    int times;
    CHECK(argc == 5);
    load(argv[1]);
    threads = (unsigned)strtoul(argv[2], NULL, 10);
    rounds = strtoul(argv[3], NULL, 10);
    workers = calloc(threads, sizeof *workers);
    CHECK(threads > 0 && workers != NULL);
    for (times = atoi(argv[4]); times > 0; times--)
        run(workers, threads);
    report(workers, threads);
    free(workers);
    CHECK(dlclose(library) == 0);
    return 0;
}
