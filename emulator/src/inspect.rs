//! What a test may look at behind the protocol.

use std::collections::BTreeMap;

use crate::service::Service;

/// A key as it is, whatever clients see of it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptKey {
    pub key_id: String,
    pub arn: String,
    /// `Enabled`, `PendingDeletion`.
    pub state: &'static str,
    pub tags: BTreeMap<String, String>,
}

/// All keys, those pending deletion included.
pub(crate) fn keys(service: &Service) -> Vec<KeptKey> {
    let store = service.store.lock();
    let keys = store.keys.values().map(|key| KeptKey {
        key_id: key.core.id.clone(),
        arn: key.core.arn.clone(),
        state: key.state.name(),
        tags: key.tags.current().clone(),
    });
    keys.collect()
}
