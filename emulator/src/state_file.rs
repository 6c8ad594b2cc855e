//! The state file: keys and aliases that survive a restart. JSON; private keys as PKCS#8.
//!
//! It holds private keys in the clear, readable by its owner alone. These are keys of tests and
//! demonstrations: nothing that matters may be protected by them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::consistency::Eventual;
use crate::key::{AutomaticRotation, Import, Key, KeyCore, KeyState, Origin, Tags};
use crate::key_ref::Site;
use crate::material::Material;
use crate::regions::Regions;
use crate::spec::{KeySpec, KeyUsage};
use crate::store::{Alias, Store};
use crate::timestamp::Timestamp;

#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// Held from snapshot to rename, so that an older snapshot never replaces a newer one.
    writing: Mutex<()>,
}

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateFileError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not a state file: {0}")]
    Format(#[from] serde_json::Error),
    #[error("written for account {account} in {region}")]
    OtherSite { region: String, account: String },
    #[error("key {id} is damaged")]
    DamagedKey { id: String },
}

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    region: String,
    account: String,
    keys: Vec<StoredKey>,
    aliases: Vec<StoredAlias>,
}

/// A key outside of this process: in the file, or on its way to another region.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredKey {
    pub(crate) id: String,
    spec: String,
    usage: String,
    description: String,
    created: Timestamp,
    state: KeyState,
    tags: Tags,
    /// Base64; absent in a key that waits for its import.
    material: Option<String>,
    /// The materials that came after it, the oldest first.
    #[serde(default)]
    rotations: Vec<StoredRotation>,
    /// Absent in a key whose material is KMS's own, or was never imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    import: Option<Import>,
    #[serde(default)]
    automatic_rotation: Option<AutomaticRotation>,
    #[serde(default)]
    managed_by_aws: bool,
    /// Where a multi-Region key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) regions: Option<Regions>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRotation {
    date: Timestamp,
    /// Base64.
    material: String,
}

#[derive(Serialize, Deserialize)]
struct StoredAlias {
    name: String,
    target: String,
    created: Timestamp,
    updated: Timestamp,
}

impl StateFile {
    /// Opens a state file and reads what it holds; one that does not exist yet is made.
    pub(crate) fn open(path: &Path, site: &Site) -> Result<(Self, Mutex<Store>), StateFileError> {
        let store = match fs::read(path) {
            Ok(bytes) => Document::read(&bytes)?.into_store(site)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Store::default(),
            Err(error) => return Err(error.into()),
        };
        let store = Mutex::new(store);
        let file = Self {
            path: path.to_owned(),
            writing: Mutex::new(()),
        };
        // A file that cannot be written is found now rather than after the first change.
        file.save(site, &store)?;
        Ok((file, store))
    }

    /// Replaces the file by what the store holds now.
    pub(crate) fn save(&self, site: &Site, store: &Mutex<Store>) -> Result<(), StateFileError> {
        let _writing = self.writing.lock();
        let document = Document::of(site, &store.lock())?;
        let bytes = serde_json::to_vec_pretty(&document)?;
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        write_private(&new, &bytes)?;
        fs::rename(&new, &self.path)?;
        Ok(())
    }
}

impl Document {
    fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let document: Self = serde_json::from_slice(bytes)?;
        if document.version == VERSION {
            return Ok(document);
        }
        Err(serde::de::Error::custom(format!(
            "version {} is not known",
            document.version
        )))
    }

    fn of(site: &Site, store: &Store) -> Result<Self, StateFileError> {
        let keys = store
            .keys
            .values()
            .map(StoredKey::of)
            .collect::<Result<_, _>>()?;
        let aliases = store.aliases.iter().filter_map(|(name, alias)| {
            Some(StoredAlias {
                name: name.clone(),
                target: alias.target.current().clone()?,
                created: alias.created,
                updated: alias.updated,
            })
        });
        Ok(Self {
            version: VERSION,
            region: site.region.clone(),
            account: site.account.clone(),
            keys,
            aliases: aliases.collect(),
        })
    }

    /// The store as it was, without the keys whose deletion date has passed meanwhile.
    fn into_store(self, site: &Site) -> Result<Store, StateFileError> {
        if self.region != site.region || self.account != site.account {
            return Err(StateFileError::OtherSite {
                region: self.region,
                account: self.account,
            });
        }
        let now = Timestamp::now();
        let mut store = Store::default();
        for stored in self.keys {
            let expired =
                matches!(stored.state, KeyState::PendingDeletion { date, .. } if date <= now);
            if !expired {
                let id = stored.id.clone();
                let key = stored.into_key(site);
                let key = key.ok_or_else(|| StateFileError::DamagedKey { id: id.clone() })?;
                store.keys.insert(id, key);
            }
        }
        for StoredAlias {
            name,
            target,
            created,
            updated,
        } in self.aliases
        {
            if store.keys.contains_key(&target) {
                let target = Eventual::settled(Some(target));
                store.aliases.insert(
                    name,
                    Alias {
                        target,
                        created,
                        updated,
                    },
                );
            }
        }
        Ok(store)
    }
}

impl StoredKey {
    pub(crate) fn of(key: &Key) -> Result<Self, StateFileError> {
        let core = &*key.core;
        let damaged = || StateFileError::DamagedKey {
            id: core.id.clone(),
        };
        let encode = |material: &Material| {
            let bytes = material.to_bytes().map_err(|_| damaged())?;
            Ok::<_, StateFileError>(BASE64_STANDARD.encode(bytes))
        };
        let mut material = None;
        let mut rotations = Vec::new();
        for core in core.generations() {
            let encoded = core.material.as_deref().map(encode).transpose()?;
            match core.rotated {
                Some(date) => rotations.push(StoredRotation {
                    date,
                    material: encoded.ok_or_else(damaged)?,
                }),
                None => material = encoded,
            }
        }
        rotations.reverse();
        Ok(Self {
            id: core.id.clone(),
            spec: core.spec.name.to_owned(),
            usage: core.usage.name().to_owned(),
            description: key.description.clone(),
            created: core.created,
            state: key.state,
            tags: key.tags.current().clone(),
            material,
            import: core.import().cloned(),
            rotations,
            automatic_rotation: key.automatic_rotation,
            managed_by_aws: key.managed_by_aws,
            regions: key.regions.clone(),
        })
    }

    /// Leaves the material out, of which only what was imported before may take the place.
    pub(crate) fn without_material(&mut self, import: Option<Import>) {
        self.material = None;
        self.rotations.clear();
        self.import = import.map(|import| Import {
            valid_to: None,
            ..import
        });
    }

    /// Gives the key a life of its own, from now on.
    pub(crate) fn begin(&mut self, description: String, tags: Tags) {
        self.description = description;
        self.tags = tags;
        self.created = Timestamp::now();
        self.state = match self.material {
            Some(_) => KeyState::Enabled,
            None => KeyState::PendingImport,
        };
    }

    pub(crate) fn into_key(self, site: &Site) -> Option<Key> {
        let spec = KeySpec::by_name(&self.spec)?;
        let usage = KeyUsage::by_name(&self.usage)?;
        let decode = |encoded: String| {
            let bytes = BASE64_STANDARD.decode(encoded).ok()?;
            Material::from_bytes(spec, usage, &bytes).ok()
        };
        let material = match self.material {
            None => None,
            Some(encoded) => Some(Arc::new(decode(encoded)?)),
        };
        let origin = match self.import {
            None if material.is_some() => Origin::Kms,
            import => Origin::External(import),
        };
        let mut core = KeyCore {
            arn: site.key_arn(&self.id),
            id: self.id,
            spec,
            usage,
            created: self.created,
            origin,
            material,
            former: None,
            rotated: None,
        };
        for rotation in self.rotations {
            let material = decode(rotation.material)?;
            core = KeyCore::rotated(&Arc::new(core), material, rotation.date);
        }
        let mut key = Key::new(core, self.description, self.tags);
        key.state = self.state;
        key.automatic_rotation = self.automatic_rotation;
        key.managed_by_aws = self.managed_by_aws;
        key.regions = self.regions;
        Some(key)
    }
}

/// Writes a file that only its owner can read, whatever was there before.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
