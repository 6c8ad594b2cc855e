//! Link arguments of the cdylib.

const LAST: &str = "src/abi/last.c";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LAST}");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkms_pkcs11.so");
    // Thread-local destructors of host threads that once called in, and the runtime's own threads,
    // outlive dlclose; an unmapped library under them is a crash at thread exit.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Link arguments come behind all libraries, and so behind those whose destructors it must precede.
    for object in cc::Build::new().file(LAST).compile_intermediates() {
        println!("cargo:rustc-cdylib-link-arg={}", object.display());
    }
}
