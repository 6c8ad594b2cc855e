//! The C functions that are built, one file per chapter of the specification.
//!
//! Every function here is `unsafe` for one reason, which is not repeated at each: its pointers are
//! NULL or valid for what PKCS#11 says that the function of this name reads and writes through
//! them.

pub(super) mod decrypt;
pub(super) mod digest;
pub(super) mod dual;
pub(super) mod encrypt;
pub(super) mod general;
pub(super) mod keys;
pub(super) mod message_decrypt;
pub(super) mod message_encrypt;
pub(super) mod message_sign;
pub(super) mod message_verify;
pub(super) mod objects;
pub(super) mod random;
pub(super) mod sessions;
pub(super) mod sign;
pub(super) mod slots;
pub(super) mod verify;
pub(super) mod verify_signature;
