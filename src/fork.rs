//! Forks of the host, and its end, wait until no thread is at work in the module.
//!
//! A child has one thread, and of everything else what was there at that instant. What the others were in
//! the middle of stays half done for good: a `Once` of the SDK, of rustls or of aws-lc that is being set up, a
//! lock of aws-lc's random generators or of `tracing`'s registry, one of the C library's behind a name lookup.
//! A child that needed one of them would wait for it without end, at its next request or when it exits. None
//! of these locks is ours to take. So threads are counted while they are at work in here, a fork waits
//! until there are none, and meanwhile nobody begins.
//!
//! Threads that only wait, for KMS, for another thread or for work, are not at work. Nor are those that look a
//! name up, which waits for servers for as long as these take: the C library holds its locks while it reads its
//! files, before that, so a fork gives each lookup the time for these alone.
//!
//! Every wait for a fork and of a fork is bounded: the host may have reasons of its own to do things in another
//! order, and may fork again and again.
//!
//! The end of the process is a fork that does not come back: what threads would use from then on is taken down.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Threads at work in the lower half, forks under way in the upper.
static STATE: AtomicU64 = AtomicU64::new(0);

const FORK: u64 = 1 << 32;

/// Threads that look a name up.
static LOOKUPS: AtomicU64 = AtomicU64::new(0);

/// The fork under way waits no more.
static SETTLED: AtomicBool = AtomicBool::new(false);

/// Work waits no more for the fork under way: what waited longest would have waited in vain.
static OPEN: AtomicBool = AtomicBool::new(false);

/// The process ends.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The forks between the process that loaded the library and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How long a fork waits. Work takes milliseconds, a TLS handshake some of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a fork waits for lookups. What they read before they ask a server is read in a millisecond.
const PATIENCE_WITH_LOOKUPS: Duration = Duration::from_millis(50);

/// How long work waits for a fork that waits no more itself. Handlers of the host's that run after ours may want
/// a lock that a waiting thread holds, so this is short; a fork takes a millisecond, or tens in a process of
/// many gigabytes.
const PATIENCE_OF_WORK: Duration = Duration::from_millis(200);

/// How long work waits for forks that follow one another. The first of them has given up by then.
const PATIENCE_WITH_FORKS: Duration = PATIENCE.saturating_add(PATIENCE_OF_WORK);

/// How long the end of the process waits for work. As a fork does: what it would interrupt may abort the process, such
/// as the set-up of aws-lc's entropy, which takes its time on a machine with other things to do.
const PATIENCE_OF_END: Duration = PATIENCE;

/// How long work waits for the end of the process. Threads that are waited for meanwhile, by the destructor of
/// another library, come back then.
const PATIENCE_AT_END: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_micros(200);

thread_local! {
    /// Without a destructor, so that it can be used at any time of a thread's life.
    static IS_AT_WORK: Cell<bool> = const { Cell::new(false) };

    /// Whether this is a thread of the module's own that may stay behind.
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`, of which a fork must not see the middle.
pub(crate) fn at_work<T>(work: impl FnOnce() -> T) -> T {
    let _at_work = (!is_at_work()).then(AtWork::begin);
    work()
}

/// Runs something within [`at_work`] that does nothing but wait, and that holds no lock.
pub(crate) fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    let _waiting = (is_at_work() && !has_ended()).then(Waiting::begin);
    wait()
}

/// Runs, within [`at_work`], what looks a name up and holds no lock of ours.
pub(crate) fn looking_up<T>(ask: impl FnOnce() -> T) -> T {
    let lookup = Lookup::begin();
    waiting(move || {
        // Over before the thread waits for a fork, which may be waiting for lookups.
        let _lookup = lookup;
        ask()
    })
}

/// To be called when a thread of the module's own starts that nobody waits for without a bound: when the process
/// ends, it does not go on.
pub(crate) fn own_thread() {
    IS_OWN.set(true);
}

/// To be called when a thread of the module's own begins to work, however often.
pub(crate) fn work_begins() {
    if !is_at_work() {
        begin();
    }
}

/// To be called before such a thread pauses.
pub(crate) fn work_pauses() {
    if is_at_work() {
        end();
    }
}

/// Whether this thread is at work.
fn is_at_work() -> bool {
    IS_AT_WORK.get()
}

/// Tells processes apart that have the same id: in another namespace, or after the first one's end.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// To be called before a fork, by the thread that forks.
pub(crate) fn before() {
    if has_ended() {
        return;
    }
    SETTLED.store(false, Ordering::Release);
    OPEN.store(false, Ordering::Release);
    STATE.fetch_add(FORK, Ordering::AcqRel);
    wait_for_others(PATIENCE);
    wait_until(PATIENCE_WITH_LOOKUPS, || {
        LOOKUPS.load(Ordering::Acquire) == 0
    });
    SETTLED.store(true, Ordering::Release);
}

/// To be called after a fork, in the parent.
pub(crate) fn after_in_parent() {
    if has_ended() {
        return;
    }
    STATE.fetch_sub(FORK, Ordering::AcqRel);
}

/// To be called after a fork, in the child, which has no other threads.
pub(crate) fn after_in_child() {
    STATE.store(u64::from(is_at_work()), Ordering::Release);
    LOOKUPS.store(0, Ordering::Release);
    SETTLED.store(false, Ordering::Release);
    OPEN.store(false, Ordering::Release);
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

/// To be called when the process ends, by the thread that ends it: no other thread works from then on.
pub(crate) fn end_for_good() {
    ENDED.store(true, Ordering::Release);
    // What the last fork left here would let work begin.
    SETTLED.store(false, Ordering::Release);
    OPEN.store(false, Ordering::Release);
    STATE.fetch_add(FORK, Ordering::AcqRel);
    wait_for_others(PATIENCE_OF_END);
    SETTLED.store(true, Ordering::Release);
    // What destructors call is answered at once.
    IS_AT_WORK.set(true);
}

/// Whether the process ends.
pub(crate) fn has_ended() -> bool {
    ENDED.load(Ordering::Acquire)
}

struct AtWork;

impl AtWork {
    fn begin() -> Self {
        begin();
        Self
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        end();
    }
}

struct Waiting;

impl Waiting {
    fn begin() -> Self {
        end();
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        begin();
    }
}

struct Lookup;

impl Lookup {
    fn begin() -> Self {
        LOOKUPS.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        LOOKUPS.fetch_sub(1, Ordering::AcqRel);
    }
}

fn begin() {
    let without_fork = |state: u64| (state < FORK).then_some(state + 1);
    let mut wait = None;
    while STATE
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, without_fork)
        .is_err()
    {
        while IS_OWN.get() && has_ended() {
            // Nobody needs what this thread would do, with what is not there any more.
            thread::park();
        }
        if wait.get_or_insert_with(Wait::begin).is_over() {
            STATE.fetch_add(1, Ordering::AcqRel);
            break;
        }
        thread::sleep(PAUSE);
    }
    IS_AT_WORK.set(true);
}

/// Of work for forks, or for the end of the process.
struct Wait {
    begun: Instant,
    /// Since when the fork under way waits no more.
    settled: Option<Instant>,
}

impl Wait {
    fn begin() -> Self {
        Self {
            begun: Instant::now(),
            settled: None,
        }
    }

    fn is_over(&mut self) -> bool {
        if has_ended() {
            return self.begun.elapsed() >= PATIENCE_AT_END;
        }
        if SETTLED.load(Ordering::Acquire) {
            let settled = self.settled.get_or_insert_with(Instant::now);
            if settled.elapsed() >= PATIENCE_OF_WORK {
                OPEN.store(true, Ordering::Release);
            }
            if OPEN.load(Ordering::Acquire) {
                return true;
            }
        } else {
            self.settled = None;
        }
        self.begun.elapsed() >= PATIENCE_WITH_FORKS
    }
}

fn end() {
    IS_AT_WORK.set(false);
    STATE.fetch_sub(1, Ordering::AcqRel);
}

/// Waits until no other thread is at work; true when there is none.
fn wait_for_others(patience: Duration) -> bool {
    let own = u64::from(is_at_work());
    wait_until(patience, || STATE.load(Ordering::Acquire) % FORK <= own)
}

/// True when `done` is within `patience`.
fn wait_until(patience: Duration, done: impl Fn() -> bool) -> bool {
    if done() {
        return true;
    }
    let begun = Instant::now();
    while begun.elapsed() < patience {
        thread::sleep(PAUSE);
        if done() {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;

    use super::*;

    // The tests share the state: nextest runs each in a process of its own.
    #[test]
    fn a_fork_waits_for_work_and_work_for_a_fork_but_not_for_what_waits() {
        let (order, events) = mpsc::channel();
        thread::scope(|scope| {
            let (begun, wait) = mpsc::channel();
            let of_work = order.clone();
            scope.spawn(move || {
                at_work(|| {
                    begun.send(()).unwrap();
                    thread::sleep(Duration::from_millis(100));
                    of_work.send("work").unwrap();
                });
            });
            wait.recv().unwrap();
            before();
            order.send("fork").unwrap();
            let of_work = order.clone();
            scope.spawn(move || at_work(|| of_work.send("work").unwrap()));
            thread::sleep(Duration::from_millis(50));
            order.send("forked").unwrap();
            after_in_parent();
        });
        for event in ["work", "fork", "forked", "work"] {
            assert_eq!(events.recv(), Ok(event));
        }

        // One that waits for another thread, inside work and nested work, holds up nobody.
        thread::scope(|scope| {
            let ((begun, wait), (end, ended)) = (mpsc::channel(), mpsc::channel());
            scope.spawn(move || {
                at_work(|| {
                    at_work(|| {
                        waiting(|| {
                            begun.send(()).unwrap();
                            ended.recv().unwrap();
                        });
                        assert!(is_at_work());
                    });
                    assert!(is_at_work());
                });
                assert!(!is_at_work());
            });
            wait.recv().unwrap();
            assert!(wait_for_others(Duration::ZERO));
            end.send(()).unwrap();
        });

        // Nor does a panic, nor the thread that forks from its own work, nor what the parent had.
        let panicked = catch_unwind(AssertUnwindSafe(|| at_work(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        let forked = Instant::now();
        at_work(before);
        at_work(after_in_parent);
        assert!(forked.elapsed() < PATIENCE);
        assert_eq!(STATE.load(Ordering::Acquire), 0);
        let generation_before = generation();
        STATE.store(7 * FORK + 7, Ordering::Release);
        after_in_child();
        assert_eq!(STATE.load(Ordering::Acquire), 0);
        assert_eq!(generation(), generation_before + 1);
    }

    #[test]
    fn a_fork_gives_lookups_a_moment_and_what_follows_waits_for_no_more() {
        let ((begun, wait), (end, ended)) = (mpsc::channel(), mpsc::channel());
        thread::scope(|scope| {
            scope.spawn(move || {
                at_work(|| {
                    looking_up(|| {
                        begun.send(()).unwrap();
                        ended.recv().unwrap();
                    });
                });
            });
            wait.recv().unwrap();
            let forked = Instant::now();
            before();
            let waited = forked.elapsed();
            // The thread waits for the fork, which knows that its lookup is over.
            end.send(()).unwrap();
            assert!(wait_until(PATIENCE, || LOOKUPS.load(Ordering::Acquire) == 0));
            after_in_parent();
            assert!(
                waited >= PATIENCE_WITH_LOOKUPS && waited < PATIENCE,
                "{waited:?}"
            );
        });
        assert_eq!(STATE.load(Ordering::Acquire), 0);
    }

    #[test]
    fn work_does_not_wait_for_every_fork_of_many() {
        let (over, is_over) = mpsc::channel();
        // Each fork waits for this one, and there is hardly a moment between two of them.
        LOOKUPS.fetch_add(1, Ordering::AcqRel);
        thread::scope(|scope| {
            before();
            let begun = Instant::now();
            scope.spawn(move || at_work(|| over.send(()).unwrap()));
            while is_over.try_recv().is_err() {
                assert!(begun.elapsed() < PATIENCE_WITH_FORKS + PATIENCE);
                after_in_parent();
                before();
            }
            after_in_parent();
        });
    }

    #[test]
    fn work_begins_no_more_at_the_end_whatever_the_last_fork_left() {
        before();
        // It takes so long that work goes on.
        thread::scope(|scope| scope.spawn(|| at_work(|| ())).join()).unwrap();
        assert!(OPEN.load(Ordering::Acquire));
        after_in_parent();
        end_for_good();
        let begun = Instant::now();
        thread::scope(|scope| scope.spawn(|| at_work(|| ())).join()).unwrap();
        assert!(begun.elapsed() >= PATIENCE_AT_END);
        let (over, is_over) = mpsc::channel();
        thread::spawn(move || {
            own_thread();
            at_work(|| over.send(()).unwrap());
        });
        let more = PATIENCE_AT_END + PATIENCE_OF_WORK;
        assert!(is_over.recv_timeout(more).is_err(), "it goes on");
    }

    #[test]
    fn a_child_begins_with_nothing_of_its_parents_forks() {
        before();
        LOOKUPS.fetch_add(3, Ordering::AcqRel);
        OPEN.store(true, Ordering::Release);
        after_in_child();
        for left in [&OPEN, &SETTLED] {
            assert!(!left.load(Ordering::Acquire));
        }
        assert_eq!(LOOKUPS.load(Ordering::Acquire), 0);
    }

    #[test]
    fn work_waits_for_a_fork_that_does_not_come_once_and_not_for_long() {
        let begun = Instant::now();
        before();
        thread::spawn(|| {
            for _ in 0..20 {
                at_work(|| ());
            }
        })
        .join()
        .unwrap();
        let waited = begun.elapsed();
        after_in_parent();
        assert!(waited >= PATIENCE_OF_WORK && waited < 15 * PATIENCE_OF_WORK);
    }
}
