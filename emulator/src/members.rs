//! The keys of one multi-Region key: how a replica comes to be, follows its primary, and goes.
//!
//! Regions talk to each other by requests of the control API that no AWS service has:
//!
//! - `POST replicas` hands a new replica over, with its material.
//! - `PUT replicas` tells a key what is shared and has changed: regions, rotations.
//! - `DELETE replicas` tells the primary that a replica has ended.
//!
//! The store is not locked while a peer is asked. A peer that does not answer stays as it was.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::consistency::StaleReads;
use crate::error::{ApiError, ApiResult};
use crate::key::{Key, KeyState, Origin, Tags};
use crate::peer;
use crate::service::Service;
use crate::state_file::StoredKey;
use crate::timestamp::Timestamp;

/// The HTTP status of a hand-over to a region that has the key already.
pub(crate) const CONFLICT: u16 = 409;

/// A replica that has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EndedReplica {
    id: String,
    region: String,
}

/// What a replica has for itself.
#[derive(Debug)]
pub(crate) struct ReplicaPart {
    pub(crate) description: String,
    pub(crate) tags: Tags,
}

impl Service {
    /// Makes a replica of this key in another region; answers its metadata.
    pub(crate) fn hand_over(&self, id: &str, region: &str, part: ReplicaPart) -> ApiResult<Value> {
        let peer = self.peer(region)?;
        let _turn = self.regions_change.lock();
        let mut replica = self.shared(id)?;
        if let Some(regions) = &mut replica.regions {
            regions.replicas.insert(region.to_owned());
        }
        replica.begin(part.description, part.tags);
        match peer::ask(peer, "POST", "replicas", &replica) {
            Ok((200, mut answer)) => {
                self.update_regions(id, |key| {
                    if let Some(regions) = &mut key.regions {
                        regions.replicas.insert(region.to_owned());
                    }
                });
                self.tell_others(id, &[region]);
                Ok(answer["metadata"].take())
            }
            Ok((CONFLICT, _)) => Err(already_there(id, region)),
            other => Err(ApiError::internal(format!(
                "{region} did not take the replica: {other:?}"
            ))),
        }
    }

    /// The other side of [`hand_over`](Self::hand_over): nothing when the key is there already.
    pub(crate) fn receive_replica(&self, replica: StoredKey) -> ApiResult<Option<Value>> {
        let id = replica.id.clone();
        if self.store.lock().keys.contains_key(&id) {
            return Ok(None);
        }
        let key = replica.into_key(&self.site);
        let mut key = key.ok_or_else(|| ApiError::internal("The replica is damaged"))?;
        key.is_creating = true;
        key.creating = StaleReads::new(self.settings.creating_reads());
        let metadata = key.metadata(&self.site);
        self.publish(key);
        self.persist()?;
        Ok(Some(metadata))
    }

    /// Tells the other regions of a key what has changed, but those that know.
    pub(crate) fn tell_others(&self, id: &str, informed: &[&str]) {
        let Ok(shared) = self.shared(id) else { return };
        let others = shared.regions.iter();
        for region in others.flat_map(|regions| regions.others(&self.site.region)) {
            if let Some(peer) = self.peers.of(&region)
                && !informed.contains(&region.as_str())
            {
                // One that is down stays as it was.
                let _ = peer::ask(peer, "PUT", "replicas", &shared);
            }
        }
    }

    /// Takes over what another key of the same multi-Region key tells.
    pub(crate) fn follow(&self, shared: StoredKey) -> ApiResult<()> {
        let id = shared.id.clone();
        let told = shared.into_key(&self.site);
        let told = told.ok_or_else(|| ApiError::internal("What is shared is damaged"))?;
        self.update_regions(&id, |key| {
            key.regions = told.regions;
            key.automatic_rotation = told.automatic_rotation;
            if key.core.origin == Origin::Kms {
                let created = key.core.created;
                let mut core = (*told.core).clone();
                core.created = created;
                key.core = Arc::new(core);
            }
        });
        self.persist()
    }

    /// Ends every key that is pending deletion, as if its window were over; answers how many.
    pub(crate) fn end_deletions(&self) -> ApiResult<usize> {
        let mut store = self.store.lock();
        let pending = |key: &Key| matches!(key.state, KeyState::PendingDeletion { .. });
        let ended: Vec<Key> = store
            .keys
            .extract_if(.., |_, key| pending(key))
            .map(|(_, key)| key)
            .collect();
        for key in &ended {
            store
                .aliases
                .retain(|_, alias| alias.target.current().as_ref() != Some(&key.core.id));
        }
        drop(store);
        self.persist()?;
        for key in &ended {
            if let Some(regions) = &key.regions
                && let Some(primary) = self.peers.of(&regions.primary)
                && regions.primary != self.site.region
            {
                let ended = EndedReplica {
                    id: key.core.id.clone(),
                    region: self.site.region.clone(),
                };
                // A primary that is down goes on to know the replica.
                let _ = peer::ask(primary, "DELETE", "replicas", &ended);
            }
        }
        Ok(ended.len())
    }

    /// A replica is no more; a primary that waited for the last one begins its own window.
    pub(crate) fn forget_replica(&self, ended: &EndedReplica) -> ApiResult<()> {
        let _turn = self.regions_change.lock();
        self.update_regions(&ended.id, |key| {
            let Some(regions) = &mut key.regions else {
                return;
            };
            regions.replicas.remove(&ended.region);
            if let KeyState::PendingReplicaDeletion { window_days } = key.state
                && regions.replicas.is_empty()
            {
                let date = Timestamp::now().plus_days(window_days);
                key.state = KeyState::PendingDeletion { date, window_days };
            }
        });
        self.persist()?;
        self.tell_others(&ended.id, &[&ended.region]);
        Ok(())
    }

    /// Makes the replica in `region` the primary.
    pub(crate) fn move_primary(&self, id: &str, region: &str) -> ApiResult<()> {
        let peer = self.peer(region)?;
        let _turn = self.regions_change.lock();
        let mut shared = self.shared(id)?;
        if let Some(regions) = &mut shared.regions {
            regions.promote(region);
        }
        match peer::ask(peer, "PUT", "replicas", &shared) {
            Ok((200, _)) => {}
            other => {
                let why = format!("{region} did not become the primary: {other:?}");
                return Err(ApiError::internal(why));
            }
        }
        self.update_regions(id, |key| key.regions = shared.regions);
        self.tell_others(id, &[region]);
        Ok(())
    }

    /// What all keys of the multi-Region key have in common. Imported material is not: it is imported
    /// into each of them.
    fn shared(&self, id: &str) -> ApiResult<StoredKey> {
        let store = self.store.lock();
        let key = store.keys.get(id);
        let key = key.ok_or_else(|| ApiError::not_found(format!("Key '{id}' does not exist")))?;
        let mut stored =
            StoredKey::of(key).map_err(|error| ApiError::internal(error.to_string()))?;
        if let Origin::External(import) = &key.core.origin {
            stored.without_material(import.clone());
        }
        Ok(stored)
    }

    fn update_regions(&self, id: &str, change: impl FnOnce(&mut Key)) {
        if let Some(key) = self.store.lock().keys.get_mut(id) {
            change(key);
        }
    }

    fn peer(&self, region: &str) -> ApiResult<SocketAddr> {
        self.peers.of(region).ok_or_else(|| {
            ApiError::validation(format!("Region {region} is not available to this account."))
        })
    }
}

/// The refusal of a second key of one multi-Region key in a region.
pub(crate) fn already_there(id: &str, region: &str) -> ApiError {
    ApiError::already_exists(format!(
        "Unable to replicate key {id} to region {region}, as the key already exists there."
    ))
}

/// The answer of the control API to a hand-over.
pub(crate) fn received(metadata: &Value) -> Value {
    json!({ "metadata": metadata })
}
