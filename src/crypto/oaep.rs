//! RSAES-OAEP encryption with an empty label, MGF1 with the same hash: what KMS decrypts.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey,
};

use super::{Hash, RsaPublicKey};

/// Why a plaintext was not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum EncryptError {
    #[error("KMS decrypts OAEP with SHA-1 and SHA-256 only")]
    UnsupportedHash,
    #[error("the plaintext is longer than {0} bytes, the most for this key and hash")]
    TooLong(usize),
    #[error("the encryption failed")]
    Failed,
}

/// The ciphertext of at most [`max_plaintext_len`] bytes; it has the modulus' length.
pub(crate) fn encrypt(
    key: &RsaPublicKey,
    hash: Hash,
    plaintext: &[u8],
) -> Result<Vec<u8>, EncryptError> {
    let algorithm = algorithm(hash).ok_or(EncryptError::UnsupportedHash)?;
    let max = max_plaintext_len(key.modulus_len(), hash);
    if plaintext.len() > max {
        return Err(EncryptError::TooLong(max));
    }
    let mut ciphertext = vec![0; key.modulus_len()];
    OaepPublicEncryptingKey::new(key.encrypter().clone())
        .and_then(|key| {
            let written = key.encrypt(algorithm, plaintext, &mut ciphertext, None)?;
            Ok(written.len())
        })
        .ok()
        .filter(|written| *written == key.modulus_len())
        .ok_or(EncryptError::Failed)?;
    Ok(ciphertext)
}

/// The most bytes that one OAEP ciphertext carries (RFC 8017, section 7.1.1).
pub(crate) const fn max_plaintext_len(modulus_len: usize, hash: Hash) -> usize {
    modulus_len.saturating_sub(2 * hash.len() + 2)
}

fn algorithm(hash: Hash) -> Option<&'static OaepAlgorithm> {
    match hash {
        Hash::Sha1 => Some(&OAEP_SHA1_MGF1SHA1),
        Hash::Sha256 => Some(&OAEP_SHA256_MGF1SHA256),
        Hash::Sha224 | Hash::Sha384 | Hash::Sha512 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::openssl::{Openssl, rsa_key};

    fn public_key(bits: usize) -> RsaPublicKey {
        match PublicKey::from_spki(&Openssl::new().spki(rsa_key(bits))) {
            Ok(PublicKey::Rsa(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn openssl_decrypts_what_was_encrypted() {
        let openssl = Openssl::new();
        for bits in [2048, 3072, 4096] {
            let key = public_key(bits);
            for hash in [Hash::Sha1, Hash::Sha256] {
                let max = max_plaintext_len(bits / 8, hash);
                for length in [0, 1, 32, max - 1, max] {
                    let plaintext = vec![0xa5; length];
                    let ciphertext = encrypt(&key, hash, &plaintext).unwrap();
                    assert_eq!(ciphertext.len(), bits / 8);
                    let decrypted = openssl.decrypt_oaep(rsa_key(bits), hash, &ciphertext);
                    assert_eq!(decrypted, plaintext, "RSA-{bits} {hash:?}");
                }
            }
        }
    }

    #[test]
    fn the_longest_plaintexts_are_those_of_kms() {
        let lengths = [2048, 3072, 4096]
            .map(|bits| [Hash::Sha1, Hash::Sha256].map(|hash| max_plaintext_len(bits / 8, hash)));
        assert_eq!(lengths, [[214, 190], [342, 318], [470, 446]]);
    }

    #[test]
    fn a_longer_plaintext_is_refused_with_the_limit() {
        let refused = encrypt(&public_key(2048), Hash::Sha256, &[0; 191]);
        assert_eq!(refused, Err(EncryptError::TooLong(190)));
    }

    #[test]
    fn hashes_that_kms_does_not_decrypt_with_are_refused() {
        let key = public_key(2048);
        for hash in [Hash::Sha224, Hash::Sha384, Hash::Sha512] {
            assert_eq!(
                encrypt(&key, hash, b"x"),
                Err(EncryptError::UnsupportedHash)
            );
        }
    }

    #[test]
    fn the_same_plaintext_never_gives_the_same_ciphertext() {
        let key = public_key(2048);
        let one = encrypt(&key, Hash::Sha256, b"secret").unwrap();
        let two = encrypt(&key, Hash::Sha256, b"secret").unwrap();
        assert_ne!(one, two);
    }
}
