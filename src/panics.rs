//! Panics: none unwinds into C, which would end the host, and none is printed past the log.
//!
//! The standard library prints panics to standard error before anybody can catch them, with a write that
//! SIGPIPE may answer. The hook here takes the place of that for what is caught; of all other panics it
//! leaves the telling to the hook that was there before.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;

use crate::log;

/// A panic that was caught. It shows where it was and what it said, if that was a constant: what was put
/// together may hold data that belongs in no log.
#[derive(Debug)]
pub(crate) struct Panic {
    /// `FILE:LINE:COLUMN`.
    place: String,
    said: Said,
}

#[derive(Debug)]
enum Said {
    Constant(&'static str),
    Composed(String),
    Other,
}

/// Who tells of a panic on a thread.
#[derive(Clone, Copy)]
enum Teller {
    /// The hook that was there before.
    Host,
    /// [`caught`].
    Catcher,
    /// This hook, on threads of the module's own.
    Hook,
}

thread_local! {
    static TELLER: Cell<Teller> = const { Cell::new(Teller::Host) };
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `run` to its end or to its panic.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    install();
    let before = TELLER.replace(Teller::Catcher);
    // Unwind safety: the module's shared state changes only by whole replacement or under locks
    // that do not poison, and an operation that was running is ended by its guard.
    let result = catch_unwind(AssertUnwindSafe(run));
    TELLER.set(before);
    result.map_err(Panic::of)
}

/// The same for work that waits.
pub(crate) async fn caught_in<F: Future>(work: F) -> Result<F::Output, Panic> {
    let mut work = pin!(work);
    std::future::poll_fn(
        move |context| match caught(|| work.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

/// To be called on a thread of the module's own: what nobody catches there is a line on standard error.
pub(crate) fn own_thread() {
    install();
    TELLER.set(Teller::Hook);
}

impl Panic {
    fn of(payload: Box<dyn Any + Send>) -> Self {
        let said = match payload.downcast::<&'static str>() {
            Ok(constant) => Said::Constant(*constant),
            Err(payload) => match payload.downcast::<String>() {
                Ok(composed) => Said::Composed(*composed),
                Err(other) => {
                    // Its destructor may panic, too, and nobody would catch that.
                    mem::forget(other);
                    Said::Other
                }
            },
        };
        Self {
            place: PLACE.try_with(RefCell::take).unwrap_or_default(),
            said,
        }
    }

    /// All that was said, for panics that are known to name no secret.
    pub(crate) fn into_message(self) -> String {
        match self.said {
            Said::Composed(message) => message,
            Said::Constant(_) | Said::Other => self.to_string(),
        }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said {
            Said::Constant(message) => write!(f, "{}: {message}", self.place),
            Said::Composed(_) | Said::Other => f.write_str(&self.place),
        }
    }
}

fn install() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Relaxed) || thread::panicking() {
        return;
    }
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| match TELLER.get() {
            Teller::Host => before(info),
            Teller::Catcher => {
                // Without the place, at the end of a thread's life, it is still caught.
                PLACE
                    .try_with(|noted| noted.replace(place(info)))
                    .unwrap_or_default();
            }
            Teller::Hook => log::complain(&format!(
                "internal error on a thread of the module ({}); please report it",
                place(info)
            )),
        }));
    }
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = file!();

    #[test]
    fn a_panic_shows_its_place_and_of_its_words_the_constant_ones() {
        let constant = caught(|| panic!("on purpose")).unwrap_err().to_string();
        assert!(constant.starts_with(&format!("{FILE}:")), "{constant}");
        assert!(constant.ends_with(": on purpose"), "{constant}");
        let secret = "sesame-8214";
        let composed = caught(|| panic!("of {secret}")).unwrap_err();
        assert!(composed.to_string().starts_with(&format!("{FILE}:")));
        assert!(!composed.to_string().contains(secret));
        assert_eq!(composed.into_message(), "of sesame-8214");
    }

    #[test]
    fn what_was_thrown_may_panic_when_it_is_dropped() {
        struct Grenade;
        impl Drop for Grenade {
            fn drop(&mut self) {
                panic!("once more");
            }
        }
        let panic = caught(|| panic::panic_any(Grenade)).unwrap_err();
        assert!(panic.to_string().starts_with(FILE));
    }

    #[test]
    fn what_is_caught_inside_of_what_is_caught_is_over_by_then() {
        let outer = caught(|| {
            let inner = caught(|| panic!("inner")).unwrap_err().to_string();
            assert!(inner.ends_with("inner"));
            panic!("outer");
        });
        assert!(outer.unwrap_err().to_string().ends_with("outer"));
        assert_eq!(caught(|| 1).unwrap(), 1);
    }

    #[test]
    fn a_host_keeps_its_hook_for_its_own_panics() {
        static SEEN: AtomicBool = AtomicBool::new(false);
        panic::set_hook(Box::new(|_| SEEN.store(true, Ordering::Relaxed)));
        drop(caught(|| panic!("ours")));
        assert!(!SEEN.load(Ordering::Relaxed));
        drop(catch_unwind(|| panic!("the host's")));
        assert!(SEEN.load(Ordering::Relaxed));
    }

    #[test]
    fn work_that_waits_is_caught_wherever_it_goes_on() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let panicked: Result<(), _> = runtime.block_on(caught_in(async {
            tokio::task::yield_now().await;
            panic!("later");
        }));
        let panic = panicked.unwrap_err();
        assert!(panic.to_string().ends_with("later"));
        assert_eq!(runtime.block_on(caught_in(async { 2 })).unwrap(), 2);
    }
}
