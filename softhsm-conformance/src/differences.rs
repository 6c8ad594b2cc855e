//! Where the two modules may differ, and why.
//!
//! Sections are those of the PKCS #11 Specification 3.1. Every row is an answer that was seen; a row that no
//! longer occurs fails the run as an unexplained difference does.

mod across;
mod cryptography;
mod object;
mod templates;
mod token;

use std::fmt;

/// Differences that have one reason.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) backs: Backs,
    /// The section of the specification that the reason rests on.
    pub(crate) section: &'static str,
    pub(crate) why: &'static str,
    pub(crate) seen: &'static [Row<'static>],
}

/// Differences about one part of the specification.
#[derive(Debug)]
pub(crate) struct Chapter {
    pub(crate) title: &'static str,
    pub(crate) differences: &'static [Difference],
}

/// Scenario, step, SoftHSM2's answer, kms-pkcs11's answer.
pub(crate) type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Whose answer the specification asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backs {
    SoftHsm,
    Module,
    Both,
}

/// Every difference, chapter by chapter.
pub(crate) fn all() -> impl Iterator<Item = &'static Difference> {
    CHAPTERS.iter().flat_map(|chapter| chapter.differences)
}

/// The table, in the order in which it is read.
pub(crate) const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "General functions, slots, sessions, and what is left out",
        differences: token::DIFFERENCES,
    },
    Chapter {
        title: "Objects",
        differences: object::DIFFERENCES,
    },
    Chapter {
        title: "Templates of key pairs",
        differences: templates::DIFFERENCES,
    },
    Chapter {
        title: "Cryptography",
        differences: cryptography::DIFFERENCES,
    },
    Chapter {
        title: "Kinds of sessions, handles, orders of calls",
        differences: across::DIFFERENCES,
    },
];

impl fmt::Display for Backs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoftHsm => "SoftHSM2's answer is the specification's",
            Self::Module => "kms-pkcs11's answer is the specification's",
            Self::Both => "the specification allows both",
        })
    }
}

/// Rows, by scenario and step: SoftHSM2's answer `=>` that of kms-pkcs11.
macro_rules! rows {
    ($($scenario:literal { $($step:literal: $softhsm:literal => $module:literal,)+ })+) => {
        &[$($(($scenario, $step, $softhsm, $module),)+)+]
    };
}
use rows;
