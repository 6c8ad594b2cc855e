/*
 * ThreadSanitizer does not know of fences. Rust's Arc gives up a reference with `fetch_sub(Release)`, and the thread that
 * gave up the last one sees the others' writes by a fence, in code that the standard library was compiled to; so every
 * Arc whose last owner is another thread would be reported. Here a subtraction that releases acquires as well, which is
 * what the library itself does when it is compiled for this sanitizer. The runtime's own function has been renamed.
 */
long renamed_tsan_atomic64_fetch_sub(volatile long *value, long by, int order);
long __tsan_atomic64_fetch_sub(volatile long *value, long by, int order);

long __tsan_atomic64_fetch_sub(volatile long *value, long by, int order)
{
    return renamed_tsan_atomic64_fetch_sub(value, by, order == __ATOMIC_RELEASE ? __ATOMIC_ACQ_REL : order);
}
