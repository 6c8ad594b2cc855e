//! The other regions of a token.

use std::time::Duration;

use super::ConfigError;
use super::names::{Endpoint, Region};
use super::section::{Entry, Section};

/// Another region that has replicas of the token's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) region: Region,
    /// `None`: the region's.
    pub(crate) endpoint: Option<Endpoint>,
}

/// Where keys are replicated to, and what replicas are used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replicas {
    /// In the order of the file, which is that of preference. None of them is the token's own region.
    pub(crate) regions: Vec<Replica>,
    /// Whether created keys are multi-Region keys; those of a token with replicas are replicated, too.
    pub(crate) multi_region: bool,
    /// Whether a replica signs while the token's region fails.
    pub(crate) failover: bool,
    /// How long an answer of the token's region is waited for before a replica is asked, too. `None`: no
    /// second request.
    pub(crate) hedge_after: Option<Duration>,
}

/// More regions than anybody replicates to; each is one more key to pay for.
const MOST: usize = 10;

impl Replicas {
    /// Reads the settings of a token whose own region and endpoint are these.
    pub(super) fn read(
        section: &mut Section<'_>,
        region: Option<&Region>,
        endpoint: Option<&Endpoint>,
    ) -> Result<Self, ConfigError> {
        let mut replicas = Self::default();
        let multi_region = section.get("multi_region", Entry::flag)?;
        let without_region = section.wrong(
            "replica_regions",
            "replica_regions without region; allowed: beside region",
        );
        let named = section.get("replica_regions", |entry| read_regions(entry, region))?;
        replicas.regions = match (named, region) {
            (Some(_), None) => return Err(without_region),
            (named, _) => named.unwrap_or_default(),
        };
        if replicas.regions.is_empty() {
            for key in ["replica_endpoints", "failover", "hedge_after"] {
                if section.has(key) {
                    let message =
                        format!("{key} without replica_regions; allowed: beside replica_regions");
                    return Err(section.wrong(key, message));
                }
            }
        }
        let missing = section.wrong(
            "replica_endpoints",
            "replica_endpoints without some replica region, beside endpoint; allowed: one for each \
             replica region",
        );
        let regions = &mut replicas.regions;
        section.get("replica_endpoints", |entry| read_endpoints(entry, regions))?;
        // Where the token's own region is not at its own endpoint, the others are not either.
        if endpoint.is_some() && regions.iter().any(|replica| replica.endpoint.is_none()) {
            return Err(missing);
        }
        replicas.multi_region = multi_region.unwrap_or(!replicas.regions.is_empty());
        section.set("failover", &mut replicas.failover, Entry::flag)?;
        section.set("hedge_after", &mut replicas.hedge_after, |entry| {
            entry.seconds().map(Some)
        })?;
        Ok(replicas)
    }
}

impl Default for Replicas {
    fn default() -> Self {
        Self {
            regions: Vec::new(),
            multi_region: false,
            failover: true,
            hedge_after: None,
        }
    }
}

fn read_regions(entry: Entry<'_>, own: Option<&Region>) -> Result<Vec<Replica>, ConfigError> {
    let allowed = format!("an array of 1 to {MOST} regions other than region, each once");
    let wrong = entry.wrong(&allowed);
    let elements = entry.elements(&allowed)?;
    if elements.len() > MOST {
        return Err(wrong);
    }
    let mut replicas: Vec<Replica> = Vec::new();
    for element in elements {
        let again = element.wrong(format_args!("regions other than region, each once"));
        let region = element.parse()?;
        let known = replicas.iter().any(|replica| replica.region == region);
        if known || own == Some(&region) {
            return Err(again);
        }
        replicas.push(Replica {
            region,
            endpoint: None,
        });
    }
    Ok(replicas)
}

fn read_endpoints(entry: Entry<'_>, replicas: &mut [Replica]) -> Result<(), ConfigError> {
    let allowed = "a table of the replica regions' URLs, such as { eu-west-1 = \"https://…\" }";
    for (name, url) in entry.pairs(1..=MOST, allowed)? {
        let unknown = name.wrong("the regions of replica_regions");
        let region: Region = name.parse()?;
        let replica = replicas.iter_mut().find(|replica| replica.region == region);
        replica.ok_or(unknown)?.endpoint = url.parse_some()?;
    }
    Ok(())
}
