/*
 * A host whose profile has a credential_process, which looks at what that does to it. Usage: process_host MODULE
 * SCENARIO CHILDREN [FILE]. CHILDREN says what the host does about children: default, ignored, handler or reaper.
 * Prints what the scenario says, and the first line of its standard input, the file `stdin`, on stdout.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct sigaction expected;

static void count_child(int signal)
{
    (void)signal;
}

static void reap_all(int signal)
{
    int error = errno;
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = error;
}

static void treat_children(const char *how)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_flags = SA_RESTART;
    action.sa_handler = SIG_DFL;
    if (strcmp(how, "ignored") == 0)
        action.sa_handler = SIG_IGN;
    else if (strcmp(how, "handler") == 0)
        action.sa_handler = count_child;
    else if (strcmp(how, "reaper") == 0)
        action.sa_handler = reap_all;
    else
        CHECK(strcmp(how, "default") == 0);
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    CHECK(sigaction(SIGCHLD, NULL, &expected) == 0);
}

/* The handler is the host's own still, and it has no child that it did not start. */
static void look(void)
{
    struct sigaction action;
    CHECK(sigaction(SIGCHLD, NULL, &action) == 0);
    CHECK(action.sa_handler == expected.sa_handler && action.sa_flags == expected.sa_flags);
    errno = 0;
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static double now(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static CK_RV find(void)
{
    CK_SESSION_HANDLE session;
    CK_RV rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);
    return rv == CKR_OK ? p11->C_FindObjectsInit(session, NULL, 0) : rv;
}

/* Asks for credentials once, and ends. */
static void find_once(const char *unused)
{
    (void)unused;
    CHECK_RV(initialize(NULL), CKR_OK);
    printf("find: %#lx\n", find());
    look();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    look();
}

static void *find_meanwhile(void *rv)
{
    *(CK_RV *)rv = find();
    return NULL;
}

/* C_Finalize comes while the program runs, as it says by making the file. */
static void finalize_meanwhile(const char *file)
{
    struct timespec pause = { 0, 10000000 };
    double begun = now();
    CK_RV rv = CKR_OK;
    pthread_t finder;
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK(pthread_create(&finder, NULL, find_meanwhile, &rv) == 0);
    while (access(file, F_OK) != 0) {
        CHECK(now() - begun < 30);
        nanosleep(&pause, NULL);
    }
    begun = now();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK(now() - begun < 3);
    look();
    CHECK(pthread_join(finder, NULL) == 0);
    CHECK(rv != CKR_OK);
}

static const struct {
    const char *name;
    void (*run)(const char *file);
} scenarios[] = {
    { "find_once", find_once },
    { "finalize_meanwhile", finalize_meanwhile },
};

int main(int argc, char **argv)
{
    char line[64];
    size_t i;
    CHECK(argc >= 4);
    CHECK(close(0) == 0 && open("stdin", O_RDONLY) == 0);
    treat_children(argv[3]);
    load(argv[1]);
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run(argc > 4 ? argv[4] : NULL);
            printf("stdin: %s", fgets(line, sizeof line, stdin) == NULL ? "nothing\n" : line);
            return 0;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[2]);
    return 2;
}
