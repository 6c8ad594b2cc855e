/*
 * The ways in which known programs fork around a PKCS#11 module. Usage: fork_patterns MODULE SCENARIO. The
 * configured token shows one P-256 pair. Prints nothing on stdout.
 */
#define _GNU_SOURCE
#include "host.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_OF_A_CHILD (120 * HOST_PATIENCE)

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

static CK_SESSION_HANDLE open_session(void)
{
    CK_SESSION_HANDLE session;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

static CK_RV sign_with(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature;
    CHECK_RV(p11->C_SignInit(session, &mechanism, key), CKR_OK);
    return p11->C_Sign(session, digest, sizeof digest, signature, &length);
}

static void sign(void)
{
    CK_SESSION_HANDLE session = open_session();
    CHECK_RV(sign_with(session, find(session, CKO_PRIVATE_KEY)), CKR_OK);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

static void finalize(void)
{
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void use_anew(void)
{
    CK_INFO info;
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
}

static pid_t forked(void (*run)(void))
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(SECONDS_OF_A_CHILD);
        run();
        exit(0);
    }
    return child;
}

static void wait_for(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "a child was ended by signal %d\n", WTERMSIG(status));
        _Exit(1);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int go_on = 1;

static double seconds(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* nginx: the master initialises and may sign (a test of the configuration), its workers use the module until
 * they are told to end; a reload starts new workers while the old ones are still at it. */

#define WORKERS 3

static int told[2], told_to_old = -1;

static void be_a_worker(void)
{
    char byte;
    close(told[1]);
    close(told_to_old);
    use_anew();
    while (read(told[0], &byte, 1) != 0)
        ;
    sign();
    finalize();
}

static void start_workers(pid_t *workers)
{
    int i;
    CHECK(pipe(told) == 0);
    for (i = 0; i < WORKERS; i++)
        workers[i] = forked(be_a_worker);
    close(told[0]);
}

static void nginx(int master_signs)
{
    pid_t old[WORKERS], new[WORKERS];
    int i;
    CHECK_RV(initialize(NULL), CKR_OK);
    if (master_signs)
        sign();
    start_workers(old);
    finalize();
    CHECK_RV(initialize(NULL), CKR_OK);
    if (master_signs)
        sign();
    told_to_old = told[1];
    start_workers(new);
    close(told_to_old);
    for (i = 0; i < WORKERS; i++)
        wait_for(old[i]);
    if (master_signs)
        sign();
    close(told[1]);
    for (i = 0; i < WORKERS; i++)
        wait_for(new[i]);
    finalize();
}

static void nginx_whose_master_signs(void)
{
    nginx(1);
}

static void nginx_whose_master_only_initializes(void)
{
    nginx(0);
}

/* ssh-agent: the process that the user started initialises, the one that serves goes on in its child. */
static void ssh_agent(void)
{
    int finished[2];
    char byte = 0;
    pid_t child;
    CHECK(pipe(finished) == 0);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    child = fork();
    CHECK(child >= 0);
    if (child != 0)
        wait_for(child);
    else if (fork() != 0)
        _exit(0);
    else {
        alarm(SECONDS_OF_A_CHILD);
        CHECK(setsid() > 0);
        close(finished[0]);
        use_anew();
        finalize();
        CHECK(write(finished[1], &byte, 1) == 1);
        exit(0);
    }
    close(finished[1]);
    CHECK(read(finished[0], &byte, 1) == 1);
    sign();
    finalize();
}

/* sshd: the child becomes another program, which loads the module itself. Here it is this one, by its name: its file in
 * /proc may be that of a tool. */
static const char *program;

static void sshd(void)
{
    pid_t child;
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(SECONDS_OF_A_CHILD);
        execl(program, program, getenv("FORK_MODULE"), "sign_once", (char *)NULL);
        _exit(1);
    }
    wait_for(child);
    sign();
    finalize();
}

static void sign_once(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    finalize();
}

/* Whoever initialises before it forks pays for no thread until it asks for something. */
static void a_host_that_never_asks_has_no_thread(void)
{
    CK_BYTE pin[] = "1234";
    CK_MECHANISM_TYPE mechanisms[200];
    CK_ULONG count = 200;
    CK_SESSION_HANDLE session;
    CK_TOKEN_INFO info;
    CHECK_RV(initialize(NULL), CKR_OK);
    session = open_session();
    CHECK_RV(p11->C_GetTokenInfo(0, &info), CKR_OK);
    CHECK_RV(p11->C_GetMechanismList(0, mechanisms, &count), CKR_OK);
    CHECK_RV(p11->C_Login(session, CKU_USER, pin, 4), CKR_OK);
    CHECK(count_threads() == 1);
    wait_for(forked(use_anew));
    CHECK(count_threads() == 1);
    sign();
    CHECK(count_threads() > 1);
    finalize();
    CHECK(count_threads() == 1);
}

/* Forks while another thread initialises and finalizes. */

static void *keep_initializing(void *unused)
{
    char unknown[] = "unknown=parameter";
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        CHECK_RV(initialize(NULL), CKR_OK);
        sign();
        finalize();
        /* Refused, with a line for a log that is made for it. */
        CHECK_RV(initialize(unknown), CKR_ARGUMENTS_BAD);
    }
    return NULL;
}

static void be_initialized(void)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    finalize();
}

static void forks_while_another_thread_initializes(void)
{
    pthread_t thread;
    int i;
    CHECK(pthread_create(&thread, NULL, keep_initializing, NULL) == 0);
    for (i = 0; i < 20; i++)
        wait_for(forked(be_initialized));
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* Requests that are not answered hold up no fork, and a child knows nothing of them. */

static void *sign_in_vain(void *unused)
{
    CK_SESSION_HANDLE session = open_session();
    (void)unused;
    CHECK(sign_with(session, find(session, CKO_PRIVATE_KEY)) != CKR_OK);
    return NULL;
}

static void be_finalized(void)
{
    CHECK_RV(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    finalize();
}

static void forks_while_requests_hang(void)
{
    pthread_t threads[4];
    CK_SESSION_HANDLE session;
    struct timespec moment = { 0, 300 * 1000 * 1000 };
    double begun;
    int i;
    CHECK_RV(initialize(NULL), CKR_OK);
    session = open_session();
    find(session, CKO_PRIVATE_KEY);
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, sign_in_vain, NULL) == 0);
    nanosleep(&moment, NULL);
    begun = seconds();
    for (i = 0; i < 10; i++)
        wait_for(forked(be_finalized));
    /* Each waited for a request would be two seconds. */
    CHECK(seconds() - begun < 15 * HOST_PATIENCE);
    finalize();
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Name servers that do not answer hold up neither forks nor what asks KMS for nothing (slow_names.c). */

static void *find_in_vain(void *unused)
{
    CK_SESSION_HANDLE session = open_session();
    (void)unused;
    CHECK_RV(p11->C_FindObjectsInit(session, NULL, 0), CKR_DEVICE_ERROR);
    return NULL;
}

static void *keep_asking_for_nothing(void *longest)
{
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        CK_INFO info;
        double begun = seconds(), took;
        CHECK_RV(p11->C_GetInfo(&info), CKR_OK);
        took = seconds() - begun;
        if (took > *(double *)longest)
            *(double *)longest = took;
        usleep(1000);
    }
    return NULL;
}

static void forks_while_names_are_looked_up(void)
{
    int (*lookups_begun)(void);
    void (*end_lookups)(void);
    void *symbol;
    pthread_t finding, asking;
    double begun, longest = 0;
    int i;
    CHECK((symbol = dlsym(RTLD_DEFAULT, "slow_names_begun")) != NULL);
    memcpy(&lookups_begun, &symbol, sizeof symbol);
    CHECK((symbol = dlsym(RTLD_DEFAULT, "slow_names_end")) != NULL);
    memcpy(&end_lookups, &symbol, sizeof symbol);
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(pthread_create(&asking, NULL, keep_asking_for_nothing, &longest) == 0);
    CHECK(pthread_create(&finding, NULL, find_in_vain, NULL) == 0);
    while (!lookups_begun())
        usleep(1000);
    begun = seconds();
    for (i = 0; i < 10; i++)
        wait_for(forked(be_finalized));
    /* Each waited for a lookup as for work would be two seconds. */
    CHECK(seconds() - begun < 15 * HOST_PATIENCE);
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    CHECK(pthread_join(asking, NULL) == 0);
    CHECK(longest < 1.5 * HOST_PATIENCE);
    CHECK(pthread_join(finding, NULL) == 0);
    /* Nobody can end a lookup; C_Finalize leaves its thread behind. */
    begun = seconds();
    finalize();
    CHECK(seconds() - begun < 10 * HOST_PATIENCE);
    CHECK(count_threads() > 1);
    end_lookups();
    while (count_threads() > 1)
        usleep(1000);
}

/* openvpn's helper: its handlers take its own locks, which its threads hold around calls. */

static pthread_mutex_t around_calls = PTHREAD_MUTEX_INITIALIZER;

static void lock_around_calls(void)
{
    CHECK(pthread_mutex_lock(&around_calls) == 0);
}

static void unlock_around_calls(void)
{
    CHECK(pthread_mutex_unlock(&around_calls) == 0);
}

static void *keep_signing_under_a_lock(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        struct timespec moment = { 0, 1000 * 1000 };
        lock_around_calls();
        sign();
        unlock_around_calls();
        nanosleep(&moment, NULL);
    }
    return NULL;
}

static void forks_of_a_host_with_handlers_and_locks_of_its_own(void)
{
    pthread_t threads[4];
    int i;
    /* Registered before the module's: run after them before a fork. */
    CHECK(pthread_atfork(lock_around_calls, unlock_around_calls, unlock_around_calls) == 0);
    CHECK_RV(initialize(NULL), CKR_OK);
    for (i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, keep_signing_under_a_lock, NULL) == 0);
    for (i = 0; i < 10; i++)
        wait_for(forked(use_anew));
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    finalize();
}

/* Threads that wait for one another in the module are in no queue of the child's. */

static void *wait_for_an_event(void *unused)
{
    CK_SLOT_ID slot;
    (void)unused;
    CHECK_RV(p11->C_WaitForSlotEvent(0, &slot, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
    return NULL;
}

/* Its threads use the stacks of the parent's, and wait for each other. */
static void have_many_that_wait(void)
{
    pthread_t waiting[16];
    int i;
    CHECK_RV(initialize(NULL), CKR_OK);
    for (i = 0; i < 16; i++)
        CHECK(pthread_create(&waiting[i], NULL, wait_for_an_event, NULL) == 0);
    sign();
    usleep(20 * 1000);
    finalize();
    for (i = 0; i < 16; i++)
        CHECK(pthread_join(waiting[i], NULL) == 0);
}

static void forks_while_many_threads_wait(void)
{
    pthread_t waiting[16];
    int i;
    CHECK_RV(initialize(NULL), CKR_OK);
    for (i = 0; i < 16; i++)
        CHECK(pthread_create(&waiting[i], NULL, wait_for_an_event, NULL) == 0);
    usleep(50 * 1000);
    for (i = 0; i < 5; i++)
        wait_for(forked(have_many_that_wait));
    finalize();
    for (i = 0; i < 16; i++)
        CHECK(pthread_join(waiting[i], NULL) == 0);
}

/* The first process of a namespace has the id 1; so has the first one of a namespace within. */

static void in_a_namespace(void (*run)(void))
{
    /* Root may at once; others where the system lets them be root of a namespace. */
    CHECK(unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0);
    wait_for(forked(run));
    /* Without its first process, the namespace takes no other one. */
    look_for_no_leaks();
}

static void be_the_first_within(void)
{
    CK_INFO info;
    CHECK(getpid() == 1);
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    finalize();
}

static void be_the_first(void)
{
    CHECK(getpid() == 1);
    CHECK_RV(initialize(NULL), CKR_OK);
    in_a_namespace(be_the_first_within);
    finalize();
}

static void processes_of_the_same_id(void)
{
    in_a_namespace(be_the_first);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "nginx_whose_master_signs", nginx_whose_master_signs },
    { "nginx_whose_master_only_initializes", nginx_whose_master_only_initializes },
    { "ssh_agent", ssh_agent },
    { "sshd", sshd },
    { "sign_once", sign_once },
    { "a_host_that_never_asks_has_no_thread", a_host_that_never_asks_has_no_thread },
    { "forks_while_another_thread_initializes", forks_while_another_thread_initializes },
    { "forks_while_requests_hang", forks_while_requests_hang },
    { "forks_while_names_are_looked_up", forks_while_names_are_looked_up },
    { "forks_of_a_host_with_handlers_and_locks_of_its_own", forks_of_a_host_with_handlers_and_locks_of_its_own },
    { "forks_while_many_threads_wait", forks_while_many_threads_wait },
    { "processes_of_the_same_id", processes_of_the_same_id },
};

int main(int argc, char **argv)
{
    size_t i;
    CHECK(argc == 3);
    program = argv[0];
    CHECK(setenv("FORK_MODULE", argv[1], 1) == 0);
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
