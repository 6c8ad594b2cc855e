//! ML-DSA keys (FIPS 204, RFC 9881).

use std::fmt;

use der::asn1::ObjectIdentifier;

use super::SpkiError;

/// A parameter set of ML-DSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MlDsaSet {
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl MlDsaSet {
    pub(crate) const ALL: [Self; 3] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.oid() == oid)
    }

    /// The length of a public key in bytes.
    pub(crate) const fn public_key_len(self) -> usize {
        self.facts().public_key_len
    }

    /// The length of a signature in bytes.
    pub(crate) const fn signature_len(self) -> usize {
        self.facts().signature_len
    }

    pub(super) const fn oid(self) -> ObjectIdentifier {
        self.facts().oid
    }

    /// FIPS 204, table 2.
    const fn facts(self) -> Facts {
        match self {
            Self::MlDsa44 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17"),
                public_key_len: 1312,
                signature_len: 2420,
            },
            Self::MlDsa65 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18"),
                public_key_len: 1952,
                signature_len: 3309,
            },
            Self::MlDsa87 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19"),
                public_key_len: 2592,
                signature_len: 4627,
            },
        }
    }
}

struct Facts {
    oid: ObjectIdentifier,
    public_key_len: usize,
    signature_len: usize,
}

/// An ML-DSA public key. Every string of the right length is one.
#[derive(Clone)]
pub(crate) struct MlDsaPublicKey {
    /// Ends with the raw key.
    spki: Vec<u8>,
    set: MlDsaSet,
}

impl MlDsaPublicKey {
    pub(super) fn new(spki: &[u8], set: MlDsaSet, key: &[u8]) -> Result<Self, SpkiError> {
        if key.len() != set.public_key_len() {
            return Err(SpkiError::KeyLength(key.len()));
        }
        Ok(Self {
            spki: spki.to_vec(),
            set,
        })
    }

    /// `CKA_PARAMETER_SET`.
    pub(crate) fn set(&self) -> MlDsaSet {
        self.set
    }

    /// `CKA_VALUE`: the encoding `pk` of FIPS 204.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.spki[self.spki.len() - self.set.public_key_len()..]
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for MlDsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MlDsaPublicKey")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}
