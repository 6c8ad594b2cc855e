//! The regions of a token: its own, and those that have replicas of its multi-Region keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::breaker::{Breaker, Change, Pass, Verdict};
use super::client::SharedHttp;
use super::hedging::Hedging;
use super::lending::{Lending, Lent};
use super::request::Requests;
use super::settings::AwsSettings;
use crate::kms::{Identity, KeyEntry, KmsError, KmsErrorKind as Kind};
use crate::metrics::{EndpointEvent, EndpointName, Metrics};

/// For so long a region is not asked again for a key that it does not have, or that may not be used there.
const ABSENCE: Duration = Duration::from_mins(1);

pub(super) struct Regions {
    /// The token's own first, then the others in the order of the configuration. There is at least one.
    all: Vec<Region>,
    /// Whether requests leave the token's own while it fails.
    failover: bool,
    /// Opened by a request that no region answered.
    pub(super) everywhere: Breaker,
    pub(super) hedging: Option<Hedging>,
}

pub(super) struct Region {
    pub(super) requests: Arc<Requests>,
    /// Whether it is asked before others: opened by one failure, which costs nothing but the way to another region.
    health: Breaker,
    name: EndpointName,
    is_replica: bool,
    metrics: Option<Arc<Metrics>>,
    /// The keys that cannot be used there, by their ids, and since when.
    absent: Mutex<HashMap<String, Instant>>,
}

impl Regions {
    pub(super) fn new(
        settings: AwsSettings,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let lent = Lent::default();
        let replicas = settings.of_replicas();
        let replicas = replicas
            .into_iter()
            .map(|settings| Region::new(settings, http, metrics, Lending::Borrows(lent.clone())));
        let everywhere = Breaker::new(1, settings.deadline);
        let failover = settings.failover;
        let hedging = settings.hedge_after.map(Hedging::new);
        let replicas: Vec<Region> = replicas.collect();
        let lending = Lending::Lends(lent);
        let mut all = vec![Region::new(settings, http, metrics, lending)];
        all.extend(replicas);
        if failover && all.len() > 1 {
            for region in &all {
                region.count(EndpointEvent::IsRegion);
            }
        }
        Self {
            all,
            failover,
            everywhere,
            hedging,
        }
    }

    /// That of the token: where keys are listed, made and changed.
    pub(super) fn home(&self) -> &Arc<Requests> {
        &self.all[0].requests
    }

    /// The region that a key is in: the token's own unless its ARN is of another.
    pub(super) fn of(&self, key: &KeyEntry) -> &Arc<Requests> {
        let named = key.region();
        // The first is the token's own.
        let mut others = self.all.iter().skip(1);
        let other = others.find(|region| Some(region.name()) == named);
        other.map_or_else(|| self.home(), |region| &region.requests)
    }

    /// The keys that a multi-Region key may have in the other regions; none of another key.
    pub(super) fn keys_elsewhere(&self, key: &KeyEntry) -> Vec<KeyEntry> {
        if !key.is_multi_region() {
            return Vec::new();
        }
        // The first is the token's own.
        let others = self.all.iter().skip(1);
        others.map(|region| key.in_region(region.name())).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, index: usize) -> &Region {
        &self.all[index]
    }

    /// Whether other regions may have this key. Without one, as for random bytes, all of them do.
    pub(super) fn may_leave_home(&self, key: Option<&KeyEntry>) -> bool {
        self.failover && self.all.len() > 1 && key.is_none_or(KeyEntry::is_multi_region)
    }

    /// The regions to ask for a key, by their numbers: those that are well, then the others; and how many are well.
    pub(super) fn order(&self, key: Option<&KeyEntry>, now: Instant) -> (Vec<usize>, usize) {
        let has = |index: &usize| {
            *index == 0 || key.is_none_or(|key| !self.all[*index].lacks(&key.key_id, now))
        };
        let (mut order, ill): (Vec<_>, Vec<_>) = (0..self.all.len())
            .filter(has)
            .partition(|index| self.all[*index].health.is_closed());
        let well = order.len();
        order.extend(ill);
        (order, well)
    }

    /// Everybody acts as this identity, of whom one region has made sure.
    pub(super) async fn log_in(
        &self,
        identity: Identity,
        deadline: Instant,
    ) -> Result<(), KmsError> {
        let mut failure = None;
        for (number, region) in self.all.iter().enumerate() {
            let left = u32::try_from(self.all.len() - number).unwrap_or(1);
            let now = Instant::now();
            let until = now + deadline.saturating_duration_since(now) / left;
            match region.requests.log_in(identity.clone(), until).await {
                Ok(()) => {
                    let others = self
                        .all
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != number);
                    others.for_each(|(_, other)| other.requests.act_as(&identity));
                    return Ok(());
                }
                // Only the first one says what is wrong where the token is.
                Err(error) if leads_on(&error) => {
                    failure.get_or_insert(error);
                }
                Err(error) => return Err(failure.unwrap_or(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    pub(super) fn log_out(&self) {
        for region in &self.all {
            region.requests.log_out();
        }
    }

    pub(super) fn log_counts(&self) {
        for region in &self.all {
            region.requests.limiter().log_counts();
        }
    }
}

impl Region {
    fn new(
        settings: AwsSettings,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
        lending: Lending,
    ) -> Self {
        Self {
            health: Breaker::new(1, settings.deadline),
            name: EndpointName {
                token: settings.token.clone(),
                region: settings.region.clone().unwrap_or_default(),
                service: "KMS",
            },
            is_replica: lending.is_replica(),
            metrics: metrics.cloned(),
            absent: Mutex::default(),
            requests: Arc::new(Requests::new(
                settings,
                http.clone(),
                metrics.cloned(),
                lending,
            )),
        }
    }

    /// `eu-west-1`.
    pub(super) fn name(&self) -> &str {
        &self.name.region
    }

    pub(super) fn there(&self) -> There {
        There {
            requests: Arc::clone(&self.requests),
            region: self.is_replica.then(|| self.name.region.clone()),
        }
    }

    /// Whether a probe of it is due, because it is not well.
    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        !self.health.is_closed() && self.health.refusal(now).is_none()
    }

    /// Lets one probe pass, if it is due.
    pub(super) fn probe(&self, now: Instant) -> Option<Pass<'_>> {
        self.health.admit(now).ok().filter(Pass::is_probe)
    }

    /// Takes note of what was answered there, or that nothing was.
    pub(super) fn note<T>(&self, pass: Option<Pass<'_>>, result: &Result<T, KmsError>) {
        let error = result.as_ref().err();
        let verdict = match error {
            None => Verdict::Up,
            Some(error) => match error.kind {
                Kind::Network | Kind::Timeout => Verdict::Down,
                Kind::Unavailable if error.code != "KeyUnavailableException" => Verdict::Down,
                _ if error.code.is_empty() => Verdict::Unknown,
                _ => Verdict::Up,
            },
        };
        if result.is_ok() {
            self.count(EndpointEvent::Answered);
        }
        self.settle(pass, verdict, error);
    }

    /// Takes note that it was slower than another region too often.
    pub(super) fn is_slow(&self) {
        let message = "another region answered first three times in a row";
        let error = KmsError::local(Kind::Timeout, "hedging", None, message);
        self.settle(None, Verdict::Down, Some(&error));
    }

    pub(super) fn count(&self, event: EndpointEvent) {
        if let Some(metrics) = &self.metrics {
            metrics.endpoint(&self.name, event);
        }
    }

    /// Takes note that a key cannot be used there.
    pub(super) fn note_absence(&self, key: &KeyEntry, error: &KmsError) {
        let now = Instant::now();
        // Those of before stay, so that the log is told of each key once.
        if self.absent.lock().insert(key.key_id.clone(), now).is_none() {
            tracing::warn!(
                "token {}: {} does not help out in {}, which is asked for it again in {} s: {error}",
                self.name.token,
                key.arn,
                self.name(),
                ABSENCE.as_secs()
            );
        }
    }

    fn lacks(&self, key_id: &str, now: Instant) -> bool {
        let absent = self.absent.lock();
        let since = absent.get(key_id);
        since.is_some_and(|since| now.saturating_duration_since(*since) < ABSENCE)
    }

    fn settle(&self, pass: Option<Pass<'_>>, verdict: Verdict, error: Option<&KmsError>) {
        let pass = pass.unwrap_or_else(|| self.health.pass_by());
        let EndpointName { token, region, .. } = &self.name;
        match pass.settle(verdict, error, Instant::now()) {
            Some(Change::Opened { .. }) => {
                self.count(EndpointEvent::Left);
                let lastly = error.map(ToString::to_string).unwrap_or_default();
                tracing::warn!(
                    "token {token}: region {region} fails; multi-Region keys are used in other regions until it \
                     answers: {lastly}"
                );
            }
            Some(Change::StillOpen { since, .. }) => tracing::warn!(
                "token {token}: region {region} still fails, for {:.1} s",
                since.as_secs_f64()
            ),
            Some(Change::Closed { after }) => {
                self.count(EndpointEvent::Back);
                tracing::warn!(
                    "token {token}: region {region} answers again after {:.1} s; multi-Region keys are used there \
                     as before",
                    after.as_secs_f64()
                );
            }
            None => {}
        }
    }
}

/// Where a request is made.
pub(super) struct There {
    pub(super) requests: Arc<Requests>,
    /// `None`: where the token lists its keys.
    region: Option<String>,
}

impl There {
    /// A key of the token as it is called there: its ARN is the same but for the region.
    pub(super) fn own(&self, key: &KeyEntry) -> KeyEntry {
        match &self.region {
            Some(region) => key.in_region(region),
            None => key.clone(),
        }
    }
}

/// Whether another region may do better after this failure.
pub(super) fn leads_on(error: &KmsError) -> bool {
    matches!(
        error.kind,
        Kind::Network | Kind::Timeout | Kind::Unavailable | Kind::Throttled
    )
}

/// Whether this failure in a replica's region says that the key cannot be used there, where elsewhere it can: replicas
/// have a state, a policy and an existence of their own.
pub(super) fn is_absent(error: &KmsError) -> bool {
    matches!(
        error.kind,
        Kind::NotFound
            | Kind::AccessDenied
            | Kind::Disabled
            | Kind::InvalidState
            | Kind::Credentials
            | Kind::Identity
            | Kind::Configuration
            | Kind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::super::settings::Replica;
    use super::*;

    #[test]
    fn a_key_has_the_same_arn_in_another_region_but_for_the_region() {
        let key = |region: &str| KeyEntry {
            arn: format!("arn:aws-us-gov:kms:{region}:111122223333:key/mrk-12"),
            key_id: "mrk-12".to_owned(),
        };
        let settings = AwsSettings {
            region: Some("us-gov-west-1".to_owned()),
            replicas: vec![Replica {
                region: "us-gov-east-1".to_owned(),
                endpoint: None,
            }],
            ..AwsSettings::default()
        };
        let regions = Regions::new(settings, &SharedHttp::new(), None);
        let west = key("us-gov-west-1");
        assert_eq!(regions.get(0).there().own(&west), west);
        assert_eq!(regions.get(1).there().own(&west), key("us-gov-east-1"));
    }
}
