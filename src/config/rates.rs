//! How many requests a second a token sends at most.

use super::ConfigError;
use super::section::{Entry, integer};

/// Requests a second, by what KMS counts against one quota. Each at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rates {
    pub(crate) rsa: u32,
    pub(crate) ecc: u32,
    pub(crate) ml_dsa: u32,
    pub(crate) ml_kem: u32,
    /// HMAC keys, symmetric keys (Encrypt, Decrypt, ReEncrypt, GenerateDataKey) and random bytes.
    pub(crate) symmetric: u32,
    /// Of each operation that finds out about keys.
    pub(crate) listing: u32,
}

impl Rates {
    pub(super) fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut rates = Self::default();
        let mut section = entry.section()?;
        for (key, rate) in [
            ("rsa", &mut rates.rsa),
            ("ecc", &mut rates.ecc),
            ("ml_dsa", &mut rates.ml_dsa),
            ("ml_kem", &mut rates.ml_kem),
            ("symmetric", &mut rates.symmetric),
            ("listing", &mut rates.listing),
        ] {
            section.set(key, rate, integer(1..=1_000_000))?;
        }
        section.finish()?;
        Ok(rates)
    }
}

impl Default for Rates {
    /// The quotas that an account has in every region unless AWS raised them, and half of that for
    /// listings, so that other programs can list their keys at the same time.
    ///
    /// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>.
    fn default() -> Self {
        Self {
            rsa: 1000,
            ecc: 1000,
            ml_dsa: 1000,
            ml_kem: 1000,
            symmetric: 10_000,
            listing: 1000,
        }
    }
}
