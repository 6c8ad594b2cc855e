/*
 * A host that unloads the module, or ends, in every way. Usage: exit_host MODULE SCENARIO [LIBRARY]. The configured
 * token shows one P-256 pair. LIBRARY is exit_library.c, for the scenarios that load another library. Prints
 * nothing on stdout.
 */
#define _DEFAULT_SOURCE
#define _ISOC11_SOURCE
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8

static const char *path, *other_library;
static int go_on = 1, has_found;
static pthread_barrier_t barrier;

static void pause_for(long milliseconds)
{
    struct timespec moment = { milliseconds / 1000, milliseconds % 1000 * 1000 * 1000 };
    nanosleep(&moment, NULL);
}

static double seconds(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int count_files(void)
{
    return count_entries("/proc/self/fd");
}

/* Whatever is answered: CKR_OK, or the first thing that is not. */
static CK_RV try_to_sign(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature, found;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_RV rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsInit(session, &template, 1);
    if (rv == CKR_OK)
        rv = p11->C_FindObjects(session, &key, 1, &found);
    if (rv == CKR_OK)
        rv = p11->C_FindObjectsFinal(session);
    if (rv == CKR_OK)
        rv = found == 1 ? p11->C_SignInit(session, &mechanism, key) : CKR_KEY_HANDLE_INVALID;
    __atomic_store_n(&has_found, rv == CKR_OK, __ATOMIC_RELAXED);
    if (rv == CKR_OK)
        rv = p11->C_Sign(session, digest, sizeof digest, signature, &length);
    if (rv == CKR_OK)
        rv = p11->C_CloseSession(session);
    return rv;
}

static void sign(void)
{
    CHECK_RV(try_to_sign(), CKR_OK);
}

static void begin(void)
{
    load(path);
    CHECK_RV(initialize(NULL), CKR_OK);
}

static void finalize(void)
{
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static pthread_t thread(void *(*run)(void *), void *argument)
{
    pthread_t begun;
    CHECK(pthread_create(&begun, NULL, run, argument) == 0);
    return begun;
}

static void join(pthread_t begun)
{
    CHECK(pthread_join(begun, NULL) == 0);
}

/* ---- What C_Finalize leaves: nothing. */

static void finalize_leaves_nothing(void)
{
    int files_before, files, round;
    load(path);
    files_before = count_files();
    for (round = 0; round < 10; round++) {
        CHECK_RV(initialize(NULL), CKR_OK);
        sign();
        CHECK(count_threads() > 1);
        finalize();
        CHECK(count_threads() == 1);
        if (round == 0) {
            /* Two sockets of the runtime's, which the library keeps. */
            files = count_files();
            CHECK(files <= files_before + 2);
        }
        CHECK(count_files() == files);
    }
}

/* ---- dlclose, and dlopen again. */

static void *use_until_the_end(void *unused)
{
    int round;
    (void)unused;
    for (round = 0; round < 5; round++) {
        pthread_barrier_wait(&barrier);
        sign();
        pthread_barrier_wait(&barrier);
    }
    /* After the last dlclose. */
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void opened_again(void)
{
    /* One configuration, and another one. */
    char *reserved[] = { NULL, getenv("EXIT_OTHER_CONFIG") };
    pthread_t user;
    int round;
    CHECK(reserved[1] != NULL);
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    user = thread(use_until_the_end, NULL);
    for (round = 0; round < 5; round++) {
        CK_TOKEN_INFO info;
        load(path);
        CHECK_RV(initialize(reserved[round % 2]), CKR_OK);
        CHECK_RV(p11->C_GetTokenInfo(0, &info), CKR_OK);
        CHECK(memcmp(info.label, round % 2 ? "other  " : "aws-kms", 7) == 0);
        pthread_barrier_wait(&barrier);
        sign();
        pthread_barrier_wait(&barrier);
        finalize();
        CHECK(count_threads() == 2);
        CHECK(dlclose(library) == 0);
    }
    pthread_barrier_wait(&barrier);
    join(user);
    CHECK(count_threads() == 1);
}

/* ---- Ends while threads are in calls. */

static int signatures, signers;

static void *keep_signing(void *unused)
{
    (void)unused;
    __sync_fetch_and_add(&signers, 1);
    while (try_to_sign() == CKR_OK)
        __sync_fetch_and_add(&signatures, 1);
    __sync_fetch_and_sub(&signers, 1);
    return NULL;
}

/* All of them are at it, and have signed some times. */
static void wait_for_signers(void)
{
    int before = __atomic_load_n(&signatures, __ATOMIC_RELAXED);
    while (__atomic_load_n(&signers, __ATOMIC_RELAXED) < THREADS
           || __atomic_load_n(&signatures, __ATOMIC_RELAXED) - before < 3 * THREADS)
        pause_for(1);
    CHECK(__atomic_load_n(&signers, __ATOMIC_RELAXED) == THREADS);
}

static void start_signers(void)
{
    int i;
    begin();
    sign();
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_detach(thread(keep_signing, NULL)) == 0);
    wait_for_signers();
}

static void main_returns(void)
{
    start_signers();
}

static void at_once(void)
{
    start_signers();
    _exit(0);
}

static void quickly(void)
{
    start_signers();
    quick_exit(0);
}

static void killed_by_sigterm(void)
{
    start_signers();
    CHECK(kill(getpid(), SIGTERM) == 0);
    pause();
}

/* KMS was asked for the key, and is for a signature. */
static void pause_until_main_signs(void)
{
    while (!__atomic_load_n(&has_found, __ATOMIC_RELAXED))
        pause_for(10);
    pause_for(200);
}

static void *exit_soon(void *unused)
{
    (void)unused;
    pause_until_main_signs();
    exit(0);
}

/* The emulator does not answer. */
static void exit_of_a_thread_while_main_signs(void)
{
    begin();
    thread(exit_soon, NULL);
    try_to_sign();
    /* The call ended because the process does. */
    pause();
}

/* Of which a compiler does not know that it does not come back: so its caller is in a tool's stacks (signals.supp). */
__attribute__((noinline)) static void end_somehow(void)
{
    void (*volatile end)(int) = exit;
    end(0);
}

static void exit_on_signal(int signal)
{
    (void)signal;
    end_somehow();
}

static void *signal_soon(void *main_thread)
{
    pause_until_main_signs();
    CHECK(pthread_kill(*(pthread_t *)main_thread, SIGTERM) == 0);
    return NULL;
}

static void exit_of_a_signal_handler_while_main_signs(void)
{
    static pthread_t main_thread;
    main_thread = pthread_self();
    CHECK(signal(SIGTERM, exit_on_signal) != SIG_ERR);
    begin();
    CHECK(pthread_detach(thread(signal_soon, &main_thread)) == 0);
    try_to_sign();
    pause();
}

static void *finalize_soon(void *unused)
{
    (void)unused;
    sign();
    pause_for(100);
    sign();
    finalize();
    return NULL;
}

/* The process ends with its last thread: that is one of the host's, so none of the module's may be left. */
static void main_thread_ends_first(void)
{
    begin();
    sign();
    thread(finalize_soon, NULL);
    pthread_exit(NULL);
}

/* ---- Handlers and destructors. */

static void (*in_destructor)(void);

__attribute__((destructor)) static void destructor(void)
{
    if (in_destructor != NULL)
        in_destructor();
}

static void handler(void (*run)(void))
{
    CHECK(atexit(run) == 0);
}

/* Handlers run in the reverse order. */
static void handler_finalizes(void)
{
    begin();
    handler(finalize);
    sign();
}

static void handler_signs(void)
{
    begin();
    handler(finalize);
    handler(sign);
    sign();
}

static void handler_signs_for_the_first_time(void)
{
    begin();
    handler(finalize);
    handler(sign);
}

static void handler_of_before_the_module_finalizes(void)
{
    handler(finalize);
    begin();
    sign();
}

static void handler_of_before_the_module_signs(void)
{
    handler(finalize);
    handler(sign);
    begin();
    sign();
}

static void handler_of_before_the_module_signs_for_the_first_time(void)
{
    handler(finalize);
    handler(sign);
    begin();
}

static void handler_finalizes_while_threads_sign(void)
{
    handler(finalize);
    start_signers();
}

static void destructor_finalizes(void)
{
    in_destructor = finalize;
    start_signers();
}

static void sign_and_finalize(void)
{
    sign();
    finalize();
}

static void destructor_signs(void)
{
    in_destructor = sign_and_finalize;
    start_signers();
}

static void destructor_signs_for_the_first_time(void)
{
    in_destructor = sign_and_finalize;
    begin();
}

/* Its destructor signs and finalizes, before or after those of the module. */
static void load_other_library(void)
{
    void *other = dlopen(other_library, RTLD_NOW | RTLD_LOCAL);
    void (*use)(CK_FUNCTION_LIST **);
    void *symbol;
    if (other == NULL)
        fprintf(stderr, "%s\n", dlerror());
    CHECK(other != NULL);
    symbol = dlsym(other, "exit_library_use");
    CHECK(symbol != NULL);
    memcpy(&use, &symbol, sizeof use);
    use(&p11);
}

static void library_loaded_before(void)
{
    load_other_library();
    start_signers();
}

static void library_loaded_after(void)
{
    start_signers();
    load_other_library();
}

/* ---- C_Finalize while others are in calls. */

static void *call_in_vain(void *argument)
{
    long kind = *(long *)argument;
    CK_MECHANISM generation = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_BYTE curve[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE public[] = { { CKA_EC_PARAMS, curve, sizeof curve }, { CKA_TOKEN, &yes, 1 } };
    CK_ATTRIBUTE private[] = { { CKA_TOKEN, &yes, 1 }, { CKA_SIGN, &yes, 1 } };
    CK_OBJECT_HANDLE handles[2];
    CK_SESSION_HANDLE session;
    CK_ULONG found;
    CK_RV rv;
    if (kind == 0) {
        CHECK(try_to_sign() != CKR_OK);
        return NULL;
    }
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    if (kind == 1) {
        rv = p11->C_GenerateKeyPair(session, &generation, public, 2, private, 2, &handles[0], &handles[1]);
    } else {
        rv = p11->C_FindObjectsInit(session, NULL, 0);
        if (rv == CKR_OK)
            rv = p11->C_FindObjects(session, handles, 2, &found);
    }
    CHECK(rv != CKR_OK);
    return NULL;
}

static void finalize_while_calls_hang(void)
{
    static long kinds[3] = { 0, 1, 2 };
    pthread_t threads[THREADS];
    double begun;
    int i;
    begin();
    for (i = 0; i < THREADS; i++)
        threads[i] = thread(call_in_vain, &kinds[i % 3]);
    pause_for(500);
    begun = seconds();
    finalize();
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    /* The calls' own deadline is 15 seconds, C_Finalize's bound 5. */
    CHECK(seconds() - begun < 10 * HOST_PATIENCE);
    CHECK(count_threads() == 1);
}

static void finalize_while_threads_sign(void)
{
    pthread_t threads[THREADS];
    int round, i;
    load(path);
    for (round = 0; round < 10; round++) {
        CHECK_RV(initialize(NULL), CKR_OK);
        for (i = 0; i < THREADS; i++)
            threads[i] = thread(keep_signing, NULL);
        wait_for_signers();
        finalize();
        for (i = 0; i < THREADS; i++)
            join(threads[i]);
        CHECK(signers == 0);
        CHECK(count_threads() == 1);
    }
}

static void *finalize_at_the_same_time(void *answer)
{
    pthread_barrier_wait(&barrier);
    *(CK_RV *)answer = p11->C_Finalize(NULL);
    return NULL;
}

static void finalized_twice(void)
{
    int round;
    load(path);
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
    for (round = 0; round < 50; round++) {
        CK_RV mine, others;
        pthread_t other;
        CHECK_RV(initialize(NULL), CKR_OK);
        if (round % 10 == 0)
            sign();
        other = thread(finalize_at_the_same_time, &others);
        finalize_at_the_same_time(&mine);
        join(other);
        CHECK((mine == CKR_OK) != (others == CKR_OK));
        CHECK((mine == CKR_OK ? others : mine) == CKR_CRYPTOKI_NOT_INITIALIZED);
        CHECK_RV(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    }
}

static void *keep_asking(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        CK_INFO info;
        CK_RV rv = p11->C_GetInfo(&info);
        CHECK(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
        rv = p11->C_Finalize(&info);
        CHECK(rv == CKR_ARGUMENTS_BAD || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
        pause_for(1);
    }
    return NULL;
}

static void initialized_in_a_loop(void)
{
    pthread_t threads[4];
    int round, i;
    load(path);
    for (i = 0; i < 4; i++)
        threads[i] = thread(keep_asking, NULL);
    for (round = 0; round < 200; round++) {
        CHECK_RV(initialize(NULL), CKR_OK);
        if (round % 20 == 0)
            sign();
        finalize();
    }
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++)
        join(threads[i]);
    CHECK(count_threads() == 1);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "finalize_leaves_nothing", finalize_leaves_nothing },
    { "opened_again", opened_again },
    { "main_returns", main_returns },
    { "at_once", at_once },
    { "quickly", quickly },
    { "killed_by_sigterm", killed_by_sigterm },
    { "exit_of_a_thread_while_main_signs", exit_of_a_thread_while_main_signs },
    { "exit_of_a_signal_handler_while_main_signs", exit_of_a_signal_handler_while_main_signs },
    { "main_thread_ends_first", main_thread_ends_first },
    { "handler_finalizes", handler_finalizes },
    { "handler_signs", handler_signs },
    { "handler_signs_for_the_first_time", handler_signs_for_the_first_time },
    { "handler_of_before_the_module_finalizes", handler_of_before_the_module_finalizes },
    { "handler_of_before_the_module_signs", handler_of_before_the_module_signs },
    { "handler_of_before_the_module_signs_for_the_first_time",
      handler_of_before_the_module_signs_for_the_first_time },
    { "handler_finalizes_while_threads_sign", handler_finalizes_while_threads_sign },
    { "destructor_finalizes", destructor_finalizes },
    { "destructor_signs", destructor_signs },
    { "destructor_signs_for_the_first_time", destructor_signs_for_the_first_time },
    { "library_loaded_before", library_loaded_before },
    { "library_loaded_after", library_loaded_after },
    { "finalize_while_calls_hang", finalize_while_calls_hang },
    { "finalize_while_threads_sign", finalize_while_threads_sign },
    { "finalized_twice", finalized_twice },
    { "initialized_in_a_loop", initialized_in_a_loop },
};

int main(int argc, char **argv)
{
    size_t i;
    CHECK(argc == 3 || argc == 4);
    path = argv[1];
    other_library = argv[3];
    /* A hang is an end, too. */
    alarm(240 * HOST_PATIENCE);
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[2]);
    return 2;
}
