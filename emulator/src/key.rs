//! A key: what is fixed at creation, and what changes in its life.

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::consistency::{Eventual, StaleReads};
use crate::error::{ApiError, ApiResult};
use crate::key_ref::Site;
use crate::material::Material;
use crate::random;
use crate::spec::{KeySpec, KeyUsage};
use crate::timestamp::Timestamp;

pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) core: Arc<KeyCore>,
    pub(crate) description: String,
    pub(crate) state: KeyState,
    pub(crate) tags: Eventual<Tags>,
    /// Reads that do not find the key yet.
    pub(crate) unseen: StaleReads,
    /// Listings that do not show the key yet.
    pub(crate) unlisted: StaleReads,
    pub(crate) automatic_rotation: Option<AutomaticRotation>,
    pub(crate) managed_by_aws: bool,
}

/// New material at regular times.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct AutomaticRotation {
    pub(crate) period_days: u32,
    pub(crate) since: Timestamp,
}

/// What is fixed at creation, with the material of now. Shared, so that cryptography runs without the store's lock.
#[derive(Debug)]
pub(crate) struct KeyCore {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) spec: &'static KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) multi_region: bool,
    pub(crate) created: Timestamp,
    /// Absent in a key that waits for its import.
    pub(crate) material: Option<Material>,
    /// The same key before its last rotation: its ciphertexts can still be decrypted.
    pub(crate) former: Option<Arc<KeyCore>>,
    /// When a rotation brought this material.
    pub(crate) rotated: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum KeyState {
    Enabled,
    Disabled,
    PendingDeletion { date: Timestamp, window_days: u32 },
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
            unseen: StaleReads::default(),
            unlisted: StaleReads::default(),
            automatic_rotation: None,
            managed_by_aws: false,
        }
    }

    pub(crate) fn require(&self, required: Requires) -> ApiResult<()> {
        let pending_deletion = matches!(self.state, KeyState::PendingDeletion { .. });
        let met = match required {
            Requires::AnyState => true,
            Requires::Enabled => self.state == KeyState::Enabled,
            Requires::EnabledOrDisabled => {
                matches!(self.state, KeyState::Enabled | KeyState::Disabled)
            }
            Requires::NotPendingDeletion => !pending_deletion,
            Requires::PendingDeletion => pending_deletion,
        };
        if met {
            return Ok(());
        }
        let arn = &self.core.arn;
        Err(match (required, self.state) {
            (Requires::PendingDeletion, _) | (_, KeyState::Enabled) => {
                ApiError::invalid_state(format!("{arn} is not pending deletion."))
            }
            (_, KeyState::Disabled) => ApiError::disabled(format!("{arn} is disabled.")),
            (_, KeyState::PendingDeletion { .. }) => {
                ApiError::invalid_state(format!("{arn} is pending deletion."))
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
            "Enabled": self.state == KeyState::Enabled,
            "KeyId": core.id,
            "KeyManager": if self.managed_by_aws { "AWS" } else { "CUSTOMER" },
            "KeySpec": core.spec.name,
            "KeyState": self.state.name(),
            "KeyUsage": core.usage.name(),
            "MultiRegion": core.multi_region,
            "Origin": core.origin(),
            core.usage.algorithms_member(): core.spec.algorithm_names(core.usage),
        });
        if let Some(id) = core.material_id() {
            metadata["CurrentKeyMaterialId"] = id.into();
        }
        if let KeyState::PendingDeletion { date, .. } = self.state {
            metadata["DeletionDate"] = date.seconds().into();
        }
        if core.multi_region {
            metadata["MultiRegionConfiguration"] = json!({
                "MultiRegionKeyType": "PRIMARY",
                "PrimaryKey": { "Arn": core.arn, "Region": site.region },
                "ReplicaKeys": [],
            });
        }
        metadata
    }
}

impl KeyCore {
    /// The key with new material.
    pub(crate) fn rotated(former: &Arc<Self>, material: Material, date: Timestamp) -> Self {
        Self {
            id: former.id.clone(),
            arn: former.arn.clone(),
            spec: former.spec,
            usage: former.usage,
            multi_region: former.multi_region,
            created: former.created,
            material: Some(material),
            former: Some(Arc::clone(former)),
            rotated: Some(date),
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
        self.material.as_ref().ok_or_else(pending)
    }

    /// The error of an algorithm that keys of this spec cannot compute.
    pub(crate) fn incompatible(&self, algorithm: &str) -> ApiError {
        let spec = self.spec.name;
        ApiError::invalid_key_usage(format!(
            "Algorithm {algorithm} is incompatible with key spec {spec}."
        ))
    }

    /// The id of the material of a symmetric encryption key; other keys have none.
    pub(crate) fn material_id(&self) -> Option<String> {
        let symmetric = self.spec.is_symmetric_encryption() && self.material.is_some();
        symmetric.then(|| {
            let named = match self.generation() {
                0 => self.id.clone(),
                generation => format!("{}#{generation}", self.id),
            };
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, named.as_bytes());
            random::hex(digest.as_ref())
        })
    }

    pub(crate) fn origin(&self) -> &'static str {
        if self.material.is_some() {
            "AWS_KMS"
        } else {
            "EXTERNAL"
        }
    }
}

impl KeyState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion { .. } => "PendingDeletion",
            Self::PendingImport => "PendingImport",
        }
    }
}
