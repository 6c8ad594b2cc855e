//! EC keys: points on the curves of KMS.

use std::fmt;

use aws_lc_rs::signature::ParsedPublicKey;
use der::Encode;
use der::asn1::{AnyRef, OctetStringRef};

use super::SpkiError;
use crate::crypto::{Curve, verify};

/// A point on a named curve.
#[derive(Clone)]
pub(crate) struct EcPublicKey {
    spki: Vec<u8>,
    curve: Curve,
    point: Vec<u8>,
    verifier: ParsedPublicKey,
}

impl EcPublicKey {
    pub(super) fn new(
        spki: &[u8],
        parameters: Option<AnyRef<'_>>,
        key: &[u8],
    ) -> Result<Self, SpkiError> {
        let curve = parameters
            .ok_or(SpkiError::Malformed)?
            .decode_as()
            .ok()
            .and_then(Curve::from_oid)
            .ok_or(SpkiError::UnsupportedCurve)?;
        let uncompressed = key.first() == Some(&0x04) && key.len() == 1 + 2 * curve.field_len();
        if !uncompressed {
            return Err(SpkiError::Malformed);
        }
        let verifier = ParsedPublicKey::new(verify::ecdsa_algorithm(curve), key)
            .map_err(|_| SpkiError::Invalid)?;
        Ok(Self {
            spki: spki.to_vec(),
            curve,
            point: key.to_vec(),
            verifier,
        })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(crate) fn curve(&self) -> Curve {
        self.curve
    }

    /// The uncompressed point: `04‖x‖y`.
    pub(crate) fn point(&self) -> &[u8] {
        &self.point
    }

    /// `CKA_EC_POINT`: DER of an OCTET STRING around the uncompressed point, `04‖x‖y`.
    pub(crate) fn ec_point(&self) -> Vec<u8> {
        #[expect(
            clippy::expect_used,
            reason = "only lengths beyond 256 MiB fail to encode; a point has 133 bytes at most"
        )]
        OctetStringRef::new(&self.point)
            .and_then(|point| point.to_der())
            .expect("a point is short")
    }

    pub(in crate::crypto) fn verifier(&self) -> &ParsedPublicKey {
        &self.verifier
    }
}

impl fmt::Debug for EcPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcPublicKey")
            .field("curve", &self.curve)
            .finish_non_exhaustive()
    }
}
