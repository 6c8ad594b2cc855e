//! Link arguments of the cdylib.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkms_pkcs11.so");
    // Thread-local destructors of host threads that once called in, and the runtime's own threads,
    // outlive dlclose; an unmapped library under them is a crash at thread exit.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
