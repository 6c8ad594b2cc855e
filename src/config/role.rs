//! The roles that a token assumes, `[[token.assume_role]]` in the file.

use std::time::Duration;

use super::ConfigError;
use super::names::{ExternalId, Region, RoleArn, SessionName, SessionPolicy};
use super::section::{Entry, integer};

/// AWS allows the session of a role that was assumed by another role's no longer than this, in seconds.
const LONGEST_OF_CHAINED: u32 = 3600;

/// One role of a chain, assumed with the credentials of the one before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RoleConfig {
    pub(crate) arn: RoleArn,
    /// What the owner of the role demands to be told.
    pub(crate) external_id: Option<ExternalId>,
    pub(crate) session_name: Option<SessionName>,
    /// `None`: an hour.
    pub(crate) duration: Option<Duration>,
    /// Whose token service is asked. `None`: the token's region.
    pub(crate) region: Option<Region>,
    /// Takes away from what the role may do.
    pub(crate) policy: Option<SessionPolicy>,
}

impl RoleConfig {
    /// Reads the chain, the first role first.
    pub(super) fn read_chain(entry: Entry<'_>) -> Result<Vec<Self>, ConfigError> {
        let links = entry.elements("[[token.assume_role]], once for each role of the chain")?;
        links
            .into_iter()
            .enumerate()
            .map(|(index, link)| Self::read(link, index > 0))
            .collect()
    }

    fn read(entry: Entry<'_>, is_chained: bool) -> Result<Self, ConfigError> {
        let longest = if is_chained {
            LONGEST_OF_CHAINED
        } else {
            43_200
        };
        let mut section = entry.section()?;
        let missing = section.wrong(
            "role_arn",
            "assume_role has no role_arn; allowed: the ARN of an IAM role",
        );
        let arn = section.get("role_arn", Entry::parse)?;
        let role = Self {
            arn: arn.ok_or(missing)?,
            external_id: section.get("external_id", Entry::parse)?,
            session_name: section.get("session_name", Entry::parse)?,
            duration: section
                .get("duration", integer(900..=longest))?
                .map(|seconds| Duration::from_secs(seconds.into())),
            region: section.get("region", Entry::parse)?,
            policy: section.get("policy", Entry::parse)?,
        };
        section.finish()?;
        Ok(role)
    }
}
