//! What a scenario works with: the module's functions, the record of their answers, keys to use.

mod signing;

use std::collections::HashMap;

use cryptoki_sys::*;
use kms_pkcs11_testkit::hex;

use crate::arguments::{Locking, Output, Place};
use crate::driver::Module;
use crate::names;
use crate::outside::Signed;
use crate::transcript::{Detail, Step, Transcript};

/// The user's PIN of both tokens.
pub(crate) const PIN: &[u8; 4] = b"1234";

/// One scenario's view of a module. The C functions are its methods (see `driver`); each is recorded
/// as a step.
#[derive(Debug)]
pub(crate) struct Ctx {
    pub(crate) module: Module,
    transcript: Transcript,
    /// How often each function was called.
    calls: HashMap<String, u32>,
    recording: bool,
    /// What sets the next step apart from others of its function.
    note: Option<String>,
    /// Private keys and their public keys.
    pairs: HashMap<CK_OBJECT_HANDLE, CK_OBJECT_HANDLE>,
    /// What each session is signing.
    signing: HashMap<CK_SESSION_HANDLE, Signed>,
    /// The message that each session is signing by the functions of version 3.0.
    messages: HashMap<CK_SESSION_HANDLE, Signed>,
}

impl Ctx {
    pub(crate) fn new(module: Module) -> Self {
        Self {
            module,
            transcript: Transcript::default(),
            calls: HashMap::new(),
            recording: true,
            note: None,
            pairs: HashMap::new(),
            signing: HashMap::new(),
            messages: HashMap::new(),
        }
    }

    /// Begins the record of a scenario.
    pub(crate) fn begin(&mut self, scenario: &str) {
        self.transcript = Transcript {
            scenario: scenario.to_owned(),
            ..Transcript::default()
        };
        self.calls.clear();
        self.pairs.clear();
        self.signing.clear();
        self.messages.clear();
        self.recording = true;
        self.note = None;
    }

    /// Names the case that the next call is: `ctx.at("wrong slot").get_slot_info(…)`.
    pub(crate) fn at(&mut self, case: &str) -> &mut Self {
        self.note = Some(case.to_owned());
        self
    }

    /// Ends the scenario: the module is as before its initialisation, whatever was left open.
    pub(crate) fn end(&mut self) -> Transcript {
        self.quietly(|ctx| ctx.finalize(Place::Null));
        std::mem::take(&mut self.transcript)
    }

    /// Takes what was recorded since the last time; keys and operations go on.
    pub(crate) fn take(&mut self) -> Transcript {
        self.calls.clear();
        self.recording = true;
        std::mem::take(&mut self.transcript)
    }

    /// Makes calls that are not part of the record: they only prepare it.
    pub(crate) fn quietly<T>(&mut self, calls: impl FnOnce(&mut Self) -> T) -> T {
        let recording = std::mem::replace(&mut self.recording, false);
        let answer = calls(self);
        self.recording = recording;
        answer
    }

    /// Records one call.
    pub(crate) fn record(&mut self, function: &str, rv: CK_RV, details: Vec<Detail>) -> CK_RV {
        self.push(function, names::rv(rv), details);
        rv
    }

    /// Records something that follows from the answers and must be the same for both modules.
    pub(crate) fn observe(&mut self, what: &str, finding: impl Into<String>) {
        self.push(what, finding.into(), Vec::new());
    }

    /// Records bytes that must be the same for both modules.
    pub(crate) fn observe_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.observe(what, hex(bytes));
    }

    /// Records a fault that fails the run, whatever the other module did.
    pub(crate) fn fail(&mut self, fault: &str) {
        let fault = format!("{fault} (after {})", self.last_step());
        self.transcript.failures.push(fault);
    }

    fn last_step(&self) -> String {
        let last = self.transcript.steps.last();
        last.map_or("the start".to_owned(), |step| step.name.clone())
    }

    fn push(&mut self, name: &str, rv: String, details: Vec<Detail>) {
        if !self.recording {
            return;
        }
        let mut name = match self.note.take() {
            Some(case) => format!("{name} ({case})"),
            None => name.to_owned(),
        };
        let count = self.calls.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            name = format!("{name}.{count}");
        }
        self.transcript.steps.push(Step { name, rv, details });
    }
}

/// Preparations. They are not recorded, and a scenario whose preparation fails has failed.
impl Ctx {
    /// Initialises the module and answers the slot of its token.
    pub(crate) fn slot(&mut self) -> CK_SLOT_ID {
        self.quietly(|ctx| {
            let rv = ctx.initialize(Locking::OS);
            assert!(
                rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED,
                "C_Initialize answered {}",
                names::rv(rv)
            );
            let slots = ctx.get_slot_list(true, Output::Room(16));
            let with_label = slots.into_iter().find(|slot| {
                ctx.get_token_info(*slot, Place::Given)
                    .is_some_and(|token| token.label.starts_with(b"aws-kms "))
            });
            with_label.unwrap_or_else(|| panic!("no slot holds a token with the label aws-kms"))
        })
    }

    /// A read/write session of a logged-in user.
    pub(crate) fn session(&mut self) -> CK_SESSION_HANDLE {
        let session = self.public_session();
        self.quietly(|ctx| {
            let rv = ctx.login(session, CKU_USER, PIN);
            assert!(
                rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN,
                "C_Login answered {}",
                names::rv(rv)
            );
        });
        session
    }

    /// A read/write session; nobody is logged in by it.
    pub(crate) fn public_session(&mut self) -> CK_SESSION_HANDLE {
        self.open(CKF_SERIAL_SESSION | CKF_RW_SESSION)
    }

    /// A read-only session; nobody is logged in by it.
    pub(crate) fn read_only_session(&mut self) -> CK_SESSION_HANDLE {
        self.open(CKF_SERIAL_SESSION)
    }

    fn open(&mut self, flags: CK_FLAGS) -> CK_SESSION_HANDLE {
        let slot = self.slot();
        let session = self.quietly(|ctx| ctx.open_session(slot, flags, Place::Given));
        assert_ne!(session, CK_INVALID_HANDLE, "C_OpenSession failed");
        session
    }
}
