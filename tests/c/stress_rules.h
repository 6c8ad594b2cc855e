/*
 * What a call may answer while other threads close sessions, log out, and destroy objects: a table. Whatever is not
 * in it ends the program.
 */
#ifndef STRESS_RULES_H
#define STRESS_RULES_H

#include "host.h"

/* Who else has to do with what a call uses. */
enum situation {
    ALONE = 0,        /* nobody, but for the one who closes all sessions */
    SHARED = 1,       /* other threads destroy the object */
    GUARDED = 2,      /* other threads log out */
    FINALIZED = 4     /* C_Finalize has been called */
};

struct rule {
    const char *function;
    int situation;
    CK_RV rv;
};

/* In any situation: the session is gone, and with it its objects and operations. */
static const struct rule RULES[] = {
    { "C_GetAttributeValue", ALONE, CKR_OBJECT_HANDLE_INVALID },
    { "C_SetAttributeValue", ALONE, CKR_OBJECT_HANDLE_INVALID },
    { "C_CopyObject", ALONE, CKR_OBJECT_HANDLE_INVALID },
    { "C_DestroyObject", ALONE, CKR_OBJECT_HANDLE_INVALID },
    { "C_SignInit", ALONE, CKR_KEY_HANDLE_INVALID },
    { "C_EncryptInit", ALONE, CKR_KEY_HANDLE_INVALID },
    { "C_DecryptInit", ALONE, CKR_KEY_HANDLE_INVALID },
    { "C_WrapKey", ALONE, CKR_KEY_HANDLE_INVALID },
    { "C_WrapKey", ALONE, CKR_WRAPPING_KEY_HANDLE_INVALID },
    { "C_UnwrapKey", ALONE, CKR_UNWRAPPING_KEY_HANDLE_INVALID },
    /* The key was there when the operation began, and its deletion scheduled when KMS was asked. */
    { "C_Sign", SHARED, CKR_FUNCTION_REJECTED },
    { "C_SignInit", SHARED, CKR_KEY_HANDLE_INVALID },
    { "C_Login", GUARDED, CKR_USER_ALREADY_LOGGED_IN },
    { "C_Logout", GUARDED, CKR_USER_NOT_LOGGED_IN },
    { "C_SignInit", GUARDED, CKR_USER_NOT_LOGGED_IN },
    { "C_SignInit", GUARDED, CKR_KEY_HANDLE_INVALID },
    { "C_Sign", GUARDED, CKR_USER_NOT_LOGGED_IN },
    /* C_Finalize waits for no request. */
    { "C_Decrypt", FINALIZED, CKR_DEVICE_ERROR },
    { "C_Encrypt", FINALIZED, CKR_DEVICE_ERROR },
    { "C_GenerateKeyPair", FINALIZED, CKR_DEVICE_ERROR },
    { "C_GenerateRandom", FINALIZED, CKR_DEVICE_ERROR },
    { "C_SetAttributeValue", FINALIZED, CKR_DEVICE_ERROR },
    { "C_DestroyObject", FINALIZED, CKR_DEVICE_ERROR },
    { "C_Sign", FINALIZED, CKR_DEVICE_ERROR },
    { "C_SignFinal", FINALIZED, CKR_DEVICE_ERROR },
    { "C_Verify", FINALIZED, CKR_DEVICE_ERROR },
};

#define MOST_FUNCTIONS 48

/* How often a function was called, and how often it answered CKR_OK. */
struct calls {
    const char *function;
    unsigned long all, successes;
};

/* A thread of its own. Nothing here synchronises workers: that would hide the races of the module. */
struct worker {
    pthread_t thread;
    unsigned index;
    unsigned long random;
    unsigned long rounds, verified;
    CK_SESSION_HANDLE session, guarded;
    struct calls calls[MOST_FUNCTIONS];
};

/* Set just before C_Finalize. */
static int finalizing;

static int is_finalizing(void)
{
    return __atomic_load_n(&finalizing, __ATOMIC_RELAXED);
}

static void count(struct calls *calls, const char *function, CK_RV rv)
{
    size_t i;
    for (i = 0; calls[i].function != NULL && strcmp(calls[i].function, function) != 0; i++)
        CHECK(i + 1 < MOST_FUNCTIONS);
    calls[i].function = function;
    calls[i].all++;
    calls[i].successes += rv == CKR_OK;
}

static int is_allowed(const char *function, int situation, CK_RV rv)
{
    size_t i;
    if (rv == CKR_OK || rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED)
        return 1;
    if (is_finalizing() && rv == CKR_CRYPTOKI_NOT_INITIALIZED)
        return 1;
    for (i = 0; i < sizeof RULES / sizeof *RULES; i++)
        if (RULES[i].rv == rv && strcmp(RULES[i].function, function) == 0
            && (RULES[i].situation == ALONE || RULES[i].situation == situation
                || (RULES[i].situation == FINALIZED && is_finalizing())))
            return 1;
    return 0;
}

static CK_RV judged(struct worker *worker, int line, const char *function, int situation, CK_RV rv)
{
    count(worker->calls, function, rv);
    if (!is_allowed(function, situation, rv)) {
        fprintf(stderr, "%d: %s answers %#lx, which it may not%s\n", line, function, rv,
                is_finalizing() ? " while the module is finalized" : "");
        _Exit(1);
    }
    return rv;
}

/* Ends the step of a worker (`worker`) when the call did not succeed for a reason that the table has. */
#define TRY(situation, name, ...)                                                              \
    do {                                                                                       \
        CK_RV rv_ = judged(worker, __LINE__, #name, (situation), p11->name(__VA_ARGS__));      \
        if (rv_ != CKR_OK)                                                                     \
            return rv_;                                                                        \
    } while (0)

#endif
