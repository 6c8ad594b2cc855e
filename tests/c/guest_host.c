/*
 * A host that looks at itself while the module works in it. Usage: guest_host MODULE SCENARIO. The configured
 * token shows one P-256 pair. Succeeds when everything is as it has to be; prints nothing on stdout.
 */
#define _GNU_SOURCE
static void before(void);
static void after(const char *name);
#define BEFORE() before()
#define AFTER(name) after(name)
#include "work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a call must leave as it is. */
struct state {
    int error, rounding, exceptions;
    unsigned sse;
    unsigned short x87;
    sigset_t mask;
    stack_t stack;
    void (*handlers[65])(int);
    int flags[65];
    uint64_t masks[65];
    mode_t umask;
    char directory[4096], locale[256];
    uint64_t environment;
};

static struct state expected;
static int looks_around, rounding = FE_TONEAREST, trapped;

static struct state now;

static void look(void)
{
    char **variable;
    const char *byte;
    struct sigaction action;
    int signal;
    memset(&now, 0, sizeof now);
    now.error = errno;
    now.rounding = fegetround();
    now.exceptions = fetestexcept(FE_ALL_EXCEPT);
#ifdef __x86_64__
    __asm__ volatile("stmxcsr %0" : "=m"(now.sse));
    __asm__ volatile("fnstcw %0" : "=m"(now.x87));
#endif
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &now.mask) == 0);
    CHECK(sigaltstack(NULL, &now.stack) == 0);
    /* glibc keeps 32 and 33 for itself. */
    for (signal = 1; signal <= 64; signal++) {
        if (signal == 32 || signal == 33)
            continue;
        CHECK(sigaction(signal, NULL, &action) == 0);
        now.handlers[signal] = action.sa_handler;
        now.flags[signal] = action.sa_flags;
        memcpy(&now.masks[signal], &action.sa_mask, sizeof now.masks[signal]);
    }
    now.umask = umask(0);
    umask(now.umask);
    CHECK(getcwd(now.directory, sizeof now.directory) != NULL);
    strncpy(now.locale, setlocale(LC_ALL, NULL), sizeof now.locale - 1);
    for (variable = environ; *variable != NULL; variable++)
        for (byte = *variable; *byte != 0; byte++)
            now.environment = now.environment * 31 + (unsigned char)*byte;
}

static void before(void)
{
    if (!looks_around)
        return;
    fesetround(rounding);
    feclearexcept(FE_ALL_EXCEPT);
    if (trapped)
        CHECK(feenableexcept(FE_ALL_EXCEPT) != -1);
    else
        feraiseexcept(FE_OVERFLOW);
    errno = 1234;
    look();
    memcpy(&expected, &now, sizeof now);
    CHECK(expected.error == 1234);
    errno = 1234;
}

static void after(const char *name)
{
    if (!looks_around)
        return;
    look();
    fedisableexcept(FE_ALL_EXCEPT);
    if (memcmp(&now, &expected, sizeof now) != 0) {
        fprintf(stderr,
                "%s: errno %d, rounding %#x for %#x, exceptions %#x for %#x, MXCSR %#x for %#x, x87 %#x for %#x, "
                "mask %d, stack %d, handlers %d, others %d\n",
                name, now.error, now.rounding, expected.rounding, now.exceptions, expected.exceptions, now.sse,
                expected.sse, now.x87, expected.x87, memcmp(&now.mask, &expected.mask, sizeof now.mask),
                memcmp(&now.stack, &expected.stack, sizeof now.stack),
                memcmp(now.handlers, expected.handlers, sizeof now.handlers), now.umask != expected.umask);
        _Exit(1);
    }
}

static void ignore(int signal)
{
    (void)signal;
}

/* Handlers, a mask, a locale, a umask of the host's own: all of it is there after each call. */
static void calls_leave_everything_as_it_was(void)
{
    struct sigaction handler;
    sigset_t usr2;
    static char stack[64 * 1024];
    stack_t alternative;
    memset(&handler, 0, sizeof handler);
    handler.sa_handler = ignore;
    CHECK(sigaction(SIGUSR1, &handler, NULL) == 0 && sigaction(SIGCHLD, &handler, NULL) == 0);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    CHECK(pthread_sigmask(SIG_BLOCK, &usr2, NULL) == 0);
    memset(&alternative, 0, sizeof alternative);
    alternative.ss_sp = stack;
    alternative.ss_size = sizeof stack;
    CHECK(sigaltstack(&alternative, NULL) == 0);
    CHECK(setlocale(LC_ALL, "C.UTF-8") != NULL);
    umask(027);
    looks_around = 1;
    rounding = FE_UPWARD;
    everything();
    rounding = FE_TOWARDZERO;
    everything();
}

/* Floating-point arithmetic that traps would end the process. */
static void floating_point_is_trapped(void)
{
    looks_around = 1;
    trapped = 1;
    rounding = FE_DOWNWARD;
    everything();
}

static volatile sig_atomic_t alarms, children;
static pthread_t host_thread;

static void count_signal(int signal)
{
    int error = errno;
    if (!pthread_equal(pthread_self(), host_thread))
        _Exit(3);
    if (signal == SIGALRM) {
        alarms++;
        kill(getpid(), SIGCHLD);
    } else {
        children++;
    }
    errno = error;
}

static void signals_interrupt(int flags)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
    struct sigaction handler;
    host_thread = pthread_self();
    memset(&handler, 0, sizeof handler);
    handler.sa_handler = count_signal;
    handler.sa_flags = flags;
    CHECK(sigaction(SIGALRM, &handler, NULL) == 0 && sigaction(SIGCHLD, &handler, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    while (alarms < 100)
        everything();
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(children > 0);
}

static void signals_interrupt_calls(void)
{
    signals_interrupt(0);
}

static void signals_restart_calls(void)
{
    signals_interrupt(SA_RESTART);
}

static int is_over;
static int seen_workers, seen_short_lived;

/* Every thread that is not the host's has to have all signals blocked, from its first moment on. */
static void look_at(const char *task, pid_t looker)
{
    char path[300], line[256], name[64] = "";
    unsigned long long blocked = 0;
    FILE *status;
    int signal, threads = 0;
    if (task[0] == '.' || atoi(task) == getpid() || atoi(task) == looker)
        return;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
    status = fopen(path, "r");
    if (status == NULL)
        return;
    while (fgets(line, sizeof line, status) != NULL) {
        sscanf(line, "Name: %63s", name);
        sscanf(line, "Threads: %d", &threads);
        if (sscanf(line, "SigBlk: %llx", &blocked) != 1)
            continue;
        /* Of a thread that has ended by now, the kernel tells nothing but zeros. */
        if (threads == 0)
            break;
        for (signal = 1; signal <= 64; signal++) {
            int is_reserved = signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33;
            if (!is_reserved && (blocked >> (signal - 1) & 1) == 0) {
                fprintf(stderr, "thread %s %s does not block %d: %llx\n", task, name, signal, blocked);
                _Exit(1);
            }
        }
        if (strcmp(name, "kms-pkcs11") == 0)
            __atomic_store_n(&seen_workers, 1, __ATOMIC_RELAXED);
        if (strcmp(name, "kms-ml-dsa") == 0)
            __atomic_store_n(&seen_short_lived, 1, __ATOMIC_RELAXED);
    }
    fclose(status);
}

static void *look_at_threads(void *unused)
{
    pid_t looker = gettid();
    (void)unused;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        DIR *tasks = opendir("/proc/self/task");
        struct dirent *task;
        CHECK(tasks != NULL);
        while ((task = readdir(tasks)) != NULL)
            look_at(task->d_name, looker);
        closedir(tasks);
    }
    return NULL;
}

static int has_seen_both(void)
{
    return __atomic_load_n(&seen_workers, __ATOMIC_RELAXED) && __atomic_load_n(&seen_short_lived, __ATOMIC_RELAXED);
}

static void threads_leave_signals_to_the_host(void)
{
    pthread_t looker;
    int round;
    CHECK(pthread_create(&looker, NULL, look_at_threads, NULL) == 0);
    for (round = 0; round < 50 && (round == 0 || !has_seen_both()); round++)
        everything();
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    CHECK(pthread_join(looker, NULL) == 0);
    CHECK(has_seen_both());
}

static void *everything_on_this_thread(void *unused)
{
    (void)unused;
    everything();
    return NULL;
}

static void a_stack_of_128_kib(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 128 * 1024) == 0);
    CHECK(pthread_create(&thread, &attributes, everything_on_this_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* The module's own connections get the numbers 0 to 2. */
static void standard_streams_are_closed(void)
{
    close(0);
    close(1);
    close(2);
    everything();
}

static int connected[2];

/* A connection of the host's gets the number 2, with the other end in connected[1]. */
static void connect_in_place_of_standard_error(void)
{
    close(2);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, connected) == 0);
    CHECK(connected[0] == 2);
}

static void expect_nothing_in_the_connection(void)
{
    char byte;
    errno = 0;
    if (recv(connected[1], &byte, 1, MSG_DONTWAIT) != -1 || errno != EAGAIN)
        _Exit(4);
}

/* C_Initialize finds no standard error; then the number 2 is a connection. */
static void standard_error_becomes_a_connection(void)
{
    CK_SESSION_HANDLE session;
    close(2);
    CHECK_RV(initialize(NULL), CKR_OK);
    connect_in_place_of_standard_error();
    session = opened();
    fail(session);
    sign_and_verify(session, CKM_ECDSA, first_of(session, CKO_PRIVATE_KEY), first_of(session, CKO_PUBLIC_KEY));
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    expect_nothing_in_the_connection();
}

/* C_Initialize finds standard error, which the host closes and reuses afterwards. */
static void standard_error_is_replaced_by_a_connection(void)
{
    CK_SESSION_HANDLE session;
    CHECK_RV(initialize(NULL), CKR_OK);
    connect_in_place_of_standard_error();
    session = opened();
    fail(session);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    expect_nothing_in_the_connection();
}

/* The number 2 becomes a file with these flags; answers how many bytes the module wrote there. */
static long written_to_a_file_as_standard_error(int flags)
{
    struct stat file;
    CK_SESSION_HANDLE session;
    CHECK_RV(initialize(NULL), CKR_OK);
    close(2);
    CHECK(open("in-place-of-stderr", flags | O_CREAT | O_TRUNC, 0600) == 2);
    session = opened();
    fail(session);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK(stat("in-place-of-stderr", &file) == 0);
    return (long)file.st_size;
}

static void standard_error_is_replaced_by_data(void)
{
    if (written_to_a_file_as_standard_error(O_RDWR) != 0)
        _Exit(4);
}

static void standard_error_is_led_into_a_file(void)
{
    if (written_to_a_file_as_standard_error(O_WRONLY | O_APPEND) == 0)
        _Exit(4);
}

static int standard_error_pipe;

static void *read_a_little(void *unused)
{
    char some[300];
    (void)unused;
    CHECK(read(standard_error_pipe, some, sizeof some) > 0);
    close(standard_error_pipe);
    return NULL;
}

/* Whoever reads standard error goes away in between; SIGPIPE would end this host. */
static void the_reader_of_standard_error_goes_away(void)
{
    int round, ends[2];
    for (round = 0; round < 10; round++) {
        pthread_t reader;
        CHECK(pipe(ends) == 0);
        CHECK(dup2(ends[1], 2) == 2);
        close(ends[1]);
        standard_error_pipe = ends[0];
        CHECK(pthread_create(&reader, NULL, read_a_little, NULL) == 0);
        CHECK_RV(initialize(NULL), CKR_OK);
        fail(opened());
        CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
        CHECK(pthread_join(reader, NULL) == 0);
    }
}

/* The network fails as the test has it; the module repeats its requests. */
static void connections_break(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    int round;
    CHECK_RV(initialize(NULL), CKR_OK);
    session = opened();
    key = first_of(session, CKO_PRIVATE_KEY);
    for (round = 0; round < 60; round++) {
        CK_BYTE signature[64];
        CK_ULONG length = sizeof signature;
        CHECK_RV(p11->C_SignInit(session, &mechanism, key), CKR_OK);
        CHECK_RV(p11->C_Sign(session, digest_of_nothing, 32, signature, &length), CKR_OK);
    }
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

/* A program that the host starts gets none of the module's connections. */
static void descriptors_are_closed_on_exec(void)
{
    CK_SESSION_HANDLE session;
    int descriptor, count = 0, was_open[64];
    for (descriptor = 0; descriptor < 64; descriptor++)
        was_open[descriptor] = fcntl(descriptor, F_GETFD) != -1;
    CHECK_RV(initialize(NULL), CKR_OK);
    session = opened();
    sign_and_verify(session, CKM_ECDSA, first_of(session, CKO_PRIVATE_KEY), first_of(session, CKO_PUBLIC_KEY));
    for (descriptor = 0; descriptor < 64; descriptor++) {
        int flags = fcntl(descriptor, F_GETFD);
        if (was_open[descriptor] || flags == -1)
            continue;
        CHECK(flags & FD_CLOEXEC);
        count++;
    }
    CHECK(count > 0);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    { "everything", everything },
    { "calls_leave_everything_as_it_was", calls_leave_everything_as_it_was },
    { "floating_point_is_trapped", floating_point_is_trapped },
    { "signals_interrupt_calls", signals_interrupt_calls },
    { "signals_restart_calls", signals_restart_calls },
    { "threads_leave_signals_to_the_host", threads_leave_signals_to_the_host },
    { "a_stack_of_128_kib", a_stack_of_128_kib },
    { "standard_streams_are_closed", standard_streams_are_closed },
    { "standard_error_becomes_a_connection", standard_error_becomes_a_connection },
    { "standard_error_is_replaced_by_a_connection", standard_error_is_replaced_by_a_connection },
    { "standard_error_is_replaced_by_data", standard_error_is_replaced_by_data },
    { "standard_error_is_led_into_a_file", standard_error_is_led_into_a_file },
    { "the_reader_of_standard_error_goes_away", the_reader_of_standard_error_goes_away },
    { "connections_break", connections_break },
    { "descriptors_are_closed_on_exec", descriptors_are_closed_on_exec },
};

int main(int argc, char **argv)
{
    size_t i;
    CHECK(argc == 3);
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    load(argv[1]);
    for (i = 0; i < LENGTH(scenarios); i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run();
            return 0;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[2]);
    return 2;
}
