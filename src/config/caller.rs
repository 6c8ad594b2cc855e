//! Who a token may act as: `account` and `allow` in the file.

use std::fmt;

use super::ConfigError;
use super::names::{AccountId, ArnPattern};
use super::section::{Entry, Section};

/// What must be true of the identity behind a token's credentials before it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallerRules {
    /// The identity is of this account.
    pub(crate) account: Option<AccountId>,
    /// One of these describes it, unless there is none.
    pub(crate) allow: Vec<CallerRule>,
}

/// A description of identities. At least one of the two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallerRule {
    pub(crate) account: Option<AccountId>,
    pub(crate) arn: Option<ArnPattern>,
}

impl CallerRules {
    pub(super) fn read(section: &mut Section<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            account: section.get("account", Entry::parse)?,
            allow: section.get("allow", read_rules)?.unwrap_or_default(),
        })
    }

    /// True when every identity keeps them.
    pub(crate) fn is_empty(&self) -> bool {
        self.account.is_none() && self.allow.is_empty()
    }
}

impl CallerRule {
    pub(crate) fn describes(&self, account: &str, arn: &str) -> bool {
        self.account
            .as_ref()
            .is_none_or(|wanted| wanted.as_str() == account)
            && self.arn.as_ref().is_none_or(|pattern| pattern.matches(arn))
    }
}

impl fmt::Display for CallerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.account, &self.arn) {
            (Some(account), Some(arn)) => {
                write!(f, "{{ aws_account = \"{account}\", aws_arn = \"{arn}\" }}")
            }
            (Some(account), None) => write!(f, "{{ aws_account = \"{account}\" }}"),
            (None, Some(arn)) => write!(f, "{{ aws_arn = \"{arn}\" }}"),
            (None, None) => f.write_str("{}"),
        }
    }
}

fn read_rules(entry: Entry<'_>) -> Result<Vec<CallerRule>, ConfigError> {
    let rules = entry.elements(
        "an array of at least one rule, such as { aws_account = \"111122223333\" } or \
         { aws_arn = \"arn:aws:sts::111122223333:assumed-role/signer/*\" }",
    )?;
    rules
        .into_iter()
        .map(|rule| {
            let mut section = rule.section()?;
            let missing = section.wrong(
                "aws_account",
                "a rule of allow says nothing; allowed: aws_account, aws_arn, or both",
            );
            let rule = CallerRule {
                account: section.get("aws_account", Entry::parse)?,
                arn: section.get("aws_arn", Entry::parse)?,
            };
            section.finish()?;
            if rule.account.is_none() && rule.arn.is_none() {
                return Err(missing);
            }
            Ok(rule)
        })
        .collect()
}
