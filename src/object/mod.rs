//! Objects: what PKCS#11 shows of a KMS key.

pub(crate) mod attributes;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the token does not show certificates yet")
)]
pub(crate) mod certificate;
pub(crate) mod spec;
pub(crate) mod template;

use std::sync::Arc;

use once_cell::sync::OnceCell;
use pkcs11_sys::*;

use crate::crypto::PublicKey;
use crate::crypto::public_key::SpkiError;
use crate::kms::{KeyAnswer, KeyEntry, KeySpec, KeyUsage};

/// The two objects of a key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Half {
    Private,
    Public,
}

impl Half {
    pub(crate) fn class(self) -> CK_OBJECT_CLASS {
        match self {
            Self::Private => CKO_PRIVATE_KEY,
            Self::Public => CKO_PUBLIC_KEY,
        }
    }
}

/// CKA_ID and CKA_LABEL of one object: any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) id: Vec<u8>,
    pub(crate) label: Vec<u8>,
}

/// A KMS key of a token. Immutable but for its public half, which is fetched when first needed.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) entry: KeyEntry,
    pub(crate) private: Names,
    pub(crate) public: Names,
    /// False when the token's configuration refuses to destroy keys.
    pub(crate) destroyable: bool,
    /// Shared by the copies of this key in successive snapshots.
    pub(crate) material: Arc<OnceCell<Arc<KeyMaterial>>>,
}

impl Key {
    pub(crate) fn names(&self, half: Half) -> &Names {
        match half {
            Half::Private => &self.private,
            Half::Public => &self.public,
        }
    }
}

/// What KMS tells of a key; it never changes.
#[derive(Debug)]
pub(crate) struct KeyMaterial {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) public: PublicKey,
}

impl KeyMaterial {
    /// Takes GetPublicKey's answer, unless its parts contradict each other.
    pub(crate) fn new(answer: &KeyAnswer) -> Result<Self, MaterialError> {
        let KeyAnswer { spec, usage, .. } = *answer;
        let spki = answer.public.as_deref();
        let public = PublicKey::from_spki(spki.ok_or(MaterialError::NoPublicHalf(spec))?)?;
        if spec::of_key(&public) != Some(spec) {
            return Err(MaterialError::OtherSpec(spec));
        }
        Ok(Self {
            spec,
            usage,
            public,
        })
    }

    pub(crate) fn key_type(&self) -> CK_KEY_TYPE {
        match self.public {
            PublicKey::Rsa(_) => CKK_RSA,
            _ => CKK_EC,
        }
    }
}

/// Why an answer of GetPublicKey is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MaterialError {
    #[error("the public key is {0}")]
    Spki(#[from] SpkiError),
    #[error("a key of spec {0} has no public half")]
    NoPublicHalf(KeySpec),
    #[error("the public key is not of the spec that KMS names, {0}")]
    OtherSpec(KeySpec),
}

/// One object: a half of a key whose public half is known.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: Arc<Key>,
    pub(crate) material: Arc<KeyMaterial>,
    pub(crate) half: Half,
}
