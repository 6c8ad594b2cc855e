/*
 * The first destructor of the library to run: the linker puts it behind all others, and they run from the last to
 * the first (build.rs). It is C because a crate cannot say where in that order its own would be.
 */
extern void (*const kms_pkcs11_at_exit)(void) __attribute__((visibility("hidden")));

__attribute__((destructor)) static void first_of_all(void)
{
    kms_pkcs11_at_exit();
}
