//! Where the two modules may differ, and why.
//!
//! Sections are those of the PKCS #11 Specification 3.1. Every row is an answer that was seen; a row that no
//! longer occurs fails the run as an unexplained difference does.

/// Differences that have one reason.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) backs: Backs,
    /// The section of the specification that the reason rests on.
    pub(crate) section: &'static str,
    pub(crate) why: &'static str,
    pub(crate) seen: &'static [Row],
}

/// Scenario, step, SoftHSM2's answer, kms-pkcs11's answer.
pub(crate) type Row = (&'static str, &'static str, &'static str, &'static str);

/// Whose answer the specification asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backs {
    SoftHsm,
    Module,
    Both,
}

pub(crate) const DIFFERENCES: &[Difference] = &[];
