//! What KMS counts together, and how much of it a token uses in a second.

use crate::config::Rates;
use crate::kms::{EncryptionAlgorithm, SigningAlgorithm};

/// Requests that KMS counts against one quota of the account and region.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quota {
    Rsa,
    Ecc,
    MlDsa,
    MlKem,
    Symmetric,
    ListKeys,
    ListAliases,
    ListResourceTags,
    GetPublicKey,
    DescribeKey,
    GetResources,
    CreateKey,
    TagResource,
    UntagResource,
    DisableKey,
    ScheduleKeyDeletion,
    ReplicateKey,
}

/// A quota: its name in the log, the operations that it counts, the setting that says how many of them
/// the token sends in a second, and how many that is.
struct Row {
    quota: Quota,
    name: &'static str,
    operations: &'static [&'static str],
    setting: Option<&'static str>,
    rate: fn(&Rates) -> u32,
}

/// What is not configured is half of what KMS admits where it is asked in bulk, and else all of it.
const TABLE: [Row; 17] = {
    use Quota as Q;
    [
        work(Q::Rsa, "rsa", "rates.rsa", &["Decrypt"], |rates| rates.rsa),
        work(
            Q::Ecc,
            "ecc",
            "rates.ecc",
            &["DeriveSharedSecret"],
            |rates| rates.ecc,
        ),
        work(Q::MlDsa, "ml_dsa", "rates.ml_dsa", &[], |rates| {
            rates.ml_dsa
        }),
        work(
            Q::MlKem,
            "ml_kem",
            "rates.ml_kem",
            &["Decapsulate"],
            |rates| rates.ml_kem,
        ),
        work(
            Q::Symmetric,
            "symmetric",
            "rates.symmetric",
            &[
                "GenerateMac",
                "VerifyMac",
                "GenerateRandom",
                "Encrypt",
                "GenerateDataKey",
                "ReEncrypt",
            ],
            |rates| rates.symmetric,
        ),
        reading(Q::ListKeys, &["ListKeys"], |rates| rates.listing.min(250)),
        reading(Q::ListAliases, &["ListAliases"], |rates| {
            rates.listing.min(250)
        }),
        reading(Q::ListResourceTags, &["ListResourceTags"], |rates| {
            rates.listing
        }),
        reading(Q::GetPublicKey, &["GetPublicKey"], |rates| rates.listing),
        reading(Q::DescribeKey, &["DescribeKey"], |rates| rates.listing),
        reading(Q::GetResources, &["GetResources"], |rates| {
            rates.listing.min(8)
        }),
        change(Q::CreateKey, &["CreateKey"], |_| 5),
        change(Q::TagResource, &["TagResource"], |_| 10),
        change(Q::UntagResource, &["UntagResource"], |_| 5),
        change(Q::DisableKey, &["DisableKey"], |_| 5),
        change(Q::ScheduleKeyDeletion, &["ScheduleKeyDeletion"], |_| 15),
        change(Q::ReplicateKey, &["ReplicateKey"], |_| 5),
    ]
};

/// A quota as it is configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) quota: Quota,
    /// In the log.
    pub(super) name: &'static str,
    /// The key of the configuration that says the rate.
    pub(super) setting: Option<&'static str>,
    /// Requests a second.
    pub(super) rate: u32,
}

/// How many quotas there are.
pub(super) const QUOTAS: usize = TABLE.len();

impl Quota {
    fn of_signature(algorithm: SigningAlgorithm) -> Self {
        use SigningAlgorithm as Algorithm;
        match algorithm {
            Algorithm::RsaPkcs1Sha256
            | Algorithm::RsaPkcs1Sha384
            | Algorithm::RsaPkcs1Sha512
            | Algorithm::RsaPssSha256
            | Algorithm::RsaPssSha384
            | Algorithm::RsaPssSha512 => Self::Rsa,
            Algorithm::EcdsaSha256
            | Algorithm::EcdsaSha384
            | Algorithm::EcdsaSha512
            | Algorithm::Ed25519 => Self::Ecc,
            Algorithm::MlDsa => Self::MlDsa,
        }
    }

    /// The quota of an operation that has the same one with every key.
    fn of(operation: &str) -> Option<Self> {
        let counts = |row: &&Row| row.operations.contains(&operation);
        TABLE.iter().find(counts).map(|row| row.quota)
    }

    /// Each quota once, in the order of declaration.
    pub(super) fn all(rates: Rates) -> [Line; QUOTAS] {
        TABLE.map(|row| Line {
            quota: row.quota,
            name: row.name,
            setting: row.setting,
            rate: (row.rate)(&rates),
        })
    }

    /// Whether its requests are the work of keys, of which the configuration says how many there may be.
    fn is_of_use(self) -> bool {
        matches!(
            self,
            Self::Rsa | Self::Ecc | Self::MlDsa | Self::MlKem | Self::Symmetric
        )
    }

    /// Of a rate, how many requests may be sent at once, and how many a second after that.
    ///
    /// For the work of keys they make the rate together, so that requests stay spread. A listing may begin
    /// with many; and changes of keys, of which few are admitted, are made by hand or a few at a time.
    /// No second has more than the rate all the same: [`Window`](super::window::Window).
    pub(super) fn burst_and_steady(self, rate: u32) -> (u32, u32) {
        const SHARE: u32 = 20;
        match rate {
            ..SHARE => (rate, rate),
            _ if self.is_of_use() => (rate / SHARE, rate - rate / SHARE),
            _ => (rate / 2, rate),
        }
    }
}

/// An operation, and the quota that a request of it counts against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    /// As in the API reference: `Sign`.
    pub(super) operation: &'static str,
    /// `None`: the request is not held back.
    pub(super) quota: Option<Quota>,
}

impl Call {
    pub(super) fn sign(algorithm: SigningAlgorithm) -> Self {
        Self {
            operation: "Sign",
            quota: Some(Quota::of_signature(algorithm)),
        }
    }

    pub(super) fn decrypt(algorithm: EncryptionAlgorithm) -> Self {
        let quota = match algorithm {
            EncryptionAlgorithm::SymmetricDefault => Quota::Symmetric,
            EncryptionAlgorithm::RsaOaepSha1 | EncryptionAlgorithm::RsaOaepSha256 => Quota::Rsa,
        };
        Self {
            operation: "Decrypt",
            quota: Some(quota),
        }
    }
}

impl From<&'static str> for Call {
    fn from(operation: &'static str) -> Self {
        Self {
            operation,
            quota: Quota::of(operation),
        }
    }
}

/// A quota of the work of keys.
const fn work(
    quota: Quota,
    name: &'static str,
    setting: &'static str,
    operations: &'static [&'static str],
    rate: fn(&Rates) -> u32,
) -> Row {
    Row {
        quota,
        name,
        operations,
        setting: Some(setting),
        rate,
    }
}

/// The quota of a single operation that reads, which has its name.
const fn reading(
    quota: Quota,
    operation: &'static [&'static str; 1],
    rate: fn(&Rates) -> u32,
) -> Row {
    work(quota, operation[0], "rates.listing", operation, rate)
}

/// The quota of a single operation that changes keys, which no setting raises.
const fn change(
    quota: Quota,
    operation: &'static [&'static str; 1],
    rate: fn(&Rates) -> u32,
) -> Row {
    Row {
        setting: None,
        ..reading(quota, operation, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_quota_in_its_place() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.quota as usize, index, "{}", row.name);
            for operation in row.operations {
                assert_eq!(Quota::of(operation), Some(row.quota));
            }
        }
    }

    #[test]
    fn without_settings_no_rate_is_above_the_quota_of_kms() {
        for Line { name, rate, .. } in Quota::all(Rates::default()) {
            let most = match name {
                "rsa" | "ecc" | "ml_dsa" | "ml_kem" => 1000,
                "symmetric" => 10_000,
                "ListKeys" | "ListAliases" => 500,
                "ListResourceTags" | "GetPublicKey" | "DescribeKey" => 2000,
                "GetResources" | "ScheduleKeyDeletion" => 15,
                "TagResource" => 10,
                "CreateKey" | "ReplicateKey" | "UntagResource" | "DisableKey" => 5,
                other => panic!("{other} has no quota here"),
            };
            assert!((1..=most).contains(&rate), "{name}: {rate} of {most}");
        }
    }
}
