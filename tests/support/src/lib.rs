//! What the test suites share: the built module, servers on loopback, outside verifiers.
//!
//! Nothing here asks whether a tool is installed and goes without it: `make setup` installs them, and a
//! missing one fails the test that wanted it, with that advice.

#![expect(
    clippy::missing_panics_doc,
    reason = "every helper panics when its test cannot go on; that is how a test fails"
)]

mod audit;
mod authority;
mod aws;
mod console;
mod hex;
mod http;
mod ministack;
mod paths;
mod policies;
mod proxy;
mod relay;
pub mod reliability;
mod server;
mod sources;
mod tls;
mod token;
mod tools;

pub use audit::audited;
pub use authority::{Authority, ServerIdentity};
pub use aws::{AccessKey, REGION, aws_environment, boto3};
pub use console::Console;
pub use hex::{from_hex, hex};
pub use http::{delete, get};
pub use ministack::{MiniStack, MiniStackOptions};
pub use paths::{emulator_binary, kryoptic, module, root, softhsm, venv_python};
pub use policies::documented_policy;
pub use proxy::ForwardProxy;
pub use server::{Ready, Server, free_port};
pub use sources::CredentialSources;
pub use tls::TlsFront;
pub use token::{Token, patient};
pub use tools::{Finished, openssl, openssl_ok, python, run, run_with_input};
