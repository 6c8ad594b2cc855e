//! The C interface: the only place with `unsafe`.
//!
//! [`table`] lists every function once; [`exports`] makes the exported symbols and function lists
//! from it; [`entry`] is what each call goes through; [`fns`] turns pointers into values, one file
//! per chapter of the specification; [`memory`] is where caller's memory is read and written,
//! [`environment`] where the host's variables are, [`spawn`] starts a program, and [`signals`] and [`thread_state`]
//! are about what its threads must not notice.

mod allocator;
mod entry;
mod environment;
mod exports;
mod fns;
#[cfg(any(test, fuzzing))]
mod listing;
mod memory;
mod message_parameter;
mod parameter;
mod process;
mod signals;
mod spawn;
mod table;
mod thread_state;
mod v3_2;

#[cfg(any(test, fuzzing))]
pub(crate) use listing::FUNCTIONS;
#[cfg(any(test, fuzzing))]
pub(crate) use process::install;
pub(crate) use signals::{WITH_SIGNALS_BLOCKED, without_sigpipe};
pub(crate) use spawn::spawn_shell;
