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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::python::python;

    const SPKI: &str = "
import sys
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
key = getattr(mlkem, sys.argv[1] + 'PrivateKey').generate().public_key()
print(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex())
print(key.public_bytes_raw().hex())
";

    #[test]
    fn keys_of_python_are_read_and_made_of_their_bytes() {
        for (set, name) in [
            (MlKemSet::MlKem768, "MLKEM768"),
            (MlKemSet::MlKem1024, "MLKEM1024"),
        ] {
            let [spki, raw] = &python(SPKI, &[name])[..] else {
                panic!("two values");
            };
            let Ok(PublicKey::MlKem(key)) = PublicKey::from_spki(spki) else {
                panic!("not an {name} key");
            };
            assert_eq!((key.set(), key.raw()), (set, &raw[..]));
            let made = PublicKey::from_ml_kem(set, raw).unwrap();
            assert_eq!(made.spki(), spki);
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        for set in MlKemSet::ALL {
            let length = set.public_key_len();
            for length in [0, 31, length - 1, length + 1] {
                let error = PublicKey::from_ml_kem(set, &vec![0; length]).unwrap_err();
                assert_eq!(error, SpkiError::KeyLength(length));
            }
        }
    }

    #[test]
    fn a_coefficient_of_q_or_more_is_refused_wherever_it_is() {
        // Pairs of q-1 and 0, of 0 and q-1; q-1 is d00.
        let (low, high) = ([0x00, 0x0d, 0x00], [0x00, 0x00, 0xd0]);
        for set in MlKemSet::ALL {
            let pairs = (set.public_key_len() - SEED_LEN) / 3;
            for (largest, too_large) in [(low, [0x01, 0x0d, 0x00]), (high, [0x00, 0x10, 0xd0])] {
                let mut raw = [largest.repeat(pairs), vec![0xff; SEED_LEN]].concat();
                assert!(PublicKey::from_ml_kem(set, &raw).is_ok());
                for pair in [0, 1, pairs / 2, pairs - 1] {
                    raw[3 * pair..3 * pair + 3].copy_from_slice(&too_large);
                    let error = PublicKey::from_ml_kem(set, &raw).unwrap_err();
                    assert_eq!(error, SpkiError::Invalid);
                    raw[3 * pair..3 * pair + 3].copy_from_slice(&largest);
                }
            }
        }
    }
}
