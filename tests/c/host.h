/* What every host program here does: load the module, and end with a line on stderr when something is off. */
#ifndef HOST_H
#define HOST_H

#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

#define CHECK(condition)                                                                       \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);            \
            _Exit(1);                                                                          \
        }                                                                                      \
    } while (0)

#define CHECK_RV(call, expected)                                                               \
    do {                                                                                       \
        CK_RV rv_ = (call);                                                                    \
        if (rv_ != (expected)) {                                                               \
            fprintf(stderr, "%s:%d: %s is %#lx, not %#lx\n", __FILE__, __LINE__, #call, rv_,   \
                    (CK_RV)(expected));                                                        \
            _Exit(1);                                                                          \
        }                                                                                      \
    } while (0)

/* How many times as long as usual a host may take: more under a tool that makes it slow (scripts/sanitize/cc). */
#ifndef HOST_PATIENCE
#define HOST_PATIENCE 1
#endif

/* Threads that a tool adds to a process as soon as it has a second one of its own. */
#ifndef HOST_TOOL_THREADS
#define HOST_TOOL_THREADS 0
#endif

/* LeakSanitizer asks. A child inherits what only its parent's threads could reach, and leaves it alone; and a host may
 * have given up what LeakSanitizer needs: /proc, and to fork. */
static int looks_for_no_leaks;
extern int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return looks_for_no_leaks;
}

static void look_for_no_leaks(void)
{
    looks_for_no_leaks = 1;
}

static void *library;
static CK_FUNCTION_LIST *p11;

/* ISO C has no cast from a pointer to data to one to a function. */
static void function(const char *name, void *pointer)
{
    void *symbol = dlsym(library, name);
    CHECK(symbol != NULL);
    memcpy(pointer, &symbol, sizeof symbol);
}

static void load(const char *path)
{
    CK_C_GetFunctionList get;
    CHECK(pthread_atfork(NULL, NULL, look_for_no_leaks) == 0);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _Exit(1);
    }
    function("C_GetFunctionList", &get);
    CHECK_RV(get(&p11), CKR_OK);
}

static inline int count_entries(const char *directory)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;
    int found = 0;
    CHECK(entries != NULL);
    while ((entry = readdir(entries)) != NULL)
        found += entry->d_name[0] != '.';
    closedir(entries);
    return found;
}

static inline int count_threads(void)
{
    int threads = count_entries("/proc/self/task");
    return threads == 1 ? 1 : threads - HOST_TOOL_THREADS;
}

static CK_RV initialize(char *reserved)
{
    CK_C_INITIALIZE_ARGS arguments = { NULL, NULL, NULL, NULL, CKF_OS_LOCKING_OK, reserved };
    return p11->C_Initialize(&arguments);
}

#endif
