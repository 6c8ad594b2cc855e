/*
 * A host that forks, threads, unloads and ends in every way. Usage: fork_host MODULE SCENARIO. The configured
 * token shows one P-256 pair. Succeeds when everything is as it has to be; prints nothing on stdout.
 */
#include "host.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_a_moment(void)
{
    struct timespec moment = { 0, 50 * 1000 * 1000 };
    nanosleep(&moment, NULL);
}

static CK_SESSION_HANDLE open_session(void)
{
    CK_SESSION_HANDLE session;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

static CK_OBJECT_HANDLE find(CK_SESSION_HANDLE session, CK_OBJECT_CLASS class)
{
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count;
    CHECK_RV(p11->C_FindObjectsInit(session, &template, 1), CKR_OK);
    CHECK_RV(p11->C_FindObjects(session, found, 2, &count), CKR_OK);
    CHECK(count == 1);
    CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
    return found[0];
}

static void sign_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature;
    CHECK_RV(p11->C_SignInit(session, &mechanism, key), CKR_OK);
    CHECK_RV(p11->C_Sign(session, digest, sizeof digest, signature, &length), CKR_OK);
    CHECK(length == sizeof signature);
    CHECK_RV(p11->C_VerifyInit(session, &mechanism, find(session, CKO_PUBLIC_KEY)), CKR_OK);
    CHECK_RV(p11->C_Verify(session, digest, sizeof digest, signature, length), CKR_OK);
}

static void sign(void)
{
    CK_SESSION_HANDLE session = open_session();
    sign_with(session, find(session, CKO_PRIVATE_KEY));
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

/* A child may not use what its parent initialised, and can do all of it anew. */
static void use_in_child(void)
{
    CK_INFO info;
    CK_SLOT_ID slot;
    CK_ULONG count = 1;
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_GetSlotList(CK_TRUE, &slot, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_CloseAllSessions(0), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    CHECK_RV(initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void wait_for(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "the child was ended by signal %d\n", WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Runs this in a child, which has to end well and within a minute. */
static void in_child(void (*run)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60 * HOST_PATIENCE);
        run();
        exit(0);
    }
    wait_for(child);
}

static void fork_before_any_request(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    in_child(use_in_child);
    sign();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void fork_after_a_signature(void)
{
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CHECK_RV(initialize(NULL), CKR_OK);
    session = open_session();
    key = find(session, CKO_PRIVATE_KEY);
    sign_with(session, key);
    in_child(use_in_child);
    in_child(use_in_child);
    sign_with(session, key);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    in_child(use_in_child);
}

static void only_fork_on(void)
{
    use_in_child();
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    in_child(use_in_child);
    sign();
}

static void child_of_a_child(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    in_child(only_fork_on);
    sign();
}

static void leave(void)
{
}

static void leave_at_once(void)
{
    _exit(0);
}

static void leave_initialized(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
}

static void leave_and_unload(void)
{
    CHECK(dlclose(library) == 0);
}

static void children_that_just_end(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    in_child(leave);
    in_child(leave_at_once);
    in_child(leave_initialized);
    in_child(leave_and_unload);
    sign();
}

static int go_on = 1;

static void *keep_signing(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED))
        sign();
    return NULL;
}

static void fork_while_threads_sign(void)
{
    pthread_t threads[4];
    int i;
    CHECK_RV(initialize(NULL), CKR_OK);
    /* The first children are forked while the first requests of the process are under way. */
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, keep_signing, NULL) == 0);
    for (i = 0; i < 25; i++)
        in_child(use_in_child);
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    sign();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void *everything_once(void *unused)
{
    (void)unused;
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    return NULL;
}

static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 128 * 1024) == 0);
    CHECK(pthread_create(&thread, &attributes, everything_once, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void finalize_ends_all_threads(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(count_threads() == 1);
    sign();
    CHECK(count_threads() > 1);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK(count_threads() == 1);
    CHECK(dlclose(library) == 0);
}

static void exit_without_finalize(void)
{
    pthread_t thread;
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    CHECK(pthread_create(&thread, NULL, keep_signing, NULL) == 0);
    pause_a_moment();
}

static void exit_at_once(void)
{
    exit_without_finalize();
    _exit(0);
}

static pthread_barrier_t unloaded;

static void *sign_then_outlive(void *unused)
{
    (void)unused;
    sign();
    pthread_barrier_wait(&unloaded);
    pthread_barrier_wait(&unloaded);
    return NULL;
}

/* Threads that called in, and the module's own, end after the library was closed. */
static void unload(int finalize)
{
    pthread_t thread;
    CHECK(pthread_barrier_init(&unloaded, NULL, 2) == 0);
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(pthread_create(&thread, NULL, sign_then_outlive, NULL) == 0);
    pthread_barrier_wait(&unloaded);
    if (finalize)
        CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK(dlclose(library) == 0);
    pthread_barrier_wait(&unloaded);
    CHECK(pthread_join(thread, NULL) == 0);
    pause_a_moment();
}

static void unload_without_finalize(void)
{
    unload(0);
}

static void unload_after_finalize(void)
{
    unload(1);
}

static void unload_at_exit(void)
{
    CHECK(dlclose(library) == 0);
}

static void exit_handler_unloads(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(atexit(unload_at_exit) == 0);
    sign();
}

static void *wait_for_an_event(void *unused)
{
    CK_SLOT_ID slot;
    (void)unused;
    CHECK_RV(p11->C_WaitForSlotEvent(0, &slot, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    return NULL;
}

/* Two threads wait for an event; this one goes on, finalizes, and sees both come back. */
static void finalize_while_threads_wait(void (*meanwhile)(void))
{
    pthread_t waiting[2];
    size_t i;
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&waiting[i], NULL, wait_for_an_event, NULL) == 0);
    pause_a_moment();
    meanwhile();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(waiting[i], NULL) == 0);
}

static void wait_in_child(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    finalize_while_threads_wait(sign);
}

static void fork_a_child_that_waits(void)
{
    in_child(wait_in_child);
    sign();
}

static void fork_while_threads_wait(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    finalize_while_threads_wait(fork_a_child_that_waits);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "fork_before_any_request", fork_before_any_request },
    { "fork_after_a_signature", fork_after_a_signature },
    { "child_of_a_child", child_of_a_child },
    { "children_that_just_end", children_that_just_end },
    { "fork_while_threads_sign", fork_while_threads_sign },
    { "fork_while_threads_wait", fork_while_threads_wait },
    { "small_stack", small_stack },
    { "finalize_ends_all_threads", finalize_ends_all_threads },
    { "exit_without_finalize", exit_without_finalize },
    { "exit_at_once", exit_at_once },
    { "unload_without_finalize", unload_without_finalize },
    { "unload_after_finalize", unload_after_finalize },
    { "exit_handler_unloads", exit_handler_unloads },
};

int main(int argc, char **argv)
{
    size_t i;
    CHECK(argc == 3);
    load(argv[1]);
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[2]);
    return 2;
}
