//! Where keys are listed: in the token's own region, or while that is down in one that has replicas.
//!
//! A listing of elsewhere lacks the keys that have no replica there. It is better than none for a token that has none
//! yet, and no reason to forget keys that were found at home.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::manner::Manner;
use super::regions::{Look, Region, Regions};
use super::request::Requests;
use crate::kms::{KeyEntry, KmsError, KmsErrorKind as Kind};

/// Where the listing requests of a token go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Home,
    /// The token's own region, while there are others to go to.
    HomeFirst,
    /// The region of this number.
    Replica(usize),
}

impl Place {
    /// Every place that a listing may begin at, in their order; none where there is nothing but home.
    pub(super) fn all(regions: &Regions) -> Vec<Self> {
        if !regions.may_leave_home(None) {
            return Vec::new();
        }
        let replicas = (1..regions.count()).map(Self::Replica);
        [Self::HomeFirst].into_iter().chain(replicas).collect()
    }

    fn region(self, regions: &Regions) -> &Region {
        match self {
            Self::Home | Self::HomeFirst => regions.get(0),
            Self::Replica(index) => regions.get(index),
        }
    }

    /// Does listing work there. No request of it takes so long that there is no time left for the places after it.
    pub(super) async fn list<T, F>(
        self,
        regions: Arc<Regions>,
        deadline: Instant,
        work: impl FnOnce(Arc<Requests>, Instant) -> F,
    ) -> Result<T, KmsError>
    where
        F: Future<Output = Result<T, KmsError>>,
    {
        let region = self.region(&regions);
        let asked = work(Arc::clone(&region.requests), deadline);
        if self == Self::Home {
            return asked.await;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let manner = Manner {
            longest: Some(share(&regions, left)),
            ..Manner::default()
        };
        let begun = Instant::now();
        let result = manner.of(asked).await;
        if result.is_err() {
            region.note(Look::default(), &result, begun.elapsed());
        }
        result
    }

    /// A key of this place as the token's own region names it; `None` for one that is not the same there.
    pub(super) fn at_home(self, regions: &Regions, key: KeyEntry) -> Option<KeyEntry> {
        match self {
            Self::Home | Self::HomeFirst => Some(key),
            Self::Replica(_) if key.is_multi_region() => Some(key.in_region(regions.get(0).name())),
            Self::Replica(_) => None,
        }
    }

    /// A key of the token as it is called there.
    pub(super) fn own(self, regions: &Regions, key: &KeyEntry) -> KeyEntry {
        self.region(regions).there().own(key)
    }

    /// What to call the key there that the configuration names so. Aliases are not shared: one may be another key's.
    pub(super) fn name(
        self,
        regions: &Regions,
        operation: &'static str,
        name: String,
    ) -> Result<String, KmsError> {
        if !matches!(self, Self::Replica(_)) {
            return Ok(name);
        }
        let key_id = super::fresh::key_id(&name).to_owned();
        let key = KeyEntry { arn: name, key_id };
        if !key.is_multi_region() {
            let message = "it is not known under this name in other regions";
            let name = Some(key.arn.as_str());
            return Err(KmsError::local(Kind::NotFound, operation, name, message));
        }
        Ok(self.own(regions, &key).key_id)
    }
}

/// What a request of `left` may take at one place.
fn share(regions: &Regions, left: Duration) -> Duration {
    // The token's own region comes once more, after all others.
    let places = u32::try_from(1 + regions.count()).unwrap_or(u32::MAX);
    let attempt = regions.home().settings().attempt_timeout;
    attempt.min(left / places)
}
