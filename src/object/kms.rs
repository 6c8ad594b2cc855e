//! The objects of a key in KMS.

use std::sync::Arc;

use once_cell::sync::OnceCell;
use pkcs11_sys::*;

use super::spec;
use crate::crypto::PublicKey;
use crate::crypto::public_key::SpkiError;
use crate::kms::{KeyAnswer, KeyEntry, KeySpec, KeyUsage};

/// What a KMS key shows itself as: the two objects of a pair, or a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Private,
    Public,
    Secret,
}

impl Part {
    pub(crate) const ALL: [Self; 3] = [Self::Private, Self::Public, Self::Secret];

    pub(crate) fn class(self) -> CK_OBJECT_CLASS {
        match self {
            Self::Private => CKO_PRIVATE_KEY,
            Self::Public => CKO_PUBLIC_KEY,
            Self::Secret => CKO_SECRET_KEY,
        }
    }
}

/// CKA_ID and CKA_LABEL of one object: any bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) id: Vec<u8>,
    pub(crate) label: Vec<u8>,
}

/// What the tags of a key tell of it beyond what KMS does: what whoever made it wanted, and where it
/// comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Restrictions {
    /// CKA_KEY_TYPE of an HMAC key that was made with the type of its hash.
    pub(crate) key_type: Option<CK_KEY_TYPE>,
    /// CKA_ALLOWED_MECHANISMS of the private or secret key.
    pub(crate) mechanisms: Option<Vec<CK_MECHANISM_TYPE>>,
    /// CKA_ALLOWED_MECHANISMS of the public key.
    pub(crate) public_mechanisms: Option<Vec<CK_MECHANISM_TYPE>>,
    /// The key was handed in by an application.
    pub(crate) imported: bool,
}

impl Restrictions {
    /// CKA_ALLOWED_MECHANISMS as it was given for this part.
    pub(crate) fn of(&self, part: Part) -> Option<&[CK_MECHANISM_TYPE]> {
        match part {
            Part::Private | Part::Secret => self.mechanisms.as_deref(),
            Part::Public => self.public_mechanisms.as_deref(),
        }
    }
}

/// A KMS key of a token. Immutable but for what KMS tells of it, which is asked for when first
/// needed.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) entry: KeyEntry,
    /// Of the private or secret key.
    pub(crate) names: Names,
    pub(crate) public_names: Names,
    pub(crate) restrictions: Restrictions,
    /// False when the token's configuration refuses to destroy keys.
    pub(crate) destroyable: bool,
    /// Shared by the copies of this key in successive snapshots.
    pub(crate) material: Arc<OnceCell<Arc<KeyMaterial>>>,
}

impl Key {
    pub(crate) fn names(&self, part: Part) -> &Names {
        match part {
            Part::Private | Part::Secret => &self.names,
            Part::Public => &self.public_names,
        }
    }

    /// DER of the `SubjectPublicKeyInfo` of a pair, once KMS was asked.
    pub(crate) fn spki(&self) -> Option<&[u8]> {
        let public = self.material.get()?.public.as_ref()?;
        Some(public.spki())
    }
}

/// What KMS tells of a key; it never changes.
#[derive(Debug)]
pub(crate) struct KeyMaterial {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    /// Whether KMS made the key; `None` where the answer did not tell.
    pub(crate) local: Option<bool>,
    /// The public half of a pair.
    pub(crate) public: Option<PublicKey>,
}

impl KeyMaterial {
    /// Takes KMS's answer, unless its parts contradict each other.
    pub(crate) fn new(answer: &KeyAnswer) -> Result<Self, MaterialError> {
        let KeyAnswer {
            spec, usage, local, ..
        } = *answer;
        let public = match answer.public.as_deref() {
            Some(der) => Some(PublicKey::from_spki(der)?),
            None if spec.is_symmetric() => None,
            None => return Err(MaterialError::NoPublicHalf(spec)),
        };
        if let Some(public) = &public
            && spec::of_key(public) != Some(spec)
        {
            return Err(MaterialError::OtherSpec(spec));
        }
        Ok(Self {
            spec,
            usage,
            local,
            public,
        })
    }

    /// Whether a key of this material shows this part.
    pub(crate) fn has(&self, part: Part) -> bool {
        self.public.is_some() == (part != Part::Secret)
    }
}

/// Why KMS's answer about a key is of no use.
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

/// One object of a key that KMS was asked about.
#[derive(Clone, Debug)]
pub(crate) struct KmsObject {
    pub(crate) key: Arc<Key>,
    pub(crate) material: Arc<KeyMaterial>,
    pub(crate) part: Part,
}

impl KmsObject {
    pub(crate) fn view(&self) -> KmsView<'_> {
        KmsView {
            key: &self.key,
            material: &self.material,
            part: self.part,
        }
    }

    /// The public key that the object is.
    pub(crate) fn public_key(&self) -> Option<&PublicKey> {
        match self.part {
            Part::Public => self.material.public.as_ref(),
            Part::Private | Part::Secret => None,
        }
    }
}

/// A [`KmsObject`] that is only looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KmsView<'a> {
    pub(crate) key: &'a Key,
    pub(crate) material: &'a KeyMaterial,
    pub(crate) part: Part,
}

impl KmsView<'_> {
    /// CKA_LOCAL: whether KMS made the key.
    pub(crate) fn is_local(self) -> bool {
        !self.key.restrictions.imported && self.material.local.unwrap_or(true)
    }

    pub(crate) fn key_type(self) -> CK_KEY_TYPE {
        let made_as = self.key.restrictions.key_type;
        made_as.unwrap_or_else(|| spec::key_type(self.material.spec))
    }
}
