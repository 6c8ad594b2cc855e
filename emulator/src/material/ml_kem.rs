//! ML-KEM (FIPS 203).

use aws_lc_rs::kem::{self, AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey};
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};

use super::BadMaterial;

#[derive(Debug)]
pub(crate) struct MlKemParameters {
    algorithm: &'static kem::Algorithm<AlgorithmId>,
    oid: ObjectIdentifier,
    /// FIPS 203's k.
    rank: usize,
}

pub(crate) static ML_KEM_512: MlKemParameters = MlKemParameters {
    algorithm: &kem::ML_KEM_512,
    oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.1"),
    rank: 2,
};
pub(crate) static ML_KEM_768: MlKemParameters = MlKemParameters {
    algorithm: &kem::ML_KEM_768,
    oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.2"),
    rank: 3,
};
pub(crate) static ML_KEM_1024: MlKemParameters = MlKemParameters {
    algorithm: &kem::ML_KEM_1024,
    oid: ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.4.3"),
    rank: 4,
};

pub(super) struct MlKemKey {
    parameters: &'static MlKemParameters,
    decapsulation: DecapsulationKey,
    encapsulation: EncapsulationKey,
}

/// A secret, and what whoever has the private key recovers it from.
#[derive(Debug)]
pub(crate) struct Encapsulated {
    pub(crate) secret: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

impl MlKemKey {
    pub(super) fn generate(parameters: &'static MlKemParameters) -> Result<Self, BadMaterial> {
        let decapsulation =
            DecapsulationKey::generate(parameters.algorithm).map_err(|_| BadMaterial)?;
        let encapsulation = decapsulation.encapsulation_key().map_err(|_| BadMaterial)?;
        Ok(Self {
            parameters,
            decapsulation,
            encapsulation,
        })
    }

    pub(super) fn from_pkcs8(
        parameters: &'static MlKemParameters,
        pkcs8: &[u8],
    ) -> Result<Self, BadMaterial> {
        let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| BadMaterial)?;
        if info.algorithm != parameters.identifier() {
            return Err(BadMaterial);
        }
        let expanded =
            <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| BadMaterial)?;
        let expanded = expanded.as_bytes();
        let public = expanded.get(parameters.public_range()).ok_or(BadMaterial)?;
        let key = Self {
            parameters,
            decapsulation: DecapsulationKey::new(parameters.algorithm, expanded)
                .map_err(|_| BadMaterial)?,
            encapsulation: EncapsulationKey::new(parameters.algorithm, public)
                .map_err(|_| BadMaterial)?,
        };
        if key.is_consistent() {
            Ok(key)
        } else {
            Err(BadMaterial)
        }
    }

    /// Holds the expanded key (RFC 9935): the library keeps no seed.
    pub(super) fn to_pkcs8(&self) -> Result<Vec<u8>, BadMaterial> {
        let expanded = self.decapsulation.key_bytes().map_err(|_| BadMaterial)?;
        let encode = || {
            let expanded = OctetStringRef::new(expanded.as_ref())?.to_der()?;
            let private_key = OctetStringRef::new(&expanded)?;
            PrivateKeyInfoRef::new(self.parameters.identifier(), private_key).to_der()
        };
        encode().map_err(|_| BadMaterial)
    }

    /// DER of the `SubjectPublicKeyInfo`.
    pub(super) fn public_key(&self) -> Result<Vec<u8>, BadMaterial> {
        let public = self.encapsulation.key_bytes().map_err(|_| BadMaterial)?;
        let encode = || {
            let info = SubjectPublicKeyInfoRef {
                algorithm: self.parameters.identifier(),
                subject_public_key: BitStringRef::from_bytes(public.as_ref())?,
            };
            info.to_der()
        };
        encode().map_err(|_| BadMaterial)
    }

    pub(super) fn encapsulate(&self) -> Option<Encapsulated> {
        let (ciphertext, secret) = self.encapsulation.encapsulate().ok()?;
        Some(Encapsulated {
            secret: secret.as_ref().to_vec(),
            ciphertext: ciphertext.as_ref().to_vec(),
        })
    }

    /// Nothing when the length is wrong; any other wrong ciphertext has a secret that nobody knows.
    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let secret = self.decapsulation.decapsulate(Ciphertext::from(ciphertext));
        Some(secret.ok()?.as_ref().to_vec())
    }

    /// Whether the halves belong together, which the library does not check.
    fn is_consistent(&self) -> bool {
        self.encapsulate()
            .is_some_and(|made| self.decapsulate(&made.ciphertext) == Some(made.secret))
    }
}

impl MlKemParameters {
    fn identifier(&self) -> AlgorithmIdentifierRef<'static> {
        AlgorithmIdentifierRef {
            oid: self.oid,
            parameters: None,
        }
    }

    /// Where the expanded key holds the public one: after the private part (FIPS 203, algorithm 16).
    fn public_range(&self) -> std::ops::Range<usize> {
        let vector_len = 384 * self.rank;
        vector_len..2 * vector_len + 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_key_or_one_of_another_size_is_not_read() {
        let key = MlKemKey::generate(&ML_KEM_768).unwrap();
        let good = key.to_pkcs8().unwrap();
        let public = |key: Result<MlKemKey, BadMaterial>| key.ok()?.public_key().ok();
        assert_eq!(
            public(MlKemKey::from_pkcs8(&ML_KEM_768, &good)),
            key.public_key().ok()
        );
        assert!(MlKemKey::from_pkcs8(&ML_KEM_512, &good).is_err());
        assert!(MlKemKey::from_pkcs8(&ML_KEM_768, &good[..good.len() - 1]).is_err());
        // A byte of the public key, which follows the private part.
        let mut damaged = good.clone();
        let begin = good.len() - 2400 + ML_KEM_768.public_range().start;
        damaged[begin] ^= 1;
        assert!(MlKemKey::from_pkcs8(&ML_KEM_768, &damaged).is_err());
    }
}
