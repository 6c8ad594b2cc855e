//! A PKCS#11 module whose keys live in AWS KMS.
//!
//! The C functions are the interface; ARCHITECTURE.md shows the way of a call through the rooms.

mod abi;
mod config;
mod crypto;
#[cfg(test)]
mod documentation;
mod error;
mod files;
mod fork;
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/bodies/mod.rs"]
pub mod fuzzing;
mod handle;
mod hex;
mod kms;
mod log;
mod mechanism;
mod metrics;
mod module;
mod object;
mod panics;
mod reply;
mod session;
mod sync;
mod token;
mod v3_2;
mod vendor;
