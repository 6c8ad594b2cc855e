/*
 * A host that has run out of something: descriptors, threads, memory, an environment, a file system. Usage:
 * guest_scarce MODULE SCENARIO [ARGUMENT]. The configured token shows one P-256 pair. Prints a line for each
 * attempt, its CK_RV in hexadecimal, on stdout; fails when the module does not recover.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static CK_SESSION_HANDLE opened(void)
{
    CK_SESSION_HANDLE session;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    return session;
}

/* A find and a signature, up to the first that fails. */
static CK_RV try_to_sign(void)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature, count = 0;
    CK_SESSION_HANDLE session = opened();
    CK_OBJECT_HANDLE key;
    CK_RV rv = p11->C_FindObjectsInit(session, &template, 1);
    if (rv == CKR_OK) {
        CHECK_RV(p11->C_FindObjects(session, &key, 1, &count), CKR_OK);
        CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
        CHECK(count == 1);
        rv = p11->C_SignInit(session, &mechanism, key);
    }
    if (rv == CKR_OK)
        rv = p11->C_Sign(session, digest, sizeof digest, signature, &length);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
    return rv;
}

static void say(const char *when, CK_RV rv)
{
    printf("%s: %#lx\n", when, rv);
    fflush(stdout);
}

static struct rlimit limit(int resource, rlim_t most)
{
    struct rlimit before, lowered;
    CHECK(getrlimit(resource, &before) == 0);
    lowered = before;
    lowered.rlim_cur = most;
    CHECK(setrlimit(resource, &lowered) == 0);
    return before;
}

static int taken[256], taken_count;

/* Takes all descriptors but so many. */
static void take_descriptors(int left)
{
    int descriptor;
    taken_count = 0;
    while ((descriptor = dup(0)) >= 0)
        taken[taken_count++] = descriptor;
    CHECK(errno == EMFILE && taken_count > left);
    while (left-- > 0)
        close(taken[--taken_count]);
}

static void give_descriptors_back(void)
{
    while (taken_count > 0)
        close(taken[--taken_count]);
}

/* Before anything was asked of KMS, when the module has nothing but its configuration. */
static void no_descriptors_for_the_first_request(const char *unused)
{
    char when[64];
    int left;
    (void)unused;
    limit(RLIMIT_NOFILE, 64);
    for (left = 0; left <= 16; left++) {
        CHECK_RV(initialize(NULL), CKR_OK);
        take_descriptors(left);
        snprintf(when, sizeof when, "%d left", left);
        say(when, try_to_sign());
        give_descriptors_back();
        CHECK_RV(try_to_sign(), CKR_OK);
        CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    }
}

static void no_descriptors_for_the_configuration(const char *unused)
{
    (void)unused;
    limit(RLIMIT_NOFILE, 64);
    take_descriptors(0);
    say("C_Initialize", initialize(NULL));
    give_descriptors_back();
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK_RV(try_to_sign(), CKR_OK);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

/* The lowest number that is free: the next one when a descriptor was left open. */
static int next_descriptor(void)
{
    int next = dup(0);
    CHECK(next >= 0);
    close(next);
    return next;
}

/* Root is not bound by this limit. */
static void no_threads(const char *unused)
{
    struct rlimit before;
    int next, i;
    (void)unused;
    CHECK_RV(initialize(NULL), CKR_OK);
    if (getuid() == 0)
        CHECK(setuid(65534) == 0);
    before = limit(RLIMIT_NPROC, 0);
    look_for_no_leaks();
    say("no threads", try_to_sign());
    next = next_descriptor();
    for (i = 0; i < 10; i++)
        CHECK_RV(try_to_sign(), CKR_HOST_MEMORY);
    CHECK(next_descriptor() == next);
    CHECK(setrlimit(RLIMIT_NPROC, &before) == 0);
    CHECK_RV(try_to_sign(), CKR_OK);
    limit(RLIMIT_NPROC, 0);
    /* With the threads that it has, it goes on, and ends without one that waits for the others. */
    say("no more threads", try_to_sign());
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static rlim_t size_of_this(void)
{
    unsigned long pages;
    FILE *statm = fopen("/proc/self/statm", "r");
    CHECK(statm != NULL && fscanf(statm, "%lu", &pages) == 1);
    fclose(statm);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* There is no room for the stack of a thread. */
static void no_memory(const char *unused)
{
    struct rlimit before;
    (void)unused;
    CHECK_RV(initialize(NULL), CKR_OK);
    before = limit(RLIMIT_AS, size_of_this() + (2 << 20));
    say("2 MiB of memory", try_to_sign());
    CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    CHECK_RV(try_to_sign(), CKR_OK);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static char *named(const char *config)
{
    static char reserved[4096];
    snprintf(reserved, sizeof reserved, "config=%s", config);
    return reserved;
}

/* No HOME, no PATH; at first no credentials, either, and nowhere to ask for some. */
static void no_environment(const char *config)
{
    CHECK(clearenv() == 0 && setenv("AWS_EC2_METADATA_DISABLED", "true", 1) == 0);
    CHECK_RV(initialize(named(config)), CKR_OK);
    say("nothing", try_to_sign());
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    CHECK(clearenv() == 0 && setenv("AWS_ACCESS_KEY_ID", "test", 1) == 0);
    CHECK(setenv("AWS_SECRET_ACCESS_KEY", "test-secret", 1) == 0);
    CHECK_RV(initialize(named(config)), CKR_OK);
    say("credentials alone", try_to_sign());
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

/* A root directory without anything: no /etc, /proc, /dev. */
static void no_files(const char *directory)
{
    CHECK_RV(initialize(NULL), CKR_OK);
    if (getuid() != 0)
        CHECK(unshare(CLONE_NEWUSER) == 0);
    CHECK(chroot(directory) == 0 && chdir("/") == 0);
    look_for_no_leaks();
    say("no files", try_to_sign());
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

/* So that the mode of a file counts, also for root. */
static void give_up_rights(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    CHECK(syscall(SYS_capset, &header, none) == 0);
}

/* The root directory has the directory of the system's configuration, and a home with one; neither can be entered. */
static void closed_directories(const char *directory)
{
    if (getuid() != 0)
        CHECK(unshare(CLONE_NEWUSER) == 0);
    CHECK(chroot(directory) == 0 && chdir("/") == 0);
    give_up_rights();
    CHECK(setenv("HOME", "/home", 1) == 0 && unsetenv("XDG_CONFIG_HOME") == 0);
    CHECK(access("/home/.config/kms-pkcs11/config.toml", F_OK) == -1 && errno == EACCES);
    if (access("/etc/kms-pkcs11/config.toml", F_OK) == -1 && errno == EACCES) {
        say("the system's", initialize(NULL));
        return;
    }
    say("a user's", initialize(NULL));
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static void write_text(const char *path, const char *text)
{
    int file = open(path, O_WRONLY);
    CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) && close(file) == 0);
}

/* A home whose configuration is another user's. Who cannot give files away takes root's, as somebody else's root. */
static void home_of_another_user(const char *config)
{
    char text[64];
    if (getuid() == 0) {
        CHECK(chown(config, 4711, (gid_t)-1) == 0);
    } else {
        snprintf(text, sizeof text, "0 %u 1", getuid());
        CHECK(unlink(config) == 0 && symlink("/etc/passwd", config) == 0);
        CHECK(unshare(CLONE_NEWUSER) == 0);
        write_text("/proc/self/uid_map", text);
    }
    say("another's", initialize(NULL));
}

/* No thread is left for work in the background, and then there are some. */
static void no_threads_in_the_background(const char *unused)
{
    struct rlimit before;
    (void)unused;
    CHECK_RV(initialize(NULL), CKR_OK);
    CHECK_RV(try_to_sign(), CKR_OK);
    if (getuid() == 0)
        CHECK(setuid(65534) == 0);
    /* Threads without work end after ten seconds. */
    sleep(12);
    before = limit(RLIMIT_NPROC, 0);
    say("no threads", try_to_sign());
    sleep(3);
    CHECK(setrlimit(RLIMIT_NPROC, &before) == 0);
    sleep(3);
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
}

static const struct {
    const char *name;
    void (*run)(const char *argument);
} scenarios[] = {
    { "no_descriptors_for_the_first_request", no_descriptors_for_the_first_request },
    { "no_descriptors_for_the_configuration", no_descriptors_for_the_configuration },
    { "no_threads", no_threads },
    { "no_memory", no_memory },
    { "no_environment", no_environment },
    { "no_files", no_files },
    { "closed_directories", closed_directories },
    { "home_of_another_user", home_of_another_user },
    { "no_threads_in_the_background", no_threads_in_the_background },
};

int main(int argc, char **argv)
{
    size_t i;
    CHECK(argc >= 3);
    load(argv[1]);
    for (i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (strcmp(scenarios[i].name, argv[2]) == 0) {
            scenarios[i].run(argc > 3 ? argv[3] : NULL);
            return 0;
        }
    }
    fprintf(stderr, "no scenario %s\n", argv[2]);
    return 2;
}
