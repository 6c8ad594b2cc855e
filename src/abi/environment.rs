//! The host's environment, as far as it may be heeded.

use std::env;
use std::ffi::OsString;

/// A variable of the environment, of which there are none in a program that has more rights than
/// whoever started it.
///
/// They choose which files are read and written; in a program that is setuid, setgid or has
/// capabilities of its own, that choice would be made by the one and done with the rights of the other.
pub(super) fn variable(name: &str) -> Option<OsString> {
    heeded(is_privileged(), name)
}

fn heeded(is_privileged: bool, name: &str) -> Option<OsString> {
    env::var_os(name).filter(|_| !is_privileged)
}

/// Whether the kernel asks for secure execution, as the dynamic linker understands it (`getauxval(3)`).
fn is_privileged() -> bool {
    // SAFETY: it takes a number, has no preconditions, and answers 0 for what the kernel did not tell.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_those_of_the_environment_but_in_privileged_programs() {
        assert!(env::var_os("PATH").is_some());
        assert_eq!(variable("PATH"), env::var_os("PATH"));
        assert_eq!(heeded(true, "PATH"), None);
    }
}
