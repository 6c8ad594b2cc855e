//! The regions of a token: its own, and those that have replicas of its multi-Region keys.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::absence::{ABSENCE, Absences};
use super::breaker::{Breaker, Change, Pass, Verdict};
use super::client::SharedHttp;
use super::endpoint::says_nothing;
use super::hedging::{Hedging, Pace};
use super::lending::{Lending, Lent};
use super::request::Requests;
use super::settings::AwsSettings;
use crate::kms::{Identity, KeyEntry, KmsError, KmsErrorKind as Kind};
use crate::metrics::{EndpointEvent, EndpointName, Metrics};

pub(super) struct Regions {
    /// The token's own first, then the others in the order of the configuration. There is at least one.
    all: Vec<Region>,
    /// Whether requests leave the token's own while it fails.
    failover: bool,
    /// Each opened by a request that none of these regions answered, of which each is a bit: not all keys are
    /// everywhere.
    silences: Mutex<HashMap<u16, Arc<Breaker>>>,
    pub(super) hedging: Option<Hedging>,
}

/// The regions to ask, by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// Those that are well, then those that are slow, then those that fail.
    pub(super) all: Vec<usize>,
    /// How many are well.
    pub(super) well: usize,
    /// How many do not fail.
    pub(super) usable: usize,
}

pub(super) struct Region {
    pub(super) requests: Arc<Requests>,
    /// Whether it is asked before others: opened by one failure, which costs nothing but the way to another region.
    health: Breaker,
    /// Where requests are hedged, whether it is asked before others that are faster.
    pace: Option<Pace>,
    /// What a request there has at least, where each region is left its time.
    share: Duration,
    name: EndpointName,
    is_replica: bool,
    metrics: Option<Arc<Metrics>>,
    absences: Absences,
}

/// The leaves of a request that looks whether a region is well.
#[derive(Debug, Default)]
pub(super) struct Look<'a> {
    health: Option<Pass<'a>>,
    pace: Option<Pass<'a>>,
}

impl Regions {
    pub(super) fn new(
        settings: AwsSettings,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
    ) -> Self {
        let lent = Lent::default();
        let replicas = settings.of_replicas();
        let count = u32::try_from(1 + replicas.len()).unwrap_or(u32::MAX);
        let region = |settings, lending| Region::new(settings, count, http, metrics, lending);
        let replicas = replicas
            .into_iter()
            .map(|settings| region(settings, Lending::Borrows(lent.clone())));
        let failover = settings.failover;
        let hedging = settings.hedge_after.map(Hedging::new);
        let replicas: Vec<Region> = replicas.collect();
        let mut all = vec![region(settings, Lending::Lends(lent))];
        all.extend(replicas);
        if failover && all.len() > 1 {
            for region in &all {
                region.count(EndpointEvent::IsRegion);
            }
        }
        Self {
            all,
            failover,
            silences: Mutex::default(),
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

    /// The regions to ask to do something with a key, but for those that have said already that they are `of_no_use`.
    pub(super) fn order(
        &self,
        operation: &'static str,
        key: Option<&KeyEntry>,
        of_no_use: &[usize],
        now: Instant,
    ) -> Order {
        let has = |index: usize| {
            let lacks = |key| self.all[index].absences.has(operation, key, now);
            index == 0 || !(of_no_use.contains(&index) || key.is_some_and(lacks))
        };
        let regions = (0..self.all.len()).filter(|index| has(*index));
        let mut all: Vec<_> = regions
            .map(|index| (self.all[index].state(), index))
            .collect();
        all.sort_unstable();
        let until = |last| all.partition_point(|(state, _)| *state <= last);
        Order {
            well: until(State::Well),
            usable: until(State::Slow),
            all: all.into_iter().map(|(_, index)| index).collect(),
        }
    }

    /// The breaker that is open while none of these regions answers.
    pub(super) fn silence_of(&self, regions: &[usize]) -> Arc<Breaker> {
        // There are eleven at most.
        let these = regions.iter().fold(0, |these, index| these | 1 << index);
        let mut silences = self.silences.lock();
        let breaker = silences.entry(these).or_insert_with(|| {
            let patience = self.home().settings().deadline;
            Arc::new(Breaker::new(1, patience))
        });
        Arc::clone(breaker)
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
    /// One of so many.
    fn new(
        settings: AwsSettings,
        regions: u32,
        http: &SharedHttp,
        metrics: Option<&Arc<Metrics>>,
        lending: Lending,
    ) -> Self {
        Self {
            health: Breaker::new(1, settings.deadline),
            pace: settings
                .hedge_after
                .map(|after| Pace::new(after, settings.deadline)),
            share: settings.attempt_timeout.min(settings.deadline / regions),
            name: EndpointName {
                token: settings.token.clone(),
                region: settings.region.clone().unwrap_or_default(),
                service: "KMS",
            },
            is_replica: lending.is_replica(),
            metrics: metrics.cloned(),
            absences: Absences::default(),
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

    fn state(&self) -> State {
        match (self.health.is_closed(), self.keeps_pace()) {
            (false, _) => State::Failing,
            (true, false) => State::Slow,
            (true, true) => State::Well,
        }
    }

    fn keeps_pace(&self) -> bool {
        self.pace.as_ref().is_none_or(Pace::is_good)
    }

    /// Whether a look at it is due, because it is not well.
    pub(super) fn wants_probe(&self, now: Instant) -> bool {
        match &self.pace {
            _ if !self.health.is_closed() => self.health.refusal(now).is_none(),
            Some(pace) => pace.wants_probe(now),
            None => false,
        }
    }

    /// Lets one look pass, if it is due.
    pub(super) fn probe(&self, now: Instant) -> Option<Look<'_>> {
        let look = Look {
            health: self.health.admit(now).ok().filter(Pass::is_probe),
            pace: self.pace.as_ref().and_then(|pace| pace.probe(now)),
        };
        (look.health.is_some() || look.pace.is_some()).then_some(look)
    }

    /// Takes note of what was answered there, after which time, or that nothing was; answers what that says of it.
    pub(super) fn note<T>(
        &self,
        look: Look<'_>,
        result: &Result<T, KmsError>,
        took: Duration,
    ) -> Verdict {
        let (error, now) = (result.as_ref().err(), Instant::now());
        if error.is_none() {
            self.count(EndpointEvent::Answered);
        }
        let verdict = error.map_or(Verdict::Up, |error| self.verdict(error));
        let health = look.health.unwrap_or_else(|| self.health.pass_by());
        self.tell(health.settle(verdict, error, now), error);
        if let Some(pace) = &self.pace {
            let took = error.is_none().then_some(took);
            self.tell_of_pace(pace.answered(look.pace, took, now));
        }
        verdict
    }

    /// What a failure says of the region.
    fn verdict(&self, error: &KmsError) -> Verdict {
        if let Some(verdict) = says_nothing(error, self.share) {
            return verdict;
        }
        match error.kind {
            Kind::Network | Kind::Timeout => Verdict::Down,
            Kind::Unavailable if error.code != "KeyUnavailableException" => Verdict::Down,
            // An answer of KMS has a code; others are of what stands between.
            _ if error.code.is_empty() => Verdict::Unknown,
            _ => Verdict::Up,
        }
    }

    /// Takes note of who answered first, this region or another that was asked later.
    pub(super) fn raced(&self, has_won: bool) {
        let Some(pace) = &self.pace else {
            return;
        };
        if has_won {
            pace.won();
        } else {
            self.tell_of_pace(pace.lost(Instant::now()));
        }
    }

    pub(super) fn count(&self, event: EndpointEvent) {
        if let Some(metrics) = &self.metrics {
            metrics.endpoint(&self.name, event);
        }
    }

    /// Takes note of a failure that leads to another region, if it is a fact about the key.
    pub(super) fn note_absence(&self, operation: &'static str, key: &KeyEntry, error: &KmsError) {
        if self.absences.note(operation, key, error, Instant::now()) {
            tracing::warn!(
                "token {}: {} does not help out in {}, which is asked for it again in {} s: {error}",
                self.name.token,
                key.arn,
                self.name(),
                ABSENCE.as_secs()
            );
        }
    }

    fn tell(&self, change: Option<Change>, error: Option<&KmsError>) {
        let EndpointName { token, region, .. } = &self.name;
        match change {
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
                let what = if self.keeps_pace() {
                    self.count(EndpointEvent::Back);
                    "multi-Region keys are used there as before"
                } else {
                    "others are faster"
                };
                tracing::warn!(
                    "token {token}: region {region} answers again after {:.1} s; {what}",
                    after.as_secs_f64()
                );
            }
            None => {}
        }
    }

    fn tell_of_pace(&self, change: Option<Change>) {
        let EndpointName { token, region, .. } = &self.name;
        match change {
            Some(Change::Opened { .. }) => {
                self.count(EndpointEvent::Left);
                tracing::warn!(
                    "token {token}: region {region} is slow: others, asked later, answer first; multi-Region keys \
                     are used there until it answers within hedge_after"
                );
            }
            Some(Change::StillOpen { since, .. }) => tracing::warn!(
                "token {token}: region {region} is still slow, for {:.1} s",
                since.as_secs_f64()
            ),
            Some(Change::Closed { after }) => {
                if self.health.is_closed() {
                    self.count(EndpointEvent::Back);
                }
                tracing::warn!(
                    "token {token}: region {region} is fast again after {:.1} s",
                    after.as_secs_f64()
                );
            }
            None => {}
        }
    }
}

/// How a region is, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Well,
    Slow,
    Failing,
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
