//! The settings of one token, `[[token]]` in the file.

use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::caller::CallerRules;
use super::names::{
    AbsolutePath, ContextName, ContextValue, Description, Endpoint, Label, Profile, Region,
};
use super::pin::PinMode;
use super::rates::Rates;
use super::replicas::Replicas;
use super::role::RoleConfig;
use super::section::{Entry, Section, integer, one_of};
use super::selection::{MOST_TAGS, Selection, read_tags};
use crate::kms::{EncryptionContext, KeySpec, KeyUsage, Tags};

/// One token: which keys it shows, what it does with them, and how it talks to KMS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenConfig {
    pub(crate) label: Label,
    /// `None`: of the AWS chain (environment, profile, instance).
    pub(crate) region: Option<Region>,
    /// `None`: the region's, or what the environment says.
    pub(crate) endpoint: Option<Endpoint>,
    /// Whose settings and credentials are used. `None`: of the AWS chain.
    pub(crate) profile: Option<Profile>,
    /// Endpoints that are validated by FIPS 140. `None`: of the AWS chain.
    pub(crate) fips: Option<bool>,
    /// Endpoints that IPv6 reaches, too. `None`: of the AWS chain.
    pub(crate) dualstack: Option<bool>,
    /// PEM file of the certificates that are trusted in place of the system's. `None`: of the AWS settings.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// The roles through which the token acts, each assumed with the credentials of the one before.
    pub(crate) roles: Vec<RoleConfig>,
    /// Whom the token may act as.
    pub(crate) caller: CallerRules,
    pub(crate) pin: PinMode,
    pub(crate) selection: Selection,
    pub(crate) discovery: Discovery,

    /// PEM files whose certificates are shown, too.
    pub(crate) certificates: Vec<PathBuf>,
    /// Where certificates are stored that the tags of their keys do not hold, one PEM file each.
    pub(crate) certificate_directory: Option<PathBuf>,

    /// What becomes of a KMS key whose private key object is destroyed.
    pub(crate) on_destroy: OnDestroy,
    /// Days between `ScheduleKeyDeletion` and the end of the key: 7 to 30.
    pub(crate) deletion_window_days: u8,
    pub(crate) rsa_usage_when_both: RsaUsage,
    /// Days until the material of an imported key expires, 1 to 365; `None`: never.
    pub(crate) import_lifetime_days: Option<u16>,
    pub(crate) description: Description,
    /// What created keys are tagged with beside [`tags`](Self::tags).
    pub(crate) new_key_tags: Tags,
    /// The file of the key policy that created keys get. `None`: the default policy of KMS.
    pub(crate) policy_file: Option<PathBuf>,
    /// The other regions of the token's keys.
    pub(crate) replicas: Replicas,
    pub(crate) random: RandomSource,
    /// Whether signatures of KMS are verified before they are handed out.
    pub(crate) verify_signatures: bool,
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
    pub(crate) rates: Rates,
}

/// Entries of an encryption context; more than anybody needs.
const MOST_CONTEXT: usize = 32;

impl TokenConfig {
    pub(super) fn read(mut section: Section<'_>) -> Result<Self, ConfigError> {
        let mut token = Self::default();

        section.set("label", &mut token.label, Entry::parse)?;
        section.set("region", &mut token.region, Entry::parse_some)?;
        section.set("endpoint", &mut token.endpoint, Entry::parse_some)?;
        section.set("profile", &mut token.profile, Entry::parse_some)?;
        for (key, kind) in [
            ("fips", &mut token.fips),
            ("dualstack", &mut token.dualstack),
        ] {
            // The SDK would refuse every request.
            if token.endpoint.is_some() && section.has(key) {
                let message = format!("{key} beside endpoint; allowed: one of the two");
                return Err(section.wrong(key, message));
            }
            section.set(key, kind, |entry| entry.boolean().map(Some))?;
        }
        section.set("ca_bundle", &mut token.ca_bundle, |entry| {
            read_path(entry).map(Some)
        })?;
        section.set("assume_role", &mut token.roles, RoleConfig::read_chain)?;
        token.caller = CallerRules::read(&mut section)?;
        token.pin = PinMode::read(&mut section)?;
        token.selection = Selection::read(&mut section)?;
        token.discovery = Discovery::read(&mut section, &token.selection)?;

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
        let lifetime = &mut token.import_lifetime_days;
        section.set("import_lifetime_days", lifetime, |entry| {
            integer(1..=365)(entry).map(Some)
        })?;
        section.set("description", &mut token.description, Entry::parse)?;
        token.new_key_tags = read_new_key_tags(&mut section, token.tags())?;
        section.set("policy_file", &mut token.policy_file, |entry| {
            read_path(entry).map(Some)
        })?;
        let (region, endpoint) = (token.region.as_ref(), token.endpoint.as_ref());
        token.replicas = Replicas::read(&mut section, region, endpoint)?;
        section.set("random", &mut token.random, one_of(&RANDOM))?;
        let verify = &mut token.verify_signatures;
        section.set("verify_signatures", verify, Entry::flag)?;
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
        section.set("rates", &mut token.rates, Rates::read)?;

        section.finish()?;
        Ok(token)
    }

    /// How long the material of imported keys lasts, if not for ever.
    pub(crate) fn import_lifetime(&self) -> Option<Duration> {
        let days = self.import_lifetime_days?;
        Some(Duration::from_hours(24) * u32::from(days))
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
            profile: None,
            fips: None,
            dualstack: None,
            ca_bundle: None,
            roles: Vec::new(),
            caller: CallerRules::default(),
            pin: PinMode::Any,
            selection: Selection::All,
            discovery: Discovery::Auto,
            certificates: Vec::new(),
            certificate_directory: None,
            on_destroy: OnDestroy::Schedule,
            deletion_window_days: 30,
            rsa_usage_when_both: RsaUsage::default(),
            import_lifetime_days: None,
            description: Description::default(),
            new_key_tags: Tags::new(),
            policy_file: None,
            replicas: Replicas::default(),
            random: RandomSource::Kms,
            verify_signatures: true,
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
            rates: Rates::default(),
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

pub(super) fn read_path(entry: Entry<'_>) -> Result<PathBuf, ConfigError> {
    let AbsolutePath(path) = entry.parse()?;
    Ok(path)
}

/// Reads `new_key_tags`, which together with the token's tags must leave room for the module's own
/// and must not say otherwise.
fn read_new_key_tags(section: &mut Section<'_>, tags: &Tags) -> Result<Tags, ConfigError> {
    let key = "new_key_tags";
    let twice = section.wrong(
        key,
        "new_key_tags has a tag that is among tags; allowed: others",
    );
    let new = section.get(key, |entry| read_tags(entry, MOST_TAGS - tags.len()))?;
    let new = new.unwrap_or_default();
    if new.keys().any(|key| tags.contains_key(key)) {
        return Err(twice);
    }
    Ok(new)
}

/// How the token's keys are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    /// By the tagging API where that is reachable and permitted, else by listing.
    Auto,
    /// `GetResources`, which filters by tags.
    TaggingApi,
    /// `ListKeys`, and `ListResourceTags` for every key.
    ListKeys,
    /// The configuration names them.
    Explicit,
}

impl Discovery {
    /// Reads the setting, which must fit the selection of keys.
    fn read(section: &mut Section<'_>, selection: &Selection) -> Result<Self, ConfigError> {
        let wrong = |problem| section.wrong("discovery", problem);
        let without_tags = wrong("discovery is \"tagging-api\" without tags; allowed: beside tags");
        let without_keys = wrong("discovery is \"explicit\" without keys; allowed: beside keys");
        let beside_keys =
            wrong("discovery is \"list-keys\" beside keys; allowed: \"auto\", \"explicit\"");
        let way = section.get("discovery", one_of(&DISCOVERY))?;
        match (way.unwrap_or(Self::Auto), selection) {
            (Self::TaggingApi, Selection::All | Selection::Keys(_)) => Err(without_tags),
            (Self::Explicit, Selection::All | Selection::Tags(_)) => Err(without_keys),
            (Self::ListKeys, Selection::Keys(_)) => Err(beside_keys),
            (way, _) => Ok(way),
        }
    }
}

const DISCOVERY: [(&str, Discovery); 4] = [
    ("auto", Discovery::Auto),
    ("tagging-api", Discovery::TaggingApi),
    ("list-keys", Discovery::ListKeys),
    ("explicit", Discovery::Explicit),
];

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
