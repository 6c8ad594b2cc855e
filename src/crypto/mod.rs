//! Local cryptography: what needs no private key.
//!
//! Digests, encodings, signature verification and public-key encryption, on aws-lc-rs and the
//! `der` family. Private keys stay in KMS; nothing here can hold one.

mod asn1;
pub(crate) mod curve;
pub(crate) mod digest_info;
pub(crate) mod ecdsa;
pub(crate) mod edwards;
pub(crate) mod hash;
pub(crate) mod hmac;
pub(crate) mod ml_dsa;
pub(crate) mod oaep;
#[cfg(test)]
mod openssl;
pub(crate) mod public_key;
#[cfg(test)]
mod python;
pub(crate) mod random;
pub(crate) mod verify;

pub(crate) use curve::Curve;
pub(crate) use hash::{Hash, Hasher};
pub(crate) use public_key::{EcPublicKey, Ed25519PublicKey, PublicKey, RsaPublicKey};
pub(crate) use public_key::{MlDsaPublicKey, MlDsaSet, MlKemSet};
