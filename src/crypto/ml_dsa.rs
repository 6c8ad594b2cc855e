//! ML-DSA (FIPS 204) over mu, the representative of a message, its context and the public key.
//!
//! A message becomes mu here, in any number of parts, and KMS signs mu alone (`EXTERNAL_MU`). So does a
//! digest, for HashML-DSA.

use std::thread;

use der::Encode;
use ml_dsa::{
    EncodedVerifyingKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey,
};
use shake::{ExtendableOutput, Shake256, Update, XofReader};

use super::verify::VerifyError;
use super::{Hash, MlDsaPublicKey, MlDsaSet, digest_info};
use crate::abi::WITH_SIGNALS_BLOCKED;
use crate::panics::own_thread;

/// The length of mu in bytes.
pub(crate) const MU_LEN: usize = 64;

/// The longest context in bytes: its length is written as one.
pub(crate) const MAX_CONTEXT_LEN: usize = 255;

/// The context is longer than [`MAX_CONTEXT_LEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a context of {0} bytes; 255 are the most")]
pub(crate) struct ContextTooLong(usize);

/// Mu in progress. A clone goes on from the same state.
#[derive(Clone, Debug)]
pub(crate) struct Mu(Shake256);

impl Mu {
    /// Begins the mu of a message in this context for ML-DSA in its pure form (FIPS 204, algorithm
    /// 2, line 10, and algorithm 7, line 6).
    pub(crate) fn new(key: &MlDsaPublicKey, context: &[u8]) -> Result<Self, ContextTooLong> {
        const PURE: u8 = 0;
        Self::of_kind(PURE, key, context)
    }

    fn of_kind(kind: u8, key: &MlDsaPublicKey, context: &[u8]) -> Result<Self, ContextTooLong> {
        let context_len = u8::try_from(context.len()).map_err(|_| ContextTooLong(context.len()))?;
        let mut shake = Shake256::default();
        shake.update(&shake256(key.raw()));
        shake.update(&[kind, context_len]);
        shake.update(context);
        Ok(Self(shake))
    }

    pub(crate) fn update(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    pub(crate) fn finish(self) -> [u8; MU_LEN] {
        squeeze(self.0)
    }
}

/// The mu of a digest in this context for HashML-DSA (FIPS 204, algorithm 4, line 23): that of the
/// hash's object identifier in DER, and the digest.
pub(crate) fn mu_of_digest(
    key: &MlDsaPublicKey,
    context: &[u8],
    hash: Hash,
    digest: &[u8],
) -> Result<[u8; MU_LEN], PrehashError> {
    const PREHASHED: u8 = 1;
    let mut mu = Mu::of_kind(PREHASHED, key, context)?;
    mu.update(&digest_info::oid(hash).to_der()?);
    mu.update(digest);
    Ok(mu.finish())
}

/// Why a digest has no mu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PrehashError {
    #[error(transparent)]
    Context(#[from] ContextTooLong),
    #[error("the hash has no name in DER: {0}")]
    Der(#[from] der::Error),
}

fn shake256(data: &[u8]) -> [u8; 64] {
    let mut shake = Shake256::default();
    shake.update(data);
    squeeze(shake)
}

fn squeeze(shake: Shake256) -> [u8; 64] {
    let mut output = [0; 64];
    shake.finalize_xof().read(&mut output);
    output
}

/// Checks `signature`, of exactly the length of the key's parameter set, over `mu`.
pub(crate) fn verify_mu(
    key: &MlDsaPublicKey,
    mu: &[u8; MU_LEN],
    signature: &[u8],
) -> Result<(), VerifyError> {
    if signature.len() != key.set().signature_len() {
        return Err(VerifyError::LengthRange);
    }
    let verified = on_a_stack_of_its_own(|| {
        let verifier = key.verifier().ok_or(VerifyError::Unsupported)?;
        if !verifier.verifies(mu, signature) {
            return Err(VerifyError::Invalid);
        }
        Ok(())
    });
    verified.unwrap_or(Err(VerifyError::NoThread))
}

/// Runs `work` on a thread of its own: matrices of ML-DSA take more than the 128 KiB that a thread
/// of the host may have in all. Beside the arithmetic, a thread costs little.
///
/// `None` without a thread, or when `work` panics.
fn on_a_stack_of_its_own<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    const STACK: usize = 1024 * 1024;
    thread::scope(|scope| {
        let mut work = Some(work);
        let mut thread = None;
        WITH_SIGNALS_BLOCKED(&mut || {
            let work = work.take();
            thread = thread::Builder::new()
                .name("kms-ml-dsa".into())
                .stack_size(STACK)
                .spawn_scoped(scope, || {
                    own_thread();
                    work.map(|work| work())
                })
                .ok();
        });
        thread?.join().ok()?
    })
}

/// A public key with its matrix expanded: some 20 to 70 KiB, on the heap.
pub(super) trait Verifier: Send + Sync {
    fn verifies(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool;
}

/// The expanded form of a raw key, or `None` when it has not the length of its set.
pub(super) fn verifier(set: MlDsaSet, raw: &[u8]) -> Option<Box<dyn Verifier>> {
    match set {
        MlDsaSet::MlDsa44 => expand::<MlDsa44>(raw),
        MlDsaSet::MlDsa65 => expand::<MlDsa65>(raw),
        MlDsaSet::MlDsa87 => expand::<MlDsa87>(raw),
    }
}

fn expand<P: MlDsaParams + 'static>(raw: &[u8]) -> Option<Box<dyn Verifier>>
where
    VerifyingKey<P>: Send + Sync,
{
    let encoded = EncodedVerifyingKey::<P>::try_from(raw).ok()?;
    Some(Box::new(VerifyingKey::<P>::decode(&encoded)))
}

impl<P: MlDsaParams> Verifier for VerifyingKey<P>
where
    Self: Send + Sync,
{
    fn verifies(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool {
        Signature::<P>::try_from(signature)
            .is_ok_and(|signature| self.verify_mu(mu.into(), &signature))
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use kms_pkcs11_testkit::hex;

    use super::*;
    use crate::crypto::PublicKey;
    use crate::crypto::python::python;

    /// A key pair, and its signature of a message in a context.
    struct Signed {
        key: MlDsaPublicKey,
        mu: Vec<u8>,
        signature: Vec<u8>,
        signature_of_mu: Vec<u8>,
    }

    const SIGN: &str = "
import sys
from cryptography.hazmat.primitives.asymmetric import mldsa
name, context, message = sys.argv[1], *map(bytes.fromhex, sys.argv[2:])
key = getattr(mldsa, name + 'PrivateKey').generate()
hasher = mldsa.MLDSAMuHasher(key.public_key(), context)
hasher.update(message)
mu = hasher.finalize()
print(key.public_key().public_bytes_raw().hex())
print(mu.hex())
print(key.sign(message, context).hex())
print(key.sign_mu(mu).hex())
";

    fn signed(set: MlDsaSet, context: &[u8], message: &[u8]) -> Signed {
        let name = format!("{set:?}").to_uppercase();
        let printed = python(SIGN, &[&name, &hex(context), &hex(message)]);
        let [raw, mu, signature, signature_of_mu] = &printed[..] else {
            panic!("four values");
        };
        let Ok(PublicKey::MlDsa(key)) = PublicKey::from_ml_dsa(set, raw) else {
            panic!("not a key of {name}");
        };
        Signed {
            key,
            mu: mu.clone(),
            signature: signature.clone(),
            signature_of_mu: signature_of_mu.clone(),
        }
    }

    fn mu(key: &MlDsaPublicKey, context: &[u8], message: &[u8]) -> [u8; MU_LEN] {
        let mut mu = Mu::new(key, context).unwrap();
        mu.update(message);
        mu.finish()
    }

    #[test]
    fn mu_is_that_of_python_and_its_signatures_verify() {
        let message: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let longest = [0xc5; MAX_CONTEXT_LEN];
        for set in MlDsaSet::ALL {
            for (context, message) in [
                (&b""[..], &b"message"[..]),
                (b"", b""),
                (b"context", &message),
                (&longest, b"message"),
            ] {
                let signed = signed(set, context, message);
                let mu = mu(&signed.key, context, message);
                assert_eq!(&mu[..], signed.mu);
                for signature in [&signed.signature, &signed.signature_of_mu] {
                    assert_eq!(signature.len(), set.signature_len());
                    assert_eq!(verify_mu(&signed.key, &mu, signature), Ok(()), "{set:?}");
                }
            }
        }
    }

    #[test]
    fn mu_does_not_depend_on_how_the_message_is_cut() {
        let raw = vec![7; MlDsaSet::MlDsa44.public_key_len()];
        let Ok(PublicKey::MlDsa(key)) = PublicKey::from_ml_dsa(MlDsaSet::MlDsa44, &raw) else {
            panic!("not a key");
        };
        let message: Vec<u8> = (0..=255).cycle().take(300).collect();
        let whole = mu(&key, b"context", &message);
        for cut in 0..=message.len() {
            let mut parts = Mu::new(&key, b"context").unwrap();
            parts.update(&message[..cut]);
            let mut copy = parts.clone();
            parts.update(&message[cut..]);
            copy.update(b"another end");
            assert_eq!(parts.finish(), whole);
            assert_ne!(copy.finish(), whole);
        }
        assert_ne!(mu(&key, b"", &message), whole);
    }

    #[test]
    fn a_context_of_256_bytes_is_refused() {
        let signed = signed(MlDsaSet::MlDsa44, b"", b"message");
        let refused = Mu::new(&signed.key, &[0; 256]).unwrap_err();
        assert_eq!(refused, ContextTooLong(256));
    }

    #[test]
    fn a_changed_signature_or_mu_is_invalid() {
        for set in MlDsaSet::ALL {
            let signed = signed(set, b"", b"message");
            let mu = mu(&signed.key, b"", b"message");
            for position in (0..signed.signature.len()).step_by(97) {
                let mut changed = signed.signature.clone();
                changed[position] ^= 1 << (position % 8);
                let refused = verify_mu(&signed.key, &mu, &changed);
                assert_eq!(
                    refused,
                    Err(VerifyError::Invalid),
                    "{set:?}, byte {position}"
                );
            }
            for position in 0..MU_LEN {
                let mut changed = mu;
                changed[position] ^= 1;
                let refused = verify_mu(&signed.key, &changed, &signed.signature);
                assert_eq!(
                    refused,
                    Err(VerifyError::Invalid),
                    "{set:?}, byte {position}"
                );
            }
        }
    }

    #[test]
    fn signatures_of_other_lengths_are_told_apart() {
        for set in MlDsaSet::ALL {
            let signed = signed(set, b"", b"message");
            let length = set.signature_len();
            for length in [0, 1, 64, length - 1, length + 1] {
                let refused = verify_mu(&signed.key, &[0; MU_LEN], &vec![0; length]);
                assert_eq!(refused, Err(VerifyError::LengthRange), "{set:?}");
            }
        }
    }

    /// FIPS 204 asks a decoder to refuse hints that are out of order or followed by anything but
    /// zeros: signatures could be changed without becoming invalid otherwise.
    #[test]
    fn a_signature_has_one_encoding() {
        // What follows the hints: where those of each of the four polynomials end.
        const ENDS: usize = 4;
        const ROOM: u8 = 80;
        // Seldom are all the places for hints taken.
        let signed = iter::repeat_with(|| signed(MlDsaSet::MlDsa44, b"", b"message"))
            .take(10)
            .find(|signed| signed.signature.last().is_some_and(|end| *end < ROOM))
            .unwrap();
        let last_hint = signed.signature.len() - ENDS - 1;
        let mu = mu(&signed.key, b"", b"message");
        let mut padded = signed.signature.clone();
        assert_eq!(padded[last_hint], 0);
        padded[last_hint] = 1;
        assert_eq!(
            verify_mu(&signed.key, &mu, &padded),
            Err(VerifyError::Invalid)
        );
    }

    #[test]
    fn a_thread_with_a_stack_of_128_kib_can_verify() {
        for set in MlDsaSet::ALL {
            let signed = signed(set, b"", b"message");
            let verified = thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || {
                    let mu = mu(&signed.key, b"", b"message");
                    verify_mu(&signed.key, &mu, &signed.signature)
                })
                .unwrap()
                .join()
                .unwrap();
            assert_eq!(verified, Ok(()), "{set:?}");
        }
    }
}
