/*
 * A library of a host, which uses the module until its own end, when the module may have come to its own.
 */
#include <stdio.h>
#include <stdlib.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST **list;

/* The list is read at the end: it may be there later than this library. */
void exit_library_use(CK_FUNCTION_LIST **of_host);

void exit_library_use(CK_FUNCTION_LIST **of_host)
{
    list = of_host;
}

__attribute__((destructor)) static void at_the_end(void)
{
    CK_SESSION_HANDLE session;
    CK_BYTE random[32];
    CK_RV opened, asked, finalized, started;
    if (list == NULL)
        return;
    opened = (*list)->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);
    asked = (*list)->C_GenerateRandom(session, random, sizeof random);
    finalized = (*list)->C_Finalize(NULL);
    started = (*list)->C_Initialize(NULL);
    /* Which of the two libraries ends first is the C library's choice. */
    if (opened == CKR_OK && asked == CKR_OK && finalized == CKR_OK && started == CKR_OK)
        return;
    if (opened != CKR_CRYPTOKI_NOT_INITIALIZED || asked != opened || finalized != opened
        || started != CKR_FUNCTION_FAILED) {
        fprintf(stderr, "answered at the end: %#lx, %#lx, %#lx, %#lx\n", opened, asked, finalized, started);
        _Exit(1);
    }
}
