//! What is fuzzed, and what has to be true of every input: the targets, callable by libFuzzer and by a test.
//!
//! | target | what an input is |
//! | --- | --- |
//! | `calls` | a sequence of calls of any functions with any arguments |
//! | `templates` | the same of the functions that take templates, whose objects are then read as a whole |
//! | `parameters` | the same of the functions that take mechanisms, and of what they begin |
//! | `der` | an encoding: of keys, signatures, certificates, names |
//! | `config` | a configuration file |
//! | `responses` | what KMS answers to the requests of an operation |
//! | `emulator` | a request to `kms-emulator` |
//!
//! A target panics when a promise is broken: a buffer is written where it must not be, an answer is none of
//! those that the module has, what was read is not what was written. CONTRIBUTING.md says how they are run.

mod arguments;
mod calls;
mod config;
mod der;
mod emulator;
mod functions;
mod http;
mod input;
mod machine;
mod making;
mod memory_kms;
mod parameter;
mod responses;
#[cfg(test)]
mod tests;
mod values;

/// A target's name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 7] = [
    ("calls", calls::calls),
    ("templates", calls::templates),
    ("parameters", calls::parameters),
    ("der", der::run),
    ("config", config::run),
    ("responses", responses::run),
    ("emulator", emulator::run),
];

/// Gives one input to a target.
///
/// # Panics
///
/// Where there is no such target, and where the module breaks a promise.
pub fn run(target: &str, input: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    assert!(found.is_some(), "no target {target}");
    if let Some((_, run)) = found {
        run(input);
    }
}
