//! Login: a state of the token in this process, and what a PIN is compared with or used for.

use std::time::Instant;

use pkcs11_sys::*;

use super::Token;
use crate::config::PinMode;
use crate::error::{Error, Result};
use crate::kms::{IDENTITY_FORMS, Identity, Phase, Stage};
use crate::sync::{Condvar, Mutex};

/// Whether the application logged in to a token.
#[derive(Debug, Default)]
pub(super) struct Login {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Out,
    /// A PIN is being looked at, which may take a request.
    Entering {
        /// False when the application's last session was closed meanwhile.
        is_wanted: bool,
    },
    User,
    /// What belongs to a login that has ended is being forgotten.
    Leaving,
}

impl State {
    /// Whether a thread is at work on it, which alone ends that: whoever wants to log in waits, so that what
    /// one login leaves behind never takes anything from the next.
    fn is_passing(self) -> bool {
        matches!(self, Self::Entering { .. } | Self::Leaving)
    }
}

impl Login {
    /// Begins a login; one that another thread begins or ends is waited for, until an instant at most.
    fn enter(&self, until: Instant) -> Result<Passage<'_>> {
        let state = self.state.lock();
        let passes = |state: &mut State| state.is_passing();
        let (mut state, is_late) = self
            .changed
            .wait_while_until(&self.state, state, passes, until);
        if is_late {
            return Err(Error::new(
                CKR_DEVICE_ERROR,
                "another thread logs in or out and has not ended within the deadline",
            ));
        }
        if *state == State::User {
            return Err(CKR_USER_ALREADY_LOGGED_IN.into());
        }
        *state = State::Entering { is_wanted: true };
        Ok(Passage(self))
    }

    /// Begins the end of a login, if there is one.
    fn leave(&self) -> Option<Passage<'_>> {
        self.leave_from(&mut self.state.lock())
    }

    /// The same, and a login that is under way shall fail.
    fn leave_or_give_up(&self) -> Option<Passage<'_>> {
        let mut state = self.state.lock();
        if let State::Entering { is_wanted } = &mut *state {
            *is_wanted = false;
        }
        self.leave_from(&mut state)
    }

    fn leave_from(&self, state: &mut State) -> Option<Passage<'_>> {
        (*state == State::User).then(|| {
            *state = State::Leaving;
            Passage(self)
        })
    }

    fn is_user(&self) -> bool {
        *self.state.lock() == State::User
    }
}

/// A login or a logout under way. Dropped, it leaves nobody logged in, unless it has succeeded.
struct Passage<'l>(&'l Login);

impl Passage<'_> {
    /// False when the login is not wanted any more.
    fn succeed(&self) -> bool {
        let mut state = self.0.state.lock();
        let goes_on = *state == State::Entering { is_wanted: true };
        if goes_on {
            *state = State::User;
        }
        goes_on
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.is_passing() {
            *state = State::Out;
        }
        self.0.changed.notify_all();
    }
}

impl Token {
    /// C_Login.
    pub(crate) fn log_in(&self, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
        match user {
            CKU_USER => {}
            CKU_CONTEXT_SPECIFIC => return Err(CKR_OPERATION_NOT_INITIALIZED.into()),
            _ => {
                return Err(Error::new(
                    CKR_USER_TYPE_INVALID,
                    "a KMS token has no security officer: IAM decides who may do what",
                ));
            }
        }
        let attempt = self
            .login
            .enter(Instant::now() + Stage::Request.left(self.config.deadline))?;
        let outcome = self.check_pin(pin).and_then(|()| {
            if attempt.succeed() {
                return Ok(());
            }
            Err(CKR_SESSION_CLOSED.into())
        });
        if outcome.is_err() {
            // A request that came too late to be an answer may have logged in all the same.
            self.forget_user();
        }
        outcome
    }

    fn check_pin(&self, pin: &[u8]) -> Result<()> {
        match &self.config.pin {
            PinMode::Any => Ok(()),
            PinMode::Verify(source) => {
                let hash = source
                    .hash()
                    .map_err(|why| Error::new(CKR_FUNCTION_FAILED, why))?;
                if hash.is_of(pin) {
                    return Ok(());
                }
                Err(Error::new(CKR_PIN_INCORRECT, "it is not the token's PIN"))
            }
            PinMode::Credentials => {
                let identity = Identity::from_pin(pin).ok_or_else(|| {
                    Error::new(
                        CKR_PIN_INCORRECT,
                        format!("the token's PIN is {IDENTITY_FORMS}"),
                    )
                })?;
                self.kms
                    .log_in(identity)
                    .map_err(|error| error.into_error(Phase::Login))
            }
        }
    }

    /// C_Logout.
    pub(crate) fn log_out(&self) -> Result<()> {
        let _leaving = self
            .login
            .leave()
            .ok_or_else(|| Error::from(CKR_USER_NOT_LOGGED_IN))?;
        self.forget_user();
        Ok(())
    }

    /// Ends the login with the application's last session.
    pub(crate) fn end_login(&self) {
        if let Some(_leaving) = self.login.leave_or_give_up() {
            self.forget_user();
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.login.is_user()
    }

    /// Whether private objects are there for the application.
    pub(super) fn shows_private(&self) -> bool {
        !self.config.pin.needs_login() || self.is_logged_in()
    }

    /// Whether there is anybody as whom KMS can be asked.
    pub(super) fn has_identity(&self) -> bool {
        self.config.pin != PinMode::Credentials || self.is_logged_in()
    }

    /// Refuses what only those may do who logged in, where that is needed.
    pub(super) fn check_login(&self) -> Result<()> {
        if self.shows_private() {
            return Ok(());
        }
        Err(Error::new(
            CKR_USER_NOT_LOGGED_IN,
            "the token's configuration demands a login (pin)",
        ))
    }

    /// Whether the login ended that this thread's call needs and began under: what it comes to is of nobody who is
    /// there.
    pub(super) fn check_login_lasts(&self) -> Result<()> {
        if self.config.pin.needs_login() && self.kms.logins().ended_during_call() {
            return Err(logged_out());
        }
        Ok(())
    }

    /// A PKCS#11 call begins in one of the token's sessions.
    pub(crate) fn begin_call(&self) {
        self.kms.logins().begin_call();
    }

    /// What the user brought or made goes with the login.
    fn forget_user(&self) {
        // First of all: calls that are under way add nothing to what is forgotten.
        self.kms.logins().change();
        // Private objects of all sessions go (PKCS#11 3.2, 5.6.10).
        self.locals.end_login();
        if self.config.pin == PinMode::Credentials {
            self.kms.log_out();
            self.view.forget();
            self.materials.forget_failures();
        }
    }
}

/// The answer to a call whose login has ended meanwhile.
pub(super) fn logged_out() -> Error {
    Error::new(
        CKR_USER_NOT_LOGGED_IN,
        "the login that the call began under has ended meanwhile",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    /// Ends a passage after a while; another thread that enters meanwhile must not get in before.
    #[track_caller]
    fn assert_waited_for(login: &Login, passage: Passage<'_>) {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let next = login.enter(soon()).unwrap();
                assert!(is_over.load(Ordering::SeqCst), "two at a time");
                assert!(next.succeed());
            });
            std::thread::sleep(Duration::from_millis(100));
            assert!(!login.is_user());
            is_over.store(true, Ordering::SeqCst);
            drop(passage);
        });
        assert!(login.is_user());
    }

    #[test]
    fn a_login_waits_until_the_one_before_is_forgotten() {
        let login = Login::default();
        assert!(login.enter(soon()).unwrap().succeed());
        let leaving = login.leave().unwrap();
        assert!(login.leave().is_none(), "left twice");
        assert_waited_for(&login, leaving);
    }

    #[test]
    fn a_login_waits_for_another_one_no_longer_than_it_has_time() {
        let login = Login::default();
        let first = login.enter(soon()).unwrap();
        let late = login.enter(Instant::now() + Duration::from_millis(20));
        assert_eq!(late.err().unwrap().rv(), CKR_DEVICE_ERROR);
        drop(first);
        assert!(login.enter(Instant::now()).is_ok());
    }

    #[test]
    fn a_login_that_was_given_up_fails_and_nobody_takes_its_place_before() {
        let login = Login::default();
        let attempt = login.enter(soon()).unwrap();
        assert!(login.leave().is_none(), "nobody is logged in yet");
        assert!(login.leave_or_give_up().is_none());
        assert!(!attempt.succeed());
        assert_waited_for(&login, attempt);
    }
}
