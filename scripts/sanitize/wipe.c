/*
 * The runtimes of the sanitizers do not know this function of the C library, by which the module's allocator wipes what
 * it frees. memset they know: so they see what is wiped beside a block, or after it was freed.
 */
#include <string.h>

void explicit_bzero(void *block, size_t size)
{
    memset(block, 0, size);
    __asm__ volatile("" : : "r"(block) : "memory");
}
