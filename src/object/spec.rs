//! KMS key specs and what PKCS#11 knows them by: modulus lengths and curves.

use crate::crypto::{Curve, PublicKey};
use crate::kms::KeySpec;

/// The spec of RSA keys of this modulus length in bits.
pub(crate) fn of_rsa(bits: usize) -> Option<KeySpec> {
    match bits {
        2048 => Some(KeySpec::Rsa2048),
        3072 => Some(KeySpec::Rsa3072),
        4096 => Some(KeySpec::Rsa4096),
        _ => None,
    }
}

/// The spec of keys on this curve.
pub(crate) fn of_curve(curve: Curve) -> KeySpec {
    match curve {
        Curve::P256 => KeySpec::EccNistP256,
        Curve::P384 => KeySpec::EccNistP384,
        Curve::P521 => KeySpec::EccNistP521,
        Curve::Secp256k1 => KeySpec::EccSecgP256k1,
    }
}

/// The spec of a public key.
pub(super) fn of_key(key: &PublicKey) -> Option<KeySpec> {
    match key {
        PublicKey::Rsa(key) => of_rsa(key.modulus_bits()),
        PublicKey::Ec(key) => Some(of_curve(key.curve())),
        _ => None,
    }
}
