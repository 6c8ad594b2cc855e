//! What is known of both modules between two calls: they agree on it, or a rule has settled it.

use super::call::{
    Access, Call, Change, Key, Object, Operation, SESSIONS, Scheme, Session, Space, Template, User,
};

/// What both modules have come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) initialized: bool,
    pub(crate) logged_in: bool,
    /// The pair that the walk holds the handles of.
    pub(crate) own: Option<Own>,
    /// The session whose secret key the walk holds the handle of.
    pub(crate) secret: Option<Session>,
    /// Whether a template for a pair was refused.
    pub(crate) refused_pair: bool,
    sessions: [Option<Open>; SESSIONS],
}

/// What became of a pair since it was generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    AsMade,
    /// One half was given another ID.
    Renamed,
}

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) access: Access,
    pub(crate) active: Option<Active>,
}

/// An operation that was started.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) operation: Operation,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) key: Object,
    /// Whether a part has been handed in.
    pub(crate) parts: bool,
    /// Whether a call was refused that ends the operation by the specification.
    pub(crate) refused: bool,
    /// Whether the user was logged in when it started.
    pub(crate) logged_in: bool,
}

impl State {
    pub(crate) fn open(&self, session: Session) -> Option<&Open> {
        self.sessions[session.0].as_ref()
    }

    /// The operation that is active in a session.
    pub(crate) fn active(&self, session: Session) -> Option<&Active> {
        self.open(session)?.active.as_ref()
    }

    pub(crate) fn open_sessions(&self) -> impl Iterator<Item = Session> {
        let sessions = (0..SESSIONS).map(Session);
        sessions.filter(|session| self.open(*session).is_some())
    }

    /// Whether a call is one that both modules can be put through: a variable holds one handle at a time,
    /// and what becomes of an operation whose key is destroyed is nowhere said.
    pub(crate) fn permits(&self, call: &Call) -> bool {
        match call {
            Call::OpenSession(session, _) => self.open(*session).is_none(),
            Call::DestroyObject(_, Object::Key(Key::Own, _)) => !self.is_at_work(Key::Own),
            _ => true,
        }
    }

    /// Whether an operation with this key is active in any session.
    fn is_at_work(&self, key: Key) -> bool {
        let active = self
            .sessions
            .iter()
            .flatten()
            .filter_map(|open| open.active.as_ref());
        active
            .filter_map(|active| match active.key {
                Object::Key(key, _) => Some(key),
                Object::Secret | Object::Nothing => None,
            })
            .any(|active| active == key)
    }

    /// Follows a call that both modules answered with this value.
    pub(crate) fn follow(&mut self, call: &Call, rv: &str) {
        let ok = rv == "CKR_OK";
        match *call {
            Call::Initialize if ok => self.initialized = true,
            Call::Finalize if ok => {
                *self = Self {
                    refused_pair: self.refused_pair,
                    ..Self::default()
                };
            }
            Call::OpenSession(session, access) if ok => {
                self.sessions[session.0] = Some(Open {
                    access,
                    active: None,
                });
            }
            Call::CloseSession(session) if ok => {
                self.sessions[session.0] = None;
                self.secret.take_if(|owner| *owner == session);
                self.log_out_with_the_last_session();
            }
            Call::CloseAllSessions if ok => {
                self.sessions = Default::default();
                self.secret = None;
                self.log_out_with_the_last_session();
            }
            Call::Login(_, User::Ordinary, _) if ok => self.logged_in = true,
            Call::Logout(_) if ok => self.log_out(),
            Call::GenerateKeyPair(_, Template::Complete) if ok => {
                self.own = Some(Own::AsMade);
            }
            Call::GenerateKeyPair(..) => self.refused_pair = true,
            Call::SetAttributeValue(_, Object::Key(..), Change::Id | Change::EmptyId) if ok => {
                self.own = Some(Own::Renamed);
            }
            Call::DestroyObject(_, Object::Key(Key::Own, _)) if ok => {
                self.own = None;
            }
            Call::CreateSecret(session) if ok => self.secret = Some(session),
            Call::DestroyObject(_, Object::Secret) if ok => self.secret = None,
            _ => self.follow_operation(call, rv),
        }
    }

    /// Follows a known difference: the session has been replaced.
    pub(crate) fn settle(&mut self, call: &Call) {
        self.refused_pair |= matches!(call, Call::GenerateKeyPair(..));
        if let Some(session) = call.session()
            && let Some(open) = &mut self.sessions[session.0]
        {
            open.active = None;
            self.secret.take_if(|owner| *owner == session);
        }
    }

    fn follow_operation(&mut self, call: &Call, rv: &str) {
        let (Some(session), Some(operation)) = (call.session(), call.operation()) else {
            return;
        };
        let Some(open) = &mut self.sessions[session.0] else {
            return;
        };
        if let Some(active) = Active::started(call, self.logged_in) {
            if rv == "CKR_OK" {
                open.active = Some(active);
            }
            return;
        }
        let Some(active) = &mut open.active else {
            return;
        };
        if active.operation != operation {
            return;
        }
        let queried = rv == "CKR_OK" && call.space() == Some(Space::Query);
        match (call, rv) {
            (Call::FindObjects(..), "CKR_OK") | (_, "CKR_BUFFER_TOO_SMALL") => {}
            (Call::Part(..), "CKR_OK") => active.parts = true,
            (_, "CKR_OK" | "CKR_SIGNATURE_INVALID" | "CKR_SIGNATURE_LEN_RANGE") if !queried => {
                open.active = None;
            }
            _ if queried => {}
            _ => active.refused = true,
        }
    }

    fn log_out_with_the_last_session(&mut self) {
        if self.open_sessions().next().is_none() {
            self.log_out();
        }
    }

    fn log_out(&mut self) {
        self.logged_in = false;
        self.own = None;
    }
}

impl Active {
    /// What a successful call starts.
    fn started(call: &Call, logged_in: bool) -> Option<Self> {
        let (operation, scheme, key) = match *call {
            Call::Init(operation, _, scheme, key) => (operation, Some(scheme), key),
            Call::FindObjectsInit(..) => (Operation::Find, None, Object::Nothing),
            _ => return None,
        };
        Some(Self {
            operation,
            scheme,
            key,
            parts: false,
            refused: false,
            logged_in,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::{Data, Pin, Signature};
    use super::*;

    const SESSION: Session = Session(0);
    const START: Call = Call::Init(Operation::Sign, SESSION, Scheme::Ecdsa, Object::Nothing);

    fn after(calls: &[(Call, &str)]) -> State {
        let mut state = State::default();
        let opened = (Call::OpenSession(SESSION, Access::ReadWrite), "CKR_OK");
        for (call, rv) in [&[opened], calls].concat() {
            state.follow(&call, rv);
        }
        state
    }

    fn sign(space: Space) -> Call {
        Call::Whole(Operation::Sign, SESSION, Data::Digest, space)
    }

    #[test]
    fn a_query_and_too_little_room_leave_an_operation_active() {
        let state = after(&[
            (START, "CKR_OK"),
            (sign(Space::Query), "CKR_OK"),
            (sign(Space::One), "CKR_BUFFER_TOO_SMALL"),
        ]);
        assert!(state.active(SESSION).is_some_and(|active| !active.refused));
    }

    #[test]
    fn an_answer_ends_an_operation_and_a_refusal_leaves_it_in_doubt() {
        let ended = after(&[(START, "CKR_OK"), (sign(Space::Ample), "CKR_OK")]);
        assert!(ended.active(SESSION).is_none());
        let refused = after(&[
            (START, "CKR_OK"),
            (sign(Space::NoLength), "CKR_ARGUMENTS_BAD"),
        ]);
        assert!(refused.active(SESSION).is_some_and(|active| active.refused));
    }

    #[test]
    fn a_call_of_another_operation_changes_nothing() {
        let verify = Call::Verify(SESSION, Data::Digest, Signature::Ecdsa);
        let state = after(&[(START, "CKR_OK"), (verify, "CKR_OPERATION_NOT_INITIALIZED")]);
        assert!(state.active(SESSION).is_some_and(|active| !active.refused));
    }

    #[test]
    fn the_login_ends_with_the_last_session() {
        let login = Call::Login(SESSION, User::Ordinary, Pin::Right);
        let generated = Call::GenerateKeyPair(SESSION, Template::Complete);
        let before = after(&[(login.clone(), "CKR_OK"), (generated.clone(), "CKR_OK")]);
        assert!(before.logged_in && before.own == Some(Own::AsMade));
        let closed = (Call::CloseSession(SESSION), "CKR_OK");
        let state = after(&[(login, "CKR_OK"), (generated, "CKR_OK"), closed]);
        assert!(!state.logged_in && state.own.is_none());
    }
}
