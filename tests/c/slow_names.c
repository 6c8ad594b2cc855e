/*
 * To be preloaded: name servers that do not answer. Lookups of names that end in ".slow" wait until they may end, and
 * fail; all others are as always.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

static volatile int begun, may_end;

int slow_names_begun(void);
int slow_names_begun(void)
{
    return begun;
}

void slow_names_end(void);
void slow_names_end(void)
{
    may_end = 1;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = name == NULL ? 0 : strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".slow") == 0) {
        begun = 1;
        while (!may_end)
            usleep(10 * 1000);
        return EAI_AGAIN;
    }
    memcpy(&next, &symbol, sizeof next);
    return next(name, service, hints, found);
}
