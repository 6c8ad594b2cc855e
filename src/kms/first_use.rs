//! The first request of a process, and forks.
//!
//! The SDK and its TLS library set up what they share in a process (trusted roots, partitions, telemetry)
//! the first time they need it, each behind a `Once`. A child that is forked while another thread is in
//! one of them inherits it half done, with nobody left to finish it, and hangs there. So a fork waits, for
//! a bounded time, until no first request is under way.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A request was answered: what is shared is set up.
static DONE: AtomicBool = AtomicBool::new(false);

/// The first requests under way, and [`FORKING`].
static STATE: AtomicU32 = AtomicU32::new(0);

/// Set while a thread forks.
const FORKING: u32 = 1 << 31;

/// How long a fork waits for first requests, and they for a fork.
const PATIENCE: Duration = Duration::from_secs(3);

const PAUSE: Duration = Duration::from_millis(1);

/// Makes a request; if it is a first one, no fork happens meanwhile.
pub(super) fn guarded<T>(request: impl FnOnce() -> T) -> T {
    let _under_way = (!is_set_up()).then(UnderWay::begin);
    request()
}

/// To be called when AWS has answered, whatever it said. A request that fails before that, without a
/// region, credentials or a connection, may have set up nothing.
pub(super) fn answered() {
    DONE.store(true, Ordering::Release);
}

/// Whether no request is a first one any more.
pub(super) fn is_set_up() -> bool {
    DONE.load(Ordering::Acquire)
}

/// To be called before a fork, by the thread that forks.
pub(crate) fn before_fork() {
    STATE.fetch_or(FORKING, Ordering::AcqRel);
    wait_until(|| STATE.load(Ordering::Acquire) == FORKING);
}

/// To be called after a fork, in the parent.
pub(crate) fn after_fork_in_parent() {
    STATE.fetch_and(!FORKING, Ordering::AcqRel);
}

/// To be called after a fork, in the child: the threads with requests under way are not there.
pub(crate) fn after_fork_in_child() {
    STATE.store(0, Ordering::Release);
}

/// A first request that is counted.
struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        let no_fork = |state: u32| (state & FORKING == 0).then_some(state + 1);
        let begun = || {
            STATE
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, no_fork)
                .is_ok()
        };
        if !wait_until(begun) {
            // The fork takes longer than anybody can wait for.
            STATE.fetch_add(1, Ordering::AcqRel);
        }
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        STATE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// True when `done` is within [`PATIENCE`].
fn wait_until(done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() >= PATIENCE {
            return false;
        }
        thread::sleep(PAUSE);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_fork_waits_for_a_first_request_and_a_first_request_for_a_fork() {
        let (order, events) = mpsc::channel();
        thread::scope(|scope| {
            let (begun, wait) = mpsc::channel();
            let of_request = order.clone();
            scope.spawn(move || {
                guarded(|| {
                    begun.send(()).unwrap();
                    thread::sleep(Duration::from_millis(200));
                    of_request.send("request").unwrap();
                });
            });
            wait.recv().unwrap();
            before_fork();
            order.send("fork").unwrap();
            after_fork_in_parent();
        });
        assert_eq!(events.recv(), Ok("request"));
        assert_eq!(events.recv(), Ok("fork"));

        // From an answer on, requests do not wait.
        assert!(!is_set_up());
        answered();
        before_fork();
        guarded(|| ());
        after_fork_in_parent();
        assert_eq!(STATE.load(Ordering::Acquire), 0);
    }
}
