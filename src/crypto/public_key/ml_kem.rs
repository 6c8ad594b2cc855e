//! ML-KEM keys (FIPS 203, RFC 9935).

use std::fmt;

use der::asn1::ObjectIdentifier;

use super::SpkiError;

/// A parameter set of ML-KEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MlKemSet {
    MlKem512,
    MlKem768,
    MlKem1024,
}

impl MlKemSet {
    pub(crate) const ALL: [Self; 3] = [Self::MlKem512, Self::MlKem768, Self::MlKem1024];

    /// The length of a shared secret in bytes.
    pub(crate) const SECRET_LEN: usize = 32;

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.oid() == oid)
    }

    /// The length of an encapsulation key in bytes.
    pub(crate) const fn public_key_len(self) -> usize {
        self.facts().public_key_len
    }

    /// The length of a ciphertext in bytes.
    pub(crate) const fn ciphertext_len(self) -> usize {
        self.facts().ciphertext_len
    }

    pub(super) const fn oid(self) -> ObjectIdentifier {
        self.facts().oid
    }

    /// FIPS 203, table 3.
    const fn facts(self) -> Facts {
        match self {
            Self::MlKem512 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.1"),
                public_key_len: 800,
                ciphertext_len: 768,
            },
            Self::MlKem768 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2"),
                public_key_len: 1184,
                ciphertext_len: 1088,
            },
            Self::MlKem1024 => Facts {
                oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.3"),
                public_key_len: 1568,
                ciphertext_len: 1568,
            },
        }
    }
}

struct Facts {
    oid: ObjectIdentifier,
    public_key_len: usize,
    ciphertext_len: usize,
}

/// An ML-KEM encapsulation key.
#[derive(Clone)]
pub(crate) struct MlKemPublicKey {
    /// Ends with the raw key.
    spki: Vec<u8>,
    set: MlKemSet,
}

impl MlKemPublicKey {
    pub(super) fn new(spki: &[u8], set: MlKemSet, key: &[u8]) -> Result<Self, SpkiError> {
        if key.len() != set.public_key_len() {
            return Err(SpkiError::KeyLength(key.len()));
        }
        let (coefficients, _seed) = key.split_at(key.len() - SEED_LEN);
        if !are_reduced(coefficients) {
            return Err(SpkiError::Invalid);
        }
        Ok(Self {
            spki: spki.to_vec(),
            set,
        })
    }

    /// `CKA_PARAMETER_SET`.
    pub(crate) fn set(&self) -> MlKemSet {
        self.set
    }

    /// `CKA_VALUE`: the encoding `ek` of FIPS 203.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.spki[self.spki.len() - self.set.public_key_len()..]
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for MlKemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MlKemPublicKey")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

/// The length in bytes of rho, which ends an encapsulation key.
const SEED_LEN: usize = 32;

/// Whether all of the integers, 12 bits each and the least significant first, are below q: the
/// modulus check of FIPS 203, section 7.2.
fn are_reduced(encoded: &[u8]) -> bool {
    const Q: u16 = 3329;
    encoded.chunks_exact(3).all(|bytes| {
        let [low, middle, high] = [bytes[0], bytes[1], bytes[2]].map(u16::from);
        (low | (middle & 0x0f) << 8) < Q && (middle >> 4 | high << 4) < Q
    })
}
