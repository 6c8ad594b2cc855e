//! Local cryptography: what needs no private key of the token.
//!
//! Digests, encodings, signature verification, public-key encryption and encapsulation, and what
//! the secret keys of a session do, on aws-lc-rs and the `der` family; ML-DSA over mu, the AES
//! key wrap of 192 bits and digests that can be interrupted, which aws-lc-rs has not, are RustCrypto's. Private keys stay in KMS;
//! the only ones here are on their way into it (`private_key`), and nothing here can use one.

pub(crate) mod aes;
mod asn1;
pub(crate) mod curve;
pub(crate) mod digest_info;
pub(crate) mod ecdsa;
pub(crate) mod edwards;
pub(crate) mod hash;
pub(crate) mod hmac;
pub(crate) mod kdf;
pub(crate) mod ml_dsa;
pub(crate) mod ml_kem;
pub(crate) mod oaep;
#[cfg(test)]
pub(crate) mod openssl;
mod pin_hash;
pub(crate) mod private_key;
pub(crate) mod public_key;
#[cfg(test)]
mod python;
pub(crate) mod random;
mod resumable;
pub(crate) mod rsa_aes;
pub(crate) mod verify;

pub(crate) use curve::Curve;
pub(crate) use hash::{Hash, Hasher};
pub(crate) use pin_hash::PinHash;
pub(crate) use private_key::PrivateKey;
pub(crate) use public_key::{
    EcPublicKey, Ed25519PublicKey, MlDsaPublicKey, MlDsaSet, MlKemPublicKey, MlKemSet, PublicKey,
    RsaPublicKey,
};
pub(crate) use resumable::ResumableHasher;
