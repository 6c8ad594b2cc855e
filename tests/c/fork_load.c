/*
 * A host that forks while its threads are at work in the module.
 *
 * Usage: fork_load MODULE SIGNATURES FUNCTIONS FORKS. The configured token shows one P-256 pair. FUNCTIONS is the
 * number of functions of list 3.2. Each child appends what it signed to the file SIGNATURES, a line of digest and
 * signature in hexadecimal digits, for somebody else to verify; the last lines are the numbers of forks, and of
 * signatures of the parent meanwhile. A child that hangs is ended by an alarm. Prints nothing on stdout.
 */
#define _DEFAULT_SOURCE
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNERS 8
#define CHILDREN_AT_ONCE 5
#define SECONDS_OF_A_CHILD (60 * HOST_PATIENCE)

static const char *signatures;
static size_t functions;
static int go_on = 1;
static unsigned long signed_meanwhile;

static void append(const char *format, ...)
{
    char line[512];
    va_list arguments;
    int file = open(signatures, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600), length;
    va_start(arguments, format);
    length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(file >= 0 && length < (int)sizeof line);
    CHECK(write(file, line, (size_t)length) == length);
    CHECK(close(file) == 0);
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

/* Finds, signs and verifies in a session of its own. */
static void sign(CK_BYTE *digest, CK_BYTE *signature)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_SESSION_HANDLE session;
    CK_ULONG length = 64;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    CHECK_RV(p11->C_GenerateRandom(session, digest, 32), CKR_OK);
    CHECK_RV(p11->C_SignInit(session, &mechanism, find(session, CKO_PRIVATE_KEY)), CKR_OK);
    CHECK_RV(p11->C_Sign(session, digest, 32, signature, &length), CKR_OK);
    CHECK(length == 64);
    CHECK_RV(p11->C_VerifyInit(session, &mechanism, find(session, CKO_PUBLIC_KEY)), CKR_OK);
    CHECK_RV(p11->C_Verify(session, digest, 32, signature, length), CKR_OK);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

static void sign_for_all_to_see(void)
{
    CK_BYTE digest[32], signature[64];
    char text[2 * (sizeof digest + sizeof signature) + 2], *end = text;
    size_t i;
    sign(digest, signature);
    for (i = 0; i < sizeof digest; i++)
        end += sprintf(end, "%02x", digest[i]);
    *end++ = ' ';
    for (i = 0; i < sizeof signature; i++)
        end += sprintf(end, "%02x", signature[i]);
    append("%s\n", text);
}

/* Every function that needs the initialised module, found by its place in the list, with NULL and 0 for each
 * argument: those of the most there are, of which the others take no notice. */
static void call_everything_uninitialized(void)
{
    typedef CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, void **, CK_FLAGS);
    typedef CK_RV (*any)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                         CK_ULONG, CK_ULONG, CK_ULONG);
    /* C_Initialize, C_GetFunctionList, C_GetInterfaceList, C_GetInterface. */
    static const size_t free_ones[] = { 0, 3, 68, 69 };
    struct {
        void *name;
        void **list;
        CK_FLAGS flags;
    } *interface;
    CK_VERSION newest = { 3, 2 };
    get_interface get;
    size_t i, j;
    function("C_GetInterface", &get);
    CHECK_RV(get(NULL, &newest, (void **)&interface, 0), CKR_OK);
    for (i = 0; i < functions; i++) {
        int is_free = 0;
        any call;
        for (j = 0; j < sizeof free_ones / sizeof *free_ones; j++)
            is_free |= free_ones[j] == i;
        if (is_free)
            continue;
        /* The version, and what it is padded with, is as long as a pointer. */
        memcpy(&call, interface->list + 1 + i, sizeof call);
        if (call(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) != CKR_CRYPTOKI_NOT_INITIALIZED) {
            fprintf(stderr, "function %zu of the list answers though it is not initialised\n", i);
            _Exit(1);
        }
    }
}

static void wait_for(pid_t child)
{
    int status;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "a child was ended by signal %d\n", WTERMSIG(status));
        _Exit(1);
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void use_anew(void)
{
    CK_INFO info;
    CHECK_RV(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign_for_all_to_see();
    CHECK_RV(initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

static void finalize(void)
{
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void be_used_and_finalized(void)
{
    use_anew();
    finalize();
}

static void have_a_child_of_its_own(void)
{
    pid_t child;
    use_anew();
    child = fork();
    if (child == 0) {
        alarm(SECONDS_OF_A_CHILD);
        be_used_and_finalized();
        exit(0);
    }
    wait_for(child);
    sign_for_all_to_see();
    finalize();
}

static void leave_at_once(void)
{
    _exit(0);
}

static void leave(void)
{
}

static void become_another_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
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

static pid_t vforked(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    return child;
}

static pid_t spawned(void)
{
    char name[] = "true", *arguments[] = { name, NULL };
    pid_t child;
    CHECK(posix_spawn(&child, "/bin/true", NULL, NULL, arguments, NULL) == 0);
    return child;
}

/* What children do, in turn. */
static pid_t have_a_child(int number)
{
    switch (number % 10) {
    case 0:
        return forked(have_a_child_of_its_own);
    case 1:
        return forked(leave_at_once);
    case 2:
        return forked(leave);
    case 3:
        return forked(call_everything_uninitialized);
    case 4:
        return forked(use_anew);
    case 5:
        return forked(become_another_program);
    case 6:
        return vforked();
    case 7:
        return spawned();
    default:
        return forked(be_used_and_finalized);
    }
}

static void *keep_signing(void *unused)
{
    CK_BYTE digest[32], signature[64];
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        sign(digest, signature);
        __atomic_fetch_add(&signed_meanwhile, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* What writes to the log, takes the module's own locks and asks for nothing. */
static void *keep_calling(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        CK_SESSION_HANDLE session;
        CK_SESSION_INFO info;
        CK_BYTE pin[] = "1234";
        CK_RV rv;
        CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
        rv = p11->C_Login(session, CKU_USER, pin, 4);
        CHECK(rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
        rv = p11->C_Logout(session);
        CHECK(rv == CKR_OK || rv == CKR_USER_NOT_LOGGED_IN);
        CHECK_RV(initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
        CHECK_RV(p11->C_CloseSession(session), CKR_OK);
        CHECK_RV(p11->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    }
    return NULL;
}

static void *sign_once(void *unused)
{
    CK_BYTE digest[32], signature[64];
    (void)unused;
    sign(digest, signature);
    return NULL;
}

/* Threads that end take what the module left in them along. */
static void *keep_starting_threads(void *unused)
{
    (void)unused;
    while (__atomic_load_n(&go_on, __ATOMIC_RELAXED)) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, sign_once, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[SIGNERS + 2];
    pid_t children[CHILDREN_AT_ONCE];
    int forks, i, begun, ended;
    CHECK(argc == 5);
    load(argv[1]);
    signatures = argv[2];
    functions = (size_t)atoi(argv[3]);
    forks = atoi(argv[4]);
    CHECK(functions > 90 && forks > 0);
    CHECK_RV(initialize(NULL), CKR_OK);
    for (i = 0; i < SIGNERS; i++)
        CHECK(pthread_create(&threads[i], NULL, keep_signing, NULL) == 0);
    CHECK(pthread_create(&threads[SIGNERS], NULL, keep_calling, NULL) == 0);
    CHECK(pthread_create(&threads[SIGNERS + 1], NULL, keep_starting_threads, NULL) == 0);
    for (begun = ended = 0; ended < forks; ended++) {
        /* The first ones begin while the first requests of the process are under way. */
        for (; begun < forks && begun < ended + CHILDREN_AT_ONCE; begun++)
            children[begun % CHILDREN_AT_ONCE] = have_a_child(begun);
        wait_for(children[ended % CHILDREN_AT_ONCE]);
    }
    __atomic_store_n(&go_on, 0, __ATOMIC_RELAXED);
    for (i = 0; i < SIGNERS + 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    sign_for_all_to_see();
    finalize();
    append("forks %d\nsignatures meanwhile %lu\n", forks, signed_meanwhile);
    return 0;
}
