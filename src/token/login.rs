//! Login: a state of the token in this process, and what a PIN is compared with or used for.

use parking_lot::{Condvar, Mutex};
use pkcs11_sys::*;

use super::Token;
use crate::config::PinMode;
use crate::error::{Error, Result};
use crate::kms::{IDENTITY_FORMS, Identity, Phase};

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
    Entering,
    User,
}

impl Login {
    /// Begins a login; one that another thread has begun is waited for.
    fn enter(&self) -> Result<Attempt<'_>> {
        let mut state = self.state.lock();
        self.changed
            .wait_while(&mut state, |state| *state == State::Entering);
        if *state == State::User {
            return Err(CKR_USER_ALREADY_LOGGED_IN.into());
        }
        *state = State::Entering;
        Ok(Attempt(self))
    }

    /// Whether there was a login to end.
    fn leave(&self) -> bool {
        let before = std::mem::take(&mut *self.state.lock());
        self.changed.notify_all();
        before == State::User
    }

    fn is_user(&self) -> bool {
        *self.state.lock() == State::User
    }
}

/// A login under way: dropped, it has failed.
struct Attempt<'l>(&'l Login);

impl Attempt<'_> {
    /// False when the application's last session was closed meanwhile.
    fn succeed(self) -> bool {
        let mut state = self.0.state.lock();
        let goes_on = *state == State::Entering;
        if goes_on {
            *state = State::User;
        }
        goes_on
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if *state == State::Entering {
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
        let attempt = self.login.enter()?;
        match &self.config.pin {
            PinMode::Any => {}
            PinMode::Verify(source) => {
                let hash = source
                    .hash()
                    .map_err(|why| Error::new(CKR_FUNCTION_FAILED, why))?;
                if !hash.is_of(pin) {
                    return Err(Error::new(CKR_PIN_INCORRECT, "it is not the token's PIN"));
                }
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
                    .map_err(|error| error.into_error(Phase::Login))?;
            }
        }
        if attempt.succeed() {
            return Ok(());
        }
        self.forget_user();
        Err(CKR_SESSION_CLOSED.into())
    }

    /// C_Logout.
    pub(crate) fn log_out(&self) -> Result<()> {
        if !self.login.leave() {
            return Err(CKR_USER_NOT_LOGGED_IN.into());
        }
        self.forget_user();
        Ok(())
    }

    /// Ends the login with the application's last session.
    pub(crate) fn end_login(&self) {
        if self.login.leave() {
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

    /// What the user brought or made goes with the login.
    fn forget_user(&self) {
        // Private objects of all sessions go (PKCS#11 3.2, 5.6.10).
        self.locals.end_login();
        if self.config.pin == PinMode::Credentials {
            self.kms.log_out();
            self.view.forget();
        }
    }
}
