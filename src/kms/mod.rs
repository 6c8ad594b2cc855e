//! The KMS port: what the core needs of KMS, as a blocking trait without AWS types.
//!
//! Every method returns within the deadline it was configured with, retries included. No caller
//! holds a lock across one.

mod aws;
mod error;
pub(crate) mod first_use;
mod runtime;
mod spec;

use std::collections::BTreeMap;

use zeroize::Zeroizing;

pub(crate) use aws::{AwsKms, AwsSettings, SharedHttp};
pub(crate) use error::{Caller, KmsError, KmsErrorKind, Phase};
pub(crate) use runtime::{Runtime, WithSignalsBlocked};
pub(crate) use spec::{EncryptionAlgorithm, KeySpec, KeyUsage, SigningAlgorithm};

/// Tags of a key: at most 50 entries.
pub(crate) type Tags = BTreeMap<String, String>;

/// A key as a listing names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyEntry {
    /// The key's ARN: `arn:aws:kms:eu-west-1:111122223333:key/1234abcd-…`.
    pub(crate) arn: String,
    /// The last part of the ARN: a UUID, or `mrk-` and 32 hexadecimal digits.
    pub(crate) key_id: String,
}

/// An alias and the key it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// With its prefix: `alias/signing`.
    pub(crate) name: String,
    pub(crate) key_id: String,
}

/// The answer of `GetPublicKey`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKeyAnswer {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    /// DER of a `SubjectPublicKeyInfo`.
    pub(crate) spki: Vec<u8>,
}

/// What `CreateKey` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewKey {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) description: String,
    pub(crate) tags: Tags,
}

/// What the core needs of KMS. Bulk methods answer per key: one failure never hides another key.
pub(crate) trait Kms: Send + Sync {
    /// Every key of the account and region (`ListKeys`, all pages, 1000 a page).
    fn list_keys(&self) -> Result<Vec<KeyEntry>, KmsError>;

    /// The tags of each key (`ListResourceTags`, all pages), in the order asked, with bounded
    /// concurrency.
    fn list_tags(&self, keys: &[KeyEntry]) -> Vec<Result<Tags, KmsError>>;

    /// Every alias that points to a key (`ListAliases`, all pages).
    fn list_aliases(&self) -> Result<Vec<Alias>, KmsError>;

    /// The key behind a key id, key ARN, alias name or alias ARN (`DescribeKey`).
    fn describe_key(&self, id: &str) -> Result<KeyEntry, KmsError>;

    /// The public half of each key (`GetPublicKey`), in the order asked, with bounded concurrency.
    ///
    /// A key without a public half answers [`KmsErrorKind::Unsupported`].
    fn public_keys(&self, keys: &[KeyEntry]) -> Vec<Result<PublicKeyAnswer, KmsError>>;

    /// Makes a key and waits until its public half can be read, so that the first use of it
    /// succeeds (`CreateKey` once, never retried by the transport; then `GetPublicKey` until
    /// neither `NotFoundException` nor `KMSInvalidStateException` is answered).
    fn create_key(&self, request: &NewKey) -> Result<(KeyEntry, PublicKeyAnswer), KmsError>;

    /// Signs a digest of exactly the algorithm's length (Sign with `MessageType` `DIGEST`).
    ///
    /// Answers KMS's encoding: RSA the modulus' length, ECDSA a DER SEQUENCE of r and s.
    fn sign(
        &self,
        key: &KeyEntry,
        algorithm: SigningAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KmsError>;

    /// Decrypts an RSAES-OAEP ciphertext with an empty label (Decrypt).
    fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError>;

    /// Sets tags, leaving others as they are (`TagResource`).
    fn tag(&self, key: &KeyEntry, tags: &Tags) -> Result<(), KmsError>;

    /// Schedules the key's deletion after a window of 7 to 30 days (`ScheduleKeyDeletion`).
    fn schedule_deletion(&self, key: &KeyEntry, window_days: u8) -> Result<(), KmsError>;

    /// Disables the key (`DisableKey`).
    fn disable(&self, key: &KeyEntry) -> Result<(), KmsError>;

    /// Fills `out` from the random generator of KMS (`GenerateRandom`, 1024 bytes a request).
    fn random(&self, out: &mut [u8]) -> Result<(), KmsError>;
}
