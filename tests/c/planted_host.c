/*
 * Mistakes on purpose, each made by the module's code on behalf of a host that asks for it, so that `make sanitize`
 * can tell a module without findings from a tool that sees nothing. Usage: planted_host MODULE overflow|leak|race.
 */
#include "host.h"

/* Says that there is room for two slots where there is none for one. */
static void overflow(void)
{
    CK_SLOT_ID *slots = malloc(1);
    CK_ULONG len = 2;
    CHECK_RV(p11->C_GetSlotList(CK_TRUE, slots, &len), CKR_OK);
    free(slots);
}

static void leak(void)
{
    CK_SLOT_ID *volatile slots = malloc(2 * sizeof *slots);
    CK_ULONG len = 2;
    CHECK_RV(p11->C_GetSlotList(CK_TRUE, slots, &len), CKR_OK);
    slots = NULL;
}

static CK_TOKEN_INFO shared;

static void *ask(void *unused)
{
    int i;
    (void)unused;
    for (i = 0; i < 1000; i++)
        CHECK_RV(p11->C_GetTokenInfo(0, &shared), CKR_OK);
    return NULL;
}

/* Two threads have the module write to the same memory. */
static void race(void)
{
    pthread_t threads[2];
    int i;
    for (i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, ask, NULL) == 0);
    for (i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    load(argv[1]);
    CHECK_RV(initialize(NULL), CKR_OK);
    if (strcmp(argv[2], "overflow") == 0)
        overflow();
    else if (strcmp(argv[2], "leak") == 0)
        leak();
    else if (strcmp(argv[2], "race") == 0)
        race();
    else
        return 2;
    CHECK_RV(p11->C_Finalize(NULL), CKR_OK);
    return 0;
}
