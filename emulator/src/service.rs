//! The service: its keys, its settings, and how an operation gets at a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::calls::CallLog;
use crate::consistency::StaleReads;
use crate::door::Door;
use crate::error::{ApiError, ApiResult};
use crate::fault::Faults;
use crate::key::{Key, KeyCore, Origin, Requires, Tags};
use crate::key_ref::{KeyRef, Site};
use crate::material::Material;
use crate::quota::Quotas;
use crate::random;
use crate::regions::{Peers, Regions};
use crate::spec::{KeySpec, KeyUsage};
use crate::state_file::StateFile;
use crate::store::Store;
use crate::timestamp::Timestamp;

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) site: Site,
    pub(crate) store: Mutex<Store>,
    pub(crate) calls: CallLog,
    pub(crate) door: Arc<Door>,
    pub(crate) faults: Faults,
    pub(crate) quotas: Quotas,
    pub(crate) settings: Settings,
    pub(crate) state_file: Option<StateFile>,
    pub(crate) peers: Peers,
    /// Held while it changes which regions have a key, so that each learns of one change after the other.
    pub(crate) regions_change: Mutex<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Settings {
    latency_ms: AtomicU64,
    stale_reads: AtomicU32,
    creating_reads: AtomicU32,
    spares_rsa: AtomicBool,
}

/// Which ways of naming a key an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Id or ARN.
    Key,
    /// Id or ARN of the key or of an alias.
    KeyOrAlias,
}

/// What a key is to become.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) spec: &'static KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) description: String,
    pub(crate) tags: Tags,
    pub(crate) multi_region: bool,
    /// Whether its material is to be imported later.
    pub(crate) external: bool,
    /// Whether AWS makes it for a service of its own.
    pub(crate) managed_by_aws: bool,
}

impl Service {
    pub(crate) fn new(
        site: Site,
        store: Mutex<Store>,
        state_file: Option<StateFile>,
        peers: Peers,
    ) -> Self {
        Self {
            site,
            store,
            calls: CallLog::default(),
            door: Arc::default(),
            faults: Faults::default(),
            quotas: Quotas::default(),
            settings: Settings::default(),
            state_file,
            peers,
            regions_change: Mutex::default(),
        }
    }

    /// Runs `work` on the key that a request names, in a state that allows the operation.
    pub(crate) fn with_key<T>(
        &self,
        reference: &str,
        names: Names,
        required: Requires,
        work: impl FnOnce(&mut Key) -> ApiResult<T>,
    ) -> ApiResult<T> {
        let mut store = self.store.lock();
        let key = self.find_key(&mut store, reference, names)?;
        key.require(required)?;
        work(key)
    }

    /// The fixed part of an enabled key, to compute with after the lock is released.
    pub(crate) fn enabled_key(&self, reference: &str) -> ApiResult<Arc<KeyCore>> {
        self.with_key(reference, Names::KeyOrAlias, Requires::Enabled, |key| {
            Ok(Arc::clone(&key.core))
        })
    }

    pub(crate) fn find_key<'a>(
        &self,
        store: &'a mut Store,
        reference: &str,
        names: Names,
    ) -> ApiResult<&'a mut Key> {
        let parsed = match names {
            Names::Key => KeyRef::Id(self.site.parse_key(reference)?),
            Names::KeyOrAlias => self.site.parse(reference)?,
        };
        let id = match parsed {
            KeyRef::Id(id) => id.to_owned(),
            KeyRef::Alias(name) => store
                .visible_alias_target(name)
                .ok_or_else(|| self.no_alias(name))?,
        };
        let key = store.visible_key(&id).ok_or_else(|| {
            ApiError::not_found(format!("Key '{}' does not exist", self.site.key_arn(&id)))
        })?;
        key.expire(Timestamp::now());
        Ok(key)
    }

    pub(crate) fn no_alias(&self, name: &str) -> ApiError {
        ApiError::not_found(format!("Alias {} is not found.", self.site.alias_arn(name)))
    }

    /// Makes a key, slowly where it is RSA; it is not in the store yet.
    pub(crate) fn make_key(&self, blueprint: Blueprint) -> ApiResult<Key> {
        let uuid = random::uuid()?;
        let id = if blueprint.multi_region {
            format!("mrk-{}", uuid.replace('-', ""))
        } else {
            uuid
        };
        let (origin, material) = if blueprint.external {
            (Origin::External(None), None)
        } else {
            let (spec, usage) = (blueprint.spec, blueprint.usage);
            let made = if spec.is_rsa() && self.settings.spares_rsa() {
                Material::used_before(spec, usage)?
            } else {
                Arc::new(Material::generate(spec, usage)?)
            };
            (Origin::Kms, Some(made))
        };
        let core = KeyCore {
            arn: self.site.key_arn(&id),
            id,
            spec: blueprint.spec,
            usage: blueprint.usage,
            created: Timestamp::now(),
            origin,
            material,
            former: None,
            rotated: None,
        };
        let mut key = Key::new(core, blueprint.description, blueprint.tags);
        key.managed_by_aws = blueprint.managed_by_aws;
        if blueprint.multi_region {
            key.regions = Some(Regions::only(&self.site.region));
        }
        Ok(key)
    }

    /// A service in which the key that a request names is all there is, and has other material.
    pub(crate) fn with_another_key(&self, reference: &str) -> ApiResult<Self> {
        let core = self.with_key(reference, Names::KeyOrAlias, Requires::AnyState, |key| {
            Ok(Arc::clone(&key.core))
        })?;
        let material = Material::generate(core.spec, core.usage)?;
        let core = KeyCore {
            material: Some(Arc::new(material)),
            ..(*core).clone()
        };
        let service = Self::new(self.site.clone(), Mutex::default(), None, Peers::default());
        service.publish(Key::new(core, String::new(), Tags::new()));
        Ok(service)
    }

    /// Makes the key visible, after the configured number of stale reads.
    pub(crate) fn publish(&self, mut key: Key) {
        let stale_reads = self.settings.stale_reads();
        key.unseen = StaleReads::new(stale_reads);
        key.unlisted = StaleReads::new(stale_reads);
        self.store.lock().keys.insert(key.core.id.clone(), key);
    }

    /// Writes the state file, where there is one.
    pub(crate) fn persist(&self) -> ApiResult<()> {
        let Some(file) = &self.state_file else {
            return Ok(());
        };
        file.save(&self.site, &self.store)
            .map_err(|error| ApiError::internal(format!("The state file was not written: {error}")))
    }
}

impl Settings {
    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        let ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.latency_ms.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn stale_reads(&self) -> u32 {
        self.stale_reads.load(Ordering::Relaxed)
    }

    /// Requests that find a new replica being created.
    pub(crate) fn creating_reads(&self) -> u32 {
        self.creating_reads.load(Ordering::Relaxed)
    }

    pub(crate) fn set_creating_reads(&self, count: u32) {
        self.creating_reads.store(count, Ordering::Relaxed);
    }

    /// Whether new RSA keys have the material of earlier ones.
    fn spares_rsa(&self) -> bool {
        self.spares_rsa.load(Ordering::Relaxed)
    }

    pub(crate) fn set_spares_rsa(&self, spares: bool) {
        self.spares_rsa.store(spares, Ordering::Relaxed);
    }

    pub(crate) fn set_stale_reads(&self, count: u32) {
        self.stale_reads.store(count, Ordering::Relaxed);
    }
}
