//! The C interface: the only place with `unsafe`.
//!
//! [`table`] lists every function once; [`exports`] makes the exported symbols and function lists
//! from it; [`entry`] is what each call goes through; [`fns`] turns pointers into values, one file
//! per chapter of the specification; [`memory`] is where caller's memory is read and written, and
//! [`environment`] where the host's variables are.

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
mod table;
mod v3_2;

#[cfg(any(test, fuzzing))]
pub(crate) use listing::FUNCTIONS;
#[cfg(any(test, fuzzing))]
pub(crate) use process::install;
