//! Where kms-pkcs11 and a reference may differ, and why.
//!
//! Sections are those of the PKCS #11 Specification 3.1, where that is said and beside Kryoptic those of 3.2. Every
//! row is an answer that was seen; a row that no longer occurs fails the run as an unexplained difference does.

mod across;
mod cryptography;
mod import;
mod interfaces;
mod newest;
mod object;
mod secret_keys;
mod session_objects;
mod templates;
mod token;

use crate::reference::Reference;

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
    /// Whose answers all of its rows hold against those of kms-pkcs11.
    pub(crate) reference: Reference,
    pub(crate) differences: &'static [Difference],
}

/// Scenario, step, the reference's answer, kms-pkcs11's answer.
pub(crate) type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Whose answer the specification asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backs {
    Reference,
    Module,
    Both,
}

impl Backs {
    /// The same as a sentence, without its period.
    pub(crate) fn beside(self, reference: Reference) -> String {
        match self {
            Self::Reference => format!("{reference}'s answer is the specification's"),
            Self::Module => "kms-pkcs11's answer is the specification's".to_owned(),
            Self::Both => "the specification allows both".to_owned(),
        }
    }
}

/// Every difference, chapter by chapter.
pub(crate) fn all() -> impl Iterator<Item = &'static Difference> {
    CHAPTERS.iter().flat_map(|chapter| chapter.differences)
}

/// The table, in the order in which it is read.
pub(crate) const CHAPTERS: &[Chapter] = &[
    Chapter {
        title: "General functions, slots, sessions, and what is left out",
        reference: Reference::SoftHsm,
        differences: token::DIFFERENCES,
    },
    Chapter {
        title: "Objects",
        reference: Reference::SoftHsm,
        differences: object::DIFFERENCES,
    },
    Chapter {
        title: "Objects of a session",
        reference: Reference::SoftHsm,
        differences: session_objects::DIFFERENCES,
    },
    Chapter {
        title: "Templates of key pairs",
        reference: Reference::SoftHsm,
        differences: templates::DIFFERENCES,
    },
    Chapter {
        title: "Cryptography",
        reference: Reference::SoftHsm,
        differences: cryptography::DIFFERENCES,
    },
    Chapter {
        title: "Secret keys, agreement, Ed25519",
        reference: Reference::SoftHsm,
        differences: secret_keys::DIFFERENCES,
    },
    Chapter {
        title: "Keys that are brought along",
        reference: Reference::SoftHsm,
        differences: import::DIFFERENCES,
    },
    Chapter {
        title: "Kinds of sessions, handles, orders of calls",
        reference: Reference::SoftHsm,
        differences: across::DIFFERENCES,
    },
    Chapter {
        title: "Interfaces and functions of versions 3.0 and 3.2",
        reference: Reference::Kryoptic,
        differences: interfaces::DIFFERENCES,
    },
    Chapter {
        title: "ML-DSA, ML-KEM, HKDF, two operations at once, messages",
        reference: Reference::Kryoptic,
        differences: newest::DIFFERENCES,
    },
];

/// Rows, by scenario and step: the reference's answer `=>` that of kms-pkcs11. Scenarios in brackets have
/// the same steps.
macro_rules! rows {
    ($($scenario:literal { $($step:literal: $reference:literal => $module:literal,)+ })+) => {
        &[$($(($scenario, $step, $reference, $module),)+)+]
    };
    ($([$($scenario:literal),+] $steps:tt)+) => {
        rows! { $($($scenario $steps)+)+ }
    };
}
use rows;
