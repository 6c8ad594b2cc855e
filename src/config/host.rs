//! The section `[host]`: what the process is like that loads the module.

use super::ConfigError;
use super::section::{Entry, one_of};

/// How the module lives in its host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HostConfig {
    pub(crate) create_threads: CreateThreads,
}

/// Whether threads are created in a host that says they must not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CreateThreads {
    #[default]
    IfAllowed,
    /// GnuTLS and NSS rule threads out as a matter of form, and are not harmed by them.
    Always,
}

const CREATE_THREADS: [(&str, CreateThreads); 2] = [
    ("if-allowed", CreateThreads::IfAllowed),
    ("always", CreateThreads::Always),
];

impl HostConfig {
    pub(super) fn read(entry: Entry<'_>) -> Result<Self, ConfigError> {
        let mut host = Self::default();
        let mut section = entry.section()?;
        section.set(
            "create_threads",
            &mut host.create_threads,
            one_of(&CREATE_THREADS),
        )?;
        section.finish()?;
        Ok(host)
    }
}
