/*
 * A host whose clock fails while calls are made, upon which the Rust library panics: when a request is timed, and
 * when the log notes the time of a line. Usage: guest_panic MODULE FUNCTION...; the configured token shows one
 * P-256 pair.
 */
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static __thread int is_broken;

/* Takes the place of that of the C library, in this program and in what it loads. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (is_broken) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}

/* More arguments than any function has are harmless on the machines that this runs on. */
typedef CK_RV (*any_function)(CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG, CK_ULONG,
                              CK_ULONG);

/* Refused by every function, so that there is a line to write: NULL, but where that is not refused. */
static CK_ULONG first_argument(const char *name)
{
    if (strcmp(name, "C_Finalize") == 0)
        return 1;
    if (strcmp(name, "C_CloseAllSessions") == 0)
        return 4711;
    return strcmp(name, "C_WaitForSlotEvent") == 0 ? CKF_DONT_BLOCK : 0;
}

static void sign(void)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 7 }, signature[64];
    CK_ULONG length = sizeof signature, count;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CHECK_RV(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
    CHECK_RV(p11->C_FindObjectsInit(session, &template, 1), CKR_OK);
    CHECK_RV(p11->C_FindObjects(session, &key, 1, &count), CKR_OK);
    CHECK(count == 1);
    CHECK_RV(p11->C_FindObjectsFinal(session), CKR_OK);
    CHECK_RV(p11->C_SignInit(session, &mechanism, key), CKR_OK);
    CHECK_RV(p11->C_Sign(session, digest, sizeof digest, signature, &length), CKR_OK);
    CHECK_RV(p11->C_CloseSession(session), CKR_OK);
}

int main(int argc, char **argv)
{
    int i;
    CHECK(argc > 2);
    load(argv[1]);
    CHECK_RV(initialize(NULL), CKR_OK);
    sign();
    for (i = 2; i < argc; i++) {
        any_function call;
        CK_RV rv;
        function(argv[i], &call);
        is_broken = 1;
        rv = call(first_argument(argv[i]), 0, 0, 0, 0, 0, 0, 0, 0, 0);
        is_broken = 0;
        if (rv != CKR_GENERAL_ERROR) {
            fprintf(stderr, "%s answered %#lx\n", argv[i], rv);
            return 1;
        }
    }
    sign();
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    return 0;
}
