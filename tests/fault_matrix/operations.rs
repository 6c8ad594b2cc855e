//! The calls that reach KMS, and the request of theirs that meets the fault.

pub(crate) mod changing;
pub(crate) mod encrypting;
pub(crate) mod finding;
pub(crate) mod importing;
pub(crate) mod making;
pub(crate) mod secrets;
pub(crate) mod signing;

use std::thread;
use std::time::{Duration, Instant};

use cryptoki_sys::*;
use kms_emulator::{Emulator, NewKeys};

use super::common_p11::attribute::{Attr, label};
use super::common_p11::{Rv, Session};
use super::expectations::{Class, Function, Outcome};

/// A call of PKCS#11 and one KMS operation of it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table, whose properties have nothing to do with each other"
)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    /// The KMS operation that the fault strikes.
    pub(crate) struck: &'static str,
    pub(crate) function: Function,
    /// Spec and usage of a key that each token has, labelled `key`.
    pub(crate) key: Option<(&'static str, &'static str)>,
    /// More lines of the token's configuration.
    pub(crate) settings: &'static str,
    pub(crate) answer: Answer,
    /// The answer is verified before it is handed out.
    pub(crate) is_verified: bool,
    /// No bytes are an answer, too.
    pub(crate) may_be_empty: bool,
    /// What is done before the fault, under a label that is used once.
    pub(crate) prepare: fn(Site<'_>, &str) -> Subject,
    /// The call itself; whether there was an object.
    pub(crate) call: fn(Site<'_>, &Subject) -> Rv<bool>,
    /// How many deadlines a call may take, one after the other.
    pub(crate) deadlines: u32,
    pub(crate) makes_keys: bool,
    /// A failure may hide a key for seconds: what is looked for next is another one.
    pub(crate) finds_again: bool,
    /// Without its answer less is shown: however it fails, the call finds nothing.
    pub(crate) is_optional: bool,
    /// Where KMS throttled, the token's own queue may hold the next call back for longer than its deadline here.
    pub(crate) waits_for_its_turn: bool,
    /// How many calls a token takes in a row: KMS admits few a second of some requests, and the module heeds that.
    pub(crate) in_a_row: usize,
    pub(crate) exceptions: &'static [(Class, Outcome)],
}

/// The members of the answer that say whose it is, how it came about, and what it is.
#[derive(Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) key: Option<&'static str>,
    pub(crate) algorithm: Option<&'static str>,
    pub(crate) output: Option<&'static str>,
}

/// Where a call is made.
#[derive(Clone, Copy)]
pub(crate) struct Site<'s> {
    pub(crate) session: Session<'s>,
    pub(crate) emulator: &'s Emulator,
    /// The token's other region.
    pub(crate) peer: Option<&'s Emulator>,
}

/// What a call is about.
#[derive(Default)]
pub(crate) struct Subject {
    pub(crate) label: String,
    pub(crate) object: CK_OBJECT_HANDLE,
    pub(crate) other: CK_OBJECT_HANDLE,
    pub(crate) data: Vec<u8>,
    pub(crate) template: Vec<Attr>,
}

/// An operation with the most common properties.
pub(crate) const USUAL: Operation = Operation {
    name: "",
    struck: "",
    function: Function::Sign,
    key: None,
    settings: "",
    answer: Answer {
        key: Some("KeyId"),
        algorithm: None,
        output: None,
    },
    is_verified: false,
    may_be_empty: false,
    prepare: |_, label| Subject::labelled(label),
    call: |_, _| Ok(false),
    deadlines: 1,
    makes_keys: false,
    finds_again: false,
    is_optional: false,
    waits_for_its_turn: false,
    in_a_row: 40,
    exceptions: &[],
};

/// The answer of an operation with a key and an algorithm.
pub(crate) const fn computed(algorithm: &'static str, output: &'static str) -> Answer {
    Answer {
        key: Some("KeyId"),
        algorithm: Some(algorithm),
        output: Some(output),
    }
}

/// One that says nothing that anybody reads.
pub(crate) const SILENT: Answer = Answer {
    key: None,
    algorithm: None,
    output: None,
};

impl Subject {
    pub(crate) fn labelled(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            ..Self::default()
        }
    }
}

impl Site<'_> {
    /// The object of this class of the token's key.
    pub(crate) fn key(self, class: CK_OBJECT_CLASS) -> CK_OBJECT_HANDLE {
        self.session.find_one(&[of_class(class), label("key")])
    }

    /// A key that somebody else makes, with this label.
    pub(crate) fn make_key(self, spec: &str, usage: &str, key_label: &str) {
        let keys = NewKeys::new(1, spec, usage).tag("p11:label", key_label);
        self.emulator
            .create_keys(&keys.tag("Fleet", "one"))
            .unwrap();
    }
}

/// Does what a call needs beforehand, which is measured by nobody: a machine may be too slow for the deadline.
pub(crate) fn insist<T>(work: impl Fn() -> Rv<T>) -> T {
    const PATIENCE: Duration = Duration::from_secs(10);
    let begun = Instant::now();
    loop {
        match work() {
            Ok(done) => return done,
            Err(rv) => assert!(begun.elapsed() < PATIENCE, "CKR {rv:#x}"),
        }
        thread::sleep(Duration::from_millis(100));
    }
}

pub(crate) fn of_class(class: CK_OBJECT_CLASS) -> Attr {
    super::common_p11::attribute::ulong(CKA_CLASS, class)
}
