//! Where the keys of one multi-Region key are, and how other regions are reached.
//!
//! An emulator is one region. Those that it was told about are its peers, each a process or an
//! [`Emulator`](crate::Emulator) of its own, so that one of them can be killed or hung while the others live.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::key_ref::{self, Site};

/// The regions of one multi-Region key, as each of its keys knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Regions {
    pub(crate) primary: String,
    pub(crate) replicas: BTreeSet<String>,
}

impl Regions {
    /// Those of a new key.
    pub(crate) fn only(primary: &str) -> Self {
        Self {
            primary: primary.to_owned(),
            replicas: BTreeSet::new(),
        }
    }

    pub(crate) fn contains(&self, region: &str) -> bool {
        self.primary == region || self.replicas.contains(region)
    }

    /// Every region but this one.
    pub(crate) fn others(&self, region: &str) -> Vec<String> {
        let all = self.replicas.iter().chain([&self.primary]);
        all.filter(|other| *other != region).cloned().collect()
    }

    /// The replica in `region` becomes the primary, and the primary a replica.
    pub(crate) fn promote(&mut self, region: &str) {
        if self.replicas.remove(region) {
            let former = std::mem::replace(&mut self.primary, region.to_owned());
            self.replicas.insert(former);
        }
    }

    /// The structure `MultiRegionConfiguration` of the protocol, for the key in this region.
    pub(crate) fn metadata(&self, site: &Site, id: &str) -> Value {
        let key = |region: &String| json!({ "Arn": key_ref::key_arn(region, &site.account, id), "Region": region });
        let kind = if self.primary == site.region {
            "PRIMARY"
        } else {
            "REPLICA"
        };
        json!({
            "MultiRegionKeyType": kind,
            "PrimaryKey": key(&self.primary),
            "ReplicaKeys": self.replicas.iter().map(key).collect::<Value>(),
        })
    }
}

/// The other regions, by name.
#[derive(Debug, Default)]
pub(crate) struct Peers(RwLock<BTreeMap<String, SocketAddr>>);

/// The address of a peer is none.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint:?} is not the endpoint of an emulator, such as http://127.0.0.1:41234")]
pub struct PeerError {
    endpoint: String,
}

impl Peers {
    pub(crate) fn set(&self, region: &str, endpoint: &str) -> Result<(), PeerError> {
        let address = endpoint.strip_prefix("http://").map(str::parse);
        match address {
            Some(Ok(address)) if SocketAddr::ip(&address).is_loopback() => {
                self.0.write().insert(region.to_owned(), address);
                Ok(())
            }
            _ => Err(PeerError {
                endpoint: endpoint.to_owned(),
            }),
        }
    }

    pub(crate) fn of(&self, region: &str) -> Option<SocketAddr> {
        self.0.read().get(region).copied()
    }
}
