//! Writes docs/reliability.md from what runs have recorded.

use std::fs;
use std::process::ExitCode;

use kms_pkcs11_testkit::{reliability, root};

fn main() -> ExitCode {
    let report = reliability::render(&reliability::folder()).and_then(|report| {
        fs::write(root().join("docs/reliability.md"), report).map_err(|error| error.to_string())
    });
    match report {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a program of its own")]
            {
                eprintln!("docs/reliability.md is left as it is: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
