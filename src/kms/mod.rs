//! The KMS port: what the core needs of KMS, as a blocking trait without AWS types.
//!
//! Every method returns within the deadline it was configured with, retries included, and together those of one
//! PKCS#11 call do ([`Stage`]). No caller holds a lock across one.

mod aws;
mod error;
mod identity;
mod login;
pub(crate) mod permissions;
mod runtime;
mod spec;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub(crate) use aws::{AwsKms, AwsSettings, SharedHttp};
pub(crate) use error::{Caller, Course, KmsError, KmsErrorKind, Phase, is_of_clock};
pub(crate) use identity::{IDENTITY_FORMS, Identity};
pub(crate) use login::{Login, Logins};
pub(crate) use runtime::{Runtime, WithSignalsBlocked};
pub(crate) use spec::{
    EncryptionAlgorithm, KeySpec, KeyUsage, MacAlgorithm, MessageType, SigningAlgorithm,
    WrappingAlgorithm,
};
pub(crate) use stage::{GRACE, Stage, call};

/// Tags of a key: at most 50 entries.
pub(crate) type Tags = BTreeMap<String, String>;

/// What a ciphertext of a symmetric key is bound to: names and values, which are no secret.
pub(crate) type EncryptionContext = BTreeMap<String, String>;

/// A key as a listing names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyEntry {
    /// The key's ARN: `arn:aws:kms:eu-west-1:111122223333:key/1234abcd-…`.
    pub(crate) arn: String,
    /// The last part of the ARN: a UUID, or `mrk-` and 32 hexadecimal digits.
    pub(crate) key_id: String,
}

impl KeyEntry {
    /// `eu-west-1`; `None` when its ARN is none.
    pub(crate) fn region(&self) -> Option<&str> {
        self.arn.split(':').nth(3)
    }

    /// Whether other regions may have the same key.
    pub(crate) fn is_multi_region(&self) -> bool {
        self.key_id.starts_with("mrk-")
    }

    /// The same multi-Region key in another region: its ARN is the same but for that.
    pub(crate) fn in_region(&self, region: &str) -> Self {
        let mut parts: Vec<&str> = self.arn.splitn(6, ':').collect();
        if let Some(own) = parts.get_mut(3) {
            *own = region;
        }
        Self {
            arn: parts.join(":"),
            key_id: self.key_id.clone(),
        }
    }
}

/// An alias and the key it points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// With its prefix: `alias/signing`.
    pub(crate) name: String,
    pub(crate) key_id: String,
}

/// What KMS tells of a key that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyAnswer {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    /// DER of a `SubjectPublicKeyInfo`; `None` for a symmetric key.
    pub(crate) public: Option<Vec<u8>>,
    /// Whether KMS made the key's material; `None` where the answer does not tell.
    pub(crate) local: Option<bool>,
}

/// What `CreateKey` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewKey {
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) description: String,
    /// With [`CREATED_TAG`] among them, whose value no other key has.
    pub(crate) tags: Tags,
    /// The key policy, in JSON; without one KMS gives the key its default policy.
    pub(crate) policy: Option<String>,
    /// Whether the key may be replicated to other regions.
    pub(crate) multi_region: bool,
}

/// The tag by which a key is found whose `CreateKey` was not answered: 32 hexadecimal digits.
pub(crate) const CREATED_TAG: &str = "p11:created";

/// Tells the keys that cannot be one made just now.
pub(crate) type Known = Arc<dyn Fn(&KeyEntry) -> bool + Send + Sync>;

/// When a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Not while its endpoint is deemed down.
    WhenUp,
    /// Even then: it is the last one about its key, which stays as it is where this one fails.
    Anyway,
}

/// How a key is found whose `CreateKey` was not answered, by its [`CREATED_TAG`].
#[derive(Clone)]
pub(crate) enum Search {
    /// Of the listed keys, the tags are read of those that are not known.
    Listing(Known),
    /// By the tagging API, and at last as with [`Search::Listing`].
    Tagging(Known),
}

/// What `GetParametersForImport` hands out for one import; valid for a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImportParameters {
    /// DER of the `SubjectPublicKeyInfo` of an RSA key of 4096 bits, to wrap the material under.
    pub(crate) wrapping_key: Vec<u8>,
    pub(crate) token: Vec<u8>,
}

/// A key that KMS made for use outside of it.
pub(crate) struct DataKey {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) ciphertext: Vec<u8>,
}

/// What `ReEncrypt` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) ciphertext: Vec<u8>,
    /// `None`: the key that the ciphertext names.
    pub(crate) source: Option<KeyEntry>,
    pub(crate) source_context: EncryptionContext,
    pub(crate) destination: KeyEntry,
    pub(crate) context: EncryptionContext,
}

/// Whether and when a symmetric key gets new material. Days are CK_DATEs: `20270131`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RotationStatus {
    pub(crate) enabled: bool,
    /// Between two automatic rotations.
    pub(crate) period_days: Option<u32>,
    pub(crate) next: Option<String>,
    /// When the rotation on demand began that is under way.
    pub(crate) on_demand: Option<String>,
}

/// The rotations of a symmetric key so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RotationCounts {
    pub(crate) automatic: u32,
    pub(crate) on_demand: u32,
}

/// What the core needs of KMS. Bulk methods answer per key: one failure never hides another key.
pub(crate) trait Kms: Send + Sync {
    /// Sends the requests that follow as this identity, if its credentials are good (sts:GetCallerIdentity);
    /// else everything stays as it is. For tokens whose PIN gives the credentials.
    fn log_in(&self, identity: Identity) -> Result<(), KmsError>;

    /// Forgets the identity. Nothing is sent any more of calls that began before:
    /// [`KmsErrorKind::LoggedOut`].
    fn log_out(&self);

    /// Where keys may be listed before the token has any: its own region, of whose requests none is waited for longer
    /// than for an attempt, and then those that have replicas of its multi-Region keys, which show these alone and
    /// name them as the token's own region does. Empty where keys are listed in that region whatever happens.
    ///
    /// What they are good for is [`Kms::list_keys`] up to [`Kms::describe_key`].
    fn places(&self) -> Vec<Box<dyn Kms>>;

    /// Tells one login from the next.
    fn logins(&self) -> &Logins;

    /// Every key of the account and region (`ListKeys`, all pages, 1000 a page).
    fn list_keys(&self) -> Result<Vec<KeyEntry>, KmsError>;

    /// The tags of each key (`ListResourceTags`, all pages), in the order asked, with bounded
    /// concurrency.
    fn list_tags(&self, keys: &[KeyEntry]) -> Vec<Result<Tags, KmsError>>;

    /// The keys that carry all of these tags, each with all of its tags (`GetResources` of the
    /// resource groups tagging API, all pages, 100 a page). At least one tag.
    ///
    /// [`KmsErrorKind::Unsupported`] when that API has no endpoint beside that of KMS.
    fn list_tagged(&self, tags: &Tags) -> Result<Vec<(KeyEntry, Tags)>, KmsError>;

    /// Every alias that points to a key (`ListAliases`, all pages).
    fn list_aliases(&self) -> Result<Vec<Alias>, KmsError>;

    /// The key behind a key id, key ARN, alias name or alias ARN (`DescribeKey`).
    fn describe_key(&self, id: &str) -> Result<KeyEntry, KmsError>;

    /// What each key is, and its public half, in the order asked, with bounded concurrency
    /// (`GetPublicKey`, and `DescribeKey` for a key of which KMS says that it has no public half).
    ///
    /// A key that this module has no use for answers [`KmsErrorKind::Unsupported`], whatever its
    /// state; a key that cannot be used now [`KmsErrorKind::Disabled`] or
    /// [`KmsErrorKind::InvalidState`].
    fn read_keys(&self, keys: &[KeyEntry], stage: Stage) -> Vec<Result<KeyAnswer, KmsError>>;

    /// Makes a key, which may not be there for other requests yet (`CreateKey` once, never retried by the
    /// transport).
    ///
    /// When the answer is lost, the key is looked for by its [`CREATED_TAG`], for one deadline more. An error about
    /// a key that exists names it.
    fn create_key(&self, request: &NewKey, search: &Search) -> Result<KeyEntry, KmsError>;

    /// Makes a key without material, as [`Kms::create_key`] does (with `Origin` EXTERNAL).
    fn create_key_for_import(
        &self,
        request: &NewKey,
        search: &Search,
    ) -> Result<KeyEntry, KmsError>;

    /// The keys that this one may have beside it in the token's other regions, which nobody is asked about: the
    /// key may be of one region alone.
    ///
    /// What is done to one of them, by the methods that import, tag, disable and delete, is done there.
    fn keys_elsewhere(&self, key: &KeyEntry) -> Vec<KeyEntry>;

    /// Makes the replicas of a new multi-Region key in the token's other regions, with the tags, policy and
    /// description of its request, and waits until they are created (`ReplicateKey` for each, then `DescribeKey`
    /// there). Answers them; none for a key of one region.
    fn replicate(&self, key: &KeyEntry, request: &NewKey) -> Result<Vec<KeyEntry>, KmsError>;

    /// Whether a key of this spec and usage waits for material, such as that which it had until that
    /// expired (`DescribeKey`).
    fn awaits_import(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
        sent: Sent,
    ) -> Result<bool, KmsError>;

    /// What material for a key is to be wrapped under (`GetParametersForImport`), waiting for a key
    /// that was just made.
    fn import_parameters(
        &self,
        key: &KeyEntry,
        wrapping: WrappingAlgorithm,
    ) -> Result<ImportParameters, KmsError>;

    /// Hands in wrapped material, which expires after `lifetime` or never (`ImportKeyMaterial`).
    ///
    /// Other material than the key had before is [`KmsErrorKind::KeyMaterial`].
    fn import_material(
        &self,
        key: &KeyEntry,
        token: &[u8],
        wrapped: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), KmsError>;

    /// Waits until a key that this process made can be read as [`Kms::read_keys`] reads it, so that the first use of
    /// it succeeds (`GetPublicKey`, or `DescribeKey` for a symmetric key, until the key is found and enabled).
    fn await_key(
        &self,
        key: &KeyEntry,
        spec: KeySpec,
        usage: KeyUsage,
    ) -> Result<KeyAnswer, KmsError>;

    /// Signs a message, or what stands for it (Sign); [`MessageType`] has the lengths.
    ///
    /// Answers KMS's encoding: RSA the modulus' length, ECDSA a DER SEQUENCE of r and s, Ed25519
    /// 64 bytes, ML-DSA 2420, 3309 or 4627.
    fn sign(
        &self,
        key: &KeyEntry,
        algorithm: SigningAlgorithm,
        message_type: MessageType,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError>;

    /// The MAC, in full length, of a message of 1 to 4096 bytes (`GenerateMac`).
    fn generate_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, KmsError>;

    /// Compares a MAC in full length with that of a message of 1 to 4096 bytes (`VerifyMac`).
    ///
    /// A MAC that is not the message's is [`KmsErrorKind::InvalidSignature`].
    fn verify_mac(
        &self,
        key: &KeyEntry,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8],
    ) -> Result<(), KmsError>;

    /// The ECDH secret shared with the owner of a public key on the same curve, which is given as
    /// DER of a `SubjectPublicKeyInfo` (`DeriveSharedSecret`).
    ///
    /// Answers the x coordinate, as long as the curve's field: 32, 48 or 66 bytes.
    fn derive_shared_secret(
        &self,
        key: &KeyEntry,
        peer_spki: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError>;

    /// The 32 bytes in an ML-KEM ciphertext of 768, 1088 or 1568 bytes (Decapsulate).
    fn decapsulate(
        &self,
        key: &KeyEntry,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KmsError>;

    /// Encrypts 1 to 4096 bytes with a symmetric key (Encrypt).
    ///
    /// Answers KMS's blob, which names the key and has at most 6144 bytes.
    fn encrypt(
        &self,
        key: &KeyEntry,
        plaintext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, KmsError>;

    /// Decrypts a blob of a symmetric key, or an RSAES-OAEP ciphertext, which has no context and an empty
    /// label (Decrypt).
    fn decrypt(
        &self,
        key: &KeyEntry,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
        context: &EncryptionContext,
    ) -> Result<Zeroizing<Vec<u8>>, KmsError>;

    /// A new secret of 1 to 1024 bytes, and the blob of it under a symmetric key (`GenerateDataKey`).
    fn generate_data_key(
        &self,
        key: &KeyEntry,
        len: usize,
        context: &EncryptionContext,
    ) -> Result<DataKey, KmsError>;

    /// Turns a blob of one symmetric key into one of another, whose plaintext stays in KMS (`ReEncrypt`).
    fn re_encrypt(&self, request: &Move) -> Result<Vec<u8>, KmsError>;

    /// Whether and when a symmetric key is rotated (`GetKeyRotationStatus`).
    fn rotation_status(&self, key: &KeyEntry) -> Result<RotationStatus, KmsError>;

    /// How often a symmetric key was rotated (`ListKeyRotations`, all pages).
    fn rotation_counts(&self, key: &KeyEntry) -> Result<RotationCounts, KmsError>;

    /// Sets tags, leaving others as they are (`TagResource`).
    fn tag(&self, key: &KeyEntry, tags: &Tags) -> Result<(), KmsError>;

    /// Removes the tags with these keys; those that are not there are removed (`UntagResource`).
    fn untag(&self, key: &KeyEntry, tag_keys: &[String]) -> Result<(), KmsError>;

    /// Schedules the key's deletion after a window of 7 to 30 days (`ScheduleKeyDeletion`).
    fn schedule_deletion(
        &self,
        key: &KeyEntry,
        window_days: u8,
        sent: Sent,
    ) -> Result<(), KmsError>;

    /// Whether the key is on its way out already (`DescribeKey`).
    fn is_pending_deletion(&self, key: &KeyEntry) -> Result<bool, KmsError>;

    /// Disables the key (`DisableKey`).
    fn disable(&self, key: &KeyEntry) -> Result<(), KmsError>;

    /// Leaves in the log how many requests were sent, by what KMS counts them against.
    fn log_counts(&self);

    /// Fills `out` from the random generator of KMS (`GenerateRandom`, 1024 bytes a request).
    fn random(&self, out: &mut [u8]) -> Result<(), KmsError>;
}
