//! Where things are.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    let this_crate = Path::new(env!("CARGO_MANIFEST_DIR"));
    this_crate
        .ancestors()
        .nth(2)
        .unwrap_or(this_crate)
        .to_path_buf()
}

/// The built `libkms_pkcs11.so` of the profile this program was built in.
///
/// Cargo builds it for every test of the module's own package, because the library's one compilation
/// makes the `rlib` and the `cdylib`. Another package's test needs `cargo build -p kms-pkcs11` before.
/// `KMS_PKCS11_MODULE` names another file, an installed one for example.
pub fn module() -> PathBuf {
    if let Some(path) = env::var_os("KMS_PKCS11_MODULE") {
        return existing(PathBuf::from(path), "KMS_PKCS11_MODULE names no file");
    }
    // Not the copy one directory above: `cargo test` does not renew that one.
    existing(
        profile_dir().join("deps/libkms_pkcs11.so"),
        "build it with `make build` (or `cargo build -p kms-pkcs11`)",
    )
}

/// The built `kms-emulator` of the profile this program was built in.
pub fn emulator_binary() -> PathBuf {
    existing(
        profile_dir().join("kms-emulator"),
        "build it with `make build` (or `cargo build -p kms-emulator`)",
    )
}

/// SoftHSM2's module, the token that answers are compared with.
pub fn softhsm() -> PathBuf {
    existing(
        PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"),
        "install it with `make setup`",
    )
}

/// Kryoptic, the token that answers are compared with where SoftHSM2 has none.
pub fn kryoptic() -> PathBuf {
    existing(
        root().join("target/kryoptic/debug/libkryoptic.so"),
        "build it with `make setup`",
    )
}

/// The interpreter that has `tests/requirements.txt` installed.
pub fn venv_python() -> PathBuf {
    existing(
        root().join("target/venv/bin/python"),
        "make it with `make setup`",
    )
}

/// `target/debug`, `target/release`: a test runs in `deps` below it, a program in it.
fn profile_dir() -> PathBuf {
    let program = env::current_exe()
        .unwrap_or_else(|error| panic!("the path of this program is unknown: {error}"));
    program
        .ancestors()
        // The first is the program itself.
        .skip(1)
        .find(|directory| !directory.ends_with("deps") && !directory.ends_with("examples"))
        .unwrap_or_else(|| panic!("{} is in no directory", program.display()))
        .to_path_buf()
}

fn existing(path: PathBuf, advice: &str) -> PathBuf {
    assert!(path.exists(), "{} is missing: {advice}", path.display());
    path
}
