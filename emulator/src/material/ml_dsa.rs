//! ML-DSA (FIPS 204), which signs mu: what a message, its context and the public key are hashed to.

use aws_lc_rs::error::Unspecified;
use ml_dsa::pkcs8::der::asn1::AnyRef;
use ml_dsa::pkcs8::spki::AssociatedAlgorithmIdentifier;
use ml_dsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _};
use ml_dsa::signature::digest::Update as _;
use ml_dsa::signature::rand_core::{TryCryptoRng, TryRng};
use ml_dsa::{
    ExpandedSigningKey, Keypair as _, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, Signature,
    SigningKey, VerifyingKey,
};

use super::BadMaterial;

/// How keys of a parameter set are made.
#[derive(Debug)]
pub(crate) struct MlDsaParameters {
    pub(super) generate: fn() -> NewKey,
    pub(super) from_pkcs8: fn(&[u8]) -> NewKey,
}

type NewKey = Result<Box<dyn MlDsaKey>, BadMaterial>;

pub(crate) static ML_DSA_44: MlDsaParameters = parameters::<MlDsa44>();
pub(crate) static ML_DSA_65: MlDsaParameters = parameters::<MlDsa65>();
pub(crate) static ML_DSA_87: MlDsaParameters = parameters::<MlDsa87>();

/// A key pair of any parameter set.
pub(super) trait MlDsaKey: Send + Sync {
    /// Holds the seed (RFC 9881).
    fn to_pkcs8(&self) -> Vec<u8>;

    /// DER of the `SubjectPublicKeyInfo`.
    fn public_key(&self) -> Result<Vec<u8>, BadMaterial>;

    /// Mu of a message without context.
    fn mu(&self, message: &[u8]) -> Option<[u8; MU_LEN]>;

    /// Hedged: no two signatures are the same.
    fn sign(&self, mu: &[u8; MU_LEN]) -> Option<Vec<u8>>;

    fn verifies(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool;
}

pub(crate) const MU_LEN: usize = 64;

struct Pair<P: MlDsaParams> {
    signing: ExpandedSigningKey<P>,
    verifying: VerifyingKey<P>,
    pkcs8: Vec<u8>,
}

impl<P: Encodable> MlDsaKey for Pair<P> {
    fn to_pkcs8(&self) -> Vec<u8> {
        self.pkcs8.clone()
    }

    fn public_key(&self) -> Result<Vec<u8>, BadMaterial> {
        let der = self
            .verifying
            .to_public_key_der()
            .map_err(|_| BadMaterial)?;
        Ok(der.into_vec())
    }

    fn mu(&self, message: &[u8]) -> Option<[u8; MU_LEN]> {
        let mu = self.verifying.compute_mu(
            |shake| {
                shake.update(message);
                Ok(())
            },
            b"",
        );
        mu.ok().map(Into::into)
    }

    fn sign(&self, mu: &[u8; MU_LEN]) -> Option<Vec<u8>> {
        let signature = self.signing.sign_mu_randomized(mu.into(), &mut Random);
        Some(signature.ok()?.encode().to_vec())
    }

    fn verifies(&self, mu: &[u8; MU_LEN], signature: &[u8]) -> bool {
        Signature::try_from(signature)
            .is_ok_and(|signature| self.verifying.verify_mu(mu.into(), &signature))
    }
}

/// A parameter set with an object identifier.
trait Encodable: MlDsaParams + AssociatedAlgorithmIdentifier<Params = AnyRef<'static>> {}

impl<P: MlDsaParams + AssociatedAlgorithmIdentifier<Params = AnyRef<'static>>> Encodable for P {}

const fn parameters<P: Encodable + 'static>() -> MlDsaParameters {
    MlDsaParameters {
        generate: || {
            let mut seed = Seed::default();
            Random.try_fill_bytes(&mut seed).map_err(|_| BadMaterial)?;
            pair(&SigningKey::<P>::from_seed(&seed))
        },
        from_pkcs8: |pkcs8| {
            let key = SigningKey::<P>::from_pkcs8_der(pkcs8).map_err(|_| BadMaterial)?;
            pair(&key)
        },
    }
}

fn pair<P: Encodable + 'static>(key: &SigningKey<P>) -> NewKey {
    let pkcs8 = key.to_pkcs8_der().map_err(|_| BadMaterial)?;
    Ok(Box::new(Pair {
        signing: ExpandedSigningKey::from_seed(&key.to_seed()),
        verifying: key.verifying_key(),
        pkcs8: pkcs8.as_bytes().to_vec(),
    }))
}

/// The randomness of everything else here, for this library.
struct Random;

impl TryRng for Random {
    type Error = Unspecified;

    fn try_next_u32(&mut self) -> Result<u32, Unspecified> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Unspecified> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Unspecified> {
        aws_lc_rs::rand::fill(out)
    }
}

impl TryCryptoRng for Random {}
