//! The modules that kms-pkcs11 is compared with.

use std::fmt;

/// Whose answers a scenario of kms-pkcs11 is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// The token that most clients are tested with; its version of PKCS#11 is 2.40.
    SoftHsm,
    /// Where SoftHSM2 has no answer: the interfaces of 3.0 and 3.2, Edwards curves, ML-DSA, ML-KEM.
    Kryoptic,
}

impl Reference {
    pub(crate) const ALL: [Self; 2] = [Self::SoftHsm, Self::Kryoptic];
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SoftHsm => "SoftHSM2",
            Self::Kryoptic => "Kryoptic",
        })
    }
}
