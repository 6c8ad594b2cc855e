//! ML-DSA keys (FIPS 204, RFC 9881).

use std::fmt;
use std::sync::Arc;

use der::asn1::ObjectIdentifier;
use once_cell::sync::OnceCell;

use super::SpkiError;
use crate::crypto::ml_dsa::{self, Verifier};

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
    /// Made by the first verification; clones share it.
    verifier: Arc<OnceCell<Box<dyn Verifier>>>,
}

impl MlDsaPublicKey {
    pub(super) fn new(spki: &[u8], set: MlDsaSet, key: &[u8]) -> Result<Self, SpkiError> {
        if key.len() != set.public_key_len() {
            return Err(SpkiError::KeyLength(key.len()));
        }
        Ok(Self {
            spki: spki.to_vec(),
            set,
            verifier: Arc::default(),
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

    pub(in crate::crypto) fn verifier(&self) -> Option<&dyn Verifier> {
        self.verifier
            .get_or_try_init(|| ml_dsa::verifier(self.set, self.raw()).ok_or(()))
            .ok()
            .map(AsRef::as_ref)
    }
}

impl fmt::Debug for MlDsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MlDsaPublicKey")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::python::python;

    const SPKI: &str = "
import sys
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
key = getattr(mldsa, sys.argv[1] + 'PrivateKey').generate().public_key()
print(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex())
print(key.public_bytes_raw().hex())
";

    #[test]
    fn keys_of_python_are_read_and_made_of_their_bytes() {
        for (set, name) in MlDsaSet::ALL
            .into_iter()
            .zip(["MLDSA44", "MLDSA65", "MLDSA87"])
        {
            let [spki, raw] = &python(SPKI, &[name])[..] else {
                panic!("two values");
            };
            let Ok(PublicKey::MlDsa(key)) = PublicKey::from_spki(spki) else {
                panic!("not an {name} key");
            };
            assert_eq!((key.set(), key.raw()), (set, &raw[..]));
            let made = PublicKey::from_ml_dsa(set, raw).unwrap();
            assert_eq!(made.spki(), spki);
            for other in [&raw[1..], &[&raw[..], &[0]].concat(), &[]] {
                let error = PublicKey::from_ml_dsa(set, other).unwrap_err();
                assert_eq!(error, SpkiError::KeyLength(other.len()));
            }
        }
    }
}
