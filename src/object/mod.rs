//! Objects: what PKCS#11 shows of a KMS key.

pub(crate) mod attributes;
pub(crate) mod template;

use std::sync::Arc;

use once_cell::sync::OnceCell;
use pkcs11_sys::*;

use crate::crypto::PublicKey;
use crate::kms::{KeyEntry, KeySpec, KeyUsage};

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

/// What GetPublicKey tells of a key; it never changes.
#[derive(Debug)]
pub(crate) struct KeyMaterial {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) public: PublicKey,
}

impl KeyMaterial {
    pub(crate) fn key_type(&self) -> CK_KEY_TYPE {
        match self.public {
            PublicKey::Rsa(_) => CKK_RSA,
            PublicKey::Ec(_) => CKK_EC,
        }
    }
}

/// One object: a half of a key whose public half is known.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) key: Arc<Key>,
    pub(crate) material: Arc<KeyMaterial>,
    pub(crate) half: Half,
}
