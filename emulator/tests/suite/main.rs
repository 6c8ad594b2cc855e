//! The emulator as its clients meet it: over HTTP, and verified by programs we did not write.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a panic is how a test fails"
)]

mod agreement;
mod bench;
mod client;
mod command;
mod consistency;
mod contract;
mod cryptography;
mod data_keys;
mod edwards;
mod faults;
mod import;
mod keys;
mod lists;
mod macs;
mod ml_dsa;
mod ml_kem;
mod protocol;
mod recorded;
mod replication;
mod rotation;
mod sdk;
mod state;
