//! AWS KMS on loopback, with real cryptography and programmable faults.
//!
//! [`Emulator::start`] serves KMS's JSON protocol on a thread of its own until it is dropped. Any
//! AWS SDK reaches it through its endpoint setting; the keys and signatures are real, so that other
//! implementations can verify them. Next to the protocol it has what a test needs and KMS does not
//! offer: counts of the calls it received, faults and quotas on demand, and stale reads. Each is one
//! region; several that know each other replicate keys.
//!
//! What the service answers is described at <https://docs.aws.amazon.com/kms/latest/APIReference/>.

mod algorithm;
mod bulk;
mod calls;
mod ciphertext;
mod consistency;
mod control;
mod emulator;
mod error;
mod fault;
mod input;
mod key;
mod key_ref;
mod material;
mod members;
mod operations;
mod peer;
mod quota;
mod random;
mod regions;
mod response;
mod server;
mod service;
mod spec;
mod state_file;
mod store;
mod timestamp;
mod wrapping;

pub use bulk::{CreatedKey, NewKeys, NewKeysError};
pub use calls::Calls;
pub use emulator::{Emulator, Options, StartError};
pub use fault::{Effect, Fault};
pub use regions::PeerError;
pub use state_file::StateFileError;
