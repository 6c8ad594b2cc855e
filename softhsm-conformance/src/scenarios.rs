//! The table of scenarios: one file per chapter of the specification.
//!
//! A scenario calls the C functions as methods of [`Ctx`], which records each call with its answer; what
//! only prepares it is called within [`Ctx::quietly`] or by one of the preparations of [`Ctx`]. It states
//! no expectation: the reference is the expectation, and where that is wrong, `differences` says so.

mod aes;
mod agreement;
mod attributes;
mod buffers;
mod certificates;
mod cipher;
mod destroy;
mod digest;
mod dual;
mod edwards;
mod every;
mod find;
mod general;
mod generate;
mod hkdf;
mod hmac;
mod import;
mod interfaces;
mod kinds;
mod login;
mod orders;
mod post_quantum;
mod random;
mod session_objects;
mod sessions;
mod sign;
mod sign_keys;
mod signature_first;
mod slots;
mod templates;
mod unsupported;
mod verify;
mod wrap;

use crate::ctx::Ctx;
use crate::reference::Reference;

/// A sequence of calls that kms-pkcs11 and its reference are put through.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// What it is about: the chapter, then the case.
    pub(crate) name: &'static str,
    pub(crate) reference: Reference,
    pub(crate) steps: fn(&mut Ctx),
}

/// Every scenario: in the order of the specification, then what cuts across its chapters.
pub(crate) fn all() -> impl Iterator<Item = &'static Scenario> {
    CHAPTERS.iter().copied().flatten()
}

const CHAPTERS: &[&[Scenario]] = &[
    general::SCENARIOS,
    slots::SCENARIOS,
    sessions::SCENARIOS,
    login::SCENARIOS,
    generate::SCENARIOS,
    find::SCENARIOS,
    attributes::SCENARIOS,
    destroy::SCENARIOS,
    session_objects::SECRET_KEYS,
    session_objects::LIVES,
    session_objects::OTHERS,
    certificates::SCENARIOS,
    sign::SCENARIOS,
    sign_keys::SCENARIOS,
    verify::SCENARIOS,
    cipher::SCENARIOS,
    aes::MODES,
    aes::PARAMETERS,
    hmac::MACS,
    hmac::SHORTER,
    wrap::SCENARIOS,
    wrap::PADDED,
    import::CREATED,
    import::UNWRAPPED,
    import::PADDED,
    agreement::SCENARIOS,
    agreement::FUNCTIONS,
    edwards::SCENARIOS,
    digest::SCENARIOS,
    random::SCENARIOS,
    unsupported::SCENARIOS,
    kinds::KINDS,
    kinds::SEVERAL,
    kinds::HANDLES,
    kinds::FINDING,
    orders::SCENARIOS,
    buffers::HASHES,
    buffers::SIGNATURES,
    buffers::OTHERS,
    interfaces::SCENARIOS,
    dual::DUAL,
    dual::STATES,
    dual::DIGESTED_KEYS,
    hkdf::SCENARIOS,
    post_quantum::SIGNATURES,
    post_quantum::ENCAPSULATION,
    signature_first::VERIFY,
    signature_first::MESSAGES,
    signature_first::CANCEL,
    // Last, since every key that they make costs those that follow time.
    templates::PUBLIC_BOOLEANS,
    templates::PRIVATE_BOOLEANS,
    templates::VALUES,
];

const fn scenario(name: &'static str, steps: fn(&mut Ctx)) -> Scenario {
    Scenario {
        name,
        reference: Reference::SoftHsm,
        steps,
    }
}

/// A scenario that SoftHSM2 has no answer to.
const fn beside_kryoptic(name: &'static str, steps: fn(&mut Ctx)) -> Scenario {
    Scenario {
        name,
        reference: Reference::Kryoptic,
        steps,
    }
}

/// What the files of scenarios speak with.
mod prelude {
    pub(super) use cryptoki_sys::*;

    pub(super) use super::{Scenario, beside_kryoptic, scenario};
    pub(super) use crate::arguments::Output::{NoLength, Query, Room};
    pub(super) use crate::arguments::Place::{Given, Null};
    pub(super) use crate::arguments::{Attribute, Input, Mechanism, Parameter, Template};
    pub(super) use crate::arguments::{bytes, flag, null, number};
    pub(super) use crate::ctx::{Ctx, PIN};
    pub(super) use crate::keys::{self, Kind, PairTemplate, Purpose};
    pub(super) use crate::mechanisms::*;
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::differences;

    #[test]
    fn every_scenario_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        assert!(all().all(|scenario| names.insert(scenario.name)));
    }

    #[test]
    fn every_difference_is_about_a_scenario_of_its_chapters_reference() {
        let references: HashMap<&str, Reference> = all()
            .map(|scenario| (scenario.name, scenario.reference))
            .collect();
        for chapter in differences::CHAPTERS {
            let mut rows = chapter.differences.iter().flat_map(|it| it.seen);
            let stranger = rows.find(|row| references.get(row.0) != Some(&chapter.reference));
            assert_eq!(stranger, None, "in {}", chapter.title);
        }
    }
}
