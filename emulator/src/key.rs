//! A key: what is fixed at creation, and what changes in its life.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::consistency::{Eventual, StaleReads};
use crate::error::{ApiError, ApiResult};
use crate::key_ref::Site;
use crate::material::Material;
use crate::random;
use crate::regions::Regions;
use crate::spec::{KeySpec, KeyUsage};
use crate::timestamp::Timestamp;
use crate::wrapping::{Wrapping, WrappingKey};

pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) core: Arc<KeyCore>,
    pub(crate) description: String,
    pub(crate) state: KeyState,
    pub(crate) tags: Eventual<Tags>,
    /// What was handed out for an import and may still be used.
    pub(crate) import_tokens: Vec<ImportToken>,
    /// Reads that do not find the key yet.
    pub(crate) unseen: StaleReads,
    /// Listings that do not show the key yet.
    pub(crate) unlisted: StaleReads,
    pub(crate) automatic_rotation: Option<AutomaticRotation>,
    pub(crate) managed_by_aws: bool,
    /// Where a multi-Region key is.
    pub(crate) regions: Option<Regions>,
    /// Requests that still find the replica being created.
    pub(crate) creating: StaleReads,
    /// Whether the request that is being answered does.
    pub(crate) is_creating: bool,
}

/// New material at regular times.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AutomaticRotation {
    pub(crate) period_days: u32,
    pub(crate) since: Timestamp,
}

/// What is fixed at creation, or replaced as a whole by an import or a rotation. Shared, so that
/// cryptography runs without the store's lock.
#[derive(Clone, Debug)]
pub(crate) struct KeyCore {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) spec: &'static KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) created: Timestamp,
    pub(crate) origin: Origin,
    /// Absent in a key that waits for its import.
    pub(crate) material: Option<Arc<Material>>,
    /// The same key before its last rotation: its ciphertexts can still be decrypted.
    pub(crate) former: Option<Arc<KeyCore>>,
    /// When a rotation brought this material.
    pub(crate) rotated: Option<Timestamp>,
}

/// Where the material of a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Kms,
    /// It is imported; `None` in a key that never had any.
    External(Option<Import>),
}

/// The last import of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Import {
    /// SHA-256 of the material: no other can take its place.
    pub(crate) fingerprint: Vec<u8>,
    /// When the material expires, if it does.
    pub(crate) valid_to: Option<Timestamp>,
}

/// An import token, and what belongs to it.
#[derive(Debug)]
pub(crate) struct ImportToken {
    pub(crate) token: Vec<u8>,
    pub(crate) wrapping: &'static Wrapping,
    pub(crate) key: &'static WrappingKey,
    pub(crate) valid_to: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyState {
    Enabled,
    Disabled,
    PendingDeletion {
        date: Timestamp,
        window_days: u32,
    },
    /// A primary that waits for its replicas to end; its own window begins then.
    PendingReplicaDeletion {
        window_days: u32,
    },
    PendingImport,
}

/// The states in which an operation works.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Requires {
    AnyState,
    /// Cryptography and `GetPublicKey`.
    Enabled,
    EnabledOrDisabled,
    NotPendingDeletion,
    /// An import: a replica must have been created, too.
    Importable,
    PendingDeletion,
}

impl Key {
    /// A key as creation leaves it. Without material it waits for an import.
    pub(crate) fn new(core: KeyCore, description: String, tags: Tags) -> Self {
        let state = if core.material.is_some() {
            KeyState::Enabled
        } else {
            KeyState::PendingImport
        };
        Self {
            core: Arc::new(core),
            description,
            state,
            tags: Eventual::settled(tags),
            import_tokens: Vec::new(),
            unseen: StaleReads::default(),
            unlisted: StaleReads::default(),
            automatic_rotation: None,
            managed_by_aws: false,
            regions: None,
            creating: StaleReads::default(),
            is_creating: false,
        }
    }

    /// Takes the material of an import, or takes it away; `None` leaves the key waiting for its import.
    pub(crate) fn set_material(&mut self, material: Option<Arc<Material>>, origin: Origin) {
        self.state = match (&material, self.state) {
            (None, _) => KeyState::PendingImport,
            (Some(_), KeyState::PendingImport) => KeyState::Enabled,
            (Some(_), state) => state,
        };
        self.core = Arc::new(KeyCore {
            origin,
            material,
            ..(*self.core).clone()
        });
    }

    /// Takes away material that has expired by now.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let valid_to = self.core.import().and_then(|import| import.valid_to);
        if self.core.material.is_some() && valid_to.is_some_and(|end| end <= now) {
            self.set_material(None, self.core.origin.clone());
        }
    }

    pub(crate) fn require(&self, required: Requires) -> ApiResult<()> {
        let arn = &self.core.arn;
        let pending_deletion = matches!(
            self.state,
            KeyState::PendingDeletion { .. } | KeyState::PendingReplicaDeletion { .. }
        );
        let met = match required {
            Requires::AnyState => true,
            // It can be managed, but not used.
            Requires::Enabled | Requires::EnabledOrDisabled | Requires::Importable
                if self.is_creating =>
            {
                return Err(ApiError::invalid_state(format!("{arn} is creating.")));
            }
            Requires::Enabled => self.state == KeyState::Enabled,
            Requires::EnabledOrDisabled => {
                matches!(self.state, KeyState::Enabled | KeyState::Disabled)
            }
            Requires::NotPendingDeletion | Requires::Importable => !pending_deletion,
            Requires::PendingDeletion => pending_deletion,
        };
        if met {
            return Ok(());
        }
        Err(match (required, self.state) {
            (Requires::PendingDeletion, _) | (_, KeyState::Enabled) => {
                ApiError::invalid_state(format!("{arn} is not pending deletion."))
            }
            (_, KeyState::Disabled) => ApiError::disabled(format!("{arn} is disabled.")),
            (_, KeyState::PendingDeletion { .. }) => {
                ApiError::invalid_state(format!("{arn} is pending deletion."))
            }
            (_, KeyState::PendingReplicaDeletion { .. }) => {
                ApiError::invalid_state(format!("{arn} is pending replica deletion."))
            }
            (_, KeyState::PendingImport) => {
                ApiError::invalid_state(format!("{arn} is pending import."))
            }
        })
    }

    /// The structure `KeyMetadata` of the protocol.
    pub(crate) fn metadata(&self, site: &Site) -> Value {
        let core = &*self.core;
        let mut metadata = json!({
            "AWSAccountId": site.account,
            "Arn": core.arn,
            "CreationDate": core.created.seconds(),
            "CustomerMasterKeySpec": core.spec.name,
            "Description": self.description,
            "Enabled": self.state == KeyState::Enabled && !self.is_creating,
            "KeyId": core.id,
            "KeyManager": if self.managed_by_aws { "AWS" } else { "CUSTOMER" },
            "KeySpec": core.spec.name,
            "KeyState": if self.is_creating { "Creating" } else { self.state.name() },
            "KeyUsage": core.usage.name(),
            "MultiRegion": self.regions.is_some(),
            "Origin": core.origin.name(),
            core.usage.algorithms_member(): core.spec.algorithm_names(core.usage),
        });
        if let (Some(id), false) = (core.material_id(), self.is_creating) {
            metadata["CurrentKeyMaterialId"] = id.into();
        }
        if let (Some(import), true) = (core.import(), core.material.is_some()) {
            metadata["ExpirationModel"] = import.expiration_model().into();
            if let Some(valid_to) = import.valid_to {
                metadata["ValidTo"] = valid_to.seconds().into();
            }
        }
        if let KeyState::PendingDeletion { date, .. } = self.state {
            metadata["DeletionDate"] = date.seconds().into();
        }
        if let KeyState::PendingReplicaDeletion { window_days } = self.state {
            metadata["PendingDeletionWindowInDays"] = window_days.into();
        }
        if let Some(regions) = &self.regions {
            metadata["MultiRegionConfiguration"] = regions.metadata(site, &core.id);
        }
        metadata
    }
}

impl KeyCore {
    /// The key with new material.
    pub(crate) fn rotated(former: &Arc<Self>, material: Material, date: Timestamp) -> Self {
        Self {
            material: Some(Arc::new(material)),
            former: Some(Arc::clone(former)),
            rotated: Some(date),
            ..Self::clone(former)
        }
    }

    /// The key with each of its materials, the latest first.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |core| core.former.as_deref())
    }

    /// How often the key was rotated.
    pub(crate) fn generation(&self) -> usize {
        self.generations().count() - 1
    }

    /// The material, for an operation that needs this usage.
    pub(crate) fn material_for(&self, usage: KeyUsage, operation: &str) -> ApiResult<&Material> {
        if self.usage != usage {
            let (arn, actual) = (&self.arn, self.usage.name());
            return Err(ApiError::invalid_key_usage(format!(
                "{arn} key usage is {actual} which is not valid for {operation}."
            )));
        }
        let pending = || ApiError::invalid_state(format!("{} is pending import.", self.arn));
        self.material.as_deref().ok_or_else(pending)
    }

    /// The error of an algorithm that keys of this spec cannot compute.
    pub(crate) fn incompatible(&self, algorithm: &str) -> ApiError {
        let spec = self.spec.name;
        ApiError::invalid_key_usage(format!(
            "Algorithm {algorithm} is incompatible with key spec {spec}."
        ))
    }

    /// The id of the material of a symmetric encryption key, also of one that was taken away; other
    /// keys have none.
    pub(crate) fn material_id(&self) -> Option<String> {
        let symmetric = self.spec.is_symmetric_encryption();
        let had_material = self.material.is_some() || self.import().is_some();
        (symmetric && had_material).then(|| {
            let named = match self.generation() {
                0 => self.id.clone(),
                generation => format!("{}#{generation}", self.id),
            };
            random::hex(digest(&SHA256, named.as_bytes()).as_ref())
        })
    }

    pub(crate) fn import(&self) -> Option<&Import> {
        match &self.origin {
            Origin::Kms => None,
            Origin::External(import) => import.as_ref(),
        }
    }
}

impl Origin {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kms => "AWS_KMS",
            Self::External(_) => "EXTERNAL",
        }
    }

    /// Refuses what is done to keys whose material is imported, and to no others.
    pub(crate) fn require_external(&self, arn: &str) -> ApiResult<()> {
        match self {
            Self::External(_) => Ok(()),
            Self::Kms => Err(ApiError::unsupported(format!(
                "{arn} origin is {} which is not valid for this operation.",
                self.name()
            ))),
        }
    }
}

impl Import {
    fn expiration_model(&self) -> &'static str {
        match self.valid_to {
            None => "KEY_MATERIAL_DOES_NOT_EXPIRE",
            Some(_) => "KEY_MATERIAL_EXPIRES",
        }
    }
}

impl KeyState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
            Self::PendingReplicaDeletion { .. } => "PendingReplicaDeletion",
            Self::PendingImport => "PendingImport",
        }
    }
}
