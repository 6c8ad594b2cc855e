//! The time of a PKCS#11 call, by what it waits for.
//!
//! A call may need many requests. Each stage of it has its deadline in the configuration, and all requests of the
//! call in that stage share it: what one has used up the next does not have.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::login::Login;

/// How long after a deadline the answer of whoever is at work is awaited: it says more about what happened than the
/// passing of time does.
pub(crate) const GRACE: Duration = Duration::from_millis(250);

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// What is done with keys: `deadline`.
    Request,
    /// Which keys there are, and what they are: `listing_deadline`.
    Listing,
    /// A new key that is to become usable: `key_ready_timeout`.
    Ready,
}

/// What is known of a call.
#[derive(Clone, Copy)]
struct Call {
    /// When the first request of each stage was made.
    begun: [Option<Instant>; 3],
    /// Under which it began, once that was asked.
    login: Option<Login>,
}

impl Call {
    const NEW: Self = Self {
        begun: [None; 3],
        login: None,
    };
}

thread_local! {
    /// `None` outside of a call. It has no destructor, so that an exit handler of the host may call, too.
    static CALL: Cell<Option<Call>> = const { Cell::new(None) };
}

/// Runs one PKCS#11 call, or background work that has as much time.
pub(crate) fn call<T>(run: impl FnOnce() -> T) -> T {
    struct Restored(Option<Call>);
    impl Drop for Restored {
        fn drop(&mut self) {
            CALL.set(self.0);
        }
    }
    let _restored = Restored(CALL.replace(Some(Call::NEW)));
    run()
}

impl Stage {
    /// What is left for this stage of the call, of which it may take `most` in all.
    pub(crate) fn left(self, most: Duration) -> Duration {
        let Some(mut call) = CALL.get() else {
            return most;
        };
        let since = *call.begun[self as usize].get_or_insert_with(Instant::now);
        CALL.set(Some(call));
        most.saturating_sub(since.elapsed())
    }

    /// Gives this stage of the call its time once more: for what has to be done after a failure.
    pub(crate) fn anew(self) {
        if let Some(mut call) = CALL.get() {
            call.begun[self as usize] = None;
            CALL.set(Some(call));
        }
    }
}

/// The login that this thread's call began under; `None` outside of a call, too.
pub(super) fn login() -> Option<Login> {
    CALL.get().and_then(|call| call.login)
}

/// Takes note of it.
pub(super) fn set_login(login: Login) {
    if let Some(call) = CALL.get() {
        let login = Some(login);
        CALL.set(Some(Call { login, ..call }));
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    const MOST: Duration = Duration::from_mins(1);
    const PAUSE: Duration = Duration::from_millis(300);

    #[test]
    fn requests_of_one_stage_share_its_time_and_other_stages_and_calls_have_their_own() {
        let used = |stage: Stage| MOST.saturating_sub(stage.left(MOST));
        call(|| {
            assert!(used(Stage::Request) < PAUSE);
            sleep(PAUSE);
            assert!(used(Stage::Request) >= PAUSE);
            assert_eq!(Stage::Request.left(PAUSE), Duration::ZERO);
            assert!(used(Stage::Listing) < PAUSE);
            Stage::Request.anew();
            assert!(used(Stage::Request) < PAUSE);
            sleep(PAUSE);
        });
        call(|| assert!(used(Stage::Request) < PAUSE));
        assert_eq!(Stage::Request.left(MOST), MOST, "outside of a call");
    }
}
