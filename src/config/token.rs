//! The settings of one token, `[[token]]` in the file.

use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::names::{AbsolutePath, ContextName, ContextValue, Description, Endpoint, Label, Region};
use super::section::{Entry, Section, integer, one_of};
use super::selection::Selection;
use crate::kms::{EncryptionContext, KeySpec, KeyUsage, Tags};

/// One token: which keys it shows, what it does with them, and how it talks to KMS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenConfig {
    pub(crate) label: Label,
    /// `None`: of the AWS chain (environment, profile, instance).
    pub(crate) region: Option<Region>,
    /// `None`: the region's, or what the environment says.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) selection: Selection,

    /// PEM files whose certificates are shown, too.
    pub(crate) certificates: Vec<PathBuf>,
    /// Where certificates are stored that the tags of their keys do not hold, one PEM file each.
    pub(crate) certificate_directory: Option<PathBuf>,

    /// What becomes of a KMS key whose private key object is destroyed.
    pub(crate) on_destroy: OnDestroy,
    /// Days between `ScheduleKeyDeletion` and the end of the key: 7 to 30.
    pub(crate) deletion_window_days: u8,
    pub(crate) rsa_usage_when_both: RsaUsage,
    pub(crate) description: Description,
    pub(crate) random: RandomSource,
    /// What ciphertexts of symmetric keys are bound to where the caller names no context.
    pub(crate) encryption_context: EncryptionContext,

    /// For one operation of KMS, retries included.
    pub(crate) deadline: Duration,
    pub(crate) connect_timeout: Duration,
    /// For one attempt at an operation.
    pub(crate) attempt_timeout: Duration,
    /// For finding out which keys there are.
    pub(crate) listing_deadline: Duration,
    /// For a new key to become usable.
    pub(crate) key_ready_timeout: Duration,
    /// The age at which the list of keys is read anew.
    pub(crate) refresh_interval: Duration,
    /// The age at which it is read anew because a find by id or label found nothing.
    pub(crate) miss_refresh_interval: Duration,
    /// Attempts after the first.
    pub(crate) retries: u32,
    /// Requests at a time while keys are listed and fetched.
    pub(crate) concurrency: usize,
}

/// Entries of an encryption context; more than anybody needs.
const MOST_CONTEXT: usize = 32;

impl TokenConfig {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let mut token = Self::default();

        section.set("label", &mut token.label, Entry::parse)?;
        section.set("region", &mut token.region, Entry::parse_some)?;
        section.set("endpoint", &mut token.endpoint, Entry::parse_some)?;
        token.selection = Selection::read(&mut section)?;

        let directory = &mut token.certificate_directory;
        section.set("certificates", &mut token.certificates, read_paths)?;
        section.set("certificate_directory", directory, |entry| {
            read_path(entry).map(Some)
        })?;

        let window = &mut token.deletion_window_days;
        let usage = &mut token.rsa_usage_when_both;
        section.set("on_destroy", &mut token.on_destroy, one_of(&ON_DESTROY))?;
        section.set("deletion_window_days", window, integer(7..=30))?;
        section.set("rsa_usage_when_both", usage, RsaUsage::read)?;
        section.set("description", &mut token.description, Entry::parse)?;
        section.set("random", &mut token.random, one_of(&RANDOM))?;
        let context = &mut token.encryption_context;
        section.set("encryption_context", context, read_context)?;

        for (key, duration) in [
            ("deadline", &mut token.deadline),
            ("connect_timeout", &mut token.connect_timeout),
            ("attempt_timeout", &mut token.attempt_timeout),
            ("listing_deadline", &mut token.listing_deadline),
            ("key_ready_timeout", &mut token.key_ready_timeout),
            ("refresh_interval", &mut token.refresh_interval),
            ("miss_refresh_interval", &mut token.miss_refresh_interval),
        ] {
            section.set(key, duration, Entry::seconds)?;
        }
        section.set("retries", &mut token.retries, integer(0..=20))?;
        section.set("concurrency", &mut token.concurrency, integer(1..=64))?;

        section.finish()?;
        Ok(token)
    }

    /// The tags that the token's keys carry, and that created keys get.
    pub(crate) fn tags(&self) -> &Tags {
        static NONE: Tags = Tags::new();
        match &self.selection {
            Selection::Tags(tags) => tags,
            Selection::All | Selection::Keys(_) => &NONE,
        }
    }
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            label: Label::default(),
            region: None,
            endpoint: None,
            selection: Selection::All,
            certificates: Vec::new(),
            certificate_directory: None,
            on_destroy: OnDestroy::Schedule,
            deletion_window_days: 30,
            rsa_usage_when_both: RsaUsage::default(),
            description: Description::default(),
            random: RandomSource::Kms,
            encryption_context: EncryptionContext::new(),
            deadline: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(2),
            attempt_timeout: Duration::from_secs(5),
            listing_deadline: Duration::from_mins(1),
            key_ready_timeout: Duration::from_mins(2),
            refresh_interval: Duration::from_mins(5),
            miss_refresh_interval: Duration::from_secs(5),
            retries: 3,
            concurrency: 16,
        }
    }
}

fn read_context(entry: Entry<'_>) -> Result<EncryptionContext, ConfigError> {
    let allowed =
        format!("a table of 1 to {MOST_CONTEXT} texts, such as {{ application = \"recordings\" }}");
    entry
        .pairs(1..=MOST_CONTEXT, &allowed)?
        .into_iter()
        .map(|(name, value)| {
            let name: ContextName = name.parse()?;
            let value: ContextValue = value.parse()?;
            Ok((name.as_str().to_owned(), value.as_str().to_owned()))
        })
        .collect()
}

fn read_paths(entry: Entry<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    let elements = entry.elements("an array of at least one absolute path")?;
    elements.into_iter().map(read_path).collect()
}

fn read_path(entry: Entry<'_>) -> Result<PathBuf, ConfigError> {
    let AbsolutePath(path) = entry.parse()?;
    Ok(path)
}

/// What becomes of a KMS key whose private key object is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDestroy {
    /// `ScheduleKeyDeletion`.
    Schedule,
    /// `DisableKey`.
    Disable,
    /// Nothing: `C_DestroyObject` is refused.
    Refuse,
}

const ON_DESTROY: [(&str, OnDestroy); 3] = [
    ("schedule", OnDestroy::Schedule),
    ("disable", OnDestroy::Disable),
    ("refuse", OnDestroy::Refuse),
];

/// Where `C_GenerateRandom` takes its bytes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RandomSource {
    /// The `GenerateRandom` operation of KMS.
    Kms,
    /// This machine.
    Local,
}

const RANDOM: [(&str, RandomSource); 2] =
    [("kms", RandomSource::Kms), ("local", RandomSource::Local)];

/// The usage of RSA keys whose template asks for both, signing and decryption, by size.
///
/// A KMS key has one usage, and many programs ask for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a number alone is no name")]
pub(crate) struct RsaUsage {
    rsa_2048: KeyUsage,
    rsa_3072: KeyUsage,
    rsa_4096: KeyUsage,
}

impl RsaUsage {
    /// `None` for a key spec that is not RSA.
    pub(crate) fn of(self, spec: KeySpec) -> Option<KeyUsage> {
        match spec {
            KeySpec::Rsa2048 => Some(self.rsa_2048),
            KeySpec::Rsa3072 => Some(self.rsa_3072),
            KeySpec::Rsa4096 => Some(self.rsa_4096),
            _ => None,
        }
    }

    /// Reads one usage for all sizes, or a table by size.
    fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut usage = Self::default();
        if entry.is_table() {
            let mut section = entry.section()?;
            section.set("2048", &mut usage.rsa_2048, one_of(&RSA_USAGES))?;
            section.set("3072", &mut usage.rsa_3072, one_of(&RSA_USAGES))?;
            section.set("4096", &mut usage.rsa_4096, one_of(&RSA_USAGES))?;
            section.finish()?;
        } else {
            let every = one_of(&RSA_USAGES)(entry)?;
            (usage.rsa_2048, usage.rsa_3072, usage.rsa_4096) = (every, every, every);
        }
        Ok(usage)
    }
}

impl Default for RsaUsage {
    fn default() -> Self {
        Self {
            rsa_2048: KeyUsage::SignVerify,
            rsa_3072: KeyUsage::SignVerify,
            rsa_4096: KeyUsage::EncryptDecrypt,
        }
    }
}

const RSA_USAGES: [(&str, KeyUsage); 2] = [
    ("sign", KeyUsage::SignVerify),
    ("decrypt", KeyUsage::EncryptDecrypt),
];
