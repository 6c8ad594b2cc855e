//! The table of scenarios: one file per chapter of the specification.

mod digest;
mod general;

use crate::ctx::Ctx;

/// A sequence of calls that both modules are put through.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What it is about: the chapter, then the case.
    pub(crate) name: &'static str,
    pub(crate) steps: fn(&mut Ctx),
}

/// Every scenario, in the order of the specification.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    [general::SCENARIOS, digest::SCENARIOS]
        .into_iter()
        .flatten()
}
