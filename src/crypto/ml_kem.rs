//! ML-KEM encapsulation (FIPS 203); decapsulation is KMS's.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::{Algorithm, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
use zeroize::Zeroizing;

use super::{MlKemPublicKey, MlKemSet};

/// A shared secret, and the ciphertext that the holder of the private key makes it of.
pub(crate) struct Encapsulated {
    /// Of [`MlKemSet::ciphertext_len`] bytes.
    pub(crate) ciphertext: Vec<u8>,
    /// Of [`MlKemSet::SECRET_LEN`] bytes.
    pub(crate) secret: Zeroizing<Vec<u8>>,
}

/// The random generator or the arithmetic failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the encapsulation failed")]
pub(crate) struct EncapsulateError;

/// A new secret for the holder of the private key.
pub(crate) fn encapsulate(key: &MlKemPublicKey) -> Result<Encapsulated, EncapsulateError> {
    let key =
        EncapsulationKey::new(algorithm(key.set()), key.raw()).map_err(|_| EncapsulateError)?;
    let (ciphertext, secret) = key.encapsulate()?;
    Ok(Encapsulated {
        ciphertext: ciphertext.as_ref().to_vec(),
        secret: Zeroizing::new(secret.as_ref().to_vec()),
    })
}

impl From<Unspecified> for EncapsulateError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

fn algorithm(set: MlKemSet) -> &'static Algorithm {
    match set {
        MlKemSet::MlKem512 => &ML_KEM_512,
        MlKemSet::MlKem768 => &ML_KEM_768,
        MlKemSet::MlKem1024 => &ML_KEM_1024,
    }
}

#[cfg(test)]
mod tests {
    use ::ml_kem::kem::{Decapsulate, Kem, KeyExport};
    use ::ml_kem::{MlKem512, MlKem768, MlKem1024};

    use kms_pkcs11_testkit::hex;

    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::python::python;

    fn public_key(set: MlKemSet, raw: &[u8]) -> MlKemPublicKey {
        match PublicKey::from_ml_kem(set, raw) {
            Ok(PublicKey::MlKem(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    macro_rules! assert_decapsulates {
        ($set:expr, $kem:ty) => {{
            let (private, public) = <$kem>::generate_keypair();
            let key = public_key($set, &public.to_bytes());
            let first = encapsulate(&key).unwrap();
            let second = encapsulate(&key).unwrap();
            assert_eq!(first.ciphertext.len(), $set.ciphertext_len());
            assert_eq!(first.secret.len(), MlKemSet::SECRET_LEN);
            for made in [&first, &second] {
                let ciphertext = made.ciphertext[..].try_into().unwrap();
                assert_eq!(made.secret[..], private.decapsulate(ciphertext)[..]);
            }
            assert_ne!(first.ciphertext, second.ciphertext);
            assert_ne!(first.secret, second.secret);
        }};
    }

    #[test]
    fn another_implementation_finds_the_same_secret() {
        assert_decapsulates!(MlKemSet::MlKem512, MlKem512);
        assert_decapsulates!(MlKemSet::MlKem768, MlKem768);
        assert_decapsulates!(MlKemSet::MlKem1024, MlKem1024);
    }

    #[test]
    fn python_finds_the_same_secret() {
        const PUBLIC: &str = "
import sys
from cryptography.hazmat.primitives.asymmetric import mlkem
key = getattr(mlkem, sys.argv[1] + 'PrivateKey').from_seed_bytes(bytes(range(64)))
if len(sys.argv) == 2:
    print(key.public_key().public_bytes_raw().hex())
else:
    print(key.decapsulate(bytes.fromhex(sys.argv[2])).hex())
";
        for (set, name) in [
            (MlKemSet::MlKem768, "MLKEM768"),
            (MlKemSet::MlKem1024, "MLKEM1024"),
        ] {
            let raw = &python(PUBLIC, &[name])[0];
            let made = encapsulate(&public_key(set, raw)).unwrap();
            let secret = &python(PUBLIC, &[name, &hex(&made.ciphertext)])[0];
            assert_eq!(*made.secret, *secret);
        }
    }
}
